//! keyagent's own settings: which there are, their values and where they come from.
//! An unknown name or a bad value is an error that names the line; nothing is guessed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ini::{Ini, ParseOption};

use crate::policy::Limits;
use crate::process::Environment;
use crate::secret_store::SecretStoreChoice;

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
        let user = folder(environment, "XDG_CONFIG_HOME", dirs::config_dir)?.join("config");
        Self::merge(read(Path::new("/etc/keyagent/config"))?, read(&user)?)
    }

    /// The settings that hold for a profile.
    pub fn profile(&self, name: &str) -> &Settings {
        self.profiles.get(name).unwrap_or(&self.defaults)
    }

    /// The settings that hold where no profile is named.
    pub fn defaults(&self) -> &Settings {
        &self.defaults
    }

    fn merge(system: Option<File>, user: Option<File>) -> Result<Self, Error> {
        let files: Vec<&File> = system
            .iter()
            .chain(&user)
            .chain(system.iter().filter(|f| f.enforced))
            .collect();
        let mut names: Vec<&str> = files
            .iter()
            .flat_map(|file| &file.entries)
            .filter_map(|e| e.profile.as_deref())
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut all = Self {
            defaults: Self::apply(&files, None)?,
            profiles: BTreeMap::new(),
        };
        for name in names {
            all.profiles
                .insert(name.to_owned(), Self::apply(&files, Some(name))?);
        }
        Ok(all)
    }

    /// In each file the general settings first, then the profile's own.
    fn apply(files: &[&File], profile: Option<&str>) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for file in files {
            for wanted in [None, profile] {
                for entry in file
                    .entries
                    .iter()
                    .filter(|entry| entry.profile.as_deref() == wanted)
                {
                    set(&mut settings, &entry.name, &entry.value).map_err(|why| Error::Line {
                        path: file.path.clone(),
                        line: entry.line,
                        why,
                    })?;
                }
            }
        }
        Ok(settings)
    }
}

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
    Ok(base.or_else(platform).ok_or(Error::NoHome)?.join("keyagent"))
}

struct File {
    path: PathBuf,
    enforced: bool,
    entries: Vec<Entry>,
}

struct Entry {
    profile: Option<String>,
    name: String,
    value: String,
    line: usize,
}

fn read(path: &Path) -> Result<Option<File>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn parse(path: &Path, text: &str) -> Result<File, Error> {
    let fail = |line, why: String| Error::Line {
        path: path.to_owned(),
        line,
        why,
    };
    // Values are taken as they stand: a Windows path has backslashes, and a quote is a quote.
    let options = ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        ..ParseOption::default()
    };
    let ini =
        Ini::load_from_str_opt(text, options).map_err(|error| fail(error.line, error.msg.to_string()))?;
    let mut file = File {
        path: path.to_owned(),
        enforced: false,
        entries: Vec::new(),
    };
    for (section, properties) in &ini {
        let profile = match section {
            None if properties.is_empty() => continue,
            Some("defaults") => None,
            Some(section) if section.starts_with("profile ") => {
                Some(section["profile ".len()..].trim().to_owned())
            }
            None => {
                return Err(fail(
                    1,
                    "a setting stands before the first [defaults] or [profile NAME]".into(),
                ));
            }
            Some(section) => {
                let line = line_of(text, |line| line.trim().starts_with(&format!("[{section}]")));
                return Err(fail(
                    line,
                    format!("there is no section [{section}]; use [defaults] or [profile NAME]"),
                ));
            }
        };
        for (name, value) in properties {
            let line = line_in_section(text, section.unwrap_or_default(), name);
            if name == "enforce" {
                file.enforced = boolean(value).map_err(|why| fail(line, why))?;
                continue;
            }
            set(&mut Settings::default(), name, value).map_err(|why| fail(line, why))?;
            file.entries.push(Entry {
                profile: profile.clone(),
                name: name.to_owned(),
                value: value.to_owned(),
                line,
            });
        }
    }
    Ok(file)
}

