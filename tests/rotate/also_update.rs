//! `also_update`: a rotation replaces the pair in further files of any format too, and never half of it.

use super::{ROTATE, Scene};
use crate::support::cloud::User;

/// A file that only its user knows the format of; the values are in it twice.
fn tool(id: &str, secret: &str) -> Vec<u8> {
    let mut file =
        format!("\u{feff}export K='{id}'\r\nexport S=\"{secret}\"\r\n# {{\"{id}\": \"{secret}\"}} ")
            .into_bytes();
    file.extend([0xff, 0]);
    file
}

fn scene(more: &str) -> Scene {
    let scene = Scene::new();
    let User {
        access_key_id,
        secret_access_key,
        ..
    } = &scene.user;
    scene
        .home
        .write("tool/.env", tool(access_key_id, secret_access_key));
    let lines =
        format!("verify_every = 20ms\nverify_for = 4s\nalso_update = ~/tool/.env, ~/tool/missing{more}");
    scene.home.settings(&lines);
    scene
}

/// The secret that the credentials file holds.
fn secret(scene: &Scene) -> String {
    let credentials = String::from_utf8(scene.home.credentials()).unwrap();
    let line = credentials
        .lines()
        .find(|line| line.starts_with("aws_secret"))
        .unwrap();
    line.split_once(" = ").unwrap().1.to_owned()
}

#[test]
fn a_further_file_changes_with_the_others_and_back_with_an_undo() {
    // Under another name it is the credentials file still.
    let scene = scene(", ~/.aws/../.aws/credentials");
    let file = scene.home.join("tool/.env");
    let dry = scene
        .home
        .keyagent(&["rotate", "-p", "dev", "--dry-run"])
        .exits(0);
    assert!(
        dry.stdout.contains("tool/.env, lines 1 and 2, 3 and 3"),
        "{}",
        dry.stdout
    );
    let run = scene.home.keyagent(ROTATE).exits(0);
    let new = scene.new_key().unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), tool(&new, &secret(&scene)));
    assert!(!run.everything().contains(&secret(&scene)));
    scene.the_cli_is_let_in();
    scene.home.keyagent(&["undo", "-p", "dev", "--yes"]).exits(0);
    let User {
        access_key_id,
        secret_access_key,
        ..
    } = &scene.user;
    assert_eq!(
        std::fs::read(&file).unwrap(),
        tool(access_key_id, secret_access_key)
    );
    scene.the_cli_is_let_in();
}

#[test]
fn half_a_pair_in_a_further_file_is_refused_before_anything_changes() {
    let scene = scene("");
    let before = scene.home.credentials();
    scene
        .home
        .write("tool/.env", format!("\nK={}\n", scene.user.access_key_id));
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("cannot rotate", "line 2: the key ID stands", "+2 ");
    scene.nothing_has_changed(&before);
    scene.home.settings("also_update = tool/.env");
    scene
        .home
        .keyagent(ROTATE)
        .fails_with("settings", "neither absolute nor below ~/", "");
}

#[test]
fn the_old_pair_put_back_into_a_further_file_is_recovered_and_not_retired() {
    let scene = scene("\ngrace_days = 0");
    let User {
        access_key_id,
        secret_access_key,
        ..
    } = &scene.user;
    scene.home.keyagent(ROTATE).exits(0);
    scene
        .home
        .write("tool/.env", tool(access_key_id, secret_access_key));
    let run = scene.home.keyagent(&["retire", "--yes"]).exits(1);
    assert!(run.stdout.contains("is kept"), "{}", run.everything());
    scene.home.keyagent(&["recover", "--yes"]).exits(0);
    let new = scene.new_key().unwrap();
    let file = std::fs::read(scene.home.join("tool/.env")).unwrap();
    assert_eq!(file, tool(&new, &secret(&scene)));
}
