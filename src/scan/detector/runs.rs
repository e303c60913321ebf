//! Finds the few places of a text that can hold a key, at the speed of memory. Never decides what stands there.
//!
//! How key IDs begin, as they are and in base64, is searched for all at once with vector instructions. A run of 38 bytes,
//! and a secret has 40, covers the last 16 bytes of some block of 23: those alone are asked.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::base64::is_standard;

/// The least length of a run that may hold a secret, a token or an encoded text: a key ID that is twice in base64.
const LONG: usize = 38;
/// How many bytes are asked at once: as many as every processor can.
const ASKED: usize = 16;
/// A run of 38 bytes covers one of the places that are asked, wherever it begins.
const STEP: usize = LONG + 1 - ASKED;
/// The first place: a run from the beginning on covers it too.
const FIRST: usize = STEP - 1;

/// How key IDs begin: as they are, and in base64 with none, one or two bytes before them in their group of three. Of
/// those only the characters are searched for that the bytes before do not change.
const BEGINNINGS: [Beginning; 16] = [
    Beginning::new("A", "KIA", "", Written::Plain),
    Beginning::new("A", "SIA", "", Written::Plain),
    Beginning::new("A", "BIA", "", Written::Plain),
    Beginning::new("A", "CCA", "", Written::Plain),
    Beginning::new("Q", "UtJ", "Q", Written::InGroup(0)),
    Beginning::new("Q", "VNJ", "Q", Written::InGroup(0)),
    Beginning::new("Q", "UJJ", "Q", Written::InGroup(0)),
    Beginning::new("Q", "UND", "Q", Written::InGroup(0)),
    Beginning::new("", "FLS", "U", Written::InGroup(2)),
    Beginning::new("", "FTS", "U", Written::InGroup(2)),
    Beginning::new("", "FCS", "U", Written::InGroup(2)),
    Beginning::new("", "FDQ", "0", Written::InGroup(2)),
    Beginning::new("B", "S0l", "B", Written::InGroup(3)),
    Beginning::new("B", "U0l", "B", Written::InGroup(3)),
    Beginning::new("B", "Qkl", "B", Written::InGroup(3)),
    Beginning::new("B", "Q0N", "B", Written::InGroup(3)),
];

/// Three characters are searched for, those that words have least: each one more takes a quarter of the time.
struct Beginning {
    before: &'static str,
    searched: &'static str,
    behind: &'static str,
    written: Written,
}

impl Beginning {
    const fn new(
        before: &'static str,
        searched: &'static str,
        behind: &'static str,
        written: Written,
    ) -> Self {
        Self {
            before,
            searched,
            behind,
            written,
        }
    }

    /// Where it begins, if what stands around the characters that were searched for is its own.
    fn around(&self, text: &[u8], searched: Range<usize>) -> Option<usize> {
        let start = searched.start.checked_sub(self.before.len())?;
        let is_whole = text[start..searched.start] == *self.before.as_bytes()
            && text[searched.end..].starts_with(self.behind.as_bytes());
        is_whole.then_some(start)
    }
}

/// How a beginning is written.
#[derive(Clone, Copy)]
enum Written {
    Plain,
    /// In base64, so many characters behind the first one of its group of four.
    InGroup(usize),
}

static SEARCH: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .build(BEGINNINGS.map(|beginning| beginning.searched))
        .expect("sixteen short patterns are within every limit")
});

/// A place that is worth a closer look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// At least 38 bytes of base64's alphabets and of escapes.
    Long(Range<usize>),
    /// 20 bytes that begin as a key ID.
    AccessKeyId(Range<usize>),
    /// Whole groups of base64 that say something that begins as a key ID.
    Encoded(Range<usize>),
    /// A group of base64 that says the same, where a line or all ends before the ID does.
    Cut(usize),
}

