//! The process boundary: environment, arguments and the current folder enter here, once, as values.
//! Nothing else reads them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A snapshot of the environment variables.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The real one, as the process was started with it.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub fn of_this_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
        }
    }

    /// A variable's value. An empty one counts as unset, as it does for the AWS CLI and git.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The names of all that are set.
    pub fn names(&self) -> impl Iterator<Item = &OsStr> {
        self.variables.keys().map(OsString::as_os_str)
    }

    /// A variable's value as text; one that is not UTF-8 counts as unset.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str()
    }

    /// A variable's value as a path.
    pub fn get_path(&self, name: &str) -> Option<&Path> {
        self.get(name).map(Path::new)
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        Self {
            variables: pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

/// The path of the running program.
///
/// # Errors
///
/// When the system does not tell.
pub fn current_program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// The path under which this program will be found tomorrow: the one on PATH where that is it, for a package manager puts
/// a link there and another version behind it.
///
/// # Errors
///
/// When the system does not tell where the program lies.
pub fn lasting_path_of_this_program(environment: &Environment) -> std::io::Result<PathBuf> {
    let program = current_program()?;
    let real = program.canonicalize()?;
    let on_path = environment.get("PATH").and_then(|path| {
        std::env::split_paths(path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(format!("keyagent{}", std::env::consts::EXE_SUFFIX)))
            .find(|candidate| candidate.canonicalize().is_ok_and(|candidate| candidate == real))
    });
    Ok(on_path.unwrap_or(program))
}

/// The command lines of the processes above this one, the nearest first; empty where the system does not tell.
#[cfg(target_os = "linux")]
pub fn command_lines_above() -> Vec<Vec<String>> {
    /// Between git and a hook stand a shell or two, and a manager of hooks.
    const PROCESSES: usize = 12;
    let mut lines = Vec::new();
    let mut process = std::os::unix::process::parent_id();
    while process > 1 && lines.len() < PROCESSES {
        let folder = Path::new("/proc").join(process.to_string());
        // Each word ends with a zero byte, from proc_pid_cmdline(5).
        let Ok(words) = std::fs::read(folder.join("cmdline")) else {
            break;
        };
        let words = words.strip_suffix(b"\0").unwrap_or(&words);
        lines.push(
            words
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect(),
        );
        let parent = std::fs::read_to_string(folder.join("status"))
            .ok()
            .and_then(|status| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
            });
        let Some(parent) = parent else { break };
        process = parent;
    }
    lines
}

/// The command lines of the processes above this one, the nearest first; empty where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn command_lines_above() -> Vec<Vec<String>> {
    Vec::new()
}

/// A marked point of the program, at which a test can stop the real process and kill it or change the world
/// around it. Costs nothing and does nothing without the cargo feature `checkpoints`, which no release has.
#[cfg(not(feature = "checkpoints"))]
pub fn checkpoint(_name: &str) {}

/// Parks the process, the first time it comes to the point that `KEYAGENT_PARK_AT` names: makes the file
/// `KEYAGENT_PARK_FILE`, and goes on when that is gone. Without the file named, it panics there.
#[cfg(feature = "checkpoints")]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's switch is no part of the environment that the program works in"
)]
pub fn checkpoint(name: &str) {
    static WAS_PARKED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    let is_it = std::env::var_os("KEYAGENT_PARK_AT").is_some_and(|wanted| wanted == name)
        && !WAS_PARKED.swap(true, std::sync::atomic::Ordering::Relaxed);
    if !is_it {
        return;
    }
    match std::env::var_os("KEYAGENT_PARK_FILE") {
        Some(file) => {
            if std::fs::write(&file, name).is_ok() {
                while Path::new(&file).exists() {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            }
        }
        None => panic!("a test asks for a panic at {name}"),
    }
}
