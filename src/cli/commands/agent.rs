//! `keyagent agent`: the background agent, and what makes it start by itself.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::super::rotations::{load_settings, runtime};
use super::super::{exit_code, profiles, ui};
use crate::access_key::AccessKeyId;
use crate::agent::children::Program;
use crate::agent::install::{self, Plan, Platform};
use crate::agent::run::{Agent, Place};
use crate::agent::{self, snooze};
use crate::clock::{Clock, SystemClock};
use crate::credentials::location::Locations;
use crate::credentials::profile::Holds;
use crate::desktop::PlatformDesktop;
use crate::fs_atomic::Lock;
use crate::problem::{Problem, quoted};
use crate::process::{self, Environment};
use crate::settings;

mod check;
#[cfg(feature = "otlp")]
mod send_metrics;
mod status;

/// Remind of keys in the background, and rotate at a click
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work in the foreground until told to end
    Run {
        /// Check, remind and end; for cron
        #[arg(long)]
        once: bool,
    },
    /// Start now and at every login
    Install,
    /// End, and start no more
    Uninstall,
    /// Say whether it runs, and what it will do next
    Status {
        /// How to write the result
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: super::super::Format,
    },
    /// Say nothing about a profile's key for a while
    Snooze {
        /// Whose key; may be repeated [default: AWS_PROFILE, then default]
        #[arg(short, long = "profile", value_name = "PROFILE")]
        profiles: Vec<String>,
        /// How long: 1d, 12h, 1w; 0s ends a snooze
        #[arg(long = "for", default_value = "1d", value_name = "DURATION", value_parser = settings::duration)]
        duration: std::time::Duration,
    },
    /// Ask AWS about everything, for the agent
    #[command(hide = true)]
    Check,
    /// Send what is measured to a collector, for the agent
    #[cfg(feature = "otlp")]
    #[command(hide = true)]
    SendMetrics(send_metrics::Args),
}

/// Runs the command.
///
/// # Errors
///
/// When it could not do its job.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    match &args.command {
        Command::Run { once } => work(*once, environment),
        Command::Install => install(environment),
        Command::Uninstall => uninstall(environment),
        Command::Status { format } => status::run(*format, environment),
        Command::Snooze { profiles, duration } => put_off(profiles, *duration, environment),
        Command::Check => check::run(environment),
        #[cfg(feature = "otlp")]
        Command::SendMetrics(args) => send_metrics::run(args, environment),
    }
}

fn state_folder(environment: &Environment) -> Result<PathBuf, Problem> {
    let what = "cannot find the agent's state";
    // Where AWS's files are not found there is no agent.
    locations(what, environment)?;
    settings::state_folder(environment).map_err(|error| Problem::new(what, error.to_string(), "export HOME"))
}

fn locations(what: &str, environment: &Environment) -> Result<Locations, Problem> {
    Locations::of(environment)
        .ok_or_else(|| Problem::new(what, settings::Error::NoHome.to_string(), "export HOME"))
}

fn program() -> Result<PathBuf, Problem> {
    process::current_program().map_err(no_program)
}

fn no_program(error: std::io::Error) -> Problem {
    Problem::new(
        "cannot find keyagent itself",
        error.to_string(),
        "start it by its full path",
    )
}

/// One agent a user: two would show everything twice.
fn lock(environment: &Environment) -> Result<Lock, Problem> {
    let path = agent::lock_path(&state_folder(environment)?);
    let holder = format!("keyagent agent (process {})", std::process::id());
    Lock::acquire(&path, &holder).map_err(|error| {
        Problem::new(
            "cannot run the agent",
            error.to_string(),
            "see what it does: keyagent agent status",
        )
    })
}

fn work(once: bool, environment: &Environment) -> Result<u8, Problem> {
    let _lock = lock(environment)?;
    let settings = load_settings(environment)?;
    let locations = locations("cannot run the agent", environment)?;
    let mut files = vec![
        locations.credentials,
        locations.config,
        settings::SYSTEM_FILE.into(),
    ];
    files.extend(settings::user_file(environment).ok());
    let place = Place {
        program: Program(program()?),
        state_folder: state_folder(environment)?,
        files,
        environment: environment.clone(),
    };
    let runtime = runtime()?;
    let mut log = |line: &str| {
        if once {
            ui::note(&for_people(line));
        } else {
            ui::note(line);
        }
    };
    let agent = Agent::new(place, PlatformDesktop::default(), SystemClock, settings, &mut log);
    let result = runtime.block_on(async {
        if once {
            Ok(agent.once().await)
        } else {
            agent.run().await.map(|()| Vec::new())
        }
    });
    runtime.shutdown_background();
    match result {
        Ok(problems) => {
            problems.iter().for_each(ui::problem);
            Ok(if problems.is_empty() {
                exit_code::OK
            } else {
                exit_code::FAILED
            })
        }
        Err(error) => Err(Problem::new(
            "cannot run the agent",
            error.to_string(),
            "check the limits of this process: ulimit -a",
        )),
    }
}

