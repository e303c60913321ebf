//! `keyagent status`: every profile's key, worst first.

use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;

use super::super::failed::Failure;
use super::super::rotations::{client, load_settings, runtime, tell_concern};
use super::super::{Format, exit_code, profiles, ui};
use crate::access_key::AccessKeyId;
use crate::aws::Connections;
use crate::clock::{Clock, SystemClock};
use crate::credentials::location::Locations;
use crate::credentials::profile::Profile;
use crate::credentials::{FileKind, ambiguity};
use crate::iam::{AccessKeyStatus, ErrorKind};
use crate::policy::{Freshness, days_since};
use crate::problem::{Problem, guarded};
use crate::process::Environment;
use crate::rotate::concern::concern;
use crate::rotate::journal::{self, Journal};
use crate::rotate::run::holder_of;
use crate::rotate::state::Rotation;
use crate::settings::{self, AllSettings};
use crate::status::{HeldKey, KeyReport, Memory, ProfileProblem, Report, offline, online, what_to_do};

/// The columns of a terminal.
#[cfg(feature = "desktop")]
const WIDTH: usize = 80;

/// Show every profile's key: its age, its last use, and what to do about it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this profile; may be repeated
    #[arg(short, long = "profile", value_name = "PROFILE")]
    profiles: Vec<String>,
    /// Ask nobody: show what the files and the last answers tell
    #[arg(long)]
    offline: bool,
    /// One line, from what the agent last knew, if a key needs you; for a shell's start
    #[cfg(feature = "desktop")]
    #[arg(long, conflicts_with_all = ["profiles", "offline", "exit_code", "format"])]
    brief: bool,
    /// Exit with 1 when a key is overdue
    #[arg(long)]
    exit_code: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// Runs the command.
///
/// # Errors
///
/// When there is nothing to ask about.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    #[cfg(feature = "desktop")]
    if args.brief {
        brief(environment);
        return Ok(exit_code::OK);
    }
    match (shown(args, environment), args.format) {
        (Err(failure), Format::Json) => {
            // Whoever reads stdout is to find a document.
            let profile = failure.profile_among(&args.profiles);
            let problem = failure.problem;
            ui::document(&Report::failed(problem.clone(), profile, SystemClock.now()));
            Err(problem)
        }
        (result, Format::Json | Format::Text) => result.map_err(Problem::from),
    }
}

fn shown(args: &Args, environment: &Environment) -> Result<u8, Failure> {
    let loaded = profiles::load(environment)?;
    let wanted = if args.profiles.is_empty() {
        loaded.profiles.iter().collect()
    } else {
        profiles::named(&loaded, &args.profiles, "keyagent status")?
    };
    let settings = load_settings(environment)?;
    let state_folder = settings::state_folder(environment)
        .map_err(|error| Problem::new("cannot show the status", error.to_string(), "export HOME"))?;
    let limits = |profile: &str| settings.profile(profile).limits;
    let default_limits = settings.defaults().limits;
    let memory = Memory::load(&state_folder);
    let now = SystemClock.now();
    let mut report = if args.offline {
        offline(&wanted, &loaded.locations, default_limits, limits, &memory, now)
    } else {
        let connections = Connections::new(environment);
        let runtime = runtime()?;
        let asked = ask(&wanted, &loaded.locations, &settings, &connections, &state_folder);
        let report = runtime.block_on(asked);
        runtime.shutdown_background();
        report
    };
    let rotations = match Journal::look(&state_folder) {
        Ok(rotations) => {
            let goes_on = |rotation: &Rotation| holder_of(&state_folder, rotation).is_some();
            let grace_days = |profile: &str| settings.profile(profile).grace_days;
            report.add_rotations(&rotations, goes_on, grace_days, now);
            rotations
        }
        Err(error) => {
            report.without_rotations(unreadable(&error));
            Vec::new()
        }
    };
    let stumbles = stumbles(&loaded);
    for failed in &mut report.errors {
        let of_profile = |stumble: &&Stumble| {
            let profile = stumble.profile.as_deref();
            profile.is_some_and(|profile| failed.sharing.iter().any(|name| name == profile))
        };
        if let Some(stumble) = stumbles.iter().find(of_profile) {
            blame_the_file(
                failed,
                &stumble.words,
                &edit(&loaded.locations.credentials, stumble.line),
            );
        }
    }
    match args.format {
        Format::Json => ui::document(&report),
        Format::Text => ui::out(&text(&report, now)),
    }
    for Stumble { line, words, .. } in &stumbles {
        ui::warning(words, &edit(&loaded.locations.credentials, *line));
    }
    for failed in &report.errors {
        ui::problem(&failed.problem);
    }
    warn_about_files(&loaded.locations.credentials);
    for rotation in &rotations {
        if let Some(concern) = concern(rotation) {
            tell_concern(&concern, rotation, &state_folder);
        }
    }
    let is_overdue = report.keys.iter().any(is_overdue);
    Ok(match (report.errors.is_empty(), args.exit_code && is_overdue) {
        (false, _) => exit_code::FAILED,
        (true, true) => exit_code::FOUND,
        (true, false) => exit_code::OK,
    })
}

