//! `keyagent audit`: a whole account's keys and passwords against the CIS rules.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::failed::documented;
use super::super::rotations::MfaArgs;
use super::super::signing::Purpose;
use super::super::{exit_code, ui};
use crate::audit::assessment::Tally;
use crate::audit::exemptions::Exemptions;
use crate::audit::rules::Judge;
use crate::audit::{Benchmark, SCHEMA, is_account_id};
use crate::clock::{Clock, SystemClock};
use crate::fs_atomic::Digest;
use crate::problem::{Problem, quoted, word};
use crate::process::Environment;

mod account;
mod destination;
mod fleet;
mod saved;
mod summary;
mod table;

pub(super) use account::dormant;

use destination::Destination;

/// Check a whole account's keys and passwords against the CIS rules
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("many").args(["accounts", "organization"]).conflicts_with("report")))]
pub struct Args {
    /// Profile whose key asks AWS; without it AWS_PROFILE, then default
    #[arg(short, long, value_name = "PROFILE", conflicts_with = "report")]
    profile: Option<String>,
    #[command(flatten)]
    mfa: MfaArgs,
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
    #[arg(long, value_name = "FILE", conflicts_with = "mfa_code")]
    report: Option<PathBuf>,
    /// Judge the saved report as of this time, such as 2026-11-25T12:00:00Z, instead of now
    #[arg(long, value_name = "TIME", value_parser = time)]
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
    /// How to write the result [default: table; with --out, ndjson]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write into files below this folder, one a day and account, instead of to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What an earlier audit wrote for Security Hub: what is gone since is archived there; with --out it is found
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    previous: Option<PathBuf>,
    /// Audit these accounts, separated by commas, through a role in each
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = account_id, requires_all = ["role_name", "out"])]
    accounts: Vec<String>,
    /// Audit every active account of the organization, through a role in each
    #[arg(long, requires_all = ["role_name", "out"])]
    organization: bool,
    /// Role to assume in each account
    #[arg(long, value_name = "NAME", requires = "many")]
    role_name: Option<String>,
    /// External ID that the roles ask for
    #[arg(long, value_name = "ID", requires = "role_name")]
    external_id: Option<String>,
    /// Skip accounts whose results of today are complete in the folder
    #[arg(long, requires = "many")]
    resume: bool,
}

impl Args {
    /// Through which calls, as the record of a result has it.
    fn asked(&self) -> String {
        match (&self.report, self.via, self.key_ids) {
            (Some(_), _, _) => "saved-report",
            (None, Via::List, _) => "list",
            (None, Via::Report, KeyIds::All) => "report, key-ids all",
            (None, Via::Report, KeyIds::Failing) => "report, key-ids failing",
            (None, Via::Report, KeyIds::None) => "report, key-ids none",
        }
        .to_owned()
    }

    /// What was typed, as far as it says whom to ask, to be pasted.
    fn typed(&self) -> String {
        let mut typed = "keyagent audit".to_owned();
        if self.via == Via::List {
            typed.push_str(" --via list");
        }
        if self.organization {
            typed.push_str(" --organization");
        }
        if !self.accounts.is_empty() {
            typed.push_str(&format!(" --accounts {}", self.accounts.join(",")));
        }
        for (option, value) in [
            ("--role-name", &self.role_name),
            ("--external-id", &self.external_id),
        ] {
            if let Some(value) = value {
                typed.push_str(&format!(" {option} {}", word(value)));
            }
        }
        if let Some(out) = &self.out {
            typed.push_str(&format!(" --out {}", quoted(out)));
        }
        typed
    }

    fn purpose<'a>(&'a self, typed: &'a str) -> Purpose<'a> {
        Purpose {
            what: "audit the account",
            profile: self.profile.as_deref(),
            command: typed,
            answers: "",
            policy: match self.via {
                _ if self.role_name.is_some() => "audit-accounts",
                Via::Report => "audit",
                Via::List => "audit-list",
            },
            is_patient: true,
            mfa: &self.mfa,
        }
    }
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
    /// Compliance findings of the Open Cybersecurity Schema Framework, one a line
    Ocsf,
    /// For Security Hub: a line is one batch of `aws securityhub batch-import-findings`
    Asff,
    /// One page that needs nothing else
    Html,
}

fn account_id(text: &str) -> Result<String, String> {
    if is_account_id(text) {
        Ok(text.to_owned())
    } else {
        Err("an account ID is twelve digits".into())
    }
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
    let result = audit(args, environment);
    match &result {
        // Below --out is no document on stdout, and what cannot be written is written nowhere.
        Err(problem) if args.out.is_none() && problem.error != UNWRITABLE => {
            let format = match args.format {
                Some(Format::Json) => super::super::Format::Json,
                Some(_) | None => super::super::Format::Text,
            };
            documented(SCHEMA, format, result)
        }
        Err(_) | Ok(_) => result,
    }
}

fn audit(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    if let (Some(as_of), None) = (args.as_of, &args.report) {
        return Err(live_as_of(as_of));
    }
    let (exemptions, exemptions_digest) = match &args.exempt {
        Some(path) => {
            let (exemptions, digest) = exemptions(path)?;
            (exemptions, Some(digest))
        }
        None => (Exemptions::default(), None),
    };
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
    let destination = Destination::of(args, &judge, exemptions_digest, region)?;
    if args.organization || !args.accounts.is_empty() {
        return Ok(summary::tell(fleet::audit(
            args,
            environment,
            &judge,
            &destination,
        )?));
    }
    let tally = destination.take(|output| match &args.report {
        Some(path) => saved::evaluate(path, args, &judge, output),
        None => account::audit(args, environment, &judge, output),
    })?;
    for missing in &tally.not_evaluated {
        ui::problem(&missing.problem);
    }
    if tally.summary.unknown > 0 && tally.not_evaluated.is_empty() {
        ui::problem(&undecided(tally.summary.unknown));
    }
    Ok(code(&tally))
}

/// What a key has become since would be judged as if it had been so then. clap's `requires` does not see to it: it lets go
/// where an argument forbids the one that is required.
fn live_as_of(as_of: Timestamp) -> Problem {
    Problem::new(
        "cannot judge a live account as of another time",
        "--as-of is for a saved report: AWS tells how an account is now",
        format!("leave out --as-of, or: keyagent audit --report FILE --as-of {as_of}"),
    )
}

fn undecided(count: u64) -> Problem {
    let verdicts = if count == 1 { "verdict is" } else { "verdicts are" };
    Problem::new(
        format!("{count} {verdicts} unknown, so the audit proves nothing"),
        "what decides them was not said; each finding says what that is",
        "see which; add to the command: --format ndjson | grep unknown",
    )
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

/// The exemptions, and the digest of their file.
fn exemptions(path: &Path) -> Result<(Exemptions, String), Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Problem::new(
            format!("cannot read {}", path.display()),
            error.to_string(),
            format!("ls -l {}", quoted(path)),
        )
    })?;
    let digest = Digest::of(text.as_bytes()).as_str().to_owned();
    let parsed = Exemptions::parse(&text).map_err(|mistake| {
        Problem::new(
            format!("cannot take the exemptions of {}", path.display()),
            mistake.to_string(),
            format!("\"${{EDITOR:-vi}}\" +{} {}", mistake.line, quoted(path)),
        )
    })?;
    Ok((parsed, digest))
}

const UNWRITABLE: &str = "cannot write the result";

fn unwritable(error: &io::Error) -> Problem {
    Problem::new(UNWRITABLE, error.to_string(), "make room, then run it again")
}
