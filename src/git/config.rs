//! What git would strip from a commit message before it makes the commit.

use std::path::Path;

use super::{Error, git, not_started};
use crate::process::Environment;

/// Drawn by `git commit --verbose` above the diff that it shows and then drops.
const SCISSORS: &str = " ------------------------ >8 ------------------------";
/// The characters among which `core.commentChar = auto` chooses.
const AUTOMATIC: &str = "#;@!$%^&|:";

/// Which lines of a commit message file never become part of the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRules {
    /// The starts that mark a comment; several where git chooses.
    comments: Vec<String>,
    drops_comments: bool,
    cuts_at_scissors: bool,
}

impl MessageRules {
    /// Those of the repository at `cwd`, or git's own outside of one.
    ///
    /// # Errors
    ///
    /// When there is no git, or its configuration cannot be read.
    pub fn of(cwd: &Path, environment: &Environment) -> Result<Self, Error> {
        let output = git(cwd)
            .args(["config", "-z", "--get-regexp"])
            .arg(r"^(core\.comment(char|string)|commit\.cleanup)$")
            .output()
            .map_err(not_started)?;
        // 1: none of them is set.
        if !matches!(output.status.code(), Some(0 | 1)) {
            return Err(Error::told("config", &String::from_utf8_lossy(&output.stderr)));
        }
        // git tells a hook that nobody saw the message in an editor.
        let was_edited = environment.get_str("GIT_EDITOR") != Some(":");
        Ok(Self::from_config(
            &String::from_utf8_lossy(&output.stdout),
            was_edited,
        ))
    }

    /// `NAME LF VALUE NUL` for each setting, the last of a name counting; builtin/commit.c says what follows from them.
    fn from_config(config: &str, was_edited: bool) -> Self {
        let (mut comment, mut cleanup) = ("#", "default");
        for (name, value) in config.split('\0').filter_map(|entry| entry.split_once('\n')) {
            match name {
                "commit.cleanup" => cleanup = value,
                _ => comment = value,
            }
        }
        let is_automatic = comment == "auto";
        let comments = if is_automatic {
            AUTOMATIC.chars().map(String::from).collect()
        } else {
            vec![comment.to_owned()]
        };
        let is_default = cleanup == "default";
        Self {
            comments,
            // Which of the characters was chosen is not known here: all lines stay.
            drops_comments: !is_automatic && (cleanup == "strip" || is_default && was_edited),
            cuts_at_scissors: was_edited || cleanup == "scissors",
        }
    }

    /// The message with the lines left empty that git drops, so that the others keep their numbers.
    pub fn kept(&self, message: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(message.len());
        let mut lines = message.split_inclusive(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            // git writes its explanation below; without it somebody typed the line, and what follows is committed.
            if self.cuts_at_scissors
                && self.is_scissors(line)
                && lines.peek().is_some_and(|next| self.is_comment(next))
            {
                break;
            }
            if self.drops_comments && self.is_comment(line) {
                kept.push(b'\n');
            } else {
                kept.extend_from_slice(line);
            }
        }
        kept
    }

    fn is_comment(&self, line: &[u8]) -> bool {
        self.comments
            .iter()
            .any(|start| line.starts_with(start.as_bytes()))
    }

    fn is_scissors(&self, line: &[u8]) -> bool {
        self.comments.iter().any(|start| {
            line.strip_prefix(start.as_bytes())
                .is_some_and(|rest| rest.trim_ascii_end() == SCISSORS.as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(config: &str, was_edited: bool, message: &str) -> String {
        let kept = MessageRules::from_config(config, was_edited).kept(message.as_bytes());
        String::from_utf8(kept).unwrap()
    }

    #[test]
    fn what_git_drops_is_dropped_and_nothing_else() {
        let message = format!("a\n# b\n;c\n#{SCISSORS}\n# Everything below is ignored.\ndiff\n");
        assert_eq!(kept("", true, &message), "a\n\n;c\n");
        // git commit -m keeps every line.
        assert_eq!(kept("", false, &message), message);
        assert_eq!(kept("commit.cleanup\nverbatim\0", true, &message), "a\n# b\n;c\n");
        assert_eq!(
            kept("core.commentchar\n;\0", true, &message),
            message.replace(";c", "")
        );
        assert_eq!(kept("core.commentchar\nauto\0", true, &message), "a\n# b\n;c\n");
        let typed = format!("a\n#{SCISSORS}\nkept\n");
        assert_eq!(kept("", true, &typed), "a\n\nkept\n");
    }
}
