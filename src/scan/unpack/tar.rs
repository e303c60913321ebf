//! Tar archives of every format, entry by entry.
//!
//! Source: POSIX.1-2017 pax, and GNU tar's "Basic Tar Format".

use std::io::{BufRead, Read};

use super::{Unpacker, fill, skip};
use crate::scan::change::Bound;

const BLOCK: usize = 512;
/// Longer names are none.
const LONGEST_NAME: u64 = 64 << 10;

/// Whether a block is the header of an entry: its checksum says so.
pub(super) fn is_header(block: &[u8; BLOCK]) -> bool {
    let sum = |from: usize, to: usize| block[from..to].iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let is_name = block[0] != 0;
    is_name && octal(&block[148..156]) == Some(sum(0, 148) + 8 * u64::from(b' ') + sum(156, BLOCK))
}

pub(super) fn entries(unpacker: &mut Unpacker<'_>, reader: &mut dyn BufRead) -> Result<(), Bound> {
    let mut long_name: Option<String> = None;
    loop {
        let mut block = [0; BLOCK];
        if !fill(reader, &mut block) || block == [0; BLOCK] {
            // Some writers leave the two empty blocks at the end out.
            return Ok(());
        }
        if !is_header(&block) {
            return Err(Bound::Unreadable);
        }
        let size = number(&block[124..136]).ok_or(Bound::Unreadable)?;
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        let mut entry = (&mut *reader).take(size);
        match block[156] {
            kind @ (b'L' | b'x') if size <= LONGEST_NAME => {
                let mut said = Vec::new();
                if entry.read_to_end(&mut said).is_err() {
                    return Err(Bound::Unreadable);
                }
                let name = if kind == b'L' {
                    Some(text(&said))
                } else {
                    pax_path(&said)
                };
                long_name = name.or(long_name);
            }
            // Links and folders hold nothing, whatever size they claim.
            b'1'..=b'6' => {
                long_name = None;
                continue;
            }
            _ => {
                let name = long_name.take().unwrap_or_else(|| name(&block));
                unpacker.entry(&name, &mut entry)?;
            }
        }
        let left = entry.limit();
        if !skip(reader, left) {
            return Err(Bound::Unreadable);
        }
        // The last padding may be missing too.
        if !skip(reader, padding) {
            return Ok(());
        }
    }
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn name(block: &[u8; BLOCK]) -> String {
    let (name, prefix) = (text(&block[..100]), text(&block[345..500]));
    let is_posix = &block[257..263] == b"ustar\0";
    if is_posix && !prefix.is_empty() {
        format!("{prefix}/{name}")
    } else {
        name
    }
}

/// `30 path=the/name` and a newline, with the length of it all before it.
fn pax_path(records: &[u8]) -> Option<String> {
    records
        .split(|byte| *byte == b'\n')
        .filter_map(|record| {
            let space = memchr::memchr(b' ', record)?;
            record[space + 1..].strip_prefix(b"path=")
        })
        .next_back()
        .map(text)
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = field
        .trim_ascii()
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let digits = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(digits, 8).ok()
}

/// Octal, or where that is too short base 256.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        return octal(field);
    }
    let (high, low) = field.split_at(field.len() - 8);
    let is_small = high[0] == 0x80 && high[1..].iter().all(|byte| *byte == 0);
    let low = u64::from_be_bytes(low.try_into().ok()?);
    (is_small && low < 1 << 62).then_some(low)
}
