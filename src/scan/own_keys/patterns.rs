//! The search for many known values at once, in whatever way each is written. Knows no profiles.
//!
//! Every five characters in a row of a value, as it is and in base64 and hexadecimal digits, are in a table. Of the
//! text, five bytes are looked up at every sixth place; so wherever ten characters of a value stand in a row, one
//! look-up hits, and what stands around it is compared with the value. A key ID, the shortest of the values, that is
//! cut in two has ten in a row. The cost does not depend on how many values there are until the table outgrows the
//! processor's cache.

use std::ops::Range;

use data_encoding::{BASE64_NOPAD, HEXLOWER, HEXUPPER};
use zeroize::{Zeroize, Zeroizing};

use super::super::detector::Encoding;
use super::spelling::{self, Alphabet, View};

/// Characters that are looked up together: few enough to fit between two cuts, enough to be rare.
const WINDOW: usize = 5;
/// Every how many bytes of the text a look-up is made.
const STRIDE: usize = 6;
/// Of a longer value only so many characters, in its middle, are in the table: enough for ten in a row wherever the
/// value is cut. The rest is compared.
const IN_TABLE: usize = 24;
const MASK: u64 = (1 << (8 * WINDOW)) - 1;
/// Fibonacci hashing, and a second hash that does not depend on the first.
const FACTORS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];
/// Bits of the filter for each window: with two of them set by each, 1 look-up in 80 goes on to the table.
const FILTER_BITS: usize = 16;

/// One way of writing a value.
struct Needle {
    text: Zeroizing<Vec<u8>>,
    alphabet: Alphabet,
    encoding: Encoding,
    /// The value it writes.
    value: u32,
}

/// Five characters of a needle.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    window: u64,
    needle: u32,
    /// The needle's first character that begins in the window.
    offset: u16,
    /// Where in the window it begins: not at 0 where an escape is cut.
    lead: u8,
}

impl Zeroize for Entry {
    fn zeroize(&mut self) {
        *self = Self::default();
    }
}

/// The table; see the module.
#[derive(Default)]
pub(super) struct Patterns {
    needles: Vec<Needle>,
    entries: Zeroizing<Vec<Entry>>,
    filter: Filter,
    longest: usize,
}

/// Two bits for each window: whether it may be in the table.
#[derive(Default)]
struct Filter {
    bits: Zeroizing<Vec<u64>>,
    shift: u32,
}

impl Filter {
    fn new(entries: &[Entry]) -> Self {
        let bits = (entries.len() * FILTER_BITS).next_power_of_two().max(1 << 15);
        let mut filter = Self {
            bits: Zeroizing::new(vec![0; bits / 64]),
            shift: u64::BITS - bits.ilog2(),
        };
        for entry in entries {
            for factor in FACTORS {
                let hash = filter.hash(entry.window, factor);
                filter.bits[hash / 64] |= 1 << (hash % 64);
            }
        }
        filter
    }

    #[inline(always)]
    fn may_hold(&self, window: u64) -> bool {
        self.has(window, FACTORS[0]) && self.has(window, FACTORS[1])
    }

    #[inline(always)]
    fn has(&self, window: u64, factor: u64) -> bool {
        let hash = self.hash(window, factor);
        self.bits[hash / 64] >> (hash % 64) & 1 != 0
    }

    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the shift leaves as many bits as the filter has"
    )]
    fn hash(&self, window: u64, factor: u64) -> usize {
        (window.wrapping_mul(factor) >> self.shift) as usize
    }
}

/// A value in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<usize>,
    pub(super) value: usize,
    pub(super) encoding: Encoding,
}

