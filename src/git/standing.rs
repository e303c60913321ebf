//! Where a commit or a tag stands, and what git is in the middle of: what somebody must know who wants to change it.
//! Asked only when something was found; nothing is judged by it.

use super::{Error, Kind, ObjectId, Repository};

/// Where a commit or a tag stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// On the branch that is checked out, or the commit that is.
    Here(Depth),
    /// On this branch, and not on the one that is checked out.
    Branch(String, Depth),
    /// An annotated tag of this name.
    Tag(String),
    /// In a stash, as `git stash drop` names it.
    Stash(String),
    /// In no branch, tag or stash, as notes are.
    Elsewhere,
}

/// How a commit lies in its branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Whether it is the newest.
    pub is_tip: bool,
    /// Whether it has no parent.
    pub is_root: bool,
    /// Whether it is a merge.
    pub is_merge: bool,
    /// Whether it or one behind it is a merge.
    pub has_merges: bool,
}

/// What git is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `git merge`, or a pull that merges.
    Merge,
    /// `git am`.
    Am,
    /// `git rebase`, or a pull that rebases.
    Rebase,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
}

impl Operation {
    /// The command that goes on with it.
    pub fn way_on(self) -> &'static str {
        match self {
            Self::Merge => "git merge --continue",
            Self::Am => "git am --continue",
            Self::Rebase => "git rebase --continue",
            Self::CherryPick => "git cherry-pick --continue",
            Self::Revert => "git revert --continue",
        }
    }
}

impl Repository {
    /// What git waits to go on with, or does now.
    pub fn operation(&self) -> Option<Operation> {
        let own = self.merge_head.parent()?;
        let is_there = |name: &str| own.join(name).exists();
        if is_there("rebase-apply/applying") {
            Some(Operation::Am)
        } else if is_there("rebase-merge") || is_there("rebase-apply") {
            Some(Operation::Rebase)
        } else if is_there("CHERRY_PICK_HEAD") {
            Some(Operation::CherryPick)
        } else if is_there("REVERT_HEAD") {
            Some(Operation::Revert)
        } else if !self.announced_heads.is_empty() || self.merge_head.exists() {
            Some(Operation::Merge)
        } else {
            None
        }
    }

    /// The commit that is checked out.
    pub fn head(&self) -> Option<String> {
        self.line("rev-parse", &["--verify", "--quiet", "HEAD"])
            .ok()
            .flatten()
    }

    /// Where an object stands. On a server that is not known: there the commit is as if it were checked out.
    ///
    /// # Errors
    ///
    /// When git does not answer.
    pub fn standing(&self, oid: &ObjectId) -> Result<Standing, Error> {
        let name = oid.to_string();
        let kind = self.kinds(&[&name])?.into_iter().next().flatten();
        match kind {
            Some(Kind::Tag) => {
                let tag = self.line(
                    "for-each-ref",
                    &["--format=%(refname:lstrip=2)", "--points-at", &name],
                )?;
                return Ok(tag.map_or(Standing::Elsewhere, Standing::Tag));
            }
            Some(Kind::Commit) => {}
            Some(Kind::Blob | Kind::Tree) | None => return Ok(Standing::Elsewhere),
        }
        if self.is_bare {
            return Ok(Standing::Here(Depth {
                is_tip: false,
                is_root: self.parents(&name)? == 0,
                is_merge: false,
                has_merges: false,
            }));
        }
        // Without a commit yet there is no HEAD.
        let is_here = matches!(
            self.line("rev-list", &["--max-count=1", &name, "^HEAD"]),
            Ok(None)
        );
        if is_here {
            return Ok(Standing::Here(self.depth(&name, "HEAD")?));
        }
        let containing = [
            "--count=1",
            "--format=%(refname:lstrip=2)",
            "--contains",
            &name,
            "refs/heads",
        ];
        if let Some(branch) = self.line("for-each-ref", &containing)? {
            let depth = self.depth(&name, &format!("refs/heads/{branch}"))?;
            return Ok(Standing::Branch(branch, depth));
        }
        Ok(self.stash(&name).map_or(Standing::Elsewhere, Standing::Stash))
    }

    fn depth(&self, name: &str, tip: &str) -> Result<Depth, Error> {
        let tip_name = self.line("rev-parse", &["--verify", tip])?;
        let parents = self.parents(name)?;
        let merge = self.line(
            "rev-list",
            &["--max-count=1", "--merges", tip, &format!("^{name}")],
        )?;
        Ok(Depth {
            is_tip: tip_name.as_deref() == Some(name),
            is_root: parents == 0,
            is_merge: parents > 1,
            has_merges: parents > 1 || merge.is_some(),
        })
    }

    /// How many parents a commit has.
    fn parents(&self, name: &str) -> Result<usize, Error> {
        let with_parents = self.line("rev-list", &["--max-count=1", "--parents", name])?;
        Ok(with_parents.map_or(0, |line| line.split(' ').count() - 1))
    }

    /// The stash that a commit is, or is a part of: what was staged and what was untracked are commits of their own.
    fn stash(&self, name: &str) -> Option<String> {
        // The newest first, and each in one line.
        let words = ["--walk-reflogs", "--parents", "refs/stash", "--"];
        let answer = self.run("rev-list", &words).ok()?;
        let answer = String::from_utf8_lossy(&answer);
        let number = answer
            .lines()
            .position(|line| line.split(' ').any(|commit| commit == name))?;
        Some(format!("stash@{{{number}}}"))
    }

    /// The first line of an answer, where there is any.
    fn line(&self, command: &'static str, arguments: &[&str]) -> Result<Option<String>, Error> {
        let answer = self.run(command, arguments)?;
        let answer = String::from_utf8_lossy(&answer);
        Ok(answer.lines().next().map(str::to_owned))
    }
}
