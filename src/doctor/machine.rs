//! What keyagent stands on: its settings, the keyring, the desktop, git's hooks, its agent, and unfinished rotations.

use std::path::Path;

use super::{Area, Check, Level};
use crate::git::configuration;
use crate::hook::{Hook, manager, script};
use crate::journal;
use crate::problem::quoted;
use crate::process::Environment;
use crate::rotate::concern::{concern, works_on};
use crate::rotate::run;
use crate::rotate::state::Rotation;
use crate::secret_store::{self, SecretStoreChoice};
use crate::settings::{self, AllSettings};

fn check(name: &'static str, level: Level, message: impl Into<String>) -> Check {
    Check::new(Area::Machine, name, level, message)
}

/// Every mistake of the settings files.
pub fn settings(environment: &Environment) -> Vec<Check> {
    let mistakes = AllSettings::mistakes(environment).unwrap_or_else(|no_home| vec![no_home]);
    let checks: Vec<Check> = mistakes
        .iter()
        .map(|mistake| {
            let problem = check("settings", Level::Problem, mistake.to_string());
            match mistake {
                settings::Error::Line { path, line, .. } => problem.at_line(path, *line),
                settings::Error::Read { path, .. } => {
                    problem.at(path).mended_by(format!("ls -l {}", quoted(path)))
                }
                settings::Error::NoHome => problem.mended_by("export HOME"),
            }
        })
        .collect();
    if checks.is_empty() {
        return vec![check("settings", Level::Ok, "the settings are in order")];
    }
    checks
}

/// Whether the further files that a rotation is to update can be read. Nothing is said where the settings name none.
pub fn further_files(environment: &Environment, home: Option<&Path>) -> Vec<Check> {
    const NAME: &str = "also-update";
    let named = AllSettings::further_files(environment, home);
    let amiss = named.iter().filter_map(|further| {
        let path = further.path.display();
        let (level, why) = match std::fs::File::open(&further.path).and_then(|file| file.metadata()) {
            Ok(metadata) if metadata.is_file() => return None,
            Ok(_) => (Level::Problem, "which is no file".to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let why = "which is not there: a rotation passes over it";
                (Level::Warning, why.to_owned())
            }
            Err(error) => (
                Level::Problem,
                format!("which cannot be read, and so nothing be rotated: {error}"),
            ),
        };
        let (settings, line) = (further.settings.display(), further.line);
        let message = format!("{settings}, line {line}: also_update names {path}, {why}");
        Some(check(NAME, level, message).at_line(&further.settings, further.line))
    });
    let mut checks: Vec<Check> = amiss.collect();
    if checks.is_empty() && !named.is_empty() {
        checks.push(check(
            NAME,
            Level::Ok,
            "the files that also_update names are there",
        ));
    }
    checks
}

/// Whether anything was interrupted, or put back. A rotation that goes on now was not.
pub fn rotations(state_folder: &Path, look: &Result<Vec<Rotation>, journal::Error>) -> Vec<Check> {
    let rotations = match look {
        Ok(rotations) => rotations,
        Err(error) => {
            let command = format!("ls -l {}", quoted(state_folder));
            return vec![check("rotations", Level::Problem, error.to_string()).mended_by(command)];
        }
    };
    let mut checks = Vec::new();
    for rotation in rotations {
        let Some(concern) = concern(rotation) else {
            continue;
        };
        checks.push(match run::holder_of(state_folder, rotation) {
            Some(holder) => check("rotations", Level::Ok, works_on(&holder, rotation)),
            None => check("rotations", Level::Problem, concern.told(rotation)).mended_by("keyagent recover"),
        });
    }
    if checks.is_empty() {
        checks.push(check("rotations", Level::Ok, "no rotation was interrupted"));
    }
    checks
}

/// Where secrets in hand will lie. Bounded: a bus that says nothing is given up after seconds.
pub fn keyring(choice: SecretStoreChoice, state_folder: &Path, environment: &Environment) -> Check {
    const NAME: &str = "keyring";
    const TO_FILE: &str = "unlock the keyring, or set secret_store = file: keyagent settings path";
    let file = "secrets in hand lie in files of mode 600";
    if choice == SecretStoreChoice::File {
        return check(NAME, Level::Ok, format!("{file}, as secret_store = file says"));
    }
    // The keyring itself is asked by `auto` alone, with a probe.
    let why = match secret_store::open(SecretStoreChoice::Auto, state_folder, environment) {
        Ok(store) if store.name() == "keyring" => {
            return check(NAME, Level::Ok, "the keyring keeps secrets, and gives them back");
        }
        Ok(store) => store
            .instead_of_keyring()
            .unwrap_or("this keyagent has none")
            .to_owned(),
        Err(error) => error.to_string(),
    };
    match choice {
        SecretStoreChoice::Keyring => {
            check(NAME, Level::Problem, format!("{why}, and secret_store = keyring")).mended_by(TO_FILE)
        }
        SecretStoreChoice::Auto | SecretStoreChoice::File if has_bus(environment) => {
            check(NAME, Level::Warning, format!("{why}; {file}")).mended_by(TO_FILE)
        }
        SecretStoreChoice::Auto | SecretStoreChoice::File => check(NAME, Level::Ok, format!("{why}; {file}")),
    }
}

