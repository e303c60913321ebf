//! How a known value may be written: escaped, in pieces, or in two bytes a character. Checks a place that the
//! patterns point to; searches nothing itself.
//!
//! A value is random, so its characters in their order, with nothing but signs between them, prove it. That is
//! why no syntax is parsed here: whatever stands between two pieces of a value is quotes, operators, white space
//! and escapes, and none of these is a letter or a digit.

use std::ops::Range;

use super::super::detector::Encoding;

/// How many signs may stand between two characters of a value: an operator and a deep indentation.
const MOST_SIGNS: usize = 160;

/// What stands for a sign or two between the pieces and yet holds letters or digits.
const WORDS: [&[u8]; 8] = [
    b"\\n",
    b"\\r",
    b"\\t",
    b"&quot;",
    b"&apos;",
    b"&amp;",
    b".append(",
    b".concat(",
];

/// What stands before the two hexadecimal digits of an escaped character, and whose escape it is.
const BEFORE_HEX: [(&[u8], Encoding); 7] = [
    (b"\\u00", Encoding::Json),
    (b"\\x", Encoding::Json),
    (b"\\u{", Encoding::Json),
    (b"%25", Encoding::Url),
    (b"%", Encoding::Url),
    (b"&#x", Encoding::Plain),
    (b"=", Encoding::Plain),
];

/// How the characters of a pattern compare with those of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// As they are.
    Exact,
    /// Base64, where the URL's alphabet is the same one.
    Base64,
    /// Hexadecimal digits, in either case.
    Hex,
}

impl Alphabet {
    fn is_same(self, wanted: u8, found: u8) -> bool {
        match self {
            Self::Exact => wanted == found,
            Self::Base64 => wanted == found || matches!((wanted, found), (b'+', b'-') | (b'/', b'_')),
            Self::Hex => wanted.eq_ignore_ascii_case(&found),
        }
    }
}

/// The text as characters of one byte, or of two of which one is zero (UTF-16 of ASCII, in either order).
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    text: &'a [u8],
    first: usize,
    step: usize,
}

impl<'a> View<'a> {
    /// A character a byte.
    pub(super) fn narrow(text: &'a [u8]) -> Self {
        Self {
            text,
            first: 0,
            step: 1,
        }
    }

    /// A character every two bytes, one of which is the byte at `at`.
    pub(super) fn wide(text: &'a [u8], at: usize) -> Self {
        Self {
            text,
            first: at % 2,
            step: 2,
        }
    }

    /// The number of the character at a byte.
    pub(super) fn index(&self, at: usize) -> usize {
        (at - self.first) / self.step
    }

    fn get(&self, index: usize) -> Option<u8> {
        let at = self.first + index * self.step;
        let byte = *self.text.get(at)?;
        let is_zero = |at: Option<usize>| at.and_then(|at| self.text.get(at)) == Some(&0);
        // Of the last character the zero may be cut off, before or behind it.
        let is_whole = self.step == 1
            || is_zero(Some(at + 1))
            || is_zero(at.checked_sub(1))
            || at + 1 == self.text.len();
        is_whole.then_some(byte)
    }

    fn before(&self, index: usize) -> Option<u8> {
        self.get(index.checked_sub(1)?)
    }

    fn starts_with(&self, index: usize, word: &[u8]) -> bool {
        word.iter()
            .enumerate()
            .all(|(offset, byte)| self.get(index + offset) == Some(*byte))
    }

    fn ends_with(&self, end: usize, word: &[u8]) -> bool {
        end.checked_sub(word.len())
            .is_some_and(|start| self.starts_with(start, word))
    }

    fn bytes(&self, characters: Range<usize>) -> Range<usize> {
        self.first + characters.start * self.step..self.first + (characters.end - 1) * self.step + 1
    }

    fn encoding(&self) -> Encoding {
        if self.step == 2 {
            Encoding::Utf16
        } else {
            Encoding::Plain
        }
    }
}

/// Where the whole of `wanted` stands, if its characters from `offset` on stand at `index` and the others before,
/// and how it is written.
pub(super) fn whole(
    view: View<'_>,
    index: usize,
    wanted: &[u8],
    offset: usize,
    alphabet: Alphabet,
) -> Option<(Range<usize>, Encoding)> {
    let mut escape = None;
    let mut end = index;
    for character in &wanted[offset..] {
        end = forward(view, end, *character, alphabet, &mut escape)?;
    }
    let mut start = index;
    for character in wanted[..offset].iter().rev() {
        start = backward(view, start, *character, alphabet, &mut escape)?;
    }
    // A backslash before a slash is skipped as other signs between pieces are.
    let is_escaped_slash = |at: usize| view.starts_with(at, b"\\/");
    if alphabet == Alphabet::Exact && (start.saturating_sub(1)..end).any(is_escaped_slash) {
        escape.get_or_insert(Encoding::Json);
    }
    Some((view.bytes(start..end), escape.unwrap_or_else(|| view.encoding())))
}

