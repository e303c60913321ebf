//! Where the user's own keys are read from. Writes nothing, and never opens the OS keyring: that may ask, or wait,
//! in the middle of a commit.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Error, Own, Part, lines, plausible};
use crate::access_key::AccessKeyId;
use crate::credentials::FileKind;
use crate::credentials::location::Locations;
use crate::process::Environment;
use crate::scan::allow::Date;

/// More values than anybody's: a table of them would take longer than the commit.
const MOST_VALUES: usize = 6000;

/// The values of all sources, each once.
pub(super) fn all(environment: &Environment, today: Option<Date>) -> Result<Vec<Own>, Error> {
    let mut all = All::default();
    for kind in [FileKind::Credentials, FileKind::Config] {
        if let Some(path) = Locations::path_of(environment, kind) {
            all.take_file(&path)?;
        }
    }
    all.take_environment(environment);
    if let Some(folder) = state_folder(environment) {
        let rotated = rotated(&folder.join("journal"), today)?;
        all.take_rotated(&rotated);
        all.take_secrets_in_hand(&folder.join("secrets"), &rotated)?;
    }
    if all.0.len() > MOST_VALUES {
        return Err(Error::TooMany { count: all.0.len() });
    }
    Ok(all.0)
}

/// What was found so far.
#[derive(Default)]
struct All(Vec<Own>);

impl All {
    fn take(&mut self, own: Own) {
        if plausible::is_key(own.value.as_str()) {
            self.0.push(own);
        }
    }

    fn take_file(&mut self, path: &Path) -> Result<(), Error> {
        let Some(bytes) = read(path)? else {
            return Ok(());
        };
        let lines = lines::read(&bytes);
        let ids: HashMap<&Option<String>, AccessKeyId> = lines
            .iter()
            .filter(|line| line.part == Part::Id)
            .filter_map(|line| Some((&line.profile, AccessKeyId::parse(&line.value).ok()?)))
            .collect();
        for line in &lines {
            self.take(Own {
                profile: line.profile.clone(),
                access_key_id: ids.get(&line.profile).cloned(),
                part: line.part,
                value: line.value.clone(),
                is_current: true,
                is_live: true,
            });
        }
        Ok(())
    }

    fn take_environment(&mut self, environment: &Environment) {
        let id = environment
            .get_str("AWS_ACCESS_KEY_ID")
            .and_then(|id| AccessKeyId::parse(id.trim()).ok());
        for (variable, part) in [
            ("AWS_ACCESS_KEY_ID", Part::Id),
            ("AWS_SECRET_ACCESS_KEY", Part::Secret),
            ("AWS_SESSION_TOKEN", Part::Token),
            ("AWS_SECURITY_TOKEN", Part::Token),
        ] {
            if let Some(value) = environment.get_str(variable) {
                self.take(Own {
                    profile: None,
                    access_key_id: id.clone(),
                    part,
                    value: Zeroizing::new(value.trim().to_owned()),
                    is_current: true,
                    is_live: true,
                });
            }
        }
    }

    fn take_rotated(&mut self, rotated: &[Rotated]) {
        for key in rotated {
            self.take(Own {
                profile: key.profile.clone(),
                access_key_id: AccessKeyId::parse(&key.access_key_id).ok(),
                part: Part::Id,
                value: Zeroizing::new(key.access_key_id.clone()),
                is_current: false,
                is_live: key.is_live,
            });
        }
    }

