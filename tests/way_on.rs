//! What a blocked person is told to do, done as it is told: nothing of theirs may be lost by it, and it must help.

use std::fs;
use std::process::Output;

use crate::support::repository::{KEYAGENT, Key, Repository, texts};

fn keyagent(repository: &Repository, arguments: &[&str]) -> Output {
    let mut command = repository.command(KEYAGENT);
    command
        .args(arguments)
        .output()
        .expect("the built keyagent can be run")
}

#[track_caller]
fn told(repository: &Repository, arguments: &[&str]) -> String {
    let output = keyagent(repository, arguments);
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    let wide: Vec<&str> = stderr.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    stderr
}

/// Runs a line of what was told.
#[track_caller]
fn follow(repository: &Repository, told: &str, beginning: &str) -> Output {
    let line = told
        .lines()
        .find(|line| line.trim().starts_with(beginning))
        .unwrap_or_else(|| panic!("no line begins with {beginning} in\n{told}"));
    shell(repository, line.trim())
}

fn shell(repository: &Repository, line: &str) -> Output {
    let programs = std::path::Path::new(KEYAGENT).parent().unwrap();
    let line = format!("PATH=\"{}:$PATH\"\n{line}", programs.display());
    let mut command = repository.command("sh");
    command.env("GIT_EDITOR", "true");
    command.args(["-ec", &line]).output().unwrap()
}

/// Gives it an empty remote, which is called origin.
fn with_remote(repository: &Repository) -> tempfile::TempDir {
    let remote = tempfile::tempdir().unwrap();
    let url = remote.path().to_str().unwrap();
    repository.git(&["init", "--quiet", "--bare", url]);
    repository.git(&["remote", "add", "origin", url]);
    remote
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{:?}", texts(output));
}

#[track_caller]
fn finds_nothing(repository: &Repository, arguments: &[&str]) {
    assert_eq!(keyagent(repository, arguments).status.code(), Some(0));
}

fn commit(repository: &Repository, name: &str, content: impl AsRef<[u8]>) -> String {
    repository.write(name, content);
    repository.commit_all();
    repository.git(&["rev-parse", "HEAD"])
}

#[test]
fn in_a_merge_nothing_of_the_other_side_is_dropped() {
    let (repository, key) = (Repository::begun(), Key::random());
    commit(&repository, "a", "one\n");
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    commit(&repository, "a", "theirs\n");
    repository.git(&["checkout", "--quiet", "main"]);
    commit(&repository, "a", "ours\n");
    assert!(!shell(&repository, "git merge side").status.success());
    repository.stage("a", format!("ours\ntheirs\n{}", key.ini()));
    let stderr = told(&repository, &["scan", "--staged"]);
    assert!(!stderr.contains("restore"), "{stderr}");
    repository.write("a", "ours\ntheirs\n");
    succeeds(&follow(&repository, &stderr, "git add -- a"));
    succeeds(&follow(&repository, &stderr, "git merge --continue"));
    assert_eq!(repository.git(&["show", "HEAD:a"]), "ours\ntheirs");
    assert_eq!(
        repository
            .git(&["rev-list", "--parents", "-1", "HEAD"])
            .split(' ')
            .count(),
        3
    );
}

#[test]
fn in_a_cherry_pick_a_revert_and_a_rebase_the_operation_goes_on() {
    let (repository, key) = (Repository::begun(), Key::random());
    commit(&repository, "a", "one\n");
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    let theirs = commit(&repository, "a", "theirs\n");
    repository.git(&["checkout", "--quiet", "main"]);
    let ours = commit(&repository, "a", "ours\n");
    let last = commit(&repository, "a", "last\n");
    for (begin, way_on) in [
        (format!("git cherry-pick {theirs}"), "git cherry-pick --continue"),
        (format!("git revert {ours}"), "git revert --continue"),
        ("git rebase side".to_owned(), "git rebase --continue"),
    ] {
        assert!(!shell(&repository, &begin).status.success(), "{begin}");
        repository.stage("a", format!("both\n{}", key.ini()));
        let stderr = told(&repository, &["scan", "--staged"]);
        assert!(!stderr.contains("restore"), "{stderr}");
        assert!(stderr.contains(&format!("\n  {way_on}\n")), "{stderr}");
        let abort = way_on.replace("continue", "abort");
        succeeds(&shell(&repository, &abort));
        assert_eq!(repository.git(&["rev-parse", "HEAD"]), last);
    }
}

