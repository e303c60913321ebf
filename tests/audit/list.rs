//! `--via list`: what the credential report knows, asked user by user.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::live::{auditor, counted, is_least};

const REPORT: &[&str] = &["audit", "--format", "json", "--key-ids", "all"];
const LIST: &[&str] = &["audit", "--format", "json", "--via", "list"];

const ALL: &[&str] = &[
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "iam:GetAccountSummary",
    "iam:ListUsers",
    "iam:ListAccessKeys",
    "iam:GetAccessKeyLastUsed",
    "iam:GetLoginProfile",
];

/// `USER RULE KEY` (the key by its ID) to result and days.
fn verdicts(document: &Value) -> BTreeMap<String, String> {
    let findings = document["findings"].as_array().unwrap();
    let verdicts: BTreeMap<String, String> = findings
        .iter()
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or("-").to_owned();
            (
                format!("{} {} {}", text("user_name"), text("rule"), text("access_key_id")),
                format!("{} {}", text("result"), finding["days"]),
            )
        })
        .collect();
    assert_eq!(
        verdicts.len(),
        findings.len(),
        "two findings are the same: {document}"
    );
    verdicts
}

fn why<'a>(document: &'a Value, user: &str, rule: &str) -> &'a str {
    let findings = document["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|finding| finding["user_name"] == user && finding["rule"] == rule);
    found.unwrap_or_else(|| panic!("no {rule} of {user} in {document}"))["why"]
        .as_str()
        .unwrap()
}

#[test]
fn where_both_can_know_the_list_and_the_report_agree() {
    let (account, _, home) = auditor(ALL);
    let old = account.user("old");
    account.back_date(&old.access_key_id, 91);
    account.last_used(&old.access_key_id, 44, "s3");
    let unused = account.user("unused");
    account.back_date(&unused.access_key_id, 200);
    account.last_used(&unused.access_key_id, 46, "s3");
    let never = account.user("never");
    account.back_date(&never.access_key_id, 46);
    account.password(&never, 46, Some(2));
    let two = account.user_at("/eng/", "two");
    account.add_key(&two);
    account.back_date(&two.access_key_id, 5);
    let young = account.user("young");
    account.password(&young, 10, None);
    let away = account.user("away");
    account.password(&away, 300, Some(60));
    let changed = account.user("changed");
    account.password(&changed, 100, None);
    let inactive = account.user("inactive");
    account.back_date(&inactive.access_key_id, 400);
    account.deactivate(&inactive.access_key_id);

    let report = home.keyagent(REPORT).exits(1).json();
    let list = home.keyagent(LIST).exits(2).json();
    let (mut of_report, mut of_list) = (verdicts(&report), verdicts(&list));
    // When a password that was never used was last changed only the report says.
    let password = "changed unused-credentials -";
    assert_eq!(of_report.remove(password).unwrap(), "fail 100");
    assert_eq!(of_list.remove(password).unwrap(), "unknown null");
    assert_eq!(
        why(&list, "changed", "unused-credentials"),
        "the password has no recorded use, and it is not said when it was last changed"
    );
    assert_eq!(of_list, of_report);
    for (verdict, result) in [
        (format!("old key-rotation {}", old.access_key_id), "fail 91"),
        (
            format!("unused unused-credentials {}", unused.access_key_id),
            "fail 46",
        ),
        (format!("never key-at-setup {}", never.access_key_id), "fail 46"),
        ("two one-active-key -".into(), "fail null"),
        ("young unused-credentials -".into(), "pass 10"),
        ("away unused-credentials -".into(), "fail 60"),
        ("inactive one-active-key -".into(), "pass null"),
        ("<root_account> root-access-key -".into(), "pass null"),
    ] {
        assert_eq!(of_list[&verdict], result, "{verdict}");
    }
    assert_eq!(list["summary"]["users"], report["summary"]["users"]);
    assert_eq!(list["report_generated_at"], Value::Null);
    assert_eq!(list["account_id"], "123456789012");
}

#[test]
fn every_page_of_users_is_asked_for() {
    let (account, _, home) = auditor(ALL);
    account.users("many", 24);
    account.set(&json!({ "page": 10 }));
    account.clear_calls();
    let run = home.keyagent(LIST).exits(0);
    assert_eq!(run.json()["summary"]["users"], 26);
    let calls = counted(&account);
    assert_eq!((calls["ListUsers"], calls["ListAccessKeys"]), (4, 25));
    assert_eq!(calls["GetAccessKeyLastUsed"], 25);
    assert!(!calls.contains_key("GetCredentialReport"));
}

