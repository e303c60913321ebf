//! What the commands that change keys share: what they open before they can work, who signs, how they report.

use std::path::{Path, PathBuf};

use super::Format;
use super::ui;
use crate::access_key::AccessKey;
use crate::aws::{self, Client, Connections};
use crate::clock::SystemClock;
use crate::fs_atomic::{self, Lock};
use crate::problem::Problem;
use crate::process::Environment;
use crate::rotate::authority::{AskForCode, Authority, Mfa};
use crate::rotate::concern::{Concern, works_on};
use crate::rotate::error::Error;
use crate::rotate::journal::Journal;
use crate::rotate::retire::grace_ends;
use crate::rotate::run::{self, Performer, Tools};
use crate::rotate::state::{Rotation, State, Step};
use crate::secret_store::{self, SecretStore, SecretStoreChoice};
use crate::settings::{self, AllSettings, Settings};
use crate::status::Memory;

mod report;

pub use report::{Report, documented};

/// What every command that changes keys works with.
pub struct Workplace {
    command: &'static str,
    /// All settings.
    pub settings: AllSettings,
    /// Where secrets in hand lie.
    pub store: Box<dyn SecretStore>,
    /// What is recorded.
    pub journal: Journal,
    /// To AWS.
    pub connections: Connections,
    /// Where the journal lies.
    pub state_folder: PathBuf,
    environment: Environment,
}

impl Workplace {
    /// Opens the journal and the secret store.
    ///
    /// # Errors
    ///
    /// When one of them cannot be opened.
    pub fn open(command: &'static str, environment: &Environment) -> Result<Self, Problem> {
        Self::open_with(command, load_settings(environment)?, environment)
    }

    /// The same for what saves people: mistakes in the settings are told, and do not keep it from working.
    ///
    /// # Errors
    ///
    /// See [`Workplace::open`].
    pub fn open_to_rescue(command: &'static str, environment: &Environment) -> Result<Self, Problem> {
        let (settings, mistakes) = AllSettings::load_what_can_be(environment);
        for mistake in mistakes {
            ui::warning(
                &format!("{mistake}; without it, the defaults hold"),
                "keyagent settings check",
            );
        }
        Self::open_with(command, settings, environment)
    }

    fn open_with(
        command: &'static str,
        settings: AllSettings,
        environment: &Environment,
    ) -> Result<Self, Problem> {
        let what = || format!("cannot {command}");
        let state_folder = settings::state_folder(environment)
            .map_err(|error| Problem::new(what(), error.to_string(), "export HOME"))?;
        super::interrupt::answer(&state_folder);
        let fail = |error: Error| error.problem(what(), "default");
        let journal = Journal::open(&state_folder).map_err(|error| fail(error.into()))?;
        let store = secret_store::open(settings.defaults().secret_store, &state_folder, environment)
            .map_err(|error| fail(error.into()))?;
        Ok(Self {
            command,
            settings,
            store,
            journal,
            connections: Connections::new(environment),
            state_folder,
            environment: environment.clone(),
        })
    }

