//! Keys in the names of files and folders, which a commit publishes too. Looks for what proves itself, key IDs and one's
//! own keys: a name is no place where words tell a secret from chance.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use crate::git::{self, Repository};
use crate::scan::change::{Candidate, Finding};
use crate::scan::detector::Rule;
use crate::scan::{Content, Scanner};

/// How much of a secret may be shown.
const SHOWN: usize = 4;

/// The keys in some paths, by the paths' numbers.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<usize, Named>);

#[derive(Debug)]
struct Named {
    path: Vec<u8>,
    keys: Vec<Candidate>,
    /// Which of them are not new.
    old: HashSet<usize>,
}

impl Names {
    /// Looks through all paths at once.
    pub(super) fn of<'a>(scanner: &Scanner, paths: impl Iterator<Item = &'a Path> + Clone) -> Self {
        let mut text = Vec::new();
        for path in paths.clone() {
            text.extend(line(path));
            text.push(b'\n');
        }
        let mut names = Self::default();
        let found = scanner.bytes(&text).candidates;
        if found.is_empty() {
            return names;
        }
        let lines: Vec<&Path> = paths.collect();
        for candidate in found {
            let index = candidate.finding.line - 1;
            match candidate.finding.rule {
                Rule::AccessKeyId | Rule::OwnKey => {}
                Rule::SecretAccessKey | Rule::SessionToken => continue,
            }
            let named = names.0.entry(index).or_insert_with(|| Named {
                path: line(lines[index]),
                keys: Vec::new(),
                old: HashSet::new(),
            });
            named.keys.push(candidate);
        }
        names
    }

    /// The path as it may be shown: of one's own secret in it only the first characters. A question mark stands in git's
    /// pathspecs for any character.
    pub(super) fn shown<'a>(&self, index: usize, path: &'a Path) -> Cow<'a, str> {
        let Some(named) = self.0.get(&index) else {
            return path.to_string_lossy();
        };
        let mut shown = named.path.clone();
        for Candidate { finding, .. } in &named.keys {
            let is_shown_whole = finding
                .access_key_id
                .as_ref()
                .is_some_and(|id| id.as_str() == finding.preview);
            if !is_shown_whole {
                shown[place(finding)]
                    .iter_mut()
                    .skip(SHOWN)
                    .for_each(|byte| *byte = b'?');
            }
        }
        Cow::Owned(String::from_utf8_lossy(&shown).into_owned())
    }

    /// Forgets the keys that stand in the same place in a revision that came before; `before` says which did, by the
    /// path's number.
    pub(super) fn forget_old(
        &mut self,
        repository: &Repository,
        before: impl Fn(usize) -> Vec<String>,
    ) -> Result<(), git::Error> {
        let mut asked = Vec::new();
        let mut revisions = Vec::new();
        for (index, named) in &self.0 {
            for (key, candidate) in named.keys.iter().enumerate() {
                let end = place(&candidate.finding).end;
                let behind = &named.path[end..];
                let end = end + memchr::memchr(b'/', behind).unwrap_or(behind.len());
                // git takes names in UTF-8 here; others are new.
                let Ok(path) = std::str::from_utf8(&named.path[..end]) else {
                    continue;
                };
                for revision in before(*index) {
                    asked.push((*index, key));
                    revisions.push(format!("{revision}:{path}"));
                }
            }
        }
        if revisions.is_empty() {
            return Ok(());
        }
        // In one go: a folder with a key in its name may hold thousands of files.
        let revisions: Vec<&str> = revisions.iter().map(String::as_str).collect();
        let kinds = repository.kinds(&revisions)?;
        for ((index, key), _) in asked.into_iter().zip(kinds).filter(|(_, kind)| kind.is_some()) {
            if let Some(named) = self.0.get_mut(&index) {
                named.old.insert(key);
            }
        }
        Ok(())
    }

    /// The keys in a path, without those that were forgotten.
    pub(super) fn keys(&self, index: usize) -> Option<Content> {
        let named = self.0.get(&index)?;
        let new = named
            .keys
            .iter()
            .enumerate()
            .filter(|(key, _)| !named.old.contains(key));
        let mut content = Content::default();
        content.candidates.extend(new.map(|(_, candidate)| {
            let mut candidate = candidate.clone();
            candidate.finding.line = 1;
            // What stands in another name is no marker.
            candidate.finding.allowed = None;
            candidate
        }));
        Some(content)
    }
}

/// The bytes of a path; a newline in it does not end its line.
fn line(path: &Path) -> Vec<u8> {
    let mut line = path.as_os_str().as_encoded_bytes().to_vec();
    for byte in &mut line {
        if *byte == b'\n' {
            *byte = b' ';
        }
    }
    line
}

/// Which bytes of a path a key takes.
fn place(finding: &Finding) -> Range<usize> {
    let start = finding.column - 1;
    start..start + finding.characters.len()
}
