//! What makes the agent start by itself: a systemd user unit, a launchd agent, a Windows scheduled task.
//!
//! A plan is pure and can be made for any platform; performing it writes one file and runs the platform's own
//! commands. Twice is harmless, and taking it away leaves nothing. Where a package brings the unit along, no file is
//! written: one in the home folder would stand before the package's, and no update would ever reach it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fs_atomic;
use crate::process::Environment;

/// The name under which the platform's own tools know the agent.
const UNIT: &str = "keyagent.service";
const LABEL: &str = "io.github.keyagent.agent";
const TASK: &str = "keyagent agent";

/// Where systemd's user manager finds units that no user wrote, in its order (systemd.unit(5)).
pub const PACKAGED_UNIT_FOLDERS: [&str; 3] = [
    "/etc/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
];

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
    /// A package's own description of the agent, if it starts this very program; then `file` is not written.
    pub packaged: Option<PathBuf>,
    /// The link with which systemd notes that the agent starts at login.
    pub enabled_link: Option<PathBuf>,
    /// The folders that go with the agent once they are empty, the innermost first.
    pub folders: Vec<PathBuf>,
    /// What makes it start now and at every login.
    pub enable: Vec<Vec<String>>,
    /// What ends it, and keeps it from starting.
    pub disable: Vec<Vec<String>>,
    /// What makes the platform forget a file that is gone.
    pub forget: Vec<Vec<String>>,
}

impl Plan {
    /// The plan where a package has put a unit into one of `folders`, the first of which wins. One that starts another
    /// program changes nothing: the user's own file stands before it, as systemd has it.
    #[must_use]
    pub fn beside_packages(mut self, folders: &[impl AsRef<Path>]) -> Self {
        let starts = |text: &str| {
            let lines = text.lines().filter(|line| line.starts_with("ExecStart="));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let found = folders
            .iter()
            .map(|folder| folder.as_ref().join(UNIT))
            .find_map(|path| Some((std::fs::read_to_string(&path).ok()?, path)));
        self.packaged = match found {
            Some((text, path)) if starts(&text) == starts(&self.content) => Some(path),
            Some(_) | None => None,
        };
        self
    }

    /// The file that describes the agent once it is installed.
    pub fn description(&self) -> &Path {
        self.packaged.as_ref().unwrap_or(&self.file)
    }

    /// Whether the user has installed the agent.
    pub fn is_installed(&self) -> bool {
        let is_enabled = self.enabled_link.as_deref().is_some_and(Path::is_symlink);
        self.is_written() || is_enabled
    }

    /// A link to /dev/null is no file of the agent: with it, the user masks the unit for systemd.
    fn is_written(&self) -> bool {
        self.file.is_file()
    }
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
            .ok_or(Error::NoHome)
    };
    Ok(match platform {
        Platform::Systemd => {
            let named = environment
                .get_path("XDG_CONFIG_HOME")
                .filter(|path| path.is_absolute());
            let base = match named {
                Some(path) => path.to_owned(),
                None => home()?.join(".config"),
            };
            let folder = base.join("systemd/user");
            let mut folders = vec![folder.join("default.target.wants"), folder.clone()];
            folders.push(base.join("systemd"));
            if named.is_none() {
                folders.push(base);
            }
            Plan {
                folders,
                file: folder.join(UNIT),
                packaged: None,
                enabled_link: Some(folder.join("default.target.wants").join(UNIT)),
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
                packaged: None,
                enabled_link: None,
                folders: file.parent().map(Path::to_owned).into_iter().collect(),
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
                packaged: None,
                enabled_link: None,
                // keyagent's own state lies there too.
                folders: Vec::new(),
                file,
            }
        }
    })
}

/// Writes the file, where no package has brought it along, and starts the agent.
///
/// # Errors
///
/// See [`Error`]; after [`Error::Command`] the file is in its place.
pub fn install(plan: &Plan) -> Result<(), Error> {
    if plan.packaged.is_none() {
        fs_atomic::write_private(&plan.file, plan.content.as_bytes())?;
    } else if plan.is_written() {
        // Before the package came.
        remove(&plan.file)?;
    }
    // systemd leaves a link to the other unit of that name as it is, and says that it is in the way.
    plan.enabled_link.as_deref().map_or(Ok(()), remove)?;
    plan.enable.iter().try_for_each(|words| run(words))
}

/// Ends the agent and removes the file, and the folders that are empty then; a package's file stays. Whether the agent was installed.
///
/// # Errors
///
/// When the file stays.
pub fn uninstall(plan: &Plan) -> Result<bool, Error> {
    let was_installed = plan.is_installed();
    for words in &plan.disable {
        // What does not run cannot be ended.
        let _ = run(words);
    }
    if plan.is_written() {
        remove(&plan.file)?;
    }
    // It stays where no user manager has answered.
    plan.enabled_link.as_deref().map_or(Ok(()), remove)?;
    if was_installed {
        // Installing has made them where they were not there. One that something else lies in cannot be removed.
        for folder in &plan.folders {
            let _ = std::fs::remove_dir(folder);
        }
    }
    for words in &plan.forget {
        let _ = run(words);
    }
    Ok(was_installed)
}

/// What is not there is as it should be.
fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Remove {
            path: path.to_owned(),
            source,
        }),
    }
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

    /// The passwd file may name one, and it is not the one that was meant.
    #[cfg(not(windows))]
    #[test]
    fn without_home_there_is_no_place_for_it() {
        for platform in [Platform::Systemd, Platform::Launchd, Platform::Windows] {
            let plan = plan(platform, Path::new("/usr/bin/keyagent"), &Environment::default());
            assert!(matches!(plan, Err(Error::NoHome)), "{plan:?}");
        }
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
            packaged: None,
            enabled_link: None,
            folders: Vec::new(),
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

    #[cfg(unix)]
    #[test]
    fn a_packaged_unit_of_this_program_is_used_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let [home, packages, empty] = ["home", "packages", "empty"].map(|name| folder.path().join(name));
        std::fs::create_dir_all(&packages).unwrap();
        let packaged = packages.join(UNIT);
        // The administrator's own limits are no reason to write another.
        std::fs::write(&packaged, SYSTEMD.replace("UMask=0077", "UMask=0027")).unwrap();
        let environment = Environment::from_iter([("HOME", &home)]);
        let plan_of = |program: &str| Plan {
            enable: vec![vec!["true".into()]],
            disable: Vec::new(),
            forget: Vec::new(),
            ..plan(Platform::Systemd, Path::new(program), &environment)
                .unwrap()
                .beside_packages(&[&empty, &packages])
        };
        let link = home.join(".config/systemd/user/default.target.wants/keyagent.service");
        let enable = |unit: &Path| {
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(unit, &link).unwrap();
        };

        // Another program than the package's has a file of its own, which goes once the package's is installed.
        let other = plan_of("/opt/keyagent");
        install(&other).unwrap();
        assert!(other.packaged.is_none() && other.file.exists());
        enable(&other.file);
        let plan = plan_of("/usr/bin/keyagent");
        install(&plan).unwrap();
        assert_eq!(plan.description(), packaged);
        assert!(!plan.is_installed(), "nothing is left in systemd's way");

        enable(&packaged);
        assert!(plan.is_installed());
        assert!(uninstall(&plan).unwrap());
        assert!(!uninstall(&plan).unwrap());
        assert!(packaged.exists());

        // A unit that the user has masked stays masked.
        std::fs::create_dir_all(plan.file.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/null", &plan.file).unwrap();
        install(&plan).unwrap();
        assert!(!uninstall(&plan).unwrap());
        assert!(plan.file.is_symlink());
    }
}
