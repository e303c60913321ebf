//! How an entry of a pack begins. Unpacks nothing.

use super::super::{Kind, ObjectFormat, ObjectId};

/// A size, then an offset or a name: no entry begins with more.
pub(super) const LONGEST_HEADER: usize = 10 + 32;

/// What an entry is: an object, or a delta of one at another place, or of one with a name.
pub(super) enum Entry {
    Whole(Kind),
    DeltaOfOffset(u64),
    DeltaOfName(ObjectId),
}

/// What stands before the packed bytes.
pub(super) struct Header {
    pub(super) entry: Entry,
    /// Of the content, or of the delta, when unpacked.
    pub(super) size: usize,
    /// Its own, in bytes.
    pub(super) length: usize,
}

/// The header at `offset` of a pack, whose first bytes are `bytes`; none where it is not understood.
pub(super) fn header(offset: u64, bytes: &[u8], format: ObjectFormat) -> Option<Header> {
    let mut at = 0;
    let mut next = || {
        let byte = bytes.get(at).copied();
        at += 1;
        byte
    };
    let first = next()?;
    let (mut size, mut shift, mut byte) = (usize::from(first & 0x0f), 4, first);
    while byte & 0x80 != 0 {
        byte = next()?;
        size |= usize::from(byte & 0x7f)
            .checked_shl(shift)
            .filter(|_| shift < usize::BITS - 7)?;
        shift += 7;
    }
    let entry = match first >> 4 & 7 {
        1 => Entry::Whole(Kind::Commit),
        2 => Entry::Whole(Kind::Tree),
        3 => Entry::Whole(Kind::Blob),
        4 => Entry::Whole(Kind::Tag),
        6 => {
            let mut byte = next()?;
            let mut back = u64::from(byte & 0x7f);
            while byte & 0x80 != 0 {
                byte = next()?;
                back = back.checked_add(1)?.checked_mul(0x80)? | u64::from(byte & 0x7f);
            }
            Entry::DeltaOfOffset(offset.checked_sub(back)?)
        }
        7 => {
            let width = format.width();
            let name = bytes.get(at..at + width)?;
            at += width;
            Entry::DeltaOfName(ObjectId::from_bytes(name))
        }
        _ => return None,
    };
    Some(Header {
        entry,
        size,
        length: at,
    })
}
