//! Many keys at once, from an audit: each is judged by itself, and what cannot be done is told.

use serde_json::{Value, json};

use super::{Scene, YES, policy};
use crate::support::cloud::User;
use crate::support::{Run, section};

fn finding(rule: &str, user: &User, access_key_id: Option<&str>) -> Value {
    json!({
        "rule": rule, "controls": [], "user_name": user.name, "user_arn": user.arn, "key_slot": 1,
        "access_key_id": access_key_id, "key_created": null, "result": "fail", "why": "", "days": 100,
        "severity": "medium", "exempt": null,
    })
}

fn document(findings: &[Value]) -> Value {
    json!({
        "schema": "keyagent.audit/1", "account_id": "123456789012", "as_of": "2026-01-01T00:00:00Z",
        "report_generated_at": null, "benchmark": "cis-3.0", "limits": { "max_age_days": 90, "unused_days": 45 },
        "findings": findings, "not_evaluated": [],
        "summary": { "users": 1, "pass": 0, "fail": 1, "exempt": 0, "unknown": 0, "not_evaluated": 0,
                     "newest_time": null },
    })
}

impl Scene {
    fn by_audit(&self, verb: &str, document: &Value, further: &[&str]) -> Run {
        self.home.write("audit.json", document.to_string());
        let arguments = [verb, "--from-audit", "audit.json", "-p", "admin"];
        self.home.keyagent(&[&arguments, further].concat())
    }

    fn put_back(&self, run: &Run) -> Run {
        let name = run.json()["run"].as_str().unwrap().to_owned();
        self.home.keyagent(&[
            "enable", "--run", &name, "-p", "admin", "--yes", "--format", "json",
        ])
    }
}

const JSON: &[&str] = &["--yes", "--format", "json"];

fn result<'a>(report: &'a Value, access_key_id: &str) -> &'a str {
    let keys = report["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["access_key_id"] == access_key_id);
    key.unwrap_or_else(|| panic!("no {access_key_id} in {report}"))["result"]
        .as_str()
        .unwrap()
}

#[test]
fn a_run_puts_back_exactly_what_it_has_disabled() {
    let scene = Scene::new();
    let users: Vec<User> = (0..12).map(|n| scene.account.user(&format!("user{n}"))).collect();
    let ids: Vec<&str> = users.iter().map(|user| user.access_key_id.as_str()).collect();
    // Inactive before: the run does not touch it, nor does its putting back.
    scene.key("disable", "user0", ids[0], YES).exits(0);
    let findings: Vec<Value> = users
        .iter()
        .map(|user| finding("key-rotation", user, Some(&user.access_key_id)))
        .collect();
    let run = scene.by_audit("disable", &document(&findings), JSON).exits(0);
    for id in &ids {
        scene.is(id, "Inactive");
        assert_eq!(
            result(&run.json(), id),
            if *id == ids[0] { "left" } else { "changed" }
        );
    }
    // Changed since: made active by somebody, deleted, and disabled anew by a later run.
    scene.account.activate(ids[1]);
    scene.key("delete", "user2", ids[2], YES).exits(0);
    scene.account.activate(ids[3]);
    scene.key("disable", "user3", ids[3], YES).exits(0);
    let back = scene.put_back(&run).exits(1);
    let report = back.json();
    for id in [ids[1], ids[2], ids[3]] {
        assert_eq!(result(&report, id), "left", "{report}");
    }
    for id in [ids[0], ids[3]] {
        scene.is(id, "Inactive");
    }
    for id in [&[ids[1]], &ids[4..]].concat() {
        scene.is(id, "Active");
    }
    assert_eq!(scene.status(ids[2]), None);
    // Put back once, it is not put back again, whatever became of it.
    scene.key("disable", "user4", ids[4], YES).exits(0);
    scene.put_back(&run).exits(1);
    scene.is(ids[4], "Inactive");
}

