//! Installing, uninstalling and the trial, to the byte.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use super::*;

/// Every file of a folder: what it links to or holds, its mode, and which file it is.
fn picture(folder: &Path) -> BTreeMap<String, (Vec<u8>, u32, u64)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else if metadata.is_dir() {
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.insert(name, (content, metadata.mode(), metadata.ino()));
    }
    files
}

#[test]
fn installing_twice_changes_nothing_and_uninstalling_restores_to_the_byte() {
    let repository = Repository::begun();
    let hooks = repository.path.join(".git/hooks");
    program(
        &hooks.join("pre-commit"),
        "#!/bin/sh\r\n\u{1} odd bytes, no line end",
    );
    fs::set_permissions(hooks.join("pre-commit"), fs::Permissions::from_mode(0o715)).unwrap();
    fs::write(hooks.join("commit-msg"), "not executable\n").unwrap();
    symlink("../../scripts/push", hooks.join("pre-push")).unwrap();
    symlink("/nowhere", hooks.join("applypatch-msg")).unwrap();
    let before = picture(&hooks);

    let dry = repository.hook(&["install", "--dry-run"]).exits(0);
    assert!(
        dry.stdout.contains("would be installed; yours would run too"),
        "{}",
        dry.stdout
    );
    assert_eq!(picture(&hooks), before);

    repository.hook(&["install"]).exits(0);
    let installed = picture(&hooks);
    assert_ne!(installed, before);
    assert_eq!(installed["pre-commit.before-keyagent"], before["pre-commit"]);
    assert_eq!(installed["pre-push.before-keyagent"], before["pre-push"]);
    let again = repository.hook(&["install"]).exits(0);
    assert_eq!(
        again.stdout.matches("nothing to do").count(),
        6,
        "{}",
        again.stdout
    );
    assert_eq!(picture(&hooks), installed);

    repository.hook(&["uninstall", "--dry-run"]).exits(0);
    assert_eq!(picture(&hooks), installed);
    repository.hook(&["uninstall"]).exits(0);
    assert_eq!(picture(&hooks), before);
    repository.hook(&["uninstall"]).exits(0);
    assert_eq!(picture(&hooks), before);
}

#[test]
fn a_hook_of_an_older_keyagent_is_replaced_and_not_kept() {
    let repository = Repository::begun();
    repository.hook(&["install"]).exits(0);
    let hooks = repository.path.join(".git/hooks");
    let installed = picture(&hooks);
    let path = hooks.join("pre-commit");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("keyagent='", "keyagent='/old")).unwrap();
    fs::set_permissions(hooks.join("pre-push"), fs::Permissions::from_mode(0o644)).unwrap();
    let run = repository.hook(&["install"]).exits(0);
    assert_eq!(run.stdout.matches("updated").count(), 2, "{}", run.stdout);
    let now = picture(&hooks);
    assert!(now.iter().all(|(name, (content, mode, _))| {
        let (old_content, old_mode, _) = &installed[name];
        content == old_content && mode == old_mode
    }));
    // The one of before `hook install`.
    fs::write(
        &path,
        "#!/bin/sh\n# Blocks a commit that holds AWS access keys. All the work is in keyagent; without it the commit is blocked too.\n",
    )
    .unwrap();
    repository.hook(&["install"]).exits(0);
    assert!(!hooks.join("pre-commit.before-keyagent").exists());
}

#[test]
fn a_kill_between_the_renames_loses_nothing() {
    let repository = Repository::begun();
    let hooks = repository.path.join(".git/hooks");
    program(&hooks.join("pre-commit"), "#!/bin/sh\necho mine\n");
    let before = picture(&hooks);
    let kept = hooks.join("pre-commit.before-keyagent");
    let kill = || fs::rename(hooks.join("pre-commit"), &kept).unwrap();
    kill();
    repository.hook(&["install"]).exits(0);
    repository.hook(&["uninstall"]).exits(0);
    assert_eq!(picture(&hooks), before);
    kill();
    repository.hook(&["uninstall"]).exits(0);
    assert_eq!(picture(&hooks), before);
}

