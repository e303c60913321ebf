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

/// What was tried; a bare repository is only pushed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// A commit of a file.
    pub commit: Option<Outcome>,
    /// A commit whose message holds the key.
    pub message: Option<Outcome>,
    /// A merge without conflicts that brings what no parent has.
    pub merge: Option<Outcome>,
    /// A push of a commit that was made with `--no-verify`.
    pub push: Outcome,
}

impl Trial {
    /// What was tried, in a word each, and what came of it.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, &Outcome)> {
        let of_a_work_tree = [
            ("commit", &self.commit),
            ("message", &self.message),
            ("merge", &self.merge),
        ];
        of_a_work_tree
            .into_iter()
            .filter_map(|(what, outcome)| Some((what, outcome.as_ref()?)))
            .chain([("push", &self.push)])
    }

    /// Whether a key is stopped wherever it was tried.
    pub fn is_blocked(&self) -> bool {
        self.outcomes().all(|(_, outcome)| *outcome == Outcome::Blocked)
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
    let is_server = matches!(hooks, Hooks::Server(_));
    let commit = if is_server { None } else { Some(try_commit(&work)?) };
    let push = try_push(&work, is_server)?;
    let (message, merge) = if is_server {
        (None, None)
    } else {
        (Some(try_message(&work)?), Some(try_merge(&work)?))
    };
    Ok(Trial {
        commit,
        message,
        merge,
        push,
    })
}

/// As a team's rules for messages have them, for it is not those that are tried.
const COMMIT: [&str; 3] = ["commit", "--quiet", "--message=chore: try a made-up key"];

fn try_commit(work: &Scratch) -> Result<Outcome, Error> {
    let key = MadeUp::new();
    work.write("made-up.ini", &key.ini())?;
    work.git(&["add", "--force", "made-up.ini"])?;
    let outcome = key.outcome(&work.try_git(&COMMIT)?);
    work.git(&["reset", "--quiet"])?;
    Ok(outcome)
}

fn try_push(work: &Scratch, is_server: bool) -> Result<Outcome, Error> {
    let key = MadeUp::new();
    work.write("pushed.ini", &key.ini())?;
    work.git(&["add", "--force", "pushed.ini"])?;
    work.git(&[&COMMIT[..], &["--no-verify"]].concat())?;
    work.git(&["remote", "add", "origin", "../server"])?;
    let mut push = vec!["push", "--quiet", "origin", "HEAD:refs/heads/made-up"];
    if is_server {
        push.push("--no-verify");
    }
    Ok(key.outcome(&work.try_git(&push)?))
}

fn try_message(work: &Scratch) -> Result<Outcome, Error> {
    let key = MadeUp::new();
    let message = format!("--message={}", key.access_key_id);
    let commit = [&COMMIT[..], &["--allow-empty", &message]].concat();
    Ok(key.outcome(&work.try_git(&commit)?))
}

/// git merges a file in this trial by a program that puts the key in.
fn try_merge(work: &Scratch) -> Result<Outcome, Error> {
    let key = MadeUp::new();
    work.write("../merged.ini", &key.ini())?;
    work.write(".git/info/attributes", "both.ini merge=made-up\n")?;
    work.git(&["config", "merge.made-up.driver", "cat ../merged.ini >%A"])?;
    let commit = |content: &str| {
        work.write("both.ini", content)?;
        work.git(&["add", "--force", "both.ini"])?;
        work.git(&[&COMMIT[..], &["--no-verify"]].concat()).map(drop)
    };
    commit("base\n")?;
    work.git(&["checkout", "--quiet", "-b", "side"])?;
    commit("theirs\n")?;
    work.git(&["checkout", "--quiet", "-"])?;
    commit("ours\n")?;
    let merge = ["merge", "--quiet", "--message=chore: try a made-up key", "side"];
    Ok(key.outcome(&work.try_git(&merge)?))
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

    fn write(&self, name: &str, content: &str) -> Result<(), Error> {
        let file = self.folder.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        }
        fs::write(&file, content).map_err(Error::io("write", &file))
    }

    /// What is tried.
    fn try_git(&self, arguments: &[&str]) -> Result<Output, Error> {
        self.run(&[], arguments)
    }

    fn run(&self, options: &[&str], arguments: &[&str]) -> Result<Output, Error> {
        let mut command = Command::new("git");
        command.args(options);
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

    /// What only prepares the trial, and runs no hook.
    fn git(&self, arguments: &[&str]) -> Result<Output, Error> {
        let output = self.run(&["-c", "core.hooksPath=/dev/null"], arguments)?;
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
