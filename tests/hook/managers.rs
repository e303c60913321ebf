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
    fn add_the_lines(&self, manager: &str) {
        let run = Run::of(&self.try_run("keyagent", &["hook", "install"])).exits(1);
        assert!(
            run.stderr.contains(&format!("{manager} looks after the hooks")),
            "{}",
            run.stderr
        );
        let mut file = PathBuf::new();
        let mut goes_first = false;
        for line in run.stdout.lines().filter(|line| !line.ends_with(" installed")) {
            if let Some((name, place)) = line.strip_prefix("# ").and_then(|line| line.split_once(", ")) {
                file = self.repository.path.join(name);
                goes_first = place == "as its first command";
                assert!(goes_first || place == "at the end", "{line}");
            } else {
                let before = fs::read_to_string(&file).unwrap_or_default();
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                let both = if goes_first {
                    format!("{line}\n{before}")
                } else {
                    format!("{before}{line}\n")
                };
                fs::write(&file, both).unwrap();
            }
        }
        let run = Run::of(&self.try_run("keyagent", &["hook", "install"])).exits(0);
        assert!(run.stderr.contains("calls keyagent"), "{}", run.stderr);
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
    managed.add_the_lines("husky");
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

#[test]
fn lefthook() {
    let Some(tools) = tools::node() else { return };
    let managed = Managed::new(&tools);
    managed.repository.write("lefthook.yml", "no_tty: true\n");
    managed.add_the_lines("lefthook");
    managed.run("lefthook", &["install"]);
    managed.stops_keys();
}

#[test]
fn pre_commit() {
    let managed = Managed::new(&tools::python());
    managed.repository.write(".pre-commit-config.yaml", "repos:\n");
    managed.add_the_lines("pre-commit");
    managed.run(
        "pre-commit",
        &[
            "install",
            "-t",
            "pre-commit",
            "-t",
            "pre-merge-commit",
            "-t",
            "commit-msg",
            "-t",
            "pre-push",
        ],
    );
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
    managed.run(
        "pre-commit",
        &[
            "install",
            "-t",
            "pre-commit",
            "-t",
            "pre-merge-commit",
            "-t",
            "commit-msg",
            "-t",
            "pre-push",
        ],
    );
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
    let (managed, key) = (Managed::new(Path::new("/nowhere")), Key::random());
    let repository = &managed.repository;
    program(&repository.path.join(".githooks/pre-commit"), "#!/bin/sh\n");
    repository.commit_all();
    repository.git(&["config", "core.hooksPath", ".githooks"]);
    managed.add_the_lines("a folder in the repository");
    for name in ["commit-msg", "pre-push"] {
        fs::set_permissions(
            repository.path.join(".githooks").join(name),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
    }
    repository.write("a", key.ini());
    repository.git(&["add", "a"]);
    stopped(&managed.try_run("git", &["commit", "-m", "x"]), &key);
}
