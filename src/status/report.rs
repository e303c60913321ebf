//! What is known about each key, as a row; and what a user should do about it. Asks nobody.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::access_key::AccessKeyId;
use crate::iam::{AccessKeyStatus, ErrorKind, LastUsed};
use crate::policy::{Freshness, Limits};
use crate::problem::{Problem, word};
use crate::rotate::concern::PutBack;
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

    /// Nothing but why nothing is known. Which limits hold is unknown as well, so these are those without settings.
    pub fn failed(problem: Problem, profile: String, now: Timestamp) -> Self {
        let error = ProfileProblem {
            profile,
            sharing: Vec::new(),
            problem,
            kind: None,
        };
        let limits = crate::settings::Settings::default().limits;
        Self::new(limits, Vec::new(), Vec::new(), vec![error], now)
    }

    /// Adds what the journal knows: whose a key is, which keys are superseded, and which an interrupted rotation needs.
    /// `goes_on` tells whether another keyagent works on a rotation now.
    pub fn add_rotations(
        &mut self,
        rotations: &[Rotation],
        goes_on: impl Fn(&Rotation) -> bool,
        grace_days: impl Fn(&str) -> u32,
        now: Timestamp,
    ) {
        for key in &mut self.keys {
            let id = &key.access_key_id;
            let mut known = rotations.iter().rev().filter(|rotation| {
                rotation.plan.old_access_key_id == *id || rotation.new_access_key_id.as_ref() == Some(id)
            });
            let Some(rotation) = known.next() else {
                // CreateAccessKey was called, and whether this is what it made nobody has recorded.
                let may_have_made = |rotation: &&Rotation| {
                    !rotation.is_at_rest()
                        && rotation.new_access_key_id.is_none()
                        && rotation
                            .plan
                            .is_of(key.account_id.as_deref(), key.user_name.as_deref())
                        && !rotation.plan.existing_access_key_ids.contains(id)
                };
                if let Some(rotation) = rotations.iter().rev().find(may_have_made) {
                    key.stand(in_the_middle(goes_on(rotation)), NEW_ONE);
                }
                continue;
            };
            key.user_arn = Some(rotation.plan.user_arn.clone());
            key.user_name
                .get_or_insert_with(|| rotation.plan.user_name.to_string());
            if !rotation.is_at_rest() {
                let is_old = rotation.plan.old_access_key_id == *id;
                let why = match (key.current, is_old) {
                    _ if is_being_deleted(rotation) && rotation.superseded() == Some(id) => {
                        "its deletion was interrupted"
                    }
                    (true, _) => "its rotation was interrupted",
                    (false, true) => "a rotation was interrupted; undo needs this key",
                    (false, false) => NEW_ONE,
                };
                key.stand(in_the_middle(goes_on(rotation)), why);
                continue;
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
            key.standing = Some(match (key.current, now < until) {
                (true, _) => Standing::PutBack,
                (false, true) => Standing::GraceRuns,
                (false, false) => Standing::GraceIsOver,
            });
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
        self.explain_refusals(rotations);
    }

    /// A key that AWS refuses because of a rotation does not call for a new one.
    fn explain_refusals(&mut self, rotations: &[Rotation]) {
        for key in self.keys.iter().filter(|key| key.current) {
            let profiles = key.profiles.join(", ");
            let is_refusal = |error: &&mut ProfileProblem| {
                error.kind == Some(ErrorKind::InvalidClientTokenId) && error.profile == profiles
            };
            let put_back = PutBack::of(&key.access_key_id, rotations);
            for error in self.errors.iter_mut().filter(is_refusal) {
                if let Some(put_back) = &put_back {
                    error.problem = put_back.problem(error.problem.error.clone());
                } else if key.standing == Some(Standing::Interrupted) {
                    error.problem.hint = "keyagent recover".into();
                }
            }
        }
    }

    /// The journal cannot be read: which keys a rotation needs is unknown, and any that no profile holds may be one.
    pub fn without_rotations(&mut self, problem: Problem) {
        self.errors.push(ProfileProblem {
            profile: String::new(),
            sharing: Vec::new(),
            problem,
            kind: None,
        });
        for key in self.keys.iter_mut().filter(|key| !key.current) {
            key.stand(
                Standing::Interrupted,
                "the journal cannot be read; undo may need this key",
            );
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
    /// Known once a rotation or `doctor` has asked for it: only GetCallerIdentity names the ARN, and with its path no
    /// other answer gives it away. It would be a third call for every key.
    pub user_arn: Option<String>,
    /// Whether it signs calls; `None` when AWS has not said.
    pub status: Option<AccessKeyStatus>,
    /// When it was made.
    pub create_date: Option<Timestamp>,
    /// Whole days since.
    pub age_days: Option<u32>,
    /// The last use. `None` if `last_used_known`: AWS has none on record, which is never or no data; else unknown.
    pub last_used: Option<LastUsed>,
    /// Whether AWS has answered about its use.
    pub last_used_known: bool,
    /// Against the limits.
    pub freshness: Freshness,
    /// `false` for the user's other key, which no profile here holds.
    pub current: bool,
    /// What else there is to know.
    pub note: Option<String>,
    /// Of a key that keyagent has made or superseded.
    #[serde(skip)]
    pub standing: Option<Standing>,
}

impl KeyReport {
    fn stand(&mut self, standing: Standing, why: &str) {
        self.standing = Some(standing);
        self.note = Some(match standing {
            Standing::UnderWay => "another keyagent works on it now".into(),
            Standing::GraceRuns | Standing::GraceIsOver | Standing::PutBack | Standing::Interrupted => {
                format!("{why}: keyagent recover")
            }
        });
    }
}

/// How a key stands that a rotation has made or superseded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Superseded; it can be taken back.
    GraceRuns,
    /// Superseded; it may go.
    GraceIsOver,
    /// Superseded, and in a file again.
    PutBack,
    /// The rotation was interrupted, and needs it.
    Interrupted,
    /// The rotation goes on right now.
    UnderWay,
}

const NEW_ONE: &str = "made by a rotation that was interrupted";

fn in_the_middle(goes_on: bool) -> Standing {
    if goes_on {
        Standing::UnderWay
    } else {
        Standing::Interrupted
    }
}

fn is_being_deleted(rotation: &Rotation) -> bool {
    matches!(rotation.state, State::OldKeyInactive | State::Undone)
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
    /// Its name; empty where it is about no profile.
    pub profile: String,
    /// All that hold its key.
    #[serde(skip)]
    pub sharing: Vec<String>,
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
    match key.standing {
        Some(Standing::PutBack | Standing::Interrupted) => {
            return ("recover", Some("keyagent recover".into()));
        }
        Some(Standing::GraceRuns | Standing::UnderWay) => return ("-", None),
        Some(Standing::GraceIsOver) => return ("retire", Some("keyagent retire".into())),
        None => {}
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
        // What AWS did not say is not fine.
        (_, None, _) | (_, _, Freshness::Unknown) => ("check", None),
        (_, _, Freshness::Due | Freshness::Fresh) => ("-", None),
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
            standing: None,
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
        assert_eq!(what_to_do(&row(None, Freshness::Unknown, "dev")), ("check", None));
    }
}
