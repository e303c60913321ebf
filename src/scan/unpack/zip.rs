//! Zip files, entry by entry in the order in which they lie there. The directory at the end is not needed.
//!
//! Source: PKWARE's APPNOTE.TXT 6.3.10.

use std::io::{BufRead, Read};

use flate2::bufread::DeflateDecoder;

use super::{Unpacker, fill, skip};
use crate::scan::change::Bound;

const ENTRY: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const IS_ENCRYPTED: u16 = 1;
const HAS_DESCRIPTOR: u16 = 8;
/// A size that stands in the extra field instead.
const IN_EXTRA: u64 = 0xffff_ffff;

pub(super) fn entries(unpacker: &mut Unpacker<'_>, reader: &mut dyn BufRead) -> Result<(), Bound> {
    loop {
        let mut signature = [0; 4];
        if !fill(reader, &mut signature) {
            return Err(Bound::Unreadable);
        }
        if signature != ENTRY {
            // The directory, or what may stand before it; all entries are over.
            return if signature.starts_with(b"PK") {
                Ok(())
            } else {
                Err(Bound::Unreadable)
            };
        }
        entry(unpacker, reader)?;
    }
}

fn entry(unpacker: &mut Unpacker<'_>, reader: &mut dyn BufRead) -> Result<(), Bound> {
    let mut header = [0; 26];
    if !fill(reader, &mut header) {
        return Err(Bound::Unreadable);
    }
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let (flags, method) = (short(2), short(4));
    let mut size = u64::from(short(14)) | u64::from(short(16)) << 16;
    let mut name = vec![0; usize::from(short(22))];
    let mut extra = vec![0; usize::from(short(24))];
    if !fill(reader, &mut name) || !fill(reader, &mut extra) {
        return Err(Bound::Unreadable);
    }
    let is_large = size == IN_EXTRA;
    if is_large {
        size = size_in_extra(&extra).ok_or(Bound::Unreadable)?;
    }
    let mut is_empty = size == 0;
    let name = String::from_utf8_lossy(&name).into_owned();
    let has_descriptor = flags & HAS_DESCRIPTOR != 0;
    if flags & IS_ENCRYPTED != 0 || !matches!(method, STORED | DEFLATED) {
        let why = if flags & IS_ENCRYPTED != 0 {
            Bound::Encrypted
        } else {
            Bound::Unreadable
        };
        // Without a size nothing tells where the next entry begins.
        if has_descriptor && size == 0 {
            return Err(why);
        }
        unpacker.unread(&name, why);
        return if !skip(reader, size) || has_descriptor && !descriptor(reader, size, size == 0) {
            Err(Bound::Unreadable)
        } else {
            Ok(())
        };
    }
    if method == DEFLATED {
        let mut decoder = DeflateDecoder::new(&mut *reader);
        unpacker.entry(&name, &mut decoder)?;
        (size, is_empty) = (decoder.total_in(), decoder.total_out() == 0);
    } else if has_descriptor && size == 0 {
        // As it is, it is searched with the container itself; a name that ends in a slash is a folder, which is empty.
        return if name.ends_with('/') && descriptor(reader, 0, true) {
            Ok(())
        } else {
            Err(Bound::Unreadable)
        };
    } else {
        let mut stored = (&mut *reader).take(size);
        unpacker.entry(&name, &mut stored)?;
        let left = stored.limit();
        if !skip(reader, left) {
            return Err(Bound::Unreadable);
        }
    }
    if has_descriptor && !descriptor(reader, size, is_empty) {
        return Err(Bound::Unreadable);
    }
    Ok(())
}

/// Reads over the sizes behind an entry, which have four bytes or eight, with a signature before them or without.
fn descriptor(reader: &mut dyn BufRead, size: u64, is_empty: bool) -> bool {
    let mut first = [0; 4];
    if !fill(reader, &mut first) || first == DESCRIPTOR && !fill(reader, &mut first) {
        return false;
    }
    let mut sizes = [0; 8];
    if !fill(reader, &mut sizes) {
        return false;
    }
    // A packed size of eight bytes whose upper half is zero, or one of four before an unpacked size of zero.
    let is_large = sizes[4..] == [0; 4] && !is_empty || size > u64::from(u32::MAX);
    skip(reader, if is_large { 8 } else { 0 })
}

/// The packed size in the field 1 of the extra data, behind the unpacked one.
fn size_in_extra(extra: &[u8]) -> Option<u64> {
    let mut rest = extra;
    while let [id_low, id_high, low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let field = tail.get(..length)?;
        if [*id_low, *id_high] == [1, 0] {
            return field.get(8..16)?.try_into().ok().map(u64::from_le_bytes);
        }
        rest = &tail[length..];
    }
    None
}
