//! The AWS Security Finding Format: every line is a batch of at most 100 findings, which is what BatchImportFindings takes.
//!
//! A finding keeps its Id from one audit to the next, so that Security Hub updates it. What an earlier audit has told and
//! this one no longer finds (the key is gone) is told once more, as archived.
//!
//! Source: Security Hub user guide, "AWS Security Finding Format".

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity::{Identities, is_about_a_key, partition};
use super::{Head, Output, Tail};
use crate::audit::{Benchmark, Finding, Outcome, Rule};

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
    batch: Vec<Value>,
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
            batch: Vec::new(),
            identities: Identities::default(),
            previous,
            made: Made::default(),
        }
    }

    fn push(&mut self, finding: Value) -> io::Result<()> {
        self.batch.push(finding);
        if self.batch.len() == BATCH {
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
            self.push(finding)
        })
    }

    fn write_batch(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        serde_json::to_writer(&mut self.out, &self.batch)?;
        self.batch.clear();
        self.out.write_all(b"\n")
    }
}

impl<W: Write> Output for Asff<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.account_id = head.account_id.unwrap_or("000000000000").to_owned();
        self.as_of = head.as_of;
        self.benchmark = head.benchmark;
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let partition = partition(finding);
        let id = self.identities.of(finding);
        if self.previous.is_some() {
            self.made.add(&id);
        }
        let (account, region, rule) = (&self.account_id, &self.region, finding.rule.name());
        let (status, workflow) = match (finding.result, &finding.exempt) {
            (Outcome::Pass, _) => ("PASSED", "RESOLVED"),
            (Outcome::Unknown, _) => ("NOT_AVAILABLE", "NEW"),
            (Outcome::Fail, Some(_)) => ("FAILED", "SUPPRESSED"),
            (Outcome::Fail, None) => ("FAILED", "NEW"),
        };
        let is_key = is_about_a_key(finding);
        let mut resource = json!({
            "Type": if is_key { "AwsIamAccessKey" } else { "AwsIamUser" },
            "Id": finding.user_arn,
            "Partition": partition,
            "Region": region,
        });
        if is_key {
            let mut key = json!({
                "AccountId": account,
                "PrincipalName": finding.user_name,
                "Status": "Active",
            });
            if let Some(created) = finding.key_created {
                key["CreatedAt"] = json!(created);
            }
            if let Some(id) = &finding.access_key_id {
                key["AccessKeyId"] = json!(id);
                resource["Id"] = json!(format!("AWS::IAM::AccessKey:{id}"));
            }
            resource["Details"] = json!({ "AwsIamAccessKey": key });
        }
        let told = json!({
            "SchemaVersion": "2018-10-08",
            "Id": id,
            "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
            "ProductName": "keyagent",
            "GeneratorId": format!("keyagent/{rule}"),
            "AwsAccountId": account,
            "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
            "CreatedAt": self.as_of,
            "UpdatedAt": self.as_of,
            "Severity": { "Label": finding.severity.name().to_ascii_uppercase() },
            "Title": format!("{rule}: {}", finding.user_name),
            "Description": finding.why,
            "Resources": [resource],
            "Compliance": { "Status": status, "RelatedRequirements": finding.controls },
            "Workflow": { "Status": workflow },
            "RecordState": "ACTIVE",
        });
        self.push(told)
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
