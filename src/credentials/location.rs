//! Where AWS's files lie, and the reading of their bytes. Writes nothing.

use std::io;
use std::path::{Path, PathBuf};

use super::FileKind;
use super::document::Document;
use crate::process::Environment;

/// The paths of the two files, as the SDKs and the AWS CLI find them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    /// `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    pub credentials: PathBuf,
    /// `AWS_CONFIG_FILE`, else `~/.aws/config`.
    pub config: PathBuf,
}

impl Locations {
    /// Reads the variables; a leading `~/` in them is the home folder. Without a home folder: `None`.
    pub fn of(environment: &Environment) -> Option<Self> {
        Some(Self {
            credentials: Self::path_of(environment, FileKind::Credentials)?,
            config: Self::path_of(environment, FileKind::Config)?,
        })
    }

    /// The path of one file, which needs a home folder only where no variable says another place.
    pub fn path_of(environment: &Environment, kind: FileKind) -> Option<PathBuf> {
        let home = home(environment);
        let (variable, name) = match kind {
            FileKind::Credentials => ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            FileKind::Config => ("AWS_CONFIG_FILE", "config"),
        };
        match environment.get_path(variable) {
            Some(path) => match path.strip_prefix("~") {
                Ok(rest) => Some(home?.join(rest)),
                Err(_) => Some(path.to_owned()),
            },
            None => Some(home?.join(".aws").join(name)),
        }
    }

    /// The path of one of them.
    pub fn path(&self, kind: FileKind) -> &Path {
        match kind {
            FileKind::Credentials => &self.credentials,
            FileKind::Config => &self.config,
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// A folder stands in its place.
    #[error("{} is a folder", .0.display())]
    Folder(PathBuf),
    /// The system refuses.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Reads a whole file, through symbolic links.
///
/// # Errors
///
/// When it is missing, a folder, or refused by the system.
pub fn read(path: &Path) -> Result<Document, ReadError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Document::parse(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ReadError::Missing(path.to_owned())),
        Err(_) if path.is_dir() => Err(ReadError::Folder(path.to_owned())),
        Err(source) => Err(ReadError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// `HOME`, on Windows `USERPROFILE`: the same order as the SDK's.
fn home(environment: &Environment) -> Option<&Path> {
    environment
        .get_path("HOME")
        .or_else(|| environment.get_path("USERPROFILE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_beat_the_home_folder_and_a_tilde_is_it() {
        let environment =
            Environment::from_iter([("HOME", "/home/ann"), ("AWS_SHARED_CREDENTIALS_FILE", "~/keys")]);
        let locations = Locations::of(&environment).unwrap();
        assert_eq!(locations.credentials, Path::new("/home/ann/keys"));
        assert_eq!(locations.config, Path::new("/home/ann/.aws/config"));
        assert_eq!(Locations::of(&Environment::default()), None);
    }
}
