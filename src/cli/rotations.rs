//! What `rotate` and `recover` share: what they open before they can work, and how they report.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Format;
use super::exit_code;
use super::ui;
use crate::access_key::{AccessKey, AccessKeyId};
use crate::aws::{self, Client, Connections};
use crate::fs_atomic::Lock;
use crate::problem::Problem;
use crate::process::Environment;
use crate::rotate::journal::Journal;
use crate::rotate::run;
use crate::rotate::state::{Rotation, State, Step};
use crate::secret_store::{self, SecretStore};
use crate::settings::{self, AllSettings};

/// What every command that changes keys holds while it works.
pub struct Workplace {
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
    _lock: Lock,
}

impl Workplace {
    /// Takes the lock, then opens the journal and the secret store.
    ///
    /// # Errors
    ///
    /// When another keyagent holds the lock, or one of them cannot be opened.
    pub fn open(command: &str, environment: &Environment) -> Result<Self, Problem> {
        let what = || format!("cannot {command}");
        let settings = load_settings(environment)?;
        let state_folder = settings::state_folder(environment)
            .map_err(|error| Problem::new(what(), error.to_string(), "export HOME"))?;
        let fail = |error: run::Error| Problem {
            error: what(),
            ..error.problem("-")
        };
        let lock =
            run::lock(&state_folder, &format!("keyagent {command}")).map_err(|error| fail(error.into()))?;
        let journal = Journal::open(&state_folder).map_err(|error| fail(error.into()))?;
        let store = secret_store::open(settings.defaults().secret_store, &state_folder, environment)
            .map_err(|error| fail(error.into()))?;
        let connections = Connections::new(environment);
        Ok(Self {
            settings,
            store,
            journal,
            connections,
            state_folder,
            _lock: lock,
        })
    }
}

/// Reads the settings.
///
/// # Errors
///
/// When a file cannot be read or a line in it is no setting.
pub fn load_settings(environment: &Environment) -> Result<AllSettings, Problem> {
    AllSettings::load(environment).map_err(|error| {
        Problem::new(
            "cannot take the settings",
            error.to_string(),
            "mend that line; the README lists all settings",
        )
    })
}

/// A client for a profile.
///
/// # Errors
///
/// When the certificate bundle cannot be used.
pub async fn client(connections: &Connections, profile: &str, key: &AccessKey) -> Result<Client, Problem> {
    let settings = aws::Settings::load(connections, Some(profile))
        .await
        .map_err(|error| {
            Problem::new(
                "cannot connect to AWS",
                error.to_string(),
                "check AWS_CA_BUNDLE, or ca_bundle in the config file",
            )
        })?;
    Ok(Client::new(&settings, key))
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

/// The contract's document of `rotate`, `undo` and `recover`.
#[derive(Debug, Serialize)]
pub struct Report {
    schema: &'static str,
    rotations: Vec<RotationReport>,
    errors: Vec<ErrorReport>,
}

#[derive(Debug, Serialize)]
struct RotationReport {
    profiles: Vec<String>,
    old_access_key_id: AccessKeyId,
    new_access_key_id: Option<AccessKeyId>,
    state: State,
    steps: Vec<Step>,
    undo_until: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct ErrorReport {
    profile: String,
    #[serde(flatten)]
    problem: Problem,
}

impl Report {
    /// An empty one.
    pub fn new(schema: &'static str) -> Self {
        Self {
            schema,
            rotations: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Adds what became of a rotation.
    pub fn rotation(&mut self, rotation: &Rotation, grace_days: u32) {
        let until = rotation
            .steps
            .last()
            .filter(|_| rotation.state == State::OldKeyInactive);
        self.rotations.push(RotationReport {
            profiles: rotation.plan.profiles.clone(),
            old_access_key_id: rotation.plan.old_access_key_id.clone(),
            new_access_key_id: rotation.new_access_key_id.clone(),
            state: rotation.state,
            steps: rotation.steps.clone(),
            undo_until: until.map(|step| undo_until(step.at, grace_days)),
        });
    }

    /// Adds a failure, and says it on stderr.
    pub fn error(&mut self, profile: &str, problem: Problem) {
        ui::problem(&problem);
        self.errors.push(ErrorReport {
            profile: profile.to_owned(),
            problem,
        });
    }

    /// Prints the document where JSON is wanted; the exit code says whether all went well.
    pub fn finish(&self, format: Format) -> u8 {
        if format == Format::Json {
            let mut text = serde_json::to_string_pretty(self).expect("a report has string keys only");
            text.push('\n');
            ui::out(&text);
        }
        if self.errors.is_empty() {
            exit_code::OK
        } else {
            exit_code::FAILED
        }
    }
}

/// When the grace of a key ends.
pub fn undo_until(inactive_since: Timestamp, grace_days: u32) -> Timestamp {
    inactive_since
        .saturating_add(SignedDuration::from_hours(24 * i64::from(grace_days)))
        .unwrap_or(Timestamp::MAX)
}

/// Shows a step on stderr as it is taken.
pub fn show_step(step: &Step) {
    let mark = if matches!(step.step, State::Aborting) {
        "!"
    } else {
        "-"
    };
    ui::note(&format!("  {mark} {}", step.result));
}
