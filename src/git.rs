//! Asks the real git what is staged and what is in it. Never reads the work tree, never writes, never fetches, and
//! runs none of the programs that a repository's configuration names.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::problem::Problem;

pub mod configuration;

/// The name of an object: hex, as long as the repository's hash is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectId(String);

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
    /// What is new: files, and targets of symbolic links; in a merge only what no parent has.
    pub blobs: Vec<StagedBlob>,
    /// What each parent has in the changed places, removed files included.
    pub old_sides: Vec<ObjectId>,
    /// Whether there is a commit to go back to.
    pub has_head: bool,
}

/// What to do about a content that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Give up.
    IsAnError,
    /// Leave it out.
    IsSkipped,
}

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
    /// A conflict is not settled.
    #[error("{} is not merged yet", .0.escape_debug())]
    Unmerged(String),
    /// A content is not in the object database.
    #[error("the content {0} is missing from the repository")]
    MissingObject(String),
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

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::NoGit => "install git, or put its folder on PATH",
            Error::Io(_) => "try again: keyagent scan --staged",
            Error::NotARepository => "go into a repository, or scan files: keyagent scan PATH",
            Error::Bare => "go into a work tree of it: git worktree list",
            Error::DubiousOwnership => "if you trust it: git config --global --add safe.directory \"$PWD\"",
            Error::CorruptIndex(_) => {
                "build the index anew; files stay as they are: rm \"$(git rev-parse --git-path index)\" && git reset"
            }
            Error::Unmerged(_) => "settle the conflict, then: git add PATH",
            Error::MissingObject(_) => {
                "stage the file again: git add PATH; to see what else is missing: git fsck"
            }
            Error::Failed { .. } => "see what is wrong with the repository: git fsck",
            Error::Answer(_) => "update git, then: keyagent scan --staged",
        };
        Self::new("cannot scan what is staged", error.to_string(), hint)
    }
}

/// What is staged and new, as `git commit` would commit it now; GIT_INDEX_FILE and its kind mean what they mean to git.
///
/// # Errors
///
/// When git cannot say, or a conflict is not settled.
pub fn staged_blobs(cwd: &Path) -> Result<Staged, Error> {
    if run(cwd, "rev-parse", &["--is-bare-repository"])?.trim_ascii() == b"true" {
        return Err(Error::Bare);
    }
    let head = run_quietly(cwd, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    let has_head = head.is_some();
    let mut parents = match head {
        Some(_) => vec!["HEAD".to_owned()],
        None => vec![text(
            &run(cwd, "hash-object", &["-t", "tree", "--stdin"])?,
            "hash-object",
        )?],
    };
    parents.extend(merge_heads(cwd)?);

    let mut old_sides = BTreeSet::new();
    let mut new_in_all: Option<BTreeMap<PathBuf, ObjectId>> = None;
    for parent in &parents {
        let mut new = BTreeMap::new();
        for change in changes(cwd, parent)? {
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
    let blobs = new_in_all
        .unwrap_or_default()
        .into_iter()
        .map(|(path, oid)| StagedBlob { path, oid })
        .collect();
    Ok(Staged {
        blobs,
        old_sides: old_sides.into_iter().collect(),
        has_head,
    })
}

/// Gives each content to `look`, with its place in `oids`. One is in memory at a time.
///
/// # Errors
///
/// When one is missing and that is an error, or git fails.
pub fn contents(
    cwd: &Path,
    oids: &[ObjectId],
    missing: Missing,
    mut look: impl FnMut(usize, &[u8]),
) -> Result<(), Error> {
    if oids.is_empty() {
        return Ok(());
    }
    let mut child = git(cwd)
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(not_started)?;
    let (Some(mut requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Error::Answer("cat-file"));
    };
    let mut answers = BufReader::new(answers);
    let result = std::thread::scope(|scope| {
        // From a thread, or both sides would wait with full pipes. If git dies, the reader sees it.
        scope.spawn(move || oids.iter().try_for_each(|oid| writeln!(requests, "{}", oid.0)));
        let result = oids
            .iter()
            .enumerate()
            .try_for_each(|(index, oid)| match content(&mut answers, oid)? {
                Some(content) => {
                    look(index, &content);
                    Ok(())
                }
                None if missing == Missing::IsSkipped => Ok(()),
                None => Err(Error::MissingObject(oid.0.clone())),
            });
        drop(answers);
        result
    });
    let status = child.wait().map_err(Error::Io)?;
    result?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Answer("cat-file"))
    }
}

/// One answer of `cat-file --batch`: `OID SP TYPE SP SIZE LF CONTENT LF`, or `OID SP missing LF`.
fn content(answers: &mut impl BufRead, oid: &ObjectId) -> Result<Option<Vec<u8>>, Error> {
    let mut header = String::new();
    answers.read_line(&mut header).map_err(Error::Io)?;
    let mut words = header.split_ascii_whitespace();
    match (words.next(), words.next(), words.next().map(str::parse::<usize>)) {
        (Some(name), Some("missing"), None) if name == oid.0 => Ok(None),
        (Some(name), Some("blob"), Some(Ok(size))) if name == oid.0 => {
            let mut content = Vec::new();
            let read = answers
                .take(size as u64 + 1)
                .read_to_end(&mut content)
                .map_err(Error::Io)?;
            if read != size + 1 || content.pop() != Some(b'\n') {
                return Err(Error::MissingObject(oid.0.clone()));
            }
            Ok(Some(content))
        }
        // git dies in the middle of a damaged object.
        (None, _, _) => Err(Error::MissingObject(oid.0.clone())),
        _ => Err(Error::Answer("cat-file")),
    }
}

struct Change {
    path: PathBuf,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
}

/// The index against a commit or tree.
fn changes(cwd: &Path, parent: &str) -> Result<Vec<Change>, Error> {
    let options = [
        "--cached",
        "--raw",
        "-z",
        "--no-renames",
        "--no-abbrev",
        "--no-ext-diff",
        "--no-textconv",
        "--no-relative",
        "--ita-invisible-in-index",
        "--ignore-submodules=all",
        parent,
        "--",
    ];
    let raw = run(cwd, "diff-index", &options)?;
    let mut fields = raw.split(|byte| *byte == 0);
    let mut changes = Vec::new();
    // `:OLDMODE NEWMODE OLDOID NEWOID STATUS NUL PATH NUL`, from git-diff-index(1).
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
            old: blob(old_mode, old),
            new: blob(new_mode, new),
        });
    }
    Ok(changes)
}

