//! Commits, the whole history, messages and folders, with the real git and the built binary.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Output;

use serde_json::Value;

use crate::support::repository::{KEYAGENT, Key, Repository, failed, texts};

fn scan(repository: &Repository, arguments: &[&str]) -> Output {
    let mut command = repository.command(KEYAGENT);
    command
        .arg("scan")
        .args(arguments)
        .output()
        .expect("the repository can be set up and read")
}

/// Path and commit of each key ID that is found.
#[track_caller]
fn found(repository: &Repository, arguments: &[&str]) -> Vec<(String, Option<String>)> {
    let output = scan(repository, &[arguments, &["--format", "json"]].concat());
    let (stdout, stderr) = texts(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{stderr}");
    let document: Value = serde_json::from_str(&stdout).expect("the repository can be set up and read");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let findings = document["findings"]
        .as_array()
        .expect("the repository can be set up and read")
        .iter();
    findings
        .filter(|finding| finding["rule"] == "access-key-id")
        .map(|finding| {
            (
                text(&finding["path"]).expect("the repository can be set up and read"),
                text(&finding["commit"]),
            )
        })
        .collect()
}

fn paths(found: &[(String, Option<String>)]) -> Vec<&str> {
    found.iter().map(|(path, _)| path.as_str()).collect()
}

/// A history in which keys come in on branches, in messages, in a tag, a stash and a merge, and go out again.
struct History {
    repository: Repository,
    first: String,
}

impl History {
    fn new() -> Self {
        let repository = Repository::begun();
        let key = || Key::random().ini();
        repository.write("removed", key());
        repository.commit_all();
        let first = repository.git(&["rev-parse", "HEAD"]);
        repository.git(&["mv", "removed", "moved"]);
        repository.commit_all();
        repository.git(&["rm", "--quiet", "moved"]);
        repository.git(&["commit", "--quiet", "--message", &key()]);

        repository.git(&["checkout", "--quiet", "-b", "side", "main~1"]);
        repository.write("on a branch", key());
        repository.commit_all();
        repository.git(&["checkout", "--quiet", "main"]);
        repository.git(&["merge", "--quiet", "--no-commit", "side"]);
        repository.write("in the merge", key());
        repository.commit_all();

        repository.git(&["tag", "--annotate", "--message", &key(), "v1"]);
        for name in ["stashed first", "stashed last"] {
            repository.write(name, key());
            repository.git(&["add", "--all"]);
            repository.git(&["stash", "--quiet"]);
        }
        repository.write("README", "clean\n");
        repository.commit_all();
        Self { repository, first }
    }
}

#[test]
fn the_history_is_read_once_and_as_a_whole() {
    let History { repository, first } = History::new();
    for packed in [false, true] {
        if packed {
            repository.git(&["gc", "--quiet"]);
        }
        let found = found(&repository, &["--history"]);
        let mut names = paths(&found);
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "<commit message>",
                "<tag v1>",
                "in the merge",
                "on a branch",
                "removed",
                "stashed first",
                "stashed last",
            ]
        );
        for (path, commit) in &found {
            assert_eq!(commit.is_none(), path == "<tag v1>", "{path}");
        }
        let removed = found.iter().find(|(path, _)| path == "removed").unwrap();
        assert_eq!(removed.1.as_deref(), Some(first.as_str()));
    }
}

