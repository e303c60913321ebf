//! What AWS says: whether it can be reached, what time it is, whose each key is, and what that user may do. Every action
//! is tried in a way that changes nothing.

use jiff::Timestamp;

use super::{Area, Check, Level};
use crate::access_key::AccessKeyId;
use crate::aws::Client;
use crate::iam::{Caller, CallerIdentity, Error, ErrorKind, Iam, UserName};
use crate::problem::word;
use crate::rotate::concern::PutBack;

/// IAM refuses signatures that are more than five minutes off.
const REFUSED_SECONDS: i64 = 300;
/// A clock that is kept in time is not off by more.
const WORRYING_SECONDS: i64 = 30;

/// A key that is to be asked about.
pub struct Subject<'a> {
    /// The first profile that holds it.
    pub profile: &'a str,
    /// Signs with it.
    pub client: &'a Client,
    /// The device of the settings or of the profile.
    pub mfa_serial: Option<&'a str>,
    /// The key.
    pub access_key_id: &'a AccessKeyId,
    /// What is so of the key if AWS refuses it and keyagent has superseded it.
    pub put_back: Option<PutBack>,
}

/// Without a key AWS says nothing.
pub fn nobody_to_ask() -> Check {
    let message = "AWS was not asked: no long-term key is at hand that could sign";
    Check::new(Area::Account, "endpoint", Level::Unknown, message)
}

/// Asks about one key, and gives its ARN with what was found. `now` reads this computer's clock.
pub async fn check(subject: &Subject<'_>, now: impl Fn() -> Timestamp) -> (Vec<Check>, Option<String>) {
    let (identity, date) = subject.client.get_caller_identity_and_time().await;
    let mut checks = vec![clock(identity.as_ref().err(), date, now())];
    let mut arn = None;
    match identity {
        Err(error) if is_of_the_way(&error) => {
            return (vec![told(subject, "endpoint", "cannot ask AWS", &error)], None);
        }
        // The clock's own check tells it.
        Err(error) if error.kind == ErrorKind::RequestExpired => {}
        Err(error) => {
            let what = format!("cannot use the key of profile {}", subject.profile);
            checks.push(told(subject, "identity", &what, &error));
        }
        Ok(identity) => {
            let (check, user_name) = who(subject, &identity);
            checks.push(check);
            if let Some(user_name) = user_name {
                checks.extend(of_user(subject, &identity, &user_name).await);
            }
            arn = Some(identity.arn);
        }
    }
    (checks, arn)
}

/// Whether the answer came from something else than AWS, or did not come: AWS's own is a refusal.
fn is_of_the_way(error: &Error) -> bool {
    !error.had_no_effect()
}

fn told(subject: &Subject<'_>, check: &'static str, what: &str, error: &Error) -> Check {
    let problem = match &subject.put_back {
        Some(put_back) if error.kind == ErrorKind::InvalidClientTokenId => put_back.problem(what),
        Some(_) | None => error.problem(what, &word(subject.profile)),
    };
    Check::problem(Area::Account, check, &problem).of(subject.profile)
}

fn clock(refusal: Option<&Error>, date: Option<Timestamp>, now: Timestamp) -> Check {
    const SET: &str = "sudo timedatectl set-ntp true";
    let is_refused = refusal.is_some_and(|error| error.kind == ErrorKind::RequestExpired);
    let Some(date) = date else {
        return Check::new(
            Area::Account,
            "clock",
            Level::Unknown,
            "AWS did not say what time it is",
        );
    };
    let seconds = now.as_second() - date.as_second();
    let off = seconds.abs();
    let side = if seconds > 0 { "ahead of" } else { "behind" };
    let shown = if off < 120 {
        format!("{off} s")
    } else {
        format!("{} min", off / 60)
    };
    if is_refused || off > REFUSED_SECONDS {
        let message = format!(
            "this computer's clock is {shown} {side} AWS's, which refuses calls that are signed by it, unless the \
             program corrects that, as AWS's SDKs do"
        );
        Check::new(Area::Account, "clock", Level::Problem, message).mended_by(SET)
    } else if off > WORRYING_SECONDS {
        let message = format!(
            "this computer's clock is {shown} {side} AWS's; from 5 min on AWS refuses calls signed by it"
        );
        Check::new(Area::Account, "clock", Level::Warning, message).mended_by(SET)
    } else {
        Check::new(
            Area::Account,
            "clock",
            Level::Ok,
            "this computer's clock agrees with AWS's",
        )
    }
}

