//! `keyagent scan`: what to look through, and how the result is told. Finds nothing itself.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::ui;
use crate::clock;
use crate::git::Repository;
use crate::problem::Problem;
use crate::process::Environment;
use crate::scan::Scanner;
use crate::scan::own_keys::OwnKeys;
use crate::scan::report::Source;
use crate::scan::source::{self, Ignored, Progress, Reach};

mod tell;

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
    let repository = || Repository::open(here, environment);
    let (scan, source) = if args.staged {
        let (scan, staged) = source::staged(&scanner, here, environment)?;
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
        return tell::tell(&args.tell, scan, source, here, environment);
    } else if !args.commits.is_empty() {
        let words: Vec<&str> = args
            .commits
            .iter()
            .flat_map(|words| words.split_ascii_whitespace())
            .collect();
        (
            source::commits(&scanner, &repository()?, &words)?,
            Source::Commits,
        )
    } else if args.history {
        let reach = if args.all_objects {
            Reach::AllObjects
        } else {
            Reach::References
        };
        let bar = Bar(ui::Bar::new("scanning", "objects"));
        (
            source::history(&scanner, &repository()?, reach, &bar)?,
            Source::Commits,
        )
    } else if let Some(file) = &args.message {
        (
            source::message(&scanner, file, here, environment)?,
            Source::Stream,
        )
    } else if args.stdin {
        let scan = source::stream(&scanner, "<stdin>", io::stdin().lock())?;
        (scan, Source::Stream)
    } else {
        let ignored = if args.no_ignore {
            Ignored::IsRead
        } else {
            Ignored::IsSkipped
        };
        (source::paths(&scanner, &args.paths, ignored)?, Source::Files)
    };
    tell::tell(&args.tell, scan, source, here, environment)
}

struct Bar(ui::Bar);

impl Progress for Bar {
    fn looked_at(&self, done: u64, all: u64) {
        self.0.show(done, all);
    }
}
