//! Recognises who else looks after a repository's hooks, and says which lines to add there. Edits none of their files:
//! they would be written over, or the team's.

use std::fs;
use std::path::{Path, PathBuf};

use crate::git::configuration::{Places, is_tracked};
use crate::hook::{Error, Hook};
use crate::problem::quoted;

/// Who looks after the hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// husky: core.hooksPath is `.husky/_`, or `.husky` up to version 8.
    Husky,
    /// lefthook: `lefthook.yml`.
    Lefthook,
    /// pre-commit, the Python tool: `.pre-commit-config.yaml`.
    PreCommit,
    /// The team: a folder of hooks in the repository itself, which core.hooksPath names.
    SharedFolder,
}

impl Kind {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Husky => "husky",
            Self::Lefthook => "lefthook",
            Self::PreCommit => "pre-commit",
            Self::SharedFolder => "shared-folder",
        }
    }
}

/// Lines for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// From the top of the work tree, or absolute outside it.
    pub file: PathBuf,
    /// What to add, with a newline at the end.
    pub lines: String,
    /// Whether they belong before all else in the file.
    pub go_first: bool,
    /// Whether the file says so already.
    pub is_there: bool,
}

/// Who looks after the hooks, and what to add where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// Who.
    pub kind: Kind,
    /// What to add.
    pub additions: Vec<Addition>,
    /// Hooks that it leaves to others: keyagent installs them itself.
    pub leaves: Vec<Hook>,
}

impl Manager {
    /// Whether nothing is left to add.
    pub fn is_complete(&self) -> bool {
        self.additions.iter().all(|addition| addition.is_there)
    }
}

/// The hooks for which there is a line in every manager.
const EVERYDAY: [Hook; 3] = [Hook::PreCommit, Hook::CommitMsg, Hook::PrePush];

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
    if let Some(husky) = husky_folder(&places.hooks).filter(|_| is_local) {
        return Ok(Some(shell_manager(Kind::Husky, top, &husky)));
    }
    let lefthook = LEFTHOOK
        .iter()
        .map(|name| top.join(name))
        .find(|path| path.is_file());
    if lefthook.is_some() || runs(&places.hooks, "lefthook") {
        let file = lefthook.unwrap_or_else(|| top.join(LEFTHOOK[0]));
        return Ok(Some(lefthook_manager(top, &file)));
    }
    let file = top.join(".pre-commit-config.yaml");
    if file.is_file() || runs(&places.hooks, PRE_COMMIT_SIGN) {
        return Ok(Some(pre_commit_manager(places, top, &file)));
    }
    let is_within = |folder: &Path| match (places.hooks.canonicalize(), folder.canonicalize()) {
        (Ok(hooks), Ok(folder)) => hooks.starts_with(folder),
        _ => false,
    };
    if is_within(top) && !is_within(&places.common) && is_tracked(top, &places.hooks)? {
        return Ok(Some(shell_manager(Kind::SharedFolder, top, &places.hooks)));
    }
    Ok(None)
}

/// The line that does keyagent's work in another hook.
pub fn shell_line(hook: Hook) -> String {
    format!("keyagent hook run {} \"$@\" || exit", hook.as_str())
}

/// The same, for whichever hook of a folder.
pub fn shell_line_of(folder: &Path) -> String {
    format!("keyagent hook run HOOK \"$@\" || exit (in {})", quoted(folder))
}

fn husky_folder(hooks: &Path) -> Option<PathBuf> {
    let hooks = if hooks.ends_with("_") {
        hooks.parent()?
    } else {
        hooks
    };
    let is_husky = hooks.ends_with(".husky") || hooks.join("_/husky.sh").is_file();
    is_husky.then(|| hooks.to_owned())
}

fn runs(hooks: &Path, sign: &str) -> bool {
    Hook::CLIENT.iter().any(|hook| {
        fs::read(hooks.join(hook.as_str()))
            .is_ok_and(|content| String::from_utf8_lossy(&content).contains(sign))
    })
}