impl Patterns {
    /// Takes the values in the order in which [`Found`] numbers them.
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut patterns = Self::default();
        let Some(longest) = values.clone().map(str::len).max() else {
            return patterns;
        };
        // Twice for UTF-16 and hexadecimal digits, and room for what stands between the pieces.
        patterns.longest = 4 * longest + 256;
        let count = values.clone().count();
        patterns.needles.reserve_exact(5 * count);
        // Reserved in one go: a vector that grows leaves copies behind that nobody wipes.
        patterns.entries.reserve_exact(count * 12 * IN_TABLE);
        for (index, value) in values.enumerate() {
            patterns.add(
                u32::try_from(index).expect("the number of values is bounded"),
                value.as_bytes(),
            );
        }
        patterns.entries.sort_unstable();
        patterns.entries.dedup();
        patterns.filter = Filter::new(&patterns.entries);
        patterns
    }

    /// The most bytes that a match can have.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Every value in the text, in the text's order.
    pub(super) fn find(&self, text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        if self.entries.is_empty() {
            return found;
        }
        let mut at = 0;
        while let Some(eight) = text.get(at..at + 8) {
            let word = u64::from_le_bytes(eight.try_into().expect("eight bytes are eight bytes"));
            self.look_up(text, at, word, &mut found);
            at += STRIDE;
        }
        while at < text.len() {
            let mut eight = [0; 8];
            eight[..text.len() - at].copy_from_slice(&text[at..]);
            self.look_up(text, at, u64::from_le_bytes(eight), &mut found);
            at += STRIDE;
        }
        found.sort_by_key(|found| (found.value, found.range.start));
        found.dedup_by(|next, last| next.value == last.value && next.range.start < last.range.end);
        found.sort_by_key(|found| (found.range.start, found.value));
        found
    }

    #[inline(always)]
    fn look_up(&self, text: &[u8], at: usize, word: u64, found: &mut Vec<Found>) {
        if self.filter.may_hold(word & MASK) {
            self.compare(View::narrow(text), at, word & MASK, found);
        }
        if (word & 0x00ff_00ff_00ff_00ff == 0 || word & 0xff00_ff00_ff00_ff00 == 0) && word != 0 {
            self.look_up_wide(text, at, word, found);
        }
    }

    /// The same where every other byte is zero.
    #[inline(never)]
    fn look_up_wide(&self, text: &[u8], at: usize, word: u64, found: &mut Vec<Found>) {
        let first = at + usize::from(word & 0x00ff_00ff_00ff_00ff == 0);
        let Some(last) = text.get(first + 2 * (WINDOW - 1)) else {
            return;
        };
        let four = word >> (8 * (first - at));
        let window = four & 0xff
            | four >> 8 & 0xff00
            | four >> 16 & 0xff_0000
            | four >> 24 & 0xff00_0000
            | u64::from(*last) << 32;
        if self.filter.may_hold(window) {
            self.compare(View::wide(text, first), first, window, found);
        }
    }

    #[cold]
    fn compare(&self, view: View<'_>, at: usize, window: u64, found: &mut Vec<Found>) {
        let first = self.entries.partition_point(|entry| entry.window < window);
        for entry in self.entries[first..]
            .iter()
            .take_while(|entry| entry.window == window)
        {
            let needle = &self.needles[entry.needle as usize];
            let value = needle.value as usize;
            let is_known = |found: &Found| found.value == value && found.range.contains(&at);
            if found.last().is_some_and(is_known) {
                continue;
            }
            let index = view.index(at) + usize::from(entry.lead);
            let whole = spelling::whole(
                view,
                index,
                &needle.text,
                usize::from(entry.offset),
                needle.alphabet,
            );
            if let Some((range, written)) = whole
                && range.len() <= self.longest
            {
                let encoding = if needle.encoding == Encoding::Plain {
                    written
                } else {
                    needle.encoding
                };
                found.push(Found {
                    range,
                    value,
                    encoding,
                });
            }
        }
    }

    fn add(&mut self, value: u32, text: &[u8]) {
        let needle = self.needle(value, text, Alphabet::Exact, Encoding::Plain);
        self.windows(needle, text);
        for escape in ESCAPES {
            self.escaped_windows(needle, text, escape);
        }
        for shift in 0..3 {
            let encoded = base64(text, shift);
            let needle = self.needle(value, &encoded, Alphabet::Base64, Encoding::Base64);
            self.windows(needle, &encoded);
            if encoded.iter().any(|byte| matches!(byte, b'+' | b'/')) {
                let of_url = |byte: &u8| match byte {
                    b'+' => b'-',
                    b'/' => b'_',
                    byte => *byte,
                };
                self.windows(
                    needle,
                    &Zeroizing::new(encoded.iter().map(of_url).collect::<Vec<u8>>()),
                );
            }
        }
        let digits = Zeroizing::new(HEXLOWER.encode(text));
        let needle = self.needle(value, digits.as_bytes(), Alphabet::Hex, Encoding::Hex);
        self.windows(needle, digits.as_bytes());
        self.windows(needle, Zeroizing::new(HEXUPPER.encode(text)).as_bytes());
    }

    fn needle(&mut self, value: u32, text: &[u8], alphabet: Alphabet, encoding: Encoding) -> u32 {
        self.needles.push(Needle {
            text: Zeroizing::new(text.to_vec()),
            alphabet,
            encoding,
            value,
        });
        u32::try_from(self.needles.len() - 1).expect("the number of values is bounded")
    }

    fn windows(&mut self, needle: u32, text: &[u8]) {
        let part = middle(text.len());
        for offset in part.start..=part.end - WINDOW {
            self.entries.push(Entry {
                window: window(&text[offset..]),
                needle,
                offset: u16::try_from(offset).expect("values are bounded"),
                lead: 0,
            });
        }
    }

    /// The windows that an escape adds.
    fn escaped_windows(&mut self, needle: u32, text: &[u8], escape: Escape) {
        let part = middle(text.len());
        if text[part.clone()].iter().all(u8::is_ascii_alphanumeric) {
            return;
        }
        let mut written = Zeroizing::new(Vec::with_capacity(6 * IN_TABLE));
        // Which character of the text begins at a byte of what is written.
        let mut begins = Vec::with_capacity(6 * IN_TABLE);
        for offset in part {
            begins.push(Some(offset));
            escape.write(text[offset], &mut written);
            begins.resize(written.len(), None);
        }
        for at in 0..(written.len() + 1).saturating_sub(WINDOW) {
            let five = &begins[at..at + WINDOW];
            if let Some(lead) = five.iter().position(Option::is_some)
                && let Some(offset) = five[lead]
                && five.iter().any(Option::is_none)
            {
                self.entries.push(Entry {
                    window: window(&written[at..]),
                    needle,
                    offset: u16::try_from(offset).expect("values are bounded"),
                    lead: u8::try_from(lead).expect("a window is short"),
                });
            }
        }
    }
}

