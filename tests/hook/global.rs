//! `--global`: one folder for all repositories, and each repository's own hooks still run.

use super::*;

fn gitconfig(repository: &Repository) -> PathBuf {
    repository.folder.path().join("gitconfig")
}

#[test]
fn it_serves_every_repository_and_is_taken_away_to_the_byte() {
    let (repository, key) = (Repository::begun().with_remote(), Key::random());
    for ending in ["", "[core]\n\teditor = true\n"] {
        let path = gitconfig(&repository);
        let base = "[user]\nname = A\nemail = a@example.com\n[init]\ndefaultBranch = main\n";
        fs::write(&path, format!("{base}{ending}")).unwrap();
        let before = fs::read(&path).unwrap();
        repository.hook(&["install", "--global", "--dry-run"]).exits(0);
        assert_eq!(fs::read(&path).unwrap(), before);
        repository.hook(&["install", "--global"]).exits(0);
        let installed = fs::read(&path).unwrap();
        let again = repository.hook(&["install", "--global"]).exits(0);
        assert!(again.stdout.contains("is served already"), "{}", again.stdout);
        assert_eq!(fs::read(&path).unwrap(), installed);
        repository.hook(&["status", "--global"]).exits(0);

        repository.stage("a", key.ini());
        stopped(&repository.try_git(&["commit", "-m", "x"]), &key);
        repository.git(&["commit", "--quiet", "--no-verify", "-m", "x"]);
        stopped(&repository.try_git(&["push"]), &key);
        repository.git(&["reset", "--quiet", "--hard", "HEAD^"]);

        repository.hook(&["uninstall", "--global"]).exits(0);
        assert_eq!(
            String::from_utf8_lossy(&fs::read(&path).unwrap()),
            String::from_utf8_lossy(&before)
        );
        assert!(!repository.folder.path().join(".config/keyagent/hooks").exists());
        repository.hook(&["status", "--global"]).exits(1);
    }
}

#[test]
fn a_core_hooks_path_of_somebody_else_stays() {
    let repository = Repository::begun();
    repository.git(&["config", "--global", "core.hooksPath", "~/mine"]);
    let before = fs::read(gitconfig(&repository)).unwrap();
    let key = Key::random();
    repository.hook(&["install", "--global"]).fails_with(
        "cannot install the hooks",
        "core.hooksPath is",
        "in a repository that uses it:\n       keyagent hook install",
    );
    let run = repository.hook(&["uninstall", "--global"]).exits(0);
    assert_eq!(run.stdout, "nothing is installed for all repositories\n");
    // What is advised works.
    let run = repository.hook(&["status", "--global"]).exits(1);
    assert!(
        run.stderr
            .contains("to put it right, in any repository that uses this folder: keyagent hook install\n"),
        "{}",
        run.stderr
    );
    repository.hook(&["install"]).exits(0);
    let run = repository.hook(&["status", "--global"]).exits(0);
    assert_eq!(run.stdout.matches(" installed\n").count(), 6, "{}", run.stdout);
    assert_eq!(run.stderr, "");
    repository.stage("a", key.ini());
    stopped(&repository.try_git(&["commit", "-m", "x"]), &key);
    assert_eq!(fs::read(gitconfig(&repository)).unwrap(), before);
}

