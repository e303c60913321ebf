//! Contents that were made from one that holds nothing, by putting something new in a few places. What stands far from
//! those stood there before, and is not looked at again.

use std::cell::Cell;
use std::ops::Range;

use super::{AHEAD, CONTEXT, Encoding, Limits, MOST_UNPACKED, Pass, Place};
use crate::scan::detector::holds_long_run;
use crate::scan::{Scanner, decode, unpack};

/// How far a place may be that is looked at, for lines that base64 may go on in: further off all is looked at.
const FAR: usize = 256 << 10;
/// So many lines without a long run end base64, whatever is put between them.
const QUIET_LINES: usize = 2;

/// Whether a content holds nothing and is a text: then so is most of what is made from it.
pub(in crate::scan) fn is_text(content: &[u8]) -> bool {
    begins_as_text(content) && memchr::memchr(0, content).is_none()
}

/// The beginning decides how all is read.
fn begins_as_text(content: &[u8]) -> bool {
    unpack::kind(content).is_none() && decode::utf_16(content).is_none()
}

/// Whether a content holds nothing that was made from a text that holds nothing. `changed` are the places that are new
/// or follow something else than before, in their order; an empty one is a seam. False as well where a look at the
/// whole is needed to know.
pub(in crate::scan) fn holds_nothing(scanner: &Scanner, content: &[u8], changed: &[Range<usize>]) -> bool {
    if !begins_as_text(content) {
        return false;
    }
    let reach = CONTEXT + AHEAD.max(scanner.own.longest());
    let mut windows: Vec<Range<usize>> = Vec::new();
    for place in changed {
        let start = place.start.saturating_sub(reach);
        let end = content.len().min(place.end.saturating_add(reach));
        match windows.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            Some(_) | None => windows.push(start..end),
        }
    }
    windows.into_iter().all(|window| {
        let (Some(start), Some(end)) = (
            quiet_before(content, window.start),
            quiet_behind(content, window.end),
        ) else {
            return false;
        };
        window_holds_nothing(scanner, &content[start..end], start > 0)
    })
}

fn window_holds_nothing(scanner: &Scanner, text: &[u8], is_amid: bool) -> bool {
    if memchr::memchr(0, text).is_some() {
        return false;
    }
    let unpacked = Cell::new(MOST_UNPACKED);
    let mut pass = Pass::new(scanner, Limits::of(&unpacked), Encoding::Plain);
    if is_amid {
        pass.place = Place::AMID;
    }
    pass.search(text, 0..text.len(), None);
    pass.found.candidates.is_empty() && pass.found.unread.is_empty()
}

/// The beginning of a line at or before a place, above which no base64 goes on.
fn quiet_before(content: &[u8], at: usize) -> Option<usize> {
    let (mut start, mut quiet) = (at, 0);
    while quiet < QUIET_LINES && start > 0 {
        if at - start > FAR {
            return None;
        }
        let above = &content[start.saturating_sub(FAR)..start - 1];
        let line = match memchr::memrchr(b'\n', above) {
            Some(newline) => start - above.len() + newline,
            None if start <= FAR => 0,
            None => return None,
        };
        quiet = if holds_long_run(&content[line..start]) {
            0
        } else {
            quiet + 1
        };
        start = line;
    }
    Some(start)
}

/// The end of a line at or behind a place, below which no base64 goes on.
fn quiet_behind(content: &[u8], at: usize) -> Option<usize> {
    let (mut end, mut quiet) = (at, 0);
    while quiet < QUIET_LINES && end < content.len() {
        if end - at > FAR {
            return None;
        }
        let below = &content[end..content.len().min(end + FAR)];
        let line = match memchr::memchr(b'\n', below) {
            Some(newline) => end + newline + 1,
            None if end + below.len() == content.len() => content.len(),
            None => return None,
        };
        quiet = if holds_long_run(&content[end..line]) {
            0
        } else {
            quiet + 1
        };
        end = line;
    }
    Some(end)
}
