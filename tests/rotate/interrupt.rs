//! Ctrl-C before anything is changed.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{ROTATE, Scene};

#[test]
fn an_interrupt_during_the_checks_is_answered() {
    let scene = Scene::new();
    let before = scene.home.credentials();
    // Far longer than the test: whoever waited for the reply would be killed by nobody.
    scene.account.set(&json!({ "delay": 20 }));
    let child = scene
        .home
        .command(Path::new(env!("CARGO_BIN_EXE_keyagent")), ROTATE)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while scene.account.calls().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "it asks nobody");
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = ["-INT", &child.id().to_string()];
    scene.home.run(Path::new("/bin/kill"), &interrupt).exits(0);
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let calls = scene.account.calls();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("interrupted; nothing is left unfinished"), "{told}");
    scene.account.set(&json!({ "delay": 0 }));
    scene.nothing_has_changed(&before);
    assert!(
        calls.iter().all(|call| call.action.starts_with("Get")),
        "{calls:?}"
    );
}
