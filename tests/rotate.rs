//! `keyagent rotate` and `recover`: nobody is locked out, no byte outside the values changes. The real AWS CLI and
//! botocore are the witnesses.

use serde_json::json;

use crate::support::cloud::{Account, User};
use crate::support::{Home, Run, section};

mod also_update;
mod choice;
mod disk;
mod documents;
mod faults;
#[cfg(unix)]
mod interrupt;
#[cfg(target_os = "linux")]
mod keyring;
#[cfg(feature = "checkpoints")]
mod kill;
mod mfa;
mod policy;
mod put_back;
mod retire;
mod terminal;
mod undo;

const ROTATE: &[&str] = &["rotate", "-p", "dev", "--yes"];

/// An account with one user, whose key a home holds as profile `dev`.
struct Scene {
    account: Account,
    home: Home,
    user: User,
}

impl Scene {
    fn new() -> Self {
        let account = Account::start();
        let user = account.user("ann");
        let home = Home::on(&account);
        home.write_credentials(section("dev", &user));
        Self { account, home, user }
    }

    /// The key that is not the old one, if there is one.
    fn new_key(&self) -> Option<String> {
        self.account
            .keys()
            .into_keys()
            .find(|id| *id != self.user.access_key_id)
    }

    /// What must hold at every moment: the CLI is let in with what the file holds.
    #[track_caller]
    fn the_cli_is_let_in(&self) {
        let run = self
            .home
            .aws(&self.account, &["sts", "get-caller-identity", "--profile", "dev"])
            .exits(0);
        assert!(run.stdout.contains(&self.user.arn));
    }

    #[track_caller]
    fn nothing_has_changed(&self, before: &[u8]) {
        assert_eq!(self.home.credentials(), before);
        assert_eq!(
            self.account.keys().into_iter().collect::<Vec<_>>(),
            [(self.user.access_key_id.clone(), "Active".to_owned())]
        );
        self.the_cli_is_let_in();
    }

    /// Once a superseded key is deleted, nobody needs a secret any more.
    #[track_caller]
    fn no_secret_is_kept(&self) {
        let folder = self.home.join(".local/state/keyagent/secrets");
        let kept: Vec<_> = folder
            .read_dir()
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert!(kept.is_empty(), "{kept:?}");
    }

    #[track_caller]
    fn no_secret_in(&self, run: &Run) {
        assert!(!run.everything().contains(&self.user.secret_access_key));
        let held = String::from_utf8(self.home.credentials()).unwrap();
        for line in held.lines().filter(|line| line.contains("secret")) {
            let secret = line.split('=').nth(1).unwrap().trim();
            assert!(!run.everything().contains(secret));
            let journal =
                std::fs::read_to_string(self.home.join(".local/state/keyagent/journal")).unwrap_or_default();
            assert!(!journal.contains(secret));
        }
    }
}

#[test]
fn the_key_is_replaced_and_every_other_byte_stays() {
    let scene = Scene::new();
    let pair = |id: &str, secret: &str| {
        format!(
            "# my keys ; do not touch\r\n\r\n[other]\r\nregion= eu-west-1\r\n[dev]\r\nAWS_ACCESS_KEY_ID={id} \r\n; between\r\n\
             aws_secret_access_key =\t{secret}\r\noutput = json\r\n\r\n[team/dev@x]\r\naws_secret_access_key={secret}\r\n\
             aws_access_key_id={id}"
        )
    };
    scene
        .home
        .write_credentials(pair(&scene.user.access_key_id, &scene.user.secret_access_key));
    scene.the_cli_is_let_in();
    let run = scene
        .home
        .keyagent(&[ROTATE, &["--format", "json"]].concat())
        .exits(0);
    scene.no_secret_in(&run);
    let report = run.json();
    assert_eq!(report["schema"], "keyagent.rotate/1");
    let rotation = &report["rotations"][0];
    assert_eq!(rotation["state"], "OldKeyInactive");
    assert_eq!(rotation["profiles"], json!(["dev", "team/dev@x"]));
    assert_eq!(rotation["old_access_key_id"], json!(scene.user.access_key_id));
    assert!(rotation["undo_until"].is_string());
    let new = scene.new_key().unwrap();
    assert_eq!(rotation["new_access_key_id"], json!(new));
    // The new secret is known only from the file: take it from there, and compare all the rest.
    let now = String::from_utf8(scene.home.credentials()).unwrap();
    let secret = now
        .rsplit("aws_secret_access_key=")
        .next()
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(now, pair(&new, &secret));
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    scene.the_cli_is_let_in();
    let script =
        "import botocore.session as s; print(s.Session(profile='team/dev@x').get_credentials().access_key)";
    let witness = scene
        .home
        .run(&scene.account.program("python"), &["-c", script])
        .exits(0);
    assert_eq!(witness.stdout.trim(), new);
}