#[test]
fn before_the_first_commit_a_file_is_unstaged_though_it_was_edited_since() {
    let (repository, key) = (Repository::new(), Key::random());
    repository.stage("a", key.ini());
    repository.write("a", "edited\n");
    let stderr = told(&repository, &["scan", "--staged"]);
    succeeds(&follow(&repository, &stderr, "git rm --cached"));
    assert_eq!(fs::read_to_string(repository.path.join("a")).unwrap(), "edited\n");
    repository.passes();
}

#[test]
fn a_file_of_one_machine_is_left_out_for_good() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage(".env", key.ini());
    let stderr = told(&repository, &["scan", "--staged"]);
    succeeds(&follow(&repository, &stderr, "git restore --staged"));
    let line = stderr.lines().find(|line| line.contains(".gitignore")).unwrap();
    // Without an end to its last line.
    repository.write(".gitignore", "*.log");
    succeeds(&shell(&repository, line.trim()));
    repository.git(&["add", "--all"]);
    assert_eq!(repository.git(&["ls-files", ".env"]), "");
    repository.passes();
    repository.write("a.log", "");
    assert_eq!(repository.git(&["check-ignore", "a.log", ".env"]), "a.log\n.env");
}

/// There git asks .gitignore no more.
#[test]
fn a_file_that_is_committed_already_is_not_said_to_be_left_out() {
    let (repository, key) = (Repository::begun(), Key::random());
    commit(&repository, ".env", "clean\n");
    repository.stage(".env", key.ini());
    let stderr = told(&repository, &["scan", "--staged"]);
    assert!(!stderr.contains(".gitignore"), "{stderr}");
}

/// The message alone is to change: a commit that was to be amended, or to hold some files, is that again.
#[cfg(target_os = "linux")]
#[test]
fn a_commit_whose_message_was_blocked_is_made_as_it_was_typed() {
    for options in [
        &["--amend"][..],
        &["-a"],
        &["--amend", "-a"],
        &["--", "README"],
        &["-o", "README"],
    ] {
        let (repository, key) = (Repository::begun(), Key::random());
        commit(&repository, "other", "x\n");
        assert_eq!(keyagent(&repository, &["hook", "install"]).status.code(), Some(0));
        repository.write("README", "new\n");
        if options == ["--amend"] {
            repository.git(&["add", "README"]);
        } else if !options.contains(&"-a") {
            repository.stage("other", "staged, and not for this commit\n");
        }
        let message = format!("with {}", key.id);
        let command = [&["commit", "-m", &message], options].concat();
        let blocked = repository.try_git(&command);
        let (_, stderr) = texts(&blocked);
        assert_eq!(blocked.status.code(), Some(1), "{stderr}");
        let line = stderr.lines().find(|line| line.contains("-e -F")).unwrap();
        let line = format!("GIT_EDITOR='sed -i s/AKIA.*/nothing/' {}", line.trim());
        succeeds(&shell(&repository, &line));
        let is_amended = options.contains(&"--amend");
        let commits = repository.git(&["rev-list", "--count", "HEAD"]);
        assert_eq!(commits, if is_amended { "2" } else { "3" }, "{line}");
        assert_eq!(repository.git(&["show", "HEAD:README"]), "new");
        if !is_amended {
            let files = repository.git(&["show", "--format=", "--name-only"]);
            assert_eq!(files, "README", "{line}");
        }
    }
}

#[test]
fn a_name_with_a_wildcard_unstages_nothing_else() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.write("prod.env", "clean\n");
    repository.stage("*.env", key.ini());
    let stderr = told(&repository, &["scan", "--staged"]);
    succeeds(&follow(&repository, &stderr, "git restore --staged"));
    assert_eq!(repository.git(&["diff", "--cached", "--name-only"]), "prod.env");
}

#[test]
fn a_commit_is_mended_where_it_stands() {
    let (repository, key) = (Repository::new(), Key::random());
    let mend = |stderr: &str| {
        // As the editor of the list of commits would.
        let line = stderr
            .lines()
            .find(|line| line.contains("git rebase"))
            .unwrap()
            .trim();
        succeeds(&shell(
            &repository,
            &format!("GIT_SEQUENCE_EDITOR='sed -i 1s/pick/edit/' {line}"),
        ));
        repository.stage(
            "a",
            format!("mended {}\n", repository.git(&["rev-parse", "HEAD"])),
        );
        succeeds(&follow(&repository, stderr, "git commit --amend --no-edit && "));
    };
    // The first commit, with one behind it.
    commit(&repository, "a", key.ini());
    commit(&repository, "b", "later\n");
    let stderr = told(&repository, &["scan", "--commits", "HEAD"]);
    assert!(stderr.contains("--root"), "{stderr}");
    mend(&stderr);
    assert_eq!(repository.git(&["show", "HEAD:b"]), "later");
    finds_nothing(&repository, &["scan", "--commits", "HEAD"]);
    // A later one.
    commit(&repository, "a", Key::random().ini());
    commit(&repository, "b", "last\n");
    let stderr = told(&repository, &["scan", "--commits", "HEAD"]);
    assert!(stderr.contains("~\n"), "{stderr}");
    mend(&stderr);
    finds_nothing(&repository, &["scan", "--commits", "HEAD"]);
    // The last one.
    commit(&repository, "a", Key::random().ini());
    let stderr = told(&repository, &["scan", "--commits", "HEAD"]);
    repository.stage("a", "mended\n");
    succeeds(&follow(&repository, &stderr, "git commit --amend --no-edit"));
    finds_nothing(&repository, &["scan", "--commits", "HEAD"]);
}

