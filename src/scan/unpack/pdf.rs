//! The deflated streams of PDF files: the text of pages, metadata, attached files. Leaves images alone, and what is
//! filtered otherwise, encrypted or damaged: that is no archive's entry that somebody could unpack and commit.
//!
//! Source: ISO 32000-1, 7.3.8, 7.4.3 and 7.4.4.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::ZlibDecoder;
use memchr::memmem;

use super::Unpacker;
use crate::scan::change::Bound;

/// How much is read at most until the next letter that may end the keyword.
const STEP: u64 = 64 << 10;
/// How long the dictionary before a stream may be.
const LONGEST_DICTIONARY: usize = 4 << 10;

pub(super) fn entries(unpacker: &mut Unpacker<'_>, reader: &mut dyn BufRead) -> Result<(), Bound> {
    let mut before = Vec::new();
    loop {
        match (&mut *reader).take(STEP).read_until(b'm', &mut before) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(_) => return Err(Bound::Unreadable),
        }
        if before.ends_with(b"stream") && !before.ends_with(b"endstream") {
            let dictionary = dictionary(&before);
            if is_deflated(dictionary) && end_line(reader) {
                let name = name(&before[..before.len() - dictionary.len()]);
                let stream = if memmem::find(dictionary, b"/ASCII85Decode").is_some() {
                    let packed = BufReader::new(Ascii85::new(&mut *reader));
                    unpacker.entry(&name, &mut ZlibDecoder::new(packed))
                } else {
                    unpacker.entry(&name, &mut ZlibDecoder::new(&mut *reader))
                };
                match stream {
                    Ok(()) | Err(Bound::Unreadable) => {}
                    Err(why) => return Err(why),
                }
            }
            before.clear();
        }
        if before.len() > 2 * LONGEST_DICTIONARY {
            before.drain(..before.len() - LONGEST_DICTIONARY);
        }
    }
}

/// What stands between `12 0 obj` and the keyword.
fn dictionary(before: &[u8]) -> &[u8] {
    &before[memmem::rfind(before, b" obj").unwrap_or_default()..]
}

fn is_deflated(dictionary: &[u8]) -> bool {
    let has = |word: &[u8]| memmem::find(dictionary, word).is_some();
    has(b"/FlateDecode") && !(has(b"/Subtype/Image") || has(b"/Subtype /Image"))
}

/// A newline, with or without a carriage return before it, is no part of the stream.
fn end_line(reader: &mut dyn BufRead) -> bool {
    for byte in b"\r\n" {
        match reader.fill_buf() {
            Ok(buffer) if buffer.first() == Some(byte) => reader.consume(1),
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    true
}

/// `object 12`, by which viewers find it.
fn name(before: &[u8]) -> String {
    let mut words = before.rsplit(|byte| !byte.is_ascii_digit());
    let number = words.nth(1).and_then(|number| std::str::from_utf8(number).ok());
    match number {
        Some(number) if !number.is_empty() => format!("object {number}"),
        Some(_) | None => "stream".to_owned(),
    }
}

/// Undoes what some writers do to a deflated stream: five letters for four bytes, up to `~>`.
struct Ascii85<'a> {
    inner: &'a mut dyn BufRead,
    is_at_end: bool,
}

impl<'a> Ascii85<'a> {
    fn new(inner: &'a mut dyn BufRead) -> Self {
        Self {
            inner,
            is_at_end: false,
        }
    }

    /// The next value of a letter; none at the end.
    fn letter(&mut self) -> io::Result<Option<u8>> {
        while !self.is_at_end {
            let Some(byte) = self.inner.fill_buf()?.first().copied() else {
                self.is_at_end = true;
                break;
            };
            self.inner.consume(1);
            match byte {
                b'!'..=b'u' | b'z' => return Ok(Some(byte - b'!')),
                _ if byte.is_ascii_whitespace() => {}
                _ => self.is_at_end = true,
            }
        }
        Ok(None)
    }

    /// The next group's bytes, and how many of them there are.
    fn group(&mut self) -> io::Result<([u8; 4], usize)> {
        // What is left out at the end counts as the last letter.
        let mut letters = [84; 5];
        for count in 0..5 {
            match self.letter()? {
                // `z`, for four zeros.
                Some(89) if count == 0 => return Ok(([0; 4], 4)),
                Some(letter) => letters[count] = letter,
                None => return Ok((bytes(letters), count.saturating_sub(1))),
            }
        }
        Ok((bytes(letters), 4))
    }
}

fn bytes(letters: [u8; 5]) -> [u8; 4] {
    let add = |value: u32, letter: u8| value.wrapping_mul(85).wrapping_add(u32::from(letter));
    letters.into_iter().fold(0, add).to_be_bytes()
}

impl Read for Ascii85<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        for four in buffer.as_chunks_mut::<4>().0 {
            let (group, count) = self.group()?;
            *four = group;
            length += count;
            if count < 4 {
                break;
            }
        }
        Ok(length)
    }
}
