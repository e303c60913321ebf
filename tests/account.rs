//! The account on loopback is what the other tests believe it to be: asked through the real AWS CLI.

use serde_json::json;

use crate::support::cloud::Account;
use crate::support::{Home, section};

const WHO_AM_I: &[&str] = &["sts", "get-caller-identity", "--profile", "dev"];

#[test]
fn active_keys_are_accepted_and_inactive_ones_refused() {
    let account = Account::start();
    let user = account.user("ann");
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    assert!(home.aws(&account, WHO_AM_I).exits(0).stdout.contains(&user.arn));
    let deactivate = [
        "iam",
        "update-access-key",
        "--access-key-id",
        &user.access_key_id,
        "--status",
        "Inactive",
    ];
    home.aws(&account, &[&deactivate[..], &["--profile", "dev"]].concat())
        .exits(0);
    assert!(
        home.aws(&account, WHO_AM_I)
            .stderr
            .contains("InvalidClientTokenId")
    );
    assert_eq!(account.keys()[&user.access_key_id], "Inactive");
}

#[test]
fn a_third_key_is_refused_and_a_young_one_is_not_known_yet() {
    let account = Account::start();
    let user = account.user("ann");
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    let create = [
        "iam",
        "create-access-key",
        "--user-name",
        "ann",
        "--profile",
        "dev",
    ];
    home.aws(&account, &create).exits(0);
    assert!(home.aws(&account, &create).stderr.contains("LimitExceeded"));
    account.set(&json!({ "consistency": 3600 }));
    // The first key was made without a call, long ago as far as the account knows.
    home.aws(&account, WHO_AM_I).exits(0);
}

#[test]
fn a_fault_strikes_once_before_or_after_the_effect() {
    let account = Account::start();
    let user = account.user("ann");
    let home = Home::on(&account).with("AWS_MAX_ATTEMPTS", "1");
    home.write_credentials(section("dev", &user));
    let create = [
        "iam",
        "create-access-key",
        "--user-name",
        "ann",
        "--profile",
        "dev",
    ];
    account.fault(&json!({ "action": "CreateAccessKey", "status": 500, "code": "InternalFailure" }));
    assert!(home.aws(&account, &create).stderr.contains("InternalFailure"));
    assert_eq!(account.keys().len(), 1);
    account.fault(&json!({ "action": "CreateAccessKey", "when": "after", "drop": true }));
    assert_ne!(home.aws(&account, &create).code, 0);
    assert_eq!(account.keys().len(), 2);
    assert_eq!(
        account
            .calls()
            .iter()
            .filter(|call| call.action == "CreateAccessKey")
            .count(),
        2
    );
}

#[test]
fn a_clock_that_is_off_is_refused() {
    let account = Account::start();
    let user = account.user("ann");
    let home = Home::on(&account).with("AWS_MAX_ATTEMPTS", "1");
    home.write_credentials(section("dev", &user));
    account.set(&json!({ "skew": 3600 }));
    assert!(home.aws(&account, WHO_AM_I).stderr.contains("Signature expired"));
}
