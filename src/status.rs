//! What is known about every key: from AWS, or from the files and the last answers alone. Changes no key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access_key::{AccessKey, AccessKeyId};
use crate::credentials::location::Locations;
use crate::credentials::profile::{Holds, Profile};
use crate::fs_atomic;
use crate::iam::{self, AccessKeyMetadata, AccessKeyStatus, ErrorKind, Iam, LastUsed};
use crate::policy::{Freshness, Limits, days_since, freshness};
use crate::problem::{Problem, word};
use crate::rotate::retire::grace_ends;
use crate::rotate::state::{Rotation, State};

/// So many keys are asked about at once. Each is two calls, and IAM limits calls by the account.
const AT_ONCE: usize = 32;

/// The contract's document.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    schema: &'static str,
    generated_at: Timestamp,
    limits: Limits,
    /// The keys, worst first.
    pub keys: Vec<KeyReport>,
    /// Profiles without a long-term key.
    pub skipped: Vec<Skipped>,
    /// What could not be answered.
    pub errors: Vec<ProfileProblem>,
}

impl Report {
    /// Adds what the journal knows: whose a key is, and which keys are superseded.
    pub fn add_rotations(
        &mut self,
        rotations: &[Rotation],
        grace_days: impl Fn(&str) -> u32,
        now: Timestamp,
    ) {
        for key in &mut self.keys {
            let id = &key.access_key_id;
            let mut known = rotations.iter().rev().filter(|rotation| {
                rotation.plan.old_access_key_id == *id || rotation.new_access_key_id.as_ref() == Some(id)
            });
            let Some(rotation) = known.next() else { continue };
            key.user_arn = Some(rotation.plan.user_arn.clone());
            key.user_name
                .get_or_insert_with(|| rotation.plan.user_name.to_string());
            let (Some(superseded), Some(since)) = (rotation.superseded(), rotation.superseded_since()) else {
                continue;
            };
            if superseded != id {
                continue;
            }
            let profile = rotation.plan.profiles.first().map_or("default", String::as_str);
            let until = grace_ends(since, grace_days(profile));
            let is_undone = rotation.state == State::Undone;
            key.grace = Some(if now < until { Grace::Running } else { Grace::Over });
            key.note = Some(match (key.current, now < until) {
                (true, _) => "superseded, but put back: keyagent recover".into(),
                (false, true) if is_undone => {
                    format!("superseded by an undo; kept until {}", until.strftime("%Y-%m-%d"))
                }
                (false, true) => format!(
                    "superseded; until {}: keyagent undo -p {}",
                    until.strftime("%Y-%m-%d"),
                    word(profile)
                ),
                (false, false) => "superseded, and its grace is over: keyagent retire".into(),
            });
        }
    }

    /// The limit that holds where a profile has none of its own.
    pub fn limit_days(&self) -> u32 {
        self.limits.max_age_days
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyReport {
    /// The key.
    pub access_key_id: AccessKeyId,
    /// The profiles that hold it; none for the user's other key.
    pub profiles: Vec<String>,
    /// The files that hold it.
    pub files: Vec<PathBuf>,
    /// As AWS says, or decoded from the key ID.
    pub account_id: Option<String>,
    /// The user, as GetAccessKeyLastUsed or ListAccessKeys names it.
    pub user_name: Option<String>,
    /// Known once a rotation has asked for it: only GetCallerIdentity names the ARN, and with its path no other
    /// answer gives it away. A third call for every key is not worth it here.
    pub user_arn: Option<String>,
    /// Whether it signs calls; `None` when AWS has not said.
    pub status: Option<AccessKeyStatus>,
    /// When it was made.
    pub create_date: Option<Timestamp>,
    /// Whole days since.
    pub age_days: Option<u32>,
    /// The last use; `None` means none recorded if `last_used_known`, else unknown.
    pub last_used: Option<LastUsed>,
    /// Whether AWS has answered about its use.
    pub last_used_known: bool,
    /// Against the limits.
    pub freshness: Freshness,
    /// `false` for the user's other key, which no profile here holds.
    pub current: bool,
    /// What else there is to know.
    pub note: Option<String>,
    /// Of a key that keyagent has superseded.
    #[serde(skip)]
    pub grace: Option<Grace>,
}

/// How a superseded key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// It can be taken back.
    Running,
    /// It may go.
    Over,
}

/// A profile without a long-term key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub profile: String,
    /// Why.
    pub why: String,
}

