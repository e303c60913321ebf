//! Asks AWS about every key of the files, and about the users' other keys. Changes nothing.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;

use super::memory::Memory;
use super::report::{KeyReport, ProfileProblem, Report};
use super::{HeldKey, held_keys, strictest, unanswered};
use crate::access_key::AccessKeyId;
use crate::credentials::location::Locations;
use crate::credentials::profile::Profile;
use crate::iam::{self, AccessKeyMetadata, AccessKeyStatus, ErrorKind, Iam};
use crate::policy::{Limits, days_since, freshness};
use crate::problem::Problem;

/// So many keys are asked about at once. Each is two calls, and IAM limits calls by the account.
const AT_ONCE: usize = 32;

/// What AWS said about one key of the files, and about the user's other one.
struct Answer {
    held: HeldKey,
    list: Result<Vec<AccessKeyMetadata>, iam::Error>,
    own: Result<iam::AccessKeyLastUsed, iam::Error>,
    others: Vec<(AccessKeyMetadata, Result<iam::AccessKeyLastUsed, iam::Error>)>,
}

/// Asks AWS about all keys at once: two calls a key, in one round trip, and one more for the user's other key.
///
/// `client` makes a client for a profile and its key; `limits` gives a profile's limits.
pub async fn online<I: Iam, F: Future<Output = Result<I, Problem>>>(
    profiles: &[&Profile],
    locations: &Locations,
    default_limits: Limits,
    limits: impl Fn(&str) -> Limits,
    client: impl Fn(HeldKey) -> F,
    memory: &mut Memory,
    now: Timestamp,
) -> Report {
    let (held, skipped) = held_keys(profiles, locations);
    let ids: BTreeSet<AccessKeyId> = held.iter().map(|held| held.access_key.id.clone()).collect();
    let mut errors = Vec::new();
    let asked: Vec<Result<Answer, (HeldKey, Problem)>> = stream::iter(held)
        .map(|held| {
            let client = client(held.clone());
            let ids = &ids;
            async move {
                match client.await {
                    Ok(iam) => Ok(ask(held, &iam, ids).await),
                    Err(problem) => Err((held, problem)),
                }
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut keys = Vec::new();
    let mut seen = ids.clone();
    for answer in asked {
        match answer {
            Err((held, problem)) => {
                errors.push(ProfileProblem {
                    profile: held.profiles[0].clone(),
                    sharing: held.profiles.clone(),
                    problem,
                    kind: None,
                });
                keys.push(unanswered(&held));
            }
            Ok(answer) => {
                let strictest = strictest(&answer.held.profiles, &limits);
                for key in take(answer, &mut errors, strictest, now) {
                    // Another profile may hold the other key of the same user: it has a row of its own.
                    if key.current || seen.insert(key.access_key_id.clone()) {
                        keys.push(key);
                    }
                }
            }
        }
    }
    for key in &mut keys {
        key.user_arn = memory.user_arn(&key.access_key_id, key.user_name.as_deref());
        memory.remember(key, now);
    }
    Report::new(default_limits, keys, skipped, errors, now)
}

async fn ask(held: HeldKey, iam: &impl Iam, in_files: &BTreeSet<AccessKeyId>) -> Answer {
    let (list, own) = tokio::join!(
        iam.list_access_keys(None),
        iam.get_access_key_last_used(&held.access_key.id)
    );
    let mut others = Vec::new();
    for key in list
        .iter()
        .flatten()
        .filter(|key| !in_files.contains(&key.access_key_id))
    {
        others.push((
            key.clone(),
            iam.get_access_key_last_used(&key.access_key_id).await,
        ));
    }
    Answer {
        held,
        list,
        own,
        others,
    }
}

/// Turns the answers about one key into its row, and one for the user's other key.
fn take(answer: Answer, errors: &mut Vec<ProfileProblem>, limits: Limits, now: Timestamp) -> Vec<KeyReport> {
    let Answer {
        held,
        list,
        own,
        others,
    } = answer;
    let profile = held.profiles.first().map_or("default", String::as_str);
    let mut problem = |what: String, error: &iam::Error| {
        let problem = error.problem(what, profile);
        errors.push(ProfileProblem {
            profile: profile.to_owned(),
            sharing: held.profiles.clone(),
            problem,
            kind: Some(error.kind),
        });
    };
    let mut row = unanswered(&held);
    match (&list, &own) {
        // The same refusal twice is one problem.
        (Err(error), Err(other)) if error.kind == other.kind => {
            problem(
                format!("cannot ask AWS about the key of profile {profile}"),
                error,
            );
            row.note = Some(refusal(error).into());
            return vec![row];
        }
        (list, own) => {
            if let Err(error) = list {
                problem(format!("cannot list the keys of profile {profile}"), error);
            }
            if let Err(error) = own {
                problem(
                    format!("cannot ask when the key of profile {profile} was used"),
                    error,
                );
            }
        }
    }
    if let Ok(own) = &own {
        row.user_name = own.user_name.as_ref().map(ToString::to_string);
        row.last_used = own.last_used.clone();
        row.last_used_known = true;
        // It has just signed a call that AWS answered, so it is active, whatever else is unknown.
        row.status = Some(AccessKeyStatus::Active);
    }
    match list
        .iter()
        .flatten()
        .find(|key| key.access_key_id == held.access_key.id)
    {
        Some(key) => fill(&mut row, key, limits, now),
        None if list.is_ok() => row.note = Some("AWS does not list this key".into()),
        None => {}
    }
    let is_root = list
        .iter()
        .flatten()
        .any(|key| key.access_key_id == held.access_key.id && key.user_name.is_none());
    if is_root && row.user_name.is_none() {
        row.note = Some("a root key: delete it, do not rotate it (CIS 1.4)".into());
    }
    let mut rows = vec![row];
    for (key, last_used) in others {
        let mut other = KeyReport {
            access_key_id: key.access_key_id.clone(),
            profiles: Vec::new(),
            files: Vec::new(),
            account_id: rows[0].account_id.clone(),
            current: false,
            note: Some("the user's other key; no profile here holds it".into()),
            last_used_known: last_used.is_ok(),
            last_used: last_used
                .as_ref()
                .ok()
                .and_then(|answer| answer.last_used.clone()),
            ..unanswered(&held)
        };
        fill(&mut other, &key, limits, now);
        if let Err(error) = &last_used {
            problem(format!("cannot ask when {} was used", key.access_key_id), error);
        }
        rows.push(other);
    }
    rows
}

fn fill(row: &mut KeyReport, key: &AccessKeyMetadata, limits: Limits, now: Timestamp) {
    row.status = Some(key.status);
    row.create_date = Some(key.create_date);
    row.age_days = Some(days_since(key.create_date, now));
    row.freshness = freshness(row.create_date, now, limits);
    if let Some(name) = &key.user_name {
        row.user_name = Some(name.to_string());
    }
}

/// What kept both questions about a key from being answered.
fn refusal(error: &iam::Error) -> &'static str {
    match error.kind {
        ErrorKind::InvalidClientTokenId => "AWS does not accept this key",
        ErrorKind::SignatureDoesNotMatch => "the secret is not this key's",
        ErrorKind::AccessDenied { explicit: true } => "a policy denies this key the questions",
        ErrorKind::AccessDenied { explicit: false } => "no policy allows this key to ask",
        ErrorKind::ExpiredToken => "the session has ended",
        ErrorKind::RequestExpired => "the clock of this computer is minutes off AWS's",
        ErrorKind::Throttled => "AWS has too many calls from this account",
        ErrorKind::InvalidMfaCode
        | ErrorKind::LimitExceeded
        | ErrorKind::NoSuchEntity
        | ErrorKind::Refused => "AWS refused to answer",
        ErrorKind::ServiceFailure => "AWS failed",
        ErrorKind::Unreachable => "AWS was not reached",
        ErrorKind::TimedOut => "AWS did not answer",
        ErrorKind::Unreadable => "the answer was not AWS's",
    }
}
