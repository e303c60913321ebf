//! Reads packs in this process, each object once: a delta is applied to its base while that is in memory, as
//! git-index-pack(1) does, and never looked for again. Reads at places, maps nothing; what it holds at a time is bounded.
//! Whatever it does not understand, or would take too much memory, it names instead, and git reads it.
//!
//! The formats are those of gitformat-pack(5).

mod delta;
mod entry;
mod families;
mod index;

use std::fs::File;
use std::io;

pub(super) use families::{Families, Walk};
pub(super) use index::Index;

/// An object larger than this is not held as a whole.
const LARGEST: usize = 2 << 20;
/// Nor one that is larger than this, where few are at a time.
const LARGEST_IN_TURN: usize = 8 << 20;

/// Fills `buffer` from a place in a file.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Fills `buffer` from a place in a file.
#[cfg(windows)]
fn read_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buffer.is_empty() {
        match file.seek_read(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                buffer = &mut buffer[length..];
                offset += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
