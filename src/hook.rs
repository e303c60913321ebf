//! Puts keyagent into git's hooks, takes it out again, and does the work when git calls. Never overwrites another
//! hook, and never edits the files of a hook manager.
//!
//! - [`script`] is what git runs: thin, POSIX sh, from the folder `hooks/`.
//! - [`install`] keeps what was there beside it, and puts it back to the byte.
//! - [`manager`] recognises who else looks after the hooks, and says what to add there.
//! - [`run`] is what the scripts call.
//! - [`trial`] shows with a real commit that all of it blocks a key.

use std::path::{Path, PathBuf};

use crate::problem::{Problem, word};

pub mod install;
pub mod manager;
pub mod run;
pub mod script;
pub mod trial;

/// A hook in which keyagent scans, by git's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Before a commit: what is staged.
    PreCommit,
    /// Before the commit of a merge without conflicts: what is staged.
    PreMergeCommit,
    /// The message of a commit.
    CommitMsg,
    /// The message of a patch that `git am` applies.
    ApplypatchMsg,
    /// What a patch has staged: `git am` runs no pre-commit.
    PreApplypatch,
    /// Before a push: commits that the remote lacks, however they were made.
    PrePush,
    /// On a server: commits that it lacks.
    PreReceive,
}

impl Hook {
    /// All, in the order in which git comes to them.
    pub const ALL: [Self; 7] = [
        Self::PreCommit,
        Self::PreMergeCommit,
        Self::CommitMsg,
        Self::ApplypatchMsg,
        Self::PreApplypatch,
        Self::PrePush,
        Self::PreReceive,
    ];

    /// Those of a repository that people work in.
    pub const CLIENT: &'static [Self] = &[
        Self::PreCommit,
        Self::PreMergeCommit,
        Self::CommitMsg,
        Self::ApplypatchMsg,
        Self::PreApplypatch,
        Self::PrePush,
    ];

    /// Those of a bare repository, which is only pushed to.
    pub const SERVER: &'static [Self] = &[Self::PreReceive];

    /// git's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PreMergeCommit => "pre-merge-commit",
            Self::CommitMsg => "commit-msg",
            Self::ApplypatchMsg => "applypatch-msg",
            Self::PreApplypatch => "pre-applypatch",
            Self::PrePush => "pre-push",
            Self::PreReceive => "pre-receive",
        }
    }

    /// The hook of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.as_str() == name)
    }

    /// What it holds up, in a word.
    pub fn action(self) -> &'static str {
        match self {
            Self::PreCommit | Self::CommitMsg => "commit",
            Self::PreMergeCommit => "merge",
            Self::ApplypatchMsg | Self::PreApplypatch => "patch",
            Self::PrePush | Self::PreReceive => "push",
        }
    }

    /// The command that goes on without the hook.
    pub fn unchecked(self) -> &'static str {
        match self {
            Self::PreCommit | Self::CommitMsg => "git commit --no-verify",
            Self::PreMergeCommit => "git merge --no-verify",
            Self::ApplypatchMsg | Self::PreApplypatch => "git am --no-verify",
            Self::PrePush => "git push --no-verify",
            Self::PreReceive => "take the hook away there",
        }
    }
}

/// Why hooks could not be put in or taken out. Nothing is half done then: what is in place works.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// git did not answer.
    #[error(transparent)]
    Git(#[from] crate::git::Error),
    /// The system refuses.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// In words: `write`, `rename`.
        doing: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A place for a file is taken by a folder, or the other way round.
    #[error("{} is not a {wanted}", path.display())]
    NotA {
        /// What.
        path: PathBuf,
        /// `file`, `folder`.
        wanted: &'static str,
    },
    /// Both the hook and the place where it would be kept hold something that is not keyagent's.
    #[error("{} is there already, so {} cannot be kept", kept.display(), path.display())]
    KeptAlready {
        /// The hook.
        path: PathBuf,
        /// Where it would go.
        kept: PathBuf,
    },
    /// core.hooksPath names another folder.
    #[error("core.hooksPath is {} already ({scope})", path.display())]
    HooksPathTaken {
        /// Which.
        path: PathBuf,
        /// git's word for where that stands.
        scope: String,
    },
    /// There is no home folder.
    #[error("there is no home folder: HOME is not set")]
    NoHome,
    /// A path that no line of sh can hold.
    #[error("the path of keyagent is no text: {}", .0.display())]
    NoText(PathBuf),
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// The three lines, for what was being done.
    pub fn while_doing(self, what: &str) -> Problem {
        let hint = match &self {
            Self::Git(crate::git::Error::NotARepository) => {
                "go into a repository; or add --global, for every repository of yours".to_owned()
            }
            Self::Git(crate::git::Error::DubiousOwnership) => {
                "if you trust it: git config --global --add safe.directory \"$PWD\"".to_owned()
            }
            Self::Git(_) => "see what git says: git rev-parse --git-path hooks".to_owned(),
            Self::Io { path, .. } => {
                // A folder, for it is written in; or the one that a file, or a folder to be made, is to lie in.
                let folder = path.ancestors().find(|path| path.is_dir()).unwrap_or(path);
                format!("see who may write there: ls -ld {}", crate::problem::quoted(folder))
            }
            Self::NotA { wanted: "folder", .. } => {
                "hooks are switched off by core.hooksPath; see who says so: git config --show-origin core.hooksPath"
                    .to_owned()
            }
            Self::NotA { path, .. } => format!(
                "move it away: mv {0} {0}.old",
                word(&path.display().to_string())
            ),
            Self::KeptAlready { kept, .. } => format!(
                "look at both, and move one away:\nmv {0} {0}.old",
                word(&kept.display().to_string())
            ),
            Self::HooksPathTaken { .. } => {
                "put the hooks into that folder, in a repository that uses it:\nkeyagent hook install".to_owned()
            }
            Self::NoHome => "export HOME".to_owned(),
            Self::NoText(_) => "move keyagent to a folder with a plain name, and install again".to_owned(),
        };
        Problem::new(what, self.to_string(), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_is_not_writable_is_named() {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let hooks = folder.path().join("hooks");
        std::fs::create_dir(&hooks).expect("the folder is writable");
        for (doing, path) in [
            ("write in", hooks.clone()),
            ("rename", hooks.join("pre-commit")),
            ("make the folder", hooks.join("new")),
        ] {
            let error = Error::io(doing, &path)(std::io::ErrorKind::PermissionDenied.into());
            let hint = error.while_doing("x").hint;
            assert!(hint.ends_with(&format!("ls -ld {}", hooks.display())), "{hint}");
        }
    }
}
