//! What stands beside a key where texts follow one another without a sign between: in databases, compiled programs and
//! other binary files. Never asked about text, where a letter beside a key ID says that it is part of more.

use std::ops::Range;

use super::base64::is_standard;
use super::shape::{self, Look};

/// The length of a secret access key.
const SECRET: u8 = 40;
/// The length of a key ID.
const ACCESS_KEY_ID: u8 = 20;
/// How many capital letters and digits may stand beside an ID: base32 and the letters of proteins go on for longer.
const MOST_BESIDE: usize = 12;
/// How far from a value signs that no text has make the surroundings a binary file.
const NEAR: usize = 256;

/// Whether the bytes around a value are no text.
pub(super) fn is_around(text: &[u8], range: &Range<usize>) -> bool {
    let near = &text[range.start.saturating_sub(NEAR)..text.len().min(range.end + NEAR)];
    near.iter()
        .any(|byte| matches!(byte, 0..=8 | 0x0e..=0x1a | 0x1c..=0x1f))
}

/// Whether the 20 bytes at `range`, which are of an ID's shape, are one. Chance writes them once in 2^38 places of base64,
/// and once in 2^18 of base32.
pub(super) fn is_access_key_id(text: &[u8], range: &Range<usize>) -> bool {
    if is_counted(text, range.start, ACCESS_KEY_ID) {
        return true;
    }
    let is_of_ids = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let before = text[..range.start].iter().rev().take(MOST_BESIDE + 1);
    let behind = text[range.end..].iter().take(MOST_BESIDE + 1);
    let beside = before.take_while(is_of_ids).count() + behind.take_while(is_of_ids).count();
    // Words in capital letters have no digits.
    beside == 0 || beside <= MOST_BESIDE && text[range.clone()].iter().any(u8::is_ascii_digit)
}

/// The first 40 bytes of a longer value, where the length before them says that they are a value of their own.
pub(super) fn counted_secret(text: &[u8], range: &Range<usize>) -> Option<Range<usize>> {
    let length = usize::from(SECRET);
    (range.len() > length && is_counted(text, range.start, SECRET))
        .then(|| range.start..range.start + length)
        .filter(|range| shape::secret(&text[range.clone()]) == Look::Random)
}

/// The secrets that touch an ID, as the columns of a row do.
pub(super) fn beside_access_key_id(text: &[u8], id: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let length = usize::from(SECRET);
    let before = id.start.checked_sub(length).map(|start| start..id.start);
    let behind = Some(id.end..id.end + length);
    [before, behind].into_iter().flatten().filter(|range| {
        text.get(range.clone()).is_some_and(|value| {
            value.iter().all(|byte| is_standard(*byte)) && shape::secret(value) >= Look::Plausible
        })
    })
}

/// Whether the length of a value stands before it, in one byte or in four.
fn is_counted(text: &[u8], start: usize, length: u8) -> bool {
    let before = &text[..start];
    before.last() == Some(&length) || before.ends_with(&[length, 0, 0, 0])
}
