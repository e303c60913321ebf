//! What a check has found: the document that `keyagent agent check` hands to the agent. No secret is in it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::access_key::AccessKeyId;
use crate::iam::{AccessKeyStatus, ErrorKind, LastUsed};
use crate::problem::Problem;
use crate::rotate::concern::{Concern, PutBack, concern};
use crate::rotate::state::Rotation;
use crate::status::{Report, Standing};

/// Everything a reminder can be about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The keys in the files and the users' other keys.
    pub keys: Vec<KeyFacts>,
    /// What there is for `recover` to look at, by the old key.
    pub unfinished: Vec<Unfinished>,
    /// Files with secrets that others can read.
    pub open_files: Vec<OpenFile>,
    /// What could not be answered, in words; the first is shown.
    pub errors: Vec<String>,
    /// The same in their three lines, for `agent run --once`.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// Whether no question reached AWS.
    pub is_offline: bool,
    /// How many superseded keys wait for the end of their grace. Without one the keyring is not opened for them.
    #[serde(default)]
    pub superseded: usize,
}

/// One key, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// The key.
    pub access_key_id: AccessKeyId,
    /// The profiles that hold it; none for the user's other key.
    pub profiles: Vec<String>,
    /// 12 digits, where known.
    pub account_id: Option<String>,
    /// Whose it is, where known.
    pub user_name: Option<String>,
    /// Whether it signs calls; `None` when AWS has not said.
    pub status: Option<AccessKeyStatus>,
    /// When it was made; `None` when AWS has not said.
    pub created: Option<Timestamp>,
    /// The last use.
    pub last_used: Option<LastUsed>,
    /// Whether AWS has answered about its use.
    pub last_used_known: bool,
    /// When anybody but keyagent used it; the memory knows, for a check is a use too.
    #[serde(default)]
    pub used_by_others: Use,
    /// Whether a file here holds it.
    pub current: bool,
    /// How keyagent knows it, other than from the files.
    pub origin: Origin,
    /// AWS does not take its signature.
    pub refused: bool,
}

impl KeyFacts {
    /// Since when nobody but keyagent has used it. `None` when that cannot be told: AWS keeps the last use alone, and
    /// what looks like the check's own call may hide another from the moment before.
    pub fn idle_since(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.last_used_known {
            return None;
        }
        let Some(used) = &self.last_used else {
            return self.created;
        };
        if is_of_iam(used) && now.duration_since(used.date) < LONGEST_CHECK {
            return None;
        }
        match self.used_by_others {
            Use::At(at) => Some(at),
            Use::Never => self.created,
            Use::Unknown => Some(used.date),
        }
    }
}

/// A check is over within this.
pub(super) const LONGEST_CHECK: SignedDuration = SignedDuration::from_mins(6);

/// Whether it can be a call of keyagent's.
pub(super) fn is_of_iam(used: &LastUsed) -> bool {
    ["iam", "sts"].contains(&used.service.as_str())
}

/// The last use of a key by anybody but keyagent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// AWS has not said, or keyagent's own calls have hidden it.
    #[default]
    Unknown,
    /// None is recorded.
    Never,
    /// Then.
    At(Timestamp),
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// It is in no rotation of this machine.
    Unknown,
    /// This machine has made or replaced it.
    Rotation,
    /// Superseded, and used since it was replaced.
    SupersededButUsed,
}

/// An interrupted rotation, or one whose superseded key is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The key that was to be replaced.
    pub access_key_id: AccessKeyId,
    /// The profiles that hold it.
    pub profiles: Vec<String>,
    /// Nothing was interrupted: a file holds a superseded key again.
    #[serde(default)]
    pub put_back: Option<PutBack>,
}

/// A file that others can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFile {
    /// Which.
    pub path: PathBuf,
    /// Its mode, in octal.
    pub mode: String,
}

impl Facts {
    /// Of a check that could not be made.
    pub fn of_problem(problem: Problem) -> Self {
        Self {
            errors: vec![problem.in_one_line()],
            problems: vec![problem],
            ..Self::default()
        }
    }

    /// Puts together what `status` and the journal say. A rotation that goes on right now was not interrupted.
    pub fn of(report: &Report, rotations: &[Rotation], goes_on: impl Fn(&Rotation) -> bool) -> Self {
        let refused: BTreeSet<&str> = report
            .errors
            .iter()
            .filter(|error| error.kind == Some(ErrorKind::InvalidClientTokenId))
            .flat_map(|error| error.sharing.iter().map(String::as_str))
            .collect();
        let no_answer =
            |kind: Option<ErrorKind>| matches!(kind, Some(ErrorKind::Unreachable | ErrorKind::TimedOut));
        let keys = report.keys.iter().map(|key| KeyFacts {
            access_key_id: key.access_key_id.clone(),
            profiles: key.profiles.clone(),
            account_id: key.account_id.clone(),
            user_name: key.user_name.clone(),
            status: key.status,
            created: key.create_date,
            last_used: key.last_used.clone(),
            last_used_known: key.last_used_known,
            used_by_others: Use::Unknown,
            current: key.current,
            origin: match origin(&key.access_key_id, key.last_used.as_ref(), rotations) {
                // What a rotation may have made before anybody could record it.
                Origin::Unknown if key.standing.is_some() => Origin::Rotation,
                origin @ (Origin::Unknown | Origin::Rotation | Origin::SupersededButUsed) => origin,
            },
            // Of a key that was put back, that is said instead.
            refused: key.current
                && key.standing != Some(Standing::PutBack)
                && key.profiles.iter().any(|name| refused.contains(name.as_str())),
        });
        Self {
            keys: keys.collect(),
            unfinished: rotations
                .iter()
                .filter(|rotation| !goes_on(rotation))
                .filter_map(|rotation| {
                    Some(Unfinished {
                        put_back: match concern(rotation)? {
                            Concern::Interrupted => None,
                            Concern::PutBack(put_back) => Some(put_back),
                        },
                        access_key_id: rotation.plan.old_access_key_id.clone(),
                        profiles: rotation.plan.profiles.clone(),
                    })
                })
                .collect(),
            open_files: Vec::new(),
            errors: report
                .errors
                .iter()
                .map(|error| error.problem.in_one_line())
                .collect(),
            problems: report.errors.iter().map(|error| error.problem.clone()).collect(),
            superseded: rotations
                .iter()
                .filter(|rotation| rotation.superseded().is_some())
                .count(),
            is_offline: !report.errors.is_empty() && report.errors.iter().all(|error| no_answer(error.kind)),
        }
    }
}

fn origin(id: &AccessKeyId, last_used: Option<&LastUsed>, rotations: &[Rotation]) -> Origin {
    let is_known = |rotation: &&Rotation| {
        rotation.plan.existing_access_key_ids.contains(id)
            || rotation.plan.old_access_key_id == *id
            || rotation.new_access_key_id.as_ref() == Some(id)
    };
    let Some(rotation) = rotations.iter().rev().find(is_known) else {
        return Origin::Unknown;
    };
    let replaced = rotation.replaced_at();
    let is_used = last_used.zip(replaced).is_some_and(|(used, at)| used.date > at);
    if rotation.superseded() == Some(id) && is_used {
        Origin::SupersededButUsed
    } else {
        Origin::Rotation
    }
}
