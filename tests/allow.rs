//! What may stay: markers beside a key, `.keyagentallow`, and `--allow`, which writes it.

use std::fs;
use std::io::Write;
use std::process::Output;

use data_encoding::BASE64;

use crate::support::repository::{KEYAGENT, Key, Repository, failed, texts};

fn scan(repository: &Repository, arguments: &[&str]) -> Output {
    repository
        .command(KEYAGENT)
        .arg("scan")
        .args(arguments)
        .output()
        .expect("the built keyagent can be run")
}

#[track_caller]
fn passes(repository: &Repository, arguments: &[&str], summary: &str) {
    let (stdout, stderr) = texts(&scan(repository, arguments));
    assert_eq!(stdout, "");
    assert!(stderr.contains(summary), "{stderr}");
}

#[track_caller]
fn stops(output: &Output, text: &str) {
    let (_, stderr) = texts(output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(text), "{stderr}");
}

#[test]
fn a_marker_with_a_reason_lets_a_key_pass_and_is_counted() {
    let (repository, key) = (Repository::begun(), Key::random());
    let (id, secret) = (&key.id, &key.secret);
    repository.stage(
        "a",
        format!(
            "aws_access_key_id = {id} # keyagent:allow made up\n\
             # keyagent:allow made up until=9999-12-31\n\
             aws_secret_access_key = {secret}\n"
        ),
    );
    passes(&repository, &["--staged"], ": no keys, 2 allowed");
}

#[test]
fn an_entry_that_is_not_staged_is_named() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a", format!("aws_access_key_id = {}\n", key.id));
    let (_, stderr) = texts(&scan(&repository, &["--staged", "--allow", "made up"]));
    assert!(stderr.contains("it counts when it is staged"), "{stderr}");
    let (_, stderr) = texts(&scan(&repository, &["--staged"]));
    let command = "git add -- :/.keyagentallow";
    assert!(stderr.contains(command), "{stderr}");
    repository.git(&["add", "--", ":/.keyagentallow"]);
    passes(&repository, &["--staged"], ": no keys, 1 allowed");
    passes(
        &repository,
        &["--staged", "--allow", "again"],
        "there is nothing to allow",
    );
}

#[test]
fn a_marker_without_a_reason_allows_nothing_and_is_named() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a", format!("aws_access_key_id = {} # keyagent:allow\n", key.id));
    let stdout = repository.blocks(&key);
    assert!(
        stdout.contains("its marker keyagent:allow gives no reason\n"),
        "{stdout}"
    );
}

#[test]
fn other_scanners_markers_are_honoured_and_counted() {
    let (repository, key) = (Repository::begun(), Key::random());
    let id = format!("aws_access_key_id = {}", key.id);
    for content in [
        format!("{id} # gitleaks:allow\n"),
        format!("{id} # pragma: allowlist secret\n"),
        format!("# pragma: allowlist nextline secret\n{id}\n"),
        format!("{id} # betterleaks:allow\n"),
        format!("{id} # kingfisher:ignore\n"),
        format!("{id} # trufflehog:ignore\n"),
        format!("{id} # secretlint-disable-line\n"),
        format!("# secretlint-disable-next-line\n{id}\n"),
        format!("# secretlint-disable\n\n{id}\n\n# secretlint-enable\n"),
    ] {
        repository.stage("a", &content);
        passes(&repository, &["--staged"], ": no keys, 1 allowed");
    }
    repository.stage("a", format!("# secretlint-disable\n# secretlint-enable\n{id}\n"));
    repository.blocks(&key);
}

#[test]
fn what_allow_wrote_counts_once_it_is_staged_and_wherever_the_key_moves() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a", key.ini());
    let output = scan(&repository, &["--staged", "--allow", "made-up key"]);
    let (stdout, stderr) = texts(&output);
    assert_eq!((output.status.code(), &*stdout), (Some(0), ""), "{stderr}");
    assert!(stderr.contains("wrote 2 entries to "), "{stderr}");
    assert!(stderr.contains("git add -- "), "{stderr}");
    let file = fs::read_to_string(repository.path.join(".keyagentallow")).unwrap();
    assert_eq!(file.matches(" made-up key\n").count(), 2);
    assert!(!file.contains(&key.secret) && !file.contains(&key.id));

    // In the work tree alone it does not count, for nobody else would see it.
    repository.blocks(&key);
    repository.git(&["add", ".keyagentallow"]);
    passes(&repository, &["--staged"], ": no keys, 2 allowed");
    repository.stage("moved", format!("\n\n{}", key.ini()));
    passes(&repository, &["--staged"], ": no keys, 4 allowed");
    passes(&repository, &["."], ": no keys, 4 allowed");
    let other = Key::random();
    repository.stage("other", other.ini());
    repository.blocks(&other);
}

