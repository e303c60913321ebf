//! What a person at a terminal is asked, and sees.

use serde_json::json;

use super::Scene;
use crate::support::cloud::Account;
use crate::support::{Home, Run, section};

impl Scene {
    fn on_a_terminal(&self, dialogue: &[(&str, &str)], arguments: &[&str]) -> Run {
        self.home.on_a_terminal(&self.account, dialogue, arguments)
    }
}

#[test]
fn the_plan_is_shown_before_the_question_and_no_means_no() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    for answer in ["n", "", "maybe"] {
        let run = scene
            .on_a_terminal(&[("go on? [y/N]", answer)], &["rotate", "-p", "dev"])
            .exits(2);
        assert!(run.stdout.contains("nothing is rotated"), "{}", run.stdout);
        scene.nothing_has_changed(&before);
    }
    let run = scene
        .on_a_terminal(&[("go on? [y/N]", "y")], &["rotate", "-p", "dev"])
        .exits(0);
    let plan = run.stdout.find("replace AKIA").unwrap();
    assert!(plan < run.stdout.find("go on?").unwrap(), "{}", run.stdout);
    scene.no_secret_in(&run);
    scene.the_cli_is_let_in();
    for command in ["undo", "rotate"] {
        scene.on_a_terminal(&[], &[command, "--help"]).exits(0);
    }
    let run = scene
        .on_a_terminal(&[("go on?", "yes")], &["undo", "-p", "dev"])
        .exits(0);
    scene.no_secret_in(&run);
    assert_eq!(scene.home.credentials(), before);
}

#[test]
fn several_keys_are_shown_together_and_asked_about_once() {
    let scene = Scene::new();
    let bob = scene.account.user("bob");
    let both = [section("dev", &scene.user), section("prod", &bob)].concat();
    scene.home.write_credentials(both);
    let run = scene
        .on_a_terminal(&[("go on?", "y")], &["rotate", "-p", "dev", "-p", "prod"])
        .exits(0);
    assert_eq!(run.stdout.matches("go on?").count(), 1, "{}", run.stdout);
    assert_eq!(scene.account.keys().len(), 4);
    scene.the_cli_is_let_in();
}

#[test]
fn a_wrong_mfa_code_is_asked_for_once_more_and_none_is_shown() {
    let account = Account::start();
    let policy = serde_json::from_str(include_str!("../../packaging/iam-policies/self-mfa.json")).unwrap();
    let user = account.user_with_policy("ann", &policy);
    let serial = account.mfa_device(&user, "virtual");
    account.set(&json!({ "mfa_once": true }));
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    let scene = Scene { account, home, user };
    let before = scene.home.credentials();
    let question = format!("MFA code of {serial}");
    let rotate = &["rotate", "-p", "dev"];
    let run = scene
        .on_a_terminal(&[(&question, "111111"), (&question, "222222")], rotate)
        .exits(2);
    assert!(
        run.stdout.contains("does not take the MFA code"),
        "{}",
        run.stdout
    );
    scene.nothing_has_changed(&before);
    let dialogue = [(&*question, "111111"), (&*question, "123456"), ("go on?", "y")];
    let run = scene.on_a_terminal(&dialogue, rotate).exits(0);
    assert!(!run.stdout.contains("123456\n"), "{}", run.stdout);
    scene.the_cli_is_let_in();
}

#[test]
fn an_orphan_is_deleted_only_after_a_yes() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    scene
        .account
        .fault(&json!({ "action": "CreateAccessKey", "when": "after", "drop": true }));
    scene
        .on_a_terminal(&[("go on?", "y")], &["rotate", "-p", "dev"])
        .exits(2);
    let orphan = scene.new_key().unwrap();
    let run = scene.on_a_terminal(&[("go on?", "n")], &["recover"]).exits(2);
    assert!(run.stdout.contains(&format!("delete {orphan}")), "{}", run.stdout);
    assert_eq!(scene.account.keys().len(), 2);
    scene.on_a_terminal(&[("go on?", "y")], &["recover"]).exits(0);
    scene.nothing_has_changed(&before);
}

/// Every line that is written for people fits a terminal of 80 columns, but for paths and commands to paste.
#[test]
fn what_is_shown_fits_eighty_columns() {
    let scene = Scene::new();
    let mut shown = String::new();
    for arguments in [
        &["rotate", "-p", "dev", "--dry-run"][..],
        &["rotate", "-p", "dev"],
        &["rotate", "-p", "dve"],
        &["undo", "-p", "dev", "--dry-run"],
        &["rotate", "-p", "dev"],
        &["status"],
        &["retire"],
        &["recover"],
    ] {
        let dialogue: &[(&str, &str)] =
            if shown.contains("is replaced by") || arguments.len() != 3 || arguments[2] == "dve" {
                &[]
            } else {
                &[("go on?", "y")]
            };
        shown.push_str(&scene.on_a_terminal(dialogue, arguments).stdout);
    }
    for line in shown.lines() {
        let is_to_paste = line.contains("aws iam ") || line.contains("/credentials");
        assert!(
            is_to_paste || line.chars().count() <= 80,
            "{} columns: {line}",
            line.chars().count()
        );
    }
}