fn who(subject: &Subject<'_>, identity: &CallerIdentity) -> (Check, Option<UserName>) {
    let profile = subject.profile;
    let check = |level, message: String| Check::new(Area::Account, "identity", level, message).of(profile);
    match identity.caller() {
        Caller::User(name) => (
            check(
                Level::Ok,
                format!("{profile}: AWS knows the key as {}", identity.arn),
            ),
            Some(name),
        ),
        Caller::Root => {
            let message = format!(
                "{profile}: the key is the root user's, of account {}; it is to be deleted, not rotated (CIS 1.4)",
                identity.account_id
            );
            let command = "https://console.aws.amazon.com/iam/home#/security_credentials";
            (check(Level::Problem, message).mended_by(command), None)
        }
        Caller::Other => {
            let message = format!(
                "{profile}: the key is no IAM user's, and cannot be rotated: {}",
                identity.arn
            );
            (check(Level::Warning, message).mended_by("keyagent status"), None)
        }
    }
}

async fn of_user(subject: &Subject<'_>, identity: &CallerIdentity, user_name: &UserName) -> Vec<Check> {
    let iam = subject.client;
    let listed = iam.list_access_keys(Some(user_name)).await;
    if let Err(error) = &listed
        && is_of_the_way(error)
    {
        return vec![told(
            subject,
            "endpoint",
            "STS answers, but IAM cannot be asked",
            error,
        )];
    }
    let mut checks = vec![Check::new(
        Area::Account,
        "endpoint",
        Level::Ok,
        "STS and IAM answer",
    )];
    // Of a key that nobody has, IAM looks for it only once the policies have allowed the call.
    let nobodys = AccessKeyId::made_up();
    let active = crate::iam::AccessKeyStatus::Active;
    let (used, updated, deleted, created, devices) = tokio::join!(
        iam.get_access_key_last_used(subject.access_key_id),
        iam.update_access_key(user_name, &nobodys, active),
        iam.delete_access_key(user_name, &nobodys),
        iam.actions_denied(&identity.arn, &["iam:CreateAccessKey"]),
        iam.list_mfa_devices(user_name),
    );
    let created = match created {
        Ok(denied) if denied.is_empty() => Permission::Allowed,
        Ok(_) => Permission::Denied,
        Err(error) => Permission::Unknown(match error.kind {
            ErrorKind::AccessDenied { .. } => "this key may not ask (iam:SimulatePrincipalPolicy)".to_owned(),
            ErrorKind::InvalidMfaCode
            | ErrorKind::InvalidClientTokenId
            | ErrorKind::SignatureDoesNotMatch
            | ErrorKind::ExpiredToken
            | ErrorKind::RequestExpired
            | ErrorKind::LimitExceeded
            | ErrorKind::NoSuchEntity
            | ErrorKind::Throttled
            | ErrorKind::ServiceFailure
            | ErrorKind::Unreachable
            | ErrorKind::TimedOut
            | ErrorKind::Unreadable
            | ErrorKind::Refused => error.problem("", "").cause,
        }),
    };
    let tried = [
        ("iam:ListAccessKeys", permission(listed.err())),
        ("iam:GetAccessKeyLastUsed", permission(used.err())),
        ("iam:UpdateAccessKey", permission(updated.err())),
        ("iam:DeleteAccessKey", permission(deleted.err())),
        ("iam:CreateAccessKey", created),
    ];
    checks.push(permissions(subject, &tried));
    checks.push(mfa(subject, user_name, devices));
    checks
}

/// What came of trying an action.
enum Permission {
    Allowed,
    Denied,
    Unknown(String),
}

fn permission(error: Option<Error>) -> Permission {
    let Some(error) = error else {
        return Permission::Allowed;
    };
    match error.kind {
        ErrorKind::AccessDenied { .. } => Permission::Denied,
        ErrorKind::NoSuchEntity => Permission::Allowed,
        ErrorKind::InvalidMfaCode
        | ErrorKind::InvalidClientTokenId
        | ErrorKind::SignatureDoesNotMatch
        | ErrorKind::ExpiredToken
        | ErrorKind::RequestExpired
        | ErrorKind::LimitExceeded
        | ErrorKind::Throttled
        | ErrorKind::ServiceFailure
        | ErrorKind::Unreachable
        | ErrorKind::TimedOut
        | ErrorKind::Unreadable
        | ErrorKind::Refused => Permission::Unknown(error.problem("", "").cause),
    }
}

