//! `keyagent status`: worst first, few calls, and what it cannot do in three lines.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::cloud::Account;
use crate::support::{Home, section};

mod interrupted;

#[test]
fn the_worst_key_comes_first_and_nothing_is_asked_twice() {
    let account = Account::start();
    let (old, fresh) = (account.user("ann"), account.user("bob"));
    account.back_date(&old.access_key_id, 412);
    account.last_used(&old.access_key_id, 3, "s3");
    let other = account.add_key(&fresh);
    let home = Home::on(&account);
    home.write_credentials(
        [
            section("fresh", &fresh),
            section("copy", &fresh),
            section("old", &old),
        ]
        .concat(),
    );
    home.write(
        ".aws/config",
        "[profile sso]\nsso_session = corp\n[profile role]\nrole_arn = r\nsource_profile = old\n",
    );
    let run = home.keyagent(&["status", "--format", "json"]).exits(0);
    let report = run.json();
    assert_eq!(report["schema"], "keyagent.status/1");
    assert_eq!(report["limits"], json!({ "max_age_days": 90, "warn_days": 14 }));
    let first = &report["keys"][0];
    assert_eq!(first["access_key_id"], json!(old.access_key_id));
    assert_eq!(
        (&first["freshness"], &first["status"]),
        (&json!("overdue"), &json!("Active"))
    );
    assert_eq!(
        (&first["age_days"], &first["user_name"]),
        (&json!(412), &json!("ann"))
    );
    assert_eq!(
        (&first["current"], &first["last_used_known"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(first["account_id"], "123456789012");
    let shared = report["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["profiles"] == json!(["fresh", "copy"]));
    assert_eq!(shared.unwrap()["access_key_id"], json!(fresh.access_key_id));
    let others = report["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["access_key_id"] == json!(other))
        .unwrap();
    assert_eq!(
        (&others["current"], &others["profiles"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(report["skipped"].as_array().unwrap().len(), 2);
    let mut calls: BTreeMap<String, u32> = BTreeMap::new();
    for call in account.calls() {
        *calls.entry(call.key).or_default() += 1;
    }
    assert_eq!(calls[&old.access_key_id], 2);
    assert!(
        calls[&fresh.access_key_id] <= 4,
        "two keys, two calls each: {calls:?}"
    );
    assert!(!run.everything().contains(&old.secret_access_key));
    assert_eq!(
        home.keyagent(&["status", "--exit-code"])
            .exits(1)
            .stdout
            .lines()
            .nth(1)
            .unwrap()[..3],
        *"old"
    );
}

#[test]
fn the_users_other_key_is_overdue_as_well_unless_it_is_inactive() {
    let account = Account::start();
    let user = account.user("ann");
    let other = account.add_key(&user);
    account.back_date(&other, 400);
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    let run = home.keyagent(&["status", "--exit-code"]).exits(1);
    assert!(run.stdout.contains("overdue"), "{}", run.stdout);
    account.deactivate(&other);
    let run = home.keyagent(&["status", "--exit-code"]).exits(0);
    assert!(!run.stdout.contains("overdue"), "{}", run.stdout);
}

#[test]
fn offline_shows_the_last_known_state_without_a_call() {
    let account = Account::start();
    let user = account.user("ann");
    account.back_date(&user.access_key_id, 100);
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    let never = home
        .keyagent(&["status", "--offline", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(never["keys"][0]["freshness"], "unknown");
    assert_eq!(never["keys"][0]["account_id"], "123456789012");
    home.keyagent(&["status"]).exits(0);
    account.clear_calls();
    let known = home
        .keyagent(&["status", "--offline", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&known["keys"][0]["age_days"], &known["keys"][0]["freshness"]),
        (&json!(100), &json!("overdue"))
    );
    assert!(account.calls().is_empty());
}

#[test]
fn what_one_user_may_not_ask_does_not_hide_the_others() {
    let account = Account::start();
    let statement = json!({ "Effect": "Allow", "Action": "iam:ListAccessKeys", "Resource": "*" });
    let denied = account.user_with_policy(
        "ann",
        &json!({ "Version": "2012-10-17", "Statement": [statement] }),
    );
    let fine = account.user("bob");
    let home = Home::on(&account);
    let mut revoked = account.user("eve");
    revoked.access_key_id = revoked.access_key_id.replace("AKIA", "AKIB");
    home.write_credentials(
        [
            section("ann", &denied),
            section("bob", &fine),
            section("eve", &revoked),
        ]
        .concat(),
    );
    let run = home.keyagent(&["status", "--format", "json"]).exits(2);
    let report = run.json();
    assert_eq!(report["keys"].as_array().unwrap().len(), 3);
    let of = |profile: &str| {
        report["keys"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["profiles"] == json!([profile]))
            .unwrap()
            .clone()
    };
    assert_eq!(
        (&of("ann")["last_used_known"], &of("ann")["status"]),
        (&json!(false), &json!("Active"))
    );
    assert_eq!(of("bob")["last_used_known"], json!(true));
    assert_eq!(of("eve")["freshness"], "unknown");
    let errors = report["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2);
    assert!(
        errors
            .iter()
            .all(|error| error["cause"].is_string() && error["hint"].is_string())
    );
    run.fails_with("cannot ask when", "iam:GetAccessKeyLastUsed", "ask for");
}

/// What AWS did not say is neither fine nor "never", and what it said is not called silence.
#[test]
fn what_aws_did_not_say_is_unknown() {
    let account = Account::start();
    let allow = |action: &str| {
        let statement = json!({ "Effect": "Allow", "Action": action, "Resource": "*" });
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    };
    let unlisted = account.user_with_policy("ann", &allow("iam:GetAccessKeyLastUsed"));
    let mute = account.user_with_policy("bob", &allow("s3:*"));
    let fine = account.user("eve");
    let other = account.add_key(&fine);
    account.forget_use(&other);
    let home = Home::on(&account);
    home.write_credentials(
        [
            section("ann", &unlisted),
            section("bob", &mute),
            section("eve", &fine),
        ]
        .concat(),
    );
    let run = home.keyagent(&["status"]).exits(2);
    let row = |id: &str| run.stdout.lines().find(|line| line.contains(id)).unwrap();
    let ann = row(&unlisted.access_key_id);
    assert!(ann.ends_with("unknown check"), "{ann}");
    assert!(row(&other).contains(" none known "), "{}", row(&other));
    assert!(
        run.stdout.contains("no policy allows this key to ask"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("did not answer"), "{}", run.stdout);
}

/// Only GetCallerIdentity names the ARN, which `status` has no call to spare for and `doctor` makes anyway.
#[cfg(all(feature = "desktop", unix))]
#[test]
fn the_arn_is_known_once_doctor_has_asked() {
    let account = Account::start();
    let user = account.user_at("/eng/", "ann");
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    let arn = |arguments: &[&str]| {
        let run = home
            .keyagent(&[&["status", "--format", "json"], arguments].concat())
            .exits(0);
        run.json()["keys"][0]["user_arn"].clone()
    };
    assert_eq!(arn(&[]), json!(null));
    home.keyagent(&["doctor"]);
    assert_eq!(
        (arn(&[]), arn(&["--offline"])),
        (json!(user.arn), json!(user.arn))
    );
}

#[test]
fn bad_files_are_told_in_three_lines() {
    let home = Home::new();
    let status = || home.keyagent(&["status"]);
    status().fails_with("no profiles", "no such file", "aws configure");
    home.write_credentials("");
    status().fails_with("no profiles", "empty", "aws configure");
    home.write_credentials(b"[a]\nb = \xff\n");
    status().fails_with("cannot read", "line 2 is not UTF-8", "+2");
    home.write_credentials("x".repeat(10_000_000));
    status().fails_with("cannot read", "10 MB", "ls -l");
    home.write_credentials("[dev]\nregion = x\n");
    home.keyagent(&["status", "-p", "dve"])
        .fails_with("no profile dve", "neither", "-p dev");
    std::fs::remove_file(home.join(".aws/credentials")).unwrap();
    std::fs::create_dir(home.join(".aws/credentials")).unwrap();
    status().fails_with("cannot read", "folder", "ls -ld");
    home.settings("max_age = 3");
    std::fs::remove_dir(home.join(".aws/credentials")).unwrap();
    home.write_credentials("[dev]\nregion = x\n");
    status().fails_with("settings", "line 3: there is no setting max_age", "README");
}

/// The SDKs put a pair together from both, and AWS refuses it: the key is not to blame.
#[test]
fn a_doubled_section_is_named_and_not_the_key() {
    let account = Account::start();
    let (ann, bob) = (account.user("ann"), account.user("bob"));
    let home = Home::on(&account);
    let half = format!("[dev]\naws_secret_access_key = {}\n", bob.secret_access_key);
    home.write_credentials(format!("{}{half}", section("dev", &ann)));
    let run = home.keyagent(&["status"]);
    let run = run.fails_with("cannot ask AWS", "line 4: the AWS CLI refuses the file", "+4 ");
    assert!(!run.stderr.contains("IAM console"), "{}", run.stderr);
    assert!(
        run.stderr
            .lines()
            .all(|line| line.chars().count() <= 80 || !line.starts_with("warning"))
    );
}

/// A section that is broken is no excuse for another's key.
#[test]
fn only_what_belongs_to_the_profile_is_blamed() {
    let account = Account::start();
    let (ann, mut bad) = (account.user("ann"), account.user("bad"));
    bad.access_key_id = bad.access_key_id.replace("AKIA", "AKIB");
    let home = Home::on(&account);
    let half = "[half]\naws_access_key_id = x\n[half]\naws_access_key_id = y\n";
    home.write_credentials(format!("{half}{}{}", section("bad", &bad), section("ann", &ann)));
    let run = home.keyagent(&["status", "-p", "bad"]);
    let run = run.fails_with(
        "cannot ask AWS",
        "cause: AWS does not accept the key",
        "aws configure --profile bad",
    );
    assert!(!run.stderr.contains("mend that line first"), "{}", run.stderr);
}

#[test]
fn what_keeps_aws_away_is_told_in_three_lines() {
    let account = Account::start();
    let user = account.user("ann");
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    for (fault, cause, hint) in [
        (
            json!({ "body": "<html>sign in</html>" }),
            "not AWS's",
            "login page",
        ),
        (
            json!({ "body": "<ListAcc", "content_type": "text/xml" }),
            "not AWS's",
            "login page",
        ),
        (
            json!({ "status": 403, "code": "AccessDenied", "message": "no" }),
            "no policy allows",
            "ask for",
        ),
        (
            json!({ "status": 403, "code": "InvalidClientTokenId", "message": "no" }),
            "inactive",
            "aws configure",
        ),
    ] {
        for action in ["ListAccessKeys", "GetAccessKeyLastUsed"] {
            let mut fault = fault.clone();
            fault["action"] = json!(action);
            account.fault(&fault);
        }
        let run = home
            .keyagent(&["status"])
            .fails_with("cannot ask AWS", cause, hint);
        assert!(run.stdout.contains(&user.access_key_id), "what is known is shown");
    }
    let alone = Home::new();
    alone.write_credentials(section("dev", &user));
    alone
        .keyagent(&["status"])
        .fails_with("cannot ask AWS", "cannot be reached", "HTTPS_PROXY");
}

/// Root reads any file, whatever its mode, so the file here is one that nobody can open.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_opened_is_told_in_three_lines() {
    let home = Home::new();
    home.write(".aws/config", "");
    std::os::unix::fs::symlink("credentials", home.join(".aws/credentials")).unwrap();
    home.keyagent(&["status"])
        .fails_with("cannot read", "symbolic link", "ls -l");
}
