//! `keyagent hook install` and `uninstall`: what was done, or is left to do, in words.

use super::{global_folder, here, is_served_globally, of_this_repository, program};
use crate::cli::{exit_code, ui};
use std::path::PathBuf;

use crate::git::configuration::{self, Places, Setting};
use crate::hook::install::{self, Done, Planned, Present};
use crate::hook::manager::{self, Addition, Manager, Place};
use crate::hook::script::{self, Scope};
use crate::hook::{Error, Hook};
use crate::problem::{Problem, word};
use crate::process::Environment;

const INSTALLING: &str = "cannot install the hooks";
const UNINSTALLING: &str = "cannot take the hooks away";

pub(super) fn print_server_hook(environment: &Environment) -> Result<u8, Problem> {
    let program = program(environment).map_err(|error| error.while_doing(INSTALLING))?;
    ui::out(&script::guard(Hook::PreReceive, Scope::Repository, &program));
    Ok(exit_code::OK)
}

pub(super) fn install_here(environment: &Environment, is_dry_run: bool) -> Result<u8, Problem> {
    let problem = |error: Error| error.while_doing(INSTALLING);
    let (places, all) = of_this_repository().map_err(problem)?;
    if is_served_globally(&places, environment) {
        ui::out(&format!(
            "this repository is served already, by core.hooksPath:\n  {}\n",
            places.hooks.display()
        ));
        return Ok(exit_code::OK);
    }
    let manager = manager::recognise(&places).map_err(problem)?;
    let hooks = manager.as_ref().map_or(all, |manager| &manager.leaves[..]);
    let program = program(environment).map_err(problem)?;
    let all_planned = install::plan(&places.hooks, Scope::Repository, hooks, &program).map_err(problem)?;
    let (mut plan, mut own_name) = (Vec::new(), Vec::new());
    for planned in all_planned {
        if install::asks_for_its_name(&planned).map_err(problem)? {
            own_name.push(planned);
        } else {
            plan.push(planned);
        }
    }
    // First all that can be known, so that nothing is half done.
    for planned in &plan {
        install::would_install(planned).map_err(problem)?;
    }
    for planned in &plan {
        let done = if is_dry_run {
            install::would_install(planned)
        } else {
            install::install(planned)
        };
        tell(planned, done.map_err(problem)?, is_dry_run);
    }
    if let Some(setting) = places.hooks_path.filter(|setting| setting.scope == "global") {
        ui::note(&format!(
            "this folder serves every repository of yours, by core.hooksPath:\n  {}",
            setting.value.display()
        ));
    }
    if places.top.is_none() {
        tell_of_a_work_tree_elsewhere();
    }
    let code = tell_what_to_add_to(&own_name, &program);
    Ok(manager.as_ref().map_or(exit_code::OK, tell_what_to_add).max(code))
}

/// A bare repository shows by nothing that somebody commits to it, as those do who keep their home folder in one.
pub(super) fn tell_of_a_work_tree_elsewhere() {
    ui::note("a bare repository: what is pushed to it is scanned, and no commit in it");
    ui::note("where you commit to it with --work-tree, as to files of your home folder:");
    ui::note("  GIT_DIR=\"$PWD\" GIT_WORK_TREE=\"$HOME\" keyagent hook install");
}

pub(super) fn install_global(environment: &Environment, is_dry_run: bool) -> Result<u8, Problem> {
    let problem = |error: Error| error.while_doing(INSTALLING);
    let folder = global_folder(environment).map_err(problem)?;
    let before = configuration::users_hooks_path(here()).map_err(|error| problem(error.into()))?;
    if let Some(Setting { value, scope }) = before.as_ref().filter(|setting| setting.value != folder) {
        return Err(problem(Error::HooksPathTaken {
            path: value.clone(),
            scope: scope.clone(),
        }));
    }
    let program = program(environment).map_err(problem)?;
    let plan = install::plan(&folder, Scope::Global, Hook::CLIENT, &program).map_err(problem)?;
    let mut changed = 0;
    for planned in &plan {
        let done = if is_dry_run {
            install::would_install(planned)
        } else {
            install::install(planned)
        };
        changed += usize::from(done.map_err(problem)? != Done::Nothing);
    }
    if before.is_none() && !is_dry_run {
        configuration::set_users_hooks_path(here(), &folder).map_err(|error| problem(error.into()))?;
    }
    let what = match (before.is_none(), changed, is_dry_run) {
        (false, 0, _) => "every repository of yours is served already",
        (_, _, true) => "every repository of yours would be served",
        (_, _, false) => "every repository of yours is served now",
    };
    ui::out(&format!("{what}, by core.hooksPath:\n  {}\n", folder.display()));
    ui::note("a repository with a core.hooksPath of its own, as husky sets it, needs:");
    ui::note("  keyagent hook install");
    Ok(exit_code::OK)
}

pub(super) fn uninstall(environment: &Environment, is_global: bool, is_dry_run: bool) -> Result<u8, Problem> {
    if is_global {
        return uninstall_global(environment, is_dry_run);
    }
    let problem = |error: Error| error.while_doing(UNINSTALLING);
    let (places, hooks) = of_this_repository().map_err(problem)?;
    let is_served_globally = is_served_globally(&places, environment);
    let folder = if is_served_globally {
        own_folder(&places)
    } else {
        places.hooks
    };
    let program = program(environment).map_err(problem)?;
    let plan = install::plan(&folder, Scope::Repository, hooks, &program).map_err(problem)?;
    if is_served_globally && !has_ours(&plan) {
        ui::out("nothing is installed in this repository alone\n");
    } else {
        for planned in &plan {
            let done = if is_dry_run {
                install::would_uninstall(planned)
            } else {
                install::uninstall(planned).map_err(problem)?
            };
            tell(planned, done, is_dry_run);
        }
    }
    if is_served_globally {
        ui::note("this repository is served like all of yours; to end that everywhere:");
        ui::note("  keyagent hook uninstall --global");
    }
    Ok(exit_code::OK)
}