/// Whether this is a desktop session, in which a keyring and notifications can be hoped for.
fn has_bus(environment: &Environment) -> bool {
    if cfg!(any(target_os = "macos", windows)) {
        return true;
    }
    let socket = environment
        .get_path("XDG_RUNTIME_DIR")
        .map(|folder| folder.join("bus"));
    environment.get("DBUS_SESSION_BUS_ADDRESS").is_some() || socket.is_some_and(|socket| socket.exists())
}

/// Who shows the agent's reminders.
#[cfg(feature = "desktop")]
pub async fn notifications(environment: &Environment) -> Check {
    const NAME: &str = "notifications";
    const BRIEF: &str = "echo 'keyagent status --brief' >> ~/.profile";
    if !has_bus(environment) {
        let message =
            "no desktop session here; reminders go to the agent's log and to `keyagent status --brief`";
        return check(NAME, Level::Ok, message);
    }
    match crate::desktop::about().await {
        Ok(about)
            if about
                .capabilities
                .iter()
                .any(|capability| capability == "actions") =>
        {
            let message = format!(
                "{} shows reminders, with buttons ({})",
                about.name,
                about.capabilities.join(", ")
            );
            check(NAME, Level::Ok, message)
        }
        Ok(about) => check(
            NAME,
            Level::Ok,
            format!("{} shows reminders, without buttons", about.name),
        ),
        Err(error) => {
            let message = format!("{error}; reminders go to the agent's log alone");
            check(NAME, Level::Warning, message).mended_by(BRIEF)
        }
    }
}

/// Whether commits at `cwd` are looked into; outside of any repository, whether those of all repositories are.
pub fn hook(cwd: &Path) -> Check {
    const NAME: &str = "hook";
    const GLOBAL: &str = "keyagent hook install --global";
    const HERE: &str = "keyagent hook install";
    if let Ok(places) = configuration::places(cwd) {
        if let Ok(Some(manager)) = manager::recognise(&places)
            && manager.is_complete()
        {
            let message = format!("{} calls keyagent in this repository", manager.kind.in_words());
            return check(NAME, Level::Ok, message);
        }
        let hook = if places.top.is_some() {
            Hook::PreCommit
        } else {
            Hook::PreReceive
        };
        return of_folder(&places.hooks, hook, "this repository", HERE);
    }
    match configuration::users_hooks_path(cwd) {
        Ok(Some(setting)) => of_folder(&setting.value, Hook::PreCommit, "your repositories", GLOBAL),
        Ok(None) => check(
            NAME,
            Level::Warning,
            "no hook keeps keys out of your repositories",
        )
        .mended_by(GLOBAL),
        Err(error) => check(
            NAME,
            Level::Unknown,
            format!("git does not say which hooks there are: {error}"),
        ),
    }
}

fn of_folder(folder: &Path, hook: Hook, whose: &str, command: &str) -> Check {
    const NAME: &str = "hook";
    let path = folder.join(hook.as_str());
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if !script::is_ours(text.as_bytes()) {
        let message = format!("no hook keeps keys out of {whose}");
        return check(NAME, Level::Warning, message).mended_by(command);
    }
    match script::program(&text) {
        Some(program) if Path::new(&program).is_absolute() && !Path::new(&program).exists() => {
            let message =
                format!("the hook of {whose} calls {program}, which is not there: it blocks every commit");
            check(NAME, Level::Problem, message).at(&path).mended_by(command)
        }
        Some(_) | None => check(NAME, Level::Ok, format!("a hook keeps keys out of {whose}")).at(&path),
    }
}

/// Whether the agent runs, and what it says of its last check.
#[cfg(feature = "desktop")]
pub fn agent(state_folder: &Path, environment: &Environment) -> Check {
    use crate::agent::install::{Platform, plan};
    use crate::agent::{self, memory::Memory};
    const NAME: &str = "agent";
    const INSTALL: &str = "keyagent agent install";
    let Some(holder) = agent::holder(state_folder) else {
        let is_installed = plan(Platform::current(), Path::new("keyagent"), environment)
            .is_ok_and(|plan| plan.is_installed());
        return if is_installed {
            check(NAME, Level::Problem, "the agent is installed, but does not run").mended_by(INSTALL)
        } else {
            check(
                NAME,
                Level::Warning,
                "the agent does not run: nothing reminds of a key that grows old",
            )
            .mended_by(INSTALL)
        };
    };
    match Memory::load(state_folder).last_error {
        Some(error) => check(
            NAME,
            Level::Warning,
            format!("the agent runs ({holder}), and says: {error}"),
        )
        .mended_by("keyagent agent status"),
        None => check(NAME, Level::Ok, format!("the agent runs ({holder})")),
    }
}
