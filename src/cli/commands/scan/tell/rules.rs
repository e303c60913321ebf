//! Which entries of `.keyagentallow` hold for what was found: those of the index, of a push, or of the folders scanned.
//! Never writes them.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::git::{self, Repository};
use crate::hook::run::Pushed;
use crate::problem::Problem;
use crate::process::Environment;
use crate::scan::Scan;
use crate::scan::allow::{AllowFile, FILE_NAME};
use crate::scan::report::Source;

/// The entries that hold for each path: of the repository that is scanned, or, for files, of the one they lie in.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// By the folder they hold for; an index has none.
    files: BTreeMap<PathBuf, AllowFile>,
    places: BTreeMap<String, (PathBuf, String)>,
    none: AllowFile,
    /// Whether the work tree has another one than the index.
    pub(super) has_unstaged: bool,
}

impl Rules {
    pub(super) fn of(
        scan: &Scan,
        source: Source<'_>,
        pushed: Option<&Pushed>,
        here: &Path,
        environment: &Environment,
    ) -> Result<Self, Problem> {
        let mut rules = Self::default();
        match source {
            Source::Staged { .. }
            | Source::Commits
            | Source::Pushed
            | Source::Stream
            | Source::Message(_) => {
                // The index is what is about to be committed; the work tree may say something that nobody will see.
                let mut brought = Vec::new();
                let content = match Repository::open(here, environment) {
                    Ok(repository) => {
                        if let Some(pushed) = pushed {
                            brought = repository.files_at_top_of(&pushed.tips, FILE_NAME)?;
                        }
                        let content = repository.file_at_top(FILE_NAME)?.unwrap_or_default();
                        if matches!(source, Source::Staged { .. })
                            && let Ok(top) = repository.top_level()
                        {
                            rules.has_unstaged = read(&top)?.as_bytes() != content;
                        }
                        content
                    }
                    // A stream needs no repository.
                    Err(git::Error::NotARepository) => Vec::new(),
                    Err(error) => return Err(error.into()),
                };
                let file = brought.iter().fold(AllowFile::parse(&content), |file, content| {
                    file.and(AllowFile::parse(content))
                });
                rules.files.insert(PathBuf::new(), file);
            }
            Source::Files => {
                let paths = scan.findings.iter().map(|finding| &finding.path);
                let paths = paths.chain(scan.unread.iter().map(|unread| &unread.path));
                let here = absolute(here)?;
                for path in paths {
                    let whole = absolute(Path::new(path))?;
                    let root = root_of(&whole).unwrap_or(&here).to_owned();
                    let inside = whole.strip_prefix(&root).unwrap_or(&whole).to_string_lossy();
                    rules
                        .places
                        .insert(path.clone(), (root.clone(), slashes(&inside)));
                    if let std::collections::btree_map::Entry::Vacant(place) = rules.files.entry(root) {
                        let content = read(place.key())?;
                        place.insert(AllowFile::parse(content.as_bytes()));
                    }
                }
            }
        }
        Ok(rules)
    }

    /// Why some of the entries count for nothing.
    pub(super) fn invalid(&self) -> Option<Problem> {
        let first = self.files.values().find_map(AllowFile::invalid)?;
        Some(first.clone().into())
    }

    pub(super) fn of_path(&self, path: &str) -> (&AllowFile, String) {
        let (root, inside) = self.place(path);
        (self.files.get(&root).unwrap_or(&self.none), inside)
    }

    pub(super) fn place(&self, path: &str) -> (PathBuf, String) {
        let in_index = || (PathBuf::new(), path.to_owned());
        self.places.get(path).cloned().unwrap_or_else(in_index)
    }
}

/// The file in a folder of the work tree; none is an empty one.
pub(super) fn read(folder: &Path) -> Result<String, Problem> {
    let path = folder.join(FILE_NAME);
    match std::fs::read(&path) {
        Ok(content) => Ok(String::from_utf8_lossy(&content).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Problem::new(
            format!("cannot read {}", path.display()),
            error.to_string(),
            "make it readable, then try again",
        )),
    }
}

/// A path from the root of the file system, without going through links: they were followed only where they were typed.
fn absolute(path: &Path) -> Result<PathBuf, Problem> {
    let whole = std::path::absolute(path).map_err(|error| {
        Problem::new(
            format!("cannot tell where {} lies", path.display()),
            error.to_string(),
            "go into a folder that exists, then try again",
        )
    })?;
    let mut plain = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(component),
        }
    }
    Ok(plain)
}

/// The top of the repository that a path lies in.
fn root_of(path: &Path) -> Option<&Path> {
    path.ancestors()
        .skip(1)
        .find(|folder| folder.join(".git").exists())
}

#[cfg(windows)]
fn slashes(path: &str) -> String {
    path.replace('\\', "/")
}

#[cfg(not(windows))]
fn slashes(path: &str) -> String {
    path.to_owned()
}
