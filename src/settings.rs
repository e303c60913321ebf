//! keyagent's own settings: which there are, their values and where they come from.
//! An unknown name or a bad value is an error that names the line; nothing is guessed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::policy::Limits;
use crate::problem::quoted;
use crate::process::Environment;
use crate::secret_store::SecretStoreChoice;

mod contradictions;
mod file;
mod further;
pub mod quiet_hours;
mod values;

use contradictions::contradictions;
use file::{File, read, read_all};
pub use further::FurtherFile;
use quiet_hours::QuietHours;
pub use values::duration;
use values::{boolean, days, describe, minutes, path, stricten, value_of};

/// The settings of one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `max_age_days`, `warn_days`.
    pub limits: Limits,
    /// `grace_days`: how long a superseded key can be taken back.
    pub grace_days: u32,
    /// `secret_store`: where secrets in hand lie.
    pub secret_store: SecretStoreChoice,
    /// `mfa_serial`: the serial number or ARN of the MFA device whose codes are asked for.
    pub mfa_serial: Option<String>,
    /// `verify_for`: how long AWS is given to accept a new key.
    pub verify_for: Duration,
    /// `verify_every`: the pause between two questions to AWS while it is being verified.
    pub verify_every: Duration,
    /// `unused_days`: a key that nobody has used for so long is reminded of. CIS: 45.
    pub unused_days: u32,
    /// `auto_rotate`: whether the agent replaces a key that is due, without being asked.
    pub auto_rotate: bool,
    /// `idle_minutes`: only a key that nothing used for so long is replaced unasked.
    pub idle_minutes: u32,
    /// `notify`: whether the agent speaks up on the desktop. Without it, it only writes its log.
    pub notify: bool,
    /// `check_every`: how often the agent asks AWS.
    pub check_every: Duration,
    /// `quiet_hours`: when the agent shows nothing, in the user's own time.
    pub quiet_hours: Option<QuietHours>,
    /// `metrics_textfile`: where the agent writes metrics for Prometheus's node exporter.
    pub metrics_textfile: Option<PathBuf>,
    /// `metrics_otlp`: the collector that the agent sends them to, by OTLP over HTTP.
    pub metrics_otlp: Option<String>,
    /// `metrics_key_ids`: whether those name the keys.
    pub metrics_key_ids: bool,
    /// `also_update`: further files, of whatever format, in which a rotation replaces the pair; absolute, or below `~`.
    pub also_update: Vec<PathBuf>,
    /// `after_rotate`: a command to run once a new pair is in the files.
    pub after_rotate: Option<String>,
}

impl Default for Settings {
    /// 90 days as CIS has it; IAM's propagation has no bound, two minutes are far beyond what was seen.
    fn default() -> Self {
        Self {
            limits: Limits {
                max_age_days: 90,
                warn_days: 14,
            },
            grace_days: 7,
            secret_store: SecretStoreChoice::Auto,
            mfa_serial: None,
            verify_for: Duration::from_mins(2),
            verify_every: Duration::from_millis(700),
            unused_days: 45,
            auto_rotate: false,
            idle_minutes: 60,
            notify: true,
            check_every: Duration::from_hours(6),
            quiet_hours: None,
            metrics_textfile: None,
            metrics_otlp: None,
            metrics_key_ids: false,
            also_update: Vec::new(),
            after_rotate: None,
        }
    }
}

/// A settings file that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A line that is no setting.
    #[error("{}, line {line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Without a home folder there is no place for settings and state.
    #[error("there is no home folder: HOME is not set")]
    NoHome,
}

impl Error {
    /// What to type.
    pub fn hint(&self) -> String {
        match self {
            Self::Read { path, source } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                format!("chmod u+r {}", quoted(path))
            }
            Self::Read { path, .. } => format!("ls -ld {}", quoted(path)),
            Self::Line { path, line, .. } => format!(
                "\"${{EDITOR:-vi}}\" +{line} {}\nthe README lists all settings",
                quoted(path)
            ),
            Self::NoHome => "export HOME".into(),
        }
    }

    /// The file and the line that are wrong.
    pub fn at(&self) -> (Option<&Path>, Option<usize>) {
        match self {
            Self::Read { path, .. } => (Some(path), None),
            Self::Line { path, line, .. } => (Some(path), Some(*line)),
            Self::NoHome => (None, None),
        }
    }
}

