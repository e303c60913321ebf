//! The folder that results are filed in, one file a day and account:
//! `accountId=123456789012/eventDay=20261126/audit.ocsf.ndjson`, the partitions of Amazon Security Lake.
//!
//! A file has its name only when it is whole. Until then, and where an account could not be evaluated whole, its name ends
//! in `.partial` and begins with `_`, which Athena, Spark and Hive pass over; so does the record beside each whole file,
//! which says what it holds and on what terms.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::assessment::Tally;
use super::output::{Head, Output, Tail};
use super::{Benchmark, Finding, Limits, Summary};
use crate::fs_atomic::{self, Lock};
use crate::process::checkpoint;

const SCHEMA: &str = "keyagent.audit-record/1";
/// Stands for the account of a report that names none.
const NO_ACCOUNT: &str = "unknown";

/// On what terms an audit was made: results on other terms do not stand for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Whose controls are named.
    pub benchmark: Benchmark,
    /// The limits.
    pub limits: Limits,
    /// Through which calls AWS was asked, and whose key IDs were looked up.
    pub asked: String,
    /// The region of the Security Hub that findings are for, where the format has one.
    pub region: Option<String>,
    /// The digest of the exemptions, where there were any.
    pub exemptions: Option<String>,
}

/// What is known of a whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    schema: String,
    /// The account.
    pub account_id: String,
    /// The time for which the verdicts hold.
    pub as_of: Timestamp,
    /// The terms.
    pub terms: Terms,
    /// The size of the file.
    pub bytes: u64,
    /// The counts.
    pub summary: Summary,
}

/// A folder of results; nobody else files there while it is held.
#[derive(Debug)]
pub struct Results {
    root: PathBuf,
    file_name: &'static str,
    as_of: Timestamp,
    terms: Terms,
    _lock: Lock,
}

impl Results {
    /// Makes the folder where it is missing, and takes it.
    ///
    /// # Errors
    ///
    /// When another keyagent has it, or it cannot be written.
    pub fn open(
        root: &Path,
        file_name: &'static str,
        as_of: Timestamp,
        terms: Terms,
    ) -> Result<Self, fs_atomic::Error> {
        let holder = format!("keyagent audit (process {})", std::process::id());
        Ok(Self {
            _lock: Lock::acquire(&root.join("_keyagent.lock"), &holder)?,
            root: root.to_owned(),
            file_name,
            as_of,
            terms,
        })
    }

    /// What was filed for the account today on these terms, if that is whole.
    pub fn of_today(&self, account_id: &str) -> Option<Record> {
        let folder = self.folder(account_id);
        let record: Record = serde_json::from_slice(&fs::read(self.record_path(&folder)).ok()?).ok()?;
        let size = fs::metadata(folder.join(self.file_name)).ok()?.len();
        let is_it = record.schema == SCHEMA
            && record.account_id == account_id
            && record.terms == self.terms
            && record.bytes == size;
        is_it.then_some(record)
    }

    /// Where an account's file of today lies once it is whole.
    pub fn path(&self, account_id: &str) -> PathBuf {
        self.folder(account_id).join(self.file_name)
    }

    /// Where it lies until then.
    pub fn partial_path(&self, account_id: &str) -> PathBuf {
        self.folder(account_id)
            .join(format!("_{}.partial", self.file_name))
    }

    /// An output that files what an account's audit finds. `make` gives the output that writes into a file.
    pub fn filing<'a>(&'a self, make: Make<'a>) -> Filing<'a> {
        Filing {
            results: self,
            make,
            open: None,
        }
    }

    fn folder(&self, account_id: &str) -> PathBuf {
        let day = format!("eventDay={}", self.as_of.strftime("%Y%m%d"));
        self.root.join(format!("accountId={account_id}")).join(day)
    }

    fn record_path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("_{}.json", self.file_name))
    }

    /// The newest whole file of the account up to today.
    fn earlier(&self, account_id: &str) -> io::Result<Option<Earlier>> {
        let today = self.folder(account_id);
        let account = today.parent().expect("a day lies in an account");
        let mut days: Vec<PathBuf> = match fs::read_dir(account) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|day| *day <= today && day.join(self.file_name).is_file())
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(at(account)(error)),
        };
        days.sort_unstable();
        Ok(days.pop().map(|day| Earlier {
            path: day.join(self.file_name),
            is_of_today: day == today,
        }))
    }

    fn finish(&self, account_id: &str, tally: &Tally) -> io::Result<()> {
        let folder = self.folder(account_id);
        let partial = self.partial_path(account_id);
        let file = File::open(&partial).map_err(at(&partial))?;
        file.sync_all().map_err(at(&partial))?;
        let bytes = file.metadata().map_err(at(&partial))?.len();
        drop(file);
        let record = Record {
            schema: SCHEMA.to_owned(),
            account_id: account_id.to_owned(),
            as_of: self.as_of,
            terms: self.terms.clone(),
            bytes,
            summary: tally.summary,
        };
        // No record may vouch for a file that it does not describe.
        let record_path = self.record_path(&folder);
        match fs::remove_file(&record_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&record_path)(error)),
            Ok(()) | Err(_) => {}
        }
        fs::rename(&partial, folder.join(self.file_name)).map_err(at(&partial))?;
        let text = serde_json::to_vec(&record)?;
        fs_atomic::write_public(&record_path, &text).map_err(io::Error::other)
    }
}

/// Names the path in an error of the system.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A whole file of an earlier audit of the same account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The file.
    pub path: PathBuf,
    /// Whether it is the one that is going to be replaced.
    pub is_of_today: bool,
}

/// Makes the output that writes into a file; what an earlier audit has filed comes with it.
pub type Make<'a> = &'a dyn Fn(Box<dyn Write>, Option<Earlier>) -> io::Result<Box<dyn Output>>;

/// Files what is found, as soon as the account is known.
pub struct Filing<'a> {
    results: &'a Results,
    make: Make<'a>,
    open: Option<(String, Box<dyn Output>)>,
}

impl Filing<'_> {
    /// Gives the file its name, if the account was evaluated whole. Says where it lies.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn finish(self, tally: &Tally) -> io::Result<Option<PathBuf>> {
        let Some((account_id, output)) = self.open else {
            return Ok(None);
        };
        drop(output);
        if tally.summary.not_evaluated > 0 {
            return Ok(Some(self.results.partial_path(&account_id)));
        }
        self.results.finish(&account_id, tally)?;
        Ok(Some(self.results.path(&account_id)))
    }

    fn output(&mut self) -> &mut dyn Output {
        let (_, output) = self.open.as_mut().expect("begin comes first");
        output.as_mut()
    }
}

impl Output for Filing<'_> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        let account_id = head.account_id.unwrap_or(NO_ACCOUNT).to_owned();
        let folder = self.results.folder(&account_id);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let earlier = self.results.earlier(&account_id)?;
        let path = self.results.partial_path(&account_id);
        let file = File::create(&path).map_err(at(&path))?;
        let out = io::BufWriter::with_capacity(1 << 16, file);
        let mut output = (self.make)(Box::new(out), earlier)?;
        output.begin(head)?;
        checkpoint("account-filing");
        self.open = Some((account_id, output));
        Ok(())
    }

    fn takes_passes(&self) -> bool {
        self.open.as_ref().is_none_or(|(_, output)| output.takes_passes())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.output().finding(finding)
    }

    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()> {
        self.output().end(tail)
    }
}
