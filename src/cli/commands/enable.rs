//! `keyagent enable`: makes keys active again, one or all that a run has disabled.

use super::super::failed::documented;
use super::super::remediation::{CommonArgs, KeyArgs, Order, Selection, run as treat};
use super::disable::{command, selection};
use crate::problem::{Problem, word};
use crate::process::Environment;
use crate::remediate::journal::{Journal, Run};
use crate::remediate::put_back::put_back;
use crate::remediate::{Action, Claim, Target};

/// Make keys active again: one, or exactly what a run of `disable` made inactive
///
/// A key that somebody has changed since the run stays as it is.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["access_key_id", "run"])))]
pub struct Args {
    #[command(flatten)]
    key: KeyArgs,
    /// Put back what this run of `keyagent disable` has changed; `disable` says its name, `last` is the last one
    #[arg(long, value_name = "RUN", conflicts_with = "user_name")]
    run: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Runs the command.
///
/// # Errors
///
/// When nothing could be tried.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let result = enable(args, environment);
    documented("keyagent.enable/1", args.common.format, result)
}

fn enable(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let typed = match &args.run {
        Some(run) => format!("keyagent enable --run {}", word(run)),
        None => command("enable", &args.key, None),
    };
    let order = Order {
        action: Action::Enable,
        common: &args.common,
        force: false,
        own_key_too: false,
        command: &typed,
    };
    treat(&order, environment, async |_, journal| match &args.run {
        Some(run) => of_run(run, journal),
        None => Ok(selection(&args.key, None)),
    })
}

fn of_run(name: &str, journal: &Journal) -> Result<Selection, Problem> {
    let is_disabling = |run: &&Run| run.action == Action::Disable;
    let what = format!("cannot put back run {name}");
    let found = match name {
        "last" => journal.runs().iter().rfind(is_disabling),
        name => journal.run(name),
    };
    let Some(run) = found else {
        return Err(Problem::new(
            what,
            "no such run is recorded on this machine for this user",
            known_runs(journal),
        ));
    };
    match run.action {
        Action::Disable => {}
        Action::Enable => {
            return Err(Problem::new(what, "it made keys active", known_runs(journal)));
        }
        Action::Delete => {
            return Err(Problem::new(
                what,
                "it deleted keys, and nothing brings a deleted key back",
                "make a new key: aws iam create-access-key --user-name NAME",
            ));
        }
    }
    let mut selection = Selection {
        account_id: Some(run.account_id.clone()),
        puts_back: Some(run.id.clone()),
        ..Selection::default()
    };
    for (change, target) in put_back(journal, run) {
        match target {
            Ok(target) => selection.targets.push(target),
            Err(left) => {
                let target = Target {
                    user_name: change.user_name.clone(),
                    access_key_id: change.access_key_id.clone(),
                    claim: Claim::Disabled {
                        at: change.intended_at,
                        is_settled: true,
                    },
                };
                selection.left.push((target, left));
            }
        }
    }
    Ok(selection)
}

/// The last few, newest first.
fn known_runs(journal: &Journal) -> String {
    let runs: Vec<String> = journal
        .runs()
        .iter()
        .rev()
        .filter(|run| run.action == Action::Disable)
        .take(5)
        .map(|run| {
            format!(
                "keyagent enable --run {} -p {}   (account {}, keys: {})",
                run.id,
                word(&run.profile),
                run.account_id,
                run.changes.len()
            )
        })
        .collect();
    if runs.is_empty() {
        return "name the key: keyagent enable --user-name NAME --access-key-id ID".into();
    }
    runs.join("\n")
}
