//! What follows a scan: takes out what is allowed, tells the rest, says how to go on; or writes down what shall be allowed.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::cli::{exit_code, ui};
use crate::clock;
use crate::git::{self, Repository};
use crate::hook::run::Pushed;
use crate::problem::{Problem, quoted};
use crate::process::{self, Environment};
use crate::scan::allow::{
    self, AllowFile, Date, Entry, FILE_NAME, OwnKeys, Salt, Settled, Void, is_own_and_live,
};
use crate::scan::report::{self, Facts, Format, Index, Source, Typed};
use crate::scan::{Scan, Unread};

mod rules;

use rules::{Rules, read};

/// How the result is told, and what may pass.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Telling {
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Let all that is found now pass from here on: writes it into .keyagentallow with this reason, which may end in until=DATE
    #[arg(long, value_name = "REASON")]
    allow: Option<String>,
    /// Let keys pass even if a profile of this machine holds them now
    #[arg(long)]
    allow_own: bool,
}

/// Tells, and gives the exit code. `here` is the folder from which paths count.
///
/// # Errors
///
/// When `.keyagentallow` cannot be read, understood or written, or something was not looked into.
pub(super) fn tell(
    args: &Telling,
    scan: Scan,
    source: Source<'_>,
    here: &Path,
    environment: &Environment,
) -> Result<u8, Problem> {
    let about = About {
        source,
        pushed: None,
        here,
        environment,
    };
    about.tell(args, scan)
}

/// The same of what is pushed: what its tips allow counts too.
///
/// # Errors
///
/// As for [`tell`].
pub(super) fn tell_pushed(
    args: &Telling,
    scan: Scan,
    pushed: &Pushed,
    here: &Path,
    environment: &Environment,
) -> Result<u8, Problem> {
    let about = About {
        source: Source::Pushed,
        pushed: Some(pushed),
        here,
        environment,
    };
    about.tell(args, scan)
}

/// Where what was scanned comes from.
#[derive(Clone, Copy)]
struct About<'a> {
    source: Source<'a>,
    /// What is pushed, where a push is scanned.
    pushed: Option<&'a Pushed>,
    here: &'a Path,
    environment: &'a Environment,
}

/// What kept the whole scan from being made; a document tells it too.
///
/// # Errors
///
/// Always: the problem itself.
pub(super) fn failed(args: &Telling, problem: Problem) -> Result<u8, Problem> {
    if args.format != Format::Text {
        print(
            args.format,
            &Settled {
                failures: vec![problem.clone()],
                ..Settled::default()
            },
        )?;
    }
    Err(problem)
}

fn print(format: Format, settled: &Settled) -> Result<(), Problem> {
    let document = match format {
        Format::Text => Ok(report::text(settled)),
        Format::Json => report::json(settled),
        Format::Sarif => report::sarif(settled),
        Format::Github => Ok(report::github(settled)),
    };
    ui::out(&document.map_err(|error| {
        Problem::new(
            "cannot write the report",
            error.to_string(),
            "see it as text: --format text",
        )
    })?);
    Ok(())
}

