//! `keyagent scan` and the pre-commit hook, with the real git and the built binary in repositories of their own.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use data_encoding::BASE64;

use crate::support::repository::{KEYAGENT, Key, Repository, failed, random, texts};

#[test]
fn a_staged_key_blocks_and_the_way_on_is_told() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("config.ini", key.ini());
    let stdout = repository.blocks(&key);
    assert!(
        stdout.contains(&format!("config.ini:2:21  access-key-id  {}", key.id)),
        "{stdout}"
    );
    assert!(
        stdout.contains(&format!(
            "config.ini:3:25  secret-access-key  {}… (40)",
            &key.secret[..4]
        )),
        "{stdout}"
    );
    let (_, stderr) = texts(&repository.scan());
    assert!(
        stderr.contains("git restore --staged -- config.ini\n"),
        "{stderr}"
    );
    // The hook alone can rotate nothing.
    let replace = if cfg!(feature = "aws") {
        "keyagent rotate -p PROFILE"
    } else {
        "aws iam create-access-key"
    };
    assert!(stderr.contains(replace), "{stderr}");
    assert!(
        stderr
            .lines()
            .chain(stdout.lines())
            .all(|line| line.chars().count() <= 80)
    );
    repository.git(&["restore", "--staged", "--", "config.ini"]);
    repository.passes();
}

#[test]
fn the_index_counts_and_not_the_work_tree() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a", key.ini());
    repository.write("a", "clean\n");
    repository.blocks(&key);
    repository.git(&["add", "a"]);
    repository.write("a", key.ini());
    repository.passes();
    repository.git(&["add", "--intent-to-add", "."]);
    repository.passes();
}

#[test]
fn the_hook_blocks_every_way_to_commit() {
    let key = Key::random();
    for arguments in [
        &["commit", "-am", "x"][..],
        &["commit", "-m", "x", "README"],
        &["commit", "-m", "x", "-i", "README"],
    ] {
        let repository = Repository::begun();
        repository.install_hook();
        repository.write("README", key.ini());
        let output = repository.try_git(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(texts(&output).1.contains(&key.id), "{:?}", texts(&output));
        repository.write("README", "clean\n");
        repository.git(arguments);
    }
}

#[test]
fn the_first_commit_is_scanned() {
    let (repository, key) = (Repository::new(), Key::random());
    repository.passes();
    repository.stage("a", key.ini());
    repository.blocks(&key);
    assert!(texts(&repository.scan()).1.contains("git rm --cached -f -- a\n"));
}

#[test]
fn a_merge_is_asked_only_for_what_no_parent_has() {
    let (repository, old, new) = (Repository::begun(), Key::random(), Key::random());
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.write("theirs", old.ini());
    repository.write("README", "side\n");
    repository.commit_all();
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("README", "main\n");
    repository.commit_all();
    assert!(!repository.try_git(&["merge", "side"]).status.success());
    repository.fails("README is not merged yet");
    repository.stage("README", "both\n");
    repository.passes();
    repository.stage("README", new.ini());
    repository.blocks(&new);
}

#[test]
fn what_was_there_before_passes() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write("old", key.ini());
    repository.commit_all();
    repository.git(&["mv", "old", "new"]);
    repository.passes();
    repository.stage("new", key.ini() + "region = eu-west-1\n");
    repository.passes();
    let other = Key::random();
    repository.stage("new", other.ini());
    repository.blocks(&other);
    repository.git(&["rm", "--quiet", "--force", "new"]);
    repository.passes();
}

#[test]
fn link_targets_and_submodules() {
    let (repository, key) = (Repository::begun(), Key::random());
    let head = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{head},module"),
    ]);
    repository.passes();
    symlink(&key.id, repository.path.join("link")).unwrap();
    repository.git(&["add", "link"]);
    assert!(repository.blocks(&key).contains("link:1:1  access-key-id"));
}

#[test]
fn names_of_any_bytes() {
    let key = Key::random();
    for (name, shown) in [
        (&b"a b"[..], "a b:2:21"),
        (b"a\nb", "a\\nb:2:21"),
        (b"a\xffb", "a\u{fffd}b:2:21"),
    ] {
        let repository = Repository::begun();
        repository.stage(OsStr::from_bytes(name), key.ini());
        let stdout = repository.blocks(&key);
        assert!(stdout.contains(shown), "{stdout}");
    }
}

