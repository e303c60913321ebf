//! `keyagent hook` with the real git: that no way to commit or push lets a key through, and that no other hook is lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::Run;
use crate::support::repository::{KEYAGENT, Key, Repository, texts};

mod earlier;
mod global;
mod install;
mod managers;
mod server;
mod tools;

impl Repository {
    #[track_caller]
    fn hook(&self, arguments: &[&str]) -> Run {
        let output = self.command(KEYAGENT).arg("hook").args(arguments).output();
        Run::of(&output.unwrap())
    }

    /// A bare repository beside this one, as the remote `origin`.
    fn with_remote(self) -> Self {
        self.git(&["init", "--quiet", "--bare", "../remote.git"]);
        self.git(&["remote", "add", "origin", "../remote.git"]);
        self.git(&["push", "--quiet", "--no-verify", "-u", "origin", "HEAD"]);
        self
    }

    fn remote(&self) -> PathBuf {
        self.folder.path().join("remote.git")
    }

    /// A commit that no hook has seen.
    fn commit_unchecked(&self, name: &str, content: impl AsRef<[u8]>) {
        self.write(name, content);
        self.commit_all();
    }
}

/// git stopped, and keyagent has named the key and not its secret.
#[track_caller]
fn stopped(output: &Output, key: &Key) {
    let (stdout, stderr) = texts(output);
    assert!(!output.status.success(), "{stdout}{stderr}");
    let said = stdout + &stderr;
    assert!(said.contains(&key.id), "{said}");
    assert!(!said.contains(&key.secret));
}

/// A program that a test puts in a place of its own.
fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What hooks have written down, without what differs from run to run: paths, and the names of objects.
fn told(repository: &Repository, log: &Path) -> String {
    let top = repository.folder.path().display().to_string();
    let mut names: Vec<String> = Vec::new();
    let log = fs::read_to_string(log).unwrap().replace(&top, "TOP");
    let words = log.split_inclusive(char::is_whitespace).map(|word| {
        let name = word.trim_end();
        let is_name = name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_name || name.bytes().all(|byte| byte == b'0') {
            return word.to_owned();
        }
        let number = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        word.replace(name, &format!("object{number}"))
    });
    words.collect()
}

#[track_caller]
fn same(with: &str, without: &str) {
    let first = with
        .lines()
        .zip(without.lines())
        .find(|(with, without)| with != without);
    assert_eq!(first, None);
    assert_eq!(with.lines().count(), without.lines().count());
}

#[test]
fn every_way_to_commit_is_stopped() {
    let key = Key::random();
    let ways: [&[&str]; 7] = [
        &["commit", "-m", "x"],
        &["commit", "-am", "x"],
        &["commit", "-m", "x", "README"],
        &["commit", "-m", "x", "--include", "README"],
        &["commit", "-m", "x", "--only", "README"],
        &["commit", "--amend", "--no-edit"],
        &["commit", "--amend", "--no-edit", "-a"],
    ];
    for way in ways {
        let repository = Repository::begun();
        repository.install_hook();
        let head = repository.git(&["rev-parse", "HEAD"]);
        repository.write("README", key.ini());
        if !way.iter().any(|word| ["-am", "-a", "README"].contains(word)) {
            repository.git(&["add", "README"]);
        }
        stopped(&repository.try_git(way), &key);
        assert_eq!(repository.git(&["rev-parse", "HEAD"]), head, "{way:?}");
        repository.write("README", "clean\n");
        repository.git(&["add", "README"]);
        repository.git(way);
    }
}

#[test]
fn the_first_commit_is_stopped() {
    let (repository, key) = (Repository::new(), Key::random());
    repository.install_hook();
    repository.stage("a", key.ini());
    stopped(&repository.try_git(&["commit", "-m", "x"]), &key);
}

