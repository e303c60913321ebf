//! Makes the objects of families, each from its base while that is in memory.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};

use super::super::super::Kind;
use super::super::entry::header;
use super::super::{LARGEST, LARGEST_IN_TURN, delta, read_at};
use super::{Families, NONE, Walk};

/// Room for one of the objects that one thread at a time makes, which holds no more than one. Memory of that size, taken and
/// given back in all sizes, is seldom used again.
const BUFFER_OF_LARGE: usize = LARGEST_IN_TURN + 1;
/// Larger buffers are not kept for the next object, nor more than so many.
const LARGEST_SPARE: usize = 256 << 10;
const SPARES: usize = 16;

/// An object from which others are still to be made.
struct Base {
    content: Vec<u8>,
    /// Where the content is meanwhile, if it is not held: in a file without a name.
    laid_by: Option<File>,
    /// The next of them.
    child: u32,
    /// Whether of those only what is new needs a look.
    is_done: bool,
}

pub(super) struct Worker<'f, W> {
    families: &'f Families<'f>,
    walk: &'f mut W,
    inflate: Decompress,
    packed: Vec<u8>,
    delta: Vec<u8>,
    /// Where the last object that was made from another one is new.
    changed: Vec<Range<usize>>,
    spares: Vec<Vec<u8>>,
    /// In its turn alone: they are handed on.
    large_spares: Vec<Vec<u8>>,
    held: usize,
    most_held: usize,
    /// The largest object that is held as a whole.
    largest: usize,
    turn: &'f Mutex<Vec<Vec<u8>>>,
    pub(super) seen: usize,
    pub(super) lost: Vec<u32>,
}

impl<'f, W: Walk> Worker<'f, W> {
    pub(super) fn new(
        families: &'f Families<'f>,
        walk: &'f mut W,
        most_held: usize,
        turn: &'f Mutex<Vec<Vec<u8>>>,
    ) -> Self {
        Self {
            families,
            walk,
            inflate: Decompress::new(true),
            packed: Vec::new(),
            delta: Vec::new(),
            changed: Vec::new(),
            spares: Vec::new(),
            large_spares: Vec::new(),
            held: 0,
            most_held,
            largest: LARGEST,
            turn,
            seen: 0,
            lost: Vec::new(),
        }
    }

    /// Counts an object and all that is made from it.
    pub(super) fn pass_by(&mut self, root: usize) {
        let root = u32::try_from(root).expect("the index counts in 32 bits");
        self.families.descendants(root, |_| {
            self.seen += 1;
            true
        });
    }

    /// An object and all that is made from it, in its turn if that takes much memory.
    pub(super) fn family(&mut self, root: usize, kind: Kind) {
        let number = u32::try_from(root).expect("the index counts in 32 bits");
        if !self.families.large.contains(&number) {
            self.family_at_once(number, kind);
            return;
        }
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.large_spares = std::mem::take(&mut turn);
        let (most_held, largest) = (self.most_held, self.largest);
        (self.most_held, self.largest) = (BUFFER_OF_LARGE, LARGEST_IN_TURN);
        self.family_at_once(number, kind);
        (self.most_held, self.largest) = (most_held, largest);
        *turn = std::mem::take(&mut self.large_spares);
    }

    /// A base is held until its last child is made, so that a mere chain takes no more than two at a time.
    fn family_at_once(&mut self, number: u32, kind: Kind) {
        let mut content = self.buffer();
        if self.unpack(number as usize, &mut content).is_none() {
            self.lose(number);
            return;
        }
        let is_done = self.look(number, kind, &content, false);
        let mut bases = Vec::new();
        self.hold(&mut bases, number, content, is_done);
        while let Some(base) = bases.last_mut() {
            if self.take_up(base).is_none() {
                let child = base.child;
                self.families.siblings(child).for_each(|child| self.lose(child));
                bases.pop();
                continue;
            }
            let entry = base.child;
            base.child = self.families.next_sibling[entry as usize];
            let (is_last, is_base_done) = (base.child == NONE, base.is_done);
            let mut content = self.buffer();
            let made = self.make(entry as usize, &base.content, &mut content);
            if is_last && let Some(base) = bases.pop() {
                self.held -= base.content.capacity();
                self.spare(base.content);
            }
            if made.is_some() {
                let is_done = self.look(entry, kind, &content, is_base_done);
                self.hold(&mut bases, entry, content, is_done);
            } else {
                self.lose(entry);
                self.spare(content);
            }
        }
    }

