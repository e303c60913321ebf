//! Looks into gzip, zip, tar and PDF as they stream by, within bounds. Never writes what it unpacks, and never calls clean
//! what it did not look into.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::Scanner;
use super::change::{Bound, Content, Packing, Unread};
use super::reading::{self, Limits};

mod pdf;
mod tar;
mod zip;

/// Up to here no ratio is too good.
const UNSUSPICIOUS: u64 = if cfg!(test) { 1 << 18 } else { 4 << 20 };
/// Text rarely packs better than this; a bomb is at 1000.
const MOST_RATIO: u64 = 250;

/// What a content is packed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One stream, or several behind one another.
    Gzip,
    /// Also jar, whl, docx and their kind.
    Zip,
    /// Any of its formats.
    Tar,
    /// With deflated streams in it.
    Pdf,
    /// Something that keyagent does not unpack.
    Other(Packing),
}

/// What the first bytes say a content is packed as.
pub(super) fn kind(head: &[u8]) -> Option<Kind> {
    match head {
        [0x1f, 0x8b, 8, ..] => Some(Kind::Gzip),
        [b'P', b'K', 3, 4, ..] => Some(Kind::Zip),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(Kind::Pdf),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Kind::Other(Packing::Xz)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Kind::Other(Packing::Zstandard)),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Some(Kind::Other(Packing::Bzip2)),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Some(Kind::Other(Packing::SevenZip)),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Some(Kind::Other(Packing::Rar)),
        _ if head.starts_with(b"# v2 git bundle\n") || head.starts_with(b"# v3 git bundle\n") => {
            Some(Kind::Other(Packing::GitBundle))
        }
        _ => head
            .first_chunk()
            .filter(|block| tar::is_header(block))
            .map(|_| Kind::Tar),
    }
}

/// Whether base64 says something that can be unpacked.
pub(super) fn is_packed(decoded: &[u8]) -> bool {
    matches!(
        kind(decoded),
        Some(Kind::Gzip | Kind::Zip | Kind::Tar | Kind::Pdf)
    )
}

/// Everything that a container holds.
pub(super) fn contents(scanner: &Scanner, kind: Kind, reader: &mut dyn Read, limits: Limits<'_>) -> Content {
    let packed = Cell::new(0);
    let reader = Counted {
        inner: reader,
        count: &packed,
    };
    let mut unpacker = Unpacker {
        scanner,
        limits: Limits {
            depth: limits.depth + 1,
            ..limits
        },
        packed: &packed,
        unpacked: Cell::new(0),
        found: Content::default(),
    };
    let mut reader = BufReader::with_capacity(32 << 10, reader);
    let result = match kind {
        Kind::Gzip => unpacker.entry("", &mut MultiGzDecoder::new(&mut reader)),
        Kind::Zip => zip::entries(&mut unpacker, &mut reader),
        Kind::Tar => tar::entries(&mut unpacker, &mut reader),
        Kind::Pdf => pdf::entries(&mut unpacker, &mut reader),
        Kind::Other(packing) => Err(Bound::NotUnpacked(packing)),
    };
    if let Err(why) = result {
        unpacker.unread("", why);
    }
    unpacker.found
}

struct Unpacker<'a> {
    scanner: &'a Scanner,
    limits: Limits<'a>,
    /// How many bytes of the container have been read.
    packed: &'a Cell<u64>,
    /// How many bytes have come out of it.
    unpacked: Cell<u64>,
    found: Content,
}

impl Unpacker<'_> {
    /// Looks through one entry; what is wrong with the container ends it.
    fn entry(&mut self, name: &str, reader: &mut dyn Read) -> Result<(), Bound> {
        let mut bounded = Bounded {
            inner: reader,
            left: self.limits.unpacked,
            packed: self.packed,
            unpacked: &self.unpacked,
            why: None,
        };
        let content = reading::read_within(self.scanner, &mut bounded, self.limits);
        let why = bounded.why;
        if let Ok(content) = content {
            let inside = |inner: &str| match (name, inner) {
                ("", inner) => inner.to_owned(),
                (name, "") => name.to_owned(),
                (name, inner) => format!("{name}!{inner}"),
            };
            self.found
                .candidates
                .extend(content.candidates.into_iter().map(|mut candidate| {
                    candidate.finding.path = inside(&candidate.finding.path);
                    candidate
                }));
            self.found
                .unread
                .extend(content.unread.into_iter().map(|unread| Unread {
                    path: inside(&unread.path),
                    ..unread
                }));
        }
        why.map_or(Ok(()), Err)
    }

    fn unread(&mut self, name: &str, why: Bound) {
        self.found.unread.push(Unread {
            path: name.to_owned(),
            why,
            fingerprint: String::new(),
        });
    }
}

/// Ends early, and says why, where too much comes out or what comes out is damaged: what came before is looked through.
struct Bounded<'a> {
    inner: &'a mut dyn Read,
    left: &'a Cell<u64>,
    packed: &'a Cell<u64>,
    unpacked: &'a Cell<u64>,
    why: Option<Bound>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.why.is_some() || buffer.is_empty() {
            return Ok(0);
        }
        let length = match self.inner.read(buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(_) => {
                self.why = Some(Bound::Unreadable);
                return Ok(0);
            }
        };
        let unpacked = self.unpacked.get() + length as u64;
        self.unpacked.set(unpacked);
        let is_bomb = unpacked > UNSUSPICIOUS && unpacked / MOST_RATIO > self.packed.get();
        match self.left.get().checked_sub(length as u64) {
            Some(left) if !is_bomb => {
                self.left.set(left);
                Ok(length)
            }
            Some(_) | None => {
                self.left.set(if is_bomb { self.left.get() } else { 0 });
                self.why = Some(Bound::Size);
                Ok(0)
            }
        }
    }
}

struct Counted<'a> {
    inner: &'a mut dyn Read,
    count: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count.set(self.count.get() + length as u64);
        Ok(length)
    }
}

/// Fills a buffer; false where the stream ends before.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> bool {
    reader.read_exact(buffer).is_ok()
}

/// Reads over so many bytes; false where the stream ends before.
fn skip(reader: &mut dyn BufRead, mut length: u64) -> bool {
    while length > 0 {
        let available = match reader.fill_buf() {
            Ok([]) | Err(_) => return false,
            Ok(buffer) => buffer.len(),
        };
        let step = usize::try_from(length).map_or(available, |length| length.min(available));
        reader.consume(step);
        length -= step as u64;
    }
    true
}

#[cfg(test)]
mod tests;