#[test]
fn a_subfolder_and_a_linked_work_tree_are_no_way_round() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.install_hook();
    fs::create_dir(repository.path.join("folder")).unwrap();
    repository.stage("folder/a", key.ini());
    let commit = |folder: &str| {
        repository
            .command("git")
            .current_dir(repository.path.join(folder))
            .args(["commit", "-m", "x"])
            .output()
            .unwrap()
    };
    stopped(&commit("folder"), &key);
    repository.git(&["reset", "--quiet", "--hard"]);
    repository.git(&["worktree", "add", "--quiet", "../linked"]);
    repository.write("../linked/b", key.ini());
    repository.git(&["-C", "../linked", "add", "b"]);
    stopped(&commit("../linked"), &key);
    // From the linked one the same folder of hooks is seen.
    let status = repository
        .command(KEYAGENT)
        .current_dir(repository.path.join("../linked"))
        .args(["hook", "install"])
        .output()
        .unwrap();
    assert_eq!(texts(&status).0.matches("nothing to do").count(), 6);
}

#[test]
fn a_repository_that_the_environment_names_is_the_one_that_is_scanned() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.install_hook();
    let elsewhere = repository.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    repository.write("a", key.ini());
    let git = |arguments: &[&str]| {
        repository
            .command("git")
            .current_dir(&elsewhere)
            .env("GIT_DIR", repository.path.join(".git"))
            .env("GIT_WORK_TREE", &repository.path)
            .env("GIT_INDEX_FILE", repository.folder.path().join("index"))
            .args(arguments)
            .output()
            .unwrap()
    };
    assert!(git(&["read-tree", "HEAD"]).status.success());
    assert!(git(&["add", "a"]).status.success() || git(&["add", ":/a"]).status.success());
    stopped(&git(&["commit", "-m", "x"]), &key);
}

#[test]
fn a_merge_is_stopped() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.commit_unchecked("README", "side\n");
    repository.git(&["checkout", "--quiet", "main"]);
    repository.commit_unchecked("README", "main\n");
    repository.install_hook();
    assert!(!repository.try_git(&["merge", "side"]).status.success());
    repository.stage("README", key.ini());
    stopped(&repository.try_git(&["commit", "--no-edit"]), &key);
    stopped(&repository.try_git(&["merge", "--continue"]), &key);
    repository.stage("README", "both\n");
    repository.git(&["commit", "--no-edit"]);
}

#[test]
fn a_merge_without_conflicts_passes_and_its_message_is_read() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.commit_unchecked("theirs", key.ini());
    repository.git(&["checkout", "--quiet", "main"]);
    repository.commit_unchecked("mine", "main\n");
    repository.install_hook();
    let message = format!("merge {}", key.id);
    stopped(&repository.try_git(&["merge", "-m", &message, "side"]), &key);
    repository.git(&["merge", "--abort"]);
    // What a parent has is not new; the push is where that is stopped.
    repository.git(&["merge", "-m", "x", "side"]);
}

#[test]
fn a_message_is_stopped() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.install_hook();
    for message in [key.id.clone(), format!("aws secret {}", key.secret)] {
        let output = repository.try_git(&["commit", "--allow-empty", "-m", &message]);
        let (stdout, stderr) = texts(&output);
        assert!(!output.status.success(), "{stdout}{stderr}");
        assert!(!stderr.contains(&key.secret) && !stdout.contains(&key.secret));
    }
}

#[test]
fn the_diff_that_git_shows_in_the_editor_is_no_message() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.commit_unchecked("old", key.ini());
    repository.install_hook();
    repository.git(&["rm", "--quiet", "old"]);
    let output = repository
        .command("git")
        .env("GIT_EDITOR", "sed -i 1s/^/removed/")
        .args(["commit", "--verbose"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{:?}", texts(&output));
}

#[test]
fn a_patch_is_stopped() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.commit_unchecked("a", key.ini());
    let patch = repository.git(&["format-patch", "--stdout", "-1"]);
    repository.git(&["reset", "--quiet", "--hard", "HEAD^"]);
    repository.write("../patch", patch + "\n");
    repository.install_hook();
    let head = repository.git(&["rev-parse", "HEAD"]);
    stopped(&repository.try_git(&["am", "../patch"]), &key);
    assert_eq!(repository.git(&["rev-parse", "HEAD"]), head);
    repository.git(&["am", "--abort"]);
}

