//! What keyagent asks of IAM and STS: the calls, their answers and the ways in which they fail.
//! Pure: `aws` performs the calls.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access_key::{AccessKey, AccessKeyId, SessionCredentials};

pub mod policies;
mod problem;

/// An IAM user's friendly name, without its path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(pub String);

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Who signed a call, as GetCallerIdentity answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// 12 digits.
    pub account_id: String,
    /// `arn:PARTITION:iam::ACCOUNT:user/PATH/NAME` for a user, `…:root` for the root user, `…:sts::…` for a role.
    pub arn: String,
}

/// Who the ARN of a [`CallerIdentity`] stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An IAM user; only users have access keys that keyagent replaces.
    User(UserName),
    /// The account's root user, whose keys are to be deleted rather than rotated (CIS).
    Root,
    /// A role's session, a federated user, or something newer.
    Other,
}

impl CallerIdentity {
    /// Reads the ARN. A user's name is its last segment: `user/eng/alice` is named `alice`.
    pub fn caller(&self) -> Caller {
        let resource = self.arn.splitn(6, ':').nth(5).unwrap_or_default();
        let service = self.arn.split(':').nth(2).unwrap_or_default();
        match (service, resource.split_once('/')) {
            ("iam", Some(("user", path))) => {
                Caller::User(UserName(path.rsplit('/').next().unwrap_or(path).to_owned()))
            }
            ("iam", None) if resource == "root" => Caller::Root,
            _ => Caller::Other,
        }
    }
}

/// Whether AWS lets a key in. IAM may name further states; those are `Inactive` for us only when AWS says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccessKeyStatus {
    /// The key signs calls.
    Active,
    /// The key is refused, and can be made active again.
    Inactive,
}

/// One row of ListAccessKeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyMetadata {
    /// The key.
    pub access_key_id: AccessKeyId,
    /// Whose it is; `None` for the root user, whose rows have no name.
    pub user_name: Option<UserName>,
    /// Whether it signs calls.
    pub status: AccessKeyStatus,
    /// When it was created; deactivation does not change it.
    pub create_date: Timestamp,
}

/// The answer of GetAccessKeyLastUsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyLastUsed {
    /// The key's user, which is how an ID finds its name in one call.
    pub user_name: Option<UserName>,
    /// The last recorded use; `None` means never, or that AWS has no data. AWS records uses about every
    /// 15 minutes.
    pub last_used: Option<LastUsed>,
}

/// A recorded use of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUsed {
    /// When.
    pub date: Timestamp,
    /// With which service, as AWS names it: `s3`.
    pub service: String,
    /// Where: `eu-west-1`, or `N/A`.
    pub region: String,
}

impl LastUsed {
    /// When, with which service and where.
    pub fn told(&self) -> String {
        format!(
            "{} with {} in {}",
            self.date.strftime("%Y-%m-%d %H:%M UTC"),
            self.service,
            self.region
        )
    }
}

/// A key that AWS has just made. The secret is never shown again.
#[derive(Clone, Debug)]
pub struct CreatedAccessKey {
    /// Both halves.
    pub access_key: AccessKey,
    /// AWS's time of creation.
    pub create_date: Timestamp,
}

/// How far AWS is with a credential report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportState {
    /// It can be fetched.
    Complete,
    /// STARTED, INPROGRESS, or a state that is newer than this program: ask again.
    UnderWay,
}

/// The answer of GetCredentialReport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialReport {
    /// The CSV.
    pub content: Vec<u8>,
    /// When AWS made it; it gives the same one for four hours.
    pub generated_at: Timestamp,
}

/// One row of ListUsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The name without its path.
    pub user_name: UserName,
    /// The ARN.
    pub arn: String,
    /// When the user was made.
    pub create_date: Timestamp,
    /// The last sign-in with a password, be it one that is gone by now; `None`: never, or none since October 2014.
    pub password_last_used: Option<Timestamp>,
}

/// A page of ListUsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersPage {
    /// Its rows.
    pub users: Vec<ListedUser>,
    /// Where the next one begins; `None` on the last.
    pub marker: Option<String>,
}

/// A role, and what its trust policy may ask of those who assume it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.
    pub arn: String,
    /// How CloudTrail names the session.
    pub session_name: String,
    /// What a third party shows so that nobody else has it assume the role.
    pub external_id: Option<String>,
}

impl Role {
    /// What sessions are called where nothing names them.
    pub const SESSION_NAME: &str = "keyagent";

