//! What AWS said last, for whoever asks without a network. No secret is in it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::{KeyReport, Report};
use super::{held_keys, strictest, unanswered};
use crate::access_key::AccessKeyId;
use crate::credentials::location::Locations;
use crate::credentials::profile::Profile;
use crate::fs_atomic;
use crate::iam::{AccessKeyStatus, LastUsed};
use crate::policy::{Limits, days_since, freshness};
use crate::rotate::state::{Rotation, State};

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
    let keys: Vec<KeyReport> = held
        .iter()
        .map(|held| {
            let mut row = unanswered(held);
            let Some(known) = memory.keys.get(&held.access_key.id) else {
                row.user_arn = memory.user_arn(&held.access_key.id, None);
                row.note = Some("AWS was never asked about it".into());
                return row;
            };
            row.user_name.clone_from(&known.user_name);
            row.user_arn = memory.user_arn(&held.access_key.id, known.user_name.as_deref());
            row.status = known.status;
            row.create_date = known.create_date;
            row.age_days = known.create_date.map(|created| days_since(created, now));
            row.last_used.clone_from(&known.last_used);
            row.last_used_known = known.last_used_known;
            row.freshness = freshness(known.create_date, now, strictest(&held.profiles, &limits));
            row.note = Some(match days_since(known.asked_at, now) {
                0 => "as AWS said today".into(),
                1 => "as AWS said a day ago".into(),
                days => format!("as AWS said {days} days ago"),
            });
            row
        })
        .collect();
    Report::new(default_limits, keys, skipped, Vec::new(), now)
}

/// What AWS said last, by key. No secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    version: u32,
    keys: BTreeMap<AccessKeyId, Known>,
    /// The ARNs of keys whose caller was asked for; [`online`](super::online::online) has no call to spare for that.
    #[serde(default)]
    arns: BTreeMap<AccessKeyId, String>,
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

    /// Keeps whose a key is, as GetCallerIdentity has named it.
    pub fn learn_arn(&mut self, id: &AccessKeyId, arn: String) {
        self.arns.insert(id.clone(), arn);
    }

    /// Whose a key is, once that was learned; a user that has another name by now has another ARN.
    pub(super) fn user_arn(&self, id: &AccessKeyId, user_name: Option<&str>) -> Option<String> {
        let known = self.keys.get(id).and_then(|known| known.user_arn.as_ref());
        let arn = self.arns.get(id).or(known)?;
        let is_of_user = user_name.is_none_or(|name| arn.rsplit('/').next() == Some(name));
        is_of_user.then(|| arn.clone())
    }

    /// Keeps an answer; a row without one keeps what was known before.
    pub(super) fn remember(&mut self, key: &KeyReport, now: Timestamp) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_user_that_was_renamed_is_forgotten() {
        let id = AccessKeyId::parse(&"K".repeat(20)).unwrap();
        let mut memory = Memory::default();
        assert_eq!(memory.user_arn(&id, None), None);
        let arn = "arn:aws:iam::123456789012:user/eng/ann";
        memory.learn_arn(&id, arn.into());
        assert_eq!(memory.user_arn(&id, Some("ann")).as_deref(), Some(arn));
        assert_eq!(memory.user_arn(&id, None).as_deref(), Some(arn));
        assert_eq!(memory.user_arn(&id, Some("anna")), None);
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
}
