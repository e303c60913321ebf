//! SIGKILL at every marked point of the real process: whatever it leaves, the next command settles it.

use std::time::Duration;

use super::{Scene, YES};
use crate::support::parked::Parked;

/// In the order in which a run comes to them.
const POINTS: &[&str] = &["run-begun", "key-intended", "key-changed", "key-settled"];

fn arguments<'a>(verb: &'a str, user_name: &'a str, id: &'a str) -> Vec<&'a str> {
    [
        &[
            verb,
            "--user-name",
            user_name,
            "--access-key-id",
            id,
            "-p",
            "admin",
        ],
        YES,
    ]
    .concat()
}

#[test]
fn a_killed_run_is_put_back_by_its_name() {
    let scene = Scene::new();
    for point in POINTS {
        let user = scene.account.user(point);
        let id = user.access_key_id.as_str();
        Parked::start(&scene.home, &arguments("disable", point, id), point).kill();
        let back = ["enable", "--run", "last", "-p", "admin", "--yes"];
        let run = scene.home.keyagent(&back);
        if run.code != 0 {
            // Nobody knows yet whether a call that was cut off takes effect.
            assert!(
                run.stderr.contains("is certain only after"),
                "{point}: {}",
                run.stderr
            );
            std::thread::sleep(Duration::from_millis(700));
            scene.home.keyagent(&back).exits(0);
        }
        scene.is(id, "Active");
        let again = scene.home.keyagent(&back).exits(0);
        assert!(!again.stdout.contains("is active\n"), "{point}: {}", again.stdout);
        scene.is(id, "Active");
    }
}

#[test]
fn a_killed_deletion_is_told_by_the_next_command() {
    let scene = Scene::new();
    for point in POINTS {
        let user = scene.account.user(point);
        let id = user.access_key_id.as_str();
        scene.key("disable", point, id, YES).exits(0);
        Parked::start(&scene.home, &arguments("delete", point, id), point).kill();
        let is_gone = scene.status(id).is_none();
        assert_eq!(is_gone, ["key-changed", "key-settled"].contains(point), "{point}");
        // Deleting it once more does the rest, or says that it is gone.
        let run = scene.key("delete", point, id, YES);
        assert_eq!(
            run.code,
            if is_gone { 2 } else { 0 },
            "{point}: {}",
            run.everything()
        );
        assert_eq!(scene.status(id), None);
        let told = run.stderr.contains("was interrupted") && run.stderr.contains("is deleted");
        assert!(told || *point != "key-changed", "{point}: {}", run.stderr);
    }
}

/// What happens while somebody thinks about the answer counts.
#[test]
fn a_key_that_becomes_active_before_the_deletion_stays() {
    let scene = Scene::new();
    let id = scene.ann.access_key_id.as_str();
    scene.ann("disable", YES).exits(0);
    let parked = Parked::start(&scene.home, &arguments("delete", "ann", id), "run-begun");
    scene.account.activate(id);
    parked
        .go_on()
        .fails_with("cannot delete", "it is active", "keyagent disable");
    scene.is(id, "Active");
}

#[test]
fn a_second_run_waits_for_nobody_and_changes_nothing() {
    let scene = Scene::new();
    let id = scene.ann.access_key_id.as_str();
    let parked = Parked::start(&scene.home, &arguments("disable", "ann", id), "key-intended");
    scene
        .ann("disable", YES)
        .fails_with("cannot disable now", "keyagent disable (process", "wait for it");
    parked.go_on().exits(0);
    scene.is(id, "Inactive");
}
