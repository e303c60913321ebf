//! `keyagent hook status`: which hooks there are, and what came of trying them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{global_folder, here, is_served_globally, of_this_repository, program};
use crate::cli::{Format, exit_code, ui};
use crate::git::configuration;
use crate::hook::install::{self, Planned, Present};
use crate::hook::manager;
use crate::hook::script::{self, Scope};
use crate::hook::trial::{self, Outcome, Trial};
use crate::hook::{Error, Hook};
use crate::problem::Problem;
use crate::process::Environment;

const LOOKING: &str = "cannot say whether the hooks work";

/// The document `keyagent.hook/1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    scope: &'static str,
    hooks_path: &'a Path,
    /// git's word for where core.hooksPath is set; `default` where it is not.
    hooks_path_from: &'a str,
    manager: Option<&'static str>,
    hooks: Vec<HookState>,
    trial: &'a Trial,
    blocks: bool,
}

#[derive(Serialize)]
struct HookState {
    name: &'static str,
    state: &'static str,
    /// The program that it calls.
    keyagent: Option<String>,
    keyagent_is_there: bool,
    /// Another hook, which it runs too.
    also_runs: Option<PathBuf>,
}

pub(super) fn status(environment: &Environment, is_global: bool, format: Format) -> Result<u8, Problem> {
    let problem = |error: Error| error.while_doing(LOOKING);
    let program = program(environment).map_err(problem)?;
    let (folder, from, scope, hooks, manager, trial);
    if is_global {
        let setting = configuration::users_hooks_path(here()).map_err(|error| problem(error.into()))?;
        from = setting.as_ref().map_or("default", |_| "global").to_owned();
        folder = match setting {
            Some(setting) => setting.value,
            None => global_folder(environment).map_err(problem)?,
        };
        (scope, hooks, manager) = (Scope::Global, Hook::CLIENT, None);
        trial = trial::run(trial::Hooks::Global);
    } else {
        let (places, own) = of_this_repository().map_err(problem)?;
        manager = manager::recognise(&places).map_err(problem)?;
        trial = trial::run(match &places.top {
            Some(top) => trial::Hooks::Repository {
                hooks: &places.hooks,
                top,
            },
            None => trial::Hooks::Server(&places.hooks),
        });
        scope = if is_served_globally(&places, environment) {
            Scope::Global
        } else {
            Scope::Repository
        };
        from = places
            .hooks_path
            .map_or_else(|| "default".to_owned(), |setting| setting.scope);
        (folder, hooks) = (places.hooks, own);
    }
    let trial = trial.map_err(problem)?;
    let plan = install::plan(&folder, scope, hooks, &program).map_err(problem)?;
    let states: Vec<HookState> = plan
        .iter()
        .filter(|planned| Hook::named(planned.name).is_some_and(|hook| hooks.contains(&hook)))
        .map(state)
        .collect();
    match format {
        Format::Text => {
            let mut text = format!("hooks {} ({from})\n", folder.display());
            if let Some(manager) = &manager {
                text.push_str(&format!("looked after by {}\n", manager.kind.as_str()));
            }
            for state in &states {
                text.push_str(&line(state));
            }
            if let Some(commit) = &trial.commit {
                text.push_str(&tried("a commit", commit));
            }
            text.push_str(&tried("a push", &trial.push));
            ui::out(&text);
            if !trial.is_blocked() {
                let option = if is_global { " --global" } else { "" };
                let what = match manager {
                    Some(_) => "for the lines to add",
                    None => "to put it right",
                };
                ui::note(&format!("{what}: keyagent hook install{option}"));
            }
        }
        Format::Json => {
            let document = Document {
                schema: "keyagent.hook/1",
                scope: match scope {
                    Scope::Repository => "repository",
                    Scope::Global => "global",
                },
                hooks_path: &folder,
                hooks_path_from: &from,
                manager: manager.as_ref().map(|manager| manager.kind.as_str()),
                hooks: states,
                blocks: trial.is_blocked(),
                trial: &trial,
            };
            let text = serde_json::to_string_pretty(&document)
                .map_err(|error| Problem::new(LOOKING, error.to_string(), "see it as text: --format text"))?;
            ui::out(&(text + "\n"));
        }
    }
    Ok(if trial.is_blocked() {
        exit_code::OK
    } else {
        exit_code::FOUND
    })
}

fn state(planned: &Planned) -> HookState {
    let keyagent = match planned.present {
        Present::Ours | Present::OursOutdated => std::fs::read_to_string(&planned.path)
            .ok()
            .and_then(|text| script::program(&text)),
        Present::Nothing | Present::Others => None,
    };
    HookState {
        name: planned.name,
        state: match planned.present {
            Present::Nothing => "missing",
            Present::Ours => "installed",
            Present::OursOutdated => "outdated",
            Present::Others => "other",
        },
        keyagent_is_there: keyagent.as_ref().is_some_and(|path| Path::new(path).is_file()),
        keyagent,
        also_runs: planned.has_kept.then(|| planned.kept.clone()),
    }
}

fn line(state: &HookState) -> String {
    let mut text = format!(
        "  {:<17} {}",
        state.name,
        match state.state {
            "other" => "not keyagent's",
            other => other,
        }
    );
    if let Some(program) = &state.keyagent
        && !state.keyagent_is_there
    {
        text.push_str(&format!(", but {program} is gone"));
    }
    if let Some(also) = &state.also_runs {
        text.push_str(&format!("; also runs {}", also.display()));
    }
    text.push('\n');
    text
}

fn tried(what: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Blocked => format!("tried: {what} of a made-up key is blocked\n"),
        Outcome::LetThrough => format!("tried: {what} of a made-up key PASSES\n"),
        Outcome::Unclear(why) => {
            format!("tried: {what} of a made-up key fails, but not because of the key: {why}\n")
        }
    }
}
