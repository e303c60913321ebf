//! What a push brings: commits, and what hangs at tags.

use super::{add_of, commits, contents, look_through};
use crate::git::{Kind, Missing, ObjectId, Reached, Repository};
use crate::scan::{Change, Error, Scan, Scanner};

/// All that is reached and that the other side lacks. Of what the other side has said to have, this one may lack some.
///
/// # Errors
///
/// When a tip is not there, or something that it reaches is missing.
pub fn pushed(scanner: &Scanner, repository: &Repository, reached: Reached<'_>) -> Result<Scan, Error> {
    let Reached { tips, theirs, known } = reached;
    if tips.is_empty() {
        return Ok(Scan::default());
    }
    let kinds = repository.kinds(&[tips, theirs].concat())?;
    let (own, others) = kinds.split_at(tips.len());
    let theirs: Vec<&str> = theirs
        .iter()
        .zip(others)
        .filter_map(|(name, kind)| kind.map(|_| *name))
        .collect();
    let reached = Reached {
        tips,
        theirs: &theirs,
        known,
    };
    let new = repository.reached_commits(reached)?;
    let mut scan = commits::changes(scanner, repository, &new)?;
    if !own.iter().all(|kind| *kind == Some(Kind::Commit)) {
        tags(scanner, repository, reached, &mut scan)?;
    }
    Ok(scan)
}

fn tags(
    scanner: &Scanner,
    repository: &Repository,
    reached: Reached<'_>,
    scan: &mut Scan,
) -> Result<(), Error> {
    let oids = repository.reached_tags(reached)?;
    let read = repository.read(&oids, Missing::IsAnError, |_, kind, content| match kind {
        Kind::Tree => Ok((kind, None)),
        Kind::Blob | Kind::Commit | Kind::Tag => {
            look_through(scanner, repository, kind, content).map(|content| (kind, Some(content)))
        }
    })?;
    for (oid, (kind, content)) in oids.iter().zip(read.into_iter().flatten()) {
        let mut change = Change::default();
        if let Some(content) = content {
            scan.scanned.count(&content);
            let path = match kind {
                Kind::Tag => "<tag message>",
                Kind::Blob | Kind::Commit | Kind::Tree => "<tagged file>",
            };
            change.add(path, content);
        } else {
            let files = repository.files_of_tree(oid)?;
            let blobs: Vec<ObjectId> = files.iter().map(|(_, oid)| *oid).collect();
            let read = contents(scanner, repository, &blobs, Missing::IsAnError)?;
            for ((path, _), content) in files.iter().zip(read.into_iter().flatten()) {
                scan.scanned.count(&content);
                change.add(&path.to_string_lossy(), content);
            }
        }
        add_of(scan, oid, change);
    }
    Ok(())
}
