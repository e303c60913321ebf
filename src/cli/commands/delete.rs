//! `keyagent delete`: deletes keys that are inactive.

use super::super::failed::documented;
use super::super::remediation::{CommonArgs, KeyArgs, Order, run as treat};
use super::disable::{command, selection};
use super::from_audit::{self, FromAuditArgs};
use crate::problem::Problem;
use crate::process::Environment;
use crate::remediate::Action;

/// Delete inactive keys, for good
///
/// A key that is active, or whose last use AWS does not say, stays unless --force is given. Disable a key first and wait:
/// what still needs it shows, and can be put back.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["access_key_id", "from_audit"])))]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    audit: FromAuditArgs,
    /// Delete an active key too, or one whose last use is unknown
    #[arg(long)]
    force: bool,
    /// Let it delete the key that signs this command
    #[arg(long = "self")]
    own_key_too: bool,
    #[command(flatten)]
    common: CommonArgs,
}

/// Runs the command.
///
/// # Errors
///
/// When nothing could be tried.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let result = delete(args, environment);
    documented("keyagent.delete/1", args.common.format, result)
}

fn delete(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let typed = command("delete", &args.key, args.audit.from_audit.as_ref());
    let order = Order {
        action: Action::Delete,
        common: &args.common,
        force: args.force,
        own_key_too: args.own_key_too,
        command: &typed,
    };
    let audit = from_audit::read(&args.audit, Action::Delete)?;
    treat(&order, environment, async |_, _| Ok(selection(&args.key, audit)))
}
