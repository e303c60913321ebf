//! Takes up a rotation that was interrupted: looks at the files, at AWS and at the secret store, lets
//! [`reconcile`](super::reconcile) decide, and performs that.

use jiff::{SignedDuration, Timestamp};

use super::authority::{Authority, Mfa, authorize};
use super::error::Error;
use super::files::PairsHeld;
use super::reconcile::{Decision, KeyIs, Observation, reconcile};
use super::run::Performer;
use super::state::{Event, Rotation, State};
use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey};
use crate::clock::Clock;
use crate::fs_atomic;
use crate::iam::{AccessKeyMetadata, AccessKeyStatus, ErrorKind, Iam};
use crate::secret_store::SecretStore;

/// What was found of an interrupted rotation, and what is to be done.
#[derive(Clone, Debug)]
pub struct Finding<I> {
    /// The rotation.
    pub rotation: Rotation,
    /// What to do.
    pub decision: Decision,
    /// The new key: as recorded, or the only one that appeared since the plan.
    pub new_access_key_id: Option<AccessKeyId>,
    /// Where several keys appeared since the plan: all of them.
    pub appeared: Vec<AccessKeyId>,
    /// Signs what is to be done, where somebody can.
    pub authority: Option<Authority<I>>,
    old: Option<AccessKey>,
    new: Option<AccessKey>,
    old_key: KeyIs,
}

impl<I> Finding<I> {
    /// In words, what `settle` is going to do.
    pub fn intention(&self) -> String {
        let new = self
            .new_access_key_id
            .as_ref()
            .map_or_else(|| "the new key".to_owned(), ToString::to_string);
        let old = &self.rotation.plan.old_access_key_id;
        match self.decision {
            Decision::Forget if !self.appeared.is_empty() => format!(
                "no key was made, {old} stays; {new} appeared since and has been used, so somebody else made it \
                 and it is left alone"
            ),
            Decision::Forget => format!("no key was made, {old} stays"),
            Decision::RollForward(State::Installed) => format!("the files hold {new}: make {old} inactive"),
            Decision::RollForward(_) => format!("put {new} into the files, then make {old} inactive"),
            Decision::BackOut => format!("delete {new}, which no file holds; {old} stays"),
            Decision::DeleteOrphan => {
                format!("delete {new}: it was made for this rotation, and nobody has its secret")
            }
            Decision::Undo => format!("put {old} back into the files, then make {new} inactive"),
            Decision::AbandonUndo(why) => format!("give the undo up, {new} stays: {why}"),
            Decision::FinishDeleting if self.rotation.state == State::Undone => format!("delete {new}"),
            Decision::FinishDeleting => format!("delete {old}"),
            Decision::Keep(why) => format!("do not delete the superseded key: {why}"),
            Decision::Nothing => "nothing is left to be done".into(),
            Decision::Stop(why) if !self.appeared.is_empty() => {
                let ids: Vec<&str> = self.appeared.iter().map(AccessKeyId::as_str).collect();
                format!("{why}: {}", ids.join(", "))
            }
            Decision::Stop(why) => why.into(),
        }
    }

    /// The keys that `settle` is going to delete.
    pub fn deletes(&self) -> Vec<&AccessKeyId> {
        let new = self.new_access_key_id.as_ref();
        let deleted = match self.decision {
            Decision::BackOut | Decision::DeleteOrphan => new,
            Decision::FinishDeleting if self.rotation.state == State::Undone => new,
            Decision::FinishDeleting => Some(&self.rotation.plan.old_access_key_id),
            Decision::Forget
            | Decision::RollForward(_)
            | Decision::Undo
            | Decision::AbandonUndo(_)
            | Decision::Keep(_)
            | Decision::Nothing
            | Decision::Stop(_) => None,
        };
        deleted.into_iter().collect()
    }
}

