//! `keyagent scan`: what to look through, and how the result is told. Finds nothing itself.

use std::io;
use std::path::{Path, PathBuf};

use crate::cli::{Format, exit_code, ui};
use crate::git::Repository;
use crate::problem::Problem;
use crate::process::Environment;
use crate::scan::own_keys::OwnKeys;
use crate::scan::source::{self, Ignored, Progress, Reach};
use crate::scan::{Scan, Scanner, report};

/// How many paths the command that unstages names one by one.
const NAMED_PATHS: usize = 10;

/// Look for AWS keys in what is staged, in files, in commits or in a stream
///
/// Exits 0 when there are none, 1 when there are, and 2 when something could not be scanned.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub struct Args {
    /// Look through what git would commit now
    #[arg(long, group = "source")]
    staged: bool,
    /// Look through what commits changed, and their messages: A..B, or any words that git log takes
    #[arg(
        long,
        value_name = "REVISION",
        num_args = 1,
        allow_hyphen_values = true,
        group = "source"
    )]
    commits: Vec<String>,
    /// Look through all that the repository has ever held: every branch, tag and stash
    #[arg(long, group = "source")]
    history: bool,
    /// And through what nothing refers to any more
    #[arg(long, requires = "history")]
    all_objects: bool,
    /// Look through standard input
    #[arg(long, group = "source")]
    stdin: bool,
    /// Look through a commit message, without what git drops from it
    #[arg(long, value_name = "FILE", group = "source")]
    message: Option<PathBuf>,
    /// Files, and folders with all that is below them
    #[arg(value_name = "PATH", group = "source")]
    paths: Vec<PathBuf>,
    /// Read the files too that .gitignore and its kind name
    #[arg(long, requires = "paths")]
    no_ignore: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Scans, tells, and gives the exit code.
///
/// # Errors
///
/// When something could not be scanned: what was not looked at is never called clean.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let scanner = Scanner::new(OwnKeys::none());
    let (scan, unstage) = scanned(args, &scanner, environment)?;
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

/// What was found, and, where it is staged, the command that unstages.
fn scanned(
    args: &Args,
    scanner: &Scanner,
    environment: &Environment,
) -> Result<(Scan, Option<&'static str>), Problem> {
    let here = Path::new(".");
    let scan = if args.staged {
        let (scan, staged) = source::staged(scanner, here, environment)?;
        return Ok((scan, Some(unstaging(staged.has_head))));
    } else if !args.commits.is_empty() {
        let words: Vec<&str> = args
            .commits
            .iter()
            .flat_map(|words| words.split_ascii_whitespace())
            .collect();
        source::commits(scanner, &Repository::open(here, environment)?, &words)?
    } else if args.history {
        let reach = if args.all_objects {
            Reach::AllObjects
        } else {
            Reach::References
        };
        let bar = Bar(ui::Bar::new("scanning", "objects"));
        source::history(scanner, &Repository::open(here, environment)?, reach, &bar)?
    } else if let Some(file) = &args.message {
        source::message(scanner, file, here, environment)?
    } else if args.stdin {
        source::stream(scanner, "<stdin>", io::stdin().lock())?
    } else {
        let ignored = if args.no_ignore {
            Ignored::IsRead
        } else {
            Ignored::IsSkipped
        };
        source::paths(scanner, &args.paths, ignored)?
    };
    Ok((scan, None))
}

struct Bar(ui::Bar);

impl Progress for Bar {
    fn looked_at(&self, done: u64, all: u64) {
        self.0.show(done, all);
    }
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
