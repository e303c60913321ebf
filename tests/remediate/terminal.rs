//! What a person at a terminal is asked, and sees.

use super::Scene;

#[test]
fn last_use_is_shown_before_the_question_and_no_means_no() {
    let scene = Scene::new();
    let id = scene.ann.access_key_id.as_str();
    scene.account.last_used(id, 3, "s3");
    let disable = [
        "disable",
        "--user-name",
        "ann",
        "--access-key-id",
        id,
        "-p",
        "admin",
    ];
    let ask = |answer: &str| {
        scene
            .home
            .on_a_terminal(&scene.account, &[("go on? [y/N]", answer)], &disable)
    };
    scene.account.clear_calls();
    let run = ask("n").exits(2);
    let (shown, asked) = (run.stdout.find("last used"), run.stdout.find("go on?"));
    assert!(shown.unwrap() < asked.unwrap(), "{}", run.stdout);
    scene.nothing_was_changed();
    let run = ask("y").exits(0);
    scene.is(id, "Inactive");
    let put_back = run
        .stdout
        .lines()
        .find(|line| line.contains("keyagent enable --run"));
    let words: Vec<&str> = put_back.unwrap().split_whitespace().skip(1).collect();
    scene
        .home
        .on_a_terminal(&scene.account, &[("go on?", "yes")], &words)
        .exits(0);
    scene.is(id, "Active");
}

/// Every line that is written for people fits a terminal of 80 columns, but for commands to paste.
#[test]
fn what_is_shown_fits_eighty_columns() {
    let scene = Scene::new();
    let id = scene.ann.access_key_id.as_str();
    scene.account.last_used(id, 3, "secretsmanager");
    let key = ["--user-name", "ann", "--access-key-id", id, "-p", "admin"];
    let mut shown = String::new();
    for (verb, asks) in [
        ("delete", false),
        ("disable", true),
        ("disable", false),
        ("enable", true),
        ("disable", true),
        ("delete", true),
        ("delete", false),
    ] {
        let dialogue: &[(&str, &str)] = if asks { &[("go on?", "y")] } else { &[] };
        let arguments = [&[verb], &key[..]].concat();
        shown.push_str(
            &scene
                .home
                .on_a_terminal(&scene.account, dialogue, &arguments)
                .stdout,
        );
    }
    assert!(shown.contains("is deleted"), "{shown}");
    for line in shown.lines() {
        let is_to_paste = ["keyagent ", "aws iam "]
            .iter()
            .any(|command| line.contains(command));
        assert!(
            is_to_paste || line.chars().count() <= 80,
            "{} columns: {line}",
            line.chars().count()
        );
    }
}