    fn hold(&mut self, bases: &mut Vec<Base>, entry: u32, content: Vec<u8>, is_done: bool) {
        let child = self.families.first_child[entry as usize];
        if child == NONE {
            self.spare(content);
        } else if self.make_room(bases, content.capacity()) {
            self.held += content.capacity();
            bases.push(Base {
                content,
                laid_by: None,
                child,
                is_done,
            });
        } else {
            let families = self.families;
            families.siblings(child).for_each(|child| self.lose(child));
            self.spare(content);
        }
    }

    /// Lays by what is needed last, until there is room for so much.
    fn make_room(&mut self, bases: &mut [Base], needed: usize) -> bool {
        for base in bases {
            if self.held + needed <= self.most_held {
                break;
            }
            if base.laid_by.is_none() {
                let Ok(mut file) = tempfile::tempfile() else {
                    return false;
                };
                if file.write_all(&base.content).is_err() {
                    return false;
                }
                base.laid_by = Some(file);
                self.held -= base.content.capacity();
                let content = std::mem::take(&mut base.content);
                self.spare(content);
            }
        }
        self.held + needed <= self.most_held
    }

    /// Holds again what was laid by.
    fn take_up(&mut self, base: &mut Base) -> Option<()> {
        if let Some(mut file) = base.laid_by.take() {
            let length = file.stream_position().ok()?;
            base.content = self.buffer();
            resize(&mut base.content, usize::try_from(length).ok()?);
            file.rewind().ok()?;
            file.read_exact(&mut base.content).ok()?;
            self.held += base.content.capacity();
        }
        Some(())
    }

    /// Whether of what is made from it only what is new needs a look.
    fn look(&mut self, entry: u32, kind: Kind, content: &[u8], is_base_done: bool) -> bool {
        let name = self.families.name(entry as usize);
        let changed = is_base_done.then_some(&self.changed[..]);
        if let Ok(is_done) = self.walk.look(&name, kind, content, changed) {
            self.seen += 1;
            is_done
        } else {
            self.lost.push(entry);
            false
        }
    }

    fn lose(&mut self, entry: u32) {
        self.families.descendants(entry, |entry| {
            self.lost.push(entry);
            true
        });
    }

    fn buffer(&mut self) -> Vec<u8> {
        if self.largest > LARGEST {
            self.large_spares
                .pop()
                .unwrap_or_else(|| Vec::with_capacity(BUFFER_OF_LARGE))
        } else {
            self.spares.pop().unwrap_or_default()
        }
    }

    fn spare(&mut self, buffer: Vec<u8>) {
        if self.largest > LARGEST {
            self.large_spares.push(buffer);
        } else if buffer.capacity() <= LARGEST_SPARE && self.spares.len() < SPARES {
            self.spares.push(buffer);
        }
    }

    /// The content of an entry, or its delta.
    fn unpack(&mut self, entry: usize, content: &mut Vec<u8>) -> Option<()> {
        let families = self.families;
        let offset = families.offsets[entry];
        let length = usize::try_from(families.offsets[entry + 1] - offset).ok()?;
        if length > self.largest {
            return None;
        }
        resize(&mut self.packed, length);
        read_at(&families.file, &mut self.packed, offset).ok()?;
        let header = header(offset, &self.packed, families.index.format())?;
        if header.size > self.largest {
            return None;
        }
        // With room for one byte more than there must be, it comes to its checksum in one go.
        resize(content, header.size + 1);
        self.inflate.reset(true);
        let packed = &self.packed[header.length..];
        let status = self
            .inflate
            .decompress(packed, content, FlushDecompress::Finish)
            .ok()?;
        content.truncate(header.size);
        (status == Status::StreamEnd && self.inflate.total_out() == header.size as u64).then_some(())
    }

    fn make(&mut self, entry: usize, base: &[u8], content: &mut Vec<u8>) -> Option<()> {
        let mut delta = std::mem::take(&mut self.delta);
        let largest = self.largest;
        let mut changed = std::mem::take(&mut self.changed);
        let made = self
            .unpack(entry, &mut delta)
            .and_then(|()| delta::apply(base, &delta, content, &mut changed, largest));
        self.delta = delta;
        self.changed = changed;
        made
    }
}

/// Makes a buffer so long. It takes no more memory than that: many megabytes would be doubled otherwise.
fn resize(buffer: &mut Vec<u8>, length: usize) {
    buffer.truncate(length);
    buffer.reserve_exact(length - buffer.len());
    buffer.resize(length, 0);
}
