//! Splits a run into the values in it, and undoes the escapes of URLs and JSON strings on the way.

use std::borrow::Cow;
use std::ops::Range;

use super::Encoding;
use super::base64::is_standard;
use super::runs::leading;
use super::shape;

/// A value of base64's alphabet, between characters that are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Where it stands, its escapes included.
    pub(super) range: Range<usize>,
    /// Without escapes.
    pub(super) value: Cow<'a, [u8]>,
    /// How it was escaped.
    pub(super) encoding: Encoding,
}

impl<'a> Token<'a> {
    /// A value that stands there as it is.
    pub(super) fn plain(text: &'a [u8], range: Range<usize>) -> Self {
        Self {
            value: Cow::Borrowed(&text[range.clone()]),
            range,
            encoding: Encoding::Plain,
        }
    }

    /// Whether it is only a piece: of base64 for URLs, of padded base64, of a JWT, of an encrypted value, of an image.
    pub(super) fn is_part_of_more(&self, text: &[u8]) -> bool {
        let before = &text[self.range.start.saturating_sub(64)..self.range.start];
        let behind = &text[self.range.end..];
        let is_url_sign = |byte: Option<&u8>| matches!(byte, Some(b'-' | b'_'));
        let is_after_access_key_id = before
            .strip_suffix(b"-")
            .or_else(|| before.strip_suffix(b"_"))
            .and_then(|before| before.last_chunk::<20>())
            .is_some_and(|id| shape::is_access_key_id(id));
        is_url_sign(before.last()) && !is_after_access_key_id && !is_apart(before)
            || is_url_sign(behind.first())
            || behind.first() == Some(&b'=')
            || before.last() == Some(&b'.') && before.iter().rev().skip(1).take(20).all(is_jwt)
            || behind.first() == Some(&b'.')
                && behind.iter().skip(1).take(20).filter(|byte| is_jwt(byte)).count() == 20
            || before.ends_with(b"base64,")
            || memchr::memmem::rfind(before, b"ENC[").is_some_and(|at| !before[at..].contains(&b']'))
            || before.ends_with(b"sha1-")
            || before.ends_with(b"SHA256:")
    }
}

