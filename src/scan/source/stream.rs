//! What comes in one piece: standard input, or the message of a commit that is being made.

use std::io::Read;
use std::path::Path;

use crate::git::MessageRules;
use crate::process::Environment;
use crate::scan::{Error, Scan, Scanner};

/// All of a stream; `name` stands for its path.
///
/// # Errors
///
/// When it cannot be read to its end.
pub fn stream(scanner: &Scanner, name: &str, reader: impl Read) -> Result<Scan, Error> {
    let content = scanner.read(reader).map_err(|source| Error::Read {
        path: name.into(),
        source,
    })?;
    let mut scan = Scan::default();
    scan.look_at(name, content);
    Ok(scan)
}

/// A commit message, in the file that git gives its commit-msg hook; without what git drops from it.
///
/// # Errors
///
/// When it cannot be read, or git does not say what it drops.
pub fn message(scanner: &Scanner, file: &Path, cwd: &Path, environment: &Environment) -> Result<Scan, Error> {
    let message = std::fs::read(file).map_err(|source| Error::Read {
        path: file.to_owned(),
        source,
    })?;
    let kept = MessageRules::of(cwd, environment)?.kept(&message);
    let scan = stream(scanner, &file.to_string_lossy(), &kept[..])?;
    Ok(Scan {
        is_message: true,
        ..scan
    })
}
