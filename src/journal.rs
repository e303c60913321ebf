//! A durable record: one JSON document a line, each with a checksum, appended and synced before the next effect.
//! Knows nothing of what the records say, and refuses what a newer keyagent wrote. No record may hold a secret.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::fs_atomic::{self, Digest, Lock};
use crate::problem::quoted;

/// Another keyagent holds a journal for the time of one append.
const LOCK_FOR: std::time::Duration = std::time::Duration::from_secs(10);

/// Why a journal cannot be used. Nothing is changed then.
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
    #[error("{} was written by a newer keyagent (format {version}, this one knows {known})", path.display())]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its format.
        version: u32,
        /// The newest format that is known here.
        known: u32,
    },
    /// A line before the last does not match its checksum, or does not follow from those before it.
    #[error("{}, line {line}: {why}", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Counted from 1; 0 for the one that was being written.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl Error {
    /// What to type. A damaged journal is put aside and kept: it is the only record of what was interrupted.
    pub fn hint(&self) -> String {
        match self {
            Self::Damaged { path, .. } => {
                let path = quoted(path);
                format!("delete no key before you have read docs/errors.md; then: mv {path} {path}.damaged")
            }
            Self::Newer { .. } => "use that newer keyagent: keyagent --version".into(),
            Self::File(_) | Self::Read { .. } => {
                "see what is in the state folder: ls -l ~/.local/state/keyagent".into()
            }
        }
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    /// The first 16 digits of the SHA-256 of `record` as it stands.
    checksum: String,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// A record with its format before it, so that a newer one is recognised whatever else it holds.
#[derive(Serialize)]
struct Versioned<'a, R> {
    version: u32,
    #[serde(flatten)]
    record: &'a R,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// One file of records.
#[derive(Clone, Debug)]
pub struct JournalFile {
    path: PathBuf,
    /// The format that this keyagent writes. An older one is read, a newer one refused.
    version: u32,
}

impl JournalFile {
    /// Names the file. Touches nothing.
    pub fn new(path: PathBuf, version: u32) -> Self {
        Self { path, version }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads every record in order; a missing file has none. A torn last line, which a crash in the middle of
    /// writing leaves, is cut off. `take` says why a record does not follow from those before it.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn open<R: DeserializeOwned>(&self, take: impl FnMut(R) -> Result<(), String>) -> Result<(), Error> {
        if !self.path.exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        if let Some(torn_at) = self.read(take)? {
            fs_atomic::cut(&self.path, torn_at)?;
        }
        Ok(())
    }

    /// The same without touching the file: for those who only look.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn look<R: DeserializeOwned>(&self, take: impl FnMut(R) -> Result<(), String>) -> Result<(), Error> {
        self.read(take)?;
        Ok(())
    }

    /// Makes a record durable. It has happened only when this returns.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn append<R: Serialize>(&self, record: &R) -> Result<(), Error> {
        let versioned = Versioned {
            version: self.version,
            record,
        };
        let raw = serde_json::value::to_raw_value(&versioned).expect("a record has string keys only");
        let line = Line {
            checksum: checksum(raw.get()),
            record: &raw,
        };
        let mut text = serde_json::to_string(&line).expect("a line has string keys only");
        text.push('\n');
        let _lock = self.lock()?;
        // Another keyagent may have died in the middle of a line since this one read the journal.
        if fs_atomic::last_byte(&self.path)?.is_some_and(|byte| byte != b'\n')
            && let Some(torn_at) = self.read(|_: serde::de::IgnoredAny| Ok(()))?
        {
            fs_atomic::cut(&self.path, torn_at)?;
        }
        fs_atomic::append(&self.path, text.as_bytes())?;
        Ok(())
    }

    /// Keyagents that work at different things share a journal.
    fn lock(&self) -> Result<Lock, Error> {
        let path = self.path.with_added_extension("lock");
        let holder = format!("process {}", std::process::id());
        Ok(Lock::acquire_within(&path, &holder, LOCK_FOR)?)
    }

    /// The length of what is whole, if the last line is torn.
    fn read<R: DeserializeOwned>(
        &self,
        mut take: impl FnMut(R) -> Result<(), String>,
    ) -> Result<Option<u64>, Error> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                return Err(Error::Read {
                    path: self.path.clone(),
                    source,
                });
            }
        };
        let mut good = 0;
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let is_last = good + line.len() == bytes.len();
            match parse(line) {
                Ok(raw) => {
                    self.take_one(&raw, &mut take)
                        .map_err(|refused| refused.at(&self.path, index + 1, self.version))?;
                    good += line.len();
                }
                Err(_) if is_last => return Ok(Some(good as u64)),
                Err(why) => {
                    return Err(Refused::Damaged(why.to_owned()).at(&self.path, index + 1, self.version));
                }
            }
        }
        Ok(None)
    }

    fn take_one<R: DeserializeOwned>(
        &self,
        raw: &RawValue,
        take: &mut impl FnMut(R) -> Result<(), String>,
    ) -> Result<(), Refused> {
        let damaged = |error: serde_json::Error| Refused::Damaged(error.to_string());
        let Version { version } = serde_json::from_str(raw.get()).map_err(damaged)?;
        if version > self.version {
            return Err(Refused::Newer(version));
        }
        let record = serde_json::from_str(raw.get()).map_err(damaged)?;
        take(record).map_err(Refused::Damaged)
    }
}

enum Refused {
    Newer(u32),
    Damaged(String),
}

impl Refused {
    fn at(self, path: &Path, line: usize, known: u32) -> Error {
        let path = path.to_owned();
        match self {
            Self::Newer(version) => Error::Newer { path, version, known },
            Self::Damaged(why) => Error::Damaged { path, line, why },
        }
    }
}

fn parse(line: &[u8]) -> Result<Box<RawValue>, &'static str> {
    let line = line.strip_suffix(b"\n").ok_or("the line has no end")?;
    let line: Line<'_> = serde_json::from_slice(line).map_err(|_| "the line is no record")?;
    if checksum(line.record.get()) != line.checksum {
        return Err("the checksum is wrong");
    }
    Ok(line.record.to_owned())
}

/// What stands before a record.
pub(crate) fn checksum(text: &str) -> String {
    Digest::of(text.as_bytes()).as_str()[..16].to_owned()
}