/// In the list of a rebase nothing but a stop below it holds at a merge.
#[test]
fn a_merge_that_is_not_the_last_commit_is_mended() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.git(&["switch", "--quiet", "--create", "side"]);
    commit(&repository, "b", "side\n");
    repository.git(&["switch", "--quiet", "main"]);
    commit(&repository, "c", "main\n");
    repository.git(&["merge", "--quiet", "--no-commit", "--no-ff", "side"]);
    repository.stage("a", key.ini());
    repository.git(&["commit", "--quiet", "--no-verify", "-m", "a merge"]);
    commit(&repository, "d", "later\n");
    let stderr = told(&repository, &["scan", "--commits", "-3 HEAD"]);
    let (_, rest) = stderr
        .split_once("write `break` there in a line below `")
        .unwrap();
    // git may show fewer digits.
    let merge = &rest[.."merge -C 1234567".len()];
    let line = stderr
        .lines()
        .find(|line| line.contains("git rebase -i"))
        .unwrap();
    let editor = format!("GIT_SEQUENCE_EDITOR=\"sed -i '/^{merge}/a break'\"");
    succeeds(&shell(&repository, &format!("{editor} {}", line.trim())));
    repository.stage("a", "mended\n");
    succeeds(&follow(&repository, &stderr, "git commit --amend --no-edit && "));
    finds_nothing(&repository, &["scan", "--commits", "HEAD"]);
    assert_eq!(repository.git(&["rev-list", "--count", "--merges", "HEAD"]), "1");
    assert_eq!(repository.git(&["show", "HEAD:d"]), "later");
}

#[test]
fn a_branch_a_stash_and_a_message_have_ways_of_their_own() {
    let (repository, key) = (Repository::begun(), Key::random());
    commit(&repository, "a", "one\n");
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    commit(&repository, "a", key.ini());
    commit(&repository, "a", "gone\n");
    repository.git(&["checkout", "--quiet", "main"]);
    let stderr = told(&repository, &["scan", "--commits", "side"]);
    assert!(stderr.contains("git switch side, and there\n"), "{stderr}");
    repository.git(&["branch", "--quiet", "-D", "side"]);

    repository.write("a", Key::random().ini());
    repository.git(&["stash", "--quiet"]);
    let stderr = told(&repository, &["scan", "--history"]);
    succeeds(&follow(&repository, &stderr, "git stash drop"));
    finds_nothing(&repository, &["scan", "--history"]);

    repository.git(&["commit", "--quiet", "--allow-empty", "-m", &key.id]);
    let stderr = told(&repository, &["scan", "--commits", "HEAD"]);
    assert!(stderr.contains("message"), "{stderr}");
    succeeds(&shell(
        &repository,
        "git commit --quiet --amend --allow-empty -m clean",
    ));
    finds_nothing(&repository, &["scan", "--commits", "HEAD"]);
}