#[test]
fn a_rotation_makes_at_most_twelve_calls() {
    let scene = Scene::new();
    scene.account.clear_calls();
    scene.home.keyagent(ROTATE).exits(0);
    let calls = scene.account.calls();
    assert!(calls.len() <= 12, "{calls:?}");
}

#[cfg(unix)]
#[test]
fn link_and_mode_stay_and_secrets_lie_where_nobody_else_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let file = scene.home.join(".aws/credentials");
    let target = scene
        .home
        .write("dotfiles/aws-credentials", scene.home.credentials());
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("../dotfiles/aws-credentials", &file).unwrap();
    scene.home.keyagent(ROTATE).exits(0);
    assert!(file.symlink_metadata().unwrap().is_symlink());
    assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    let secrets = scene.home.join(".local/state/keyagent/secrets");
    let kept: Vec<_> = secrets.read_dir().unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(
        kept.len(),
        2,
        "both secrets are kept as long as the rotation can be taken back"
    );
    for file in kept {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    scene.the_cli_is_let_in();
}

#[test]
fn a_new_key_that_is_late_and_flaps_is_waited_for() {
    let scene = Scene::new();
    scene
        .account
        .set(&json!({ "consistency": 1, "flap_every": 4, "flap_for": 2 }));
    scene.home.keyagent(ROTATE).exits(0);
    scene.account.set(&json!({ "consistency": 0, "flap_every": 0 }));
    scene.the_cli_is_let_in();
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
}

#[test]
fn a_key_that_aws_never_accepts_is_deleted_again() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    scene.home.settings("verify_every = 20ms\nverify_for = 1s");
    scene.account.set(&json!({ "consistency": 3600 }));
    let run = scene
        .home
        .keyagent(ROTATE)
        .fails_with("dev", "did not accept", "nothing is changed");
    scene.no_secret_in(&run);
    scene.nothing_has_changed(&before);
}

#[test]
fn a_dry_run_and_an_unanswered_question_change_nothing() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    let plan = scene
        .home
        .keyagent(&["rotate", "-p", "dev", "--dry-run"])
        .exits(0);
    assert!(plan.stdout.contains("lines 2 and 3"), "{}", plan.stdout);
    scene
        .home
        .keyagent(&["rotate", "-p", "dev"])
        .fails_with("without an answer", "no terminal", "--yes");
    scene.nothing_has_changed(&before);
    let calls = scene.account.calls();
    assert!(
        calls.iter().all(|call| ["Get", "List", "Simulate"]
            .iter()
            .any(|verb| call.action.starts_with(verb))),
        "{calls:?}"
    );
}

#[test]
fn with_two_keys_both_are_named_and_none_is_touched() {
    let scene = Scene::new();
    let other = scene.account.add_key(&scene.user);
    scene.account.last_used(&other, 3, "s3");
    let run = scene
        .home
        .keyagent(ROTATE)
        .fails_with("dev", &other, "aws iam delete-access-key");
    assert!(
        run.stderr.contains(&scene.user.access_key_id) && run.stderr.contains("with s3"),
        "{}",
        run.stderr
    );
    assert_eq!(scene.account.keys().len(), 2);
    assert!(scene.account.keys().values().all(|status| status == "Active"));
}