/// Whether the hyphen before a value belongs to something else: to a shell's default, `${NAME:-VALUE}` or
/// `${NAME-VALUE}`, or to the line, as in a list of YAML or a patch.
fn is_apart(before: &[u8]) -> bool {
    let Some(before) = before.strip_suffix(b"-") else {
        return false;
    };
    let name = before.iter().rev().take_while(|byte| is_of_name(**byte)).count();
    before.last().is_none_or(|last| matches!(last, b'\n' | b':'))
        || name > 0 && before[..before.len() - name].ends_with(b"${")
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A value of 40 characters without what touches it and is none of its own: the sign of a patch's line, a shell's `:+`, a
/// comment's `//`, the end of a terminal's colour, `ESC [33m`.
pub(super) fn without_lead<'a>(text: &'a [u8], token: &Token<'a>) -> Option<Token<'a>> {
    let lead = token.range.len().checked_sub(40)?;
    if token.encoding != Encoding::Plain || token.value.len() != token.range.len() {
        return None;
    }
    let before = text[..token.range.start].last();
    let begins_line = matches!(before, None | Some(b'\n' | b' ' | b'\t'));
    let is_none_of_its = match &token.value[..lead] {
        b"+" => begins_line || before == Some(&b':'),
        b"//" => begins_line,
        [digits @ .., b'm'] => {
            matches!(before, Some(b'[' | b';')) && digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    is_none_of_its.then(|| Token::plain(text, token.range.start + lead..token.range.end))
}

/// Whether a value is the end of a name of a host with the path behind it: `com/id/…` of `https://amazonaws.com/id/…`.
pub(super) fn is_behind_host(text: &[u8], range: &Range<usize>) -> bool {
    let is_of_host = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let domain = text[range.clone()]
        .iter()
        .take_while(|byte| byte.is_ascii_lowercase())
        .count();
    (2..=6).contains(&domain)
        && text.get(range.start + domain) == Some(&b'/')
        && matches!(&text[..range.start], [.., before, b'.'] if is_of_host(before))
}

/// Whether signs beside a value with slashes in it say that it is a path: `./a/b`, `~/a/b`, `${x}/a/b`, `a/b.yaml`, or a type
/// of Java, `La/b;`.
pub(super) fn is_path(text: &[u8], range: &Range<usize>) -> bool {
    let value = &text[range.clone()];
    let (before, behind) = (text[..range.start].last(), &text[range.end..]);
    let from_here = value.starts_with(b"/") && matches!(before, Some(b'.' | b'~' | b'}'));
    let extension = behind
        .strip_prefix(b".")
        .map_or(0, |behind| leading(behind, |byte| byte.is_ascii_alphanumeric()));
    let has_extension = (1..=6).contains(&extension) && behind[1].is_ascii_lowercase();
    let is_type = value.starts_with(b"L") && behind.starts_with(b";");
    value.contains(&b'/') && (from_here || has_extension || is_type)
}

fn is_jwt(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What stands at a place.
enum Part {
    /// A character of the value, with how many bytes it is written.
    Character(u8, usize, Encoding),
    /// The end of a value, with how many bytes are none of the next one's.
    Boundary(usize),
}

/// Gives every value of a run to `visit`, in order.
pub(super) fn each<'a>(text: &'a [u8], run: Range<usize>, mut visit: impl FnMut(Token<'a>)) {
    let mut start = run.start;
    // `%2F` may reach back before the run only where the run was cut; then it is part of a longer one.
    let mut value: Option<(Vec<u8>, Encoding)> = None;
    let mut at = run.start;
    let mut finish = |range: Range<usize>, value: Option<(Vec<u8>, Encoding)>| {
        if range.is_empty() {
            return;
        }
        visit(match value {
            Some((value, encoding)) => Token {
                range,
                value: Cow::Owned(value),
                encoding,
            },
            None => Token::plain(text, after_scheme(text, range)),
        });
    };
    if memchr::memchr3(b'\\', b'%', b'&', &text[run.clone()]).is_none() {
        while at < run.end {
            let end = stops_at(text, at, run.end);
            finish(at..end, None);
            at = end + 1;
        }
        return;
    }
    while at < run.end {
        match part(text, at, run.end) {
            Part::Character(_, 1, _) if value.is_none() => at += 1,
            Part::Character(byte, length, encoding) => {
                let (bytes, as_is) = value.get_or_insert_with(|| (text[start..at].to_vec(), encoding));
                bytes.push(byte);
                if *as_is == Encoding::Plain {
                    *as_is = encoding;
                }
                at += length;
            }
            Part::Boundary(length) => {
                finish(start..at, value.take());
                at += length;
                start = at;
                // `\n` and the 39 characters behind it may as well be a backslash and 40 characters.
                let whole = at - length + 1;
                if length == 2 && text[whole - 1] == b'\\' && stops_at(text, whole, run.end) == whole + 40 {
                    start = whole;
                    at = whole;
                }
            }
        }
    }
    finish(start..run.end.min(at), value);
}

/// Where the plain characters from `at` on end.
fn stops_at(text: &[u8], at: usize, end: usize) -> usize {
    at + leading(&text[at..end], is_standard)
}

/// The slashes of `https://` are none of the value's.
fn after_scheme(text: &[u8], range: Range<usize>) -> Range<usize> {
    let is_behind_scheme =
        range.start > 0 && text[range.start - 1] == b':' && text[range.clone()].starts_with(b"//");
    let skipped = if is_behind_scheme { 2 } else { 0 };
    range.start + skipped..range.end
}

fn part(text: &[u8], at: usize, end: usize) -> Part {
    let rest = &text[at..end];
    match rest {
        // Escaped twice.
        [b'%', b'2', b'5', b'2', b'F' | b'f', ..] => Part::Character(b'/', 5, Encoding::Url),
        [b'%', b'2', b'5', b'2', b'B' | b'b', ..] => Part::Character(b'+', 5, Encoding::Url),
        [b'%', b'2', b'5', b'3', b'D' | b'd' | b'A' | b'a', ..]
        | [b'%', b'2', b'5', b'2', b'2' | b'0' | b'6', ..] => Part::Boundary(5),
        [b'%', high, low, ..] => match hex(&[*high, *low]) {
            Some(byte) if is_standard(byte) => Part::Character(byte, 3, Encoding::Url),
            Some(_) => Part::Boundary(3),
            None => Part::Boundary(1),
        },
        [b'\\', b'/', ..] => Part::Character(b'/', 2, Encoding::Json),
        // JSON in a string of JSON, which escapes the slash or not.
        [b'\\', b'\\', b'/', ..] => Part::Character(b'/', 3, Encoding::Json),
        [b'\\', b'\\', b'\\', b'/', ..] => Part::Character(b'/', 4, Encoding::Json),
        [b'\\', b'u', b'0', b'0', high, low, ..] => match hex(&[*high, *low]) {
            Some(byte) if is_standard(byte) => Part::Character(byte, 6, Encoding::Json),
            Some(_) => Part::Boundary(6),
            None => Part::Boundary(1),
        },
        [b'\\', b'x', high, low, ..] => match hex(&[*high, *low]) {
            Some(byte) if is_standard(byte) => Part::Character(byte, 4, Encoding::Json),
            Some(_) => Part::Boundary(4),
            None => Part::Boundary(1),
        },
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0', ..] => Part::Boundary(2),
        [b'&', rest @ ..] => match entity(rest) {
            Some((byte, length)) if is_standard(byte) => Part::Character(byte, 1 + length, Encoding::Plain),
            Some((_, length)) => Part::Boundary(1 + length),
            None => Part::Boundary(1),
        },
        [byte, ..] if is_standard(*byte) => Part::Character(*byte, 1, Encoding::Plain),
        _ => Part::Boundary(1),
    }
}

/// The sign that XML writes as `#x2F;`, `#47;` or `quot;`, and how long that is.
fn entity(rest: &[u8]) -> Option<(u8, usize)> {
    let end = rest.iter().take(8).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&rest[..end]).ok()?;
    let number = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(number) => u8::from_str_radix(number, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => match name {
            "sol" => b'/',
            "plus" => b'+',
            "quot" | "apos" | "lt" | "gt" | "amp" | "nbsp" => b' ',
            _ => return None,
        },
    };
    Some((number, end + 1))
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(digits[0])? << 4 | digit(digits[1])?)
}

/// Whether a value may begin at `at`: nothing before it is of its kind, or what is there belongs to an escape.
pub(super) fn begins_at(text: &[u8], at: usize) -> bool {
    let before = &text[at.saturating_sub(8)..at];
    let Some(last) = before.last() else { return true };
    if !last.is_ascii_alphanumeric() {
        return true;
    }
    let is_hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match before {
        [
            ..,
            b'\\',
            b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0' | b'a' | b'e',
        ] => true,
        _ => {
            let escaped = |sign: &[u8], length: usize| {
                before.len() >= sign.len() + length
                    && before[..before.len() - length].ends_with(sign)
                    && is_hex(&before[before.len() - length..])
            };
            escaped(b"%", 2) || escaped(b"\\x", 2) || escaped(b"\\u", 4) || ends_colour(before)
        }
    }
}

/// `ESC [ 3 2 m`, as terminals have it.
fn ends_colour(before: &[u8]) -> bool {
    let Some(before) = before.strip_suffix(b"m") else {
        return false;
    };
    let digits = before
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
        .count();
    before[..before.len() - digits].ends_with(b"[")
}

/// The 40 characters behind `ID/` or `ID+`, which base64's alphabet does not part from it.
pub(super) fn behind_access_key_id<'a>(token: &Token<'a>) -> Option<Token<'a>> {
    let is_pair = token.value.len() == 61
        && shape::is_access_key_id(&token.value[..20])
        && !token.value[20].is_ascii_alphanumeric();
    let written = token.range.len().checked_sub(token.value.len())?;
    is_pair.then(|| Token {
        range: token.range.end - 40 - written..token.range.end,
        value: Cow::Owned(token.value[21..].to_vec()),
        encoding: token.encoding,
    })
}

