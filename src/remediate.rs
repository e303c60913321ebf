//! What an administrator does about keys that should not be: makes them inactive, active again, or deletes them.
//! Never guesses: what AWS did not say is unknown, and the key stays.
//!
//! [`judge`] and [`put_back`] are pure decisions, [`journal`] is what is durable, [`run`] performs: intent first,
//! then the call, then ListAccessKeys, which alone says what became of it. [`from_audit`] reads which keys an audit
//! has found.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access_key::AccessKeyId;
use crate::iam::{self, AccessKeyStatus, LastUsed, UserName};

pub mod from_audit;
pub mod journal;
pub mod judge;
pub mod put_back;
pub mod run;

/// What is done to keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Make them inactive.
    Disable,
    /// Make them active.
    Enable,
    /// Delete them; nothing brings them back.
    Delete,
}

impl Action {
    /// `disable`.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Delete => "delete",
        }
    }

    /// `disable keys`.
    pub fn of_keys(self) -> &'static str {
        match self {
            Self::Disable => "disable keys",
            Self::Enable => "enable keys",
            Self::Delete => "delete keys",
        }
    }

    /// What a key is afterwards: `inactive`.
    pub fn result(self) -> &'static str {
        match self {
            Self::Disable => "inactive",
            Self::Enable => "active",
            Self::Delete => "deleted",
        }
    }

    /// Whether a key is as it is to be. Without a status it is not listed.
    pub fn is_reached(self, status: Option<AccessKeyStatus>) -> bool {
        match self {
            Self::Disable => status == Some(AccessKeyStatus::Inactive),
            Self::Enable => status == Some(AccessKeyStatus::Active),
            Self::Delete => status.is_none(),
        }
    }
}

/// A key that something is to be done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose it is.
    pub user_name: UserName,
    /// The key.
    pub access_key_id: AccessKeyId,
    /// Why this one, which may hold no longer.
    pub claim: Claim,
}

/// On what ground a key was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Somebody named it.
    Named,
    /// A finding that has nothing to do with its use.
    Found,
    /// A finding that nobody uses it: no use after this time is known.
    Unused {
        /// What was known then was looked at.
        since: Timestamp,
    },
    /// A run of ours has disabled it.
    Disabled {
        /// When the run intended to.
        at: Timestamp,
        /// Whether AWS has confirmed it.
        is_settled: bool,
    },
}

/// What AWS says of a key.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The key.
    pub target: Target,
    /// What AWS says.
    pub seen: Seen,
}

/// The state of a key.
#[derive(Clone, Debug)]
pub enum Seen {
    /// ListAccessKeys names it.
    Listed {
        /// Whether it is active.
        status: AccessKeyStatus,
        /// When it was made.
        create_date: Timestamp,
        /// `Err`: AWS did not say. `Ok(None)`: never, or no data.
        last_used: Result<Option<LastUsed>, iam::Error>,
    },
    /// The user does not have it, or does not exist.
    NotListed,
    /// AWS did not say.
    Unknown(iam::Error),
}
