//! What the agent does unasked after a check: rotates where the settings want it, retires, writes metrics.

use jiff::{SignedDuration, tz::TimeZone};

use super::super::bounds;
use super::super::metrics::Reading;
use super::super::reminders::milestone;
use super::{Agent, DAILY};
use crate::access_key::AccessKeyId;
use crate::clock::Clock;
use crate::desktop::Desktop;
use crate::fs_atomic;
use crate::iam::AccessKeyStatus;
use crate::settings::Settings;

impl<D: Desktop, C: Clock> Agent<'_, D, C> {
    /// Replaces what is due and idle, where the settings want that.
    pub(super) async fn rotate_unasked(&mut self) {
        let (now, zone) = (self.clock.now(), TimeZone::system());
        let is_quiet = |settings: &Settings| {
            settings
                .quiet_hours
                .is_some_and(|hours| hours.after(now, &zone) > now)
        };
        let due: Vec<(AccessKeyId, String)> = self
            .memory
            .facts
            .keys
            .iter()
            .filter_map(|key| {
                let profile = key.profiles.first()?;
                // Whoever shares a key must not be surprised by another's settings.
                let wanted = key
                    .profiles
                    .iter()
                    .all(|name| self.settings.profile(name).auto_rotate);
                let settings = self.settings.profile(profile);
                let limits = bounds(&self.settings, &key.profiles).limits;
                let is_due = milestone(key.created?, limits, now).is_some();
                let idle = SignedDuration::from_mins(settings.idle_minutes.into());
                let is_idle = key
                    .idle_since(now)
                    .is_some_and(|since| now.duration_since(since) >= idle);
                let failed = self.memory.failed_at.get(&key.access_key_id);
                let may_try = failed.is_none_or(|at| *at > now || now.duration_since(*at) >= DAILY);
                let is_active = key.status == Some(AccessKeyStatus::Active) && !key.refused;
                (wanted && is_due && is_idle && may_try && is_active && !is_quiet(self.settings.defaults()))
                    .then(|| (key.access_key_id.clone(), profile.clone()))
            })
            .collect();
        for (id, profile) in due {
            (self.log)(&format!("{profile}: {id} is due and idle, and is replaced"));
            let arguments = ["rotate", "-p", &profile, "--yes", "--format", "json"];
            let changes = self.place.program.change(&arguments).await;
            if changes.errors.is_empty() {
                self.memory.failed_at.remove(&id);
            } else {
                self.memory.failed_at.insert(id, now);
            }
            self.save();
            self.tell_rotated(&changes, None).await;
            // The files have changed, and so the next check comes at once.
        }
    }

    pub(super) async fn retire(&mut self) {
        let now = self.clock.now();
        let retired = self.memory.retired_at;
        if self.memory.facts.superseded == 0 {
            return;
        }
        // A time that is yet to come is of a clock that was set back since.
        if retired.is_some_and(|at| at <= now && now.duration_since(at) < DAILY) {
            return;
        }
        self.memory.retired_at = Some(now);
        self.save();
        let changes = self
            .place
            .program
            .change(&["retire", "--yes", "--format", "json"])
            .await;
        for change in &changes.rotations {
            let id = &change.old_access_key_id;
            (self.log)(&match &change.kept {
                Some(why) => format!("{id} was superseded and stays: {why}"),
                None => format!("{id} was superseded, and is retired"),
            });
        }
    }

    /// Writes and sends what is measured, as far as the settings want that.
    pub(super) async fn tell_metrics(&mut self) {
        let settings = self.settings.defaults().clone();
        let now = self.clock.now();
        let all = self.subjects(now);
        let findings = all.iter().filter(|subject| subject.matter.is_due(now)).count();
        if let Some(path) = &settings.metrics_textfile {
            let text = Reading::of(&self.memory, findings, settings.metrics_key_ids, now).text();
            if let Err(error) = fs_atomic::write_public(path, text.as_bytes()) {
                (self.log)(&format!("no metrics: {error}"));
            }
        }
        if let Some(endpoint) = &settings.metrics_otlp {
            let sent = self
                .place
                .program
                .send_metrics(endpoint, findings, settings.metrics_key_ids)
                .await;
            let mistake = sent.err().map(|why| format!("no metrics to {endpoint}: {why}"));
            // Once, as for AWS.
            if let Some(mistake) = mistake
                .as_ref()
                .filter(|new| Some(*new) != self.metrics_mistake.as_ref())
            {
                (self.log)(mistake);
            }
            self.metrics_mistake = mistake;
        }
    }
}
