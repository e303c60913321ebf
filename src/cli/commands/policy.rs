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
    #[arg(long, default_value = "keyagent-audit", value_name = "NAME", value_parser = role_name)]
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

/// As IAM has it, `/` or characters from `!` to DEL between two of them, 512 at most; but for those that a policy reads
/// otherwise: `*` and `?` are wildcards, `$` begins a variable.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>
fn user_path(text: &str) -> Result<String, String> {
    let fits = |byte: u8| (0x21..=0x7e).contains(&byte) && !b"*?$\"\\".contains(&byte);
    let is_path =
        text == "/" || (text.len() > 1 && text.len() <= 512 && text.starts_with('/') && text.ends_with('/'));
    if is_path && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("a path begins and ends with a slash and has no wildcard, such as /eng/".into())
    }
}

/// The name of a role as IAM has it, behind its path where it has one.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>
fn role_name(text: &str) -> Result<String, String> {
    let (path, name) = match text.rsplit_once('/') {
        Some((path, name)) => (Some(path), name),
        None => (None, text),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let is_name = (1..=64).contains(&name.len()) && name.chars().all(fits);
    let is_path = |path: &str| !path.split('/').any(str::is_empty) && user_path(&format!("/{path}/")).is_ok();
    if is_name && path.is_none_or(is_path) {
        Ok(text.to_owned())
    } else {
        Err("a role's name has letters, digits and _+=,.@- alone, such as keyagent-audit".into())
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
