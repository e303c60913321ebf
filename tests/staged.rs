//! What counts as staged, against git's own word, in every state that a repository can be in.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;

use keyagent::git;
use keyagent::process::Environment;

use crate::support::repository::{KEYAGENT, Key, Repository, failed, texts};

/// Path and object, as git names them.
type Set = BTreeSet<(Vec<u8>, String)>;

fn ours(repository: &Repository) -> Set {
    let (_, staged) = git::Repository::staged(&repository.path, &Environment::default())
        .expect("the repository can be set up and read");
    staged
        .blobs
        .into_iter()
        .map(|blob| (blob.path.as_os_str().as_bytes().to_vec(), blob.oid.to_string()))
        .collect()
}

/// What `git ls-files -s` has and `git ls-tree` has of no parent, submodules aside: git's word without a diff.
fn listed(repository: &Repository, parents: &[&str]) -> Set {
    let entries = |arguments: &[&str]| -> BTreeSet<(String, String, Vec<u8>)> {
        let output = repository.try_git(arguments);
        assert!(output.status.success(), "{:?}", texts(&output));
        let entries = output.stdout.split(|byte| *byte == 0);
        entries
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let tab = entry
                    .iter()
                    .position(|byte| *byte == b'\t')
                    .expect("the repository can be set up and read");
                let head =
                    String::from_utf8(entry[..tab].to_vec()).expect("the repository can be set up and read");
                let words: Vec<&str> = head.split(' ').collect();
                let oid = words
                    .iter()
                    .find(|word| word.len() >= 40)
                    .expect("the repository can be set up and read");
                (words[0].to_owned(), (*oid).to_owned(), entry[tab + 1..].to_vec())
            })
            .collect()
    };
    let mut left = entries(&["ls-files", "-s", "-z"]);
    left.retain(|(mode, _, _)| mode != "160000");
    for parent in parents {
        let old = entries(&["ls-tree", "-r", "-z", "--full-tree", parent]);
        left.retain(|entry| !old.contains(entry));
    }
    left.into_iter().map(|(_, oid, path)| (path, oid)).collect()
}

/// What `git diff-index` says against every parent.
fn diffed(repository: &Repository, parents: &[&str]) -> Set {
    let mut sets = parents.iter().map(|parent| {
        let output = repository.try_git(&[
            "diff-index",
            "--cached",
            "--raw",
            "-z",
            "--abbrev=64",
            parent,
            "--",
        ]);
        let fields: Vec<&[u8]> = output.stdout.split(|byte| *byte == 0).collect();
        let pairs = fields.chunks_exact(2).filter_map(|pair| {
            let head = String::from_utf8(pair[0].to_vec()).expect("the repository can be set up and read");
            let words: Vec<&str> = head.split(' ').collect();
            (words[4] != "D" && words[1] != "160000").then(|| (pair[1].to_vec(), words[3].to_owned()))
        });
        pairs.collect::<Set>()
    });
    let first = sets.next().expect("the repository can be set up and read");
    sets.fold(first, |all, one| all.intersection(&one).cloned().collect())
}

#[track_caller]
fn agrees(repository: &Repository, parents: &[&str], count: usize) {
    let ours = ours(repository);
    assert_eq!(ours, listed(repository, parents));
    assert_eq!(ours, diffed(repository, parents));
    assert_eq!(ours.len(), count);
}

/// Some of everything that can be staged: nine blobs.
fn stage_everything(repository: &Repository) {
    for name in ["kept", "changed", "removed", "renamed", "mode", "becomes a link"] {
        repository.write(name, format!("{name}\n"));
    }
    fs::create_dir_all(repository.path.join("a/b")).expect("the repository can be set up and read");
    repository.write("a/b/deep", "deep\n");
    repository.commit_all();
    repository.write("changed", "other\n");
    repository.write("a/b/deep", "deeper\n");
    repository.write("a/new", "new\n");
    repository.write("spa ce\nline", "named\n");
    repository.write(std::ffi::OsStr::from_bytes(b"no\xffutf"), "named\n");
    fs::remove_file(repository.path.join("removed")).expect("the repository can be set up and read");
    fs::rename(repository.path.join("renamed"), repository.path.join("a/renamed"))
        .expect("the repository can be set up and read");
    let mode = repository.path.join("mode");
    fs::set_permissions(mode, fs::Permissions::from_mode(0o755))
        .expect("the repository can be set up and read");
    fs::remove_file(repository.path.join("becomes a link")).expect("the repository can be set up and read");
    symlink("kept", repository.path.join("becomes a link")).expect("the repository can be set up and read");
    symlink("nowhere", repository.path.join("link")).expect("the repository can be set up and read");
    repository.git(&["add", "--all"]);
    let head = repository.git(&["rev-parse", "HEAD"]);
    let module = format!("160000,{head},module");
    repository.git(&["update-index", "--add", "--cacheinfo", &module]);
    repository.write("changed", "only in the work tree\n");
}