fn permissions(subject: &Subject<'_>, tried: &[(&str, Permission)]) -> Check {
    let profile = subject.profile;
    let check = |level, message| Check::new(Area::Account, "permissions", level, message).of(profile);
    let denied: Vec<&str> = tried
        .iter()
        .filter(|(_, permission)| matches!(permission, Permission::Denied))
        .map(|(action, _)| *action)
        .collect();
    let dry_run = format!("keyagent rotate -p {} --dry-run", word(profile));
    if !denied.is_empty() && subject.mfa_serial.is_some() {
        let message = format!(
            "{profile}: without an MFA code the key may not {}; with one it cannot be tried here",
            denied.join(", ")
        );
        return check(Level::Unknown, message).mended_by(dry_run);
    }
    if !denied.is_empty() {
        let message = format!("{profile}: no policy allows {} to this key", denied.join(", "));
        return check(Level::Problem, message).mended_by("keyagent policy self");
    }
    let unknown: Vec<String> = tried
        .iter()
        .filter_map(|(action, permission)| match permission {
            Permission::Unknown(why) => Some(format!("{action} is unknown: {why}")),
            Permission::Allowed | Permission::Denied => None,
        })
        .collect();
    if !unknown.is_empty() {
        let message = format!(
            "{profile}: the key may do all that could be tried; {}",
            unknown.join("; ")
        );
        return check(Level::Unknown, message);
    }
    check(
        Level::Ok,
        format!("{profile}: the key may do all that a rotation needs"),
    )
}

fn mfa(subject: &Subject<'_>, user_name: &UserName, devices: Result<Vec<String>, Error>) -> Check {
    let profile = subject.profile;
    let check = |level, message| Check::new(Area::Account, "mfa", level, message).of(profile);
    let is_fido = |serial: &&String| serial.contains(":u2f/");
    match (devices, subject.mfa_serial) {
        (Ok(devices), Some(named)) if !devices.iter().any(|serial| serial == named) => {
            let message = format!("{profile}: mfa_serial names {named}, which is no device of {user_name}");
            let command = format!(
                "aws iam list-mfa-devices --user-name {user_name} --profile {}",
                word(profile)
            );
            check(Level::Problem, message).mended_by(command)
        }
        (Ok(devices), _) if devices.is_empty() => {
            let message = format!(
                "{profile}: {user_name} has no MFA device, and needs none unless a policy demands it"
            );
            check(Level::Ok, message)
        }
        (Ok(devices), _) if devices.iter().all(|serial| is_fido(&serial)) => {
            let message = format!(
                "{profile}: {user_name} has security keys or passkeys alone, which API calls cannot use; where a policy \
                 demands MFA, an authenticator app is needed too"
            );
            check(Level::Warning, message)
                .mended_by("https://console.aws.amazon.com/iam/home#/security_credentials")
        }
        (Ok(devices), _) => {
            let serial = devices.iter().find(|serial| !is_fido(serial));
            let shown = serial.map_or("a device", String::as_str);
            check(Level::Ok, format!("{profile}: MFA codes come from {shown}"))
        }
        (Err(error), Some(named)) => {
            let message = format!(
                "{profile}: mfa_serial names {named}; whether it is there is unknown: {}",
                error.problem("", "").cause
            );
            check(Level::Unknown, message)
        }
        (Err(error), None) => {
            let why = error.problem("", "").cause;
            check(
                Level::Unknown,
                format!("{profile}: whether there is an MFA device is unknown: {why}"),
            )
        }
    }
}

/// Removes what is said once for all keys: the way to AWS, and the clock.
pub fn once(checks: Vec<Check>) -> Vec<Check> {
    let mut once: Vec<Check> = Vec::with_capacity(checks.len());
    for check in checks {
        let is_shared = matches!(check.check, "endpoint" | "clock");
        let is_told = once
            .iter()
            .any(|other| other.check == check.check && other.level == check.level);
        if !(is_shared && is_told) {
            once.push(check);
        }
    }
    once
}
