//! What the rules are told about one user, from the credential report or from the calls about each user.

use jiff::Timestamp;

use super::KeySlot;
use crate::access_key::AccessKeyId;

/// A user's credentials, as AWS has described them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User<'a> {
    /// The name without its path, or [`super::ROOT`].
    pub name: &'a str,
    /// The ARN.
    pub arn: &'a str,
    /// The account's root user, to which other rules apply.
    pub is_root: bool,
    /// When the user was made.
    pub created: Moment,
    /// The console password.
    pub password: Password,
    /// Both places for keys; without a key, one is not active.
    pub keys: [Key; 2],
}

/// A console password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Password {
    /// Whether there is one; `None` when AWS did not say.
    pub enabled: Option<bool>,
    /// The last sign-in.
    pub last_used: Moment,
    /// When it was set.
    pub last_changed: Moment,
}

/// A place for an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its number in the report.
    pub slot: Option<KeySlot>,
    /// The key, where it is known.
    pub id: Option<AccessKeyId>,
    /// Whether a key is here and signs calls; `None` when AWS did not say.
    pub active: Option<bool>,
    /// When it was made. An inactive key keeps this.
    pub created: Moment,
    /// The last use.
    pub last_used: Moment,
}

impl Key {
    /// A place without a key.
    pub const NONE: Self = Self {
        slot: None,
        id: None,
        active: Some(false),
        created: Moment::Never,
        last_used: Moment::Never,
    };
}

/// A time, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Then.
    At(Timestamp),
    /// At this time or after it: AWS named an earlier event only.
    NotBefore(Timestamp),
    /// AWS has it not on record: `N/A`, `no_information`, `not_supported`.
    Never,
    /// AWS did not say, or not so that it can be read.
    Unknown,
}
