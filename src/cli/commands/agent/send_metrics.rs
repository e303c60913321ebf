//! `keyagent agent send-metrics`: what the agent asks of a process of its own. Says on stdout why it could not.

use super::super::super::{exit_code, ui};
use super::state_folder;
use crate::agent::memory::Memory;
use crate::agent::metrics::Reading;
use crate::agent::otlp;
use crate::aws::Connections;
use crate::clock::{Clock, SystemClock};
use crate::problem::Problem;
use crate::process::Environment;

/// What the memory does not hold.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collector's address
    #[arg(long)]
    endpoint: String,
    /// How many things a user should act on
    #[arg(long)]
    findings: usize,
    /// Name the keys
    #[arg(long)]
    key_ids: bool,
}

pub(super) fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let memory = Memory::load(&state_folder(environment)?);
    let reading = Reading::of(&memory, args.findings, args.key_ids, SystemClock.now());
    let connections = Connections::new(environment);
    match otlp::send(&reading, &args.endpoint, connections, environment) {
        Ok(()) => Ok(exit_code::OK),
        Err(why) => {
            ui::out(&format!("{why}\n"));
            Ok(exit_code::FAILED)
        }
    }
}
