//! What is staged: the index against what a commit would have as its parents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use super::{Asked, Error, ObjectId, Repository, git, path_of, piped};
use crate::process::Environment;

/// How often, and how long between, a lock is looked at before it counts as left behind.
const LOCK_LOOKS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A file's content as it would be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedBlob {
    /// From the top of the repository; any bytes.
    pub path: PathBuf,
    /// What is staged.
    pub oid: ObjectId,
}

/// What a commit would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// What is new, in the order of the paths: files, and targets of symbolic links; in a merge only what no parent has.
    pub blobs: Vec<StagedBlob>,
    /// What each parent has in the changed places, removed files included.
    pub old_sides: Vec<ObjectId>,
    /// Whether there is a commit to go back to.
    pub has_head: bool,
}

impl Repository {
    /// The repository at `cwd`, and what is staged in it and new, as `git commit` would commit it now;
    /// GIT_INDEX_FILE and its kind mean what they mean to git.
    ///
    /// # Errors
    ///
    /// When git cannot say, or a conflict is not settled, or somebody else is staging something.
    pub fn staged(cwd: &Path, environment: &Environment) -> Result<(Self, Staged), Error> {
        // Both at once: starting git takes longer than its answer.
        let asked = Asked::about(cwd)?;
        let against_head = piped(git(cwd).args(DIFF_INDEX).args(["HEAD", "--"]))?;
        let repository = Self::answered(asked, environment)?;
        if repository.is_bare {
            return Err(Error::Bare);
        }
        repository.wait_for_lock()?;
        let mut has_head = true;
        let first = match changes(against_head) {
            // Before the first commit everything is new.
            Err(Error::NoSuchRevision { .. }) => {
                has_head = false;
                repository.changes_since(repository.format.empty_tree())?
            }
            result => result?,
        };
        let mut parents = vec![first];
        for head in repository.merge_heads()? {
            parents.push(repository.changes_since(&head.to_string())?);
        }
        Ok((repository, staged(parents, has_head)))
    }

    fn changes_since(&self, tree: &str) -> Result<Vec<Change>, Error> {
        changes(piped(self.git(&DIFF_INDEX).args([tree, "--"]))?)
    }

    /// The other parents of the merge that is under way; an octopus has several.
    fn merge_heads(&self) -> Result<Vec<ObjectId>, Error> {
        match std::fs::read_to_string(&self.merge_head) {
            Ok(heads) => heads.lines().map(str::parse).collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(self.announced_heads.clone()),
            Err(error) => Err(Error::Io(error)),
        }
    }

    /// A hook runs under its own commit's lock. Elsewhere whoever holds it is changing what is staged.
    fn wait_for_lock(&self) -> Result<(), Error> {
        if self.is_in_hook {
            return Ok(());
        }
        let lock = self.index.with_added_extension("lock");
        for _ in 0..LOCK_LOOKS {
            if !lock.exists() {
                return Ok(());
            }
            std::thread::sleep(LOCK_PAUSE);
        }
        Err(Error::Locked(lock.display().to_string()))
    }
}

/// `git merge` runs pre-merge-commit before it writes MERGE_HEAD, and says only in `GITHEAD_OID=NAME` what it merges
/// (measured with 2.47).
pub(super) fn announced_heads(environment: &Environment) -> Vec<ObjectId> {
    let is_merging = environment
        .get_str("GIT_REFLOG_ACTION")
        .is_some_and(|action| action.starts_with("merge") || action.starts_with("pull"));
    if !is_merging {
        return Vec::new();
    }
    environment
        .names()
        .filter_map(|name| name.to_str()?.strip_prefix("GITHEAD_")?.parse().ok())
        .collect()
}

fn staged(parents: Vec<Vec<Change>>, has_head: bool) -> Staged {
    let mut old_sides = BTreeSet::new();
    let mut new_in_all: Option<BTreeMap<PathBuf, ObjectId>> = None;
    for changes in parents {
        let mut new = BTreeMap::new();
        for change in changes {
            old_sides.extend(change.old);
            if let Some(oid) = change.new {
                new.insert(change.path, oid);
            }
        }
        new_in_all = Some(match new_in_all {
            Some(mut all) => {
                all.retain(|path, _| new.contains_key(path));
                all
            }
            None => new,
        });
    }
    Staged {
        blobs: new_in_all
            .unwrap_or_default()
            .into_iter()
            .map(|(path, oid)| StagedBlob { path, oid })
            .collect(),
        old_sides: old_sides.into_iter().collect(),
        has_head,
    }
}

struct Change {
    path: PathBuf,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
}

const DIFF_INDEX: [&str; 10] = [
    "diff-index",
    "--cached",
    "--raw",
    "-z",
    "--no-renames",
    "--no-abbrev",
    "--no-ext-diff",
    "--no-relative",
    "--ita-invisible-in-index",
    "--ignore-submodules=all",
];

/// `:OLDMODE NEWMODE OLDOID NEWOID STATUS NUL PATH NUL`, from git-diff-index(1).
fn changes(child: Child) -> Result<Vec<Change>, Error> {
    let output = child.wait_with_output().map_err(Error::Io)?;
    let raw = super::succeeded("diff-index", output)?;
    let mut fields = raw.split(|byte| *byte == 0);
    let mut changes = Vec::new();
    while let Some(field) = fields.next().filter(|field| !field.is_empty()) {
        let (Ok(field), Some(path)) = (std::str::from_utf8(field), fields.next()) else {
            return Err(Error::Answer("diff-index"));
        };
        let words: Vec<&str> = field.trim_start_matches(':').split(' ').collect();
        let [old_mode, new_mode, old, new, status] = words[..] else {
            return Err(Error::Answer("diff-index"));
        };
        match status {
            "U" => return Err(Error::Unmerged(String::from_utf8_lossy(path).into_owned())),
            "A" | "D" | "M" | "T" => {}
            _ => return Err(Error::Answer("diff-index")),
        }
        changes.push(Change {
            path: path_of(path)?,
            old: blob(old_mode, old)?,
            new: blob(new_mode, new)?,
        });
    }
    Ok(changes)
}

/// A side of a change, where it is a file or a link: mode 000000 is nothing, 160000 a submodule's commit.
pub(super) fn blob(mode: &str, oid: &str) -> Result<Option<ObjectId>, Error> {
    if matches!(mode, "000000" | "160000") {
        return Ok(None);
    }
    let oid: ObjectId = oid.parse()?;
    Ok((!oid.is_null()).then_some(oid))
}