/// The part of a text that is in the table.
fn middle(length: usize) -> Range<usize> {
    let start = length.saturating_sub(IN_TABLE) / 2;
    start..length.min(start + IN_TABLE)
}

fn window(text: &[u8]) -> u64 {
    text[..WINDOW]
        .iter()
        .rev()
        .fold(0, |window, byte| window << 8 | u64::from(*byte))
}

/// The characters of base64 that the text alone decides, when so many bytes stand before it.
fn base64(text: &[u8], shift: usize) -> Zeroizing<Vec<u8>> {
    let mut padded = Zeroizing::new(Vec::with_capacity(shift + text.len()));
    padded.resize(shift, 0);
    padded.extend_from_slice(text);
    let mut encoded = Zeroizing::new(BASE64_NOPAD.encode(&padded).into_bytes());
    encoded.truncate(8 * padded.len() / 6);
    encoded.drain(..(8 * shift).div_ceil(6));
    encoded
}

/// An escape that writes signs with more than themselves.
#[derive(Clone, Copy)]
enum Escape {
    /// `%2F`, with these digits.
    Url(&'static [u8; 16]),
    /// `\u002f`, with these digits.
    JsonNumber(&'static [u8; 16]),
    /// `\/`.
    JsonSlash,
}

const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";
const ESCAPES: [Escape; 5] = [
    Escape::Url(UPPER),
    Escape::Url(LOWER),
    Escape::JsonNumber(UPPER),
    Escape::JsonNumber(LOWER),
    Escape::JsonSlash,
];

impl Escape {
    fn write(self, byte: u8, written: &mut Vec<u8>) {
        let number = |digits: &[u8; 16]| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]];
        match self {
            _ if byte.is_ascii_alphanumeric() => written.push(byte),
            Self::Url(digits) => {
                written.push(b'%');
                written.extend(number(digits));
            }
            Self::JsonNumber(digits) => {
                written.extend(b"\\u00");
                written.extend(number(digits));
            }
            Self::JsonSlash if byte == b'/' => written.extend(b"\\/"),
            Self::JsonSlash => written.push(byte),
        }
    }
}
