//! `keyagent agent status`: whether the agent runs, since when, what it will do next.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::super::super::{Format, exit_code, ui};
use super::state_folder;
use crate::access_key::AccessKeyId;
use crate::agent::memory::Memory;
use crate::agent::reminders::{Circumstances, next, subjects};
use crate::agent::{self, snooze};
use crate::clock::{Clock, SystemClock};
use crate::problem::Problem;
use crate::process::Environment;
use crate::settings::AllSettings;

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    running: bool,
    holder: Option<String>,
    since: Option<Timestamp>,
    last_check: Option<Timestamp>,
    last_success: Option<Timestamp>,
    next_check: Option<Timestamp>,
    last_error: Option<String>,
    reminders: Vec<Reminder>,
}

#[derive(Debug, Serialize)]
struct Reminder {
    about: String,
    access_key_id: Option<String>,
    profiles: Vec<String>,
    /// What it is about, where that is no key that is known: a file, or a key of a rotation.
    #[serde(skip)]
    of: String,
    next: Timestamp,
    snoozed_until: Option<Timestamp>,
}

pub(super) fn run(format: Format, environment: &Environment) -> Result<u8, Problem> {
    let state_folder = state_folder(environment)?;
    let holder = agent::holder(&state_folder);
    let memory = Memory::load(&state_folder);
    let reminders = reminders(
        &memory,
        &snooze::load(&state_folder),
        environment,
        SystemClock.now(),
    );
    let document = document(&memory, holder, reminders);
    match format {
        Format::Json => ui::document(&document),
        Format::Text => ui::out(&text(&document, SystemClock.now())),
    }
    // As for systemctl status, a program can ask.
    Ok(if document.running {
        exit_code::OK
    } else {
        exit_code::FOUND
    })
}

/// What is still to be said, and when: by what holds now, not at the last check. A snooze counts from when it is made.
fn reminders(
    memory: &Memory,
    snoozed: &BTreeMap<AccessKeyId, Timestamp>,
    environment: &Environment,
    now: Timestamp,
) -> Vec<Reminder> {
    let (settings, _) = AllSettings::load_what_can_be(environment);
    let (told, zone) = (memory.told(), TimeZone::system());
    let circumstances = Circumstances {
        shown: &told,
        snoozed,
        quiet_hours: settings.defaults().quiet_hours,
        zone: &zone,
        now,
    };
    let bounds = |profiles: &[String]| agent::bounds(&settings, profiles);
    let all = subjects(&memory.facts, bounds, memory.seen.as_ref(), now);
    let mut reminders: Vec<Reminder> = all
        .into_iter()
        .filter_map(|subject| {
            let next = next(&subject, &circumstances)?;
            let (about, of) = subject.name.split_once(':').unwrap_or((&subject.name, ""));
            let id = subject.access_key_id.as_ref();
            let mut known = memory.facts.keys.iter().map(|key| key.access_key_id.as_str());
            Some(Reminder {
                about: about.to_owned(),
                of: of.to_owned(),
                access_key_id: known.find(|id| *id == of).map(str::to_owned),
                snoozed_until: id
                    .and_then(|id| snoozed.get(id))
                    .filter(|until| **until > now)
                    .copied(),
                profiles: subject.profiles,
                next,
            })
        })
        .collect();
    reminders.sort_by(|one, other| (&one.about, &one.of).cmp(&(&other.about, &other.of)));
    reminders
}

fn document(memory: &Memory, holder: Option<String>, reminders: Vec<Reminder>) -> Document {
    let running = holder.is_some();
    Document {
        schema: "keyagent.agent-status/1",
        running,
        holder,
        since: memory.started_at.filter(|_| running),
        last_check: memory.checked_at,
        last_success: memory.succeeded_at,
        next_check: memory.next_check.filter(|_| running),
        last_error: memory.last_error.clone(),
        reminders,
    }
}

fn text(document: &Document, now: Timestamp) -> String {
    let time = |at: Option<Timestamp>| {
        at.map_or_else(
            || "never".to_owned(),
            |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        )
    };
    let mut text = match &document.holder {
        Some(holder) => format!("running     since {} ({holder})\n", time(document.since)),
        None => "not running; to start it: keyagent agent install\n".to_owned(),
    };
    text.push_str(&format!("last check  {}\n", time(document.last_check)));
    if document.last_success != document.last_check {
        text.push_str(&format!("last answer {}\n", time(document.last_success)));
    }
    if document.running {
        text.push_str(&format!("next check  {}\n", time(document.next_check)));
    }
    if let Some(error) = &document.last_error {
        let words = format!("{} ({})", error, time(document.last_check));
        text.push_str(&format!("last error  {}\n", ui::wrapped_at(&words, 80, 12)));
    }
    if !document.reminders.is_empty() {
        text.push_str("\nreminders\n");
    }
    for reminder in &document.reminders {
        let who = if reminder.profiles.is_empty() {
            reminder.of.clone()
        } else {
            reminder.profiles.join(", ")
        };
        let when = if reminder.next <= now {
            "now".to_owned()
        } else {
            time(Some(reminder.next))
        };
        let snoozed = if reminder.snoozed_until.is_some() {
            ", snoozed"
        } else {
            ""
        };
        text.push_str(&format!("  {who} ({}): {when}{snoozed}\n", reminder.about));
    }
    text
}
