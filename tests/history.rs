//! The whole history, however git keeps it: what is scanned is what git itself lists, in every state of the database.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::repository::{KEYAGENT, Key, Repository, failed, random, texts};

/// Repositories in which each content holds a key of its own.
struct State {
    name: &'static str,
    repository: Repository,
    /// What `repository` borrows from.
    _others: Vec<Repository>,
}

fn history(repository: &Repository) -> Output {
    repository
        .command(KEYAGENT)
        .args(["scan", "--history", "--format", "json"])
        .output()
        .unwrap()
}

/// The IDs of all keys that are found.
#[track_caller]
fn found(repository: &Repository, name: &str) -> BTreeSet<String> {
    let output = history(repository);
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .filter_map(|finding| finding["access_key_id"].as_str().map(str::to_owned))
        .collect()
}

/// The IDs in all that git says references and stashes reach, as git reads it.
fn held(repository: &Repository) -> BTreeSet<String> {
    let mut words = vec!["rev-list", "--objects", "--all"];
    let stashes = repository.git(&["log", "--walk-reflogs", "--format=%H", "refs/stash", "--"]);
    words.extend(stashes.lines());
    let listed = repository.git(&words);
    let mut child = repository
        .command("git")
        .args(["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut requests = child.stdin.take().unwrap();
    std::thread::spawn(move || {
        for line in listed.lines() {
            writeln!(requests, "{}", line.split(' ').next().unwrap()).unwrap();
        }
    });
    let answers = child.wait_with_output().unwrap().stdout;
    let text = String::from_utf8_lossy(&answers);
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("aws_access_key_id = "));
    lines.map(str::to_owned).collect()
}

/// A text of so many lines, and a key somewhere in it.
fn text(before: usize, behind: usize) -> String {
    let line = |number: usize| format!("line {number} of a text that stays mostly as it is\n");
    let before: String = (0..before).map(line).collect();
    let behind: String = (1000..1000 + behind).map(line).collect();
    format!("{before}{}{behind}", Key::random().ini())
}

/// Changes one long file again and again, and adds others; tags and stashes too.
fn commit_often(repository: &Repository, from: usize) {
    for number in from..from + 12 {
        repository.write("long", text(7 * number, 300 - 5 * number));
        if number % 3 == 0 {
            repository.write(format!("file {number}"), text(1, number));
        }
        repository.git(&["add", "--all"]);
        repository.git(&[
            "commit",
            "--quiet",
            "--message",
            &format!("x\n\n{}", Key::random().ini()),
        ]);
    }
    let tag = format!("tag-{from}");
    repository.git(&["tag", "--annotate", "--message", &Key::random().ini(), &tag]);
    for _ in 0..2 {
        repository.stage("stashed", text(3, 3));
        repository.git(&["stash", "--quiet"]);
    }
}

fn state(name: &'static str, init: &[&str], prepare: impl FnOnce(&Repository) -> Vec<Repository>) -> State {
    let repository = Repository::empty();
    repository.git(&[&["init", "--quiet"], init].concat());
    commit_often(&repository, 0);
    let others = prepare(&repository);
    State {
        name,
        repository,
        _others: others,
    }
}

fn git(words: &'static [&'static str]) -> impl FnOnce(&Repository) -> Vec<Repository> {
    move |repository| {
        repository.git(words);
        Vec::new()
    }
}

fn files(repository: &Repository, end: &str) -> Vec<PathBuf> {
    let folder = repository.path.join(".git/objects/pack");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == end));
    files.sort();
    for file in &files {
        let mut permissions = fs::metadata(file).unwrap().permissions();
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "the folder is the test's own"
        )]
        permissions.set_readonly(false);
        fs::set_permissions(file, permissions).unwrap();
    }
    files
}

#[track_caller]
fn all_is_scanned(states: Vec<State>) {
    for State { name, repository, .. } in states {
        let held = held(&repository);
        assert!(held.len() > 24, "{name}");
        assert_eq!(found(&repository, name), held, "{name}");
    }
}

