//! `keyagent retire`: deletes superseded keys whose grace is over, and that nobody has used since.

use super::super::failed::Failure;
use super::super::rotations::{
    MfaArgs, Report, Workplace, client, confirm, documented, last_day, needs_answer, needs_yes_for_now,
    runtime, show_plan, with_mfa,
};
use super::super::{Format, profiles, ui};
use crate::access_key::{AccessKey, SecretAccessKey};
use crate::aws::Client;
use crate::clock::{Clock, SystemClock};
use crate::problem::{Problem, word};
use crate::process::Environment;
use crate::rotate::authority::Authority;
use crate::rotate::error::Error;
use crate::rotate::recover::signers_of;
use crate::rotate::retire::{Kept, Verdict, judge, superseded_by};
use crate::rotate::state::Rotation;

/// Delete superseded keys whose grace is over
///
/// A key goes only if AWS knows that nobody has used it since it was replaced; otherwise it stays, and retire
/// says what used it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the superseded key of this profile; may be repeated
    #[arg(short, long = "profile", value_name = "PROFILE")]
    profiles: Vec<String>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the end of the grace; needs --yes or --dry-run
    #[arg(long)]
    now: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    mfa: MfaArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When nothing could be tried.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    documented("keyagent.retire/1", args.format, &args.profiles, || {
        retire_all(args, environment)
    })
}

fn retire_all(args: &Args, environment: &Environment) -> Result<u8, Failure> {
    let mut command = String::from("keyagent retire");
    for name in &args.profiles {
        command.push_str(&format!(" -p {}", word(name)));
    }
    needs_yes_for_now(args.now, args.yes, args.dry_run, &command)?;
    let mut workplace = Workplace::open("retire", environment)?;
    let mut report = Report::new("keyagent.retire/1");
    let superseded: Vec<Rotation> = workplace
        .journal
        .rotations()
        .iter()
        .filter(|rotation| rotation.is_at_rest() && rotation.superseded().is_some())
        .filter(|rotation| {
            args.profiles.is_empty()
                || rotation
                    .plan
                    .profiles
                    .iter()
                    .any(|name| args.profiles.contains(name))
        })
        .cloned()
        .collect();
    for name in &args.profiles {
        let is_known = |rotation: &Rotation| rotation.plan.profiles.contains(name);
        if !workplace.journal.rotations().iter().any(is_known) {
            profiles::named(
                &profiles::load(environment)?,
                std::slice::from_ref(name),
                "keyagent retire",
            )?;
        }
    }
    workplace.warn_about_others(|_| false);
    let due: Vec<&Rotation> = superseded
        .iter()
        .filter(|rotation| is_due(rotation, args, &workplace))
        .collect();
    if due.is_empty() {
        // A program has it from the document; the agent asks every day.
        if args.format == Format::Text {
            ui::note(&nothing_to_do(&superseded, args, &workplace));
        }
        return Ok(report.finish(args.format));
    }
    needs_answer("retire", args.yes, args.dry_run, &command)?;
    let runtime = runtime()?;
    for rotation in due {
        let profile = rotation.plan.profiles.first().cloned().unwrap_or_default();
        if let Err(problem) = runtime.block_on(retire(rotation, args, &command, &mut workplace, &mut report))
        {
            report.error(&profile, problem);
        }
    }
    runtime.shutdown_background();
    Ok(report.finish(args.format))
}

fn grace_days(rotation: &Rotation, args: &Args, workplace: &Workplace) -> u32 {
    if args.now {
        return 0;
    }
    let of = |profile: &String| workplace.settings.profile(profile).grace_days;
    rotation.plan.profiles.iter().map(of).max().unwrap_or_default()
}

fn is_due(rotation: &Rotation, args: &Args, workplace: &Workplace) -> bool {
    let days = grace_days(rotation, args, workplace);
    rotation
        .superseded_since()
        .is_some_and(|since| crate::rotate::retire::grace_ends(since, days) <= SystemClock.now())
}

