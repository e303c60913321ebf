//! `keyagent retire` and `rotate --now`: a superseded key goes only if AWS knows that nobody used it since.

use serde_json::json;

use super::{ROTATE, Scene};
use crate::support::section;

const RETIRE: &[&str] = &["retire", "--yes"];
const NO_GRACE: &str = "verify_every = 20ms\nverify_for = 4s\ngrace_days = 0";

#[test]
fn a_key_is_deleted_after_its_grace_and_its_secret_with_it() {
    let scene = Scene::new();
    scene.home.keyagent(ROTATE).exits(0);
    let run = scene.home.keyagent(RETIRE).exits(0);
    assert!(run.stderr.contains("is kept until"), "{}", run.stderr);
    assert_eq!(scene.account.keys().len(), 2);
    scene.home.settings(NO_GRACE);
    let dry = scene.home.keyagent(&["retire", "--dry-run"]).exits(0);
    assert!(dry.stdout.contains(&scene.user.access_key_id), "{}", dry.stdout);
    scene
        .home
        .keyagent(&["retire"])
        .fails_with("without an answer", "no terminal", "keyagent retire --yes");
    assert_eq!(scene.account.keys().len(), 2);
    let report = scene
        .home
        .keyagent(&[RETIRE, &["--format", "json"]].concat())
        .exits(0)
        .json();
    assert_eq!(report["rotations"][0]["state"], "OldKeyDeleted");
    assert!(!scene.account.keys().contains_key(&scene.user.access_key_id));
    scene.no_secret_is_kept();
    scene.the_cli_is_let_in();
    let again = scene.home.keyagent(RETIRE).exits(0);
    assert!(
        again.stderr.contains("no superseded key is due"),
        "{}",
        again.stderr
    );
}

#[test]
fn nothing_is_agreed_to_where_nothing_is_changed() {
    let scene = Scene::new();
    let dry = scene
        .home
        .keyagent(&["rotate", "-p", "dev", "--now", "--dry-run"])
        .exits(0);
    assert!(
        dry.stdout.contains("deleted if AWS knows of no use"),
        "{}",
        dry.stdout
    );
    scene.home.keyagent(ROTATE).exits(0);
    let dry = scene.home.keyagent(&["retire", "--now", "--dry-run"]).exits(0);
    assert!(dry.stdout.contains(&scene.user.access_key_id), "{}", dry.stdout);
    assert_eq!(scene.account.keys().len(), 2);
    scene.home.keyagent(&["retire", "--now"]).fails_with(
        "without --yes",
        "--now",
        "keyagent retire --now --yes",
    );
    assert_eq!(scene.account.keys().len(), 2);
}

#[test]
fn a_key_that_something_used_since_stays_and_the_user_is_told() {
    let scene = Scene::new();
    scene.home.settings(NO_GRACE);
    scene.home.keyagent(ROTATE).exits(0);
    // AWS's dates have whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    scene.account.last_used(&scene.user.access_key_id, 0, "dynamodb");
    let run = scene.home.keyagent(RETIRE).exits(1);
    assert!(
        run.stdout.contains("is kept") && run.stdout.contains("with dynamodb in eu-west-1"),
        "{}",
        run.stdout
    );
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    // The next rotation does not take it away, either.
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("dev", "something has used it since", "aws iam delete-access-key");
    assert_eq!(scene.account.keys().len(), 2);
}

#[test]
fn what_aws_does_not_say_keeps_the_key() {
    let scene = Scene::new();
    scene.home.settings(NO_GRACE);
    scene.home.keyagent(ROTATE).exits(0);
    for fault in [
        json!({ "action": "GetAccessKeyLastUsed", "times": 1, "status": 403, "code": "AccessDenied" }),
        json!({ "action": "GetAccessKeyLastUsed", "times": 9, "status": 400, "code": "Throttling" }),
    ] {
        scene.account.fault(&fault);
        scene.home.keyagent(RETIRE).fails_with(
            "cannot retire",
            "does not say when it was last used",
            "keyagent retire",
        );
        scene.account.clear_faults();
        assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    }
    scene.account.forget_use(&scene.user.access_key_id);
    scene
        .home
        .keyagent(RETIRE)
        .fails_with("cannot retire", "no data on its last use", "keyagent retire");
    assert_eq!(scene.account.keys().len(), 2);
}

