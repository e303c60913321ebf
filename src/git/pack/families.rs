//! A pack as a forest: whole objects, and under each the deltas that are made from it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{Decompress, FlushDecompress, Status};

use super::super::{Kind, ObjectId};
use super::entry::{Entry, LONGEST_HEADER, header};
use super::{Index, LARGEST, LARGEST_IN_TURN, delta, read_at};

/// How much is read at a time to learn what the entries are.
const WINDOW: usize = 1 << 16;
/// So many bases are held by all threads together.
const HELD: usize = 16 << 20;
/// What is made from an object larger than this is made by one thread at a time.
const LARGE: usize = 1 << 20;
/// So much is held for it.
const HELD_OF_LARGE: usize = 8 << 20;
/// So many entries are taken by a thread at a time.
const SHARE: usize = 64;
/// Larger buffers are not kept for the next object, nor more than so many.
const LARGEST_SPARE: usize = 256 << 10;
const SPARES: usize = 16;
/// No entry.
const NONE: u32 = u32::MAX;

/// Is given each object; one for each thread.
pub(crate) trait Walk: Send {
    /// Whether it is given objects of a kind.
    fn wants(kind: Kind) -> bool;

    /// Gives back whether of what is made from it only what is new needs a look. Where that was said of what this one
    /// was made from, `changed` are the places that are new, as of [`delta::apply`].
    ///
    /// An object that cannot be looked at now is named in the end.
    fn look(
        &mut self,
        oid: &ObjectId,
        kind: Kind,
        content: &[u8],
        changed: Option<&[Range<usize>]>,
    ) -> io::Result<bool>;
}

/// The entries of a pack, in their order there.
pub(crate) struct Families<'i> {
    index: &'i Index,
    file: File,
    /// One more than there are entries: where the last one ends.
    offsets: Vec<u64>,
    /// Where the names stand in the index.
    positions: Vec<u32>,
    /// None for deltas.
    kinds: Vec<Option<Kind>>,
    /// Whole objects that take turns.
    large: HashSet<u32>,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    /// Entries that are not understood, and deltas whose base is not here.
    lost: Vec<u32>,
}

impl<'i> Families<'i> {
    /// None where the pack is not there, or not that of the index.
    pub(crate) fn of(index: &'i Index) -> Option<Self> {
        let (offsets, checksum) = index.offsets()?;
        let file = File::open(index.pack()).ok()?;
        let length = file.metadata().ok()?.len();
        let mut head = [0; 12];
        read_at(&file, &mut head, 0).ok()?;
        let mut trailer = vec![0; checksum.len()];
        let end = length.checked_sub(trailer.len() as u64)?;
        read_at(&file, &mut trailer, end).ok()?;
        let count = u32::try_from(index.len()).ok()?;
        let is_known = head.starts_with(b"PACK\0\0\0\x02") || head.starts_with(b"PACK\0\0\0\x03");
        if !is_known || head[8..] != count.to_be_bytes() || trailer != checksum {
            return None;
        }
        let mut positions: Vec<u32> = (0..count).collect();
        positions.sort_unstable_by_key(|position| offsets[*position as usize]);
        let mut offsets: Vec<u64> = positions
            .iter()
            .map(|position| offsets[*position as usize])
            .collect();
        offsets.push(end);
        if offsets[0] < head.len() as u64 || !offsets.is_sorted_by(|one, next| one < next) {
            return None;
        }
        let mut families = Self {
            index,
            file,
            kinds: vec![None; index.len()],
            large: HashSet::new(),
            first_child: vec![NONE; index.len()],
            next_sibling: vec![NONE; index.len()],
            positions,
            offsets,
            lost: Vec::new(),
        };
        families.link()?;
        Some(families)
    }

