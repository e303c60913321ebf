//! Writing files so that a reader, or a power cut, finds the old content or the new, never a mixture.
//! Never truncates, never leaves a file readable by others even for a moment.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

mod append;
mod lock;
mod replace;

pub use append::{append, cut, last_byte};
pub use lock::Lock;
pub use replace::{Replaced, check_replaceable, check_room, other_names, replace};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a file's content, in hexadecimal. It identifies content; it reveals nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
    }

    /// 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A file operation that failed, with its path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refuses.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// In words: `write`, `lock`.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not the one that was read: somebody else has written to it.
    #[error("{} was changed by another program in the meantime", .0.display())]
    Changed(PathBuf),
    /// Another process holds the lock.
    #[error("{} is held by {holder}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Its process ID and command.
        holder: String,
    },
}

impl Error {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// Removes the temporary files that killed keyagents have left in the folder of a file.
///
/// A living one holds a lock on its own. Between the making of it and the lock lies a moment; who loses the file
/// in it fails before the rename, with nothing changed. Commands that work on the same credentials file do not
/// meet here at all, for each holds that file's lock.
pub fn remove_leftovers(path: &Path) {
    let Some(folder) = path
        .canonicalize()
        .ok()
        .and_then(|target| target.parent().map(Path::to_owned))
    else {
        return;
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // One that stays is found again next time.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Writes a whole private file: 0600 from the start, complete or not there.
///
/// # Errors
///
/// [`Error::Io`].
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    create_private_folder(folder)?;
    let mut temporary = private_temporary(folder)?;
    temporary
        .write_all(content)
        .map_err(Error::io("write", temporary.path()))?;
    temporary
        .as_file()
        .sync_all()
        .map_err(Error::io("write", temporary.path()))?;
    temporary
        .persist(path)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    sync_folder(folder)
}

/// Writes a whole file that everybody may read, complete or not there; its folder must exist.
///
/// # Errors
///
/// [`Error::Io`].
pub fn write_public(path: &Path, content: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut temporary = private_temporary(folder)?;
    temporary
        .write_all(content)
        .map_err(Error::io("write", temporary.path()))?;
    #[cfg(unix)]
    {
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        temporary
            .as_file()
            .set_permissions(everybody)
            .map_err(Error::io("write", temporary.path()))?;
    }
    temporary
        .persist(path)
        .map_err(|error| Error::io("replace", path)(error.error))?;
    Ok(())
}

/// Makes a folder, and those above it, that only the user can enter.
///
/// # Errors
///
/// [`Error::Io`].
pub fn create_private_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(Error::io("make the folder", folder))
}

/// How the names of keyagent's temporary files begin.
const TEMPORARY: &str = ".keyagent-";

/// A temporary file in the target's own folder, so that the rename cannot cross file systems. 0600 by design
/// of the tempfile crate.
fn private_temporary(folder: &Path) -> Result<tempfile::NamedTempFile, Error> {
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
        .map_err(Error::io("write into", folder))?;
    // Says that it is in use; where the file system has no locks, nobody can remove it for want of one.
    let _ = temporary.as_file().try_lock();
    Ok(temporary)
}

/// Without this a power cut may undo the rename.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("write into", folder))
}

/// Other platforms cannot open a folder; their renames are journaled.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        std::fs::write(&path, "content").unwrap();
        std::fs::write(folder.path().join(".keyagent-dead"), "half").unwrap();
        std::fs::write(folder.path().join(".keyagentallow"), "not ours").unwrap();
        let in_use = private_temporary(folder.path()).unwrap();
        remove_leftovers(&path);
        assert!(in_use.path().exists());
        drop(in_use);
        let mut left: Vec<_> = folder
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".keyagentallow", "credentials"]);
    }
}
