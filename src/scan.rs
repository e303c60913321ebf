//! Looks for access keys in what git is about to commit, in files, or in a stream, and tells which are new.
//! Never shows or keeps a secret: a finding holds four characters of it and a fingerprint.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::access_key::AccessKeyId;
use crate::git;
use crate::problem::Problem;

pub mod detector;
pub mod report;

use detector::{Encoding, Match, Rule};

/// A key, or a part of one, and where it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub rule: Rule,
    /// The path as git has it, or as it was given; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// In bytes of the decoded text, from 1.
    pub column: usize,
    /// The commit it is in; none for what is not committed yet.
    pub commit: Option<String>,
    /// The key ID itself, or the one beside the secret.
    pub access_key_id: Option<AccessKeyId>,
    /// The account inside the key ID.
    pub account_id: Option<String>,
    /// The profile of this machine that holds the key, where that is known.
    pub profile: Option<String>,
    /// Findings of one number belong to one key.
    pub group: usize,
    /// A key ID whole; of a secret the first four characters, an ellipsis and the length.
    pub preview: String,
    /// Says whether two findings are the same value, without telling it: 128 bits of SHA-256, in hex.
    pub fingerprint: String,
    /// How the value was written.
    pub encoding: Encoding,
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
                "make it readable, or scan other paths: keyagent scan PATH",
            ),
        }
    }
}

/// What is staged in a repository and not in HEAD, or in a merge in no parent.
///
/// A value that an old side of the same change had already is not new: moving it, or editing beside it, passes.
///
/// # Errors
///
/// When git cannot say what is staged, or a staged blob is missing.
pub fn staged(cwd: &Path) -> Result<(Scan, git::Staged), Error> {
    let staged = git::staged_blobs(cwd)?;
    let mut scan = Scan::default();
    let oids: Vec<_> = staged.blobs.iter().map(|blob| blob.oid.clone()).collect();
    git::contents(cwd, &oids, git::Missing::IsAnError, |index, content| {
        scan.look_at(&staged.blobs[index].path.to_string_lossy(), content);
    })?;
    if !scan.findings.is_empty() {
        let mut known = HashSet::new();
        // An old side that a partial clone has not fetched vouches for nothing.
        git::contents(cwd, &staged.old_sides, git::Missing::IsSkipped, |_, content| {
            let mut old = Scan::default();
            old.look_at("", content);
            known.extend(old.findings.into_iter().map(|finding| finding.fingerprint));
        })?;
        scan.findings
            .retain(|finding| !known.contains(&finding.fingerprint));
    }
    Ok((scan, staged))
}

/// All of a stream; `name` stands for its path.
///
/// # Errors
///
/// When it cannot be read to its end.
pub fn stream(name: &str, mut reader: impl Read) -> Result<Scan, Error> {
    let mut content = Vec::new();
    reader.read_to_end(&mut content).map_err(|source| Error::Read {
        path: name.into(),
        source,
    })?;
    let mut scan = Scan::default();
    scan.look_at(name, &content);
    Ok(scan)
}

/// Files, and the files below folders, in the order of their names. Links are followed only where they were typed,
/// and `.git` is left out below a folder.
///
/// # Errors
///
/// At the first file or folder that cannot be read.
pub fn paths(paths: &[PathBuf]) -> Result<Scan, Error> {
    let mut scan = Scan::default();
    let mut left: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = left.pop() {
        let read_error = |source| Error::Read {
            path: path.clone(),
            source,
        };
        if path.is_dir() {
            let entries: Result<Vec<_>, io::Error> = std::fs::read_dir(&path).map_err(read_error)?.collect();
            let mut entries = entries.map_err(read_error)?;
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
            for entry in entries {
                let kind = entry.file_type().map_err(read_error)?;
                if entry.file_name() != ".git" && (kind.is_dir() || kind.is_file()) {
                    left.push(entry.path());
                }
            }
        } else {
            let mut content = Vec::new();
            File::open(&path)
                .and_then(|mut file| file.read_to_end(&mut content))
                .map_err(read_error)?;
            scan.look_at(&path.to_string_lossy(), &content);
        }
    }
    Ok(scan)
}

impl Scan {
    fn look_at(&mut self, path: &str, content: &[u8]) {
        self.scanned.blobs += 1;
        self.scanned.bytes += content.len() as u64;
        let (text, encoding) = detector::decode(content);
        let matches = detector::detect(&text);
        let groups = matches.iter().map(|found| found.group + 1).max().unwrap_or(0);
        self.findings.extend(
            matches
                .into_iter()
                .map(|found| finding(path, &text, encoding, self.groups, found)),
        );
        self.groups += groups;
    }
}

fn finding(path: &str, text: &[u8], encoding: Encoding, groups: usize, found: Match) -> Finding {
    let value = &text[found.range];
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finding {
        rule: found.rule,
        path: path.to_owned(),
        line: found.line,
        column: found.column,
        commit: None,
        account_id: found.access_key_id.as_ref().and_then(AccessKeyId::account_id),
        access_key_id: found.access_key_id,
        profile: None,
        group: groups + found.group + 1,
        preview: match found.rule {
            Rule::AccessKeyId => shown(value),
            Rule::SecretAccessKey | Rule::SessionToken => {
                format!("{}… ({})", shown(&value[..4]), value.len())
            }
        },
        fingerprint: fingerprint(found.rule, value),
        encoding,
    }
}

/// The prefix keeps the digest from being that of the bare value, which other tools may print.
fn fingerprint(rule: Rule, value: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(b"keyagent.finding/1\0")
        .chain_update(rule.as_str())
        .chain_update(b"\0")
        .chain_update(value)
        .finalize();
    HEXLOWER.encode(&digest[..16])
}
