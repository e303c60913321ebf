//! One 0600 file for each key ID, in a 0700 folder. Every change is on the disk before it is reported done.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{Error, SecretStore};
use crate::access_key::{AccessKeyId, SecretAccessKey};

/// Secrets in `secrets/` of the state directory. Nothing is created before the first secret.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    /// The store of this state directory.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            folder: state_dir.join("secrets"),
        }
    }

    // IDs are letters, digits and `_`, and so cannot lead out of the folder.
    fn path(&self, id: &AccessKeyId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    /// Temporary files carry the ID, so that what a crash leaves is found when the secret is deleted.
    fn temporary_prefix(id: &AccessKeyId) -> String {
        format!(".{id}.")
    }

    fn create_folder(&self) -> Result<(), Error> {
        if !self.folder.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(&self.folder).map_err(io("create", &self.folder))?;
            if let Some(state_dir) = self.folder.parent() {
                sync_folder(state_dir)?;
            }
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&self.folder)
                .map_err(io("look at", &self.folder))?
                .permissions()
                .mode();
            if mode & 0o077 != 0 {
                fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))
                    .map_err(io("protect", &self.folder))?;
            }
        }
        Ok(())
    }
}

impl SecretStore for FileStore {
    fn name(&self) -> &str {
        "file"
    }

    fn put(&self, id: &AccessKeyId, secret: &SecretAccessKey) -> Result<(), Error> {
        self.create_folder()?;
        let path = self.path(id);
        // tempfile creates with 0600: there is no moment at which others can read it.
        let mut file = tempfile::Builder::new()
            .prefix(&Self::temporary_prefix(id))
            .tempfile_in(&self.folder)
            .map_err(io("create a file in", &self.folder))?;
        file.write_all(secret.expose().as_bytes())
            .map_err(io("write", &path))?;
        file.as_file().sync_all().map_err(io("sync", &path))?;
        file.persist(&path)
            .map_err(|error| io("replace", &path)(error.error))?;
        sync_folder(&self.folder)
    }

    fn get(&self, id: &AccessKeyId) -> Result<Option<SecretAccessKey>, Error> {
        let path = self.path(id);
        match fs::read_to_string(&path) {
            Ok(secret) => Ok(Some(SecretAccessKey::new(secret))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read", &path)(error)),
        }
    }

    fn delete(&self, id: &AccessKeyId) -> Result<(), Error> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io("list", &self.folder)(error)),
        };
        let prefix = Self::temporary_prefix(id);
        for entry in entries {
            let entry = entry.map_err(io("list", &self.folder))?;
            let name = entry.file_name();
            if name == id.as_str() || name.to_string_lossy().starts_with(&prefix) {
                match fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(io("delete", &entry.path())(error));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
        }
        sync_folder(&self.folder)
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

/// A rename or removal lasts only when its folder is on the disk, too. Windows has no such call.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync", folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, FileStore, AccessKeyId) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FileStore::new(&folder.path().join("state"));
        (
            folder,
            store,
            AccessKeyId::parse("TESTTESTTESTTEST").expect("an ID"),
        )
    }

    #[test]
    fn a_secret_comes_back_until_it_is_deleted() {
        let (_folder, store, id) = store();
        assert_eq!(store.get(&id).expect("asked"), None);
        store.delete(&id).expect("nothing to delete");
        for secret in ["first", "second/+=\n"] {
            store.put(&id, &SecretAccessKey::new(secret)).expect("kept");
            assert_eq!(store.get(&id).expect("asked"), Some(SecretAccessKey::new(secret)));
        }
        store.delete(&id).expect("forgotten");
        assert_eq!(store.get(&id).expect("asked"), None);
    }

    #[test]
    #[cfg(unix)]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let (_folder, store, id) = store();
        store.put(&id, &SecretAccessKey::new("secret")).expect("kept");
        assert_eq!((mode(&store.path(&id)), mode(&store.folder)), (0o600, 0o700));
        fs::set_permissions(&store.folder, fs::Permissions::from_mode(0o755)).expect("loosened");
        store.put(&id, &SecretAccessKey::new("secret")).expect("kept");
        assert_eq!(mode(&store.folder), 0o700);
    }

    #[test]
    fn what_a_crash_left_goes_with_the_secret() {
        let (_folder, store, id) = store();
        store.put(&id, &SecretAccessKey::new("secret")).expect("kept");
        fs::write(store.folder.join(format!(".{id}.torn")), "sec").expect("written");
        fs::write(store.folder.join("ANOTHERANOTHERAN"), "other").expect("written");
        store.delete(&id).expect("forgotten");
        assert_eq!(fs::read_dir(&store.folder).expect("listed").count(), 1);
    }

    #[test]
    fn an_error_names_the_path() {
        let (folder, store, id) = store();
        fs::write(folder.path().join("state"), "a file in the way").expect("written");
        let error = store
            .put(&id, &SecretAccessKey::new("secret"))
            .expect_err("no folder");
        assert!(error.to_string().contains("secrets"), "{error}");
    }
}
