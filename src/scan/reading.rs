//! Reads a content in chunks, in whatever it is written or packed, and says on which line a key stands.
//! Holds a megabyte or two of it at a time, and no secret when it is done.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::ops::Range;

use sha2::Digest;

use super::change::{Bound, Candidate, Content, Finding, Unread};
use super::decode::{self, Utf16};
use super::detector::{self, Encoding, GoesOn, Match, Part, Rule};
use super::{Scanner, allow, content_digest, fingerprint, hexadecimal, unpack};
use crate::access_key::AccessKeyId;

pub(super) mod changed;
mod digested;
mod place;
mod window;

use digested::Digested;
use place::{Place, lines_around};
use window::Window;

/// How much is searched at a time; in unit tests less, as are the bounds below, so that every case is met in little time.
pub(super) const WINDOW: usize = if cfg!(test) { 1 << 17 } else { 1 << 20 };
/// What is in memory anyway and no longer than this is searched at once.
const AT_ONCE: usize = 2 * WINDOW;
/// How much before a value is kept for the words that name it, and for the line it is on.
const CONTEXT: usize = 8 << 10;
/// How much behind the beginning of a value must be there: more than the longest session token.
const AHEAD: usize = 16 << 10;
/// How far before a value a block may begin that allows it.
const BLOCK: usize = 64 << 10;
/// More findings in one content help no one.
const MOST_CANDIDATES: usize = if cfg!(test) { 1_000 } else { 10_000 };
/// How many bytes all containers in one content may hold.
const MOST_UNPACKED: u64 = if cfg!(test) { 3 << 20 } else { 64 << 20 };
/// How deep containers may lie in containers.
const DEEPEST: usize = 3;

thread_local! {
    /// The windows of the contents before, for those to come: asking the system for memory takes longer than searching
    /// a small file, and what another processor wrote to is not at hand.
    static BUFFERS: RefCell<Vec<Window>> = const { RefCell::new(Vec::new()) };
}

/// What is left of the bounds of one content.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) unpacked: &'a Cell<u64>,
    pub(super) depth: usize,
}

impl<'a> Limits<'a> {
    /// Those of a content that lies in no other.
    fn of(unpacked: &'a Cell<u64>) -> Self {
        Self { unpacked, depth: 0 }
    }
}

/// All of a content that is in memory.
pub(super) fn bytes(scanner: &Scanner, content: &[u8]) -> Content {
    let is_plain =
        content.len() <= AT_ONCE && unpack::kind(content).is_none() && decode::utf_16(content).is_none();
    if is_plain {
        let unpacked = Cell::new(MOST_UNPACKED);
        let mut pass = Pass::new(scanner, Limits::of(&unpacked), Encoding::Plain);
        pass.search(content, 0..content.len(), None);
        pass.found.bytes = content.len() as u64;
        return pass.found;
    }
    read(scanner, &mut &content[..]).expect("what is in memory can be read to its end")
}

/// All of a stream.
pub(super) fn read(scanner: &Scanner, reader: &mut dyn Read) -> io::Result<Content> {
    let unpacked = Cell::new(MOST_UNPACKED);
    read_within(scanner, reader, Limits::of(&unpacked))
}

/// All of a stream that may itself have come out of another one.
pub(super) fn read_within(
    scanner: &Scanner,
    reader: &mut dyn Read,
    limits: Limits<'_>,
) -> io::Result<Content> {
    let mut raw = Chunks::new(scanner, limits, Encoding::Plain);
    raw.fill(reader)?;
    let head = raw.head();
    let mut inside = Content::default();
    let mut reader = Digested::new(reader);
    if let Some(kind) = unpack::kind(head) {
        if limits.depth == 0 {
            reader.begin_with(head);
        }
        if limits.depth >= DEEPEST {
            inside.unread.push(Unread {
                path: String::new(),
                why: Bound::Depth,
                fingerprint: String::new(),
            });
        } else {
            let head = head.to_vec();
            let mut tee = Tee {
                head: &head,
                rest: &mut reader,
                chunks: &mut raw,
                error: None,
            };
            inside = unpack::contents(scanner, kind, &mut tee, limits);
            if let Some(error) = tee.error {
                return Err(error);
            }
        }
    } else if let Some(order) = decode::utf_16(head) {
        raw.pass.is_utf_16 = true;
        let mut utf_16 = Utf16::new(order);
        let mut text = Chunks::new(scanner, limits, Encoding::Utf16);
        text.push(&utf_16.decode(raw.head()));
        while !raw.is_at_end {
            raw.make_room();
            let from = raw.filled;
            raw.fill(&mut reader)?;
            text.push(&utf_16.decode(&raw.buffer[from..raw.filled]));
        }
        inside = text.finish();
        inside.bytes = 0;
    }
    while !raw.is_at_end {
        raw.make_room();
        raw.fill(&mut reader)?;
    }
    let mut found = raw.finish();
    merge(&mut found, inside);
    if let Some(fingerprint) = reader.fingerprint() {
        for unread in &mut found.unread {
            unread.fingerprint.clone_from(&fingerprint);
        }
    }
    Ok(found)
}

