//! Files as people write them, by somebody who did not write the detector: every key in them is found, ID and secret
//! apart, and nothing else is.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::repository::{KEYAGENT, Key, Repository, random, texts};

/// Each written with so many keys.
const ROUNDS: usize = 3;

/// Characters of base64, each as likely as the others, which those of a regular expression's class are not.
fn base64(length: usize) -> String {
    // Of a class of two ranges each would be as likely as the other, whatever its length.
    let nibbles = random(&format!("[a-p]{{{}}}", 2 * length));
    let bytes: Vec<u8> = nibbles
        .as_bytes()
        .chunks(2)
        .map(|pair| (pair[0] - b'a') << 4 | (pair[1] - b'a'))
        .collect();
    data_encoding::BASE64.encode(&bytes)[..length].to_owned()
}

/// A key whose secret is any of those that AWS hands out, whatever sign it begins or ends with.
fn any_key() -> (Key, String) {
    let is_mixed = |secret: &str| {
        secret.contains(|c: char| c.is_ascii_uppercase())
            && secret.contains(|c: char| c.is_ascii_lowercase())
            && secret.contains(|c: char| c.is_ascii_digit())
    };
    let mut key = Key::random();
    loop {
        key.secret = base64(40);
        if is_mixed(&key.secret) {
            let token = ["IQoJb3JpZ2luX2VjE", &base64(600), "=="].concat();
            return (key, token);
        }
    }
}

/// `=== NAME` begins a case; `{id}`, `{secret}`, `{token}` stand for the parts of a key, all of which are to be found.
fn cases(text: &str) -> Vec<(&str, &str)> {
    text.split("=== ")
        .skip(1)
        .map(|case| case.split_once('\n').expect("a case has a name and a text"))
        .collect()
}

fn percent(text: &str) -> String {
    text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D")
}

fn filled(case: &str, key: &Key, token: &str) -> String {
    case.replace("{id}", &key.id)
        .replace("{secret}", &key.secret)
        .replace("{token}", token)
        .replace("{secret%}", &percent(&key.secret))
        .replace("{token%}", &percent(token))
        .replace("{secret\\}", &key.secret.replace('/', "\\/"))
        .replace(
            "{secret&}",
            &key.secret.replace('/', "&#x2F;").replace('+', "&#43;"),
        )
        .replace("{b64 id}", &data_encoding::BASE64.encode(key.id.as_bytes()))
        .replace(
            "{b64 secret}",
            &data_encoding::BASE64.encode(key.secret.as_bytes()),
        )
        .replace(
            "{b64 b64 secret}",
            &data_encoding::BASE64.encode(data_encoding::BASE64.encode(key.secret.as_bytes()).as_bytes()),
        )
        .replace("{b64 ini}", &data_encoding::BASE64.encode(key.ini().as_bytes()))
}

fn wanted(case: &str) -> BTreeSet<String> {
    let has = |parts: &[&str]| parts.iter().any(|part| case.contains(part));
    let mut wanted = BTreeSet::new();
    if has(&["{id}", "{b64 id}", "{b64 ini}"]) {
        wanted.insert("access-key-id".to_owned());
    }
    if has(&["{secret", "{b64 secret}", "{b64 b64 secret}", "{b64 ini}"]) {
        wanted.insert("secret-access-key".to_owned());
    }
    if has(&["{token"]) {
        wanted.insert("session-token".to_owned());
    }
    wanted
}

/// What is found in each file of a folder, by the file's name.
fn found(repository: &Repository, folder: &str) -> Vec<(String, String, String)> {
    let output = repository
        .command(KEYAGENT)
        .args(["scan", folder, "--format", "json"])
        .output()
        .expect("it runs");
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {:?}", texts(&output)));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    document["findings"]
        .as_array()
        .expect("there are findings")
        .iter()
        .map(|finding| {
            let name = text(&finding["path"]);
            let name = name.trim_start_matches(folder).trim_start_matches('/').to_owned();
            (name, text(&finding["rule"]), text(&finding["preview"]))
        })
        .collect()
}

#[test]
fn every_key_in_every_syntax_is_found_and_nothing_else() {
    let repository = Repository::begun();
    let folder = repository.path.join("cases");
    fs::create_dir(&folder).expect("the test's own folder is writable");
    let mut expected = Vec::new();
    for (index, (name, case)) in cases(include_str!("adversary/keys.txt")).into_iter().enumerate() {
        for round in 0..ROUNDS {
            let (key, token) = any_key();
            let file = format!("{index}-{round}.txt");
            fs::write(folder.join(&file), filled(case, &key, &token))
                .expect("the test's own folder is writable");
            let previews = [key.id.clone(), format!("{}… (40)", &key.secret[..4])];
            expected.push((file, name, wanted(case), previews));
        }
    }
    let found = found(&repository, "cases");
    let mut wrong = Vec::new();
    for (file, name, wanted, previews) in expected {
        let in_file = || {
            found
                .iter()
                .filter(|(of, ..)| *of == file || of.starts_with(&format!("{file}!")))
        };
        let rules: BTreeSet<String> = in_file().map(|(_, rule, _)| rule.clone()).collect();
        let others: Vec<_> = in_file()
            .filter(|(_, rule, preview)| rule != "session-token" && !previews.contains(preview))
            .collect();
        if rules != wanted || !others.is_empty() {
            let text = fs::read_to_string(folder.join(&file)).expect("it was written");
            wrong.push(format!(
                "{name}: wanted {wanted:?}, found {rules:?} and {others:?}\n{text}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_no_key_is_not_found() {
    let repository = Repository::begun();
    let folder = repository.path.join("cases");
    fs::create_dir(&folder).expect("the test's own folder is writable");
    let cases = cases(include_str!("adversary/decoys.txt"));
    for (index, (_, case)) in cases.iter().enumerate() {
        let fill = |text: &str| {
            let mut text = text.to_owned();
            for (mark, shape) in [
                ("{hex40}", "[0-9a-f]{40}"),
                ("{hex64}", "[0-9a-f]{64}"),
                ("{HEX40}", "[0-9A-F]{40}"),
                ("{b64url 43}", "[A-Za-z0-9_-]{43}"),
                ("{b32 16}", "[A-Z2-7]{16}"),
                (
                    "{uuid}",
                    "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
                ),
                ("{word36}", "[A-Za-z0-9]{36}"),
            ] {
                while let Some(at) = text.find(mark) {
                    text.replace_range(at..at + mark.len(), &random(shape));
                }
            }
            for (mark, length, end) in [
                ("{b64 28}", 27, "="),
                ("{b64 32}", 43, "="),
                ("{b64 64}", 86, "=="),
                ("{b64 line}", 64, ""),
                ("{b64 76}", 76, ""),
                ("{b64 1000}", 1000, ""),
            ] {
                while let Some(at) = text.find(mark) {
                    text.replace_range(at..at + mark.len(), &(base64(length) + end));
                }
            }
            text
        };
        fs::write(folder.join(format!("{index}.txt")), fill(case))
            .expect("the test's own folder is writable");
    }
    let wrong: Vec<String> = found(&repository, "cases")
        .into_iter()
        .map(|(file, rule, _)| {
            let text = fs::read_to_string(folder.join(&file)).expect("it was written");
            let index: usize = file.trim_end_matches(".txt").parse().expect("it is a number");
            format!("{}: {rule} in\n{text}\n", cases[index].0)
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
