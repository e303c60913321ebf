//! `keyagent scan`: what to look through, and how the result is told. Finds nothing itself.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::ui;
use crate::clock;
use crate::git::Repository;
use crate::hook::Hook;
use crate::hook::run::Work;
use crate::hook::script::ADMINISTRATOR;
use crate::problem::Problem;
use crate::process::Environment;
use crate::scan::own_keys::OwnKeys;
use crate::scan::report::{Index, Source};
use crate::scan::source::{self, Ignored, Progress, Reach};
use crate::scan::{Scan, Scanner};

mod tell;

/// Look for AWS keys in what is staged, in files, in commits or in a stream
///
/// Exits 0 when there are none, 1 when there are, and 2 when something could not be scanned.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("source").required(true),
    override_usage = "keyagent scan [OPTIONS] PATH...\n       \
                      keyagent scan [OPTIONS] --staged\n       \
                      keyagent scan [OPTIONS] --commits A..B\n       \
                      keyagent scan [OPTIONS] --history [--all-objects]\n       \
                      keyagent scan [OPTIONS] --stdin\n       \
                      keyagent scan [OPTIONS] --message FILE",
)]
pub struct Args {
    /// Look through what git would commit now
    #[arg(long, group = "source")]
    staged: bool,
    /// Look through what commits changed, and their messages: A..B, or what else git log takes to choose commits, as -n5
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
    #[arg(long, requires = "history", conflicts_with_all = ["staged", "commits", "stdin", "message", "paths"])]
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
    #[arg(long, requires = "paths", conflicts_with_all = ["staged", "commits", "history", "stdin", "message"])]
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
    let scanner = match scanner(environment) {
        Ok(scanner) => scanner,
        Err(problem) => return tell::failed(&args.tell, problem),
    };
    if args.staged {
        return tell_staged(&scanner, &args.tell, here, environment);
    }
    match scanned(args, &scanner, here, environment) {
        Ok((scan, source)) => tell::tell(&args.tell, scan, source, here, environment),
        Err(problem) => tell::failed(&args.tell, problem),
    }
}

/// All but the index.
fn scanned(
    args: &Args,
    scanner: &Scanner,
    here: &Path,
    environment: &Environment,
) -> Result<(Scan, Source<'static>), Problem> {
    Ok(if !args.commits.is_empty() {
        let words = args.commits.iter().flat_map(|words| words.split_whitespace());
        let words: Vec<&str> = words.collect();
        let repository = Repository::open(here, environment)?;
        (source::commits(scanner, &repository, &words)?, Source::Commits)
    } else if args.history {
        let reach = if args.all_objects {
            Reach::AllObjects
        } else {
            Reach::References
        };
        let repository = Repository::open(here, environment)?;
        let bar = Bar(ui::Bar::new("scanning", "objects"));
        let scan = source::history(scanner, &repository, reach, &bar)?;
        drop(bar);
        (scan, Source::Commits)
    } else if let Some(file) = &args.message {
        (source::message(scanner, file, here, environment)?, Source::Stream)
    } else if args.stdin {
        (
            source::stream(scanner, "<stdin>", io::stdin().lock())?,
            Source::Stream,
        )
    } else {
        let ignored = if args.no_ignore {
            Ignored::IsRead
        } else {
            Ignored::IsSkipped
        };
        (source::paths(scanner, &args.paths, ignored), Source::Files)
    })
}

/// What a git hook is about, instead of what was typed.
///
/// # Errors
///
/// As for [`run`].
pub(super) fn run_for_hook(work: &Work, hook: Hook, environment: &Environment) -> Result<u8, Problem> {
    let here = Path::new(".");
    let for_whom = |problem: Problem| match hook {
        // What keeps the server from scanning, who pushes cannot mend.
        Hook::PreReceive => Problem {
            hint: format!("{ADMINISTRATOR} {}", problem.hint),
            ..problem
        },
        Hook::PreCommit
        | Hook::PreMergeCommit
        | Hook::CommitMsg
        | Hook::ApplypatchMsg
        | Hook::PreApplypatch
        | Hook::PrePush => problem,
    };
    let scanner = &scanner(environment).map_err(for_whom)?;
    let args = tell::Telling::default();
    match work {
        Work::Staged => tell_staged(scanner, &args, here, environment),
        Work::Message(file) => {
            let scan = source::message(scanner, file, here, environment)?;
            tell::tell(&args, scan, Source::Message(file), here, environment)
        }
        Work::Pushed(pushed) => {
            let (scan, pushed) = pushed
                .scan(scanner, here, environment)
                .map_err(|error| for_whom(error.into()))?;
            tell::tell_pushed(&args, scan, &pushed, here, environment)
        }
    }
}

fn scanner(environment: &Environment) -> Result<Scanner, Problem> {
    let today = clock::today();
    Ok(Scanner::new(OwnKeys::load(environment, Some(today))?).on(today))
}

fn tell_staged(
    scanner: &Scanner,
    args: &tell::Telling,
    here: &Path,
    environment: &Environment,
) -> Result<u8, Problem> {
    let (scan, staged) = match source::staged(scanner, here, environment) {
        Ok(scanned) => scanned,
        Err(error) => return tell::failed(args, error.into()),
    };
    let paths: HashSet<String> = staged
        .blobs
        .iter()
        .map(|blob| blob.path.to_string_lossy().into_owned())
        .collect();
    let source = Source::Staged {
        unstage: if staged.has_head {
            "git restore --staged"
        } else {
            // The file may have changed since it was staged, and stays as it is.
            "git rm --cached -f"
        },
        // git runs hooks at the top, and says in GIT_PREFIX where the person was.
        is_at_top: environment.get("GIT_PREFIX").is_none() && here.join(".git").exists(),
        is_staged: &|path| paths.contains(path),
        index: index(environment),
    };
    tell::tell(args, scan, source, here, environment)
}

/// git commit works in `index.lock` with `-a`, and in `next-index-PID.lock` with paths.
fn index(environment: &Environment) -> Index {
    match environment.get_path("GIT_INDEX_FILE").and_then(Path::file_name) {
        Some(name) if Path::new(name).extension().is_none_or(|end| end != "lock") => Index::Own,
        Some(name) if name.to_string_lossy().starts_with("next-index-") => Index::OfPaths,
        Some(_) => Index::ForThisCommit,
        None => Index::Own,
    }
}

struct Bar(ui::Bar);

impl Progress for Bar {
    fn looked_at(&self, done: u64, all: u64) {
        self.0.show(done, all);
    }
}
