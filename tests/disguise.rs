//! Keys where nobody looks for them: in databases and compiled programs, made by the real tool, and in names of files.

use std::fs;
use std::process::Command;

use crate::support::repository::{KEYAGENT, Key, Repository, texts};

/// Python's own database and compiler, which write the key into files of the repository.
fn made_by_python(repository: &Repository, script: &str, key: &Key) {
    let output = Command::new("python3")
        .args(["-c", script, &key.id, &key.secret])
        .current_dir(&repository.path)
        .output()
        .expect("python3 can be run");
    assert!(output.status.success(), "{:?}", texts(&output));
    repository.git(&["add", "."]);
}

#[test]
fn a_row_of_sqlite_is_blocked() {
    for columns in ["'prod', id, secret, 'eu-west-1'", "'prod', id, 'eu', secret, 1"] {
        let (repository, key) = (Repository::begun(), Key::random());
        let script = format!(
            "import sqlite3, sys; id, secret = sys.argv[1:]; row = ({columns}); c = sqlite3.connect('a.sqlite')
c.execute('create table a (' + ','.join('abcde'[:len(row)]) + ')')
c.execute('insert into a values (' + ','.join('?' * len(row)) + ')', row); c.commit()"
        );
        made_by_python(&repository, &script, &key);
        repository.blocks(&key);
    }
}

#[test]
fn a_compiled_module_of_python_is_blocked() {
    for version in [2, 4] {
        let (repository, key) = (Repository::begun(), Key::random());
        let script = format!(
            "import marshal, sys; id, secret = sys.argv[1:]
code = compile(f'ID = {{id!r}}\\nSECRET = {{secret!r}}\\nREGION = \"eu-west-1\"\\n', 'a.py', 'exec')
open('a.pyc', 'wb').write(bytes(16) + marshal.dumps(code, {version}))"
        );
        made_by_python(&repository, &script, &key);
        let stdout = repository.blocks(&key);
        assert!(stdout.contains("secret-access-key"), "{stdout}");
    }
}

#[test]
fn a_key_in_a_name_is_new_once() {
    let (repository, key) = (Repository::begun(), Key::random());
    let name = |file: &str| format!("keys of/{}.d/{file}", key.id);
    fs::create_dir_all(repository.path.join(name(""))).unwrap();
    repository.stage(name("a"), "clean\n");
    let stdout = repository.blocks(&key);
    assert!(
        stdout.contains(&format!("{}:1:9  access-key-id  {}", name("a"), key.id)),
        "{stdout}"
    );
    repository.commit_all();
    let commit = || {
        let output = repository
            .command(KEYAGENT)
            .args(["scan", "--commits", "HEAD~1..HEAD"])
            .output()
            .unwrap();
        (output.status.code(), texts(&output).0)
    };
    let (code, stdout) = commit();
    assert!(code == Some(1) && stdout.contains(&name("a")), "{stdout}");

    repository.stage(name("a"), "other\n");
    repository.stage(name("b"), "new\n");
    repository.passes();
    repository.commit_all();
    assert_eq!(commit(), (Some(0), String::new()));
    repository.stage(format!("{}.pem", key.id), "moved up\n");
    repository.blocks(&key);
}

#[test]
fn ones_own_secret_in_a_name_is_not_shown() {
    let (repository, key) = (Repository::begun(), Key::random());
    fs::create_dir_all(repository.folder.path().join(".aws")).unwrap();
    fs::write(repository.folder.path().join(".aws/credentials"), key.ini()).unwrap();
    let path = format!("x-{}.txt", key.secret);
    fs::create_dir_all(repository.path.join(&path).parent().unwrap()).unwrap();
    repository.stage(&path, key.ini());
    let shown = format!("x-{}{}.txt", &key.secret[..4], "?".repeat(36));
    let stdout = repository.blocks(&key);
    assert!(stdout.contains(&format!("{shown}:1:3  own-key")), "{stdout}");
    assert!(stdout.contains(&format!("{shown}:3:25  own-key")), "{stdout}");
    // What it says to type does what it says.
    repository.git(&["restore", "--staged", "--", &shown]);
    repository.passes();
}