fn nothing_to_do(superseded: &[Rotation], args: &Args, workplace: &Workplace) -> String {
    let mut text = String::from("no superseded key is due");
    for rotation in superseded {
        if let Some(id) = rotation.superseded() {
            let day = last_day(rotation, grace_days(rotation, args, workplace));
            text.push_str(&format!(
                "\n{id} ({}) is kept until {day}",
                rotation.plan.profiles.join(", ")
            ));
        }
    }
    text
}

async fn retire(
    rotation: &Rotation,
    args: &Args,
    command: &str,
    workplace: &mut Workplace,
    report: &mut Report,
) -> Result<(), Problem> {
    let (_lock, rotation) = workplace.lock_of(rotation)?;
    let Some(superseded) = rotation.superseded().cloned() else {
        return Ok(());
    };
    workplace.open_store_of(&rotation)?;
    let profile = rotation.plan.profiles.first().map_or("default", String::as_str);
    let what = format!("cannot retire {superseded}");
    let failed = |error: Error| error.problem(&what, profile);
    let settings = workplace.settings.profile(profile).clone();
    let (authority, keys) = authority(&rotation, profile, args, workplace)
        .await?
        .map_err(failed)?;
    let days = grace_days(&rotation, args, workplace);
    match judge(&authority.iam, &rotation, &keys, SystemClock.now(), days).await {
        Verdict::TooEarly { .. } => Ok(()),
        Verdict::Keep(kept) => keep(&rotation, &kept, &what, settings.grace_days, args, report),
        verdict @ (Verdict::Delete | Verdict::Gone) => {
            let plan = format!(
                "delete {superseded} of {}\n  superseded by {}, and not used since\n  it cannot be taken back then\n",
                rotation.plan.user_arn,
                superseded_by(&rotation)
            );
            show_plan(&plan, args.dry_run, args.format);
            if args.dry_run {
                let more = serde_json::json!({ "deletes": [superseded] });
                report.plan(&rotation, settings.grace_days, more);
                return Ok(());
            }
            confirm(args.yes, &format!("{superseded} is not deleted"), command)?;
            let id = rotation.id.as_str();
            let after = workplace
                .perform(&authority, &settings, async |performer| {
                    if verdict == Verdict::Delete {
                        performer.delete_superseded(id).await?;
                    } else {
                        performer.note_deleted(id)?;
                    }
                    Ok(performer.rotation(id).clone())
                })
                .await
                .map_err(failed)?;
            report.rotation(&after, settings.grace_days);
            if args.format == Format::Text {
                ui::out(&format!(
                    "{}: {superseded} is deleted\n",
                    after.plan.profiles.join(", ")
                ));
            }
            Ok(())
        }
    }
}

/// Signs with a pair that the files hold now, or one of the rotation's own.
async fn authority(
    rotation: &Rotation,
    profile: &str,
    args: &Args,
    workplace: &Workplace,
) -> Result<Result<(Authority<Client>, Vec<crate::iam::AccessKeyMetadata>), Error>, Problem> {
    // Whoever signs is found below; this key only completes the client and signs nothing.
    let nobody = AccessKey {
        id: rotation.plan.old_access_key_id.clone(),
        secret: SecretAccessKey::new(""),
    };
    let iam = client(&workplace.connections, profile, &nobody).await?;
    let serial = workplace.settings.profile(profile).mfa_serial.clone();
    Ok(
        with_mfa(serial, args.mfa.mfa_code.clone(), &args.mfa, async |mfa| {
            signers_of(rotation, workplace.store.as_ref())?
                .first_accepted(&iam, rotation, mfa)
                .await
        })
        .await,
    )
}

/// What something still uses is for the user to look at; what AWS does not say is a failure.
fn keep(
    rotation: &Rotation,
    kept: &Kept,
    what: &str,
    grace_days: u32,
    args: &Args,
    report: &mut Report,
) -> Result<(), Problem> {
    if !kept.is_for_the_user() {
        return Err(Problem::new(
            what,
            kept.why(),
            "it stays; try again later: keyagent retire",
        ));
    }
    if let (Format::Text, Some(superseded)) = (args.format, rotation.superseded()) {
        ui::out(&format!(
            "{}: {superseded} is kept\n  {}\n",
            rotation.plan.profiles.join(", "),
            kept.why()
        ));
    }
    report.kept(rotation, grace_days, kept.why());
    Ok(())
}
