//! What is known about every key: from AWS, or from the files and the last answers alone. Changes no key.
//!
//! [`mod@online`] asks AWS, [`mod@memory`] is what it said last, [`mod@report`] is how both are told.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::access_key::AccessKey;
use crate::credentials::location::Locations;
use crate::credentials::profile::{Holds, Profile};
use crate::policy::{Freshness, Limits};

pub mod memory;
pub mod online;
pub mod report;

pub use memory::{Memory, offline};
pub use online::online;
pub use report::{KeyReport, ProfileProblem, Report, Skipped, Standing, what_to_do};

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
        standing: None,
    }
}

fn strictest(profiles: &[String], limits: impl Fn(&str) -> Limits) -> Limits {
    profiles
        .iter()
        .map(|profile| limits(profile))
        .min_by_key(|limits| limits.max_age_days)
        .expect("a held key has a profile")
}