#[test]
fn what_git_does_without_a_hook_is_stopped_at_the_push() {
    type Way = fn(&Repository, &Key);
    let ways: [(&str, Way); 8] = [
        ("--no-verify", |repository, key| {
            repository.stage("a", key.ini());
            repository.git(&["commit", "--quiet", "--no-verify", "-m", "x"]);
        }),
        ("removed again", |repository, key| {
            repository.commit_unchecked("a", key.ini());
            repository.commit_unchecked("a", "clean\n");
        }),
        ("rebase --continue", |repository, key| {
            repository.commit_unchecked("README", "mine\n");
            repository.git(&["checkout", "--quiet", "-b", "side", "HEAD^"]);
            repository.commit_unchecked("README", "side\n");
            assert!(!repository.try_git(&["rebase", "main"]).status.success());
            repository.stage("README", key.ini());
            let output = repository
                .command("git")
                .env("GIT_EDITOR", "true")
                .args(["rebase", "--continue"])
                .output()
                .unwrap();
            if !output.status.success() {
                repository.git(&["commit", "--quiet", "--no-verify", "-m", "x"]);
            }
        }),
        ("cherry-pick", |repository, key| {
            repository.git(&["checkout", "--quiet", "-b", "side"]);
            repository.commit_unchecked("a", key.ini());
            repository.git(&["checkout", "--quiet", "main"]);
            repository.git(&["cherry-pick", "--allow-empty", "side"]);
        }),
        ("revert", |repository, key| {
            repository.commit_unchecked("a", key.ini());
            repository.git(&["rm", "--quiet", "a"]);
            repository.git(&["commit", "--quiet", "-m", "x"]);
            repository.git(&["revert", "--no-edit", "HEAD"]);
        }),
        ("a merge that moves the branch forward", |repository, key| {
            repository.git(&["checkout", "--quiet", "-b", "side"]);
            repository.commit_unchecked("a", key.ini());
            repository.git(&["checkout", "--quiet", "main"]);
            repository.git(&["merge", "--quiet", "--ff-only", "side"]);
        }),
        ("a merge of a branch that holds it", |repository, key| {
            repository.git(&["checkout", "--quiet", "-b", "side"]);
            repository.commit_unchecked("a", key.ini());
            repository.git(&["checkout", "--quiet", "main"]);
            repository.git(&["merge", "--quiet", "--no-ff", "-m", "x", "side"]);
        }),
        ("commit-tree", |repository, key| {
            repository.stage("a", key.ini());
            let tree = repository.git(&["write-tree"]);
            let commit = repository.git(&["commit-tree", &tree, "-p", "HEAD", "-m", "x"]);
            repository.git(&["reset", "--quiet", "--hard", &commit]);
        }),
    ];
    for (name, way) in ways {
        let (repository, key) = (Repository::begun().with_remote(), Key::random());
        repository.install_hook();
        way(&repository, &key);
        let output = repository.try_git(&["push", "origin", "HEAD:refs/heads/new"]);
        assert!(!output.status.success(), "{name}");
        stopped(&output, &key);
        assert!(!repository.remote().join("refs/heads/new").exists());
    }
}

#[test]
fn every_way_to_push_is_stopped() {
    let key = Key::random();
    let ways: [&[&str]; 9] = [
        &["push"],
        &["push", "--force"],
        &["push", "origin", "HEAD:refs/heads/new"],
        &["push", "origin", "HEAD:refs/anything/new"],
        &["push", "--all"],
        &["push", "--mirror"],
        &["push", "--tags"],
        &["push", "../remote.git", "main"],
        &["push", "origin", ":gone", "main"],
    ];
    for way in ways {
        let repository = Repository::begun().with_remote();
        repository.git(&["push", "--quiet", "origin", "HEAD:gone"]);
        repository.install_hook();
        if way.contains(&"--force") {
            repository.git(&["commit", "--quiet", "--amend", "-m", "another"]);
        }
        repository.commit_unchecked("a", key.ini());
        repository.git(&["tag", "-m", "x", "v1"]);
        repository.commit_unchecked("a", "clean\n");
        stopped(&repository.try_git(way), &key);
        assert!(repository.remote().join("refs/heads/gone").exists());
    }
}

