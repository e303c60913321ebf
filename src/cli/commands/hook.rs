//! `keyagent hook`: puts keyagent into git's hooks, and is what they call. Knows nothing of how hooks work.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::cli::Format;
use crate::git::configuration::{self, Places};
use crate::hook::script;
use crate::hook::{self, Error, Hook};
use crate::problem::Problem;
use crate::process::{self, Environment};

mod install;
mod status;

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
/// A hook that is there already is kept beside keyagent's, and runs too. Where husky, lefthook, pre-commit or a folder of
/// the repository looks after the hooks, the lines to add and the command to run are printed instead, and the exit code is
/// 1 until that is done.
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
/// Puts a made-up key into a commit, a message, a merge and a push of scratch repositories with the same hooks, and removes
/// them. Exits 1 where it is not blocked.
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
        Command::Install(args) if args.server => install::print_server_hook(environment),
        Command::Install(args) if args.global => install::install_global(environment, args.dry_run),
        Command::Install(args) => install::install_here(environment, args.dry_run),
        Command::Uninstall(args) => install::uninstall(environment, args.global, args.dry_run),
        Command::Status(args) => status::status(environment, args.global, args.format),
        Command::Run(args) => run_hook(args, environment),
    }
}

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

/// Whether the hooks of a repository are those of `--global`.
fn is_served_globally(places: &Places, environment: &Environment) -> bool {
    global_folder(environment).is_ok_and(|folder| {
        match (places.hooks.canonicalize(), folder.canonicalize()) {
            (Ok(hooks), Ok(folder)) => hooks == folder,
            _ => places.hooks == folder,
        }
    })
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
    super::scan::run_for_hook(&work, args.hook, environment)
}
