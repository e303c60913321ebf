//! SIGKILL at every marked point of the real process, and another program that writes there. The marked points are
//! in builds with the feature `checkpoints` alone.

use std::time::Duration;

use serde_json::json;

use crate::support::cloud::{Account, User};
use crate::support::parked::Parked;
use crate::support::{Home, Run, section};

const ROTATE: &[&str] = &["rotate", "-p", "dev", "--yes"];
const UNDO: &[&str] = &["undo", "-p", "dev", "--yes"];
const RETIRE: &[&str] = &["retire", "--yes"];

/// In the order in which a rotation comes to them.
const ROTATING: &[&str] = &[
    "planned",
    "intended-CreateKey",
    "key-made",
    "secret-stored",
    "key-created",
    "key-verified",
    "intended-Install",
    "file-replaced",
    "installed",
    "intended-DeactivateOldKey",
    "old-key-updated",
    "old-key-inactive",
];
const UNDOING: &[&str] = &[
    "undoing",
    "intended-ActivateOldKey",
    "old-key-activated",
    "old-key-active",
    "old-key-verified",
    "intended-InstallOldPair",
    "file-replaced",
    "old-pair-installed",
    "intended-DeactivateNewKey",
    "new-key-updated",
    "undone",
];
const RETIRING: &[&str] = &["intended-DeleteOldKey", "superseded-key-deleted", "deleted"];
const BACKING_OUT: &[&str] = &["aborting", "intended-DeleteNewKey", "new-key-deleted", "aborted"];

/// A user of a shared account, and a home of their own.
struct Case<'a> {
    account: &'a Account,
    home: Home,
    user: User,
    before: String,
}

impl<'a> Case<'a> {
    fn new(account: &'a Account, name: &str) -> Self {
        let user = account.user(name);
        let home = Home::on(account);
        // A call that never took effect counts as such after verify_for.
        home.settings("verify_every = 5ms\nverify_for = 600ms\ngrace_days = 0");
        let before = format!(
            "; kept\n[other]\nregion = eu-west-1\n{}# the end",
            section("dev", &user)
        );
        home.write_credentials(&before);
        Self {
            account,
            home,
            user,
            before,
        }
    }

    /// Starts keyagent and waits until it has come to the point.
    fn parked(&self, arguments: &[&str], point: &str) -> Parked {
        Parked::start(&self.home, arguments, point)
    }

    /// The file holds a pair that AWS accepts, and every other byte is the same.
    #[track_caller]
    fn nobody_is_locked_out(&self, point: &str) {
        let run = self
            .home
            .aws(self.account, &["sts", "get-caller-identity", "--profile", "dev"]);
        assert!(
            run.code == 0 && run.stdout.contains(&self.user.arn),
            "{point}: {}",
            run.everything()
        );
        assert_eq!(
            without_values(&self.home.credentials()),
            without_values(self.before.as_bytes()),
            "{point}"
        );
    }

    /// After `recover`: every key of the user is in the file, or its secret is in the store.
    #[track_caller]
    fn no_key_is_orphaned(&self, point: &str) {
        let held = String::from_utf8(self.home.credentials()).unwrap();
        let secrets = self.home.join(".local/state/keyagent/secrets");
        for id in self.account.keys_of(&self.user).into_keys() {
            assert!(
                held.contains(&id) || secrets.join(&id).exists(),
                "{point}: nobody has the secret of {id}"
            );
        }
    }

    /// `recover` finishes or backs out, if need be once AWS's list is settled.
    #[track_caller]
    fn recover(&self, point: &str) {
        let run = self.home.keyagent(&["recover", "--yes"]);
        if run.code != 0 {
            assert!(run.stderr.contains("not known yet"), "{point}: {}", run.stderr);
            std::thread::sleep(Duration::from_millis(700));
            self.home.keyagent(&["recover", "--yes"]).exits(0);
        }
        let again = self.home.keyagent(&["recover", "--yes"]).exits(0);
        assert!(
            again.stderr.contains("nothing was interrupted"),
            "{point}: {}",
            again.stderr
        );
    }

    /// Kills keyagent at the point and asserts everything that must hold then.
    #[track_caller]
    fn survives_a_kill(&self, arguments: &[&str], point: &str) {
        self.parked(arguments, point).kill();
        self.nobody_is_locked_out(point);
        self.recover(point);
        self.nobody_is_locked_out(point);
        self.no_key_is_orphaned(point);
    }
}

/// The file with both values cut out.
fn without_values(content: &[u8]) -> String {
    let text = String::from_utf8(content.to_vec()).unwrap();
    let lines = text
        .split_inclusive('\n')
        .map(|line| match line.split_once(" = ") {
            Some((name, _)) if name.starts_with("aws_") => format!("{name} = …\n"),
            _ => line.to_owned(),
        });
    lines.collect()
}

fn name(command: &str, point: &str) -> String {
    format!("{command}-{}", point.to_lowercase())
}

#[test]
fn a_rotation_killed_anywhere_locks_nobody_out() {
    let account = Account::start();
    for point in ROTATING {
        let case = Case::new(&account, &name("rotate", point));
        case.survives_a_kill(ROTATE, point);
        // The way is free for the next one.
        case.home.keyagent(ROTATE).exits(0);
        case.nobody_is_locked_out(point);
    }
}

#[test]
fn an_undo_killed_anywhere_locks_nobody_out() {
    let account = Account::start();
    for point in UNDOING {
        let case = Case::new(&account, &name("undo", point));
        case.home.keyagent(ROTATE).exits(0);
        case.survives_a_kill(UNDO, point);
        assert!(
            String::from_utf8(case.home.credentials())
                .unwrap()
                .contains(&case.user.access_key_id),
            "{point}: recover finishes the undo"
        );
    }
}