#[test]
fn what_cannot_be_kept_stops_all() {
    let repository = Repository::begun();
    let hooks = repository.path.join(".git/hooks");
    program(&hooks.join("pre-push"), "#!/bin/sh\n");
    program(
        &hooks.join("pre-push.before-keyagent"),
        "#!/bin/sh\n# somebody's\n",
    );
    let before = picture(&hooks);
    repository
        .hook(&["install"])
        .fails_with("cannot install the hooks", "is there already", "mv ");
    assert_eq!(picture(&hooks), before);

    fs::remove_file(hooks.join("pre-push")).unwrap();
    fs::create_dir(hooks.join("pre-push")).unwrap();
    repository
        .hook(&["install"])
        .fails_with("cannot install the hooks", "is not a file", "mv ");

    repository.git(&["config", "core.hooksPath", "/dev/null"]);
    repository.hook(&["install"]).fails_with(
        "cannot install the hooks",
        "/dev/null is not a folder",
        "git config --show-origin",
    );
    Repository::empty().hook(&["install"]).fails_with(
        "cannot install the hooks",
        "no git repository",
        "--global",
    );
}

#[test]
fn core_hooks_path_is_where_the_hooks_go() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write(".git/info/exclude", "hooks here\n");
    for folder in ["../my hooks", "hooks here"] {
        repository.git(&["config", "core.hooksPath", folder]);
        repository.hook(&["install"]).exits(0);
        assert!(repository.path.join(folder).join("pre-commit").is_file());
        assert!(!repository.path.join(".git/hooks/pre-commit").exists());
        repository.write("a", key.ini());
        repository.git(&["add", "a"]);
        stopped(&repository.try_git(&["commit", "-m", "x"]), &key);
        repository.git(&["rm", "--quiet", "--cached", "a"]);
        repository.hook(&["uninstall"]).exits(0);
    }
}

#[test]
fn a_hook_that_asks_for_its_name_is_not_renamed() {
    let (repository, key) = (Repository::begun(), Key::random());
    let hook = repository.path.join(".git/hooks/pre-commit");
    let content = "#!/bin/sh\ncase $(basename \"$0\") in pre-commit) true ;; *) exit 7 ;; esac\n";
    program(&hook, content);
    let line = |run: &Run| {
        let lines = run.stdout.lines();
        let found = lines.filter(|line| line.ends_with("hook run pre-commit \"$@\" || exit"));
        found.map(|line| format!("{line}\n")).collect::<String>()
    };
    let run = repository.hook(&["install"]).exits(1);
    assert!(run.stdout.contains("pre-commit, at the end"), "{}", run.stdout);
    assert_eq!(fs::read_to_string(&hook).unwrap(), content);
    // The others are there all the same.
    assert!(repository.path.join(".git/hooks/pre-push").exists());
    // Behind its end the line does nothing.
    program(&hook, &format!("{content}exit 0\n{}", line(&run)));
    let run = repository.hook(&["install"]).exits(1);
    assert!(
        run.stdout.contains("pre-commit, as its first command"),
        "{}",
        run.stdout
    );
    program(&hook, &format!("{content}{}", line(&run)));
    let run = repository.hook(&["install"]).exits(0);
    assert!(run.stdout.contains("calls keyagent"), "{}", run.stdout);
    repository.stage("a", key.ini());
    stopped(&repository.try_git(&["commit", "-m", "x"]), &key);
}

/// As those have it who keep files of their home folder in git.
#[test]
fn a_bare_repository_with_a_work_tree_elsewhere_is_told_what_it_needs() {
    let (repository, key) = (Repository::begun().with_remote(), Key::random());
    let in_remote = |command: &str| {
        let output = repository
            .command("sh")
            .current_dir(repository.remote())
            .args(["-c", command])
            .output();
        let output = output.unwrap();
        (output.status.code(), texts(&output).1)
    };
    let keyagent = Path::new(KEYAGENT).display();
    let (code, stderr) = in_remote(&format!("'{keyagent}' hook install"));
    assert_eq!(code, Some(0), "{stderr}");
    let line = stderr
        .lines()
        .find(|line| line.contains("GIT_WORK_TREE"))
        .unwrap();
    assert!(in_remote(&format!("'{keyagent}' hook status")).1.contains(line));
    let (code, stderr) = in_remote(&line.replace("keyagent", &format!("'{keyagent}'")));
    assert_eq!(code, Some(0), "{stderr}");
    repository.write("../secret", key.ini());
    let home = repository.folder.path().display().to_string();
    let remote = repository.remote().display().to_string();
    let git =
        |words: &[&str]| repository.try_git(&[&["--git-dir", &remote, "--work-tree", &home], words].concat());
    assert!(git(&["add", &format!("{home}/secret")]).status.success());
    stopped(&git(&["commit", "-m", "x"]), &key);
}

