//! The words of reminders: a line for each, the whole of a notification, and the one line of `status --brief`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::memory::Memory;
use super::reminders::{Bounds, Matter, Subject, milestone, subjects};
use crate::access_key::AccessKeyId;
use crate::desktop::{Button, Notification, Urgency};
use crate::policy::{Freshness, Limits, days_since, freshness, in_days};
use crate::problem::{quoted, word};

/// A notification holds so many lines; what is more is counted.
const MOST_LINES: usize = 6;

/// What there is to say about a subject, in one line.
pub fn line(subject: &Subject, now: Timestamp) -> String {
    let who = who(subject);
    match &subject.matter {
        Matter::Age { created, limits } => {
            let days = days_since(*created, now);
            let age = in_days(days);
            let limit = limits.max_age_days;
            match freshness(Some(*created), now, *limits) {
                Freshness::Overdue => {
                    format!("{who}: the key is {age} old, and overdue since day {limit}")
                }
                Freshness::Due | Freshness::Fresh | Freshness::Unknown => {
                    let left = in_days(limit.saturating_sub(days));
                    format!("{who}: the key is {age} old, {left} before its limit")
                }
            }
        }
        Matter::Unused { days } => format!("{who}: nobody has used the key for {}", in_days(*days)),
        Matter::TwoActive { other } => format!("{who}: the user has a second active key, {other}"),
        Matter::SupersededUsed { last_used } => format!(
            "{who} was replaced, and {} in {} still used it on {}",
            last_used.service,
            last_used.region,
            last_used.date.strftime("%Y-%m-%d %H:%M UTC")
        ),
        Matter::Appeared => format!("{who} is new in the account, and was not made here"),
        Matter::Refused => {
            format!("{who}: AWS refuses this key: it is inactive, deleted, or of another partition")
        }
        Matter::Unfinished => format!("{who}: a rotation was interrupted"),
        Matter::PutBack(put_back) => format!("{who}: {put_back}"),
        Matter::OpenFile { path, mode } => {
            format!("{} can be read by others (mode {mode})", path.display())
        }
    }
}

/// The command that helps.
pub fn command(subject: &Subject) -> String {
    let profile = subject.profiles.first().map_or("default", String::as_str);
    match &subject.matter {
        Matter::Age { .. } => format!("keyagent rotate -p {}", word(profile)),
        Matter::Unfinished | Matter::PutBack(_) => "keyagent recover".into(),
        Matter::OpenFile { path, .. } => format!("chmod 600 {}", quoted(path)),
        Matter::Unused { .. } | Matter::TwoActive { .. } | Matter::Refused => {
            format!("keyagent status -p {}", word(profile))
        }
        Matter::SupersededUsed { .. } | Matter::Appeared => "keyagent status".into(),
    }
}

fn who(subject: &Subject) -> String {
    match (&subject.access_key_id, &subject.profiles[..]) {
        (Some(id), []) => id.to_string(),
        (_, profiles) => profiles.join(", "),
    }
}

/// How loud.
fn urgency(subject: &Subject, now: Timestamp) -> Urgency {
    match &subject.matter {
        Matter::Age { created, limits } => match freshness(Some(*created), now, *limits) {
            Freshness::Overdue => Urgency::Critical,
            Freshness::Due | Freshness::Fresh | Freshness::Unknown => Urgency::Normal,
        },
        Matter::Appeared => Urgency::Critical,
        Matter::Unused { .. } => Urgency::Low,
        Matter::TwoActive { .. }
        | Matter::SupersededUsed { .. }
        | Matter::Refused
        | Matter::Unfinished
        | Matter::PutBack(_)
        | Matter::OpenFile { .. } => Urgency::Normal,
    }
}

/// One notification about all of these; there is at least one.
pub fn notification(subjects: &[&Subject], now: Timestamp) -> Notification {
    let title = match subjects {
        [one] => match &one.matter {
            Matter::Age { .. } => format!("AWS key of {}", who(one)),
            Matter::Unused { .. } | Matter::TwoActive { .. } | Matter::Refused => {
                format!("AWS key of {}", who(one))
            }
            Matter::SupersededUsed { .. } => "A replaced AWS key is still used".into(),
            Matter::Appeared => "A new AWS key".into(),
            Matter::Unfinished => "An unfinished rotation".into(),
            Matter::PutBack(_) => "A replaced AWS key is back".into(),
            Matter::OpenFile { .. } => "Others can read your AWS keys".into(),
        },
        _ => format!("AWS keys: {} things need you", subjects.len()),
    };
    let mut lines: Vec<String> = subjects
        .iter()
        .take(MOST_LINES)
        .map(|subject| line(subject, now))
        .collect();
    if subjects.len() > MOST_LINES {
        lines.push(format!(
            "and {} more: keyagent status",
            subjects.len() - MOST_LINES
        ));
    }
    let mut buttons = Vec::new();
    if subjects.iter().any(|subject| can_rotate(subject)) {
        buttons.push(Button::RotateNow);
    }
    if subjects.iter().any(|subject| subject.access_key_id.is_some()) {
        buttons.extend([Button::Tomorrow, Button::NextWeek]);
    }
    buttons.push(Button::Details);
    Notification {
        title,
        body: lines.join("\n"),
        buttons,
        urgency: subjects
            .iter()
            .map(|subject| urgency(subject, now))
            .max()
            .unwrap_or_default(),
    }
}

