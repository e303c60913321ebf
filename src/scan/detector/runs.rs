//! Finds the few places of a text that can hold a key, at the speed of memory. Never decides what stands there.
//!
//! How key IDs begin, as they are and in base64, is searched for all at once with vector instructions. A run of 38 bytes,
//! and a secret has 40, covers the last 15 bytes of some block of 24: those alone are asked.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::base64::is_standard;

/// The least length of a run that may hold a secret, a token or an encoded text: a key ID that is twice in base64.
const LONG: usize = 38;
const BLOCK: usize = 24;
/// How many bytes at the beginning of a block are not asked.
const UNASKED: usize = 9;
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

/// How key IDs begin: as they are, and in base64 with none, one or two bytes before them in their group of three. Of
/// those only the characters are searched for that the bytes before do not change.
const BEGINNINGS: [(&str, Written); 16] = [
    ("AKIA", Written::Plain),
    ("ASIA", Written::Plain),
    ("ABIA", Written::Plain),
    ("ACCA", Written::Plain),
    ("QUtJQ", Written::InGroup(0)),
    ("QVNJQ", Written::InGroup(0)),
    ("QUJJQ", Written::InGroup(0)),
    ("QUNDQ", Written::InGroup(0)),
    ("FLSU", Written::InGroup(2)),
    ("FTSU", Written::InGroup(2)),
    ("FCSU", Written::InGroup(2)),
    ("FDQ0", Written::InGroup(2)),
    ("BS0lB", Written::InGroup(3)),
    ("BU0lB", Written::InGroup(3)),
    ("BQklB", Written::InGroup(3)),
    ("BQ0NB", Written::InGroup(3)),
];

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
        .build(BEGINNINGS.map(|(beginning, _)| beginning))
        .expect("sixteen short patterns are within every limit")
});

/// Whether a byte can be in a run: base64's alphabets, and what begins an escape.
static IN_RUN: [bool; 256] = {
    let mut in_run = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        in_run[byte] = character.is_ascii_alphanumeric()
            || matches!(
                character,
                b'+' | b'/' | b'-' | b'_' | b'%' | b'\\' | b'&' | b'#' | b';'
            );
        byte += 1;
    }
    in_run
};

/// A place that is worth a closer look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// At least 38 bytes of base64's alphabets and of escapes.
    Long(Range<usize>),
    /// 20 bytes that begin as a key ID.
    AccessKeyId(Range<usize>),
    /// Whole groups of base64 that say something that begins as a key ID.
    Encoded(Range<usize>),
}

/// Every place that is worth a look, in its order for each kind. Takes linear time: no byte is looked at by the same
/// kind twice, but for a bounded number around each spot.
pub(super) fn spots(text: &[u8], mut visit: impl FnMut(Spot)) {
    beginnings(text, &mut visit);
    let mut done = 0;
    let (blocks, _) = text.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        if may_be_long(block) {
            long(text, index * BLOCK + UNASKED, &mut done, &mut visit);
        }
    }
    let at = blocks.len() * BLOCK + UNASKED;
    if at < text.len() {
        long(text, at, &mut done, &mut visit);
    }
}

fn beginnings(text: &[u8], visit: &mut impl FnMut(Spot)) {
    let mut at = 0;
    while let Some(found) = SEARCH.find(Input::new(text).span(at..text.len())) {
        // Beginnings may overlap.
        at = found.start() + 1;
        match BEGINNINGS[found.pattern().as_usize()].1 {
            Written::Plain => {
                if found.start() + 20 <= text.len() {
                    visit(Spot::AccessKeyId(found.start()..found.start() + 20));
                }
            }
            Written::InGroup(offset) => {
                if let Some(range) = found
                    .start()
                    .checked_sub(offset)
                    .and_then(|group| groups(text, group))
                {
                    visit(Spot::Encoded(range));
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

#[inline(always)]
fn may_be_long(block: &[u8; BLOCK]) -> bool {
    let word = |from: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&block[from..from + 8]);
        u64::from_le_bytes(bytes)
    };
    !breaks(word(UNASKED), word(16)) && block[UNASKED..].iter().all(|byte| IN_RUN[usize::from(*byte)])
}

/// Whether two words hold a byte that no run has: one below `#`, as space, newline and quote, or above ASCII.
#[inline(always)]
fn breaks(first: u64, second: u64) -> bool {
    let low = first.wrapping_sub(ONES * 0x23) | second.wrapping_sub(ONES * 0x23);
    (low | first | second) & HIGH != 0
}

/// The run around a place, if it is long and has not been seen.
#[inline(never)]
fn long(text: &[u8], at: usize, done: &mut usize, visit: &mut impl FnMut(Spot)) {
    if at < *done {
        return;
    }
    let is_in_run = |byte: &&u8| IN_RUN[usize::from(**byte)];
    let behind = text[at..].iter().take_while(is_in_run).count();
    let before = text[*done..at].iter().rev().take_while(is_in_run).count();
    let run = at - before..at + behind;
    *done = run.end;
    if run.len() >= LONG {
        visit(Spot::Long(run));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                let long = "a".repeat(38);
                assert_eq!(found(around(&long).as_bytes()), [Spot::Long(at..at + 38)]);
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
