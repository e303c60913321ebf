//! Takes a rotation back: the old key is active again and in every place it was, the new one is inactive. As
//! safe as the rotation itself, with the same journal.

use super::authority::{Authority, Mfa, authorize};
use super::error::Error;
use super::files::PairsHeld;
use super::journal::Journal;
use super::reconcile::FilesHold;
use super::run::Performer;
use super::state::{Effect, Event, Rotation, State, next};
use crate::access_key::AccessKey;
use crate::clock::Clock;
use crate::credentials::install;
use crate::fs_atomic;
use crate::iam::{AccessKeyStatus, Iam};
use crate::process::checkpoint;
use crate::secret_store::SecretStore;

/// An undo that has passed every check and has changed nothing.
#[derive(Clone, Debug)]
pub struct PreparedUndo<I> {
    /// The rotation to take back.
    pub rotation: Rotation,
    /// The pair to put back.
    pub old: AccessKey,
    /// The pair that the files hold.
    pub new: AccessKey,
    /// Signs the calls.
    pub authority: Authority<I>,
}

/// The rotation by which a profile got its key.
///
/// # Errors
///
/// [`Error::NothingToUndo`], [`Error::Unfinished`].
pub fn rotation_of<'a>(journal: &'a Journal, profile: &str, key: &AccessKey) -> Result<&'a Rotation, Error> {
    let nothing = |why: String| Err(Error::NothingToUndo(why));
    let rotation = journal
        .rotations()
        .iter()
        .rev()
        .find(|rotation| rotation.new_access_key_id.as_ref() == Some(&key.id));
    // Taken back, or on the way there: the profile holds the old key again, or still.
    let of_old = journal
        .rotations()
        .iter()
        .rev()
        .find(|rotation| rotation.plan.old_access_key_id == key.id);
    match rotation {
        None if of_old.is_some_and(|rotation| !rotation.is_at_rest()) => {
            Err(Error::Unfinished(key.id.clone()))
        }
        None if of_old
            .is_some_and(|rotation| matches!(rotation.state, State::Undone | State::NewKeyDeleted)) =>
        {
            nothing(format!(
                "the last rotation is taken back already: profile {profile} holds {} again",
                key.id
            ))
        }
        None => nothing(format!(
            "{}, the key of profile {profile}, was not put there by keyagent",
            key.id
        )),
        Some(rotation) if !rotation.is_at_rest() => {
            Err(Error::Unfinished(rotation.plan.old_access_key_id.clone()))
        }
        Some(rotation) => match rotation.state {
            State::OldKeyInactive => Ok(rotation),
            State::OldKeyDeleted => nothing(format!("{} is deleted", rotation.plan.old_access_key_id)),
            State::Undone | State::NewKeyDeleted => nothing(format!(
                "the rotation that made {} was undone before, and another program put it back",
                key.id
            )),
            State::Planned
            | State::CreatingKey
            | State::KeyCreated
            | State::KeyVerified
            | State::Installed
            | State::Aborting
            | State::Aborted
            | State::Undoing
            | State::OldKeyActive
            | State::OldKeyVerified
            | State::OldPairInstalled => nothing(format!("the rotation that made {} was given up", key.id)),
        },
    }
}

/// Checks that the old key is still there, its secret at hand, and the files editable.
///
/// # Errors
///
/// See [`Error`]; nothing is changed.
pub async fn prepare<I: Iam>(
    iam: &I,
    rotation: &Rotation,
    new: &AccessKey,
    store: &dyn SecretStore,
    mfa: &mut Mfa<'_>,
) -> Result<PreparedUndo<I>, Error> {
    let id = &rotation.plan.old_access_key_id;
    let Some(secret) = store.get(id)? else {
        return Err(Error::NothingToUndo(format!(
            "the secret of {id} is not in the {} any more",
            store.name()
        )));
    };
    let old = AccessKey {
        id: id.clone(),
        secret,
    };
    let pairs = PairsHeld::read(&rotation.plan);
    if pairs.summary(&old.id, Some(&old), Some(&new.id)) != FilesHold::NewPair {
        return Err(Error::NothingToUndo(format!(
            "not all profiles of the rotation ({}) hold {} any more",
            rotation.plan.profiles.join(", "),
            new.id
        )));
    }
    for file in &rotation.plan.files {
        if let Some(place) = install::find(file.format(), &file.path, new)? {
            install::prove(&place, &old).await?;
            fs_atomic::check_replaceable(&place.path)?;
        }
    }
    let (authority, keys) = authorize(iam, &rotation.plan.user_name, mfa).await?;
    if !keys.iter().any(|key| key.access_key_id == old.id) {
        return Err(Error::NothingToUndo(format!("AWS does not have {id} any more")));
    }
    Ok(PreparedUndo {
        rotation: rotation.clone(),
        old,
        new: new.clone(),
        authority,
    })
}