/// At the width of a terminal; a command, which is indented, stays whole.
fn for_people(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        if line.starts_with("  ") {
            line.to_owned()
        } else {
            ui::wrapped_at(line, 80, 2)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn plan(environment: &Environment) -> Result<Plan, Problem> {
    let what = "cannot find where the agent belongs";
    // What the agent could not run without.
    locations(what, environment)?;
    let plan_for = |program: &Path| {
        install::plan(Platform::current(), program, environment)
            .map_err(|error| Problem::new(what, error.to_string(), "export HOME"))
    };
    let packaged = plan_for(&program()?)?.beside_packages(&install::PACKAGED_UNIT_FOLDERS);
    if packaged.packaged.is_some() {
        return Ok(packaged);
    }
    // Homebrew's real path has the version in it, which is gone at the next upgrade.
    plan_for(&process::lasting_path_of_this_program(environment).map_err(no_program)?)
}

fn install(environment: &Environment) -> Result<u8, Problem> {
    let plan = plan(environment)?;
    match install::install(&plan) {
        Ok(()) => {
            ui::out(&format!(
                "the agent runs, and starts at every login ({})\n",
                plan.description().display()
            ));
            Ok(exit_code::OK)
        }
        Err(error @ install::Error::Command { .. }) => Err(Problem::new(
            "cannot start the agent",
            match &plan.packaged {
                Some(unit) => format!("{} is in its place, but {error}", unit.display()),
                None => format!("{} is written, but {error}", plan.file.display()),
            },
            "in a session of your own: keyagent agent install; without one: keyagent agent run",
        )),
        Err(error) => Err(Problem::new(
            "cannot install the agent",
            error.to_string(),
            format!("ls -ld {}", quoted(plan.file.parent().unwrap_or(&plan.file))),
        )),
    }
}

fn uninstall(environment: &Environment) -> Result<u8, Problem> {
    let plan = plan(environment)?;
    match install::uninstall(&plan) {
        Ok(was_there) => {
            ui::out(if was_there {
                "the agent is ended, and starts no more\n"
            } else {
                "the agent was not installed\n"
            });
            Ok(exit_code::OK)
        }
        Err(error) => Err(Problem::new(
            "cannot uninstall the agent",
            error.to_string(),
            format!("rm {}", quoted(&plan.file)),
        )),
    }
}

fn put_off(
    typed: &[String],
    duration: std::time::Duration,
    environment: &Environment,
) -> Result<u8, Problem> {
    let what = "cannot snooze";
    let loaded = profiles::load(environment)?;
    let names = profiles::chosen(typed, environment);
    let mut keys: Vec<AccessKeyId> = Vec::new();
    for profile in profiles::named(&loaded, &names, "keyagent agent snooze")? {
        match &profile.holds {
            Holds::LongTermKey { access_key, .. } => keys.push(access_key.id.clone()),
            Holds::NoLongTermKey(why) => {
                return Err(Problem::new(
                    what,
                    format!("profile {} has no long-term key: {why}", profile.name),
                    "keyagent status --offline",
                ));
            }
        }
    }
    let now = SystemClock.now();
    let until = jiff::SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| now.checked_add(duration).ok())
        .ok_or_else(|| Problem::new(what, "that is too long", "keyagent agent snooze --for 1w"))?;
    snooze::add(&state_folder(environment)?, &keys, until, now)
        .map_err(|error| Problem::new(what, error.to_string(), "ls -ld ~/.local/state/keyagent"))?;
    let names = names.join(", ");
    ui::out(&if until > now {
        format!("{names}: quiet until {}\n", until.strftime("%Y-%m-%d %H:%M UTC"))
    } else {
        format!("{names}: quiet no longer\n")
    });
    Ok(exit_code::OK)
}
