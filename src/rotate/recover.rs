//! Takes up a rotation that was interrupted: looks at the files, at AWS and at the secret store, lets
//! [`reconcile`](super::reconcile) decide, and performs that.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::reconcile::{Decision, FilesHold, KeyIs, Observation, reconcile};
use super::run::{Error, Performer};
use super::state::{Event, PlannedFile, Rotation, State};
use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey};
use crate::clock::Clock;
use crate::credentials::location::{self, ReadError};
use crate::credentials::profile::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use crate::credentials::{botocore_reader, sdk_reader};
use crate::iam::{AccessKeyMetadata, AccessKeyStatus, Iam};
use crate::secret_store::SecretStore;

/// What was found of an interrupted rotation, and what is to be done.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rotation.
    pub rotation: Rotation,
    /// What to do.
    pub decision: Decision,
    /// The new key: as recorded, or the only one that appeared since the plan.
    pub new_access_key_id: Option<AccessKeyId>,
    old: Option<AccessKey>,
    new: Option<AccessKey>,
    signer: Option<AccessKey>,
}

impl Finding {
    /// In words, what `settle` is going to do.
    pub fn intention(&self) -> String {
        let new = self
            .new_access_key_id
            .as_ref()
            .map_or_else(|| "the new key".to_owned(), ToString::to_string);
        let old = &self.rotation.plan.old_access_key_id;
        match self.decision {
            Decision::Forget => format!("no key was made: note that {old} stays"),
            Decision::RollForward(State::Installed) => format!("the files hold {new}: make {old} inactive"),
            Decision::RollForward(_) => format!("put {new} into the files, then make {old} inactive"),
            Decision::BackOut => format!("delete {new}, which no file holds; {old} stays"),
            Decision::DeleteOrphan => {
                format!("delete {new}: it was made for this rotation, and nobody has its secret")
            }
            Decision::Nothing => "nothing is left to be done".into(),
            Decision::Stop(why) => why.into(),
        }
    }
}

/// Looks at an interrupted rotation. A key that AWS does not list counts as not made only `settled_after` the
/// question. Calls ListAccessKeys, and GetAccessKeyLastUsed for an orphan; changes nothing.
///
/// # Errors
///
/// When the secret store fails. What AWS does not say becomes a [`Decision::Stop`].
pub async fn examine(
    rotation: &Rotation,
    iam: &impl Iam,
    store: &dyn SecretStore,
    now: Timestamp,
    settled_after: SignedDuration,
) -> Result<Finding, Error> {
    let plan = &rotation.plan;
    let held: Vec<Held> = plan
        .files
        .iter()
        .flat_map(|file| held_in(file, &plan.profiles))
        .collect();
    let in_file = |id: &AccessKeyId| {
        held.iter().find_map(|held| match held {
            Held::Pair(key) if key.id == *id => Some(key.clone()),
            Held::Pair(_) | Held::Nothing | Held::Unreadable => None,
        })
    };
    let at_hand = |id: &AccessKeyId| -> Result<Option<AccessKey>, Error> {
        match in_file(id) {
            Some(key) => Ok(Some(key)),
            None => Ok(store.get(id)?.map(|secret| AccessKey {
                id: id.clone(),
                secret,
            })),
        }
    };
    let old = at_hand(&plan.old_access_key_id)?;
    let mut new_access_key_id = rotation.new_access_key_id.clone();
    let mut new = new_access_key_id.as_ref().map(at_hand).transpose()?.flatten();
    let mut several = false;
    let (signer, keys) = list(iam, rotation, [new.as_ref(), old.as_ref()]).await;
    if let (None, Some(keys)) = (&new_access_key_id, &keys) {
        let appeared: Vec<&AccessKeyId> = keys
            .iter()
            .map(|key| &key.access_key_id)
            .filter(|id| !plan.existing_access_key_ids.contains(id))
            .collect();
        if let [one] = appeared[..] {
            new_access_key_id = Some(one.clone());
            new = at_hand(one)?;
        }
        several = appeared.len() > 1;
    }
    // IAM's list is eventually consistent: a key that was asked for just now may be missing in it.
    let asked_at = rotation.steps.last().map_or(rotation.planned_at, |step| step.at);
    let list_is_settled = now.duration_since(asked_at) >= settled_after;
    let status = |id: Option<&AccessKeyId>| match (&keys, id) {
        (None, _) => KeyIs::Unknown,
        (Some(_), None) if several => KeyIs::Several,
        (Some(_), None) if !list_is_settled => KeyIs::Unknown,
        (Some(_), None) => KeyIs::Absent,
        (Some(keys), Some(id)) => match keys
            .iter()
            .find(|key| key.access_key_id == *id)
            .map(|key| key.status)
        {
            None => KeyIs::Absent,
            Some(AccessKeyStatus::Active) => KeyIs::Active,
            Some(AccessKeyStatus::Inactive) => KeyIs::Inactive,
        },
    };
    let seen = Observation {
        files: files_hold(&held, &plan.old_access_key_id, new_access_key_id.as_ref()),
        new_key: status(new_access_key_id.as_ref()),
        old_key: status(Some(&plan.old_access_key_id)),
        new_secret_in_hand: new.is_some(),
        new_key_in_a_file: new_access_key_id.as_ref().is_some_and(|id| in_file(id).is_some()),
    };
    let mut decision = reconcile(rotation.state, rotation.intent, seen);
    if let (Decision::DeleteOrphan, Some(signer), Some(id)) = (decision, &signer, &new_access_key_id) {
        // Whoever used it has its secret, so it is not the key of a reply that was lost.
        match iam.signed_by(signer).get_access_key_last_used(id).await {
            Ok(answer) if answer.last_used.is_none() => {}
            Ok(_) => {
                decision = Decision::Stop("a key appeared since, and it has been used: somebody else made it")
            }
            Err(_) => decision = Decision::Stop("AWS does not say whether the key that appeared was used"),
        }
    }
    Ok(Finding {
        rotation: rotation.clone(),
        decision,
        new_access_key_id,
        old,
        new,
        signer,
    })
}

