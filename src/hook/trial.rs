//! Shows that hooks block: commits and pushes a made-up key, in scratch repositories that end with the trial. Touches
//! neither the repository nor a remote of it; earlier hooks that keyagent keeps are not run.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Serialize;

use crate::hook::Error;

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "why")]
pub enum Outcome {
    /// The key was found, and git stopped.
    Blocked,
    /// git went on.
    LetThrough,
    /// git stopped, but not because of the key; its last words.
    Unclear(String),
}

/// What was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// A commit; none in a bare repository.
    pub commit: Option<Outcome>,
    /// A push of a commit that was made with `--no-verify`.
    pub push: Outcome,
}

impl Trial {
    /// Whether a key is stopped wherever it was tried.
    pub fn is_blocked(&self) -> bool {
        self.push == Outcome::Blocked
            && self
                .commit
                .as_ref()
                .is_none_or(|commit| *commit == Outcome::Blocked)
    }
}

/// Whose hooks are tried.
#[derive(Clone, Copy, Debug)]
pub enum Hooks<'a> {
    /// Those of a folder, with the files of their manager from the top of a work tree.
    Repository {
        /// The folder.
        hooks: &'a Path,
        /// The top of the work tree.
        top: &'a Path,
    },
    /// Those of a server's folder.
    Server(&'a Path),
    /// Whichever a new repository of the user gets.
    Global,
}

/// Tries.
///
/// # Errors
///
/// When the scratch repositories cannot be made.
pub fn run(hooks: Hooks<'_>) -> Result<Trial, Error> {
    let folder = tempfile::Builder::new()
        .prefix("keyagent-trial-")
        .tempdir()
        .map_err(Error::io("write in", Path::new("the folder for temporary files")))?;
    let scratch = Scratch::new(folder.path())?;
    let server = folder.path().join("server");
    scratch.git(&["init", "--quiet", "--template=", "--bare", "server"])?;
    scratch.git(&["init", "--quiet", "--template=", "work"])?;
    let work = scratch.at(folder.path().join("work"));
    match hooks {
        Hooks::Repository { hooks, top } => {
            copy_managers_files(top, &work.folder)?;
            work.set_hooks(hooks)?;
        }
        Hooks::Server(hooks) => scratch.at(server).set_hooks(hooks)?,
        Hooks::Global => {}
    }
    let key = MadeUp::new();
    let file = work.folder.join("made-up.ini");
    fs::write(&file, key.ini()).map_err(Error::io("write", &file))?;
    work.git(&["add", "--force", "made-up.ini"])?;
    let commit = ["commit", "--quiet", "--message", "a made-up key"];
    let committed = match hooks {
        Hooks::Server(_) => None,
        Hooks::Repository { .. } | Hooks::Global => Some(key.outcome(&work.try_git(&commit)?)),
    };
    if committed.as_ref() != Some(&Outcome::LetThrough) {
        work.git(&[&commit[..], &["--no-verify"]].concat())?;
    }
    work.git(&["remote", "add", "origin", "../server"])?;
    let push = ["push", "--quiet", "origin", "HEAD:refs/heads/made-up"];
    let pushed = match hooks {
        Hooks::Server(_) => work.try_git(&[&push[..], &["--no-verify"]].concat())?,
        Hooks::Repository { .. } | Hooks::Global => work.try_git(&push)?,
    };
    Ok(Trial {
        commit: committed,
        push: key.outcome(&pushed),
    })
}

struct Scratch {
    folder: PathBuf,
    /// What names a repository in the environment: the trial must not reach one.
    unset: Vec<String>,
}

impl Scratch {
    fn new(folder: &Path) -> Result<Self, Error> {
        let mut scratch = Self {
            folder: folder.to_owned(),
            unset: Vec::new(),
        };
        let answer = scratch.git(&["rev-parse", "--local-env-vars"])?;
        scratch.unset = String::from_utf8_lossy(&answer.stdout)
            .lines()
            .map(str::to_owned)
            .chain(["GIT_QUARANTINE_PATH", "GIT_EDITOR"].map(str::to_owned))
            .collect();
        Ok(scratch)
    }

