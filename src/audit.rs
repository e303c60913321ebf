//! A whole account's keys and passwords against the CIS rules: what is found, and how it is told.
//! Pure but for [`live`]: the time comes in as a value. Changes nothing in the account.
//!
//! ```text
//! a saved report ─┐
//!                 ├─► credential_report ─► rules ─► exemptions ─► output (table, json, csv, ocsf, …)
//! AWS ─► live ────┘
//! ```

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access_key::AccessKeyId;

pub mod assessment;
pub mod benchmark;
pub mod credential_report;
pub mod document;
pub mod exemptions;
pub mod key_ids;
pub mod live;
pub mod output;
pub mod results;
pub mod rules;
mod text;
pub mod user;

pub use benchmark::Benchmark;
pub use document::{Document, NotEvaluated, SCHEMA, Summary};

/// The root user's name, as the credential report has it.
pub const ROOT: &str = "<root_account>";

/// A rule, by the name that it has in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The root user has no active access key.
    RootAccessKey,
    /// No key was made when a user with a console password was set up: none is there that was never used.
    KeyAtSetup,
    /// Passwords and keys that nobody used for so many days are disabled.
    UnusedCredentials,
    /// A user has one active key at most.
    OneActiveKey,
    /// Active keys are replaced every so many days.
    KeyRotation,
}

impl Rule {
    /// All of them, in the order of the CIS text.
    pub const ALL: [Self; 5] = [
        Self::RootAccessKey,
        Self::KeyAtSetup,
        Self::UnusedCredentials,
        Self::OneActiveKey,
        Self::KeyRotation,
    ];

    /// `key-rotation`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RootAccessKey => "root-access-key",
            Self::KeyAtSetup => "key-at-setup",
            Self::UnusedCredentials => "unused-credentials",
            Self::OneActiveKey => "one-active-key",
            Self::KeyRotation => "key-rotation",
        }
    }

    /// How grave a breach of it is, as Security Hub grades the matching controls.
    pub fn severity(self) -> Severity {
        match self {
            Self::RootAccessKey => Severity::Critical,
            Self::UnusedCredentials | Self::KeyRotation => Severity::Medium,
            Self::KeyAtSetup | Self::OneActiveKey => Severity::Low,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a rule came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The rule is kept.
    Pass,
    /// The rule is broken.
    Fail,
    /// AWS did not say what would decide it, which is neither fine nor a failure.
    Unknown,
}

impl Outcome {
    /// `pass`, `fail` or `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do: the rule is kept.
    Informational,
    /// Worth mending.
    Low,
    /// To be mended.
    Medium,
    /// To be mended at once.
    Critical,
}

impl Severity {
    /// `critical`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::Critical => "critical",
        }
    }
}

/// Which of a user's two places for access keys, as the credential report numbers them: in no order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum KeySlot {
    /// `access_key_1_…`
    One,
    /// `access_key_2_…`
    Two,
}

impl From<KeySlot> for u8 {
    fn from(slot: KeySlot) -> Self {
        match slot {
            KeySlot::One => 1,
            KeySlot::Two => 2,
        }
    }
}

impl TryFrom<u8> for KeySlot {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err("a key slot is 1 or 2"),
        }
    }
}

/// An account, as ARNs name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// 12 digits.
    pub id: String,
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
}

impl Account {
    /// The account in an ARN.
    pub fn of(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':').skip(1);
        let partition = parts.next()?;
        let id = parts.nth(2)?;
        is_account_id(id).then(|| Self {
            id: id.to_owned(),
            partition: partition.to_owned(),
        })
    }
}

/// 12 digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// When a rule is broken, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// An active key older than this, to the second, breaks `key-rotation`.
    pub max_age_days: u32,
    /// A password or an active key that nobody used for so many days *or more* breaks `unused-credentials`.
    pub unused_days: u32,
}

/// One verdict: a rule on a key, a password or a user.
///
/// Borrows from the row that it judges: an account's report may have a million of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding<'a> {
    /// The rule.
    pub rule: Rule,
    /// What benchmarks call it: `cis-3.0/1.14`, `IAM.3`.
    pub controls: Cow<'a, [Cow<'a, str>]>,
    /// The user's name without its path, or [`ROOT`].
    pub user_name: Cow<'a, str>,
    /// The user's ARN.
    pub user_arn: Cow<'a, str>,
    /// The key's place in the report; `None` for a password, a user, or where the report was not read.
    pub key_slot: Option<KeySlot>,
    /// The key, where it was looked up and is certain.
    pub access_key_id: Option<AccessKeyId>,
    /// When the key was made, by which it can be told from the user's other one.
    pub key_created: Option<Timestamp>,
    /// How the rule came out. A failure may be exempt: see [`Finding::is_breach`].
    pub result: Outcome,
    /// One sentence with the days in it.
    pub why: Cow<'a, str>,
    /// Whole days of age or of disuse, whichever the rule is about.
    pub days: Option<u32>,
    /// How grave it is.
    pub severity: Severity,
    /// Who answers for letting a failure be, while that holds.
    pub exempt: Option<Exempt<'a>>,
}

impl Finding<'_> {
    /// Whether somebody must act: the rule is broken, and nobody answers for it.
    pub fn is_breach(&self) -> bool {
        self.result == Outcome::Fail && self.exempt.is_none()
    }
}

/// Why a failure is let be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exempt<'a> {
    /// Who answers for it.
    pub owner: Cow<'a, str>,
    /// Why.
    pub reason: Cow<'a, str>,
    /// The last day on which it holds, in UTC.
    pub until: jiff::civil::Date,
}
