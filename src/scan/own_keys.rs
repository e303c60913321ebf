//! The keys of the user's own profiles, found by their values wherever they stand and however they are written.
//! Holds them in memory only, wiped when dropped; never shows one, and never asks AWS or the OS keyring.
//!
//! A key of one's own needs no rule and no word beside it: the value itself proves it, in base64, in hexadecimal
//! digits, escaped, in UTF-16, and in pieces.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

mod lines;
mod load;
mod naming;
mod patterns;
mod plausible;
mod spelling;

use super::allow::Date;
use super::detector::Encoding;
use super::report;
use crate::access_key::AccessKeyId;
use crate::problem::Problem;
use crate::process::Environment;
use patterns::Patterns;

/// Which part of a key a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The key ID.
    Id,
    /// The secret access key.
    Secret,
    /// The session token.
    Token,
}

/// Why the user's own keys cannot be known. A scan without them would miss what it promises to find.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that may hold keys cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The files hold more values than can be looked for.
    #[error("the profiles of this machine hold {count} values, too many to look for")]
    TooMany {
        /// How many.
        count: usize,
    },
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::Read { path, source } if source.kind() == io::ErrorKind::PermissionDenied => {
                let path = report::shell_word(&path.to_string_lossy());
                format!(
                    "chmod u+rX {path}, or name another file: AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE"
                )
            }
            Error::Read { .. } | Error::TooMany { .. } => {
                "name another file: AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE".to_owned()
            }
        };
        Self::new(
            "cannot look for your own keys, as they are not known",
            error.to_string(),
            hint,
        )
    }
}

/// One value in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMatch {
    /// The bytes of the text, from its first character to its last, with what stands between its pieces.
    pub range: Range<usize>,
    /// The profile that holds it, or held it; none for a key of the environment alone.
    pub profile: Option<String>,
    /// The ID of the key that it is a part of, where that is known.
    pub access_key_id: Option<AccessKeyId>,
    /// It is in a file or in the environment now; else it was replaced.
    pub is_current: bool,
    /// AWS may accept it still: it is current, or was replaced and not made inactive yet.
    pub is_live: bool,
    /// What it is.
    pub part: Part,
    /// How it is written here.
    pub encoding: Encoding,
    value: usize,
}

/// A value of a key.
struct Own {
    profile: Option<String>,
    access_key_id: Option<AccessKeyId>,
    part: Part,
    value: Zeroizing<String>,
    is_current: bool,
    is_live: bool,
}

/// What to look for; a copy shares it.
#[derive(Clone, Default)]
pub struct OwnKeys {
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    values: Vec<Own>,
    patterns: Patterns,
    /// The values by their fingerprints, which are only made when there is something to compare them with.
    fingerprints: OnceLock<HashMap<String, usize>>,
}

impl OwnKeys {
    /// No keys: nothing is ever found.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the keys of every profile, of the environment, and those that were rotated away in the year before
    /// `today`, or ever. Files that are missing hold none.
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be read.
    pub fn load(environment: &Environment, today: Option<Date>) -> Result<Self, Error> {
        Ok(Self::of(load::all(environment, today)?))
    }

    /// The first of equal values counts: files come before what was rotated away.
    fn of(all: Vec<Own>) -> Self {
        let mut known = HashSet::with_capacity(all.len());
        let is_first: Vec<bool> = all.iter().map(|own| known.insert(own.value.as_str())).collect();
        drop(known);
        let values: Vec<Own> = all
            .into_iter()
            .zip(is_first)
            .filter_map(|(own, is_first)| is_first.then_some(own))
            .collect();
        let patterns = Patterns::new(values.iter().map(|own| own.value.as_str()));
        Self {
            known: Arc::new(Known {
                values,
                patterns,
                fingerprints: OnceLock::new(),
            }),
        }
    }

    /// Every value of one's own in the text, in the text's order.
    ///
    /// A reader that has the text in pieces lets them overlap by [`longest`](Self::longest) bytes.
    pub fn find(&self, text: &[u8]) -> Vec<OwnMatch> {
        let found = self.known.patterns.find(text);
        found
            .into_iter()
            .map(|found| {
                let own = &self.known.values[found.value];
                OwnMatch {
                    range: found.range,
                    profile: own.profile.clone(),
                    access_key_id: own.access_key_id.clone(),
                    is_current: own.is_current,
                    is_live: own.is_live,
                    part: own.part,
                    encoding: found.encoding,
                    value: found.value,
                }
            })
            .collect()
    }

    /// The most bytes that a match can have.
    pub fn longest(&self) -> usize {
        self.known.patterns.longest()
    }
}

impl fmt::Debug for OwnKeys {
    /// The values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnKeys({} values)", self.known.values.len())
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Own({:?} of {:?})", self.part, self.profile)
    }
}

#[cfg(test)]
mod tests;
