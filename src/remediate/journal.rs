//! The durable record of runs: who did what to which key, written before it is done. Holds no secret.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Action;
use crate::access_key::AccessKeyId;
use crate::iam::{AccessKeyStatus, UserName};
pub use crate::journal::Error;
use crate::journal::JournalFile;

/// The format that this keyagent writes.
const VERSION: u32 = 1;

/// What is recorded of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// It was shown and agreed to.
    Begun {
        /// What it does.
        action: Action,
        /// In which account.
        account_id: String,
        /// Who signs: the ARN.
        signed_by: String,
        /// The profile that signs, for the command that puts all back.
        profile: String,
        /// The run that it puts back.
        puts_back: Option<String>,
    },
    /// A call is going to be made.
    Intended {
        /// Whose key.
        user_name: UserName,
        /// The key.
        access_key_id: AccessKeyId,
        /// What ListAccessKeys said just before.
        status_before: AccessKeyStatus,
    },
    /// What became of a call.
    Settled {
        /// The key.
        access_key_id: AccessKeyId,
        /// What.
        outcome: Outcome,
    },
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// ListAccessKeys confirms it.
    Done,
    /// It had no effect.
    NotDone,
    /// Neither is certain yet.
    Unknown,
}

#[derive(Serialize, Deserialize)]
struct Record {
    run: String,
    at: Timestamp,
    #[serde(flatten)]
    event: Event,
}

/// What a run has done to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose key.
    pub user_name: UserName,
    /// The key.
    pub access_key_id: AccessKeyId,
    /// What it was before.
    pub status_before: AccessKeyStatus,
    /// When the call was about to be made.
    pub intended_at: Timestamp,
    /// What became of it; [`Outcome::Unknown`] after a crash, too.
    pub outcome: Outcome,
}

/// One call of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name, for `enable --run`.
    pub id: String,
    /// What it does.
    pub action: Action,
    /// In which account.
    pub account_id: String,
    /// Who signed: the ARN.
    pub signed_by: String,
    /// The profile that signed.
    pub profile: String,
    /// The run that it puts back.
    pub puts_back: Option<String>,
    /// When it began.
    pub begun_at: Timestamp,
    /// Every key that it was about to change, in that order.
    pub changes: Vec<Change>,
}

/// The journal, read and open for appending.
#[derive(Debug)]
pub struct Journal {
    file: JournalFile,
    runs: Vec<Run>,
}

impl Journal {
    /// Reads the journal of a state folder; a missing one is empty.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn open(state_folder: &Path) -> Result<Self, Error> {
        let file = JournalFile::new(state_folder.join("remediation"), VERSION);
        let mut runs = Vec::new();
        file.open(|record| take(&mut runs, record))?;
        Ok(Self { file, runs })
    }

    /// All runs, in the order of their beginning.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The run of that name.
    pub fn run(&self, id: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// Makes an event durable. It has happened only when this returns.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn append(&mut self, run: &str, event: Event, at: Timestamp) -> Result<(), Error> {
        let record = Record {
            run: run.to_owned(),
            at,
            event,
        };
        self.file.append(&record)?;
        take(&mut self.runs, record).map_err(|why| Error::Damaged {
            path: self.file.path().to_owned(),
            line: 0,
            why,
        })
    }

    /// The last run that has changed a key, or may have, and the change.
    pub fn last_change(&self, access_key_id: &AccessKeyId) -> Option<(&Run, &Change)> {
        self.runs
            .iter()
            .flat_map(|run| run.changes.iter().map(move |change| (run, change)))
            .filter(|(_, change)| {
                change.access_key_id == *access_key_id && change.outcome != Outcome::NotDone
            })
            .max_by_key(|(_, change)| change.intended_at)
    }

    /// What is not settled in an account, and that no later run has overtaken.
    pub fn open_changes(&self, account_id: &str) -> Vec<(Run, Change)> {
        self.runs
            .iter()
            .filter(|run| run.account_id == account_id)
            .flat_map(|run| run.changes.iter().map(move |change| (run, change)))
            .filter(|(run, change)| {
                let last = self.last_change(&change.access_key_id);
                change.outcome == Outcome::Unknown && last.is_some_and(|(last, _)| last.id == run.id)
            })
            .map(|(run, change)| (run.clone(), change.clone()))
            .collect()
    }
}