#[test]
fn a_list_that_breaks_off_is_told_as_broken_off() {
    let (account, _, home) = auditor(ALL);
    account.users("many", 24);
    account.set(&json!({ "page": 10 }));
    account.fault(
        &json!({ "action": "ListUsers", "skip": 2, "status": 403, "code": "AccessDenied", "times": 9 }),
    );
    let run = home.keyagent(LIST).fails_with(
        "the users behind many-8 are not listed",
        "iam:ListUsers",
        "keyagent policy audit-list",
    );
    assert_eq!(run.json()["not_evaluated"][0]["what"], "further users");
    account.clear_faults();
    account.fault(&json!({ "action": "ListUsers", "status": 403, "code": "AccessDenied", "times": 9 }));
    let run = home.keyagent(LIST).fails_with(
        "cannot audit the account",
        "iam:ListUsers",
        "keyagent policy audit-list",
    );
    assert!(run.json().get("findings").is_none(), "{}", run.stdout);
}

#[test]
fn what_is_refused_is_unknown_and_no_pass() {
    for (missing, what, rules) in [
        (
            "iam:ListAccessKeys",
            "ListAccessKeys says nothing of 2 users",
            &[
                "one-active-key",
                "key-rotation",
                "unused-credentials",
                "key-at-setup",
            ][..],
        ),
        (
            "iam:GetLoginProfile",
            "GetLoginProfile says nothing of 2 users",
            &["unused-credentials"],
        ),
        (
            "iam:GetAccessKeyLastUsed",
            "GetAccessKeyLastUsed says nothing of 2 users",
            &["unused-credentials", "key-at-setup"],
        ),
    ] {
        let left: Vec<&str> = ALL.iter().copied().filter(|action| *action != missing).collect();
        let (account, _, home) = auditor(&left);
        let ann = account.user("ann");
        account.back_date(&ann.access_key_id, 50);
        if missing != "iam:GetLoginProfile" {
            account.password(&ann, 1, None);
        }
        let run = home
            .keyagent(LIST)
            .fails_with(what, missing, "keyagent policy audit-list");
        let document = run.json();
        for rule in rules {
            let findings = document["findings"].as_array().unwrap().iter();
            let mut of_rule = findings.filter(|f| f["user_name"] == "ann" && f["rule"] == *rule);
            assert!(
                of_rule.any(|finding| finding["result"] == "unknown"),
                "{missing}: {rule}: {document}"
            );
        }
    }
}

#[test]
fn a_throttled_list_goes_on() {
    let (account, _, home) = auditor(ALL);
    account.users("many", 5);
    account.fault(&json!({ "action": "ListAccessKeys", "skip": 2, "status": 400, "code": "Throttling" }));
    assert_eq!(home.keyagent(LIST).exits(0).json()["summary"]["users"], 7);
}

#[test]
fn a_key_of_root_fails_and_its_age_is_unknown() {
    let (account, _, home) = auditor(ALL);
    account.set(&json!({ "root_key": "true" }));
    let document = home.keyagent(LIST).exits(2).json();
    let of_list = verdicts(&document);
    assert_eq!(of_list["<root_account> root-access-key -"], "fail null");
    assert_eq!(of_list["<root_account> key-rotation -"], "unknown null");
    account
        .fault(&json!({ "action": "GetAccountSummary", "status": 403, "code": "AccessDenied", "times": 9 }));
    let run = home.keyagent(LIST).fails_with(
        "whether the root user has an access key",
        "iam:GetAccountSummary",
        "keyagent policy audit-list",
    );
    assert_eq!(
        verdicts(&run.json())["<root_account> root-access-key -"],
        "unknown null"
    );
}

#[test]
fn its_policy_is_enough_and_each_action_is_needed() {
    is_least(
        include_str!("../../packaging/iam-policies/audit-list.json"),
        &["audit", "--via", "list"],
    );
}

#[test]
fn security_hub_sees_the_same_findings_either_way() {
    let (account, _, home) = auditor(ALL);
    let two = account.user("two");
    let other = account.add_key(&two);
    account.back_date(&other, 100);
    account.password(&two, 5, None);
    let ids = |arguments: &[&str]| {
        let run = home.keyagent(&[&["audit", "--format", "asff"], arguments].concat());
        let batches = run.exits(1).stdout;
        let mut ids: Vec<String> = batches
            .lines()
            .flat_map(|line| serde_json::from_str::<Vec<Value>>(line).unwrap())
            .map(|finding| finding["Id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let by_report = ids(&["--key-ids", "none"]);
    assert_eq!(ids(&["--via", "list"]), by_report);
    assert!(by_report.len() > 8, "{by_report:?}");
}
