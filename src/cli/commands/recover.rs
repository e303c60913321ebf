//! `keyagent recover`: finishes, or backs out of, whatever was interrupted.

use super::super::rotations::{Report, Workplace, client, runtime, show_step};
use super::super::{Format, profiles, ui};
use crate::access_key::{AccessKey, SecretAccessKey};
use crate::clock::{Clock, SystemClock};
use crate::problem::Problem;
use crate::process::Environment;
use crate::rotate::reconcile::Decision;
use crate::rotate::recover::{examine, settle};
use crate::rotate::run::Performer;
use crate::rotate::state::Rotation;
use crate::secret_store::{self, SecretStoreChoice};

/// Finish, or back out of, a rotation that was interrupted
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    yes: bool,
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
    let mut workplace = Workplace::open("recover", environment)?;
    let unfinished: Vec<Rotation> = workplace
        .journal
        .rotations()
        .iter()
        .filter(|rotation| !rotation.is_at_rest())
        .cloned()
        .collect();
    let mut report = Report::new("keyagent.recover/1");
    if unfinished.is_empty() {
        ui::note("nothing was interrupted");
        return Ok(report.finish(args.format));
    }
    if !args.dry_run && !args.yes && !ui::can_ask() {
        return Err(Problem::new(
            "cannot recover without an answer",
            "there is no terminal to ask on, and --yes was not given",
            "keyagent recover --yes",
        ));
    }
    let runtime = runtime()?;
    for rotation in unfinished {
        let profile = rotation.plan.profiles.join(", ");
        if let Err(problem) =
            runtime.block_on(recover(&rotation, args, environment, &mut workplace, &mut report))
        {
            report.error(&profile, problem);
        }
    }
    runtime.shutdown_background();
    Ok(report.finish(args.format))
}

async fn recover(
    rotation: &Rotation,
    args: &Args,
    environment: &Environment,
    workplace: &mut Workplace,
    report: &mut Report,
) -> Result<(), Problem> {
    let profile = rotation.plan.profiles.first().map_or("default", String::as_str);
    let what = format!("cannot recover the rotation of profile {profile}");
    // The secrets lie where they were put, whatever the settings say by now.
    if rotation.plan.secret_store != workplace.store.name() {
        let kept_in = rotation
            .plan
            .secret_store
            .parse()
            .unwrap_or(SecretStoreChoice::Auto);
        workplace.store =
            secret_store::open(kept_in, &workplace.state_folder, environment).map_err(|error| {
                Problem::new(
                    what.clone(),
                    error.to_string(),
                    "unlock the keyring, then: keyagent recover",
                )
            })?;
    }
    // Whoever signs is found later; this key only completes the client and signs nothing.
    let nobody = AccessKey {
        id: rotation.plan.old_access_key_id.clone(),
        secret: SecretAccessKey::new(""),
    };
    let iam = client(&workplace.connections, profile, &nobody).await?;
    let settings = workplace.settings.profile(profile).clone();
    let settled_after =
        jiff::SignedDuration::try_from(settings.verify_for).unwrap_or(jiff::SignedDuration::MAX);
    let finding = examine(
        rotation,
        &iam,
        workplace.store.as_ref(),
        SystemClock.now(),
        settled_after,
    )
    .await
    .map_err(|error| Problem {
        error: what.clone(),
        ..error.problem(profile)
    })?;
    if let Decision::Stop(why) = finding.decision {
        return Err(Problem::new(
            what,
            why,
            format!(
                "look at it, then try again: keyagent status -p {}",
                profiles::word(profile)
            ),
        ));
    }
    let intention = format!("{}: {}", rotation.plan.profiles.join(", "), finding.intention());
    if args.dry_run {
        match args.format {
            Format::Text => ui::out(&format!("{intention}\n")),
            Format::Json => ui::note(&intention),
        }
        return Ok(());
    }
    ui::note(&intention);
    if !args.yes && !ui::confirm("go on?") {
        return Err(Problem::new(
            what,
            "the question was not answered with yes",
            "keyagent recover",
        ));
    }
    let mut performer = Performer {
        iam: &iam,
        clock: &SystemClock,
        store: workplace.store.as_ref(),
        journal: &mut workplace.journal,
        settings: &settings,
        progress: &mut show_step,
    };
    let rotation = settle(&finding, &mut performer).await.map_err(|error| Problem {
        error: what,
        ..error.problem(profile)
    })?;
    report.rotation(&rotation, settings.grace_days);
    if args.format == Format::Text
        && let Some(step) = rotation.steps.last()
    {
        ui::out(&format!(
            "{}: {}\n",
            rotation.plan.profiles.join(", "),
            step.result
        ));
    }
    Ok(())
}
