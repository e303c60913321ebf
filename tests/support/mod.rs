//! What every test stands on: a scratch home, an empty environment, the real binary and the real AWS CLI.

#[cfg(feature = "aws")]
pub(crate) mod cloud;
#[cfg(all(feature = "desktop", target_os = "linux"))]
pub(crate) mod desktop;
#[cfg(all(feature = "aws", feature = "checkpoints"))]
pub(crate) mod parked;
pub(crate) mod repository;

use std::path::{Path, PathBuf};
use std::process::Command;

#[cfg(feature = "aws")]
use cloud::{Account, User};

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// What a program has printed, and how it ended.
    pub(crate) fn of(output: &std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Both streams, for the search for secrets.
    pub(crate) fn everything(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Asserts the exit code and shows the output when it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Asserts the three lines of a failure, with these words in them, and exit code 2.
    #[track_caller]
    pub(crate) fn fails_with(self, error: &str, cause: &str, hint: &str) -> Self {
        let run = self.exits(2);
        for (line, words) in [("error:", error), ("cause:", cause), ("hint:", hint)] {
            assert!(
                run.stderr.contains(line) && run.stderr.contains(words),
                "no `{words}` in\n{}",
                run.stderr
            );
        }
        run
    }

    /// Whether all of it fits a terminal.
    pub(crate) fn is_narrow(&self) -> bool {
        self.everything().lines().all(|line| line.chars().count() <= 80)
    }

    /// The JSON document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// A home folder of its own.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    /// An empty home; nothing is reachable from it.
    pub(crate) fn new() -> Self {
        let home = Self {
            folder: tempfile::tempdir().expect("there is room in /tmp"),
            variables: Vec::new(),
        };
        home.settings("verify_every = 20ms\nverify_for = 4s");
        // Whatever goes wrong, no test speaks to the real AWS.
        home.with("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    }

    /// A home whose AWS is this account.
    #[cfg(feature = "aws")]
    pub(crate) fn on(account: &Account) -> Self {
        Self::new().with("AWS_ENDPOINT_URL", &account.endpoint())
    }

    /// The same with a further variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path below it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().expect("it is below the home")).expect("the home is writable");
        std::fs::write(&path, content).expect("the home is writable");
        path
    }

    /// Writes keyagent's settings; the file store, as no test may touch a real keyring.
    pub(crate) fn settings(&self, lines: &str) {
        self.write(
            ".config/keyagent/config",
            format!("[defaults]\nsecret_store = file\n{lines}\n"),
        );
    }

    /// Writes `~/.aws/credentials`.
    pub(crate) fn write_credentials(&self, content: impl AsRef<[u8]>) -> PathBuf {
        self.write(".aws/credentials", content)
    }

    /// The bytes of `~/.aws/credentials`.
    pub(crate) fn credentials(&self) -> Vec<u8> {
        std::fs::read(self.join(".aws/credentials")).expect("the test has written it")
    }

    /// Runs the built keyagent.
    pub(crate) fn keyagent(&self, arguments: &[&str]) -> Run {
        self.run(Path::new(env!("CARGO_BIN_EXE_keyagent")), arguments)
    }

    /// Runs the real AWS CLI.
    #[cfg(feature = "aws")]
    pub(crate) fn aws(&self, account: &Account, arguments: &[&str]) -> Run {
        self.run(&account.program("aws"), arguments)
    }

    /// Runs keyagent on a terminal of 80 columns; each pair is a text to wait for and what is typed then.
    #[cfg(feature = "aws")]
    pub(crate) fn on_a_terminal(
        &self,
        account: &Account,
        dialogue: &[(&str, &str)],
        arguments: &[&str],
    ) -> Run {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/terminal.py");
        let dialogue = serde_json::to_string(dialogue).unwrap();
        let all = [&[script, &dialogue, env!("CARGO_BIN_EXE_keyagent")], arguments].concat();
        self.run(&account.program("python"), &all)
    }

    /// Runs a program with nothing but this home's environment.
    pub(crate) fn run(&self, program: &Path, arguments: &[&str]) -> Run {
        let output = self
            .command(program, arguments)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Run::of(&output)
    }

    /// The same, not yet started.
    pub(crate) fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("NO_PROXY", "127.0.0.1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_PAGER", "")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A section of the credentials file.
#[cfg(feature = "aws")]
pub(crate) fn section(profile: &str, user: &User) -> String {
    format!(
        "[{profile}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        user.access_key_id, user.secret_access_key
    )
}