#[test]
fn the_trial_says_what_would_happen_and_leaves_nothing() {
    let repository = Repository::begun().with_remote();
    let temporary = repository.folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let status = |arguments: &[&str]| {
        let output = repository
            .command(KEYAGENT)
            .env("TMPDIR", &temporary)
            .args(["hook", "status"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
        Run::of(&output)
    };
    let hooks = repository.path.join(".git/hooks");
    program(&hooks.join("pre-commit"), "#!/bin/sh\ntouch ran; exit 1\n");
    let objects = repository.git(&["count-objects", "-v"]);
    let run = status(&["--format", "json"]).exits(1);
    let document = run.json();
    assert!(run.stdout.starts_with("{\n  \"schema\": \"keyagent.hook/1\""));
    assert_eq!(document["trial"]["commit"]["result"], "unclear");
    assert_eq!(document["trial"]["push"]["result"], "let-through");
    assert_eq!(document["hooks"][0]["state"], "other");

    repository.hook(&["install"]).exits(0);
    let document = status(&["--format", "json"]).exits(0).json();
    assert_eq!(document["blocks"], true);
    assert_eq!(document["trial"]["commit"]["result"], "blocked");
    assert_eq!(document["trial"]["push"]["result"], "blocked");
    assert_eq!(document["hooks"][0]["state"], "installed");
    assert!(
        document["hooks"][0]["also_runs"]
            .as_str()
            .unwrap()
            .ends_with("pre-commit.before-keyagent")
    );
    let text = status(&[]).exits(0).stdout;
    for what in ["commit", "message", "merge", "push"] {
        assert_eq!(document["trial"][what]["result"], "blocked");
        assert!(text.contains(&format!("  {what:<17} blocked\n")), "{text}");
    }
    assert!(!repository.path.join("ran").exists());
    assert_eq!(repository.git(&["count-objects", "-v"]), objects);
    assert_eq!(repository.git(&["status", "--porcelain"]), "");

    let text = fs::read_to_string(hooks.join("pre-commit")).unwrap();
    fs::write(
        hooks.join("pre-commit"),
        text.replace("keyagent='", "keyagent='/gone"),
    )
    .unwrap();
    let run = status(&[]).exits(1);
    assert!(
        run.stdout.contains("is gone") && run.stdout.contains("not because of the key"),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr.contains(&format!(
            "so the hooks that call it block everything:\n  /gone{KEYAGENT}\n"
        )) && run.stderr.contains("to put it right: keyagent hook install\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_hooks_call_the_keyagent_on_path_where_a_new_version_will_be() {
    let repository = Repository::begun();
    let folder = repository.folder.path().join("bin");
    fs::create_dir(&folder).unwrap();
    symlink(KEYAGENT, folder.join("keyagent")).unwrap();
    let output = repository
        .command(KEYAGENT)
        .env("PATH", format!("bin:{}:/usr/bin:/bin", folder.display()))
        .args(["hook", "install"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{:?}", texts(&output));
    let hook = repository.path.join(".git/hooks/pre-commit");
    let calls = |program: &Path| {
        fs::read_to_string(&hook)
            .unwrap()
            .contains(&format!("\nkeyagent='{}'\n", program.display()))
    };
    assert!(calls(&folder.join("keyagent")));
    repository.install_hook();
    assert!(calls(Path::new(KEYAGENT)));
    // However it was typed.
    let copy = repository.path.join("ka");
    fs::copy(KEYAGENT, &copy).unwrap();
    let install = repository.command("./ka").args(["hook", "install"]).output();
    assert!(install.unwrap().status.success());
    assert!(calls(&copy));
}
