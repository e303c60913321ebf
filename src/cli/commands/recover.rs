//! `keyagent recover`: finishes, or backs out of, whatever was interrupted.

use super::super::failed::Failure;
use super::super::rotations::{
    MfaArgs, Report, Workplace, client, confirm, documented, needs_answer, runtime, show_plan, with_mfa,
};
use super::super::{Format, ui};
use crate::access_key::{AccessKey, SecretAccessKey};
use crate::aws::Client;
use crate::clock::{Clock, SystemClock};
use crate::credentials::location::Locations;
use crate::fs_atomic;
use crate::problem::{Problem, word};
use crate::process::Environment;
use crate::rotate::authority::Authority;
use crate::rotate::concern::concern;
use crate::rotate::reconcile::Decision;
use crate::rotate::recover::{Finding, examine};
use crate::rotate::state::Rotation;

/// Finish, or back out of, whatever was interrupted
///
/// Before the new pair is in the files a rotation is backed out; after it, it is finished. A superseded key that
/// another program has put back into a file is replaced again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    mfa: MfaArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

const COMMAND: &str = "keyagent recover";

/// Runs the command.
///
/// # Errors
///
/// When nothing could be tried.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    documented("keyagent.recover/1", args.format, &[], || {
        recover_all(args, environment)
    })
}

fn recover_all(args: &Args, environment: &Environment) -> Result<u8, Failure> {
    let mut workplace = Workplace::open_to_rescue("recover", environment)?;
    let concerned: Vec<Rotation> = workplace
        .journal
        .rotations()
        .iter()
        .filter(|rotation| concern(rotation).is_some())
        .cloned()
        .collect();
    let mut report = Report::new("keyagent.recover/1");
    if concerned.is_empty() {
        // A keyagent that was killed while it checked has left no more than a temporary file.
        if let Some(locations) = Locations::of(environment) {
            let _lock = workplace.lock(&locations.credentials)?;
            fs_atomic::remove_leftovers(&locations.config);
        }
        ui::note("nothing was interrupted");
        return Ok(report.finish(args.format));
    }
    needs_answer("recover", args.yes, args.dry_run, COMMAND)?;
    let runtime = runtime()?;
    for rotation in concerned {
        let profile = rotation.plan.profiles.first().cloned().unwrap_or_default();
        if let Err(problem) = runtime.block_on(recover(&rotation, args, &mut workplace, &mut report)) {
            report.error(&profile, problem);
        }
    }
    runtime.shutdown_background();
    Ok(report.finish(args.format))
}

async fn recover(
    rotation: &Rotation,
    args: &Args,
    workplace: &mut Workplace,
    report: &mut Report,
) -> Result<(), Problem> {
    let (_lock, rotation) = workplace.lock_of(rotation)?;
    if concern(&rotation).is_none() {
        // Whoever held the lock was not interrupted, only slower than we.
        return Ok(());
    }
    workplace.open_store_of(&rotation)?;
    let profile = rotation.plan.profiles.first().map_or("default", String::as_str);
    let what = format!("cannot recover the rotation of profile {profile}");
    let settings = workplace.settings.profile(profile).clone();
    // Whoever signs is found later; this key only completes the client and signs nothing.
    let nobody = AccessKey {
        id: rotation.plan.old_access_key_id.clone(),
        secret: SecretAccessKey::new(""),
    };
    let iam = client(&workplace.connections, profile, &nobody).await?;
    let settled_after =
        jiff::SignedDuration::try_from(settings.verify_for).unwrap_or(jiff::SignedDuration::MAX);
    let store = workplace.store.as_ref();
    let finding = with_mfa(
        settings.mfa_serial.clone(),
        args.mfa.mfa_code.clone(),
        &args.mfa,
        async |mfa| examine(&rotation, &iam, store, mfa, SystemClock.now(), settled_after).await,
    )
    .await
    .map_err(|error| error.problem(&what, profile))?;
    if let Decision::Stop(_) = finding.decision {
        return Err(stopped(what, &finding, profile));
    }
    if finding.decision == Decision::Nothing {
        return Ok(());
    }
    let intention = format!("{}: {}\n", rotation.plan.profiles.join(", "), finding.intention());
    show_plan(&intention, args.dry_run, args.format);
    if args.dry_run {
        let more = serde_json::json!({ "intention": finding.intention(), "deletes": finding.deletes() });
        report.plan(&rotation, settings.grace_days, more);
        return Ok(());
    }
    confirm(args.yes, &what, COMMAND)?;
    let authority = finding.authority.clone().unwrap_or(Authority {
        iam,
        mfa_serial: None,
    });
    let rotation = workplace
        .perform(&authority, &settings, async |performer| {
            performer.settle(&finding).await
        })
        .await
        .map_err(|error| error.problem(&what, profile))?;
    report.rotation(&rotation, settings.grace_days);
    if let (Format::Text, Some(step)) = (args.format, rotation.steps.last()) {
        ui::out(&format!(
            "{}: {}\n",
            rotation.plan.profiles.join(", "),
            step.result
        ));
    }
    Ok(())
}

/// Several keys, or a doubt: all are named, none is touched.
fn stopped(what: String, finding: &Finding<Client>, profile: &str) -> Problem {
    let look = format!("look at it, then try again: keyagent status -p {}", word(profile));
    let hint = match &finding.appeared[..] {
        [] => look,
        ids => {
            let commands: Vec<String> = ids
                .iter()
                .map(|id| {
                    format!(
                        "aws iam delete-access-key --access-key-id {id} --profile {}",
                        word(profile)
                    )
                })
                .collect();
            format!(
                "delete what nobody needs, then try again:\n{}",
                commands.join("\n")
            )
        }
    };
    Problem::new(what, finding.intention(), hint)
}
