//! `keyagent rotate`: replaces a profile's key in place.

use std::path::PathBuf;

use super::super::failed::Failure;
use super::super::rotations::{
    MfaArgs, Report, Workplace, client, confirm, documented, last_day, needs_answer, needs_yes_for_now,
    runtime, show_plan, with_mfa,
};
use super::super::signing::mfa_serial;
use super::super::{Format, after_rotate, profiles, ui};
use super::status::ask;
use crate::access_key::AccessKey;
use crate::aws::Client;
use crate::clock::{Clock, SystemClock};
use crate::credentials::location::Locations;
use crate::credentials::profile::{Holds, Profile, key_holder};
use crate::iam::{ErrorKind, Iam};
use crate::policy::Freshness;
use crate::problem::{Problem, word};
use crate::process::Environment;
use crate::rotate::authority::Authority;
use crate::rotate::concern::PutBack;
use crate::rotate::error::Error;
use crate::rotate::plan::{Prepared, Surroundings, prepare};
use crate::rotate::retire::{self, Verdict};
use crate::rotate::state::Rotation;
use crate::settings::Settings;

mod plan;

/// Replace a profile's key, everywhere that the credentials and config files hold it
///
/// A new key is made, proven with STS and IAM, and put in the place of the old one; the old key is then made
/// inactive, and can be taken back with `keyagent undo` until `keyagent retire` deletes it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Profile whose key is to be replaced; may be repeated [default: AWS_PROFILE, then default]
    #[arg(short, long = "profile", value_name = "PROFILE", conflicts_with = "overdue")]
    profiles: Vec<String>,
    /// Replace every key that is past its limit
    #[arg(long)]
    overdue: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete the old key at once instead of keeping it for an undo; needs --yes or --dry-run
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

/// A key that is to be replaced.
struct Target {
    /// The profile that holds it.
    profile: Profile,
    key: AccessKey,
    /// The device that the profile which was asked for names, or the settings.
    mfa_serial: Option<String>,
    settings: Settings,
    /// Further files of the profiles that share the key.
    also_update: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
///
/// When nothing could be tried: bad files, unknown profiles, no lock.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let names = profiles::chosen(&args.profiles, environment);
    let asked = if args.overdue { &[] } else { &names[..] };
    documented("keyagent.rotate/1", args.format, asked, || {
        run_for(&names, args, environment)
    })
}

fn run_for(names: &[String], args: &Args, environment: &Environment) -> Result<u8, Failure> {
    let command = command(args, names);
    needs_yes_for_now(args.now, args.yes, args.dry_run, &command)?;
    let before = profiles::load(environment)?;
    if !args.overdue {
        profiles::named(&before, names, "keyagent rotate")?;
    }
    needs_answer("rotate", args.yes, args.dry_run, &command)?;
    let mut workplace = Workplace::open("rotate", environment)?;
    let _lock = workplace.lock(&before.locations.credentials)?;
    // Whoever held the lock may have changed the files.
    let loaded = profiles::load(environment)?;
    let mut report = Report::new("keyagent.rotate/1");
    let runtime = runtime()?;
    let targets = if args.overdue {
        runtime.block_on(overdue(&loaded, &mut workplace, &mut report))
    } else {
        let wanted = profiles::named(&loaded, names, "keyagent rotate")?;
        targets(&loaded.profiles, &wanted, &workplace, &mut report)
    };
    if targets.is_empty() && report.is_empty() {
        ui::note("no key is overdue");
        return Ok(report.finish(args.format));
    }
    let ids: Vec<_> = targets.iter().map(|target| target.key.id.clone()).collect();
    workplace.warn_about_others(|rotation| ids.contains(&rotation.plan.old_access_key_id));
    runtime.block_on(async {
        let prepared = prepare_all(targets, args, &loaded.locations, &mut workplace, &mut report).await;
        if prepared.is_empty() || args.dry_run {
            return;
        }
        report.tell_errors();
        if let Err(problem) = confirm(args.yes, "nothing is rotated", &command) {
            let profile = match &prepared[..] {
                [(target, _)] => &target.profile.name,
                _ => "",
            };
            report.error(profile, problem);
            return;
        }
        for (target, prepared) in prepared {
            if let Err(problem) = rotate(&target, &prepared, args, &mut workplace, &mut report).await {
                report.error(&target.profile.name, problem);
            }
        }
    });
    runtime.shutdown_background();
    Ok(report.finish(args.format))
}

