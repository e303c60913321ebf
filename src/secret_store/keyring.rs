//! The OS keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! One thread owns it, because the D-Bus library panics inside an async runtime and Windows orders only the calls
//! of one thread. Every call is bounded: a mute bus, or a dialog, would hang it for ever.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

#[cfg(target_os = "macos")]
use apple_native_keyring_store::keychain as platform;
use keyring_core::api::CredentialStoreApi as _;
#[cfg(windows)]
use windows_native_keyring_store as platform;
#[cfg(target_os = "linux")]
use zbus_secret_service_keyring_store as platform;

use super::{Error, SecretStore};
use crate::access_key::{AccessKeyId, SecretAccessKey};
use crate::process::Environment;

/// Under which every entry is found: `secret-tool search --all service keyagent`.
const SERVICE: &str = "keyagent";
/// A keyring answers in milliseconds; what takes longer waits for a person, or for nothing.
const BOUND: Duration = Duration::from_secs(3);

/// The keyring of the signed-in user.
#[derive(Debug)]
pub struct KeyringStore {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
enum Operation {
    /// Only whether the keyring can be used without a person.
    Check,
    Put(SecretAccessKey),
    Get,
    Delete,
}

impl Operation {
    fn name(&self) -> &'static str {
        match self {
            Self::Check => "look for",
            Self::Put(_) => "write",
            Self::Get => "read",
            Self::Delete => "delete",
        }
    }
}

struct Request {
    operation: Operation,
    name: String,
    reply: mpsc::Sender<Result<Option<SecretAccessKey>, Error>>,
}

impl KeyringStore {
    /// Opens the keyring, if it is there and unlocked.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where there is no session bus, no keyring, or a locked one.
    pub fn open(environment: &Environment) -> Result<Self, Error> {
        find_bus(environment)?;
        let (requests, incoming) = mpsc::channel::<Request>();
        std::thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || serve(&incoming))
            .map_err(|error| Error::Unavailable {
                reason: error.to_string(),
            })?;
        let store = Self { requests };
        store.ask(Operation::Check, SERVICE)?;
        Ok(store)
    }

    /// Writes, reads back and deletes a value that is no secret.
    ///
    /// # Errors
    ///
    /// When the keyring does not keep what it is given.
    pub(super) fn prove(&self) -> Result<(), Error> {
        // The process's number keeps two keyagents from deleting each other's probe.
        let name = format!("probe-{}", std::process::id());
        let probe = SecretAccessKey::new("a probe, no secret");
        self.ask(Operation::Put(probe.clone()), &name)?;
        let read = self.ask(Operation::Get, &name)?;
        self.ask(Operation::Delete, &name)?;
        if read == Some(probe) {
            Ok(())
        } else {
            Err(Error::Unavailable {
                reason: "it does not give back what it was given".to_owned(),
            })
        }
    }

    fn ask(&self, operation: Operation, name: &str) -> Result<Option<SecretAccessKey>, Error> {
        let action = operation.name();
        let (reply, answer) = mpsc::channel();
        let gone = || Error::Unavailable {
            reason: "its thread has ended".to_owned(),
        };
        self.requests
            .send(Request {
                operation,
                name: name.to_owned(),
                reply,
            })
            .map_err(|_unsent| gone())?;
        // After a hang the thread is still busy, and each further call ends at its own bound.
        match answer.recv_timeout(BOUND) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(Error::TimedOut {
                action,
                name: name.to_owned(),
                seconds: BOUND.as_secs(),
            }),
            Err(RecvTimeoutError::Disconnected) => Err(gone()),
        }
    }
}

impl SecretStore for KeyringStore {
    fn name(&self) -> &str {
        "keyring"
    }

    fn put(&self, id: &AccessKeyId, secret: &SecretAccessKey) -> Result<(), Error> {
        self.ask(Operation::Put(secret.clone()), id.as_str())
            .map(|_nothing| ())
    }

    fn get(&self, id: &AccessKeyId) -> Result<Option<SecretAccessKey>, Error> {
        self.ask(Operation::Get, id.as_str())
    }

    fn delete(&self, id: &AccessKeyId) -> Result<(), Error> {
        self.ask(Operation::Delete, id.as_str()).map(|_nothing| ())
    }
}

/// The thread: it ends with the store that sends to it.
fn serve(incoming: &mpsc::Receiver<Request>) {
    let mut store = None;
    while let Ok(Request {
        operation,
        name,
        reply,
    }) = incoming.recv()
    {
        // Nobody may wait for the answer any more; the next request is served all the same.
        let _ = reply.send(perform(&mut store, &operation, &name));
    }
}

fn perform(
    store: &mut Option<Arc<platform::Store>>,
    operation: &Operation,
    name: &str,
) -> Result<Option<SecretAccessKey>, Error> {
    // It can be locked at any moment, and then even reading opens a dialog.
    refuse_locked()?;
    let refused = |error: keyring_core::Error| Error::Keyring {
        action: operation.name(),
        name: name.to_owned(),
        reason: error.to_string(),
    };
    let store = match store {
        Some(store) => store,
        None => store.insert(platform::Store::new().map_err(|error| Error::Unavailable {
            reason: error.to_string(),
        })?),
    };
    let entry = store.build(SERVICE, name, None).map_err(refused)?;
    match operation {
        Operation::Check => Ok(None),
        Operation::Put(secret) => entry
            .set_password(secret.expose())
            .map(|()| None)
            .map_err(refused),
        Operation::Get => match entry.get_password() {
            Ok(secret) => Ok(Some(SecretAccessKey::new(secret))),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(refused(error)),
        },
        Operation::Delete => match entry.delete_credential() {
            Ok(()) | Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(refused(error)),
        },
    }
}

/// Without an address the D-Bus library would try to start a bus, or wait.
#[cfg(target_os = "linux")]
fn find_bus(environment: &Environment) -> Result<(), Error> {
    let socket = environment
        .get_path("XDG_RUNTIME_DIR")
        .map(|folder| folder.join("bus"));
    if environment.get("DBUS_SESSION_BUS_ADDRESS").is_some() || socket.is_some_and(|socket| socket.exists()) {
        Ok(())
    } else {
        Err(Error::Unavailable {
            reason: "there is no D-Bus session bus".to_owned(),
        })
    }
}

#[cfg(not(target_os = "linux"))]
fn find_bus(_environment: &Environment) -> Result<(), Error> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn refuse_locked() -> Result<(), Error> {
    use secret_service::EncryptionType;
    use secret_service::blocking::SecretService;

    let unavailable = |error: secret_service::Error| Error::Unavailable {
        reason: error.to_string(),
    };
    // No secret passes through this session, so it needs no key exchange.
    let service = SecretService::connect(EncryptionType::Plain).map_err(unavailable)?;
    let collection = match service.get_default_collection() {
        Ok(collection) => collection,
        Err(secret_service::Error::NoResult) => {
            return Err(Error::Unavailable {
                reason: "it was never set up".to_owned(),
            });
        }
        Err(error) => return Err(unavailable(error)),
    };
    if collection.is_locked().map_err(unavailable)? {
        return Err(Error::Unavailable {
            reason: "it is locked".to_owned(),
        });
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn refuse_locked() -> Result<(), Error> {
    Ok(())
}
