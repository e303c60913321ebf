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

/// A place in a window that moves forward only.
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) line_start: u64,
    pub(super) before: u64,
}

impl Place {
    pub(super) fn go_to(&mut self, text: &[u8], at: usize) {
        let passed = &text[self.at..at];
        self.line += memchr::memchr_iter(b'\n', passed).count();
        if let Some(last) = memchr::memrchr(b'\n', passed) {
            self.line_start = self.before + (self.at + last) as u64 + 1;
        }
        self.at = at;
    }

    pub(super) fn column(&self, at: usize) -> usize {
        usize::try_from(self.before + at as u64 - self.line_start).map_or(usize::MAX, |bytes| bytes + 1)
    }
}
