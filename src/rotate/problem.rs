//! What keeps a rotation from its end, in three lines.

use super::run::{Error, KeyInUse};
use crate::credentials::install;
use crate::fs_atomic;
use crate::iam::AccessKeyStatus;
use crate::problem::Problem;
use crate::secret_store;

impl Error {
    /// Tells the failure of the rotation of `profile`.
    pub fn problem(&self, profile: &str) -> Problem {
        let what = format!("cannot rotate the key of profile {profile}");
        let hint = match self {
            Self::Iam(error) => return error.problem(what, profile),
            Self::TwoKeys { current, other, .. } => return two_keys(self, what, profile, current, other),
            Self::OutcomeUnknown(error) => {
                let told = error.problem(what, profile);
                let cause = format!("whether AWS made a key is unknown: {}", told.cause);
                return Problem::new(told.error, cause, "keyagent recover");
            }
            Self::Install(error) => install_hint(error),
            Self::Journal(_) => "see what is in the state folder: ls -l ~/.local/state/keyagent".into(),
            Self::SecretStore(error) => secret_store_hint(error),
            Self::StoreForgets(_) => UNLOCK.into(),
            Self::File(error) => file_hint(error),
            Self::Root { .. } => {
                "root's keys are to be deleted, not rotated (CIS 1.4): sign in as root, Security credentials"
                    .into()
            }
            Self::NotAUser { .. } => "rotate the profile whose long-term key it is: keyagent status".into(),
            Self::NotInFiles(_) => format!("enter the pair again: aws configure --profile {profile}"),
            Self::NotListed(_) => format!("see what AWS knows: keyagent status -p {profile}"),
            Self::Unfinished(_) => "keyagent recover".into(),
            Self::NotAccepted { .. } | Self::OtherIdentity(_) => {
                format!("nothing is changed; try again later: keyagent rotate -p {profile}")
            }
            Self::NotBackedOut { .. } => "nothing else is changed; to delete it: keyagent recover".into(),
            Self::PutBack(_) => "stop that program, then: keyagent recover".into(),
        };
        Problem::new(what, self.to_string(), hint)
    }
}

/// The choice is the user's: both are named, with all that speaks for and against each.
fn two_keys(error: &Error, what: String, profile: &str, current: &KeyInUse, other: &KeyInUse) -> Problem {
    let cause = format!(
        "{error}:\n{} (this profile's), {}\n{}, {}",
        current.access_key_id,
        use_of(current),
        other.access_key_id,
        use_of(other)
    );
    let hint = format!(
        "if nothing needs {id} any more, free its place:\naws iam delete-access-key --access-key-id {id} --profile {profile}",
        id = other.access_key_id
    );
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
        Ok(Some(used)) => {
            format!(
                "{status}, last used {} with {} in {}",
                used.date.strftime("%Y-%m-%d %H:%M"),
                used.service,
                used.region
            )
        }
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
