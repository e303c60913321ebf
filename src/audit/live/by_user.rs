//! Tells of an account user by user, for those who may not read the credential report. Holds one page of users at a
//! time. What a call does not say is unknown, and the call is counted as failed.
//!
//! Source: IAM API reference. ListUsers has PasswordLastUsed; the creation of the login profile is the earliest time at
//! which the password may have been set, for nothing says when it was changed.

use std::collections::BTreeMap;
use std::io;

use futures_util::stream::{self, StreamExt};

use super::AT_ONCE;
use crate::audit::user::{Key, Moment, Password, User};
use crate::iam::{AccessKeyMetadata, AccessKeyStatus, Error, ErrorKind, Iam, ListedUser, UserName};

/// The calls that failed, by their names.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    by_action: BTreeMap<&'static str, Failed>,
}

/// How often a call failed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Of so many users.
    pub users: u64,
    /// One of them.
    pub user_name: UserName,
    /// Why, for that one.
    pub error: Error,
}

impl Failures {
    /// One entry a call.
    pub fn iter(&self) -> impl Iterator<Item = &Failed> {
        self.by_action.values()
    }

    fn add(&mut self, user_name: &UserName, errors: Vec<Error>) {
        let mut actions = Vec::new();
        for error in errors {
            // A user with two keys counts once.
            if actions.contains(&error.action) {
                continue;
            }
            actions.push(error.action);
            let failed = self.by_action.entry(error.action).or_insert_with(|| Failed {
                users: 0,
                user_name: user_name.clone(),
                error,
            });
            failed.users += 1;
        }
    }
}

/// How the listing ended.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// A page of ListUsers did not come: there may be users that nothing is known of.
    #[error(transparent)]
    Iam(Error),
    /// `take` could not write.
    #[error(transparent)]
    Write(io::Error),
}

/// Gives every user to `take`, in the order of ListUsers.
///
/// # Errors
///
/// See [`Stopped`]; the users before have been given. Calls about single users that failed are in `failures`.
pub async fn users(
    iam: &impl Iam,
    failures: &mut Failures,
    mut take: impl FnMut(&User<'_>) -> io::Result<()>,
) -> Result<(), Stopped> {
    let mut marker = None;
    loop {
        let page = iam.list_users(marker.as_deref()).await.map_err(Stopped::Iam)?;
        let mut described = stream::iter(page.users)
            .map(|user| describe(iam, user))
            .buffered(AT_ONCE);
        while let Some(described) = described.next().await {
            let Some(Described {
                listed,
                password,
                keys,
                errors,
            }) = described
            else {
                continue;
            };
            failures.add(&listed.user_name, errors);
            let user = User {
                name: &listed.user_name.0,
                arn: &listed.arn,
                is_root: false,
                created: Moment::At(listed.create_date),
                password,
                keys,
            };
            take(&user).map_err(Stopped::Write)?;
        }
        marker = page.marker;
        if marker.is_none() {
            return Ok(());
        }
    }
}

struct Described {
    listed: ListedUser,
    password: Password,
    keys: [Key; 2],
    errors: Vec<Error>,
}

/// Asks about one user; `None` when the user is gone by now.
async fn describe(iam: &impl Iam, listed: ListedUser) -> Option<Described> {
    let (keys, login_profile) = tokio::join!(
        iam.list_access_keys(Some(&listed.user_name)),
        iam.get_login_profile(&listed.user_name)
    );
    let mut errors = Vec::new();
    let keys = match keys {
        Err(error) if error.kind == ErrorKind::NoSuchEntity => return None,
        Ok(keys) => described_keys(iam, keys, &mut errors).await,
        Err(error) => {
            errors.push(error);
            [UNKNOWN_KEY, Key::NONE]
        }
    };
    let (enabled, last_changed) = match login_profile {
        Ok(Some(made)) => (Some(true), Moment::NotBefore(made)),
        Ok(None) => (Some(false), Moment::Never),
        Err(error) => {
            errors.push(error);
            (None, Moment::Unknown)
        }
    };
    let password = Password {
        enabled,
        last_used: listed.password_last_used.map_or(Moment::Never, Moment::At),
        last_changed,
    };
    Some(Described {
        listed,
        password,
        keys,
        errors,
    })
}

/// Stands for however many keys there are.
const UNKNOWN_KEY: Key = Key {
    slot: None,
    id: None,
    active: None,
    created: Moment::Unknown,
    last_used: Moment::Unknown,
};

async fn described_keys(iam: &impl Iam, listed: Vec<AccessKeyMetadata>, errors: &mut Vec<Error>) -> [Key; 2] {
    let mut keys = [Key::NONE, Key::NONE];
    if listed.len() > keys.len() {
        errors.push(Error {
            action: "ListAccessKeys",
            kind: ErrorKind::Unreadable,
            code: None,
            message: format!(
                "the reply names {} keys of one user, who can have two",
                listed.len()
            ),
        });
        return [UNKNOWN_KEY, UNKNOWN_KEY];
    }
    for (place, key) in keys.iter_mut().zip(listed) {
        let is_active = key.status == AccessKeyStatus::Active;
        // No rule is about inactive keys, so their use is not asked for.
        let last_used = if is_active {
            match iam.get_access_key_last_used(&key.access_key_id).await {
                Ok(answer) => answer
                    .last_used
                    .map_or(Moment::Never, |used| Moment::At(used.date)),
                Err(error) => {
                    errors.push(error);
                    Moment::Unknown
                }
            }
        } else {
            Moment::Unknown
        };
        *place = Key {
            slot: None,
            id: Some(key.access_key_id),
            active: Some(is_active),
            created: Moment::At(key.create_date),
            last_used,
        };
    }
    keys
}
