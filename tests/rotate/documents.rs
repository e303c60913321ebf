//! What plans say, and that whoever reads stdout always finds a document.

use super::Scene;
use crate::support::section;

#[test]
fn a_failure_before_any_report_is_a_document_too() {
    let scene = Scene::new();
    for (command, schema) in [
        ("rotate", "keyagent.rotate/1"),
        ("undo", "keyagent.undo/1"),
        ("retire", "keyagent.retire/1"),
        ("status", "keyagent.status/1"),
    ] {
        let arguments: &[&str] = &[command, "-p", "nosuch", "--format", "json"];
        let run = scene
            .home
            .keyagent(arguments)
            .fails_with("there is no profile nosuch", "neither", "dev");
        let document = run.json();
        assert_eq!(document["schema"], schema);
        let error = &document["errors"][0];
        assert_eq!(error["profile"], "nosuch");
        assert_eq!(error["error"], "there is no profile nosuch");
        assert_eq!(run.stderr.matches("error:").count(), 1, "{}", run.stderr);
    }
    let noise = "no journal\n{}\n";
    scene.home.write(".local/state/keyagent/journal", noise);
    let run = scene
        .home
        .keyagent(&["recover", "--yes", "--format", "json"])
        .fails_with(
            "cannot recover",
            "line 1: the line is no record",
            "journal.damaged",
        );
    assert_eq!(run.json()["schema"], "keyagent.recover/1");
}

/// `errors` and nothing that could be taken for a result.
#[test]
fn what_came_to_nothing_is_a_document_of_errors_alone() {
    let scene = Scene::new();
    let home = &scene.home;
    home.write("empty.csv", "");
    let key = ["--user-name", "ann", "--access-key-id", &scene.user.access_key_id];
    for (arguments, schema) in [
        (&["audit", "--report", "empty.csv"][..], "audit"),
        (&["audit", "--report", "none"], "audit"),
        (&["audit", "-p", "nope"], "audit"),
        (&["audit", "--exempt", "none"], "audit"),
        (&["audit", "--as-of", "2020-01-01T00:00:00Z"], "audit"),
        (&["audit", "--via", "list", "-p", "dev"], "audit"),
        (&["doctor", "-p", "nope"], "doctor"),
        (
            &[&["disable"], &key[..], &["--yes", "-p", "nope"]].concat(),
            "disable",
        ),
        (&[&["disable"], &key[..], &["-p", "dev"]].concat(), "disable"),
        (&["disable", "--from-audit", "none", "--yes"], "disable"),
        (&["delete", "--from-audit", "none", "--yes"], "delete"),
        (&[&["delete"], &key[..], &["-p", "dev"]].concat(), "delete"),
        (
            &[&["enable"], &key[..], &["--yes", "-p", "nope"]].concat(),
            "enable",
        ),
        (&["enable", "--run", "nope", "-p", "dev"], "enable"),
        (&["enable", "--run", "nope", "-p", "dev", "--yes"], "enable"),
    ] {
        let run = home
            .keyagent(&[arguments, &["--format", "json"]].concat())
            .exits(2);
        let document = run.json();
        assert_eq!(
            document["schema"],
            format!("keyagent.{schema}/1"),
            "{arguments:?}"
        );
        assert_eq!(
            document.as_object().unwrap().len(),
            2,
            "{arguments:?}: {document}"
        );
        let errors = document["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{arguments:?}: {document}");
        for (name, heading) in [("error", "error: "), ("cause", "cause: "), ("hint", "hint:  ")] {
            let first = errors[0][name]
                .as_str()
                .unwrap()
                .lines()
                .next()
                .unwrap()
                .to_owned();
            assert!(
                run.stderr.contains(&format!("{heading}{first}")),
                "{arguments:?}: {}",
                run.stderr
            );
        }
        assert_eq!(
            run.stderr.matches("error:").count(),
            1,
            "{arguments:?}: {}",
            run.stderr
        );
        assert_eq!(home.keyagent(arguments).exits(2).stdout, "", "{arguments:?}");
    }
    let filed = [
        "audit", "--report", "none", "--format", "json", "--out", "results",
    ];
    assert_eq!(home.keyagent(&filed).exits(2).stdout, "");
    home.settings("nonsense = 1");
    let run = home.keyagent(&["settings", "show", "--format", "json"]).exits(2);
    assert_eq!(run.json()["schema"], "keyagent.settings/1");
    assert!(
        run.json()["errors"][0]["cause"]
            .as_str()
            .unwrap()
            .contains("nonsense")
    );
}