/// A question about a profile that was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProfileProblem {
    /// Its name.
    pub profile: String,
    /// What, why, and what to do.
    #[serde(flatten)]
    pub problem: Problem,
    /// How AWS failed, where it was asked.
    #[serde(skip)]
    pub kind: Option<ErrorKind>,
}

/// A key of the files, with all profiles that hold it.
#[derive(Clone, Debug)]
pub struct HeldKey {
    /// The pair.
    pub access_key: AccessKey,
    /// In the order of the files.
    pub profiles: Vec<String>,
    files: BTreeSet<PathBuf>,
}

/// Groups the profiles by the key that they hold, so that each is asked about once.
pub fn held_keys(profiles: &[&Profile], locations: &Locations) -> (Vec<HeldKey>, Vec<Skipped>) {
    let (mut keys, mut skipped) = (Vec::<HeldKey>::new(), Vec::new());
    for profile in profiles {
        match &profile.holds {
            Holds::NoLongTermKey(why) => skipped.push(Skipped {
                profile: profile.name.clone(),
                why: why.clone(),
            }),
            Holds::LongTermKey { access_key, file } => {
                let path = locations.path(*file).to_owned();
                match keys.iter_mut().find(|held| held.access_key == *access_key) {
                    Some(held) => {
                        held.profiles.push(profile.name.clone());
                        held.files.insert(path);
                    }
                    None => keys.push(HeldKey {
                        access_key: access_key.clone(),
                        profiles: vec![profile.name.clone()],
                        files: BTreeSet::from([path]),
                    }),
                }
            }
        }
    }
    (keys, skipped)
}

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
                    profile: held.profiles.join(", "),
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
        key.user_arn = memory
            .keys
            .get(&key.access_key_id)
            .and_then(|known| known.user_arn.clone());
        memory.remember(key, now);
    }
    worst_first(&mut keys);
    Report {
        schema: "keyagent.status/1",
        generated_at: now,
        limits: default_limits,
        keys,
        skipped,
        errors,
    }
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
            profile: held.profiles.join(", "),
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
        // It has just signed a call that AWS answered.
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

/// A key about which only the files say something.
fn unanswered(held: &HeldKey) -> KeyReport {
    let id = &held.access_key.id;
    KeyReport {
        access_key_id: id.clone(),
        profiles: held.profiles.clone(),
        files: held.files.iter().cloned().collect(),
        account_id: id.account_id(),
        user_name: None,
        user_arn: None,
        status: None,
        create_date: None,
        age_days: None,
        last_used: None,
        last_used_known: false,
        freshness: Freshness::Unknown,
        current: true,
        note: None,
        grace: None,
    }
}

fn refusal(error: &iam::Error) -> &'static str {
    match error.kind {
        ErrorKind::InvalidClientTokenId => "AWS does not accept this key",
        ErrorKind::SignatureDoesNotMatch => "the secret is not this key's",
        ErrorKind::AccessDenied { .. }
        | ErrorKind::InvalidMfaCode
        | ErrorKind::ExpiredToken
        | ErrorKind::RequestExpired
        | ErrorKind::LimitExceeded
        | ErrorKind::NoSuchEntity
        | ErrorKind::Throttled
        | ErrorKind::ServiceFailure
        | ErrorKind::Unreachable
        | ErrorKind::TimedOut
        | ErrorKind::Unreadable
        | ErrorKind::Refused => "AWS did not answer",
    }
}

fn strictest(profiles: &[String], limits: impl Fn(&str) -> Limits) -> Limits {
    profiles
        .iter()
        .map(|profile| limits(profile))
        .min_by_key(|limits| limits.max_age_days)
        .expect("a held key has a profile")
}