fn uninstall_global(environment: &Environment, is_dry_run: bool) -> Result<u8, Problem> {
    let problem = |error: Error| error.while_doing(UNINSTALLING);
    let folder = global_folder(environment).map_err(problem)?;
    let program = program(environment).map_err(problem)?;
    let plan = install::plan(&folder, Scope::Global, Hook::CLIENT, &program).map_err(problem)?;
    let before = configuration::users_hooks_path(here()).map_err(|error| problem(error.into()))?;
    let is_named = before.is_some_and(|setting| setting.value == folder);
    if is_named && !is_dry_run {
        // First: a path to hooks that are gone would switch off each repository's own.
        configuration::unset_users_hooks_path(here()).map_err(|error| problem(error.into()))?;
    }
    if !is_dry_run {
        for planned in &plan {
            install::uninstall(planned).map_err(problem)?;
        }
        // Left where somebody has put something else into it.
        let _ = std::fs::remove_dir(&folder);
    }
    ui::out(match (is_named || has_ours(&plan), is_dry_run) {
        (false, _) => "nothing is installed for all repositories\n",
        (true, true) => "the hooks for all repositories would be removed\n",
        (true, false) => "the hooks for all repositories are removed\n",
    });
    if let Ok((places, hooks)) = of_this_repository()
        && let Ok(plan) = install::plan(&own_folder(&places), Scope::Repository, hooks, &program)
        && has_ours(&plan)
    {
        ui::note("this repository has hooks of its own, which stay; to take them away too:");
        ui::note("  keyagent hook uninstall");
    }
    Ok(exit_code::OK)
}

/// Where a repository's hooks lie while core.hooksPath names no other folder.
fn own_folder(places: &Places) -> PathBuf {
    places.common.join("hooks")
}

fn has_ours(plan: &[Planned]) -> bool {
    plan.iter().any(|planned| match planned.present {
        Present::Ours | Present::OursOutdated => true,
        Present::Nothing | Present::Others => false,
    })
}

fn tell(planned: &Planned, done: Done, is_dry_run: bool) {
    let Planned { name, kept, .. } = planned;
    let kept = kept
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let text = match (done, is_dry_run) {
        (Done::Nothing, _) => "nothing to do".to_owned(),
        (Done::Written, false) => "installed".to_owned(),
        (Done::Written, true) => "would be installed".to_owned(),
        (Done::Updated, false) => "updated".to_owned(),
        (Done::Updated, true) => "would be updated".to_owned(),
        (Done::Kept, false) => format!("installed; yours runs too ({kept})"),
        (Done::Kept, true) => "would be installed; yours would run too".to_owned(),
        (Done::Removed, false) => "removed".to_owned(),
        (Done::Removed, true) => "would be removed".to_owned(),
        (Done::Restored, false) => "removed; yours is back".to_owned(),
        (Done::Restored, true) => "would be removed; yours would be back".to_owned(),
        (Done::LeftAlone, _) => "not keyagent's; left alone".to_owned(),
    };
    ui::out(&format!("{name:<17} {text}\n"));
}

fn tell_what_to_add(manager: &Manager) -> u8 {
    let name = manager.kind.in_words();
    if manager.is_complete() {
        ui::note(&format!("{name} looks after the hooks here, and calls keyagent"));
        return exit_code::OK;
    }
    let missing: Vec<&Addition> = manager
        .additions
        .iter()
        .filter(|addition| !addition.is_there)
        .collect();
    ui::note(&format!(
        "{name} looks after the hooks here, and more is to be done"
    ));
    if !missing.is_empty() {
        ui::note("add to these files:");
    }
    for addition in missing {
        // As it is to stand there, under a comment that names the file.
        let file = addition.file.display();
        ui::out(&format!(
            "# {file}, {}\n{}",
            in_words(&addition.place),
            addition.lines
        ));
    }
    for to_run in &manager.to_run {
        ui::note(&format!("{}, so run:\n  {}", to_run.why, to_run.command));
    }
    ui::note("then see whether it works: keyagent hook status");
    exit_code::FOUND
}

fn in_words(place: &Place) -> String {
    match place {
        Place::NewFile => "a new file".to_owned(),
        Place::First => "as its first command".to_owned(),
        Place::End => "at the end".to_owned(),
        Place::EndOf(list) => format!("at the end of `{list}`"),
        Place::Translated => "in that file's own language".to_owned(),
        Place::Beneath(head, None) => format!("beneath `{head}`"),
        Place::Beneath(head, Some(inner)) => format!("beneath `{head}` `{inner}`"),
    }
}

fn tell_what_to_add_to(hooks: &[Planned], program: &str) -> u8 {
    let mut missing = Vec::new();
    for planned in hooks {
        if manager::calls_keyagent(&planned.path, planned.name) {
            ui::out(&format!(
                "{:<17} asks for its own name; calls keyagent\n",
                planned.name
            ));
        } else {
            missing.push(planned);
        }
    }
    if missing.is_empty() {
        return exit_code::OK;
    }
    ui::note("these hooks ask for their own name and cannot be renamed; add to each:");
    for planned in missing {
        ui::out(&format!(
            "# {}, {}\n{} hook run {} \"$@\" || exit\n",
            planned.path.display(),
            in_words(&manager::place_in(&planned.path, planned.name)),
            word(program),
            planned.name
        ));
    }
    ui::note("or take all repositories at once, which renames nothing:");
    ui::note("  keyagent hook install --global");
    exit_code::FOUND
}