/// Every place that is worth a look, in its order for each kind. Takes linear time: no byte is looked at by the same
/// kind twice, but for a bounded number around each spot.
pub(super) fn spots(text: &[u8], mut visit: impl FnMut(Spot)) {
    beginnings(text, &mut visit);
    let mut done = 0;
    let mut at = FIRST;
    while let Some(asked) = text.get(at..).and_then(<[u8]>::first_chunk) {
        if all(asked, is_no_gap) && all(asked, may_be_in_run) && may_be_long(text, at) {
            long(text, at, &mut done, &mut visit);
            at += done.saturating_sub(at) / STEP * STEP;
        }
        at += STEP;
    }
    if at < text.len() {
        long(text, at, &mut done, &mut visit);
    }
}

fn beginnings(text: &[u8], visit: &mut impl FnMut(Spot)) {
    let mut at = 0;
    while let Some(found) = SEARCH.find(Input::new(text).span(at..text.len())) {
        // Beginnings may overlap.
        at = found.start() + 1;
        let beginning = &BEGINNINGS[found.pattern().as_usize()];
        let Some(start) = beginning.around(text, found.range()) else {
            continue;
        };
        match beginning.written {
            Written::Plain => {
                if start + 20 <= text.len() {
                    visit(Spot::AccessKeyId(start..start + 20));
                }
            }
            Written::InGroup(offset) => {
                if let Some(group) = start.checked_sub(offset) {
                    visit(groups(text, group).map_or(Spot::Cut(group), Spot::Encoded));
                }
            }
        }
    }
}

/// The groups that say a key ID, two before that say what stands before it, and one behind.
fn groups(text: &[u8], group: usize) -> Option<Range<usize>> {
    let behind = text[group..]
        .iter()
        .take(36)
        .take_while(|byte| is_standard(**byte))
        .count();
    let before = text[group.saturating_sub(8)..group]
        .iter()
        .rev()
        .take_while(|byte| is_standard(**byte))
        .count();
    (behind >= 27).then(|| group - before / 4 * 4..group + behind)
}

/// Whether a run that covers the 16 bytes at a place can be long: of the 22 bytes that it has besides, 8 stand before them,
/// or 15 behind. Of the runs that cover a place in source code, three quarters are not long.
#[inline(always)]
fn may_be_long(text: &[u8], at: usize) -> bool {
    let is_in_run = |from: usize| {
        text.get(from..)
            .and_then(<[u8]>::first_chunk)
            .is_some_and(|asked| all(asked, may_be_in_run))
    };
    is_in_run(at - 8) || is_in_run(at + 15)
}

/// Whether a text holds a run that is long.
pub(in crate::scan) fn holds_long_run(text: &[u8]) -> bool {
    text.split(|byte| !is_in_run(*byte)).any(|run| run.len() >= LONG)
}

/// The run around a place, if it is long and has not been seen.
#[inline(never)]
fn long(text: &[u8], at: usize, done: &mut usize, visit: &mut impl FnMut(Spot)) {
    if at < *done {
        return;
    }
    let behind = leading(&text[at..], is_in_run);
    let before = trailing(&text[*done..at], is_in_run);
    let run = at - before..at + behind;
    *done = run.end;
    if run.len() >= LONG {
        visit(Spot::Long(run));
    }
}

/// How many bytes of a kind a text begins with.
#[inline(always)]
pub(super) fn leading(text: &[u8], is_of_kind: impl Fn(u8) -> bool + Copy) -> usize {
    let (blocks, rest) = text.as_chunks::<ASKED>();
    for (number, block) in blocks.iter().enumerate() {
        let mask = mask(block, is_of_kind);
        if mask != u128::MAX {
            return number * ASKED + mask.trailing_ones() as usize / 8;
        }
    }
    let rest = rest.iter().take_while(|byte| is_of_kind(**byte));
    blocks.len() * ASKED + rest.count()
}

/// How many bytes of a kind a text ends with.
#[inline(always)]
pub(super) fn trailing(text: &[u8], is_of_kind: impl Fn(u8) -> bool + Copy) -> usize {
    let (rest, blocks) = text.as_rchunks::<ASKED>();
    for (number, block) in blocks.iter().rev().enumerate() {
        let mask = mask(block, is_of_kind);
        if mask != u128::MAX {
            return number * ASKED + mask.leading_ones() as usize / 8;
        }
    }
    let rest = rest.iter().rev().take_while(|byte| is_of_kind(**byte));
    blocks.len() * ASKED + rest.count()
}

