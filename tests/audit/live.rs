//! Against the AWS account on loopback.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::cloud::{Account, User};
use crate::support::{Home, section};

/// An account with an auditor who may do these actions on everybody.
pub(super) fn auditor(actions: &[&str]) -> (Account, User, Home) {
    let account = Account::start();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    });
    let user = account.user_with_policy("auditor", &policy);
    let home = Home::on(&account);
    home.write_credentials(section("default", &user));
    (account, user, home)
}

const ALL: &[&str] = &[
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "iam:ListAccessKeys",
];

pub(super) fn counted(account: &Account) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in account.calls() {
        *counts.entry(call.action).or_default() += 1;
    }
    counts
}

fn failures(document: &Value) -> Vec<String> {
    document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["result"] == "fail")
        .map(|finding| {
            format!(
                "{} {} {}",
                finding["user_name"].as_str().unwrap(),
                finding["rule"].as_str().unwrap(),
                finding["access_key_id"].as_str().unwrap_or("-")
            )
        })
        .collect()
}

#[test]
fn failing_keys_are_named_by_their_ids_and_a_disabled_one_no_longer_fails() {
    let (account, _, home) = auditor(ALL);
    let (old, young) = (account.user("old"), account.user("young"));
    account.back_date(&old.access_key_id, 91);
    account.last_used(&old.access_key_id, 1, "s3");
    account.back_date(&young.access_key_id, 89);
    account.last_used(&young.access_key_id, 1, "s3");
    let run = home.keyagent(&["audit", "--format", "json"]).exits(1);
    assert_eq!(
        failures(&run.json()),
        [format!("old key-rotation {}", old.access_key_id)]
    );
    assert_eq!(run.json()["account_id"], "123456789012");
    assert_eq!(counted(&account)["ListAccessKeys"], 1);
    assert!(!run.everything().contains(&old.secret_access_key));
    let run = home
        .keyagent(&["audit", "--format", "json", "--key-ids", "none"])
        .exits(1);
    assert_eq!(failures(&run.json()), ["old key-rotation -"]);
}

#[test]
fn five_thousand_users_take_twelve_calls_at_most() {
    let (account, _, home) = auditor(ALL);
    account.users("many", 5_000);
    account.clear_calls();
    let run = home
        .keyagent(&["audit", "--format", "json", "--key-ids", "none"])
        .exits(0);
    assert_eq!(run.json()["summary"]["users"], 5_002);
    let calls = account.calls();
    assert!(calls.len() <= 12, "{:?}", counted(&account));
}

#[test]
fn root_with_a_key_fails() {
    let (account, _, home) = auditor(ALL);
    account.set(&json!({ "root_key": "true" }));
    let run = home.keyagent(&["audit", "--format", "json"]);
    assert_eq!(failures(&run.json()), ["<root_account> root-access-key -"]);
}

#[test]
fn every_state_of_the_report_is_waited_for() {
    let (account, _, home) = auditor(ALL);
    for (status, code) in [
        (410, "ReportNotPresent"),
        (410, "ReportExpired"),
        (404, "ReportInProgress"),
    ] {
        account.fault(&json!({ "action": "GetCredentialReport", "status": status, "code": code }));
    }
    home.keyagent(&["audit"]).exits(0);
    assert_eq!(counted(&account)["GetCredentialReport"], 4);
    assert!(counted(&account)["GenerateCredentialReport"] <= 6);
}

#[test]
fn a_throttled_audit_goes_on_and_a_refused_one_fails() {
    let (account, _, home) = auditor(ALL);
    account
        .fault(&json!({ "action": "GetCredentialReport", "status": 400, "code": "Throttling", "times": 2 }));
    home.keyagent(&["audit"]).exits(0);
    let (_account, _, home) = auditor(&["iam:GenerateCredentialReport"]);
    let run = home.keyagent(&["audit", "--format", "json"]).fails_with(
        "cannot audit the account",
        "iam:GetCredentialReport",
        "keyagent policy audit",
    );
    assert_eq!(run.json().get("findings"), None);
}

#[test]
fn half_a_report_is_told_as_half() {
    let (account, _, home) = auditor(ALL);
    account.user("ann");
    account.set(&json!({ "cut_report": ",false,N/A,false,N/A" }));
    let run = home.keyagent(&["audit"]).exits(2);
    assert!(run.stderr.contains("cannot evaluate row"), "{}", run.stderr);
}

#[test]
fn keys_that_cannot_be_looked_up_fail_the_audit_and_not_the_verdicts() {
    let (account, _, home) = auditor(&ALL[..2]);
    let old = account.user("old");
    account.back_date(&old.access_key_id, 91);
    let run = home.keyagent(&["audit", "--format", "json"]).fails_with(
        "cannot look up the key IDs of 1 of 1 users, old among them",
        "iam:ListAccessKeys",
        "keyagent policy audit",
    );
    assert!(failures(&run.json()).contains(&"old key-rotation -".to_owned()));
}

/// That an audit comes to its end under the policy, and to none when any of its actions is missing.
pub(super) fn is_least(policy: &str, arguments: &[&str]) {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let account = Account::start();
    let home = Home::on(&account);
    let old = account.user("old");
    account.back_date(&old.access_key_id, 91);
    let is_enough = |name: &str, policy: &Value| {
        let auditor = account.user_with_policy(name, policy);
        home.write_credentials(section("default", &auditor));
        home.keyagent(arguments).code == 1
    };
    assert!(is_enough("whole", &policy));
    for (statement, actions) in policy["Statement"].as_array().unwrap().iter().enumerate() {
        let actions = actions["Action"].as_array().unwrap();
        for (number, action) in actions.iter().enumerate() {
            let mut less = policy.clone();
            let left = less["Statement"][statement]["Action"].as_array_mut().unwrap();
            left.remove(number);
            if left.is_empty() {
                less["Statement"].as_array_mut().unwrap().remove(statement);
            }
            let name = format!("no{}", action.as_str().unwrap().replace("iam:", ""));
            assert!(!is_enough(&name, &less), "{action} is not needed");
        }
    }
}

#[test]
fn the_policy_is_enough_and_each_action_is_needed() {
    is_least(
        include_str!("../../packaging/iam-policies/audit.json"),
        &["audit"],
    );
}

/// All ages would be those of that day: keys made since would be none, and old ones young.
#[test]
fn a_live_account_is_not_judged_as_of_another_day() {
    let (account, auditor, home) = auditor(ALL);
    account.back_date(&auditor.access_key_id, 400);
    let many = ["--role-name", "r", "--out", "results"];
    for live in [
        &[][..],
        &["-p", "default"],
        &["--via", "list"],
        &["--key-ids", "all"],
        &[&["--organization"], &many[..]].concat(),
        &[&["--accounts", "222222222222"], &many[..]].concat(),
    ] {
        let as_of = ["audit", "--as-of", "2020-01-01T00:00:00Z"];
        let run = home.keyagent(&[&as_of, live].concat()).fails_with(
            "cannot judge a live account as of another time",
            "--as-of is for a saved report",
            "keyagent audit --report FILE --as-of 2020-01-01T00:00:00Z",
        );
        assert_eq!(run.stdout, "", "{live:?}");
    }
    assert!(account.calls().is_empty());
    assert!(!home.join("results").exists());
}
