//! What the agent knows across restarts: what was shown and when, and what the last check said. No secret is in it.
//! Replaced as a whole and made durable each time, so that a kill finds the old one or the new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::facts::{Facts, KeyFacts, LONGEST_CHECK, Origin, Use, is_of_iam};
use super::reminders::{Shown, Subject, remember};
use crate::access_key::AccessKeyId;
use crate::desktop::Urgency;
use crate::fs_atomic;
use crate::policy::Limits;

/// The version that this program writes, and alone understands.
const VERSION: u32 = 1;
const NAME: &str = "agent.json";
/// AWS records uses about every 15 minutes.
const RECORDED_WITHIN: SignedDuration = SignedDuration::from_mins(20);

/// The agent's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    version: u32,
    /// When the agent that wrote this was started.
    pub started_at: Option<Timestamp>,
    /// The last check.
    pub checked_at: Option<Timestamp>,
    /// The last check in which AWS answered.
    pub succeeded_at: Option<Timestamp>,
    /// When the next one is planned.
    pub next_check: Option<Timestamp>,
    /// What went wrong last, until it goes well again.
    pub last_error: Option<String>,
    /// What the last answers said.
    pub facts: Facts,
    /// The limits of each key at that time: `status --brief` reads no settings.
    pub limits: BTreeMap<AccessKeyId, LimitDays>,
    /// What was shown on the desktop.
    pub shown: BTreeMap<String, Shown>,
    /// What was written to the log.
    pub logged: BTreeMap<String, Shown>,
    /// The keys that belong here; `None` before the first answer.
    pub seen: Option<BTreeSet<AccessKeyId>>,
    /// When superseded keys were last retired.
    pub retired_at: Option<Timestamp>,
    /// Keys whose unasked rotation has failed, and when.
    pub failed_at: BTreeMap<AccessKeyId, Timestamp>,
    /// What is on the screen; `None` where there is nothing, or its server cannot be known again.
    #[serde(default)]
    pub on_screen: Option<OnScreen>,
}

/// The notifications whose buttons are to outlive this agent, should it die.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnScreen {
    /// Who shows them, as [`crate::desktop::Desktop::server`] has it.
    pub server: String,
    /// The reminder's number, and the names of its subjects.
    pub reminder: Option<(u32, BTreeSet<String>)>,
    /// Rotations that can be taken back, by number.
    pub undoable: BTreeMap<u32, Undoable>,
}

/// A rotation that can be taken back, and how it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undoable {
    /// One profile of each key.
    pub profiles: Vec<String>,
    /// Of its notification.
    pub title: String,
    /// Of its notification.
    pub body: String,
    /// Of its notification.
    pub urgency: Urgency,
}

/// [`Limits`] as they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitDays {
    max_age_days: u32,
    warn_days: u32,
}

impl From<Limits> for LimitDays {
    fn from(limits: Limits) -> Self {
        Self {
            max_age_days: limits.max_age_days,
            warn_days: limits.warn_days,
        }
    }
}

impl From<LimitDays> for Limits {
    fn from(days: LimitDays) -> Self {
        Self {
            max_age_days: days.max_age_days,
            warn_days: days.warn_days,
        }
    }
}

