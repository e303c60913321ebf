//! lefthook: jobs in `lefthook.yml`, and a script for each.

use std::fs;
use std::path::{Path, PathBuf};

use super::shell::{self, SCRIPT};
use super::{Addition, Kind, Manager, Place, ToRun, holds, indent, is_ours, says, shown};
use crate::git::configuration::Places;
use crate::hook::Hook;

/// From lefthook's documentation.
const FILES: [&str; 12] = [
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

/// What every hook of its own names.
const SIGN: &str = "lefthook";

/// The hooks that its file speaks of.
const HOOKS: [Hook; 3] = [Hook::PreCommit, Hook::CommitMsg, Hook::PrePush];

/// It lets those be that its file does not speak of.
const LEFT: [Hook; 3] = [Hook::PreMergeCommit, Hook::ApplypatchMsg, Hook::PreApplypatch];

pub(super) fn file(places: &Places, top: &Path) -> Option<PathBuf> {
    let file = FILES
        .iter()
        .map(|name| top.join(name))
        .find(|path| path.is_file());
    let runs = || Hook::CLIENT.iter().any(|hook| holds(&places.hooks, *hook, SIGN));
    file.or_else(|| runs().then(|| top.join(FILES[0])))
}

/// Scripts and not `run:` lines: those lefthook passes by when it counts no changed files, as for a file that became a
/// link, or a push of a branch that is not checked out (seen with 2.2.2).
pub(super) fn manager(places: &Places, top: &Path, file: &Path) -> Manager {
    let content = fs::read_to_string(file).unwrap_or_default();
    let script_of = |hook: Hook| top.join(".lefthook").join(hook.as_str()).join(SCRIPT);
    let mut additions = Vec::new();
    let mut new = String::new();
    for hook in HOOKS {
        let Some(block) = Block::of(&content, hook) else {
            new.push_str(&format!("{}:\n  jobs:\n{}", hook.as_str(), job(hook, 4)));
            continue;
        };
        let (place, lines) = block.addition(hook);
        additions.push(Addition {
            is_there: block.says(SCRIPT),
            file: shown(top, file),
            lines,
            place,
        });
    }
    if !new.is_empty() {
        let place = match (file.exists(), is_yaml(file)) {
            (false, _) => Place::NewFile,
            (true, true) => Place::End,
            (true, false) => Place::Translated,
        };
        let addition = Addition {
            is_there: place == Place::Translated && says(file, |line| line.contains(SCRIPT)),
            file: shown(top, file),
            lines: new,
            place,
        };
        additions.insert(0, addition);
    }
    let calls_keyagent = |hook: Hook| {
        let call = format!("keyagent hook run {}", hook.as_str());
        says(&script_of(hook), |line| line.contains(&call))
    };
    if HOOKS.iter().any(|hook| !calls_keyagent(*hook)) {
        additions.push(shell::script(top, &top.join(".lefthook")));
    }
    additions.extend(HOOKS.into_iter().map(|hook| {
        let script = script_of(hook);
        let call = format!("{SCRIPT}\" {}", hook.as_str());
        Addition {
            is_there: calls_keyagent(hook) || says(&script, |line| line.contains(&call)),
            place: if script.exists() {
                Place::End
            } else {
                Place::NewFile
            },
            file: shown(top, &script),
            lines: format!("exec sh \"${{0%/*}}/../{SCRIPT}\" {} \"$@\"\n", hook.as_str()),
        }
    }));
    let is_called = |hook: Hook| holds(&places.hooks, hook, SIGN) || is_ours(&places.hooks, hook);
    Manager {
        kind: Kind::Lefthook,
        additions,
        to_run: if HOOKS.into_iter().all(is_called) {
            Vec::new()
        } else {
            vec![ToRun {
                why: "git does not call lefthook for all of them yet",
                command: "lefthook install".to_owned(),
            }]
        },
        leaves: LEFT
            .into_iter()
            .filter(|hook| !holds(&places.hooks, *hook, SIGN))
            .collect(),
    }
}

fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "yml" || end == "yaml")
}

/// An entry of a list of jobs.
fn job(hook: Hook, indent: usize) -> String {
    let space = " ".repeat(indent);
    format!("{space}- script: {SCRIPT}\n{}", settings(hook, indent + 2))
}