/// The user's other key signs as well, unless it is inactive.
fn is_overdue(key: &KeyReport) -> bool {
    let may_sign = key.current || key.status != Some(AccessKeyStatus::Inactive);
    may_sign && key.freshness == Freshness::Overdue
}

/// Tells of a journal that cannot be read.
pub fn unreadable(error: &journal::Error) -> Problem {
    Problem::new(
        "cannot tell which keys are superseded",
        error.to_string(),
        error.hint(),
    )
}

/// Reads two small files. A shell's start must not fail, nor wait, for our sake: what cannot be told is not.
#[cfg(feature = "desktop")]
fn brief(environment: &Environment) {
    use crate::agent::{lines, memory, snooze};
    let Ok(state_folder) = settings::state_folder(environment) else {
        return;
    };
    let memory = memory::Memory::load(&state_folder);
    let snoozed = snooze::load(&state_folder);
    if let Some(brief) = lines::brief(&memory, &snoozed, SystemClock.now()) {
        ui::out(&format!("{}\n", one_line(&brief.words, &brief.command)));
    }
}

/// One line, where a terminal has the room; a command stays whole, to be pasted.
#[cfg(feature = "desktop")]
fn one_line(words: &str, command: &str) -> String {
    let line = format!("{words}: {command}");
    if line.chars().count() <= WIDTH {
        return line;
    }
    format!("{}\n  {command}", ui::wrapped_at(words, WIDTH, 2))
}

/// Asks AWS about the keys of these profiles, and keeps the answers for `--offline`.
pub async fn ask(
    wanted: &[&Profile],
    locations: &Locations,
    settings: &AllSettings,
    connections: &Connections,
    state_folder: &Path,
) -> Report {
    let mut memory = Memory::load(state_folder);
    let connect =
        |held: HeldKey| async move { client(connections, &held.profiles[0], &held.access_key).await };
    let report = online(
        wanted,
        locations,
        settings.defaults().limits,
        |profile| settings.profile(profile).limits,
        connect,
        &mut memory,
        SystemClock.now(),
    )
    .await;
    if let Err(error) = memory.save(state_folder) {
        ui::note(&format!(
            "warning: the answers are not kept for --offline: {error}"
        ));
    }
    report
}

fn text(report: &Report, now: Timestamp) -> String {
    let mut text = String::new();
    if !report.keys.is_empty() {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["PROFILE", "KEY ID", "AGE", "LAST USE", "STATE", "DO"]);
        for key in &report.keys {
            table.add_row([
                shortened(&guarded(&name(key)), 16),
                key.access_key_id.to_string(),
                age(key, report),
                last_use(key, now),
                state(key).to_owned(),
                what_to_do(key).0.to_owned(),
            ]);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
        }
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    let mut commands: Vec<String> = Vec::new();
    for command in report.keys.iter().filter_map(|key| what_to_do(key).1) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    if !commands.is_empty() {
        text.push_str("\nto do:\n");
        for command in commands {
            text.push_str(&format!("  {}{command}{:#}\n", ui::BOLD, ui::BOLD));
        }
    }
    let notes: Vec<String> = report
        .keys
        .iter()
        .filter_map(|key| Some(note(&key.access_key_id, key.note.as_ref()?)))
        .collect();
    let shared = report.keys.iter().filter(|key| key.profiles.len() > 1);
    let shared: Vec<String> = shared
        .map(|key| format!("{}: held by {}", key.access_key_id, key.profiles.join(", ")))
        .collect();
    let skipped: Vec<String> = report
        .skipped
        .iter()
        .map(|skipped| format!("{}: {}", skipped.profile, skipped.why))
        .collect();
    for (heading, lines) in [("notes", [notes, shared].concat()), ("no long-term key", skipped)] {
        if !lines.is_empty() {
            text.push_str(&format!("\n{}{heading}:\n", ui::DIM));
            for line in lines {
                text.push_str(&format!("  {line}\n"));
            }
            text.push_str(&format!("{:#}", ui::DIM));
        }
    }
    text.trim_start_matches('\n').to_owned()
}

