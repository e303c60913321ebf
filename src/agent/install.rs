//! What makes the agent start by itself: a systemd user unit, a launchd agent, a Windows scheduled task.
//!
//! A plan is pure and can be made for any platform; performing it writes one file and runs the platform's own
//! commands. Twice is harmless, and taking it away leaves nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fs_atomic;
use crate::process::Environment;

/// The name under which the platform's own tools know the agent.
const UNIT: &str = "keyagent.service";
const LABEL: &str = "io.github.keyagent.agent";
const TASK: &str = "keyagent agent";

const SYSTEMD: &str = include_str!("../../packaging/systemd/keyagent.service");
const LAUNCHD: &str = include_str!("../../packaging/launchd/io.github.keyagent.agent.plist");
const WINDOWS: &str = include_str!("../../packaging/windows/keyagent-agent.xml");

/// How a platform starts programs at login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// systemd's user manager.
    Systemd,
    /// launchd's user domain.
    Launchd,
    /// The task scheduler.
    Windows,
}

impl Platform {
    /// This computer's.
    pub fn current() -> Self {
        if cfg!(target_os = "macos") {
            Self::Launchd
        } else if cfg!(windows) {
            Self::Windows
        } else {
            Self::Systemd
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The file that describes the agent.
    pub file: PathBuf,
    /// Its content.
    pub content: String,
    /// What makes it start now and at every login.
    pub enable: Vec<Vec<String>>,
    /// What ends it, and keeps it from starting.
    pub disable: Vec<Vec<String>>,
    /// What makes the platform forget a file that is gone.
    pub forget: Vec<Vec<String>>,
}

/// Why a plan was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no place for the file.
    #[error("there is no home folder: HOME is not set")]
    NoHome,
    /// The file.
    #[error(transparent)]
    File(#[from] fs_atomic::Error),
    /// It cannot be removed.
    #[error("cannot remove {}: {source}", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is in its place; the platform did not take it.
    #[error("`{command}` has failed: {why}")]
    Command {
        /// What was run.
        command: String,
        /// What it said.
        why: String,
    },
}

/// The plan for a platform. `program` is keyagent, as an absolute path.
///
/// # Errors
///
/// [`Error::NoHome`].
pub fn plan(platform: Platform, program: &Path, environment: &Environment) -> Result<Plan, Error> {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let home = || {
        environment
            .get_path("HOME")
            .map(Path::to_owned)
            .or_else(dirs::home_dir)
            .ok_or(Error::NoHome)
    };
    Ok(match platform {
        Platform::Systemd => {
            let base = match environment
                .get_path("XDG_CONFIG_HOME")
                .filter(|path| path.is_absolute())
            {
                Some(path) => path.to_owned(),
                None => home()?.join(".config"),
            };
            Plan {
                file: base.join("systemd/user").join(UNIT),
                content: SYSTEMD.replace("/usr/bin/keyagent", &systemd_word(program)),
                enable: vec![
                    words(&["systemctl", "--user", "daemon-reload"]),
                    words(&["systemctl", "--user", "enable", "--now", UNIT]),
                ],
                disable: vec![words(&["systemctl", "--user", "disable", "--now", UNIT])],
                forget: vec![words(&["systemctl", "--user", "daemon-reload"])],
            }
        }
        Platform::Launchd => {
            let file = home()?
                .join("Library/LaunchAgents")
                .join(format!("{LABEL}.plist"));
            let path = file.display().to_string();
            Plan {
                content: LAUNCHD.replace("/usr/local/bin/keyagent", &xml(&program.display().to_string())),
                enable: vec![words(&["launchctl", "load", "-w", &path])],
                disable: vec![words(&["launchctl", "unload", "-w", &path])],
                forget: Vec::new(),
                file,
            }
        }
        Platform::Windows => {
            let file = crate::settings::state_folder(environment)
                .map_err(|_no_home| Error::NoHome)?
                .join("keyagent-agent.xml");
            let path = file.display().to_string();
            Plan {
                content: WINDOWS.replace(
                    r"C:\Program Files\keyagent\keyagent.exe",
                    &xml(&program.display().to_string()),
                ),
                enable: vec![
                    words(&["schtasks", "/Create", "/F", "/TN", TASK, "/XML", &path]),
                    words(&["schtasks", "/Run", "/TN", TASK]),
                ],
                disable: vec![
                    words(&["schtasks", "/End", "/TN", TASK]),
                    words(&["schtasks", "/Delete", "/F", "/TN", TASK]),
                ],
                forget: Vec::new(),
                file,
            }
        }
    })
}

/// Writes the file and starts the agent.
///
/// # Errors
///
/// See [`Error`]; after [`Error::Command`] the file is in its place.
pub fn install(plan: &Plan) -> Result<(), Error> {
    fs_atomic::write_private(&plan.file, plan.content.as_bytes())?;
    plan.enable.iter().try_for_each(|words| run(words))
}

/// Ends the agent and removes the file. Whether there was one.
///
/// # Errors
///
/// When the file stays.
pub fn uninstall(plan: &Plan) -> Result<bool, Error> {
    for words in &plan.disable {
        // What does not run cannot be ended.
        let _ = run(words);
    }
    let was_there = match std::fs::remove_file(&plan.file) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(source) => {
            return Err(Error::Remove {
                path: plan.file.clone(),
                source,
            });
        }
    };
    for words in &plan.forget {
        let _ = run(words);
    }
    Ok(was_there)
}

fn run(words: &[String]) -> Result<(), Error> {
    let failed = |why: String| Error::Command {
        command: words.join(" "),
        why,
    };
    let output = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // systemctl tells first what went well.
    let reason = said.lines().find(|line| !line.starts_with("Created symlink"));
    Err(failed(reason.unwrap_or("no reason given").to_owned()))
}

/// A word of ExecStart, where a percent sign and a dollar sign mean something.
fn systemd_word(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%").replace('$', "$$");
    if text.contains([' ', '"', '\'', '\\', ';']) {
        format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
    } else {
        text
    }
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_for(platform: Platform, program: &str) -> Plan {
        let environment = Environment::from_iter([("HOME", "/home/ann"), ("XDG_STATE_HOME", "/state")]);
        plan(platform, Path::new(program), &environment).unwrap()
    }

    #[test]
    fn each_platform_starts_this_very_program() {
        let systemd = plan_for(Platform::Systemd, "/opt/my tools/keyagent");
        assert_eq!(
            systemd.file,
            Path::new("/home/ann/.config/systemd/user/keyagent.service")
        );
        assert!(
            systemd
                .content
                .contains("\nExecStart=\"/opt/my tools/keyagent\" agent run\n")
        );
        let launchd = plan_for(Platform::Launchd, "/opt/a&b/keyagent");
        assert!(launchd.content.contains("<string>/opt/a&amp;b/keyagent</string>"));
        assert!(
            launchd
                .file
                .ends_with("Library/LaunchAgents/io.github.keyagent.agent.plist")
        );
        let windows = plan_for(Platform::Windows, r"C:\Tools\keyagent.exe");
        assert!(
            windows
                .content
                .contains(r"<Command>C:\Tools\keyagent.exe</Command>")
        );
        for plan in [systemd, launchd, windows] {
            assert!(!plan.content.contains("/usr/bin/keyagent ") && !plan.content.contains(r"Program Files"));
        }
    }

    #[test]
    fn installing_twice_is_harmless_and_uninstalling_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan {
            file: folder.path().join("systemd/user/keyagent.service"),
            content: "unit".into(),
            enable: vec![vec!["true".into()]],
            disable: vec![vec!["false".into()]],
            forget: Vec::new(),
        };
        install(&plan).unwrap();
        install(&plan).unwrap();
        assert_eq!(std::fs::read(&plan.file).unwrap(), b"unit");
        assert!(uninstall(&plan).unwrap());
        assert!(!uninstall(&plan).unwrap());
        assert!(!plan.file.exists());
        // As systemctl says it when it could enable a unit, and not start it.
        let says = "echo 'Created symlink a → b.' >&2; echo 'Job for keyagent.service failed' >&2; false";
        let failing = Plan {
            enable: vec![["sh", "-c", says].map(str::to_owned).to_vec()],
            ..plan
        };
        match install(&failing) {
            Err(Error::Command { why, .. }) => assert_eq!(why, "Job for keyagent.service failed"),
            other => panic!("{other:?}"),
        }
    }
}
