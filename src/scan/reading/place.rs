//! On which line of a text that streams by a value stands, and what that line says. Never searches for one.

use std::ops::Range;

/// How much of a line is shown to who looks for markers that allow a key.
const LINE: usize = 4 << 10;

/// The line that a value begins on, and the one above, each cut around the value.
pub(super) fn lines_around<'a>(text: &'a [u8], range: &Range<usize>) -> (&'a [u8], &'a [u8]) {
    let before = &text[range.start.saturating_sub(LINE)..range.start];
    let behind = &text[range.end..text.len().min(range.end + LINE)];
    let end = range.end + memchr::memchr(b'\n', behind).unwrap_or(behind.len());
    let Some(newline) = memchr::memrchr(b'\n', before) else {
        return (&[], &text[range.start - before.len()..end]);
    };
    let start = range.start - before.len() + newline + 1;
    let above = &text[(start - 1).saturating_sub(LINE)..start - 1];
    let above = &above[memchr::memrchr(b'\n', above).map_or(0, |at| at + 1)..];
    (above, &text[start..end])
}

/// A place in a text of which only a window is in memory; it moves forward only.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Where in the window.
    at: usize,
    /// From 1.
    pub(super) line: usize,
    /// Where in the text the line begins.
    line_start: u64,
    /// How many bytes of the line, up to here, go on with a character of UTF-8.
    continuations: usize,
    /// How many bytes came before the window.
    before: u64,
}

impl Place {
    pub(super) const START: Self = Self {
        at: 0,
        line: 1,
        line_start: 0,
        continuations: 0,
        before: 0,
    };

    /// Somewhere behind the beginning, where nobody asks on which line.
    pub(super) const AMID: Self = Self {
        before: 1,
        ..Self::START
    };

    pub(super) fn is_in_first_window(&self) -> bool {
        self.before == 0
    }

    /// A later place in the window.
    pub(super) fn go_to(&mut self, text: &[u8], at: usize) {
        let passed = &text[self.at..at];
        let mut on_line = passed;
        if let Some(last) = memchr::memrchr(b'\n', passed) {
            self.line += memchr::memchr_iter(b'\n', passed).count();
            self.line_start = self.before + (self.at + last) as u64 + 1;
            self.continuations = 0;
            on_line = &passed[last + 1..];
        }
        self.continuations += on_line.iter().filter(|byte| **byte & 0xc0 == 0x80).count();
        self.at = at;
    }

    /// From the beginning of this window to that of the next one, which this much of the text lies before.
    pub(super) fn go_past(&mut self, text: &[u8]) {
        self.go_to(text, text.len());
        self.before += text.len() as u64;
        self.at = 0;
    }

    /// In bytes, from 1.
    pub(super) fn column(&self) -> usize {
        usize::try_from(self.before + self.at as u64 - self.line_start).map_or(usize::MAX, |bytes| bytes + 1)
    }

    /// In characters of UTF-8, from 1.
    pub(super) fn character(&self) -> usize {
        self.column() - self.continuations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_across_windows() {
        let text = "äé\nxäö€ key".as_bytes();
        let key = text.len() - 3;
        for cut in 0..key {
            let mut place = Place::START;
            place.go_past(&text[..cut]);
            place.go_to(&text[cut..], key - cut);
            assert_eq!(
                (place.line, place.column(), place.character()),
                (2, 10, 6),
                "{cut}"
            );
        }
    }
}
