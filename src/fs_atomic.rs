//! Writing files so that a reader, or a power cut, finds the old content or the new, never a mixture.
//! Never truncates, never leaves a file readable by others even for a moment.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

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

/// What lies under the old name once a replacement is done.
#[derive(Debug, PartialEq, Eq)]
pub enum Replaced {
    /// Nobody wrote in between.
    Cleanly,
    /// A program that had the old file open wrote to it after it was replaced: this is what it wrote. The edit
    /// is to be planned again on these bytes, or it would be lost.
    OverALateEdit(Vec<u8>),
}

/// Replaces a file's content by a rename in its own folder.
///
/// A symbolic link stays, and its target is replaced. Mode and owner stay. `expected` is the digest of the
/// content that the new one was made from.
///
/// # Errors
///
/// [`Error::Changed`] when the content is another by now; [`Error::Io`] when the system refuses. In both cases
/// the file is what it was, and no temporary file is left.
pub fn replace(path: &Path, content: &[u8], expected: &Digest) -> Result<Replaced, Error> {
    let target = path.canonicalize().map_err(Error::io("find", path))?;
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut old = File::open(&target).map_err(Error::io("read", &target))?;
    let mut temporary = private_temporary(folder)?;
    temporary
        .write_all(content)
        .map_err(Error::io("write", temporary.path()))?;
    keep_all_but_content(&old, &temporary, &target)?;
    temporary
        .as_file()
        .sync_all()
        .map_err(Error::io("write", temporary.path()))?;
    if Digest::of(&read_again(&mut old, &target)?) != *expected {
        return Err(Error::Changed(target));
    }
    temporary
        .persist(&target)
        .map_err(|error| Error::io("replace", &target)(error.error))?;
    sync_folder(folder)?;
    let late = read_again(&mut old, &target)?;
    if Digest::of(&late) == *expected {
        return Ok(Replaced::Cleanly);
    }
    Ok(Replaced::OverALateEdit(settled(&mut old, &target, late)?))
}

/// Waits, for half a second at most, until a file that somebody is writing reads the same twice and is not empty.
fn settled(file: &mut File, path: &Path, mut content: Vec<u8>) -> Result<Vec<u8>, Error> {
    for _ in 0..25 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        let again = read_again(file, path)?;
        if again == content && !again.is_empty() {
            break;
        }
        content = again;
    }
    Ok(content)
}

/// More than any file that keyagent writes grows by in one rotation.
const ROOM: usize = 64 * 1024;

/// Proves that [`replace`] can put another file in the place of `path`: makes one of that size and a little more
/// in its folder, with its owner, mode and attributes, and removes it again. Writing finds what no question to
/// the system tells: a quota, a limit of the process, a full disk that counts blocks for root alone.
///
/// # Errors
///
/// [`Error::Io`] with the folder that cannot be written, or what cannot be kept.
pub fn check_replaceable(path: &Path) -> Result<(), Error> {
    let target = path.canonicalize().map_err(Error::io("find", path))?;
    let old = File::open(&target).map_err(Error::io("read", &target))?;
    let size = old.metadata().map_err(Error::io("read", &target))?.len();
    let temporary = private_temporary(target.parent().unwrap_or(Path::new("/")))?;
    fill(
        &temporary,
        usize::try_from(size).unwrap_or(usize::MAX).saturating_add(ROOM),
    )?;
    keep_all_but_content(&old, &temporary, &target)
}

/// How many other names the file has (hard links). A replacement gives the new content to `path` alone.
#[cfg(unix)]
pub fn other_names(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    path.metadata()
        .map_or(0, |metadata| metadata.nlink().saturating_sub(1))
}

/// The standard library does not tell here.
#[cfg(not(unix))]
pub fn other_names(_: &Path) -> u64 {
    0
}

/// Proves that there is room in a folder of keyagent's own, which is made if it is not there.
///
/// # Errors
///
/// [`Error::Io`] with the folder.
pub fn check_room(folder: &Path) -> Result<(), Error> {
    create_private_folder(folder)?;
    fill(&private_temporary(folder)?, ROOM)
}

