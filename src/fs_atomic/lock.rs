//! Locks between processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use super::{Error, create_private_folder};

/// A lock that ends with its holder: a process that dies releases it, so none is ever stale.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock as soon as it is free, and gives up after `bound`.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] with the holder; [`Error::Io`].
    pub fn acquire_within(path: &Path, holder: &str, bound: std::time::Duration) -> Result<Self, Error> {
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);
        let mut waited = std::time::Duration::ZERO;
        loop {
            match Self::acquire(path, holder) {
                Err(Error::Locked { .. }) if waited < bound => {
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                result => return result,
            }
        }
    }

    /// Takes the lock at once or says who has it.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] with the holder; [`Error::Io`].
    pub fn acquire(path: &Path, holder: &str) -> Result<Self, Error> {
        create_private_folder(path.parent().unwrap_or(Path::new("/")))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(Error::io("open", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    path: path.to_owned(),
                    holder: named_in(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
        }
        file.set_len(0).map_err(Error::io("write", path))?;
        file.write_all(holder.as_bytes())
            .map_err(Error::io("write", path))?;
        Ok(Self { _file: file })
    }

    /// Who holds the lock now; `None` where nobody does. Neither makes the file nor writes to it.
    pub fn holder(path: &Path) -> Option<String> {
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(named_in(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

/// What the holder of a lock has written into it.
fn named_in(file: &mut File) -> String {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    if holder.is_empty() {
        "another process".into()
    } else {
        holder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_named_and_a_dropped_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::acquire(&path, "keyagent rotate (process 7)").unwrap();
        let Err(Error::Locked { holder, .. }) = Lock::acquire(&path, "me") else {
            panic!("it is taken")
        };
        assert_eq!(holder, "keyagent rotate (process 7)");
        drop(lock);
        Lock::acquire(&path, "me").unwrap();
    }
}
