//! `keyagent disable`, `enable` and `delete`: no live key is deleted, no run is beyond putting back, no failure passes
//! for a success. The account on loopback is the witness.

use serde_json::{Value, json};

use crate::support::cloud::{Account, User};
use crate::support::{Home, Run, section};

#[cfg(feature = "checkpoints")]
mod kill;
mod many;
mod policy;
mod terminal;

/// As `keyagent policy remediate` prints it.
fn policy() -> Value {
    serde_json::from_str(include_str!("../packaging/iam-policies/remediate.json")).unwrap()
}

/// An account with an administrator, whose key a home holds as profile `admin`, and a user.
struct Scene {
    account: Account,
    home: Home,
    admin: User,
    ann: User,
}

impl Scene {
    fn new() -> Self {
        let account = Account::start();
        let admin = account.user_with_policy("admin", &policy());
        let ann = account.user("ann");
        let home = Home::on(&account);
        home.settings("verify_every = 5ms\nverify_for = 600ms");
        home.write_credentials(section("admin", &admin));
        Self {
            account,
            home,
            admin,
            ann,
        }
    }

    /// Does something to the key of ann.
    fn ann(&self, verb: &str, further: &[&str]) -> Run {
        self.key(verb, "ann", &self.ann.access_key_id, further)
    }

    fn key(&self, verb: &str, user_name: &str, access_key_id: &str, further: &[&str]) -> Run {
        let key = [
            verb,
            "--user-name",
            user_name,
            "--access-key-id",
            access_key_id,
            "-p",
            "admin",
        ];
        let run = self.home.keyagent(&[&key, further].concat());
        assert!(!run.everything().contains(&self.admin.secret_access_key));
        run
    }

    /// `Active`, `Inactive`, or nothing when it is deleted.
    fn status(&self, access_key_id: &str) -> Option<String> {
        self.account.keys().remove(access_key_id)
    }

    #[track_caller]
    fn is(&self, access_key_id: &str, status: &str) {
        assert_eq!(
            self.status(access_key_id).as_deref(),
            Some(status),
            "{access_key_id}"
        );
    }

    fn count(&self, action: &str) -> usize {
        let calls = self.account.calls();
        calls.iter().filter(|call| call.action == action).count()
    }

    #[track_caller]
    fn nothing_was_changed(&self) {
        assert_eq!(self.count("UpdateAccessKey") + self.count("DeleteAccessKey"), 0);
    }
}

/// A call that never reaches AWS, however often it is sent.
fn lost_before(action: &str) -> Value {
    json!({ "action": action, "drop": true, "times": 99 })
}

const YES: &[&str] = &["--yes"];

#[test]
fn a_live_key_is_never_deleted_without_force() {
    let scene = Scene::new();
    scene.account.last_used(&scene.ann.access_key_id, 1, "s3");
    scene.account.clear_calls();
    scene.ann("delete", YES).fails_with(
        "cannot delete",
        "it is active, and only an inactive key is deleted",
        "keyagent disable --user-name ann",
    );
    scene.nothing_was_changed();
    scene.ann("delete", &["--yes", "--force"]).exits(0);
    assert_eq!(scene.status(&scene.ann.access_key_id), None);
}

#[test]
fn a_key_whose_last_use_is_unknown_is_not_deleted() {
    let scene = Scene::new();
    scene.ann("disable", YES).exits(0);
    scene.account.clear_calls();
    for fault in [
        json!({ "action": "GetAccessKeyLastUsed", "status": 403, "code": "AccessDenied", "times": 9 }),
        json!({ "action": "GetAccessKeyLastUsed", "status": 500, "code": "ServiceFailure", "times": 9 }),
        json!({ "action": "GetAccessKeyLastUsed", "status": 200, "body": "<html>sign in</html>", "times": 9 }),
    ] {
        scene.account.fault(&fault);
        let run = scene.ann("delete", YES);
        scene.account.clear_faults();
        run.fails_with(
            "cannot delete",
            "last used is unknown, which is not never",
            "--force",
        );
    }
    scene.nothing_was_changed();
    scene.is(&scene.ann.access_key_id, "Inactive");
    // Without data there is nothing against it: it is inactive, and somebody has named it.
    scene.account.forget_use(&scene.ann.access_key_id);
    let run = scene.ann("delete", &["--yes", "--format", "json"]).exits(0);
    assert_eq!(run.json()["keys"][0]["last_used"], json!(null));
    assert_eq!(run.json()["keys"][0]["last_used_known"], json!(true));
    assert_eq!(scene.status(&scene.ann.access_key_id), None);
}

