//! When to speak up about what. Pure: facts, memory and the time come in as values.
//!
//! | about | first | again |
//! | --- | --- | --- |
//! | a key's age | `warn_days` before the limit | 7, 3 and 1 days before it, then every day past it |
//! | an interrupted rotation, a superseded key that was put back, a file that others can read | at once | every day |
//! | a superseded key that something still uses | at once | every day |
//! | a key that nobody uses, two active keys | at once | every week |
//! | a key that appeared, a key that AWS refuses | at once | never |
//!
//! Never twice on the same day, never while snoozed, never in quiet hours: what falls into those comes after them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::civil::{Date, time};
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::facts::{Facts, KeyFacts, Origin, Use};
use crate::access_key::AccessKeyId;
use crate::iam::{AccessKeyStatus, LastUsed};
use crate::policy::{Limits, days_since};
use crate::rotate::concern::PutBack;
use crate::settings::quiet_hours::QuietHours;

/// A repeated reminder comes at this hour, not at midnight.
const MORNING: jiff::civil::Time = time(9, 0, 0, 0);
const DAY: i64 = 86_400;

/// What a reminder is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name in the memory: unique, and the same after a restart.
    pub name: String,
    /// What is the matter.
    pub matter: Matter,
    /// The key, if it is about one.
    pub access_key_id: Option<AccessKeyId>,
    /// The profiles that it concerns.
    pub profiles: Vec<String>,
}

/// What is the matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// The key comes to its limit, or is past it.
    Age {
        /// When it was made.
        created: Timestamp,
        /// What holds for it.
        limits: Limits,
    },
    /// Nobody has used it for so many days.
    Unused {
        /// Whole days.
        days: u32,
    },
    /// The user has another active key, which no file here holds.
    TwoActive {
        /// The other one.
        other: AccessKeyId,
    },
    /// It was superseded, and something still uses it.
    SupersededUsed {
        /// What.
        last_used: LastUsed,
    },
    /// It is in the account, and this machine did not make it.
    Appeared,
    /// AWS does not take its signature. It does not say whether the key is inactive, deleted or of another partition.
    Refused,
    /// A rotation was interrupted.
    Unfinished,
    /// Another program has put a superseded key back.
    PutBack(PutBack),
    /// Others can read the file.
    OpenFile {
        /// Which.
        path: PathBuf,
        /// Octal.
        mode: String,
    },
}

impl Matter {
    /// Whether something is to be done about it now, as opposed to some day.
    pub fn is_due(&self, now: Timestamp) -> bool {
        match self {
            Self::Age { created, limits } => milestone(*created, *limits, now).is_some(),
            Self::Unused { .. }
            | Self::TwoActive { .. }
            | Self::SupersededUsed { .. }
            | Self::Appeared
            | Self::Refused
            | Self::Unfinished
            | Self::PutBack(_)
            | Self::OpenFile { .. } => true,
        }
    }
}

/// What is remembered of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// When it was last shown.
    pub at: Timestamp,
    /// The milestone for which it was: days before the limit, 0 past it.
    pub milestone: Option<u32>,
}

/// What decides besides the facts.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    /// By the subject's name.
    pub shown: &'a BTreeMap<String, Shown>,
    /// Until when a key is not spoken of.
    pub snoozed: &'a BTreeMap<AccessKeyId, Timestamp>,
    /// When nothing is shown.
    pub quiet_hours: Option<QuietHours>,
    /// The user's own.
    pub zone: &'a TimeZone,
    /// Now.
    pub now: Timestamp,
}

/// The settings by which a key's facts become subjects.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Its limits.
    pub limits: Limits,
    /// From how many days on a key counts as unused.
    pub unused_days: u32,
}

