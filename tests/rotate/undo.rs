//! `keyagent undo`: the old pair is back in every place it was, byte for byte.

use serde_json::json;

use super::{ROTATE, Scene};
use crate::support::section;

const UNDO: &[&str] = &["undo", "-p", "dev", "--yes"];

#[test]
fn a_second_undo_says_that_the_first_has_done_it() {
    let scene = Scene::new();
    scene.home.keyagent(ROTATE).exits(0);
    // Mistakes in the settings do not keep what saves people from working.
    let undo: &[&str] = &["undo", "-p", "dev", "--yes"];
    scene.home.settings("verify_every = 20ms\nnonsense\nmax_age = 3");
    let run = scene.home.keyagent(undo).exits(0);
    let told = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("line 4: this is neither a section"),
        "{}",
        run.stderr
    );
    assert!(
        told.contains("line 5: there is no setting max_age"),
        "{}",
        run.stderr
    );
    scene.home.keyagent(&["recover", "--yes"]).exits(0);
    scene.home.settings("verify_every = 20ms");
    for again in [undo, &undo[..3]] {
        scene
            .home
            .keyagent(again)
            .fails_with("cannot take back", "taken back already", "keyagent status");
    }
}

#[test]
fn an_undo_restores_every_byte() {
    let scene = Scene::new();
    let before = format!(
        "# mine\r\n{}\r\n[profile2]\r\n; same pair\r\n{}",
        section("dev", &scene.user).replace('\n', "\r\n"),
        section("again", &scene.user)
    );
    scene.home.write_credentials(&before);
    let config = format!(
        "[profile in-config]\n{}",
        section("", &scene.user).replacen("[]\n", "", 1)
    );
    scene.home.write(".aws/config", &config);
    scene.home.keyagent(ROTATE).exits(0);
    assert_ne!(scene.home.credentials(), before.as_bytes());
    let new = scene.new_key().unwrap();
    let plan = scene.home.keyagent(&["undo", "-p", "dev", "--dry-run"]).exits(0);
    assert!(plan.stdout.contains(&scene.user.access_key_id), "{}", plan.stdout);
    scene.home.keyagent(&["undo", "-p", "dev"]).fails_with(
        "without an answer",
        "no terminal",
        "keyagent undo -p dev --yes",
    );
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");

    let run = scene
        .home
        .keyagent(&[UNDO, &["--format", "json"]].concat())
        .exits(0);
    scene.no_secret_in(&run);
    let report = run.json();
    assert_eq!(report["schema"], "keyagent.undo/1");
    assert_eq!(report["rotations"][0]["state"], "Undone");
    assert_eq!(String::from_utf8(scene.home.credentials()).unwrap(), before);
    assert_eq!(
        std::fs::read_to_string(scene.home.join(".aws/config")).unwrap(),
        config
    );
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Active");
    assert_eq!(scene.account.keys()[&new], "Inactive");
    scene.the_cli_is_let_in();
}

/// Without a question to AWS, `status --offline` must not tell to replace the key that an undo has just put back.
#[test]
fn what_is_known_offline_follows_a_rotation_and_its_undo() {
    let scene = Scene::new();
    scene.home.keyagent(&["status"]).exits(0);
    let known = |id: &str| {
        let report = scene
            .home
            .keyagent(&["status", "--offline", "--format", "json"])
            .exits(0)
            .json();
        let keys = report["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["access_key_id"] == id);
        key.map(|key| key["status"].clone())
    };
    scene.home.keyagent(ROTATE).exits(0);
    let new = scene.new_key().unwrap();
    assert_eq!(known(&new), Some(json!("Active")));
    scene.home.keyagent(UNDO).exits(0);
    assert_eq!(known(&scene.user.access_key_id), Some(json!("Active")));

    // What an undo has superseded cannot be taken back by another one, so nobody is sent there.
    let run = scene
        .home
        .keyagent(ROTATE)
        .fails_with("cannot rotate", &new, "superseded by an undo");
    assert!(run.stderr.contains("retire -p dev --now --yes"), "{}", run.stderr);
    assert!(!run.stderr.contains("keyagent undo"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_undone_says_why() {
    let scene = Scene::new();
    scene.home.keyagent(UNDO).fails_with(
        "cannot take back",
        "was not put there by keyagent",
        "keyagent status",
    );
    scene.home.keyagent(&[ROTATE, &["--now"]].concat()).exits(0);
    scene
        .home
        .keyagent(UNDO)
        .fails_with("cannot take back", "is deleted", "keyagent status");
}

#[test]
fn an_old_key_that_aws_never_accepts_again_leaves_all_as_it_was() {
    let scene = Scene::new();
    scene.home.settings("verify_every = 20ms\nverify_for = 1s");
    scene.home.keyagent(ROTATE).exits(0);
    let rotated = scene.home.credentials();
    // The old key is asked for at STS; the new one signs all the rest.
    scene.account.fault(&json!({
        "action": "GetCallerIdentity", "times": 1000, "status": 403, "code": "InvalidClientTokenId"
    }));
    scene
        .home
        .keyagent(UNDO)
        .fails_with("cannot take back", "did not accept", "nothing is changed");
    assert_eq!(scene.home.credentials(), rotated);
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    assert_eq!(scene.account.keys()[&scene.new_key().unwrap()], "Active");
    scene.account.clear_faults();
    scene.the_cli_is_let_in();
    scene.home.keyagent(UNDO).exits(0);
    scene.the_cli_is_let_in();
}

#[test]
fn a_pair_that_an_editor_put_back_is_replaced_again() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    scene.home.keyagent(ROTATE).exits(0);
    scene.home.write_credentials(&before);
    let status = scene.home.keyagent(&["status"]);
    assert!(
        status.everything().contains("keyagent recover"),
        "{}",
        status.everything()
    );
    scene.home.keyagent(&["recover", "--yes"]).exits(0);
    scene.the_cli_is_let_in();
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    // The user has made it active again: that is meant.
    scene.home.write_credentials(&before);
    let new = scene.new_key().unwrap();
    scene.account.activate(&scene.user.access_key_id);
    scene.home.keyagent(&["recover", "--yes"]).exits(0);
    assert_eq!(scene.home.credentials(), before);
    assert_eq!(scene.account.keys()[&new], "Active");
}

#[test]
fn after_an_undo_the_new_key_is_retired() {
    let scene = Scene::new();
    scene
        .home
        .settings("verify_every = 20ms\nverify_for = 4s\ngrace_days = 0");
    scene.home.keyagent(ROTATE).exits(0);
    let new = scene.new_key().unwrap();
    scene.home.keyagent(UNDO).exits(0);
    scene.home.keyagent(&["retire", "--yes"]).exits(0);
    assert!(!scene.account.keys().contains_key(&new));
    scene.no_secret_is_kept();
    scene.the_cli_is_let_in();
}
