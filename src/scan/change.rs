//! Puts together what belongs together in one change: the ID, secret and token of a key, in whatever files they stand.
//! Never reads a content itself.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use serde::Serialize;

use super::allow::Allowed;
use super::detector::{Encoding, Rule};
use crate::access_key::AccessKeyId;

/// How many lines from a key ID a value stands beside it.
const BESIDE_LINES: usize = 8;
/// How many bytes, where a line is long.
const BESIDE_COLUMNS: usize = 1024;

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
    /// The columns that it takes, in characters of UTF-8, from 1.
    #[serde(skip)]
    pub characters: Range<usize>,
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
    /// Whether AWS may accept it still, as far as this machine knows: only `--allow-own` lets it pass.
    #[serde(skip)]
    pub is_live: bool,
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
    /// It might be words as well: a key ID must stand near it.
    BesideAccessKeyId,
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
    /// Says whether two contents are the same: 128 bits of SHA-256, in hex. It is that of the whole file, or of what
    /// base64 in it says; empty where there is none.
    pub fingerprint: String,
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
    /// It is packed in a way that keyagent knows and does not unpack.
    NotUnpacked(Packing),
    /// It is damaged, or packed in a way that keyagent does not know.
    Unreadable,
}

/// What may hold a key and is not unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// `.xz`
    Xz,
    /// `.zst`
    Zstandard,
    /// `.bz2`
    Bzip2,
    /// `.7z`
    SevenZip,
    /// `.rar`
    Rar,
    /// What `git bundle create` writes.
    GitBundle,
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
            Counts::WithAccessKeyId | Counts::BesideAccessKeyId => false,
        })
    }

    /// What is found, in the order in which it was added; groups are numbered from 1.
    ///
    /// Takes linear time: each candidate looks at its neighbours only.
    pub fn finish(self) -> Vec<Finding> {
        let mut findings = counting(self.candidates);
        pair_within_files(&mut findings);
        pair_across_files(&mut findings);
        findings.retain(|finding| !self.known.contains(&finding.fingerprint));
        number_groups(&mut findings);
        findings
    }
}

/// Whether a finding is a key ID by itself.
fn is_id(finding: &Finding) -> bool {
    match finding.rule {
        Rule::AccessKeyId => finding.access_key_id.is_some(),
        // Of one's own secret the ID is known too; only an ID is shown whole.
        Rule::OwnKey => {
            let id = finding.access_key_id.as_ref();
            id.is_some_and(|id| id.as_str() == finding.preview)
        }
        Rule::SecretAccessKey | Rule::SessionToken => false,
    }
}

/// The candidates that are findings, with the key IDs around them.
fn counting(candidates: Vec<Candidate>) -> Vec<Finding> {
    let has_id = candidates.iter().any(|candidate| is_id(&candidate.finding));
    let beside = |from: &Finding, to: Option<&Finding>| {
        to.is_some_and(|to| {
            from.path == to.path
                && from.line.abs_diff(to.line) <= BESIDE_LINES
                && (from.line != to.line || from.column.abs_diff(to.column) <= BESIDE_COLUMNS)
        })
    };
    // The nearest ID before and behind each.
    let mut before = Vec::with_capacity(candidates.len());
    let mut last = None;
    for (index, candidate) in candidates.iter().enumerate() {
        before.push(last);
        if is_id(&candidate.finding) {
            last = Some(index);
        }
    }
    let mut counts = vec![false; candidates.len()];
    let mut next = None;
    for (index, candidate) in candidates.iter().enumerate().rev() {
        let finding = &candidate.finding;
        let at = |index: Option<usize>| index.map(|index: usize| &candidates[index].finding);
        counts[index] = match candidate.counts {
            Counts::Always => true,
            Counts::WithAccessKeyId => has_id,
            Counts::BesideAccessKeyId => beside(finding, at(before[index])) || beside(finding, at(next)),
        };
        if is_id(finding) {
            next = Some(index);
        }
    }
    let mut counts = counts.into_iter();
    candidates
        .into_iter()
        .filter(|_| counts.next().unwrap_or_default())
        .map(|candidate| candidate.finding)
        .collect()
}

/// What takes an ID at most once: each key has one secret and one token.
#[derive(Default)]
struct Claims(HashSet<(AccessKeyId, Rule)>);

