//! The agent on a real session bus, with a real notification server (dunst) on a real screen (Xvfb).

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Agent, home, remembers, status, until};
use crate::support::cloud::{Account, User};
use crate::support::desktop::{Server, Session, dunst, serve};
use crate::support::{Home, Run, section};

/// A home with a desktop: what dunst's menu is answered with lies in the file `choice`.
struct Desktop {
    account: Account,
    home: Home,
    user: User,
    dunst: Server,
    _session: Session,
}

impl Desktop {
    fn start(days: u32) -> Self {
        let account = Account::start();
        let (home, user) = home(&account, days);
        let session = Session::start();
        let home = session.on(home);
        Self {
            dunst: dunst(&home),
            account,
            home,
            user,
            _session: session,
        }
    }

    #[track_caller]
    fn shows_one(&self) {
        until("one notification is on the screen", || {
            self.dunst(&["count", "displayed"]).stdout.trim() == "1"
        });
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
    desktop.shows_one();
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
    desktop.shows_one();
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

#[test]
fn a_server_that_died_shows_the_reminder_again_when_it_is_back() {
    let mut desktop = Desktop::start(80);
    let mut agent = Agent::start(&desktop.home);
    agent.says("dev: the key is 80 days old");
    desktop.shows_one();
    desktop.dunst.end();
    desktop.dunst = dunst(&desktop.home);
    desktop.shows_one();
    desktop.click("Tomorrow", &mut agent, "put off until");
    let told = agent.heard.iter().filter(|line| line.contains("80 days old"));
    assert_eq!(told.count(), 1, "{:?}", agent.heard);
}

#[test]
fn a_server_that_comes_late_shows_what_was_due_before() {
    let mut desktop = Desktop::start(80);
    desktop.dunst.end();
    let mut agent = Agent::start(&desktop.home);
    agent.says("reminders go to this log alone");
    desktop.dunst = dunst(&desktop.home);
    desktop.shows_one();
}

#[test]
fn a_further_reminder_joins_the_one_that_is_on_the_screen() {
    let desktop = Desktop::start(80);
    let mut agent = Agent::start(&desktop.home);
    agent.says("dev: the key is 80 days old");
    desktop.shows_one();
    let bob = desktop.account.user("bob");
    desktop.account.back_date(&bob.access_key_id, 95);
    desktop.account.last_used(&bob.access_key_id, 1, "s3");
    let both = [section("dev", &desktop.user), section("bob", &bob)].concat();
    desktop.home.write_credentials(both);
    agent.says("bob: the key is 95 days old");
    until("it is shown", || {
        let state = std::fs::read_to_string(desktop.home.join(".local/state/keyagent/agent.json"));
        let state: serde_json::Value = state
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        state["shown"][format!("age:{}", bob.access_key_id)].is_object()
    });
    assert_eq!(desktop.dunst(&["count", "displayed"]).stdout.trim(), "1");
    assert_eq!(desktop.dunst(&["count", "waiting"]).stdout.trim(), "0");
    desktop.dunst(&["close-all"]).exits(0);
    let history = desktop.dunst(&["history"]).exits(0);
    let history = history.json();
    let shown = &history["data"][0];
    assert_eq!(shown.as_array().unwrap().len(), 1, "{history:#}");
    assert_eq!(shown[0]["summary"]["data"], "AWS keys: 2 things need you");
}

#[test]
fn the_buttons_of_an_agent_that_was_killed_are_heard_once_by_the_next() {
    let desktop = Desktop::start(80);
    let mut killed = Agent::start(&desktop.home);
    killed.says("dev: the key is 80 days old");
    desktop.shows_one();
    remembers(&desktop.home, "\"reminder\":[");
    killed.signal("-KILL");
    killed.ends();
    let mut agent = Agent::start(&desktop.home);
    agent.says("the agent is running");
    let shown = status(&desktop.home)["last_check"].clone();
    until("it has checked", || status(&desktop.home)["last_check"] != shown);
    assert_eq!(desktop.dunst(&["count", "displayed"]).stdout.trim(), "1");
    desktop.click("Rotate now", &mut agent, "rotating at a click: dev");
    agent.says("AWS key replaced");
    let calls = desktop.account.calls();
    let made = calls.iter().filter(|call| call.action == "CreateAccessKey");
    assert_eq!(made.count(), 1);
    assert!(
        !agent.heard.iter().any(|line| line.contains("80 days old")),
        "{:?}",
        agent.heard
    );
    // The result has a button of its own, which outlives its agent, too.
    remembers(&desktop.home, "\"title\":\"AWS key replaced\"");
    agent.signal("-KILL");
    agent.ends();
    let mut agent = Agent::start(&desktop.home);
    agent.says("the agent is running");
    desktop.click("Undo", &mut agent, "taking back at a click: dev");
    agent.says("AWS key put back");
    assert_eq!(desktop.active_key(), desktop.user.access_key_id);
}

/// The mouse on a button, as a person has it; dunst draws none.
#[track_caller]
fn a_click_rotates(server: &str, window: &str, from_the_left: u32, from_below: u32) {
    let account = Account::start();
    let (home, _) = home(&account, 80);
    let session = Session::start();
    let home = session.on(home);
    let _server = serve(&home, server, &[]);
    let mut agent = Agent::start(&home);
    agent.says("dev: the key is 80 days old");
    until("a click is heard", || {
        let Some((id, height)) = widest(&home, window) else {
            return false;
        };
        let (x, y) = (from_the_left.to_string(), (height - from_below).to_string());
        let click = ["mousemove", "--window", &id, &x, &y, "click", "1"];
        home.run(Path::new("xdotool"), &click);
        agent.hears("rotating at a click: dev", Duration::from_secs(2))
    });
    agent.says("AWS key replaced");
    assert_eq!(account.keys().len(), 2);
}

/// The window of this name that is no mere helper of its server's, and its height.
fn widest(home: &Home, name: &str) -> Option<(String, u32)> {
    let search = ["search", "--onlyvisible", "--name", name];
    let found = home.run(Path::new("xdotool"), &search);
    let sizes = found.stdout.lines().filter_map(|id| {
        let geometry = home.run(Path::new("xdotool"), &["getwindowgeometry", "--shell", id]);
        let of = |name: &str| {
            let mut lines = geometry.stdout.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value?.parse::<u32>().ok()
        };
        Some((of("WIDTH")?, of("HEIGHT")?, id.to_owned()))
    });
    let (width, height, id) = sizes.max()?;
    (width > 100 && height > 100).then_some((id, height))
}

#[test]
fn a_button_of_xfce_rotates() {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let program = folders
        .map(|folder| folder.path().join("xfce4/notifyd/xfce4-notifyd"))
        .find(|program| program.exists())
        .expect("tests/run has installed xfce4-notifyd");
    a_click_rotates(program.to_str().unwrap(), "xfce4-notifyd", 50, 31);
}

#[test]
fn a_button_of_notification_daemon_rotates() {
    a_click_rotates(
        "/usr/lib/notification-daemon/notification-daemon",
        "Notification",
        119,
        38,
    );
}