/// All settings files, merged: the system's, then the user's, then what the system enforces.
#[derive(Clone, Debug, Default)]
pub struct AllSettings {
    defaults: Settings,
    profiles: BTreeMap<String, Settings>,
}

impl AllSettings {
    /// Reads `/etc/keyagent/config` and the user's file; a missing file is an empty one.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn load(environment: &Environment) -> Result<Self, Error> {
        let (system, user) = (read(Path::new(SYSTEM_FILE))?, read(&user_file(environment)?)?);
        Self::merge(system.as_ref(), user.as_ref())
    }

    /// Reads both files and leaves out what is wrong in them, which is named beside.
    pub fn load_what_can_be(environment: &Environment) -> (Self, Vec<Error>) {
        let user = match user_file(environment) {
            Ok(user) => user,
            Err(no_home) => return (Self::default(), vec![no_home]),
        };
        let mut mistakes = Vec::new();
        let mut take = |path: &Path| {
            let (file, mut wrong) = read_all(path);
            mistakes.append(&mut wrong);
            file
        };
        let (system, user) = (take(Path::new(SYSTEM_FILE)), take(&user));
        match Self::merge(system.as_ref(), user.as_ref()) {
            Ok(all) => (all, mistakes),
            Err(error) => {
                mistakes.push(error);
                (Self::default(), mistakes)
            }
        }
    }

    /// Names every mistake of both files, and what contradicts itself in them, in the order of the lines.
    ///
    /// # Errors
    ///
    /// [`Error::NoHome`].
    pub fn mistakes(environment: &Environment) -> Result<Vec<Error>, Error> {
        let (system, mut mistakes) = read_all(Path::new(SYSTEM_FILE));
        let (user, more) = read_all(&user_file(environment)?);
        mistakes.extend(more);
        mistakes.extend(contradictions(system.as_ref(), user.as_ref()));
        let place = |error: &Error| {
            let (path, line) = error.at();
            (path != Some(Path::new(SYSTEM_FILE)), line)
        };
        mistakes.sort_by_key(place);
        Ok(mistakes)
    }

    /// The profiles that have settings of their own.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// Every `[profile NAME]` of both files, with its line.
    pub fn sections_of_profiles(environment: &Environment) -> Vec<(PathBuf, usize, String)> {
        let paths = [Some(PathBuf::from(SYSTEM_FILE)), user_file(environment).ok()];
        let mut sections = Vec::new();
        for path in paths.into_iter().flatten() {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for (index, line) in text.lines().enumerate() {
                let inner = line
                    .trim()
                    .strip_prefix("[profile ")
                    .and_then(|rest| rest.strip_suffix(']'));
                sections.extend(inner.map(|name| (path.clone(), index + 1, name.trim().to_owned())));
            }
        }
        sections
    }

    /// The settings that hold for a profile.
    pub fn profile(&self, name: &str) -> &Settings {
        self.profiles.get(name).unwrap_or(&self.defaults)
    }

    /// The settings that hold where no profile is named.
    pub fn defaults(&self) -> &Settings {
        &self.defaults
    }

    fn merge(system: Option<&File>, user: Option<&File>) -> Result<Self, Error> {
        let files: Vec<&File> = system.into_iter().chain(user).collect();
        let mut names: Vec<&str> = files
            .iter()
            .flat_map(|file| &file.entries)
            .filter_map(|e| e.profile.as_deref())
            .collect();
        names.sort_unstable();
        names.dedup();
        let enforced = system.filter(|file| file.enforced);
        let of = |profile| Self::apply(&files, enforced, profile);
        let mut all = Self {
            defaults: of(None)?,
            profiles: BTreeMap::new(),
        };
        for name in names {
            all.profiles.insert(name.to_owned(), of(Some(name))?);
        }
        Ok(all)
    }

    /// In each file the general settings first, then the profile's own; then what is enforced, unless the user is
    /// stricter.
    fn apply(files: &[&File], enforced: Option<&File>, profile: Option<&str>) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for file in files {
            file.apply(&mut settings, profile)?;
        }
        if let Some(file) = enforced {
            let mut system = Settings::default();
            file.apply(&mut system, profile)?;
            for entry in file.of(profile) {
                stricten(&mut settings, &system, &entry.name);
            }
        }
        Ok(settings)
    }
}