impl About<'_> {
    fn tell(self, args: &Telling, scan: Scan) -> Result<u8, Problem> {
        let source = self.source;
        let (settled, rules, written) = match self.settle(args, scan) {
            Ok(settled) => settled,
            Err(problem) => return failed(args, problem),
        };
        let invalid = rules.invalid();
        match &invalid {
            Some(problem) if args.format != Format::Text => {
                let mut with_invalid = settled.clone();
                with_invalid.failures.push(problem.clone());
                print(args.format, &with_invalid)?;
            }
            Some(_) | None => print(args.format, &settled)?,
        }
        if args.allow.is_some() && written.is_empty() && settled.is_clean() && invalid.is_none() {
            ui::note("there is nothing to allow, so nothing was written");
        }
        for line in written {
            ui::note(&line);
        }
        // Where nothing at all could be read the error says it better.
        if settled.scanned.blobs > 0 || settled.failures.is_empty() {
            ui::note(&report::summary(&settled));
        }
        if rules.has_unstaged && !settled.is_clean() {
            ui::note(&what_is_not_staged(source));
        }
        let is_advised = if settled.findings.is_empty() {
            !settled.unread.is_empty()
        } else {
            args.format == Format::Text
        };
        let facts = if is_advised {
            // They only help: without them the advice is more general.
            self.facts(&settled).unwrap_or_default()
        } else {
            Facts::default()
        };
        if !settled.findings.is_empty() && args.format == Format::Text {
            ui::note(&report::way_on(&settled, source, &facts));
        }
        if let Some(problem) = invalid.or_else(|| report::failure(&settled)) {
            return Err(problem);
        }
        if !settled.findings.is_empty() {
            return Ok(exit_code::FOUND);
        }
        report::unread(&settled, source, &facts).map_or(Ok(exit_code::OK), Err)
    }

    /// Takes out what is allowed, by entries that are there or are written now; and the lines that say what was written.
    fn settle(self, args: &Telling, scan: Scan) -> Result<(Settled, Rules, Vec<String>), Problem> {
        let Self {
            source,
            pushed,
            here,
            environment,
        } = self;
        let today = clock::today();
        let rules = if scan.findings.is_empty() && scan.unread.is_empty() && !stages_rules(source) {
            // Most runs find nothing, and are not to wait for git once more.
            Rules::default()
        } else {
            Rules::of(&scan, source, pushed, here, environment)?
        };
        let own = if args.allow_own {
            OwnKeys::Pass
        } else {
            OwnKeys::Block
        };
        let mut settled = allow::settle(scan, own, today, |path| rules.of_path(path));
        let written = match &args.allow {
            Some(_) if rules.invalid().is_some() => Vec::new(),
            Some(reason) => write(&mut settled, reason, &rules, source, today, || {
                Repository::open(here, environment)?.top_level()
            })?,
            None => Vec::new(),
        };
        Ok((settled, rules, written))
    }

    /// What the advice depends on.
    fn facts(self, settled: &Settled) -> Result<Facts, git::Error> {
        let Self {
            source,
            pushed,
            here,
            environment,
        } = self;
        let is_of_commits = match source {
            Source::Staged { .. } | Source::Message(_) => false,
            Source::Commits | Source::Pushed => true,
            Source::Files | Source::Stream => return Ok(Facts::default()),
        };
        let repository = Repository::open(here, environment)?;
        if !is_of_commits {
            let own = report::for_one_machine(settled, source);
            // A name that holds a line break cannot be asked for.
            let own = own.iter().filter(|path| !path.contains('\n'));
            let names: Vec<String> = own.clone().map(|path| format!("HEAD:{path}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let committed = if names.is_empty() {
                Vec::new()
            } else {
                repository.kinds(&names)?
            };
            return Ok(Facts {
                operation: repository.operation(),
                typed: matches!(source, Source::Message(_))
                    .then(|| Typed::of(&process::command_lines_above()))
                    .flatten(),
                may_be_ignored: own
                    .zip(committed)
                    .find(|(_, kind)| kind.is_none())
                    .map(|(path, _)| path.clone()),
                ..Facts::default()
            });
        }
        let commits = settled.findings.iter().map(|finding| finding.commit.as_deref());
        let (first, last) = (
            commits.clone().next().flatten(),
            commits.clone().next_back().flatten(),
        );
        // What is pushed is told the newest first.
        let place = match (source, last) {
            (Source::Pushed, Some(oldest)) => Some(oldest),
            (_, Some(_)) if commits.clone().all(|commit| commit == first) => first,
            _ => None,
        };
        let standing =
            |name: &str| Ok::<_, git::Error>((name.to_owned(), repository.standing(&name.parse()?)?));
        Ok(Facts {
            place: place.map(standing).transpose()?,
            range: pushed.map(|pushed| pushed.range(repository.head().as_deref())),
            ..Facts::default()
        })
    }
}

