//! Another program has put the superseded pair back: every command says so, and names the one that mends it.

use super::{ROTATE, Scene};
use crate::support::Run;

/// What none of them may say: nothing was interrupted, and a new key is not what is missing.
const WRONG: [&str; 4] = ["interrupted", "IAM console", "no longer exists", "aws configure"];

struct PutBack {
    scene: Scene,
    words: String,
}

impl PutBack {
    fn new() -> Self {
        let scene = Scene::new();
        let before = scene.home.credentials();
        scene.home.keyagent(ROTATE).exits(0);
        scene.home.write_credentials(&before);
        let (old, new) = (&scene.user.access_key_id, scene.new_key().unwrap());
        let words = format!("another program has put {old} back in the place of {new}, whose secret is kept");
        Self { scene, words }
    }

    #[track_caller]
    fn is_told(&self, run: &Run) {
        let told = run.everything().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&self.words), "no `{}` in\n{told}", self.words);
        assert!(told.contains("keyagent recover"), "{told}");
        for wrong in WRONG {
            assert!(!told.contains(wrong), "{wrong} in\n{told}");
        }
        self.scene.no_secret_in(run);
    }
}

#[test]
fn status_and_rotate_say_so_and_recover_mends_it() {
    let put_back = PutBack::new();
    let home = &put_back.scene.home;
    let run = home.keyagent(&["status"]).fails_with(
        "cannot ask AWS about the key of profile dev",
        "[InvalidClientTokenId]",
        "keyagent recover",
    );
    put_back.is_told(&run);
    assert!(run.stderr.contains("warning: "), "{}", run.stderr);
    let overdue = ["rotate", "--overdue", "--yes"];
    for rotate in [ROTATE, &overdue] {
        let run = home.keyagent(rotate).fails_with(
            "the key of profile dev",
            "[InvalidClientTokenId]",
            "keyagent recover",
        );
        put_back.is_told(&run);
    }
    home.keyagent(&["recover", "--yes"]).exits(0);
    put_back.scene.the_cli_is_let_in();
    let run = home.keyagent(&["status"]).exits(0);
    assert!(
        !run.everything().contains("another program"),
        "{}",
        run.everything()
    );
}

#[cfg(feature = "desktop")]
#[test]
fn the_agent_and_doctor_say_so() {
    let mut put_back = PutBack::new();
    put_back.scene.home = put_back
        .scene
        .home
        .with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    let home = &put_back.scene.home;
    let once = || home.keyagent(&["agent", "run", "--once"]).exits(2);
    let run = once();
    put_back.is_told(&run);
    let line = format!("dev: {}", put_back.words);
    assert!(run.stderr.replace("\n  ", " ").contains(&line), "{}", run.stderr);
    assert!(
        !once().stderr.replace("\n  ", " ").contains(&line),
        "it is told once a day"
    );
    let brief = home.keyagent(&["status", "--brief"]).exits(0);
    put_back.is_told(&brief);
    assert!(brief.is_narrow(), "{}", brief.stdout);
    let status = home.keyagent(&["agent", "status"]).stdout;
    let status = status.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status.contains(&put_back.words), "{status}");
    let report = home.keyagent(&["doctor", "--format", "json"]).exits(1).json();
    for name in ["rotations", "identity"] {
        let checks = report["checks"].as_array().unwrap().iter();
        let found: Vec<_> = checks.filter(|check| check["check"] == name).collect();
        assert_eq!(found.len(), 1, "{report}");
        assert_eq!(found[0]["level"], "problem", "{found:?}");
        assert_eq!(found[0]["command"], "keyagent recover", "{found:?}");
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.contains(&put_back.words), "{message}");
        assert!(WRONG.iter().all(|wrong| !message.contains(wrong)), "{message}");
    }
}
