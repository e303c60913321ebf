//! What of a `git commit` that somebody typed is to be typed again, where only its message is to be another one. Pure.

use std::path::Path;

use crate::problem::{guarded, word};

/// What stands beside the message, as words of a shell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// Each option with its value.
    pub options: Vec<String>,
    /// The paths, where only they are committed.
    pub paths: Vec<String>,
}

/// More of them are not said again.
const PATHS: usize = 3;

/// The long options of git-commit(1), and whether a value follows.
const LONG: [(&str, bool); 37] = [
    ("all", false),
    ("allow-empty", false),
    ("allow-empty-message", false),
    ("amend", false),
    ("author", true),
    ("branch", false),
    ("cleanup", true),
    ("date", true),
    ("dry-run", false),
    ("edit", false),
    ("file", true),
    ("fixup", true),
    ("gpg-sign", false),
    ("include", false),
    ("interactive", false),
    ("long", false),
    ("message", true),
    ("no-edit", false),
    ("no-gpg-sign", false),
    ("no-post-rewrite", false),
    ("no-signoff", false),
    ("no-status", false),
    ("no-verify", false),
    ("only", false),
    ("patch", false),
    ("pathspec-file-nul", false),
    ("pathspec-from-file", true),
    ("porcelain", false),
    ("quiet", false),
    ("reedit-message", true),
    ("reset-author", false),
    ("reuse-message", true),
    ("short", false),
    ("signoff", false),
    ("squash", true),
    ("template", true),
    ("trailer", true),
];

impl Typed {
    /// Of the command line nearest to keyagent that is git's; `None` where it is no `git commit`, or what it says cannot
    /// be said again in a line.
    pub fn of(command_lines: &[Vec<String>]) -> Option<Self> {
        let is_git = |line: &&Vec<String>| {
            line.first()
                .and_then(|program| Path::new(program).file_stem())
                .is_some_and(|name| name == "git")
        };
        let mut words = command_lines.iter().find(is_git)?.iter().skip(1);
        loop {
            match words.next()?.as_str() {
                "commit" => break,
                "-c" => drop(words.next()),
                // In another folder than this one the paths mean something else.
                option if option.starts_with('-') && !option.starts_with("-C") => {}
                _ => return None,
            }
        }
        let mut typed = Self::default();
        while let Some(text) = words.next() {
            if text == "--" {
                typed.paths.extend(words.by_ref().map(|path| word(path)));
            } else if let Some(long) = text.strip_prefix("--") {
                typed.long(long, &mut words)?;
            } else if text.len() > 1 && text.starts_with('-') {
                typed.short(&text[1..], &mut words)?;
            } else {
                typed.paths.push(word(text));
            }
        }
        let is_plain = |word: &String| guarded(word) == *word;
        let can_be_said = typed.options.iter().chain(&typed.paths).all(is_plain);
        (can_be_said && typed.paths.len() <= PATHS).then_some(typed)
    }

    /// git takes the beginning of a name for the name, where it is the only one.
    fn long<'a>(&mut self, text: &str, words: &mut impl Iterator<Item = &'a String>) -> Option<()> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let mut fitting = LONG.iter().filter(|(known, _)| known.starts_with(name));
        let (name, has_value) = match LONG.iter().find(|(known, _)| *known == name) {
            Some(exact) => exact,
            None => fitting.next().filter(|_| fitting.next().is_none())?,
        };
        let value = match value {
            Some(value) => Some(value),
            None if *has_value => Some(words.next()?.as_str()),
            None => None,
        };
        match (*name, value) {
            ("interactive" | "patch" | "pathspec-from-file" | "dry-run", _) => return None,
            ("all" | "allow-empty" | "amend" | "include" | "only" | "reset-author", _) => {
                self.options.push(format!("--{name}"));
            }
            ("author" | "date", Some(value)) => self.options.push(word(&format!("--{name}={value}"))),
            _ => {}
        }
        Some(())
    }

    fn short<'a>(&mut self, letters: &str, words: &mut impl Iterator<Item = &'a String>) -> Option<()> {
        for (at, letter) in letters.char_indices() {
            match letter {
                'a' | 'i' | 'o' => self.options.push(format!("-{letter}")),
                'p' => return None,
                'm' | 'F' | 'C' | 'c' | 't' => {
                    if at + 1 == letters.len() {
                        words.next()?;
                    }
                    break;
                }
                // What follows in the same word is its value.
                'S' | 'u' => break,
                _ => {}
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(line: &str) -> Option<String> {
        let line = line.split(' ').map(str::to_owned).collect();
        let typed = Typed::of(&[vec!["sh".to_owned(), "hook".to_owned()], line])?;
        Some([typed.options, typed.paths].concat().join(" "))
    }

    #[test]
    fn all_but_the_message_is_said_again() {
        for (typed, said) in [
            ("git commit -m x", ""),
            ("/usr/bin/git -c a.b=c commit --amend -m x", "--amend"),
            ("git commit --am --mess=x", "--amend"),
            ("git commit -qam x", "-a"),
            ("git commit -amx --author A", "-a --author=A"),
            ("git commit --message x -- a b", "a b"),
            ("git commit -o a -F file", "-o a"),
        ] {
            assert_eq!(again(typed).as_deref(), Some(said), "{typed}");
        }
    }

    #[test]
    fn what_is_not_sure_is_not_said() {
        for typed in [
            "git merge x",
            "git -C folder commit a",
            "git commit -p",
            "git commit --unheard-of",
            "git commit --pathspec-from-file=x",
            "git commit -- a b c d",
            "python commit",
        ] {
            assert_eq!(again(typed), None, "{typed}");
        }
        let secret = format!("--author={}", "wJalrXUtnFEMI7MDENGb".repeat(2));
        assert_eq!(again(&format!("git commit {secret}")), None);
    }
}