/// What is written plainly in a container is told once, as what it is inside.
fn merge(found: &mut Content, inside: Content) {
    if !inside.candidates.is_empty() {
        let known: std::collections::HashSet<&str> = inside
            .candidates
            .iter()
            .map(|candidate| candidate.finding.fingerprint.as_str())
            .collect();
        found
            .candidates
            .retain(|candidate| !known.contains(candidate.finding.fingerprint.as_str()));
    }
    found.candidates.extend(inside.candidates);
    found.unread.extend(inside.unread);
}

/// Hands a container's bytes to the unpacker, and to the search of what it is as it is.
struct Tee<'a, 'p, 's> {
    head: &'a [u8],
    rest: &'a mut dyn Read,
    chunks: &'p mut Chunks<'s>,
    /// What went wrong below: no fault of the container's.
    error: Option<io::Error>,
}

impl Read for Tee<'_, '_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            return self.head.read(buffer);
        }
        if self.chunks.is_at_end || self.error.is_some() || buffer.is_empty() {
            return Ok(0);
        }
        match self.rest.read(buffer) {
            Ok(0) => {
                self.chunks.is_at_end = true;
                Ok(0)
            }
            Ok(length) => {
                self.chunks.push(&buffer[..length]);
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.error = Some(error);
                Ok(0)
            }
        }
    }
}

/// A stream's bytes, of which only a window is in memory.
struct Chunks<'s> {
    pass: Pass<'s>,
    buffer: Window,
    filled: usize,
    /// How many bytes at the beginning have been searched already and are there for what follows.
    kept: usize,
    is_at_end: bool,
    bytes: u64,
}

impl<'s> Chunks<'s> {
    fn new(scanner: &'s Scanner, limits: Limits<'s>, encoding: Encoding) -> Self {
        Self {
            pass: Pass::new(scanner, limits, encoding),
            buffer: BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default(),
            filled: 0,
            kept: 0,
            is_at_end: false,
            bytes: 0,
        }
    }

    /// The first bytes, as long as there is but one window.
    fn head(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Reads until the window is full or the stream ends.
    fn fill(&mut self, reader: &mut dyn Read) -> io::Result<()> {
        while self.filled < self.buffer.len() && !self.is_at_end {
            match reader.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.is_at_end = true,
                Ok(length) => {
                    self.filled += length;
                    self.bytes += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.filled == self.buffer.len() {
                self.make_room();
            }
            let length = bytes.len().min(self.buffer.len() - self.filled);
            self.buffer[self.filled..self.filled + length].copy_from_slice(&bytes[..length]);
            self.filled += length;
            self.bytes += length as u64;
            bytes = &bytes[length..];
        }
    }

    /// Searches a full window, and keeps what the next one needs of it.
    fn make_room(&mut self) {
        if self.filled < self.buffer.len() {
            return;
        }
        let ahead = AHEAD.max(self.pass.scanner.own.longest()).min(WINDOW / 4);
        let until = self.filled - ahead;
        let from = self.line_start_before(until - CONTEXT);
        self.pass
            .search(&self.buffer[..self.filled], self.kept..until, Some(from));
        self.pass.place.go_past(&self.buffer[..from]);
        self.buffer.copy_within(from..self.filled, 0);
        self.filled -= from;
        self.kept = until - from;
    }

    /// Where the next window is to begin: at the beginning of a line, where one is near. A piece of a line of base64
    /// may be too short to be taken for one, and the lines below it would be read from a wrong character on.
    fn line_start_before(&self, from: usize) -> usize {
        if self.pass.is_utf_16 {
            return from;
        }
        let near = &self.buffer[from - CONTEXT..from];
        memchr::memrchr(b'\n', near).map_or(from, |at| from - CONTEXT + at + 1)
    }

    fn finish(mut self) -> Content {
        self.pass
            .search(&self.buffer[..self.filled], self.kept..self.filled, None);
        BUFFERS.with_borrow_mut(|buffers| buffers.push(self.buffer));
        self.pass.found.bytes = self.bytes;
        self.pass.found
    }
}

/// One pass over a text, window by window.
struct Pass<'s> {
    scanner: &'s Scanner,
    limits: Limits<'s>,
    encoding: Encoding,
    is_utf_16: bool,
    found: Content,
    /// Where the window begins.
    place: Place,
    /// How base64 goes on at the beginning of the window.
    goes_on: GoesOn,
}

impl<'s> Pass<'s> {
    fn new(scanner: &'s Scanner, limits: Limits<'s>, encoding: Encoding) -> Self {
        Self {
            scanner,
            limits,
            encoding,
            is_utf_16: false,
            found: Content::default(),
            place: Place::START,
            goes_on: GoesOn::Somehow,
        }
    }

