//! The loop: waits for the clock, the files and clicks, and does what they call for, one after the other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use tokio::sync::mpsc;

use super::children::Program;
use super::facts::Facts;
use super::memory::{Memory, Undoable};
use super::reminders::{Circumstances, Shown, Subject, next, subjects};
use super::schedule::Schedule;
use super::supervisor::Supervisor;
use super::{bounds, lines, snooze, watch};
use crate::clock::Clock;
use crate::desktop::{Desktop, Event};
use crate::problem::Problem;
use crate::process::Environment;
use crate::settings::AllSettings;

mod clicks;
mod duties;
mod screen;
mod signals;
mod tell;

use signals::Termination;

/// How often the wall clock is looked at: timers stand still while the computer sleeps, and this is what a reminder may be
/// late. The runtime's timer wheel wakes about three times for each such sleep (measured: 19 times in 6 minutes with
/// one minute here), and an idle agent is to wake less than three times a minute, the watchdog's included.
const TICK: Duration = Duration::from_secs(150);
/// A last check that lies further ahead than this was made by a clock that was set back since.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// Superseded keys are retired once a day, and an unasked rotation that failed is tried as seldom as a person would.
const DAILY: SignedDuration = SignedDuration::from_hours(24);

/// What the agent works with.
#[derive(Debug)]
pub struct Place {
    /// keyagent itself.
    pub program: Program,
    /// Where its memory lies.
    pub state_folder: PathBuf,
    /// AWS's files and the settings.
    pub files: Vec<PathBuf>,
    /// As the agent was started with it.
    pub environment: Environment,
}

/// The agent.
pub struct Agent<'a, D, C> {
    place: Place,
    desktop: D,
    clock: C,
    log: &'a mut dyn FnMut(&str),
    settings: AllSettings,
    settings_mistake: Option<String>,
    metrics_mistake: Option<String>,
    check_mistake: Option<String>,
    /// What the last check could not answer.
    problems: Vec<Problem>,
    memory: Memory,
    schedule: Schedule,
    /// The reminder on the screen, and what it is about.
    reminder: Option<(u32, Vec<Subject>)>,
    /// Rotations on the screen that can be taken back, by profile.
    undoable: BTreeMap<u32, Undoable>,
    desktop_again: Option<Timestamp>,
    tick: Duration,
    is_once: bool,
}

enum Wake {
    Tick,
    FilesChanged,
    Desktop(Event),
    Terminated,
}

impl<'a, D: Desktop, C: Clock> Agent<'a, D, C> {
    /// An agent that has not begun. `log` is given lines; `settings` are the first ones, and valid.
    pub fn new(
        place: Place,
        desktop: D,
        clock: C,
        settings: AllSettings,
        log: &'a mut dyn FnMut(&str),
    ) -> Self {
        let memory = Memory::load(&place.state_folder);
        Self {
            check_mistake: memory.last_error.clone(),
            problems: Vec::new(),
            memory,
            place,
            desktop,
            clock,
            log,
            settings,
            settings_mistake: None,
            metrics_mistake: None,
            schedule: Schedule::default(),
            reminder: None,
            undoable: BTreeMap::new(),
            desktop_again: None,
            tick: TICK,
            is_once: false,
        }
    }

    /// Checks, speaks up once and ends; for cron. Gives what went wrong, each time: whoever reads an exit code is to find
    /// its cause beside it.
    pub async fn once(mut self) -> Vec<Problem> {
        self.is_once = true;
        self.check().await;
        self.problems
    }

