//! What the agent says after it has changed something.

use super::super::children::{Changes, Failure};
use crate::desktop::{Button, Notification, Urgency};

pub(super) fn rotated(changes: &Changes) -> Notification {
    let mut lines = Vec::new();
    for change in &changes.rotations {
        let new = change.new_access_key_id.as_ref().map(ToString::to_string);
        let mut line = format!(
            "{}: {} is replaced by {}",
            change.profiles.join(", "),
            change.old_access_key_id,
            new.unwrap_or_else(|| "none".into())
        );
        if let Some(until) = change.undo_until {
            line.push_str(&format!("; undo until {}", until.strftime("%Y-%m-%d")));
        }
        lines.push(line);
    }
    lines.extend(changes.errors.iter().map(failure));
    Notification {
        title: if changes.errors.is_empty() {
            "AWS key replaced".into()
        } else {
            "AWS key not replaced".into()
        },
        body: lines.join("\n"),
        buttons: if changes.rotations.is_empty() {
            Vec::new()
        } else {
            vec![Button::Undo]
        },
        urgency: urgency(&changes.errors),
    }
}

pub(super) fn undone(done: &[String], failures: &[Failure]) -> Notification {
    let failed = failures.iter().map(failure);
    let lines: Vec<String> = done.iter().cloned().chain(failed).collect();
    Notification {
        title: if failures.is_empty() {
            "AWS key put back".into()
        } else {
            "AWS key not put back".into()
        },
        body: lines.join("\n"),
        buttons: Vec::new(),
        urgency: urgency(failures),
    }
}

fn failure(failure: &Failure) -> String {
    format!("{}: {}\n{}", failure.error, failure.cause, failure.hint)
}

fn urgency(failures: &[Failure]) -> Urgency {
    if failures.is_empty() {
        Urgency::Normal
    } else {
        Urgency::Critical
    }
}
