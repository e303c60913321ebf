//! `keyagent hook`: puts keyagent into git's hooks, and is what they call. Knows nothing of how hooks work.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{Format, exit_code, ui};
use crate::git::configuration::{self, Places, Setting};
use crate::hook::install::{self, Done, Planned, Present};
use crate::hook::manager::{self, Manager};
use crate::hook::run::{Pushed, Work};
use crate::hook::script::{self, Scope};
use crate::hook::trial::{self, Outcome, Trial};
use crate::hook::{self, Error, Hook};
use crate::problem::Problem;
use crate::process::{self, Environment};
use crate::scan::{self, Scan};

/// Keep AWS keys out of git: install the hooks, or see whether they work
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Install(Install),
    Uninstall(Uninstall),
    Status(Status),
    Run(Run),
}

/// Put the hooks into this repository
///
/// A hook that is there already is kept beside keyagent's, and runs too. Where husky, lefthook or pre-commit looks after
/// the hooks, the lines to add there are printed instead, and the exit code is 1 until they are there.
#[derive(Debug, clap::Args)]
struct Install {
    /// For all repositories of this user, through core.hooksPath; each repository's own hooks still run
    #[arg(long)]
    global: bool,
    /// Print a pre-receive hook for a server, and change nothing
    #[arg(long, conflicts_with_all = ["global", "dry_run"])]
    server: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Take the hooks away, and put back what was there before
#[derive(Debug, clap::Args)]
struct Uninstall {
    /// Those of `keyagent hook install --global`
    #[arg(long)]
    global: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Show which hooks are installed, and try whether they block a made-up key
///
/// Commits and pushes a made-up key in scratch repositories with the same hooks, and removes them. Exits 1 when it is
/// not blocked.
#[derive(Debug, clap::Args)]
struct Status {
    /// Those of `keyagent hook install --global`
    #[arg(long)]
    global: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What git's hooks call: scan what this hook is about
///
/// Takes the arguments and the standard input that git gives the hook.
#[derive(Debug, clap::Args)]
struct Run {
    /// git's name of the hook
    #[arg(value_name = "NAME", value_parser = hook_name)]
    hook: Hook,
    /// The hook's own arguments
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn hook_name(name: &str) -> Result<Hook, String> {
    Hook::named(name).ok_or_else(|| {
        let names: Vec<&str> = Hook::ALL.iter().map(|hook| hook.as_str()).collect();
        format!("keyagent scans in {}", names.join(", "))
    })
}

/// Runs the command.
///
/// # Errors
///
/// When hooks cannot be installed or removed, or something could not be scanned.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    match &args.command {
        Command::Install(args) if args.server => print_server_hook(environment),
        Command::Install(args) if args.global => install_global(environment, args.dry_run),
        Command::Install(args) => install_here(environment, args.dry_run),
        Command::Uninstall(args) => uninstall(environment, args.global, args.dry_run),
        Command::Status(args) => status(environment, args.global, args.format),
        Command::Run(args) => run_hook(args, environment),
    }
}

const INSTALLING: &str = "cannot install the hooks";
const UNINSTALLING: &str = "cannot take the hooks away";
const LOOKING: &str = "cannot say whether the hooks work";

fn here() -> &'static Path {
    Path::new(".")
}

/// What the scripts call.
fn program(environment: &Environment) -> Result<String, Error> {
    let program = process::lasting_path_of_this_program(environment)
        .map_err(|source| Error::io("find", Path::new("keyagent"))(source))?;
    match program.to_str() {
        Some(text) => Ok(script::shell_path(text, cfg!(windows))),
        None => Err(Error::NoText(program)),
    }
}

/// A repository's folder of hooks, and which of them are keyagent's part.
fn of_this_repository() -> Result<(Places, &'static [Hook]), Error> {
    let places = configuration::places(here())?;
    let hooks = if places.top.is_some() {
        Hook::CLIENT
    } else {
        Hook::SERVER
    };
    Ok((places, hooks))
}

fn print_server_hook(environment: &Environment) -> Result<u8, Problem> {
    let program = program(environment).map_err(|error| error.while_doing(INSTALLING))?;
    ui::out(&script::guard(Hook::PreReceive, Scope::Repository, &program));
    Ok(exit_code::OK)
}

fn install_here(environment: &Environment, is_dry_run: bool) -> Result<u8, Problem> {
    let problem = |error: Error| error.while_doing(INSTALLING);
    let (places, all) = of_this_repository().map_err(problem)?;
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

fn install_global(environment: &Environment, is_dry_run: bool) -> Result<u8, Problem> {
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

fn uninstall(environment: &Environment, is_global: bool, is_dry_run: bool) -> Result<u8, Problem> {
    let problem = |error: Error| error.while_doing(UNINSTALLING);
    let (folder, scope, hooks) = if is_global {
        (
            global_folder(environment).map_err(problem)?,
            Scope::Global,
            Hook::CLIENT,
        )
    } else {
        let (places, hooks) = of_this_repository().map_err(problem)?;
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
        "{name} looks after the hooks here; add this to its files, at the end:"
    ));
    for addition in manager.additions.iter().filter(|addition| !addition.is_there) {
        // As it is to stand there, under a comment that names the file.
        ui::out(&format!("# {}\n{}", addition.file.display(), addition.lines));
    }
    ui::note("then see whether it works: keyagent hook status");
    exit_code::FOUND
}

fn tell_what_to_add_to(hooks: &[&Planned]) -> u8 {
    ui::note(
        "these hooks ask for their own name and cannot be renamed, so nothing is installed; add to each, at the end:",
    );
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

/// Beside the settings.
fn global_folder(environment: &Environment) -> Result<PathBuf, Error> {
    let settings = if cfg!(windows) {
        environment.get_path("APPDATA").map(Path::to_owned)
    } else if cfg!(target_os = "macos") {
        environment
            .get_path("HOME")
            .map(|home| home.join("Library/Application Support"))
    } else {
        environment
            .get_path("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
            .map(Path::to_owned)
            .or_else(|| environment.get_path("HOME").map(|home| home.join(".config")))
    };
    settings
        .map(|settings| settings.join("keyagent").join("hooks"))
        .ok_or(Error::NoHome)
}

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

fn status(environment: &Environment, is_global: bool, format: Format) -> Result<u8, Problem> {
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
        from = places
            .hooks_path
            .map_or_else(|| "default".to_owned(), |setting| setting.scope);
        (folder, scope, hooks) = (places.hooks, Scope::Repository, own);
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
                ui::note(&format!("to put it right: keyagent hook install{option}"));
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

fn run_hook(args: &Run, environment: &Environment) -> Result<u8, Problem> {
    let mut input = Vec::new();
    if matches!(args.hook, Hook::PrePush | Hook::PreReceive) {
        io::stdin().lock().read_to_end(&mut input).map_err(|error| {
            Problem::new(
                format!(
                    "cannot look for AWS keys, so the {} is blocked",
                    args.hook.action()
                ),
                format!("standard input: {error}"),
                format!("let git call it; or go on unchecked: {}", args.hook.unchecked()),
            )
        })?;
    }
    let work = hook::run::work(args.hook, &args.arguments, &input, environment)?;
    let _ = io::stdout().flush();
    let (scan, unstage) = match work {
        Work::Staged => {
            let (scan, staged) = scan::staged(here())?;
            (scan, Some(super::scan::unstaging(staged.has_head)))
        }
        Work::Message(file) => (scan_message(&file)?, None),
        Work::Pushed(pushed) => (scan_pushed(&pushed)?, None),
    };
    super::scan::tell(&scan, unstage, Format::Text)
}

fn scan_message(file: &Path) -> Result<Scan, scan::Error> {
    let opened = std::fs::File::open(file).map_err(|source| scan::Error::Read {
        path: file.to_owned(),
        source,
    })?;
    scan::stream("<commit message>", opened)
}

fn scan_pushed(pushed: &Pushed) -> Result<Scan, scan::Error> {
    let git = |arguments: &[String]| {
        std::process::Command::new("git")
            .args(arguments)
            .output()
            .expect("for now")
    };
    let exists = |oid: &str| {
        git(&["cat-file".into(), "-e".into(), oid.to_owned()])
            .status
            .success()
    };
    let mut words: Vec<String> = ["log", "-p", "-m", "--root", "--format=%B"]
        .map(str::to_owned)
        .to_vec();
    words.extend(pushed.revisions(exists));
    let mut text = if pushed.tips.is_empty() {
        Vec::new()
    } else {
        git(&words).stdout
    };
    for tip in &pushed.tips {
        text.extend(git(&["cat-file".into(), "-p".into(), tip.clone()]).stdout);
        text.extend(git(&["show".into(), tip.clone()]).stdout);
    }
    scan::stream("<push>", &text[..])
}
