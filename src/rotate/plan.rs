//! Checks all that can be checked before a key is made, and changes nothing.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::authority::{Authority, Mfa, authorize};
use super::error::{Error, KeyInUse};
use super::journal::Journal;
use super::retire::{self, Verdict};
use super::state::{Plan, PlannedFile, PlannedFileKind, Rotation};
use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey};
use crate::credentials::FileKind;
use crate::credentials::install::{self, Format, Place};
use crate::credentials::location::Locations;
use crate::fs_atomic;
use crate::iam::{self, AccessKeyMetadata, Caller, Iam, UserName};
use crate::secret_store::SecretStore;

/// What a rotation needs besides the calls that the plan itself makes.
pub const WRITING_ACTIONS: [&str; 3] = [
    "iam:CreateAccessKey",
    "iam:UpdateAccessKey",
    "iam:DeleteAccessKey",
];

/// A rotation that has passed every check and has changed nothing.
#[derive(Clone, Debug)]
pub struct Prepared<I> {
    /// What is to be done.
    pub plan: Plan,
    /// The pair to be replaced.
    pub old: AccessKey,
    /// Signs the calls.
    pub authority: Authority<I>,
    /// The rotation that superseded the user's other key, which is to be deleted first: its grace is over, and
    /// nobody has used it.
    pub retire_first: Option<Rotation>,
}

/// Where a plan is made.
pub struct Surroundings<'a> {
    /// AWS's two files.
    pub locations: &'a Locations,
    /// Further files, of whatever format, in which the pair is to be replaced if they hold it.
    pub also_update: &'a [PathBuf],
    /// Where the secrets in hand will lie.
    pub store: &'a dyn SecretStore,
    /// Earlier rotations.
    pub journal: &'a Journal,
    /// Where the journal lies.
    pub state_folder: &'a Path,
    /// How long a superseded key is kept.
    pub grace_days: u32,
    /// The time.
    pub now: Timestamp,
}

/// Checks who the key belongs to, that there is room for a second one, that every file can be edited and read
/// back by AWS's readers, that there is room on the disk, that the secret store works.
///
/// # Errors
///
/// See [`Error`]; nothing is changed.
pub async fn prepare<I: Iam>(
    iam: &I,
    old: &AccessKey,
    surroundings: &Surroundings<'_>,
    mfa: &mut Mfa<'_>,
) -> Result<Prepared<I>, Error> {
    let unfinished = |concerns: &dyn Fn(&Rotation) -> bool| {
        let mut rotations = surroundings.journal.rotations().iter();
        match rotations.find(|rotation| !rotation.is_at_rest() && concerns(rotation)) {
            Some(rotation) => Err(Error::Unfinished(rotation.plan.old_access_key_id.clone())),
            None => Ok(()),
        }
    };
    unfinished(&|rotation| {
        rotation.plan.old_access_key_id == old.id || rotation.new_access_key_id.as_ref() == Some(&old.id)
    })?;
    let places = places(surroundings, old)?;
    if !places.iter().any(|place| place.profiles().next().is_some()) {
        return Err(Error::NotInFiles(old.id.clone()));
    }
    for place in &places {
        install::prove(place, &made_up_pair()).await?;
        fs_atomic::check_replaceable(&place.path)?;
    }
    fs_atomic::check_room(surroundings.state_folder)?;
    check_store(surroundings.store)?;
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
    unfinished(&|rotation| rotation.plan.user_arn == identity.arn)?;
    let (authority, keys) = authorize(iam, &user_name, mfa).await?;
    if !keys.iter().any(|key| key.access_key_id == old.id) {
        return Err(Error::NotListed(old.id.clone()));
    }
    let retire_first = room_for_a_key(&authority.iam, &user_name, &keys, old, surroundings).await?;
    let mut profiles: Vec<String> = Vec::new();
    for profile in places.iter().flat_map(Place::profiles) {
        if !profiles.iter().any(|known| known == profile) {
            profiles.push(profile.to_owned());
        }
    }
    let plan = Plan {
        credentials_file: Some(surroundings.locations.credentials.clone()),
        profiles,
        files: places.iter().map(planned_file).collect(),
        old_access_key_id: old.id.clone(),
        user_name,
        user_arn: identity.arn,
        account_id: identity.account_id,
        secret_store: surroundings.store.name().to_owned(),
        existing_access_key_ids: keys.into_iter().map(|key| key.access_key_id).collect(),
    };
    Ok(Prepared {
        plan,
        old: old.clone(),
        authority,
        retire_first,
    })
}