/// Everything there is to remind of, now or later. `seen` are the keys that the account had before: a key outside
/// them has appeared. Without it nothing is known of before, and nothing has.
pub fn subjects(
    facts: &Facts,
    bounds: impl Fn(&[String]) -> Bounds,
    seen: Option<&BTreeSet<AccessKeyId>>,
    now: Timestamp,
) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for key in &facts.keys {
        let mut add = |name: &str, matter| {
            subjects.push(Subject {
                name: format!("{name}:{}", key.access_key_id),
                matter,
                access_key_id: Some(key.access_key_id.clone()),
                profiles: key.profiles.clone(),
            });
        };
        if key.refused {
            add("refused", Matter::Refused);
            continue;
        }
        if !key.current {
            match (key.origin, &key.last_used) {
                (Origin::SupersededButUsed, Some(last_used)) => add(
                    "superseded",
                    Matter::SupersededUsed {
                        last_used: last_used.clone(),
                    },
                ),
                (Origin::Unknown, _) if seen.is_some_and(|seen| !seen.contains(&key.access_key_id)) => {
                    add("appeared", Matter::Appeared);
                }
                (Origin::Unknown | Origin::Rotation | Origin::SupersededButUsed, _) => {}
            }
            continue;
        }
        if key.status == Some(AccessKeyStatus::Inactive) {
            continue;
        }
        let bounds = bounds(&key.profiles);
        if let Some(created) = key.created {
            add(
                "age",
                Matter::Age {
                    created,
                    limits: bounds.limits,
                },
            );
        }
        if let Some(days) = unused_days(key, now).filter(|days| *days >= bounds.unused_days) {
            add("unused", Matter::Unused { days });
        }
        let other = facts
            .keys
            .iter()
            .find(|other| !other.current && is_of_the_same_user(other, key) && is_a_second_key(other));
        if let Some(other) = other {
            let other = other.access_key_id.clone();
            add("two-active", Matter::TwoActive { other });
        }
    }
    for unfinished in &facts.unfinished {
        let (name, matter) = match &unfinished.put_back {
            None => ("unfinished", Matter::Unfinished),
            Some(put_back) => ("put-back", Matter::PutBack(put_back.clone())),
        };
        subjects.push(Subject {
            name: format!("{name}:{}", unfinished.access_key_id),
            matter,
            access_key_id: None,
            profiles: unfinished.profiles.clone(),
        });
    }
    for file in &facts.open_files {
        subjects.push(Subject {
            name: format!("open:{}", file.path.display()),
            matter: Matter::OpenFile {
                path: file.path.clone(),
                mode: file.mode.clone(),
            },
            access_key_id: None,
            profiles: Vec::new(),
        });
    }
    subjects
}

/// A key that was never used counts from its creation. What AWS did not say is unknown, never "unused".
fn unused_days(key: &KeyFacts, now: Timestamp) -> Option<u32> {
    let since = match key.used_by_others {
        Use::Unknown => return None,
        Use::Never => key.created?,
        Use::At(at) => at,
    };
    Some(days_since(since, now))
}

fn is_of_the_same_user(one: &KeyFacts, other: &KeyFacts) -> bool {
    one.user_name.is_some() && (&one.user_name, &one.account_id) == (&other.user_name, &other.account_id)
}

/// What keyagent has superseded is its own to take away.
fn is_a_second_key(key: &KeyFacts) -> bool {
    key.status == Some(AccessKeyStatus::Active) && key.origin == Origin::Unknown
}

/// When a subject is next to be shown; at or before `now` means now, `None` means never again.
pub fn next(subject: &Subject, circumstances: &Circumstances<'_>) -> Option<Timestamp> {
    // What was shown on a day to come was shown by a clock that was set back since.
    let shown = circumstances
        .shown
        .get(&subject.name)
        .filter(|shown| shown.at.duration_since(circumstances.now) < SignedDuration::from_secs(DAY));
    let owed = owed_at(subject, shown, circumstances)?;
    let mut at = owed;
    if let Some(shown) = shown {
        at = at.max(morning_after(shown.at, 1, circumstances.zone));
    }
    if let Some(until) = subject
        .access_key_id
        .as_ref()
        .and_then(|id| circumstances.snoozed.get(id))
    {
        at = at.max(*until);
    }
    // What is owed since yesterday is owed now; it is now that must not be quiet.
    at = at.max(circumstances.now);
    Some(
        circumstances
            .quiet_hours
            .map_or(at, |hours| hours.after(at, circumstances.zone)),
    )
}

