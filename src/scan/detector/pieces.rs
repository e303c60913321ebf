//! Puts values together that a program puts together from string literals: `"AKIA" + "…"`. Looks only where a key ID
//! begins, and around one; follows no variables.

use std::borrow::Cow;
use std::ops::Range;

use super::Encoding;
use super::base64::is_standard;
use super::shape::{self, Look};
use super::token::{self, Token};

/// Of more pieces nobody makes a key.
const MOST_JOINS: usize = 4;
/// How many signs may stand between two pieces: an operator and an indentation.
const MOST_SIGNS: usize = 64;
/// How far from pieces the name of a function is looked for that puts them together.
const AROUND: usize = 32;
/// How far from an ID a secret in pieces is looked for.
const NEAR: usize = 512;

/// The key ID that begins at a place and is cut by the ends of literals.
pub(super) fn access_key_id(text: &[u8], start: usize) -> Option<Token<'_>> {
    let is_of_ids = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    let (token, joins) = joined(text, start, 20, is_of_ids)?;
    (joins > 0
        && shape::is_access_key_id(&token.value)
        && token::begins_at(text, start)
        && is_put_together(text, &token.range))
    .then_some(token)
}

/// The secrets in pieces around a key ID, of which none begins before `from`; and where the search ended.
pub(super) fn secrets_near<'a>(text: &'a [u8], id: &Range<usize>, from: usize) -> (Vec<Token<'a>>, usize) {
    let until = text.len().min(id.end + NEAR);
    let mut at = id.start.saturating_sub(NEAR).max(from);
    let mut found = Vec::new();
    while let Some(quote) = memchr::memchr2(b'"', b'\'', text.get(at..until).unwrap_or_default()) {
        let start = at + quote + 1;
        at = start;
        if let Some((token, joins)) = joined(text, start, 40, is_standard)
            && joins > 0
            && is_put_together(text, &token.range)
            && shape::secret(&token.value) >= Look::Plausible
        {
            at = token.range.end;
            found.push(token);
        }
    }
    (found, at.max(until))
}

/// Whether a value with commas in it is no list, and no arguments: `concat("…", "…")`, `["…", "…"].join("")`.
fn is_put_together(text: &[u8], range: &Range<usize>) -> bool {
    let around = &text[range.start.saturating_sub(AROUND)..text.len().min(range.end + AROUND)];
    let says = |word: &[u8]| {
        let mut windows = around.windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word))
    };
    !text[range.clone()].contains(&b',') || says(b"concat") || says(b"join")
}

/// So many characters of a kind from a place on, with nothing but the ends of literals between them and behind them, and
/// how often they are cut.
fn joined(
    text: &[u8],
    start: usize,
    length: usize,
    is_of_kind: impl Fn(u8) -> bool,
) -> Option<(Token<'_>, usize)> {
    let mut value = Vec::with_capacity(length);
    let (mut at, mut joins) = (start, 0);
    while value.len() < length {
        match text.get(at) {
            Some(byte) if is_of_kind(*byte) => {
                value.push(*byte);
                at += 1;
            }
            _ if joins < MOST_JOINS => {
                at += join(&text[at..])?;
                joins += 1;
            }
            _ => return None,
        }
    }
    let behind = &text[at..];
    let is_closed = matches!(behind, [b'"' | b'\'', ..] | [b'\\', b'"' | b'\'', ..]);
    let token = Token {
        range: start..at,
        value: Cow::Owned(value),
        encoding: Encoding::Plain,
    };
    is_closed.then_some((token, joins))
}

/// How long what stands between two literals is, from the quote that closes one to the quote that opens the next.
fn join(text: &[u8]) -> Option<usize> {
    let text = &text[..text.len().min(MOST_SIGNS)];
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    if !is_quote(text.strip_prefix(b"\\").unwrap_or(text).first()?) {
        return None;
    }
    let is_between =
        |byte: &u8| is_quote(byte) || byte.is_ascii_whitespace() || b"+.&|<>,\\_()".contains(byte);
    let signs = text.iter().take_while(|byte| is_between(byte)).count();
    // `f"…"`, `b'…'`
    let prefix = match &text[signs..] {
        [b'f' | b'r' | b'b' | b'u' | b'F' | b'R' | b'B' | b'U', quote, ..] if is_quote(quote) => 2,
        _ => 0,
    };
    let end = signs + prefix;
    (is_quote(&text[end - 1]) && end > 1).then_some(end)
}