#[test]
fn utf_16_is_read() {
    let (repository, key) = (Repository::begun(), Key::random());
    let text: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(key.ini().encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    repository.stage("a.txt", text);
    repository.blocks(&key);
}

#[test]
fn decoys_pass() {
    let repository = Repository::begun();
    let lines = [
        "aws AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        format!("aws {}", random("[0-9a-f]{40}")),
        format!("aws {}", random("[0-9a-f]{64}")),
        format!("aws sha512-{}==", random("[A-Za-z0-9/+]{86}")),
        format!("aws sha256-{}=", random("[A-Za-z0-9/+]{43}")),
        format!("aws {}", random("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
        format!("aws {}", ["AR", "OA", &random("[A-Z2-7]{16}")].concat()),
        format!("aws {}", ["AI", "DA", &random("[A-Z2-7]{16}")].concat()),
    ];
    repository.stage("decoys", lines.join("\n"));
    repository.passes();
}

#[test]
fn json_is_the_contract() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a", key.ini());
    let output = repository
        .command(KEYAGENT)
        .args(["scan", "--staged", "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (stdout, stderr) = texts(&output);
    assert!(!stdout.contains(&key.secret));
    assert!(stderr.starts_with("scanned 1 blob, "), "{stderr}");
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["schema"], "keyagent.scan/1");
    assert_eq!(document["scanned"]["blobs"], 1);
    let finding = document["findings"][1].as_object().unwrap();
    // As they are written: a map of serde_json's sorts them.
    let (_, written) = stdout.split_once("\"findings\"").unwrap();
    let (written, _) = written.split_once('}').unwrap();
    let names: Vec<&str> = written
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix('"')?.split_once("\": ")?.0))
        .collect();
    let contract =
        "rule path line column commit access_key_id account_id profile group preview fingerprint encoding";
    assert_eq!(names, contract.split(' ').collect::<Vec<_>>());
    assert_eq!(finding["access_key_id"], key.id);
    assert_eq!(finding["group"], document["findings"][0]["group"]);
    assert_eq!(finding["encoding"], "plain");
}

#[test]
fn files_folders_and_streams() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write("a", key.ini());
    repository.write(".git/a", key.ini());
    let scan = |path: &str| {
        repository
            .command(KEYAGENT)
            .args(["scan", path])
            .output()
            .unwrap()
    };
    assert_eq!(texts(&scan(".")).0.lines().count(), 2);
    assert_eq!(scan("README").status.code(), Some(0));
    failed(&scan("absent"), "No such file");
    let output = repository
        .command(KEYAGENT)
        .args(["scan", "--stdin"])
        .stdin(fs::File::open(repository.path.join("a")).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_scanned_is_never_called_clean() {
    let repository = Repository::begun();
    repository.stage("a", "content that goes missing\n");
    let oid = repository.git(&["rev-parse", ":a"]);
    fs::remove_file(
        repository
            .path
            .join(".git/objects")
            .join(&oid[..2])
            .join(&oid[2..]),
    )
    .unwrap();
    repository.fails(&format!("{oid} is missing"));

    let repository = Repository::begun();
    repository.write(".git/index", "no index\n");
    repository.fails("the index is damaged");
    let (_, stderr) = texts(&repository.scan());
    assert!(stderr.lines().all(|line| line.chars().count() <= 80), "{stderr}");

    Repository::empty().fails("no git repository");

    let repository = Repository::empty();
    repository.git(&["init", "--quiet", "--bare"]);
    repository.fails("bare");

    let repository = Repository::begun();
    let output = repository
        .command(KEYAGENT)
        .env("PATH", "/nowhere")
        .args(["scan", "--staged"])
        .output()
        .unwrap();
    failed(&output, "no git on PATH");
}

/// `git restore --staged` acts on another index than the one of such a commit, so it would not help.
#[test]
fn a_commit_that_stages_by_itself_is_told_another_way_on() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.install_hook();
    repository.write("README", key.ini());
    for arguments in [
        &["commit", "-a", "-m", "x"][..],
        &["commit", "-m", "x", "--", "README"],
    ] {
        let output = repository.try_git(arguments);
        let (_, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("leave the file out of the commit:\n  README\n"),
            "{stderr}"
        );
        assert!(!stderr.contains("restore --staged"), "{stderr}");
    }
}

#[test]
fn the_hook_fails_closed_without_keyagent() {
    let repository = Repository::begun();
    repository.install_hook();
    repository.stage("a", "clean\n");
    let output = repository
        .command("git")
        .env("KEYAGENT", "/nowhere/keyagent")
        .args(["commit", "-m", "x"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        texts(&output)
            .1
            .contains("cause: /nowhere/keyagent is not installed"),
        "{:?}",
        texts(&output)
    );
}

/// A file is read in windows of a megabyte. In a long base64 text each goes on where the one before it ended, in the middle of
/// a line and of a group of four.
#[test]
fn a_key_deep_in_base64_is_found_in_whatever_window_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let (mut wanted, mut texts) = (0, 0);
    for width in [0, 60, 70, 76, 77] {
        for end in ["\n", "\r\n"] {
            for before in [10, 700_001, 786_420, 786_433, 1_572_860, 2_000_002] {
                let key = Key::random();
                let mut plain = random("[ -~]{900}").repeat(before / 900 + 1);
                plain.truncate(before);
                let plain = format!("{plain}\n{}{}", key.ini(), "end of it\n".repeat(40_000));
                let encoded = BASE64.encode(plain.as_bytes());
                let lines: Vec<&str> = if width == 0 {
                    vec![&encoded]
                } else {
                    (0..encoded.len())
                        .step_by(width)
                        .map(|at| &encoded[at..encoded.len().min(at + width)])
                        .collect()
                };
                let text = format!("data: |{end}{}{end}", lines.join(end));
                fs::write(
                    folder.path().join(format!("{width}-{}-{before}", end.len())),
                    text,
                )
                .unwrap();
                texts += 1;
                wanted += 2;
            }
        }
    }
    let output = std::process::Command::new(KEYAGENT)
        .args(["scan", "--format", "json"])
        .arg(folder.path())
        .env_clear()
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (&finding["path"], &finding["rule"], &finding["encoding"]))
        .collect();
    assert_eq!(found.len(), wanted, "in {texts} texts: {found:#?}");
    assert!(found.iter().all(|(_, _, encoding)| *encoding == "base64"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let repository = Repository::begun();
    repository.write("clean.txt", "nothing\n");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = repository
        .command(KEYAGENT)
        .args(["scan", "clean.txt", "--format", "json"])
        .stdout(full)
        .output()
        .unwrap();
    let stderr = texts(&output).1;
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for line in ["error: cannot write the result", "cause: ", "hint:  "] {
        assert!(stderr.contains(line), "{stderr}");
    }
}
