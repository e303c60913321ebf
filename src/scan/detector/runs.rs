//! Finds the few places of a text that can hold a key, at the speed of memory. Never decides what stands there.
//!
//! A text is looked at in blocks of 24 bytes. A run of 40 bytes covers the last 16 of some block, so those alone are
//! asked. In the same way a key ID covers nine bytes at a multiple of 12, and its base64 two whole words of eight bytes,
//! each with a character of `M` to `W` at the same place in both halves.

use std::ops::Range;

/// The least length of a run that may hold a secret, a token or an encoded text.
const LONG: usize = 40;
const BLOCK: usize = 24;
const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

/// What a byte may be part of.
const IN_RUN: u8 = 1;
const IN_ACCESS_KEY_ID: u8 = 2;
const BEGINS_TRIPLE: u8 = 4;
const IN_BASE64: u8 = 8;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        if character.is_ascii_alphanumeric() || matches!(character, b'+' | b'/') {
            classes[byte] |= IN_RUN | IN_BASE64;
        }
        if matches!(character, b'-' | b'_' | b'%' | b'\\') {
            classes[byte] |= IN_RUN;
        }
        if matches!(character, b'A'..=b'Z' | b'2'..=b'7') {
            classes[byte] |= IN_ACCESS_KEY_ID;
        }
        // The upper six bits of `A` to `Z` and `2` to `7`, in base64's alphabet.
        if matches!(character, b'M' | b'N' | b'Q'..=b'W') {
            classes[byte] |= BEGINS_TRIPLE;
        }
        byte += 1;
    }
    classes
};

/// A place that is worth a closer look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// At least 40 bytes of base64's alphabets and of escapes.
    Long(Range<usize>),
    /// At least 20 bytes of `A-Z2-7`.
    AccessKeyIds(Range<usize>),
    /// Base64 that may say a key ID; it begins at a whole group of four characters.
    Encoded(Range<usize>),
}

/// Every place that is worth a look, in its order for each kind. Takes linear time: no byte is looked at by the same
/// kind twice, but for a bounded number around each spot.
pub(super) fn spots(text: &[u8], mut visit: impl FnMut(Spot)) {
    let mut done = Done::default();
    let (blocks, tail) = text.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        look(text, index * BLOCK, block, &mut done, &mut visit);
    }
    let mut last = [0; BLOCK];
    last[..tail.len()].copy_from_slice(tail);
    look(text, blocks.len() * BLOCK, &last, &mut done, &mut visit);
}

/// Where the last spot of each kind ended.
#[derive(Default)]
struct Done {
    long: usize,
    access_key_ids: usize,
    encoded: usize,
    /// The chains of the last word of the block before.
    chain: u64,
}

#[inline(always)]
fn look(text: &[u8], at: usize, block: &[u8; BLOCK], done: &mut Done, visit: &mut impl FnMut(Spot)) {
    let word = |from: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&block[from..from + 8]);
        u64::from_le_bytes(bytes)
    };
    let words = [word(0), word(8), word(16)];
    if !breaks(words[1], words[2]) {
        long(text, at + 8, done, visit);
    }
    let is_id = |at: usize| CLASSES[usize::from(block[at])] & IN_ACCESS_KEY_ID;
    let first = is_id(0) & is_id(3) & is_id(5) & is_id(8);
    let second = is_id(12) & is_id(15) & is_id(17) & is_id(20);
    if first | second != 0 {
        for (is_id, offset) in [(first, 0), (second, 12)] {
            if is_id != 0 {
                access_key_ids(text, at + offset, done, visit);
            }
        }
    }
    let chains = words.map(|word| {
        let triples = m_to_w(word);
        triples & (triples >> 32)
    });
    let both = done.chain & chains[0] | chains[0] & chains[1] | chains[1] & chains[2];
    done.chain = chains[2];
    if both != 0 {
        for offset in [0, 8, 16] {
            encoded(text, at + offset, done, visit);
        }
    }
}

/// Whether a word holds a byte that no run has: one below `%`, as space, newline and quote, or above ASCII.
#[inline(always)]
fn breaks(first: u64, second: u64) -> bool {
    let low = first.wrapping_sub(ONES * 0x25) | second.wrapping_sub(ONES * 0x25);
    (low | first | second) & HIGH != 0
}

/// The high bit of each byte that is `M` to `W`.
#[inline(always)]
fn m_to_w(word: u64) -> u64 {
    let low = word & !HIGH;
    let from = low + ONES * (0x80 - 0x4d);
    let past = low + ONES * (0x80 - 0x58);
    from & !past & !word & HIGH
}

fn has(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

/// The run of a class around a place, no further back than `from`.
fn around(text: &[u8], at: usize, from: usize, class: u8) -> Range<usize> {
    let behind = text[at..].iter().take_while(|byte| has(**byte, class)).count();
    let before = text[from..at]
        .iter()
        .rev()
        .take_while(|byte| has(**byte, class))
        .count();
    at - before..at + behind
}

#[cold]
#[inline(never)]
fn long(text: &[u8], at: usize, done: &mut Done, visit: &mut impl FnMut(Spot)) {
    if at < done.long {
        return;
    }
    let is_whole = text[at..]
        .first_chunk::<16>()
        .is_some_and(|half| half.iter().all(|byte| has(*byte, IN_RUN)));
    if !is_whole {
        return;
    }
    let run = around(text, at, done.long, IN_RUN);
    done.long = run.end;
    if run.len() >= LONG {
        visit(Spot::Long(run));
    }
}

#[cold]
#[inline(never)]
fn access_key_ids(text: &[u8], at: usize, done: &mut Done, visit: &mut impl FnMut(Spot)) {
    if at < done.access_key_ids {
        return;
    }
    let run = around(text, at, done.access_key_ids, IN_ACCESS_KEY_ID);
    done.access_key_ids = done.access_key_ids.max(run.end);
    if run.len() >= 20 {
        visit(Spot::AccessKeyIds(run));
    }
}

/// Twenty bytes hold six whole groups of three, whatever stands before them.
#[cold]
#[inline(never)]
fn encoded(text: &[u8], at: usize, done: &mut Done, visit: &mut impl FnMut(Spot)) {
    for at in at..at + 4 {
        let begins = |at: &usize| text.get(*at).is_some_and(|byte| has(*byte, BEGINS_TRIPLE));
        let behind = (at..).step_by(4).take_while(begins).count();
        let before = (1..)
            .map_while(|step| at.checked_sub(4 * step))
            .take_while(begins)
            .count();
        if behind + before < 6 {
            continue;
        }
        let start = at - 4 * before;
        let run = around(text, start, done.encoded.min(start), IN_BASE64);
        // A key ID can begin two bytes before its first whole group, and end two behind its last.
        let from = start - (start - run.start).min(4);
        let to = run.end.min(at + 4 * behind + 4);
        if from >= done.encoded && to >= start + 24 {
            done.encoded = to;
            visit(Spot::Encoded(from..to));
        }
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
                let long = "a".repeat(40);
                assert_eq!(found(around(&long).as_bytes()), [Spot::Long(at..at + 40)]);
                assert_eq!(found(around(&id).as_bytes()), [Spot::AccessKeyIds(at..at + 20)]);
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
