//! Reads base64, on one line or several, and says where each byte of it came from. Never judges what it says.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use super::LEAST_LINE;
use super::runs::{is_between, leading, trailing};
use super::token::Token;

const NONE: u8 = 0xff;
/// Of base64 in narrow lines so many are read before a key ID, and twice as many in all.
const MOST_NARROW: usize = 64;

static VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

/// Whether a byte is of base64's standard alphabet.
#[inline(always)]
pub(super) fn is_standard(byte: u8) -> bool {
    // Without a branch, so that many bytes are asked at once.
    is_between(byte | 0x20, b'a', b'z') | is_between(byte, b'/', b'9') | (byte == b'+')
}

/// What base64 says; the end may lack its padding, and bits that are left over say nothing.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3 + 3);
    decode_into(text, &mut decoded);
    decoded
}

/// Whether base64 says text: of random bytes as long as a secret's, one in 10^9 and less is.
pub(super) fn says_text(value: &[u8]) -> bool {
    let decoded = decode(value);
    let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
    std::str::from_utf8(&decoded).is_ok_and(|text| text.chars().all(is_text))
}

fn decode_into(text: &[u8], decoded: &mut Vec<u8>) {
    let value = |byte: u8| u32::from(VALUES[usize::from(byte)] & 63);
    let group = |[a, b, c, d]: [u8; 4]| value(a) << 18 | value(b) << 12 | value(c) << 6 | value(d);
    // Four groups at once are twice as fast as one by one.
    let (fours, rest) = text.as_chunks::<16>();
    for four in fours {
        let mut bytes = [0; 12];
        for (three, four) in bytes
            .as_chunks_mut::<3>()
            .0
            .iter_mut()
            .zip(four.as_chunks::<4>().0)
        {
            let [_, said @ ..] = group(*four).to_be_bytes();
            *three = said;
        }
        decoded.extend_from_slice(&bytes);
    }
    let (groups, rest) = rest.as_chunks::<4>();
    for four in groups {
        decoded.extend_from_slice(&group(*four).to_be_bytes()[1..]);
    }
    let bits = rest.iter().fold(0, |bits, byte| bits << 6 | value(*byte));
    match rest.len() {
        2 => decoded.extend_from_slice(&(bits << 12).to_be_bytes()[1..2]),
        3 => decoded.extend_from_slice(&(bits << 6).to_be_bytes()[1..3]),
        _ => {}
    }
}

/// A piece of base64, decoded.
#[derive(Debug)]
pub(super) struct Block {
    decoded: Vec<u8>,
    /// For each line how many characters came before it, and where it begins.
    lines: Vec<(usize, usize)>,
    end: usize,
    /// The whole, where single bytes cannot be placed.
    whole: Option<Range<usize>>,
}

impl Block {
    /// On one line, from a place on.
    pub(super) fn straight(from: usize, decoded: Vec<u8>) -> Self {
        Self {
            end: from + decoded.len().div_ceil(3) * 4,
            decoded,
            lines: vec![(0, from)],
            whole: None,
        }
    }

    pub(super) fn decoded(&self) -> &[u8] {
        &self.decoded
    }

    pub(super) fn into_decoded(self) -> Vec<u8> {
        self.decoded
    }

    /// Where it ends in the text.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Where in the text the characters stand that say these bytes.
    pub(super) fn place(&self, bytes: Range<usize>) -> Range<usize> {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let last = bytes.end.max(bytes.start + 1) - 1;
        self.character(bytes.start / 3 * 4 + bytes.start % 3)..self.character(last / 3 * 4 + last % 3 + 1) + 1
    }

    /// How many of its characters stand before a place in it; nothing where none stands there.
    pub(super) fn characters_before(&self, place: usize) -> Option<usize> {
        let line = self
            .lines
            .partition_point(|(_, start)| *start <= place)
            .checked_sub(1)?;
        let (before, start) = self.lines[line];
        let index = before + place - start;
        let is_in_line = match self.lines.get(line + 1) {
            Some((before, _)) => index < *before,
            None => place < self.end,
        };
        (is_in_line && self.whole.is_none()).then_some(index)
    }

    fn character(&self, index: usize) -> usize {
        let line = self.lines.partition_point(|(before, _)| *before <= index);
        let (before, start) = self.lines[line.saturating_sub(1)];
        start + index - before
    }
}

/// The base64 that begins `shift` characters into a token, with the lines that go on with it.
pub(super) fn block(text: &[u8], token: &Token<'_>, shift: usize) -> Block {
    let start = (token.range.start + shift).min(token.range.end);
    if token.range.len() != token.value.len() {
        return Block {
            decoded: decode(&token.value[shift.min(token.value.len())..]),
            lines: vec![(0, start)],
            end: token.range.end,
            whole: Some(token.range.clone()),
        };
    }
    // A JSON object in base64 for URLs, as in a JWT.
    let is_for_urls = token.value.starts_with(b"eyJ");
    let is_in_line = |byte: u8| is_standard(byte) | (is_for_urls & ((byte == b'-') | (byte == b'_')));
    let mut characters = Cow::Borrowed(&text[start..start]);
    let mut lines = Vec::new();
    let mut next = Some(start..start + leading(&text[start..], is_in_line));
    while let Some(line) = next {
        let Range { start: at, mut end } = line;
        if is_for_urls {
            end += leading(&text[end..], is_in_line);
        }
        lines.push((characters.len(), at));
        if lines.len() == 1 {
            characters = Cow::Borrowed(&text[at..end]);
        } else {
            characters.to_mut().extend_from_slice(&text[at..end]);
        }
        next = (end - at + shift >= LEAST_LINE)
            .then(|| next_line(text, end))
            .flatten();
    }
    let last = lines
        .last()
        .map_or(start, |(before, from)| from + characters.len() - before);
    Block {
        decoded: decode(&characters),
        lines,
        end: last,
        whole: None,
    }
}

