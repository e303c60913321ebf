//! The durable record of rotations: one JSON record a line, each with a checksum, appended and synced before
//! the next effect. Holds IDs and digests, never a secret.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::state::{Event, Impossible, Rotation, advance};
use crate::fs_atomic::{self, Digest, Lock};

/// The format that this keyagent writes. An older one is read, a newer one refused.
///
/// 1: without `credentials_file` and `create_date`, and without undo and retire. 2: with them.
const VERSION: u32 = 2;

/// Another keyagent holds the journal for the time of one append.
const LOCK_FOR: std::time::Duration = std::time::Duration::from_secs(10);

/// Why the journal cannot be used. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refuses.
    #[error(transparent)]
    File(#[from] fs_atomic::Error),
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The journal.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A newer keyagent wrote it.
    #[error("{} was written by a newer keyagent (format {version}, this one knows {VERSION})", path.display())]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
    /// A line before the last does not match its checksum, or does not follow from those before it.
    #[error("{}, line {line}: {why}", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    /// The first 16 digits of the SHA-256 of `record` as it stands.
    checksum: String,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// What a line says.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    rotation: String,
    at: Timestamp,
    #[serde(flatten)]
    event: Event,
}

/// Read before the rest, so that a newer format is recognised whatever else it holds.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The journal, read and open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    rotations: Vec<Rotation>,
}

impl Journal {
    /// Reads the journal of a state folder; a missing one is empty. A torn last line, which a crash in the
    /// middle of writing leaves, is cut off.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn open(state_folder: &Path) -> Result<Self, Error> {
        let path = state_folder.join("journal");
        let journal = Self {
            path,
            rotations: Vec::new(),
        };
        if !journal.path.exists() {
            return Ok(journal);
        }
        let _lock = journal.lock()?;
        let (rotations, torn_at) = read(&journal.path)?;
        if let Some(torn_at) = torn_at {
            fs_atomic::cut(&journal.path, torn_at)?;
        }
        Ok(Self { rotations, ..journal })
    }

    /// The rotations so far, without touching the file: for those who only look.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn look(state_folder: &Path) -> Result<Vec<Rotation>, Error> {
        Ok(read(&state_folder.join("journal"))?.0)
    }

    /// Keyagents that work on different credentials files share the journal.
    fn lock(&self) -> Result<Lock, Error> {
        let path = self.path.with_file_name("journal.lock");
        let holder = format!("process {}", std::process::id());
        Ok(Lock::acquire_within(&path, &holder, LOCK_FOR)?)
    }

    /// All rotations, in the order of their beginning.
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }

    /// The rotation of that name.
    ///
    /// # Panics
    ///
    /// When there is none: names come from the journal itself.
    pub fn rotation(&self, id: &str) -> &Rotation {
        self.rotations
            .iter()
            .find(|rotation| rotation.id == id)
            .expect("a rotation's name comes from the journal")
    }

    /// Makes an event durable. It has happened only when this returns.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn append(&mut self, rotation: &str, event: Event, at: Timestamp) -> Result<(), Error> {
        let record = Record {
            version: VERSION,
            rotation: rotation.to_owned(),
            at,
            event,
        };
        let raw = serde_json::value::to_raw_value(&record).expect("a record has string keys only");
        let line = Line {
            checksum: checksum(raw.get()),
            record: &raw,
        };
        let mut text = serde_json::to_string(&line).expect("a line has string keys only");
        text.push('\n');
        {
            let _lock = self.lock()?;
            // Another keyagent may have died in the middle of a line since this one read the journal.
            if fs_atomic::last_byte(&self.path)?.is_some_and(|byte| byte != b'\n')
                && let Some(torn_at) = read(&self.path)?.1
            {
                fs_atomic::cut(&self.path, torn_at)?;
            }
            fs_atomic::append(&self.path, text.as_bytes())?;
        }
        let path = self.path.clone();
        take(&mut self.rotations, record).map_err(|error| Error::Damaged {
            path,
            line: 0,
            why: error.to_string(),
        })
    }
}

/// The rotations, and the length of what is whole if the last line is torn.
fn read(path: &Path) -> Result<(Vec<Rotation>, Option<u64>), Error> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(source) => {
            return Err(Error::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    let mut rotations = Vec::new();
    let mut good = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let is_last = good + line.len() == bytes.len();
        let damaged = |why: String| Error::Damaged {
            path: path.to_owned(),
            line: index + 1,
            why,
        };
        match parse(line) {
            Ok(raw) => {
                let version: Version =
                    serde_json::from_str(raw.get()).map_err(|error| damaged(error.to_string()))?;
                if version.version > VERSION {
                    return Err(Error::Newer {
                        path: path.to_owned(),
                        version: version.version,
                    });
                }
                let record: Record =
                    serde_json::from_str(raw.get()).map_err(|error| damaged(error.to_string()))?;
                take(&mut rotations, record).map_err(|error| damaged(error.to_string()))?;
                good += line.len();
            }
            Err(_) if is_last => return Ok((rotations, Some(good as u64))),
            Err(why) => return Err(damaged(why.to_owned())),
        }
    }
    Ok((rotations, None))
}

fn take(rotations: &mut Vec<Rotation>, record: Record) -> Result<(), Impossible> {
    let known = rotations
        .iter_mut()
        .find(|rotation| rotation.id == record.rotation);
    match (known, record.event) {
        (None, Event::Planned(plan)) => rotations.push(Rotation::planned(record.rotation, plan, record.at)),
        (Some(rotation), event) => *rotation = advance(rotation, &event, record.at)?,
        // The beginning was written by an older keyagent or lost: there is nothing to go on from.
        (None, _) => {}
    }
    Ok(())
}