/// What was typed, for a hint.
fn command(args: &Args, names: &[String]) -> String {
    let mut command = String::from("keyagent rotate");
    if args.overdue {
        command.push_str(" --overdue");
    } else {
        for name in names {
            command.push_str(&format!(" -p {}", word(name)));
        }
    }
    command
}

/// The profiles with their keys, each key once: profiles that share one are rotated together. A profile that
/// assumes a role stands for the key that it does so with.
fn targets(all: &[Profile], wanted: &[&Profile], workplace: &Workplace, report: &mut Report) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for profile in wanted {
        match key_holder(all, profile) {
            Ok(holder) => {
                let Holds::LongTermKey { access_key, .. } = &holder.holds else {
                    unreachable!("a key holder holds a key")
                };
                if targets.iter().any(|target| target.key.id == access_key.id) {
                    continue;
                }
                if holder.name != profile.name {
                    ui::note(&format!(
                        "{} assumes its role with the key of profile {}, which is the one to rotate",
                        profile.name, holder.name
                    ));
                }
                let settings = workplace.settings.profile(&holder.name).clone();
                let shares = |other: &&Profile| match &other.holds {
                    Holds::LongTermKey {
                        access_key: other, ..
                    } => other.id == access_key.id,
                    Holds::NoLongTermKey(_) => false,
                };
                let sharing = all.iter().filter(shares).map(|other| other.name.as_str());
                targets.push(Target {
                    also_update: workplace.also_update(sharing),
                    profile: holder.clone(),
                    key: access_key.clone(),
                    mfa_serial: mfa_serial(&settings, holder, profile),
                    settings,
                });
            }
            Err(why) => report.error(
                &profile.name,
                Problem::new(
                    format!("profile {} has no key to rotate", profile.name),
                    why,
                    "see which profiles hold a key: keyagent status --offline",
                ),
            ),
        }
    }
    targets
}

/// Every key that is past its limit; a key about which AWS does not answer is an error, not a fresh one.
async fn overdue(loaded: &profiles::Loaded, workplace: &mut Workplace, report: &mut Report) -> Vec<Target> {
    let all: Vec<&Profile> = loaded.profiles.iter().collect();
    let mut answers = ask(
        &all,
        &loaded.locations,
        &workplace.settings,
        &workplace.connections,
        &workplace.state_folder,
    )
    .await;
    let grace_days = |profile: &str| workplace.settings.profile(profile).grace_days;
    let now = SystemClock.now();
    answers.add_rotations(workplace.journal.rotations(), |_| false, grace_days, now);
    for failed in &answers.errors {
        report.error(&failed.profile, failed.problem.clone());
    }
    let names: Vec<&String> = answers
        .keys
        .iter()
        .filter(|key| key.current && key.freshness == Freshness::Overdue)
        .filter_map(|key| key.profiles.first())
        .collect();
    let wanted: Vec<&Profile> = loaded
        .profiles
        .iter()
        .filter(|profile| names.contains(&&profile.name))
        .collect();
    targets(&loaded.profiles, &wanted, workplace, report)
}

/// Checks and shows them all, so that there is one question for everything.
async fn prepare_all(
    targets: Vec<Target>,
    args: &Args,
    locations: &Locations,
    workplace: &mut Workplace,
    report: &mut Report,
) -> Vec<(Target, Prepared<Client>)> {
    let mut code = args.mfa.mfa_code.clone();
    let mut prepared = Vec::new();
    for target in targets {
        match prepare_one(&target, &mut code, args, locations, workplace, report).await {
            Ok(one) => prepared.push((target, one)),
            Err(problem) => report.error(&target.profile.name, problem),
        }
    }
    prepared
}

async fn prepare_one(
    target: &Target,
    code: &mut Option<String>,
    args: &Args,
    locations: &Locations,
    workplace: &Workplace,
    report: &mut Report,
) -> Result<Prepared<Client>, Problem> {
    let name = &target.profile.name;
    let iam = client(&workplace.connections, name, &target.key).await?;
    let surroundings = Surroundings {
        locations,
        also_update: &target.also_update,
        store: workplace.store.as_ref(),
        journal: &workplace.journal,
        state_folder: &workplace.state_folder,
        grace_days: target.settings.grace_days,
        now: SystemClock.now(),
    };
    let result = with_mfa(target.mfa_serial.clone(), code.take(), &args.mfa, async |mfa| {
        prepare(&iam, &target.key, &surroundings, mfa).await
    })
    .await;
    let prepared = result.map_err(|error| {
        let is_refused = matches!(&error, Error::Iam(error) if error.kind == ErrorKind::InvalidClientTokenId);
        match PutBack::of(&target.key.id, workplace.journal.rotations()) {
            Some(put_back) if is_refused => put_back.problem(what(name)),
            Some(_) | None => problem(&error, name),
        }
    })?;
    let policy = if args.dry_run {
        Some(plan::policy(&prepared).await)
    } else {
        None
    };
    let (policy, after_rotate) = (policy.as_deref(), target.settings.after_rotate.as_deref());
    let text = plan::describe(&prepared, workplace, args.now, after_rotate, policy);
    show_plan(&text, args.dry_run, args.format);
    if args.dry_run {
        let planned = Rotation::planned(name.clone(), prepared.plan.clone(), surroundings.now);
        let more = plan::document(&prepared, after_rotate, policy);
        report.plan(&planned, target.settings.grace_days, more);
    }
    Ok(prepared)
}