#[test]
fn changes_of_every_kind() {
    let repository = Repository::begun();
    stage_everything(&repository);
    agrees(&repository, &["HEAD"], 9);
    // Packed, and listed in other forms of the index.
    repository.git(&["repack", "-adq"]);
    repository.git(&["update-index", "--split-index"]);
    agrees(&repository, &["HEAD"], 9);
    repository.git(&["update-index", "--no-split-index", "--index-version", "4"]);
    agrees(&repository, &["HEAD"], 9);
    repository.git(&["update-index", "--untracked-cache"]);
    agrees(&repository, &["HEAD"], 9);
}

#[test]
fn before_the_first_commit() {
    let repository = Repository::new();
    repository.stage("a", "a\n");
    repository.write("b", "b\n");
    repository.git(&["add", "--intent-to-add", "b"]);
    let ours = ours(&repository);
    assert_eq!(ours.len(), 1);
    assert_eq!(ours.first().unwrap().0, b"a");
}

#[test]
fn a_sha_256_repository() {
    let (repository, key) = (Repository::empty(), Key::random());
    repository.git(&["init", "--quiet", "--object-format=sha256"]);
    repository.stage("first", key.ini());
    repository.blocks(&key);
    repository.commit_all();
    stage_everything(&repository);
    agrees(&repository, &["HEAD"], 9);
    assert!(ours(&repository).iter().all(|(_, oid)| oid.len() == 64));
}

#[test]
fn a_reftable_repository() {
    let repository = Repository::empty();
    let output = repository.try_git(&["init", "--quiet", "--ref-format=reftable"]);
    if output.status.success() {
        repository.stage("README", "hello\n");
        repository.commit_all();
        stage_everything(&repository);
        agrees(&repository, &["HEAD"], 9);
    }
}

#[test]
fn a_sparse_index() {
    let repository = Repository::begun();
    for folder in ["in", "out"] {
        fs::create_dir(repository.path.join(folder)).unwrap();
        repository.write(format!("{folder}/file"), "1\n");
    }
    repository.commit_all();
    repository.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    repository.stage("in/file", "2\n");
    agrees(&repository, &["HEAD"], 1);
    assert!(repository.git(&["ls-files", "--sparse"]).contains("out/"));
}

#[test]
fn merges_have_only_what_no_parent_has() {
    let repository = Repository::begun();
    for side in ["one", "two", "three"] {
        repository.git(&["checkout", "--quiet", "-b", side, "main"]);
        repository.write(side, side);
        repository.commit_all();
    }
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("main", "main\n");
    repository.commit_all();
    repository.git(&["merge", "--no-commit", "one", "two", "three"]);
    agrees(&repository, &["HEAD", "one", "two", "three"], 0);
    repository.write("README", "what the merge adds\n");
    repository.git(&["add", "README"]);
    agrees(&repository, &["HEAD", "one", "two", "three"], 1);
}

/// git tells pre-merge-commit in its environment alone what it merges.
#[test]
fn a_merge_that_commits_by_itself() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.write("theirs", key.ini());
    repository.commit_all();
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("ours", "ours\n");
    repository.commit_all();
    let hook = repository.path.join(".git/hooks/pre-merge-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\nexec '{KEYAGENT}' scan --staged\n")).unwrap();
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let output = repository.try_git(&["merge", "-m", "x", "side"]);
    assert!(output.status.success(), "{:?}", texts(&output));
    assert!(
        texts(&output).1.contains("scanned 0 blobs"),
        "{:?}",
        texts(&output)
    );
}

