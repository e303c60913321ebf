//! The agent on a real session bus, with a real notification server (dunst) on a real screen (Xvfb).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Agent, home, until};
use crate::support::cloud::{Account, User};
use crate::support::{Home, Run};

/// A process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A bus of the test's own, and its address.
fn bus() -> (Server, String) {
    let mut daemon = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tests/run has installed dbus");
    let mut address = String::new();
    let stdout = daemon.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut address).unwrap();
    (Server(daemon), address.trim().to_owned())
}

/// A screen of the test's own, and its name.
fn screen() -> (Server, String) {
    let mut server = Command::new("Xvfb")
        .args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "900x400x24",
            "-nolisten",
            "tcp",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tests/run has installed xvfb");
    let mut number = String::new();
    let stdout = server.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut number).unwrap();
    (Server(server), format!(":{}", number.trim()))
}

/// A home with a desktop: what dunst's menu is answered with lies in the file `choice`.
struct Desktop {
    account: Account,
    home: Home,
    user: User,
    _servers: Vec<Server>,
}

impl Desktop {
    fn start(days: u32) -> Self {
        let account = Account::start();
        let (home, user) = home(&account, days);
        let (bus, address) = bus();
        let (screen, display) = screen();
        let home = home
            .with("DBUS_SESSION_BUS_ADDRESS", &address)
            .with("DISPLAY", &display);
        let chooser = home.write(
            "chooser",
            "#!/bin/sh\ngrep -F \"$(cat \"$HOME/choice\")\" | head -n 1\n",
        );
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&chooser, mode).unwrap();
        let configuration = home.write(
            "dunstrc",
            format!(
                "[global]\ndmenu = {}\nfont = DejaVu Sans 11\nwidth = 620\nheight = 300\norigin = top-right\n\
                 offset = 20x20\nshow_indicators = yes\nmarkup = full\n",
                chooser.display()
            ),
        );
        let dunst = home
            .command(Path::new("dunst"), &["-conf", configuration.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tests/run has installed dunst");
        let desktop = Self {
            account,
            home,
            user,
            _servers: vec![Server(dunst), screen, bus],
        };
        until("dunst answers", || desktop.dunst(&["count"]).code == 0);
        desktop
    }

    fn dunst(&self, arguments: &[&str]) -> Run {
        self.home.run(Path::new("dunstctl"), arguments)
    }

    /// Chooses an action in dunst's menu, as soon as there is one of this name, until the agent has heard it.
    #[track_caller]
    fn click(&self, label: &str, agent: &mut Agent, answer: &str) {
        self.home.write("choice", label);
        until(answer, || {
            self.dunst(&["context"]).exits(0);
            agent.hears(answer, Duration::from_millis(700))
        });
    }

    fn screenshot(&self, name: &str) -> PathBuf {
        let path = self.home.join(name);
        let run = self
            .home
            .run(Path::new("import"), &["-window", "root", path.to_str().unwrap()]);
        run.exits(0);
        path
    }

    fn active_key(&self) -> String {
        let text = String::from_utf8(self.home.credentials()).unwrap();
        let line = text.lines().find(|line| line.contains("key_id")).unwrap();
        line.split('=').nth(1).unwrap().trim().to_owned()
    }

    #[track_caller]
    fn the_cli_is_let_in(&self) {
        let arguments = ["sts", "get-caller-identity", "--profile", "dev"];
        let run = self.home.aws(&self.account, &arguments).exits(0);
        assert!(run.stdout.contains(&self.user.arn));
    }
}

#[test]
fn a_key_of_eighty_days_is_replaced_at_a_click_and_put_back_at_another() {
    let desktop = Desktop::start(80);
    let mut agent = Agent::start(&desktop.home);
    agent.says("dev: the key is 80 days old");
    until("the notification is on the screen", || {
        desktop.dunst(&["count", "displayed"]).stdout.trim() == "1"
    });
    let picture = desktop.screenshot("reminder.png");
    if let Ok(kept) = std::fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/target")) {
        std::fs::copy(picture, kept.join("agent-reminder.png")).unwrap();
    }

    let old = desktop.user.access_key_id.clone();
    desktop.click("Rotate now", &mut agent, "rotating at a click: dev");
    agent.says("AWS key replaced");
    let new = desktop.active_key();
    assert_ne!(new, old);
    desktop.the_cli_is_let_in();
    assert_eq!(desktop.account.keys()[&old], "Inactive");
    desktop.click("Undo", &mut agent, "taking back at a click: dev");
    agent.says("AWS key put back");
    assert_eq!(desktop.active_key(), old);
    desktop.the_cli_is_let_in();
    assert_eq!(desktop.account.keys()[&new], "Inactive");
    for line in &agent.heard {
        assert!(!line.contains(&desktop.user.secret_access_key));
    }
}

#[test]
fn a_forged_click_rotates_nothing() {
    let desktop = Desktop::start(80);
    let mut agent = Agent::start(&desktop.home);
    agent.says("dev: the key is 80 days old");
    until("the notification is on the screen", || {
        desktop.dunst(&["count", "displayed"]).stdout.trim() == "1"
    });
    for id in 1..5 {
        let run = desktop.home.run(
            Path::new("gdbus"),
            &[
                "emit",
                "--session",
                "--object-path",
                "/org/freedesktop/Notifications",
                "--signal",
                "org.freedesktop.Notifications.ActionInvoked",
                &id.to_string(),
                "rotate-now",
            ],
        );
        run.exits(0);
    }
    // What is true is still heard, after all that was forged.
    desktop.click("Tomorrow", &mut agent, "put off until");
    assert!(!agent.heard.iter().any(|line| line.contains("rotating")));
    assert_eq!(desktop.account.keys().len(), 1);
}

#[test]
fn a_bus_that_says_nothing_holds_nobody_up() {
    use std::os::unix::net::UnixListener;
    let account = Account::start();
    let (home, _) = home(&account, 80);
    let socket = home.join("mute");
    let _listener = UnixListener::bind(&socket).unwrap();
    let home = home.with(
        "DBUS_SESSION_BUS_ADDRESS",
        &format!("unix:path={}", socket.display()),
    );
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    assert!(
        run.stderr.contains("80 days") && run.stderr.contains("does not answer"),
        "{}",
        run.stderr
    );
}
