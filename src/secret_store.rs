//! Keeps the secrets in hand: the new one during a rotation, the old one until it is deleted.
//! They lie in the OS keyring or in a 0600 file. Never prompts, never waits without a bound, never prints one.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::access_key::{AccessKeyId, SecretAccessKey};
use crate::process::Environment;

mod file;
#[cfg(feature = "desktop")]
mod keyring;

pub use file::FileStore;
#[cfg(feature = "desktop")]
pub use keyring::KeyringStore;

/// Why a secret could not be kept, found or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `write`.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no keyring that answers without a person.
    #[error("the keyring is not available: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// The keyring refused.
    #[error("the keyring cannot {action} the secret of {name}: {reason}")]
    Keyring {
        /// What was tried: `write`.
        action: &'static str,
        /// The entry.
        name: String,
        /// Why.
        reason: String,
    },
    /// The keyring said nothing. Whether it did what was asked is unknown.
    #[error("the keyring did not answer within {seconds} s when asked to {action} the secret of {name}")]
    TimedOut {
        /// What was tried: `write`.
        action: &'static str,
        /// The entry.
        name: String,
        /// The bound.
        seconds: u64,
    },
}

/// A place for secrets, one for each key ID.
pub trait SecretStore {
    /// `keyring` or `file`: the [`SecretStoreChoice`] that opens this place again.
    fn name(&self) -> &str;

    /// Why it is not the keyring, where `auto` would have preferred that.
    fn instead_of_keyring(&self) -> Option<&str> {
        None
    }

    /// Keeps the secret, replacing an earlier one. When this returns, a crash does not lose it.
    ///
    /// # Errors
    ///
    /// When it may not have been kept.
    fn put(&self, id: &AccessKeyId, secret: &SecretAccessKey) -> Result<(), Error>;

    /// The secret, or `None` where this place certainly has none.
    ///
    /// # Errors
    ///
    /// When the place cannot be asked.
    fn get(&self, id: &AccessKeyId) -> Result<Option<SecretAccessKey>, Error>;

    /// Forgets the secret; one that is not there is forgotten already.
    ///
    /// # Errors
    ///
    /// When it may still be there.
    fn delete(&self, id: &AccessKeyId) -> Result<(), Error>;
}

/// The setting `secret_store`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretStoreChoice {
    /// The keyring where it works, else files.
    #[default]
    Auto,
    /// The keyring, or an error.
    Keyring,
    /// Files in the state directory.
    File,
}

/// A word that is none of `auto`, `keyring` and `file`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of auto, keyring, file")]
pub struct InvalidChoice(String);

impl FromStr for SecretStoreChoice {
    type Err = InvalidChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "keyring" => Ok(Self::Keyring),
            "file" => Ok(Self::File),
            _ => Err(InvalidChoice(text.to_owned())),
        }
    }
}

/// Opens the chosen place. `auto` takes the keyring only after it kept, gave back and forgot a probe.
///
/// To find a secret again, open the place whose [`SecretStore::name`] was noted when it was put there: `auto` may
/// choose otherwise next time, as when the keyring is locked.
///
/// # Errors
///
/// When the keyring was asked for and is not available.
pub fn open(
    choice: SecretStoreChoice,
    state_dir: &Path,
    environment: &Environment,
) -> Result<Box<dyn SecretStore>, Error> {
    let file = FileStore::new(state_dir);
    match choice {
        SecretStoreChoice::File => Ok(Box::new(file)),
        #[cfg(feature = "desktop")]
        SecretStoreChoice::Keyring => Ok(Box::new(KeyringStore::open(environment)?)),
        #[cfg(not(feature = "desktop"))]
        SecretStoreChoice::Keyring => {
            let _ = environment;
            Err(Error::Unavailable {
                reason: "this keyagent was built without the feature `desktop`".to_owned(),
            })
        }
        #[cfg(feature = "desktop")]
        SecretStoreChoice::Auto => {
            match KeyringStore::open(environment).and_then(|keyring| keyring.prove().map(|()| keyring)) {
                Ok(keyring) => Ok(Box::new(KeyringThenFile { keyring, file })),
                // Headless, locked, never set up: the file serves.
                Err(unavailable) => Ok(Box::new(FileInstead {
                    file,
                    why: unavailable.to_string(),
                })),
            }
        }
        #[cfg(not(feature = "desktop"))]
        SecretStoreChoice::Auto => Ok(Box::new(file)),
    }
}

/// The file, because there is no keyring.
#[cfg(feature = "desktop")]
struct FileInstead {
    file: FileStore,
    why: String,
}

#[cfg(feature = "desktop")]
impl SecretStore for FileInstead {
    fn name(&self) -> &str {
        self.file.name()
    }

    fn instead_of_keyring(&self) -> Option<&str> {
        Some(&self.why)
    }

    fn put(&self, id: &AccessKeyId, secret: &SecretAccessKey) -> Result<(), Error> {
        self.file.put(id, secret)
    }

    fn get(&self, id: &AccessKeyId) -> Result<Option<SecretAccessKey>, Error> {
        self.file.get(id)
    }

    fn delete(&self, id: &AccessKeyId) -> Result<(), Error> {
        self.file.delete(id)
    }
}

/// The keyring, and behind it the files that were written while there was none.
#[cfg(feature = "desktop")]
struct KeyringThenFile {
    keyring: KeyringStore,
    file: FileStore,
}

#[cfg(feature = "desktop")]
impl SecretStore for KeyringThenFile {
    fn name(&self) -> &str {
        self.keyring.name()
    }

    fn put(&self, id: &AccessKeyId, secret: &SecretAccessKey) -> Result<(), Error> {
        self.keyring.put(id, secret)
    }

    fn get(&self, id: &AccessKeyId) -> Result<Option<SecretAccessKey>, Error> {
        match self.keyring.get(id)? {
            Some(secret) => Ok(Some(secret)),
            None => self.file.get(id),
        }
    }

    fn delete(&self, id: &AccessKeyId) -> Result<(), Error> {
        self.file.delete(id)?;
        self.keyring.delete(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_is_one_of_three_words() {
        assert_eq!("auto".parse(), Ok(SecretStoreChoice::Auto));
        assert_eq!("keyring".parse(), Ok(SecretStoreChoice::Keyring));
        assert_eq!("file".parse(), Ok(SecretStoreChoice::File));
        assert_eq!(
            "Vault"
                .parse::<SecretStoreChoice>()
                .map_err(|error| error.to_string()),
            Err("`Vault` is not one of auto, keyring, file".to_owned())
        );
    }

    #[test]
    #[cfg(not(any(target_os = "macos", windows)))]
    fn without_a_bus_auto_means_the_file_and_the_keyring_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let nothing = Environment::default();
        let store = open(SecretStoreChoice::Auto, folder.path(), &nothing).expect("the file serves");
        assert_eq!(store.name(), "file");
        let error = open(SecretStoreChoice::Keyring, folder.path(), &nothing)
            .err()
            .expect("no bus");
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    }
}