#[test]
fn worktrees_alternates_and_variables() {
    let (repository, key) = (Repository::begun(), Key::random());
    repository.git(&["worktree", "add", "--quiet", "../tree"]);
    let tree = repository.folder.path().join("tree");
    fs::write(tree.join("a"), key.ini()).unwrap();
    let in_tree = |program: &str, arguments: &[&str]| -> Output {
        let mut command = repository.command(program);
        command.args(arguments).current_dir(&tree).output().unwrap()
    };
    assert!(in_tree("git", &["add", "a"]).status.success());
    assert_eq!(in_tree(KEYAGENT, &["scan", "--staged"]).status.code(), Some(1));
    repository.passes();

    // Another index, and another folder of objects behind it.
    let staged = |variables: &[(&str, &Path)]| {
        let mut command = repository.command(KEYAGENT);
        command.args(["scan", "--staged"]).envs(variables.iter().copied());
        command.current_dir(repository.folder.path()).output().unwrap()
    };
    let git_dir = repository.path.join(".git");
    let index = git_dir.join("worktrees/tree/index");
    let output = staged(&[("GIT_DIR", &git_dir), ("GIT_INDEX_FILE", &index)]);
    assert_eq!(output.status.code(), Some(1), "{:?}", texts(&output));
    let moved = repository.folder.path().join("elsewhere");
    fs::rename(git_dir.join("objects"), &moved).unwrap();
    fs::create_dir_all(git_dir.join("objects/info")).unwrap();
    let with_index = [("GIT_DIR", &git_dir as &Path), ("GIT_INDEX_FILE", &index)];
    failed(&staged(&with_index), "");
    let alternate = [
        with_index[0],
        with_index[1],
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", &moved),
    ];
    assert_eq!(staged(&alternate).status.code(), Some(1));
    fs::write(
        git_dir.join("objects/info/alternates"),
        moved.as_os_str().as_bytes(),
    )
    .unwrap();
    assert_eq!(staged(&with_index).status.code(), Some(1));
}

#[test]
fn the_file_behind_an_lfs_pointer_is_read() {
    let (repository, key) = (Repository::begun(), Key::random());
    let name = "0123456789abcdef".repeat(4);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize 99\n");
    repository.stage("model.bin", pointer);
    repository.passes();
    let folder = repository.path.join(".git/lfs/objects/01/23");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(&name), key.ini()).unwrap();
    assert!(repository.blocks(&key).contains("model.bin:2"));
}

#[test]
fn replacements_and_grafts_hide_nothing() {
    let (repository, key) = (Repository::begun(), Key::random());
    let blob = |content: &str| {
        repository.stage("a", content);
        repository.git(&["rev-parse", ":a"])
    };
    let clean = blob("clean\n");
    let leaking = blob(&key.ini());
    repository.git(&["replace", &leaking, &clean]);
    repository.blocks(&key);
}

#[test]
fn many_contents_packed_and_loose() {
    let (repository, key) = (Repository::begun(), Key::random());
    for number in 0..300 {
        repository.write(format!("{number}"), format!("{number}\n"));
    }
    repository.write("150", key.ini());
    repository.write("large", vec![b'x'; 3_000_000]);
    repository.git(&["add", "--all"]);
    let stdout = repository.blocks(&key);
    assert!(stdout.contains("150:2"), "{stdout}");
    let pack = repository.path.join(".git/objects/pack/pack");
    let names = repository.git(&["ls-files", "--format=%(objectname)"]);
    let list = repository.folder.path().join("names");
    fs::write(&list, names + "\n").unwrap();
    let mut packing = repository.command("git");
    packing
        .arg("pack-objects")
        .arg(pack)
        .stdin(fs::File::open(&list).unwrap());
    assert!(packing.output().unwrap().status.success());
    repository.git(&["prune-packed"]);
    assert_eq!(repository.blocks(&key), stdout);
}

mod bad_input {
    use super::*;

