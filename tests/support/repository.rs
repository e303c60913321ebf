//! A git repository of a test's own, with the real git and the built binary, and made-up keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::Strategy;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

pub(crate) const KEYAGENT: &str = env!("CARGO_BIN_EXE_keyagent");

/// A key that never existed, new in each test.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Key {
    pub(crate) fn random() -> Self {
        Self {
            id: ["AK", "IA", &random("[Q-Y]"), &base32()].concat(),
            secret: random("([a-z][0-9][A-Z][a-z]){9}/[A-Z][0-9][a-z]"),
        }
    }

    pub(crate) fn ini(&self) -> String {
        format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            self.id, self.secret
        )
    }
}

/// 15 characters of base32, each as likely as any other; proptest takes the two ranges of `[A-Z2-7]` equally often.
fn base32() -> String {
    random("[@-_]{15}")
        .bytes()
        .map(|byte| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte - b'@')]))
        .collect()
}

/// A text of a shape, from a seed that no other test has.
pub(crate) fn random(shape: &str) -> String {
    let mut runner = TestRunner::default();
    proptest::string::string_regex(shape)
        .expect("the test's own repository can be set up")
        .new_tree(&mut runner)
        .map(|tree| proptest::strategy::ValueTree::current(&tree))
        .expect("the test's own repository can be set up")
}

/// A repository that nothing of this machine's git configuration reaches.
pub(crate) struct Repository {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
}

impl Repository {
    pub(crate) fn empty() -> Self {
        let folder = TempDir::new().expect("the test's own repository can be set up");
        let path = folder.path().join("repository");
        fs::create_dir(&path).expect("the test's own repository can be set up");
        fs::write(
            folder.path().join("gitconfig"),
            "[user]\nname = A\nemail = a@example.com\n[init]\ndefaultBranch = main\n",
        )
        .expect("the test's own repository can be set up");
        Self { folder, path }
    }

    pub(crate) fn new() -> Self {
        let repository = Self::empty();
        repository.git(&["init", "--quiet"]);
        repository
    }

    /// With one commit.
    pub(crate) fn begun() -> Self {
        let repository = Self::new();
        repository.write("README", "hello\n");
        repository.commit_all();
        repository
    }

    #[expect(clippy::disallowed_methods, reason = "the real git is found on the real PATH")]
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.path)
            .env_clear()
            .env(
                "PATH",
                std::env::var_os("PATH").expect("the test's own repository can be set up"),
            )
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_GLOBAL", self.folder.path().join("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", self.folder.path());
        command
    }

    pub(crate) fn try_git(&self, arguments: &[&str]) -> Output {
        self.command("git")
            .args(arguments)
            .output()
            .expect("the test's own repository can be set up")
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments);
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .expect("the test's own repository can be set up")
            .trim()
            .to_owned()
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        fs::write(self.path.join(name), content).expect("the test's own repository can be set up");
    }

    pub(crate) fn stage(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        self.write(name, content);
        self.git(&["add", "--all"]);
    }

    pub(crate) fn commit_all(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--no-verify", "--message", "x"]);
    }

    pub(crate) fn install_hook(&self) {
        let output = self
            .command(KEYAGENT)
            .args(["hook", "install"])
            .output()
            .expect("the test's own repository can be set up");
        assert!(output.status.success(), "{:?}", texts(&output));
    }

    pub(crate) fn scan(&self) -> Output {
        self.command(KEYAGENT)
            .args(["scan", "--staged"])
            .output()
            .expect("the test's own repository can be set up")
    }

    #[track_caller]
    pub(crate) fn blocks(&self, key: &Key) -> String {
        let output = self.scan();
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
        assert!(!stdout.contains(&key.secret) && !stderr.contains(&key.secret));
        stdout
    }

    #[track_caller]
    pub(crate) fn passes(&self) {
        let output = self.scan();
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
        assert_eq!(stdout, "");
        assert!(stderr.contains(": no keys"), "{stderr}");
    }

    #[track_caller]
    pub(crate) fn fails(&self, cause: &str) {
        failed(&self.scan(), cause);
    }
}

#[track_caller]
pub(crate) fn failed(output: &Output, cause: &str) {
    let (stdout, stderr) = texts(output);
    assert_eq!(output.status.code(), Some(2), "{stdout}{stderr}");
    if !stdout.is_empty() {
        let document: serde_json::Value = serde_json::from_str(&stdout).expect("JSON was asked for");
        assert_eq!(document["findings"], serde_json::json!([]), "{stdout}");
        assert!(document["errors"][0]["cause"].is_string(), "{stdout}");
    }
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(
        lines[0].starts_with("error: ") && lines[1].starts_with("cause: ") && lines[2].starts_with("hint: "),
        "{stderr}"
    );
    assert!(lines[1].contains(cause), "{stderr}");
}

pub(crate) fn texts(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}
