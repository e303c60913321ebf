//! `keyagent settings`: what holds, where it comes from, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::failed::documented;
use super::super::rotations::load_settings;
use super::super::{Format, exit_code, profiles, ui};
use crate::problem::{Problem, guarded, word};
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
        /// Only for this profile; may be repeated
        #[arg(short, long = "profile", value_name = "PROFILE")]
        profiles: Vec<String>,
        /// How to write the result
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Say which files are read, in their order
    Path {
        /// How to write the result
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Name the line of every mistake; exits with 1 when there is one
    Check {
        /// How to write the result
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
}

/// Runs the command.
///
/// # Errors
///
/// When the settings cannot be taken.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    match &args.command {
        Command::Show { profiles, format } => documented(
            "keyagent.settings/1",
            *format,
            show(profiles, *format, environment),
        ),
        Command::Path { format } => {
            let user = settings::user_file(environment).map_err(no_home)?;
            match format {
                Format::Json => ui::document(&Files {
                    schema: "keyagent.settings-path/1",
                    files: [Path::new(SYSTEM_FILE), &user],
                }),
                Format::Text => ui::out(&format!("{SYSTEM_FILE}\n{}\n", user.display())),
            }
            Ok(exit_code::OK)
        }
        Command::Check { format } => check(*format, environment),
    }
}

fn show(profiles: &[String], format: Format, environment: &Environment) -> Result<u8, Problem> {
    let all = load_settings(environment)?;
    match format {
        Format::Json => ui::document(&Holding::of(&all, profiles)),
        Format::Text if profiles.is_empty() => ui::out(&everything(&all)),
        Format::Text => {
            let of = |name: &String| {
                let heading = format!("profile {}", guarded(name));
                section(&heading, all.profile(name), None)
            };
            ui::out(&profiles.iter().map(of).collect::<Vec<_>>().join("\n"));
        }
    }
    Ok(exit_code::OK)
}

fn no_home(error: settings::Error) -> Problem {
    Problem::new("cannot find the settings", error.to_string(), error.hint())
}

fn check(format: Format, environment: &Environment) -> Result<u8, Problem> {
    let found = AllSettings::mistakes(environment).map_err(no_home)?;
    let mut mistakes = strangers(environment);
    let mut errors = Vec::new();
    for error in found {
        match error {
            settings::Error::Line { path, line, why } => mistakes.push(Mistake { path, line, why }),
            settings::Error::Read { .. } | settings::Error::NoHome => errors.push(Problem::new(
                "cannot check the settings",
                error.to_string(),
                error.hint(),
            )),
        }
    }
    mistakes.sort_by(|one, other| {
        let place = |mistake: &Mistake| (mistake.path != Path::new(SYSTEM_FILE), mistake.line);
        place(one).cmp(&place(other))
    });
    match format {
        Format::Json => ui::document(&Checked {
            schema: "keyagent.settings-check/1",
            mistakes: &mistakes,
            errors: &errors,
        }),
        Format::Text => {
            for Mistake { path, line, why } in &mistakes {
                let words = format!("{}, line {line}: {why}", path.display());
                ui::out(&format!("{}\n", ui::wrapped_at(&words, 80, 2)));
            }
        }
    }
    for problem in &errors {
        ui::problem(problem);
    }
    Ok(match (errors.is_empty(), mistakes.is_empty()) {
        (false, _) => exit_code::FAILED,
        (true, false) => exit_code::FOUND,
        (true, true) => {
            ui::note("the settings are in order");
            exit_code::OK
        }
    })
}

/// The document `keyagent.settings-path/1`: the files in the order in which they are read, whether or not they are there.
#[derive(Debug, Serialize)]
struct Files<'a> {
    schema: &'static str,
    files: [&'a Path; 2],
}

/// The document `keyagent.settings-check/1`.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    schema: &'static str,
    mistakes: &'a [Mistake],
    errors: &'a [Problem],
}

#[derive(Debug, Serialize)]
struct Mistake {
    #[serde(rename = "file")]
    path: PathBuf,
    line: usize,
    why: String,
}

/// Sections of profiles that AWS's files do not have. Where those cannot be read, nothing is known of that.
fn strangers(environment: &Environment) -> Vec<Mistake> {
    let Ok(loaded) = profiles::load(environment) else {
        return Vec::new();
    };
    AllSettings::sections_of_profiles(environment)
        .into_iter()
        .filter(|(_, _, name)| !loaded.profiles.iter().any(|profile| profile.name == *name))
        .map(|(path, line, name)| Mistake {
            path,
            line,
            why: format!("AWS's files have no profile {}", guarded(&name)),
        })
        .collect()
}

/// The document of `settings show`: values as the file has them, numbers and truths as such.
#[derive(Debug, Serialize)]
struct Holding {
    schema: &'static str,
    defaults: Map<String, Value>,
    /// All that holds for each profile that was asked for, or else that has settings of its own.
    profiles: BTreeMap<String, Map<String, Value>>,
}

impl Holding {
    fn of(all: &AllSettings, asked: &[String]) -> Self {
        let names: Vec<&str> = if asked.is_empty() {
            all.profile_names().collect()
        } else {
            asked.iter().map(String::as_str).collect()
        };
        let map = |settings: &settings::Settings| {
            let typed = |(name, value): (&str, String)| (name.to_owned(), typed(name, value));
            settings.lines().into_iter().map(typed).collect()
        };
        Self {
            schema: "keyagent.settings/1",
            defaults: map(all.defaults()),
            profiles: names
                .into_iter()
                .map(|name| (name.to_owned(), map(all.profile(name))))
                .collect(),
        }
    }
}

fn typed(name: &str, value: String) -> Value {
    match name {
        "auto_rotate" | "notify" | "metrics_key_ids" => Value::Bool(value == "yes"),
        "max_age_days" | "warn_days" | "unused_days" | "grace_days" | "idle_minutes" => {
            value.parse::<u32>().map_or(Value::String(value), Value::from)
        }
        "also_update" => value.split(", ").map(Value::from).collect(),
        _ => Value::String(value),
    }
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