    /// The further files that the settings of these profiles name.
    pub fn also_update<'a>(&self, profiles: impl IntoIterator<Item = &'a str>) -> Vec<PathBuf> {
        let home = self.environment.get_path("HOME");
        let home = home.or_else(|| self.environment.get_path("USERPROFILE"));
        self.settings.also_update(profiles, home)
    }

    /// Takes the lock of a credentials file, and reads the journal as whoever held it before has left it.
    ///
    /// # Errors
    ///
    /// When another keyagent holds it: names that one.
    pub fn lock(&mut self, credentials_file: &Path) -> Result<Lock, Problem> {
        let fail = |error: Error| error.problem(format!("cannot {}", self.command), "default");
        let lock = run::lock(&self.state_folder, credentials_file, self.command)
            .map_err(|error| fail(error.into()))?;
        self.journal = Journal::open(&self.state_folder).map_err(|error| fail(error.into()))?;
        fs_atomic::remove_leftovers(credentials_file);
        Ok(lock)
    }

    /// The same for the file of a rotation, and the rotation as it is now.
    ///
    /// # Errors
    ///
    /// See [`Workplace::lock`].
    pub fn lock_of(&mut self, rotation: &Rotation) -> Result<(Lock, Rotation), Problem> {
        let lock = self.lock(rotation.plan.locked_file().unwrap_or(Path::new("")))?;
        let now = self.journal.rotation(&rotation.id).clone();
        Ok((lock, now))
    }

    /// Opens the secret store in which the secrets of a rotation lie, whatever the settings say by now.
    ///
    /// # Errors
    ///
    /// When the keyring is not available.
    pub fn open_store_of(&mut self, rotation: &Rotation) -> Result<(), Problem> {
        let kept_in = &rotation.plan.secret_store;
        if kept_in != self.store.name() {
            let choice = kept_in.parse().unwrap_or(SecretStoreChoice::Auto);
            self.store =
                secret_store::open(choice, &self.state_folder, &self.environment).map_err(|error| {
                    Problem::new(
                        format!("cannot {}", self.command),
                        error.to_string(),
                        format!("unlock the keyring, then: keyagent {}", self.command),
                    )
                })?;
        }
        Ok(())
    }

    /// Performs something of a rotation, as the settings have it.
    pub async fn perform<T>(
        &mut self,
        authority: &Authority<Client>,
        settings: &Settings,
        work: impl AsyncFnOnce(&mut Performer<'_, '_, Client, SystemClock>) -> T,
    ) -> T {
        let before = self.journal.rotations().to_vec();
        let mut tools = Tools {
            clock: &SystemClock,
            store: self.store.as_ref(),
            journal: &mut self.journal,
            settings,
            progress: &mut show_step,
        };
        let mut performer = Performer {
            authority,
            tools: &mut tools,
        };
        let result = work(&mut performer).await;
        self.remember(&before);
        result
    }

    /// What `status --offline` is to say of the keys of the rotations that have changed.
    fn remember(&self, before: &[Rotation]) {
        let rotations = self.journal.rotations().iter();
        let mut changed = rotations.filter(|rotation| !before.contains(rotation)).peekable();
        if changed.peek().is_none() {
            return;
        }
        let mut memory = Memory::load(&self.state_folder);
        changed.for_each(|rotation| memory.note(rotation));
        // At worst the last answers are shown as they were; the next question mends that.
        let _ = memory.save(&self.state_folder);
    }

    /// Says on stderr which rotations are interrupted, other than those that a command is about.
    pub fn warn_about_others(&self, is_meant: impl Fn(&Rotation) -> bool) {
        for rotation in self.journal.rotations() {
            if !rotation.is_at_rest() && !is_meant(rotation) {
                tell_concern(&Concern::Interrupted, rotation, &self.state_folder);
            }
        }
    }
}

/// Says what there is for `recover` to do; or that another keyagent works on it now.
pub fn tell_concern(concern: &Concern, rotation: &Rotation, state_folder: &Path) {
    match run::holder_of(state_folder, rotation) {
        Some(holder) => {
            ui::note(&ui::wrapped_at(&works_on(&holder, rotation), 80, 2));
        }
        None => ui::warning(&concern.told(rotation), "keyagent recover"),
    }
}

/// The options of every command that may need MFA.
#[derive(Debug, clap::Args)]
pub struct MfaArgs {
    /// Six-digit code of the user's MFA device, where a policy demands MFA [default: asks on a terminal]
    #[arg(long, value_name = "CODE", value_parser = mfa_code)]
    pub mfa_code: Option<String>,
    /// Ask for the MFA code in a window, with pinentry
    #[cfg(feature = "desktop")]
    #[arg(long, conflicts_with = "mfa_code")]
    pub pinentry: bool,
}

impl MfaArgs {
    #[cfg(feature = "desktop")]
    fn wants_window(&self) -> bool {
        self.pinentry
    }

    #[cfg(not(feature = "desktop"))]
    fn wants_window(&self) -> bool {
        false
    }
}

fn mfa_code(text: &str) -> Result<String, String> {
    if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an MFA code is six digits".into())
    }
}