#[test]
fn what_the_remote_has_is_pushed_freely() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.commit_unchecked("old", key.ini());
    let repository = repository.with_remote();
    repository.install_hook();
    repository.commit_unchecked("new", "clean\n");
    repository.git(&["push", "--quiet"]);
    repository.git(&["push", "--quiet", "origin", "HEAD:refs/heads/other"]);
    repository.git(&["tag", "-m", "x", "v1"]);
    repository.git(&["push", "--quiet", "origin", "v1"]);
    repository.git(&["push", "--quiet", "origin", ":other"]);
    repository.git(&["push", "--quiet"]);
    // Another remote has nothing of it.
    repository.git(&["init", "--quiet", "--bare", "../another.git"]);
    repository.git(&["remote", "add", "another", "../another.git"]);
    stopped(&repository.try_git(&["push", "another", "main"]), &key);
}

/// What was seen of the one says nothing about the other.
#[test]
fn another_repository_under_the_same_name_has_nothing() {
    type Way = fn(&Repository);
    let ways: [(&str, Way); 4] = [
        ("another URL", |repository| {
            repository.git(&["remote", "set-url", "origin", "../new.git"]);
        }),
        ("another URL, and an older state there", |repository| {
            repository.git(&[
                "push",
                "--quiet",
                "--no-verify",
                "../new.git",
                "HEAD~2:refs/heads/main",
            ]);
            repository.git(&["remote", "set-url", "origin", "../new.git"]);
        }),
        ("a URL for pushing", |repository| {
            repository.git(&["remote", "set-url", "--add", "--push", "origin", "../new.git"]);
            repository.git(&["checkout", "--quiet", "-b", "topic"]);
        }),
        ("a second URL", |repository| {
            repository.git(&["remote", "set-url", "--add", "origin", "../new.git"]);
            repository.git(&["checkout", "--quiet", "-b", "topic"]);
        }),
    ];
    for (name, way) in ways {
        let (repository, key) = (Repository::begun(), Key::random());
        repository.commit_unchecked("old", key.ini());
        repository.commit_unchecked("old", "clean\n");
        let repository = repository.with_remote();
        repository.install_hook();
        repository.git(&["init", "--quiet", "--bare", "../new.git"]);
        way(&repository);
        let output = repository.try_git(&["push", "-u", "origin", "HEAD"]);
        stopped(&output, &key);
        let new = repository.try_git(&[
            "-C",
            "../new.git",
            "cat-file",
            "-e",
            &repository.git(&["rev-parse", "HEAD"]),
        ]);
        assert!(!new.status.success(), "{name}");
    }
}

#[test]
fn a_remote_within_anothers_name_is_another_remote() {
    let (repository, key) = (Repository::begun(), Key::random());
    for name in ["team", "pub"] {
        repository.git(&["init", "--quiet", "--bare", &format!("../{name}.git")]);
    }
    repository.git(&["remote", "add", "team/pub", "../pub.git"]);
    repository.git(&["remote", "add", "team", "../team.git"]);
    repository.commit_unchecked("old", key.ini());
    repository.git(&["push", "--quiet", "team/pub", "HEAD"]);
    repository.install_hook();
    stopped(&repository.try_git(&["push", "team", "HEAD"]), &key);
    repository.git(&["push", "--quiet", "team/pub", "HEAD:new"]);
}

#[test]
fn what_hangs_at_a_tag_is_stopped() {
    let key = Key::random();
    type Way = fn(&Repository, &Key);
    let ways: [Way; 4] = [
        |repository, key| {
            repository.git(&["tag", "-m", &key.id, "v1"]);
        },
        |repository, key| {
            repository.git(&["tag", "-m", &key.id, "inner"]);
            repository.git(&["tag", "-m", "outer", "v1", "inner"]);
        },
        |repository, key| {
            repository.write("a", key.ini());
            let blob = repository.git(&["hash-object", "-w", "a"]);
            repository.git(&["tag", "v1", &blob]);
        },
        |repository, key| {
            repository.stage("a", key.ini());
            let tree = repository.git(&["write-tree"]);
            repository.git(&["tag", "-m", "a tree", "v1", &tree]);
            repository.git(&["reset", "--quiet", "--hard"]);
        },
    ];
    for way in ways {
        let repository = Repository::begun().with_remote();
        repository.install_hook();
        way(&repository, &key);
        stopped(&repository.try_git(&["push", "origin", "v1"]), &key);
    }
}

