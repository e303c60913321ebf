//! Recognises who else looks after a repository's hooks, and says what to add there and what to run. Edits none of their
//! files: they would be written over, or the team's.
//!
//! - `shell` has husky and the team's own folder, whose hooks are scripts.
//! - `lefthook` and `pre_commit` have a file of settings, and hooks that they install themselves.

use std::fs;
use std::path::{Path, PathBuf};

use crate::git::configuration::{Places, is_ignored, is_tracked};
use crate::hook::{Error, Hook, script};

mod lefthook;
mod pre_commit;
mod reached;
mod shell;

/// Who looks after the hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// husky: core.hooksPath is `.husky/_`, or `.husky` up to version 8.
    Husky,
    /// lefthook: `lefthook.yml`.
    Lefthook,
    /// pre-commit, the Python tool: `.pre-commit-config.yaml`.
    PreCommit,
    /// The team: a folder of hooks in the work tree itself, which core.hooksPath names.
    SharedFolder,
}

impl Kind {
    /// Its name, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Husky => "husky",
            Self::Lefthook => "lefthook",
            Self::PreCommit => "pre-commit",
            Self::SharedFolder => "shared-folder",
        }
    }

    /// Its name, for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Husky | Self::Lefthook | Self::PreCommit => self.as_str(),
            Self::SharedFolder => "a folder in the repository",
        }
    }
}

/// Where lines belong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file is not there yet.
    NewFile,
    /// Before all else.
    First,
    /// Behind all else.
    End,
    /// Behind the last entry of a list of that name at the top level.
    EndOf(&'static str),
    /// As the file's own language has it: the lines are in another one.
    Translated,
    /// Below this line, and the second one within it.
    Beneath(String, Option<String>),
}

/// Lines for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// From the top of the work tree, or absolute outside it.
    pub file: PathBuf,
    /// What to add, with a newline at the end.
    pub lines: String,
    /// Where.
    pub place: Place,
    /// Whether the file says so already.
    pub is_there: bool,
}

/// A command for the person, who alone may decide on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToRun {
    /// What is amiss, in words.
    pub why: &'static str,
    /// To paste.
    pub command: String,
}

/// Who looks after the hooks, and what to add where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Who.
    pub kind: Kind,
    /// What to add.
    pub additions: Vec<Addition>,
    /// What is to be run then: none where git calls them.
    pub to_run: Vec<ToRun>,
    /// Hooks that it leaves to others: keyagent installs them itself.
    pub leaves: Vec<Hook>,
}

impl Manager {
    /// Whether nothing is left to add or to run.
    pub fn is_complete(&self) -> bool {
        self.to_run.is_empty() && self.additions.iter().all(|addition| addition.is_there)
    }
}

/// Looks for a manager.
///
/// # Errors
///
/// When git does not answer.
pub fn recognise(places: &Places) -> Result<Option<Manager>, Error> {
    let Some(top) = &places.top else {
        return Ok(None);
    };
    let is_local = places
        .hooks_path
        .as_ref()
        .is_some_and(|setting| matches!(setting.scope.as_str(), "local" | "worktree"));
    if let Some(folder) = shell::husky_folder(&places.hooks).filter(|_| is_local) {
        return Ok(Some(shell::manager(Kind::Husky, top, &places.hooks, &folder)));
    }
    if let Some(file) = lefthook::file(places, top) {
        return Ok(Some(lefthook::manager(places, top, &file)));
    }
    if let Some(file) = pre_commit::file(places, top) {
        return Ok(Some(pre_commit::manager(places, top, &file)));
    }
    let hooks = resolved(&places.hooks);
    let is_shared = hooks.starts_with(resolved(top))
        && !hooks.starts_with(resolved(&places.common))
        // Where git ignores it, it will never be anybody else's.
        && (is_tracked(top, &places.hooks)? || !is_ignored(top, &places.hooks.join("pre-commit"))?);
    Ok(is_shared.then(|| shell::manager(Kind::SharedFolder, top, &places.hooks, &places.hooks)))
}

/// Without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let mut behind = Vec::new();
    for folder in path.ancestors() {
        if let Ok(folder) = folder.canonicalize() {
            return behind.iter().rev().fold(folder, |path, name| path.join(name));
        }
        behind.extend(folder.file_name());
    }
    path.to_owned()
}

/// Whether a hook in that folder holds these words.
fn holds(hooks: &Path, hook: Hook, words: &str) -> bool {
    fs::read(hooks.join(hook.as_str())).is_ok_and(|content| String::from_utf8_lossy(&content).contains(words))
}

/// Whether a hook in that folder is one of keyagent's own.
fn is_ours(hooks: &Path, hook: Hook) -> bool {
    fs::read(hooks.join(hook.as_str())).is_ok_and(|content| script::is_ours(&content))
}

/// Whether a line of a file does, that is no comment.
fn says(file: &Path, is_it: impl Fn(&str) -> bool) -> bool {
    fs::read_to_string(file).is_ok_and(|content| {
        content
            .lines()
            .any(|line| !line.trim_start().starts_with('#') && is_it(line))
    })
}

/// Whether a shell script does, in a line that it comes to.
fn runs(script: &Path, is_it: impl Fn(&str) -> bool) -> bool {
    fs::read_to_string(script).is_ok_and(|content| {
        let (lines, _) = reached::reached(&content);
        lines
            .into_iter()
            .any(|line| !line.trim_start().starts_with('#') && is_it(line))
    })
}

/// Whether a hook that asks for its own name calls keyagent itself already.
pub fn calls_keyagent(script: &Path, hook: &str) -> bool {
    let call = format!("hook run {hook} ");
    runs(script, |line| {
        line.contains("keyagent") && format!("{line} ").contains(&call)
    })
}

/// Where in a hook a line goes that calls keyagent.
pub fn place_in(script: &Path, hook: &str) -> Place {
    let Ok(content) = fs::read_to_string(script) else {
        return Place::NewFile;
    };
    // What comes before would take from pre-push what git says is pushed.
    if hook == Hook::PrePush.as_str() || reached::reached(&content).1 {
        Place::First
    } else {
        Place::End
    }
}

fn shown(top: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(top).unwrap_or(file).to_owned()
}

/// How much a line is indented.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
