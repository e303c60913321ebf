//! The OS keyring as the secret store, with the real gnome-keyring behind a session bus of the test's own.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;

use super::{ROTATE, Scene};
use crate::support::Run;

const KEYRING_PASSWORD: &str = "open sesame";

/// A login of its own: a new bus, and the keyring of the home, unlocked with a password or left locked.
struct Login<'a> {
    scene: &'a Scene,
    password: Option<&'a str>,
}

impl Login<'_> {
    fn run(&self, program: &str, arguments: &[&str]) -> Run {
        let home = &self.scene.home;
        let runtime = home.join("run");
        std::fs::create_dir_all(&runtime).unwrap();
        std::fs::set_permissions(&runtime, PermissionsExt::from_mode(0o700)).unwrap();
        let start = match self.password {
            Some(_) => "--unlock",
            None => "--start",
        };
        // Asked once before keyagent asks, which waits three seconds alone: on a busy machine the start takes longer.
        let script = format!(
            "printf %s \"$KEYRING_PASSWORD\" | gnome-keyring-daemon {start} --components=secrets >/dev/null 2>&1; \
             gdbus call --session --dest org.freedesktop.secrets --object-path /org/freedesktop/secrets \
             --method org.freedesktop.DBus.Peer.Ping >/dev/null 2>&1; \
             unset KEYRING_PASSWORD; exec \"$@\""
        );
        // Not pipes: a keyring that the bus has started may outlive it, and would hold their other end.
        let told = [home.join("login.stdout"), home.join("login.stderr")];
        let [stdout, stderr] = [0, 1].map(|one| std::fs::File::create(&told[one]).unwrap());
        let status = home
            .command(
                Path::new("dbus-run-session"),
                &[&["--", "sh", "-c", &script, "sh", program], arguments].concat(),
            )
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("KEYRING_PASSWORD", self.password.unwrap_or_default())
            .stdout(stdout)
            .stderr(stderr)
            .status()
            .expect("tests/run has installed dbus");
        let [stdout, stderr] = told.map(|file| std::fs::read(file).unwrap());
        Run::of(&Output {
            status,
            stdout,
            stderr,
        })
    }

    fn keyagent(&self, arguments: &[&str]) -> Run {
        self.run(env!("CARGO_BIN_EXE_keyagent"), arguments)
    }

    /// What the keyring holds of keyagent's, as another client of it says.
    fn kept(&self) -> String {
        let run = self.run("secret-tool", &["search", "--all", "service", "keyagent"]);
        run.everything()
    }
}

/// A home whose settings leave the choice to keyagent.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.home.write(
        ".config/keyagent/config",
        "[defaults]\nsecret_store = auto\nverify_every = 20ms\nverify_for = 4s\ngrace_days = 0\n",
    );
    scene
}

fn files_of_the_store(scene: &Scene) -> usize {
    match scene.home.join(".local/state/keyagent/secrets").read_dir() {
        Ok(folder) => folder.count(),
        Err(_) => 0,
    }
}

#[test]
fn the_keyring_keeps_the_old_secret_until_the_key_is_deleted() {
    let scene = scene();
    let login = Login {
        scene: &scene,
        password: Some(KEYRING_PASSWORD),
    };
    let run = login.keyagent(ROTATE).exits(0);
    assert!(
        run.everything().contains("in the keyring"),
        "{}",
        run.everything()
    );
    scene.no_secret_in(&run);
    assert_eq!(files_of_the_store(&scene), 0);
    let new = scene.new_key().unwrap();
    let kept = login.kept();
    assert!(
        kept.contains(&scene.user.access_key_id) && kept.contains(&new),
        "the keyring holds no entry of the rotation"
    );

    // Another login, as after a reboot.
    let run = login.keyagent(&["undo", "-p", "dev", "--yes"]).exits(0);
    scene.no_secret_in(&run);
    scene.the_cli_is_let_in();
    assert!(String::from_utf8_lossy(&scene.home.credentials()).contains(&scene.user.secret_access_key));

    login.keyagent(&["retire", "--yes"]).exits(0);
    let kept = login.kept();
    assert!(
        !kept.contains(&scene.user.access_key_id) && !kept.contains(&new),
        "a secret is left in the keyring"
    );
    scene.the_cli_is_let_in();
}

#[test]
fn a_locked_keyring_is_left_alone_and_the_file_serves() {
    let scene = scene();
    let unlocked = Login {
        scene: &scene,
        password: Some(KEYRING_PASSWORD),
    };
    unlocked.run("secret-tool", &["search", "service", "keyagent"]);
    let locked = Login {
        scene: &scene,
        password: None,
    };
    let run = locked.keyagent(ROTATE).exits(0);
    assert!(
        run.everything().contains("locked") && run.everything().contains("0600 files"),
        "{}",
        run.everything()
    );
    assert_eq!(files_of_the_store(&scene), 2);
    scene.the_cli_is_let_in();
    // What lies in files is found there, though the keyring is open now.
    unlocked.keyagent(&["undo", "-p", "dev", "--yes"]).exits(0);
    scene.the_cli_is_let_in();
}

#[test]
fn a_secret_in_a_keyring_that_is_locked_by_now_is_not_taken_for_lost() {
    let scene = scene();
    let unlocked = Login {
        scene: &scene,
        password: Some(KEYRING_PASSWORD),
    };
    unlocked.keyagent(ROTATE).exits(0);
    let before = scene.home.credentials();
    let locked = Login {
        scene: &scene,
        password: None,
    };
    locked
        .keyagent(&["undo", "-p", "dev", "--yes"])
        .fails_with("cannot", "locked", "unlock");
    assert_eq!(scene.home.credentials(), before);
    scene.the_cli_is_let_in();
    unlocked.keyagent(&["undo", "-p", "dev", "--yes"]).exits(0);
    scene.the_cli_is_let_in();
}

/// A bus that accepts and says nothing would hold an unbounded call for ever.
#[test]
fn a_mute_bus_holds_nothing_up() {
    let scene = scene();
    let socket = scene.home.join("bus");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let held: Vec<_> = listener.incoming().collect();
        drop(held);
    });
    let output = scene
        .home
        .command(Path::new(env!("CARGO_BIN_EXE_keyagent")), ROTATE)
        .env(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", socket.display()),
        )
        .output()
        .unwrap();
    let run = Run::of(&output).exits(0);
    assert!(run.everything().contains("0600 files"), "{}", run.everything());
    scene.the_cli_is_let_in();
}
