//! `keyagent doctor`: each fault is named with the command that mends it, and what is well is told as well.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::cloud::Account;
use crate::support::{Home, Run, section};

#[cfg(target_os = "linux")]
mod session;

const JSON: &[&str] = &["doctor", "--format", "json"];

/// The results of one check.
fn of(report: &Value, name: &str) -> Vec<Value> {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .filter(|check| check["check"] == name)
        .cloned()
        .collect()
}

/// The level of a check that there is once.
#[track_caller]
fn level(report: &Value, name: &str) -> String {
    let checks = of(report, name);
    assert_eq!(checks.len(), 1, "{name}: {checks:#?}");
    checks[0]["level"].as_str().unwrap().to_owned()
}

/// A check that there is once, with these words, and this to do.
#[track_caller]
fn says(report: &Value, name: &str, level: &str, words: &str, command: &str) {
    let checks = of(report, name);
    let is_it = |check: &Value| {
        check["level"] == level
            && check["message"].as_str().unwrap().contains(words)
            && check["command"].as_str().unwrap_or_default().contains(command)
    };
    assert!(
        checks.iter().any(is_it),
        "no {level} `{words}`, `{command}` in {checks:#?}"
    );
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// A home without a desktop whose credentials file is in order.
fn home(account: &Account, credentials: &str) -> Home {
    let home = Home::on(account);
    set_mode(&home.write_credentials(credentials), 0o600);
    home
}

/// An agent that ends with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_machine_in_order_gets_exit_code_0() {
    let account = Account::start();
    let everything = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let user = account.user_with_policy(
        "ann",
        &json!({ "Version": "2012-10-17", "Statement": [everything] }),
    );
    account.mfa_device(&user, "virtual");
    let home = home(&account, &section("dev", &user)).with("GIT_CONFIG_NOSYSTEM", "1");
    home.run(Path::new("git"), &["init", "--quiet"]).exits(0);
    home.keyagent(&["hook", "install"]).exits(0);
    let program = Path::new(env!("CARGO_BIN_EXE_keyagent"));
    let mut agent = home.command(program, &["agent", "run"]);
    let _agent = Agent(agent.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    while home.keyagent(&["agent", "status"]).code != 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let before = account.keys();
    let run = home.keyagent(&["doctor"]).exits(0);
    assert!(run.stdout.ends_with("\nall is well\n"), "{}", run.stdout);
    assert!(run.is_narrow(), "{}", run.stdout);
    assert_eq!(account.keys(), before, "asking changes no key");
    let report = home.keyagent(JSON).exits(0).json();
    assert_eq!(report["schema"], "keyagent.doctor/1");
    for name in [
        "credentials-mode",
        "lines",
        "shell-profiles",
        "environment",
        "settings",
        "rotations",
        "keyring",
        "hook",
        "agent",
        "notifications",
        "endpoint",
        "clock",
        "identity",
        "permissions",
        "mfa",
    ] {
        assert_eq!(level(&report, name), "ok", "{name}");
    }
    says(&report, "identity", "ok", &user.arn, "");
    says(
        &report,
        "permissions",
        "ok",
        "the key may do all that a rotation needs",
        "",
    );
}

#[test]
fn a_permission_that_stays_unknown_is_not_well() {
    let account = Account::start();
    let user = account.user("ann");
    let home = home(&account, &section("dev", &user));
    let doctor = || {
        let run = home.keyagent(&["doctor"]);
        assert!(run.is_narrow(), "{}", run.stdout);
        assert!(!run.stdout.contains("all is well"), "{}", run.stdout);
        assert!(
            run.stdout
                .contains("unknown  dev: the key may do all that could be tried"),
            "{}",
            run.stdout
        );
        home.keyagent(JSON).json()
    };
    let words =
        "dev: the key may do all that could be tried; iam:CreateAccessKey is unknown: this key may not ask";
    says(&doctor(), "permissions", "unknown", words, "");
    account.fault(&json!({ "action": "SimulatePrincipalPolicy", "times": 100, "status": 500 }));
    let words = "iam:CreateAccessKey is unknown: AWS failed: HTTP 500";
    says(&doctor(), "permissions", "unknown", words, "");
}

#[test]
fn faults_of_the_files_are_named_by_line_and_modes_are_mended() {
    let account = Account::start();
    let (ann, bob) = (account.user("ann"), account.user("bob"));
    let credentials = format!("{}[dev]\nregion = x\nnonsense\n", section("dev", &ann));
    let home = home(&account, &credentials);
    let (file, config) = (home.join(".aws/credentials"), home.join(".aws/config"));
    home.write(".aws/config", section("profile ci", &bob));
    set_mode(&file, 0o644);
    set_mode(&config, 0o664);
    set_mode(&home.join(".aws"), 0o777);
    let run = home.keyagent(&["doctor", "--offline"]).exits(1);
    assert!(!run.everything().contains(&ann.secret_access_key));
    assert!(!run.everything().contains(&bob.secret_access_key));
    let report = home.keyagent(&[JSON, &["--offline"]].concat()).exits(1).json();
    let lines: Vec<_> = of(&report, "lines")
        .iter()
        .map(|check| check["line"].clone())
        .collect();
    assert_eq!(lines, [json!(4), json!(6), Value::Null]);
    says(&report, "lines", "problem", "[dev] stands twice", "+4 ");
    says(
        &report,
        "config-keys",
        "warning",
        "line 2: the key of profile ci",
        "+2 ",
    );
    says(&report, "credentials-mode", "problem", "mode 644", "chmod 600 ");
    assert_eq!(of(&report, "endpoint").len(), 0, "--offline asks nobody");
    assert!(account.calls().is_empty());
    let fixed = home
        .keyagent(&[JSON, &["--offline", "--fix"]].concat())
        .exits(1)
        .json();
    says(&fixed, "credentials-mode", "ok", "mode 600 now", "");
    assert_eq!(of(&fixed, "folder-mode")[0]["fixed"], true);
    assert_eq!((mode(&file), mode(&config)), (0o600, 0o600));
    assert_eq!(mode(&home.join(".aws")), 0o755);
    assert_eq!(
        home.credentials(),
        credentials.as_bytes(),
        "a line is for a person to mend"
    );
    assert!(!home.keyagent(&["doctor", "--offline"]).stdout.contains("--fix"));
}

#[test]
fn keys_outside_awss_files_are_found_and_not_repeated() {
    let account = Account::start();
    let (ann, bob, eve) = (account.user("ann"), account.user("bob"), account.user("eve"));
    let home = home(&account, &section("dev", &ann));
    home.write(
        ".bashrc",
        format!("alias l=ls\nexport X={}\n", ann.secret_access_key),
    );
    home.write(
        ".config/fish/conf.d/aws.fish",
        format!(
            "set -x AWS_ACCESS_KEY_ID {}\nset -x AWS_SECRET_ACCESS_KEY {}\n",
            bob.access_key_id, bob.secret_access_key
        ),
    );
    home.write(
        ".zshrc",
        format!("# {} keyagent:allow of the docs\n", eve.access_key_id),
    );
    let home = home
        .with("AWS_ACCESS_KEY_ID", &bob.access_key_id)
        .with("AWS_SECRET_ACCESS_KEY", &bob.secret_access_key)
        .with("TF_VAR_secret", &ann.secret_access_key);
    let run = home.keyagent(&[JSON, &["--offline"]].concat()).exits(1);
    assert!(!run.everything().contains(&ann.secret_access_key));
    assert!(!run.everything().contains(&bob.secret_access_key));
    let report = run.json();
    let strays = of(&report, "shell-profiles");
    assert_eq!(strays.len(), 2, "{strays:#?}");
    says(
        &report,
        "shell-profiles",
        "problem",
        "the secret of the key AKIA",
        "+2 ",
    );
    says(&report, "shell-profiles", "problem", &bob.access_key_id, "+1 ");
    says(
        &report,
        "environment",
        "warning",
        &format!("the long-term key {}", bob.access_key_id),
        "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY",
    );
    says(
        &report,
        "environment",
        "problem",
        "TF_VAR_secret",
        "unset TF_VAR_secret",
    );
}

#[test]
fn what_aws_says_of_each_key_is_told() {
    let account = Account::start();
    let statement = json!({ "Effect": "Allow", "Action": ["iam:ListAccessKeys", "iam:Get*", "iam:UpdateAccessKey"], "Resource": "*" });
    let denied = account.user_with_policy(
        "ann",
        &json!({ "Version": "2012-10-17", "Statement": [statement] }),
    );
    let fine = account.user("bob");
    let mut revoked = account.user("eve");
    revoked.access_key_id = revoked.access_key_id.replace("AKIA", "AKIB");
    let sections = [("ann", &denied), ("bob", &fine), ("eve", &revoked)];
    let home = home(
        &account,
        &sections.map(|(name, user)| section(name, user)).concat(),
    );
    home.settings("[profile bob]\nmfa_serial = arn:aws:iam::123456789012:mfa/lost");
    let before = account.keys();
    let report = home.keyagent(JSON).exits(1).json();
    assert_eq!(account.keys(), before);
    says(
        &report,
        "permissions",
        "problem",
        "iam:DeleteAccessKey",
        "keyagent policy self",
    );
    says(&report, "permissions", "unknown", "bob: the key may do all", "");
    says(
        &report,
        "identity",
        "problem",
        "eve",
        "aws configure --profile eve",
    );
    says(
        &report,
        "mfa",
        "problem",
        "mfa/lost, which is no device of bob",
        "aws iam list-mfa-devices",
    );
    let tried = of(&report, "permissions");
    let of_ann = tried.iter().find(|check| check["profile"] == "ann").unwrap();
    let message = of_ann["message"].as_str().unwrap();
    assert!(
        !message.contains("UpdateAccessKey") && !message.contains("ListAccessKeys"),
        "{message}"
    );
    let one = home.keyagent(&[JSON, &["-p", "bob"]].concat()).exits(1).json();
    assert_eq!(of(&one, "identity").len(), 1);
    home.keyagent(&["doctor", "-p", "bbo"])
        .fails_with("no profile bbo", "neither", "-p bob");
}

#[test]
fn a_clock_that_is_off_and_an_aws_that_is_away_are_told() {
    let account = Account::start();
    let user = account.user("ann");
    let home = home(&account, &section("dev", &user));
    account.set(&json!({ "skew": 3600, "date_skew": 3600 }));
    let report = home.keyagent(JSON).exits(1).json();
    says(&report, "clock", "problem", "60 min behind AWS's", "set-ntp true");
    account.set(&json!({ "skew": -90, "date_skew": -90 }));
    let report = home.keyagent(JSON).exits(1).json();
    says(&report, "clock", "warning", "s ahead of AWS's", "set-ntp true");
    assert_eq!(level(&report, "identity"), "ok");
    account.fault(&json!({ "action": "GetCallerIdentity", "body": "<html>sign in</html>", "times": 9 }));
    says(
        &home.keyagent(JSON).exits(1).json(),
        "endpoint",
        "problem",
        "not AWS's",
        "login page",
    );
    let alone = Home::new();
    alone.write_credentials(section("dev", &user));
    let report = alone.keyagent(JSON).exits(1).json();
    says(&report, "endpoint", "problem", "cannot be reached", "HTTPS_PROXY");
    assert_eq!(
        of(&report, "clock").len(),
        0,
        "nothing is said of what nobody knows"
    );
}

#[test]
fn without_a_home_a_profile_or_valid_settings_the_picture_is_clear() {
    let home = Home::new();
    let run = home.keyagent(&["doctor"]).exits(1);
    assert!(run.is_narrow(), "{}", run.stdout);
    let report = home.keyagent(JSON).exits(1).json();
    says(
        &report,
        "profiles",
        "problem",
        "there is no such file",
        "aws configure",
    );
    says(&report, "endpoint", "unknown", "was not asked", "");
    home.settings("max_age = 3");
    let report = home.keyagent(JSON).exits(1).json();
    says(
        &report,
        "settings",
        "problem",
        "line 3: there is no setting max_age",
        "+3 ",
    );
    let program = Path::new(env!("CARGO_BIN_EXE_keyagent"));
    let output = home.command(program, JSON).env_remove("HOME").output().unwrap();
    let report = Run::of(&output).exits(1).json();
    says(&report, "profiles", "problem", "HOME is not set", "export HOME");
}

#[test]
fn further_files_that_are_missing_are_told_with_their_line() {
    let home = Home::new();
    home.write("work/.env", "");
    let there = home.join("work/.env");
    home.settings(&format!("[profile dev]\nalso_update = {}", there.display()));
    let report = home.keyagent(JSON).exits(1).json();
    assert_eq!(level(&report, "also-update"), "ok");
    home.settings(&format!(
        "[profile dev]\nalso_update = {}, ~/gone/.env, ~/work",
        there.display()
    ));
    let report = home.keyagent(JSON).exits(1).json();
    assert_eq!(of(&report, "also-update").len(), 2);
    let gone = format!("line 4: also_update names {}", home.join("gone/.env").display());
    says(&report, "also-update", "warning", &gone, "+4 ");
    says(&report, "also-update", "problem", "which is no file", "+4 ");
}

/// A bus that takes connections and answers nothing would hang a careless client for ever.
#[cfg(target_os = "linux")]
#[test]
fn a_mute_bus_is_given_up() {
    let home = Home::new();
    home.write(".config/keyagent/config", "[defaults]\nsecret_store = keyring\n");
    let socket = home.join("mute");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let home = home.with(
        "DBUS_SESSION_BUS_ADDRESS",
        &format!("unix:path={}", socket.display()),
    );
    let report = home.keyagent(JSON).exits(1).json();
    says(
        &report,
        "keyring",
        "problem",
        "did not answer within",
        "secret_store = file",
    );
    says(
        &report,
        "notifications",
        "warning",
        "does not answer",
        "status --brief",
    );
}

#[cfg(feature = "checkpoints")]
#[test]
fn an_interrupted_rotation_is_told_from_one_that_goes_on() {
    let account = Account::start();
    let user = account.user("ann");
    let home = home(&account, &section("dev", &user));
    let parked = home.join("parked");
    let program = Path::new(env!("CARGO_BIN_EXE_keyagent"));
    let rotate = home
        .command(program, &["rotate", "-p", "dev", "--yes"])
        .env("KEYAGENT_PARK_AT", "key-made")
        .env("KEYAGENT_PARK_FILE", &parked)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !parked.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let report = home.keyagent(JSON).exits(1).json();
    says(&report, "rotations", "ok", "keyagent rotate (process", "");
    let status = home.keyagent(&["status"]).exits(0);
    assert!(status.stderr.contains("works on"), "{}", status.stderr);
    assert!(!status.stderr.contains("was interrupted"), "{}", status.stderr);
    let interrupt = ["-INT", &rotate.id().to_string()];
    home.run(Path::new("/bin/kill"), &interrupt).exits(0);
    let output = rotate.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("to go on from here: keyagent recover"), "{told}");
    let status = home.keyagent(&["status"]).exits(0);
    assert!(status.stderr.contains("was interrupted"), "{}", status.stderr);
    let report = home.keyagent(JSON).exits(1).json();
    says(
        &report,
        "rotations",
        "problem",
        &user.access_key_id,
        "keyagent recover",
    );
}