/// A side of a change, where it is a file or a link: mode 000000 is nothing, 160000 a submodule's commit.
fn blob(mode: &str, oid: &str) -> Option<ObjectId> {
    let is_blob = !matches!(mode, "000000" | "160000") && oid.bytes().any(|byte| byte != b'0');
    is_blob.then(|| ObjectId(oid.to_owned()))
}

/// The other parents of the merge that is under way; an octopus has several.
fn merge_heads(cwd: &Path) -> Result<Vec<String>, Error> {
    let answer = run(cwd, "rev-parse", &["--git-path", "MERGE_HEAD"])?;
    let path = cwd.join(path_of(answer.strip_suffix(b"\n").unwrap_or(&answer))?);
    match std::fs::read_to_string(path) {
        Ok(heads) => Ok(heads.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::Io(error)),
    }
}

fn git(cwd: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("--no-optional-locks")
        .current_dir(cwd)
        // The messages are told apart by their English words.
        .env("LC_ALL", "C")
        .env("GIT_NO_LAZY_FETCH", "1")
        // What is committed is the object itself, not its replacement.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .stdin(Stdio::null());
    command
}

fn run(cwd: &Path, command: &'static str, arguments: &[&str]) -> Result<Vec<u8>, Error> {
    let output = git(cwd)
        .arg(command)
        .args(arguments)
        .output()
        .map_err(not_started)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(failure(command, &String::from_utf8_lossy(&output.stderr)))
}

/// What git says, or nothing where it exits 1 without a word.
fn run_quietly(cwd: &Path, arguments: &[&str]) -> Result<Option<Vec<u8>>, Error> {
    let output = git(cwd).args(arguments).output().map_err(not_started)?;
    match output.status.code() {
        Some(0) => Ok(Some(output.stdout)),
        Some(1) => Ok(None),
        _ => Err(failure("rev-parse", &String::from_utf8_lossy(&output.stderr))),
    }
}

fn not_started(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        Error::NoGit
    } else {
        Error::Io(error)
    }
}

fn failure(command: &'static str, message: &str) -> Error {
    let first = message
        .lines()
        .find(|line| !line.is_empty())
        .unwrap_or("it failed without a word");
    let first = first
        .trim_start_matches("fatal: ")
        .trim_start_matches("error: ")
        .to_owned();
    if message.contains("dubious ownership") {
        Error::DubiousOwnership
    } else if message.contains("not a git repository") {
        Error::NotARepository
    } else if message.contains("index file") || message.contains("bad signature") {
        Error::CorruptIndex(first)
    } else {
        Error::Failed {
            command,
            message: first,
        }
    }
}

fn text(answer: &[u8], command: &'static str) -> Result<String, Error> {
    std::str::from_utf8(answer.trim_ascii())
        .map(str::to_owned)
        .map_err(|_| Error::Answer(command))
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Result<PathBuf, Error> {
    use std::os::unix::ffi::OsStringExt;
    Ok(PathBuf::from(OsString::from_vec(bytes.to_vec())))
}

/// git for Windows writes its paths in UTF-8.
#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Result<PathBuf, Error> {
    text(bytes, "diff-index").map(|path| PathBuf::from(OsString::from(path)))
}
