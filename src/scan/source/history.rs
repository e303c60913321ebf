//! All that a repository has ever held: every blob, message and tag once, and then only of what was found, where it came in.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Mutex;

use super::{add_alone, commits, look_through_body};
use crate::git::{self, Kind, Looked, ObjectId, Repository};
use crate::scan::{Content, Counts, Error, Scan, Scanned, Scanner};

/// How far a scan of the history goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What a reference or a stash reaches.
    References,
    /// Whatever lies in the object database.
    AllObjects,
}

/// Is told how far a scan is.
pub trait Progress: Sync {
    /// So many objects of so many have been looked at. Called from all threads, for every object.
    fn looked_at(&self, done: u64, all: u64);
}

/// The whole history. A key is told once for each commit that brought it in, and under its path there.
///
/// # Errors
///
/// When the history is cut off, or anything in it is missing or damaged.
pub fn history(
    scanner: &Scanner,
    repository: &Repository,
    reach: Reach,
    progress: &dyn Progress,
) -> Result<Scan, Error> {
    let words = repository.everything()?;
    let scanned = Mutex::new(Scanned::default());
    let kept = repository.look_through(
        &words,
        |done, all| progress.looked_at(done, all),
        |_, kind, body| {
            let (content, is_done) = look_through_body(scanner, repository, kind, body)?;
            if let Ok(mut scanned) = scanned.lock() {
                scanned.count(&content);
            }
            Ok(Looked {
                kept: counts(&content).then_some(content),
                is_done,
            })
        },
    )?;
    let mut scan = Scan {
        scanned: scanned.into_inner().unwrap_or_default(),
        ..Scan::default()
    };
    let holding: HashMap<(ObjectId, Kind), Content> = kept
        .into_iter()
        .map(|(oid, kind, content)| ((oid, kind), content))
        .collect();
    if !holding.is_empty() {
        let tips = match reach {
            Reach::References => Vec::new(),
            Reach::AllObjects => commits_among(&repository.objects()?),
        };
        let origins = Origins {
            scanner,
            repository,
            words: &words,
            reach,
        };
        origins.tell(&tips, holding, &mut scan)?;
    }
    Ok(scan)
}

/// What counts only beside a key ID is looked for again in the commit of the ID.
fn counts(content: &Content) -> bool {
    !content.unread.is_empty()
        || content.candidates.iter().any(|candidate| match candidate.counts {
            Counts::Always => true,
            Counts::WithAccessKeyId | Counts::BesideAccessKeyId => false,
        })
}

fn commits_among(objects: &[(ObjectId, Kind)]) -> Vec<ObjectId> {
    objects
        .iter()
        .filter_map(|(oid, kind)| (*kind == Kind::Commit).then_some(*oid))
        .collect()
}

/// Finds out where contents came in.
struct Origins<'a> {
    scanner: &'a Scanner,
    repository: &'a Repository,
    words: &'a [String],
    reach: Reach,
}

impl Origins<'_> {
    fn tell(
        &self,
        tips: &[ObjectId],
        mut holding: HashMap<(ObjectId, Kind), Content>,
        scan: &mut Scan,
    ) -> Result<(), Error> {
        let blobs: Vec<ObjectId> = holding
            .keys()
            .filter_map(|(oid, kind)| (*kind == Kind::Blob).then_some(*oid))
            .collect();
        // Parents come first. So the first commit with a value has it from no parent, and is sure to tell it.
        let commits = self.repository.parents_first(self.words, tips)?;
        let commits = self.repository.bringing(commits, &blobs, |commit| {
            holding.contains_key(&(*commit, Kind::Commit))
        });
        let mut origins = Vec::new();
        self.repository.changes(&commits, |commit| {
            let before = holding.len();
            holding.remove(&(commit.oid, Kind::Commit));
            for blob in &commit.blobs {
                holding.remove(&(blob.oid, Kind::Blob));
            }
            if holding.len() < before {
                origins.push(commit.oid);
            }
            Ok::<_, git::Error>(if holding.is_empty() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        let found = commits::changes(self.scanner, self.repository, &origins)?;
        scan.findings = found.findings;
        scan.unread = found.unread;
        self.tell_without_commit(holding, scan)
    }

    /// Tags, and blobs that no commit holds: those that a reference names, and with all objects those that nothing does.
    fn tell_without_commit(
        &self,
        holding: HashMap<(ObjectId, Kind), Content>,
        scan: &mut Scan,
    ) -> Result<(), Error> {
        if holding.is_empty() {
            return Ok(());
        }
        let wanted: HashSet<ObjectId> = holding.keys().map(|(oid, _)| *oid).collect();
        let places = self.repository.places(self.words, |oid| wanted.contains(oid))?;
        let mut told = Vec::new();
        for ((oid, kind), content) in holding {
            let place = places.get(&oid).map(|place| place.to_string_lossy());
            let path = match (kind, place, self.reach) {
                (_, None, Reach::References) => {
                    scan.unreached += 1;
                    continue;
                }
                (Kind::Tag, Some(name), _) => format!("<tag {name}>"),
                (Kind::Tag, None, Reach::AllObjects) => format!("<tag {oid}>"),
                (Kind::Commit, _, _) => format!("<commit {oid}>"),
                (Kind::Blob | Kind::Tree, Some(path), _) if !path.is_empty() => path.into_owned(),
                (Kind::Blob | Kind::Tree, _, _) => format!("<blob {oid}>"),
            };
            told.push((path, content));
        }
        told.sort_by(|one, other| one.0.cmp(&other.0));
        for (path, content) in told {
            add_alone(scan, &path, content);
        }
        Ok(())
    }
}
