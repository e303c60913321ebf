//! What to do about what was found, as commands to paste. Knows the source, for each has its own way out.

use super::{shell_word, shown, why_unread};
use crate::problem::Problem;
use crate::scan::allow::{Settled, is_own_and_live};

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
        /// Whether git has staged for this commit alone: `git commit -a`, or with paths.
        is_for_this_commit: bool,
    },
    /// Commits that are made already.
    Commits,
    /// The same, on their way to a remote.
    Pushed,
    /// Files and folders.
    Files,
    /// A stream, or a message.
    Stream,
}

/// How to go on, in at most ten lines of 80 columns, as long as the paths are short.
pub fn way_on(settled: &Settled, source: Source<'_>) -> String {
    let mut lines = vec![String::new()];
    match source {
        Source::Staged {
            unstage,
            is_at_top,
            is_staged,
            is_for_this_commit,
        } => {
            lines.push(if is_for_this_commit {
                "to go on, take the key out of the file, or leave the file out of the commit:".to_owned()
            } else {
                "to go on, take the key out of the commit:".to_owned()
            });
            let from_top = if is_at_top { "" } else { ":/" };
            let paths = each(
                settled
                    .findings
                    .iter()
                    .map(|finding| outer(&finding.path, is_staged)),
            );
            for path in paths.iter().take(NAMED) {
                // A colon at its start would be read as pathspec magic.
                let from_top = if path.starts_with(':') { ":/" } else { from_top };
                let word = shell_word(&format!("{from_top}{path}"));
                lines.push(if is_for_this_commit {
                    format!("  {}", shell_word(path))
                } else {
                    format!("  {unstage} -- {word}")
                });
            }
            if paths.len() > NAMED {
                lines.push(format!("  and so for {} more files", paths.len() - NAMED));
            }
        }
        Source::Commits | Source::Pushed => {
            let commits = each(
                settled
                    .findings
                    .iter()
                    .filter_map(|finding| finding.commit.as_deref()),
            );
            match commits[..] {
                [commit] => {
                    let commit = commit.get(..12).unwrap_or(commit);
                    lines.push("to go on, take the key out of the commit, if it is yours alone:".to_owned());
                    lines.push(format!("  git rebase -i {commit}^"));
                    lines.push("or, if it is the first one: git rebase -i --root".to_owned());
                }
                _ => {
                    lines.push("what a commit holds stays in its history: replace the keys first".to_owned())
                }
            }
        }
        Source::Files | Source::Stream => {
            lines.push("take the key out, and name a profile in its place".to_owned());
        }
    }
    lines.push("keep it in a profile instead: aws configure --profile NAME".to_owned());
    let profiles = each(
        settled
            .findings
            .iter()
            .filter(|finding| is_own_and_live(finding))
            .filter_map(|finding| finding.profile.as_deref()),
    );
    if profiles.is_empty() {
        lines.push("if it was ever pushed, replace it: keyagent rotate -p PROFILE".to_owned());
    } else {
        let named: Vec<String> = profiles
            .iter()
            .take(NAMED)
            .map(|profile| format!(" -p {}", shell_word(profile)))
            .collect();
        lines.push("your own key is in use; if others may have seen it, replace it:".to_owned());
        lines.push(format!("  keyagent rotate{}", named.concat()));
    }
    if settled.findings.iter().all(is_own_and_live) {
        lines.push(match source {
            Source::Staged { .. } | Source::Pushed => {
                "a key in use passes no hook, whatever is allowed".to_owned()
            }
            Source::Commits | Source::Files | Source::Stream => {
                "nothing lets it pass but --allow-own".to_owned()
            }
        });
    } else {
        let command = match source {
            Source::Staged {
                is_for_this_commit: true,
                ..
            } => "git add it, then\n  keyagent scan --staged --allow \"REASON\"",
            Source::Staged { .. } => "keyagent scan --staged --allow \"REASON\"",
            Source::Pushed => "commit .keyagentallow after\n  keyagent scan --history --allow \"REASON\"",
            Source::Commits | Source::Files => "add --allow \"REASON\" to this command",
            Source::Stream => "",
        };
        if !command.is_empty() {
            lines.push(format!("if it is no live key, let it pass: {command}"));
        }
        lines.push("or write in its line, or the one above: keyagent:allow REASON".to_owned());
    }
    lines.join("\n")
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
pub fn unread(settled: &Settled, source: Source<'_>) -> Option<Problem> {
    let first = settled.unread.first()?;
    let more = match settled.unread.len() - 1 {
        0 => String::new(),
        more => format!(", nor into {more} more"),
    };
    let command = match source {
        Source::Staged { .. } => "keyagent scan --staged --allow \"REASON\"",
        Source::Pushed => "keyagent scan --history --allow \"REASON\"",
        Source::Commits | Source::Files | Source::Stream => "add --allow \"REASON\" to this command",
    };
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
mod tests {
    use super::*;

    use crate::scan::change::Finding;
    use crate::scan::detector::{Encoding, Rule};

    fn own_key(is_current: bool) -> Settled {
        Settled {
            findings: vec![Finding {
                rule: Rule::OwnKey,
                path: "a.txt".to_owned(),
                line: 1,
                column: 1,
                characters: 1..41,
                commit: None,
                access_key_id: None,
                account_id: None,
                profile: Some("dev eu".to_owned()),
                is_current,
                is_live: is_current,
                group: 1,
                preview: "abcd… (40)".to_owned(),
                fingerprint: "f".to_owned(),
                encoding: Encoding::Base64,
                allowed: None,
            }],
            ..Settled::default()
        }
    }

    #[test]
    fn an_own_live_key_is_to_be_rotated_and_cannot_be_allowed() {
        let live = way_on(&own_key(true), Source::Files);
        assert!(live.contains("\n  keyagent rotate -p 'dev eu'\n"), "{live}");
        assert!(
            live.ends_with("but --allow-own") && !live.contains("--allow \""),
            "{live}"
        );
        let text = crate::scan::report::text(&own_key(true));
        assert_eq!(
            text,
            "a.txt:1:1  own-key  abcd… (40)  profile dev eu (in use)  in base64\n"
        );
        let old = way_on(&own_key(false), Source::Files);
        assert!(
            old.contains("--allow \"REASON\"") && old.contains("-p PROFILE"),
            "{old}"
        );
    }

    #[test]
    fn a_commit_is_named_when_it_is_the_only_one() {
        let mut settled = own_key(false);
        settled.findings[0].commit = Some("0123456789abcdef".to_owned());
        let text = way_on(&settled, Source::Commits);
        assert!(text.contains("  git rebase -i 0123456789ab^\n"), "{text}");
    }

    #[test]
    fn what_lies_in_a_container_is_unstaged_with_it() {
        let is_staged = |path: &str| ["a!b.zip", "c"].contains(&path);
        assert_eq!(outer("a!b.zip!d.txt", &is_staged), "a!b.zip");
        assert_eq!(outer("c", &is_staged), "c");
        assert_eq!(outer("x!y", &is_staged), "x!y");
    }
}
