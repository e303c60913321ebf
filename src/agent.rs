//! The background agent: knows every key's age, speaks up in time, and rotates at a click.
//!
//! ```text
//! clock, files, clicks ─► run ─► `keyagent agent check` ─► facts ─► reminders (pure) ─► desktop
//!                          │                                           ▲ │
//!                          └─► `keyagent rotate`, `undo`, `retire`     │ ▼
//!                                                                     memory (a file)
//! ```
//!
//! [`run`] is the loop. It never speaks to AWS itself: a child process does, and takes the SDK's memory with it
//! when it ends, so that the idle agent stays small; a rotation at a click is the very command that a person types.
//! [`reminders`] decides, [`memory`] is what survives a restart, [`watch`] tells when AWS's files change,
//! `metrics` and `otlp` tell fleets, [`supervisor`] speaks with systemd, [`install`] makes the agent start by itself.

pub mod children;
pub mod facts;
pub mod install;
pub mod lines;
pub mod memory;
pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod reminders;
pub mod run;
pub mod schedule;
pub mod snooze;
pub mod supervisor;
pub mod watch;

use std::path::{Path, PathBuf};

use crate::settings::AllSettings;
use reminders::Bounds;

/// The lock that the one agent of a user holds.
pub fn lock_path(state_folder: &Path) -> PathBuf {
    state_folder.join("agent.lock")
}

/// The agent that runs now, with its process ID: a lock ends with its holder.
pub fn holder(state_folder: &Path) -> Option<String> {
    crate::fs_atomic::Lock::holder(&lock_path(state_folder))
}

/// The strictest limits of the profiles that share a key.
pub fn bounds(settings: &AllSettings, profiles: &[String]) -> Bounds {
    let all = || profiles.iter().map(|name| settings.profile(name));
    let strictest = all()
        .min_by_key(|settings| settings.limits.max_age_days)
        .unwrap_or(settings.defaults());
    Bounds {
        limits: strictest.limits,
        unused_days: all()
            .map(|settings| settings.unused_days)
            .min()
            .unwrap_or(settings.defaults().unused_days),
    }
}
