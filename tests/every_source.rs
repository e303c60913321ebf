//! Own keys, markers, `.keyagentallow` and the formats mean the same wherever a content comes from.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::repository::{KEYAGENT, Key, Repository, texts};

const SOURCES: [&[&str]; 7] = [
    &["--staged"],
    &["committed"],
    &["--commits", "HEAD~1..HEAD"],
    &["--history"],
    &["--history", "--all-objects"],
    &["--stdin"],
    &["--message", "message"],
];

/// A repository that has the content in a commit, in its index, in a file and in a message.
struct Everywhere {
    repository: Repository,
    content: String,
}

impl Everywhere {
    fn new(content: String) -> Self {
        let repository = Repository::begun();
        repository.write("committed", &content);
        repository.commit_all();
        repository.stage("staged", &content);
        repository.write("message", &content);
        Self { repository, content }
    }

    /// Each source's answer.
    fn scan(&self, arguments: &[&str]) -> Vec<(String, Output)> {
        let scan = |source: &[&str]| {
            let mut child = self
                .repository
                .command(KEYAGENT)
                .arg("scan")
                .args(source)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // Who does not read it closes it early.
            let _ = child.stdin.take().unwrap().write_all(self.content.as_bytes());
            (source.join(" "), child.wait_with_output().unwrap())
        };
        SOURCES.into_iter().map(scan).collect()
    }

    #[track_caller]
    fn passes(&self, arguments: &[&str], summary: &str) {
        for (source, output) in self.scan(arguments) {
            let (stdout, stderr) = texts(&output);
            assert_eq!(output.status.code(), Some(0), "{source}: {stdout}{stderr}");
            assert!(
                stderr.starts_with("scanned ") && stderr.contains(summary),
                "{source}: {stderr}"
            );
        }
    }

    fn with_profile(self, key: &Key) -> Self {
        let folder = self.repository.folder.path().join(".aws");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("credentials"), key.ini().replace("default", "dev")).unwrap();
        self
    }
}

/// Each line with a marker that gives a reason.
fn marked(key: &Key) -> String {
    format!(
        "aws_access_key_id = {} ; keyagent:allow made up\naws_secret_access_key = {} ; keyagent:allow made up\n",
        key.id, key.secret
    )
}

fn findings(output: &Output) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["findings"].as_array().unwrap().clone()
}

#[test]
fn an_own_key_is_named_and_no_marker_lets_it_pass() {
    let key = Key::random();
    let everywhere = Everywhere::new(marked(&key)).with_profile(&key);
    for (source, output) in everywhere.scan(&["--format", "json"]) {
        assert_eq!(output.status.code(), Some(1), "{source}: {:?}", texts(&output));
        let found = findings(&output);
        assert_eq!(found.len() % 2, 0, "{source}: {found:?}");
        assert!(!found.is_empty(), "{source}");
        for finding in &found {
            assert_eq!(finding["rule"], "own-key", "{source}");
            assert_eq!(finding["profile"], "dev", "{source}");
        }
        let (stdout, stderr) = texts(&output);
        assert!(
            !stdout.contains(&key.secret) && !stderr.contains(&key.secret),
            "{source}"
        );
    }
    everywhere.passes(&["--allow-own"], "allowed");
}

#[test]
fn a_marker_lets_a_foreign_key_pass() {
    Everywhere::new(marked(&Key::random())).passes(&[], "no keys, 2 allowed");
}

#[test]
fn an_entry_of_keyagentallow_lets_a_foreign_key_pass() {
    let everywhere = Everywhere::new(Key::random().ini());
    let output = everywhere
        .repository
        .command(KEYAGENT)
        .args(["scan", "--staged", "--allow", "made up"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{:?}", texts(&output));
    everywhere.repository.git(&["add", ".keyagentallow"]);
    everywhere.passes(&[], "no keys, 2 allowed");
}

#[test]
fn every_format_tells_of_it_and_of_no_secret() {
    let key = Key::random();
    let everywhere = Everywhere::new(key.ini());
    for format in ["text", "json", "sarif", "github"] {
        for (source, output) in everywhere.scan(&["--format", format]) {
            let (stdout, stderr) = texts(&output);
            assert_eq!(output.status.code(), Some(1), "{source} {format}: {stderr}");
            assert!(stdout.contains(&key.id), "{source} {format}: {stdout}");
            assert!(stderr.starts_with("scanned "), "{source} {format}: {stderr}");
            assert!(
                !stdout.contains(&key.secret) && !stderr.contains(&key.secret),
                "{source} {format}"
            );
        }
    }
}
