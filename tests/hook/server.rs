//! pre-receive: what comes lies in quarantine, and nobody asks it to be polite.

use super::*;

/// A server with the hook, and a repository that pushes to it without checks of its own.
fn server() -> Repository {
    let repository = Repository::begun().with_remote();
    let script = repository.hook(&["install", "--server"]).exits(0).stdout;
    program(&repository.remote().join("hooks/pre-receive"), &script);
    repository
}

#[test]
fn every_push_with_a_key_is_refused() {
    let key = Key::random();
    for target in [
        "main",
        "HEAD:refs/heads/new",
        "v1",
        "light",
        "HEAD:refs/anything/x",
    ] {
        let repository = server();
        repository.commit_unchecked("a", key.ini());
        repository.git(&["tag", "light"]);
        repository.commit_unchecked("a", "clean\n");
        repository.git(&["tag", "-m", "x", "v1"]);
        stopped(&repository.try_git(&["push", "--force", "origin", target]), &key);
        assert_eq!(
            repository
                .git(&["-C", "../remote.git", "for-each-ref"])
                .lines()
                .count(),
            1
        );
        // Quarantined objects are gone.
        assert!(
            !repository
                .try_git(&["-C", "../remote.git", "cat-file", "-e", "HEAD^{tree}:a"])
                .status
                .success()
        );
    }
}

#[test]
fn what_is_clean_or_was_there_passes() {
    let repository = server();
    repository.commit_unchecked("a", "clean\n");
    repository.git(&["push", "--quiet", "origin", "main", "HEAD:b", "HEAD:c"]);
    repository.git(&["push", "--quiet", "origin", ":b", ":c"]);
    repository.git(&["commit", "--quiet", "--amend", "-m", "forced"]);
    repository.git(&["push", "--quiet", "--force", "origin", "main"]);
}

#[test]
fn who_pushes_cannot_choose_another_keyagent() {
    let (repository, key) = (server(), Key::random());
    repository.commit_unchecked("a", key.ini());
    let output = repository
        .command("git")
        .env("KEYAGENT", "true")
        .args(["push", "origin", "main"])
        .output()
        .unwrap();
    stopped(&output, &key);
}

#[test]
fn a_bare_repository_gets_it_with_install_too() {
    let (repository, key) = (Repository::begun().with_remote(), Key::random());
    let hooks = repository.remote().join("hooks");
    let log = repository.folder.path().join("log");
    program(
        &hooks.join("pre-receive"),
        &format!("#!/bin/sh\ncat >'{}'\n", log.display()),
    );
    let in_remote = |arguments: &[&str]| {
        let output = repository
            .command(KEYAGENT)
            .current_dir(repository.remote())
            .arg("hook")
            .args(arguments)
            .output();
        Run::of(&output.unwrap())
    };
    in_remote(&["status"]).exits(1);
    in_remote(&["install"]).exits(0);
    in_remote(&["status"]).exits(0);
    let old = repository.git(&["rev-parse", "HEAD"]);
    repository.commit_unchecked("a", "clean\n");
    let new = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(
        fs::read_to_string(&log).unwrap(),
        format!("{old} {new} refs/heads/main\n")
    );
    repository.commit_unchecked("a", key.ini());
    stopped(&repository.try_git(&["push", "origin", "main"]), &key);
    in_remote(&["uninstall"]).exits(0);
    assert!(
        fs::read_to_string(hooks.join("pre-receive"))
            .unwrap()
            .contains("cat >")
    );
}

/// As where the exception is made for the very key that is pushed with it.
#[test]
fn what_is_pushed_brings_its_own_exceptions() {
    for hook in ["pre-receive", "pre-push"] {
        let (repository, key) = (Repository::begun().with_remote(), Key::random());
        if hook == "pre-receive" {
            let script = repository.hook(&["install", "--server"]).exits(0).stdout;
            program(&repository.remote().join("hooks/pre-receive"), &script);
        } else {
            repository.install_hook();
        }
        repository.git(&["checkout", "--quiet", "-b", "side"]);
        repository.commit_unchecked("a", key.ini());
        let push = || {
            // Not the branch that is checked out: what is pushed counts.
            repository.git(&["checkout", "--quiet", "main"]);
            let output = repository.try_git(&["push", "origin", "side"]);
            repository.git(&["checkout", "--quiet", "side"]);
            output
        };
        stopped(&push(), &key);
        // What the person is told to do.
        let allow = ["scan", "--history", "--allow", "a made-up key"];
        let output = repository.command(KEYAGENT).args(allow).output().unwrap();
        assert!(output.status.success(), "{:?}", texts(&output));
        repository.commit_all();
        let output = push();
        assert!(output.status.success(), "{hook}: {:?}", texts(&output));
        // Another key has no excuse.
        let other = Key::random();
        repository.commit_unchecked("b", other.ini());
        stopped(&push(), &other);
        // A line that is no entry allows nothing.
        repository.commit_unchecked(".keyagentallow", "path b\n");
        let output = push();
        assert!(!output.status.success());
        let stderr = texts(&output).1;
        assert!(
            stderr.contains("cannot tell what .keyagentallow allows"),
            "{stderr}"
        );
    }
}

#[test]
fn who_pushes_is_told_that_the_administrator_has_to_act() {
    let repository = server();
    let hook = repository.remote().join("hooks/pre-receive");
    let script = fs::read_to_string(&hook).unwrap();
    repository.commit_unchecked("a", "clean\n");
    let refused = |cause: &str, hint: &str| {
        let output = repository
            .command("git")
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                repository.folder.path().join("credentials"),
            )
            .args(["push", "origin", "main"])
            .output()
            .unwrap();
        let stderr = texts(&output).1.replace("remote: ", "");
        assert!(!output.status.success(), "{stderr}");
        assert!(stderr.contains(&format!("cause: {cause}")), "{stderr}");
        let hint = format!("hint:  the server's administrator has to act: {hint}");
        assert!(stderr.contains(&hint), "{stderr}");
    };
    fs::write(&hook, script.replace("keyagent='", "keyagent='/gone")).unwrap();
    refused("/gone", "install keyagent there");
    // A file of keys that nobody can read.
    fs::write(&hook, script).unwrap();
    let file = repository.folder.path().join("credentials");
    symlink(&file, &file).unwrap();
    refused("", "");
}
