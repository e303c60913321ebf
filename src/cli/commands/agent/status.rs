//! `keyagent agent status`: whether the agent runs, since when, what it will do next.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::super::super::{Format, exit_code, ui};
use super::state_folder;
use crate::agent::memory::Memory;
use crate::agent::{self, snooze};
use crate::clock::{Clock, SystemClock};
use crate::problem::Problem;
use crate::process::Environment;

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
    let document = document(&memory, holder, &state_folder);
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&document).expect("a report has string keys only");
            ui::out(&format!("{text}\n"));
        }
        Format::Text => ui::out(&text(&document, SystemClock.now())),
    }
    // As for systemctl status, a program can ask.
    Ok(if document.running {
        exit_code::OK
    } else {
        exit_code::FOUND
    })
}

fn document(memory: &Memory, holder: Option<String>, state_folder: &Path) -> Document {
    let snoozed = snooze::load(state_folder);
    let profiles: BTreeMap<&str, &[String]> = memory
        .facts
        .keys
        .iter()
        .map(|key| (key.access_key_id.as_str(), key.profiles.as_slice()))
        .collect();
    let reminders = memory.next_reminders.iter().map(|(name, next)| {
        let (about, of) = name.split_once(':').unwrap_or((name, ""));
        let key = profiles.get(of);
        Reminder {
            about: about.to_owned(),
            of: of.to_owned(),
            access_key_id: key.is_some().then(|| of.to_owned()),
            profiles: key.map(|profiles| profiles.to_vec()).unwrap_or_default(),
            next: *next,
            snoozed_until: snoozed
                .iter()
                .find(|(id, _)| id.as_str() == of)
                .map(|(_, until)| *until),
        }
    });
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
        reminders: reminders.collect(),
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
        let snoozed = if reminder.snoozed_until.is_some_and(|until| until > now) {
            ", snoozed"
        } else {
            ""
        };
        text.push_str(&format!("  {who} ({}): {when}{snoozed}\n", reminder.about));
    }
    text
}