/// Looks at an interrupted rotation. A key that AWS does not list counts as not made only `settled_after` the
/// question. Calls ListAccessKeys, and GetAccessKeyLastUsed for an orphan; changes nothing.
///
/// # Errors
///
/// When the secret store fails, or a code is needed. What AWS does not say becomes a [`Decision::Stop`].
pub async fn examine<I: Iam>(
    rotation: &Rotation,
    iam: &I,
    store: &dyn SecretStore,
    mfa: &mut Mfa<'_>,
    now: Timestamp,
    settled_after: SignedDuration,
) -> Result<Finding<I>, Error> {
    let plan = &rotation.plan;
    let pairs = PairsHeld::read(plan);
    let at_hand = |id: &AccessKeyId| -> Result<Option<AccessKey>, Error> {
        match pairs.find(id) {
            Some(key) => Ok(Some(key.clone())),
            None => Ok(store.get(id)?.map(|secret| AccessKey {
                id: id.clone(),
                secret,
            })),
        }
    };
    let old = at_hand(&plan.old_access_key_id)?;
    let mut new_access_key_id = rotation.new_access_key_id.clone();
    let mut new = new_access_key_id.as_ref().map(at_hand).transpose()?.flatten();
    let signers = signers_of(rotation, store)?;
    let listed = match signers.first_accepted(iam, rotation, mfa).await {
        Ok(listed) => Some(listed),
        Err(error @ (Error::MfaNeeded(_) | Error::OnlyFido(_))) => return Err(error),
        Err(_) => None,
    };
    let keys = listed.as_ref().map(|(_, keys)| keys.as_slice());
    let mut appeared = Vec::new();
    if let (None, Some(keys)) = (&new_access_key_id, keys) {
        appeared = keys
            .iter()
            .map(|key| key.access_key_id.clone())
            .filter(|id| !plan.existing_access_key_ids.contains(id))
            .collect();
        if let [one] = &appeared[..] {
            new_access_key_id = Some(one.clone());
            new = at_hand(one)?;
            appeared.clear();
        }
    }
    // IAM's list is eventually consistent: a key that was asked for just now may be missing in it.
    let asked_at = rotation.steps.last().map_or(rotation.planned_at, |step| step.at);
    let list_is_settled = now.duration_since(asked_at) >= settled_after;
    let status = |id: Option<&AccessKeyId>| match (keys, id) {
        (None, _) => KeyIs::Unknown,
        (Some(_), None) if !appeared.is_empty() => KeyIs::Several,
        (Some(_), None) if !list_is_settled => KeyIs::Unknown,
        (Some(_), None) => KeyIs::Absent,
        (Some(keys), Some(id)) => match keys.iter().find(|key| key.access_key_id == *id) {
            None => KeyIs::Absent,
            Some(key) => match key.status {
                AccessKeyStatus::Active => KeyIs::Active,
                AccessKeyStatus::Inactive => KeyIs::Inactive,
            },
        },
    };
    let new_id = new_access_key_id.as_ref();
    let seen = Observation {
        files: pairs.summary(&plan.old_access_key_id, old.as_ref(), new_id),
        new_key: status(new_id),
        old_key: status(Some(&plan.old_access_key_id)),
        new_secret_in_hand: new.is_some(),
        old_secret_in_hand: old.is_some(),
        new_key_in_a_file: new_id.is_some_and(|id| pairs.names(id)),
    };
    let mut decision = reconcile(rotation.state, rotation.intent, seen);
    if let (Decision::DeleteOrphan, Some((authority, _)), Some(id)) = (decision, &listed, new_id) {
        // Whoever used it has its secret, so it is not the key of a reply that was lost.
        match authority.iam.get_access_key_last_used(id).await {
            Ok(answer) if answer.last_used.is_none() => {}
            // With it the user has two keys, the most there can be: ours was not made.
            Ok(_) => {
                decision = Decision::Forget;
                appeared = vec![id.clone()];
            }
            Err(_) => {
                decision = Decision::Stop("AWS does not say whether the key that appeared was used");
                appeared = vec![id.clone()];
            }
        }
    }
    Ok(Finding {
        rotation: rotation.clone(),
        decision,
        new_access_key_id,
        appeared,
        authority: listed.map(|(authority, _)| authority),
        old,
        new,
        old_key: seen.old_key,
    })
}

/// The pairs that may sign the calls of a rotation, the likeliest first.
pub struct Signers(Vec<AccessKey>);

/// Finds them: what the rotation's profiles hold, then the new pair and the old one. A key that the files do not
/// hold may be inactive, and a refused call may look like a use of it.
///
/// # Errors
///
/// When the secret store cannot be asked.
pub fn signers_of(rotation: &Rotation, store: &dyn SecretStore) -> Result<Signers, Error> {
    let pairs = PairsHeld::read(&rotation.plan);
    let mut signers: Vec<AccessKey> = Vec::new();
    for key in pairs.of_the_plan() {
        if !signers.contains(key) {
            signers.push(key.clone());
        }
    }
    for id in rotation
        .new_access_key_id
        .iter()
        .chain([&rotation.plan.old_access_key_id])
    {
        if !signers.iter().any(|signer| signer.id == *id) {
            signers.extend(store.get(id)?.map(|secret| AccessKey {
                id: id.clone(),
                secret,
            }));
        }
    }
    Ok(Signers(signers))
}

