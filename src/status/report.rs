//! What is known about each key, as a row; and what a user should do about it. Asks nobody.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::access_key::AccessKeyId;
use crate::iam::{AccessKeyStatus, ErrorKind, LastUsed};
use crate::policy::{Freshness, Limits};
use crate::problem::{Problem, word};
use crate::rotate::retire::grace_ends;
use crate::rotate::state::{Rotation, State};

/// The contract's document.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    schema: &'static str,
    generated_at: Timestamp,
    limits: Limits,
    /// The keys, worst first.
    pub keys: Vec<KeyReport>,
    /// Profiles without a long-term key.
    pub skipped: Vec<Skipped>,
    /// What could not be answered.
    pub errors: Vec<ProfileProblem>,
}

impl Report {
    /// Puts the keys in order, worst first.
    pub(super) fn new(
        limits: Limits,
        mut keys: Vec<KeyReport>,
        skipped: Vec<Skipped>,
        errors: Vec<ProfileProblem>,
        now: Timestamp,
    ) -> Self {
        worst_first(&mut keys);
        Self {
            schema: "keyagent.status/1",
            generated_at: now,
            limits,
            keys,
            skipped,
            errors,
        }
    }

    /// Adds what the journal knows: whose a key is, and which keys are superseded.
    pub fn add_rotations(
        &mut self,
        rotations: &[Rotation],
        grace_days: impl Fn(&str) -> u32,
        now: Timestamp,
    ) {
        for key in &mut self.keys {
            let id = &key.access_key_id;
            let mut known = rotations.iter().rev().filter(|rotation| {
                rotation.plan.old_access_key_id == *id || rotation.new_access_key_id.as_ref() == Some(id)
            });
            let Some(rotation) = known.next() else { continue };
            key.user_arn = Some(rotation.plan.user_arn.clone());
            key.user_name
                .get_or_insert_with(|| rotation.plan.user_name.to_string());
            if !key.current && !rotation.is_at_rest() && rotation.new_access_key_id.as_ref() == Some(id) {
                key.note = Some("made by a rotation that is not finished".into());
            }
            let (Some(superseded), Some(since)) = (rotation.superseded(), rotation.superseded_since()) else {
                continue;
            };
            if superseded != id {
                continue;
            }
            let profile = rotation.plan.profiles.first().map_or("default", String::as_str);
            let until = grace_ends(since, grace_days(profile));
            let is_undone = rotation.state == State::Undone;
            key.grace = Some(if now < until { Grace::Running } else { Grace::Over });
            key.note = Some(match (key.current, now < until) {
                (true, _) => "superseded, but put back: keyagent recover".into(),
                (false, true) if is_undone => {
                    format!("superseded by an undo; kept until {}", until.strftime("%Y-%m-%d"))
                }
                (false, true) => format!(
                    "superseded; until {}: keyagent undo -p {}",
                    until.strftime("%Y-%m-%d"),
                    word(profile)
                ),
                (false, false) => "superseded, and its grace is over: keyagent retire".into(),
            });
        }
    }

    /// The limit that holds where a profile has none of its own.
    pub fn limit_days(&self) -> u32 {
        self.limits.max_age_days
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// The key.
    pub access_key_id: AccessKeyId,
    /// The profiles that hold it; none for the user's other key.
    pub profiles: Vec<String>,
    /// The files that hold it.
    pub files: Vec<PathBuf>,
    /// As AWS says, or decoded from the key ID.
    pub account_id: Option<String>,
    /// The user, as GetAccessKeyLastUsed or ListAccessKeys names it.
    pub user_name: Option<String>,
    /// Known once a rotation has asked for it: only GetCallerIdentity names the ARN, and with its path no other
    /// answer gives it away. A third call for every key is not worth it here.
    pub user_arn: Option<String>,
    /// Whether it signs calls; `None` when AWS has not said.
    pub status: Option<AccessKeyStatus>,
    /// When it was made.
    pub create_date: Option<Timestamp>,
    /// Whole days since.
    pub age_days: Option<u32>,
    /// The last use; `None` means none recorded if `last_used_known`, else unknown.
    pub last_used: Option<LastUsed>,
    /// Whether AWS has answered about its use.
    pub last_used_known: bool,
    /// Against the limits.
    pub freshness: Freshness,
    /// `false` for the user's other key, which no profile here holds.
    pub current: bool,
    /// What else there is to know.
    pub note: Option<String>,
    /// Of a key that keyagent has superseded.
    #[serde(skip)]
    pub grace: Option<Grace>,
}

/// How a superseded key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// It can be taken back.
    Running,
    /// It may go.
    Over,
}