    fn at(&self, folder: PathBuf) -> Self {
        Self {
            folder,
            unset: self.unset.clone(),
        }
    }

    fn set_hooks(&self, hooks: &Path) -> Result<(), Error> {
        let hooks = hooks.to_str().ok_or_else(|| Error::NoText(hooks.to_owned()))?;
        self.git(&["config", "core.hooksPath", hooks]).map(drop)
    }

    fn try_git(&self, arguments: &[&str]) -> Result<Output, Error> {
        let mut command = Command::new("git");
        command.args(["-c", "commit.gpgSign=false", "-c", "push.gpgSign=false"]);
        command.args(arguments).current_dir(&self.folder);
        for name in &self.unset {
            command.env_remove(name);
        }
        for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"] {
            command.env(name, "keyagent");
        }
        for name in ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
            command.env(name, "keyagent@localhost");
        }
        command
            .env("KEYAGENT_TRIAL", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null());
        command.output().map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                crate::git::Error::NoGit.into()
            } else {
                crate::git::Error::Io(error).into()
            }
        })
    }

    fn git(&self, arguments: &[&str]) -> Result<Output, Error> {
        let output = self.try_git(arguments)?;
        if output.status.success() {
            return Ok(output);
        }
        Err(crate::git::Error::Failed {
            command: "of the trial",
            message: last_words(&output),
        }
        .into())
    }
}

struct MadeUp {
    access_key_id: String,
    secret_access_key: String,
}

impl MadeUp {
    /// Anew in each trial: a key that is always the same would come to be allowed somewhere.
    fn new() -> Self {
        const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
        const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const DIGITS: &[u8] = b"0123456789";
        let any = |letters: &[u8]| {
            let random = RandomState::new().build_hasher().finish();
            char::from(letters[(random % letters.len() as u64) as usize])
        };
        // Behind the prefix, a letter that makes the account a possible one.
        let first = any(b"QRSTUVWX");
        let rest = (0..15).map(|_| any(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"));
        Self {
            access_key_id: "AKIA".chars().chain([first]).chain(rest).collect(),
            secret_access_key: (0..10)
                .flat_map(|_| [any(LOWER), any(DIGITS), any(UPPER), any(LOWER)])
                .collect(),
        }
    }

    fn ini(&self) -> String {
        format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            self.access_key_id, self.secret_access_key
        )
    }

    fn outcome(&self, output: &Output) -> Outcome {
        if output.status.success() {
            return Outcome::LetThrough;
        }
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        if String::from_utf8_lossy(&said).contains(&self.access_key_id) {
            Outcome::Blocked
        } else {
            Outcome::Unclear(last_words(output))
        }
    }
}

/// The lines that say most: keyagent's own cause, or else the last ones.
fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let said = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let cause = said.clone().find_map(|line| line.strip_prefix("cause: "));
    let words = cause.or_else(|| said.clone().next_back()).unwrap_or("no word");
    words.chars().filter(|c| !c.is_control()).collect()
}

/// A manager reads its configuration from the work tree.
fn copy_managers_files(top: &Path, scratch: &Path) -> Result<(), Error> {
    let entries = fs::read_dir(top).map_err(Error::io("read", top))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("read", top))?;
        let name = entry.file_name();
        let is_managers = name.to_str().is_some_and(|name| {
            name == ".pre-commit-config.yaml" || name.trim_start_matches('.').starts_with("lefthook")
        });
        if is_managers {
            copy(&entry.path(), &scratch.join(&name))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop).map_err(Error::io("copy", from));
    }
    fs::create_dir_all(to).map_err(Error::io("make the folder", to))?;
    for entry in fs::read_dir(from).map_err(Error::io("read", from))? {
        let entry = entry.map_err(Error::io("read", from))?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
