//! husky, lefthook and pre-commit, as their registries have them, with the lines that `keyagent hook install` prints.

use super::*;
use crate::support::repository::random;

/// A repository whose commands find keyagent and the tools of a folder.
struct Managed {
    repository: Repository,
    path: std::ffi::OsString,
}

impl Managed {
    fn new(tools: &Path) -> Self {
        let repository = Repository::begun().with_remote();
        let mut folders = vec![Path::new(KEYAGENT).parent().unwrap().to_owned(), tools.to_owned()];
        let plain = repository.command("git");
        let (_, path) = plain.get_envs().find(|(name, _)| *name == "PATH").unwrap();
        folders.extend(std::env::split_paths(path.unwrap()));
        let path = std::env::join_paths(folders).unwrap();
        Self { repository, path }
    }

    fn try_run(&self, program: &str, arguments: &[&str]) -> Output {
        self.repository
            .command(program)
            .env("PATH", &self.path)
            .args(arguments)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> Run {
        Run::of(&self.try_run(program, arguments)).exits(0)
    }

    /// Does what `keyagent hook install` says, to the letter.
    #[track_caller]
    fn do_what_it_says(&self, manager: &str) {
        self.try_status(1);
        let run = Run::of(&self.try_run("keyagent", &["hook", "install"])).exits(1);
        let says = format!("{manager} looks after the hooks here, and more is to be done");
        assert!(run.stderr.contains(&says), "{}", run.stderr);
        self.add_the_lines(&run.stdout);
        self.run_the_commands(&run.stderr);
        let run = Run::of(&self.try_run("keyagent", &["hook", "install"])).exits(0);
        assert!(run.stderr.contains("calls keyagent"), "{}", run.stderr);
        self.try_status(0);
    }

    #[track_caller]
    fn try_status(&self, code: i32) -> Run {
        Run::of(&self.try_run("keyagent", &["hook", "status"])).exits(code)
    }

    #[track_caller]
    fn add_the_lines(&self, stdout: &str) {
        let mut additions: Vec<(PathBuf, &str, String)> = Vec::new();
        for line in stdout.lines().filter(|line| !line.ends_with(" installed")) {
            if let Some((name, place)) = line.strip_prefix("# ").and_then(|line| line.split_once(", ")) {
                additions.push((self.repository.path.join(name), place, String::new()));
            } else {
                let lines = &mut additions.last_mut().unwrap().2;
                lines.push_str(line);
                lines.push('\n');
            }
        }
        for (file, place, lines) in additions {
            let before = fs::read_to_string(&file);
            assert_eq!(before.is_err(), place == "a new file", "{}", file.display());
            let before = before.unwrap_or_default();
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let both = match place {
                "as its first command" => lines + &before,
                "at the end" | "a new file" => before + &lines,
                _ => {
                    let heads = place.strip_prefix("beneath `").unwrap().trim_end_matches('`');
                    let at = heads.split("` `").fold(0, |at, head| {
                        let head = format!("{head}\n");
                        at + before[at..].find(&head).unwrap() + head.len()
                    });
                    format!("{}{lines}{}", &before[..at], &before[at..])
                }
            };
            fs::write(&file, both).unwrap();
        }
    }

    #[track_caller]
    fn run_the_commands(&self, stderr: &str) {
        let lines: Vec<&str> = stderr.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0].ends_with(", so run:")) {
            self.run("sh", &["-c", pair[1]]);
        }
    }

    /// A key is stopped at commit and push, and what is clean is not.
    #[track_caller]
    fn stops_keys(&self) {
        let key = Key::random();
        let repository = &self.repository;
        self.run("keyagent", &["hook", "status"]);
        repository.git(&["add", "--all"]);
        self.run("git", &["commit", "--quiet", "-m", "the manager"]);
        self.run("git", &["push", "--quiet", "origin", "main"]);

        repository.write("a", key.ini());
        repository.git(&["add", "a"]);
        stopped(&self.try_run("git", &["commit", "-m", "x"]), &key);
        repository.git(&["rm", "--quiet", "--cached", "a"]);
        repository.write("README", key.ini());
        stopped(&self.try_run("git", &["commit", "-am", "x"]), &key);
        stopped(&self.try_run("git", &["commit", "-m", "x", "README"]), &key);
        repository.git(&["checkout", "--quiet", "README"]);
        stopped(
            &self.try_run("git", &["commit", "--allow-empty", "-m", &key.id]),
            &key,
        );
        repository.git(&["checkout", "--quiet", "-b", "side"]);
        repository.git(&["commit", "--quiet", "--no-verify", "--allow-empty", "-m", "x"]);
        repository.git(&["checkout", "--quiet", "-"]);
        let merge = ["merge", "--no-ff", "-m", &key.id, "side"];
        stopped(&self.try_run("git", &merge), &key);
        repository.git(&["merge", "--abort"]);

        // A branch that is not checked out.
        repository.git(&["checkout", "--quiet", "-b", "other"]);
        repository.git(&["add", "--force", "a"]);
        repository.git(&["commit", "--quiet", "--no-verify", "-m", "x"]);
        repository.git(&["checkout", "--quiet", "main"]);
        stopped(&self.try_run("git", &["push", "origin", "other"]), &key);

        // The new file is a link; its target is what it holds.
        repository.write("b", "b\n");
        repository.git(&["add", "b"]);
        self.run("git", &["commit", "--quiet", "-m", "clean"]);
        fs::remove_file(repository.path.join("b")).unwrap();
        symlink(&key.id, repository.path.join("b")).unwrap();
        repository.git(&["add", "b"]);
        stopped(&self.try_run("git", &["commit", "-m", "x"]), &key);
        repository.git(&["reset", "--quiet", "--hard"]);

        repository.write("clean", random("[a-z]{20}"));
        repository.git(&["add", "clean"]);
        self.run("git", &["commit", "--quiet", "-m", "x"]);
        self.run("git", &["push", "--quiet", "origin", "main"]);
    }
}

