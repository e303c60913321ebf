//! Files and folders, as ripgrep would walk them; but hidden files are always read, and binary ones too.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ignore::{DirEntry, WalkBuilder, WalkState};

mod jobs;

use jobs::Jobs;

use super::kept;
use crate::scan::{Change, Content, Error, Scan, Scanned, Scanner};

/// What to do about files that `.gitignore`, `.ignore` and their kind name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Pass them over.
    IsSkipped,
    /// Read them as well.
    IsRead,
}

/// Files that are named, and the files below folders, in the order of their paths. Files of one folder are seen together.
///
/// Links are followed only where they were typed, and `.git` is left out below a folder. What cannot be read is told beside
/// the rest, in [`Scan::failures`].
pub fn paths(scanner: &Scanner, paths: &[PathBuf], ignored: Ignored) -> Scan {
    let mut scan = Scan::default();
    let mut named = Change::default();
    for path in paths.iter().filter(|path| !path.is_dir()) {
        match read(scanner, path) {
            Ok(content) => {
                scan.scanned.count(&content);
                named.add(&plain(path), content);
            }
            Err(error) => scan.failures.push(error.into()),
        }
    }
    scan.add(named);
    for path in paths.iter().filter(|path| path.is_dir()) {
        below(scanner, path, ignored, &mut scan);
    }
    scan
}

/// How many jobs are handed over at once.
const AT_ONCE: usize = 32;
/// From how many waiting jobs on whoever walks reads too: a walk is many times as fast as reading.
const MANY: usize = 2048;

/// What those who walk leave to those who read.
enum Job {
    File(PathBuf),
    /// A folder of which some entries may be ignored.
    Folder(PathBuf),
}

/// What the threads have done; what holds nothing is only counted.
#[derive(Default)]
struct Done {
    scanned: Scanned,
    contents: Vec<(PathBuf, Content)>,
    /// Entries of folders, all of them.
    entries: u64,
    /// Entries of folders that the walk has met: all but what is ignored.
    met: u64,
    failures: Vec<(PathBuf, Error)>,
}

impl Done {
    /// Works until there is nothing to do.
    fn work(&mut self, scanner: &Scanner, next: impl Fn() -> Vec<Job>) {
        for job in std::iter::repeat_with(next)
            .take_while(|jobs| !jobs.is_empty())
            .flatten()
        {
            match job {
                Job::File(path) => match read(scanner, &path) {
                    Ok(content) => self.contents.extend(kept(&mut self.scanned, [(path, content)])),
                    Err(error) => self.failures.push((path, error)),
                },
                Job::Folder(path) => self.entries += entries(&path),
            }
        }
    }

    fn add(&mut self, mut other: Self) {
        self.scanned.blobs += other.scanned.blobs;
        self.scanned.bytes += other.scanned.bytes;
        self.contents.append(&mut other.contents);
        self.entries += other.entries;
        self.met += other.met;
        self.failures.append(&mut other.failures);
    }
}

fn below(scanner: &Scanner, folder: &Path, ignored: Ignored, scan: &mut Scan) {
    let mut done = walk_and_read(scanner, folder, ignored);
    done.failures.sort_by(|one, other| one.0.cmp(&other.0));
    scan.failures
        .extend(done.failures.into_iter().map(|(_, error)| error.into()));
    scan.ignored += done.entries.saturating_sub(done.met);
    scan.scanned.blobs += done.scanned.blobs;
    scan.scanned.bytes += done.scanned.bytes;
    let mut contents = done.contents;
    contents.sort_by(|one, other| (one.0.parent(), &one.0).cmp(&(other.0.parent(), &other.0)));
    // The parts of a key lie side by side, if they lie in several files.
    for side_by_side in contents.chunk_by_mut(|one, other| one.0.parent() == other.0.parent()) {
        let mut change = Change::default();
        for (path, content) in side_by_side {
            change.add(&plain(path), std::mem::take(content));
        }
        scan.add(change);
    }
}

