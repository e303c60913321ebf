//! Files and folders, as ripgrep would walk them; but hidden files are always read, and binary ones too.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ignore::{DirEntry, WalkBuilder, WalkState};

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

/// What the threads have read; what holds nothing is only counted.
#[derive(Default)]
struct Read {
    scanned: Scanned,
    contents: Vec<(PathBuf, Content)>,
    /// How many entries of each folder were met.
    met: HashMap<PathBuf, u64>,
    failures: Vec<(PathBuf, Error)>,
}

fn below(scanner: &Scanner, folder: &Path, ignored: Ignored, scan: &mut Scan) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let walk = WalkBuilder::new(folder)
        .hidden(false)
        .standard_filters(ignored == Ignored::IsSkipped)
        .hidden(false)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
        .threads(cores)
        .build_parallel();
    let all = Mutex::new(Read::default());
    walk.run(|| {
        let mut visitor = Visitor {
            scanner,
            folder,
            ignored,
            all: &all,
            read: Read::default(),
        };
        Box::new(move |entry| visitor.visit(entry))
    });
    let mut all = all.into_inner().expect("no thread has panicked");
    all.failures.sort_by(|one, other| one.0.cmp(&other.0));
    scan.failures
        .extend(all.failures.into_iter().map(|(_, error)| error.into()));
    scan.ignored += all
        .met
        .iter()
        .map(|(folder, met)| passed_over(folder, *met))
        .sum::<u64>();
    scan.scanned.blobs += all.scanned.blobs;
    scan.scanned.bytes += all.scanned.bytes;
    let mut contents = all.contents;
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

/// How many entries of a folder were not met: those that are ignored, and nothing else.
fn passed_over(folder: &Path, met: u64) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let there = entries
        .flatten()
        .filter(|entry| entry.file_name() != ".git")
        .count();
    u64::try_from(there).map_or(0, |there| there.saturating_sub(met))
}

struct Visitor<'a> {
    scanner: &'a Scanner,
    folder: &'a Path,
    ignored: Ignored,
    all: &'a Mutex<Read>,
    read: Read,
}

impl Visitor<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                self.fail(unreadable(error, self.folder));
                return WalkState::Continue;
            }
        };
        if self.ignored == Ignored::IsSkipped {
            self.meet(&entry);
        }
        // A broken pattern in an ignore file may hide less than was meant, never more.
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            return WalkState::Continue;
        }
        match read(self.scanner, entry.path()) {
            Ok(content) => {
                let path = entry.into_path();
                self.read
                    .contents
                    .extend(kept(&mut self.read.scanned, [(path, content)]));
            }
            Err(error) => self.fail((entry.into_path(), error)),
        }
        WalkState::Continue
    }

    /// Counts an entry of a folder; a folder itself too, for all that is in it may be ignored.
    fn meet(&mut self, entry: &DirEntry) {
        if entry.file_type().is_some_and(|kind| kind.is_dir()) {
            self.read.met.entry(entry.path().to_owned()).or_default();
        }
        let Some(folder) = entry.path().parent().filter(|_| entry.depth() > 0) else {
            return;
        };
        match self.read.met.get_mut(folder) {
            Some(met) => *met += 1,
            None => {
                self.read.met.insert(folder.to_owned(), 1);
            }
        }
    }

    fn fail(&mut self, failure: (PathBuf, Error)) {
        self.read.failures.push(failure);
    }
}

impl Drop for Visitor<'_> {
    /// The walk ends a thread by dropping what visits.
    fn drop(&mut self) {
        let mut all = self.all.lock().expect("no thread has panicked");
        all.scanned.blobs += self.read.scanned.blobs;
        all.scanned.bytes += self.read.scanned.bytes;
        all.contents.append(&mut self.read.contents);
        all.failures.append(&mut self.read.failures);
        for (folder, met) in self.read.met.drain() {
            *all.met.entry(folder).or_default() += met;
        }
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