fn fill(temporary: &tempfile::NamedTempFile, length: usize) -> Result<(), Error> {
    temporary
        .as_file()
        .write_all(&vec![b'#'; length])
        .and_then(|()| temporary.as_file().sync_data())
        .map_err(Error::io("write", temporary.path()))
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

/// Appends to a file and makes it durable; the file is made 0600, its folder 0700.
///
/// # Errors
///
/// [`Error::Io`].
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    create_private_folder(folder)?;
    let is_new = !path.exists();
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(Error::io("open", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    file.sync_all().map_err(Error::io("write", path))?;
    if is_new { sync_folder(folder) } else { Ok(()) }
}

/// The last byte of a file; `None` when it is empty or missing.
///
/// # Errors
///
/// [`Error::Io`].
pub fn last_byte(path: &Path) -> Result<Option<u8>, Error> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let mut byte = [0];
    let read = match file.seek(SeekFrom::End(-1)) {
        Ok(_) => file.read_exact(&mut byte),
        // Before the beginning: there is no last byte.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(None),
        Err(error) => Err(error),
    };
    read.map_err(Error::io("read", path))?;
    Ok(Some(byte[0]))
}

/// Cuts a file to its first `length` bytes, for good.
///
/// # Errors
///
/// [`Error::Io`].
pub fn cut(path: &Path, length: u64) -> Result<(), Error> {
    let file = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    file.set_len(length)
        .and_then(|()| file.sync_all())
        .map_err(Error::io("write", path))
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

fn read_again(file: &mut File, path: &Path) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut content))
        .map_err(Error::io("read", path))?;
    Ok(content)
}

/// Owner, mode, and the extended attributes that stand for rights and labels.
#[cfg(unix)]
fn keep_all_but_content(old: &File, temporary: &tempfile::NamedTempFile, target: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let before = old.metadata().map_err(Error::io("read", target))?;
    let after = temporary
        .as_file()
        .metadata()
        .map_err(Error::io("read", temporary.path()))?;
    if (before.uid(), before.gid()) != (after.uid(), after.gid()) {
        fchown(temporary.as_file(), Some(before.uid()), Some(before.gid()))
            .map_err(Error::io("keep the owner of", target))?;
    }
    temporary
        .as_file()
        .set_permissions(before.permissions())
        .map_err(Error::io("keep the mode of", target))?;
    keep_attributes(old, temporary, target)
}

/// Copies the access list, the security label and the user's own attributes. What belongs to the bytes or to the
/// inode (a signature, a capability, macOS's provenance) is not the new file's.
#[cfg(unix)]
fn keep_attributes(old: &File, temporary: &tempfile::NamedTempFile, target: &Path) -> Result<(), Error> {
    use xattr::FileExt;
    let names = match old.list_xattr() {
        Ok(names) => names,
        // A file system without attributes has none to keep.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
        Err(error) => return Err(Error::io("keep the attributes of", target)(error)),
    };
    for name in names {
        let is_kept = name == "system.posix_acl_access"
            || name == "security.selinux"
            || name.to_string_lossy().starts_with("user.");
        if !is_kept {
            continue;
        }
        let value = old
            .get_xattr(&name)
            .map_err(Error::io("keep the attributes of", target))?;
        let has_it = temporary.as_file().get_xattr(&name).is_ok_and(|own| own == value);
        if let (Some(value), false) = (value, has_it) {
            temporary
                .as_file()
                .set_xattr(&name, &value)
                .map_err(Error::io("keep the attributes of", target))?;
        }
    }
    Ok(())
}

/// Other platforms: a file made in a folder inherits the folder's access list, as the old file did.
#[cfg(not(unix))]
fn keep_all_but_content(_: &File, _: &tempfile::NamedTempFile, _: &Path) -> Result<(), Error> {
    Ok(())
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

    #[cfg(unix)]
    #[test]
    fn link_and_mode_stay_and_the_content_is_new() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::fs::write(&target, "old").unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("target", &link).unwrap();
        assert_eq!(
            replace(&link, b"new", &Digest::of(b"old")).unwrap(),
            Replaced::Cleanly
        );
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(
            folder.path().read_dir().unwrap().count(),
            2,
            "no temporary file is left"
        );
    }

    /// The access list in the form that the kernel keeps: version 2, then owner, one user, group, mask, others.
    #[cfg(target_os = "linux")]
    fn access_list() -> Vec<u8> {
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, rights, id) in [
            (1_u16, 6_u16, u32::MAX),
            (2, 4, 65_534),
            (4, 0, u32::MAX),
            (0x10, 4, u32::MAX),
            (0x20, 0, u32::MAX),
        ] {
            list.extend(tag.to_le_bytes());
            list.extend(rights.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_access_list_and_the_attributes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "old").unwrap();
        let mut kept = Vec::new();
        for (name, value) in [
            ("user.note", b"mine".to_vec()),
            ("system.posix_acl_access", access_list()),
        ] {
            match xattr::set(&path, name, &value) {
                Ok(()) => kept.push((name, value)),
                // A file system without them has nothing to keep.
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{name}: {error}"),
            }
        }
        replace(&path, b"new", &Digest::of(b"old")).unwrap();
        for (name, value) in kept {
            assert_eq!(xattr::get(&path, name).unwrap(), Some(value), "{name}");
        }
    }

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

    #[test]
    fn content_that_has_changed_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "theirs").unwrap();
        assert!(matches!(
            replace(&path, b"ours", &Digest::of(b"old")),
            Err(Error::Changed(_))
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(
            folder.path().read_dir().unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

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
