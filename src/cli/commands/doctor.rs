//! `keyagent doctor`: what is wrong on this machine, each thing with the command that mends it.

use std::path::Path;

use futures_util::stream::{self, StreamExt};

use super::super::failed::documented;
use super::super::rotations::{client, runtime};
use super::super::{Format, exit_code, profiles, ui};
use crate::access_key::AccessKeyId;
use crate::aws::Connections;
use crate::clock::{Clock, SystemClock, today};
use crate::credentials::location::Locations;
use crate::credentials::profile::Profile;
use crate::doctor::{Area, Check, Level, Report, account, files, machine, strays};
use crate::problem::Problem;
use crate::process::Environment;
use crate::rotate::concern::PutBack;
use crate::rotate::journal::Journal;
use crate::rotate::state::Rotation;
use crate::settings::{self, AllSettings};
use crate::status::{Memory, held_keys};

/// Say what is wrong on this machine, and the command that mends it
///
/// Looks at AWS's files, at keys outside them, at the settings, the keyring, the desktop, git's hooks and the agent, and
/// asks AWS about the clock and about each key. Changes nothing, unless --fix is given; exits 1 when there is something
/// to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ask AWS about this profile's key only; may be repeated [default: all]
    #[arg(short, long = "profile", value_name = "PROFILE")]
    profiles: Vec<String>,
    /// Do not ask AWS
    #[arg(long)]
    offline: bool,
    /// Mend what is safe to mend: the modes of AWS's files
    #[arg(long)]
    fix: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// So many keys are asked about at once; each is half a dozen calls.
const AT_ONCE: usize = 8;

/// Runs the command.
///
/// # Errors
///
/// When a profile that was named is not there.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    documented("keyagent.doctor/1", args.format, examine(args, environment))
}

fn examine(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let mut checks = Vec::new();
    let loaded = profiles::load(environment);
    if let Ok(loaded) = &loaded {
        profiles::named(loaded, &args.profiles, "keyagent doctor")?;
    }
    let locations = Locations::of(environment);
    if let Some(locations) = &locations {
        checks.extend(files::check(locations));
    }
    if let Err(problem) = &loaded
        && !checks
            .iter()
            .any(|check| check.check == "lines" && check.level == Level::Problem)
    {
        checks.push(Check::problem(Area::Files, "profiles", problem));
    }
    let home = environment
        .get_path("HOME")
        .or_else(|| environment.get_path("USERPROFILE"));
    checks.extend(strays::check(home, environment, today()));
    checks.extend(machine::settings(environment));
    checks.extend(machine::further_files(environment, home));
    let (settings, _) = AllSettings::load_what_can_be(environment);
    let state_folder = settings::state_folder(environment).ok();
    let mut rotations = Vec::new();
    if let Some(folder) = &state_folder {
        let look = Journal::look(folder);
        checks.extend(machine::rotations(folder, &look));
        rotations = look.unwrap_or_default();
        checks.push(machine::keyring(
            settings.defaults().secret_store,
            folder,
            environment,
        ));
    }
    checks.push(machine::hook(Path::new(".")));
    let runtime = runtime()?;
    #[cfg(feature = "desktop")]
    {
        if let Some(folder) = &state_folder {
            checks.push(machine::agent(folder, environment));
        }
        checks.push(runtime.block_on(machine::notifications(environment)));
    }
    if !args.offline {
        let keys = loaded.as_ref().map(|loaded| {
            let wanted = match profiles::named(loaded, &args.profiles, "keyagent doctor") {
                Ok(named) if !named.is_empty() => named,
                Ok(_) | Err(_) => loaded.profiles.iter().collect(),
            };
            let asked = ask(&wanted, &loaded.locations, &settings, &rotations, environment);
            let (checks, arns) = runtime.block_on(asked);
            if let Some(folder) = &state_folder {
                remember(arns, folder);
            }
            checks
        });
        checks.extend(keys.unwrap_or_else(|_| vec![account::nobody_to_ask()]));
    }
    runtime.shutdown_background();
    let mut report = Report::new(checks, args.offline, SystemClock.now());
    if args.fix {
        report.mend();
    }
    match args.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&report).expect("a report has string keys only");
            ui::out(&format!("{text}\n"));
        }
        Format::Text => ui::out(&text(&report)),
    }
    let to_do = report.count(Level::Problem) + report.count(Level::Warning);
    Ok(if to_do > 0 {
        exit_code::FOUND
    } else {
        exit_code::OK
    })
}

