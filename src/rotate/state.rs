//! The states of a rotation, what leads from one to the next, and what is to be done in each. No I/O.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
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
    /// The user wants the old key back; it is being made active.
    Undoing,
    /// AWS was told to accept the old key again.
    OldKeyActive,
    /// STS and IAM have accepted it several times in a row.
    OldKeyVerified,
    /// Every file holds the old pair again.
    OldPairInstalled,
    /// The new key is inactive.
    Undone,
    /// The new key of an undone rotation is gone.
    NewKeyDeleted,
}

impl State {
    /// Every state, for the tables of the tests.
    pub const ALL: [Self; 15] = [
        Self::Planned,
        Self::CreatingKey,
        Self::KeyCreated,
        Self::KeyVerified,
        Self::Installed,
        Self::OldKeyInactive,
        Self::OldKeyDeleted,
        Self::Aborting,
        Self::Aborted,
        Self::Undoing,
        Self::OldKeyActive,
        Self::OldKeyVerified,
        Self::OldPairInstalled,
        Self::Undone,
        Self::NewKeyDeleted,
    ];
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
    /// DeleteAccessKey of the old key, once its grace is over.
    DeleteOldKey,
    /// UpdateAccessKey: the old key is to be accepted again.
    ActivateOldKey,
    /// Asks STS and IAM with the old key; changes nothing.
    VerifyOldKey,
    /// Puts the old pair back into the files.
    InstallOldPair,
    /// UpdateAccessKey of the new key, after an undo.
    DeactivateNewKey,
}

/// What a rotation was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The shared credentials file, whose lock the rotation holds; journals of format 1 do not name it.
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
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

impl Plan {
    /// The file whose lock stands for all of the plan.
    pub fn locked_file(&self) -> Option<&Path> {
        let first = self.files.first().map(|file| &file.path);
        self.credentials_file.as_ref().or(first).map(PathBuf::as_path)
    }

    /// Whether it is about a key of this user, as far as AWS has named one.
    pub fn is_of(&self, account_id: Option<&str>, user_name: Option<&str>) -> bool {
        account_id.is_none_or(|account_id| account_id == self.account_id)
            && user_name == Some(&self.user_name.0)
    }
}

/// A file of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// `credentials`, `config` or `other`.
    pub kind: PlannedFileKind,
    /// Its path, as configured.
    pub path: PathBuf,
    /// The lines of each pair: key ID and secret.
    pub lines: Vec<(usize, usize)>,
}

/// [`crate::credentials::install::Format`] as the journal writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedFileKind {
    /// The shared credentials file.
    Credentials,
    /// The config file.
    Config,
    /// One of `also_update`, of whatever format.
    Other,
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
        /// AWS's time of its creation, by which this computer's clock is judged; format 1 does not have it.
        #[serde(default)]
        create_date: Option<Timestamp>,
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
    /// The old key is wanted back.
    Undoing,
    /// The old key is active again.
    OldKeyActive,
    /// It is good.
    OldKeyVerified,
    /// The files hold the old pair.
    OldPairInstalled,
    /// The new key is inactive.
    Undone,
    /// The undo is given up: all is as it was before it.
    UndoAbandoned {
        /// Why, for the user.
        why: String,
    },
    /// The superseded key is gone: the old one, or after an undo the new one.
    Deleted,
    /// The superseded key was to be deleted, and is not.
    Kept {
        /// Why.
        why: String,
    },
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
    /// How far AWS's clock is ahead of this computer's, as the new key's creation showed.
    pub clock_offset: SignedDuration,
    /// What was recorded when, for the report.
    pub steps: Vec<Step>,
    replaced_at: Option<Timestamp>,
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
    event: &'static str,
}

impl Event {
    /// The name of the place right after it became durable, for tests that stop the process there.
    pub fn checkpoint(&self) -> String {
        match self {
            Self::Intended { effect } => format!("intended-{effect:?}"),
            Self::Planned(_)
            | Self::KeyCreated { .. }
            | Self::KeyVerified
            | Self::Installed
            | Self::OldKeyInactive
            | Self::Aborting { .. }
            | Self::Aborted
            | Self::Undoing
            | Self::OldKeyActive
            | Self::OldKeyVerified
            | Self::OldPairInstalled
            | Self::Undone
            | Self::UndoAbandoned { .. }
            | Self::Deleted
            | Self::Kept { .. } => self.name().to_owned(),
        }
    }