/// The end of a character, which begins at `at` or behind signs.
fn forward(
    view: View<'_>,
    mut at: usize,
    wanted: u8,
    alphabet: Alphabet,
    escape: &mut Option<Encoding>,
) -> Option<usize> {
    let last = at + MOST_SIGNS;
    while at < last {
        if let Some(word) = WORDS.iter().find(|word| view.starts_with(at, word)) {
            at += word.len();
            continue;
        }
        // The letter may be the wanted character itself, in a piece of its own: then the next piece does not begin with it.
        let is_wanted = |index: usize| {
            view.get(index)
                .is_some_and(|found| alphabet.is_same(wanted, found))
        };
        if is_string_prefix(view, at) && (!is_wanted(at) || first_behind(view, at + 1).is_some_and(is_wanted))
        {
            at += 1;
            continue;
        }
        let found = view.get(at)?;
        if alphabet.is_same(wanted, found) {
            return Some(at + 1);
        }
        if found.is_ascii_alphanumeric() {
            return None;
        }
        let escaped = BEFORE_HEX.iter().find_map(|(before, encoding)| {
            let digits = at + before.len();
            let byte = view.starts_with(at, before).then(|| hex(view, digits))??;
            Some((byte, digits + 2, *encoding))
        });
        match escaped {
            Some((byte, end, encoding)) if alphabet.is_same(wanted, byte) => {
                escape.get_or_insert(encoding);
                return Some(end);
            }
            Some((byte, end, _)) if !byte.is_ascii_alphanumeric() => {
                at = end;
                continue;
            }
            Some(_) | None => {}
        }
        if view.starts_with(at, b"&#") && view.starts_with(at + 2, &[b'0' + wanted / 10, b'0' + wanted % 10])
        {
            return Some(at + 4);
        }
        at += 1;
    }
    None
}

/// The beginning of a character, which ends at `end` or before signs.
fn backward(
    view: View<'_>,
    mut end: usize,
    wanted: u8,
    alphabet: Alphabet,
    escape: &mut Option<Encoding>,
) -> Option<usize> {
    let last = end.saturating_sub(MOST_SIGNS);
    while end > last {
        if let Some(word) = WORDS.iter().find(|word| view.ends_with(end, word)) {
            end -= word.len();
            continue;
        }
        let is_wanted = |index: usize| {
            view.get(index)
                .is_some_and(|found| alphabet.is_same(wanted, found))
        };
        if is_string_prefix(view, end - 1)
            && (!is_wanted(end - 1) || last_before(view, end - 1).is_some_and(is_wanted))
        {
            end -= 1;
            continue;
        }
        let escaped = BEFORE_HEX.iter().find_map(|(before, encoding)| {
            let digits = end.checked_sub(2)?;
            let byte = view.ends_with(digits, before).then(|| hex(view, digits))??;
            Some((byte, digits - before.len(), *encoding))
        });
        match escaped {
            Some((byte, start, encoding)) if alphabet.is_same(wanted, byte) => {
                escape.get_or_insert(encoding);
                return Some(start);
            }
            Some((byte, start, _)) if !byte.is_ascii_alphanumeric() => {
                end = start;
                continue;
            }
            Some(_) | None => {}
        }
        let found = view.before(end)?;
        if alphabet.is_same(wanted, found) {
            return Some(end - 1);
        }
        if end >= 4
            && view.ends_with(end - 2, b"&#")
            && view.ends_with(end, &[b'0' + wanted / 10, b'0' + wanted % 10])
        {
            return Some(end - 4);
        }
        if found.is_ascii_alphanumeric() {
            return None;
        }
        end -= 1;
    }
    None
}

/// `f"…"`, `r'…'`, `@"…"`: the letter is no part of what stands in the quotes.
fn is_string_prefix(view: View<'_>, at: usize) -> bool {
    let is_quote = |byte| matches!(byte, Some(b'"' | b'\''));
    let is_letter = matches!(
        view.get(at),
        Some(b'f' | b'F' | b'r' | b'R' | b'b' | b'B' | b'u' | b'U' | b'L')
    );
    // A plus sign may be a character of the value; after a quote or a blank it is an operator.
    let is_operator = || {
        let before = at.checked_sub(2).and_then(|at| view.get(at));
        view.before(at) == Some(b'+') && (is_quote(before) || before == Some(b' '))
    };
    is_letter
        && is_quote(view.get(at + 1))
        && (matches!(
            view.before(at),
            Some(b' ' | b'\t' | b'\n' | b'\r' | b'(' | b',' | b'[' | b'.')
        ) || is_operator())
}

/// The first letter or digit from a place on.
fn first_behind(view: View<'_>, start: usize) -> Option<usize> {
    (start..start + MOST_SIGNS)
        .find(|index| view.get(*index).is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

/// The last letter or digit before a place.
fn last_before(view: View<'_>, end: usize) -> Option<usize> {
    (end.saturating_sub(MOST_SIGNS)..end)
        .rev()
        .find(|index| view.get(*index).is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

fn hex(view: View<'_>, at: usize) -> Option<u8> {
    let digit = |at| char::from(view.get(at)?).to_digit(16);
    u8::try_from(digit(at)? * 16 + digit(at + 1)?).ok()
}
