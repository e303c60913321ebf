//! Reads UTF-16, whole or amid other bytes. Never searches for anything.

use std::ops::Range;

/// The least length of a text amid other bytes, in characters: that of a key ID.
const LEAST_SEGMENT: usize = 20;
/// How much of a content is looked at to tell what it is.
const HEAD: usize = 4096;
/// How many characters are decoded at once.
const BLOCK: usize = 16;

/// The order of UTF-16's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The low byte first, as on Windows.
    Little,
    /// The high byte first.
    Big,
}

/// The order in which a content is written in UTF-16, if it is: by its mark, or because every other byte is zero.
pub(super) fn utf_16(head: &[u8]) -> Option<Order> {
    match head {
        [0xff, 0xfe, ..] => return Some(Order::Little),
        [0xfe, 0xff, ..] => return Some(Order::Big),
        _ => {}
    }
    let head = &head[..head.len().min(HEAD)];
    memchr::memchr(0, head)?;
    let (pairs, _) = head.as_chunks::<2>();
    let zeros = |side: usize| pairs.iter().filter(|pair| pair[side] == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let mostly =
        |many: usize, few: usize| pairs.len() >= 8 && many * 2 > pairs.len() && few * 20 < pairs.len();
    if mostly(second, first) {
        Some(Order::Little)
    } else if mostly(first, second) {
        Some(Order::Big)
    } else {
        None
    }
}

/// Turns UTF-16 that comes in pieces of any length into UTF-8.
#[derive(Debug)]
pub(super) struct Utf16 {
    order: Order,
    odd: Option<u8>,
    high: Option<u16>,
    is_begun: bool,
}

impl Utf16 {
    /// From the first byte on.
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            odd: None,
            high: None,
            is_begun: false,
        }
    }

    /// What a further piece says; a byte order mark says nothing.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(bytes.len() / 2 + 4);
        let mut bytes = bytes;
        if let (Some(first), Some((second, rest))) = (self.odd, bytes.split_first()) {
            self.odd = None;
            self.unit([first, *second], &mut text);
            bytes = rest;
        }
        let (pairs, odd) = bytes.as_chunks::<2>();
        let (blocks, rest) = pairs.as_chunks::<BLOCK>();
        for block in blocks {
            match ascii(block, self.order) {
                Some(characters) if self.high.is_none() => {
                    self.is_begun = true;
                    text.extend_from_slice(&characters);
                }
                Some(_) | None => block.iter().for_each(|pair| self.unit(*pair, &mut text)),
            }
        }
        for pair in rest {
            self.unit(*pair, &mut text);
        }
        self.odd = odd.first().copied().or(self.odd);
        text
    }

    fn unit(&mut self, pair: [u8; 2], text: &mut Vec<u8>) {
        let unit = match self.order {
            Order::Little => u16::from_le_bytes(pair),
            Order::Big => u16::from_be_bytes(pair),
        };
        if !std::mem::replace(&mut self.is_begun, true) && unit == 0xfeff {
            return;
        }
        let mut push = |character: char| {
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        };
        if let (None, Some(character)) = (self.high, char::from_u32(unit.into())) {
            push(character);
            return;
        }
        let units = [self.high.take(), Some(unit)];
        let is_high = (0xd800..0xdc00).contains(&unit);
        let complete = units.into_iter().flatten().take(if is_high {
            usize::from(units[0].is_some())
        } else {
            2
        });
        char::decode_utf16(complete)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .for_each(&mut push);
        self.high = is_high.then_some(unit);
    }
}

/// Characters that are all of ASCII, as nearly all are; they are looked at all at once.
fn ascii(block: &[[u8; 2]; BLOCK], order: Order) -> Option<[u8; BLOCK]> {
    let units = match order {
        Order::Little => block.map(u16::from_le_bytes),
        Order::Big => block.map(u16::from_be_bytes),
    };
    let all = units.iter().fold(0, |all, unit| all | unit);
    (all < 0x80).then(|| units.map(|unit| unit.to_le_bytes()[0]))
}

/// Every piece of at least 20 characters that is written with a zero between each two, in either order.
pub(super) fn segments(text: &[u8]) -> Vec<Range<usize>> {
    let mut segments = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr(0, rest)) {
        let zero = at + found;
        let is_character = |at: usize| text.get(at).is_some_and(|byte| *byte != 0);
        if text.get(zero + 1) == Some(&0) {
            at = zero + zeros(&text[zero..]);
            continue;
        }
        // One before, unless it belongs to what has been seen.
        let start = zero
            .checked_sub(1)
            .filter(|start| *start >= at && is_character(*start));
        let start = start.unwrap_or(zero + 1);
        let mut end = start;
        while is_character(end) && text.get(end + 1).is_none_or(|byte| *byte == 0) {
            end += 2;
        }
        let is_last = is_character(end);
        if end - start >= 2 * LEAST_SEGMENT - 2 {
            segments.push(start..end.min(text.len()));
            // Where the high byte comes first the last character has no zero behind it; where it comes last, the byte
            // there is none of the segment's. Nothing tells which it is.
            if is_last {
                segments.push(start..end + 1);
            }
        }
        at = end.max(zero + 1);
    }
    segments
}

/// How many zeros a text begins with.
fn zeros(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<64>();
    let skipped = 64 * blocks.iter().take_while(|block| **block == [0; 64]).count();
    skipped + text[skipped..].iter().take_while(|byte| **byte == 0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, order: Order) -> Vec<u8> {
        let bytes = match order {
            Order::Little => u16::to_le_bytes,
            Order::Big => u16::to_be_bytes,
        };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn pieces_of_any_length() {
        let text = "schlüssel = 鍵 🗝\n".repeat(3);
        for order in [Order::Little, Order::Big] {
            let bytes = written(&format!("\u{feff}{text}{}", "plain words ".repeat(9)), order);
            assert_eq!(utf_16(&bytes), Some(order));
            for length in (1..7).chain([50, 999]) {
                let mut utf_16 = Utf16::new(order);
                let decoded: Vec<u8> = bytes
                    .chunks(length)
                    .flat_map(|piece| utf_16.decode(piece))
                    .collect();
                let all = text.clone() + &"plain words ".repeat(9);
                assert_eq!(String::from_utf8(decoded).unwrap(), all);
            }
        }
    }

    #[test]
    fn without_a_mark_it_is_known_by_its_zeros() {
        assert_eq!(
            utf_16(&written("plain words", Order::Little)),
            Some(Order::Little)
        );
        assert_eq!(utf_16(&written("plain words", Order::Big)), Some(Order::Big));
        assert_eq!(utf_16(b"plain words"), None);
        assert_eq!(utf_16(&[0; 64]), None);
    }

    #[test]
    fn segments_in_either_order_amid_anything() {
        let word = "abcdefghijklmnopqrstuvwxyz";
        for order in [Order::Little, Order::Big] {
            for before in [&b""[..], b"x", b"\0", b"\0\0\0", b"xy\0z\0\0"] {
                let mut text = before.to_vec();
                text.extend(written(word, order));
                text.extend(b"\0\0more");
                let found = segments(&text);
                assert!(!found.is_empty(), "{order:?} {before:?}");
                let is_whole = found.into_iter().any(|segment| {
                    let decoded: Vec<u8> = text[segment].iter().copied().step_by(2).collect();
                    String::from_utf8_lossy(&decoded).contains(word)
                });
                assert!(is_whole, "{order:?} {before:?}");
            }
        }
    }
}
