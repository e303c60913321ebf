//! The further files that `also_update` names.

use std::path::{Path, PathBuf};

use super::file::read_all;
use super::{AllSettings, SYSTEM_FILE, user_file, values};
use crate::process::Environment;

/// A file that `also_update` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherFile {
    /// Which.
    pub path: PathBuf,
    /// The settings file that names it.
    pub settings: PathBuf,
    /// The line there, counted from 1.
    pub line: usize,
}

/// `~` is this home folder.
fn below_home(path: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_), None) | (Err(_), _) => path.to_owned(),
    }
}

impl AllSettings {
    /// The further files of these profiles, which share a key; `~` is this home folder.
    pub fn also_update<'a>(
        &self,
        profiles: impl IntoIterator<Item = &'a str>,
        home: Option<&Path>,
    ) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in profiles
            .into_iter()
            .flat_map(|name| &self.profile(name).also_update)
        {
            let path = below_home(path, home);
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// Every further file that a line of either settings file names.
    pub fn further_files(environment: &Environment, home: Option<&Path>) -> Vec<FurtherFile> {
        let paths = [Some(PathBuf::from(SYSTEM_FILE)), user_file(environment).ok()];
        let mut further = Vec::new();
        for settings in paths.into_iter().flatten() {
            let entries = read_all(&settings).0.map(|file| file.entries);
            let named = entries.into_iter().flatten();
            for entry in named.filter(|entry| entry.name == "also_update") {
                let paths = values::paths(&entry.value).unwrap_or_default();
                further.extend(paths.iter().map(|path| FurtherFile {
                    path: below_home(path, home),
                    settings: settings.clone(),
                    line: entry.line,
                }));
            }
        }
        further
    }
}
