//! A commit of one's own key, in any disguise, is blocked and named.

use std::fs;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use crate::support::repository::{KEYAGENT, Key, Repository, failed, random, texts};

/// A repository whose user has this profile.
fn with_profile(key: &Key) -> Repository {
    let repository = Repository::begun();
    write_home(
        &repository,
        ".aws/credentials",
        key.ini().replace("[default]", "[dev]"),
    );
    repository
}

fn write_home(repository: &Repository, name: &str, content: impl AsRef<[u8]>) {
    let path = repository.folder.path().join(name);
    fs::create_dir_all(path.parent().expect("it is below the home")).expect("the home is writable");
    fs::write(path, content).expect("the home is writable");
}

fn findings(repository: &Repository) -> Vec<Value> {
    let output = repository
        .command(KEYAGENT)
        .args(["scan", "--staged", "--format", "json"])
        .output()
        .expect("it runs");
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let findings = document["findings"]
        .as_array()
        .expect("there are findings")
        .clone();
    assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())));
    findings
}

#[track_caller]
fn is_the_one_of_dev(repository: &Repository, what: &str) -> Value {
    let found = findings(repository);
    assert_eq!(found.len(), 1, "{what}: {found:?}");
    assert_eq!(found[0]["rule"], "own-key", "{what}");
    assert_eq!(found[0]["profile"], "dev", "{what}");
    found[0].clone()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn every_disguise_of_ones_own_secret_is_blocked_and_named() {
    let key = Key::random();
    let repository = with_profile(&key);
    let secret = &key.secret;
    let (head, tail) = secret.split_at(17);
    let disguises: Vec<(&str, Vec<u8>)> = vec![
        ("plain", format!("note {secret}\n").into()),
        ("in the middle of letters", format!("note x{secret}x\n").into()),
        ("base64", BASE64.encode(secret.as_bytes()).into()),
        (
            "base64, 1 off",
            BASE64.encode(format!("x{secret}y").as_bytes()).into(),
        ),
        (
            "base64, 2 off",
            BASE64.encode(format!("xy{secret}z\n").as_bytes()).into(),
        ),
        ("hexadecimal", HEXLOWER.encode(secret.as_bytes()).into()),
        ("a URL", secret.replace('/', "%2F").into()),
        ("JSON", secret.replace('/', "\\/").into()),
        ("JSON by number", secret.replace('/', "\\u002f").into()),
        ("UTF-16", [&b"\xff\xfe"[..], &wide(secret)].concat()),
        ("UTF-16 without a mark", wide(&format!("x = {secret}\r\n"))),
        ("two lines", format!("{head}\\\n    {tail}\n").into()),
        ("a sum", format!("x = \"{head}\" +\n    \"{tail}\"\n").into()),
        ("two strings", format!("x = ('{head}'\n     '{tail}')\n").into()),
    ];
    for (what, content) in disguises {
        repository.stage("file", content);
        let finding = is_the_one_of_dev(&repository, what);
        assert_eq!(finding["access_key_id"], key.id.as_str(), "{what}");
        assert_eq!(finding["preview"], format!("{}… (40)", &secret[..4]), "{what}");
        let text = repository.blocks(&key);
        assert!(
            text.contains("own-key") && text.contains("profile dev (in use)"),
            "{text}"
        );
        assert!(!text.contains(&secret[4..24]), "{text}");
    }
}

#[test]
fn a_whole_key_of_ones_own_is_two_findings_of_one_group() {
    let key = Key::random();
    let repository = with_profile(&key);
    repository.stage("file", key.ini());
    let found = findings(&repository);
    let told: Vec<_> = found
        .iter()
        .map(|finding| {
            (
                finding["rule"].as_str(),
                finding["line"].as_u64(),
                finding["group"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some("own-key"), Some(2), Some(1)),
            (Some("own-key"), Some(3), Some(1))
        ]
    );
    assert_eq!(found[0]["preview"], key.id.as_str());
}

#[test]
fn the_same_value_has_the_same_fingerprint_whoever_scans() {
    let key = Key::random();
    let repository = Repository::begun();
    repository.stage("file", key.ini());
    let nobodys: Vec<Value> = findings(&repository)
        .iter()
        .map(|found| found["fingerprint"].clone())
        .collect();
    write_home(&repository, ".aws/credentials", key.ini());
    let own: Vec<Value> = findings(&repository)
        .iter()
        .map(|found| found["fingerprint"].clone())
        .collect();
    assert_eq!(nobodys, own);
}

#[test]
fn a_key_of_the_environment_is_ones_own() {
    let key = Key::random();
    let repository = Repository::begun();
    repository.stage("file", format!("{}\n", key.secret));
    repository.passes();
    let output = repository
        .command(KEYAGENT)
        .env("AWS_ACCESS_KEY_ID", &key.id)
        .env("AWS_SECRET_ACCESS_KEY", &key.secret)
        .args(["scan", "--staged"])
        .output()
        .expect("it runs");
    let (stdout, _) = texts(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.contains("a key of yours"), "{stdout}");
}

#[test]
fn a_session_token_of_a_profile_is_found_without_its_name() {
    let token = random("IQoJb3JpZ2luX2Vj[A-Za-z0-9/+]{500}==");
    let repository = Repository::begun();
    write_home(
        &repository,
        ".aws/credentials",
        format!("[dev]\naws_session_token = {token}\n"),
    );
    repository.stage("file", BASE64.encode(format!("a {token}").as_bytes()));
    is_the_one_of_dev(&repository, "a token in base64");
}

#[test]
fn a_key_that_was_rotated_away_is_named_as_replaced() {
    let (old, new) = (Key::random(), Key::random());
    let repository = with_profile(&new);
    let line = format!(
        r#"{{"checksum":"0","record":{{"version":2,"rotation":"r","at":"2099-01-01T00:00:00Z","event":"planned","profiles":["dev"],"old_access_key_id":"{}"}}}}"#,
        old.id
    );
    write_home(&repository, ".local/state/keyagent/journal", format!("{line}\n"));
    write_home(
        &repository,
        &format!(".local/state/keyagent/secrets/{}", old.id),
        &old.secret,
    );
    repository.stage("file", HEXLOWER.encode(old.secret.as_bytes()));
    let finding = is_the_one_of_dev(&repository, "the old secret");
    assert_eq!(finding["access_key_id"], old.id.as_str());
    assert!(repository.blocks(&old).contains("profile dev (replaced)"));
    repository.stage("file", BASE64.encode(old.id.as_bytes()));
    is_the_one_of_dev(&repository, "the old ID");
}

#[test]
fn only_allow_own_lets_a_live_key_pass_and_a_reason_a_dead_one() {
    let key = Key::random();
    let repository = with_profile(&key);
    let line = format!("{} # keyagent:allow it is a test\n", key.secret);
    repository.stage("file", &line);
    assert_eq!(repository.scan().status.code(), Some(1));
    let allowed = |arguments: &[&str]| {
        let output = repository
            .command(KEYAGENT)
            .arg("scan")
            .args(arguments)
            .output()
            .expect("it runs");
        (output.status.code(), texts(&output).1)
    };
    let (code, told) = allowed(&["--staged", "--allow-own"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("1 allowed"), "{told}");
    // Replaced and made inactive.
    write_home(&repository, ".aws/credentials", Key::random().ini());
    let record = |event: &str| {
        format!(
            r#"{{"checksum":"0","record":{{"version":2,"rotation":"r","at":"2099-01-01T00:00:00Z",{event}}}}}"#
        )
    };
    let planned = record(&format!(
        r#""event":"planned","profiles":["dev"],"old_access_key_id":"{}""#,
        key.id
    ));
    let secret = format!(".local/state/keyagent/secrets/{}", key.id);
    write_home(&repository, &secret, &key.secret);
    write_home(
        &repository,
        ".local/state/keyagent/journal",
        format!("{planned}\n"),
    );
    assert_eq!(allowed(&["--staged"]).0, Some(1));
    let inactive = record(r#""event":"old-key-inactive""#);
    write_home(
        &repository,
        ".local/state/keyagent/journal",
        format!("{planned}\n{inactive}\n"),
    );
    assert_eq!(allowed(&["--staged"]).0, Some(0));
}

#[test]
fn what_is_no_key_blocks_nothing() {
    let repository = Repository::begun();
    let values = [
        "bar",
        "no",
        "minioadmin",
        "your-secret-access-key-goes-here-1234567",
    ];
    let documented = ["wJalrXUtnFEMI", "K7MDENG", "bPxRfiCYEXAMPLEKEY"].join("/");
    for value in values.into_iter().chain([documented.as_str()]) {
        write_home(
            &repository,
            ".aws/credentials",
            format!("[dev]\naws_access_key_id = {value}\naws_secret_access_key = {value}\n"),
        );
        repository.stage(
            "file",
            format!("a {value} b\n{}\n", BASE64.encode(value.as_bytes())),
        );
        repository.passes();
    }
}

#[test]
fn whatever_state_the_files_are_in_the_keys_are_known() {
    let key = Key::random();
    let repository = Repository::begun();
    repository.stage("file", format!("{}\n", key.secret));
    // No file at all.
    repository.passes();
    let ini = key.ini().replace("[default]", "[dev]");
    let noise: String = (0..1000)
        .map(|_| random("[ -~]{1,90}\n").replace('[', "("))
        .collect();
    for (what, content) in [
        ("twice", format!("[x]\n[x]\n{ini}").into_bytes()),
        ("indented", ini.replace("aws_", "  aws_").into_bytes()),
        ("a byte order mark", format!("\u{feff}{ini}").into_bytes()),
        ("UTF-16", wide(&format!("\u{feff}{ini}"))),
        ("Latin-1", [b"# M\xfcller\n", ini.as_bytes()].concat()),
        (
            "10 MB of noise",
            [noise.repeat(220).as_bytes(), ini.as_bytes(), noise.as_bytes()].concat(),
        ),
    ] {
        write_home(&repository, ".aws/credentials", content);
        is_the_one_of_dev(&repository, what);
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_blocks_and_says_so() {
    use std::os::unix::fs::symlink;
    let repository = Repository::begun();
    repository.stage("file", "clean\n");
    let path = repository.folder.path().join(".aws/credentials");
    fs::create_dir_all(&path).expect("the home is writable");
    // Docker makes a folder where a file to be mounted is missing.
    repository.passes();
    fs::remove_dir(&path).expect("the home is writable");
    // A link to itself cannot be read, not even by root.
    symlink(&path, &path).expect("the home is writable");
    let output = repository.scan();
    failed(&output, "cannot read");
    assert!(texts(&output).1.contains("AWS_SHARED_CREDENTIALS_FILE"));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let repository = Repository::begun();
    repository.stage("file", "clean\n");
    fs::create_dir_all(repository.folder.path().join(".aws")).expect("the home is writable");
    let made = repository
        .command("mkfifo")
        .arg("../.aws/credentials")
        .status()
        .expect("it runs");
    assert!(made.success());
    repository.passes();
}

#[test]
fn without_a_home_the_scan_goes_on() {
    let repository = Repository::begun();
    repository.stage("file", Key::random().ini());
    let output = repository
        .command(KEYAGENT)
        .env_remove("HOME")
        .args(["scan", "--staged"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{:?}", texts(&output));
}