/// Base64 in lines too narrow for [`block`], around a place where a group of four begins.
pub(super) fn narrow(text: &[u8], group: usize) -> Option<Block> {
    let before = in_line_before(text, group);
    let first =
        group - before..group + leading(&text[group..text.len().min(group + LEAST_LINE + 1)], is_standard);
    let width = first.len();
    if width > LEAST_LINE {
        return None;
    }
    let mut next = Some(next_line(text, first.end)?);
    let mut lines = VecDeque::from([first]);
    while let Some(line) = line_before(text, lines[0].start).filter(|line| line.len() == width)
        && lines.len() < MOST_NARROW
    {
        lines.push_front(line);
    }
    while let Some(line) = next
        && lines.len() < 2 * MOST_NARROW
        && line.len() <= width
    {
        next = (line.len() == width).then(|| next_line(text, line.end)).flatten();
        lines.push_back(line);
    }
    let characters: Vec<u8> = lines
        .iter()
        .flat_map(|line| &text[line.clone()])
        .copied()
        .collect();
    let above = lines.iter().take_while(|line| line.end <= group).count();
    let shift = (above * width + before) % 4;
    let mut count = 0;
    let places = lines.iter().map(|line| {
        // The characters of the first line that belong to no whole group are none of the block's.
        let place = (count, line.start + if count == 0 { shift } else { 0 });
        count += line.len() - if count == 0 { shift } else { 0 };
        place
    });
    Some(Block {
        lines: places.collect(),
        decoded: decode(&characters[shift..]),
        end: lines.back()?.end,
        whole: None,
    })
}

/// The line of base64 above.
fn line_before(text: &[u8], start: usize) -> Option<Range<usize>> {
    let from = start.saturating_sub(128);
    let ends_with = |end: usize, is_of_kind: fn(&u8) -> bool| {
        let near = &text[from.min(end)..end];
        end - near.iter().rev().take_while(|byte| is_of_kind(byte)).count()
    };
    let lead = ends_with(start, |byte| {
        matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'#' | b'*' | b'>')
    });
    let above = &text[..lead];
    let above = above.strip_suffix(b"\n").or_else(|| above.strip_suffix(b"\\n"))?;
    let above = above.strip_suffix(b"\\r").unwrap_or(above);
    let end = ends_with(above.len(), |byte| {
        matches!(byte, b'\r' | b' ' | b'\t' | b'"' | b'\'' | b',' | b'+' | b'\\')
    });
    let width = in_line_before(text, end);
    (width > 0).then(|| end - width..end)
}

/// How many characters of base64 stand before a place, as far as a narrow line goes.
fn in_line_before(text: &[u8], at: usize) -> usize {
    let count = trailing(&text[at.saturating_sub(LEAST_LINE + 1)..at], is_standard);
    // The letter of an escaped newline is none of them.
    let is_escape = count > 0 && matches!(&text[..at - count + 1], [.., b'\\', b'n' | b'r']);
    count - usize::from(is_escape)
}

/// The next line of base64, if nothing else stands on it.
fn next_line(text: &[u8], end: usize) -> Option<Range<usize>> {
    let rest = &text[end..text.len().min(end + 128)];
    let is_trail = |byte: &&u8| matches!(byte, b'\r' | b' ' | b'\t' | b'"' | b'\'' | b',' | b'+');
    let mut at = rest.iter().take_while(is_trail).count();
    at += match &rest[at..] {
        [b'\n', ..] => 1,
        [b'\\', b'n', ..] => 2,
        [b'\\', b'r', b'\\', b'n', ..] => 4,
        [b'\\', b'\n', ..] => 2,
        _ => return None,
    };
    let is_lead = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'#' | b'*' | b'>');
    at += rest[at..].iter().take_while(is_lead).count();
    let start = end + at;
    let line = start..start + leading(&text[start..], is_standard);
    let is_alone = matches!(
        text.get(line.end),
        None | Some(b'=' | b'\n' | b'\r' | b'"' | b'\'' | b'\\' | b' ' | b',')
    );
    (!line.is_empty() && is_alone).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_placed_where_they_were_written() {
        let message: Vec<u8> = (0..200).collect();
        let base64 = data_encoding::BASE64.encode(&message);
        let folded = base64
            .as_bytes()
            .chunks(44)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect::<Vec<_>>()
            .join("\n  ");
        let text = format!("x: {folded}\n");
        let token = Token::plain(text.as_bytes(), 3..47);
        let block = block(text.as_bytes(), &token, 0);
        assert_eq!(block.decoded(), message);
        for at in 0..200 {
            let place = block.place(at..at + 1);
            let before =
                text[3..place.start].matches(|c: char| c.is_ascii_alphanumeric() || "+/".contains(c));
            assert_eq!(before.count(), at / 3 * 4 + at % 3);
        }
    }
}