/// Between one file and the next, too: a file of `also_update` comes after AWS's own.
#[test]
fn a_further_file_holds_the_same_pair_after_a_kill_anywhere() {
    let account = Account::start();
    for (command, points) in [(ROTATE, ROTATING), (UNDO, UNDOING)] {
        for point in points {
            let case = Case::new(&account, &name(&format!("also-{}", command[0]), point));
            case.home
                .settings("verify_every = 5ms\nverify_for = 600ms\ngrace_days = 0\nalso_update = ~/.env");
            let id_and_secret = |content: Vec<u8>| {
                let text = String::from_utf8(content).unwrap();
                let values = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("aws_")?.split_once('='));
                values
                    .map(|(_, value)| value.trim().to_owned())
                    .collect::<Vec<_>>()
            };
            let User {
                access_key_id,
                secret_access_key,
                ..
            } = &case.user;
            case.home.write(
                ".env",
                format!("aws_id={access_key_id}\naws_secret={secret_access_key}\n"),
            );
            if command == UNDO {
                case.home.keyagent(ROTATE).exits(0);
            }
            case.survives_a_kill(command, point);
            let other = std::fs::read(case.home.join(".env")).unwrap();
            assert_eq!(
                id_and_secret(other),
                id_and_secret(case.home.credentials()),
                "{point}"
            );
        }
    }
}

#[test]
fn a_retirement_killed_anywhere_locks_nobody_out() {
    let account = Account::start();
    for point in RETIRING {
        let case = Case::new(&account, &name("retire", point));
        case.home.keyagent(ROTATE).exits(0);
        case.survives_a_kill(RETIRE, point);
        assert_eq!(
            case.account.keys_of(&case.user).len(),
            1,
            "{point}: recover finishes the deletion"
        );
    }
}

#[test]
fn backing_out_killed_anywhere_leaves_all_as_it_was() {
    for point in BACKING_OUT {
        let account = Account::start();
        let case = Case::new(&account, &name("out", point));
        account.set(&json!({ "consistency": 3600 }));
        // The user's own key was made just now, too.
        account.come_of_age(&case.user.access_key_id);
        case.parked(ROTATE, point).kill();
        account.set(&json!({ "consistency": 0 }));
        case.nobody_is_locked_out(point);
        case.recover(point);
        assert_eq!(case.home.credentials(), case.before.as_bytes(), "{point}");
        assert_eq!(account.keys_of(&case.user).len(), 1, "{point}");
    }
}

#[test]
fn another_programs_edit_at_any_point_is_kept() {
    let account = Account::start();
    for (command, points) in [(ROTATE, ROTATING), (UNDO, UNDOING)] {
        for point in points {
            let case = Case::new(&account, &name(&format!("edit-{}", command[0]), point));
            if command == UNDO {
                case.home.keyagent(ROTATE).exits(0);
            }
            let parked = case.parked(command, point);
            // The AWS CLI truncates the file and writes it anew, without a lock.
            case.home
                .aws(
                    &account,
                    &[
                        "configure",
                        "set",
                        "aws_session_token",
                        "theirs",
                        "--profile",
                        "third",
                    ],
                )
                .exits(0);
            let run = parked.go_on().exits(0);
            let now = String::from_utf8(case.home.credentials()).unwrap();
            assert!(
                now.contains("[third]\naws_session_token = theirs"),
                "{point}: {now}\n{}",
                run.stderr
            );
            case.home
                .aws(&account, &["sts", "get-caller-identity", "--profile", "dev"])
                .exits(0);
            case.no_key_is_orphaned(point);
        }
    }
}

/// The disk is full from that point on: no file of the process grows any more.
#[test]
fn a_disk_that_fills_at_any_point_locks_nobody_out() {
    let account = Account::start();
    for (command, points) in [(ROTATE, ROTATING), (UNDO, UNDOING)] {
        for point in points {
            let case = Case::new(&account, &name(&format!("full-{}", command[0]), point));
            if command == UNDO {
                case.home.keyagent(ROTATE).exits(0);
            }
            let parked = case.parked(command, point);
            let id = parked.id().to_string();
            let limit = ["--pid", &id, "--fsize=1"];
            case.home.run("/usr/bin/prlimit".as_ref(), &limit).exits(0);
            let run = parked.go_on();
            let is_over = ["old-key-inactive", "undone"].contains(point);
            assert_eq!(
                run.code,
                if is_over { 0 } else { 2 },
                "{point}: {}",
                run.everything()
            );
            case.nobody_is_locked_out(point);
            case.recover(point);
            case.nobody_is_locked_out(point);
            case.no_key_is_orphaned(point);
        }
    }
}

#[test]
fn two_keyagents_do_not_meet_in_one_file_and_name_each_other() {
    let account = Account::start();
    let case = Case::new(&account, "ann");
    let parked = case.parked(ROTATE, "key-created");
    for command in [ROTATE, UNDO, &["recover", "--yes"]] {
        case.home
            .keyagent(command)
            .fails_with("cannot", "keyagent rotate (process", "wait for it");
    }
    // Another file is another matter, and shares the journal.
    let other = account.user("bob");
    let file = case.home.write("elsewhere", section("dev", &other));
    let output = case
        .home
        .command(env!("CARGO_BIN_EXE_keyagent").as_ref(), ROTATE)
        .env("AWS_SHARED_CREDENTIALS_FILE", file)
        .output()
        .unwrap();
    Run::of(&output).exits(0);
    parked.go_on().exits(0);
    case.nobody_is_locked_out("after both");
    let run = case.home.keyagent(&["recover", "--yes"]).exits(0);
    assert!(run.stderr.contains("nothing was interrupted"), "{}", run.stderr);
    assert_eq!(account.keys_of(&other).len(), 2);
}
