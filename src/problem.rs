//! The three lines in which every failure is told. Knows no module's errors: each module turns its own into one.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What failed, why, and what to type next.
///
/// The words are fragments in lower case without a final period. None of them may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What could not be done: `cannot rotate profile dev`.
    pub error: String,
    /// Why: the innermost reason, with AWS's own code in brackets where there is one.
    pub cause: String,
    /// What to do, as a command to paste wherever there is one.
    pub hint: String,
}

impl Problem {
    /// Puts the three parts together.
    pub fn new(error: impl Into<String>, cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            cause: cause.into(),
            hint: hint.into(),
        }
    }

    /// What failed and why in one line, for formats that have no room for three.
    pub fn in_one_line(&self) -> String {
        format!("{}: {}", self.error, self.cause)
    }
}

/// A path as a POSIX shell takes it.
pub fn quoted(path: &Path) -> String {
    word(&path.display().to_string())
}

/// A word as a POSIX shell takes it: in single quotes unless it needs none.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// What was typed or read, as it may be repeated: of whatever may be a secret access key or a session token, its first 4
/// characters and the length.
pub fn guarded(text: &str) -> String {
    let of_base64 = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|c| !of_base64(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        if may_be_secret(run) {
            shown.push_str(&format!("{}… ({} characters)", &run[..4], run.len()));
        } else {
            shown.push_str(run);
        }
        let other = after.find(of_base64).unwrap_or(after.len());
        shown.push_str(&after[..other]);
        rest = &after[other..];
    }
    shown
}

/// A run of base64's characters. A path can be one as well: it begins with its slash, and has many.
fn may_be_secret(run: &str) -> bool {
    let has = |class: fn(&u8) -> bool| run.bytes().any(|byte| class(&byte));
    let is_path = run.len() > 40 && run.starts_with('/') && run.split('/').all(|name| name.len() <= 30);
    run.len() >= 40 && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && !is_path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_cut() {
        let secret = format!("{}{}", "wJalrXUtnFEMI/K7MDENG", "/bPxRfiCYzEXAMPLEKE");
        assert_eq!(secret.len(), 40);
        assert_eq!(
            guarded(&format!("'{secret}' for x")),
            "'wJal… (40 characters)' for x"
        );
        assert_eq!(
            guarded(&format!("--name={secret}é")),
            "--name=wJal… (40 characters)é"
        );
        for plain in [
            "",
            "dev",
            "/Users/ann/Work/projects/keyagent/target/release",
            &"a".repeat(64),
        ] {
            assert_eq!(guarded(plain), plain);
        }
    }

    #[test]
    fn words_are_safe_to_paste() {
        assert_eq!(word("dev-eu"), "dev-eu");
        assert_eq!(word("it's; rm"), r"'it'\''s; rm'");
    }
}