#[test]
fn one_failure_hides_no_other_and_the_rest_is_done() {
    let scene = Scene::new();
    let users: Vec<User> = (0..10).map(|n| scene.account.user(&format!("user{n}"))).collect();
    let mut findings: Vec<Value> = users
        .iter()
        .map(|user| finding("key-rotation", user, Some(&user.access_key_id)))
        .collect();
    findings.push(finding(
        "key-rotation",
        &scene.admin,
        Some(&scene.admin.access_key_id),
    ));
    findings.push(finding("one-active-key", &scene.ann, None));
    // Three calls of the ten are refused, whichever they are.
    let refused =
        json!({ "action": "UpdateAccessKey", "skip": 2, "times": 3, "status": 403, "code": "AccessDenied" });
    scene.account.fault(&refused);
    let run = scene.by_audit("disable", &document(&findings), JSON).exits(2);
    let report = run.json();
    assert_eq!(report["errors"].as_array().unwrap().len(), 3, "{report}");
    assert_eq!(
        run.stderr.matches("no policy allows iam:UpdateAccessKey").count(),
        3
    );
    let keys = scene.account.keys();
    for user in &users {
        let (expected, status) = match result(&report, &user.access_key_id) {
            "changed" => ("Inactive", &keys[&user.access_key_id]),
            _ => ("Active", &keys[&user.access_key_id]),
        };
        assert_eq!(status, expected);
    }
    assert_eq!(keys.values().filter(|status| *status == "Inactive").count(), 7);
    assert_eq!(result(&report, &scene.admin.access_key_id), "left");
    assert_eq!(report["passed_over"][0]["rule"], "one-active-key");
    // The run's own record knows which were refused.
    let back = scene.put_back(&run).exits(0);
    assert_eq!(back.stdout.matches("\"changed\"").count(), 7, "{}", back.stdout);
    assert!(scene.account.keys().values().all(|status| status == "Active"));
}

#[test]
fn a_key_that_was_found_unused_and_is_used_stays() {
    let scene = Scene::new();
    let (bob, eve, kim) = ("bob", "eve", "kim");
    let users = [bob, eve, kim].map(|name| scene.account.user(name));
    scene.account.last_used(&users[0].access_key_id, 1, "s3");
    scene.account.forget_use(&users[1].access_key_id);
    let findings: Vec<Value> = users
        .iter()
        .map(|user| finding("unused-credentials", user, Some(&user.access_key_id)))
        .collect();
    let audit = document(&findings);
    let run = scene.by_audit("disable", &audit, JSON).exits(0);
    scene.is(&users[0].access_key_id, "Active");
    scene.is(&users[1].access_key_id, "Inactive");
    scene.is(&users[2].access_key_id, "Inactive");
    assert!(
        run.stdout.contains("it was used since it was found unused"),
        "{}",
        run.stdout
    );
    scene.put_back(&run).exits(0);
    // What AWS does not say is not never.
    scene.account.fault(
        &json!({ "action": "GetAccessKeyLastUsed", "status": 403, "code": "AccessDenied", "times": 3 }),
    );
    scene.by_audit("disable", &audit, JSON).fails_with(
        "cannot disable",
        "unknown, which is not never",
        "keyagent policy remediate",
    );
    assert!(scene.account.keys().values().all(|status| status == "Active"));
}

#[test]
fn only_inactive_keys_of_an_audit_are_deleted() {
    let scene = Scene::new();
    let bob = scene.account.user("bob");
    scene.ann("disable", YES).exits(0);
    let findings = [&scene.ann, &bob].map(|user| finding("key-rotation", user, Some(&user.access_key_id)));
    let run = scene.by_audit("delete", &document(&findings), JSON).exits(1);
    assert_eq!(result(&run.json(), &bob.access_key_id), "left");
    assert_eq!(scene.status(&scene.ann.access_key_id), None);
    scene.is(&bob.access_key_id, "Active");
    // Gone is what it was to be.
    let run = scene.by_audit("delete", &document(&findings[..1]), YES).exits(0);
    assert!(run.stdout.contains("does not list it"), "{}", run.stdout);
}