#[test]
fn loose_and_packed_in_all_ways() {
    all_is_scanned(vec![
        state("loose", &[], |_| Vec::new()),
        state(
            "packed",
            &[],
            git(&["gc", "--quiet", "--aggressive", "--prune=now"]),
        ),
        state("sha256 loose", &["--object-format=sha256"], |_| Vec::new()),
        state("sha256", &["--object-format=sha256"], |repository| {
            repository.git(&["repack", "-adfq", "--depth=50"]);
            commit_often(repository, 12);
            Vec::new()
        }),
        state("several packs, and loose", &[], |repository| {
            repository.git(&["repack", "-dq"]);
            commit_often(repository, 12);
            repository.git(&["repack", "-dq"]);
            repository.git(&["multi-pack-index", "write"]);
            commit_often(repository, 24);
            Vec::new()
        }),
        state("packed twice", &[], |repository| {
            repository.git(&["repack", "-dq"]);
            commit_often(repository, 12);
            repository.git(&["repack", "-aq"]);
            assert_eq!(files(repository, "pack").len(), 2);
            Vec::new()
        }),
        state(
            "bases by their names",
            &[],
            git(&["-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq"]),
        ),
    ]);
}

#[test]
fn deltas_of_deltas() {
    let State { repository, .. } = state("", &[], git(&["gc", "--quiet", "--aggressive"]));
    let index = files(&repository, "idx")[0].display().to_string();
    let chains = repository.git(&["verify-pack", "--verbose", &index]);
    assert!(chains.contains("chain length = 8:"), "{chains}");
}

#[test]
fn indexes_of_other_kinds() {
    all_is_scanned(vec![
        state(
            "the first version",
            &[],
            git(&["-c", "pack.indexVersion=1", "repack", "-adq"]),
        ),
        state("long offsets", &[], |repository| {
            repository.git(&["repack", "-adq"]);
            let pack = files(repository, "pack")[0].display().to_string();
            fs::remove_file(&files(repository, "idx")[0]).unwrap();
            repository.git(&["index-pack", "--index-version=2,0x100", &pack]);
            Vec::new()
        }),
    ]);
}

#[test]
fn borrowed_objects() {
    for quoted in [false, true] {
        let lender = Repository::new();
        commit_often(&lender, 0);
        lender.git(&["repack", "-dq"]);
        commit_often(&lender, 12);
        let folder = lender.path.join(".git/objects").display().to_string();
        let borrower = state("borrowed", &[], |repository| {
            let line = if quoted {
                format!("\"{folder}\"\n")
            } else {
                format!("{folder}\n")
            };
            fs::write(repository.path.join(".git/objects/info/alternates"), line).unwrap();
            let head = lender.git(&["rev-parse", "HEAD"]);
            repository.git(&["update-ref", "refs/heads/borrowed", &head]);
            vec![lender]
        });
        all_is_scanned(vec![borrower]);
    }
}

#[test]
fn what_is_in_no_commit_but_named() {
    all_is_scanned(vec![state("tags of blobs and trees", &[], |repository| {
        for number in 0..3 {
            repository.stage("only tagged", text(number, 5));
            let blob = repository.git(&["rev-parse", ":only tagged"]);
            let tag = format!("of-a-blob-{number}");
            repository.git(&["tag", "--annotate", "--message", "x", &tag, &blob]);
        }
        repository.stage("only in a tree", text(9, 9));
        let tree = repository.git(&["write-tree"]);
        repository.git(&["update-ref", "refs/of/a-tree", &tree]);
        repository.stage("only a reference", text(4, 4));
        let blob = repository.git(&["rev-parse", ":only a reference"]);
        repository.git(&["update-ref", "refs/of/a-blob", &blob]);
        repository.git(&["repack", "-adq"]);
        repository.git(&["read-tree", "HEAD"]);
        Vec::new()
    })]);
}