/// Gives `work` what opens an MFA session: the code that was typed, else a window or a hidden prompt on a terminal.
pub async fn with_mfa<T>(
    serial_number: Option<String>,
    code: Option<String>,
    args: &MfaArgs,
    work: impl AsyncFnOnce(&mut Mfa<'_>) -> T,
) -> T {
    let mut prompt = |serial: &str| ui::ask_hidden(&format!("MFA code of {serial}"));
    #[cfg(feature = "desktop")]
    let mut window = crate::desktop::pinentry::ask_mfa_code;
    #[cfg(not(feature = "desktop"))]
    let mut window = |_: &str| None;
    let ask: Option<AskForCode<'_>> = match (args.wants_window(), ui::can_ask()) {
        (true, _) => Some(&mut window),
        (false, true) => Some(&mut prompt),
        (false, false) => None,
    };
    work(&mut Mfa {
        serial_number,
        code,
        ask,
    })
    .await
}

/// Refuses to change anything where nobody can be asked and `--yes` was not given. `command` is what to type.
///
/// # Errors
///
/// Then.
pub fn needs_answer(verb: &str, yes: bool, dry_run: bool, command: &str) -> Result<(), Problem> {
    if yes || dry_run || ui::can_ask() {
        return Ok(());
    }
    Err(Problem::new(
        format!("cannot {verb} without an answer"),
        "there is no terminal to ask on, and --yes was not given",
        format!("{command} --yes"),
    ))
}

/// Refuses to delete at once where that was not agreed to beforehand: no question on a terminal takes its place. `command` is
/// what to type.
///
/// # Errors
///
/// Then.
pub fn needs_yes_for_now(now: bool, yes: bool, dry_run: bool, command: &str) -> Result<(), Problem> {
    if !now || yes || dry_run {
        return Ok(());
    }
    Err(Problem::new(
        "cannot delete a key at once without --yes",
        "--now leaves no way back, so it is to be said with --yes",
        format!("see what would be done: {command} --now --dry-run\nthen: {command} --now --yes"),
    ))
}

/// Asks on a terminal, unless `--yes` was given.
///
/// # Errors
///
/// When the answer is no; `what` is what is left undone, `command` how to come back to it.
pub fn confirm(yes: bool, what: &str, command: &str) -> Result<(), Problem> {
    if yes || ui::confirm("go on?") {
        return Ok(());
    }
    Err(Problem::new(
        what,
        "the question was not answered with yes",
        format!("nothing is changed; to try again: {command}"),
    ))
}

/// Reads the settings.
///
/// # Errors
///
/// When a file cannot be read or a line in it is no setting.
pub fn load_settings(environment: &Environment) -> Result<AllSettings, Problem> {
    AllSettings::load(environment)
        .map_err(|error| Problem::new("cannot take the settings", error.to_string(), error.hint()))
}

/// A client for a profile.
///
/// # Errors
///
/// When the certificate bundle cannot be used.
pub async fn client(connections: &Connections, profile: &str, key: &AccessKey) -> Result<Client, Problem> {
    Ok(Client::new(&connection(connections, profile).await?, key))
}

/// How a profile connects to AWS.
///
/// # Errors
///
/// When the certificate bundle cannot be used.
pub async fn connection(connections: &Connections, profile: &str) -> Result<aws::Settings, Problem> {
    aws::Settings::load(connections, Some(profile))
        .await
        .map_err(|error| {
            Problem::new(
                "cannot connect to AWS",
                error.to_string(),
                "check AWS_CA_BUNDLE, or ca_bundle in the config file",
            )
        })
}

/// The runtime that the SDK runs on.
///
/// # Errors
///
/// When the system gives none.
pub fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Problem::new(
                "cannot start",
                error.to_string(),
                "check the limits of this process: ulimit -a",
            )
        })
}

/// Shows a plan: it is the result of a dry run, and otherwise goes before the question.
pub fn show_plan(text: &str, dry_run: bool, format: Format) {
    if dry_run && format == Format::Text {
        ui::out(text);
    } else {
        ui::note(text.trim_end());
    }
}

/// Shows a step on stderr as it is taken.
fn show_step(step: &Step) {
    let mark = if step.step == State::Aborting { "!" } else { "-" };
    ui::note(&format!("  {mark} {}", step.result));
}

/// The day on which the grace of a superseded key ends.
pub fn last_day(rotation: &Rotation, grace_days: u32) -> String {
    rotation.superseded_since().map_or_else(
        || "it is deleted".to_owned(),
        |since| grace_ends(since, grace_days).strftime("%Y-%m-%d").to_string(),
    )
}