impl Signers {
    /// Lists the user's keys with the first pair that AWS accepts for it.
    ///
    /// # Errors
    ///
    /// The first pair's, when none is accepted; [`Error::NoSigner`] without any pair.
    pub async fn first_accepted<I: Iam>(
        &self,
        iam: &I,
        rotation: &Rotation,
        mfa: &mut Mfa<'_>,
    ) -> Result<(Authority<I>, Vec<AccessKeyMetadata>), Error> {
        let mut first = None;
        for signer in &self.0 {
            match authorize(&iam.signed_by(signer), &rotation.plan.user_name, mfa).await {
                Ok(accepted) => return Ok(accepted),
                Err(Error::Iam(error)) if is_about_the_key(error.kind) => {
                    first.get_or_insert(Error::Iam(error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or_else(|| Error::NoSigner(rotation.plan.user_name.clone())))
    }
}

/// Whether another pair may be accepted where this one was refused.
fn is_about_the_key(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::AccessDenied { .. }
        | ErrorKind::InvalidClientTokenId
        | ErrorKind::SignatureDoesNotMatch
        | ErrorKind::NoSuchEntity
        | ErrorKind::ExpiredToken => true,
        ErrorKind::InvalidMfaCode
        | ErrorKind::RequestExpired
        | ErrorKind::LimitExceeded
        | ErrorKind::Throttled
        | ErrorKind::ServiceFailure
        | ErrorKind::Unreachable
        | ErrorKind::TimedOut
        | ErrorKind::Unreadable
        | ErrorKind::Refused => false,
    }
}

impl<I: Iam, C: Clock> Performer<'_, '_, I, C> {
    /// Performs what was decided.
    ///
    /// # Errors
    ///
    /// See [`Error`]; the rotation stays in the journal and can be taken up again.
    pub async fn settle(&mut self, finding: &Finding<I>) -> Result<Rotation, Error> {
        let id = finding.rotation.id.as_str();
        for file in &finding.rotation.plan.files {
            fs_atomic::remove_leftovers(&file.path);
        }
        match (finding.decision, &finding.new_access_key_id) {
            (Decision::Forget, _) | (Decision::BackOut | Decision::DeleteOrphan, None) => {
                self.forget_secrets(id)?;
                self.record(id, Event::Aborted)?;
            }
            (Decision::BackOut | Decision::DeleteOrphan, Some(new)) => {
                if finding.rotation.state == State::CreatingKey {
                    let access_key_id = new.clone();
                    self.record(
                        id,
                        Event::KeyCreated {
                            access_key_id,
                            create_date: None,
                        },
                    )?;
                }
                self.back_out(id, new, "the rotation was interrupted").await?;
            }
            (Decision::RollForward(from), _) => self.roll_forward(finding, from).await?,
            (Decision::Undo, _) => {
                let old = finding
                    .old
                    .as_ref()
                    .expect("an undo is decided with the old pair in hand");
                let new = self.new_pair(finding);
                if finding.rotation.state == State::Undone {
                    // Another program has put the new pair back.
                    self.replace_in_files(id, &new, old).await?;
                    self.record(id, Event::OldPairInstalled)?;
                } else {
                    if finding.old_key == KeyIs::Inactive && finding.rotation.state != State::Undoing {
                        self.activate(id, old, &new).await?;
                    }
                    self.undo(id, old, &new).await?;
                }
            }
            (Decision::AbandonUndo(why), _) => {
                if finding.old_key == KeyIs::Active {
                    self.abandon_undo(id, &self.new_pair(finding), why).await?;
                } else {
                    let why = why.to_owned();
                    self.record(id, Event::UndoAbandoned { why })?;
                }
            }
            (Decision::FinishDeleting, _) => self.delete_superseded(id).await?,
            (Decision::Keep(why), _) => {
                let why = why.to_owned();
                self.record(id, Event::Kept { why })?;
            }
            (Decision::Nothing | Decision::Stop(_), _) => {}
        }
        Ok(self.rotation(id).clone())
    }

    async fn roll_forward(&mut self, finding: &Finding<I>, from: State) -> Result<(), Error> {
        let id = finding.rotation.id.as_str();
        let new = finding
            .new
            .as_ref()
            .expect("rolling forward is decided only with the new secret in hand");
        if from == State::Installed {
            if finding.rotation.state != State::Installed {
                self.record(id, Event::Installed)?;
            }
        } else {
            let old = finding
                .old
                .as_ref()
                .expect("the files hold the old pair, so it is in hand");
            self.install(id, old, new).await?;
        }
        self.deactivate_old(id, finding.old.as_ref(), new).await
    }

    /// Once an undo has begun, the new pair is in the files or in the store; where it is in neither, no file can
    /// hold it, and any secret does to look for it.
    fn new_pair(&self, finding: &Finding<I>) -> AccessKey {
        finding.new.clone().unwrap_or_else(|| AccessKey {
            id: finding
                .new_access_key_id
                .clone()
                .expect("an undo follows a finished rotation, which knows its new key"),
            secret: SecretAccessKey::new("in no file"),
        })
    }
}
