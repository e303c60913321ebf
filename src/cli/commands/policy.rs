//! `keyagent policy`: prints the least IAM policy for a job.

use super::super::{exit_code, ui};
use crate::iam::policies::{Job, Scope, document};
use crate::problem::Problem;

/// Print the least IAM policy for a job, as JSON
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What the policy is to allow
    #[arg(value_enum, value_name = "JOB")]
    job: JobName,
    /// Partition of the account
    #[arg(long, default_value = "aws", value_parser = ["aws", "aws-cn", "aws-us-gov"])]
    partition: String,
    /// Path of the users that it is about, such as /eng/
    #[arg(long, default_value = "/", value_parser = user_path)]
    user_path: String,
    /// Role in each account, for audit-accounts
    #[arg(long, default_value = "keyagent-audit", value_name = "NAME")]
    role_name: String,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum JobName {
    /// Rotate one's own keys: status, rotate, undo, recover, retire
    #[value(name = "self")]
    Own,
    /// The same, only with MFA
    #[value(name = "self-mfa")]
    OwnWithMfa,
    /// Audit a whole account
    Audit,
    /// The same user by user, without the credential report
    AuditList,
    /// Audit many accounts: for the account that signs; each account's role needs audit or audit-list
    AuditAccounts,
    /// Disable, enable and delete the keys of others
    Remediate,
}

/// As IAM has it: `/`, or characters from `!` to DEL between two of them.
fn user_path(text: &str) -> Result<String, String> {
    let is_path = text == "/"
        || (text.starts_with('/') && text.ends_with('/') && text.bytes().all(|b| (0x21..=0x7f).contains(&b)));
    if is_path {
        Ok(text.to_owned())
    } else {
        Err("a path begins and ends with a slash, such as /eng/".into())
    }
}

/// Runs the command.
///
/// # Errors
///
/// None.
pub fn run(args: &Args) -> Result<u8, Problem> {
    let job = match args.job {
        JobName::Own => Job::Own,
        JobName::OwnWithMfa => Job::OwnWithMfa,
        JobName::Audit => Job::Audit,
        JobName::AuditList => Job::AuditByList,
        JobName::AuditAccounts => Job::AuditAccounts,
        JobName::Remediate => Job::Remediate,
    };
    let scope = Scope {
        partition: &args.partition,
        user_path: &args.user_path,
        role_name: &args.role_name,
    };
    let document = document(job, scope);
    let text = serde_json::to_string_pretty(&document).expect("a policy has string keys only");
    ui::out(&format!("{text}\n"));
    Ok(exit_code::OK)
}