/// When it would be shown if no day, snooze or quiet hour were in the way.
fn owed_at(subject: &Subject, shown: Option<&Shown>, circumstances: &Circumstances<'_>) -> Option<Timestamp> {
    let again = |days| {
        Some(shown.map_or(circumstances.now, |shown| {
            morning_after(shown.at, days, circumstances.zone)
        }))
    };
    match &subject.matter {
        Matter::Age { created, limits } => Some(age_owed_at(*created, *limits, shown, circumstances)),
        Matter::Unused { .. } | Matter::TwoActive { .. } => again(7),
        Matter::SupersededUsed { .. } | Matter::Unfinished | Matter::PutBack(_) | Matter::OpenFile { .. } => {
            again(1)
        }
        Matter::Appeared | Matter::Refused => shown.is_none().then_some(circumstances.now),
    }
}

/// The milestone that is reached and was not yet shown, or else the time of the next one.
fn age_owed_at(
    created: Timestamp,
    limits: Limits,
    shown: Option<&Shown>,
    circumstances: &Circumstances<'_>,
) -> Timestamp {
    let reached = milestone(created, limits, circumstances.now);
    let last = shown.and_then(|shown| shown.milestone);
    match (reached, last) {
        // Every day past the limit: the day after the last one is all that keeps it.
        (Some(0), _) => circumstances.now,
        (Some(reached), Some(last)) if last <= reached => {
            let next = milestones(limits).into_iter().find(|days| *days < reached);
            begins(created, limits, next.unwrap_or(0))
        }
        (Some(_), _) => circumstances.now,
        (None, _) => begins(created, limits, limits.warn_days),
    }
}

/// Days before the limit, the first first; 0 is the limit itself.
fn milestones(limits: Limits) -> Vec<u32> {
    let fixed = [7, 3, 1, 0].into_iter().filter(|days| *days < limits.warn_days);
    std::iter::once(limits.warn_days).chain(fixed).collect()
}

/// The last milestone that a key has reached.
pub fn milestone(created: Timestamp, limits: Limits, now: Timestamp) -> Option<u32> {
    milestones(limits)
        .into_iter()
        .rfind(|days| begins(created, limits, *days) <= now)
}

/// To the second, as `policy::freshness` has it: a key of exactly `max_age_days` is not yet past them.
fn begins(created: Timestamp, limits: Limits, milestone: u32) -> Timestamp {
    let age = (i64::from(limits.max_age_days) - i64::from(milestone)) * DAY;
    let past = i64::from(milestone == 0);
    created
        .saturating_add(SignedDuration::from_secs(age + past))
        .unwrap_or(Timestamp::MAX)
}

/// The morning so many days later, in the user's zone.
fn morning_after(at: Timestamp, days: i64, zone: &TimeZone) -> Timestamp {
    let day: Date = at
        .to_zoned_datetime(zone.clone())
        .date()
        .saturating_add(days.days());
    day.to_datetime(MORNING)
        .to_zoned_datetime(zone.clone())
        .map_or(at, |morning| morning.timestamp())
}

/// What to remember of a subject that is shown now.
pub fn remember(subject: &Subject, now: Timestamp) -> Shown {
    let milestone = match &subject.matter {
        Matter::Age { created, limits } => milestone(*created, *limits, now),
        Matter::Unused { .. }
        | Matter::TwoActive { .. }
        | Matter::SupersededUsed { .. }
        | Matter::Appeared
        | Matter::Refused
        | Matter::Unfinished
        | Matter::PutBack(_)
        | Matter::OpenFile { .. } => None,
    };
    Shown { at: now, milestone }
}

/// The snooze that "Tomorrow" stands for.
pub fn tomorrow(now: Timestamp, zone: &TimeZone) -> Timestamp {
    morning_after(now, 1, zone)
}

#[cfg(test)]
mod tests;
