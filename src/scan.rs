//! Looks for access keys in what git is about to commit, in files, or in a stream, and tells which are new.
//! Never shows or keeps a secret: a finding holds four characters of it and a fingerprint.

use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::git;
use crate::problem::Problem;

pub mod allow;
pub mod change;
mod decode;
pub mod detector;
pub mod own_keys;
mod reading;
pub mod report;
pub mod source;
mod unpack;

pub use change::{Bound, Candidate, Change, Content, Counts, Finding, Packing, Unread};

use allow::Date;
use own_keys::OwnKeys;

/// What to look for, and how; shared by threads.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    own: OwnKeys,
    today: Option<Date>,
}

impl Scanner {
    /// Looks for every AWS key, and for these above all.
    pub fn new(own: OwnKeys) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    /// The same on a day: a marker that allows a key until an earlier one allows nothing.
    #[must_use]
    pub fn on(self, today: Date) -> Self {
        Self {
            today: Some(today),
            ..self
        }
    }

    /// All of a content, in chunks: what is in memory of it at a time is bounded, whatever its size.
    ///
    /// # Errors
    ///
    /// When it cannot be read to its end.
    pub fn read(&self, mut reader: impl Read) -> io::Result<Content> {
        reading::read(self, &mut reader)
    }

    /// A content that is in memory.
    pub fn bytes(&self, content: &[u8]) -> Content {
        reading::bytes(self, content)
    }

    /// Whether a content holds nothing that was made from a text that holds nothing, by putting something new in the
    /// places `changed`, or joining there what did not stand together. False too where only a look at all can tell.
    pub(crate) fn still_holds_nothing(&self, content: &[u8], changed: &[Range<usize>]) -> bool {
        reading::changed::holds_nothing(self, content, changed)
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scanned {
    /// Files, or contents of files.
    pub blobs: u64,
    /// Their size.
    pub bytes: u64,
}

/// What a scan found, and how much it looked at.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// How much was looked at.
    pub scanned: Scanned,
    /// In the order of the paths and of the text.
    pub findings: Vec<Finding>,
    /// What could not be looked into, and is not to be taken for clean.
    pub unread: Vec<Unread>,
    /// How many objects hold a key that no reference reaches, and none was asked for: counted, and not told.
    pub unreached: usize,
    /// Whether it is a commit's message that was looked through.
    pub is_message: bool,
    /// How many files and folders were passed over because `.gitignore` or its kind names them.
    pub ignored: u64,
    /// The files and folders that could not be read at all.
    pub failures: Vec<Problem>,
    groups: usize,
}

/// Why a scan could not be completed; what was not scanned counts as unsafe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// git could not say what is staged.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// A file or folder could not be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Git(error) => error.into(),
            Error::Read { path, source } => Self::new(
                format!("cannot scan {}", report::shown(&path.to_string_lossy())),
                source.to_string(),
                if path.as_os_str() == "-" {
                    "to read standard input: keyagent scan --stdin"
                } else if source.kind() == io::ErrorKind::NotFound {
                    "name a file or folder that is there: keyagent scan PATH"
                } else {
                    "make it readable, or scan other paths: keyagent scan PATH"
                },
            ),
        }
    }
}

impl Scanned {
    /// Counts a content.
    pub fn count(&mut self, content: &Content) {
        self.blobs += 1;
        self.bytes += content.bytes;
    }
}

impl Scan {
    /// Counts a content that is a change of its own, and adds what it holds.
    pub fn look_at(&mut self, path: &str, content: Content) {
        self.scanned.count(&content);
        let mut change = Change::default();
        change.add(path, content);
        self.add(change);
    }

    /// Adds what a change holds; its groups get numbers of their own.
    pub fn add(&mut self, mut change: Change) {
        self.unread.append(&mut change.unread);
        let mut findings = change.finish();
        let before = self.groups;
        for finding in &mut findings {
            finding.group += before;
            self.groups = self.groups.max(finding.group);
        }
        self.findings.append(&mut findings);
    }
}

/// Says nothing of the rule: what is an own key on one machine is a secret on another, and an entry of `.keyagentallow`
/// is to hold on both. The prefix keeps the digest from being that of the bare value, which other tools may print.
fn fingerprint(value: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(b"keyagent.finding/1\0").chain_update(value))
}

/// Of a content that was not looked into; it is that of no value, so that no entry lets both pass.
fn content_digest() -> Sha256 {
    Sha256::new_with_prefix(b"keyagent.content/1\0")
}

fn hexadecimal(digest: Sha256) -> String {
    HEXLOWER.encode(&digest.finalize()[..16])
}