fn problem(error: &Error, profile: &str) -> Problem {
    error.problem(what(profile), profile)
}

fn what(profile: &str) -> String {
    format!("cannot rotate the key of profile {profile}")
}

async fn rotate(
    target: &Target,
    prepared: &Prepared<Client>,
    args: &Args,
    workplace: &mut Workplace,
    report: &mut Report,
) -> Result<(), Problem> {
    let name = &target.profile.name;
    let settings = &target.settings;
    let authority = &prepared.authority;
    let failed = |error: Error| problem(&error, name);
    let rotation = workplace
        .perform(authority, settings, async |performer| {
            if let Some(earlier) = &prepared.retire_first {
                performer.delete_superseded(&earlier.id).await?;
            }
            let id = performer.perform(prepared).await?;
            Ok(performer.rotation(&id).clone())
        })
        .await
        .map_err(failed)?;
    let rotation = if args.now {
        delete_at_once(rotation, authority, settings, workplace, report, name).await
    } else {
        rotation
    };
    if let Some(command) = &settings.after_rotate {
        after_rotate::run(command, &rotation);
    }
    report.rotation(&rotation, settings.grace_days);
    if args.format == Format::Text {
        ui::out(&summary(&rotation, settings.grace_days, name));
    }
    Ok(())
}

/// `--now`. Whatever speaks against it, the rotation itself is done and stays.
async fn delete_at_once(
    rotation: Rotation,
    authority: &Authority<Client>,
    settings: &Settings,
    workplace: &mut Workplace,
    report: &mut Report,
    profile: &str,
) -> Rotation {
    let user_name = &rotation.plan.user_name;
    let id = rotation.id.clone();
    let old = rotation.plan.old_access_key_id.clone();
    // The old key is inactive by now; the new one, or the session, signs.
    let new = rotation.new_access_key_id.as_ref().and_then(|id| {
        let secret = workplace.store.get(id).ok()??;
        Some(AccessKey {
            id: id.clone(),
            secret,
        })
    });
    let signer = match new {
        Some(new) => Authority {
            iam: authority.or_key(&new),
            mfa_serial: authority.mfa_serial.clone(),
        },
        None => authority.clone(),
    };
    let judged = async {
        let keys = signer.iam.list_access_keys(Some(user_name)).await?;
        Ok::<_, crate::iam::Error>(retire::judge(&signer.iam, &rotation, &keys, SystemClock.now(), 0).await)
    };
    let what = format!("{old} is replaced, but not deleted");
    match judged.await {
        Ok(Verdict::Delete | Verdict::Gone) => {
            let deleted = workplace
                .perform(&signer, settings, async |performer| {
                    performer.delete_superseded(&id).await
                })
                .await;
            if let Err(error) = deleted {
                report.error(profile, error.problem(what, profile));
            }
        }
        Ok(Verdict::Keep(kept)) => {
            let hint = format!("look again later: keyagent retire -p {}", word(profile));
            report.error(profile, Problem::new(what, kept.why(), hint));
        }
        Ok(Verdict::TooEarly { .. }) => unreachable!("without a grace nothing is too early"),
        Err(error) => report.error(profile, error.problem(what, profile)),
    }
    workplace.journal.rotation(&id).clone()
}

fn summary(rotation: &Rotation, grace_days: u32, profile: &str) -> String {
    let old = &rotation.plan.old_access_key_id;
    let new = rotation
        .new_access_key_id
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    let mut text = format!(
        "{}: {old} is replaced by {new}\n",
        rotation.plan.profiles.join(", ")
    );
    if rotation.superseded().is_some() {
        text.push_str(&format!(
            "{old} is inactive, and kept until {}; to take it back:\n  keyagent undo -p {}\n",
            last_day(rotation, grace_days),
            word(profile),
        ));
    } else {
        text.push_str(&format!("{old} is deleted\n"));
    }
    text
}