/// Keeps for `status` whose each key is. At worst it names no ARN, as before.
fn remember(arns: Vec<(AccessKeyId, String)>, state_folder: &Path) {
    if arns.is_empty() {
        return;
    }
    let mut memory = Memory::load(state_folder);
    for (id, arn) in arns {
        memory.learn_arn(&id, arn);
    }
    let _ = memory.save(state_folder);
}

/// Asks AWS about each key of these profiles; gives the ARNs too.
async fn ask(
    wanted: &[&Profile],
    locations: &Locations,
    settings: &AllSettings,
    rotations: &[Rotation],
    environment: &Environment,
) -> (Vec<Check>, Vec<(AccessKeyId, String)>) {
    let (held, _) = held_keys(wanted, locations);
    if held.is_empty() {
        return (vec![account::nobody_to_ask()], Vec::new());
    }
    let connections = &Connections::new(environment);
    let asked: Vec<(Vec<Check>, _)> = stream::iter(held)
        .map(|held| async move {
            let profile = &held.profiles[0];
            let client = match client(connections, profile, &held.access_key).await {
                Ok(client) => client,
                Err(problem) => return (vec![Check::problem(Area::Account, "endpoint", &problem)], None),
            };
            let of_profile = wanted.iter().find(|wanted| wanted.name == *profile);
            let mfa_serial = settings
                .profile(profile)
                .mfa_serial
                .as_deref()
                .or_else(|| of_profile?.mfa_serial.as_deref());
            let subject = account::Subject {
                profile,
                client: &client,
                mfa_serial,
                access_key_id: &held.access_key.id,
                put_back: PutBack::of(&held.access_key.id, rotations),
            };
            let (checks, arn) = account::check(&subject, || SystemClock.now()).await;
            (checks, arn.map(|arn| (held.access_key.id.clone(), arn)))
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (checks, arns): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    (
        account::once(checks.concat()),
        arns.into_iter().flatten().collect(),
    )
}

/// So much of a line is taken by what stands before its words.
const INDENT: usize = 11;
const WIDTH: usize = 80;

fn text(report: &Report) -> String {
    let mut text = String::new();
    for area in [Area::Files, Area::Strays, Area::Machine, Area::Account] {
        let mut of_area = report.checks.iter().filter(|check| check.area == area).peekable();
        let heading = match area {
            Area::Files => "AWS's files",
            Area::Strays => "keys elsewhere",
            Area::Machine => "this machine",
            Area::Account => "AWS",
        };
        if of_area.peek().is_some() {
            text.push_str(&format!("{}{heading}{:#}\n", ui::BOLD, ui::BOLD));
        }
        of_area.for_each(|check| text.push_str(&entry(check)));
    }
    if report.offline {
        text.push_str(&format!("{}AWS was not asked: --offline{:#}\n", ui::DIM, ui::DIM));
    }
    let counted = |level, one: &str, many: &str| match report.count(level) {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {many}")),
    };
    let parts: Vec<String> = [
        counted(Level::Problem, "problem", "problems"),
        counted(Level::Warning, "warning", "warnings"),
        counted(Level::Unknown, "unknown", "unknown"),
    ]
    .into_iter()
    .flatten()
    .collect();
    text.push('\n');
    let is_something_wrong = report.count(Level::Problem) + report.count(Level::Warning) > 0;
    text.push_str(&match (parts.is_empty(), is_something_wrong) {
        (true, _) => "all is well\n".to_owned(),
        (false, true) => format!("{}\n", parts.join(", ")),
        (false, false) => format!("nothing is wrong, as far as it is known; {}\n", parts.join(", ")),
    });
    if report.mendable() > 0 {
        text.push_str("modes are mended by: keyagent doctor --fix\n");
    }
    text
}

/// One check: its level, its words at the width of a terminal, and the command, whole.
fn entry(check: &Check) -> String {
    let (style, word) = match check.level {
        Level::Ok => (ui::GREEN, if check.fixed { "mended" } else { "ok" }),
        Level::Warning => (ui::YELLOW, "warning"),
        Level::Problem => (ui::RED, "problem"),
        Level::Unknown => (ui::DIM, "unknown"),
    };
    let indent = " ".repeat(INDENT);
    let words = ui::wrapped_at(&check.message, WIDTH, INDENT);
    let mut text = format!("  {style}{word:<8}{style:#} {words}\n");
    for line in check.command.iter().flat_map(|command| command.lines()) {
        // A command is to be pasted, and stays whole; advice in words has commas.
        let line = if line.contains(", ") {
            ui::wrapped_at(line, WIDTH, INDENT)
        } else {
            line.to_owned()
        };
        text.push_str(&format!("{indent}{}{line}{:#}\n", ui::BOLD, ui::BOLD));
    }
    text
}