#[test]
fn an_error_names_the_one_profile_that_it_is_about() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    let wanted = ["-p", "dev", "-p", "nope", "-p", "two", "--format", "json"];
    for (command, further) in [
        ("rotate", &["--yes"][..]),
        ("undo", &["--yes"]),
        ("retire", &["--yes"]),
        ("status", &[]),
    ] {
        let run = scene.home.keyagent(&[&[command], &wanted[..], further].concat());
        let errors = run.exits(2).json()["errors"].clone();
        assert_eq!(errors.as_array().unwrap().len(), 1, "{command}: {errors}");
        assert_eq!(errors[0]["profile"], "nope", "{command}: {errors}");
    }
    // What has to do with no profile names none.
    scene.home.settings("nonsense = 1");
    let run = scene.home.keyagent(
        &[
            &["rotate", "--yes"],
            &["-p", "dev", "-p", "dev2", "--format", "json"][..],
        ]
        .concat(),
    );
    assert_eq!(run.exits(2).json()["errors"][0]["profile"], "dev2");
    scene
        .home
        .write_credentials([&before[..], section("two", &scene.user).as_bytes()].concat());
    let run = scene.home.keyagent(
        &[
            &["rotate", "--yes"],
            &["-p", "dev", "-p", "two", "--format", "json"][..],
        ]
        .concat(),
    );
    assert_eq!(run.exits(2).json()["errors"][0]["profile"], "");
}

#[cfg(feature = "checkpoints")]
#[test]
fn what_recover_would_delete_is_in_its_document() {
    let scene = Scene::new();
    crate::support::parked::Parked::start(&scene.home, super::ROTATE, "key-created").kill();
    let new = scene.new_key().unwrap();
    let run = scene
        .home
        .keyagent(&["recover", "--dry-run", "--format", "json"])
        .exits(0);
    let plan = &run.json()["rotations"][0]["plan"];
    assert_eq!(plan["deletes"], serde_json::json!([new]));
    assert!(
        plan["intention"]
            .as_str()
            .unwrap()
            .starts_with(&format!("delete {new}"))
    );
    assert_eq!(scene.account.keys().len(), 2);
}

#[cfg(unix)]
#[test]
fn the_plan_names_what_runs_afterwards_and_who_keeps_the_old_key() {
    let scene = Scene::new();
    scene.home.settings("after_rotate = make reload");
    let linked = scene.home.join("a second name");
    std::fs::hard_link(scene.home.join(".aws/credentials"), &linked).unwrap();
    let dry: &[&str] = &["rotate", "-p", "dev", "--dry-run"];
    let run = scene.home.keyagent(dry).exits(0);
    assert!(run.stdout.contains("this is run: make reload"), "{}", run.stdout);
    assert!(
        run.stdout
            .contains("the file has 1 more name (hard links): there the old key stays"),
        "{}",
        run.stdout
    );
    let document = scene
        .home
        .keyagent(&[dry, &["--format", "json"]].concat())
        .exits(0)
        .json();
    let plan = &document["rotations"][0]["plan"];
    assert_eq!(plan["after_rotate"], "make reload");
    assert_eq!(plan["hard_linked"].as_array().unwrap().len(), 1);
    std::fs::remove_file(&linked).unwrap();
    assert!(!scene.home.keyagent(dry).exits(0).stdout.contains("hard links"));
}

#[test]
fn several_profiles_are_taken_back_at_once() {
    let scene = Scene::new();
    let bob = scene.account.user("bob");
    let before = [
        section("dev", &scene.user),
        section("copy", &scene.user),
        section("bob", &bob),
    ]
    .concat();
    scene.home.write_credentials(&before);
    scene
        .home
        .keyagent(&["rotate", "-p", "dev", "-p", "bob", "--yes"])
        .exits(0);
    let all: &[&str] = &["undo", "-p", "dev", "-p", "copy", "-p", "bob"];
    scene.home.keyagent(all).fails_with(
        "without an answer",
        "no terminal",
        "keyagent undo -p dev -p copy -p bob --yes",
    );
    let run = scene
        .home
        .keyagent(&[all, &["--yes", "--format", "json"]].concat())
        .exits(0);
    assert_eq!(run.json()["rotations"].as_array().unwrap().len(), 2);
    assert_eq!(scene.home.credentials(), before.as_bytes());
}