    #[test]
    fn a_damaged_index() {
        let repository = Repository::begun();
        let index = repository.path.join(".git/index");
        let whole = fs::read(&index).unwrap();
        // git goes by the length of the file here: half an entry names a content that nobody has.
        fs::write(&index, &whole[..whole.len() / 2]).unwrap();
        repository.fails("");
        fs::write(&index, &whole[..10]).unwrap();
        repository.fails("the index is damaged");
        let mut damaged = whole.clone();
        damaged[7] = 9;
        fs::write(&index, damaged).unwrap();
        repository.fails("the index is damaged");
    }

    #[test]
    fn a_missing_or_damaged_object() {
        let repository = Repository::begun();
        repository.stage("a", "content\n");
        let oid = repository.git(&["rev-parse", ":a"]);
        let file = repository
            .path
            .join(".git/objects")
            .join(&oid[..2])
            .join(&oid[2..]);
        let whole = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        repository.fails(&format!("the content {oid} is missing"));
        for length in [0, 5, whole.len() - 3] {
            fs::write(&file, &whole[..length]).unwrap();
            repository.fails(&format!("the content {oid} is missing"));
        }
    }

    #[test]
    fn a_locked_index() {
        let repository = Repository::begun();
        let lock = repository.path.join(".git/index.lock");
        fs::write(&lock, "").unwrap();
        repository.fails("another git process has locked the index");
        fs::remove_file(lock).unwrap();
        repository.passes();
    }

    #[test]
    fn a_bare_repository() {
        let repository = Repository::empty();
        repository.git(&["init", "--quiet", "--bare"]);
        repository.fails("a bare repository");
    }

    #[test]
    fn somebody_elses_repository() {
        let repository = Repository::begun();
        let output = repository
            .command(KEYAGENT)
            .args(["scan", "--staged"])
            .env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
            .output()
            .unwrap();
        failed(&output, "belongs to another user");
        assert!(texts(&output).1.contains("safe.directory"));
    }

    #[test]
    fn no_git() {
        let repository = Repository::begun();
        for source in [&["--staged"][..], &["--history"], &["--commits", "HEAD"]] {
            let mut command = repository.command(KEYAGENT);
            let output = command.arg("scan").args(source).env("PATH", "/nowhere").output();
            failed(&output.unwrap(), "no git on PATH");
        }
    }

    #[test]
    fn no_repository() {
        Repository::empty().fails("in no git repository");
    }

    #[test]
    fn a_partial_clone() {
        let (origin, key) = (Repository::begun(), Key::random());
        origin.write("a", key.ini());
        origin.commit_all();
        origin.git(&["rm", "--quiet", "a"]);
        origin.commit_all();
        origin.git(&["config", "uploadpack.allowFilter", "true"]);
        let url = format!("file://{}", origin.path.display());
        let clone = Repository::empty();
        clone.git(&["clone", "--quiet", "--filter=blob:none", &url, "."]);
        let scan = |source: &[&str]| clone.command(KEYAGENT).arg("scan").args(source).output().unwrap();
        failed(&scan(&["--history"]), "this is a partial clone");
        failed(&scan(&["--commits", "HEAD"]), "this is a partial clone");
        clone.passes();
        // The hint works.
        clone.git(&["fetch", "--quiet", "--refetch", "--no-filter"]);
        assert_eq!(scan(&["--history"]).status.code(), Some(1));
    }

    #[test]
    fn a_shallow_clone() {
        let (origin, key) = (Repository::begun(), Key::random());
        origin.write("a", key.ini());
        origin.commit_all();
        origin.git(&["rm", "--quiet", "a"]);
        origin.commit_all();
        let url = format!("file://{}", origin.path.display());
        let clone = Repository::empty();
        clone.git(&["clone", "--quiet", "--depth=1", &url, "."]);
        let scan = |source: &[&str]| clone.command(KEYAGENT).arg("scan").args(source).output().unwrap();
        failed(&scan(&["--history"]), "this is a shallow clone");
        failed(&scan(&["--commits", "HEAD"]), "this is a shallow clone");
        clone.passes();
        clone.git(&["fetch", "--quiet", "--unshallow"]);
        assert_eq!(scan(&["--commits", "HEAD"]).status.code(), Some(1));
        failed(&scan(&["--commits", "nowhere..HEAD"]), "nowhere");
    }
}