/// AWS allows two keys a user. The other one may be taken away only if keyagent itself superseded it, its grace
/// is over, and nobody has used it since.
async fn room_for_a_key(
    iam: &impl Iam,
    user_name: &UserName,
    keys: &[AccessKeyMetadata],
    old: &AccessKey,
    surroundings: &Surroundings<'_>,
) -> Result<Option<Rotation>, Error> {
    let Some(other) = keys.iter().find(|key| key.access_key_id != old.id) else {
        return Ok(None);
    };
    let mut superseded = None;
    let rotations = surroundings.journal.rotations().iter().rev();
    let mut of_other = rotations.filter(|rotation| rotation.superseded() == Some(&other.access_key_id));
    if let Some(rotation) = of_other.next() {
        let verdict = retire::judge(iam, rotation, keys, surroundings.now, surroundings.grace_days).await;
        match verdict {
            Verdict::Delete => return Ok(Some(rotation.clone())),
            Verdict::Gone | Verdict::TooEarly { .. } | Verdict::Keep(_) => superseded = Some(verdict),
        }
    }
    let (of_current, of_other) = tokio::join!(
        iam.get_access_key_last_used(&old.id),
        iam.get_access_key_last_used(&other.access_key_id)
    );
    let in_use = |id: &AccessKeyId, answer: Result<iam::AccessKeyLastUsed, iam::Error>| {
        let status = keys.iter().find(|key| key.access_key_id == *id)?.status;
        Some(Box::new(KeyInUse {
            access_key_id: id.clone(),
            status,
            last_used: answer.map(|answer| answer.last_used),
        }))
    };
    match (
        in_use(&old.id, of_current),
        in_use(&other.access_key_id, of_other),
    ) {
        (Some(current), Some(other)) => Err(Error::TwoKeys {
            user_name: user_name.clone(),
            current,
            other,
            superseded,
        }),
        (None, _) | (_, None) => unreachable!("both keys are in the list"),
    }
}

/// AWS's own files come first: while they are changed, the others still hold a pair that AWS accepts too.
fn places(surroundings: &Surroundings<'_>, key: &AccessKey) -> Result<Vec<Place>, install::Error> {
    let locations = surroundings.locations;
    let mut files: Vec<(Format, &Path)> = [FileKind::Credentials, FileKind::Config]
        .map(|kind| (Format::Profiles(kind), locations.path(kind)))
        .to_vec();
    for path in surroundings.also_update {
        // Under two names it is one file still.
        let is_known = |known: &Path| match (known.canonicalize(), path.canonicalize()) {
            (Ok(known), Ok(path)) => known == path,
            (Err(_), _) | (_, Err(_)) => known == path.as_path(),
        };
        if !files.iter().any(|(_, known)| is_known(known)) {
            files.push((Format::Any, path));
        }
    }
    let mut places = Vec::new();
    for (format, path) in files {
        places.extend(install::find(format, path, key)?);
    }
    Ok(places)
}

fn planned_file(place: &Place) -> PlannedFile {
    let kind = match place.format() {
        Format::Profiles(FileKind::Credentials) => PlannedFileKind::Credentials,
        Format::Profiles(FileKind::Config) => PlannedFileKind::Config,
        Format::Any => PlannedFileKind::Other,
    };
    PlannedFile {
        kind,
        path: place.path.clone(),
        lines: place.lines(),
    }
}

impl PlannedFile {
    /// How it holds the pair.
    pub fn format(&self) -> Format {
        match self.kind {
            PlannedFileKind::Credentials => Format::Profiles(FileKind::Credentials),
            PlannedFileKind::Config => Format::Profiles(FileKind::Config),
            PlannedFileKind::Other => Format::Any,
        }
    }
}

/// A pair of the usual shape that stands for the one which AWS has yet to make.
fn made_up_pair() -> AccessKey {
    AccessKey {
        id: AccessKeyId::made_up(),
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
