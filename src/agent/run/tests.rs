//! The loop against a clock that jumps, a network that comes and goes, and a desktop that does.

// Programs are scripts here.
#![cfg(unix)]

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::super::facts::{Facts, KeyFacts, Origin, Use};
use super::*;
use crate::access_key::AccessKeyId;
use crate::desktop::{Error, Notification};
use crate::iam::AccessKeyStatus;

/// The body of a notification, and the one that it replaces.
type Shown = (String, Option<u32>);

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-06-01, at noon in most zones.
const BEGAN: i64 = 1_780_315_200;

/// Moved by hand; counts how often it is looked at.
#[derive(Clone, Default)]
struct Hands {
    second: Arc<AtomicI64>,
    looks: Arc<AtomicUsize>,
}

impl Hands {
    fn turn(&self, seconds: i64) {
        self.second.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.looks.fetch_add(1, Ordering::SeqCst);
        Timestamp::from_second(self.second.load(Ordering::SeqCst)).unwrap()
    }
}

/// A screen that keeps what it was given.
struct Screen {
    shown: Arc<Mutex<Vec<Shown>>>,
    last: AtomicU32,
    events: mpsc::Receiver<Event>,
}

impl Desktop for Screen {
    async fn show(&mut self, notification: &Notification, replaces: Option<u32>) -> Result<u32, Error> {
        self.shown
            .lock()
            .unwrap()
            .push((notification.body.clone(), replaces));
        Ok(self.last.fetch_add(1, Ordering::SeqCst) + 1)
    }

    async fn event(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    fn server(&self) -> Option<String> {
        None
    }

    async fn is_still_there(&mut self, _: &str) -> bool {
        false
    }
}

/// Everything around the agent.
struct World {
    folder: tempfile::TempDir,
    hands: Hands,
    shown: Arc<Mutex<Vec<Shown>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new(facts: &Facts) -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            hands: Hands::default(),
            shown: Arc::default(),
            log: Arc::default(),
        };
        world.hands.turn(BEGAN);
        // Linked, not written: a program that somebody still writes to cannot be started.
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agent/keyagent");
        std::os::unix::fs::symlink(program, world.folder.path().join("keyagent")).unwrap();
        world.answers(facts);
        world
    }

    fn answers(&self, facts: &Facts) {
        let path = self.folder.path().join("facts.json");
        std::fs::write(path, serde_json::to_vec(facts).unwrap()).unwrap();
    }

    fn checks(&self) -> usize {
        let asked = std::fs::read_to_string(self.folder.path().join("asked")).unwrap_or_default();
        asked.lines().filter(|line| *line == "agent check").count()
    }

    fn shown(&self) -> usize {
        self.shown.lock().unwrap().len()
    }

    async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        assert!(waited.await.is_ok(), "{what}: {:?}", self.log.lock().unwrap());
    }

    /// Until the loop has gone round many times, in which it could have done what it must not.
    async fn rounds(&self) {
        let before = self.hands.looks.load(Ordering::SeqCst);
        let looked = || self.hands.looks.load(Ordering::SeqCst) > before + 60;
        self.until("the loop goes round", looked).await;
    }

    /// Lives through the story with an agent in the background.
    fn live(&self, story: impl AsyncFnOnce(&Self, &mpsc::Sender<Event>)) {
        let folder = self.folder.path();
        let environment =
            Environment::from_iter([("XDG_CONFIG_HOME", folder.join("config").to_str().unwrap())]);
        let place = Place {
            program: Program(folder.join("keyagent")),
            state_folder: folder.join("state"),
            files: Vec::new(),
            environment,
        };
        let (sender, events) = mpsc::channel(8);
        let screen = Screen {
            shown: self.shown.clone(),
            last: AtomicU32::new(0),
            events,
        };
        let log = self.log.clone();
        let mut log = move |line: &str| log.lock().unwrap().push(line.to_owned());
        let mut agent = Agent::new(
            place,
            screen,
            self.hands.clone(),
            AllSettings::default(),
            &mut log,
        );
        agent.tick = Duration::from_millis(1);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::select! {
                ended = agent.run() => panic!("it has ended: {ended:?}"),
                () = story(self, &sender) => {}
            }
        });
    }
}

