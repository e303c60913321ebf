//! The command line: what can be typed, and which command it runs. Decides nothing else.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[cfg(feature = "aws")]
mod after_rotate;
pub mod commands;
pub mod exit_code;
#[cfg(feature = "aws")]
pub mod failed;
mod guess;
#[cfg(feature = "aws")]
mod interrupt;
#[cfg(feature = "aws")]
pub mod profiles;
#[cfg(feature = "aws")]
pub mod remediation;
#[cfg(feature = "aws")]
pub mod rotations;
#[cfg(feature = "aws")]
pub mod signing;
pub mod ui;

use crate::problem::{Problem, guarded};
use crate::process::Environment;

#[cfg_attr(
    feature = "aws",
    doc = "Rotates long-term AWS access keys safely, and keeps them out of git"
)]
#[cfg_attr(
    not(feature = "aws"),
    doc = "Keeps AWS access keys out of git\n\nThis one was built without AWS's code: it rotates nothing."
)]
#[derive(Debug, Parser)]
#[command(
    name = "keyagent",
    version,
    max_term_width = 80,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "aws")]
    Status(commands::status::Args),
    #[cfg(feature = "aws")]
    Rotate(commands::rotate::Args),
    #[cfg(feature = "aws")]
    Undo(commands::undo::Args),
    #[cfg(feature = "aws")]
    Recover(commands::recover::Args),
    #[cfg(feature = "aws")]
    Retire(commands::retire::Args),
    #[cfg(feature = "aws")]
    Disable(commands::disable::Args),
    #[cfg(feature = "aws")]
    Enable(commands::enable::Args),
    #[cfg(feature = "aws")]
    Delete(commands::delete::Args),
    #[cfg(feature = "desktop")]
    Agent(commands::agent::Args),
    #[cfg(feature = "aws")]
    Audit(commands::audit::Args),
    #[cfg(feature = "aws")]
    Doctor(commands::doctor::Args),
    #[cfg(feature = "aws")]
    Settings(commands::settings::Args),
    #[cfg(feature = "aws")]
    Policy(commands::policy::Args),
    Scan(commands::scan::Args),
    Hook(commands::hook::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One document that begins with its schema.
    Json,
}

/// Runs the command that was typed and gives its exit code.
///
/// # Errors
///
/// None: a problem is printed, and becomes [`exit_code::FAILED`].
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            #[cfg(not(feature = "desktop"))]
            if let Some(problem) = guess::left_out(&error) {
                ui::problem(&problem);
                return ExitCode::from(exit_code::FAILED);
            }
            let error = guess::with_what_was_meant(error);
            tell(&error);
            return ExitCode::from(if error.use_stderr() {
                exit_code::FAILED
            } else {
                exit_code::OK
            });
        }
    };
    let environment = Environment::of_this_process();
    let result: Result<u8, Problem> = match args.command {
        #[cfg(feature = "aws")]
        Command::Status(args) => commands::status::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Rotate(args) => commands::rotate::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Undo(args) => commands::undo::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Recover(args) => commands::recover::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Retire(args) => commands::retire::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Disable(args) => commands::disable::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Enable(args) => commands::enable::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Delete(args) => commands::delete::run(&args, &environment),
        #[cfg(feature = "desktop")]
        Command::Agent(args) => commands::agent::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Audit(args) => commands::audit::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Doctor(args) => commands::doctor::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Settings(args) => commands::settings::run(&args, &environment),
        #[cfg(feature = "aws")]
        Command::Policy(args) => commands::policy::run(&args),
        Command::Scan(args) => commands::scan::run(&args, &environment),
        Command::Hook(args) => commands::hook::run(&args, &environment),
        Command::Completions(args) => commands::completions::run(&args, Args::command()),
        Command::Man(args) => commands::man::run(&args, Args::command()),
    };
    match result {
        Ok(_) if ui::has_lost_results() => ExitCode::from(exit_code::FAILED),
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            ui::problem(&problem);
            ExitCode::from(exit_code::FAILED)
        }
    }
}

/// clap repeats what was typed, and that may be a secret in the wrong place.
fn tell(error: &clap::Error) {
    let text = error.render().to_string();
    let guarded = guarded(&text);
    if error.use_stderr() && guarded != text {
        ui::note(guarded.trim_end());
    } else {
        let _ = error.print();
    }
}
