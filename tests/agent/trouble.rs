//! What goes wrong around the agent: no home, no bus, files full of noise; and what it says of keys that others still use
//! and of rotations that were interrupted.

use std::path::Path;

use serde_json::Value;

use super::{Agent, home, status, until};
use crate::support::cloud::Account;
use crate::support::{Home, Run, section};

#[test]
fn without_a_home_the_cause_is_named() {
    let account = Account::start();
    let (home, _) = home(&account, 80);
    let program = Path::new(env!("CARGO_BIN_EXE_keyagent"));
    for arguments in [
        &["agent", "run"][..],
        &["agent", "run", "--once"],
        &["agent", "status"],
        &["agent", "snooze", "-p", "dev"],
        &["settings", "path"],
        &["settings", "show"],
        &["settings", "check"],
        &["status"],
        &["hook", "install", "--global"],
    ] {
        let output = home
            .command(program, arguments)
            .env_remove("HOME")
            .output()
            .unwrap();
        let run = Run::of(&output).fails_with("cannot", NO_HOME, "export HOME");
        assert!(run.stderr.ends_with("export HOME\n"), "{}", run.stderr);
    }
    assert!(account.calls().is_empty());
}

const NO_HOME: &str = "there is no home folder: HOME is not set";

/// Whatever becomes of the refusal, this writes below the scratch home.
#[test]
fn without_a_home_no_unit_is_written_or_removed() {
    let home = Home::new();
    let program = Path::new(env!("CARGO_BIN_EXE_keyagent"));
    for arguments in [["agent", "install"], ["agent", "uninstall"]] {
        let output = home
            .command(program, &arguments)
            .env_remove("HOME")
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_RUNTIME_DIR", "/nonexistent")
            .output()
            .unwrap();
        Run::of(&output).fails_with("cannot find where the agent belongs", NO_HOME, "export HOME");
    }
    assert!(!home.join("config").exists());
}

#[test]
fn without_a_runtime_folder_reminders_go_to_the_log() {
    let account = Account::start();
    let (home, _) = home(&account, 80);
    let nowhere = home.join("none");
    let home = home
        .with("DBUS_SESSION_BUS_ADDRESS", "")
        .with("XDG_RUNTIME_DIR", nowhere.to_str().unwrap());
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    let said = run.stderr.replace("\n  ", " ");
    assert!(
        said.contains("80 days") && said.contains("go to this log alone"),
        "{said}"
    );
}

#[test]
fn ten_megabytes_of_noise_are_told_and_forgotten() {
    let account = Account::start();
    let (home, user) = home(&account, 80);
    let mut agent = Agent::start(&home);
    agent.says("dev: the key is 80 days old");
    let noise = "Lorem ipsum dolor sit amet\n".repeat(10 * 1024 * 1024 / 27);
    home.write_credentials(format!("{}{noise}", section("dev", &user)));
    until("the noise is told", || status(&home)["last_error"].is_string());
    let told = status(&home)["last_error"].as_str().unwrap().to_owned();
    assert!(told.contains("it has 11 MB") && told.len() < 400, "{told}");
    home.write_credentials(section("dev", &user));
    until("all is well again", || status(&home)["last_error"] == Value::Null);
    agent.signal("-TERM");
    assert_eq!(agent.ends(), 0);
}

#[test]
fn a_superseded_key_that_something_still_uses_is_told_with_service_and_region() {
    let account = Account::start();
    let (home, user) = home(&account, 80);
    home.keyagent(&["rotate", "-p", "dev", "--yes"]).exits(0);
    let old = &user.access_key_id;
    let quiet = home.keyagent(&["agent", "run", "--once"]);
    assert!(!quiet.stderr.contains(old), "{}", quiet.stderr);
    // IAM's clock has seconds: a use in the very second of the switch is none after it.
    until("the use is told", || {
        account.last_used(old, 0, "s3");
        let said = home.keyagent(&["agent", "run", "--once"]).stderr;
        let words = format!("{old} was replaced, and s3 in eu-west-1 still used it on");
        said.replace("\n  ", " ").contains(&words)
    });
    let brief = home.keyagent(&["status", "--brief"]).exits(0);
    assert!(brief.stdout.contains("still used it"), "{}", brief.stdout);
    assert!(brief.is_narrow(), "{}", brief.stdout);
    assert_eq!(account.keys()[old], "Inactive", "what is used is not deleted");
}

#[test]
fn a_damaged_journal_is_told_and_makes_no_key_a_strangers() {
    let account = Account::start();
    let (home, user) = home(&account, 80);
    home.keyagent(&["agent", "run", "--once"]).exits(0);
    home.keyagent(&["rotate", "-p", "dev", "--yes"]).exits(0);
    let journal = home.join(".local/state/keyagent/journal");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("ann", "bob", 1)).unwrap();
    // Somebody has made it active again: it looks like any second key.
    account.activate(&user.access_key_id);
    let run = home.keyagent(&["agent", "run", "--once"]).fails_with(
        "cannot tell which keys are superseded",
        "the checksum is wrong",
        "journal.damaged",
    );
    assert!(!run.stderr.contains("second active key"), "{}", run.stderr);
}

#[cfg(feature = "checkpoints")]
#[test]
fn an_unfinished_rotation_is_told_and_one_that_goes_on_is_not() {
    use crate::support::parked::Parked;
    let account = Account::start();
    let (home, _) = home(&account, 3);
    let once = || home.keyagent(&["agent", "run", "--once"]).stderr;
    // From here on another key is one that has appeared.
    once();
    let rotate = Parked::start(&home, &["rotate", "-p", "dev", "--yes"], "key-made");
    let said = once();
    assert!(
        !said.contains("interrupted") && !said.contains("new in the account"),
        "{said}"
    );
    rotate.kill();
    let said = once();
    assert!(
        !said.contains("new in the account") && !said.contains("second active key"),
        "{said}"
    );
    assert!(
        said.contains("dev: a rotation was interrupted\n  keyagent recover\n"),
        "{said}"
    );
    let brief = home.keyagent(&["status", "--brief"]).exits(0);
    assert_eq!(
        brief.stdout,
        "keyagent: dev: a rotation was interrupted: keyagent recover\n"
    );
    home.keyagent(&["recover", "--yes"]).exits(0);
    assert!(!once().contains("interrupted"));
    assert_eq!(home.keyagent(&["status", "--brief"]).exits(0).stdout, "");
}

#[test]
fn what_went_wrong_is_told_at_every_single_run() {
    let account = Account::start();
    let (home, user) = home(&account, 3);
    home.write_credentials(section("dev", &user).replace(&user.access_key_id, "AKIAQAAAAAAAAAAAAAAA"));
    for _ in 0..2 {
        let run = home.keyagent(&["agent", "run", "--once"]);
        let run = run.fails_with("cannot ask AWS", "[InvalidClientTokenId]", "aws configure");
        assert_eq!(run.stderr.matches("error:").count(), 1, "{}", run.stderr);
    }
    drop(account);
    for _ in 0..2 {
        home.keyagent(&["agent", "run", "--once"]).fails_with(
            "cannot ask AWS",
            "cannot be reached",
            "AWS_ENDPOINT_URL",
        );
    }
}
