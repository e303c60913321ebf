//! The Secret Service on Linux (GNOME Keyring, KWallet). No call waits longer than 3 s: a locked keyring asks its
//! user in a window, and a bus that says nothing would hold a rotation for ever.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use keyring_core::api::CredentialStoreApi;
use zbus_secret_service_keyring_store::Store;

use super::{Error, SecretStore};
use crate::access_key::{AccessKeyId, SecretAccessKey};
use crate::process::Environment;

const SERVICE: &str = "keyagent";
const BOUND: Duration = Duration::from_secs(3);

/// A keyring that answered when it was opened.
pub(super) struct KeyringStore {
    store: Arc<Store>,
}

impl KeyringStore {
    /// Connects to the session bus.
    pub(super) fn open(environment: &Environment) -> Result<Self, Error> {
        let has_bus = environment.get("DBUS_SESSION_BUS_ADDRESS").is_some()
            || environment
                .get_path("XDG_RUNTIME_DIR")
                .is_some_and(|folder| folder.join("bus").exists());
        if !has_bus {
            return Err(Error::Keyring("there is no session bus".into()));
        }
        Ok(Self {
            store: bounded(Store::new)?,
        })
    }

    fn entry<T: Send + 'static>(
        &self,
        id: &AccessKeyId,
        call: impl FnOnce(keyring_core::Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (store, id) = (Arc::clone(&self.store), id.to_string());
        bounded(move || call(store.build(SERVICE, &id, None)?))
    }
}

impl SecretStore for KeyringStore {
    fn name(&self) -> &'static str {
        "keyring"
    }

    fn put(&self, id: &AccessKeyId, secret: &SecretAccessKey) -> Result<(), Error> {
        let secret = secret.clone();
        self.entry(id, move |entry| entry.set_password(secret.expose()))
    }

    fn get(&self, id: &AccessKeyId) -> Result<Option<SecretAccessKey>, Error> {
        self.entry(id, |entry| match entry.get_password() {
            Ok(secret) => Ok(Some(SecretAccessKey::new(secret))),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn delete(&self, id: &AccessKeyId) -> Result<(), Error> {
        self.entry(id, |entry| match entry.delete_credential() {
            Ok(()) | Err(keyring_core::Error::NoEntry) => Ok(()),
            Err(error) => Err(error),
        })
    }
}

/// Runs a call on a thread of its own, since it blocks and panics inside the runtime; a thread that hangs is left
/// behind and ends with the process.
fn bounded<T: Send + 'static>(
    call: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(call());
    });
    match receiver.recv_timeout(BOUND) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::Keyring(error.to_string())),
        Err(_) => Err(Error::Keyring(format!(
            "it gave no answer within {} s",
            BOUND.as_secs()
        ))),
    }
}