fn settings(hook: Hook, indent: usize) -> String {
    let space = " ".repeat(indent);
    let stdin = match hook {
        Hook::PrePush => format!("{space}use_stdin: true\n"),
        Hook::PreCommit
        | Hook::PreMergeCommit
        | Hook::CommitMsg
        | Hook::ApplypatchMsg
        | Hook::PreApplypatch
        | Hook::PreReceive => String::new(),
    };
    format!("{space}runner: sh\n{stdin}")
}

/// What a YAML file says of a hook: its line at the top level, and those below it.
struct Block<'a> {
    head: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Block<'a> {
    fn of(content: &'a str, hook: Hook) -> Option<Self> {
        let means = |line: &&str| {
            let name = line.split(':').next().unwrap_or_default();
            line.contains(':') && name.trim_end().trim_matches(['"', '\'']) == hook.as_str()
        };
        let mut lines = content.lines().skip_while(|line| !means(line));
        let head = lines.next()?;
        let is_within =
            |line: &&str| line.trim().is_empty() || line.starts_with('#') || line.starts_with([' ', '\t']);
        Some(Self {
            head: head.trim_end(),
            lines: lines.take_while(is_within).collect(),
        })
    }

    fn says(&self, words: &str) -> bool {
        let lines = std::iter::once(&self.head).chain(&self.lines);
        lines
            .filter(|line| !line.trim_start().starts_with('#'))
            .any(|line| line.contains(words))
    }

    /// A name may stand there once, so what is added goes below the names that are there already.
    fn addition(&self, hook: Hook) -> (Place, String) {
        let written = || {
            self.lines
                .iter()
                .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        };
        let first = written().next().map_or(2, |line| indent(line));
        let section = |name: &str| {
            let mut lines = written().skip_while(move |line| indent(line) != first || line.trim() != name);
            let head = lines.next()?;
            let inner = lines.next().map_or(first + 2, |line| indent(line));
            Some((head.trim().to_owned(), inner))
        };
        let head = self.head.to_owned();
        if let Some((jobs, inner)) = section("jobs:") {
            return (Place::Beneath(head, Some(jobs)), job(hook, inner));
        }
        let script = |indent: usize| {
            format!(
                "{}\"{SCRIPT}\":\n{}",
                " ".repeat(indent),
                settings(hook, indent + 2)
            )
        };
        match section("scripts:") {
            Some((scripts, inner)) => (Place::Beneath(head, Some(scripts)), script(inner)),
            None => (
                Place::Beneath(head, None),
                format!("{}scripts:\n{}", " ".repeat(first), script(first + 2)),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addition(content: &str) -> (Place, String) {
        Block::of(content, Hook::PreCommit)
            .expect("it speaks of pre-commit")
            .addition(Hook::PreCommit)
    }

    #[test]
    fn what_is_added_goes_below_the_names_that_are_there() {
        let head = || "pre-commit:".to_owned();
        let (place, lines) =
            addition("min_version: 2\npre-commit:\n    commands:\n        a:\n            run: a\n");
        assert_eq!(place, Place::Beneath(head(), None));
        assert_eq!(
            lines,
            "    scripts:\n      \"keyagent.sh\":\n        runner: sh\n"
        );
        let (place, lines) = addition("pre-commit:\n  # those\n  jobs:\n  - run: a\ncommit-msg:\n  jobs:\n");
        assert_eq!(place, Place::Beneath(head(), Some("jobs:".to_owned())));
        assert_eq!(lines, "  - script: keyagent.sh\n    runner: sh\n");
        let (place, lines) = addition("pre-commit:\n  scripts:\n      \"a\":\n        runner: sh\n");
        assert_eq!(place, Place::Beneath(head(), Some("scripts:".to_owned())));
        assert_eq!(lines, "      \"keyagent.sh\":\n        runner: sh\n");
    }

    #[test]
    fn a_hook_ends_where_the_next_name_begins() {
        let content = "pre-push:\n  jobs:\n    - script: keyagent.sh\n\n\"pre-commit\":\n  jobs:\n";
        let block = |hook| Block::of(content, hook);
        assert!(block(Hook::PrePush).is_some_and(|block| block.says(SCRIPT)));
        assert!(block(Hook::PreCommit).is_some_and(|block| !block.says(SCRIPT)));
        assert!(block(Hook::CommitMsg).is_none());
        assert!(Block::of("output:\n  pre-commit: x\n", Hook::PreCommit).is_none());
    }
}
