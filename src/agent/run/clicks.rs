//! What a click calls for, and what is said about it.

use jiff::tz::TimeZone;

use super::super::children::{Changes, Failure};
use super::super::memory::Undoable;
use super::super::reminders::{Subject, tomorrow};
use super::super::{lines, snooze};
use super::{Agent, DAILY, tell};
use crate::access_key::AccessKeyId;
use crate::clock::Clock;
use crate::desktop::{Button, Desktop, Event, Notification, Urgency};

impl<D: Desktop, C: Clock> Agent<'_, D, C> {
    pub(super) async fn on(&mut self, event: Event) {
        match event {
            Event::Closed { id } => {
                if self.reminder.as_ref().is_some_and(|(open, _)| *open == id) {
                    self.reminder = None;
                }
                self.undoable.remove(&id);
                self.save_screen();
            }
            Event::ServerLeft => {
                if let Some((_, subjects)) = self.reminder.take() {
                    self.memory.was_lost(&subjects);
                }
                self.undoable.clear();
                self.save_screen();
            }
            Event::ServerCame => {
                self.desktop_again = None;
                self.speak().await;
            }
            Event::Clicked { id, button } => {
                let subjects = match &self.reminder {
                    Some((open, subjects)) if *open == id => Some(subjects.clone()),
                    Some(_) | None => None,
                };
                match (button, subjects, self.undoable.get(&id).cloned()) {
                    (Button::Undo, _, Some(undoable)) => self.undo(id, &undoable.profiles).await,
                    (Button::RotateNow, Some(subjects), _) => self.rotate(&subjects).await,
                    (Button::Tomorrow, Some(subjects), _) => self.put_off(&subjects, button),
                    (Button::NextWeek, Some(subjects), _) => self.put_off(&subjects, button),
                    (Button::Details, Some(subjects), _) => self.say_more(&subjects).await,
                    // A notification that is no longer ours.
                    (
                        Button::Undo
                        | Button::RotateNow
                        | Button::Tomorrow
                        | Button::NextWeek
                        | Button::Details,
                        ..,
                    ) => {}
                }
            }
        }
    }

    fn save_screen(&mut self) {
        self.note_screen();
        self.save();
    }

    /// A click is a yes; MFA is asked for in a window.
    async fn rotate(&mut self, subjects: &[Subject]) {
        self.reminder = None;
        // Before it begins: whoever is started again in the middle of it must not take the same click twice.
        self.save_screen();
        let profiles: Vec<&str> = subjects
            .iter()
            .filter(|subject| lines::can_rotate(subject) && self.is_still_due(subject))
            .filter_map(|subject| subject.profiles.first().map(String::as_str))
            .collect();
        if profiles.is_empty() {
            return;
        }
        (self.log)(&format!("rotating at a click: {}", profiles.join(", ")));
        let progress = self
            .say(&format!("Rotating {} …", profiles.join(", ")), "", Urgency::Low)
            .await;
        let mut arguments = vec!["rotate", "--yes", "--pinentry", "--format", "json"];
        for profile in &profiles {
            arguments.extend(["-p", profile]);
        }
        let changes = self.place.program.change(&arguments).await;
        self.tell_rotated(&changes, progress).await;
    }

    /// A notification may be old, and its key replaced since by hand.
    fn is_still_due(&self, subject: &Subject) -> bool {
        self.memory
            .facts
            .keys
            .iter()
            .any(|key| key.current && Some(&key.access_key_id) == subject.access_key_id.as_ref())
    }

    async fn undo(&mut self, id: u32, profiles: &[String]) {
        self.undoable.remove(&id);
        self.save_screen();
        let names = profiles.join(", ");
        (self.log)(&format!("taking back at a click: {names}"));
        let progress = self
            .say(&format!("Taking back {names} …"), "", Urgency::Low)
            .await;
        let mut failures: Vec<Failure> = Vec::new();
        let mut done = Vec::new();
        for profile in profiles {
            let arguments = ["undo", "-p", profile, "--yes", "--pinentry", "--format", "json"];
            let changes = self.place.program.change(&arguments).await;
            failures.extend(changes.errors);
            done.extend(changes.rotations.into_iter().map(|change| {
                format!(
                    "{} is back for {}",
                    change.old_access_key_id,
                    change.profiles.join(", ")
                )
            }));
        }
        self.tell_undone(&done, &failures, progress).await;
    }

    fn put_off(&mut self, subjects: &[Subject], button: Button) {
        self.reminder = None;
        self.save_screen();
        let (now, zone) = (self.clock.now(), TimeZone::system());
        let until = if button == Button::NextWeek {
            now.checked_add(DAILY * 7).unwrap_or(now)
        } else {
            tomorrow(now, &zone)
        };
        let keys: Vec<AccessKeyId> = subjects
            .iter()
            .filter_map(|subject| subject.access_key_id.clone())
            .collect();
        match snooze::add(&self.place.state_folder, &keys, until, now) {
            Ok(()) => (self.log)(&format!("put off until {}", until.strftime("%Y-%m-%d %H:%M UTC"))),
            Err(error) => (self.log)(&format!("cannot put it off: {error}")),
        }
    }

    async fn say_more(&mut self, subjects: &[Subject]) {
        let now = self.clock.now();
        let subjects: Vec<&Subject> = subjects.iter().collect();
        let notification = lines::details(&subjects, now);
        // Most servers have closed the one that was clicked.
        if let Ok(id) = self.desktop.show(&notification, None).await {
            self.reminder = Some((id, subjects.into_iter().cloned().collect()));
            self.save_screen();
        }
    }

    async fn say(&mut self, title: &str, body: &str, urgency: Urgency) -> Option<u32> {
        let notification = Notification {
            title: title.to_owned(),
            body: body.to_owned(),
            buttons: Vec::new(),
            urgency,
        };
        self.desktop.show(&notification, None).await.ok()
    }

    /// What was rotated, with the button that takes it back, and what was not.
    pub(super) async fn tell_rotated(&mut self, changes: &Changes, replaces: Option<u32>) {
        let notification = tell::rotated(changes);
        for line in notification.body.lines() {
            (self.log)(&format!("{}: {line}", notification.title));
        }
        let profiles: Vec<String> = changes
            .rotations
            .iter()
            .filter_map(|change| change.profiles.first().cloned())
            .collect();
        if profiles.is_empty() {
            // A desktop that is gone by now has left it in the log.
            let _ = self.desktop.show(&notification, replaces).await;
            return;
        }
        let undoable = Undoable {
            profiles,
            title: notification.title,
            body: notification.body,
            urgency: notification.urgency,
        };
        self.show_undoable(undoable, replaces).await;
        self.save();
    }

    pub(super) async fn show_undoable(&mut self, undoable: Undoable, replaces: Option<u32>) {
        let notification = Notification {
            title: undoable.title.clone(),
            body: undoable.body.clone(),
            buttons: vec![Button::Undo],
            urgency: undoable.urgency,
        };
        if let Ok(id) = self.desktop.show(&notification, replaces).await {
            self.undoable.insert(id, undoable);
            self.note_screen();
        }
    }

    async fn tell_undone(&mut self, done: &[String], failures: &[Failure], replaces: Option<u32>) {
        let notification = tell::undone(done, failures);
        for line in notification.body.lines() {
            (self.log)(&format!("{}: {line}", notification.title));
        }
        // A desktop that is gone by now has left it in the log.
        let _ = self.desktop.show(&notification, replaces).await;
    }
}
