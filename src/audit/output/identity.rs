//! What a finding is called from one audit to the next, however it was found: a key is told by when it was made, for the
//! credential report names no IDs and ListAccessKeys no places.

use crate::audit::text::Decimal;
use crate::audit::{Finding, Rule};

/// Names findings in their order.
#[derive(Debug, Default)]
pub(super) struct Identities {
    user_arn: String,
    /// What the user's findings so far were about: the rule, and the second in which the key was made.
    of_user: Vec<(Rule, Option<i64>)>,
    name: String,
}

impl Identities {
    /// `keyagent/RULE/ARN/CREDENTIAL`; the second of two keys that were made in one second ends in `-2`.
    pub(super) fn of(&mut self, finding: &Finding<'_>) -> &str {
        if self.user_arn != finding.user_arn {
            finding.user_arn.as_ref().clone_into(&mut self.user_arn);
            self.of_user.clear();
        }
        let created = finding.key_created.map(|created| created.as_second());
        let name = &mut self.name;
        name.clear();
        for part in ["keyagent/", finding.rule.name(), "/", &finding.user_arn, "/"] {
            name.push_str(part);
        }
        match created.map(u32::try_from) {
            Some(Ok(second)) => name.push_str(Decimal::of(second).as_str()),
            Some(Err(_before_1970_or_after_2106)) => name.push_str(&created.unwrap_or_default().to_string()),
            None => name.push_str("user"),
        }
        let of_this = (finding.rule, created);
        if self.of_user.contains(&of_this) {
            name.push_str("-2");
        }
        self.of_user.push(of_this);
        name
    }
}

/// Whether a finding is about a key, rather than about a password or a user.
pub(super) fn is_about_a_key(finding: &Finding<'_>) -> bool {
    finding.key_slot.is_some() || finding.access_key_id.is_some() || finding.key_created.is_some()
}

/// `aws`, `aws-cn`, `aws-us-gov`.
pub(super) fn partition<'a>(finding: &'a Finding<'_>) -> &'a str {
    finding.user_arn.split(':').nth(1).unwrap_or("aws")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{KeySlot, Outcome, Severity};

    fn finding(user: &'static str, slot: Option<KeySlot>, created: Option<&str>) -> Finding<'static> {
        Finding {
            rule: Rule::KeyRotation,
            controls: Vec::new().into(),
            user_name: user.into(),
            user_arn: format!("arn:{user}").into(),
            key_slot: slot,
            access_key_id: None,
            key_created: created.map(|time| time.parse().unwrap()),
            result: Outcome::Pass,
            why: "".into(),
            days: None,
            severity: Severity::Low,
            exempt: None,
        }
    }

    #[test]
    fn two_keys_of_one_second_have_names_of_their_own() {
        let mut identities = Identities::default();
        let second = Some("2026-01-01T00:00:00.5Z");
        let names = [
            finding("ann", Some(KeySlot::One), second),
            finding("ann", Some(KeySlot::Two), second),
            finding("bob", None, second),
            finding("bob", None, None),
        ]
        .map(|finding| identities.of(&finding).to_owned());
        assert_eq!(
            names,
            [
                "keyagent/key-rotation/arn:ann/1767225600",
                "keyagent/key-rotation/arn:ann/1767225600-2",
                "keyagent/key-rotation/arn:bob/1767225600",
                "keyagent/key-rotation/arn:bob/user",
            ]
        );
    }
}
