//! Puts together what belongs together in one change: the ID, secret and token of a key, in whatever files they stand.
//! Never reads a content itself.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::allow::Allowed;
use super::detector::{Encoding, Rule};
use crate::access_key::AccessKeyId;

/// A key, or a part of one, and where it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub rule: Rule,
    /// The path as git has it, or as it was given; bytes that are no UTF-8 are replaced. What lies in a container is
    /// named behind an exclamation mark: `a.zip!b/c.txt`.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// In bytes of the decoded text, from 1.
    pub column: usize,
    /// The column behind its last byte.
    #[serde(skip)]
    pub end_column: usize,
    /// The commit it is in; none for what is not committed yet.
    pub commit: Option<String>,
    /// The key ID itself, or the one that belongs to the secret.
    pub access_key_id: Option<AccessKeyId>,
    /// The account inside the key ID.
    pub account_id: Option<String>,
    /// The profile of this machine that holds the key, where that is known.
    pub profile: Option<String>,
    /// Whether `profile` holds it now, and not only once.
    #[serde(skip)]
    pub is_current: bool,
    /// Findings of one number belong to one key.
    pub group: usize,
    /// A key ID whole; of a secret the first four characters, an ellipsis and the length.
    pub preview: String,
    /// Says whether two findings are the same value, without telling it: 128 bits of SHA-256, in hex.
    pub fingerprint: String,
    /// How the value was written.
    pub encoding: Encoding,
    /// What lets it pass, where something beside it does.
    #[serde(skip)]
    pub allowed: Option<Allowed>,
}

/// What may be a key in one content.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Whether it counts by itself.
    pub counts: Counts,
    /// What it would be told as; the path is what lies inside the content, mostly nothing.
    pub finding: Finding,
}

/// Under which condition a candidate is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// It says itself what it is, or a word beside it does.
    Always,
    /// It only looks like a secret: a key ID must be in the same change.
    WithAccessKeyId,
}

/// What one content holds.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Its size.
    pub bytes: u64,
    /// In the order of the text.
    pub candidates: Vec<Candidate>,
    /// What could not be looked into.
    pub unread: Vec<Unread>,
}

/// A part of a content that was not looked into, which nobody may take for clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The path, as in [`Finding::path`].
    pub path: String,
    /// Why not.
    pub why: Bound,
}

/// The bound that a container went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// Containers within containers, too many.
    Depth,
    /// Too much when unpacked.
    Size,
    /// It is encrypted.
    Encrypted,
    /// It is damaged, or packed in a way that keyagent does not know.
    Unreadable,
}

/// The contents that are to be seen together: a commit, the index, or a single file.
#[derive(Debug, Default)]
pub struct Change {
    candidates: Vec<Candidate>,
    known: HashSet<String>,
    /// What could not be looked into, so far.
    pub unread: Vec<Unread>,
}

impl Change {
    /// Adds what one file holds.
    pub fn add(&mut self, path: &str, content: Content) {
        let inside = |inner: &str| {
            if inner.is_empty() {
                path.to_owned()
            } else {
                format!("{path}!{inner}")
            }
        };
        self.unread
            .extend(content.unread.into_iter().map(|unread| Unread {
                path: inside(&unread.path),
                ..unread
            }));
        self.candidates
            .extend(content.candidates.into_iter().map(|mut candidate| {
                candidate.finding.path = inside(&candidate.finding.path);
                candidate
            }));
    }

    /// Adds what the change replaces or removes: a value that is in there is not new.
    pub fn old_side(&mut self, content: Content) {
        let values = content.candidates.into_iter();
        self.known
            .extend(values.map(|candidate| candidate.finding.fingerprint));
    }

    /// Whether any candidate counts so far; if not, no old side needs to be read.
    pub fn is_clean(&self) -> bool {
        !self.candidates.iter().any(|candidate| match candidate.counts {
            Counts::Always => true,
            Counts::WithAccessKeyId => false,
        })
    }

    /// What is found, in the order in which it was added; groups are numbered from 1.
    pub fn finish(self) -> Vec<Finding> {
        let mut groups: HashMap<Option<AccessKeyId>, usize> = HashMap::new();
        let known = self.known;
        self.candidates
            .into_iter()
            .filter(|candidate| {
                candidate.counts == Counts::Always && !known.contains(&candidate.finding.fingerprint)
            })
            .map(|candidate| {
                let mut finding = candidate.finding;
                let next = groups.len() + 1;
                finding.group = *groups.entry(finding.access_key_id.clone()).or_insert(next);
                finding
            })
            .collect()
    }
}
