//! `keyagent settings`: what holds, where it comes from, and what is wrong with it.

use clap::Subcommand;

use super::super::rotations::load_settings;
use super::super::{exit_code, profiles, ui};
use crate::problem::{Problem, word};
use crate::process::Environment;
use crate::settings::{self, AllSettings, SYSTEM_FILE};

/// Show the settings, their files, and every mistake in them
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what holds, as a settings file would have it
    Show {
        /// Only for this profile
        #[arg(short, long = "profile", value_name = "PROFILE")]
        profile: Option<String>,
    },
    /// Say which files are read, in their order
    Path,
    /// Name the line of every mistake; exits with 1 when there is one
    Check,
}

/// Runs the command.
///
/// # Errors
///
/// When the settings cannot be taken.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let no_home =
        |error: settings::Error| Problem::new("cannot find the settings", error.to_string(), "export HOME");
    match &args.command {
        Command::Show { profile } => {
            let all = load_settings(environment)?;
            ui::out(&match profile {
                Some(name) => section(&format!("profile {name}"), all.profile(name), None),
                None => everything(&all),
            });
        }
        Command::Path => {
            let user = settings::user_file(environment).map_err(no_home)?;
            ui::out(&format!("{SYSTEM_FILE}\n{}\n", user.display()));
        }
        Command::Check => {
            let mistakes = AllSettings::mistakes(environment).map_err(no_home)?;
            for mistake in &mistakes {
                ui::out(&format!("{}\n", ui::wrapped_at(&mistake.to_string(), 80, 2)));
            }
            let strangers = strangers(environment);
            for stranger in &strangers {
                ui::out(&format!("{}\n", ui::wrapped_at(stranger, 80, 2)));
            }
            if !mistakes.is_empty() || !strangers.is_empty() {
                return Ok(exit_code::FOUND);
            }
            ui::note("the settings are in order");
        }
    }
    Ok(exit_code::OK)
}

/// Sections of profiles that AWS's files do not have. Where those cannot be read, nothing is known of that.
fn strangers(environment: &Environment) -> Vec<String> {
    let Ok(loaded) = profiles::load(environment) else {
        return Vec::new();
    };
    AllSettings::sections_of_profiles(environment)
        .into_iter()
        .filter(|(_, _, name)| !loaded.profiles.iter().any(|profile| profile.name == *name))
        .map(|(path, line, name)| {
            format!(
                "{}, line {line}: AWS's files have no profile {name}",
                path.display()
            )
        })
        .collect()
}

/// The general ones, then what differs for each profile.
fn everything(all: &AllSettings) -> String {
    let mut text = section("defaults", all.defaults(), None);
    for name in all.profile_names() {
        text.push('\n');
        let heading = format!("profile {name}");
        text.push_str(&section(&heading, all.profile(name), Some(all.defaults())));
    }
    text.push_str(&format!(
        "\n{}# what holds for a profile alone: keyagent settings show -p {}{:#}\n",
        ui::DIM,
        word(all.profile_names().next().unwrap_or("default")),
        ui::DIM
    ));
    text
}

fn section(heading: &str, settings: &settings::Settings, without: Option<&settings::Settings>) -> String {
    let known = without.map(settings::Settings::lines).unwrap_or_default();
    let mut text = format!("[{heading}]\n");
    for line in settings.lines() {
        if !known.contains(&line) {
            text.push_str(&format!("{} = {}\n", line.0, line.1));
        }
    }
    text
}