/// A key of this age, used yesterday.
fn facts(days: i64) -> Facts {
    let at = |seconds| Timestamp::from_second(BEGAN - seconds).unwrap();
    Facts {
        keys: vec![KeyFacts {
            access_key_id: AccessKeyId::parse("AKIAQAAAAAAAAAAAAAAA").unwrap(),
            profiles: vec!["dev".into()],
            account_id: None,
            user_name: None,
            status: Some(AccessKeyStatus::Active),
            created: Some(at(days * DAY)),
            last_used: None,
            last_used_known: false,
            used_by_others: Use::Unknown,
            current: true,
            origin: Origin::Unknown,
            refused: false,
        }],
        ..Facts::default()
    }
}

fn offline() -> Facts {
    Facts {
        is_offline: true,
        errors: vec!["AWS cannot be reached".into()],
        ..Facts::default()
    }
}

#[test]
fn after_a_sleep_there_is_one_check() {
    World::new(&facts(3)).live(async |world, _| {
        world.until("the first check", || world.checks() == 1).await;
        world.rounds().await;
        world.hands.turn(5 * HOUR);
        world.rounds().await;
        assert_eq!(world.checks(), 1, "it is not time yet");
        world.hands.turn(20 * HOUR);
        world.until("the second check", || world.checks() == 2).await;
        world.rounds().await;
        assert_eq!(world.checks(), 2);
    });
}

#[test]
fn a_clock_that_is_set_back_silences_nobody() {
    World::new(&facts(200)).live(async |world, _| {
        world.until("the reminder", || world.shown() == 1).await;
        world.rounds().await;
        world.hands.turn(-30 * DAY);
        world.until("a check", || world.checks() == 2).await;
        world.until("the reminder again", || world.shown() == 2).await;
        world.rounds().await;
        assert_eq!((world.checks(), world.shown()), (2, 2));
        // A clock that is set by some seconds makes nothing new.
        world.hands.turn(-10);
        world.rounds().await;
        assert_eq!((world.checks(), world.shown()), (2, 2));
    });
}

#[test]
fn without_a_network_it_is_quiet_tries_again_and_asks_once_when_it_is_back() {
    World::new(&offline()).live(async |world, _| {
        world.until("the first attempt", || world.checks() == 1).await;
        world.rounds().await;
        assert_eq!(world.checks(), 1);
        world.hands.turn(67);
        world.until("the second attempt", || world.checks() == 2).await;
        world.rounds().await;
        world.hands.turn(67);
        world.rounds().await;
        assert_eq!(world.checks(), 2, "the second pause is longer");
        world.answers(&facts(80));
        world.hands.turn(67);
        world.until("an answer", || world.checks() == 3).await;
        world.until("the reminder", || world.shown() == 1).await;
        world.hands.turn(20 * MINUTE);
        world.rounds().await;
        assert_eq!(world.checks(), 3);
        let log = world.log.lock().unwrap();
        let told = log.iter().filter(|line| line.contains("cannot be reached"));
        assert_eq!(told.count(), 1, "{log:?}");
    });
}

#[test]
fn what_was_on_the_screen_of_a_server_that_died_is_shown_by_the_next_one() {
    World::new(&facts(80)).live(async |world, events| {
        world.until("the reminder", || world.shown() == 1).await;
        events.send(Event::ServerLeft).await.unwrap();
        events.send(Event::ServerCame).await.unwrap();
        world.until("the reminder again", || world.shown() == 2).await;
        assert_eq!(
            world.shown.lock().unwrap()[1].1,
            None,
            "there is nothing to replace"
        );
        events.send(Event::Closed { id: 2 }).await.unwrap();
        events.send(Event::ServerLeft).await.unwrap();
        events.send(Event::ServerCame).await.unwrap();
        world.rounds().await;
        assert_eq!(world.shown(), 2, "it was put away before");
    });
}