    /// The secrets that a rotation keeps in files: one for each key ID, by its name.
    fn take_secrets_in_hand(&mut self, folder: &Path, rotated: &[Rotated]) -> Result<(), Error> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(unreadable(folder, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            let Some(bytes) = read(&path)? else { continue };
            let Ok(value) = std::str::from_utf8(&bytes) else {
                continue;
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let known = rotated.iter().find(|key| name.contains(&key.access_key_id));
            self.take(Own {
                profile: known.and_then(|key| key.profile.clone()),
                access_key_id: AccessKeyId::parse(&name).ok(),
                part: Part::Secret,
                value: Zeroizing::new(value.trim().to_owned()),
                is_current: false,
                is_live: known.is_none_or(|key| key.is_live),
            });
        }
        Ok(())
    }
}

/// A key that the journal names.
struct Rotated {
    access_key_id: String,
    profile: Option<String>,
    rotation: String,
    is_new: bool,
    is_live: bool,
    /// The last time that the journal tells of its rotation.
    at: String,
}

/// What matters here of a line of the journal, in whichever format. Its own reader is `rotate::journal`, which the
/// build without `aws` has not, and which refuses what this one may skip.
#[derive(Deserialize)]
struct JournalLine {
    record: Record,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Record {
    rotation: String,
    at: String,
    event: String,
    profiles: Vec<String>,
    old_access_key_id: Option<String>,
    access_key_id: Option<String>,
}

/// The keys that the journal names and that were in use within the last year.
fn rotated(journal: &Path, today: Option<Date>) -> Result<Vec<Rotated>, Error> {
    let bytes = read(journal)?.unwrap_or_default();
    let mut keys: Vec<Rotated> = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(JournalLine { record }) = serde_json::from_slice(line) else {
            continue;
        };
        let of_rotation = |key: &&mut Rotated| key.rotation == record.rotation;
        // An undo that was given up left the old key as it was before it, which may be either.
        let live = match record.event.as_str() {
            "old-key-inactive" => Some((false, false)),
            "old-key-active" | "undo-abandoned" => Some((false, true)),
            "aborted" | "undone" => Some((true, false)),
            _ => None,
        };
        let mut profile = record.profiles.first().cloned();
        for key in keys.iter_mut().filter(of_rotation) {
            key.at.clone_from(&record.at);
            profile = profile.or_else(|| key.profile.clone());
            if let Some((is_new, is_live)) = live
                && is_new == key.is_new
            {
                key.is_live = is_live;
            }
        }
        let named = match record.event.as_str() {
            "planned" => record.old_access_key_id.map(|id| (id, false)),
            "key-created" => record.access_key_id.map(|id| (id, true)),
            _ => None,
        };
        if let Some((access_key_id, is_new)) = named {
            keys.push(Rotated {
                access_key_id,
                profile,
                rotation: record.rotation,
                is_new,
                is_live: true,
                at: record.at,
            });
        }
    }
    let oldest = a_year_before(today);
    keys.retain(|key| key.at >= oldest);
    Ok(keys)
}

/// The journal's times begin like this, and so are in the order of their letters. Without a day all are newer.
fn a_year_before(today: Option<Date>) -> String {
    today.map_or_else(String::new, |Date { year, month, day }| {
        format!("{:04}-{month:02}-{day:02}", year.saturating_sub(1))
    })
}

/// The bytes of a file; none where there is no file. What is no file, such as a pipe that a password manager
/// serves, is left alone: reading it would ask, or wait for ever.
fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(unreadable(path, error)),
    };
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    // In one go: a vector that grows leaves copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::new());
    bytes
        .try_reserve_exact(size.saturating_add(1))
        .map_err(|_| unreadable(path, ErrorKind::OutOfMemory.into()))?;
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        // A rotation on another terminal has just forgotten it.
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(unreadable(path, error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

/// keyagent's state folder, as `settings::state_folder` has it, which the build without `aws` has not.
fn state_folder(environment: &Environment) -> Option<PathBuf> {
    let named = environment
        .get_path("XDG_STATE_HOME")
        .filter(|path| path.is_absolute())
        .map(Path::to_owned);
    let base = named.or_else(|| {
        if cfg!(windows) {
            environment.get_path("LOCALAPPDATA").map(Path::to_owned)
        } else if cfg!(target_os = "macos") {
            Some(environment.get_path("HOME")?.join("Library/Application Support"))
        } else {
            Some(environment.get_path("HOME")?.join(".local/state"))
        }
    })?;
    Some(base.join("keyagent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(folder: &tempfile::TempDir) -> Environment {
        Environment::from_iter([("HOME", folder.path())])
    }

    fn write(folder: &tempfile::TempDir, name: &str, text: &str) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn id(tail: &str) -> String {
        ["AK", "IA", tail].concat()
    }

    fn secret() -> String {
        ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat()
    }

    fn told(environment: &Environment) -> Vec<(Option<String>, Part, String, bool, bool)> {
        let today = Date {
            year: 2026,
            month: 11,
            day: 25,
        };
        all(environment, Some(today))
            .unwrap()
            .into_iter()
            .map(|own| {
                (
                    own.profile.clone(),
                    own.part,
                    own.value.to_string(),
                    own.is_current,
                    own.is_live,
                )
            })
            .collect()
    }

    #[test]
    fn files_and_environment_are_current() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (id("Y34FZKBOKMUTVV7A"), id("Y34FZKBOKMUTVV7B"));
        write(
            &folder,
            ".aws/credentials",
            &format!("[dev]\naws_access_key_id={a}\naws_secret_access_key=bar\n"),
        );
        write(
            &folder,
            ".aws/config",
            &format!("[profile ops]\naws_secret_access_key={}\n", secret()),
        );
        let environment = Environment::from_iter([
            ("HOME", folder.path().to_str().unwrap()),
            ("AWS_ACCESS_KEY_ID", &b),
        ]);
        let expected = [
            (Some("dev".to_owned()), Part::Id, a.clone(), true, true),
            (Some("ops".to_owned()), Part::Secret, secret(), true, true),
            (None, Part::Id, b.clone(), true, true),
        ];
        assert_eq!(told(&environment), expected);
        let nothing = Environment::from_iter([("AWS_ACCESS_KEY_ID", &b)]);
        assert_eq!(told(&nothing), expected[2..]);
        let path = folder.path().join(".aws/credentials");
        let named = Environment::from_iter([("AWS_SHARED_CREDENTIALS_FILE", path)]);
        assert_eq!(told(&named), expected[..1]);
    }

    #[test]
    fn what_was_rotated_away_in_the_last_year_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let ids: Vec<String> = ["A", "B", "C", "D"]
            .iter()
            .map(|end| id(&format!("Y34FZKBOKMUTVV7{end}")))
            .collect();
        let planned = |rotation: &str, at: &str, old: &str| {
            format!(
                r#"{{"checksum":"x","record":{{"version":2,"rotation":"{rotation}","at":"{at}T00:00:00Z","event":"planned","profiles":["dev"],"old_access_key_id":"{old}"}}}}"#
            )
        };
        let event = |rotation: &str, event: &str| {
            format!(
                r#"{{"checksum":"x","record":{{"version":9,"rotation":"{rotation}","at":"2026-11-24T00:00:00.5Z","event":"{event}","access_key_id":"{}","new":[1]}}}}"#,
                ids[3]
            )
        };
        let lines = [
            planned("old", "2025-11-24", &ids[0]),
            planned("r", "2025-11-24", &ids[1]),
            "junk".to_owned(),
            event("r", "key-created"),
            event("r", "old-key-inactive"),
            planned("s", "2026-01-01", &ids[2]),
            r#"{"checksum":"torn","#.to_owned(),
        ];
        write(&folder, ".local/state/keyagent/journal", &lines.join("\n"));
        write(
            &folder,
            &format!(".local/state/keyagent/secrets/{}", ids[1]),
            &secret(),
        );
        let dev = || Some("dev".to_owned());
        assert_eq!(
            told(&home(&folder)),
            [
                (dev(), Part::Id, ids[1].clone(), false, false),
                (dev(), Part::Id, ids[3].clone(), false, true),
                (dev(), Part::Id, ids[2].clone(), false, true),
                (dev(), Part::Secret, secret(), false, false),
            ]
        );
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(told(&home(&folder)), []);
        write(&folder, ".aws/credentials/a-folder", "");
        assert_eq!(told(&home(&folder)), []);
        let below_a_file =
            Environment::from_iter([("HOME", folder.path().join(".aws/credentials/a-folder"))]);
        assert_eq!(told(&below_a_file), []);
    }

    #[test]
    #[cfg(feature = "aws")]
    fn the_state_folder_is_the_one_that_rotations_use() {
        let folder = tempfile::tempdir().unwrap();
        let named = Environment::from_iter([("XDG_STATE_HOME", folder.path())]);
        assert_eq!(state_folder(&named), crate::settings::state_folder(&named).ok());
        let real = Environment::of_this_process();
        if real.get("HOME").is_some() {
            assert_eq!(state_folder(&real), crate::settings::state_folder(&real).ok());
        }
    }
}