#[test]
fn what_is_no_audit_or_of_another_account_is_refused() {
    let scene = Scene::new();
    let key = finding("key-rotation", &scene.ann, Some(&scene.ann.access_key_id));
    let mut other = document(std::slice::from_ref(&key));
    other["account_id"] = json!("210987654321");
    let mut newer = document(std::slice::from_ref(&key));
    newer["schema"] = json!("keyagent.audit/9");
    scene.account.clear_calls();
    for (audit, cause) in [
        (
            json!({ "schema": "keyagent.status/1" }),
            "no whole document of an audit",
        ),
        (newer, "its schema is keyagent.audit/9"),
        (other, "signs for account 123456789012"),
    ] {
        scene
            .by_audit("disable", &audit, YES)
            .fails_with("cannot disable", cause, "keyagent");
    }
    let usage = scene.home.keyagent(&["disable", "-p", "admin"]).exits(2);
    assert!(usage.stderr.contains("--from-audit"), "{}", usage.stderr);
    let unknown = scene.by_audit("disable", &document(&[key]), &["--yes", "--rule", "nonsense"]);
    assert!(unknown.exits(2).stderr.contains("unused-credentials"));
    scene.nothing_was_changed();
}

#[test]
fn dormant_keys_are_disabled_and_put_back_and_no_other_is_touched() {
    let scene = Scene::new();
    let mut policy = policy();
    let audit: Value = serde_json::from_str(include_str!("../../packaging/iam-policies/audit.json")).unwrap();
    let statements = audit["Statement"].as_array().unwrap().iter().cloned();
    policy["Statement"].as_array_mut().unwrap().extend(statements);
    let admin = scene.account.user_with_policy("cleaner", &policy);
    scene.home.write_credentials(section("admin", &admin));
    let (idle, never) = (scene.account.user("idle"), scene.account.user("never"));
    scene.account.back_date(&idle.access_key_id, 400);
    scene.account.last_used(&idle.access_key_id, 45, "s3");
    scene.account.back_date(&never.access_key_id, 46);
    scene.account.back_date(&scene.ann.access_key_id, 400);
    scene.account.last_used(&scene.ann.access_key_id, 44, "s3");
    let dormant = ["disable", "--dormant", "-p", "admin", "--format", "json"];
    let dry = scene.home.keyagent(&[&dormant[..], &["--dry-run"]].concat());
    assert!(!dry.stdout.contains(&scene.ann.access_key_id), "{}", dry.stdout);
    scene.is(&idle.access_key_id, "Active");
    let run = scene.home.keyagent(&[&dormant[..], &["--yes"]].concat());
    assert_eq!(run.code, 0, "{}", run.everything());
    scene.is(&idle.access_key_id, "Inactive");
    scene.is(&never.access_key_id, "Inactive");
    scene.is(&scene.ann.access_key_id, "Active");
    scene.put_back(&run).exits(0);
    assert!(scene.account.keys().values().all(|status| status == "Active"));
}

/// Words that would narrow a run, if they were heard, are refused where they are not.
#[test]
fn what_would_not_narrow_a_run_is_refused() {
    let scene = Scene::new();
    let user = scene.account.user("bystander");
    scene.home.write(
        "audit.json",
        document(&[finding("unused-credentials", &user, None)]).to_string(),
    );
    for arguments in [
        &["disable", "--dormant", "--user-name", "other"][..],
        &["disable", "--dormant", "--rule", "key-rotation"],
        &["disable", "--from-audit", "audit.json", "--user-name", "other"],
        &["disable", "--from-audit", "audit.json", "--unused-days", "3"],
        &["delete", "--from-audit", "audit.json", "--user-name", "other"],
        &["enable", "--run", "last", "--user-name", "other"],
    ] {
        let run = scene
            .home
            .keyagent(&[arguments, &["-p", "admin", "--yes"]].concat())
            .exits(2);
        assert!(
            run.stderr.contains("cannot be used with"),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}