#[test]
fn contents_of_megabytes_in_deltas() {
    all_is_scanned(vec![state("large", &[], |repository| {
        let noise = random("[a-z]{64}");
        for number in 0..2 {
            let noise = format!("{noise}\n").repeat(18_000 + number);
            repository.write("large", format!("{noise}{}{noise}", text(0, number)));
            repository.commit_all();
        }
        repository.git(&["repack", "-adfq"]);
        Vec::new()
    })]);
}

/// Most versions hold no key, and of those only what is new is looked into; a family that forks takes more memory than is
/// held at a time.
#[test]
fn a_key_that_comes_and_goes_in_versions_of_megabytes() {
    all_is_scanned(vec![state("versions", &[], |repository| {
        let lines: Vec<String> = (0..40_000)
            .map(|number| format!("line {number} of a text that is changed here and there\n"))
            .collect();
        for number in 0..16 {
            let mut lines = lines.clone();
            // Others build on the versions before, and forget the one just made.
            for place in [number / 2, number / 3, number] {
                lines[2_000 * place + 1] = format!("what version {place} says\n").repeat(40 + place);
            }
            if number % 3 == 2 {
                lines.insert(2_500 * number, Key::random().ini());
            }
            repository.write("large", lines.concat());
            repository.commit_all();
        }
        repository.git(&["repack", "-adfq", "--depth=50", "--window=30"]);
        Vec::new()
    })]);
}

#[test]
fn what_is_damaged_or_gone_is_an_error() {
    let State { repository, .. } = state("", &[], git(&["gc", "--quiet", "--prune=now"]));
    let (pack, index) = (&files(&repository, "pack")[0], &files(&repository, "idx")[0]);
    let whole = fs::read(pack).unwrap();
    for part in 0..8 {
        let mut damaged = whole.clone();
        damaged[40 + part * (whole.len() - 80) / 8] ^= 0xff;
        fs::write(pack, damaged).unwrap();
        failed(&history(&repository), "");
    }
    fs::write(pack, &whole[..whole.len() / 2]).unwrap();
    failed(&history(&repository), "");
    fs::remove_file(pack).unwrap();
    failed(&history(&repository), "");
    fs::write(pack, &whole).unwrap();
    assert_eq!(history(&repository).status.code(), Some(1));
    let names = fs::read(index).unwrap();
    fs::write(index, &names[..names.len() / 2]).unwrap();
    failed(&history(&repository), "");
}

#[test]
fn one_missing_object_of_a_pack_is_an_error() {
    let repository = Repository::new();
    commit_often(&repository, 0);
    let blob = repository.git(&["rev-parse", "HEAD~5:long"]);
    let tree = repository.git(&["rev-parse", "HEAD~4^{tree}"]);
    let commit = repository.git(&["rev-parse", "HEAD~3"]);
    for missing in [blob, tree, commit] {
        let file = repository
            .path
            .join(".git/objects")
            .join(&missing[..2])
            .join(&missing[2..]);
        let content = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        failed(&history(&repository), &missing);
        // What nothing reaches may be incomplete.
        fs::write(&file, content).unwrap();
    }
    let unreached = repository.path.join("unreached");
    fs::write(&unreached, "x\n").unwrap();
    repository.git(&["add", "unreached"]);
    repository.git(&["write-tree"]);
    let blob = repository.git(&["rev-parse", ":unreached"]);
    repository.git(&["read-tree", "HEAD"]);
    fs::remove_file(
        repository
            .path
            .join(".git/objects")
            .join(&blob[..2])
            .join(&blob[2..]),
    )
    .unwrap();
    assert_eq!(history(&repository).status.code(), Some(1));
}

#[test]
fn a_key_that_is_only_staged_is_spoken_of_and_found_among_all_objects() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a", key.ini());
    let (stdout, stderr) = texts(
        &repository
            .command(KEYAGENT)
            .args(["scan", "--history"])
            .output()
            .unwrap(),
    );
    assert_eq!(stdout, "");
    let command = "keyagent scan --history --all-objects";
    assert!(
        stderr.contains("one object that no commit has") && stderr.contains(command),
        "{stderr}"
    );
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("keyagent"));
    let output = repository.command(KEYAGENT).args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).0.contains(&key.id));
}