    /// Learns from the beginning of each entry what it is.
    fn link(&mut self) -> Option<()> {
        let end = *self.offsets.last()?;
        let mut window = vec![0; WINDOW];
        let (mut start, mut filled) = (0, 0);
        let mut bases = vec![NONE; self.index.len()];
        let mut places: Option<Vec<u32>> = None;
        for (entry, linked) in bases.iter_mut().enumerate() {
            let offset = self.offsets[entry];
            let length = usize::try_from(self.offsets[entry + 1] - offset)
                .map_or(LONGEST_HEADER, |length| length.min(LONGEST_HEADER));
            if offset + length as u64 > start + filled as u64 {
                start = offset;
                filled = usize::try_from(end - start).map_or(WINDOW, |left| left.min(WINDOW));
                read_at(&self.file, &mut window[..filled], start).ok()?;
            }
            let at = usize::try_from(offset - start).ok()?;
            let header = header(offset, &window[at..at + length], self.index.format());
            let size = header.as_ref().map_or(0, |header| header.size);
            let base = match header.map(|header| header.entry) {
                Some(Entry::Whole(kind)) => {
                    self.kinds[entry] = Some(kind);
                    if size > LARGE {
                        self.large.insert(u32::try_from(entry).ok()?);
                    }
                    continue;
                }
                Some(Entry::DeltaOfOffset(base)) => self.offsets[..entry].binary_search(&base).ok(),
                Some(Entry::DeltaOfName(name)) => {
                    let places = places.get_or_insert_with(|| self.places());
                    let position = self.index.position(name.as_bytes());
                    position.map(|position| places[position] as usize)
                }
                None => None,
            };
            match base.map(u32::try_from) {
                Some(Ok(base)) => *linked = base,
                _ => self.lost.push(u32::try_from(entry).ok()?),
            }
        }
        let mut sizes = vec![1_u32; bases.len()];
        let mut largest = vec![NONE; bases.len()];
        // Most deltas stand behind their base; of the others some count for less, and no more is held for that than may be.
        for entry in (0..bases.len()).rev() {
            if let Some(largest) = largest.get_mut(bases[entry] as usize) {
                let base = bases[entry] as usize;
                if *largest == NONE || sizes[entry] > sizes[*largest as usize] {
                    *largest = u32::try_from(entry).ok()?;
                }
                sizes[base] = sizes[base].saturating_add(sizes[entry]);
            }
        }
        // What most is made from comes last: its base is not held any more by then, and a long chain with others beside
        // it takes no more than two at a time. Of the others the first is the first in the pack.
        let is_last = |entry: usize, base: u32| largest[base as usize] as usize == entry;
        for order in [true, false] {
            for entry in (0..bases.len()).rev() {
                let base = bases[entry];
                if base != NONE && is_last(entry, base) == order {
                    self.next_sibling[entry] = self.first_child[base as usize];
                    self.first_child[base as usize] = u32::try_from(entry).ok()?;
                }
            }
        }
        Some(())
    }

    /// For each name in the index, which entry it has.
    fn places(&self) -> Vec<u32> {
        let mut places = vec![0; self.positions.len()];
        for (entry, position) in (0..).zip(&self.positions) {
            places[*position as usize] = entry;
        }
        places
    }

    /// Gives every object to one of `walks`, each of which gets a thread, and gives back which could not be read here.
    pub(crate) fn walk<W: Walk>(&self, walks: &mut [W]) -> Vec<ObjectId> {
        let next = AtomicUsize::new(0);
        let most_held = HELD / walks.len().max(1);
        let turn = Mutex::new(());
        let done: Vec<(usize, Vec<u32>)> = std::thread::scope(|scope| {
            let workers: Vec<_> = walks
                .iter_mut()
                .map(|walk| {
                    let mut worker = Worker::new(self, walk, most_held, &turn);
                    let next = &next;
                    scope.spawn(move || {
                        loop {
                            let start = next.fetch_add(SHARE, Ordering::Relaxed);
                            if start >= self.kinds.len() {
                                return (worker.seen, worker.lost);
                            }
                            for entry in start..self.kinds.len().min(start + SHARE) {
                                match self.kinds[entry] {
                                    Some(kind) if W::wants(kind) => worker.family(entry, kind),
                                    Some(_) => worker.pass_by(entry),
                                    None => {}
                                }
                            }
                        }
                    })
                })
                .collect();
            let done = workers.into_iter();
            done.map(|worker| worker.join().expect("looking at an object does not panic"))
                .collect()
        });
        let seen: usize = done.iter().map(|(seen, _)| seen).sum();
        let mut lost: Vec<u32> = done.into_iter().flat_map(|(_, lost)| lost).collect();
        let mut known: HashSet<u32> = lost.iter().copied().collect();
        for entry in &self.lost {
            self.descendants(*entry, |entry| {
                let is_new = known.insert(entry);
                if is_new {
                    lost.push(entry);
                }
                is_new
            });
        }
        if seen + lost.len() < self.kinds.len() {
            // Deltas that are made from each other are under no object: only damage can do that.
            lost = (0..).take(self.kinds.len()).collect();
        }
        // In their order in the pack git needs the bases that it has just made.
        lost.sort_unstable();
        lost.into_iter().map(|entry| self.name(entry as usize)).collect()
    }

