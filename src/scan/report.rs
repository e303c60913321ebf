//! How a scan is told: to people in text, to programs in JSON, SARIF or GitHub's annotations. Never prints by itself,
//! and never knows more of a secret than its first four characters.

use serde::Serialize;

use super::Scanned;
use super::allow::Settled;
use super::change::{Bound, Finding, Packing};
use super::detector::Rule;
use crate::git;
use crate::problem::Problem;

mod github;
mod sarif;
mod text;
mod way_on;

pub use github::github;
pub use sarif::sarif;
pub use text::text;
pub use way_on::{Facts, Index, Source, Typed, failure, for_one_machine, unread, way_on};

/// How the result of a scan is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One document that begins with its schema.
    Json,
    /// SARIF 2.1.0, for code scanning and editors.
    Sarif,
    /// Annotations of a GitHub Actions run.
    Github,
}

/// The document `keyagent.scan/1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    scanned: Scanned,
    findings: &'a [Finding],
    allowed: usize,
    unread: Vec<NotLookedInto<'a>>,
    errors: &'a [Problem],
}

#[derive(Serialize)]
struct NotLookedInto<'a> {
    path: &'a str,
    why: &'static str,
    fingerprint: Option<&'a str>,
}

/// The document `keyagent.scan/1`, with a newline at its end.
///
/// # Errors
///
/// None in practice: the document holds text and numbers only.
pub fn json(settled: &Settled) -> Result<String, serde_json::Error> {
    let document = Document {
        schema: "keyagent.scan/1",
        scanned: settled.scanned,
        findings: &settled.findings,
        allowed: settled.allowed,
        unread: settled
            .unread
            .iter()
            .map(|unread| NotLookedInto {
                path: &unread.path,
                why: why_unread(unread.why),
                fingerprint: Some(&*unread.fingerprint).filter(|fingerprint| !fingerprint.is_empty()),
            })
            .collect(),
        errors: &settled.failures,
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// What was looked at, and what came of it: `scanned 3 blobs, 4.2 kB: 2 findings, 1 allowed`.
pub fn summary(settled: &Settled) -> String {
    let Scanned { blobs, bytes } = settled.scanned;
    let found = match settled.findings.len() {
        0 if settled.unreached > 0 => "no keys in any commit".to_owned(),
        0 => "no keys".to_owned(),
        found => counted(found, "finding"),
    };
    let what = if settled.is_message { "message" } else { "blob" };
    let mut text = format!("scanned {}, {}: {found}", counted(blobs, what), size(bytes));
    if settled.allowed > 0 {
        text.push_str(&format!(", {} allowed", settled.allowed));
    }
    if !settled.unread.is_empty() {
        text.push_str(&format!(", {} not looked into", settled.unread.len()));
    }
    if !settled.failures.is_empty() {
        text.push_str(&format!(", {} not read", settled.failures.len()));
    }
    if settled.ignored > 0 {
        text.push_str(&format!(
            "\npassed over {}, as .gitignore says; to read all: --no-ignore",
            if settled.ignored == 1 {
                "one file or folder".to_owned()
            } else {
                format!("{} files or folders", settled.ignored)
            }
        ));
    }
    if settled.unreached > 0 {
        let what = match settled.unreached {
            1 => "one object that no commit has (staged once, or left by an amend) holds a key".to_owned(),
            many => format!("{many} objects that no commit has (staged once, or left behind) hold keys"),
        };
        text.push_str(&format!("\n{what}:\n  keyagent scan --history --all-objects"));
    }
    text
}

/// A path without the characters that would steer a terminal or break a line.
pub fn shown(path: &str) -> String {
    path.chars()
        .flat_map(|c| {
            // Behind U+202A and U+2066 the direction of writing turns, and a name can look like another.
            if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// A path as a word of a POSIX shell; one that cannot be typed as a whole is matched with `?`.
pub fn shell_word(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@,:".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path.to_owned();
    }
    // git matches `?` in a pathspec with any one byte or character; a literal path cannot hold what was replaced.
    let typed: String = path
        .chars()
        .map(|c| {
            if c.is_control() || c == char::REPLACEMENT_CHARACTER {
                '?'
            } else {
                c
            }
        })
        .collect();
    format!("'{}'", typed.replace('\'', r"'\''"))
}

/// Why a content was not looked into.
pub fn why_unread(bound: Bound) -> &'static str {
    match bound {
        Bound::Depth => "it is packed in too many layers",
        Bound::Size => "it is too large when unpacked",
        Bound::Encrypted => "it is encrypted",
        Bound::NotUnpacked(Packing::Xz) => "it is packed with xz, which keyagent does not unpack",
        Bound::NotUnpacked(Packing::Zstandard) => "it is packed with zstd, which keyagent does not unpack",
        Bound::NotUnpacked(Packing::Bzip2) => "it is packed with bzip2, which keyagent does not unpack",
        Bound::NotUnpacked(Packing::SevenZip) => "it is a 7-Zip archive, which keyagent does not unpack",
        Bound::NotUnpacked(Packing::Rar) => "it is a RAR archive, which keyagent does not unpack",
        Bound::NotUnpacked(Packing::GitBundle) => "it is a git bundle, which keyagent does not unpack",
        Bound::Unreadable => "it is damaged, or packed in a way that keyagent does not know",
    }
}

/// What a rule finds, in words.
fn name(rule: Rule) -> &'static str {
    match rule {
        Rule::AccessKeyId => "AWS access key ID",
        Rule::SecretAccessKey => "AWS secret access key",
        Rule::SessionToken => "AWS session token",
        Rule::OwnKey => "AWS key of a profile on this machine",
    }
}

/// What is known about a finding beyond its value, as fragments.
fn known(finding: &Finding) -> Vec<String> {
    let mut known = Vec::new();
    if let Some(account) = &finding.account_id {
        known.push(format!("account {account}"));
    }
    if let Some(profile) = &finding.profile {
        let state = if finding.is_current { "in use" } else { "replaced" };
        known.push(format!("profile {} ({state})", shown(profile)));
    } else if finding.rule == Rule::OwnKey {
        known.push("a key of yours".to_owned());
    }
    if let Some(commit) = &finding.commit {
        known.push(format!("commit {}", git::abbreviated(commit)));
    }
    known
}

/// `1 blob`, `2 blobs`.
fn counted(count: impl TryInto<u64>, what: &str) -> String {
    match count.try_into() {
        Ok(1) => format!("1 {what}"),
        Ok(count) => format!("{count} {what}s"),
        Err(_) => format!("many {what}s"),
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return counted(bytes, "byte");
    }
    let kilobytes = bytes as f64 / 1e3;
    match kilobytes {
        ..1e3 => format!("{kilobytes:.1} kB"),
        ..1e6 => format!("{:.1} MB", kilobytes / 1e3),
        _ => format!("{:.1} GB", kilobytes / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_how_much_was_looked_at() {
        let mut settled = Settled {
            scanned: Scanned {
                blobs: 1,
                bytes: 12_340_000,
            },
            ..Settled::default()
        };
        assert_eq!(summary(&settled), "scanned 1 blob, 12.3 MB: no keys");
        settled.allowed = 2;
        settled.scanned = Scanned { blobs: 2, bytes: 90 };
        assert_eq!(summary(&settled), "scanned 2 blobs, 90 bytes: no keys, 2 allowed");
    }

    #[test]
    fn paths_cannot_steer_a_terminal_or_a_shell() {
        assert_eq!(shown("a\u{1b}[31m\nb\u{202e}c"), "a\\u{1b}[31m\\nb\\u{202e}c");
        assert_eq!(shell_word("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(shell_word("a\nb"), "'a?b'");
    }
}
