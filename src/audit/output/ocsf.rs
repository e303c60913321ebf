//! The Open Cybersecurity Schema Framework: a compliance finding (class 2003) a line.
//!
//! Source: schema.ocsf.io, version 1.3.0 with the profile `cloud`, which Amazon Security Lake and most others read.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity::{Identities, is_about_a_key, partition};
use super::{Head, Output, Tail};
use crate::audit::{Benchmark, Finding, Outcome, Severity};

const VERSION: &str = "1.3.0";

/// Writes lines.
pub struct Ocsf<W> {
    out: W,
    account_id: String,
    as_of: Timestamp,
    benchmark: Benchmark,
    identities: Identities,
    line: Vec<u8>,
}

impl<W: Write> Ocsf<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            account_id: String::new(),
            as_of: Timestamp::UNIX_EPOCH,
            benchmark: Benchmark::default(),
            identities: Identities::default(),
            line: Vec::new(),
        }
    }

    fn event(&mut self, finding: &Finding<'_>) -> Value {
        let (severity_id, severity) = match finding.severity {
            Severity::Informational => (1, "Informational"),
            Severity::Low => (2, "Low"),
            Severity::Medium => (3, "Medium"),
            Severity::Critical => (5, "Critical"),
        };
        let (compliance_id, compliance) = match finding.result {
            Outcome::Pass => (1, "Pass"),
            Outcome::Fail => (3, "Fail"),
            Outcome::Unknown => (0, "Unknown"),
        };
        let (status_id, status) = match (finding.result, &finding.exempt) {
            (Outcome::Pass, _) => (4, "Resolved"),
            (Outcome::Fail, Some(_)) => (3, "Suppressed"),
            (Outcome::Fail | Outcome::Unknown, _) => (1, "New"),
        };
        let rule = finding.rule.name();
        json!({
            "activity_id": 1,
            "activity_name": "Create",
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": 2003,
            "class_name": "Compliance Finding",
            "type_uid": 200_301,
            "type_name": "Compliance Finding: Create",
            "time": self.as_of.as_millisecond(),
            "severity_id": severity_id,
            "severity": severity,
            "status_id": status_id,
            "status": status,
            "message": finding.why,
            "metadata": {
                "version": VERSION,
                "profiles": ["cloud"],
                "product": {
                    "name": "keyagent",
                    "vendor_name": "keyagent",
                    "version": env!("CARGO_PKG_VERSION"),
                },
            },
            "finding_info": {
                "uid": self.identities.of(finding),
                "title": format!("{rule}: {}", finding.user_name),
                "desc": finding.why,
                "types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
            },
            "compliance": {
                "standards": [self.benchmark.title()],
                "requirements": finding.controls,
                "control": finding.controls.first(),
                "status_id": compliance_id,
                "status": compliance,
                "status_detail": finding.why,
            },
            "resources": [resource(finding)],
            "cloud": {
                "provider": "AWS",
                "account": { "uid": self.account_id, "type_id": 10, "type": "AWS Account" },
            },
            "unmapped": {
                "rule": rule,
                "days": finding.days,
                "key_created": finding.key_created,
                "exempt": finding.exempt,
            },
        })
    }
}

fn resource(finding: &Finding<'_>) -> Value {
    let uid = match &finding.access_key_id {
        Some(id) => format!("AWS::IAM::AccessKey:{id}"),
        None => finding.user_arn.clone().into_owned(),
    };
    json!({
        "type": if is_about_a_key(finding) { "AwsIamAccessKey" } else { "AwsIamUser" },
        "uid": uid,
        "name": finding.user_name,
        "cloud_partition": partition(finding),
        "owner": { "name": finding.user_name, "uid": finding.user_arn },
    })
}

impl<W: Write> Output for Ocsf<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        head.account_id
            .unwrap_or("000000000000")
            .clone_into(&mut self.account_id);
        self.as_of = head.as_of;
        self.benchmark = head.benchmark;
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let event = self.event(finding);
        self.line.clear();
        serde_json::to_writer(&mut self.line, &event)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    fn end(&mut self, _tail: &Tail<'_>) -> io::Result<()> {
        self.out.flush()
    }
}
