//! `keyagent hook install` and `uninstall`: what was done, or is left to do, in words.

use super::{global_folder, here, is_served_globally, of_this_repository, program};
use crate::cli::{exit_code, ui};
use crate::git::configuration::{self, Setting};
use crate::hook::install::{self, Done, Planned};
use crate::hook::manager::{self, Manager};
use crate::hook::script::{self, Scope};
use crate::hook::{Error, Hook};
use crate::problem::Problem;
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
            "{} serves this repository already (core.hooksPath)\n",
            places.hooks.display()
        ));
        return Ok(exit_code::OK);
    }
    let manager = manager::recognise(&places).map_err(problem)?;
    let hooks = manager.as_ref().map_or(all, |manager| &manager.leaves[..]);
    let program = program(environment).map_err(problem)?;
    let plan = install::plan(&places.hooks, Scope::Repository, hooks, &program).map_err(problem)?;
    let mut own_name = Vec::new();
    for planned in &plan {
        if install::asks_for_its_name(planned).map_err(problem)? {
            own_name.push(planned);
        }
    }
    if !own_name.is_empty() {
        return Ok(tell_what_to_add_to(&own_name));
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
            "{} serves every repository of yours (core.hooksPath)",
            setting.value.display()
        ));
    }
    Ok(manager.as_ref().map_or(exit_code::OK, tell_what_to_add))
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
    let verb = match (before.is_none(), changed, is_dry_run) {
        (false, 0, _) => "is as it should be",
        (_, _, true) => "would serve every repository of yours",
        (_, _, false) => "serves every repository of yours now",
    };
    ui::out(&format!("{} {verb} (core.hooksPath)\n", folder.display()));
    ui::note("a repository with a core.hooksPath of its own, as husky sets it, needs: keyagent hook install");
    Ok(exit_code::OK)
}

pub(super) fn uninstall(environment: &Environment, is_global: bool, is_dry_run: bool) -> Result<u8, Problem> {
    let problem = |error: Error| error.while_doing(UNINSTALLING);
    let (folder, scope, hooks) = if is_global {
        (
            global_folder(environment).map_err(problem)?,
            Scope::Global,
            Hook::CLIENT,
        )
    } else {
        let (places, hooks) = of_this_repository().map_err(problem)?;
        if is_served_globally(&places, environment) {
            ui::out("nothing is installed in this repository alone\n");
            ui::note("to take the hooks away everywhere: keyagent hook uninstall --global");
            return Ok(exit_code::OK);
        }
        (places.hooks, Scope::Repository, hooks)
    };
    let program = program(environment).map_err(problem)?;
    let plan = install::plan(&folder, scope, hooks, &program).map_err(problem)?;
    if is_global {
        let before = configuration::users_hooks_path(here()).map_err(|error| problem(error.into()))?;
        if before.is_some_and(|setting| setting.value == folder) && !is_dry_run {
            // First: a path to hooks that are gone would switch off each repository's own.
            configuration::unset_users_hooks_path(here()).map_err(|error| problem(error.into()))?;
        }
    }
    for planned in &plan {
        let done = if is_dry_run {
            install::would_uninstall(planned)
        } else {
            install::uninstall(planned).map_err(problem)?
        };
        if !is_global {
            tell(planned, done, is_dry_run);
        }
    }
    if is_global {
        let verb = if is_dry_run { "would serve" } else { "serves" };
        ui::out(&format!("{} {verb} no repository any more\n", folder.display()));
        if !is_dry_run {
            // Left where somebody has put something else into it.
            let _ = std::fs::remove_dir(&folder);
        }
    }
    Ok(exit_code::OK)
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
        (Done::Kept, false) => format!("installed; yours runs too, and is kept as {kept}"),
        (Done::Kept, true) => format!("would be installed; yours would run too, and be kept as {kept}"),
        (Done::Removed, false) => "removed".to_owned(),
        (Done::Removed, true) => "would be removed".to_owned(),
        (Done::Restored, false) => "removed; yours is back".to_owned(),
        (Done::Restored, true) => "would be removed; yours would be back".to_owned(),
        (Done::LeftAlone, _) => "not keyagent's; left alone".to_owned(),
    };
    ui::out(&format!("{name:<17} {text}\n"));
}

fn tell_what_to_add(manager: &Manager) -> u8 {
    let name = match manager.kind {
        manager::Kind::SharedFolder => "a folder in the repository".to_owned(),
        manager::Kind::Husky | manager::Kind::Lefthook | manager::Kind::PreCommit => {
            manager.kind.as_str().to_owned()
        }
    };
    if manager.is_complete() {
        ui::note(&format!("{name} looks after the hooks here, and calls keyagent"));
        return exit_code::OK;
    }
    ui::note(&format!(
        "{name} looks after the hooks here; add this to its files:"
    ));
    for addition in manager.additions.iter().filter(|addition| !addition.is_there) {
        // As it is to stand there, under a comment that names the file.
        let place = if addition.go_first {
            "as its first command"
        } else {
            "at the end"
        };
        ui::out(&format!(
            "# {}, {place}\n{}",
            addition.file.display(),
            addition.lines
        ));
    }
    ui::note("then see whether it works: keyagent hook status");
    exit_code::FOUND
}

fn tell_what_to_add_to(hooks: &[&Planned]) -> u8 {
    ui::note("these hooks ask for their own name and cannot be renamed, so nothing is installed;");
    ui::note("add this to each, at the end, but to pre-push as its first command:");
    for planned in hooks {
        ui::out(&format!(
            "# {}\nkeyagent hook run {} \"$@\" || exit\n",
            planned.path.display(),
            planned.name
        ));
    }
    ui::note("or take all repositories at once, which renames nothing: keyagent hook install --global");
    exit_code::FOUND
}
