//! `keyagent disable`: makes keys inactive, and records how to put that back.

use std::path::PathBuf;

use super::super::failed::documented;
use super::super::remediation::{CommonArgs, KeyArgs, Order, Selection, run as treat};
use super::audit;
use super::from_audit::{self, FromAuditArgs};
use crate::audit::Rule;
use crate::problem::{Problem, quoted, word};
use crate::process::Environment;
use crate::remediate::Action;

/// Make keys inactive: nothing they sign is let in any more
///
/// Shows when each key was last used, asks, and records what it does: `keyagent enable --run` puts back exactly what a
/// run has disabled.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("which").required(true).args(["access_key_id", "from_audit", "dormant"])),
    override_usage = "keyagent disable [OPTIONS] --user-name NAME --access-key-id ID\n       \
                      keyagent disable [OPTIONS] --dormant [--unused-days DAYS]\n       \
                      keyagent disable [OPTIONS] --from-audit FILE [--rule RULE]...",
)]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    audit: FromAuditArgs,
    /// Every key of the account that nobody has used for so long that an audit fails it as unused-credentials
    #[arg(long, conflicts_with_all = ["user_name", "rules"])]
    dormant: bool,
    /// How long that is
    #[arg(long, value_name = "DAYS", default_value_t = 45, requires = "dormant", conflicts_with_all = ["from_audit", "access_key_id"],
          value_parser = clap::value_parser!(u32).range(1..))]
    unused_days: u32,
    /// Let it disable the key that signs this command
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
    let result = disable(args, environment);
    documented("keyagent.disable/1", args.common.format, result)
}

fn disable(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let typed = if args.dormant {
        format!("keyagent disable --dormant --unused-days {}", args.unused_days)
    } else {
        command("disable", &args.key, args.audit.from_audit.as_ref())
    };
    let order = Order {
        action: Action::Disable,
        common: &args.common,
        force: false,
        own_key_too: args.own_key_too,
        command: &typed,
    };
    if args.dormant {
        return treat(&order, environment, async |signer, _| {
            let document = audit::dormant(signer, args.unused_days).await?;
            Ok(from_audit::selection(document, &[Rule::UnusedCredentials]))
        });
    }
    let audit = from_audit::read(&args.audit, Action::Disable)?;
    treat(&order, environment, async |_, _| Ok(selection(&args.key, audit)))
}

/// The key that was named, or those of the audit.
pub(super) fn selection(key: &KeyArgs, audit: Option<Selection>) -> Selection {
    audit.unwrap_or_else(|| Selection {
        targets: key.target().into_iter().collect(),
        ..Selection::default()
    })
}

/// What was typed, to be pasted.
pub(super) fn command(verb: &str, key: &KeyArgs, file: Option<&PathBuf>) -> String {
    match (key.target(), file) {
        (Some(target), _) => format!(
            "keyagent {verb} --user-name {} --access-key-id {}",
            word(&target.user_name.0),
            target.access_key_id
        ),
        (None, Some(file)) => format!("keyagent {verb} --from-audit {}", quoted(file)),
        (None, None) => format!("keyagent {verb}"),
    }
}
