//! What to do about what was found, as commands to paste. Knows the source, for each has its own way out.

use std::path::Path;

use super::{shell_word, shown, why_unread};
use crate::git::{Operation, Standing};
use crate::problem::Problem;
use crate::scan::allow::{Settled, is_own_and_live};

mod commits;
mod typed;

use commits::committed;
pub use typed::Typed;

/// How many paths or profiles are named one by one.
const NAMED: usize = 3;

/// Where the findings come from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// The index.
    Staged {
        /// The command that takes a path out of it: another one while there is no commit to go back to.
        unstage: &'static str,
        /// Whether the person's own folder is the top of the repository, from which paths count.
        is_at_top: bool,
        /// Whether a path is one of the index: what lies in a container has none.
        is_staged: &'a dyn Fn(&str) -> bool,
        /// Which index it is.
        index: Index,
    },
    /// Commits that are made already.
    Commits,
    /// The same, on their way to a remote.
    Pushed,
    /// Files and folders.
    Files,
    /// A stream.
    Stream,
    /// The message of a commit that is being made, in this file.
    Message(&'a Path),
}

/// The index that a commit takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// The repository's own.
    Own,
    /// One for this commit alone, from all that was changed: `git commit -a`.
    ForThisCommit,
    /// One for this commit alone, from the last one and some paths: `git commit PATH`.
    OfPaths,
}

/// What the repository says about the findings, where it was asked.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What git is in the middle of.
    pub operation: Option<Operation>,
    /// The commit or tag that holds the findings, or the oldest of those that are on their way.
    pub place: Option<(String, Standing)>,
    /// What is on its way to a remote, as git log takes it.
    pub range: Option<String>,
    /// What was typed beside the message of the commit that is being made; `None` where that is not known.
    pub typed: Option<Typed>,
    /// A file of one machine that holds findings, and is no part of the last commit.
    pub may_be_ignored: Option<String>,
}

/// How to go on, in at most twelve lines of 80 columns, as long as the paths are short.
pub fn way_on(settled: &Settled, source: Source<'_>, facts: &Facts) -> String {
    let mut lines = vec![String::new()];
    match source {
        Source::Staged { .. } => staged(settled, source, facts, &mut lines),
        Source::Commits | Source::Pushed => committed(settled, source, facts, &mut lines),
        Source::Message(file) => message(file, facts, &mut lines),
        Source::Files | Source::Stream => {
            lines.push("take the key out, and name a profile in its place".to_owned());
        }
    }
    lines.push("keep it in a profile instead: aws configure --profile NAME".to_owned());
    replaced(settled, &mut lines);
    if settled.findings.iter().all(is_own_and_live) {
        lines.push(match source {
            Source::Staged { .. } | Source::Pushed | Source::Message(_) => {
                "a key in use passes no hook, whatever is allowed".to_owned()
            }
            Source::Commits | Source::Files | Source::Stream => {
                "nothing lets it pass but --allow-own".to_owned()
            }
        });
    } else {
        allowed(source, facts, &mut lines);
    }
    lines.join("\n")
}

fn staged(settled: &Settled, source: Source<'_>, facts: &Facts, lines: &mut Vec<String>) {
    let Source::Staged {
        unstage,
        is_at_top,
        is_staged,
        index,
    } = source
    else {
        return;
    };
    let is_for_this_commit = match index {
        Index::Own => false,
        Index::ForThisCommit | Index::OfPaths => true,
    };
    let from_top = if is_at_top { "" } else { ":/" };
    let paths = each(
        settled
            .findings
            .iter()
            .map(|finding| outer(&finding.path, is_staged)),
    );
    // A colon at its start would be read as pathspec magic.
    let word = |path: &str| pathspec(path, if path.starts_with(':') { ":/" } else { from_top });
    if let Some(operation) = facts.operation {
        // To unstage would drop what the other side, or the patch, has brought.
        lines.push("to go on, take the key out of the file, then:".to_owned());
        let words: Vec<String> = paths.iter().take(NAMED).map(|path| word(path)).collect();
        let more = if paths.len() > NAMED { " …" } else { "" };
        lines.push(format!("  git add -- {}{more}", words.join(" ")));
        lines.push(format!("  {}", operation.way_on()));
        return;
    }
    lines.push(if is_for_this_commit {
        "to go on, take the key out of the file, or leave the file out of the commit:".to_owned()
    } else {
        "to go on, take the key out of the commit:".to_owned()
    });
    for path in paths.iter().take(NAMED) {
        lines.push(if is_for_this_commit {
            format!("  {}", shell_word(path))
        } else {
            format!("  {unstage} -- {}", word(path))
        });
    }
    match paths.len().saturating_sub(NAMED) {
        0 => {}
        1 => lines.push("  and so for one more file".to_owned()),
        more => lines.push(format!("  and so for {more} more files")),
    }
    if let (true, Some(path)) = (is_at_top, &facts.may_be_ignored) {
        // The last line of the file may have no end.
        lines.push("so that git leaves it out:".to_owned());
        lines.push(format!("  printf '\\n%s\\n' {} >> .gitignore", shell_word(path)));
    }
}

