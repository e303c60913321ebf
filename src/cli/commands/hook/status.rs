//! `keyagent hook status`: which hooks there are, and what came of trying them.

use std::collections::BTreeSet;
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

/// Where what is said of a hook begins.
const INDENT: usize = 20;

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
    let (folder, from, scope, whose, hooks, manager, trial);
    if is_global {
        let setting = configuration::users_hooks_path(here()).map_err(|error| problem(error.into()))?;
        let own = global_folder(environment).map_err(problem)?;
        from = setting
            .as_ref()
            .map_or_else(|| "default".to_owned(), |setting| setting.scope.clone());
        folder = setting.map_or_else(|| own.clone(), |setting| setting.value);
        (scope, whose) = if folder == own {
            (Scope::Global, Whose::Global)
        } else {
            (Scope::Repository, Whose::GlobalOfOthers)
        };
        (hooks, manager) = (Hook::CLIENT, None);
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
        (scope, whose) = if is_served_globally(&places, environment) {
            (Scope::Global, Whose::Global)
        } else {
            (Scope::Repository, Whose::Repository)
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
            let mut text = format!("hooks in {}\n", folder.display());
            if from != "default" {
                text.push_str(&format!("named by core.hooksPath ({from})\n"));
            }
            if let Some(manager) = &manager {
                text.push_str(&format!("looked after by {}\n", manager.kind.in_words()));
            }
            for state in &states {
                text.push_str(&line(state));
            }
            text.push_str("tried with a made-up key:\n");
            let mut before = None;
            for (what, outcome) in trial.outcomes() {
                text.push_str(&tried(what, outcome, before));
                before = Some(outcome);
            }
            ui::out(&text);
            if hooks == Hook::SERVER {
                super::install::tell_of_a_work_tree_elsewhere();
            }
            tell_what_to_do(&states, &trial, whose, manager.is_some());
        }
        Format::Json => {
            let document = Document {
                schema: "keyagent.hook/1",
                scope: match whose {
                    Whose::Repository => "repository",
                    Whose::Global | Whose::GlobalOfOthers => "global",
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

/// Whose hooks they are, for the command that mends them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// One repository's.
    Repository,
    /// All repositories', put there by keyagent or nobody yet.
    Global,
    /// All repositories', in a folder that somebody else has named.
    GlobalOfOthers,
}

fn tell_what_to_do(states: &[HookState], trial: &Trial, whose: Whose, is_managed: bool) {
    let gone: BTreeSet<&str> = states
        .iter()
        .filter(|state| !state.keyagent_is_there)
        .filter_map(|state| state.keyagent.as_deref())
        .collect();
    for program in &gone {
        ui::note(&format!(
            "this keyagent is gone, so the hooks that call it block everything:\n  {program}"
        ));
    }
    let is_blocked = trial.is_blocked();
    let what = match (is_blocked && gone.is_empty(), is_managed) {
        (true, _) if states.iter().all(|state| state.state != "outdated") => return,
        (true, _) => "to renew the hooks",
        (false, true) => "to see what there is to do",
        (false, false) => "to put it right",
    };
    ui::note(&match whose {
        Whose::Repository => format!("{what}: keyagent hook install"),
        Whose::Global => format!("{what}: keyagent hook install --global"),
        // With `--global` nothing would be changed there.
        Whose::GlobalOfOthers => {
            format!("{what}, in any repository that uses this folder: keyagent hook install")
        }
    });
}

fn line(state: &HookState) -> String {
    let word = match state.state {
        "other" => "not keyagent's",
        "outdated" if state.keyagent_is_there => "installed by another version, or for another keyagent",
        "outdated" | "installed" if !state.keyagent_is_there => "installed, but its keyagent is gone",
        other => other,
    };
    let mut text = format!("  {:<17} {word}", state.name);
    if let Some(name) = state.also_runs.as_deref().and_then(Path::file_name) {
        text.push_str(&format!("; also runs {}", name.display()));
    }
    text.push('\n');
    text
}

fn tried(what: &str, outcome: &Outcome, before: Option<&Outcome>) -> String {
    let result = match outcome {
        Outcome::Blocked => "blocked".to_owned(),
        Outcome::LetThrough => "PASSES".to_owned(),
        Outcome::Unclear(_) if before == Some(outcome) => "the same".to_owned(),
        Outcome::Unclear(why) => {
            let why = format!("stopped, but not because of the key:\n{why}");
            ui::wrapped_at(&why, 80, INDENT)
        }
    };
    format!("  {what:<17} {result}\n")
}
