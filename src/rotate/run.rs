//! The loop that performs a rotation, one journaled effect after the other. Decides nothing that the pure
//! machine can decide, and never deletes or stops a key before the next one is proven.

use std::path::Path;
use std::time::Duration;

use super::journal::{self, Journal};
use super::state::{Effect, Event, Plan, PlannedFile, PlannedFileKind, Rotation, State, Step, next};
use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey};
use crate::clock::Clock;
use crate::credentials::FileKind;
use crate::credentials::install::{self, Place};
use crate::credentials::location::Locations;
use crate::fs_atomic;
use crate::iam::{self, AccessKeyStatus, Caller, Iam, LastUsed, UserName};
use crate::secret_store::{self, SecretStore};
use crate::settings::Settings;

/// How many answers in a row must be good, from STS and IAM each: one success proves nothing, since a young key
/// flaps (rhyeal/aws-rotate-iam-keys#81: 1 in 10 fail after a first success).
const QUORUM: u32 = 3;

/// Why a rotation did not come to its end. Whatever it was, the files hold a pair that AWS accepts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// AWS refuses a call, or cannot be reached.
    #[error(transparent)]
    Iam(#[from] iam::Error),
    /// A file cannot be edited.
    #[error(transparent)]
    Install(#[from] install::Error),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The secret store cannot keep the secret.
    #[error(transparent)]
    SecretStore(#[from] secret_store::Error),
    /// The secret store does not give back what it was given.
    #[error("the secret store ({0}) does not give back what it was given")]
    StoreForgets(String),
    /// The file system refuses.
    #[error(transparent)]
    File(#[from] fs_atomic::Error),
    /// The key is the root user's.
    #[error("the key belongs to the root user of account {account_id}")]
    Root {
        /// Whose.
        account_id: String,
    },
    /// The key is not an IAM user's.
    #[error("the key belongs to {arn}, which is no IAM user")]
    NotAUser {
        /// Who it is.
        arn: String,
    },
    /// No file holds the pair as both of AWS's readers see it.
    #[error("no profile in the credentials or config file holds {0}")]
    NotInFiles(AccessKeyId),
    /// ListAccessKeys does not name the key.
    #[error("AWS does not list {0} among the user's keys")]
    NotListed(AccessKeyId),
    /// The quota of two keys is used up, and keyagent deletes none on its own word.
    #[error("{user_name} has two keys already, the most that AWS allows")]
    TwoKeys {
        /// Whose.
        user_name: UserName,
        /// The key to be replaced.
        current: Box<KeyInUse>,
        /// The other one.
        other: Box<KeyInUse>,
    },
    /// An earlier rotation was interrupted.
    #[error("the rotation of {0} was interrupted")]
    Unfinished(AccessKeyId),
    /// What the reply would have said is lost.
    #[error("whether AWS made a key is unknown: {0}")]
    OutcomeUnknown(iam::Error),
    /// The new key was not accepted in time and is deleted again.
    #[error("AWS did not accept the new key within {} s: {last}", waited.as_secs())]
    NotAccepted {
        /// The bound of the settings.
        waited: Duration,
        /// The last refusal.
        last: String,
    },
    /// The new key belongs to somebody else. It is deleted again.
    #[error("the new key belongs to {0}")]
    OtherIdentity(String),
    /// The new key could not be deleted again.
    #[error("{new_access_key_id} could not be deleted again: {source}")]
    NotBackedOut {
        /// The key that is too many.
        new_access_key_id: AccessKeyId,
        /// AWS's refusal.
        source: iam::Error,
    },
    /// The old key was put back while it was about to be made inactive.
    #[error("another program keeps writing the old key into {0}")]
    PutBack(String),
}

/// A key and its last use, for the choice that only the user can make.
#[derive(Clone, Debug)]
pub struct KeyInUse {
    /// The key.
    pub access_key_id: AccessKeyId,
    /// Whether it is active.
    pub status: AccessKeyStatus,
    /// `Err`: AWS did not say. `Ok(None)`: never, or no data.
    pub last_used: Result<Option<LastUsed>, iam::Error>,
}

/// A rotation that has passed every check and has changed nothing.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What is to be done.
    pub plan: Plan,
    /// The pair to be replaced.
    pub old: AccessKey,
}

/// Checks all that can be checked before a key is made: who the key belongs to, that there is room for a second
/// one, that every file can be edited and read back by AWS's readers, that the secret store works.
///
/// # Errors
///
/// See [`Error`]; nothing is changed.
pub async fn prepare(
    iam: &impl Iam,
    old: &AccessKey,
    locations: &Locations,
    store: &dyn SecretStore,
    journal: &Journal,
) -> Result<Prepared, Error> {
    if let Some(unfinished) = journal.rotations().iter().find(|rotation| !rotation.is_at_rest()) {
        return Err(Error::Unfinished(unfinished.plan.old_access_key_id.clone()));
    }
    let places = places(locations, old)?;
    if places.is_empty() {
        return Err(Error::NotInFiles(old.id.clone()));
    }
    for place in &places {
        install::prove(place, &made_up_pair()).await?;
        fs_atomic::check_replaceable(&place.path)?;
    }
    check_store(store)?;
    let identity = iam.get_caller_identity().await?;
    let user_name = match identity.caller() {
        Caller::User(user_name) => user_name,
        Caller::Root => {
            return Err(Error::Root {
                account_id: identity.account_id,
            });
        }
        Caller::Other => return Err(Error::NotAUser { arn: identity.arn }),
    };
    let keys = iam.list_access_keys(Some(&user_name)).await?;
    let current = keys.iter().find(|key| key.access_key_id == old.id);
    let Some(current) = current else {
        return Err(Error::NotListed(old.id.clone()));
    };
    if let Some(other) = keys.iter().find(|key| key.access_key_id != old.id) {
        let (of_current, of_other) = tokio::join!(
            iam.get_access_key_last_used(&current.access_key_id),
            iam.get_access_key_last_used(&other.access_key_id)
        );
        let in_use =
            |key: &iam::AccessKeyMetadata, answer: Result<iam::AccessKeyLastUsed, iam::Error>| KeyInUse {
                access_key_id: key.access_key_id.clone(),
                status: key.status,
                last_used: answer.map(|answer| answer.last_used),
            };
        let (current, other) = (
            Box::new(in_use(current, of_current)),
            Box::new(in_use(other, of_other)),
        );
        return Err(Error::TwoKeys {
            user_name,
            current,
            other,
        });
    }
    let mut profiles: Vec<String> = places
        .iter()
        .flat_map(|place| &place.pairs)
        .map(|pair| pair.profile.clone())
        .collect();
    profiles.dedup();
    let plan = Plan {
        profiles,
        files: places.iter().map(planned_file).collect(),
        old_access_key_id: old.id.clone(),
        user_name,
        user_arn: identity.arn,
        account_id: identity.account_id,
        secret_store: store.name().to_owned(),
        existing_access_key_ids: keys.into_iter().map(|key| key.access_key_id).collect(),
    };
    Ok(Prepared {
        plan,
        old: old.clone(),
    })
}

fn places(locations: &Locations, key: &AccessKey) -> Result<Vec<Place>, install::Error> {
    let mut places = Vec::new();
    for kind in [FileKind::Credentials, FileKind::Config] {
        places.extend(install::find(kind, locations.path(kind), key)?);
    }
    Ok(places)
}

fn planned_file(place: &Place) -> PlannedFile {
    let kind = match place.kind {
        FileKind::Credentials => PlannedFileKind::Credentials,
        FileKind::Config => PlannedFileKind::Config,
    };
    PlannedFile {
        kind,
        path: place.path.clone(),
        lines: place.pairs.iter().map(|pair| pair.lines).collect(),
    }
}

impl PlannedFile {
    /// The kind that the `credentials` module knows.
    pub fn file_kind(&self) -> FileKind {
        match self.kind {
            PlannedFileKind::Credentials => FileKind::Credentials,
            PlannedFileKind::Config => FileKind::Config,
        }
    }
}

/// A pair of the usual shape that stands for the one which AWS has yet to make.
fn made_up_pair() -> AccessKey {
    let id = AccessKeyId::parse("KEYAGENTS_MADE_UP_ID").expect("letters and `_` fit IAM's pattern");
    AccessKey {
        id,
        secret: SecretAccessKey::new("/made+up/".repeat(4) + "1234"),
    }
}

/// Writes, reads back and removes a value under a name that no key has.
fn check_store(store: &dyn SecretStore) -> Result<(), Error> {
    let probe = made_up_pair();
    store.put(&probe.id, &probe.secret)?;
    let read = store.get(&probe.id)?;
    store.delete(&probe.id)?;
    if read == Some(probe.secret) {
        Ok(())
    } else {
        Err(Error::StoreForgets(store.name().to_owned()))
    }
}

/// Performs prepared rotations.
pub struct Performer<'a, I, C> {
    /// Signs with the key to be replaced.
    pub iam: &'a I,
    /// Says when a step was taken.
    pub clock: &'a C,
    /// Keeps the new secret until the rotation is over, and the old one until its key is deleted.
    pub store: &'a dyn SecretStore,
    /// What survives a crash.
    pub journal: &'a mut Journal,
    /// Bounds.
    pub settings: &'a Settings,
    /// Is told of every step.
    pub progress: &'a mut dyn FnMut(&Step),
}

impl<I: Iam, C: Clock> Performer<'_, I, C> {
    /// Performs from the plan to the inactive old key.
    ///
    /// # Errors
    ///
    /// See [`Error`]. When AWS does not accept the new key, all is put back as it was.
    pub async fn perform(&mut self, prepared: Prepared) -> Result<Rotation, Error> {
        let Prepared { plan, old } = prepared;
        let id = format!("{}/{}", plan.old_access_key_id, self.clock.now());
        let files = plan.files.clone();
        // Kept from the beginning: after a crash it signs the way back, and later it is what `undo` puts back.
        self.store.put(&old.id, &old.secret)?;
        self.record(&id, Event::Planned(plan))?;
        let mut new = None;
        while let Some(effect) = next(self.journal.rotation(&id).state) {
            match (effect, &new) {
                (Effect::CreateKey, _) => new = Some(self.create(&id).await?),
                (Effect::VerifyKey, Some(new)) => self.verify(&id, new).await?,
                (Effect::Install, Some(new)) => self.install(&id, &files, &old, new).await?,
                (Effect::DeactivateOldKey, Some(new)) => self.deactivate(&id, &files, &old, new).await?,
                (Effect::DeleteNewKey, _) => unreachable!("backing out is done by whoever decides it"),
                (Effect::VerifyKey | Effect::Install | Effect::DeactivateOldKey, None) => {
                    unreachable!("these states follow the making of the key")
                }
            }
        }
        Ok(self.journal.rotation(&id).clone())
    }

    fn record(&mut self, id: &str, event: Event) -> Result<(), journal::Error> {
        let steps = self
            .journal
            .rotations()
            .iter()
            .find(|r| r.id == id)
            .map_or(0, |r| r.steps.len());
        self.journal.append(id, event, self.clock.now())?;
        if let Some(step) = self.journal.rotation(id).steps.get(steps) {
            (self.progress)(step);
        }
        Ok(())
    }

    async fn create(&mut self, id: &str) -> Result<AccessKey, Error> {
        self.record(
            id,
            Event::Intended {
                effect: Effect::CreateKey,
            },
        )?;
        let user_name = self.journal.rotation(id).plan.user_name.clone();
        let new = match self.iam.create_access_key(&user_name).await {
            Ok(created) => created.access_key,
            Err(error) if error.had_no_effect() => {
                self.record(id, Event::Aborted)?;
                self.store
                    .delete(&self.journal.rotation(id).plan.old_access_key_id.clone())?;
                return Err(error.into());
            }
            Err(error) => return Err(Error::OutcomeUnknown(error)),
        };
        // From here on the secret exists only in this process: nothing comes before its keeping.
        let kept = self.store.put(&new.id, &new.secret);
        self.record(
            id,
            Event::KeyCreated {
                access_key_id: new.id.clone(),
            },
        )?;
        if let Err(error) = kept {
            self.back_out(id, &new.id, &error.to_string()).await?;
            return Err(error.into());
        }
        Ok(new)
    }

    /// Asks STS and IAM until both have accepted the new key [`QUORUM`] times in a row.
    async fn verify(&mut self, id: &str, new: &AccessKey) -> Result<(), Error> {
        let plan = self.journal.rotation(id).plan.clone();
        let iam = self.iam.signed_by(new);
        let waited = self.settings.verify_for;
        let deadline = tokio::time::Instant::now() + waited;
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
                Ok((Ok(identity), Ok(_))) if identity.arn != plan.user_arn => {
                    let error = Error::OtherIdentity(identity.arn);
                    self.back_out(id, &new.id, &error.to_string()).await?;
                    return Err(error);
                }
                Ok((Ok(_), Ok(keys))) if keys.iter().any(|key| key.access_key_id == new.id) => accepted += 1,
                Ok((Ok(_), Ok(_))) => {
                    accepted = 0;
                    last = "IAM does not list the new key yet".into();
                }
                Ok((Err(error), _) | (_, Err(error))) => {
                    accepted = 0;
                    last = error.to_string();
                }
                Err(_) => accepted = 0,
            }
            if accepted == QUORUM {
                return Ok(self.record(id, Event::KeyVerified)?);
            }
            if tokio::time::Instant::now() + self.settings.verify_every >= deadline {
                let error = Error::NotAccepted { waited, last };
                self.back_out(id, &new.id, &error.to_string()).await?;
                return Err(error);
            }
            tokio::time::sleep(self.settings.verify_every).await;
        }
    }

    /// Puts the new pair into every file.
    pub(super) async fn install(
        &mut self,
        id: &str,
        files: &[PlannedFile],
        old: &AccessKey,
        new: &AccessKey,
    ) -> Result<(), Error> {
        self.record(
            id,
            Event::Intended {
                effect: Effect::Install,
            },
        )?;
        for file in files {
            install::replace(file.file_kind(), &file.path, old, new).await?;
        }
        Ok(self.record(id, Event::Installed)?)
    }

    /// Makes the old key inactive, as long as no file holds it. Signed with the new key, which is thereby proven
    /// once more.
    pub(super) async fn deactivate(
        &mut self,
        id: &str,
        files: &[PlannedFile],
        old: &AccessKey,
        new: &AccessKey,
    ) -> Result<(), Error> {
        let user_name = self.journal.rotation(id).plan.user_name.clone();
        self.reinstall_where_put_back(files, old, new).await?;
        self.record(
            id,
            Event::Intended {
                effect: Effect::DeactivateOldKey,
            },
        )?;
        let iam = self.iam.signed_by(new);
        iam.update_access_key(&user_name, &old.id, AccessKeyStatus::Inactive)
            .await?;
        self.record(id, Event::OldKeyInactive)?;
        self.reinstall_where_put_back(files, old, new).await?;
        // The file has the new secret now; the store need not have a second copy.
        Ok(self.store.delete(&new.id)?)
    }

    /// A tool that read the file before the switch and wrote it after (`aws configure`) has put the old pair back.
    async fn reinstall_where_put_back(
        &self,
        files: &[PlannedFile],
        old: &AccessKey,
        new: &AccessKey,
    ) -> Result<(), Error> {
        for file in files {
            let mut tries = 0;
            while install::find(file.file_kind(), &file.path, old)?.is_some() {
                tries += 1;
                if tries > 3 {
                    return Err(Error::PutBack(file.path.display().to_string()));
                }
                install::replace(file.file_kind(), &file.path, old, new).await?;
            }
        }
        Ok(())
    }

    /// Deletes the new key, which no file holds, signed with the old one.
    pub(super) async fn back_out(&mut self, id: &str, new: &AccessKeyId, why: &str) -> Result<(), Error> {
        if self.journal.rotation(id).state != State::Aborting {
            self.record(id, Event::Aborting { why: why.to_owned() })?;
        }
        self.record(
            id,
            Event::Intended {
                effect: Effect::DeleteNewKey,
            },
        )?;
        let user_name = self.journal.rotation(id).plan.user_name.clone();
        match self.iam.delete_access_key(&user_name, new).await {
            Ok(()) => {}
            Err(error) if error.kind == iam::ErrorKind::NoSuchEntity => {}
            Err(source) => {
                return Err(Error::NotBackedOut {
                    new_access_key_id: new.clone(),
                    source,
                });
            }
        }
        self.store.delete(new)?;
        self.store
            .delete(&self.journal.rotation(id).plan.old_access_key_id.clone())?;
        Ok(self.record(id, Event::Aborted)?)
    }

    pub(super) fn record_event(&mut self, id: &str, event: Event) -> Result<(), Error> {
        Ok(self.record(id, event)?)
    }
}

/// Takes the lock that every command which changes keys holds.
///
/// # Errors
///
/// [`fs_atomic::Error::Locked`] with the holder's command and process ID.
pub fn lock(state_folder: &Path, command: &str) -> Result<fs_atomic::Lock, fs_atomic::Error> {
    let holder = format!("{command} (process {})", std::process::id());
    fs_atomic::Lock::acquire(&state_folder.join("lock"), &holder)
}
