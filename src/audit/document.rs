//! The JSON document of an audit: the contract with whoever reads it, `disable --from-audit` among them.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Benchmark, Finding, Limits, Outcome};
use crate::problem::Problem;

/// The schema that a document begins with.
pub const SCHEMA: &str = "keyagent.audit/1";

/// An audit of one account, as it is read back.
///
/// It is written piece by piece (a million users do not fit in memory), in this very shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: Cow<'static, str>,
    /// 12 digits; `None` when a saved report names no account.
    pub account_id: Option<String>,
    /// The time for which the verdicts hold.
    pub as_of: Timestamp,
    /// When AWS made the report; a saved one does not say.
    pub report_generated_at: Option<Timestamp>,
    /// Whose controls are named.
    pub benchmark: Benchmark,
    /// The limits that were used.
    pub limits: Limits,
    /// Every verdict, in the order of the report.
    pub findings: Vec<Finding<'static>>,
    /// What could not be evaluated. While there is any, an audit without breaches proves nothing.
    pub not_evaluated: Vec<NotEvaluated>,
    /// The counts.
    pub summary: Summary,
}

/// Something that the audit could not judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotEvaluated {
    /// What: `row 17`, `user ann`.
    pub what: String,
    /// Why, and what to do.
    #[serde(flatten)]
    pub problem: Problem,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Users, root included.
    pub users: u64,
    /// Findings that pass.
    pub pass: u64,
    /// Findings that fail and that nobody answers for.
    pub fail: u64,
    /// Failures that are exempt.
    pub exempt: u64,
    /// Findings that AWS did not say enough for.
    pub unknown: u64,
    /// Users and rows that were not evaluated.
    pub not_evaluated: u64,
    /// The newest time in the report: it cannot have been made before.
    pub newest_time: Option<Timestamp>,
}

impl Summary {
    /// Counts a finding.
    pub fn count(&mut self, finding: &Finding<'_>) {
        match finding.result {
            Outcome::Pass => self.pass += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Fail if finding.exempt.is_some() => self.exempt += 1,
            Outcome::Fail => self.fail += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Exempt, KeySlot, ROOT, Rule};

    #[test]
    fn what_is_written_reads_back() {
        let limits = Benchmark::default().limits();
        let document = Document {
            schema: SCHEMA.into(),
            account_id: Some("123456789012".into()),
            as_of: "2026-11-25T10:00:00Z".parse().unwrap(),
            report_generated_at: None,
            benchmark: Benchmark::default(),
            limits,
            findings: vec![Finding {
                rule: Rule::RootAccessKey,
                controls: Benchmark::default().controls(Rule::RootAccessKey, limits).into(),
                user_name: ROOT.into(),
                user_arn: "arn:aws:iam::123456789012:root".into(),
                key_slot: Some(KeySlot::Two),
                access_key_id: None,
                key_created: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                result: Outcome::Fail,
                why: "the root user has an active access key".into(),
                days: Some(328),
                severity: Rule::RootAccessKey.severity(),
                exempt: Some(Exempt {
                    owner: "ann".into(),
                    reason: "break glass".into(),
                    until: "2026-12-31".parse().unwrap(),
                }),
            }],
            not_evaluated: vec![NotEvaluated {
                what: "row 2".into(),
                problem: Problem::new("error", "cause", "hint"),
            }],
            summary: Summary::default(),
        };
        let text = serde_json::to_string(&document).unwrap();
        assert!(text.starts_with(r#"{"schema":"keyagent.audit/1","account_id":"#));
        assert!(
            text.contains(r#""rule":"root-access-key","controls":["cis-6.0/2.3","IAM.4"]"#),
            "{text}"
        );
        assert!(text.contains(r#""key_slot":2,"access_key_id":null"#), "{text}");
        let back: Document = serde_json::from_str(&text).unwrap();
        assert_eq!(back, document);
        assert!(!back.findings[0].is_breach());
    }
}
