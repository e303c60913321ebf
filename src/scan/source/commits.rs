//! What commits have added: their files, with their names, and their messages.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::names::Names;
use super::{MESSAGE, add_of, contents, kept};
use crate::git::{Commit, Missing, ObjectId, Repository};
use crate::scan::{Change, Error, Scan, Scanner};

/// So many contents are read in one go.
const BATCH: usize = 4096;
/// So many contents that hold nothing are remembered, so as not to read them again: 8 MB of names.
const REMEMBERED: usize = 200_000;
/// More parents than these are not asked whether a key in a name is theirs.
const MOST_PARENTS: usize = 8;

/// The changes of each of the commits that `words` choose, as for git log.
///
/// A value that the commit's parents had in the same places is not new.
///
/// # Errors
///
/// When git knows no such commits, or something of them is missing.
pub fn commits(scanner: &Scanner, repository: &Repository, words: &[&str]) -> Result<Scan, Error> {
    let commits = repository.revisions(words)?;
    changes(scanner, repository, &commits)
}

/// The changes of these commits.
pub(super) fn changes(
    scanner: &Scanner,
    repository: &Repository,
    commits: &[ObjectId],
) -> Result<Scan, Error> {
    let mut batch = Batch {
        scanner,
        repository,
        commits: Vec::new(),
        size: 0,
        clean: HashSet::new(),
        scan: Scan::default(),
    };
    repository.changes(commits, |commit| {
        batch.add(commit)?;
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    batch.look()?;
    Ok(batch.scan)
}

struct Batch<'a> {
    scanner: &'a Scanner,
    repository: &'a Repository,
    commits: Vec<Commit>,
    /// How many contents they have.
    size: usize,
    /// What has been read and holds nothing.
    clean: HashSet<ObjectId>,
    scan: Scan,
}

impl Batch<'_> {
    fn add(&mut self, commit: Commit) -> Result<(), Error> {
        self.size += commit.blobs.len() + 1;
        self.commits.push(commit);
        if self.size < BATCH { Ok(()) } else { self.look() }
    }

    fn look(&mut self) -> Result<(), Error> {
        let commits = std::mem::take(&mut self.commits);
        self.size = 0;
        let mut seen = HashSet::new();
        let oids: Vec<ObjectId> = commits
            .iter()
            .flat_map(|commit| std::iter::once(commit.oid).chain(commit.blobs.iter().map(|blob| blob.oid)))
            .filter(|oid| !self.clean.contains(oid) && seen.insert(*oid))
            .collect();
        let read = contents(self.scanner, self.repository, &oids, Missing::IsAnError)?;
        let holding = kept(
            &mut self.scan.scanned,
            oids.iter().copied().zip(read.into_iter().flatten()),
        );
        if self.clean.len() + oids.len() > REMEMBERED {
            self.clean.clear();
        }
        self.clean
            .extend(oids.into_iter().filter(|oid| !holding.contains_key(oid)));
        let mut names = {
            let blobs = commits.iter().flat_map(|commit| &commit.blobs);
            Names::of(self.scanner, blobs.map(|blob| &*blob.path))
        };
        names.forget_old(self.repository, |index| {
            let mut first = 0;
            let commit = commits.iter().find(|commit| {
                first += commit.blobs.len();
                index < first
            });
            let parents = |commit: &Commit| {
                (1..=MOST_PARENTS)
                    .map(|number| format!("{}^{number}", commit.oid))
                    .collect()
            };
            commit.map(parents).unwrap_or_default()
        })?;
        let mut indices = 0..;
        for commit in &commits {
            let mut change = Change::default();
            if let Some(content) = holding.get(&commit.oid) {
                change.add(MESSAGE, content.clone());
            }
            for (blob, index) in commit.blobs.iter().zip(&mut indices) {
                let path = names.shown(index, &blob.path);
                if let Some(name) = names.keys(index) {
                    change.add(&path, name);
                }
                if let Some(content) = holding.get(&blob.oid) {
                    change.add(&path, content.clone());
                }
            }
            if !change.is_clean() {
                let old = contents(
                    self.scanner,
                    self.repository,
                    &commit.old_sides,
                    Missing::IsSkipped,
                )?;
                old.into_iter()
                    .flatten()
                    .for_each(|content| change.old_side(content));
            }
            add_of(&mut self.scan, &commit.oid, change);
        }
        Ok(())
    }
}
