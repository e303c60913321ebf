//! The AWS Security Finding Format: every line is a batch of at most 100 findings, which is what BatchImportFindings takes.
//!
//! A finding keeps its Id from one audit to the next, so that Security Hub updates it. What an earlier audit has told and
//! this one no longer finds (the key is gone) is told once more, as archived.
//!
//! Source: Security Hub user guide, "AWS Security Finding Format".

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::json;

use super::identity::{Identities, is_about_a_key, partition};
use super::object::Object;
use super::{Head, Output, Tail};
use crate::audit::{Benchmark, Finding, Outcome, Rule, Severity};

mod previous;

use previous::Made;
pub use previous::Previous;

const BATCH: usize = 100;

/// Writes lines.
pub struct Asff<W> {
    out: W,
    region: String,
    account_id: String,
    as_of: Timestamp,
    benchmark: Benchmark,
    /// Members that every finding has alike.
    same: String,
    /// What a product's ARN ends in.
    product: String,
    /// Findings as JSON, so many.
    batch: String,
    in_batch: usize,
    identities: Identities,
    previous: Option<Previous>,
    made: Made,
}

impl<W: Write> Asff<W> {
    /// Writes to `out`; the findings are for Security Hub in this region, which knows those of `previous`.
    pub fn new(out: W, region: &str, previous: Option<Previous>) -> Self {
        Self {
            out,
            region: region.to_owned(),
            account_id: String::new(),
            as_of: Timestamp::UNIX_EPOCH,
            benchmark: Benchmark::default(),
            same: String::new(),
            product: String::new(),
            batch: String::new(),
            in_batch: 0,
            identities: Identities::default(),
            previous,
            made: Made::default(),
        }
    }

    fn pushed(&mut self) -> io::Result<()> {
        self.in_batch += 1;
        if self.in_batch == BATCH {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Archives what is not found any more, as far as this audit has looked for it.
    fn archive(&mut self, previous: &Previous) -> io::Result<()> {
        let made = std::mem::take(&mut self.made);
        previous.gone(&made, |mut finding| {
            let looked_for = Rule::ALL.into_iter().any(|rule| {
                self.benchmark.has(rule) && finding["GeneratorId"] == format!("keyagent/{}", rule.name())
            });
            let is_of_this_account = finding["AwsAccountId"] == self.account_id.as_str();
            let region = finding["ProductArn"]
                .as_str()
                .unwrap_or_default()
                .split(':')
                .nth(3);
            if !looked_for || !is_of_this_account || region != Some(&self.region) {
                return Ok(());
            }
            finding["RecordState"] = json!("ARCHIVED");
            finding["UpdatedAt"] = json!(self.as_of);
            self.batch.push(if self.in_batch == 0 { '[' } else { ',' });
            self.batch.push_str(&finding.to_string());
            self.pushed()
        })
    }

    fn write_batch(&mut self) -> io::Result<()> {
        if self.in_batch == 0 {
            return Ok(());
        }
        self.batch.push_str("]\n");
        self.out.write_all(self.batch.as_bytes())?;
        self.batch.clear();
        self.in_batch = 0;
        Ok(())
    }
}

fn resource(object: &mut Object<'_>, finding: &Finding<'_>, account_id: &str, region: &str) {
    let is_key = is_about_a_key(finding);
    object.text("Type", if is_key { "AwsIamAccessKey" } else { "AwsIamUser" });
    match &finding.access_key_id {
        Some(id) => object.texts("Id", ["AWS::IAM::AccessKey:", id.as_str(), ""]),
        None => object.text("Id", &finding.user_arn),
    }
    object.text("Partition", partition(finding));
    object.text("Region", region);
    if !is_key {
        return;
    }
    object.object("Details", |object| {
        object.object("AwsIamAccessKey", |object| {
            object.text("AccountId", account_id);
            object.text("PrincipalName", &finding.user_name);
            object.text("Status", "Active");
            if finding.key_created.is_some() {
                object.time("CreatedAt", finding.key_created);
            }
            if let Some(id) = &finding.access_key_id {
                object.text("AccessKeyId", id.as_str());
            }
        });
    });
}

impl<W: Write> Output for Asff<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.account_id = head.account_id.unwrap_or("000000000000").to_owned();
        self.as_of = head.as_of;
        self.benchmark = head.benchmark;
        let (account, region) = (&self.account_id, &self.region);
        self.product = format!(":securityhub:{region}:{account}:product/{account}/default");
        self.same.clear();
        Object::push_members(&mut self.same, |object| {
            object.text("SchemaVersion", "2018-10-08");
            object.text("ProductName", "keyagent");
            object.text("AwsAccountId", account);
            object.list(
                "Types",
                &["Software and Configuration Checks/Industry and Regulatory Standards"],
            );
            object.time("CreatedAt", Some(head.as_of));
            object.time("UpdatedAt", Some(head.as_of));
            object.text("RecordState", "ACTIVE");
        });
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let id = self.identities.of(finding);
        if self.previous.is_some() {
            self.made.add(id);
        }
        let rule = finding.rule.name();
        let (status, workflow) = match (finding.result, &finding.exempt) {
            (Outcome::Pass, _) => ("PASSED", "RESOLVED"),
            (Outcome::Unknown, _) => ("NOT_AVAILABLE", "NEW"),
            (Outcome::Fail, Some(_)) => ("FAILED", "SUPPRESSED"),
            (Outcome::Fail, None) => ("FAILED", "NEW"),
        };
        let severity = match finding.severity {
            Severity::Informational => "INFORMATIONAL",
            Severity::Low => "LOW",
            Severity::Medium => "MEDIUM",
            Severity::Critical => "CRITICAL",
        };
        self.batch.push(if self.in_batch == 0 { '[' } else { ',' });
        Object::push(&mut self.batch, |object| {
            object.members(&self.same);
            object.text("Id", id);
            object.texts("ProductArn", ["arn:", partition(finding), &self.product]);
            object.texts("GeneratorId", ["keyagent/", rule, ""]);
            object.object("Severity", |object| object.text("Label", severity));
            object.texts("Title", [rule, ": ", &finding.user_name]);
            object.text("Description", &finding.why);
            object.list_of_one("Resources", |object| {
                resource(object, finding, &self.account_id, &self.region);
            });
            object.object("Compliance", |object| {
                object.text("Status", status);
                object.list("RelatedRequirements", &finding.controls);
            });
            object.object("Workflow", |object| object.text("Status", workflow));
        });
        self.pushed()
    }

    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()> {
        // Of whom nothing is known, nothing is known to be gone.
        if let Some(previous) = self.previous.take()
            && tail.tally.summary.not_evaluated == 0
        {
            self.archive(&previous)?;
        }
        self.write_batch()?;
        self.out.flush()
    }
}
