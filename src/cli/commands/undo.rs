//! `keyagent undo`: puts the previous key of a profile back.

use super::super::failed::Failure;
use super::super::rotations::{
    MfaArgs, Report, Workplace, client, confirm, documented, last_day, needs_answer, runtime, show_plan,
    with_mfa,
};
use super::super::{Format, profiles, ui};
use crate::access_key::AccessKey;
use crate::credentials::profile::{Holds, Profile, key_holder};
use crate::problem::{Problem, word};
use crate::process::Environment;
use crate::rotate::error::Error;
use crate::rotate::state::Rotation;
use crate::rotate::undo::{PreparedUndo, prepare, rotation_of};

/// Put a profile's previous key back, until it is deleted
///
/// The old key is made active, proven with STS and IAM, and put back in every place it was; the new key is then
/// made inactive.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Profile whose rotation is to be taken back; may be repeated [default: AWS_PROFILE, then default]
    #[arg(short, long = "profile", value_name = "PROFILE")]
    profiles: Vec<String>,
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

/// Runs the command.
///
/// # Errors
///
/// When there is nothing to take back, or it could not be tried.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let names = profiles::chosen(&args.profiles, environment);
    documented("keyagent.undo/1", args.format, &names, || {
        undo_all(&names, args, environment)
    })
}

fn undo_all(names: &[String], args: &Args, environment: &Environment) -> Result<u8, Failure> {
    let mut command = String::from("keyagent undo");
    for name in names {
        command.push_str(&format!(" -p {}", word(name)));
    }
    let before = profiles::load(environment)?;
    let wanted = profiles::named(&before, names, "keyagent undo")?;
    let mut workplace = Workplace::open_to_rescue("undo", environment)?;
    if !args.yes && !args.dry_run && !ui::can_ask() {
        // What cannot be taken back anyway is not worth a --yes. Everybody else is told under the lock.
        for named in wanted {
            find(&before, named, &workplace).map_err(|problem| Failure::of(&named.name, problem))?;
        }
    }
    needs_answer("undo", args.yes, args.dry_run, &command)?;
    let _lock = workplace.lock(&before.locations.credentials)?;
    // Whoever held the lock may have changed the files.
    let loaded = profiles::load(environment)?;
    let mut report = Report::new("keyagent.undo/1");
    let runtime = runtime()?;
    let mut undoing = Undoing {
        code: args.mfa.mfa_code.clone(),
        seen: Vec::new(),
    };
    for named in profiles::named(&loaded, names, "keyagent undo")? {
        let undone = undo(
            args,
            &loaded,
            named,
            &command,
            &mut undoing,
            &mut workplace,
            &mut report,
        );
        if let Err(problem) = runtime.block_on(undone) {
            report.error(&named.name, problem);
        }
    }
    runtime.shutdown_background();
    Ok(report.finish(args.format))
}

/// What several profiles share.
struct Undoing {
    /// Works once.
    code: Option<String>,
    /// The profiles whose rotation was looked at: those that share a key are taken back together.
    seen: Vec<String>,
}

async fn undo(
    args: &Args,
    loaded: &profiles::Loaded,
    named: &Profile,
    command: &str,
    undoing: &mut Undoing,
    workplace: &mut Workplace,
    report: &mut Report,
) -> Result<(), Problem> {
    let holder = key_holder(&loaded.profiles, named);
    let is_seen = |holder: &Profile| undoing.seen.contains(&holder.name);
    if holder.is_ok_and(is_seen) {
        return Ok(());
    }
    let (holder, new, rotation) = find(loaded, named, workplace)?;
    undoing.seen.extend(rotation.plan.profiles.iter().cloned());
    let what = what(named);
    let failed = |error: Error| error.problem(&what, &holder.name);
    workplace.warn_about_others(|other| other.id == rotation.id);
    workplace.open_store_of(&rotation)?;
    let settings = workplace.settings.profile(&holder.name).clone();
    let iam = client(&workplace.connections, &holder.name, new).await?;
    let serials = [&settings.mfa_serial, &holder.mfa_serial, &named.mfa_serial];
    let serial = serials.into_iter().flatten().next().cloned();
    let prepared = with_mfa(serial, undoing.code.take(), &args.mfa, async |mfa| {
        prepare(&iam, &rotation, new, workplace.store.as_ref(), mfa).await
    })
    .await
    .map_err(failed)?;
    show_plan(&describe(&prepared), args.dry_run, args.format);
    if args.dry_run {
        report.rotation(&rotation, settings.grace_days);
        return Ok(());
    }
    confirm(args.yes, "nothing is taken back", command)?;
    let id = &prepared.rotation.id;
    let rotation: Rotation = workplace
        .perform(&prepared.authority, &settings, async |performer| {
            performer.undo(id, &prepared.old, &prepared.new).await?;
            Ok(performer.rotation(id).clone())
        })
        .await
        .map_err(failed)?;
    report.rotation(&rotation, settings.grace_days);
    if args.format == Format::Text {
        let (old, new) = (&prepared.old.id, &prepared.new.id);
        ui::out(&format!(
            "{}: {new} is replaced by {old} again\n{new} is inactive; after {} `keyagent retire` deletes it\n",
            rotation.plan.profiles.join(", "),
            last_day(&rotation, settings.grace_days),
        ));
    }
    Ok(())
}

fn what(profile: &Profile) -> String {
    format!("cannot take back the rotation of profile {}", profile.name)
}

/// The profile that holds the key of the one that was named, the key, and the rotation that put it there.
fn find<'a>(
    loaded: &'a profiles::Loaded,
    named: &'a Profile,
    workplace: &Workplace,
) -> Result<(&'a Profile, &'a AccessKey, Rotation), Problem> {
    let holder = key_holder(&loaded.profiles, named).map_err(|why| {
        Problem::new(
            what(named),
            why,
            "see which profiles hold a key: keyagent status --offline",
        )
    })?;
    let Holds::LongTermKey { access_key: new, .. } = &holder.holds else {
        unreachable!("a key holder holds a key")
    };
    let rotation = rotation_of(&workplace.journal, &holder.name, new)
        .map_err(|error| error.problem(what(named), &holder.name))?
        .clone();
    Ok((holder, new, rotation))
}

fn describe<I>(prepared: &PreparedUndo<I>) -> String {
    let plan = &prepared.rotation.plan;
    let mut text = format!(
        "put {} of {} back\n  profiles  {}\n",
        prepared.old.id,
        plan.user_arn,
        plan.profiles.join(", ")
    );
    for file in &plan.files {
        text.push_str(&format!("  file      {}\n", file.path.display()));
    }
    text.push_str(&format!(
        "  then      {} is made inactive; nothing is deleted\n",
        prepared.new.id
    ));
    text
}
