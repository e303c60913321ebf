//! The AWS Security Finding Format: every line is a batch of at most 100 findings, which is what BatchImportFindings takes.
//!
//! A finding keeps its Id from one audit to the next, so that Security Hub updates it.
//!
//! Source: Security Hub user guide, "AWS Security Finding Format".

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Head, Output, Tail};
use crate::audit::{Finding, Outcome};

const BATCH: usize = 100;

/// Writes lines.
pub struct Asff<W> {
    out: W,
    region: String,
    account_id: String,
    as_of: Timestamp,
    batch: Vec<Value>,
}

impl<W: Write> Asff<W> {
    /// Writes to `out`; the findings are for Security Hub in this region.
    pub fn new(out: W, region: &str) -> Self {
        Self {
            out,
            region: region.to_owned(),
            account_id: String::new(),
            as_of: Timestamp::UNIX_EPOCH,
            batch: Vec::new(),
        }
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
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let partition = finding.user_arn.split(':').nth(1).unwrap_or("aws");
        let (account, region, rule) = (&self.account_id, &self.region, finding.rule.name());
        // A key is told by when it was made: its ID is not in every audit. The place tells two of one second apart.
        let slot = finding.key_slot.map_or(0, u8::from);
        let credential = match finding.key_created {
            Some(created) => format!("{}-{slot}", created.as_second()),
            None => format!("user-{slot}"),
        };
        let (status, workflow) = match (finding.result, &finding.exempt) {
            (Outcome::Pass, _) => ("PASSED", "RESOLVED"),
            (Outcome::Unknown, _) => ("NOT_AVAILABLE", "NEW"),
            (Outcome::Fail, Some(_)) => ("FAILED", "SUPPRESSED"),
            (Outcome::Fail, None) => ("FAILED", "NEW"),
        };
        let is_key = finding.key_slot.is_some() || finding.access_key_id.is_some();
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
        self.batch.push(json!({
            "SchemaVersion": "2018-10-08",
            "Id": format!("keyagent/{rule}/{}/{credential}", finding.user_arn),
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
        }));
        if self.batch.len() == BATCH {
            self.write_batch()?;
        }
        Ok(())
    }

    fn end(&mut self, _tail: &Tail<'_>) -> io::Result<()> {
        self.write_batch()?;
        self.out.flush()
    }
}
