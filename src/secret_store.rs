//! Where secrets in hand lie: the new one during a rotation, the old one until its key is deleted.
//! The OS keyring, or a file that only the user can read. Never logs a value.

use std::path::{Path, PathBuf};

use crate::access_key::{AccessKeyId, SecretAccessKey};
use crate::fs_atomic;
use crate::process::Environment;

#[cfg(all(feature = "desktop", target_os = "linux"))]
mod keyring;

/// The setting `secret_store`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretStoreChoice {
    /// The keyring where there is one that keeps what it is given, else the file.
    Auto,
    /// The keyring, or an error.
    Keyring,
    /// The file.
    File,
}

impl std::str::FromStr for SecretStoreChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "keyring" => Ok(Self::Keyring),
            "file" => Ok(Self::File),
            _ => Err(format!("`{text}` is none of auto, keyring, file")),
        }
    }
}

/// Why a secret cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refuses.
    #[error(transparent)]
    File(#[from] fs_atomic::Error),
    /// A secret's file cannot be read or removed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// In words.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// There is no keyring that could be used now.
    #[error("the keyring cannot be used: {0}")]
    Keyring(String),
    /// What was written was not read back.
    #[error("the secret store ({0}) does not give back what it was given")]
    Forgets(&'static str),
}

/// Keeps secrets by the ID of their key.
pub trait SecretStore {
    /// What it is, in a word or two.
    fn name(&self) -> &'static str;

    /// Keeps a secret, durably, in place of one that was there.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    fn put(&self, id: &AccessKeyId, secret: &SecretAccessKey) -> Result<(), Error>;

    /// Finds a secret.
    ///
    /// # Errors
    ///
    /// See [`Error`]; that there is none is no error.
    fn get(&self, id: &AccessKeyId) -> Result<Option<SecretAccessKey>, Error>;

    /// Removes a secret; that there is none is no error.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    fn delete(&self, id: &AccessKeyId) -> Result<(), Error>;

    /// Writes, reads back and removes a value under a name that no key has.
    ///
    /// # Errors
    ///
    /// When a step fails, or something else comes back.
    fn prove(&self) -> Result<(), Error> {
        let id = AccessKeyId::parse("KEYAGENT_PROVES_THE_STORE").expect("letters and `_` fit IAM's pattern");
        let secret = SecretAccessKey::new(format!("proof by process {}", std::process::id()));
        self.put(&id, &secret)?;
        let read = self.get(&id)?;
        self.delete(&id)?;
        if read.as_ref() == Some(&secret) {
            Ok(())
        } else {
            Err(Error::Forgets(self.name()))
        }
    }
}

/// Opens the store of the setting. `auto` takes the keyring only when it has proven that it keeps a value.
///
/// # Errors
///
/// When the keyring was asked for and cannot be used.
pub fn open(
    choice: SecretStoreChoice,
    state_folder: &Path,
    environment: &Environment,
) -> Result<Box<dyn SecretStore>, Error> {
    let file = || {
        Box::new(FileStore {
            folder: state_folder.join("secrets"),
        })
    };
    match choice {
        SecretStoreChoice::File => Ok(file()),
        SecretStoreChoice::Keyring => {
            let keyring = open_keyring(environment)?;
            keyring.prove()?;
            Ok(keyring)
        }
        SecretStoreChoice::Auto => match open_keyring(environment) {
            Ok(keyring) if keyring.prove().is_ok() => Ok(keyring),
            Ok(_) | Err(_) => Ok(file()),
        },
    }
}

#[cfg(all(feature = "desktop", target_os = "linux"))]
fn open_keyring(environment: &Environment) -> Result<Box<dyn SecretStore>, Error> {
    Ok(Box::new(keyring::KeyringStore::open(environment)?))
}

/// This build has no keyring: the feature `desktop` is off, or the platform's store is not built in yet.
#[cfg(not(all(feature = "desktop", target_os = "linux")))]
fn open_keyring(_: &Environment) -> Result<Box<dyn SecretStore>, Error> {
    Err(Error::Keyring("this build of keyagent has none".into()))
}

/// One 0600 file a secret, in a 0700 folder.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    fn path(&self, id: &AccessKeyId) -> PathBuf {
        // An ID is letters, digits and `_` only, so it is a file name.
        self.folder.join(id.as_str())
    }
}

impl SecretStore for FileStore {
    fn name(&self) -> &'static str {
        "file"
    }

    fn put(&self, id: &AccessKeyId, secret: &SecretAccessKey) -> Result<(), Error> {
        Ok(fs_atomic::write_private(
            &self.path(id),
            secret.expose().as_bytes(),
        )?)
    }

    fn get(&self, id: &AccessKeyId) -> Result<Option<SecretAccessKey>, Error> {
        let path = self.path(id);
        match std::fs::read_to_string(&path) {
            Ok(secret) => Ok(Some(SecretAccessKey::new(secret))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io {
                doing: "read",
                path,
                source,
            }),
        }
    }

    fn delete(&self, id: &AccessKeyId) -> Result<(), Error> {
        let path = self.path(id);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(Error::Io {
                doing: "remove",
                path,
                source,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_a_secret_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore {
            folder: folder.path().join("secrets"),
        };
        let id = AccessKeyId::parse(&"A".repeat(20)).unwrap();
        assert_eq!(store.get(&id).unwrap(), None);
        store.prove().unwrap();
        store.put(&id, &SecretAccessKey::new("old")).unwrap();
        store.put(&id, &SecretAccessKey::new("new")).unwrap();
        assert_eq!(store.get(&id).unwrap(), Some(SecretAccessKey::new("new")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&store.path(&id)), mode(&store.folder)), (0o600, 0o700));
        }
        store.delete(&id).unwrap();
        store.delete(&id).unwrap();
        assert_eq!(store.get(&id).unwrap(), None);
    }

    #[test]
    fn without_a_bus_auto_takes_the_file_and_keyring_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = Environment::default();
        assert_eq!(
            open(SecretStoreChoice::Auto, folder.path(), &nothing)
                .unwrap()
                .name(),
            "file"
        );
        assert!(matches!(
            open(SecretStoreChoice::Keyring, folder.path(), &nothing),
            Err(Error::Keyring(_))
        ));
    }
}
