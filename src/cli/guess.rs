//! What somebody meant who typed the name of a command as another tool has it. Runs nothing in its place.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

#[cfg(not(feature = "desktop"))]
use crate::problem::Problem;

/// Adds what was meant to the error of a command that does not exist, where that is known better than by the letters.
pub(super) fn with_what_was_meant(mut error: clap::Error) -> clap::Error {
    if is_recursive(&error) {
        let tip = StyledStr::from("folders are read with all below them: keyagent scan PATH");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
        return error;
    }
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let is_of_hook = matches!(
        error.get(ContextKind::Usage),
        Some(ContextValue::StyledStr(usage)) if usage.to_string().contains("keyagent hook")
    );
    let meant = meant(typed, is_of_hook);
    if !meant.is_empty() {
        error.remove(ContextKind::SuggestedSubcommand);
        let tips = meant
            .iter()
            .map(|command| StyledStr::from(format!("did you mean: {command}")));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips.collect()));
    }
    error
}

/// Whether `scan -r` was typed, as for grep.
fn is_recursive(error: &clap::Error) -> bool {
    error.kind() == ErrorKind::UnknownArgument
        && matches!(
            error.get(ContextKind::InvalidArg),
            Some(ContextValue::String(typed)) if ["-r", "-R", "--recursive"].contains(&&**typed)
        )
        && matches!(
            error.get(ContextKind::Usage),
            Some(ContextValue::StyledStr(usage)) if usage.to_string().contains("keyagent scan")
        )
}

/// Why a command is not there that keyagent has when it is built whole.
#[cfg(not(feature = "desktop"))]
pub(super) fn left_out(error: &clap::Error) -> Option<Problem> {
    const OF_AWS: [&str; 12] = [
        "status", "rotate", "undo", "recover", "retire", "disable", "enable", "delete", "audit", "doctor",
        "settings", "policy",
    ];
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let is_left_out = typed == "agent" || !cfg!(feature = "aws") && OF_AWS.contains(&&**typed);
    is_left_out.then(|| {
        Problem::new(
            format!("this keyagent has no command {typed}"),
            "it was built without its AWS or desktop code, as for the hooks alone",
            "build it whole, in the folder of its sources: cargo install --path .",
        )
    })
}

fn meant(typed: &str, is_of_hook: bool) -> &'static [&'static str] {
    if is_of_hook {
        return match typed {
            "add" | "enable" | "init" | "setup" => &["keyagent hook install"],
            "remove" | "rm" | "delete" | "disable" => &["keyagent hook uninstall"],
            "check" | "test" | "try" | "verify" | "list" | "show" | "doctor" => &["keyagent hook status"],
            _ => &[],
        };
    }
    match typed {
        #[cfg(feature = "desktop")]
        "install" => &["keyagent hook install", "keyagent agent install"],
        #[cfg(feature = "desktop")]
        "uninstall" | "remove" => &["keyagent hook uninstall", "keyagent agent uninstall"],
        #[cfg(not(feature = "desktop"))]
        "install" => &["keyagent hook install"],
        #[cfg(not(feature = "desktop"))]
        "uninstall" | "remove" => &["keyagent hook uninstall"],
        "init" | "setup" => &["keyagent hook install"],
        "version" => &["keyagent --version"],
        "protect" | "staged" => &["keyagent scan --staged"],
        _ => &[],
    }
}