/// A command that does not fit on the line gets one of its own, whole.
fn note(id: &AccessKeyId, words: &str) -> String {
    let line = format!("{id}: {words}");
    match words.rsplit_once(": keyagent ") {
        Some((before, command)) if line.chars().count() > 78 => {
            format!("{id}: {before}:\n    keyagent {command}")
        }
        Some(_) | None => line,
    }
}

fn name(key: &KeyReport) -> String {
    if key.current {
        key.profiles.join(",")
    } else {
        "(other key)".into()
    }
}

fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 1).chain(['…']).collect()
}

/// A bar of six cells that is full at the limit, and the days.
fn age(key: &KeyReport, report: &Report) -> String {
    let Some(days) = key.age_days else {
        return "unknown".into();
    };
    let full = (6 * days / report.limit_days().max(1)).min(6) as usize;
    format!("{}{} {days:>4}d", "█".repeat(full), "░".repeat(6 - full))
}

fn last_use(key: &KeyReport, now: Timestamp) -> String {
    match (&key.last_used, key.last_used_known) {
        (_, false) => "unknown".into(),
        // "N/A" is AWS's word for never, and for no data.
        (None, true) => "none known".into(),
        (Some(used), true) => match days_since(used.date, now) {
            0 => format!("today {}", shortened(&used.service, 6)),
            days => format!("{days}d {}", shortened(&used.service, 6)),
        },
    }
}

fn state(key: &KeyReport) -> &'static str {
    match (key.status, key.freshness) {
        (None, _) | (Some(AccessKeyStatus::Active), Freshness::Unknown) => "unknown",
        (Some(AccessKeyStatus::Inactive), _) => "inactive",
        (Some(AccessKeyStatus::Active), Freshness::Overdue) => "overdue",
        (Some(AccessKeyStatus::Active), Freshness::Due) => "due",
        (Some(AccessKeyStatus::Active), Freshness::Fresh) => "active",
    }
}

fn edit(path: &Path, line: usize) -> String {
    format!("\"${{EDITOR:-vi}}\" +{line} {}", crate::problem::quoted(path))
}

/// A line for which one of AWS's readers refuses the credentials file, or over which they do not agree.
struct Stumble {
    line: usize,
    words: String,
    /// The section that it stands in.
    profile: Option<String>,
}

fn stumbles(loaded: &profiles::Loaded) -> Vec<Stumble> {
    let path = &loaded.locations.credentials;
    let text = loaded.credentials.text().unwrap_or_default();
    ambiguity::mistakes(&loaded.credentials, FileKind::Credentials)
        .into_iter()
        .map(|mistake| Stumble {
            line: mistake.line,
            words: format!("{}, line {}: {}", path.display(), mistake.line, mistake.why),
            profile: section_at(text, mistake.line),
        })
        .collect()
}

fn section_at(text: &str, line: usize) -> Option<String> {
    let above = text.lines().take(line).map(str::trim);
    let header = above.filter(|line| line.starts_with('[')).last()?;
    let name = header.trim_start_matches('[').split(']').next()?.trim();
    Some(name.to_owned())
}

/// What AWS says of a pair that was put together from a broken section is no fault of the key's.
fn blame_the_file(failed: &mut ProfileProblem, words: &str, command: &str) {
    let is_of_the_pair = matches!(
        failed.kind,
        Some(ErrorKind::InvalidClientTokenId | ErrorKind::SignatureDoesNotMatch)
    );
    if is_of_the_pair {
        failed.problem.cause = format!("{words}\nread so, AWS says: {}", failed.problem.cause);
        failed.problem.hint = format!("mend that line first: {command}");
    }
}

/// Others on this machine can read the secrets.
#[cfg(unix)]
fn warn_about_files(credentials: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = credentials
        .metadata()
        .map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        let path = crate::problem::quoted(credentials);
        ui::warning(
            &format!("{path} is open to others (mode {mode:03o})"),
            &format!("chmod 600 {path}"),
        );
    }
}

#[cfg(not(unix))]
fn warn_about_files(_: &Path) {}
