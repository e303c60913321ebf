//! What is wrong on this machine, and the command that mends each thing. Reads and asks; changes nothing but the modes
//! of files, and those only when it is told to. Repeats no secret.
//!
//! [`files`] are AWS's own, [`strays`] are keys outside them, [`machine`] is what keyagent stands on, [`account`] is AWS.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::problem::quoted;

pub mod account;
pub mod files;
pub mod machine;
pub mod strays;

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and could be better.
    Warning,
    /// Something does not work, or is not safe.
    Problem,
    /// It could not be looked at, and so is neither well nor unwell.
    Unknown,
}

/// What a check is about; results are told in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// AWS's own files.
    Files,
    /// Keys outside them.
    Strays,
    /// Settings, keyring, desktop, hooks, agent, rotations.
    Machine,
    /// AWS, and what it says of each key.
    Account,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about.
    pub area: Area,
    /// Its name, which stays: `credentials-mode`.
    pub check: &'static str,
    /// How it stands.
    pub level: Level,
    /// The profile that it is about, if it is about one.
    pub profile: Option<String>,
    /// The file, if it is about one.
    pub path: Option<PathBuf>,
    /// The line in it, counted from 1.
    pub line: Option<usize>,
    /// In words.
    pub message: String,
    /// What mends it, to paste.
    pub command: Option<String>,
    /// Whether `--fix` has mended it.
    pub fixed: bool,
    #[serde(skip)]
    mode: Option<u32>,
}

impl Check {
    fn new(area: Area, check: &'static str, level: Level, message: impl Into<String>) -> Self {
        Self {
            area,
            check,
            level,
            profile: None,
            path: None,
            line: None,
            message: message.into(),
            command: None,
            fixed: false,
            mode: None,
        }
    }

    /// A thing that could not be looked at for a reason outside all checks: it is a problem of its own.
    pub fn problem(area: Area, check: &'static str, problem: &crate::problem::Problem) -> Self {
        let message = problem.in_one_line();
        // The first line is what to do; further ones explain it.
        let command = problem.hint.lines().next().unwrap_or_default();
        Self::new(area, check, Level::Problem, message).mended_by(command)
    }

    fn mended_by(self, command: impl Into<String>) -> Self {
        Self {
            command: Some(command.into()),
            ..self
        }
    }

    fn of(self, profile: &str) -> Self {
        Self {
            profile: Some(profile.to_owned()),
            ..self
        }
    }

    fn at(self, path: &Path) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..self
        }
    }

    /// To be looked at in an editor.
    fn at_line(self, path: &Path, line: usize) -> Self {
        Self {
            line: Some(line),
            ..self.at(path)
        }
        .mended_by(format!("\"${{EDITOR:-vi}}\" +{line} {}", quoted(path)))
    }

    /// What `--fix` can mend by itself.
    #[cfg(unix)]
    fn mended_by_mode(self, path: &Path, mode: u32) -> Self {
        Self {
            mode: Some(mode),
            ..self.at(path)
        }
        .mended_by(format!("chmod {mode:03o} {}", quoted(path)))
    }
}

/// All results: the document `keyagent.doctor/1`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    schema: &'static str,
    generated_at: Timestamp,
    /// Whether AWS was not asked.
    pub offline: bool,
    /// By area, each in the order in which it was looked at.
    pub checks: Vec<Check>,
}

impl Report {
    /// Puts them in order.
    pub fn new(mut checks: Vec<Check>, offline: bool, now: Timestamp) -> Self {
        checks.sort_by_key(|check| check.area);
        Self {
            schema: "keyagent.doctor/1",
            generated_at: now,
            offline,
            checks,
        }
    }

    /// How many are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.checks.iter().filter(|check| check.level == level).count()
    }

    /// How many `--fix` could mend.
    pub fn mendable(&self) -> usize {
        self.checks.iter().filter(|check| check.mode.is_some()).count()
    }

    /// Mends what is safe: takes rights on files from others. Never gives any.
    #[cfg(unix)]
    pub fn mend(&mut self) {
        use std::os::unix::fs::PermissionsExt;
        for check in &mut self.checks {
            let (Some(mode), Some(path)) = (check.mode, &check.path) else {
                continue;
            };
            match std::fs::set_permissions(path, PermissionsExt::from_mode(mode)) {
                Ok(()) => {
                    check.message = format!("{} has mode {mode:03o} now", path.display());
                    check.level = Level::Ok;
                    check.command = None;
                    check.fixed = true;
                    check.mode = None;
                }
                Err(error) => check.message.push_str(&format!("; it cannot be mended: {error}")),
            }
        }
    }

    /// There are no modes here.
    #[cfg(not(unix))]
    pub fn mend(&mut self) {}
}
