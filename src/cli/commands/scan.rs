//! `keyagent scan`: what to look through, and how the result is told. Finds nothing itself.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::problem::Problem;
use crate::process::Environment;
use crate::scan::own_keys::OwnKeys;
use crate::scan::report::Source;
use crate::scan::{self, Scanner};

mod tell;

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
    #[command(flatten)]
    tell: tell::Telling,
}

/// Scans, tells, and gives the exit code.
///
/// # Errors
///
/// When something could not be scanned: what was not looked at is never called clean.
pub fn run(args: &Args, environment: &Environment) -> Result<u8, Problem> {
    let here = Path::new(".");
    let today = clock::today();
    let scanner = Scanner::new(OwnKeys::load(environment, Some(today))?).on(today);
    if args.staged {
        let (scan, staged) = scan::staged(&scanner, here)?;
        let paths: HashSet<String> = staged
            .blobs
            .iter()
            .map(|blob| blob.path.to_string_lossy().into_owned())
            .collect();
        let source = Source::Staged {
            unstage: if staged.has_head {
                "git restore --staged"
            } else {
                "git rm --cached"
            },
            // git runs hooks at the top, and says in GIT_PREFIX where the person was.
            is_at_top: environment.get("GIT_PREFIX").is_none() && here.join(".git").exists(),
            is_staged: &|path| paths.contains(path),
        };
        tell::tell(&args.tell, scan, source, here)
    } else if args.stdin {
        let scan = scan::stream(&scanner, "<stdin>", io::stdin().lock())?;
        tell::tell(&args.tell, scan, Source::Stream, here)
    } else {
        tell::tell(
            &args.tell,
            scan::paths(&scanner, &args.paths)?,
            Source::Files,
            here,
        )
    }
}