fn shell_manager(kind: Kind, top: &Path, folder: &Path) -> Manager {
    let additions = EVERYDAY
        .into_iter()
        .map(|hook| {
            let file = folder.join(hook.as_str());
            Addition {
                is_there: says(&file, &format!("keyagent hook run {}", hook.as_str())),
                file: shown(top, &file),
                lines: shell_line(hook) + "\n",
                // What comes before would take from it what git says is pushed.
                go_first: hook == Hook::PrePush,
            }
        })
        .collect();
    Manager {
        kind,
        additions,
        leaves: Vec::new(),
    }
}

/// Scripts and not `run:` lines: those lefthook passes by when it counts no changed files, as for a file that became a
/// link, or a push of a branch that is not checked out (seen with 2.2.2).
fn lefthook_manager(top: &Path, file: &Path) -> Manager {
    let scripts = EVERYDAY.into_iter().map(|hook| {
        let script = top.join(".lefthook").join(hook.as_str()).join("keyagent.sh");
        Addition {
            is_there: says(&script, &format!("keyagent hook run {}", hook.as_str())),
            file: shown(top, &script),
            lines: format!("exec keyagent hook run {} \"$@\"\n", hook.as_str()),
            go_first: false,
        }
    });
    let mut additions = vec![Addition {
        is_there: says(file, "keyagent.sh"),
        file: shown(top, file),
        lines: LEFTHOOK_LINES.to_owned(),
        go_first: false,
    }];
    additions.extend(scripts);
    Manager {
        kind: Kind::Lefthook,
        additions,
        leaves: Vec::new(),
    }
}

/// pre-commit tells a hook of a push the first branch alone, so pre-push is better keyagent's own; if pre-commit comes to
/// install one later, it keeps ours and runs it with all that git says.
fn pre_commit_manager(places: &Places, top: &Path, file: &Path) -> Manager {
    let is_its = |hook: Hook| {
        fs::read(places.hooks.join(hook.as_str()))
            .is_ok_and(|content| String::from_utf8_lossy(&content).contains(PRE_COMMIT_SIGN))
    };
    let mut lines = PRE_COMMIT_LINES.to_owned();
    if is_its(Hook::PrePush) {
        lines.push_str(PRE_COMMIT_PUSH_LINES);
    }
    Manager {
        kind: Kind::PreCommit,
        additions: vec![Addition {
            // By its own name, too, where the hook comes from keyagent's repository.
            is_there: says(file, "id: keyagent"),
            file: shown(top, file),
            lines,
            go_first: false,
        }],
        leaves: [Hook::ApplypatchMsg, Hook::PreApplypatch, Hook::PrePush]
            .into_iter()
            .filter(|hook| !is_its(*hook))
            .collect(),
    }
}

fn says(file: &Path, words: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|content| {
        content
            .lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains(words))
    })
}

fn shown(top: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(top).unwrap_or(file).to_owned()
}

/// From lefthook's documentation.
const LEFTHOOK: [&str; 12] = [
    "lefthook.yml",
    "lefthook.yaml",
    "lefthook.toml",
    "lefthook.json",
    ".lefthook.yml",
    ".lefthook.yaml",
    ".lefthook.toml",
    ".lefthook.json",
    ".config/lefthook.yml",
    ".config/lefthook.yaml",
    ".config/lefthook.toml",
    ".config/lefthook.json",
];

const LEFTHOOK_LINES: &str = "\
pre-commit:
  jobs:
    - script: keyagent.sh
      runner: sh
commit-msg:
  jobs:
    - script: keyagent.sh
      runner: sh
pre-push:
  jobs:
    - script: keyagent.sh
      runner: sh
      use_stdin: true
";

const PRE_COMMIT_LINES: &str = "  - repo: local
    hooks:
      - id: keyagent
        name: AWS keys in what is staged
        language: system
        entry: keyagent hook run pre-commit
        stages: [pre-commit, pre-merge-commit]
        pass_filenames: false
        always_run: true
      - id: keyagent-commit-msg
        name: AWS keys in the message
        language: system
        entry: keyagent hook run commit-msg
        stages: [commit-msg]
        always_run: true
";

const PRE_COMMIT_PUSH_LINES: &str = "      - id: keyagent-pre-push
        name: AWS keys in what is pushed
        language: system
        entry: keyagent hook run pre-push
        stages: [pre-push]
        pass_filenames: false
        always_run: true
";

/// The third line of what it installs.
const PRE_COMMIT_SIGN: &str = "File generated by pre-commit";
