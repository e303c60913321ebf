//! Keys that stand in files no person wrote as text: databases, compiled programs. Each is made by the real tool.

use std::process::Command;

use crate::support::repository::{Key, Repository, texts};

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