#[test]
fn husky() {
    let Some(tools) = tools::node() else { return };
    let managed = Managed::new(&tools);
    managed.run("husky", &[]);
    // As a hook of git-lfs would, it takes what git says is pushed.
    managed.repository.write(".husky/pre-push", "cat >/dev/null\n");
    managed.do_what_it_says("husky");
    managed.stops_keys();
    // Its files are what they were.
    assert!(
        !managed
            .repository
            .path
            .join(".husky/_/pre-commit.before-keyagent")
            .exists()
    );
}

/// Whatever of it is missing, `status` does not call it well.
#[test]
fn husky_without_a_line_for_messages_or_merges() {
    let Some(tools) = tools::node() else { return };
    for (missing, passes) in [("commit-msg", "message"), ("pre-merge-commit", "merge")] {
        let managed = Managed::new(&tools);
        managed.run("husky", &[]);
        managed.do_what_it_says("husky");
        let hook = managed.repository.path.join(".husky").join(missing);
        fs::remove_file(&hook).unwrap();
        let status = managed.try_status(1).stdout;
        assert_eq!(status.matches("PASSES").count(), 1, "{status}");
        assert!(status.contains(&format!("  {passes:<17} PASSES\n")), "{status}");
    }
}

/// As after `git clean`: core.hooksPath is still set, and nothing is there.
#[test]
fn husky_without_its_own_scripts() {
    let Some(tools) = tools::node() else { return };
    let managed = Managed::new(&tools);
    managed.run("husky", &[]);
    managed.do_what_it_says("husky");
    fs::remove_dir_all(managed.repository.path.join(".husky/_")).unwrap();
    managed.try_status(1);
    let run = Run::of(&managed.try_run("keyagent", &["hook", "install"])).exits(1);
    assert!(run.stderr.contains("  npx husky\n"), "{}", run.stderr);
}

/// A graphical client's PATH has neither keyagent nor husky.
#[test]
fn a_line_that_does_not_find_keyagent_blocks_and_says_why() {
    let Some(tools) = tools::node() else { return };
    let managed = Managed::new(&tools);
    managed.run("husky", &[]);
    managed.do_what_it_says("husky");
    let repository = &managed.repository;
    repository.stage("clean", "clean\n");
    let commit = || {
        repository
            .command("git")
            .env("PATH", "/usr/bin:/bin")
            .args(["commit", "-m", "x"])
            .output()
            .unwrap()
    };
    let output = commit();
    let stderr = texts(&output).1;
    assert!(!output.status.success(), "{stderr}");
    assert!(
        stderr
            .contains("error: cannot look for AWS keys, so pre-commit blocks\ncause: keyagent is in none of")
            && stderr.contains("\nhint:  install keyagent in one of them"),
        "{stderr}"
    );
    // Where package managers put it, it is found.
    let folder = repository.folder.path().join(".local/bin");
    fs::create_dir_all(&folder).unwrap();
    symlink(KEYAGENT, folder.join("keyagent")).unwrap();
    assert!(commit().status.success());
}

#[test]
fn lefthook() {
    let Some(tools) = tools::node() else { return };
    let managed = Managed::new(&tools);
    managed.repository.write("lefthook.yml", "no_tty: true\n");
    managed.do_what_it_says("lefthook");
    managed.stops_keys();
}

