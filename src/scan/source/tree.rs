//! Files and folders, as ripgrep would walk them; but hidden files are always read, and binary ones too.

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
/// Links are followed only where they were typed, and
/// `.git` is left out below a folder.
///
/// # Errors
///
/// At the first file or folder that cannot be read.
pub fn paths(scanner: &Scanner, paths: &[PathBuf], ignored: Ignored) -> Result<Scan, Error> {
    let mut scan = Scan::default();
    let mut named = Change::default();
    for path in paths.iter().filter(|path| !path.is_dir()) {
        let content = read(scanner, path)?;
        scan.scanned.count(&content);
        named.add(&path.to_string_lossy(), content);
    }
    scan.add(named);
    for path in paths.iter().filter(|path| path.is_dir()) {
        below(scanner, path, ignored, &mut scan)?;
    }
    Ok(scan)
}

/// What the threads have read; what holds nothing is only counted.
#[derive(Default)]
struct Read {
    scanned: Scanned,
    contents: Vec<(PathBuf, Content)>,
    error: Option<Error>,
}

fn below(scanner: &Scanner, folder: &Path, ignored: Ignored, scan: &mut Scan) -> Result<(), Error> {
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
            all: &all,
            read: Read::default(),
        };
        Box::new(move |entry| visitor.visit(entry))
    });
    let all = all.into_inner().expect("no thread has panicked");
    if let Some(error) = all.error {
        return Err(error);
    }
    scan.scanned.blobs += all.scanned.blobs;
    scan.scanned.bytes += all.scanned.bytes;
    let mut contents = all.contents;
    contents.sort_by(|one, other| (one.0.parent(), &one.0).cmp(&(other.0.parent(), &other.0)));
    // The parts of a key lie side by side, if they lie in several files.
    for side_by_side in contents.chunk_by_mut(|one, other| one.0.parent() == other.0.parent()) {
        let mut change = Change::default();
        for (path, content) in side_by_side {
            change.add(&path.to_string_lossy(), std::mem::take(content));
        }
        scan.add(change);
    }
    Ok(())
}

struct Visitor<'a> {
    scanner: &'a Scanner,
    folder: &'a Path,
    all: &'a Mutex<Read>,
    read: Read,
}

impl Visitor<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return self.fail(unreadable(error, self.folder)),
        };
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
                WalkState::Continue
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: Error) -> WalkState {
        self.read.error = Some(error);
        WalkState::Quit
    }
}

impl Drop for Visitor<'_> {
    /// The walk ends a thread by dropping what visits.
    fn drop(&mut self) {
        let mut all = self.all.lock().expect("no thread has panicked");
        all.scanned.blobs += self.read.scanned.blobs;
        all.scanned.bytes += self.read.scanned.bytes;
        all.contents.append(&mut self.read.contents);
        all.error = all.error.take().or(self.read.error.take());
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

fn unreadable(error: ignore::Error, folder: &Path) -> Error {
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
    Error::Read {
        path,
        source: error
            .into_io_error()
            .unwrap_or_else(|| std::io::ErrorKind::Other.into()),
    }
}