/// An API key of Bedrock: long-term ones say so in their head and their first words, short-term ones stand behind a name.
pub(super) fn is_bedrock_key(text: &[u8], token: &Token<'_>) -> bool {
    let long_term = token.value.starts_with(b"ABSK") && (100..400).contains(&token.value.len());
    let short_term = text[..token.range.start].ends_with(b"bedrock-api-key-") && token.value.len() >= 40;
    long_term || short_term
}

/// A password of SES's mail server: a version byte of 4 and 32 bytes, in base64.
pub(super) fn is_mail_password(value: &[u8]) -> bool {
    value[0] == b'B' && matches!(value[1], b'A'..=b'P')
}

/// Whether a value is a line of base64 of several lines: certificates, images, signatures end in lines of any length.
pub(super) fn is_in_block(text: &[u8], range: &Range<usize>) -> bool {
    let before = &text[range.start.saturating_sub(512)..range.start];
    let is_lead = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'#' | b'*' | b'>');
    let lead = before.iter().rev().take_while(|byte| is_lead(byte)).count();
    let before = &before[..before.len() - lead];
    let above = before
        .strip_suffix(b"\n")
        .or_else(|| before.strip_suffix(b"\\n"))
        .or_else(|| before.strip_suffix(b"\\r\\n"));
    let Some(above) = above else { return false };
    let trail = |byte: &u8| {
        matches!(
            byte,
            b'\r' | b'"' | b'\'' | b'+' | b',' | b' ' | b'\\' | b'n' | b'r'
        )
    };
    let end = above.len() - above.iter().rev().take_while(|byte| trail(byte)).count();
    let line = above[..end]
        .iter()
        .rev()
        .take_while(|byte| is_standard(**byte))
        .count();
    // A session token is longer than any line of base64 is.
    (56..=80).contains(&line)
}
