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
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|c| !of_base64(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        if may_be_secret(run) {
            shown.push_str(&beginning(run));
        } else {
            shown.push_str(run);
        }
        let other = after.find(of_base64).unwrap_or(after.len());
        shown.push_str(&after[..other]);
        rest = &after[other..];
    }
    shown
}

/// The first 4 characters of a run of base64's, and its length.
pub fn beginning(run: &str) -> String {
    format!("{}… ({} characters)", &run[..4], run.len())
}

/// A run of base64's characters that is long enough, and no name: words change between capitals, small letters and digits
/// now and then, what was drawn at random at every second character. Of 10,000 secrets of 40 characters one changes so seldom.
pub fn may_be_secret(run: &str) -> bool {
    let class = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(0),
        b'a'..=b'z' => Some(1),
        b'0'..=b'9' => Some(2),
        _ => None,
    };
    let classes: Vec<u8> = run.as_bytes().iter().filter_map(class).collect();
    let has = |class| classes.contains(&class);
    let changes = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    run.len() >= SHORTEST_SECRET && has(0) && has(1) && 10 * changes > 3 * classes.len()
}

/// As long as a secret access key.
pub const SHORTEST_SECRET: usize = 40;

/// The runs of base64's characters in a text that are as long as a secret.
pub fn long_runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !of_base64(c))
        .filter(|run| run.len() >= SHORTEST_SECRET)
}

fn of_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/".contains(c)
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
            "AdministratorAccessProductionEuCentral1Account",
            "Documents/GitHub/Company/Infrastructure/TerraformModules",
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
