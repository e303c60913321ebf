//! `keyagent scan`: what to look through, and how the result is told. Finds nothing itself.

use std::io;
use std::path::{Path, PathBuf};

use crate::cli::{Format, exit_code, ui};
use crate::problem::Problem;
use crate::process::Environment;
use crate::scan::{self, Scan, report};

/// How many paths the command that unstages names one by one.
const NAMED_PATHS: usize = 10;

/// Look for AWS keys in what is staged, in files or in a stream
///
/// Exits 0 when there are none, 1 when there are, and 2 when something could not be scanned.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub struct Args {
    /// Look through what git would commit now
    #[arg(long, group = "source")]
    staged: bool,
    /// Look through standard input
    #[arg(long, group = "source")]
    stdin: bool,
    /// Files, and folders with all that is below them
    #[arg(value_name = "PATH", group = "source")]
    paths: Vec<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Scans, tells, and gives the exit code.
///
/// # Errors
///
/// When something could not be scanned: what was not looked at is never called clean.
pub fn run(args: &Args, _environment: &Environment) -> Result<u8, Problem> {
    let (scan, unstage) = if args.staged {
        let (scan, staged) = scan::staged(Path::new("."))?;
        (scan, Some(unstaging(staged.has_head)))
    } else if args.stdin {
        (scan::stream("<stdin>", io::stdin().lock())?, None)
    } else {
        (scan::paths(&args.paths)?, None)
    };
    tell(&scan, unstage, args.format)
}

/// The command that takes a path out of the index.
pub(super) fn unstaging(has_head: bool) -> &'static str {
    if has_head {
        "git restore --staged"
    } else {
        "git rm --cached"
    }
}

/// Tells what was found and how to go on, and gives the exit code.
///
/// # Errors
///
/// None in practice.
pub(super) fn tell(scan: &Scan, unstage: Option<&str>, format: Format) -> Result<u8, Problem> {
    match format {
        Format::Json => ui::out(&report::json(scan).map_err(|error| {
            Problem::new(
                "cannot write the report",
                error.to_string(),
                "see it as text: --format text",
            )
        })?),
        Format::Text => ui::out(&report::text(scan)),
    }
    if scan.findings.is_empty() {
        if format == Format::Text {
            ui::note(&report::nothing_found(scan.scanned));
        }
        return Ok(exit_code::OK);
    }
    if format == Format::Text {
        ui::note(&what_to_do(scan, unstage));
    }
    Ok(exit_code::FOUND)
}

fn what_to_do(scan: &Scan, unstage: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(command) = unstage {
        let paths = report::paths(scan);
        text.push_str("\nto go on, take the key out of the commit:\n");
        for path in paths.iter().take(NAMED_PATHS) {
            text.push_str(&format!("  {command} -- {}\n", report::shell_word(path)));
        }
        if paths.len() > NAMED_PATHS {
            text.push_str(&format!(
                "  and so for {} more files\n",
                paths.len() - NAMED_PATHS
            ));
        }
    }
    text.push_str("move the key to ~/.aws/credentials, and name its profile instead\n");
    text.push_str("if it was ever pushed, replace it: keyagent rotate -p PROFILE");
    text
}