/// Performs what was decided.
///
/// # Errors
///
/// See [`Error`]; the rotation stays in the journal and can be taken up again.
pub async fn settle<I: Iam, C: Clock>(
    finding: &Finding,
    performer: &mut Performer<'_, I, C>,
) -> Result<Rotation, Error> {
    let id = finding.rotation.id.as_str();
    let files = finding.rotation.plan.files.clone();
    match (finding.decision, &finding.new_access_key_id) {
        (Decision::Forget, _) => {
            performer.record_event(id, Event::Aborted)?;
            performer.store.delete(&finding.rotation.plan.old_access_key_id)?;
        }
        (Decision::BackOut | Decision::DeleteOrphan, Some(new)) => {
            if finding.rotation.state == State::CreatingKey {
                performer.record_event(
                    id,
                    Event::KeyCreated {
                        access_key_id: new.clone(),
                    },
                )?;
            }
            let signer = finding
                .signer
                .as_ref()
                .expect("the key was seen, so a key signed the call");
            let iam = performer.iam.signed_by(signer);
            let mut signed = Performer {
                iam: &iam,
                clock: performer.clock,
                store: performer.store,
                journal: performer.journal,
                settings: performer.settings,
                progress: performer.progress,
            };
            signed.back_out(id, new, "the rotation was interrupted").await?;
        }
        (Decision::RollForward(from), _) => {
            let new = finding
                .new
                .as_ref()
                .expect("rolling forward is decided only with the new secret in hand");
            match (from, &finding.old) {
                (State::Installed, old) => {
                    if finding.rotation.state != State::Installed {
                        performer.record_event(id, Event::Installed)?;
                    }
                    // Without the old secret no file can hold the old pair, so any will do to look for it.
                    let old = old.clone().unwrap_or_else(|| AccessKey {
                        id: finding.rotation.plan.old_access_key_id.clone(),
                        secret: SecretAccessKey::new("none"),
                    });
                    performer.deactivate(id, &files, &old, new).await?;
                }
                (_, Some(old)) => {
                    performer.install(id, &files, old, new).await?;
                    performer.deactivate(id, &files, old, new).await?;
                }
                (_, None) => unreachable!("the files hold the old pair, so it is in hand"),
            }
        }
        (Decision::Nothing | Decision::Stop(_), _) => {}
        (Decision::BackOut | Decision::DeleteOrphan, None) => {
            // The list does not have it, and its name was never learnt: there is nothing to delete.
            performer.record_event(id, Event::Aborted)?;
        }
    }
    Ok(performer.journal.rotation(id).clone())
}

/// Asks with the first key that AWS accepts.
async fn list(
    iam: &impl Iam,
    rotation: &Rotation,
    signers: [Option<&AccessKey>; 2],
) -> (Option<AccessKey>, Option<Vec<AccessKeyMetadata>>) {
    for signer in signers.into_iter().flatten() {
        if let Ok(keys) = iam
            .signed_by(signer)
            .list_access_keys(Some(&rotation.plan.user_name))
            .await
        {
            return (Some(signer.clone()), Some(keys));
        }
    }
    (None, None)
}

/// What one profile of one file holds.
enum Held {
    Pair(AccessKey),
    Nothing,
    Unreadable,
}

fn held_in(file: &PlannedFile, profiles: &[String]) -> Vec<Held> {
    let document = match location::read(&file.path) {
        Ok(document) => document,
        Err(ReadError::Missing(_)) => return vec![Held::Nothing],
        Err(ReadError::Folder(_) | ReadError::Unreadable { .. }) => return vec![Held::Unreadable],
    };
    let kind = file.file_kind();
    let sections = document.text().ok().and_then(|text| {
        sdk_reader::read(text, kind)
            .or_else(|_| botocore_reader::read(text, kind))
            .ok()
    });
    let Some(sections) = sections else {
        return vec![Held::Unreadable];
    };
    let found: Vec<Held> = sections
        .iter()
        .filter(|section| profiles.contains(&section.profile))
        .filter_map(|section| {
            let id = AccessKeyId::parse(&section.get(ACCESS_KEY_ID)?.value).ok()?;
            let secret = SecretAccessKey::new(section.get(SECRET_ACCESS_KEY)?.value.clone());
            Some(Held::Pair(AccessKey { id, secret }))
        })
        .collect();
    if found.is_empty() {
        vec![Held::Nothing]
    } else {
        found
    }
}

fn files_hold(held: &[Held], old: &AccessKeyId, new: Option<&AccessKeyId>) -> FilesHold {
    let mut ids = BTreeSet::new();
    for held in held {
        match held {
            Held::Unreadable => return FilesHold::Unreadable,
            Held::Nothing => {}
            Held::Pair(key) => {
                ids.insert(&key.id);
            }
        }
    }
    if ids.contains(old) {
        FilesHold::OldPair
    } else if ids.is_empty() {
        FilesHold::Nothing
    } else if ids.iter().all(|id| Some(*id) == new) {
        FilesHold::NewPair
    } else {
        FilesHold::AnotherPair
    }
}
