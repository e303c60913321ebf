//! The durable record of rotations: what [`crate::journal`] keeps, read as rotations. Holds IDs and digests, never a
//! secret.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::{Event, Impossible, Rotation, advance};
pub use crate::journal::Error;
use crate::journal::JournalFile;

/// The format that this keyagent writes.
///
/// 1: without `credentials_file` and `create_date`, and without undo and retire. 2: with them.
const VERSION: u32 = 2;

/// What a line says.
#[derive(Serialize, Deserialize)]
struct Record {
    rotation: String,
    at: Timestamp,
    #[serde(flatten)]
    event: Event,
}

/// The journal, read and open for appending.
#[derive(Debug)]
pub struct Journal {
    file: JournalFile,
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
        let file = file(state_folder);
        let mut rotations = Vec::new();
        file.open(|record| follow(&mut rotations, record))?;
        Ok(Self { file, rotations })
    }

    /// The rotations so far, without touching the file: for those who only look.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn look(state_folder: &Path) -> Result<Vec<Rotation>, Error> {
        let mut rotations = Vec::new();
        file(state_folder).look(|record| follow(&mut rotations, record))?;
        Ok(rotations)
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
            rotation: rotation.to_owned(),
            at,
            event,
        };
        self.file.append(&record)?;
        take(&mut self.rotations, record).map_err(|error| Error::Damaged {
            path: self.file.path().to_owned(),
            line: 0,
            why: error.to_string(),
        })
    }
}

fn file(state_folder: &Path) -> JournalFile {
    JournalFile::new(state_folder.join("journal"), VERSION)
}

fn follow(rotations: &mut Vec<Rotation>, record: Record) -> Result<(), String> {
    take(rotations, record).map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::super::state::{Effect, Plan, State};
    use super::*;
    use crate::access_key::AccessKeyId;
    use crate::iam::UserName;
    use crate::journal::checksum;

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
