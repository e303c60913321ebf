//! `keyagent agent`: what it notices, what it says once, and what it survives. A real bus and a real notification
//! server are in `agent/desktop.rs`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::cloud::{Account, User};
use crate::support::{Home, section};

#[cfg(target_os = "linux")]
mod desktop;
#[cfg(feature = "otlp")]
mod otlp;
mod settings;
mod snooze;
mod trouble;
#[cfg(target_os = "linux")]
mod unit;

/// Far beyond what anything here takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// A home with a key of this age as profile `dev`, and no desktop.
fn home(account: &Account, days: u32) -> (Home, User) {
    let user = account.user("ann");
    account.back_date(&user.access_key_id, days);
    account.last_used(&user.access_key_id, 1, "s3");
    let home = Home::on(account).with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    let file = home.write_credentials(section("dev", &user));
    make_private(&file);
    (home, user)
}

fn make_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// An agent in the background, and what it writes to its log.
struct Agent {
    process: Child,
    log: Receiver<String>,
    heard: Vec<String>,
}

impl Agent {
    fn start(home: &Home) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_keyagent"));
        let mut process = home
            .command(program, &["agent", "run"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            log,
            heard: Vec::new(),
        }
    }

    /// Waits for a line with these words.
    #[track_caller]
    fn says(&mut self, words: &str) {
        assert!(self.hears(words, PATIENCE), "no `{words}` in {:#?}", self.heard);
    }

    /// Whether a line with these words comes in time.
    fn hears(&mut self, words: &str, bound: Duration) -> bool {
        let began = Instant::now();
        while let Ok(line) = self.log.recv_timeout(bound.saturating_sub(began.elapsed())) {
            let is_it = line.contains(words);
            self.heard.push(line);
            if is_it {
                return true;
            }
        }
        false
    }

    fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([name, &self.process.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    fn ends(mut self) -> i32 {
        self.process.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until what the agent would know after a restart holds these words.
#[track_caller]
fn remembers(home: &Home, words: &str) {
    until("it is remembered", || {
        let state = std::fs::read_to_string(home.join(".local/state/keyagent/agent.json"));
        state.is_ok_and(|state| state.contains(words))
    });
}

fn status(home: &Home) -> serde_json::Value {
    home.keyagent(&["agent", "status", "--format", "json"]).json()
}

fn checks(account: &Account) -> usize {
    let calls = account.calls();
    calls
        .iter()
        .filter(|call| call.action == "ListAccessKeys")
        .count()
}

#[test]
fn a_due_key_is_spoken_of_once_and_briefly_at_every_shell() {
    let account = Account::start();
    let (home, user) = home(&account, 80);
    assert_eq!(home.keyagent(&["status", "--brief"]).exits(0).everything(), "");
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    assert!(
        run.stderr
            .contains("dev: the key is 80 days old, 10 days before its limit")
    );
    assert!(run.stderr.contains("keyagent rotate -p dev"));
    assert!(
        run.stderr.replace("\n  ", " ").contains("no notification server"),
        "{}",
        run.stderr
    );
    assert!(run.is_narrow(), "{}", run.stderr);
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    assert!(!run.stderr.contains("80 days"), "{}", run.stderr);
    let brief = home.keyagent(&["status", "--brief"]).exits(0);
    assert_eq!(
        brief.everything(),
        "keyagent: dev: the key is 80 days old, 10 days before its limit\n  keyagent rotate -p dev\n"
    );
    // Without AWS, and without AWS's files.
    std::fs::remove_file(home.join(".aws/credentials")).unwrap();
    assert_eq!(
        home.keyagent(&["status", "--brief"]).exits(0).stdout,
        brief.stdout
    );
    let state = std::fs::read_to_string(home.join(".local/state/keyagent/agent.json")).unwrap();
    assert!(!state.contains(&user.secret_access_key));
}

#[test]
fn a_key_that_aws_refuses_is_spoken_of_once_and_not_called_deleted() {
    let account = Account::start();
    let (home, user) = home(&account, 3);
    let id = &user.access_key_id;
    let update = [
        "iam",
        "update-access-key",
        "--access-key-id",
        id,
        "--profile",
        "dev",
    ];
    home.aws(&account, &[&update[..], &["--status", "Inactive"]].concat())
        .exits(0);
    let once = || {
        let run = home.keyagent(&["agent", "run", "--once"]).exits(2);
        run.stderr.replace("\n  ", " ")
    };
    let words = "dev: AWS refuses this key: it is inactive, deleted, or of another partition keyagent";
    let said = once();
    assert!(said.contains(words) && !said.contains("exists"), "{said}");
    assert!(!once().contains(words));
    let status = home.keyagent(&["agent", "status"]);
    let known = status.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        known.contains("it is inactive, deleted, or of another partition [InvalidClientTokenId]"),
        "{known}"
    );
    assert!(
        !status.stdout.contains("exists") && !status.stdout.contains("gone"),
        "{known}"
    );
    // One that was never there is answered in the same way.
    home.write_credentials(section("dev", &user).replace(id, "AKIAQAAAAAAAAAAAAAAA"));
    assert!(once().contains(words));
}

#[test]
fn what_appears_in_the_account_is_spoken_of_and_what_was_there_is_not() {
    let account = Account::start();
    let (home, user) = home(&account, 3);
    let once = || home.keyagent(&["agent", "run", "--once"]).exits(0).stderr;
    assert!(!once().contains("new in the account"));
    let other = account.add_key(&user);
    let said = once();
    assert!(said.contains(&format!("{other} is new in the account")), "{said}");
    assert!(said.contains(&format!("dev: the user has a second active key, {other}")));
    assert!(!once().contains(&other));
}

#[test]
fn an_open_credentials_file_and_an_unused_key_are_spoken_of() {
    use std::os::unix::fs::PermissionsExt;
    let account = Account::start();
    let (home, user) = home(&account, 60);
    let file = home.join(".aws/credentials");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = home.keyagent(&["agent", "run", "--once"]).exits(0).stderr;
    assert!(
        said.contains("can be read by others (mode 644)") && said.contains("chmod 600"),
        "{said}"
    );
    // The account records a call at once, so that a check's own may be in its answer: that is no use, and no
    // answer either.
    until("an unused key is spoken of", || {
        account.last_used(&user.access_key_id, 50, "s3");
        let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
        run.stderr.contains("dev: nobody has used the key for 50 days")
    });
}

#[test]
fn the_resident_agent_is_alone_notices_a_change_and_ends_when_told() {
    let account = Account::start();
    let (home, user) = home(&account, 3);
    let mut agent = Agent::start(&home);
    until("a check", || status(&home)["last_success"].is_string());
    let first = status(&home);
    assert_eq!(
        (&first["running"], &first["schema"]),
        (&json!(true), &json!("keyagent.agent-status/1"))
    );
    home.keyagent(&["agent", "run"]).fails_with(
        "cannot run the agent",
        &format!("held by keyagent agent (process {})", agent.process.id()),
        "keyagent agent status",
    );
    account.back_date(&user.access_key_id, 95);
    home.write_credentials(format!("# touched\n{}", section("dev", &user)));
    agent.says("dev: the key is 95 days old, and overdue since day 90");
    agent.signal("-TERM");
    assert_eq!(agent.ends(), 0);
    let after = home.keyagent(&["agent", "status"]).exits(1);
    assert!(after.stdout.starts_with("not running"), "{}", after.stdout);
}

#[test]
fn a_burst_of_a_thousand_changes_ends_in_one_check() {
    let account = Account::start();
    let (home, user) = home(&account, 3);
    let _agent = Agent::start(&home);
    until("a check", || status(&home)["last_success"].is_string());
    let before = checks(&account);
    let began = Instant::now();
    for number in 0..1000 {
        home.write_credentials(format!("# {number}\n{}", section("dev", &user)));
    }
    let lasted = began.elapsed();
    until("a further check", || checks(&account) > before);
    // A check that the burst's end still owes would come within this.
    std::thread::sleep(Duration::from_secs(3));
    // One; on a machine so busy that the writes take longer than a burst may, one more for each such time.
    let expected =
        1 + usize::try_from(lasted.as_millis() / 1500).unwrap() + usize::from(lasted.as_millis() > 150);
    let made = checks(&account) - before;
    assert!(made <= expected, "{made} checks in {lasted:?}");
}

#[test]
fn a_killed_agent_loses_no_reminder_and_repeats_none() {
    let account = Account::start();
    let (home, user) = home(&account, 80);
    let mut agent = Agent::start(&home);
    agent.says("dev: the key is 80 days old");
    remembers(&home, &format!("age:{}", user.access_key_id));
    agent.signal("-KILL");
    agent.ends();
    let mut agent = Agent::start(&home);
    agent.says("the agent is running");
    // The next milestone, and the other key's first, are not lost.
    let bob = account.user("bob");
    account.back_date(&bob.access_key_id, 85);
    account.last_used(&bob.access_key_id, 1, "s3");
    home.write_credentials([section("dev", &user), section("bob", &bob)].concat());
    agent.says("bob: the key is 85 days old, 5 days before its limit");
    assert!(
        !agent.heard.iter().any(|line| line.contains("dev:")),
        "{:?}",
        agent.heard
    );
}

#[test]
fn without_aws_it_is_quiet_and_with_broken_settings_the_last_good_ones_hold() {
    let account = Account::start();
    let (home, user) = home(&account, 80);
    home.settings("warn_days = 5\nverify_every = 20ms\nverify_for = 4s");
    let mut agent = Agent::start(&home);
    until("a check", || status(&home)["last_success"].is_string());
    home.settings("warn_days = soon");
    agent.says("the settings before it still hold");
    assert!(
        agent
            .heard
            .iter()
            .any(|line| line.contains("line 3: `soon` is not a number of days"))
    );
    until("it is told", || {
        let status = status(&home);
        status["last_error"]
            .as_str()
            .is_some_and(|error| error.contains("`soon`"))
    });
    home.settings("warn_days = 14");
    agent.says("dev: the key is 80 days old");
    // No AWS from here on.
    drop(account);
    home.write_credentials(format!("# x\n{}", section("dev", &user)));
    until("the failure is known", || status(&home)["last_error"].is_string());
    let next: jiff_free::Seconds = status(&home).into();
    assert!(next.0 <= 70, "{} s", next.0);
}

/// The pause until the next check, without a date library in the tests.
mod jiff_free {
    pub(super) struct Seconds(pub(super) i64);

    impl From<serde_json::Value> for Seconds {
        fn from(status: serde_json::Value) -> Self {
            let of = |name: &str| {
                let text = status[name].as_str().unwrap();
                let clock = text.split(['T', '.', 'Z']).nth(1).unwrap();
                let mut parts = clock.split(':').map(|part| part.parse::<i64>().unwrap());
                let mut next = || parts.next().unwrap();
                next() * 3600 + next() * 60 + next()
            };
            Self((of("next_check") - of("last_check")).rem_euclid(86_400))
        }
    }
}

#[test]
fn an_idle_key_is_replaced_unasked_and_a_used_one_is_not() {
    let account = Account::start();
    let (home, user) = home(&account, 80);
    home.settings("auto_rotate = yes\nverify_every = 20ms\nverify_for = 4s");
    account.last_used(&user.access_key_id, 0, "s3");
    home.keyagent(&["agent", "run", "--once"]).exits(0);
    assert_eq!(account.keys().len(), 1, "it was used just now");
    // The account records a call at once: a check that sees its own cannot tell, and leaves the key alone.
    until("the idle key is replaced", || {
        account.last_used(&user.access_key_id, 1, "s3");
        let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
        run.stderr.contains("AWS key replaced")
    });
    assert_eq!(account.keys().len(), 2);
    let cli = home.aws(&account, &["sts", "get-caller-identity", "--profile", "dev"]);
    assert!(cli.exits(0).stdout.contains(&user.arn));
}

#[test]
fn metrics_are_written_whole_and_name_no_key() {
    let account = Account::start();
    let (home, user) = home(&account, 95);
    let path = home.join("keyagent.prom");
    home.settings(&format!("metrics_textfile = {}", path.display()));
    home.keyagent(&["agent", "run", "--once"]).exits(0);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        text.contains("keyagent_key_age_seconds{profile=\"dev\"} 82"),
        "{text}"
    );
    assert!(text.contains("keyagent_findings 1\n") && text.contains("keyagent_last_success"));
    assert!(!text.contains(&user.access_key_id));
}