fn message(file: &Path, facts: &Facts, lines: &mut Vec<String>) {
    if facts.operation == Some(Operation::Am) {
        lines.push("to go on, take the key out of the patch's message, after:".to_owned());
        lines.push("  git am --abort".to_owned());
        return;
    }
    lines.push("to go on, take the key out of the message, which git has kept:".to_owned());
    lines.push(match facts.operation {
        Some(Operation::Merge) => "  git commit".to_owned(),
        Some(Operation::Rebase) => "  git commit --amend".to_owned(),
        Some(Operation::Am | Operation::CherryPick | Operation::Revert) | None => {
            let typed = facts.typed.clone().unwrap_or_default();
            let mut words = vec!["git commit".to_owned()];
            words.extend(typed.options);
            words.push(format!("-e -F {}", shell_word(&file.to_string_lossy())));
            if !typed.paths.is_empty() {
                words.push("--".to_owned());
                words.extend(typed.paths);
            }
            format!("  {}", words.join(" "))
        }
    });
    if facts.operation.is_none() && facts.typed.is_none() {
        lines.push("and give it the same options again: --amend, -a, paths, if you did".to_owned());
    }
}

/// What to do about the key itself.
fn replaced(settled: &Settled, lines: &mut Vec<String>) {
    let profiles = each(
        settled
            .findings
            .iter()
            .filter(|finding| is_own_and_live(finding))
            .filter_map(|finding| finding.profile.as_deref()),
    );
    let words = if profiles.is_empty() {
        "if it was ever pushed"
    } else {
        "your own key is in use; if others may have seen it"
    };
    if !cfg!(feature = "aws") {
        // Without AWS's code there is no `keyagent rotate`.
        if profiles.is_empty() {
            lines.push(format!("{words}, replace it: aws iam create-access-key"));
        } else {
            lines.push(format!("{words}, replace it:"));
            lines.push("  aws iam create-access-key".to_owned());
        }
        lines.push("  aws iam update-access-key --status Inactive --access-key-id KEY_ID".to_owned());
    } else if profiles.is_empty() {
        lines.push(format!("{words}, replace it: keyagent rotate -p PROFILE"));
    } else {
        let named: Vec<String> = profiles
            .iter()
            .take(NAMED)
            .map(|profile| format!(" -p {}", shell_word(profile)))
            .collect();
        lines.push(format!("{words}, replace it:"));
        lines.push(format!("  keyagent rotate{}", named.concat()));
    }
}