/// Does something that makes git run every hook it knows in an everyday repository, and tells what ran, with what.
fn calls(is_installed: bool) -> String {
    let repository = Repository::begun().with_remote();
    let log = repository.folder.path().join("log");
    let record = |folder: &Path, name: &str| {
        let reads = [
            "pre-push",
            "post-rewrite",
            "pre-receive",
            "post-receive",
            "reference-transaction",
        ];
        let cat = if reads.contains(&name) { "cat; " } else { "" };
        let text = format!(
            "#!/bin/sh\n{{ echo \"{name} $*\"; {cat}}} >>'{}'\n",
            log.display()
        );
        program(&folder.join("hooks").join(name), &text);
    };
    for name in [
        "applypatch-msg",
        "pre-applypatch",
        "post-applypatch",
        "pre-commit",
        "pre-merge-commit",
        "prepare-commit-msg",
        "commit-msg",
        "post-commit",
        "pre-rebase",
        "post-checkout",
        "post-merge",
        "pre-push",
        "reference-transaction",
        "pre-auto-gc",
        "post-rewrite",
        "post-index-change",
    ] {
        record(&repository.path.join(".git"), name);
    }
    for name in ["pre-receive", "update", "post-receive", "post-update"] {
        record(&repository.remote(), name);
    }
    if is_installed {
        repository.hook(&["install", "--global"]).exits(0);
    }
    let git = |arguments: &[&str]| {
        let output = repository
            .command("git")
            .env("GIT_AUTHOR_DATE", "1700000000 +0000")
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .env("GIT_EDITOR", "true")
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
    git(&["checkout", "--quiet", "-b", "rebased", "side"]);
    git(&["rebase", "--quiet", "main^"]);
    git(&["push", "--quiet", "--force", "origin", "main", "side", "patched"]);
    git(&["push", "--quiet", "origin", ":side"]);
    git(&["-c", "gc.auto=1", "gc", "--auto", "--quiet"]);
    // How often git refreshes the index is a matter of the clock.
    let (refreshed, told): (Vec<String>, Vec<String>) = told(&repository, &log)
        .lines()
        .map(|line| format!("{line}\n"))
        .partition(|line| line.starts_with("post-index-change"));
    assert!(!refreshed.is_empty());
    told.concat()
}

#[test]
fn all_hooks_of_a_repository_run_as_before() {
    let without = calls(false);
    same(&calls(true), &without);
    for name in [
        "post-checkout",
        "post-receive",
        "update refs",
        "post-rewrite rebase",
        "reference-transaction",
    ] {
        assert!(without.contains(name), "no {name} in {without}");
    }
}

#[test]
fn a_push_into_a_work_tree_updates_it_as_without_hooks() {
    let repository = Repository::begun();
    repository.hook(&["install", "--global"]).exits(0);
    repository.git(&["clone", "--quiet", ".", "../served"]);
    let served = repository.folder.path().join("served");
    repository.git(&[
        "-C",
        "../served",
        "config",
        "receive.denyCurrentBranch",
        "updateInstead",
    ]);
    repository.git(&["remote", "add", "served", "../served"]);
    repository.commit_unchecked("README", "new\n");
    repository.git(&["push", "--quiet", "served", "main"]);
    assert_eq!(fs::read_to_string(served.join("README")).unwrap(), "new\n");
    // With changes of its own it refuses, and keeps them.
    fs::write(served.join("README"), "theirs\n").unwrap();
    repository.commit_unchecked("README", "newer\n");
    assert!(!repository.try_git(&["push", "served", "main"]).status.success());
    assert_eq!(fs::read_to_string(served.join("README")).unwrap(), "theirs\n");
    // Its own hook decides.
    let ran = repository.folder.path().join("ran");
    program(
        &served.join(".git/hooks/push-to-checkout"),
        &format!("#!/bin/sh\necho own >'{}'\n", ran.display()),
    );
    repository.git(&["push", "--quiet", "served", "main"]);
    assert!(ran.exists());
}

#[test]
fn what_makes_repositories_still_works() {
    let repository = Repository::begun();
    repository.hook(&["install", "--global"]).exits(0);
    repository.git(&["init", "--quiet", "../a"]);
    repository.git(&["init", "--quiet", "--bare", "../b"]);
    repository.git(&["clone", "--quiet", ".", "../c"]);
    repository.git(&["clone", "--quiet", "--bare", ".", "../d"]);
    repository.git(&["clone", "--quiet", "--mirror", ".", "../e"]);
    repository.git(&["worktree", "add", "--quiet", "../f"]);
    let c = repository.folder.path().join("c").display().to_string();
    repository.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &c,
        "module",
    ]);
    repository.git(&["commit", "--quiet", "-m", "x"]);
    repository.git(&["fetch", "--quiet", "../c"]);
    repository.git(&["stash", "list"]);
    let key = Key::random();
    repository.write("module/a", key.ini());
    repository.git(&["-C", "module", "add", "a"]);
    stopped(&repository.try_git(&["-C", "module", "commit", "-m", "x"]), &key);
    repository.write("../f/a", key.ini());
    repository.git(&["-C", "../f", "add", "a"]);
    stopped(&repository.try_git(&["-C", "../f", "commit", "-m", "x"]), &key);
}

