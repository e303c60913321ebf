//! How a scan is told: the JSON document of the contract, and text for people. Never prints by itself.

use serde::Serialize;

use super::detector::Rule;
use super::{Finding, Scan, Scanned};

/// How many findings are shown one by one in text.
const SHOWN: usize = 10;

/// The document `keyagent.scan/1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    scanned: Scanned,
    findings: &'a [Finding],
}

/// The document `keyagent.scan/1`, with a newline at its end.
///
/// # Errors
///
/// None in practice: the document holds text and numbers only.
pub fn json(scan: &Scan) -> Result<String, serde_json::Error> {
    let document = Document {
        schema: "keyagent.scan/1",
        scanned: scan.scanned,
        findings: &scan.findings,
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// A line for each finding, the first ten of them.
pub fn text(scan: &Scan) -> String {
    let mut text = String::new();
    for finding in scan.findings.iter().take(SHOWN) {
        let Finding {
            path,
            line,
            column,
            rule,
            preview,
            account_id,
            ..
        } = finding;
        text.push_str(&format!(
            "{}:{line}:{column}  {}  {preview}",
            shown(path),
            rule.as_str()
        ));
        if let Some(account) = account_id {
            text.push_str(&format!("  account {account}"));
        }
        text.push_str(&whose(finding));
        text.push('\n');
    }
    if scan.findings.len() > SHOWN {
        let more = scan.findings.len() - SHOWN;
        text.push_str(&format!("and {more} more; to see all, add --format json\n"));
    }
    text
}

/// For a key of one's own: of which profile, and whether it is the one that it has now.
fn whose(finding: &Finding) -> String {
    if finding.rule != Rule::OwnKey {
        return String::new();
    }
    let age = if finding.is_current { "current" } else { "replaced" };
    match &finding.profile {
        Some(profile) => format!("  your {age} key of profile {}", shown(profile)),
        None => format!("  your {age} key"),
    }
}

/// What was looked at without a finding: `scanned 3 blobs, 4.2 kB: no keys`.
pub fn nothing_found(scanned: Scanned) -> String {
    let plural = if scanned.blobs == 1 { "" } else { "s" };
    format!(
        "scanned {} blob{plural}, {:.1} kB: no keys",
        scanned.blobs,
        scanned.bytes as f64 / 1000.0
    )
}

/// The paths that hold findings, each once, in their order.
pub fn paths(scan: &Scan) -> Vec<&str> {
    let mut paths: Vec<&str> = scan
        .findings
        .iter()
        .map(|finding| finding.path.as_str())
        .collect();
    paths.dedup();
    paths
}

/// A path without the characters that would steer a terminal or break a line.
pub fn shown(path: &str) -> String {
    path.chars()
        .flat_map(|c| {
            if c.is_control() {
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
    if !path.is_empty() && path.chars().all(is_plain) && !path.starts_with(':') {
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