impl Claims {
    fn is_free(&self, id: &AccessKeyId, rule: Rule) -> bool {
        !self.0.contains(&(id.clone(), rule))
    }

    fn claim(&mut self, id: &AccessKeyId, rule: Rule) {
        self.0.insert((id.clone(), rule));
    }
}

/// Gives each secret and token the ID before it that has none yet, or else the one behind it; or else the nearest.
fn pair_within_files(findings: &mut [Finding]) {
    for file in findings.chunk_by_mut(|before, next| before.path == next.path) {
        let mut next_ids = vec![None; file.len()];
        let mut next = None;
        for (index, finding) in file.iter().enumerate().rev() {
            next_ids[index] = next.clone();
            if is_id(finding) {
                next = finding.access_key_id.clone().map(|id| (id, finding.line));
            }
        }
        let mut claims = Claims::default();
        let mut known: HashMap<String, AccessKeyId> = HashMap::new();
        let mut last: Option<(AccessKeyId, usize)> = None;
        for (finding, next) in file.iter_mut().zip(next_ids) {
            if is_id(finding) {
                last = finding.access_key_id.clone().map(|id| (id, finding.line));
                continue;
            }
            if let Some(id) = known.get(&finding.fingerprint) {
                finding.access_key_id = Some(id.clone());
                continue;
            }
            let rule = finding.rule;
            if let Some(id) = &finding.access_key_id {
                claims.claim(id, rule);
                continue;
            }
            let free = |id: &&(AccessKeyId, usize)| claims.is_free(&id.0, rule);
            let nearest = [&last, &next]
                .into_iter()
                .flatten()
                .min_by_key(|(_, line)| line.abs_diff(finding.line));
            // A secret above its ID and far below another one belongs to the nearer.
            let ordered = match (last.as_ref().filter(free), next.as_ref().filter(free)) {
                (Some(before), Some(behind))
                    if behind.1 - finding.line < BESIDE_LINES && finding.line - before.1 > BESIDE_LINES =>
                {
                    Some(behind)
                }
                (Some(before), _) => Some(before),
                (None, behind) => behind,
            };
            let Some((id, _)) = ordered.or(nearest) else {
                continue;
            };
            claims.claim(id, rule);
            known.insert(finding.fingerprint.clone(), id.clone());
            finding.access_key_id = Some(id.clone());
        }
    }
}

/// Gives what has no ID in its file those of other files that have no secret or token yet, one after another; where the
/// change has but one key, all belongs to it.
fn pair_across_files(findings: &mut [Finding]) {
    let mut ids: Vec<AccessKeyId> = Vec::new();
    let mut seen = HashSet::new();
    let mut claims = Claims::default();
    let mut known: HashMap<String, AccessKeyId> = HashMap::new();
    for finding in findings.iter() {
        let Some(id) = &finding.access_key_id else {
            continue;
        };
        if is_id(finding) {
            if seen.insert(id.clone()) {
                ids.push(id.clone());
            }
        } else {
            claims.claim(id, finding.rule);
            known.insert(finding.fingerprint.clone(), id.clone());
        }
    }
    for rule in [Rule::SecretAccessKey, Rule::SessionToken, Rule::OwnKey] {
        let mut free: VecDeque<&AccessKeyId> = ids.iter().filter(|id| claims.is_free(id, rule)).collect();
        for finding in findings.iter_mut() {
            if finding.rule != rule || finding.access_key_id.is_some() {
                continue;
            }
            let id = known.get(&finding.fingerprint).cloned();
            let only = match &ids[..] {
                [only] => Some(only),
                _ => None,
            };
            let id = id.or_else(|| free.pop_front().or(only).cloned());
            if let Some(id) = &id {
                known.insert(finding.fingerprint.clone(), id.clone());
            }
            finding.access_key_id = id;
        }
    }
}

/// What has an ID is grouped by it, the rest by its value.
fn number_groups(findings: &mut [Finding]) {
    let mut groups: HashMap<String, usize> = HashMap::new();
    for finding in findings {
        finding.account_id = finding.access_key_id.as_ref().and_then(AccessKeyId::account_id);
        let key = match &finding.access_key_id {
            Some(id) => id.to_string(),
            None => finding.fingerprint.clone(),
        };
        let next = groups.len() + 1;
        finding.group = *groups.entry(key).or_insert(next);
    }
}

#[cfg(test)]
mod tests;