    /// Its name in the journal.
    fn name(&self) -> &'static str {
        match self {
            Self::Planned(_) => "planned",
            Self::Intended { .. } => "intended",
            Self::KeyCreated { .. } => "key-created",
            Self::KeyVerified => "key-verified",
            Self::Installed => "installed",
            Self::OldKeyInactive => "old-key-inactive",
            Self::Aborting { .. } => "aborting",
            Self::Aborted => "aborted",
            Self::Undoing => "undoing",
            Self::OldKeyActive => "old-key-active",
            Self::OldKeyVerified => "old-key-verified",
            Self::OldPairInstalled => "old-pair-installed",
            Self::Undone => "undone",
            Self::UndoAbandoned { .. } => "undo-abandoned",
            Self::Deleted => "deleted",
            Self::Kept { .. } => "kept",
        }
    }
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
            clock_offset: SignedDuration::ZERO,
            steps,
            replaced_at: None,
        }
    }

    /// Whether nothing is left to be done now: given up, done with, or waiting for the end of a grace.
    pub fn is_at_rest(&self) -> bool {
        next(self.state).is_none() && self.state != State::CreatingKey && self.intent.is_none()
    }

    /// The key that nothing needs any more, once the rotation is at rest and until it is deleted.
    pub fn superseded(&self) -> Option<&AccessKeyId> {
        match self.state {
            State::OldKeyInactive => Some(&self.plan.old_access_key_id),
            State::Undone => self.new_access_key_id.as_ref(),
            State::Planned
            | State::CreatingKey
            | State::KeyCreated
            | State::KeyVerified
            | State::Installed
            | State::OldKeyDeleted
            | State::Aborting
            | State::Aborted
            | State::Undoing
            | State::OldKeyActive
            | State::OldKeyVerified
            | State::OldPairInstalled
            | State::NewKeyDeleted => None,
        }
    }

    /// Whether the secret of this key lies in the secret store for this rotation.
    pub fn needs_secret_of(&self, access_key_id: &AccessKeyId) -> bool {
        let is_over = match self.state {
            State::OldKeyDeleted | State::Aborted | State::NewKeyDeleted => true,
            State::Planned
            | State::CreatingKey
            | State::KeyCreated
            | State::KeyVerified
            | State::Installed
            | State::OldKeyInactive
            | State::Aborting
            | State::Undoing
            | State::OldKeyActive
            | State::OldKeyVerified
            | State::OldPairInstalled
            | State::Undone => false,
        };
        !is_over
            && (self.plan.old_access_key_id == *access_key_id
                || self.new_access_key_id.as_ref() == Some(access_key_id))
    }

    /// When a state was reached, the last time.
    pub fn reached(&self, state: State) -> Option<Timestamp> {
        self.steps
            .iter()
            .rev()
            .find(|step| step.step == state)
            .map(|step| step.at)
    }

    /// When the superseded key was replaced in the files, by AWS's clock: a use after it is somebody else's.
    pub fn replaced_at(&self) -> Option<Timestamp> {
        self.replaced_at?.checked_add(self.clock_offset).ok()
    }

    /// When the grace of the superseded key began: the last change of the rotation.
    pub fn superseded_since(&self) -> Option<Timestamp> {
        self.superseded()?;
        self.reached(self.state)
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
        State::Undoing => Some(Effect::ActivateOldKey),
        State::OldKeyActive => Some(Effect::VerifyOldKey),
        State::OldKeyVerified => Some(Effect::InstallOldPair),
        State::OldPairInstalled => Some(Effect::DeactivateNewKey),
        State::CreatingKey
        | State::OldKeyInactive
        | State::OldKeyDeleted
        | State::Aborted
        | State::Undone
        | State::NewKeyDeleted => None,
    }
}