/// Comes first, and may enforce.
pub const SYSTEM_FILE: &str = "/etc/keyagent/config";

/// The user's own file.
///
/// # Errors
///
/// [`Error::NoHome`].
pub fn user_file(environment: &Environment) -> Result<PathBuf, Error> {
    Ok(folder(environment, "XDG_CONFIG_HOME", dirs::config_dir)?.join("config"))
}

impl Settings {
    /// Every setting as a line of the file would have it; those that are not set are left out.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        NAMES
            .iter()
            .filter_map(|name| Some((*name, value_of(self, name)?)))
            .collect()
    }
}

/// Every setting there is, in the order in which they are shown.
const NAMES: [&str; 18] = [
    "max_age_days",
    "warn_days",
    "unused_days",
    "grace_days",
    "secret_store",
    "mfa_serial",
    "also_update",
    "after_rotate",
    "verify_for",
    "verify_every",
    "auto_rotate",
    "idle_minutes",
    "notify",
    "quiet_hours",
    "check_every",
    "metrics_textfile",
    "metrics_otlp",
    "metrics_key_ids",
];

/// keyagent's state folder: the journal, locks, the last known state. It is state, not cache: losing it in the
/// middle of a rotation loses the way back.
///
/// # Errors
///
/// [`Error::NoHome`].
pub fn state_folder(environment: &Environment) -> Result<PathBuf, Error> {
    folder(environment, "XDG_STATE_HOME", || {
        dirs::state_dir().or_else(dirs::data_local_dir)
    })
}

fn folder(
    environment: &Environment,
    variable: &str,
    platform: impl Fn() -> Option<PathBuf>,
) -> Result<PathBuf, Error> {
    let base = environment
        .get_path(variable)
        .filter(|path| path.is_absolute())
        .map(Path::to_owned);
    // Without HOME the crate takes the home of the passwd file, in which nobody has asked for anything.
    let has_home = cfg!(windows) || environment.get("HOME").is_some();
    let platform = || if has_home { platform() } else { None };
    Ok(base.or_else(platform).ok_or(Error::NoHome)?.join("keyagent"))
}

fn set(settings: &mut Settings, name: &str, value: &str) -> Result<(), String> {
    match name {
        "max_age_days" => settings.limits.max_age_days = days(value)?,
        "warn_days" => settings.limits.warn_days = days(value)?,
        "grace_days" => settings.grace_days = days(value)?,
        "secret_store" => {
            settings.secret_store = value
                .parse()
                .map_err(|error: crate::secret_store::InvalidChoice| error.to_string())?
        }
        "mfa_serial" => settings.mfa_serial = Some(values::serial_number(value)?),
        "verify_for" => settings.verify_for = duration(value)?,
        "verify_every" => settings.verify_every = duration(value)?,
        "unused_days" => settings.unused_days = days(value)?,
        "auto_rotate" => settings.auto_rotate = boolean(value)?,
        "idle_minutes" => settings.idle_minutes = minutes(value)?,
        "notify" => settings.notify = boolean(value)?,
        "check_every" => settings.check_every = values::check_every(value)?,
        "quiet_hours" => settings.quiet_hours = QuietHours::parse(value)?,
        "metrics_textfile" => settings.metrics_textfile = Some(path(value)?),
        "metrics_otlp" => settings.metrics_otlp = Some(values::collector(value)?),
        "metrics_key_ids" => settings.metrics_key_ids = boolean(value)?,
        "also_update" => settings.also_update = values::paths(value)?,
        "after_rotate" => settings.after_rotate = Some(values::command(value)?),
        _ => return Err(describe(name)),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