/// Whether all bytes are of a kind. It never ends early, so that the compiler asks all bytes at once.
#[inline(always)]
fn all(bytes: &[u8; ASKED], is_of_kind: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, byte| all & is_of_kind(*byte))
}

/// All bits of each byte that is of a kind, from the lowest on. The compiler asks all bytes at once, if the kind is told
/// without a branch.
#[inline(always)]
fn mask(bytes: &[u8; ASKED], is_of_kind: impl Fn(u8) -> bool) -> u128 {
    u128::from_le_bytes(bytes.map(|byte| if is_of_kind(byte) { u8::MAX } else { 0 }))
}

/// Whether a byte can be in a run: base64's alphabets, and what begins an escape.
#[inline(always)]
fn is_in_run(byte: u8) -> bool {
    is_standard(byte)
        | (byte == b'-')
        | (byte == b'_')
        | (byte == b'%')
        | (byte == b'&')
        | (byte == b'#')
        | (byte == b';')
        | (byte == b'\\')
}

/// What most blocks of a text have a byte that is not: white space and quotation marks end a run. One instruction asks
/// 16 bytes.
#[inline(always)]
fn is_no_gap(byte: u8) -> bool {
    byte.cast_signed() > b'"'.cast_signed()
}

/// The same and a few more, in half the instructions.
#[inline(always)]
fn may_be_in_run(byte: u8) -> bool {
    is_between(byte | 0x20, b'a', b'z')
        | is_between(byte, b'/', b'9')
        | is_between(byte, b'#', b'&')
        | (byte | 6 == b'/')
        | (byte | 3 == b'_')
        | (byte == b';')
}

/// Without a branch.
#[inline(always)]
pub(super) fn is_between(byte: u8, first: u8, last: u8) -> bool {
    byte.wrapping_sub(first) <= last - first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_first_turns_none_away() {
        for byte in 0..=u8::MAX {
            let signs = b"+/-_%\\&#;";
            assert_eq!(
                is_in_run(byte),
                byte.is_ascii_alphanumeric() || signs.contains(&byte)
            );
            let is_asked_further = is_no_gap(byte) && may_be_in_run(byte);
            assert!(is_asked_further || !is_in_run(byte), "{byte}");
        }
    }

    #[test]
    fn a_run_ends_where_its_kind_does() {
        for length in 0..70 {
            for behind in [&b""[..], b" ", b" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
                let text = [&b"a".repeat(length), behind].concat();
                assert_eq!(leading(&text, is_in_run), length);
                let mirrored: Vec<u8> = text.iter().rev().copied().collect();
                assert_eq!(trailing(&mirrored, is_in_run), length);
            }
        }
    }

    fn found(text: &[u8]) -> Vec<Spot> {
        let mut found = Vec::new();
        spots(text, |spot| found.push(spot));
        found
    }

    #[test]
    fn nothing_is_stepped_over() {
        let id = ["AK", "IAY34FZKBOKMUTVV7A"].concat();
        for at in 0..100 {
            for behind in 0..30 {
                let around = |value: &str| [" ".repeat(at), value.to_owned(), "\n".repeat(behind)].concat();
                for length in [38, 39, 53, 60] {
                    let long = "a".repeat(length);
                    assert_eq!(found(around(&long).as_bytes()), [Spot::Long(at..at + length)]);
                }
                assert_eq!(found(around(&id).as_bytes()), [Spot::AccessKeyId(at..at + 20)]);
                let encoded = data_encoding::BASE64_NOPAD.encode(id.as_bytes());
                assert_eq!(
                    found(around(&encoded).as_bytes()),
                    [Spot::Encoded(at..at + 27)],
                    "{at} {behind}"
                );
            }
        }
    }
}