impl<I: Iam, C: Clock> Performer<'_, '_, I, C> {
    /// Performs from wherever the undo is to its end.
    ///
    /// # Errors
    ///
    /// See [`Error`]. When AWS does not accept the old key again, all is put back as it was before the undo.
    pub async fn undo(&mut self, id: &str, old: &AccessKey, new: &AccessKey) -> Result<(), Error> {
        if self.rotation(id).state == State::OldKeyInactive {
            self.record(id, Event::Undoing)?;
        }
        while let Some(effect) = next(self.rotation(id).state) {
            match effect {
                Effect::ActivateOldKey => {
                    self.intend(id, effect)?;
                    self.activate(id, old, new).await?;
                    self.record(id, Event::OldKeyActive)?;
                }
                Effect::VerifyOldKey => self.verify_old(id, old, new).await?,
                Effect::InstallOldPair => {
                    self.intend(id, effect)?;
                    self.replace_in_files(id, new, old).await?;
                    self.record(id, Event::OldPairInstalled)?;
                }
                Effect::DeactivateNewKey => self.deactivate_new(id, old, new).await?,
                Effect::CreateKey
                | Effect::VerifyKey
                | Effect::Install
                | Effect::DeactivateOldKey
                | Effect::DeleteNewKey
                | Effect::DeleteOldKey => unreachable!("{effect:?} belongs to no undo"),
            }
        }
        Ok(())
    }

    /// The old key, accepted again. Doing it twice is doing it once.
    pub(super) async fn activate(&mut self, id: &str, old: &AccessKey, new: &AccessKey) -> Result<(), Error> {
        let user_name = self.rotation(id).plan.user_name.clone();
        self.set_status(new, &user_name, &old.id, AccessKeyStatus::Active)
            .await?;
        checkpoint("old-key-activated");
        Ok(())
    }

    async fn verify_old(&mut self, id: &str, old: &AccessKey, new: &AccessKey) -> Result<(), Error> {
        match self.verify(id, old).await {
            Ok(()) => Ok(self.record(id, Event::OldKeyVerified)?),
            Err(Error::NotAccepted { waited, last }) => {
                let error = Error::OldKeyNotAccepted {
                    access_key_id: old.id.clone(),
                    waited,
                    last,
                };
                self.abandon_undo(id, new, &error.to_string()).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The files still hold the new pair: the old key is made inactive again.
    pub(super) async fn abandon_undo(&mut self, id: &str, new: &AccessKey, why: &str) -> Result<(), Error> {
        let plan = self.rotation(id).plan.clone();
        self.set_status(
            new,
            &plan.user_name,
            &plan.old_access_key_id,
            AccessKeyStatus::Inactive,
        )
        .await?;
        Ok(self.record(id, Event::UndoAbandoned { why: why.to_owned() })?)
    }

    async fn deactivate_new(&mut self, id: &str, old: &AccessKey, new: &AccessKey) -> Result<(), Error> {
        let plan = self.rotation(id).plan.clone();
        self.replace_where_put_back(&plan.files, Some(new), old).await?;
        self.intend(id, Effect::DeactivateNewKey)?;
        self.set_status(old, &plan.user_name, &new.id, AccessKeyStatus::Inactive)
            .await?;
        checkpoint("new-key-updated");
        self.replace_where_put_back(&plan.files, Some(new), old).await?;
        Ok(self.record(id, Event::Undone)?)
    }
}