/// When a run begins names it; the process tells two of one second apart.
pub fn run_id(now: Timestamp) -> String {
    format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), std::process::id())
}

fn take(runs: &mut Vec<Run>, record: Record) -> Result<(), String> {
    let Record { run: id, at, event } = record;
    let known = runs.iter_mut().find(|run| run.id == id);
    match (known, event) {
        (
            None,
            Event::Begun {
                action,
                account_id,
                signed_by,
                profile,
                puts_back,
            },
        ) => runs.push(Run {
            id,
            action,
            account_id,
            signed_by,
            profile,
            puts_back,
            begun_at: at,
            changes: Vec::new(),
        }),
        (
            Some(run),
            Event::Intended {
                user_name,
                access_key_id,
                status_before,
            },
        ) => run.changes.push(Change {
            user_name,
            access_key_id,
            status_before,
            intended_at: at,
            outcome: Outcome::Unknown,
        }),
        (
            Some(run),
            Event::Settled {
                access_key_id,
                outcome,
            },
        ) => {
            let mut changes = run.changes.iter_mut().rev();
            let change = changes
                .find(|change| change.access_key_id == access_key_id)
                .ok_or_else(|| format!("{access_key_id} is settled, and was never intended"))?;
            change.outcome = outcome;
        }
        (Some(_), Event::Begun { .. }) => return Err(format!("run {id} begins twice")),
        (None, Event::Intended { .. } | Event::Settled { .. }) => {
            return Err(format!("run {id} has no beginning"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Event {
        Event::Begun {
            action: Action::Disable,
            account_id: "123456789012".into(),
            signed_by: "arn:aws:iam::123456789012:user/admin".into(),
            profile: "admin".into(),
            puts_back: None,
        }
    }

    fn intended(id: &AccessKeyId) -> Event {
        Event::Intended {
            user_name: UserName("ann".into()),
            access_key_id: id.clone(),
            status_before: AccessKeyStatus::Active,
        }
    }

    #[test]
    fn a_run_reads_back_and_what_a_crash_left_open_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        let (first, second) = (id('A'), id('B'));
        let at = Timestamp::UNIX_EPOCH;
        journal.append("r", begun(), at).unwrap();
        journal.append("r", intended(&first), at).unwrap();
        let done = Event::Settled {
            access_key_id: first.clone(),
            outcome: Outcome::Done,
        };
        journal.append("r", done, at).unwrap();
        journal.append("r", intended(&second), at).unwrap();
        let read = Journal::open(folder.path()).unwrap();
        assert_eq!(read.runs(), journal.runs());
        let outcomes: Vec<_> = read.runs()[0]
            .changes
            .iter()
            .map(|change| change.outcome)
            .collect();
        assert_eq!(outcomes, [Outcome::Done, Outcome::Unknown]);
        let open = read.open_changes("123456789012");
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].1.access_key_id, second);
        assert!(read.open_changes("210987654321").is_empty());
    }

    #[test]
    fn what_a_later_run_has_overtaken_is_not_open_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        for (run, second) in [("a", 1), ("b", 2)] {
            let at = Timestamp::from_second(second).unwrap();
            journal.append(run, begun(), at).unwrap();
            journal.append(run, intended(&id('A')), at).unwrap();
        }
        let open = journal.open_changes("123456789012");
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].0.id, "b");
    }

    fn id(letter: char) -> AccessKeyId {
        AccessKeyId::parse(&letter.to_string().repeat(20)).unwrap()
    }
}
