//! The loop that performs a rotation, one journaled effect after the other. Decides nothing that the pure
//! machine can decide, and never deletes or stops a key before the next one is proven.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::authority::Authority;
use super::error::Error;
use super::journal::{self, Journal};
use super::plan::Prepared;
use super::state::{Effect, Event, PlannedFile, Rotation, State, Step, next};
use crate::access_key::{AccessKey, AccessKeyId};
use crate::clock::Clock;
use crate::credentials::install;
use crate::fs_atomic::{self, Digest};
use crate::iam::{self, AccessKeyStatus, ErrorKind, Iam, UserName};
use crate::process::checkpoint;
use crate::secret_store::SecretStore;
use crate::settings::Settings;

/// How many answers in a row must be good, from STS and IAM each: one success proves nothing, since a young key
/// flaps (rhyeal/aws-rotate-iam-keys#81: 1 in 10 fail after a first success).
const QUORUM: u32 = 3;

/// What every performing needs besides somebody who signs.
pub struct Tools<'a, C> {
    /// Says when a step was taken.
    pub clock: &'a C,
    /// Keeps the secrets of both keys until the superseded one is deleted.
    pub store: &'a dyn SecretStore,
    /// What survives a crash.
    pub journal: &'a mut Journal,
    /// Bounds.
    pub settings: &'a Settings,
    /// Is told of every step.
    pub progress: &'a mut dyn FnMut(&Step),
}

/// Performs one rotation.
pub struct Performer<'a, 'b, I, C> {
    /// Signs with a key that AWS accepts now.
    pub authority: &'a Authority<I>,
    /// The rest.
    pub tools: &'a mut Tools<'b, C>,
}

impl<I: Iam, C: Clock> Performer<'_, '_, I, C> {
    /// Performs from the plan to the inactive old key, and gives the rotation's name in the journal.
    ///
    /// # Errors
    ///
    /// See [`Error`]. When AWS does not accept the new key, all is put back as it was.
    pub async fn perform(&mut self, prepared: &Prepared<I>) -> Result<String, Error> {
        let Prepared { plan, old, .. } = prepared;
        let id = format!("{}/{}", plan.old_access_key_id, self.tools.clock.now());
        self.record(&id, Event::Planned(plan.clone()))?;
        // Kept from the beginning: after a crash it signs the way back, and later it is what `undo` puts back.
        self.tools.store.put(&old.id, &old.secret)?;
        let mut new = None;
        while let Some(effect) = next(self.rotation(&id).state) {
            match (effect, &new) {
                (Effect::CreateKey, _) => new = Some(self.create(&id).await?),
                (Effect::VerifyKey, Some(new)) => self.verify_new(&id, new).await?,
                (Effect::Install, Some(new)) => self.install(&id, old, new).await?,
                (Effect::DeactivateOldKey, Some(new)) => self.deactivate_old(&id, Some(old), new).await?,
                (
                    Effect::VerifyKey
                    | Effect::Install
                    | Effect::DeactivateOldKey
                    | Effect::DeleteNewKey
                    | Effect::DeleteOldKey
                    | Effect::ActivateOldKey
                    | Effect::VerifyOldKey
                    | Effect::InstallOldPair
                    | Effect::DeactivateNewKey,
                    _,
                ) => unreachable!("{effect:?} does not follow the making of a key"),
            }
        }
        Ok(id)
    }

    /// The rotation as it stands in the journal.
    pub fn rotation(&self, id: &str) -> &Rotation {
        self.tools.journal.rotation(id)
    }

    pub(super) fn record(&mut self, id: &str, event: Event) -> Result<(), journal::Error> {
        let rotations = self.tools.journal.rotations();
        let steps = rotations.iter().find(|r| r.id == id).map_or(0, |r| r.steps.len());
        let name = event.checkpoint();
        self.tools.journal.append(id, event, self.tools.clock.now())?;
        if let Some(step) = self.tools.journal.rotation(id).steps.get(steps) {
            (self.tools.progress)(step);
        }
        checkpoint(&name);
        Ok(())
    }

    pub(super) fn intend(&mut self, id: &str, effect: Effect) -> Result<(), journal::Error> {
        self.record(id, Event::Intended { effect })
    }

    async fn create(&mut self, id: &str) -> Result<AccessKey, Error> {
        self.intend(id, Effect::CreateKey)?;
        let plan = self.rotation(id).plan.clone();
        let created = match self.authority.iam.create_access_key(&plan.user_name).await {
            Ok(created) => created,
            Err(error) if error.had_no_effect() => {
                self.forget_secrets(id)?;
                self.record(id, Event::Aborted)?;
                return Err(error.into());
            }
            Err(error) => return Err(Error::OutcomeUnknown(error)),
        };
        checkpoint("key-made");
        // From here on the secret exists only in this process: nothing comes before its keeping.
        let new = created.access_key;
        let kept = self.tools.store.put(&new.id, &new.secret);
        checkpoint("secret-stored");
        self.record(
            id,
            Event::KeyCreated {
                access_key_id: new.id.clone(),
                create_date: Some(created.create_date),
            },
        )?;
        if let Err(error) = kept {
            self.back_out(id, &new.id, &error.to_string()).await?;
            return Err(error.into());
        }
        Ok(new)
    }