/// Whether "Rotate now" is the answer to it.
pub fn can_rotate(subject: &Subject) -> bool {
    matches!(subject.matter, Matter::Age { .. }) && !subject.profiles.is_empty()
}

/// The same with the command for each, which the button "Details" shows.
pub fn details(subjects: &[&Subject], now: Timestamp) -> Notification {
    let mut notification = notification(subjects, now);
    notification.body = subjects
        .iter()
        .take(MOST_LINES)
        .map(|subject| {
            let id = subject.access_key_id.as_ref().map(|id| format!(" ({id})"));
            let line = line(subject, now);
            format!("{line}{}\n    {}", id.unwrap_or_default(), command(subject))
        })
        .collect::<Vec<_>>()
        .join("\n");
    notification.buttons.retain(|button| *button != Button::Details);
    notification
}

/// For what no limit concerns.
const NO_LIMITS: Limits = Limits {
    max_age_days: 0,
    warn_days: 0,
};

/// What matters most, for a shell's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// What is the matter, and how much more is.
    pub words: String,
    /// What helps against the first.
    pub command: String,
}

/// From what the agent last knew, without what is snoozed. `None` when all is well.
pub fn brief(memory: &Memory, snoozed: &BTreeMap<AccessKeyId, Timestamp>, now: Timestamp) -> Option<Brief> {
    // `subjects` asks per key by its profiles; the memory knows by its ID.
    let mut due = Vec::new();
    for key in &memory.facts.keys {
        // A key that no file holds has none, and is spoken of for something else than its age.
        let limits = match memory.limits.get(&key.access_key_id) {
            Some(limits) => (*limits).into(),
            None if key.current => continue,
            None => NO_LIMITS,
        };
        let one = crate::agent::facts::Facts {
            keys: vec![key.clone()],
            ..Default::default()
        };
        let bounds = |_: &[String]| Bounds {
            limits,
            unused_days: u32::MAX,
        };
        due.extend(subjects(&one, bounds, None, now));
    }
    due.retain(|subject| match &subject.matter {
        Matter::Age { created, limits } => milestone(*created, *limits, now).is_some(),
        Matter::Refused | Matter::SupersededUsed { .. } => true,
        Matter::Unused { .. }
        | Matter::TwoActive { .. }
        | Matter::Appeared
        | Matter::Unfinished
        | Matter::PutBack(_)
        | Matter::OpenFile { .. } => false,
    });
    due.retain(|subject| {
        let until = subject.access_key_id.as_ref().and_then(|id| snoozed.get(id));
        until.is_none_or(|until| *until <= now)
    });
    let others = crate::agent::facts::Facts {
        keys: Vec::new(),
        ..memory.facts.clone()
    };
    let no_bounds = |_: &[String]| Bounds {
        limits: NO_LIMITS,
        unused_days: 0,
    };
    due.extend(subjects(&others, no_bounds, None, now));
    due.sort_by_key(|subject| std::cmp::Reverse((urgency(subject, now), age(subject, now))));
    let first = due.first()?;
    let more = match due.len() - 1 {
        0 => String::new(),
        number => format!(" (and {number} more: keyagent status)"),
    };
    Some(Brief {
        words: format!("keyagent: {}{more}", line(first, now)),
        command: command(first),
    })
}

fn age(subject: &Subject, now: Timestamp) -> u32 {
    match &subject.matter {
        Matter::Age { created, .. } => days_since(*created, now),
        Matter::Unused { .. }
        | Matter::TwoActive { .. }
        | Matter::SupersededUsed { .. }
        | Matter::Appeared
        | Matter::Refused
        | Matter::Unfinished
        | Matter::PutBack(_)
        | Matter::OpenFile { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one() {
        let limits = Limits {
            max_age_days: 2,
            warn_days: 1,
        };
        let subject = Subject {
            name: "age:x".into(),
            matter: Matter::Age {
                created: Timestamp::UNIX_EPOCH,
                limits,
            },
            access_key_id: None,
            profiles: vec!["dev".into()],
        };
        let now = Timestamp::from_second(86_400 + 60).unwrap();
        assert_eq!(
            line(&subject, now),
            "dev: the key is 1 day old, 1 day before its limit"
        );
    }
}
