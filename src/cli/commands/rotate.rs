//! `keyagent rotate`: replaces a profile's key in place.

use super::super::rotations::{Report, Workplace, client, runtime, show_step, undo_until};
use super::super::{Format, profiles, ui};
use crate::access_key::AccessKey;
use crate::clock::SystemClock;
use crate::credentials::profile::{Holds, Profile};
use crate::problem::Problem;
use crate::process::Environment;
use crate::rotate::run::{Performer, Prepared, prepare};

/// Replace a profile's key, everywhere that the credentials and config files hold it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Profile whose key is to be replaced; may be repeated [default: AWS_PROFILE, then default]
    #[arg(short, long = "profile", value_name = "PROFILE")]
    profiles: Vec<String>,
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
/// When nothing could be tried: bad files, unknown profiles, no lock.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let loaded = profiles::load(environment)?;
    let names = profiles::chosen(&args.profiles, environment);
    let wanted = with_keys(&profiles::named(&loaded, &names)?)?;
    if !args.dry_run && !args.yes && !ui::can_ask() {
        let names: String = names
            .iter()
            .map(|name| format!(" -p {}", profiles::word(name)))
            .collect();
        return Err(Problem::new(
            "cannot rotate without an answer",
            "there is no terminal to ask on, and --yes was not given",
            format!("keyagent rotate{names} --yes"),
        ));
    }
    let mut workplace = Workplace::open("rotate", environment)?;
    let mut report = Report::new("keyagent.rotate/1");
    let runtime = runtime()?;
    for (profile, key) in wanted {
        let result = runtime.block_on(rotate(profile, key, args, &loaded, &mut workplace, &mut report));
        if let Err(problem) = result {
            report.error(&profile.name, problem);
        }
    }
    runtime.shutdown_background();
    Ok(report.finish(args.format))
}

/// The profiles with their keys, each key once: profiles that share one are rotated together.
fn with_keys<'a>(profiles: &[&'a Profile]) -> Result<Vec<(&'a Profile, &'a AccessKey)>, Problem> {
    let mut wanted: Vec<(&Profile, &AccessKey)> = Vec::new();
    for profile in profiles {
        match &profile.holds {
            Holds::LongTermKey { access_key, .. } => {
                if !wanted.iter().any(|(_, key)| key.id == access_key.id) {
                    wanted.push((profile, access_key));
                }
            }
            Holds::NoLongTermKey(why) => {
                return Err(Problem::new(
                    format!("profile {} has no key to rotate", profile.name),
                    why.clone(),
                    "see which profiles hold a key: keyagent status --offline",
                ));
            }
        }
    }
    Ok(wanted)
}

async fn rotate(
    profile: &Profile,
    key: &AccessKey,
    args: &Args,
    loaded: &profiles::Loaded,
    workplace: &mut Workplace,
    report: &mut Report,
) -> Result<(), Problem> {
    let iam = client(&workplace.connections, &profile.name, key).await?;
    let settings = workplace.settings.profile(&profile.name).clone();
    let prepared = prepare(
        &iam,
        key,
        &loaded.locations,
        workplace.store.as_ref(),
        &workplace.journal,
    )
    .await
    .map_err(|error| error.problem(&profile.name))?;
    let plan = describe(&prepared, workplace.store.name());
    if args.dry_run {
        if args.format == Format::Text {
            ui::out(&plan);
        } else {
            ui::note(plan.trim_end());
        }
        return Ok(());
    }
    ui::note(plan.trim_end());
    if !args.yes && !ui::confirm("go on?") {
        return Err(Problem::new(
            format!("profile {} is not rotated", profile.name),
            "the question was not answered with yes",
            format!("keyagent rotate -p {}", profiles::word(&profile.name)),
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
    let rotation = performer
        .perform(prepared)
        .await
        .map_err(|error| error.problem(&profile.name))?;
    report.rotation(&rotation, settings.grace_days);
    if args.format == Format::Text
        && let (Some(new), Some(last)) = (&rotation.new_access_key_id, rotation.steps.last())
    {
        let old = &rotation.plan.old_access_key_id;
        let until = undo_until(last.at, settings.grace_days).strftime("%Y-%m-%d");
        ui::out(&format!(
            "{}: {old} is replaced by {new}\n{old} is inactive and is kept until {until}; to take it back before:\n  \
             aws iam update-access-key --access-key-id {old} --status Active --profile {}\n",
            rotation.plan.profiles.join(", "),
            profiles::word(&profile.name),
        ));
    }
    Ok(())
}

/// The plan for people: whose key, where it stands, where its secrets will lie.
fn describe(prepared: &Prepared, store: &str) -> String {
    let plan = &prepared.plan;
    let mut text = format!("replace {} of {}\n", plan.old_access_key_id, plan.user_arn);
    text.push_str(&format!("  profiles  {}\n", plan.profiles.join(", ")));
    for file in &plan.files {
        let lines: Vec<String> = file
            .lines
            .iter()
            .map(|(id, secret)| format!("{id} and {secret}"))
            .collect();
        text.push_str(&format!(
            "  file      {}, lines {}\n",
            file.path.display(),
            lines.join(", ")
        ));
    }
    text.push_str(&format!(
        "  secrets   kept in the {store} until the old key is deleted\n"
    ));
    text.push_str("  then      the old key is made inactive; nothing is deleted\n");
    text
}