    async fn verify_new(&mut self, id: &str, new: &AccessKey) -> Result<(), Error> {
        match self.verify(id, new).await {
            Ok(()) => Ok(self.record(id, Event::KeyVerified)?),
            Err(error) => {
                self.back_out(id, &new.id, &error.to_string()).await?;
                Err(error)
            }
        }
    }

    /// Asks STS and IAM until both have accepted the key [`QUORUM`] times in a row.
    ///
    /// # Errors
    ///
    /// [`Error::NotAccepted`], [`Error::OtherIdentity`].
    pub(super) async fn verify(&mut self, id: &str, key: &AccessKey) -> Result<(), Error> {
        let plan = self.rotation(id).plan.clone();
        let iam = self.authority.iam.signed_by(key);
        let waited = self.tools.settings.verify_for;
        let deadline = Instant::now() + waited;
        let mut last = String::from("no answer");
        let mut accepted = 0;
        loop {
            let questions = async {
                tokio::join!(
                    iam.get_caller_identity(),
                    iam.list_access_keys(Some(&plan.user_name))
                )
            };
            match tokio::time::timeout_at(deadline, questions).await {
                Ok((Ok(identity), _)) if identity.arn != plan.user_arn => {
                    return Err(Error::OtherIdentity(identity.arn));
                }
                Ok((Ok(_), Ok(keys))) if keys.iter().any(|listed| listed.access_key_id == key.id) => {
                    accepted += 1;
                }
                Ok((Ok(_), Ok(_))) => {
                    accepted = 0;
                    last = "IAM does not list the key yet".into();
                }
                // Where a policy demands MFA, IAM lets a bare key in and then refuses the call: it knows the key.
                Ok((Ok(_), Err(error))) if matches!(error.kind, ErrorKind::AccessDenied { .. }) => {
                    accepted += 1;
                }
                Ok((Err(error), _) | (_, Err(error))) => {
                    accepted = 0;
                    last = error.to_string();
                }
                Err(_) => accepted = 0,
            }
            if accepted == QUORUM {
                return Ok(());
            }
            if Instant::now() + self.tools.settings.verify_every >= deadline {
                return Err(Error::NotAccepted { waited, last });
            }
            tokio::time::sleep(self.tools.settings.verify_every).await;
        }
    }

    /// Puts the new pair into every file.
    pub(super) async fn install(&mut self, id: &str, old: &AccessKey, new: &AccessKey) -> Result<(), Error> {
        self.intend(id, Effect::Install)?;
        self.replace_in_files(id, old, new).await?;
        Ok(self.record(id, Event::Installed)?)
    }

    pub(super) async fn replace_in_files(
        &mut self,
        id: &str,
        from: &AccessKey,
        to: &AccessKey,
    ) -> Result<(), Error> {
        for file in self.rotation(id).plan.files.clone() {
            fs_atomic::remove_leftovers(&file.path);
            install::replace(file.format(), &file.path, from, to).await?;
            checkpoint("file-replaced");
        }
        Ok(())
    }

    /// Makes the old key inactive, as long as no file holds it. Signed with the new key, which is thereby proven
    /// once more. Without the old pair at hand no file can hold it.
    pub(super) async fn deactivate_old(
        &mut self,
        id: &str,
        old: Option<&AccessKey>,
        new: &AccessKey,
    ) -> Result<(), Error> {
        let plan = self.rotation(id).plan.clone();
        self.replace_where_put_back(&plan.files, old, new).await?;
        self.intend(id, Effect::DeactivateOldKey)?;
        self.set_status(
            new,
            &plan.user_name,
            &plan.old_access_key_id,
            AccessKeyStatus::Inactive,
        )
        .await?;
        checkpoint("old-key-updated");
        self.replace_where_put_back(&plan.files, old, new).await?;
        Ok(self.record(id, Event::OldKeyInactive)?)
    }

    /// UpdateAccessKey signed with a key that AWS may not know everywhere yet: a refusal of the key itself is no
    /// refusal of the call, and is asked again until `verify_for` is over.
    pub(super) async fn set_status(
        &self,
        signer: &AccessKey,
        user_name: &UserName,
        access_key_id: &AccessKeyId,
        status: AccessKeyStatus,
    ) -> Result<(), iam::Error> {
        let iam = self.authority.or_key(signer);
        let deadline = Instant::now() + self.tools.settings.verify_for;
        loop {
            match iam.update_access_key(user_name, access_key_id, status).await {
                Err(error)
                    if matches!(error.kind, ErrorKind::InvalidClientTokenId | ErrorKind::Throttled)
                        && Instant::now() < deadline =>
                {
                    tokio::time::sleep(self.tools.settings.verify_every.max(SHORTEST_PAUSE)).await;
                }
                result => return result,
            }
        }
    }

