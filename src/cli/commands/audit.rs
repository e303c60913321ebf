//! `keyagent audit`: a whole account's keys and passwords against the CIS rules.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::rotations::{connection, runtime};
use super::super::{exit_code, profiles, ui};
use crate::audit::assessment::{Assessment, Tally};
use crate::audit::credential_report::{CredentialReport, ReportError};
use crate::audit::exemptions::Exemptions;
use crate::audit::live::{self, NoReport};
use crate::audit::output::{Asff, Html, Json, Junit, Ndjson, Output, Separated};
use crate::audit::rules::Judge;
use crate::audit::{Benchmark, Document, Outcome, key_ids};
use crate::aws::{Client, Connections};
use crate::clock::{Clock, SystemClock};
use crate::credentials::profile::Holds;
use crate::iam::{self, Iam as _};
use crate::policy::days_since;
use crate::problem::{Problem, quoted, word};
use crate::process::Environment;

mod table;

use table::Table;

/// Check a whole account's keys and passwords against the CIS rules
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Profile whose key asks AWS; without it AWS_PROFILE, then default
    #[arg(short, long, value_name = "PROFILE", conflicts_with = "report")]
    profile: Option<String>,
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
        Some(path) => saved(path, args, &judge, output.as_mut())?,
        None => asked(args, environment, &judge, output.as_mut())?,
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
        Format::Table => Box::new(Table::new(out)),
        Format::Json => Box::new(Json::new(out)),
        Format::Ndjson => Box::new(Ndjson::new(out)),
        Format::Csv => Box::new(Separated::new(out)),
        Format::Junit => Box::new(Junit::new(out)),
        Format::Asff => Box::new(Asff::new(out, region)),
        Format::Html => Box::new(Html::new(out)),
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

/// Asks AWS for the account's report, and for what it does not say.
fn asked(
    args: &Args,
    environment: &Environment,
    judge: &Judge,
    output: &mut dyn Output,
) -> Result<Tally, Problem> {
    let loaded = profiles::load(environment)?;
    let typed: Vec<String> = args.profile.iter().cloned().collect();
    let names = profiles::chosen(&typed, environment);
    let profile = profiles::named(&loaded, &names, "keyagent audit")?[0];
    let name = &profile.name;
    let Holds::LongTermKey { access_key, .. } = &profile.holds else {
        let why = match &profile.holds {
            Holds::NoLongTermKey(why) => why.clone(),
            Holds::LongTermKey { .. } => String::new(),
        };
        return Err(Problem::new(
            format!("cannot audit with profile {name}"),
            why,
            "keyagent audit -p PROFILE",
        ));
    };
    if judge.exemptions.names_keys() && args.key_ids == KeyIds::None {
        return Err(Problem::new(
            "cannot tell which keys are exempt",
            "the exemptions name keys, and --key-ids none looks up no key",
            "--key-ids failing",
        ));
    }
    let runtime = runtime()?;
    let live = runtime.block_on(async {
        let settings = connection(&Connections::new(environment), name).await?;
        let iam = Client::new(&settings.patient(), access_key);
        fetch(&iam, args.key_ids, judge, name).await
    });
    runtime.shutdown_background();
    evaluate(live?, judge, name, output)
}

/// Judges what AWS said.
fn evaluate(live: Live, judge: &Judge, name: &str, output: &mut dyn Output) -> Result<Tally, Problem> {
    let Live {
        account_id,
        report,
        keys,
    } = live;
    let what = format!("the report of account {account_id}");
    let mut rows =
        CredentialReport::open(&report.content[..]).map_err(|error| unusable_answer(&what, &error))?;
    let mut assessment = Assessment::new(judge, output, Some(account_id), Some(report.generated_at));
    if let Some(problem) = not_looked_up(&keys, name) {
        assessment.not_evaluated("key IDs".into(), problem);
    }
    assessment
        .report(&what, &mut rows, |user| {
            if let Some(Ok(listed)) = keys.get(user.name) {
                key_ids::apply(user, listed);
            }
        })
        .map_err(|error| unwritable(&error))?;
    assessment.finish().map_err(|error| unwritable(&error))
}