/// Overdue, due, unknown, fresh; the oldest first in each.
fn worst_first(keys: &mut [KeyReport]) {
    keys.sort_by_key(|key| {
        let rank = match key.freshness {
            Freshness::Overdue => 0,
            Freshness::Due => 1,
            Freshness::Unknown => 2,
            Freshness::Fresh => 3,
        };
        (
            rank,
            std::cmp::Reverse(key.age_days),
            !key.current,
            key.profiles.clone(),
        )
    });
}

/// Answers from the files and the last answers, without a network.
pub fn offline(
    profiles: &[&Profile],
    locations: &Locations,
    default_limits: Limits,
    limits: impl Fn(&str) -> Limits,
    memory: &Memory,
    now: Timestamp,
) -> Report {
    let (held, skipped) = held_keys(profiles, locations);
    let mut keys: Vec<KeyReport> = held
        .iter()
        .map(|held| {
            let mut row = unanswered(held);
            let Some(known) = memory.keys.get(&held.access_key.id) else {
                row.note = Some("AWS was never asked about it".into());
                return row;
            };
            row.user_name.clone_from(&known.user_name);
            row.user_arn.clone_from(&known.user_arn);
            row.status = known.status;
            row.create_date = known.create_date;
            row.age_days = known.create_date.map(|created| days_since(created, now));
            row.last_used.clone_from(&known.last_used);
            row.last_used_known = known.last_used_known;
            row.freshness = freshness(known.create_date, now, strictest(&held.profiles, &limits));
            row.note = Some(match days_since(known.asked_at, now) {
                0 => "as AWS said today".into(),
                days => format!("as AWS said {days} d ago"),
            });
            row
        })
        .collect();
    worst_first(&mut keys);
    let errors = Vec::new();
    Report {
        schema: "keyagent.status/1",
        generated_at: now,
        limits: default_limits,
        keys,
        skipped,
        errors,
    }
}

/// What AWS said last, by key. No secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    version: u32,
    keys: BTreeMap<AccessKeyId, Known>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    user_name: Option<String>,
    user_arn: Option<String>,
    status: Option<AccessKeyStatus>,
    create_date: Option<Timestamp>,
    last_used: Option<LastUsed>,
    last_used_known: bool,
    asked_at: Timestamp,
}

impl Memory {
    /// Reads `last-known.json`. A missing, cut or newer file is as good as none: the next answers replace it.
    pub fn load(state_folder: &Path) -> Self {
        let read = std::fs::read(state_folder.join("last-known.json"));
        read.ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|memory| memory.version == 1)
            .unwrap_or_default()
    }

    /// Writes it, for this user alone.
    ///
    /// # Errors
    ///
    /// When the state folder cannot be written.
    pub fn save(&mut self, state_folder: &Path) -> Result<(), fs_atomic::Error> {
        self.version = 1;
        let text = serde_json::to_vec(self).expect("keys of the map are strings");
        fs_atomic::write_private(&state_folder.join("last-known.json"), &text)
    }

    /// Keeps what a rotation has changed, so that nobody is told of a key as it was before.
    pub fn note(&mut self, rotation: &Rotation) {
        let old = &rotation.plan.old_access_key_id;
        let new = rotation.new_access_key_id.as_ref();
        let (old_status, new_status) = match rotation.state {
            State::Installed => (Some(AccessKeyStatus::Active), Some(AccessKeyStatus::Active)),
            State::OldKeyInactive => (Some(AccessKeyStatus::Inactive), Some(AccessKeyStatus::Active)),
            State::OldKeyDeleted => (None, Some(AccessKeyStatus::Active)),
            State::Undone => (Some(AccessKeyStatus::Active), Some(AccessKeyStatus::Inactive)),
            State::Aborted | State::NewKeyDeleted => (Some(AccessKeyStatus::Active), None),
            // On the way: the next question to AWS tells.
            State::Planned
            | State::CreatingKey
            | State::KeyCreated
            | State::KeyVerified
            | State::Aborting
            | State::Undoing
            | State::OldKeyActive
            | State::OldKeyVerified
            | State::OldPairInstalled => return,
        };
        for (id, status) in [(Some(old), old_status), (new, new_status)] {
            let Some(id) = id else { continue };
            let Some(status) = status else {
                self.keys.remove(id);
                continue;
            };
            if let Some(known) = self.keys.get_mut(id) {
                known.status = Some(status);
            } else if let (true, Some(created)) = (Some(id) == new, rotation.reached(State::KeyCreated)) {
                let known = Known {
                    user_name: Some(rotation.plan.user_name.to_string()),
                    user_arn: Some(rotation.plan.user_arn.clone()),
                    status: Some(status),
                    create_date: Some(created),
                    last_used: None,
                    last_used_known: false,
                    asked_at: created,
                };
                self.keys.insert(id.clone(), known);
            }
        }
    }

    /// Keeps an answer; a row without one keeps what was known before.
    fn remember(&mut self, key: &KeyReport, now: Timestamp) {
        if key.create_date.is_none() {
            return;
        }
        let known = Known {
            user_name: key.user_name.clone(),
            user_arn: key.user_arn.clone(),
            status: key.status,
            create_date: key.create_date,
            last_used: key.last_used.clone(),
            last_used_known: key.last_used_known,
            asked_at: now,
        };
        self.keys.insert(key.access_key_id.clone(), known);
    }
}