    fn name(&self, entry: usize) -> ObjectId {
        self.index.name(self.positions[entry] as usize)
    }

    /// An entry and all that is made from it, as far as `go_on` says so.
    fn descendants(&self, entry: u32, mut go_on: impl FnMut(u32) -> bool) {
        let mut left = vec![entry];
        while let Some(entry) = left.pop() {
            if go_on(entry) {
                left.extend(self.children(entry));
            }
        }
    }

    fn children(&self, entry: u32) -> impl Iterator<Item = u32> {
        self.siblings(self.first_child[entry as usize])
    }

    /// An entry, if it is one, and those of the same base behind it.
    fn siblings(&self, entry: u32) -> impl Iterator<Item = u32> {
        let some = |entry: u32| (entry != NONE).then_some(entry);
        std::iter::successors(some(entry), move |entry| some(self.next_sibling[*entry as usize]))
    }
}

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

struct Worker<'f, W> {
    families: &'f Families<'f>,
    walk: &'f mut W,
    inflate: Decompress,
    packed: Vec<u8>,
    delta: Vec<u8>,
    /// Where the last object that was made from another one is new.
    changed: Vec<Range<usize>>,
    spares: Vec<Vec<u8>>,
    /// Kept for its turn alone: memory of that size comes from the system each time, and is cleared there.
    large_spare: Option<Vec<u8>>,
    held: usize,
    most_held: usize,
    /// The largest object that is held as a whole.
    largest: usize,
    turn: &'f Mutex<()>,
    seen: usize,
    lost: Vec<u32>,
}

impl<'f, W: Walk> Worker<'f, W> {
    fn new(families: &'f Families<'f>, walk: &'f mut W, most_held: usize, turn: &'f Mutex<()>) -> Self {
        Self {
            families,
            walk,
            inflate: Decompress::new(true),
            packed: Vec::new(),
            delta: Vec::new(),
            changed: Vec::new(),
            spares: Vec::new(),
            large_spare: None,
            held: 0,
            most_held,
            largest: LARGEST,
            turn,
            seen: 0,
            lost: Vec::new(),
        }
    }

    /// Counts an object and all that is made from it.
    fn pass_by(&mut self, root: usize) {
        let root = u32::try_from(root).expect("the index counts in 32 bits");
        self.families.descendants(root, |_| {
            self.seen += 1;
            true
        });
    }

    /// An object and all that is made from it, in its turn if that takes much memory.
    fn family(&mut self, root: usize, kind: Kind) {
        let number = u32::try_from(root).expect("the index counts in 32 bits");
        if !self.families.large.contains(&number) {
            self.family_at_once(number, kind);
            return;
        }
        let turn = self.turn.lock();
        let (most_held, largest) = (self.most_held, self.largest);
        (self.most_held, self.largest) = (HELD_OF_LARGE, LARGEST_IN_TURN);
        self.family_at_once(number, kind);
        (self.most_held, self.largest) = (most_held, largest);
        self.large_spare = None;
        drop(turn);
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
                base.content = Vec::new();
            }
        }
        self.held + needed <= self.most_held
    }

    /// Holds again what was laid by.
    fn take_up(&mut self, base: &mut Base) -> Option<()> {
        if let Some(mut file) = base.laid_by.take() {
            let length = file.stream_position().ok()?;
            base.content.reserve_exact(usize::try_from(length).ok()?);
            file.rewind().ok()?;
            file.read_to_end(&mut base.content).ok()?;
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
        self.large_spare
            .take()
            .or_else(|| self.spares.pop())
            .unwrap_or_default()
    }

    fn spare(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() > LARGEST_SPARE {
            self.large_spare = (self.largest > LARGEST).then_some(buffer);
        } else if self.spares.len() < SPARES {
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
