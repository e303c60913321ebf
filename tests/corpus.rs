//! The built binary on a corpus that was written without a look at the detector: all keys are found, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::repository::{KEYAGENT, Repository, texts};

/// What is found in the path, as rules and previews.
type Found = BTreeMap<String, BTreeSet<(String, String)>>;

fn scan(repository: &Repository, arguments: &[&str]) -> Found {
    let output = repository
        .command(KEYAGENT)
        .args(["scan", "--format", "json"])
        .args(arguments)
        .output()
        .expect("the built keyagent can be run");
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {:?}", texts(&output)));
    let mut found = Found::new();
    for finding in document["findings"].as_array().expect("the contract has it") {
        let text = |name: &str| finding[name].as_str().expect("the contract has it").to_owned();
        let path = text("path");
        let path = path.split('!').next().unwrap_or(&path);
        found
            .entry(path.to_owned())
            .or_default()
            .insert((text("rule"), text("preview")));
    }
    found
}

#[test]
fn every_key_of_the_corpus_is_found_and_nothing_else() {
    let repository = Repository::new();
    let generator = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/generate.py");
    let output = Command::new("python3")
        .arg(generator)
        .arg(repository.path.join("corpus"))
        .args(["--seed", "1", "--decoys-mb", "4"])
        .output()
        .expect("python3 can be run");
    assert!(output.status.success(), "{:?}", texts(&output));
    let manifest = std::fs::read(repository.path.join("corpus/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let keys = manifest["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 200);

    repository.git(&["add", "corpus/keys"]);
    let mut found = scan(&repository, &["--staged"]);
    let mut missed = Vec::new();
    for key in keys {
        let part = |name: &str| key[name].as_str().map(str::to_owned);
        // Padding is no part of a token.
        let hidden = |name: &str| {
            part(name).map(|value| format!("{}… ({})", &value[..4], value.trim_end_matches('=').len()))
        };
        let parts = [
            ("access-key-id", part("id")),
            ("secret-access-key", hidden("secret")),
            ("session-token", hidden("token")),
        ];
        for (rule, preview) in parts {
            let Some(preview) = preview else { continue };
            // A value may stand in both files of a context that has two.
            let mut times = 0;
            for path in key["paths"].as_array().unwrap() {
                let path = format!("corpus/{}", path.as_str().unwrap());
                if let Some(found) = found.get_mut(&path) {
                    times += usize::from(found.remove(&(rule.to_owned(), preview.clone())));
                }
            }
            if times == 0 {
                missed.push(format!("{rule} of {} {}", key["format"], key["context"]));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    found.retain(|_, rest| !rest.is_empty());
    assert!(found.is_empty(), "{found:#?}");

    let false_findings = scan(&repository, &["corpus/decoys"]);
    assert!(false_findings.is_empty(), "{false_findings:#?}");
}