#[test]
fn a_lost_reply_to_create_access_key_is_settled_by_recover() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    scene
        .account
        .fault(&json!({ "action": "CreateAccessKey", "when": "after", "drop": true }));
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("dev", "unknown", "keyagent recover");
    assert_eq!(scene.account.keys().len(), 2, "the call took effect");
    assert_eq!(
        scene
            .account
            .calls()
            .iter()
            .filter(|call| call.action == "CreateAccessKey")
            .count(),
        1
    );
    scene.the_cli_is_let_in();
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("dev", "interrupted", "keyagent recover");
    scene
        .home
        .keyagent(&["recover"])
        .fails_with("recover", "no terminal", "keyagent recover --yes");
    scene.home.keyagent(&["recover", "--yes"]).exits(0);
    scene.nothing_has_changed(&before);
    scene.home.keyagent(ROTATE).exits(0);
    scene.the_cli_is_let_in();
}

#[test]
fn an_orphan_that_somebody_has_used_is_not_touched() {
    let scene = Scene::new();
    scene
        .account
        .fault(&json!({ "action": "CreateAccessKey", "when": "after", "drop": true }));
    scene.home.keyagent(ROTATE).exits(2);
    scene.account.last_used(&scene.new_key().unwrap(), 0, "s3");
    let theirs = scene.new_key().unwrap();
    let run = scene.home.keyagent(&["recover", "--yes"]).exits(0);
    assert!(
        run.stderr.contains(&theirs) && run.stderr.contains("left alone"),
        "{}",
        run.stderr
    );
    assert_eq!(scene.account.keys().len(), 2);
}

#[test]
fn a_call_that_never_arrived_is_forgotten_once_awss_list_is_settled() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    scene.home.settings("verify_every = 20ms\nverify_for = 1s");
    scene
        .account
        .fault(&json!({ "action": "CreateAccessKey", "drop": true }));
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("dev", "unknown", "keyagent recover");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    scene.home.keyagent(&["recover", "--yes"]).exits(0);
    scene.nothing_has_changed(&before);
}

#[test]
fn when_the_old_key_cannot_be_made_inactive_recover_does_it_later() {
    let scene = Scene::new();
    scene
        .account
        .fault(&json!({ "action": "UpdateAccessKey", "times": 2, "status": 403, "code": "AccessDenied" }));
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("dev", "iam:UpdateAccessKey", "ask for");
    scene.the_cli_is_let_in();
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Active");
    scene
        .home
        .keyagent(&["recover", "--yes"])
        .fails_with("recover", "iam:UpdateAccessKey", "ask for");
    scene.home.keyagent(&["recover", "--yes"]).exits(0);
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    scene.the_cli_is_let_in();
}

#[test]
fn an_old_pair_that_another_program_put_back_is_replaced_again() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    scene
        .account
        .fault(&json!({ "action": "UpdateAccessKey", "times": 1, "status": 403, "code": "AccessDenied" }));
    scene.home.keyagent(ROTATE).exits(2);
    scene.home.write_credentials(&before);
    scene.home.keyagent(&["recover", "--yes"]).exits(0);
    assert_ne!(scene.home.credentials(), before);
    assert_eq!(scene.account.keys()[&scene.user.access_key_id], "Inactive");
    scene.the_cli_is_let_in();
}

