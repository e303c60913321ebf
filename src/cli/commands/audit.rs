//! `keyagent audit`: a whole account's keys and passwords against the CIS rules.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::{exit_code, ui};
use crate::audit::Benchmark;
use crate::audit::assessment::Tally;
use crate::audit::exemptions::Exemptions;
use crate::audit::output::{Asff, Html, Json, Junit, Ndjson, Output, Separated};
use crate::audit::rules::Judge;
use crate::clock::{Clock, SystemClock};
use crate::problem::{Problem, quoted};
use crate::process::Environment;

mod account;
mod saved;
mod table;

pub(super) use account::dormant;

use table::Table;

/// Check a whole account's keys and passwords against the CIS rules
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Profile whose key asks AWS; without it AWS_PROFILE, then default
    #[arg(short, long, value_name = "PROFILE", conflicts_with = "report")]
    profile: Option<String>,
    /// Through which calls to ask
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "CALLS",
        conflicts_with = "report"
    )]
    via: Via,
    /// Whose key IDs to look up, with one call a user: a credential report names none
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHOSE",
        conflicts_with = "report"
    )]
    key_ids: KeyIds,
    /// Evaluate a saved credential report instead of asking AWS; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Judge the saved report as of this time, such as 2026-11-25T12:00:00Z, instead of now
    #[arg(long, value_name = "TIME", requires = "report", value_parser = time)]
    as_of: Option<Timestamp>,
    /// Whose controls to name, and whose limits hold
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    benchmark: Benchmark,
    /// An active key older than this fails, instead of the benchmark's 90
    #[arg(long, value_name = "DAYS")]
    max_age_days: Option<u32>,
    /// What was not used for so many days fails, instead of the benchmark's 45 or 90
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    unused_days: Option<u32>,
    /// Failures that somebody answers for: users or keys with owner, reason and last day
    #[arg(long, value_name = "FILE")]
    exempt: Option<PathBuf>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Via {
    /// The credential report: about four calls
    #[default]
    Report,
    /// User by user, where the report may not be read: about three calls each
    List,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum KeyIds {
    /// Every user's
    All,
    /// Those of users with a failure
    #[default]
    Failing,
    /// Nobody's
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: the worst first, counts, and the ages of all keys
    #[default]
    #[value(alias = "text")]
    Table,
    /// One document
    Json,
    /// One finding a line, with its account and time
    Ndjson,
    /// For spreadsheet programs
    Csv,
    /// For CI servers
    Junit,
    /// For Security Hub: a line is one batch of `aws securityhub batch-import-findings`
    Asff,
    /// One page that needs nothing else
    Html,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_not_a_time| "a time is written as 2026-11-25T12:00:00Z".into())
}

/// Runs the command.
///
/// # Errors
///
/// When nothing can be evaluated, or the result cannot be written.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let exemptions = args
        .exempt
        .as_deref()
        .map(exemptions)
        .transpose()?
        .unwrap_or_default();
    if exemptions.names_keys()
        && args.report.is_none()
        && args.key_ids == KeyIds::None
        && args.via == Via::Report
    {
        return Err(Problem::new(
            "cannot tell which keys are exempt",
            "the exemptions name keys, and --key-ids none looks up no key",
            "--key-ids failing",
        ));
    }
    let now = SystemClock.now();
    let limits = args.benchmark.limits();
    let judge = Judge {
        benchmark: args.benchmark,
        limits: crate::audit::Limits {
            max_age_days: args.max_age_days.unwrap_or(limits.max_age_days),
            unused_days: args.unused_days.unwrap_or(limits.unused_days),
        },
        as_of: args.as_of.unwrap_or(now),
        exemptions,
    };
    let region = environment
        .get_str("AWS_REGION")
        .or_else(|| environment.get_str("AWS_DEFAULT_REGION"))
        .unwrap_or("us-east-1");
    let mut output = output(args.format, region);
    let tally = match &args.report {
        Some(path) => saved::evaluate(path, args, &judge, output.as_mut())?,
        None => account::audit(args, environment, &judge, output.as_mut())?,
    };
    for missing in &tally.not_evaluated {
        ui::problem(&missing.problem);
    }
    Ok(code(&tally))
}

/// What is unknown proves nothing, so it weighs more than what failed.
fn code(tally: &Tally) -> u8 {
    let summary = &tally.summary;
    if summary.not_evaluated + summary.unknown > 0 {
        exit_code::FAILED
    } else if summary.fail > 0 {
        exit_code::FOUND
    } else {
        exit_code::OK
    }
}

fn output(format: Format, region: &str) -> Box<dyn Output> {
    let out = ui::results(format == Format::Table);
    match format {
        Format::Table => Box::new(Table::new(out, ui::width())),
        Format::Json => Box::new(Json::new(out)),
        Format::Ndjson => Box::new(Ndjson::new(out)),
        Format::Csv => Box::new(Separated::new(out)),
        Format::Junit => Box::new(Junit::new(out)),
        Format::Asff => Box::new(Asff::new(out, region)),
        Format::Html => Box::new(Html::new(out)),
    }
}

fn exemptions(path: &Path) -> Result<Exemptions, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Problem::new(
            format!("cannot read {}", path.display()),
            error.to_string(),
            format!("ls -l {}", quoted(path)),
        )
    })?;
    Exemptions::parse(&text).map_err(|mistake| {
        Problem::new(
            format!("cannot take the exemptions of {}", path.display()),
            mistake.to_string(),
            format!("\"${{EDITOR:-vi}}\" +{} {}", mistake.line, quoted(path)),
        )
    })
}

fn unwritable(error: &io::Error) -> Problem {
    Problem::new(
        "cannot write the result",
        error.to_string(),
        "make room, then run it again",
    )
}