#[test]
fn a_repository_that_is_served_already_is_left_alone() {
    let (repository, key) = (Repository::begun(), Key::random());
    let ran = repository.folder.path().join("ran");
    program(
        &repository.path.join(".git/hooks/pre-commit"),
        &format!("#!/bin/sh\ntouch '{}'\n", ran.display()),
    );
    repository.hook(&["install", "--global"]).exits(0);
    for arguments in [&["install"][..], &["uninstall"], &["status"]] {
        let run = repository.hook(arguments).exits(0);
        assert!(!run.stdout.contains("outdated"), "{}", run.stdout);
    }
    repository.stage("a", key.ini());
    stopped(&repository.try_git(&["commit", "-m", "x"]), &key);
    assert!(ran.exists());
}

/// One scan is enough, and none is too few; what was there before both still runs.
#[test]
fn hooks_of_a_repository_and_of_all_scan_once() {
    let (repository, key) = (Repository::begun().with_remote(), Key::random());
    let log = repository.folder.path().join("log");
    let script = |name: &str| format!("#!/bin/sh\necho {name} >>'{}'\n", log.display());
    program(&repository.path.join(".git/hooks/pre-commit"), &script("theirs"));
    repository.hook(&["install"]).exits(0);
    repository.hook(&["install", "--global"]).exits(0);
    let counting = repository.folder.path().join("counting");
    let real = format!("{}exec '{KEYAGENT}' \"$@\"\n", script("scan"));
    program(&counting, &real);
    let git = |arguments: &[&str]| {
        repository
            .command("git")
            .env("KEYAGENT", &counting)
            .args(arguments)
            .output()
            .unwrap()
    };
    repository.stage("a", "clean\n");
    assert!(git(&["commit", "-m", "x"]).status.success());
    assert_eq!(
        fs::read_to_string(&log).unwrap(),
        "theirs\nscan\nscan\n",
        "files, message"
    );
    assert!(git(&["push"]).status.success());
    assert_eq!(fs::read_to_string(&log).unwrap().matches("scan").count(), 3);
    repository.stage("a", key.ini());
    stopped(&git(&["commit", "-m", "x"]), &key);
    // The repository's own alone still scans.
    repository.git(&["config", "--global", "--unset", "core.hooksPath"]);
    stopped(&git(&["commit", "-m", "x"]), &key);
}

#[test]
fn taking_away_the_one_says_that_the_other_is_left() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.hook(&["install"]).exits(0);
    repository.hook(&["install", "--global"]).exits(0);
    let run = repository.hook(&["uninstall", "--global", "--dry-run"]).exits(0);
    assert!(
        run.stderr.contains("\n  keyagent hook uninstall\n"),
        "{}",
        run.stderr
    );
    let run = repository.hook(&["uninstall"]).exits(0);
    assert_eq!(run.stdout.matches(" removed\n").count(), 6, "{}", run.stdout);
    assert!(
        run.stderr.contains("\n  keyagent hook uninstall --global\n"),
        "{}",
        run.stderr
    );
    let run = repository.hook(&["uninstall"]).exits(0);
    assert_eq!(run.stdout, "nothing is installed in this repository alone\n");
    repository.stage("a", key.ini());
    stopped(&repository.try_git(&["commit", "-m", "x"]), &key);

    repository.hook(&["uninstall", "--global"]).exits(0);
    repository.hook(&["install"]).exits(0);
    repository.hook(&["install", "--global"]).exits(0);
    let run = repository.hook(&["uninstall", "--global"]).exits(0);
    assert!(
        run.stderr
            .contains("this repository has hooks of its own, which stay"),
        "{}",
        run.stderr
    );
    stopped(&repository.try_git(&["commit", "-m", "x"]), &key);
}
