//! SARIF 2.1.0 (OASIS), as code scanning reads it. Has no snippets: a snippet would hold the secret.

use serde_json::{Value, json};

use super::{known, name, why_unread};
use crate::scan::allow::Settled;
use crate::scan::change::Finding;
use crate::scan::detector::Rule;

const RULES: [Rule; 4] = [
    Rule::AccessKeyId,
    Rule::SecretAccessKey,
    Rule::SessionToken,
    Rule::OwnKey,
];

/// A log with one run, and a newline at its end.
///
/// # Errors
///
/// None in practice: the document holds text and numbers only.
pub fn sarif(settled: &Settled) -> Result<String, serde_json::Error> {
    let notifications: Vec<Value> = settled
        .unread
        .iter()
        .map(|unread| {
            json!({
                "level": "error",
                "message": { "text": format!("not looked into: {}", why_unread(unread.why)) },
                "locations": [{ "physicalLocation": { "artifactLocation": artifact(&unread.path) } }],
            })
        })
        .chain(settled.failures.iter().map(|problem| {
            json!({
                "level": "error",
                "message": { "text": problem.in_one_line() },
            })
        }))
        .collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "keyagent",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": RULES.map(rule),
            }},
            "invocations": [{
                "executionSuccessful": settled.unread.is_empty() && settled.failures.is_empty(),
                "toolExecutionNotifications": notifications,
            }],
            // Columns are bytes of the decoded text, which for ASCII lines is the same.
            "columnKind": "unicodeCodePoints",
            "results": settled.findings.iter().map(result).collect::<Vec<_>>(),
            "properties": {
                "scanned": settled.scanned,
                "allowed": settled.allowed,
            },
        }],
    });
    serde_json::to_string_pretty(&log).map(|text| text + "\n")
}

fn rule(rule: Rule) -> Value {
    let (pascal, risk) = match rule {
        Rule::AccessKeyId => (
            "AccessKeyId",
            "The ID of an AWS access key. By itself it signs nothing, but its secret is seldom far.",
        ),
        Rule::SecretAccessKey => (
            "SecretAccessKey",
            "The secret half of an AWS access key. Who has it and the ID acts as the key's user.",
        ),
        Rule::SessionToken => (
            "SessionToken",
            "The token of a temporary AWS key. It is of use until it expires.",
        ),
        Rule::OwnKey => (
            "OwnKey",
            "A part of an AWS key that a profile of the scanning machine holds or held.",
        ),
    };
    let replace = if cfg!(feature = "aws") {
        "keyagent rotate -p PROFILE"
    } else {
        "aws iam create-access-key, then aws iam update-access-key --status Inactive"
    };
    let help = format!(
        "Take the value out of the file and keep it in a profile (aws configure --profile NAME). If it was ever pushed, \
         replace the key: {replace}. If it is no live key, write beside it why it may stay: keyagent:allow REASON."
    );
    json!({
        "id": rule.as_str(),
        "name": pascal,
        "shortDescription": { "text": name(rule) },
        "fullDescription": { "text": risk },
        "help": { "text": help, "markdown": help },
        "defaultConfiguration": { "level": "error" },
        "properties": {
            "tags": ["security", "secret"],
            "precision": "very-high",
            // CWE-798, hard-coded credentials; GitHub reads 9.0 and above as critical.
            "security-severity": "9.0",
        },
    })
}

fn result(finding: &Finding) -> Value {
    let index = RULES.iter().position(|rule| *rule == finding.rule);
    let mut words = vec![format!("{} {}", name(finding.rule), finding.preview)];
    words.extend(known(finding));
    let mut properties = serde_json::Map::new();
    properties.insert("group".to_owned(), json!(finding.group));
    properties.insert("encoding".to_owned(), json!(finding.encoding));
    if let Some(commit) = &finding.commit {
        properties.insert("commit".to_owned(), json!(commit));
    }
    json!({
        "ruleId": finding.rule.as_str(),
        "ruleIndex": index,
        "level": "error",
        "message": { "text": words.join(", ") },
        "locations": [{ "physicalLocation": {
            "artifactLocation": artifact(&finding.path),
            "region": {
                "startLine": finding.line,
                "startColumn": finding.characters.start,
                "endColumn": finding.characters.end,
            },
        }}],
        "partialFingerprints": { "keyagentFinding/v1": finding.fingerprint },
        "properties": properties,
    })
}

/// A relative path counts from the root of the sources, and an absolute one is a file.
fn artifact(path: &str) -> Value {
    if let Some(path) = path.strip_prefix('/') {
        json!({ "uri": format!("file:///{}", percent_encoded(path)) })
    } else {
        let path = path.strip_prefix("./").unwrap_or(path);
        json!({ "uri": percent_encoded(path), "uriBaseId": "%SRCROOT%" })
    }
}

/// A path as a relative reference (RFC 3986): all but unreserved characters and slashes, so that a colon makes no scheme.
fn percent_encoded(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_a_uri() {
        for (path, uri) in [
            ("a b/ä.txt", "a%20b/%C3%A4.txt"),
            ("./c:d?e#f%", "c%3Ad%3Fe%23f%25"),
            ("/x/y z", "file:///x/y%20z"),
            ("a.zip!b", "a.zip%21b"),
            ("<stdin>", "%3Cstdin%3E"),
        ] {
            assert_eq!(artifact(path)["uri"], uri);
        }
        assert!(artifact("/x").get("uriBaseId").is_none());
    }
}