/// Those who read are threads of their own: in the walk, whoever finds nothing to do sleeps for a millisecond, as
/// happens at the beginning and at the end of each.
fn walk_and_read(scanner: &Scanner, folder: &Path, ignored: Ignored) -> Done {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let walk = WalkBuilder::new(folder)
        .hidden(false)
        .standard_filters(ignored == Ignored::IsSkipped)
        .hidden(false)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
        .threads(cores)
        .build_parallel();
    let all = Mutex::new(Done::default());
    let jobs = Jobs::new();
    std::thread::scope(|threads| {
        for _ in 0..cores {
            threads.spawn(|| {
                let mut done = Done::default();
                done.work(scanner, || jobs.next());
                all.lock().expect("no thread has panicked").add(done);
            });
        }
        walk.run(|| {
            let mut visitor = Visitor {
                scanner,
                folder,
                ignored,
                jobs: &jobs,
                to_hand_over: Vec::with_capacity(AT_ONCE),
                all: &all,
                done: Done::default(),
            };
            Box::new(move |entry| visitor.visit(entry))
        });
        jobs.close();
    });
    all.into_inner().expect("no thread has panicked")
}

/// How many entries a folder has, without git's own.
fn entries(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let count = entries
        .flatten()
        .filter(|entry| entry.file_name() != ".git")
        .count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

struct Visitor<'a> {
    scanner: &'a Scanner,
    folder: &'a Path,
    ignored: Ignored,
    jobs: &'a Jobs<Job>,
    to_hand_over: Vec<Job>,
    all: &'a Mutex<Done>,
    done: Done,
}

impl Visitor<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                self.done.failures.push(unreadable(error, self.folder));
                return WalkState::Continue;
            }
        };
        self.done.met += u64::from(entry.depth() > 0);
        // A broken pattern in an ignore file may hide less than was meant, never more.
        let job = match entry.file_type() {
            Some(kind) if kind.is_file() => Job::File(entry.into_path()),
            Some(kind) if kind.is_dir() && self.ignored == Ignored::IsSkipped => {
                Job::Folder(entry.into_path())
            }
            Some(_) | None => return WalkState::Continue,
        };
        self.to_hand_over.push(job);
        if self.to_hand_over.len() == AT_ONCE {
            self.jobs.add(&mut self.to_hand_over);
            self.done.work(self.scanner, || self.jobs.next_of(MANY));
        }
        WalkState::Continue
    }
}

impl Drop for Visitor<'_> {
    /// The walk ends a thread by dropping what visits.
    fn drop(&mut self) {
        self.jobs.add(&mut self.to_hand_over);
        let done = std::mem::take(&mut self.done);
        self.all.lock().expect("no thread has panicked").add(done);
    }
}

fn read(scanner: &Scanner, path: &Path) -> Result<Content, Error> {
    File::open(path)
        .and_then(|file| scanner.read(file))
        .map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })
}

/// The path as it is told: as git and GitHub would name it, without a dot in front.
fn plain(path: &Path) -> String {
    let path = match path.strip_prefix(".") {
        Ok(inside) if !inside.as_os_str().is_empty() => inside,
        Ok(_) | Err(_) => path,
    };
    path.to_string_lossy().into_owned()
}

fn unreadable(error: ignore::Error, folder: &Path) -> (PathBuf, Error) {
    let mut path = folder.to_owned();
    let mut inner = &error;
    while let ignore::Error::WithPath { err, .. }
    | ignore::Error::WithDepth { err, .. }
    | ignore::Error::WithLineNumber { err, .. } = inner
    {
        if let ignore::Error::WithPath { path: at, .. } = inner {
            path.clone_from(at);
        }
        inner = err;
    }
    let source = error
        .into_io_error()
        .unwrap_or_else(|| std::io::ErrorKind::Other.into());
    (path.clone(), Error::Read { path, source })
}
