//! A hook that was there before does all that it did: same arguments, same standard input, same exit code.

use super::*;

/// A hook that writes down how it was called.
fn recorder(repository: &Repository, name: &str, code: i32) -> PathBuf {
    let log = repository.folder.path().join("log");
    let hook = repository.path.join(".git/hooks").join(name);
    let text = format!(
        "#!/bin/sh\n{{ echo \"{name}\"; for a in \"$@\"; do echo \"[$a]\"; done; \
         [ {name} != pre-push ] || cat; echo \"index=$GIT_INDEX_FILE\"; }} >>'{}'\nexit {code}\n",
        log.display()
    );
    program(&hook, &text);
    log
}

#[test]
fn it_is_called_as_git_calls_it() {
    let calls = |is_installed: bool| {
        let repository = Repository::begun().with_remote();
        let mut log = PathBuf::new();
        for name in [
            "pre-commit",
            "pre-merge-commit",
            "commit-msg",
            "applypatch-msg",
            "pre-applypatch",
            "pre-push",
        ] {
            log = recorder(&repository, name, 0);
        }
        if is_installed {
            repository.install_hook();
        }
        let git = |arguments: &[&str]| {
            let output = repository
                .command("git")
                .env("GIT_AUTHOR_DATE", "1700000000 +0000")
                .env("GIT_COMMITTER_DATE", "1700000000 +0000")
                .args(arguments)
                .output()
                .unwrap();
            assert!(output.status.success(), "{arguments:?} {:?}", texts(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        git(&["commit", "--quiet", "--amend", "--no-verify", "-m", "the root"]);
        git(&["checkout", "--quiet", "-b", "side"]);
        repository.stage("side.txt", "side\n");
        git(&["commit", "--quiet", "-m", "side"]);
        git(&["checkout", "--quiet", "main"]);
        repository.write("README", "main\n");
        git(&["commit", "--quiet", "-am", "main"]);
        git(&["merge", "--quiet", "-m", "both", "side"]);
        let patch = git(&["format-patch", "--stdout", "-1", "side"]);
        git(&["checkout", "--quiet", "-b", "patched", "side^"]);
        repository.write("../patch", patch);
        git(&["am", "--quiet", "../patch"]);
        git(&["push", "--quiet", "--force", "origin", "main", "side", "patched"]);
        git(&["push", "--quiet", "origin", ":side"]);
        told(&repository, &log)
    };
    let without = calls(false);
    for name in [
        "pre-commit",
        "pre-merge-commit",
        "commit-msg",
        "applypatch-msg",
        "pre-applypatch",
        "pre-push",
    ] {
        assert!(without.contains(&format!("{name}\n")), "{without}");
    }
    same(&calls(true), &without);
}

#[test]
fn its_exit_code_counts_and_keyagents_too() {
    let key = Key::random();
    for (name, content, message) in [
        ("pre-commit", key.ini(), "x"),
        ("commit-msg", "also clean\n".to_owned(), key.id.as_str()),
    ] {
        let repository = Repository::begun();
        let log = recorder(&repository, name, 9);
        repository.install_hook();
        repository.stage("a", "clean\n");
        assert!(!repository.try_git(&["commit", "-m", "x"]).status.success());
        let code = repository
            .command("sh")
            .args(["-c", &format!(".git/hooks/{name} .git/HEAD")])
            .status()
            .unwrap()
            .code();
        assert_eq!(code, Some(9));
        recorder(&repository, &format!("{name}.before-keyagent"), 0);
        fs::write(&log, "").unwrap();
        repository.stage("a", content);
        stopped(&repository.try_git(&["commit", "-m", message]), &key);
        assert!(fs::read_to_string(&log).unwrap().starts_with(name), "{name}");
    }
    let repository = Repository::begun().with_remote();
    recorder(&repository, "pre-push", 9);
    repository.install_hook();
    repository.commit_unchecked("b", "clean\n");
    assert!(!repository.try_git(&["push"]).status.success());
}

#[test]
fn what_it_stages_is_scanned() {
    let (repository, key) = (Repository::begun(), Key::random());
    program(
        &repository.path.join(".git/hooks/pre-commit"),
        "#!/bin/sh\nexec git add formatted\n",
    );
    repository.install_hook();
    repository.stage("a", "clean\n");
    repository.write("formatted", key.ini());
    stopped(&repository.try_git(&["commit", "-m", "x"]), &key);
}

#[test]
fn what_it_writes_into_the_message_is_scanned() {
    let (repository, key) = (Repository::begun(), Key::random());
    program(
        &repository.path.join(".git/hooks/commit-msg"),
        &format!("#!/bin/sh\necho '{}' >>\"$1\"\n", key.id),
    );
    repository.install_hook();
    stopped(&repository.try_git(&["commit", "--allow-empty", "-m", "x"]), &key);
}

#[test]
fn a_push_is_scanned_before_another_hook_uploads_anything() {
    let (repository, key) = (Repository::begun().with_remote(), Key::random());
    let log = recorder(&repository, "pre-push", 0);
    repository.install_hook();
    repository.commit_unchecked("a", key.ini());
    stopped(&repository.try_git(&["push"]), &key);
    assert!(!log.exists());
}

#[test]
fn any_program_will_do() {
    for text in [
        "#!/usr/bin/env python3\nimport sys, pathlib\npathlib.Path('ran').write_text('x')\nsys.exit(4)\n",
        "#!/usr/bin/env perl\nopen(my $f, '>', 'ran'); close($f); exit 4;\n",
        // git gives what has no first line to sh.
        "touch ran\nexit 4\n",
    ] {
        let repository = Repository::begun();
        program(&repository.path.join(".git/hooks/pre-commit"), text);
        repository.install_hook();
        repository.stage("a", "clean\n");
        assert!(!repository.try_git(&["commit", "-m", "x"]).status.success());
        assert!(repository.path.join("ran").exists(), "{text}");
    }
    // A link runs what it links to, and its neighbours are found.
    let repository = Repository::begun();
    program(
        &repository.path.join("scripts/check"),
        "#!/bin/sh\n. \"$(dirname \"$0\")/helper\"\n",
    );
    program(&repository.path.join(".git/hooks/helper"), "touch ran\nexit 4\n");
    symlink(
        "../../scripts/check",
        repository.path.join(".git/hooks/pre-commit"),
    )
    .unwrap();
    repository.install_hook();
    assert!(
        !repository
            .try_git(&["commit", "--allow-empty", "-m", "x"])
            .status
            .success()
    );
    assert!(repository.path.join("ran").exists());
}

#[test]
fn what_git_would_not_run_is_not_run() {
    let repository = Repository::begun();
    let hook = repository.path.join(".git/hooks/pre-commit");
    program(&hook, "#!/bin/sh\nexit 4\n");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    repository.install_hook();
    repository.stage("a", "clean\n");
    repository.git(&["commit", "--quiet", "-m", "x"]);
}
