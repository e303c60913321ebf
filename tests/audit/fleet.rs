//! Many accounts: roles in each, failures that hide nothing, and results that are whole or not there.

use std::fs;

use serde_json::{Value, json};

use super::live::counted;
use crate::support::cloud::Account;
use crate::support::{Home, Run, section};

const OWN: &str = "123456789012";
const FAIR: &str = "222222222222";
const BAD: &str = "333333333333";
const CLOSED: &str = "444444444444";

fn packaged(policy: &str) -> Value {
    serde_json::from_str(policy).unwrap()
}

fn of_accounts() -> Value {
    packaged(include_str!("../../packaging/iam-policies/audit-accounts.json"))
}

/// An auditor and two accounts that let one in: the first has one key that is too old, the second three.
struct Scene {
    account: Account,
    home: Home,
}

impl Scene {
    fn new() -> Self {
        let account = Account::start();
        let auditor = account.user_with_policy("auditor", &of_accounts());
        let home = Home::on(&account);
        home.write_credentials(section("default", &auditor));
        let scene = Self { account, home };
        for (id, keys) in [(FAIR, 1), (BAD, 3)] {
            scene.let_in(id);
            scene.account.users_in(id, keys, 100);
        }
        scene
    }

    /// Makes the role in an account.
    fn let_in(&self, account_id: &str) {
        self.account.role(&json!({
            "account": account_id, "name": "keyagent-audit", "external_id": "shared",
            "policy": packaged(include_str!("../../packaging/iam-policies/audit.json")),
        }));
    }

    fn audit(&self, which: &[&str], further: &[&str]) -> Run {
        self.home.keyagent(&arguments(which, further))
    }

    fn by_id(&self, ids: &[&str], further: &[&str]) -> Run {
        self.audit(&["--accounts", &ids.join(",")], further)
    }

    fn folder(&self, account_id: &str) -> std::path::PathBuf {
        let account = self.home.join(&format!("results/accountId={account_id}"));
        let days: Vec<_> = fs::read_dir(&account)
            .map(|days| days.map(|day| day.unwrap().path()).collect())
            .unwrap_or_default();
        assert!(days.len() < 2, "{days:?}");
        days.into_iter().next().unwrap_or(account)
    }

    /// The failures in the file of an account; `None` without one.
    fn failures(&self, account_id: &str) -> Option<usize> {
        let text = fs::read_to_string(self.folder(account_id).join("audit.ndjson")).ok()?;
        let findings = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        Some(
            findings
                .inspect(|finding| assert_eq!(finding["account_id"], account_id))
                .filter(|finding| finding["result"] == "fail")
                .count(),
        )
    }

    fn assumed(&self) -> usize {
        counted(&self.account).get("AssumeRole").copied().unwrap_or(0)
    }
}