impl Memory {
    /// Reads it. A missing, damaged or newer one is as good as none: at worst something is said once more.
    pub fn load(state_folder: &Path) -> Self {
        let read = std::fs::read(state_folder.join(NAME));
        read.ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|memory| memory.version == VERSION)
            .unwrap_or_default()
    }

    /// Writes it, for this user alone.
    ///
    /// # Errors
    ///
    /// When the state folder cannot be written.
    pub fn save(&mut self, state_folder: &Path) -> Result<(), fs_atomic::Error> {
        self.version = VERSION;
        let text = serde_json::to_vec(self).expect("the keys of its maps are strings");
        fs_atomic::write_private(&state_folder.join(NAME), &text)
    }

    /// Takes the answers of a check. Without AWS's, what it said before still stands.
    pub fn learn(&mut self, mut facts: Facts, now: Timestamp) {
        for key in &mut facts.keys {
            key.used_by_others = self.used_by_others(key, now);
        }
        self.checked_at = Some(now);
        if facts.is_offline {
            self.facts.unfinished = facts.unfinished;
            self.facts.open_files = facts.open_files;
            self.facts.is_offline = true;
            self.last_error = facts.errors.into_iter().next();
            return;
        }
        self.last_error = facts.errors.first().cloned();
        if facts.errors.is_empty() {
            self.succeeded_at = Some(now);
            let belongs = |seen: &BTreeSet<AccessKeyId>| {
                let ours = facts
                    .keys
                    .iter()
                    .filter(|key| key.current || key.origin != Origin::Unknown)
                    .map(|key| key.access_key_id.clone());
                seen.iter().cloned().chain(ours).collect()
            };
            self.seen = Some(match &self.seen {
                // What was there before the agent was has not appeared.
                None => facts.keys.iter().map(|key| key.access_key_id.clone()).collect(),
                Some(seen) => belongs(seen),
            });
        }
        self.facts = facts;
    }

    /// AWS keeps the last use alone, and the agent's own check is one, of IAM with the very key. What it hides is what
    /// was known before it.
    fn used_by_others(&self, key: &KeyFacts, now: Timestamp) -> Use {
        let before = self
            .facts
            .keys
            .iter()
            .find(|known| known.access_key_id == key.access_key_id)
            .map_or(Use::Unknown, |known| known.used_by_others);
        match (&key.last_used, key.last_used_known) {
            (_, false) => before,
            (None, true) => Use::Never,
            (Some(used), true) => {
                let is_of_check = |at: Timestamp| {
                    let since = used.date.duration_since(at);
                    since >= -LONGEST_CHECK && since <= RECORDED_WITHIN
                };
                let is_ours = is_of_iam(used) && self.checked_at.into_iter().chain([now]).any(is_of_check);
                if is_ours { before } else { Use::At(used.date) }
            }
        }
    }

    /// Forgets what is over. Only a whole answer tells that.
    pub fn forget_all_but(&mut self, subjects: &[Subject]) {
        if self.facts.is_offline || !self.facts.errors.is_empty() {
            return;
        }
        let names: BTreeSet<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
        for map in [&mut self.shown, &mut self.logged] {
            map.retain(|name, _| names.contains(name.as_str()));
        }
        let held: BTreeSet<&AccessKeyId> = self.facts.keys.iter().map(|key| &key.access_key_id).collect();
        self.failed_at.retain(|id, _| held.contains(id));
    }

    /// When each was last told in either way: without a desktop, the log is where a reminder goes.
    pub fn told(&self) -> BTreeMap<String, Shown> {
        let mut told = self.shown.clone();
        for (name, logged) in &self.logged {
            let known = told.entry(name.clone()).or_insert_with(|| logged.clone());
            if known.at < logged.at {
                known.clone_from(logged);
            }
        }
        told
    }

    /// Remembers that these were shown on the desktop.
    pub fn was_shown(&mut self, subjects: &[&Subject], now: Timestamp) {
        for subject in subjects {
            self.shown.insert(subject.name.clone(), remember(subject, now));
        }
    }

    /// These were on the screen when it went dark, and nobody has put them away: they are to be shown again.
    pub fn was_lost(&mut self, subjects: &[Subject]) {
        for subject in subjects {
            self.shown.remove(&subject.name);
        }
    }

    /// Remembers that these were written to the log.
    pub fn was_logged(&mut self, subjects: &[&Subject], now: Timestamp) {
        for subject in subjects {
            self.logged.insert(subject.name.clone(), remember(subject, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::reminders::Matter;

    fn key(last: char, current: bool) -> KeyFacts {
        KeyFacts {
            access_key_id: AccessKeyId::parse(&format!("AKIAQAAAAAAAAAAAAAA{last}")).unwrap(),
            profiles: Vec::new(),
            account_id: None,
            user_name: None,
            status: None,
            created: None,
            last_used: None,
            last_used_known: false,
            used_by_others: Use::Unknown,
            current,
            origin: Origin::Unknown,
            refused: false,
        }
    }

    fn facts(keys: &[KeyFacts]) -> Facts {
        Facts {
            keys: keys.to_vec(),
            ..Facts::default()
        }
    }

    fn subject() -> Subject {
        Subject {
            name: "unfinished:x".into(),
            matter: Matter::Unfinished,
            access_key_id: None,
            profiles: Vec::new(),
        }
    }

    #[test]
    fn it_comes_back_as_it_was_and_damage_is_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::default();
        memory.learn(facts(&[key('A', true)]), Timestamp::UNIX_EPOCH);
        memory.was_shown(&[&subject()], Timestamp::UNIX_EPOCH);
        memory.save(folder.path()).unwrap();
        assert_eq!(Memory::load(folder.path()), memory);
        let bytes = std::fs::read(folder.path().join(NAME)).unwrap();
        std::fs::write(folder.path().join(NAME), &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(Memory::load(folder.path()), Memory::default());
    }

    #[test]
    fn a_key_that_appears_stays_unseen_until_it_is_ours() {
        let mut memory = Memory::default();
        let now = Timestamp::UNIX_EPOCH;
        memory.learn(facts(&[key('A', true), key('B', false)]), now);
        assert_eq!(memory.seen.as_ref().unwrap().len(), 2);
        memory.learn(facts(&[key('A', true), key('B', false), key('C', false)]), now);
        assert_eq!(memory.seen.as_ref().unwrap().len(), 2);
        memory.learn(facts(&[key('C', true)]), now);
        assert_eq!(memory.seen.as_ref().unwrap().len(), 3);
    }

    #[test]
    fn without_an_answer_nothing_is_forgotten() {
        let mut memory = Memory::default();
        let now = Timestamp::UNIX_EPOCH;
        memory.learn(facts(&[key('A', true)]), now);
        memory.was_shown(&[&subject()], now);
        let offline = Facts {
            is_offline: true,
            errors: vec!["no route".into()],
            ..Facts::default()
        };
        memory.learn(offline, now);
        memory.forget_all_but(&[]);
        assert_eq!((memory.facts.keys.len(), memory.shown.len()), (1, 1));
        assert_eq!(memory.last_error.as_deref(), Some("no route"));
        memory.learn(facts(&[key('A', true)]), now);
        memory.forget_all_but(&[]);
        assert!(memory.shown.is_empty() && memory.last_error.is_none());
    }

    #[test]
    fn the_agents_own_checks_are_no_use() {
        let at = |hour: i64, minute: i64| Timestamp::from_second((hour * 60 + minute) * 60).unwrap();
        let used = |date, service: &str| {
            let mut used = key('A', true);
            used.last_used_known = true;
            used.last_used = Some(crate::iam::LastUsed {
                date,
                service: service.into(),
                region: "us-east-1".into(),
            });
            facts(&[used])
        };
        let mut memory = Memory::default();
        // (what AWS says, when it is asked, what it means)
        for (date, service, asked, expected) in [
            (at(99, 58), "iam", at(100, 0), Use::Unknown),
            (at(50, 0), "s3", at(106, 0), Use::At(at(50, 0))),
            (at(106, 10), "iam", at(112, 0), Use::At(at(50, 0))),
            (at(114, 0), "iam", at(118, 0), Use::At(at(114, 0))),
            (at(118, 1), "s3", at(124, 0), Use::At(at(118, 1))),
        ] {
            memory.learn(used(date, service), asked);
            assert_eq!(memory.facts.keys[0].used_by_others, expected, "asked at {asked}");
        }
    }
}