fn allowed(source: Source<'_>, facts: &Facts, lines: &mut Vec<String>) {
    const NO_LIVE_KEY: &str = "if it is no live key, let it pass:";
    const MARKER: &str = "or write in its line, or the one above: keyagent:allow REASON";
    match source {
        Source::Staged { index, .. } => {
            match index {
                Index::Own => lines.push(format!("{NO_LIVE_KEY} keyagent scan --staged --allow \"REASON\"")),
                Index::ForThisCommit => {
                    lines.push(format!("{NO_LIVE_KEY} git add it, then"));
                    lines.push("  keyagent scan --staged --allow \"REASON\"".to_owned());
                }
                Index::OfPaths => {
                    lines.push(format!("{NO_LIVE_KEY} git add it, then"));
                    lines.push("  keyagent scan --staged --allow \"REASON\"".to_owned());
                    lines.push("  and name .keyagentallow too when you commit".to_owned());
                }
            }
            lines.push(MARKER.to_owned());
        }
        Source::Pushed => {
            if let Some(command) = allow_pushed(facts) {
                lines.push("if it is no live key, let it pass, and commit .keyagentallow:".to_owned());
                lines.push(format!("  {command}"));
            }
        }
        Source::Commits | Source::Files => {
            lines.push(format!("{NO_LIVE_KEY} add --allow \"REASON\" to this command"));
            lines.push(MARKER.to_owned());
        }
        Source::Stream | Source::Message(_) => {
            lines.push(format!("{NO_LIVE_KEY} write in its line, or the one above:"));
            lines.push("  keyagent:allow REASON".to_owned());
        }
    }
}

/// What lets pass all that is found in what is pushed, and nothing else.
fn allow_pushed(facts: &Facts) -> Option<String> {
    let range = facts.range.as_deref()?;
    Some(format!("keyagent scan --commits \"{range}\" --allow \"REASON\""))
}

/// A path as git's commands take it, and as a word of a shell. What cannot be typed is matched by a question mark.
fn pathspec(path: &str, from_top: &str) -> String {
    let mut spec = from_top.to_owned();
    for c in path.chars() {
        if matches!(c, '*' | '[' | '\\') {
            spec.push('\\');
        }
        spec.push(c);
    }
    shell_word(&spec)
}

/// Whether a file by its name holds what is one machine's or one person's own, and is left out of most repositories.
fn is_for_one_machine(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_sample = ["example", "sample", "template", "dist"]
        .iter()
        .any(|word| name.ends_with(word));
    (name == ".env" || name.starts_with(".env.") || name == "credentials" || name == "rootkey.csv")
        && !is_sample
        || name.ends_with("accessKeys.csv")
        || name.ends_with(".tfstate")
}

/// The staged files that hold findings, and by their names are one machine's own.
pub fn for_one_machine(settled: &Settled, source: Source<'_>) -> Vec<String> {
    let Source::Staged { is_staged, .. } = source else {
        return Vec::new();
    };
    each(
        settled
            .findings
            .iter()
            .map(|finding| outer(&finding.path, is_staged)),
    )
    .into_iter()
    .filter(|path| is_for_one_machine(path))
    .map(str::to_owned)
    .collect()
}

/// What could not be read at all, as one failure that names the first.
pub fn failure(settled: &Settled) -> Option<Problem> {
    let first = settled.failures.first()?;
    Some(match settled.failures.len() - 1 {
        0 => first.clone(),
        more => Problem {
            error: format!("{}, nor {more} more", first.error),
            ..first.clone()
        },
    })
}

/// What was not looked into, as a failure: nobody may take it for clean.
pub fn unread(settled: &Settled, source: Source<'_>, facts: &Facts) -> Option<Problem> {
    let first = settled.unread.first()?;
    let more = match settled.unread.len() - 1 {
        0 => String::new(),
        more => format!(", nor into {more} more"),
    };
    let command = match source {
        Source::Staged { .. } => Some("keyagent scan --staged --allow \"REASON\"".to_owned()),
        Source::Pushed => allow_pushed(facts),
        Source::Commits | Source::Files | Source::Stream | Source::Message(_) => None,
    };
    let command = command.unwrap_or_else(|| "add --allow \"REASON\" to this command".to_owned());
    Some(Problem::new(
        format!("cannot look into {}{more}", shown(&first.path)),
        why_unread(first.why),
        format!("if you know that it holds no key: {command}"),
    ))
}

/// The path in the index that holds it: in front of an exclamation mark, where it lies in a container.
fn outer<'a>(path: &'a str, is_staged: &dyn Fn(&str) -> bool) -> &'a str {
    if is_staged(path) {
        return path;
    }
    let ends = path.match_indices('!').map(|(at, _)| &path[..at]);
    ends.filter(|path| is_staged(path)).last().unwrap_or(path)
}

/// Each once, in the order in which they come.
fn each<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    all.filter(|one| seen.insert(*one)).collect()
}

#[cfg(test)]
mod tests;