/// What a user should do about a key, in a word; and the command for it.
pub fn what_to_do(key: &KeyReport) -> (&'static str, Option<String>) {
    let profile = key.profiles.first();
    match (key.current, key.grace) {
        (true, Some(_)) => return ("recover", Some("keyagent recover".into())),
        (false, Some(Grace::Running)) => return ("-", None),
        (false, Some(Grace::Over)) => return ("retire", Some("keyagent retire".into())),
        (_, None) => {}
    }
    match (key.current, key.status, key.freshness) {
        (false, Some(AccessKeyStatus::Inactive), _) => ("delete", None),
        (false, _, Freshness::Overdue) => ("check", None),
        (true, Some(AccessKeyStatus::Inactive), _) => ("replace", None),
        (true, _, Freshness::Overdue) => (
            "rotate",
            profile.map(|name| format!("keyagent rotate -p {}", word(name))),
        ),
        (true, _, Freshness::Due) => (
            "soon",
            profile.map(|name| format!("keyagent rotate -p {}", word(name))),
        ),
        (_, None, _) => ("check", None),
        (_, _, Freshness::Due | Freshness::Fresh | Freshness::Unknown) => ("-", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(age: Option<u32>, freshness: Freshness, name: &str) -> KeyReport {
        KeyReport {
            access_key_id: AccessKeyId::parse(&"K".repeat(20)).unwrap(),
            profiles: vec![name.into()],
            files: Vec::new(),
            account_id: None,
            user_name: None,
            user_arn: None,
            status: Some(AccessKeyStatus::Active),
            create_date: None,
            age_days: age,
            last_used: None,
            last_used_known: false,
            freshness,
            current: true,
            note: None,
            grace: None,
        }
    }

    #[test]
    fn the_worst_comes_first() {
        let mut rows = vec![
            row(Some(3), Freshness::Fresh, "fresh"),
            row(None, Freshness::Unknown, "unknown"),
            row(Some(95), Freshness::Overdue, "old"),
            row(Some(80), Freshness::Due, "due"),
            row(Some(400), Freshness::Overdue, "older"),
        ];
        worst_first(&mut rows);
        let names: Vec<&str> = rows.iter().map(|row| row.profiles[0].as_str()).collect();
        assert_eq!(names, ["older", "old", "due", "unknown", "fresh"]);
    }

    #[test]
    fn a_damaged_memory_is_no_memory() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("last-known.json"), "{\"version\":1,\"keys\":{").unwrap();
        assert!(Memory::load(folder.path()).keys.is_empty());
        std::fs::write(
            folder.path().join("last-known.json"),
            "{\"version\":2,\"keys\":{}}",
        )
        .unwrap();
        assert_eq!(Memory::load(folder.path()).version, 0);
    }

    #[test]
    fn overdue_and_due_keys_have_a_command() {
        assert_eq!(
            what_to_do(&row(Some(91), Freshness::Overdue, "dev")).1.unwrap(),
            "keyagent rotate -p dev"
        );
        assert_eq!(what_to_do(&row(Some(1), Freshness::Fresh, "dev")), ("-", None));
    }
}
