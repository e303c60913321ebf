//! `keyagent completions`: what a shell needs to complete keyagent's words.

use clap_complete::Shell;

use super::super::{exit_code, ui};
use crate::problem::Problem;

/// Print the completions of a shell
///
/// For bash, write them to ~/.local/share/bash-completion/completions/keyagent; for zsh, to a file named _keyagent in a
/// folder of $fpath; for fish, to ~/.config/fish/completions/keyagent.fish. The packages bring them along.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command. `command` is the whole of keyagent's.
///
/// # Errors
///
/// None.
pub fn run(args: &Args, command: clap::Command) -> Result<u8, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut shown(&command), "keyagent", &mut script);
    ui::out(&String::from_utf8(script).expect("the words of all commands are UTF-8"));
    Ok(exit_code::OK)
}

/// The command as a person sees it: the generators offer what is hidden too, and each command once more below `help`.
fn shown(command: &clap::Command) -> clap::Command {
    // clap wants names that live for ever, and this program ends once they are printed.
    let name: &'static str = command.get_name().to_owned().leak();
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    let mut shown = clap::Command::new(name)
        .args(command.get_arguments())
        .groups(command.get_groups())
        .subcommands(below.map(self::shown))
        .disable_help_subcommand(true);
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    match command.get_version() {
        Some(version) => shown.version(version.to_owned().leak() as &'static str),
        None => shown,
    }
}
