//! What keeps a rotation from its end, and the same in three lines.

use std::time::Duration;

use super::journal;
use super::retire::{Kept, Verdict};
use crate::access_key::AccessKeyId;
use crate::credentials::install;
use crate::fs_atomic;
use crate::iam::{self, AccessKeyStatus, LastUsed, UserName};
use crate::problem::Problem;
use crate::secret_store;

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
        /// The other one was superseded by keyagent: why it is still there.
        superseded: Option<Verdict>,
    },
    /// An earlier rotation was interrupted.
    #[error("the rotation of {0} was interrupted")]
    Unfinished(AccessKeyId),
    /// The policies of the user do not allow what the rotation is going to need.
    #[error("no policy allows {} to this key", .0.join(", "))]
    Denied(Vec<&'static str>),
    /// A code is needed, and nobody can be asked for one.
    #[error("an MFA code of {0} is needed, and there is no terminal to ask for one")]
    MfaNeeded(String),
    /// The user's MFA devices show no codes.
    #[error("{0} is a security key or passkey, and AWS takes only six-digit codes for API calls")]
    OnlyFido(String),
    /// A code was given, and there is no device that it could be of.
    #[error("{0} has no MFA device")]
    NoMfaDevice(UserName),
    /// No key of the user is at hand that AWS accepts.
    #[error("no key of {0} that AWS accepts is at hand")]
    NoSigner(UserName),
    /// There is nothing that could be undone.
    #[error("{0}")]
    NothingToUndo(String),
    /// The old key was not accepted again in time. All is as it was before the undo.
    #[error("AWS did not accept {access_key_id} again within {waited:?}: {last}")]
    OldKeyNotAccepted {
        /// The old key.
        access_key_id: AccessKeyId,
        /// The bound of the settings.
        waited: Duration,
        /// The last refusal.
        last: String,
    },
    /// What the reply would have said is lost.
    #[error("whether AWS made a key is unknown: {0}")]
    OutcomeUnknown(iam::Error),
    /// The new key was not accepted in time and is deleted again.
    #[error("AWS did not accept the new key within {waited:?}: {last}")]
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

impl Error {
    /// Tells the failure of what was tried (`cannot rotate the key of profile dev`) with the key of `profile`.
    pub fn problem(&self, what: impl Into<String>, profile: &str) -> Problem {
        let word = crate::problem::word(profile);
        let hint = match self {
            Self::Iam(error) => return error.problem(what, profile),
            Self::TwoKeys {
                current,
                other,
                superseded,
                ..
            } => return two_keys(self, what.into(), &word, current, other, superseded.as_ref()),
            Self::OutcomeUnknown(error) => {
                let told = error.problem(what, profile);
                let cause = format!("whether AWS made a key is unknown: {}", told.cause);
                return Problem::new(told.error, cause, "keyagent recover");
            }
            Self::Install(error) => install_hint(error),
            Self::Journal(error) => error.hint(),
            Self::SecretStore(error) => secret_store_hint(error),
            Self::StoreForgets(_) => UNLOCK.into(),
            Self::File(error) => file_hint(error),
            Self::Root { .. } => {
                "root's keys are to be deleted, not rotated (CIS 1.4): sign in as root, Security credentials"
                    .into()
            }
            Self::NotAUser { .. } => "rotate the profile whose long-term key it is: keyagent status".into(),
            Self::NotInFiles(_) => format!("enter the pair again: aws configure --profile {word}"),
            Self::NotListed(_) => format!("see what AWS knows: keyagent status -p {word}"),
            Self::Unfinished(_) => "keyagent recover".into(),
            Self::Denied(_) => "ask for them on your own user; the statement: keyagent policy self".into(),
            Self::MfaNeeded(_) => {
                format!("give a code: keyagent rotate -p {word} --yes --mfa-code CODE")
            }
            Self::OnlyFido(_) => {
                "add an authenticator app beside it (IAM console, Security credentials, Assign MFA device; a user \
                 may have eight), then try again"
                    .into()
            }
            Self::NoMfaDevice(_) => "leave out --mfa-code".into(),
            Self::NoSigner(_) => format!("see what AWS says of the keys: keyagent status -p {word}"),
            Self::NothingToUndo(_) => format!("see the keys of the profile: keyagent status -p {word}"),
            Self::NotAccepted { .. } | Self::OtherIdentity(_) => {
                format!("nothing is changed; try again later: keyagent rotate -p {word}")
            }
            Self::OldKeyNotAccepted { .. } => {
                format!("nothing is changed; try again later: keyagent undo -p {word}")
            }
            Self::NotBackedOut { .. } => "nothing else is changed; to delete it: keyagent recover".into(),
            Self::PutBack(_) => "stop that program, then: keyagent recover".into(),
        };
        Problem::new(what, self.to_string(), hint)
    }
}

/// The choice is the user's: both are named, with all that speaks for and against each.
fn two_keys(
    error: &Error,
    what: String,
    profile: &str,
    current: &KeyInUse,
    other: &KeyInUse,
    superseded: Option<&Verdict>,
) -> Problem {
    let cause = format!(
        "{error}:\n{} (this profile's), {}\n{}, {}",
        current.access_key_id,
        use_of(current),
        other.access_key_id,
        use_of(other)
    );
    let id = &other.access_key_id;
    let by_hand = format!(
        "if nothing needs {id} any more, free its place:\naws iam delete-access-key --access-key-id {id} --profile {profile}"
    );
    let hint = match superseded {
        Some(Verdict::TooEarly { by_undo: false, .. }) => format!(
            "{id} was superseded by an undo; this deletes it now:\nkeyagent retire -p {profile} --now --yes"
        ),
        Some(Verdict::TooEarly { until, by_undo: true }) => format!(
            "{id} was superseded; until {} this takes it back:\n\
             keyagent undo -p {profile}\nand this deletes it now:\nkeyagent retire -p {profile} --now --yes",
            until.strftime("%Y-%m-%d")
        ),
        Some(Verdict::Keep(Kept::UsedSince(used))) => format!(
            "{id} was superseded by keyagent, but something has used it since: {}\n{by_hand}",
            used.told()
        ),
        Some(Verdict::Delete | Verdict::Gone | Verdict::Keep(_)) | None => by_hand,
    };
    Problem::new(what, cause, hint)
}

fn use_of(key: &KeyInUse) -> String {
    let status = match key.status {
        AccessKeyStatus::Active => "active",
        AccessKeyStatus::Inactive => "inactive",
    };
    match &key.last_used {
        Err(_) => format!("{status}, last use unknown"),
        Ok(None) => format!("{status}, no use recorded"),
        Ok(Some(used)) => format!("{status}, last used {}", used.told()),
    }
}

fn install_hint(error: &install::Error) -> String {
    match error {
        install::Error::Ambiguous { path, error } => {
            format!(
                "mend that line: \"${{EDITOR:-vi}}\" +{} {}",
                error.line,
                path.display()
            )
        }
        install::Error::Read(_) | install::Error::NotThere { .. } => {
            "see what the files hold: keyagent status".into()
        }
        install::Error::Unproven { .. } => "please report this shape of file; nothing was changed".into(),
        install::Error::File(error) => file_hint(error),
    }
}

fn file_hint(error: &fs_atomic::Error) -> String {
    match error {
        fs_atomic::Error::Io { path, .. } => format!(
            "check the space and the rights: df -h and ls -ld {}",
            path.display()
        ),
        fs_atomic::Error::Changed(_) => "let the other program finish, then try again".into(),
        fs_atomic::Error::Locked { .. } => "wait for it to finish, then try again".into(),
    }
}

fn secret_store_hint(error: &secret_store::Error) -> String {
    match error {
        secret_store::Error::Io { path, .. } => {
            format!("check the space and the rights: ls -ld {}", path.display())
        }
        secret_store::Error::Unavailable { .. }
        | secret_store::Error::Keyring { .. }
        | secret_store::Error::TimedOut { .. } => UNLOCK.into(),
    }
}

const UNLOCK: &str = "unlock the keyring, or set secret_store = file in ~/.config/keyagent/config";