#[test]
fn a_key_that_is_active_again_or_in_a_file_stays() {
    let scene = Scene::new();
    let elsewhere = section("elsewhere", &scene.user);
    scene.home.settings(NO_GRACE);
    scene.home.keyagent(ROTATE).exits(0);
    let rotated = scene.home.credentials();
    scene
        .home
        .write_credentials([elsewhere.as_bytes(), &rotated].concat());
    let run = scene.home.keyagent(RETIRE).exits(1);
    assert!(
        run.stdout.contains("a file of the rotation holds it"),
        "{}",
        run.stdout
    );
    scene.home.write_credentials(&rotated);
    scene.account.activate(&scene.user.access_key_id);
    let run = scene.home.keyagent(RETIRE).exits(1);
    assert!(run.stdout.contains("made it active again"), "{}", run.stdout);
    assert_eq!(scene.account.keys().len(), 2);
}

#[test]
fn now_deletes_the_old_key_at_once_and_only_with_yes() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    let usage = scene.home.keyagent(&["rotate", "-p", "dev", "--now"]).exits(2);
    assert!(usage.stderr.contains("--yes"), "{}", usage.stderr);
    scene.nothing_has_changed(&before);
    let run = scene
        .home
        .keyagent(&[ROTATE, &["--now", "--format", "json"]].concat())
        .exits(0);
    assert_eq!(run.json()["rotations"][0]["state"], "OldKeyDeleted");
    assert_eq!(scene.account.keys().len(), 1);
    scene.no_secret_is_kept();
    scene.the_cli_is_let_in();
}

#[test]
fn now_keeps_a_key_whose_last_use_is_unknown() {
    let scene = Scene::new();
    scene.account.fault(
        &json!({ "action": "GetAccessKeyLastUsed", "times": 1, "status": 403, "code": "AccessDenied" }),
    );
    let run = scene.home.keyagent(&[ROTATE, &["--now"]].concat()).fails_with(
        "is replaced, but not deleted",
        "does not say when it was last used",
        "keyagent retire",
    );
    assert!(run.stdout.contains("keyagent undo -p dev"), "{}", run.stdout);
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    scene.the_cli_is_let_in();
}

#[test]
fn the_next_rotation_frees_the_slot_of_a_superseded_key_by_itself() {
    let scene = Scene::new();
    scene.home.keyagent(ROTATE).exits(0);
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("dev", "two keys already", "keyagent undo -p dev");
    scene.home.settings(NO_GRACE);
    let plan = scene
        .home
        .keyagent(&["rotate", "-p", "dev", "--dry-run"])
        .exits(0);
    assert!(
        plan.stdout
            .contains(&format!("delete {}", scene.user.access_key_id)),
        "{}",
        plan.stdout
    );
    scene.home.keyagent(ROTATE).exits(0);
    let keys = scene.account.keys();
    assert_eq!(keys.len(), 2);
    assert!(!keys.contains_key(&scene.user.access_key_id));
    scene.the_cli_is_let_in();
}

#[test]
fn the_last_copy_of_a_secret_is_not_deleted_with_the_superseded_key() {
    let scene = Scene::new();
    scene.home.settings(NO_GRACE);
    scene.home.keyagent(ROTATE).exits(0);
    let whole = scene.home.credentials();
    for content in [b"".as_slice(), b"[other]\nregion = x\n"] {
        scene.home.write_credentials(content);
        let run = scene.home.keyagent(RETIRE).exits(1);
        assert!(
            run.stdout.contains("no file of the rotation holds"),
            "{}",
            run.stdout
        );
        assert_eq!(scene.account.keys().len(), 2);
    }
    std::fs::remove_file(scene.home.join(".aws/credentials")).unwrap();
    scene.home.keyagent(RETIRE);
    assert_eq!(scene.account.keys().len(), 2);
    scene.home.write_credentials(&whole);
    scene.the_cli_is_let_in();
    scene.home.keyagent(RETIRE).exits(0);
    scene.no_secret_is_kept();
}

#[test]
fn a_login_page_deletes_no_key() {
    let scene = Scene::new();
    scene.home.settings(NO_GRACE);
    scene.home.keyagent(ROTATE).exits(0);
    scene.account.fault(
        &json!({ "action": "DeleteAccessKey", "times": 9, "status": 200, "body": "<html>sign in</html>" }),
    );
    scene
        .home
        .keyagent(RETIRE)
        .fails_with("cannot retire", "no usable acknowledgement", "");
    scene.account.clear_faults();
    assert_eq!(scene.account.keys().len(), 2);
    scene.home.keyagent(&["recover", "--yes"]);
    scene.home.keyagent(RETIRE).exits(0);
    assert_eq!(scene.account.keys().len(), 1);
    scene.no_secret_is_kept();
}
