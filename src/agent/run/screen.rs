//! What is on the screen: one notification for all that is due, and what an agent before this one has left there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::lines;
use super::super::memory::OnScreen;
use super::super::reminders::Subject;
use super::Agent;
use crate::clock::Clock;
use crate::desktop::Desktop;

/// A desktop without a notification server may get one; until then it is asked this often.
const DESKTOP_AGAIN: SignedDuration = SignedDuration::from_mins(10);

impl<D: Desktop, C: Clock> Agent<'_, D, C> {
    /// One notification for all that is due and for what is still on the screen. Remembered only once it is shown: a
    /// kill in between repeats it, and loses nothing.
    pub(super) async fn show(&mut self, due: &[&Subject], all: &[Subject], now: Timestamp) -> bool {
        let open: BTreeSet<&str> = self
            .reminder
            .iter()
            .flat_map(|(_, subjects)| subjects)
            .map(|subject| subject.name.as_str())
            .collect();
        let is_due = |subject: &Subject| due.iter().any(|due| due.name == subject.name);
        let together: Vec<&Subject> = all
            .iter()
            .filter(|subject| is_due(subject) || open.contains(subject.name.as_str()))
            .collect();
        let mut notification = lines::notification(&together, now);
        if self.is_once {
            // Nobody will be there to hear a click.
            notification = lines::details(&together, now);
            notification.buttons.clear();
        }
        let replaces = self.reminder.as_ref().map(|(id, _)| *id);
        match self.desktop.show(&notification, replaces).await {
            Ok(id) => {
                self.reminder = Some((id, together.into_iter().cloned().collect()));
                self.desktop_again = None;
                self.memory.was_shown(due, now);
                self.note_screen();
                true
            }
            Err(error) => {
                if self.desktop_again.is_none() {
                    (self.log)(&format!("reminders go to this log alone: {error}"));
                }
                self.desktop_again = now.checked_add(DESKTOP_AGAIN).ok();
                false
            }
        }
    }

    /// What an agent before this one has left on the screen is put there anew, in its place: most servers send a click
    /// to whom they were asked by, and he is dead.
    pub(super) async fn take_over(&mut self) {
        let Some(on_screen) = self.memory.on_screen.clone() else {
            return;
        };
        if !self.desktop.is_still_there(&on_screen.server).await {
            return;
        }
        let now = self.clock.now();
        if let Some((id, names)) = on_screen.reminder {
            let all = self.subjects(now);
            let left: Vec<&Subject> = all
                .iter()
                .filter(|subject| names.contains(&subject.name))
                .collect();
            self.reminder = Some((id, Vec::new()));
            if left.is_empty() || !self.show(&left, &all, now).await {
                self.reminder = None;
            }
        }
        for (id, undoable) in on_screen.undoable {
            self.show_undoable(undoable, Some(id)).await;
        }
        self.note_screen();
        self.save();
    }

    /// Keeps in the memory what is on the screen.
    pub(super) fn note_screen(&mut self) {
        let reminder = self.reminder.as_ref().map(|(id, subjects)| {
            let names = subjects.iter().map(|subject| subject.name.clone());
            (*id, names.collect())
        });
        // Nobody stays to hear the buttons of a single check.
        let is_empty = self.is_once || (reminder.is_none() && self.undoable.is_empty());
        self.memory.on_screen = self
            .desktop
            .server()
            .filter(|_| !is_empty)
            .map(|server| OnScreen {
                server,
                reminder,
                undoable: self.undoable.clone(),
            });
    }
}
