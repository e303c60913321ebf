//! Metrics for fleets: what is measured, and the text format that Prometheus's node exporter collects. No secret, and
//! key IDs only where the settings want them.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::memory::Memory;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Of each key that a profile of this machine holds.
    pub ages: Vec<Age>,
    /// When AWS last answered every question, in seconds since 1970.
    pub last_success: Option<i64>,
    /// How many things a user should act on.
    pub findings: usize,
}

/// A key's age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Age {
    /// The first profile that holds it.
    pub profile: String,
    /// Which key, where that is wanted.
    pub access_key_id: Option<String>,
    /// How old it is.
    pub seconds: i64,
}

impl Reading {
    /// What the memory knows at this time; how many findings there are the settings decide.
    pub fn of(memory: &Memory, findings: usize, with_key_ids: bool, now: Timestamp) -> Self {
        let held = memory.facts.keys.iter().filter(|key| key.current);
        let ages = held.filter_map(|key| {
            Some(Age {
                profile: key.profiles.first().cloned().unwrap_or_default(),
                access_key_id: with_key_ids.then(|| key.access_key_id.to_string()),
                seconds: (now.as_second() - key.created?.as_second()).max(0),
            })
        });
        Self {
            ages: ages.collect(),
            last_success: memory.succeeded_at.map(Timestamp::as_second),
            findings,
        }
    }

    /// The whole file.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "# HELP keyagent_key_age_seconds Age of an access key that a profile of this machine holds.\n\
             # TYPE keyagent_key_age_seconds gauge\n",
        );
        for age in &self.ages {
            let mut labels = format!("profile=\"{}\"", label(&age.profile));
            if let Some(id) = &age.access_key_id {
                let _ = write!(labels, ",access_key_id=\"{id}\"");
            }
            let _ = writeln!(text, "keyagent_key_age_seconds{{{labels}}} {}", age.seconds);
        }
        if let Some(at) = self.last_success {
            let _ = write!(
                text,
                "# HELP keyagent_last_success_timestamp_seconds When AWS last answered every question.\n\
                 # TYPE keyagent_last_success_timestamp_seconds gauge\n\
                 keyagent_last_success_timestamp_seconds {at}\n"
            );
        }
        let _ = write!(
            text,
            "# HELP keyagent_findings What a user should act on.\n\
             # TYPE keyagent_findings gauge\n\
             keyagent_findings {}\n",
            self.findings
        );
        text
    }
}

fn label(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_key::AccessKeyId;
    use crate::agent::facts::{Facts, KeyFacts, Origin};

    #[test]
    fn a_profile_is_a_label_and_a_key_id_only_where_it_is_wanted() {
        let key = KeyFacts {
            access_key_id: AccessKeyId::parse("AKIAQAAAAAAAAAAAAAAA").unwrap(),
            profiles: vec!["a\"b".into()],
            account_id: None,
            user_name: None,
            status: None,
            created: Some(Timestamp::from_second(1000).unwrap()),
            last_used: None,
            last_used_known: false,
            used_by_others: Default::default(),
            current: true,
            origin: Origin::Unknown,
            refused: false,
        };
        let mut memory = Memory::default();
        let now = Timestamp::from_second(5000).unwrap();
        memory.learn(
            Facts {
                keys: vec![key],
                ..Facts::default()
            },
            now,
        );
        let without = Reading::of(&memory, 0, false, now).text();
        assert!(without.contains("keyagent_key_age_seconds{profile=\"a\\\"b\"} 4000\n"));
        assert!(without.contains("keyagent_last_success_timestamp_seconds 5000\n"));
        assert!(without.ends_with("keyagent_findings 0\n"));
        assert!(!without.contains("AKIA"));
        let with = Reading::of(&memory, 0, true, now).text();
        assert!(with.contains(",access_key_id=\"AKIAQAAAAAAAAAAAAAAA\"} 4000"));
    }
}