#[test]
fn shapes_that_awss_readers_see_differently_are_refused_before_a_key_is_made() {
    let scene = Scene::new();
    let (id, secret) = (&scene.user.access_key_id, &scene.user.secret_access_key);
    for (file, words) in [
        (
            format!("[dev]\naws_access_key_id = {id} # mine\naws_secret_access_key = {secret}\n"),
            "line 2",
        ),
        (
            format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n  # note\n"),
            "line 4",
        ),
        (
            format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[dev]\nregion = x\n"),
            "line 4",
        ),
        (
            format!("[ dev ]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
            "line 1",
        ),
    ] {
        scene.home.write_credentials(&file);
        let run = scene.home.keyagent(ROTATE).fails_with("dev", words, "vi");
        scene.no_secret_in(&run);
        assert_eq!(scene.home.credentials(), file.as_bytes());
    }
    assert_eq!(scene.account.keys().len(), 1);
    assert!(scene.account.calls().is_empty(), "the file is looked at first");
}

#[test]
fn what_aws_refuses_is_told_in_three_lines_and_changes_nothing() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    for (fault, cause, hint) in [
        (
            json!({ "status": 403, "code": "AccessDenied", "message": "with an explicit deny" }),
            "a policy denies",
            "an Allow does not help",
        ),
        (
            json!({ "status": 200, "body": "<html>sign in</html>" }),
            "not AWS's",
            "login page",
        ),
        (
            json!({ "status": 200, "body": "<GetCallerIdentityResp", "content_type": "text/xml" }),
            "not AWS's",
            "proxy",
        ),
        (
            json!({ "status": 403, "code": "InvalidClientTokenId" }),
            "[InvalidClientTokenId]",
            "aws configure",
        ),
    ] {
        let mut fault = fault;
        fault["action"] = json!("GetCallerIdentity");
        scene.account.fault(&fault);
        let run = scene
            .home
            .keyagent(ROTATE)
            .fails_with("cannot rotate", cause, hint);
        scene.no_secret_in(&run);
        scene.nothing_has_changed(&before);
    }
    scene.account.set(&json!({ "skew": 3600 }));
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("cannot rotate", "clock", "set-ntp");
    scene.account.set(&json!({ "skew": 0 }));
    scene.nothing_has_changed(&before);
}

#[test]
fn without_a_network_nothing_is_changed() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    let home = Home::new();
    home.write_credentials(&before);
    home.keyagent(ROTATE)
        .fails_with("cannot rotate", "cannot be reached", "HTTPS_PROXY");
    assert_eq!(home.credentials(), before);
}

#[test]
fn a_profile_that_is_unknown_or_holds_no_key_says_so() {
    let scene = Scene::new();
    scene
        .home
        .keyagent(&["rotate", "-p", "dve", "--yes"])
        .fails_with("no profile dve", "neither", "-p dev");
    scene
        .home
        .write(".aws/config", "[profile sso]\nsso_session = corp\n");
    scene.home.keyagent(&["rotate", "-p", "sso", "--yes"]).fails_with(
        "no key to rotate",
        "SSO",
        "keyagent status",
    );
}

#[test]
fn the_cli_is_let_in_while_the_key_is_being_replaced() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let scene = Scene::new();
    scene.account.set(&json!({ "consistency": 1 }));
    scene.home.settings("verify_every = 400ms\nverify_for = 10s");
    let is_over = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let witness = scope.spawn(|| {
            let mut asked = 0;
            while !is_over.load(Ordering::SeqCst) {
                let before = scene.home.credentials();
                let run = scene.home.aws(
                    &scene.account,
                    &["sts", "get-caller-identity", "--profile", "dev"],
                );
                // A process that read the old pair just before the switch signs with a key that is inactive by
                // then; one that is started again reads the new pair.
                assert!(
                    run.code == 0 || scene.home.credentials() != before,
                    "{}",
                    run.stderr
                );
                asked += 1;
            }
            asked
        });
        let run = scene.home.keyagent(ROTATE);
        is_over.store(true, Ordering::SeqCst);
        let asked = witness.join().expect("the CLI was let in every time");
        run.exits(0);
        asked
    });
    assert!(asked >= 2, "asked only {asked} times");
    scene.the_cli_is_let_in();
}
