//! Who signs an audit: a session where MFA is demanded, and the role that a profile assumes.

use serde_json::{Value, json};

use super::live::counted;
use crate::support::cloud::{Account, User};
use crate::support::{Home, section};

fn packaged(policy: &str) -> Value {
    serde_json::from_str(policy).unwrap()
}

fn of_report() -> Value {
    packaged(include_str!("../../packaging/iam-policies/audit.json"))
}

/// The same, only with MFA.
fn demanding(mut policy: Value) -> Value {
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Condition"] = json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } });
    }
    policy
}

/// An account whose auditor may do nothing without MFA, with a device; codes work once.
fn scene(policy: Value) -> (Account, User, Home, String) {
    let account = Account::start();
    let auditor = account.user_with_policy("auditor", &demanding(policy));
    let serial = account.mfa_device(&auditor, "virtual");
    account.set(&json!({ "mfa_once": true }));
    let home = Home::on(&account);
    home.write_credentials(section("default", &auditor));
    home.settings(&format!("mfa_serial = {serial}"));
    (account, auditor, home, serial)
}

#[test]
fn one_code_serves_a_whole_audit() {
    for (policy, via) in [
        (of_report(), "report"),
        (
            packaged(include_str!("../../packaging/iam-policies/audit-list.json")),
            "list",
        ),
    ] {
        let (account, auditor, home, serial) = scene(policy);
        let old = account.user("old");
        account.back_date(&old.access_key_id, 91);
        account.last_used(&old.access_key_id, 1, "s3");
        home.keyagent(&["audit", "--via", via]).fails_with(
            "cannot audit the account with profile default",
            &format!("an MFA code of {serial} is needed"),
            match via {
                "list" => "give a code: keyagent audit --via list --mfa-code CODE",
                _ => "give a code: keyagent audit --mfa-code CODE",
            },
        );
        account.clear_calls();
        let run = home
            .keyagent(&["audit", "--via", via, "--format", "json", "--mfa-code", "123456"])
            .exits(1);
        assert_eq!(run.json()["summary"]["fail"], 1, "{via}");
        assert_eq!(counted(&account)["GetSessionToken"], 1, "{via}");
        assert!(!run.everything().contains(&auditor.secret_access_key));
    }
}

#[test]
fn a_saved_report_takes_no_code() {
    let home = Home::new();
    let run = home
        .keyagent(&["audit", "--report", "report.csv", "--mfa-code", "123456"])
        .exits(2);
    assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
}

#[test]
fn a_profile_that_assumes_a_role_audits_the_roles_account() {
    let account = Account::start();
    let may_assume = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/*" }],
    });
    let auditor = account.user_with_policy("auditor", &may_assume);
    let role = account.role(&json!({
        "account": "222222222222", "name": "audit", "policy": of_report(), "external_id": "shared", "mfa": true,
    }));
    account.users_in("222222222222", 1, 100);
    let home = Home::on(&account);
    home.write_credentials(section("base", &auditor));
    let config = |more: &str| {
        let serial = "arn:aws:iam::123456789012:mfa/auditor";
        let text = format!(
            "[profile security]\nrole_arn = {role}\nsource_profile = base\nmfa_serial = {serial}\n{more}"
        );
        home.write(".aws/config", text);
    };
    let audit = [
        "audit",
        "-p",
        "security",
        "--format",
        "json",
        "--mfa-code",
        "123456",
    ];
    config("");
    home.keyagent(&audit).fails_with(
        "cannot audit the account with profile security",
        "or the role does not trust the user",
        "aws iam get-role",
    );
    config("external_id = shared\n");
    let run = home.keyagent(&audit).exits(1);
    assert_eq!(run.json()["account_id"], "222222222222");
    assert_eq!(run.json()["findings"][0]["user_name"], "<root_account>");
    assert_eq!(run.json()["summary"]["users"], 2);
}

#[test]
fn dormant_keys_are_found_and_disabled_in_one_session() {
    let mut policy = of_report();
    let remediate = packaged(include_str!("../../packaging/iam-policies/remediate.json"));
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.extend(remediate["Statement"].as_array().unwrap().iter().cloned());
    let (account, _, home, serial) = scene(policy);
    let dormant = account.user("dormant");
    account.back_date(&dormant.access_key_id, 60);
    let disable = ["disable", "--dormant", "--yes"];
    home.keyagent(&disable).fails_with(
        "cannot disable keys with profile default",
        &format!("an MFA code of {serial} is needed"),
        "keyagent disable --dormant --unused-days 45 --yes --mfa-code CODE",
    );
    account.clear_calls();
    let run = home
        .keyagent(&[&disable[..], &["--mfa-code", "123456"]].concat())
        .exits(0);
    assert_eq!(account.keys()[&dormant.access_key_id], "Inactive");
    assert_eq!(counted(&account)["GetSessionToken"], 1);
    assert!(
        run.stderr.contains(&format!("in a session with {serial}")),
        "{}",
        run.stderr
    );
}
