//! Every call of a rotation and of an undo goes wrong once, in every way that a network and AWS have.

use serde_json::{Value, json};

use crate::support::cloud::{Account, User};
use crate::support::{Home, section};

const ROTATE: &[&str] = &["rotate", "-p", "dev", "--yes"];
const UNDO: &[&str] = &["undo", "-p", "dev", "--yes"];

fn lost_reply() -> Value {
    json!({ "when": "after", "drop": true })
}

fn server_error() -> Value {
    json!({ "status": 500, "code": "InternalFailure" })
}

fn throttled() -> Value {
    json!({ "status": 400, "code": "Throttling", "message": "Rate exceeded" })
}

fn delayed() -> Value {
    json!({ "delay": 0.3 })
}

/// A login page in the place of the answer, although the call took effect.
fn not_aws() -> Value {
    json!({ "when": "after", "status": 200, "body": "<html>sign in</html>" })
}

/// The same, and AWS has never seen the call.
fn kept_from_aws() -> Value {
    json!({ "status": 200, "body": "<html>sign in</html>" })
}

struct Case<'a> {
    account: &'a Account,
    home: Home,
    user: User,
}

impl<'a> Case<'a> {
    fn new(account: &'a Account, name: &str) -> Self {
        let user = account.user(name);
        let home = Home::on(account);
        home.settings("verify_every = 5ms\nverify_for = 600ms");
        home.write_credentials(section("dev", &user));
        Self { account, home, user }
    }

    /// How many calls a command makes when nothing goes wrong.
    fn calls_of(&self, command: &[&str]) -> usize {
        self.account.clear_calls();
        self.home.keyagent(command).exits(0);
        self.account.calls().len()
    }

    /// Runs the command while its call of that number goes wrong, recovers, and asserts the invariants.
    #[track_caller]
    fn survives(&self, command: &[&str], fault: &Value, number: usize) {
        let told = format!("call {number} of {command:?} under {fault}");
        let mut fault = fault.clone();
        fault["skip"] = json!(number);
        self.account.fault(&fault);
        let run = self.home.keyagent(command);
        self.account.clear_faults();
        assert!(run.code == 0 || run.code == 2, "{told}: {}", run.everything());
        self.is_let_in(&told);
        if self.home.keyagent(&["recover", "--yes"]).code != 0 {
            std::thread::sleep(std::time::Duration::from_millis(700));
            self.home.keyagent(&["recover", "--yes"]).exits(0);
        }
        if run.code != 0 {
            self.is_let_in(&told);
        }
        let held = String::from_utf8(self.home.credentials()).unwrap();
        let secrets = self.home.join(".local/state/keyagent/secrets");
        let keys = self.account.keys_of(&self.user);
        let active = keys.values().filter(|status| *status == "Active").count();
        assert_eq!(active, 1, "{told}: {keys:?}, {}", run.everything());
        for id in keys.into_keys() {
            assert!(
                held.contains(&id) || secrets.join(&id).exists(),
                "{told}: nobody has the secret of {id}"
            );
        }
    }

    #[track_caller]
    fn is_let_in(&self, told: &str) {
        let run = self
            .home
            .aws(self.account, &["sts", "get-caller-identity", "--profile", "dev"]);
        assert!(
            run.code == 0 && run.stdout.contains(&self.user.arn),
            "{told}: {}",
            run.everything()
        );
    }
}

#[test]
fn each_call_of_a_rotation_may_go_wrong_once() {
    let account = Account::start();
    let calls = Case::new(&account, "count").calls_of(ROTATE);
    for (kind, fault) in [
        lost_reply(),
        server_error(),
        throttled(),
        delayed(),
        not_aws(),
        kept_from_aws(),
    ]
    .iter()
    .enumerate()
    {
        for number in 0..calls {
            let case = Case::new(&account, &format!("rotate-{kind}-{number}"));
            case.survives(ROTATE, fault, number);
        }
    }
}

#[test]
fn each_call_of_an_undo_may_go_wrong_once() {
    let account = Account::start();
    let first = Case::new(&account, "count");
    first.home.keyagent(ROTATE).exits(0);
    let calls = first.calls_of(UNDO);
    for (kind, fault) in [lost_reply(), server_error(), throttled(), kept_from_aws()]
        .iter()
        .enumerate()
    {
        for number in 0..calls {
            let case = Case::new(&account, &format!("undo-{kind}-{number}"));
            case.home.keyagent(ROTATE).exits(0);
            case.survives(UNDO, fault, number);
        }
    }
}

#[test]
fn a_new_key_that_is_refused_for_eight_seconds_and_then_flaps_is_waited_for() {
    let account = Account::start();
    let case = Case::new(&account, "late");
    account.come_of_age(&case.user.access_key_id);
    case.home.settings("verify_every = 100ms\nverify_for = 60s");
    account.set(&json!({ "consistency": 8, "flap_every": 10, "flap_for": 11 }));
    case.home.keyagent(ROTATE).exits(0);
    account.set(&json!({ "consistency": 0, "flap_every": 0 }));
    case.is_let_in("after the flapping");
    assert_eq!(account.keys_of(&case.user)[&case.user.access_key_id], "Inactive");
}
