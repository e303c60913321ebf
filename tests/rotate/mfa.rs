//! MFA: one code for the whole rotation, asked for only where a policy demands it.

use serde_json::{Value, json};

use super::{ROTATE, Scene};
use crate::support::cloud::Account;
use crate::support::{Home, section};

/// As `keyagent policy self-mfa` prints it.
fn policy() -> Value {
    serde_json::from_str(include_str!("../../packaging/iam-policies/self-mfa.json")).unwrap()
}

/// A user whose policy demands MFA, with a device of this kind.
fn scene(kind: Option<&str>) -> Scene {
    let account = Account::start();
    let user = account.user_with_policy("ann", &policy());
    if let Some(kind) = kind {
        account.mfa_device(&user, kind);
    }
    account.set(&json!({ "mfa_once": true }));
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    Scene { account, home, user }
}

fn with_code(code: &str) -> Vec<&str> {
    [ROTATE, &["--mfa-code", code]].concat()
}

#[test]
fn one_code_serves_the_whole_rotation_within_twelve_calls() {
    let scene = scene(Some("virtual"));
    scene.account.clear_calls();
    let run = scene.home.keyagent(&with_code("123456")).exits(0);
    scene.no_secret_in(&run);
    let calls = scene.account.calls();
    assert!(calls.len() <= 12, "{calls:?}");
    let sessions = calls
        .iter()
        .filter(|call| call.action == "GetSessionToken")
        .count();
    assert_eq!(sessions, 1);
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    scene.the_cli_is_let_in();
}

/// Stands in for a window: answers the Assuan protocol as pinentry does, with a code.
#[cfg(all(feature = "desktop", unix))]
const PINENTRY: &str = "#!/bin/sh
echo OK
while read -r command rest; do
  case $command in
    GETPIN) printf 'D %s\\nOK\\n' 123456 ;;
    SETDESC) echo \"$rest\" > \"$HOME/asked\"; echo OK ;;
    BYE) echo OK; exit ;;
    *) echo OK ;;
  esac
done
";

#[cfg(all(feature = "desktop", unix))]
#[test]
fn a_code_is_asked_for_in_a_window_where_there_is_no_terminal() {
    let mut scene = scene(Some("virtual"));
    let pinentry = scene.home.write("bin/pinentry", PINENTRY);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(pinentry, mode).unwrap();
    let path = format!("{}:/usr/bin:/bin", scene.home.join("bin").display());
    scene.home = scene.home.with("PATH", &path);
    let run = scene.home.keyagent(&[ROTATE, &["--pinentry"]].concat()).exits(0);
    scene.no_secret_in(&run);
    let asked = std::fs::read_to_string(scene.home.join("asked")).unwrap();
    assert!(asked.contains("The MFA device is arn:aws:iam::"), "{asked}");
    scene.the_cli_is_let_in();
}

#[test]
fn undo_recover_and_retire_take_a_code_too() {
    let scene = scene(Some("hardware"));
    scene.account.set(&json!({ "mfa_once": false }));
    let before = scene.home.credentials();
    scene
        .home
        .settings("verify_every = 20ms\nverify_for = 4s\ngrace_days = 0");
    scene.home.keyagent(&with_code("123456")).exits(0);
    scene.home.keyagent(&["undo", "-p", "dev", "--yes"]).fails_with(
        "cannot take back",
        "an MFA code of GAHT12345678 is needed",
        "--mfa-code CODE",
    );
    scene
        .home
        .keyagent(&["undo", "-p", "dev", "--yes", "--mfa-code", "123456"])
        .exits(0);
    assert_eq!(scene.home.credentials(), before);
    let new = scene.new_key().unwrap();
    scene
        .home
        .keyagent(&["retire", "--yes"])
        .fails_with("cannot retire", "GAHT12345678", "--mfa-code");
    scene
        .home
        .keyagent(&["retire", "--yes", "--mfa-code", "123456"])
        .exits(0);
    assert!(!scene.account.keys().contains_key(&new));
    scene
        .account
        .fault(&json!({ "action": "CreateAccessKey", "when": "after", "drop": true }));
    scene.home.keyagent(&with_code("123456")).exits(2);
    scene
        .home
        .keyagent(&["recover", "--yes"])
        .fails_with("recover", "GAHT12345678", "--mfa-code");
    scene
        .home
        .keyagent(&["recover", "--yes", "--mfa-code", "123456"])
        .exits(0);
    scene.nothing_has_changed(&before);
}

#[test]
fn without_a_terminal_a_missing_or_wrong_code_changes_nothing() {
    let scene = scene(Some("virtual"));
    let before = scene.home.credentials();
    scene.home.keyagent(ROTATE).fails_with(
        "cannot rotate",
        "an MFA code of arn:aws:iam::123456789012:mfa/ann is needed",
        "keyagent rotate -p dev --yes --mfa-code CODE",
    );
    scene.home.keyagent(&with_code("654321")).fails_with(
        "cannot rotate",
        "does not take the MFA code",
        "wait for the next code",
    );
    let usage = scene.home.keyagent(&with_code("12345")).exits(2);
    assert!(usage.stderr.contains("six digits"), "{}", usage.stderr);
    scene.nothing_has_changed(&before);
}

#[test]
fn a_security_key_alone_is_told_what_works_instead() {
    let scene = scene(Some("u2f"));
    let before = scene.home.credentials();
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("cannot rotate", "security key", "authenticator app");
    scene.nothing_has_changed(&before);
    // Beside it a device that shows codes is found.
    scene.account.mfa_device(&scene.user, "virtual");
    scene.home.keyagent(&with_code("123456")).exits(0);
}

#[test]
fn without_a_device_the_refusal_itself_is_told() {
    let scene = scene(None);
    let before = scene.home.credentials();
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("cannot rotate", "iam:ListAccessKeys", "keyagent policy self");
    scene.nothing_has_changed(&before);
}

#[test]
fn the_serial_number_comes_from_the_settings_or_the_config_file() {
    let scene = scene(None);
    let serial = "arn:aws:iam::123456789012:mfa/elsewhere";
    for (config, settings) in [
        (String::new(), format!("mfa_serial = {serial}")),
        (format!("[profile dev]\nmfa_serial = {serial}\n"), String::new()),
    ] {
        scene.home.write(".aws/config", config);
        scene.home.settings(&settings);
        let run = scene
            .home
            .keyagent(&["rotate", "-p", "dev", "--dry-run", "--mfa-code", "123456"]);
        scene.account.set(&json!({ "mfa_once": false }));
        let run = run.exits(0);
        assert!(
            run.stdout.contains(&format!("session with {serial}")),
            "{}",
            run.stdout
        );
    }
}
