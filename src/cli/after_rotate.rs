//! The setting `after_rotate`: a command of the user's, once a new pair is in the files. It is given IDs, no secret.

use std::process::{Command, Stdio};

use super::ui;
use crate::rotate::state::Rotation;

/// Runs it and waits. The rotation is done and stays, whatever becomes of the command.
pub(super) fn run(command: &str, rotation: &Rotation) {
    let (shell, option) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    let new = rotation.new_access_key_id.as_ref();
    let status = Command::new(shell)
        .args([option, command])
        .env("KEYAGENT_PROFILES", rotation.plan.profiles.join(","))
        .env(
            "KEYAGENT_OLD_ACCESS_KEY_ID",
            rotation.plan.old_access_key_id.as_str(),
        )
        .env("KEYAGENT_NEW_ACCESS_KEY_ID", new.map_or("", |id| id.as_str()))
        .stdin(Stdio::null())
        // stdout carries the report.
        .stdout(std::io::stderr())
        .status();
    let why = match status {
        Ok(status) if status.success() => return,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    ui::note(&format!(
        "warning: the key is replaced, but after_rotate has failed ({why}): {command}"
    ));
}
