//! The Open Cybersecurity Schema Framework: a compliance finding (class 2003) a line.
//!
//! Source: schema.ocsf.io, version 1.3.0 with the profile `cloud`, which Amazon Security Lake and most others read.

use std::io::{self, Write};

use serde_json::json;

use super::identity::{Identities, is_about_a_key, partition};
use super::object::Object;
use super::{Head, Output, Tail};
use crate::audit::{Finding, Outcome, Severity};

const VERSION: &str = "1.3.0";

/// Writes lines.
pub struct Ocsf<W> {
    out: W,
    /// Members that every finding has alike.
    same: String,
    standard: String,
    identities: Identities,
    line: String,
}

impl<W: Write> Ocsf<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            same: String::new(),
            standard: String::new(),
            identities: Identities::default(),
            line: String::new(),
        }
    }

    fn event(&mut self, finding: &Finding<'_>) {
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
        Object::push(&mut self.line, |object| {
            object.members(&self.same);
            object.number("severity_id", Some(severity_id));
            object.text("severity", severity);
            object.number("status_id", Some(status_id));
            object.text("status", status);
            object.text("message", &finding.why);
            object.object("finding_info", |object| {
                object.text("uid", self.identities.of(finding));
                object.texts("title", [rule, ": ", &finding.user_name]);
                object.text("desc", &finding.why);
                object.list(
                    "types",
                    &["Software and Configuration Checks/Industry and Regulatory Standards"],
                );
            });
            object.object("compliance", |object| {
                object.list("standards", &[&self.standard]);
                object.list("requirements", &finding.controls);
                object.text_or_null("control", finding.controls.first().map(AsRef::as_ref));
                object.number("status_id", Some(compliance_id));
                object.text("status", compliance);
                object.text("status_detail", &finding.why);
            });
            object.list_of_one("resources", |object| resource(object, finding));
            object.object("unmapped", |object| {
                object.text("rule", rule);
                object.number("days", finding.days);
                object.time("key_created", finding.key_created);
                object.value_or_null("exempt", finding.exempt.as_ref());
            });
        });
    }
}

fn resource(object: &mut Object<'_>, finding: &Finding<'_>) {
    object.text(
        "type",
        if is_about_a_key(finding) {
            "AwsIamAccessKey"
        } else {
            "AwsIamUser"
        },
    );
    match &finding.access_key_id {
        Some(id) => object.texts("uid", ["AWS::IAM::AccessKey:", id.as_str(), ""]),
        None => object.text("uid", &finding.user_arn),
    }
    object.text("name", &finding.user_name);
    object.text("cloud_partition", partition(finding));
    object.object("owner", |object| {
        object.text("name", &finding.user_name);
        object.text("uid", &finding.user_arn);
    });
}

impl<W: Write> Output for Ocsf<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.standard = head.benchmark.title();
        let same = json!({
            "activity_id": 1,
            "activity_name": "Create",
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": 2003,
            "class_name": "Compliance Finding",
            "type_uid": 200_301,
            "type_name": "Compliance Finding: Create",
            "time": head.as_of.as_millisecond(),
            "metadata": {
                "version": VERSION,
                "profiles": ["cloud"],
                "product": {
                    "name": "keyagent",
                    "vendor_name": "keyagent",
                    "version": env!("CARGO_PKG_VERSION"),
                },
            },
            "cloud": {
                "provider": "AWS",
                "account": {
                    "uid": head.account_id.unwrap_or("000000000000"),
                    "type_id": 10,
                    "type": "AWS Account",
                },
            },
        })
        .to_string();
        // Without its braces.
        self.same = same[1..same.len() - 1].to_owned();
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.line.clear();
        self.event(finding);
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }

    fn end(&mut self, _tail: &Tail<'_>) -> io::Result<()> {
        self.out.flush()
    }
}
