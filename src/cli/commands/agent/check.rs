//! `keyagent agent check`: what the agent asks of a process of its own. Prints [`Facts`] as JSON.

use super::super::super::rotations::{load_settings, runtime};
use super::super::super::{exit_code, profiles, ui};
use super::super::status::{ask, unreadable};
use crate::agent::facts::{Facts, OpenFile};
use crate::aws::Connections;
use crate::clock::{Clock, SystemClock};
use crate::problem::Problem;
use crate::process::Environment;
use crate::rotate::journal::Journal;
use crate::rotate::run::holder_of;
use crate::rotate::state::Rotation;
use crate::settings;

pub(super) fn run(environment: &Environment) -> Result<u8, Problem> {
    let facts = facts(environment).unwrap_or_else(|problem| Facts {
        open_files: open_files(environment),
        ..Facts::of_problem(problem)
    });
    let text = serde_json::to_string(&facts).expect("facts have string keys only");
    ui::out(&format!("{text}\n"));
    Ok(exit_code::OK)
}

fn facts(environment: &Environment) -> Result<Facts, Problem> {
    let loaded = profiles::load(environment)?;
    // Only the limits of the answers would need them, and the agent judges those itself, by its last good settings.
    let settings = load_settings(environment).unwrap_or_default();
    let state_folder = settings::state_folder(environment)
        .map_err(|error| Problem::new("cannot check", error.to_string(), "export HOME"))?;
    let connections = Connections::new(environment);
    let wanted: Vec<_> = loaded.profiles.iter().collect();
    let runtime = runtime()?;
    let asked = ask(&wanted, &loaded.locations, &settings, &connections, &state_folder);
    let mut report = runtime.block_on(asked);
    runtime.shutdown_background();
    let goes_on = |rotation: &Rotation| holder_of(&state_folder, rotation).is_some();
    let rotations = match Journal::look(&state_folder) {
        Ok(rotations) => {
            let grace_days = |profile: &str| settings.profile(profile).grace_days;
            report.add_rotations(&rotations, goes_on, grace_days, SystemClock.now());
            rotations
        }
        Err(error) => {
            report.without_rotations(unreadable(&error));
            Vec::new()
        }
    };
    let mut facts = Facts::of(&report, &rotations, goes_on);
    facts.open_files = open_files(environment);
    Ok(facts)
}

/// AWS's files that others can read.
#[cfg(unix)]
fn open_files(environment: &Environment) -> Vec<OpenFile> {
    use std::os::unix::fs::PermissionsExt;

    use crate::credentials::location::Locations;

    let Some(locations) = Locations::of(environment) else {
        return Vec::new();
    };
    // The config file has no secrets by rights, and the AWS CLI makes it as open as the umask says.
    let path = locations.credentials;
    let mode = path
        .metadata()
        .map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 == 0 {
        return Vec::new();
    }
    vec![OpenFile {
        path,
        mode: format!("{mode:03o}"),
    }]
}

#[cfg(not(unix))]
fn open_files(_: &Environment) -> Vec<OpenFile> {
    Vec::new()
}