fn arguments<'a>(which: &[&'a str], further: &[&'a str]) -> Vec<&'a str> {
    let role = ["--role-name", "keyagent-audit", "--external-id", "shared"];
    [&["audit"], which, &role, &["--out", "results"], further].concat()
}

/// The accounts of the table on stdout, in its order.
fn rows(run: &Run) -> Vec<&str> {
    let rows = run
        .stdout
        .lines()
        .filter(|line| line.starts_with(['✗', '✓', '?']));
    rows.map(|line| line.split_whitespace().nth(1).unwrap()).collect()
}

#[test]
fn one_accounts_failure_hides_no_others_and_the_worst_is_first() {
    let scene = Scene::new();
    let run = scene.by_id(&[CLOSED, FAIR, BAD, FAIR], &[]).fails_with(
        "cannot assume arn:aws:iam::444444444444:role/keyagent-audit",
        "or the role does not trust the user",
        "aws iam get-role",
    );
    assert_eq!(rows(&run), [BAD, FAIR]);
    // Never used for a hundred days, and too old: two failures a key.
    assert_eq!((scene.failures(FAIR), scene.failures(BAD)), (Some(2), Some(6)));
    assert_eq!(scene.failures(CLOSED), None);
    assert!(
        run.stdout.contains("not audited whole\n  444444444444\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("3 accounts, 8 failed rules, 1 not audited whole"),
        "{}",
        run.stdout
    );
    assert!(
        !run.stderr.contains("auditing"),
        "progress on a pipe: {}",
        run.stderr
    );
    for line in run.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_eq!(scene.assumed(), 3);
}

#[test]
fn what_is_whole_today_is_not_audited_again() {
    let scene = Scene::new();
    let all = [FAIR, BAD, CLOSED];
    scene.by_id(&all, &[]).exits(2);
    scene.let_in(CLOSED);
    scene.account.clear_calls();
    let run = scene.by_id(&all, &["--resume"]).exits(1);
    assert_eq!(scene.assumed(), 1);
    assert_eq!(rows(&run), [BAD, FAIR, CLOSED]);
    assert!(run.stdout.contains("2 from earlier today"), "{}", run.stdout);
    // On other terms nothing stands; without --resume neither.
    for (further, count) in [
        (&["--resume", "--max-age-days", "365"][..], 3),
        (&["--resume", "--via", "list"], 3),
        (&["--resume", "--format", "ocsf"], 3),
        (&["--resume", "--format", "ocsf"], 0),
        (&[], 3),
    ] {
        scene.account.clear_calls();
        scene.by_id(&all, further);
        assert_eq!(scene.assumed(), count, "{further:?}");
    }
    // Nor does a file that is not what its record says.
    let path = scene.folder(BAD).join("audit.ndjson");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    scene.account.clear_calls();
    scene.by_id(&all, &["--resume"]).exits(1);
    assert_eq!(scene.assumed(), 1);
    assert_eq!(scene.failures(BAD), Some(6));
}

#[test]
fn what_could_not_be_evaluated_whole_is_audited_again() {
    let scene = Scene::new();
    scene
        .account
        .set(&json!({ "cut_report": ",false,N/A,false,N/A" }));
    let run = scene.by_id(&[FAIR, BAD], &[]).exits(2);
    assert_eq!((scene.failures(FAIR), scene.failures(BAD)), (None, None));
    assert!(scene.folder(BAD).join("_audit.ndjson.partial").exists());
    assert!(run.stderr.contains("222222222222"), "{}", run.stderr);
    assert!(run.stdout.contains("2 not audited whole"), "{}", run.stdout);
    scene.account.set(&json!({ "cut_report": "" }));
    let run = scene.by_id(&[FAIR, BAD], &["--resume"]).exits(1);
    assert_eq!(rows(&run), [BAD, FAIR]);
    assert_eq!(scene.failures(BAD), Some(6));
    assert!(!scene.folder(BAD).join("_audit.ndjson.partial").exists());
}

#[cfg(feature = "checkpoints")]
#[test]
fn after_a_kill_nothing_half_written_counts() {
    use crate::support::parked::Parked;

    let scene = Scene::new();
    let all = ["--accounts", "222222222222,333333333333"];
    let parked = Parked::start(&scene.home, &arguments(&all, &[]), "account-filing");
    // Nobody else may file there meanwhile.
    scene
        .audit(&all, &[])
        .fails_with("cannot file results in results", "process", "ls -ld results");
    parked.kill();
    assert_eq!((scene.failures(FAIR), scene.failures(BAD)), (None, None));
    Parked::start(&scene.home, &arguments(&all, &[]), "account-audited").kill();
    let filed = [FAIR, BAD]
        .iter()
        .filter(|id| scene.failures(id).is_some())
        .count();
    assert!(filed > 0, "an account is filed as soon as it is audited");
    scene.account.clear_calls();
    let run = scene.audit(&all, &["--resume"]).exits(1);
    assert_eq!(scene.assumed(), 2 - filed);
    assert_eq!(rows(&run), [BAD, FAIR]);
    assert_eq!((scene.failures(FAIR), scene.failures(BAD)), (Some(2), Some(6)));
}

#[test]
fn the_organization_names_its_accounts() {
    let scene = Scene::new();
    scene.account.organization(&json!({
        FAIR: ["payments", "ACTIVE"], BAD: ["legacy", "ACTIVE"], CLOSED: ["old", "SUSPENDED"],
    }));
    let mut policy = of_accounts();
    let own = packaged(include_str!("../../packaging/iam-policies/audit.json"));
    policy["Statement"]
        .as_array_mut()
        .unwrap()
        .extend(own["Statement"].as_array().unwrap().iter().cloned());
    let auditor = scene.account.user_with_policy("hub", &policy);
    scene.home.write_credentials(section("default", &auditor));
    scene.account.clear_calls();
    let run = scene.audit(&["--organization"], &[]).exits(1);
    assert_eq!(rows(&run), [BAD, FAIR, OWN]);
    assert!(run.stdout.contains("legacy"), "{}", run.stdout);
    assert!(
        run.stderr
            .contains("note: not audited, for they are not active: 444444444444"),
        "{}",
        run.stderr
    );
    // The account that signs needs no role of its own.
    assert_eq!(scene.assumed(), 2);
    assert_eq!(scene.failures(OWN), Some(0));
    let on_terminal = scene
        .home
        .on_a_terminal(&scene.account, &[], &arguments(&["--organization"], &[]));
    assert!(
        on_terminal.stdout.contains("auditing") && on_terminal.stdout.contains("of 3 accounts"),
        "{}",
        on_terminal.stdout
    );
}

#[test]
fn one_code_serves_all_accounts() {
    let scene = Scene::new();
    let serial = "arn:aws:iam::123456789012:mfa/auditor";
    for id in ["555555555555", "666666666666"] {
        scene.account.role(&json!({
            "account": id, "name": "with-mfa", "mfa": true,
            "policy": packaged(include_str!("../../packaging/iam-policies/audit-list.json")),
        }));
        scene.account.users_in(id, 1, 100);
    }
    let mut policy = of_accounts();
    policy["Statement"][0]["Resource"] = json!("arn:aws:iam::*:role/with-mfa");
    let auditor = scene.account.user_with_policy("careful", &policy);
    scene.home.write_credentials(section("default", &auditor));
    scene.home.settings(&format!("mfa_serial = {serial}"));
    scene.account.set(&json!({ "mfa_once": true }));
    let audit = [
        "audit",
        "--accounts",
        "555555555555,666666666666",
        "--role-name",
        "with-mfa",
        "--out",
        "results",
        "--via",
        "list",
    ];
    scene.home.keyagent(&audit).fails_with(
        "cannot assume arn:aws:iam::555555555555:role/with-mfa",
        "does not trust the user",
        "or MFA",
    );
    scene.account.clear_calls();
    let run = scene
        .home
        .keyagent(&[&audit[..], &["--mfa-code", "123456"]].concat())
        .exits(1);
    assert_eq!(rows(&run), ["555555555555", "666666666666"]);
    assert_eq!(counted(&scene.account)["GetSessionToken"], 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_is_asked() {
    let scene = Scene::new();
    scene.home.write("results", "a file");
    scene.account.clear_calls();
    scene
        .by_id(&[FAIR], &[])
        .fails_with("cannot file results in results", "results", "ls -ld results");
    assert_eq!(scene.account.calls().len(), 0);
}

#[test]
fn the_policy_is_enough_and_each_action_is_needed() {
    let scene = Scene::new();
    scene
        .account
        .organization(&json!({ FAIR: ["payments", "ACTIVE"], OWN: ["hub", "SUSPENDED"] }));
    let mut number = 0;
    let mut run = |policy: &Value| {
        number += 1;
        let auditor = scene
            .account
            .user_with_policy(&format!("auditor-{number}"), policy);
        scene.home.write_credentials(section("default", &auditor));
        scene.audit(&["--organization"], &[])
    };
    let whole = of_accounts();
    // moto lists the account itself too, which may not be read: whatever is said is said of that one.
    let told = run(&whole);
    assert_eq!(rows(&told), [FAIR], "{}", told.everything());
    let mut less = whole.clone();
    less["Statement"].as_array_mut().unwrap().remove(0);
    run(&less).fails_with(
        "cannot assume arn:aws:iam::222222222222:role/keyagent-audit",
        "sts:AssumeRole",
        "aws iam get-role",
    );
    let mut less = whole;
    less["Statement"].as_array_mut().unwrap().remove(1);
    run(&less).fails_with(
        "cannot audit the account with profile default",
        "no policy allows organizations:ListAccounts",
        "--accounts",
    );
}

#[test]
fn what_does_not_go_together_is_a_usage_error() {
    let home = Home::new();
    for (arguments, words) in [
        (&["--accounts", "222222222222"][..], "--role-name"),
        (&["--organization", "--role-name", "x"], "--out"),
        (
            &["--accounts", "2222", "--role-name", "x", "--out", "d"],
            "twelve digits",
        ),
        (
            &[
                "--accounts",
                "222222222222",
                "--organization",
                "--role-name",
                "x",
                "--out",
                "d",
            ],
            "cannot be used with",
        ),
        (&["--resume"], "--accounts"),
        (&["--role-name", "x"], "--accounts"),
        (
            &[
                "--organization",
                "--role-name",
                "x",
                "--out",
                "d",
                "--report",
                "r.csv",
            ],
            "cannot be used with",
        ),
    ] {
        let run = home.keyagent(&[&["audit"], arguments].concat()).exits(2);
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
    }
}