#[test]
fn a_file_is_allowed_by_its_path_from_the_top_of_its_repository() {
    let (repository, key) = (Repository::begun(), Key::random());
    fs::create_dir_all(repository.path.join("tests/fixtures")).unwrap();
    repository.write(".keyagentallow", "path tests/fixtures/** made-up keys\n");
    repository.stage("tests/fixtures/a", key.ini());
    passes(&repository, &["--staged"], "2 allowed");
    passes(&repository, &["tests"], "2 allowed");
    let output = repository
        .command(KEYAGENT)
        .current_dir(repository.path.join("tests"))
        .args(["scan", "fixtures/../fixtures"])
        .output()
        .unwrap();
    assert!(texts(&output).1.contains("2 allowed"), "{:?}", texts(&output));
    repository.stage("tests/a", key.ini());
    repository.blocks(&key);
}

#[test]
fn an_entry_that_is_over_allows_nothing() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write(".keyagentallow", "path a until=2020-01-31 made-up keys\n");
    repository.stage("a", key.ini());
    repository.blocks(&key);
}

#[test]
fn a_line_that_is_no_entry_blocks_and_is_named() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write(".keyagentallow", "# x\npath a\npath b made up\n");
    repository.stage("a", key.ini());
    repository.stage("b", Key::random().ini());
    for arguments in [&["--staged"][..], &["a", "b"]] {
        let output = scan(&repository, arguments);
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("line 2 gives no reason"), "{stderr}");
        // What the other lines allow is not told, and all else is.
        assert!(stdout.contains(&key.id) && !stdout.contains("b:"), "{stdout}");
    }
    let before = fs::read(repository.path.join(".keyagentallow")).unwrap();
    let output = scan(&repository, &["--staged", "--allow", "made up"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read(repository.path.join(".keyagentallow")).unwrap(), before);
}

#[test]
fn marks_of_a_conflict_in_the_entries_are_not_committed() {
    let repository = Repository::begun();
    repository.stage(
        ".keyagentallow",
        "path a made up\n<<<<<<< HEAD\n=======\n>>>>>>> side\n",
    );
    stops(&repository.scan(), "line 2 is git's mark of a conflict");
    repository.stage(".keyagentallow", "path a made up\n");
    repository.passes();
}

/// An entry that named the path would let every later key at that path pass.
#[test]
fn a_content_that_cannot_be_looked_into_is_allowed_as_it_is_and_no_other_at_its_path() {
    let (repository, key) = (Repository::begun(), Key::random());
    let packed = b"7z\xbc\xaf\x27\x1c by a packer that nobody here knows";
    repository.stage("data.gz", packed);
    stops(&repository.scan(), "cannot look into data.gz");
    let output = scan(&repository, &["--staged", "--allow", "no key in it"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", texts(&output));
    repository.git(&["add", ".keyagentallow"]);
    passes(&repository, &["--staged"], ": no keys, 1 allowed");
    passes(&repository, &["."], ": no keys, 1 allowed");
    repository.stage("data.gz", [&packed[..], b"!"].concat());
    stops(&repository.scan(), "cannot look into data.gz");
    repository.stage("data.gz", key.ini());
    repository.blocks(&key);
}

#[test]
fn what_base64_packs_too_deep_is_allowed_as_it_is() {
    let repository = Repository::begun();
    let deep = (0..5).fold(
        b"a text that is long enough to be packed".to_vec(),
        |content, _| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
            packer.write_all(&content).unwrap();
            packer.finish().unwrap()
        },
    );
    let line = |content: &[u8]| format!("data: {}\n", BASE64.encode(content));
    repository.stage("a", line(&deep));
    stops(&repository.scan(), "packed in too many layers");
    let output = scan(&repository, &["--staged", "--allow", "no key in it"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", texts(&output));
    repository.git(&["add", ".keyagentallow"]);
    repository.stage("b", format!("moved\n{}", line(&deep)));
    passes(&repository, &["--staged"], ": no keys, 2 allowed");
}

#[test]
fn allow_wants_a_reason() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a", key.ini());
    failed(&scan(&repository, &["--staged", "--allow", ""]), "no word");
    failed(
        &scan(&repository, &["--staged", "--allow", "old until=2020-01-31"]),
        "ended on 2020-01-31",
    );
    assert!(!repository.path.join(".keyagentallow").exists());
}

#[test]
fn two_branches_entries_merge_by_themselves_with_the_attribute_that_the_file_names() {
    let (repository, ours, theirs) = (Repository::begun(), Key::random(), Key::random());
    repository.write(".gitattributes", ".keyagentallow merge=union\n");
    repository.commit_all();
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.stage("theirs", theirs.ini());
    assert_eq!(
        scan(&repository, &["--staged", "--allow", "theirs"])
            .status
            .code(),
        Some(0)
    );
    repository.commit_all();
    repository.git(&["checkout", "--quiet", "main"]);
    repository.stage("ours", ours.ini());
    assert_eq!(
        scan(&repository, &["--staged", "--allow", "ours"]).status.code(),
        Some(0)
    );
    repository.commit_all();
    repository.git(&["merge", "--quiet", "--no-edit", "side"]);
    passes(&repository, &["."], ": no keys, 4 allowed");
}
