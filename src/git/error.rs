//! Why git did not answer, and what to do about it.

use std::io;

use crate::problem::{Problem, word};

/// Why git did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No `git` on PATH.
    #[error("there is no git on PATH")]
    NoGit,
    /// git could not be started, or a pipe to it broke.
    #[error("cannot talk to git: {0}")]
    Io(#[source] io::Error),
    /// No repository here or above.
    #[error("this folder is in no git repository")]
    NotARepository,
    /// A bare repository has no index.
    #[error("a bare repository has nothing staged")]
    Bare,
    /// The repository belongs to someone else.
    #[error("the repository belongs to another user, and git does not trust it (dubious ownership)")]
    DubiousOwnership,
    /// The index cannot be read.
    #[error("the index is damaged: {0}")]
    CorruptIndex(String),
    /// Somebody writes a new index.
    #[error("another git process has locked the index: {0} exists")]
    Locked(String),
    /// A conflict is not settled.
    #[error("{} is not merged yet", .0.escape_debug())]
    Unmerged(String),
    /// A content is not in the object database.
    #[error("the content {0} is missing from the repository, or damaged")]
    MissingObject(String),
    /// A content was left out when the repository was cloned.
    #[error("the content {0} was never fetched: this is a partial clone")]
    NotFetched(String),
    /// The history ends before its beginning.
    #[error("the history was cut off when it was cloned, before {0}: this is a shallow clone")]
    Shallow(String),
    /// No such commit.
    #[error("git knows no commit {}", .name.escape_debug())]
    NoSuchRevision {
        /// As it was typed.
        name: String,
        /// Whether it may lie where the history was cut off.
        is_shallow: bool,
    },
    /// A word that is neither a revision nor an option that chooses commits.
    #[error("{} chooses no commits", .0.escape_debug())]
    NotARevision(String),
    /// git failed in another way.
    #[error("git {command}: {message}")]
    Failed {
        /// The subcommand.
        command: &'static str,
        /// git's own words.
        message: String,
    },
    /// git answered something that this module does not know.
    #[error("git {0} gave an answer that keyagent does not understand")]
    Answer(&'static str),
}

impl Error {
    /// What git's words on its standard error mean.
    pub(super) fn told(command: &'static str, message: &str) -> Self {
        // The first line that tells of a failure; warnings may come before it.
        let lines = || message.lines().filter(|line| !line.is_empty());
        let first = lines()
            .find(|line| line.starts_with("fatal: ") || line.starts_with("error: "))
            .or_else(|| lines().next())
            .unwrap_or("it failed without a word");
        let first = first
            .trim_start_matches("fatal: ")
            .trim_start_matches("error: ")
            .to_owned();
        let quoted = || first.split('\'').nth(1).unwrap_or(&first).to_owned();
        if message.contains("dubious ownership") {
            Self::DubiousOwnership
        } else if message.contains("not a git repository") {
            Self::NotARepository
        } else if message.contains("must be run in a work tree") {
            Self::Bare
        } else if [
            "index file",
            "bad signature",
            "index uses",
            "bad index",
            "unordered stage",
        ]
        .iter()
        .any(|words| message.contains(words))
        {
            Self::CorruptIndex(first)
        } else if ["bad revision", "unknown revision", "Invalid revision range"]
            .iter()
            .any(|words| message.contains(words))
        {
            Self::NoSuchRevision {
                name: quoted(),
                is_shallow: false,
            }
        } else if [
            "unable to read",
            "bad object",
            "missing object",
            "Could not read",
            "could not read",
        ]
        .iter()
        .any(|words| first.contains(words))
            || first.starts_with("missing ")
        {
            let name = first
                .split(|c: char| !c.is_ascii_hexdigit())
                .find(|word| matches!(word.len(), 40 | 64));
            Self::MissingObject(name.unwrap_or(&first).to_owned())
        } else {
            Self::Failed {
                command,
                message: first,
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::NoGit => "install git, or put its folder on PATH".to_owned(),
            Error::Io(_) => "try again; if it stays, see what is wrong with the repository: git fsck".to_owned(),
            Error::NotARepository => "go into a repository, or scan files: keyagent scan PATH".to_owned(),
            Error::Bare => "go into a work tree of it (git worktree list), or scan its commits:\nkeyagent scan --history".to_owned(),
            Error::DubiousOwnership => {
                "if you trust it: git config --global --add safe.directory \"$PWD\"".to_owned()
            }
            Error::CorruptIndex(_) => {
                "build the index anew; files stay as they are:\nrm \"$(git rev-parse --git-path index)\" && git reset"
                    .to_owned()
            }
            Error::Locked(path) => format!("wait until it ends; if none is running: rm {}", word(path)),
            Error::Unmerged(_) => "settle the conflict, then: git add PATH".to_owned(),
            Error::MissingObject(_) => {
                "stage the file again: git add PATH\nto see what else is missing: git fsck".to_owned()
            }
            Error::NotFetched(_) => "fetch what was left out: git fetch --refetch --no-filter".to_owned(),
            Error::Shallow(_) => "fetch the rest of the history: git fetch --unshallow".to_owned(),
            Error::NoSuchRevision { is_shallow: true, .. } => {
                "fetch the rest of the history: git fetch --unshallow".to_owned()
            }
            Error::NoSuchRevision { is_shallow: false, .. } => {
                "see which there are: git log --all --oneline".to_owned()
            }
            Error::NotARevision(_) => {
                "name commits as git log does: keyagent scan --commits origin/main..HEAD".to_owned()
            }
            Error::Failed { .. } => "see what is wrong with the repository: git fsck".to_owned(),
            Error::Answer(_) => "update git, then try again".to_owned(),
        };
        Self::new("cannot scan the repository", error.to_string(), hint)
    }
}
