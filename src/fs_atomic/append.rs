//! What grows at its end: journals.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Error, create_private_folder, sync_folder};

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
