//! One account, as AWS tells of it now.

use std::collections::{BTreeMap, HashMap};

use super::super::super::profiles;
use super::super::super::rotations::{connection, runtime};
use super::{Args, KeyIds, unwritable};
use crate::audit::assessment::{Assessment, Tally};
use crate::audit::credential_report::{CredentialReport, ReportError};
use crate::audit::exemptions::Exemptions;
use crate::audit::live::{self, NoReport};
use crate::audit::output::{Json, Output};
use crate::audit::rules::Judge;
use crate::audit::{Benchmark, Document, Outcome, key_ids};
use crate::aws::{Client, Connections};
use crate::clock::{Clock, SystemClock};
use crate::credentials::profile::Holds;
use crate::iam::{self, Iam as _};
use crate::problem::Problem;
use crate::process::Environment;

/// Asks AWS for the account's report, and for what it does not say.
pub(super) fn audit(
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
pub(in super::super) async fn dormant(
    iam: &Client,
    unused_days: u32,
    profile: &str,
) -> Result<Document, Problem> {
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
