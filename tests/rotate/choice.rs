//! Which keys are rotated: several profiles, all that are overdue, the key behind a role.

use serde_json::json;

use super::Scene;
use crate::support::section;

#[test]
fn a_mistyped_profile_gets_a_whole_command() {
    let scene = Scene::new();
    scene
        .home
        .keyagent(&["rotate", "-p", "dve"])
        .fails_with("no profile dve", "", "keyagent rotate -p dev");
    scene
        .home
        .keyagent(&["retire", "-p", "dve"])
        .fails_with("no profile dve", "", "keyagent retire -p dev");
    for command in [
        "rotate", "status", "doctor", "scan", "undo", "recover", "retire", "settings",
    ] {
        let help = scene.home.keyagent(&[command, "--help"]).exits(0);
        assert!(
            help.stdout
                .lines()
                .all(|line| line.chars().count() <= 80 || line.starts_with("Usage:")),
            "{}",
            help.stdout
        );
    }
}

#[test]
fn overdue_rotates_all_that_policy_calls_overdue_and_nothing_else() {
    let scene = Scene::new();
    let (bob, eve) = (scene.account.user("bob"), scene.account.user("eve"));
    let files = [
        section("dev", &scene.user),
        section("fresh", &bob),
        section("old", &eve),
    ];
    scene.home.write_credentials(files.concat());
    scene
        .home
        .write(".aws/config", "[profile sso]\nsso_session = corp\n");
    let run = scene.home.keyagent(&["rotate", "--overdue", "--yes"]).exits(0);
    assert!(run.stderr.contains("no key is overdue"), "{}", run.stderr);
    scene.account.back_date(&scene.user.access_key_id, 91);
    scene.account.back_date(&eve.access_key_id, 400);
    scene.home.keyagent(&["rotate", "--overdue"]).fails_with(
        "without an answer",
        "no terminal",
        "keyagent rotate --overdue --yes",
    );
    let report = scene
        .home
        .keyagent(&["rotate", "--overdue", "--yes", "--format", "json"])
        .exits(0)
        .json();
    let profiles: Vec<_> = report["rotations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rotation| rotation["profiles"].clone())
        .collect();
    assert_eq!(profiles, [json!(["dev"]), json!(["old"])]);
    let keys = scene.account.keys();
    assert_eq!(keys[&scene.user.access_key_id], "Inactive");
    assert_eq!(keys[&eve.access_key_id], "Inactive");
    assert_eq!(keys[&bob.access_key_id], "Active");
    assert_eq!(keys.len(), 5);
    scene.the_cli_is_let_in();
}

#[test]
fn one_that_cannot_be_rotated_does_not_keep_the_others() {
    let scene = Scene::new();
    let bob = scene.account.user("bob");
    scene.account.add_key(&bob);
    scene
        .home
        .write_credentials([section("bob", &bob), section("dev", &scene.user)].concat());
    scene
        .home
        .write(".aws/config", "[profile sso]\nsso_session = corp\n");
    let run = scene
        .home
        .keyagent(&[
            "rotate", "-p", "bob", "-p", "sso", "-p", "dev", "--yes", "--format", "json",
        ])
        .exits(2);
    let report = run.json();
    assert_eq!(report["rotations"].as_array().unwrap().len(), 1);
    assert_eq!(report["rotations"][0]["profiles"], json!(["dev"]));
    let failed: Vec<_> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["profile"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(failed, ["sso", "bob"]);
    scene.the_cli_is_let_in();
}

#[test]
fn a_profile_that_assumes_a_role_stands_for_the_key_behind_it() {
    let scene = Scene::new();
    scene.home.write(
        ".aws/config",
        "[profile admin]\nrole_arn = arn:aws:iam::123456789012:role/admin\nsource_profile = dev\n",
    );
    let run = scene
        .home
        .keyagent(&["rotate", "-p", "admin", "--yes", "--format", "json"])
        .exits(0);
    assert_eq!(run.json()["rotations"][0]["profiles"], json!(["dev"]));
    assert!(run.stderr.contains("the key of profile dev"), "{}", run.stderr);
    let calls = scene.account.calls();
    assert!(calls.iter().all(|call| call.action != "AssumeRole"), "{calls:?}");
    scene.the_cli_is_let_in();
}

#[test]
fn a_dry_run_tells_the_whole_plan_and_writes_nothing() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    scene.account.clear_calls();
    let run = scene
        .home
        .keyagent(&["rotate", "-p", "dev", "--dry-run", "--format", "json"])
        .exits(0);
    let report = run.json();
    let rotation = &report["rotations"][0];
    assert_eq!(rotation["state"], "Planned");
    assert_eq!(rotation["new_access_key_id"], json!(null));
    let plan = &rotation["plan"];
    assert_eq!(plan["user_arn"], json!(scene.user.arn));
    assert_eq!(plan["files"][0]["lines"], json!([[2, 3]]));
    assert_eq!(plan["access_keys"], json!([scene.user.access_key_id]));
    assert_eq!(plan["mfa_serial"], json!(null));
    // The test's policy does not allow the question itself: then nobody has said yes.
    assert!(plan["policy"].as_str().unwrap().starts_with("unknown"), "{plan}");
    scene.nothing_has_changed(&before);
    assert!(!scene.home.join(".local/state/keyagent/journal").exists());

    let statements = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["iam:List*", "iam:Simulate*", "iam:CreateAccessKey"], "Resource": "*" },
    ] });
    let eve = scene.account.user_with_policy("eve", &statements);
    scene.home.write_credentials(section("dev", &eve));
    let run = scene
        .home
        .keyagent(&["rotate", "-p", "dev", "--dry-run"])
        .exits(0);
    assert!(
        run.stdout
            .contains("does not allow iam:UpdateAccessKey, iam:DeleteAccessKey"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_printed_policy_is_enough_for_a_keys_whole_life() {
    let scene = Scene::new();
    let printed = scene.home.keyagent(&["policy", "self"]).exits(0).json();
    let eve = scene.account.user_with_policy("eve", &printed);
    scene
        .home
        .settings("verify_every = 20ms\nverify_for = 4s\ngrace_days = 0");
    scene.home.write_credentials(section("dev", &eve));
    for command in [
        &["status"][..],
        &["rotate", "-p", "dev", "--yes"],
        &["undo", "-p", "dev", "--yes"],
        &["retire", "--yes"],
        &["rotate", "-p", "dev", "--yes", "--now"],
    ] {
        scene.home.keyagent(command).exits(0);
    }
    assert_eq!(scene.account.keys_of(&eve).len(), 1);
    let usage = scene
        .home
        .keyagent(&["policy", "self", "--user-path", "eng"])
        .exits(2);
    assert!(usage.stderr.contains("slash"), "{}", usage.stderr);
}

/// A name with a wildcard would let the policy reach further than was meant.
#[test]
fn a_policy_is_for_names_alone_that_iam_allows() {
    let home = crate::support::Home::new();
    let long = format!("/{}/", "x".repeat(511));
    for wrong in [
        "eng",
        "/eng",
        "/*/",
        "/e?g/",
        "/\"/",
        "/é/",
        "/e g/",
        "/${aws:username}/",
        "",
        &long,
    ] {
        home.keyagent(&["policy", "self", "--user-path", wrong]).exits(2);
    }
    for right in ["/", "/eng/", "/eng/a.b,c+d=e@f-g_h/", "/a!b/"] {
        home.keyagent(&["policy", "self", "--user-path", right]).exits(0);
    }
    let long = "x".repeat(65);
    for wrong in [
        "*", "audit*", "au?it", "a b", "é", "", "a:b", &long, "*/audit", "/audit/", "a//b",
    ] {
        let run = home
            .keyagent(&["policy", "audit-accounts", "--role-name", wrong])
            .exits(2);
        assert!(run.stderr.contains("keyagent-audit"), "{wrong}: {}", run.stderr);
    }
    for right in ["keyagent-audit", "a+b=c,d.e@f_g", "team/audit"] {
        home.keyagent(&["policy", "audit-accounts", "--role-name", right])
            .exits(0);
    }
}
