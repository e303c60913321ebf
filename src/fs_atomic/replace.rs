//! Replaces the content of a file that is there, with all else that belongs to it, and proves beforehand that it can.
//! Loses no edit of another program.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Digest, Error, create_private_folder, private_temporary, sync_folder};

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
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return Ok(()),
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
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported, "{name}: {error}"),
            }
        }
        replace(&path, b"new", &Digest::of(b"old")).unwrap();
        for (name, value) in kept {
            assert_eq!(xattr::get(&path, name).unwrap(), Some(value), "{name}");
        }
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
}