    /// A tool that read the file before the switch and wrote it after (`aws configure`) has put a pair back.
    pub(super) async fn replace_where_put_back(
        &self,
        files: &[PlannedFile],
        from: Option<&AccessKey>,
        to: &AccessKey,
    ) -> Result<(), Error> {
        let Some(from) = from else { return Ok(()) };
        for file in files {
            let mut tries = 0;
            while install::find(file.format(), &file.path, from)?.is_some() {
                tries += 1;
                if tries > 3 {
                    return Err(Error::PutBack(file.path.display().to_string()));
                }
                install::replace(file.format(), &file.path, from, to).await?;
            }
        }
        Ok(())
    }

    /// Deletes the new key, which no file holds.
    pub(super) async fn back_out(&mut self, id: &str, new: &AccessKeyId, why: &str) -> Result<(), Error> {
        if self.rotation(id).state != State::Aborting {
            self.record(id, Event::Aborting { why: why.to_owned() })?;
        }
        self.intend(id, Effect::DeleteNewKey)?;
        let plan = self.rotation(id).plan.clone();
        self.delete_key(&plan.user_name, new)
            .await
            .map_err(|source| Error::NotBackedOut {
                new_access_key_id: new.clone(),
                source,
            })?;
        checkpoint("new-key-deleted");
        self.forget_secrets(id)?;
        Ok(self.record(id, Event::Aborted)?)
    }

    /// Deletes the superseded key of a rotation for good, and the secrets with it. The caller has judged it.
    ///
    /// # Errors
    ///
    /// AWS's refusal; the key stays superseded.
    pub async fn delete_superseded(&mut self, id: &str) -> Result<(), Error> {
        let rotation = self.rotation(id).clone();
        let superseded = rotation
            .superseded()
            .expect("the caller has judged a superseded key");
        let effect = if rotation.state == State::Undone {
            Effect::DeleteNewKey
        } else {
            Effect::DeleteOldKey
        };
        self.intend(id, effect)?;
        match self.delete_key(&rotation.plan.user_name, superseded).await {
            Ok(()) => {}
            Err(error) if error.had_no_effect() => {
                let why = error.to_string();
                self.record(id, Event::Kept { why })?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
        checkpoint("superseded-key-deleted");
        self.note_deleted(id)
    }

    /// The superseded key is gone: nobody needs the secrets any more.
    ///
    /// # Errors
    ///
    /// When the secret store or the journal fails.
    pub fn note_deleted(&mut self, id: &str) -> Result<(), Error> {
        self.forget_secrets(id)?;
        Ok(self.record(id, Event::Deleted)?)
    }

    /// A key that is not there is deleted.
    async fn delete_key(&self, user_name: &UserName, id: &AccessKeyId) -> Result<(), iam::Error> {
        match self.authority.iam.delete_access_key(user_name, id).await {
            Err(error) if error.kind != ErrorKind::NoSuchEntity => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Forgets what no other rotation needs: the new key of this one may be the old key of the next, which keeps
    /// its secret for an undo.
    pub(super) fn forget_secrets(&mut self, id: &str) -> Result<(), Error> {
        let rotation = self.rotation(id);
        let mut ids = vec![rotation.plan.old_access_key_id.clone()];
        ids.extend(rotation.new_access_key_id.clone());
        for access_key_id in ids {
            let mut others = self
                .tools
                .journal
                .rotations()
                .iter()
                .filter(|other| other.id != id);
            if !others.any(|other| other.needs_secret_of(&access_key_id)) {
                self.tools.store.delete(&access_key_id)?;
            }
        }
        Ok(())
    }
}

/// However short `verify_every` is set, a refused call is not repeated faster.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock of a credentials file, which every command holds that changes it or its keys.
///
/// # Errors
///
/// [`fs_atomic::Error::Locked`] with the holder's command and process ID.
pub fn lock(
    state_folder: &Path,
    credentials_file: &Path,
    command: &str,
) -> Result<fs_atomic::Lock, fs_atomic::Error> {
    let holder = format!("keyagent {command} (process {})", std::process::id());
    fs_atomic::Lock::acquire(&lock_path(state_folder, credentials_file), &holder)
}

/// The command that works on a credentials file now, with its process ID.
pub fn holder(state_folder: &Path, credentials_file: &Path) -> Option<String> {
    fs_atomic::Lock::holder(&lock_path(state_folder, credentials_file))
}

/// The command that works on the files of a rotation now: while there is one, nothing of it was interrupted.
pub fn holder_of(state_folder: &Path, rotation: &Rotation) -> Option<String> {
    let holder = holder(state_folder, rotation.plan.locked_file()?)?;
    // What this very process has found unfinished is not what it works on.
    (!holder.ends_with(&format!("(process {})", std::process::id()))).then_some(holder)
}

fn lock_path(state_folder: &Path, credentials_file: &Path) -> PathBuf {
    // A link and its target are one file.
    let canonical = credentials_file
        .canonicalize()
        .unwrap_or_else(|_| credentials_file.to_owned());
    let name = Digest::of(canonical.as_os_str().as_encoded_bytes());
    state_folder.join("locks").join(&name.as_str()[..16])
}
