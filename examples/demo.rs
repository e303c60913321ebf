//! The guided tour: an AWS account on loopback, a home folder in /tmp, and the commands a user would type.
//! Touches nothing of the user's. Started under the name `keyagent`, this program is keyagent itself, so that one
//! build serves.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tour speaks to its reader"
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[expect(dead_code, reason = "the tests use more of the account than the tour does")]
#[path = "../tests/support/cloud.rs"]
mod cloud;

use cloud::Account;

fn main() -> ExitCode {
    let name = std::env::args_os().next().map(PathBuf::from);
    if name
        .as_deref()
        .and_then(Path::file_stem)
        .is_some_and(|name| name == "keyagent")
    {
        return keyagent::cli::main();
    }
    match tour() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the tour ended early\ncause: {error}");
            ExitCode::from(2)
        }
    }
}

fn tour() -> Result<(), String> {
    cloud::virtual_environment()?;
    println!("starting an AWS account on loopback (moto) …");
    let account = Account::start();
    let user = account.user("ann");
    account.back_date(&user.access_key_id, 412);
    let stage = Stage::new(&account)?;
    stage.write(
        ".aws/credentials",
        &format!(
            "# my keys, since 2019\n[dev]\naws_access_key_id = {}\naws_secret_access_key = {}\n\n; the build server's\n\
             [other]\nregion = eu-west-1\n",
            user.access_key_id, user.secret_access_key
        ),
    )?;
    let before = stage.read(".aws/credentials")?;

    stage.say("1. a key that is long overdue");
    stage.run("keyagent status", 0)?;
    stage.run("aws sts get-caller-identity --profile dev", 0)?;

    stage.say("2. replaced in place; the AWS CLI is let in before and after");
    stage.run("keyagent rotate --profile dev --yes", 0)?;
    stage.run("aws sts get-caller-identity --profile dev", 0)?;
    stage.run("keyagent status", 0)?;
    stage.only_the_pair_differs(&before)?;

    stage.say("3. the old key is refused");
    stage.write(".aws/old", &before)?;
    stage.run(
        "env AWS_SHARED_CREDENTIALS_FILE=.aws/old aws sts get-caller-identity --profile dev",
        254,
    )?;

    stage.say("4. taken back: the old key is in its place again, to the byte");
    stage.run("keyagent undo --profile dev --yes", 0)?;
    stage.run("aws sts get-caller-identity --profile dev", 0)?;
    if stage.read(".aws/credentials")? != before {
        return Err("the file is not what it was before the rotation".into());
    }

    stage.say("5. a commit that holds a key is blocked");
    stage.run("git init --quiet project", 0)?;
    stage.run_in("project", "keyagent hook install", 0)?;
    stage.run("cp .aws/credentials project/settings.ini", 0)?;
    stage.run("git -C project add settings.ini", 0)?;
    stage.run("git -C project commit --message settings", 1)?;

    println!("\nthat was all; {} is removed now", stage.home.path().display());
    Ok(())
}

/// A home folder with `keyagent` and `aws` on its PATH, and nothing of the user's environment.
struct Stage {
    home: tempfile::TempDir,
    endpoint: String,
    path: OsString,
}

impl Stage {
    fn new(account: &Account) -> Result<Self, String> {
        let home = tempfile::Builder::new()
            .prefix("keyagent-demo-")
            .tempdir()
            .map_err(|error| error.to_string())?;
        let programs = home.path().join("bin");
        std::fs::create_dir(&programs).map_err(|error| error.to_string())?;
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        for (name, program) in [("keyagent", this), ("aws", account.program("aws"))] {
            std::os::unix::fs::symlink(program, programs.join(name)).map_err(|error| error.to_string())?;
        }
        let mut path = programs.into_os_string();
        path.push(":/usr/local/bin:/usr/bin:/bin");
        let stage = Self {
            home,
            endpoint: account.endpoint(),
            path,
        };
        stage.write(".config/keyagent/config", "[defaults]\nsecret_store = file\n")?;
        stage.write(
            ".gitconfig",
            "[user]\nname = Ann\nemail = ann@example.com\n[init]\ndefaultBranch = main\n",
        )?;
        Ok(stage)
    }

    fn say(&self, what: &str) {
        println!("\n── {what}");
    }

    /// Shows a command, runs it and shows what it prints; another exit code than expected ends the tour.
    fn run(&self, command: &str, expected: i32) -> Result<(), String> {
        println!("\n$ {command}");
        self.run_quietly(self.home.path(), command, expected)
    }

    fn run_in(&self, folder: &str, command: &str, expected: i32) -> Result<(), String> {
        println!("\n$ cd {folder} && {command}");
        self.run_quietly(&self.home.path().join(folder), command, expected)
    }

    fn run_quietly(&self, folder: &Path, command: &str, expected: i32) -> Result<(), String> {
        let mut words = command.split(' ');
        let status = Command::new(words.next().unwrap_or_default())
            .args(words)
            .current_dir(folder)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", &self.path)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "127.0.0.1")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .status()
            .map_err(|error| format!("{command}: {error}"))?;
        match status.code() {
            Some(code) if code == expected || (expected == 254 && code == 255) => Ok(()),
            code => Err(format!("`{command}` ended with {code:?}, not {expected}")),
        }
    }

    /// The proof that the two values changed and no other byte did.
    fn only_the_pair_differs(&self, before: &str) -> Result<(), String> {
        let after = self.read(".aws/credentials")?;
        println!("\n$ diff of the file, with the values left out");
        let mut differ = 0;
        for (old, new) in before.split_inclusive('\n').zip(after.split_inclusive('\n')) {
            if old != new {
                differ += 1;
                println!(
                    "  {} = (another value)",
                    new.split(" =").next().unwrap_or_default()
                );
            }
        }
        if differ != 2 || before.lines().count() != after.lines().count() || before.len() != after.len() {
            return Err("more than the two values changed".into());
        }
        println!("  every other byte is the same");
        Ok(())
    }

    fn read(&self, name: &str) -> Result<String, String> {
        std::fs::read_to_string(self.home.path().join(name)).map_err(|error| format!("{name}: {error}"))
    }

    fn write(&self, name: &str, content: &str) -> Result<(), String> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&path))
            .map_err(|error| format!("{name}: {error}"))?;
        std::fs::write(&path, content).map_err(|error| format!("{name}: {error}"))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .map_err(|error| format!("{name}: {error}"))
    }
}
