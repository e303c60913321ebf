//! The states of a rotation, what leads from one to the next, and what is to be done in each. No I/O.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access_key::AccessKeyId;
use crate::iam::UserName;

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Everything was checked; nothing is changed.
    Planned,
    /// AWS was asked for a key. Until its answer is recorded, whether there is one is unknown.
    CreatingKey,
    /// There is a key, and its secret is in the secret store.
    KeyCreated,
    /// STS and IAM have accepted it several times in a row.
    KeyVerified,
    /// Every file holds the new pair.
    Installed,
    /// The old key is refused by AWS, and can still be taken back.
    OldKeyInactive,
    /// The old key is gone.
    OldKeyDeleted,
    /// The new key is being deleted; the files hold the old pair.
    Aborting,
    /// All is as it was before.
    Aborted,
}

/// What changes the world outside, and is journaled before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// CreateAccessKey.
    CreateKey,
    /// Asks STS and IAM with the new key; changes nothing.
    VerifyKey,
    /// Puts the new pair into the files.
    Install,
    /// UpdateAccessKey of the old key.
    DeactivateOldKey,
    /// DeleteAccessKey of the new key.
    DeleteNewKey,
}

/// What a rotation was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Every profile that holds the old pair.
    pub profiles: Vec<String>,
    /// The files that hold it.
    pub files: Vec<PlannedFile>,
    /// The key to be replaced.
    pub old_access_key_id: AccessKeyId,
    /// Whose it is.
    pub user_name: UserName,
    /// The same, in full.
    pub user_arn: String,
    /// 12 digits.
    pub account_id: String,
    /// `keyring` or `file`: where the secrets in hand lie, whatever the settings say later.
    pub secret_store: String,
    /// The user's keys before; whatever else appears later was made since.
    pub existing_access_key_ids: Vec<AccessKeyId>,
}

/// A file of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// `credentials` or `config`.
    pub kind: PlannedFileKind,
    /// Its path, as configured.
    pub path: PathBuf,
    /// The lines of each pair: key ID and secret.
    pub lines: Vec<(usize, usize)>,
}

/// [`crate::credentials::FileKind`] as the journal writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedFileKind {
    /// The shared credentials file.
    Credentials,
    /// The config file.
    Config,
}

/// What is recorded of a rotation, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A rotation begins.
    Planned(Plan),
    /// The effect is about to be had; from here on it may have been.
    Intended {
        /// Which.
        effect: Effect,
    },
    /// AWS made a key, and its secret is stored.
    KeyCreated {
        /// The new key.
        access_key_id: AccessKeyId,
    },
    /// The new key is good.
    KeyVerified,
    /// The files hold the new pair.
    Installed,
    /// The old key is inactive.
    OldKeyInactive,
    /// The rotation is given up.
    Aborting {
        /// Why, for the user.
        why: String,
    },
    /// Nothing of it is left.
    Aborted,
}

/// One rotation, as its events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Its name in the journal.
    pub id: String,
    /// What it was made from.
    pub plan: Plan,
    /// How far it is.
    pub state: State,
    /// The new key, once AWS has named it.
    pub new_access_key_id: Option<AccessKeyId>,
    /// An effect that was intended and of which nothing more is known.
    pub intent: Option<Effect>,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// What was recorded when, for the report.
    pub steps: Vec<Step>,
}

/// A line of a rotation's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The state that was reached.
    pub step: State,
    /// When.
    pub at: Timestamp,
    /// In words.
    pub result: String,
}

/// Events that do not follow from one another: the journal is not ours, or damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow {state:?}")]
pub struct Impossible {
    state: State,
    event: String,
}

impl Rotation {
    /// The beginning.
    pub fn planned(id: String, plan: Plan, at: Timestamp) -> Self {
        let result = format!("{} is to be replaced", plan.old_access_key_id);
        let steps = vec![Step {
            step: State::Planned,
            at,
            result,
        }];
        Self {
            id,
            plan,
            state: State::Planned,
            new_access_key_id: None,
            intent: None,
            planned_at: at,
            steps,
        }
    }

    /// Whether nothing is left to be done now: given up, or waiting for the end of its grace.
    pub fn is_at_rest(&self) -> bool {
        next(self.state).is_none() && self.state != State::CreatingKey
    }
}

/// What is to be done in a state. In `CreatingKey` only a look at AWS can tell, see [`super::reconcile`].
pub fn next(state: State) -> Option<Effect> {
    match state {
        State::Planned => Some(Effect::CreateKey),
        State::KeyCreated => Some(Effect::VerifyKey),
        State::KeyVerified => Some(Effect::Install),
        State::Installed => Some(Effect::DeactivateOldKey),
        State::Aborting => Some(Effect::DeleteNewKey),
        State::CreatingKey | State::OldKeyInactive | State::OldKeyDeleted | State::Aborted => None,
    }
}

/// Takes an event into account.
///
/// # Errors
///
/// [`Impossible`] when it cannot follow.
pub fn advance(rotation: &Rotation, event: &Event, at: Timestamp) -> Result<Rotation, Impossible> {
    use State::{
        Aborted, Aborting, CreatingKey, Installed, KeyCreated, KeyVerified, OldKeyInactive, Planned,
    };
    let state = rotation.state;
    let mut after = rotation.clone();
    after.intent = None;
    let impossible = |event: &str| {
        Err(Impossible {
            state,
            event: event.to_owned(),
        })
    };
    let (reached, result) = match (event, state) {
        (
            Event::Intended {
                effect: Effect::CreateKey,
            },
            Planned,
        ) => (CreatingKey, "AWS is asked for a new key".into()),
        (Event::Intended { effect }, KeyCreated | KeyVerified | Installed | Aborting | OldKeyInactive) => {
            after.intent = Some(*effect);
            return Ok(after);
        }
        (Event::KeyCreated { access_key_id }, CreatingKey) => {
            after.new_access_key_id = Some(access_key_id.clone());
            (KeyCreated, format!("AWS made {access_key_id}"))
        }
        (Event::KeyVerified, KeyCreated) => (KeyVerified, "STS and IAM accept the new key".into()),
        // A later reinstalling, when another program put the old pair back, reaches the same state again.
        (Event::Installed, KeyVerified | KeyCreated | Installed | OldKeyInactive | Aborting) => (
            if state == OldKeyInactive { state } else { Installed },
            "the files hold the new key".into(),
        ),
        (Event::OldKeyInactive, Installed | OldKeyInactive) => (
            OldKeyInactive,
            format!("{} is inactive", rotation.plan.old_access_key_id),
        ),
        (Event::Aborting { why }, CreatingKey | KeyCreated | KeyVerified) => (Aborting, why.clone()),
        (Event::Aborted, Planned | CreatingKey | Aborting) => (Aborted, "all is as it was".into()),
        (Event::Planned(_), _) => return impossible("planned"),
        (Event::Intended { .. }, _) => return impossible("intended"),
        (Event::KeyCreated { .. }, _) => return impossible("key-created"),
        (Event::KeyVerified, _) => return impossible("key-verified"),
        (Event::Installed, _) => return impossible("installed"),
        (Event::OldKeyInactive, _) => return impossible("old-key-inactive"),
        (Event::Aborting { .. }, _) => return impossible("aborting"),
        (Event::Aborted, _) => return impossible("aborted"),
    };
    after.state = reached;
    after.steps.push(Step {
        step: reached,
        at,
        result,
    });
    Ok(after)
}
