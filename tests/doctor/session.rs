//! `keyagent doctor` in a session with a real notification server and a real keyring.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use super::{JSON, says, set_mode};
use crate::support::Home;
use crate::support::desktop::{Server, Session, dunst};

/// The keyring of the home on this bus; with a password it is made, if need be, and unlocked.
fn keyring(home: &Home, password: Option<&str>) -> Server {
    let runtime = home.join("run");
    std::fs::create_dir_all(&runtime).unwrap();
    set_mode(&runtime, 0o700);
    let unlock: &[&str] = if password.is_some() { &["--unlock"] } else { &[] };
    let arguments = [&["--foreground", "--components=secrets"], unlock].concat();
    let mut child = home
        .command(Path::new("gnome-keyring-daemon"), &arguments)
        .env("XDG_RUNTIME_DIR", &runtime)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("tests/run has installed gnome-keyring");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(password.unwrap_or_default().as_bytes()).unwrap();
    drop(stdin);
    let server = Server::of(child);
    let owned = [
        "call",
        "--session",
        "--dest=org.freedesktop.DBus",
        "--object-path=/org/freedesktop/DBus",
        "--method=org.freedesktop.DBus.NameHasOwner",
        "org.freedesktop.secrets",
    ];
    while !home.run(Path::new("gdbus"), &owned).stdout.contains("true") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    server
}

#[test]
fn a_real_notification_server_and_a_real_keyring_are_told() {
    let session = Session::start();
    let home = session.on(Home::new());
    home.write(".config/keyagent/config", "[defaults]\n");
    let report = home.keyagent(JSON).exits(1).json();
    says(&report, "notifications", "warning", "log alone", "status --brief");
    says(
        &report,
        "keyring",
        "warning",
        "in files of mode 600",
        "secret_store = file",
    );

    let dunst = dunst(&home);
    let open = keyring(&home, Some("open sesame"));
    let report = home.keyagent(JSON).exits(1).json();
    says(&report, "notifications", "ok", "dunst ", "");
    says(
        &report,
        "notifications",
        "ok",
        "shows reminders, with buttons (",
        "",
    );
    says(&report, "keyring", "ok", "keeps secrets, and gives them back", "");
    let shown = home.run(Path::new("dunstctl"), &["count"]).exits(0).stdout;
    assert!(
        shown.contains("Currently displayed: 0"),
        "asking shows nothing: {shown}"
    );
    let kept = home.run(
        Path::new("secret-tool"),
        &["search", "--all", "service", "keyagent"],
    );
    assert_eq!(kept.stdout, "", "the probe is taken away");

    drop((dunst, open));
    let _locked = keyring(&home, None);
    let report = home.keyagent(JSON).exits(1).json();
    says(&report, "notifications", "warning", "log alone", "status --brief");
    says(&report, "keyring", "warning", "locked", "unlock the keyring");
}
