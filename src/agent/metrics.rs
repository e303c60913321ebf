//! Metrics for fleets, in the text format that Prometheus's node exporter collects. No secret, and key IDs only
//! where the settings want them.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::memory::Memory;
use super::reminders::Subject;

/// The whole file.
pub fn text(memory: &Memory, subjects_now: &[&Subject], with_key_ids: bool, now: Timestamp) -> String {
    let mut text = String::from(
        "# HELP keyagent_key_age_seconds Age of an access key that a profile of this machine holds.\n\
         # TYPE keyagent_key_age_seconds gauge\n",
    );
    let held = memory.facts.keys.iter().filter(|key| key.current);
    for key in held {
        let Some(created) = key.created else { continue };
        let age = (now.as_second() - created.as_second()).max(0);
        let profile = key.profiles.first().map_or("", String::as_str);
        let mut labels = format!("profile=\"{}\"", label(profile));
        if with_key_ids {
            let _ = write!(labels, ",access_key_id=\"{}\"", key.access_key_id);
        }
        let _ = writeln!(text, "keyagent_key_age_seconds{{{labels}}} {age}");
    }
    if let Some(at) = memory.succeeded_at {
        let _ = write!(
            text,
            "# HELP keyagent_last_success_timestamp_seconds When AWS last answered every question.\n\
             # TYPE keyagent_last_success_timestamp_seconds gauge\n\
             keyagent_last_success_timestamp_seconds {}\n",
            at.as_second()
        );
    }
    let _ = write!(
        text,
        "# HELP keyagent_findings What a user should act on.\n\
         # TYPE keyagent_findings gauge\n\
         keyagent_findings {}\n",
        subjects_now.len()
    );
    text
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
        let without = text(&memory, &[], false, now);
        assert!(without.contains("keyagent_key_age_seconds{profile=\"a\\\"b\"} 4000\n"));
        assert!(without.contains("keyagent_last_success_timestamp_seconds 5000\n"));
        assert!(without.ends_with("keyagent_findings 0\n"));
        assert!(!without.contains("AKIA"));
        assert!(text(&memory, &[], true, now).contains(",access_key_id=\"AKIAQAAAAAAAAAAAAAAA\"} 4000"));
    }
}