    /// Searches a window for what begins in `accepted`.
    fn search(&mut self, text: &[u8], accepted: Range<usize>, next: Option<usize>) {
        let part = Part {
            goes_on: (!self.place.is_in_first_window()).then_some(self.goes_on),
            next,
            is_utf_16: self.is_utf_16,
        };
        let found = detector::detect(text, part);
        self.goes_on = found.goes_on;
        let mut place = self.place;
        let mut values = found.values;
        self.scanner.own.add_to(text, &mut values);
        values.retain(|value| accepted.contains(&value.range.start));
        for value in values {
            if self.found.candidates.len() >= MOST_CANDIDATES {
                self.unread(Bound::Size, String::new());
                break;
            }
            place.go_to(text, value.range.start);
            let candidate = self.candidate(text, value, &place);
            self.found.candidates.push(candidate);
        }
        let mut place = self.place;
        for (range, packed) in found.packed {
            if !accepted.contains(&range.start) {
                continue;
            }
            place.go_to(text, range.start);
            self.packed(&packed, &range, &place);
        }
    }

    fn unread(&mut self, why: Bound, fingerprint: String) {
        let unread = Unread {
            path: String::new(),
            why,
            fingerprint,
        };
        if !self.found.unread.contains(&unread) {
            self.found.unread.push(unread);
        }
    }

    /// What base64 says is packed; it is told where the base64 begins.
    fn packed(&mut self, packed: &[u8], range: &Range<usize>, place: &Place) {
        let fingerprint = || hexadecimal(content_digest().chain_update(packed));
        if self.limits.depth >= DEEPEST {
            self.unread(Bound::Depth, fingerprint());
            return;
        }
        let limits = Limits {
            depth: self.limits.depth + 1,
            ..self.limits
        };
        let Ok(content) = read_within(self.scanner, &mut &packed[..], limits) else {
            return;
        };
        for unread in content.unread {
            self.found.unread.push(Unread {
                fingerprint: fingerprint(),
                ..unread
            });
        }
        for mut candidate in content.candidates {
            candidate.finding.line = place.line;
            candidate.finding.column = place.column();
            candidate.finding.characters = place.character()..place.character() + range.len();
            candidate.finding.encoding = Encoding::Base64;
            self.found.candidates.push(candidate);
        }
    }

    fn candidate(&self, text: &[u8], found: Match, place: &Place) -> Candidate {
        let value = &found.value[..];
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let access_key_id = match found.rule {
            Rule::AccessKeyId | Rule::OwnKey => std::str::from_utf8(value)
                .ok()
                .filter(|id| id.len() == 20)
                .and_then(|id| AccessKeyId::parse(id).ok()),
            Rule::SecretAccessKey | Rule::SessionToken => None,
        };
        let mut candidate = Candidate {
            counts: found.counts,
            finding: Finding {
                rule: found.rule,
                path: String::new(),
                line: place.line,
                column: place.column(),
                characters: place.character()..place.character() + found.range.len(),
                commit: None,
                account_id: access_key_id.as_ref().and_then(AccessKeyId::account_id),
                preview: if access_key_id.is_some() {
                    shown(value)
                } else {
                    format!("{}… ({})", shown(&value[..value.len().min(4)]), value.len())
                },
                access_key_id,
                profile: None,
                is_current: false,
                is_live: false,
                group: 0,
                fingerprint: fingerprint(value),
                encoding: match found.encoding {
                    Encoding::Plain => self.encoding,
                    other @ (Encoding::Utf16
                    | Encoding::Base64
                    | Encoding::Url
                    | Encoding::Json
                    | Encoding::Hex) => other,
                },
                allowed: self.allowed(text, &found),
            },
        };
        self.scanner.own.name(&mut candidate);
        candidate
    }

    fn allowed(&self, text: &[u8], found: &Match) -> Option<allow::Allowed> {
        let (above, line) = lines_around(text, &found.range);
        if found.encoding == Encoding::Utf16 {
            let plain = |line: &[u8]| -> Vec<u8> { line.iter().copied().filter(|byte| *byte != 0).collect() };
            return allow::marker(&plain(above), &plain(line), self.scanner.today);
        }
        allow::marker(above, line, self.scanner.today).or_else(|| {
            allow::disabled_block(&text[found.range.start.saturating_sub(BLOCK)..found.range.start])
        })
    }
}

#[cfg(test)]
mod tests;