/// Why entries that stand in the work tree do not count.
fn what_is_not_staged(source: Source<'_>) -> String {
    match source {
        Source::Staged {
            index: Index::OfPaths,
            ..
        } => format!(
            "{FILE_NAME} is no part of this commit as it is now; to commit it too:\n  \
             git add -- :/{FILE_NAME}\n\
             then name it beside the other paths"
        ),
        Source::Staged { .. }
        | Source::Commits
        | Source::Pushed
        | Source::Files
        | Source::Stream
        | Source::Message(_) => format!(
            "{FILE_NAME} says something else than is staged; it counts with:\n  \
             git add -- :/{FILE_NAME}"
        ),
    }
}

/// Whether the commit that is being made changes the entries: a line that is none is found before it is history.
fn stages_rules(source: Source<'_>) -> bool {
    match source {
        Source::Staged { is_staged, .. } => is_staged(FILE_NAME),
        Source::Commits | Source::Pushed | Source::Files | Source::Stream | Source::Message(_) => false,
    }
}

/// Writes an entry for every value that may be allowed, takes those out of the result, and says what to do next.
fn write(
    settled: &mut Settled,
    reason: &str,
    rules: &Rules,
    source: Source<'_>,
    today: Date,
    top_level: impl Fn() -> Result<PathBuf, git::Error>,
) -> Result<Vec<String>, Problem> {
    let bad_reason = |void: Void| {
        Problem::new(
            "cannot allow what was found",
            format!("the reason {}", Told(void)),
            "say why it may stay: --allow \"made-up key of the parser's tests until=2027-12-31\"",
        )
    };
    let mut entries: BTreeMap<PathBuf, Vec<Entry>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for finding in settled
        .findings
        .iter()
        .filter(|finding| !is_own_and_live(finding))
    {
        let (root, _) = rules.place(&finding.path);
        let entry = Entry::value(&finding.fingerprint, Salt::random(), reason, today).map_err(bad_reason)?;
        if seen.insert((root.clone(), finding.fingerprint.clone())) {
            entries.entry(root).or_default().push(entry);
        }
    }
    // By what they are, not by their path: another file may lie there tomorrow.
    for unread in settled.unread.iter().filter(|unread| may_be_allowed(unread)) {
        let (root, _) = rules.place(&unread.path);
        let entry = Entry::value(&unread.fingerprint, Salt::random(), reason, today).map_err(bad_reason)?;
        if seen.insert((root.clone(), unread.fingerprint.clone())) {
            entries.entry(root).or_default().push(entry);
        }
    }
    let mut notes = Vec::new();
    for (root, entries) in entries {
        let folder = match source {
            Source::Files => root,
            Source::Staged { .. }
            | Source::Commits
            | Source::Pushed
            | Source::Stream
            | Source::Message(_) => top_level()?,
        };
        let path = folder.join(FILE_NAME);
        let content = AllowFile::with(&read(&folder)?, &entries);
        std::fs::write(&path, content).map_err(|error| {
            Problem::new(
                format!("cannot write {}", path.display()),
                error.to_string(),
                "make it writable, then try again",
            )
        })?;
        let count = entries.len();
        let what = if count == 1 { "entry" } else { "entries" };
        notes.push(format!("wrote {count} {what} to {}", path.display()));
        if !matches!(source, Source::Files) {
            notes.push(format!(
                "it counts when it is staged: git add -- {}",
                quoted(&path)
            ));
        }
    }
    let before = settled.findings.len() + settled.unread.len();
    settled.findings.retain(is_own_and_live);
    settled.unread.retain(|unread| !may_be_allowed(unread));
    settled.allowed += before - settled.findings.len() - settled.unread.len();
    Ok(notes)
}

/// Whether it can be known again.
fn may_be_allowed(unread: &Unread) -> bool {
    !unread.fingerprint.is_empty()
}

/// What is wrong with a reason that was typed just now.
struct Told(Void);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Void::NoReason => f.write_str("has no word"),
            Void::Placeholder => f.write_str("is the word REASON itself"),
            void @ (Void::Ended(_) | Void::NotADay) => void.fmt(f),
        }
    }
}
