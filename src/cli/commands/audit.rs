//! `keyagent audit`: a whole account's keys and passwords against the CIS rules.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::{exit_code, ui};
use crate::audit::Benchmark;
use crate::audit::assessment::{Assessment, Tally};
use crate::audit::credential_report::{CredentialReport, ReportError};
use crate::audit::exemptions::Exemptions;
use crate::audit::output::{Json, Ndjson, Output, Separated};
use crate::audit::rules::Judge;
use crate::clock::{Clock, SystemClock};
use crate::policy::days_since;
use crate::problem::{Problem, quoted, word};
use crate::process::Environment;

mod table;

use table::Table;

/// Check a whole account's keys and passwords against the CIS rules
#[derive(Debug, clap::Args)]
pub struct Args {
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
pub fn run(args: &Args, _environment: &Environment) -> Result<u8, Problem> {
    let exemptions = args
        .exempt
        .as_deref()
        .map(exemptions)
        .transpose()?
        .unwrap_or_default();
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
    let mut output = output(args.format);
    let tally = match &args.report {
        Some(path) => saved(path, args, &judge, output.as_mut())?,
        None => {
            return Err(Problem::new(
                "cannot audit",
                "no report is given",
                "--report FILE.csv",
            ));
        }
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

fn output(format: Format) -> Box<dyn Output> {
    let out = ui::results(format == Format::Table);
    match format {
        Format::Table => Box::new(Table::new(out)),
        Format::Json => Box::new(Json::new(out)),
        Format::Ndjson => Box::new(Ndjson::new(out)),
        Format::Csv => Box::new(Separated::new(out)),
    }
}

/// Evaluates a report that was saved.
fn saved(path: &Path, args: &Args, judge: &Judge, output: &mut dyn Output) -> Result<Tally, Problem> {
    let name = path.display().to_string();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| unusable(&name, &error.into()))?)
    };
    let mut report = CredentialReport::open(source).map_err(|error| unusable(&name, &error))?;
    if judge.exemptions.names_keys() {
        ui::note("note: a saved report names no key, so no [key …] of the exemptions holds");
    }
    let mut assessment = Assessment::new(judge, output, None, None);
    assessment
        .report(&name, &mut report, |_user| {})
        .map_err(|error| unwritable(&error))?;
    let tally = assessment.finish().map_err(|error| unwritable(&error))?;
    if let (Some(newest), None) = (tally.summary.newest_time, args.as_of) {
        let days = days_since(newest, judge.as_of);
        ui::note(&format!(
            "note: the newest time in {name} is {newest}, {days} days ago; the verdicts are as of now\n      as of \
             then: --as-of {newest}"
        ));
    }
    Ok(tally)
}

fn unusable(name: &str, error: &ReportError) -> Problem {
    let name = word(name);
    let again = "aws iam get-credential-report --query Content --output text | base64 -d >report.csv";
    let hint = match error {
        ReportError::Read(_) => format!("ls -l {name}"),
        ReportError::Empty
        | ReportError::Workbook
        | ReportError::NotText
        | ReportError::Separator(_)
        | ReportError::Columns(_)
        | ReportError::Twice(_) => again.to_owned(),
    };
    Problem::new(format!("cannot evaluate {name}"), error.to_string(), hint)
}

fn unwritable(error: &io::Error) -> Problem {
    Problem::new(
        "cannot write the result",
        error.to_string(),
        "make room, then run it again",
    )
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