    /// The account that it is in.
    pub fn account_id(&self) -> Option<&str> {
        self.arn.split(':').nth(4)
    }
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A policy does not allow the action. `explicit` when a Deny statement says so.
    AccessDenied {
        /// A Deny statement matched, as opposed to no Allow.
        explicit: bool,
    },
    /// The MFA code is wrong, or was used before: each works once.
    InvalidMfaCode,
    /// No such key, or an inactive one, or one too young to be known everywhere.
    InvalidClientTokenId,
    /// The secret does not belong to the key ID.
    SignatureDoesNotMatch,
    /// The session token has ended.
    ExpiredToken,
    /// The local clock is more than 5 minutes (STS: 15) off AWS's.
    RequestExpired,
    /// The user has two keys already.
    LimitExceeded,
    /// The user or key is not there.
    NoSuchEntity,
    /// Too many calls; worth another try later.
    Throttled,
    /// AWS answered 5xx.
    ServiceFailure,
    /// No connection: name, route, TLS or proxy.
    Unreachable,
    /// No reply in time. Whether the call took effect is unknown.
    TimedOut,
    /// A reply came that is none of AWS's: a login page, cut XML.
    Unreadable,
    /// Any other refusal by AWS.
    Refused,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {message}")]
pub struct Error {
    /// AWS's name of the call: `CreateAccessKey`.
    pub action: &'static str,
    /// What it comes to.
    pub kind: ErrorKind,
    /// AWS's own code, as it was sent.
    pub code: Option<String>,
    /// The reason in words: AWS's, or the transport's.
    pub message: String,
}

impl Error {
    /// Whether AWS has certainly not done what was asked: it refused. Everything else is unknown.
    pub fn had_no_effect(&self) -> bool {
        match self.kind {
            ErrorKind::AccessDenied { .. }
            | ErrorKind::InvalidMfaCode
            | ErrorKind::InvalidClientTokenId
            | ErrorKind::SignatureDoesNotMatch
            | ErrorKind::ExpiredToken
            | ErrorKind::RequestExpired
            | ErrorKind::LimitExceeded
            | ErrorKind::NoSuchEntity
            | ErrorKind::Throttled
            | ErrorKind::Refused => true,
            ErrorKind::ServiceFailure
            | ErrorKind::Unreachable
            | ErrorKind::TimedOut
            | ErrorKind::Unreadable => false,
        }
    }
}

/// The IAM and STS calls. One value signs with one key, or in one session.
///
/// Each method is one call of that name; none is repeated after a reply that leaves its effect unknown.
pub trait Iam: Clone {
    /// The same endpoints, signed with another key.
    #[must_use]
    fn signed_by(&self, key: &AccessKey) -> Self;

    /// The same endpoints, signed with a session's credentials.
    #[must_use]
    fn in_session(&self, session: &SessionCredentials) -> Self;

    /// STS GetSessionToken with a code of an MFA device. Needs no permission. Sent once: a code works once.
    fn get_session_token(
        &self,
        serial_number: &str,
        code: &str,
    ) -> impl Future<Output = Result<SessionCredentials, Error>>;

    /// STS AssumeRole.
    fn assume_role(&self, role: &Role) -> impl Future<Output = Result<SessionCredentials, Error>>;

    /// IAM ListUsers, the page that begins at this marker.
    fn list_users(&self, marker: Option<&str>) -> impl Future<Output = Result<UsersPage, Error>>;

    /// IAM GetLoginProfile: when the user's console password was made; `None` without one, or without the user.
    fn get_login_profile(
        &self,
        user_name: &UserName,
    ) -> impl Future<Output = Result<Option<Timestamp>, Error>>;

    /// IAM GetAccountSummary: whether the root user has an access key, be it active or not.
    fn root_has_access_key(&self) -> impl Future<Output = Result<bool, Error>>;

    /// IAM ListMFADevices: the serial numbers of a user's devices.
    fn list_mfa_devices(&self, user_name: &UserName) -> impl Future<Output = Result<Vec<String>, Error>>;

    /// IAM SimulatePrincipalPolicy: which of these actions a user's policies do not allow on the user itself.
    /// Changes nothing.
    fn actions_denied(
        &self,
        user_arn: &str,
        actions: &[&'static str],
    ) -> impl Future<Output = Result<Vec<&'static str>, Error>>;

    /// STS GetCallerIdentity. Needs no permission.
    fn get_caller_identity(&self) -> impl Future<Output = Result<CallerIdentity, Error>>;

    /// IAM GenerateCredentialReport: asks for one, or how far it is.
    fn generate_credential_report(&self) -> impl Future<Output = Result<ReportState, Error>>;

    /// IAM GetCredentialReport. Refused with `ReportNotPresent`, `ReportExpired` or `ReportInProgress` while there is
    /// none.
    fn get_credential_report(&self) -> impl Future<Output = Result<CredentialReport, Error>>;

    /// IAM ListAccessKeys, all pages. Without a name: of the user whose key signs.
    fn list_access_keys(
        &self,
        user_name: Option<&UserName>,
    ) -> impl Future<Output = Result<Vec<AccessKeyMetadata>, Error>>;

    /// IAM GetAccessKeyLastUsed.
    fn get_access_key_last_used(
        &self,
        access_key_id: &AccessKeyId,
    ) -> impl Future<Output = Result<AccessKeyLastUsed, Error>>;

    /// IAM CreateAccessKey. Sent once: after a lost reply its effect is unknown.
    fn create_access_key(
        &self,
        user_name: &UserName,
    ) -> impl Future<Output = Result<CreatedAccessKey, Error>>;

    /// IAM UpdateAccessKey. Doing it twice is doing it once.
    fn update_access_key(
        &self,
        user_name: &UserName,
        access_key_id: &AccessKeyId,
        status: AccessKeyStatus,
    ) -> impl Future<Output = Result<(), Error>>;

    /// IAM DeleteAccessKey.
    fn delete_access_key(
        &self,
        user_name: &UserName,
        access_key_id: &AccessKeyId,
    ) -> impl Future<Output = Result<(), Error>>;
}
