//! What the files of a plan hold by now. Reads only.

use std::collections::BTreeSet;

use super::reconcile::FilesHold;
use super::state::Plan;
use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey};
use crate::credentials::location::{self, ReadError};
use crate::credentials::profile::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use crate::credentials::{botocore_reader, sdk_reader};

/// What one profile of one file holds.
enum Held {
    Pair { profile: String, key: AccessKey },
    Unreadable,
}

/// The pairs in the files of a plan, of whatever profile.
pub(super) struct PairsHeld {
    held: Vec<Held>,
    profiles: Vec<String>,
}

impl PairsHeld {
    /// Reads the files.
    pub(super) fn read(plan: &Plan) -> Self {
        let mut held = Vec::new();
        for file in &plan.files {
            let document = match location::read(&file.path) {
                Ok(document) => document,
                Err(ReadError::Missing(_)) => continue,
                Err(ReadError::Folder(_) | ReadError::Unreadable { .. }) => {
                    held.push(Held::Unreadable);
                    continue;
                }
            };
            let kind = file.file_kind();
            let sections = document.text().ok().and_then(|text| {
                sdk_reader::read(text, kind)
                    .or_else(|_| botocore_reader::read(text, kind))
                    .ok()
            });
            let Some(sections) = sections else {
                held.push(Held::Unreadable);
                continue;
            };
            held.extend(sections.iter().filter_map(|section| {
                let id = AccessKeyId::parse(&section.get(ACCESS_KEY_ID)?.value).ok()?;
                let secret = SecretAccessKey::new(section.get(SECRET_ACCESS_KEY)?.value.clone());
                Some(Held::Pair {
                    profile: section.profile.clone(),
                    key: AccessKey { id, secret },
                })
            }));
        }
        Self {
            held,
            profiles: plan.profiles.clone(),
        }
    }

    /// The pair of that ID, in whichever profile.
    pub(super) fn find(&self, id: &AccessKeyId) -> Option<&AccessKey> {
        self.held.iter().find_map(|held| match held {
            Held::Pair { key, .. } if key.id == *id => Some(key),
            Held::Pair { .. } | Held::Unreadable => None,
        })
    }

    /// The pairs of the plan's profiles.
    pub(super) fn of_the_plan(&self) -> impl Iterator<Item = &AccessKey> {
        self.held.iter().filter_map(|held| match held {
            Held::Pair { profile, key } if self.profiles.contains(profile) => Some(key),
            Held::Pair { .. } | Held::Unreadable => None,
        })
    }

    /// Whether a file could not be read or parsed.
    pub(super) fn is_unreadable(&self) -> bool {
        self.held.iter().any(|held| matches!(held, Held::Unreadable))
    }

    /// The same as the pure machine knows it.
    pub(super) fn summary(&self, old: &AccessKeyId, new: Option<&AccessKeyId>) -> FilesHold {
        if self.is_unreadable() {
            return FilesHold::Unreadable;
        }
        let ids: BTreeSet<&AccessKeyId> = self.of_the_plan().map(|key| &key.id).collect();
        if ids.contains(old) {
            FilesHold::OldPair
        } else if ids.is_empty() {
            FilesHold::Nothing
        } else if ids.iter().all(|id| Some(*id) == new) {
            FilesHold::NewPair
        } else {
            FilesHold::AnotherPair
        }
    }
}
