//! What `recover` has to look at, and how it is told. Reads the files of a plan; asks nobody.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::files::PairsHeld;
use super::state::{Rotation, State};
use crate::access_key::AccessKeyId;
use crate::problem::Problem;

/// Why a rotation is something for `recover`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// It was interrupted, or another keyagent works on it now.
    Interrupted,
    /// It is at rest, and a file holds the superseded key again.
    PutBack(PutBack),
}

/// A superseded key that another program has put back into a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// The key that a file holds again.
    pub superseded: AccessKeyId,
    /// The key that belongs there; its secret is kept until the superseded one is deleted.
    pub by: AccessKeyId,
}

/// What there is to look at.
pub fn concern(rotation: &Rotation) -> Option<Concern> {
    if !rotation.is_at_rest() {
        return Some(Concern::Interrupted);
    }
    let put_back = PutBack::if_superseded(rotation)?;
    PairsHeld::read(&rotation.plan)
        .hold_again(&put_back.superseded, &put_back.by)
        .then_some(Concern::PutBack(put_back))
}

impl Concern {
    /// In words, with the profiles.
    pub fn told(&self, rotation: &Rotation) -> String {
        let profiles = rotation.plan.profiles.join(", ");
        match self {
            Self::Interrupted => format!(
                "the {} of {} ({profiles}) was interrupted",
                what_was_interrupted(rotation.state),
                rotation.plan.old_access_key_id,
            ),
            Self::PutBack(put_back) => format!("{profiles}: {put_back}"),
        }
    }
}

/// Says which keyagent has a rotation in hand.
pub fn works_on(holder: &str, rotation: &Rotation) -> String {
    let (old, profiles) = (&rotation.plan.old_access_key_id, &rotation.plan.profiles);
    format!("{holder} works on {old} ({}) now", profiles.join(", "))
}

fn what_was_interrupted(state: State) -> &'static str {
    match state {
        State::Undoing | State::OldKeyActive | State::OldKeyVerified | State::OldPairInstalled => "undo",
        State::OldKeyInactive | State::Undone => "deletion",
        State::Planned
        | State::CreatingKey
        | State::KeyCreated
        | State::KeyVerified
        | State::Installed
        | State::Aborting
        | State::Aborted
        | State::OldKeyDeleted
        | State::NewKeyDeleted => "rotation",
    }
}

impl PutBack {
    /// What is so of a key that a profile holds and AWS refuses, if a rotation has superseded it.
    pub fn of(access_key_id: &AccessKeyId, rotations: &[Rotation]) -> Option<Self> {
        let mut at_rest = rotations.iter().rev().filter(|rotation| rotation.is_at_rest());
        at_rest.find_map(|rotation| {
            Self::if_superseded(rotation).filter(|put_back| put_back.superseded == *access_key_id)
        })
    }

    fn if_superseded(rotation: &Rotation) -> Option<Self> {
        let superseded = rotation.superseded()?;
        let new = rotation.new_access_key_id.as_ref()?;
        let old = &rotation.plan.old_access_key_id;
        Some(Self {
            superseded: superseded.clone(),
            by: if superseded == old { new } else { old }.clone(),
        })
    }

    /// The refusal of the key, by what is known of it. `what` is what could not be done.
    pub fn problem(&self, what: impl Into<String>) -> Problem {
        let cause = format!("AWS does not accept the key: {self} [InvalidClientTokenId]");
        Problem::new(what, cause, "keyagent recover")
    }
}

impl fmt::Display for PutBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { superseded, by } = self;
        write!(
            f,
            "another program has put {superseded} back in the place of {by}, whose secret is kept"
        )
    }
}