fn parse(line: &[u8]) -> Result<Box<RawValue>, &'static str> {
    let line = line.strip_suffix(b"\n").ok_or("the line has no end")?;
    let line: Line<'_> = serde_json::from_slice(line).map_err(|_| "the line is no record")?;
    if checksum(line.record.get()) != line.checksum {
        return Err("the checksum is wrong");
    }
    Ok(line.record.to_owned())
}

fn checksum(text: &str) -> String {
    Digest::of(text.as_bytes()).as_str()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::state::{Effect, Plan, State};
    use super::*;
    use crate::access_key::AccessKeyId;
    use crate::iam::UserName;

    fn plan() -> Plan {
        Plan {
            credentials_file: None,
            profiles: vec!["dev".into()],
            files: Vec::new(),
            old_access_key_id: AccessKeyId::parse(&"O".repeat(20)).unwrap(),
            user_name: UserName("ann".into()),
            user_arn: "arn:aws:iam::123456789012:user/ann".into(),
            account_id: "123456789012".into(),
            secret_store: "file".into(),
            existing_access_key_ids: Vec::new(),
        }
    }

    fn two_events(folder: &Path) -> Journal {
        let mut journal = Journal::open(folder).unwrap();
        journal
            .append("r", Event::Planned(plan()), Timestamp::UNIX_EPOCH)
            .unwrap();
        journal
            .append(
                "r",
                Event::Intended {
                    effect: Effect::CreateKey,
                },
                Timestamp::UNIX_EPOCH,
            )
            .unwrap();
        journal
    }

    #[test]
    fn what_was_appended_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = two_events(folder.path());
        assert_eq!(journal.rotation("r").state, State::CreatingKey);
        assert_eq!(
            Journal::open(folder.path()).unwrap().rotations(),
            journal.rotations()
        );
    }

    #[test]
    fn a_last_line_cut_anywhere_is_ignored_and_the_journal_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        two_events(folder.path());
        let path = folder.path().join("journal");
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for length in first..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut journal = Journal::open(folder.path()).unwrap();
            assert_eq!(journal.rotation("r").state, State::Planned, "cut at {length}");
            journal
                .append("r", Event::Aborted, Timestamp::UNIX_EPOCH)
                .unwrap();
            assert_eq!(
                Journal::open(folder.path()).unwrap().rotation("r").state,
                State::Aborted
            );
        }
    }

    #[test]
    fn a_changed_line_before_the_last_is_refused_by_number() {
        let folder = tempfile::tempdir().unwrap();
        two_events(folder.path());
        let path = folder.path().join("journal");
        let text = std::fs::read_to_string(&path).unwrap().replacen("ann", "bob", 1);
        std::fs::write(&path, text).unwrap();
        assert!(matches!(
            Journal::open(folder.path()),
            Err(Error::Damaged { line: 1, .. })
        ));
    }

    /// As the keyagent before `undo` wrote it.
    #[test]
    fn an_older_format_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = ("O".repeat(20), "N".repeat(20));
        let plan = format!(
            r#""event":"planned","profiles":["dev"],"files":[{{"kind":"credentials","path":"/home/ann/.aws/credentials","lines":[[2,3]]}}],"old_access_key_id":"{old}","user_name":"ann","user_arn":"arn:aws:iam::123456789012:user/ann","account_id":"123456789012","secret_store":"file","existing_access_key_ids":["{old}"]"#
        );
        let events = [
            plan,
            r#""event":"intended","effect":"create-key""#.to_owned(),
            format!(r#""event":"key-created","access_key_id":"{new}""#),
        ];
        let mut text = String::new();
        for event in events {
            let record = format!(r#"{{"version":1,"rotation":"r","at":"2026-11-24T00:00:00Z",{event}}}"#);
            text.push_str(&format!(
                "{{\"checksum\":\"{}\",\"record\":{record}}}\n",
                checksum(&record)
            ));
        }
        std::fs::write(folder.path().join("journal"), text).unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.rotation("r").state, State::KeyCreated);
        assert_eq!(journal.rotation("r").plan.credentials_file, None);
        journal
            .append("r", Event::KeyVerified, Timestamp::UNIX_EPOCH)
            .unwrap();
        assert_eq!(
            Journal::open(folder.path()).unwrap().rotation("r").state,
            State::KeyVerified
        );
    }

    #[test]
    fn a_line_that_another_process_tore_is_cut_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = two_events(folder.path());
        let path = folder.path().join("journal");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"checksum\":\"torn");
        std::fs::write(&path, bytes).unwrap();
        journal
            .append("r", Event::Aborted, Timestamp::UNIX_EPOCH)
            .unwrap();
        assert_eq!(
            Journal::open(folder.path()).unwrap().rotation("r").state,
            State::Aborted
        );
    }

    #[test]
    fn a_newer_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let record = r#"{"version":3,"rotation":"r","something":"new"}"#;
        let line = format!("{{\"checksum\":\"{}\",\"record\":{record}}}\n", checksum(record));
        std::fs::write(folder.path().join("journal"), line).unwrap();
        assert!(matches!(
            Journal::open(folder.path()),
            Err(Error::Newer { version: 3, .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        two_events(folder.path());
        let mode = folder
            .path()
            .join("journal")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