/// A name may stand in YAML once.
#[test]
fn lefthook_with_hooks_of_its_own() {
    let Some(tools) = tools::node() else { return };
    for theirs in [
        "pre-commit:\n  commands:\n    lint:\n      run: echo lint\n",
        "pre-commit:\n    jobs:\n        - run: echo lint\ncommit-msg:\n  commands:\n    x: {run: echo x}\n",
        "pre-push:\n  parallel: true\n  scripts:\n    \"mine.sh\":\n      runner: sh\n",
    ] {
        let managed = Managed::new(&tools);
        managed
            .repository
            .write("lefthook.yml", format!("no_tty: true\n{theirs}"));
        let mine = managed.repository.path.join(".lefthook/pre-push/mine.sh");
        program(&mine, "#!/bin/sh\n");
        managed.run("lefthook", &["install"]);
        managed.do_what_it_says("lefthook");
        managed.run("lefthook", &["validate"]);
        managed.stops_keys();
    }
}

#[test]
fn lefthook_that_git_does_not_call_yet() {
    let Some(tools) = tools::node() else { return };
    let managed = Managed::new(&tools);
    managed.repository.write("lefthook.yml", "no_tty: true\n");
    let run = Run::of(&managed.try_run("keyagent", &["hook", "install"])).exits(1);
    managed.add_the_lines(&run.stdout);
    managed.try_status(1);
    let run = Run::of(&managed.try_run("keyagent", &["hook", "install"])).exits(1);
    assert!(run.stderr.contains("\n  lefthook install\n"), "{}", run.stderr);
}

const PRE_COMMIT_INSTALL: &str = "pre-commit install -t pre-commit -t pre-merge-commit -t commit-msg";

#[test]
fn pre_commit() {
    let managed = Managed::new(&tools::python());
    managed.repository.write(".pre-commit-config.yaml", "repos:\n");
    managed.do_what_it_says("pre-commit");
    managed.stops_keys();
    // pre-commit itself looks at the first branch of a push alone.
    let (repository, key) = (&managed.repository, Key::random());
    repository.git(&["checkout", "--quiet", "-b", "second"]);
    repository.commit_unchecked("b", key.ini());
    repository.git(&["checkout", "--quiet", "main"]);
    repository.commit_unchecked("b", "clean\n");
    stopped(
        &managed.try_run("git", &["push", "origin", "main", "second"]),
        &key,
    );
    // If it comes to install a pre-push, it keeps keyagent's.
    managed.run("pre-commit", &["install", "-t", "pre-push"]);
    stopped(
        &managed.try_run("git", &["push", "origin", "main", "second"]),
        &key,
    );
}

/// `pre-commit install` alone is for files: a key in a message or a merge would pass.
#[test]
fn pre_commit_that_git_calls_for_files_alone() {
    let managed = Managed::new(&tools::python());
    managed.repository.write(".pre-commit-config.yaml", "repos:\n");
    let run = Run::of(&managed.try_run("keyagent", &["hook", "install"])).exits(1);
    let command = format!("\n  {PRE_COMMIT_INSTALL}\n");
    assert!(run.stderr.contains(&command), "{}", run.stderr);
    managed.add_the_lines(&run.stdout);
    let run = Run::of(&managed.try_run("keyagent", &["hook", "install"])).exits(1);
    assert!(run.stderr.contains(&command), "{}", run.stderr);

    managed.run("pre-commit", &["install"]);
    let status = managed.try_status(1).stdout;
    for (what, result) in [
        ("commit", "blocked"),
        ("message", "PASSES"),
        ("merge", "PASSES"),
        ("push", "blocked"),
    ] {
        let line = format!("  {what:<17} {result}\n");
        assert!(status.contains(&line), "{status}");
    }
    let run = Run::of(&managed.try_run("keyagent", &["hook", "install"])).exits(1);
    assert!(
        run.stderr
            .contains("\n  pre-commit install -t pre-merge-commit -t commit-msg\n"),
        "{}",
        run.stderr
    );
    managed.run_the_commands(&run.stderr);
    managed.try_status(0);
}