/// The keys of an account that nobody has used for so many days, as the document of an audit.
///
/// # Errors
///
/// When AWS does not say all that it takes to tell.
pub(super) async fn dormant(iam: &Client, unused_days: u32, profile: &str) -> Result<Document, Problem> {
    let benchmark = Benchmark::default();
    let judge = Judge {
        benchmark,
        limits: crate::audit::Limits {
            unused_days,
            ..benchmark.limits()
        },
        as_of: SystemClock.now(),
        exemptions: Exemptions::default(),
    };
    let live = fetch(iam, KeyIds::Failing, &judge, profile).await?;
    let mut text = Vec::new();
    evaluate(live, &judge, profile, &mut Json::new(&mut text))?;
    Ok(serde_json::from_slice(&text).expect("what an audit writes, it reads"))
}

/// What AWS said.
struct Live {
    account_id: String,
    report: iam::CredentialReport,
    keys: Keys,
}

type Keys = HashMap<String, Result<Vec<iam::AccessKeyMetadata>, iam::Error>>;

async fn fetch(iam: &Client, key_ids: KeyIds, judge: &Judge, profile: &str) -> Result<Live, Problem> {
    let fail = |error: &iam::Error| audit_policy(error.problem("cannot audit the account", profile));
    let identity = iam.get_caller_identity().await.map_err(|error| fail(&error))?;
    let report = live::credential_report(iam).await.map_err(|error| match error {
        NoReport::Iam(error) => fail(&error),
        NoReport::TookTooLong => Problem::new(
            "cannot audit the account",
            error.to_string(),
            "try again in a minute: AWS goes on with it",
        ),
    })?;
    let names = match key_ids {
        KeyIds::None => Vec::new(),
        KeyIds::All | KeyIds::Failing => {
            let what = format!("the report of account {}", identity.account_id);
            let rows = CredentialReport::open(&report.content[..]);
            wanted(
                rows.map_err(|error| unusable_answer(&what, &error))?,
                key_ids,
                judge,
            )
        }
    };
    Ok(Live {
        account_id: identity.account_id,
        keys: live::keys_of(iam, names).await,
        report,
    })
}

/// The users whose key IDs are to be looked up.
fn wanted(mut rows: CredentialReport<&[u8]>, key_ids: KeyIds, judge: &Judge) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(row) = rows.next_row() {
        // What cannot be read is told when it is judged.
        let Ok(row) = row else { continue };
        if row.user.is_root {
            continue;
        }
        let mut is_wanted = key_ids == KeyIds::All;
        judge.verdicts(&row.user, |verdict| is_wanted |= verdict.outcome == Outcome::Fail);
        if is_wanted {
            names.push(row.user.name.to_owned());
        }
    }
    names
}

/// One problem for all users whose keys AWS did not list; the first reason stands for all.
fn not_looked_up(keys: &Keys, profile: &str) -> Option<Problem> {
    let failed: BTreeMap<&String, &iam::Error> = keys
        .iter()
        .filter_map(|(name, keys)| Some((name, keys.as_ref().err()?)))
        .collect();
    let (name, error) = failed.first_key_value()?;
    let what = format!(
        "cannot look up the key IDs of {} of {} users, {} among them",
        failed.len(),
        keys.len(),
        name
    );
    let problem = audit_policy(error.problem(what, profile));
    Some(problem)
}

/// The hints of the other commands speak of one's own user.
fn audit_policy(mut problem: Problem) -> Problem {
    if problem.hint.ends_with("keyagent policy self") {
        problem.hint = "ask for what the audit needs: keyagent policy audit".into();
    }
    problem
}

fn unusable_answer(what: &str, error: &ReportError) -> Problem {
    Problem::new(
        format!("cannot evaluate {what}"),
        error.to_string(),
        "try again in a minute",
    )
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