    /// Works until it is told to end.
    ///
    /// # Errors
    ///
    /// When the system has no signals or watches to give.
    pub async fn run(mut self) -> std::io::Result<()> {
        let mut termination = Termination::new()?;
        let supervisor = Supervisor::of(&self.place.environment);
        let (sender, mut changes) = mpsc::channel(1);
        let changed = move || match sender.try_send(()) {
            // One that is not yet seen stands for this one too.
            Ok(()) | Err(mpsc::error::TrySendError::Full(())) => true,
            Err(mpsc::error::TrySendError::Closed(())) => false,
        };
        if let Err(error) = watch::watch(self.place.files.clone(), changed) {
            // The periodic check goes on without.
            (self.log)(&format!("cannot watch the files: {error}"));
        }
        if let Some(every) = supervisor.sign_of_life_every() {
            let supervisor = supervisor.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(every).await;
                    supervisor.alive();
                }
            });
        }
        self.memory.started_at = Some(self.clock.now());
        self.save();
        supervisor.ready("watching");
        (self.log)("the agent is running");
        self.take_over().await;
        let mut routes = routes();
        let mut is_first = true;
        loop {
            if is_first || self.is_check_due() {
                is_first = false;
                // A check changes nothing, so it is not waited for at the end.
                tokio::select! {
                    () = self.check() => {}
                    () = termination.wait() => break,
                }
                routes = self::routes();
                continue;
            }
            let wake = tokio::select! {
                () = tokio::time::sleep(self.pause()) => Wake::Tick,
                Some(()) = changes.recv() => Wake::FilesChanged,
                event = self.desktop.event() => Wake::Desktop(event),
                () = termination.wait() => Wake::Terminated,
            };
            match wake {
                Wake::Tick => {
                    let now_routes = self::routes();
                    if self.schedule.is_backing_off() && now_routes != routes {
                        // The network is another than the one without an answer.
                        self.memory.next_check = None;
                    }
                    routes = now_routes;
                    self.speak().await;
                }
                Wake::FilesChanged => self.memory.next_check = None,
                Wake::Desktop(event) => self.on(event).await,
                Wake::Terminated => break,
            }
        }
        supervisor.stopping();
        (self.log)("the agent ends");
        Ok(())
    }

    fn is_check_due(&self) -> bool {
        let now = self.clock.now();
        let was_set_back = self
            .memory
            .checked_at
            .is_some_and(|at| at.duration_since(now) > AHEAD);
        was_set_back || self.memory.next_check.is_none_or(|at| at <= now)
    }

    /// Until the next check, if that is before the clock is looked at anyway.
    fn pause(&self) -> Duration {
        let left = self
            .memory
            .next_check
            .and_then(|at| Duration::try_from(at.duration_since(self.clock.now())).ok());
        left.unwrap_or(self.tick)
            .clamp(Duration::from_millis(1), self.tick)
    }

    async fn check(&mut self) {
        self.reload_settings();
        let every = self.settings.defaults().check_every;
        let facts = match self.place.program.check().await {
            Ok(facts) => facts,
            Err(why) => Facts {
                is_offline: true,
                ..Facts::of_problem(Problem::new("cannot check the keys", why, "keyagent doctor"))
            },
        };
        let now = self.clock.now();
        let is_offline = facts.is_offline;
        let mistake = facts.errors.first().cloned();
        self.problems.clone_from(&facts.problems);
        // Once: a computer without a network says so at each attempt otherwise.
        if let Some(error) = mistake
            .as_ref()
            .filter(|new| !self.is_once && Some(*new) != self.check_mistake.as_ref())
        {
            (self.log)(error);
        }
        self.check_mistake = mistake;
        self.memory.learn(facts, now);
        self.memory.next_check = Some(self.schedule.next(is_offline, every, now));
        self.memory.limits = self
            .memory
            .facts
            .keys
            .iter()
            .filter(|key| key.current)
            .map(|key| {
                let limits = bounds(&self.settings, &key.profiles).limits;
                (key.access_key_id.clone(), limits.into())
            })
            .collect();
        if let Some(mistake) = &self.settings_mistake {
            self.memory.last_error = Some(mistake.clone());
        }
        self.save();
        if !is_offline {
            self.rotate_unasked().await;
            self.retire().await;
        }
        self.speak().await;
        self.tell_metrics().await;
    }

    /// A file that cannot be taken leaves the settings as they were, and is spoken of.
    fn reload_settings(&mut self) {
        match AllSettings::load(&self.place.environment) {
            Ok(settings) => {
                self.settings = settings;
                self.settings_mistake = None;
            }
            Err(error) => {
                let mistake = format!("the settings before it still hold: {error}");
                if self.settings_mistake.as_ref() != Some(&mistake) {
                    (self.log)(&mistake);
                }
                self.settings_mistake = Some(mistake);
            }
        }
    }

    fn subjects(&self, now: Timestamp) -> Vec<Subject> {
        let settings = &self.settings;
        subjects(
            &self.memory.facts,
            |profiles| bounds(settings, profiles),
            self.memory.seen.as_ref(),
            now,
        )
    }

    /// Shows and logs what is due now.
    async fn speak(&mut self) {
        let (now, zone) = (self.clock.now(), TimeZone::system());
        let all = self.subjects(now);
        self.memory.forget_all_but(&all);
        let snoozed = snooze::load(&self.place.state_folder);
        let quiet_hours = self.settings.defaults().quiet_hours;
        let due = |shown: &BTreeMap<String, Shown>| {
            let circumstances = Circumstances {
                shown,
                snoozed: &snoozed,
                quiet_hours,
                zone: &zone,
                now,
            };
            let is_due = |subject: &&Subject| next(subject, &circumstances).is_some_and(|at| at <= now);
            all.iter().filter(is_due).collect::<Vec<_>>()
        };
        let to_log = due(&self.memory.logged);
        let mut to_show = due(&self.memory.shown);
        to_show.retain(|subject| self.is_for_the_desktop(subject));
        for subject in &to_log {
            let (line, command) = (lines::line(subject, now), lines::command(subject));
            // A journal's entry is one line; what cron sends is read by a person.
            let between = if self.is_once { "\n  " } else { ": " };
            (self.log)(&format!("{line}{between}{command}"));
        }
        let mut is_new = !to_log.is_empty();
        self.memory.was_logged(&to_log, now);
        if !to_show.is_empty() && self.desktop_again.is_none_or(|at| at <= now) {
            is_new |= self.show(&to_show, &all, now).await;
        }
        if is_new {
            self.save();
        }
    }

    fn is_for_the_desktop(&self, subject: &Subject) -> bool {
        let of = |name: &String| self.settings.profile(name).notify;
        if subject.profiles.is_empty() {
            self.settings.defaults().notify
        } else {
            subject.profiles.iter().any(of)
        }
    }

    fn save(&mut self) {
        if let Err(error) = self.memory.save(&self.place.state_folder) {
            (self.log)(&format!("what was shown may be shown again: {error}"));
        }
    }
}

/// The routes of this computer, as a name for the network that it is in; the same everywhere but on Linux.
fn routes() -> Vec<u8> {
    std::fs::read("/proc/net/route").unwrap_or_default()
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