/// The lists of `pre-commit sample-config` are not indented, and more may stand behind them.
#[test]
fn pre_commit_with_a_file_of_its_own() {
    let managed = Managed::new(&tools::python());
    managed.repository.write(
        ".pre-commit-config.yaml",
        "repos:\n-   repo: local\n    hooks:\n    -   {id: x, name: x, language: system, entry: 'true'}\n",
    );
    managed.do_what_it_says("pre-commit");
    managed.run("pre-commit", &["validate-config"]);
    managed.stops_keys();
    // What is missing is asked for alone.
    let path = managed.repository.path.join(".pre-commit-config.yaml");
    let config = fs::read_to_string(&path).unwrap();
    let (before, _) = config.split_once("    - id: keyagent-commit-msg").unwrap();
    fs::write(&path, format!("{before}ci: {{}}\n")).unwrap();
    let run = Run::of(&managed.try_run("keyagent", &["hook", "install"])).exits(1);
    assert!(
        run.stdout
            .contains("# .pre-commit-config.yaml, at the end of `repos:`\n- repo: local\n")
            && run.stdout.contains("keyagent-commit-msg")
            && !run.stdout.contains("id: keyagent\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn pre_commit_with_the_hooks_of_keyagents_repository() {
    let managed = Managed::new(&tools::python());
    let repository = &managed.repository;
    repository.git(&["init", "--quiet", "../keyagent"]);
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/.pre-commit-hooks.yaml"),
        repository.folder.path().join("keyagent/.pre-commit-hooks.yaml"),
    )
    .unwrap();
    repository.git(&["-C", "../keyagent", "add", "--all"]);
    repository.git(&["-C", "../keyagent", "commit", "--quiet", "--no-verify", "-m", "x"]);
    repository.git(&["-C", "../keyagent", "tag", "v1"]);
    repository.write(
        ".pre-commit-config.yaml",
        format!(
            "repos:\n  - repo: {}\n    rev: v1\n    hooks:\n      - id: keyagent\n      - id: keyagent-commit-msg\n      - id: keyagent-pre-push\n",
            repository.folder.path().join("keyagent").display()
        ),
    );
    managed.run("sh", &["-c", PRE_COMMIT_INSTALL]);
    managed.run("pre-commit", &["install", "-t", "pre-push"]);
    managed.stops_keys();
}

/// Where pre-commit was there first and no line was added, `--global` still keeps both.
#[test]
fn pre_commit_beside_the_global_hooks() {
    let (managed, key) = (Managed::new(&tools::python()), Key::random());
    let repository = &managed.repository;
    repository.write(
        ".pre-commit-config.yaml",
        "repos:\n  - repo: local\n    hooks:\n      - {id: x, name: x, language: system, entry: touch ran, pass_filenames: false, always_run: true}\n",
    );
    managed.run("pre-commit", &["install"]);
    managed.run("keyagent", &["hook", "install", "--global"]);
    repository.write("a", key.ini());
    repository.git(&["add", "a"]);
    stopped(&managed.try_run("git", &["commit", "-m", "x"]), &key);
    assert!(repository.path.join("ran").exists());
}

#[test]
fn a_folder_of_hooks_in_the_repository_is_the_teams() {
    for is_tracked in [true, false] {
        let managed = Managed::new(Path::new("/nowhere"));
        let repository = &managed.repository;
        repository.git(&["config", "core.hooksPath", ".githooks"]);
        if is_tracked {
            program(&repository.path.join(".githooks/pre-commit"), "#!/bin/sh\n");
            repository.commit_all();
        }
        managed.do_what_it_says("a folder in the repository");
        managed.stops_keys();
        // Nothing of this machine is in what everybody gets.
        let found = repository.try_git(&["grep", "--fixed-strings", KEYAGENT]);
        assert_eq!(found.status.code(), Some(1), "{:?}", texts(&found));
    }
}

/// Behind its end a line would do nothing.
#[test]
fn a_script_that_ends_by_itself_gets_the_line_first() {
    for end in ["exit 0", "exec true"] {
        let managed = Managed::new(Path::new("/nowhere"));
        let repository = &managed.repository;
        repository.git(&["config", "core.hooksPath", ".githooks"]);
        for hook in ["pre-commit", "pre-merge-commit", "commit-msg"] {
            let dead = format!("#!/bin/sh\n{end}\nsh \"${{0%/*}}/keyagent.sh\" {hook} \"$@\" || exit\n");
            program(&repository.path.join(".githooks").join(hook), &dead);
        }
        repository.commit_all();
        managed.do_what_it_says("a folder in the repository");
        managed.stops_keys();
    }
}

#[test]
fn a_folder_that_git_ignores_is_nobody_elses() {
    let managed = Managed::new(Path::new("/nowhere"));
    let repository = &managed.repository;
    repository.git(&["config", "core.hooksPath", ".githooks"]);
    repository.write(".git/info/exclude", ".githooks/\n");
    managed.run("keyagent", &["hook", "install"]);
    managed.try_status(0);
}

/// As an older keyagent did, or somebody before core.hooksPath named the folder.
#[test]
fn hooks_with_this_machines_path_are_taken_out_of_a_shared_folder() {
    let managed = Managed::new(Path::new("/nowhere"));
    let repository = &managed.repository;
    repository.install_hook();
    fs::rename(
        repository.path.join(".git/hooks"),
        repository.path.join(".githooks"),
    )
    .unwrap();
    repository.git(&["config", "core.hooksPath", ".githooks"]);
    let run = Run::of(&managed.try_run("keyagent", &["hook", "install"])).exits(1);
    assert!(
        run.stderr
            .contains("\n  keyagent hook uninstall; keyagent hook install\n"),
        "{}",
        run.stderr
    );
    managed.run("keyagent", &["hook", "uninstall"]);
    managed.do_what_it_says("a folder in the repository");
}