#[test]
fn what_nothing_refers_to_is_read_on_demand() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write("reset", key.ini());
    repository.commit_all();
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    repository.stage("only staged", Key::random().ini());
    repository.git(&["reset", "--quiet"]);
    assert_eq!(found(&repository, &["--history"]), []);
    let found = found(&repository, &["--history", "--all-objects"]);
    assert_eq!(found.len(), 2);
    let reset = found.iter().find(|(path, _)| path == "reset").unwrap();
    assert!(reset.1.is_some());
    assert!(
        found
            .iter()
            .any(|(path, commit)| path.starts_with("<blob ") && commit.is_none())
    );
    let output = scan(&repository, &["--all-objects", "README"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_bare_repository_has_a_history() {
    let History { repository, .. } = History::new();
    let url = repository.path.display().to_string();
    let bare = Repository::empty();
    bare.git(&["clone", "--quiet", "--mirror", &url, "."]);
    assert_eq!(scan(&bare, &["--history"]).status.code(), Some(1));
    assert_eq!(scan(&bare, &["--commits", "main"]).status.code(), Some(1));
}

#[test]
fn what_is_missing_from_the_history_is_an_error() {
    let repository = Repository::begun();
    repository.write("README", "second\n");
    repository.commit_all();
    let blob = repository.git(&["rev-parse", "HEAD~1:README"]);
    let file = repository
        .path
        .join(".git/objects")
        .join(&blob[..2])
        .join(&blob[2..]);
    let whole = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    failed(&scan(&repository, &["--history"]), &blob);
    failed(&scan(&repository, &["--commits", "HEAD"]), &blob);
    assert_eq!(
        scan(&repository, &["--commits", "HEAD~1..HEAD"]).status.code(),
        Some(0)
    );
    fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    failed(&scan(&repository, &["--history"]), &blob);
}

#[test]
fn commits_are_chosen_as_for_git_log() {
    let repository = Repository::begun();
    for name in ["one", "two", "three"] {
        repository.write(name, Key::random().ini());
        repository.commit_all();
    }
    let of = |words: &[&str]| {
        let mut arguments = Vec::new();
        for word in words {
            arguments.extend(["--commits", word]);
        }
        found(&repository, &arguments)
    };
    assert_eq!(paths(&of(&["HEAD~2..HEAD"])), ["three", "two"]);
    assert_eq!(paths(&of(&["HEAD", "^HEAD~1"])), ["three"]);
    assert_eq!(paths(&of(&["HEAD --not HEAD~2"])), ["three", "two"]);
    assert_eq!(paths(&of(&["HEAD", "-1"])), ["three"]);
    assert_eq!(paths(&of(&["--all"])), ["three", "two", "one"]);
    for words in [
        "-2",
        "-n2",
        "-n 2 HEAD",
        "--no-merges -n2",
        "--author=A --max-count=2",
    ] {
        assert_eq!(paths(&of(&[words])), ["three", "two"], "{words}");
    }
    assert_eq!(of(&["--author=nobody"]), []);
    assert_eq!(of(&["HEAD..HEAD"]), []);
    let head = repository.git(&["rev-parse", "HEAD"]);
    assert_eq!(of(&["HEAD~1..HEAD"])[0].1.as_deref(), Some(head.as_str()));
    for word in ["--output=x", "--exec=x", "--upload-pack=x", "-nx", "--stat"] {
        failed(&scan(&repository, &["--commits", word]), "chooses no commits");
    }
    failed(&scan(&repository, &["--commits", "absent"]), "absent");
    assert!(!repository.path.join("x").exists());
}

#[test]
fn a_value_that_a_parent_had_is_not_new() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write("old", key.ini());
    repository.commit_all();
    repository.git(&["mv", "old", "new"]);
    repository.write("new", key.ini() + "region = eu-west-1\n");
    repository.commit_all();
    assert_eq!(found(&repository, &["--commits", "HEAD~1..HEAD"]), []);
    assert_eq!(paths(&found(&repository, &["--commits", "HEAD"])), ["old"]);
}

#[test]
fn a_commit_message_is_read_as_git_will_keep_it() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write("message", format!("subject\n\n{}\n", key.id));
    let of = |editor: &str| {
        let mut command = repository.command(KEYAGENT);
        command
            .args(["scan", "--message", "message"])
            .env("GIT_EDITOR", editor);
        command.output().unwrap()
    };
    let output = of("vi");
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).0.contains("message:3:1"), "{:?}", texts(&output));
    repository.write("message", format!("subject\n# {}\n", key.id));
    assert_eq!(of("vi").status.code(), Some(0));
    // Without an editor git keeps such lines, and says so.
    assert_eq!(of(":").status.code(), Some(1));
    failed(&scan(&repository, &["--message", "absent"]), "No such file");
}

#[test]
fn folders_are_walked_as_ripgrep_does() {
    let repository = Repository::begun();
    let path = |name: &str| repository.path.join(name);
    let write = |name: &str, content: String| {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::write(path(name), content).unwrap();
    };
    for name in [
        "b",
        "a/c",
        ".hidden/d",
        "a/binary",
        "ignored/e",
        ".git/f",
        "z.log",
    ] {
        write(name, format!("\0{}", Key::random().ini()));
    }
    write(".gitignore", "ignored\n*.log\n".to_owned());
    symlink(path("b"), path("link")).unwrap();
    let here: &[&str] = &["."];
    assert_eq!(
        paths(&found(&repository, here)),
        ["b", ".hidden/d", "a/binary", "a/c"]
    );
    assert_eq!(
        paths(&found(&repository, &[".", "--no-ignore"])),
        ["b", "z.log", ".hidden/d", "a/binary", "a/c", "ignored/e"]
    );
    // What is named is read, whatever it is.
    assert_eq!(
        paths(&found(&repository, &["z.log", "link", "ignored"])),
        ["z.log", "link", "ignored/e"]
    );
    // Nor does what cannot be read hide what else there is.
    let output = scan(&repository, &["a", "absent", "gone", "--format", "json"]);
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("error: cannot scan absent, nor 1 more\n"),
        "{stderr}"
    );
    assert!(stderr.contains("No such file"), "{stderr}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["findings"][0]["path"], "a/binary");
    assert_eq!(document["errors"][1]["error"], "cannot scan gone");
    let stderr = |arguments: &[&str]| texts(&scan(&repository, arguments)).1;
    let passed_over = "\npassed over 2 files or folders, as .gitignore says; to read all: --no-ignore\n";
    assert!(stderr(here).contains(passed_over), "{}", stderr(here));
    assert!(!stderr(&[".", "--no-ignore"]).contains("passed over"));
    let output = scan(&repository, &["--no-ignore", "--staged"]);
    assert_eq!(output.status.code(), Some(2));
}

/// Also for a folder that cannot be listed; root may read everything, so there it is a link to nowhere.
#[test]
fn what_cannot_be_read_is_an_error() {
    let repository = Repository::begun();
    let file = repository.path.join("locked");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&file).is_err() {
        failed(&scan(&repository, &["."]), "Permission denied");
    }
    symlink("nowhere", repository.path.join("link")).unwrap();
    failed(&scan(&repository, &["link"]), "No such file");
}