/// Takes an event into account.
///
/// # Errors
///
/// [`Impossible`] when it cannot follow.
pub fn advance(rotation: &Rotation, event: &Event, at: Timestamp) -> Result<Rotation, Impossible> {
    use State::{
        Aborted, Aborting, CreatingKey, Installed, KeyCreated, KeyVerified, NewKeyDeleted, OldKeyActive,
        OldKeyDeleted, OldKeyInactive, OldKeyVerified, OldPairInstalled, Planned, Undoing, Undone,
    };
    let state = rotation.state;
    let old = &rotation.plan.old_access_key_id;
    let new = || {
        rotation
            .new_access_key_id
            .as_ref()
            .map_or_else(|| "the new key".to_owned(), ToString::to_string)
    };
    let mut after = rotation.clone();
    after.intent = None;
    let (reached, result) = match (event, state) {
        (
            Event::Intended {
                effect: Effect::CreateKey,
            },
            Planned,
        ) => (CreatingKey, "AWS is asked for a new key".into()),
        (
            Event::Intended { effect },
            KeyCreated | KeyVerified | Installed | Aborting | OldKeyInactive | Undoing | OldKeyActive
            | OldKeyVerified | OldPairInstalled | Undone,
        ) => {
            after.intent = Some(*effect);
            return Ok(after);
        }
        (Event::Kept { .. }, OldKeyInactive | Undone) => return Ok(after),
        (
            Event::KeyCreated {
                access_key_id,
                create_date,
            },
            CreatingKey,
        ) => {
            after.new_access_key_id = Some(access_key_id.clone());
            after.clock_offset = clock_offset(*create_date, at);
            (KeyCreated, format!("AWS made {access_key_id}"))
        }
        (Event::KeyVerified, KeyCreated) => (KeyVerified, "STS and IAM accept the new key".into()),
        // A later reinstalling, when another program put the old pair back, reaches the same state again.
        (Event::Installed, KeyVerified | KeyCreated | Installed | OldKeyInactive | Aborting) => (
            if state == OldKeyInactive { state } else { Installed },
            "the files hold the new key".into(),
        ),
        (Event::OldKeyInactive, Installed | OldKeyInactive) => (OldKeyInactive, format!("{old} is inactive")),
        (Event::Aborting { why }, CreatingKey | KeyCreated | KeyVerified) => (Aborting, why.clone()),
        (Event::Aborted, Planned | CreatingKey | Aborting) => (Aborted, "all is as it was".into()),
        (Event::Undoing, OldKeyInactive) => (Undoing, format!("{old} is to be taken back")),
        (Event::OldKeyActive, Undoing) => (OldKeyActive, format!("{old} is active")),
        (Event::OldKeyVerified, OldKeyActive) => (OldKeyVerified, format!("STS and IAM accept {old}")),
        // Put back again after another program wrote the new pair once more.
        (Event::OldPairInstalled, OldKeyVerified | OldPairInstalled | Undone) => (
            if state == Undone { state } else { OldPairInstalled },
            "the files hold the old key again".into(),
        ),
        (Event::Undone, OldPairInstalled | Undone) => (Undone, format!("{} is inactive", new())),
        (Event::UndoAbandoned { why }, Undoing | OldKeyActive | OldKeyVerified | OldPairInstalled) => {
            (OldKeyInactive, format!("the undo is given up: {why}"))
        }
        (Event::Deleted, OldKeyInactive) => (OldKeyDeleted, format!("{old} is deleted")),
        (Event::Deleted, Undone) => (NewKeyDeleted, format!("{} is deleted", new())),
        (
            Event::Planned(_)
            | Event::Intended { .. }
            | Event::KeyCreated { .. }
            | Event::KeyVerified
            | Event::Installed
            | Event::OldKeyInactive
            | Event::Aborting { .. }
            | Event::Aborted
            | Event::Undoing
            | Event::OldKeyActive
            | Event::OldKeyVerified
            | Event::OldPairInstalled
            | Event::Undone
            | Event::UndoAbandoned { .. }
            | Event::Deleted
            | Event::Kept { .. },
            _,
        ) => {
            return Err(Impossible {
                state,
                event: event.name(),
            });
        }
    };
    // After an undo that was given up, keyagent's own questions with the old key do not count as its use.
    match event {
        Event::Installed if state != OldKeyInactive => after.replaced_at = Some(at),
        Event::OldPairInstalled if state != Undone => after.replaced_at = Some(at),
        Event::UndoAbandoned { .. } => after.replaced_at = Some(at),
        Event::Planned(_)
        | Event::Intended { .. }
        | Event::KeyCreated { .. }
        | Event::KeyVerified
        | Event::Installed
        | Event::OldKeyInactive
        | Event::Aborting { .. }
        | Event::Aborted
        | Event::Undoing
        | Event::OldKeyActive
        | Event::OldKeyVerified
        | Event::OldPairInstalled
        | Event::Undone
        | Event::Deleted
        | Event::Kept { .. } => {}
    }
    after.state = reached;
    after.steps.push(Step {
        step: reached,
        at,
        result,
    });
    Ok(after)
}

/// AWS's dates have whole seconds, and the reply takes a moment: less than two seconds apart is not apart.
fn clock_offset(create_date: Option<Timestamp>, at: Timestamp) -> SignedDuration {
    let offset = create_date.map_or(SignedDuration::ZERO, |date| date.duration_since(at));
    if offset.abs() < SignedDuration::from_secs(2) {
        SignedDuration::ZERO
    } else {
        offset
    }
}
