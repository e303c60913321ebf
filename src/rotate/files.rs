//! What the files of a plan hold by now. Reads only.

use std::collections::BTreeSet;

use super::reconcile::FilesHold;
use super::state::Plan;
use crate::access_key::{AccessKey, AccessKeyId, SecretAccessKey};
use crate::credentials::document::Document;
use crate::credentials::elsewhere::values_of;
use crate::credentials::install::Format;
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
    /// Files of whatever format, in which only values can be looked for.
    others: Vec<Document>,
    profiles: Vec<String>,
}

impl PairsHeld {
    /// Reads the files.
    pub(super) fn read(plan: &Plan) -> Self {
        let (mut held, mut others) = (Vec::new(), Vec::new());
        for file in &plan.files {
            let document = match location::read(&file.path) {
                Ok(document) => document,
                Err(ReadError::Missing(_)) => continue,
                Err(ReadError::Folder(_) | ReadError::Unreadable { .. }) => {
                    held.push(Held::Unreadable);
                    continue;
                }
            };
            let kind = match file.format() {
                Format::Profiles(kind) => kind,
                Format::Any => {
                    others.push(document);
                    continue;
                }
            };
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
            others,
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

    /// Whether any file names the key.
    pub(super) fn names(&self, id: &AccessKeyId) -> bool {
        self.find(id).is_some() || self.others.iter().any(|other| names(other, id))
    }

    /// Whether another program has put a superseded key back: a profile holds it, or another file names it and not the
    /// key by which it was superseded. One that was rotated names that one.
    pub(super) fn hold_again(&self, superseded: &AccessKeyId, by: &AccessKeyId) -> bool {
        let is_put_back = |other: &Document| names(other, superseded) && !names(other, by);
        self.of_the_plan().any(|pair| pair.id == *superseded) || self.others.iter().any(is_put_back)
    }

    /// Whether a file could not be read or parsed.
    pub(super) fn is_unreadable(&self) -> bool {
        self.held.iter().any(|held| matches!(held, Held::Unreadable))
    }

    /// The same as the pure machine knows it.
    ///
    /// `old_pair` is the old key with its secret, where that is in hand: a file without profiles holds a pair only if it
    /// holds both values.
    pub(super) fn summary(
        &self,
        old: &AccessKeyId,
        old_pair: Option<&AccessKey>,
        new: Option<&AccessKeyId>,
    ) -> FilesHold {
        if self.is_unreadable() {
            return FilesHold::Unreadable;
        }
        let holds_old = |other: &Document| {
            old_pair.is_some_and(|old| values_of(other, old).is_ok_and(|values| values.is_some()))
        };
        let ids: BTreeSet<&AccessKeyId> = self.of_the_plan().map(|key| &key.id).collect();
        if ids.contains(old) || (!ids.is_empty() && self.others.iter().any(holds_old)) {
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

fn names(document: &Document, id: &AccessKeyId) -> bool {
    memchr::memmem::find(document.to_bytes(), id.as_str().as_bytes()).is_some()
}