#[test]
fn without_keyagent_nothing_passes() {
    let repository = Repository::begun().with_remote();
    let folder = repository.folder.path().join("it's here");
    fs::create_dir(&folder).unwrap();
    let copy = folder.join("keyagent");
    fs::copy(KEYAGENT, &copy).unwrap();
    let install = Command::new(&copy)
        .args(["hook", "install"])
        .current_dir(&repository.path)
        .output()
        .unwrap();
    assert!(install.status.success(), "{:?}", texts(&install));
    repository.stage("a", "clean\n");
    repository.git(&["commit", "--quiet", "-m", "x"]);

    let shown = copy.display().to_string();
    let blocks = |cause: &str| {
        repository.write("a", random_line());
        for (arguments, unchecked) in [
            (&["commit", "-am", "x"][..], "git commit --no-verify"),
            (&["push", "origin", "main"], "git push --no-verify"),
        ] {
            let output = repository.try_git(arguments);
            let stderr = texts(&output).1;
            assert!(!output.status.success(), "{cause}: {stderr}");
            for words in [
                "error: cannot look for AWS keys",
                cause,
                "hint:  install keyagent",
                unchecked,
            ] {
                assert!(stderr.contains(words), "no {words} in {stderr}");
            }
        }
    };
    fs::write(&copy, "").unwrap();
    blocks(&format!("cause: {shown} is not installed"));
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    blocks(&format!("cause: {shown} is not installed"));
    fs::remove_file(&copy).unwrap();
    blocks(&format!("cause: {shown} is not installed"));
    program(&copy, "#!/bin/sh\nexit 3\n");
    blocks(&format!("cause: {shown} ended with code 3"));
    program(&copy, "#!/nowhere/sh\n");
    blocks(&format!("cause: {shown} ended with code"));

    // KEYAGENT names another one.
    repository.write("a", random_line());
    let output = repository
        .command("git")
        .env("KEYAGENT", "/nowhere/keyagent")
        .args(["commit", "-am", "x"])
        .output()
        .unwrap();
    let stderr = texts(&output).1;
    assert!(!output.status.success(), "{stderr}");
    assert!(
        stderr.contains("cause: /nowhere/keyagent is not installed"),
        "{stderr}"
    );
    assert!(stderr.contains("hint:  unset KEYAGENT"), "{stderr}");
    let output = repository
        .command("git")
        .env("KEYAGENT", KEYAGENT)
        .args(["commit", "-am", "x"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{:?}", texts(&output));
}

fn random_line() -> String {
    crate::support::repository::random("[a-z]{20}\n")
}

#[test]
fn what_is_no_hook_of_keyagents_is_refused() {
    let repository = Repository::begun();
    repository.hook(&["run", "post-commit"]).exits(2);
    repository.hook(&["run", "commit-msg"]).fails_with(
        "cannot look for AWS keys",
        "one argument",
        "git commit --no-verify",
    );
    let mut child = repository
        .command(KEYAGENT)
        .args(["hook", "run", "pre-push", "origin", "x"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"what is this\n").unwrap();
    Run::of(&child.wait_with_output().unwrap()).fails_with(
        "the push is blocked",
        "lines of 4 words",
        "git push",
    );
}

/// As other tools have it.
#[test]
fn who_types_another_tools_command_is_told_which_is_meant() {
    let repository = Repository::begun();
    for (typed, meant) in [
        ("install", "keyagent hook install"),
        ("uninstall", "keyagent hook uninstall"),
        ("version", "keyagent --version"),
        ("hook remove", "keyagent hook uninstall"),
        ("hook check", "keyagent hook status"),
    ] {
        let output = repository
            .command(KEYAGENT)
            .args(typed.split(' '))
            .output()
            .unwrap();
        let run = Run::of(&output).exits(2);
        assert!(
            run.stderr.contains(&format!("  tip: did you mean: {meant}\n")),
            "{}",
            run.stderr
        );
        assert!(!run.stderr.contains("similar"), "{}", run.stderr);
        // It is a command.
        let words = meant.split(' ').skip(1);
        let help = repository.command(KEYAGENT).args(words).arg("--help").output();
        assert!(help.unwrap().status.success(), "{meant}");
    }
}
