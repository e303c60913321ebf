//! `keyagent policy self` and `self-mfa` are enough for every command on one's own keys, and not one action too much.

use serde_json::{Value, json};

use crate::support::cloud::Account;
use crate::support::{Home, section};

/// What the documentation promises to each policy, one after the other on one key.
const COMMANDS: [&[&str]; 4] = [
    &["status"],
    &["rotate", "-p", "dev", "--yes"],
    &["undo", "-p", "dev", "--yes"],
    &["retire", "--yes"],
];

/// The first command that a fresh user with this policy cannot run.
fn broken(
    account: &Account,
    name: &str,
    policy: &Value,
    commands: &[&[&'static str]],
    further: &[&str],
) -> Option<&'static str> {
    let others = account.keys();
    let user = account.user_with_policy(name, policy);
    account.mfa_device(&user, "virtual");
    let home = Home::on(account);
    // Without grace, so that `retire` has something to delete.
    home.settings("verify_every = 5ms\nverify_for = 4s\ngrace_days = 0");
    home.write_credentials(section("dev", &user));
    for command in commands {
        if home.keyagent(&[command, further].concat()).code != 0 {
            return Some(command[0]);
        }
    }
    // The new key has come and gone: what was undone is deleted, and the old one signs again.
    let mut own = account.keys();
    own.retain(|id, _| !others.contains_key(id));
    assert_eq!(
        own.into_iter().collect::<Vec<_>>(),
        [(user.access_key_id, "Active".to_owned())]
    );
    None
}

/// The policy without the n-th action of a statement; a statement without actions is none.
fn without(policy: &Value, statement: usize, number: usize) -> Value {
    let mut less = policy.clone();
    let actions = less["Statement"][statement]["Action"].as_array_mut().unwrap();
    actions.remove(number);
    if actions.is_empty() {
        less["Statement"].as_array_mut().unwrap().remove(statement);
    }
    less
}

/// Each action, and the command that breaks without it.
fn needed_for(policy: &Value, commands: &[&[&'static str]], further: &[&str]) -> Value {
    let account = Account::start();
    assert_eq!(broken(&account, "whole", policy, commands, further), None);
    let mut needed = json!({});
    for (statement, body) in policy["Statement"].as_array().unwrap().iter().enumerate() {
        for (number, action) in body["Action"].as_array().unwrap().iter().enumerate() {
            let action = action.as_str().unwrap();
            let less = without(policy, statement, number);
            let name = action.replace("iam:", "no");
            needed[action] = json!(broken(&account, &name, &less, commands, further));
        }
    }
    needed
}

fn printed(job: &str) -> Value {
    Home::new().keyagent(&["policy", job]).exits(0).json()
}

#[test]
fn the_policy_for_ones_own_keys_is_enough_and_each_action_is_needed() {
    assert_eq!(
        needed_for(&printed("self"), &COMMANDS, &[]),
        json!({
            "iam:CreateAccessKey": "rotate",
            "iam:DeleteAccessKey": "retire",
            "iam:GetAccessKeyLastUsed": "status",
            "iam:ListAccessKeys": "status",
            "iam:UpdateAccessKey": "rotate",
        })
    );
}

#[test]
fn the_policy_with_mfa_is_enough_and_each_action_is_needed() {
    // `status` asks for no code.
    assert_eq!(
        needed_for(&printed("self-mfa"), &COMMANDS[1..], &["--mfa-code", "123456"]),
        json!({
            "iam:CreateAccessKey": "rotate",
            "iam:DeleteAccessKey": "retire",
            "iam:GetAccessKeyLastUsed": "retire",
            "iam:ListAccessKeys": "rotate",
            "iam:UpdateAccessKey": "rotate",
            "iam:ListMFADevices": "rotate",
        })
    );
}
