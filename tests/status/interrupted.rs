//! What `status` says of the keys of a rotation that was interrupted, or whose record is damaged: whoever deletes one of
//! them destroys the way back.

use crate::support::cloud::{Account, User};
use crate::support::{Home, Run, section};

const ROTATE: &[&str] = &["rotate", "-p", "dev", "--yes"];

fn scene(account: &Account) -> (Home, User) {
    let user = account.user("ann");
    let home = Home::on(account);
    home.write_credentials(section("dev", &user));
    (home, user)
}

#[cfg(feature = "checkpoints")]
fn of<'a>(document: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    let keys = document["keys"].as_array().unwrap();
    keys.iter().find(|key| key["access_key_id"] == id).unwrap()
}

#[track_caller]
fn says(run: &Run, id: &str, what: &str) {
    let line = run.stdout.lines().find(|line| line.contains(id)).unwrap();
    assert!(line.ends_with(what), "{line}");
    assert!(
        run.stdout.lines().all(|line| line.chars().count() <= 80),
        "{}",
        run.stdout
    );
}

#[cfg(feature = "checkpoints")]
#[test]
fn the_key_that_undo_needs_is_named_as_such() {
    let account = Account::start();
    let note = "a rotation was interrupted; undo needs this key";
    for point in ["file-replaced", "installed", "old-key-updated"] {
        let user = account.user(point);
        let home = Home::on(&account);
        home.write_credentials(section("dev", &user));
        crate::support::parked::Parked::start(&home, ROTATE, point).kill();
        let run = home.keyagent(&["status"]).exits(0);
        says(&run, &user.access_key_id, "recover");
        assert!(run.stdout.contains(note), "{point}: {}", run.stdout);
        assert!(
            !run.stdout.contains("the user's other key"),
            "{point}: {}",
            run.stdout
        );
        let once = "\nto do:\n  keyagent recover\n\nnotes:\n";
        assert!(run.stdout.contains(once), "{point}: {}", run.stdout);
        let document = home.keyagent(&["status", "--format", "json"]).exits(0).json();
        let said = of(&document, &user.access_key_id)["note"].as_str().unwrap();
        assert_eq!(said, format!("{note}: keyagent recover"), "{point}");
        home.keyagent(&["recover", "--yes"]).exits(0);
        let document = home.keyagent(&["status", "--format", "json"]).exits(0).json();
        let said = of(&document, &user.access_key_id)["note"].as_str().unwrap();
        assert!(said.starts_with("superseded; until"), "{point}: {said}");
    }
}

/// AWS has made it, and nobody has recorded which it is.
#[cfg(feature = "checkpoints")]
#[test]
fn a_key_that_an_interrupted_rotation_may_have_made_is_not_just_any() {
    let account = Account::start();
    let (home, user) = scene(&account);
    crate::support::parked::Parked::start(&home, ROTATE, "key-made").kill();
    let run = home.keyagent(&["status"]).exits(0);
    let keys = account.keys_of(&user);
    let new = keys.keys().find(|id| **id != user.access_key_id).unwrap();
    says(&run, new, "recover");
    says(&run, &user.access_key_id, "recover");
    assert!(
        run.stdout.contains("made by a rotation that was interrupted"),
        "{}",
        run.stdout
    );
}

#[cfg(feature = "checkpoints")]
#[test]
fn a_rotation_that_goes_on_now_is_not_interrupted() {
    let account = Account::start();
    let (home, user) = scene(&account);
    let parked = crate::support::parked::Parked::start(&home, ROTATE, "installed");
    let run = home.keyagent(&["status"]).exits(0);
    says(&run, &user.access_key_id, "-");
    assert!(
        run.stdout.contains("another keyagent works on it now"),
        "{}",
        run.stdout
    );
    parked.go_on().exits(0);
}

#[test]
fn with_a_damaged_journal_no_key_is_called_superfluous() {
    let account = Account::start();
    let (home, user) = scene(&account);
    home.keyagent(ROTATE).exits(0);
    let journal = home.join(".local/state/keyagent/journal");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen("ann", "bob", 1)).unwrap();
    let run = home.keyagent(&["status"]).fails_with(
        "cannot tell which keys are superseded",
        "line 1: the checksum is wrong",
        "journal.damaged",
    );
    says(&run, &user.access_key_id, "recover");
    assert!(
        run.stdout
            .contains("the journal cannot be read; undo may need this key"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("the user's other key"), "{}", run.stdout);
    home.keyagent(&["recover", "--yes"]).fails_with(
        "cannot recover",
        "the checksum is wrong",
        "journal.damaged",
    );
}
