//! What a commit would add, as git has it in the index.

use std::path::Path;

use super::contents;
use super::names::Names;
use crate::git::{Missing, Repository, Staged};
use crate::process::Environment;
use crate::scan::{Change, Error, Scan, Scanner};

/// What is staged in a repository and not in HEAD, or in a merge in no parent.
///
/// A value that an old side of the same change had already is not new: moving it, or editing beside it, passes.
///
/// # Errors
///
/// When git cannot say what is staged, or a staged blob is missing.
pub fn staged(scanner: &Scanner, cwd: &Path, environment: &Environment) -> Result<(Scan, Staged), Error> {
    let (repository, staged) = Repository::staged(cwd, environment)?;
    let mut scan = Scan::default();
    let mut change = Change::default();
    let oids: Vec<_> = staged.blobs.iter().map(|blob| blob.oid).collect();
    let contents_of = |oids, missing| contents(scanner, &repository, oids, missing);
    let new = contents_of(&oids, Missing::IsAnError)?;
    let mut names = Names::of(scanner, staged.blobs.iter().map(|blob| &*blob.path));
    names.forget_old(&repository, |_| {
        ["HEAD", "MERGE_HEAD"].map(str::to_owned).to_vec()
    })?;
    for (index, (blob, content)) in staged.blobs.iter().zip(new.into_iter().flatten()).enumerate() {
        scan.scanned.count(&content);
        let path = names.shown(index, &blob.path);
        if let Some(name) = names.keys(index) {
            change.add(&path, name);
        }
        change.add(&path, content);
    }
    if !change.is_clean() {
        // An old side that a partial clone has not fetched vouches for nothing.
        let old = contents_of(&staged.old_sides, Missing::IsSkipped)?;
        old.into_iter()
            .flatten()
            .for_each(|content| change.old_side(content));
    }
    scan.add(change);
    Ok((scan, staged))
}
