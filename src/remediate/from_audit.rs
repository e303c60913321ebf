//! Which keys an audit has found, and which of its findings name none. Pure.

use super::{Claim, Target};
use crate::access_key::AccessKeyId;
use crate::audit::{Document, Finding, ROOT, Rule};
use crate::iam::UserName;

/// What becomes of the findings of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Each key once.
    pub targets: Vec<Target>,
    /// Findings that fail and lead to no key.
    pub passed_over: Vec<PassedOver>,
}

/// A finding that fails and leads to no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Whose.
    pub user_name: String,
    /// The key, where there is one.
    pub access_key_id: Option<AccessKeyId>,
    /// The rule.
    pub rule: Rule,
    /// Why it is passed over, and what to do instead.
    pub why: String,
    /// Whether a person has to look at it.
    pub must_act: bool,
}

/// Chooses the keys of the failing findings of these rules; of all rules, without any.
pub fn choose(document: &Document, rules: &[Rule]) -> Chosen {
    let mut chosen = Chosen::default();
    let looked_at = document.report_generated_at.unwrap_or(document.as_of);
    let since = looked_at.min(document.as_of);
    for finding in &document.findings {
        let is_meant = rules.is_empty() || rules.contains(&finding.rule);
        if !is_meant || finding.result != crate::audit::Outcome::Fail {
            continue;
        }
        match key_of(finding) {
            Ok(access_key_id) => {
                let claim = if finding.rule == Rule::UnusedCredentials {
                    Claim::Unused { since }
                } else {
                    Claim::Found
                };
                add(&mut chosen.targets, finding, access_key_id, claim);
            }
            Err((why, must_act)) => chosen.passed_over.push(PassedOver {
                user_name: finding.user_name.clone().into_owned(),
                access_key_id: finding.access_key_id.clone(),
                rule: finding.rule,
                why,
                must_act,
            }),
        }
    }
    chosen
}

/// A key that breaks another rule too is meant whether or not somebody uses it.
fn add(targets: &mut Vec<Target>, finding: &Finding<'_>, access_key_id: &AccessKeyId, claim: Claim) {
    let known = targets
        .iter_mut()
        .find(|target| target.access_key_id == *access_key_id);
    match known {
        Some(known) if claim == Claim::Found => known.claim = claim,
        Some(_) => {}
        None => targets.push(Target {
            user_name: UserName(finding.user_name.clone().into_owned()),
            access_key_id: access_key_id.clone(),
            claim,
        }),
    }
}

fn key_of<'a>(finding: &'a Finding<'_>) -> Result<&'a AccessKeyId, (String, bool)> {
    if let Some(exempt) = &finding.exempt {
        return Err((
            format!("{} answers for it until {}", exempt.owner, exempt.until),
            false,
        ));
    }
    if finding.user_name == ROOT {
        return Err((
            "only root itself can delete its keys: sign in as root".into(),
            true,
        ));
    }
    let why = match (&finding.access_key_id, finding.rule, finding.key_slot) {
        (Some(access_key_id), ..) => return Ok(access_key_id),
        (None, Rule::OneActiveKey, _) => "which of the two keys may go is for a person to say",
        (None, _, Some(_)) => "the audit does not name the key: keyagent audit --key-ids failing",
        (None, _, None) => "it is a password, not a key: aws iam delete-login-profile",
    };
    Err((why.into(), true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finding(rule: &str, user: &str, key: Option<&str>, result: &str) -> serde_json::Value {
        json!({
            "rule": rule, "controls": [], "user_name": user, "user_arn": "", "severity": "medium", "why": "",
            "key_slot": 1, "access_key_id": key, "key_created": null, "result": result, "days": 99, "exempt": null,
        })
    }

    fn document(findings: Vec<serde_json::Value>) -> Document {
        serde_json::from_value(json!({
            "schema": "keyagent.audit/1", "account_id": "123456789012", "as_of": "2026-11-25T10:00:00Z",
            "report_generated_at": "2026-11-25T07:00:00Z", "benchmark": "cis-3.0",
            "limits": { "max_age_days": 90, "unused_days": 45 }, "findings": findings, "not_evaluated": [],
            "summary": { "users": 1, "pass": 0, "fail": 1, "exempt": 0, "unknown": 0, "not_evaluated": 0,
                         "newest_time": null },
        }))
        .unwrap()
    }

    #[test]
    fn only_failing_keys_are_chosen_each_once() {
        let (a, b, c) = ("A".repeat(20), "B".repeat(20), "C".repeat(20));
        let mut exempt = finding("key-rotation", "eve", Some(&c), "fail");
        exempt["exempt"] = json!({ "owner": "sec", "reason": "r", "until": "2026-12-31" });
        let mut password = finding("unused-credentials", "ann", None, "fail");
        password["key_slot"] = json!(null);
        let document = document(vec![
            finding("unused-credentials", "ann", Some(&a), "fail"),
            finding("unused-credentials", "bob", Some(&b), "fail"),
            finding("key-rotation", "ann", Some(&a), "fail"),
            finding("key-rotation", "bob", Some(&b), "pass"),
            finding("key-rotation", "bob", Some(&c), "unknown"),
            finding("one-active-key", "ann", None, "fail"),
            finding("key-rotation", "dan", None, "fail"),
            finding("root-access-key", ROOT, None, "fail"),
            password,
            exempt,
        ]);
        let chosen = choose(&document, &[]);
        let since = "2026-11-25T07:00:00Z".parse().unwrap();
        let targets: Vec<_> = chosen
            .targets
            .iter()
            .map(|target| (target.access_key_id.as_str(), target.claim))
            .collect();
        assert_eq!(
            targets,
            [(a.as_str(), Claim::Found), (b.as_str(), Claim::Unused { since })]
        );
        let words = [
            "for a person",
            "--key-ids failing",
            "sign in as root",
            "a password",
            "sec answers for it",
        ];
        assert_eq!(chosen.passed_over.len(), words.len());
        for (passed_over, words) in chosen.passed_over.iter().zip(words) {
            assert!(passed_over.why.contains(words), "{passed_over:?}");
            assert_eq!(passed_over.must_act, !words.contains("answers"));
        }
        let only_unused = choose(&document, &[Rule::UnusedCredentials]);
        assert_eq!(only_unused.targets[0].claim, Claim::Unused { since });
        assert_eq!(only_unused.passed_over.len(), 1);
    }
}