#[test]
fn the_key_that_signs_is_disabled_or_deleted_only_with_self() {
    let scene = Scene::new();
    let own = scene.admin.access_key_id.clone();
    scene.account.clear_calls();
    for arguments in [&["disable"][..], &["delete"], &["delete", "--force"]] {
        scene
            .key(arguments[0], "admin", &own, &[&arguments[1..], YES].concat())
            .fails_with("cannot", "it signs this command", "--self");
    }
    scene.nothing_was_changed();
    // AWS lets it in no more, so nothing can list it: that it is refused is the proof.
    scene.key("disable", "admin", &own, &["--yes", "--self"]).exits(0);
    scene.is(&own, "Inactive");
}

#[test]
fn a_key_is_disabled_put_back_and_deleted() {
    let scene = Scene::new();
    let id = scene.ann.access_key_id.clone();
    scene.account.last_used(&id, 3, "s3");
    let run = scene.ann("disable", &["--yes", "--format", "json"]).exits(0);
    scene.is(&id, "Inactive");
    let report = run.json();
    assert_eq!(report["schema"], "keyagent.disable/1");
    assert_eq!(report["account_id"], "123456789012");
    let key = &report["keys"][0];
    assert_eq!(
        (
            &key["status_before"],
            &key["result"],
            &key["last_used"]["service"]
        ),
        (&json!("Active"), &json!("changed"), &json!("s3"))
    );
    let name = report["run"].as_str().unwrap();
    let again = scene.ann("disable", YES).exits(0);
    assert!(
        again.stdout.contains("it is inactive already"),
        "{}",
        again.stdout
    );
    let run = scene
        .home
        .keyagent(&["enable", "--run", name, "-p", "admin", "--yes"])
        .exits(0);
    assert!(
        run.stdout.contains(&format!("{id} of ann is active")),
        "{}",
        run.stdout
    );
    scene.is(&id, "Active");
    let run = scene.ann("disable", YES).exits(0);
    assert!(run.stdout.contains("keyagent enable --run "), "{}", run.stdout);
    scene.ann("enable", YES).exits(0);
    scene.is(&id, "Active");
    scene.ann("disable", YES).exits(0);
    scene.ann("delete", YES).exits(0);
    assert_eq!(scene.status(&id), None);
    scene
        .ann("delete", YES)
        .fails_with("cannot delete", "does not list it", "aws iam list-access-keys");
    let runs = std::fs::read_to_string(scene.home.join(".local/state/keyagent/remediation")).unwrap();
    let deleting = runs
        .lines()
        .rev()
        .find(|line| line.contains(r#""action":"delete""#))
        .unwrap();
    let deleting: Value = serde_json::from_str(deleting).unwrap();
    let run = deleting["record"]["run"].as_str().unwrap();
    scene
        .home
        .keyagent(&["enable", "--run", run, "-p", "admin", "--yes"])
        .fails_with(
            "cannot put back",
            "nothing brings a deleted key back",
            "create-access-key",
        );
}

#[test]
fn a_user_with_a_path_goes_by_the_name_alone() {
    let scene = Scene::new();
    let eve = scene.account.user_at("/eng/berlin/", "eve");
    scene.key("disable", "eve", &eve.access_key_id, YES).exits(0);
    scene.is(&eve.access_key_id, "Inactive");
    scene
        .key("disable", "nobody", &eve.access_key_id, YES)
        .fails_with("cannot disable", "does not list it", "list-access-keys");
}

#[test]
fn without_a_record_nothing_is_changed() {
    let scene = Scene::new();
    std::fs::create_dir_all(scene.home.join(".local/state/keyagent/remediation")).unwrap();
    scene.account.clear_calls();
    scene
        .ann("disable", YES)
        .fails_with("without a record", "remediation", "~/.local/state/keyagent");
    scene.nothing_was_changed();
}

#[test]
fn a_refused_or_lost_call_is_never_told_as_done() {
    let scene = Scene::new();
    let id = scene.ann.access_key_id.clone();
    let empty = "<UpdateAccessKeyResponse><ResponseMetadata/></UpdateAccessKeyResponse>";
    for (fault, cause) in [
        (
            json!({ "action": "UpdateAccessKey", "status": 403, "code": "AccessDenied", "times": 9 }),
            "no policy allows iam:UpdateAccessKey",
        ),
        (
            lost_before("UpdateAccessKey"),
            "whether AWS took the call is unknown",
        ),
        (
            json!({ "action": "UpdateAccessKey", "status": 200, "body": "<html>sign in</html>", "times": 9 }),
            "whether AWS took the call is unknown: the reply",
        ),
        (
            json!({ "action": "UpdateAccessKey", "status": 200, "body": empty, "content_type": "text/xml" }),
            "ListAccessKeys does not show it yet",
        ),
    ] {
        scene.account.fault(&fault);
        let run = scene.ann("disable", &["--yes", "--format", "json"]);
        scene.account.clear_faults();
        let run = run.fails_with("cannot disable", cause, "keyagent");
        assert_eq!(run.json()["keys"][0]["result"], "failed");
        assert_eq!(run.json()["errors"][0]["access_key_id"], json!(id));
        scene.is(&id, "Active");
    }
}

#[test]
fn a_lost_reply_is_settled_by_the_list() {
    let scene = Scene::new();
    let id = scene.ann.access_key_id.clone();
    for action in ["UpdateAccessKey", "DeleteAccessKey"] {
        let lost = json!({ "action": action, "when": "after", "drop": true, "times": 9 });
        scene.account.fault(&lost);
    }
    let run = scene.ann("disable", YES).exits(0);
    assert!(run.stdout.contains("is inactive"), "{}", run.stdout);
    scene.is(&id, "Inactive");
    let run = scene.ann("delete", YES).exits(0);
    assert!(run.stdout.contains("is deleted"), "{}", run.stdout);
    assert_eq!(scene.status(&id), None);
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let scene = Scene::new();
    scene.account.last_used(&scene.ann.access_key_id, 3, "s3");
    scene.account.back_date(&scene.ann.access_key_id, 100);
    scene.account.clear_calls();
    let run = scene.ann("disable", &["--dry-run"]).exits(0);
    for words in [
        "disable 1 key in account 123456789012",
        "signed by arn:aws:iam::123456789012:user/admin",
        "active, 100 days old, made ",
        "with s3 in eu-west-1",
    ] {
        assert!(run.stdout.contains(words), "no `{words}` in\n{}", run.stdout);
    }
    scene.nothing_was_changed();
    assert!(!scene.home.join(".local/state/keyagent/remediation").exists());
    let run = scene
        .ann("delete", &["--dry-run", "--force", "--format", "json"])
        .exits(0);
    assert_eq!(run.json()["keys"][0]["result"], "planned");
    scene
        .ann("disable", &[])
        .fails_with("without an answer", "--yes was not given", "-p admin --yes");
    scene.nothing_was_changed();
}

#[test]
fn an_administrator_signs_with_mfa_where_a_policy_demands_it() {
    let scene = Scene::new();
    let mut demanding = policy();
    demanding["Statement"][0]["Condition"] = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
    let security = scene.account.user_with_policy("security", &demanding);
    let serial = scene.account.mfa_device(&security, "virtual");
    scene.account.set(&json!({ "mfa_once": true }));
    scene.home.write_credentials(section("admin", &security));
    scene.home.settings(&format!(
        "verify_every = 5ms\nverify_for = 600ms\nmfa_serial = {serial}"
    ));
    scene.ann("disable", YES).fails_with(
        "cannot disable",
        &format!("an MFA code of {serial} is needed"),
        "-p admin --yes --mfa-code",
    );
    let run = scene.ann("disable", &["--yes", "--mfa-code", "123456"]).exits(0);
    assert!(
        run.stderr.contains(&format!("in a session with {serial}")),
        "{}",
        run.stderr
    );
    scene.is(&scene.ann.access_key_id, "Inactive");
    assert_eq!(scene.count("GetSessionToken"), 1);
}