/// rust-ini gives no line numbers, so they are looked up.
fn line_in_section(text: &str, section: &str, name: &str) -> usize {
    let mut inside = false;
    line_of(text, |line| {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            inside = header.strip_suffix(']') == Some(section);
        }
        inside
            && line
                .split(['=', ':'])
                .next()
                .is_some_and(|found| found.trim() == name)
    })
}

fn line_of(text: &str, is_it: impl FnMut(&str) -> bool) -> usize {
    text.lines().position(is_it).map_or(1, |index| index + 1)
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
        "mfa_serial" => settings.mfa_serial = Some(serial_number(value)?),
        "verify_for" => settings.verify_for = duration(value)?,
        "verify_every" => settings.verify_every = duration(value)?,
        _ => return Err(format!("there is no setting {name}")),
    }
    Ok(())
}

fn days(value: &str) -> Result<u32, String> {
    match value.parse() {
        Ok(days) if days <= 3650 => Ok(days),
        _ => Err(format!("`{value}` is not a number of days from 0 to 3650")),
    }
}

/// As STS takes it: 9 to 256 of these characters.
fn serial_number(value: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=/:,.@-".contains(c);
    if (9..=256).contains(&value.len()) && value.chars().all(fits) {
        Ok(value.to_owned())
    } else {
        Err(format!(
            "`{value}` is no serial number such as arn:aws:iam::123456789012:mfa/NAME"
        ))
    }
}

fn boolean(value: &str) -> Result<bool, String> {
    match value {
        "yes" | "true" | "on" => Ok(true),
        "no" | "false" | "off" => Ok(false),
        _ => Err(format!("`{value}` is neither yes nor no")),
    }
}

fn duration(value: &str) -> Result<Duration, String> {
    let wrong = || format!("`{value}` is not a duration such as 500ms, 30s, 2m or 6h");
    let digits = value.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = value[..digits].parse().map_err(|_| wrong())?;
    let milliseconds = match value[digits..].trim() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Option<File> {
        Some(parse(Path::new("config"), text).unwrap())
    }

    fn error(text: &str) -> String {
        parse(Path::new("config"), text).err().unwrap().to_string()
    }

    #[test]
    fn the_user_beats_the_system_and_a_profile_beats_the_defaults() {
        let system = file("[defaults]\nmax_age_days = 60\ngrace_days = 3\n");
        let user = file("[defaults]\nmax_age_days = 30\n[profile dev]\nmax_age_days = 10\nverify_for=5s\n");
        let all = AllSettings::merge(system, user).unwrap();
        assert_eq!(all.profile("other").limits.max_age_days, 30);
        assert_eq!(all.profile("dev").limits.max_age_days, 10);
        assert_eq!(all.profile("dev").verify_for, Duration::from_secs(5));
        assert_eq!(all.profile("dev").grace_days, 3);
    }

    #[test]
    fn what_the_system_enforces_a_user_cannot_loosen() {
        let system = file("[defaults]\nenforce = true\nmax_age_days = 60\n");
        let user = file("[defaults]\nmax_age_days = 900\nwarn_days = 5\n[profile dev]\nmax_age_days=700\n");
        let all = AllSettings::merge(system, user).unwrap();
        assert_eq!(
            all.defaults().limits,
            Limits {
                max_age_days: 60,
                warn_days: 5
            }
        );
        assert_eq!(all.profile("dev").limits.max_age_days, 60);
    }

    #[test]
    fn a_mistake_is_named_by_line() {
        assert_eq!(
            error("[defaults]\n\nmax_age=3\n"),
            "config, line 3: there is no setting max_age"
        );
        assert!(error("[defaults]\nwarn_days = soon\n").contains("line 2: `soon` is not a number of days"));
        assert!(error("[profile a]\nwarn_days = 1\n[b]\n").contains("line 3: there is no section [b]"));
        assert!(error("[defaults]\nverify_for = 5\n").contains("line 2"));
        assert!(error("[defaults]\nsecret_store = cloud\n").contains("line 2"));
        assert!(error("[defaults]\nmfa_serial = 123456\n").contains("line 2: `123456` is no serial number"));
    }
}
