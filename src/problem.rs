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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_safe_to_paste() {
        assert_eq!(word("dev-eu"), "dev-eu");
        assert_eq!(word("it's; rm"), r"'it'\''s; rm'");
    }
}