/// To allow all of the history would let pass what nobody has looked at.
#[test]
fn what_is_pushed_is_allowed_and_nothing_else() {
    let (repository, old, new) = (Repository::begun(), Key::random(), Key::random());
    commit(&repository, "old", old.ini());
    let _remote = with_remote(&repository);
    repository.git(&["push", "--quiet", "origin", "main"]);
    assert_eq!(keyagent(&repository, &["hook", "install"]).status.code(), Some(0));
    repository.write("new", new.ini());
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "--no-verify", "-m", "new"]);
    let blocked = shell(&repository, "git push origin main");
    assert!(!blocked.status.success());
    let (_, stderr) = texts(&blocked);
    succeeds(&shell(
        &repository,
        &stderr
            .lines()
            .find(|line| line.contains("keyagent scan --commits"))
            .unwrap_or_else(|| panic!("{stderr}"))
            .replace("REASON", "made up"),
    ));
    repository.git(&["add", ".keyagentallow"]);
    repository.git(&["commit", "--quiet", "-m", "why"]);
    succeeds(&shell(&repository, "git push origin main"));
    assert_eq!(
        keyagent(&repository, &["scan", "--commits", "HEAD~2"])
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn a_tag_that_holds_a_key_is_made_anew() {
    let (repository, key) = (Repository::begun(), Key::random());
    let _remote = with_remote(&repository);
    assert_eq!(keyagent(&repository, &["hook", "install"]).status.code(), Some(0));
    repository.git(&["tag", "-a", "v1", "-m", &key.id]);
    let blocked = shell(&repository, "git push origin v1");
    assert!(!blocked.status.success());
    succeeds(&follow(&repository, &texts(&blocked).1, "git tag -d v1"));
    repository.git(&["tag", "-a", "v1", "-m", "clean"]);
    succeeds(&shell(&repository, "git push origin v1"));
}

/// git commits the paths from the last commit on: the entries are to be named too.
#[test]
fn a_commit_of_paths_is_allowed_as_it_is_told() {
    let (repository, key) = (Repository::begun(), Key::random());
    assert_eq!(keyagent(&repository, &["hook", "install"]).status.code(), Some(0));
    repository.write("README", key.ini());
    let blocked = |command: &[&str]| {
        let output = repository.try_git(command);
        let (_, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.lines().all(|line| line.chars().count() <= 80), "{stderr}");
        stderr
    };
    let commit = ["commit", "-m", "x", "README"];
    assert!(blocked(&commit).contains("name .keyagentallow too when you commit"));
    repository.git(&["add", "README"]);
    succeeds(&keyagent(
        &repository,
        &["scan", "--staged", "--allow", "a made-up key"],
    ));
    let stderr = blocked(&commit);
    assert!(stderr.contains("then name it beside the other paths"), "{stderr}");
    repository.git(&["add", ".keyagentallow"]);
    repository.git(&[&commit[..], &[".keyagentallow"]].concat());
}

/// As somebody sees it who has not staged the entries.
#[test]
fn what_is_said_of_entries_that_are_not_staged_fits_a_terminal() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.stage("a", key.ini());
    repository.write(".keyagentallow", "");
    succeeds(&keyagent(
        &repository,
        &["scan", "--staged", "--allow", "a made-up key"],
    ));
    let stderr = told(&repository, &["scan", "--staged"]);
    assert!(stderr.lines().all(|line| line.chars().count() <= 80), "{stderr}");
    succeeds(&follow(&repository, &stderr, "git add -- :/.keyagentallow"));
    repository.passes();
}

#[test]
fn a_message_that_was_blocked_is_not_lost() {
    let (repository, key) = (Repository::begun(), Key::random());
    assert_eq!(keyagent(&repository, &["hook", "install"]).status.code(), Some(0));
    repository.stage("a", "clean\n");
    let message = format!("a long story\n\nwith {}", key.id);
    let mut command = repository.command("git");
    let blocked = command.args(["commit", "-m", &message]).output().unwrap();
    let (_, stderr) = texts(&blocked);
    assert_eq!(blocked.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("scanned 1 message, "), "{stderr}");
    assert!(
        stderr.contains("if it is no live key, let it pass: write in its line"),
        "{stderr}"
    );
    let line = stderr
        .lines()
        .find(|line| line.contains("git commit -e -F"))
        .unwrap();
    succeeds(&shell(
        &repository,
        &format!("GIT_EDITOR='sed -i s/AKIA.*/nothing/' {}", line.trim()),
    ));
    assert_eq!(repository.git(&["log", "-1", "--format=%s"]), "a long story");
}

#[test]
fn a_hint_names_what_can_be_had() {
    let repository = Repository::begun();
    let stderr = |arguments: &[&str]| texts(&keyagent(&repository, arguments)).1;
    let told = stderr(&["scan", "--commits", "HEAD~5..HEAD"]);
    assert!(told.contains("git log") && !told.contains("unshallow"), "{told}");
    assert!(stderr(&["scan", "-"]).contains("keyagent scan --stdin"));
    assert!(stderr(&["scan", "-r", "."]).contains("tip: folders are read with all below them"));
}

#[cfg(not(feature = "aws"))]
#[test]
fn the_hook_alone_says_what_it_lacks() {
    let repository = Repository::begun();
    for command in ["rotate", "status", "doctor", "agent"] {
        let output = keyagent(&repository, &[command, "-p", "dev"]);
        let cause = "it was built without its AWS or desktop code";
        crate::support::repository::failed(&output, cause);
    }
}