/// A profile without a long-term key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub profile: String,
    /// Why.
    pub why: String,
}

/// A question about a profile that was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProfileProblem {
    /// Its name.
    pub profile: String,
    /// What, why, and what to do.
    #[serde(flatten)]
    pub problem: Problem,
    /// How AWS failed, where it was asked.
    #[serde(skip)]
    pub kind: Option<ErrorKind>,
}

/// Overdue, due, unknown, fresh; the oldest first in each.
fn worst_first(keys: &mut [KeyReport]) {
    keys.sort_by_key(|key| {
        let rank = match key.freshness {
            Freshness::Overdue => 0,
            Freshness::Due => 1,
            Freshness::Unknown => 2,
            Freshness::Fresh => 3,
        };
        (
            rank,
            std::cmp::Reverse(key.age_days),
            !key.current,
            key.profiles.clone(),
        )
    });
}

/// What a user should do about a key, in a word; and the command for it.
pub fn what_to_do(key: &KeyReport) -> (&'static str, Option<String>) {
    let profile = key.profiles.first();
    match (key.current, key.grace) {
        (true, Some(_)) => return ("recover", Some("keyagent recover".into())),
        (false, Some(Grace::Running)) => return ("-", None),
        (false, Some(Grace::Over)) => return ("retire", Some("keyagent retire".into())),
        (_, None) => {}
    }
    match (key.current, key.status, key.freshness) {
        (false, Some(AccessKeyStatus::Inactive), _) => ("delete", None),
        (false, _, Freshness::Overdue) => ("check", None),
        (true, Some(AccessKeyStatus::Inactive), _) => ("replace", None),
        (true, _, Freshness::Overdue) => (
            "rotate",
            profile.map(|name| format!("keyagent rotate -p {}", word(name))),
        ),
        (true, _, Freshness::Due) => (
            "soon",
            profile.map(|name| format!("keyagent rotate -p {}", word(name))),
        ),
        (_, None, _) => ("check", None),
        (_, _, Freshness::Due | Freshness::Fresh | Freshness::Unknown) => ("-", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(age: Option<u32>, freshness: Freshness, name: &str) -> KeyReport {
        KeyReport {
            access_key_id: AccessKeyId::parse(&"K".repeat(20)).unwrap(),
            profiles: vec![name.into()],
            files: Vec::new(),
            account_id: None,
            user_name: None,
            user_arn: None,
            status: Some(AccessKeyStatus::Active),
            create_date: None,
            age_days: age,
            last_used: None,
            last_used_known: false,
            freshness,
            current: true,
            note: None,
            grace: None,
        }
    }

    #[test]
    fn the_worst_comes_first() {
        let mut rows = vec![
            row(Some(3), Freshness::Fresh, "fresh"),
            row(None, Freshness::Unknown, "unknown"),
            row(Some(95), Freshness::Overdue, "old"),
            row(Some(80), Freshness::Due, "due"),
            row(Some(400), Freshness::Overdue, "older"),
        ];
        worst_first(&mut rows);
        let names: Vec<&str> = rows.iter().map(|row| row.profiles[0].as_str()).collect();
        assert_eq!(names, ["older", "old", "due", "unknown", "fresh"]);
    }

    #[test]
    fn overdue_and_due_keys_have_a_command() {
        assert_eq!(
            what_to_do(&row(Some(91), Freshness::Overdue, "dev")).1.unwrap(),
            "keyagent rotate -p dev"
        );
        assert_eq!(what_to_do(&row(Some(1), Freshness::Fresh, "dev")), ("-", None));
    }
}
