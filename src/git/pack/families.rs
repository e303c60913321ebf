//! A pack as a forest: whole objects, and under each the deltas that are made from it.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{Decompress, FlushDecompress, Status};

use super::super::{Kind, ObjectId};
use super::entry::{Entry, LONGEST_HEADER, header};
use super::{Index, LARGEST, delta, read_at};

/// How much is read at a time to learn what the entries are.
const WINDOW: usize = 1 << 16;
/// So many bases are held by all threads together.
const HELD: usize = 24 << 20;
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

    /// An object that cannot be looked at now is named in the end.
    fn look(&mut self, oid: &ObjectId, kind: Kind, content: &[u8]) -> io::Result<()>;
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
            let base = match header.map(|header| header.entry) {
                Some(Entry::Whole(kind)) => {
                    self.kinds[entry] = Some(kind);
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
        // Backwards, so that the first child is the first in the pack.
        for entry in (0..self.index.len()).rev() {
            let base = bases[entry];
            if base != NONE {
                self.next_sibling[entry] = self.first_child[base as usize];
                self.first_child[base as usize] = u32::try_from(entry).ok()?;
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
        let done: Vec<(usize, Vec<u32>)> = std::thread::scope(|scope| {
            let workers: Vec<_> = walks
                .iter_mut()
                .map(|walk| {
                    let mut worker = Worker::new(self, walk, most_held);
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
        let some = |entry: u32| (entry != NONE).then_some(entry);
        std::iter::successors(some(self.first_child[entry as usize]), move |child| {
            some(self.next_sibling[*child as usize])
        })
    }
}

struct Worker<'f, W> {
    families: &'f Families<'f>,
    walk: &'f mut W,
    inflate: Decompress,
    packed: Vec<u8>,
    delta: Vec<u8>,
    spares: Vec<Vec<u8>>,
    held: usize,
    most_held: usize,
    seen: usize,
    lost: Vec<u32>,
}

impl<'f, W: Walk> Worker<'f, W> {
    fn new(families: &'f Families<'f>, walk: &'f mut W, most_held: usize) -> Self {
        Self {
            families,
            walk,
            inflate: Decompress::new(true),
            packed: Vec::new(),
            delta: Vec::new(),
            spares: Vec::new(),
            held: 0,
            most_held,
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

    /// An object and all that is made from it. A base is held until its last child is made, so that a mere chain takes
    /// no more than two at a time.
    fn family(&mut self, root: usize, kind: Kind) {
        let number = u32::try_from(root).expect("the index counts in 32 bits");
        let mut content = self.spares.pop().unwrap_or_default();
        if self.unpack(root, &mut content).is_none() {
            self.lose(number);
            return;
        }
        self.look(number, kind, &content);
        let mut bases = Vec::new();
        self.hold(&mut bases, number, content);
        while let Some((base, child)) = bases.last_mut() {
            let entry = *child;
            *child = self.families.next_sibling[entry as usize];
            let is_last = *child == NONE;
            let mut content = self.spares.pop().unwrap_or_default();
            let made = self.make(entry as usize, base, &mut content);
            if is_last && let Some((base, _)) = bases.pop() {
                self.held -= base.capacity();
                self.spare(base);
            }
            if made.is_some() {
                self.look(entry, kind, &content);
                self.hold(&mut bases, entry, content);
            } else {
                self.lose(entry);
                self.spare(content);
            }
        }
    }

    fn hold(&mut self, bases: &mut Vec<(Vec<u8>, u32)>, entry: u32, content: Vec<u8>) {
        let child = self.families.first_child[entry as usize];
        if child == NONE {
            self.spare(content);
        } else if self.held + content.capacity() > self.most_held {
            let families = self.families;
            families.children(entry).for_each(|child| self.lose(child));
            self.spare(content);
        } else {
            self.held += content.capacity();
            bases.push((content, child));
        }
    }

    fn look(&mut self, entry: u32, kind: Kind, content: &[u8]) {
        if self
            .walk
            .look(&self.families.name(entry as usize), kind, content)
            .is_ok()
        {
            self.seen += 1;
        } else {
            self.lost.push(entry);
        }
    }

    fn lose(&mut self, entry: u32) {
        self.families.descendants(entry, |entry| {
            self.lost.push(entry);
            true
        });
    }

    fn spare(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= LARGEST_SPARE && self.spares.len() < SPARES {
            self.spares.push(buffer);
        }
    }

    /// The content of an entry, or its delta.
    fn unpack(&mut self, entry: usize, content: &mut Vec<u8>) -> Option<()> {
        let families = self.families;
        let offset = families.offsets[entry];
        let length = usize::try_from(families.offsets[entry + 1] - offset).ok()?;
        if length > LARGEST {
            return None;
        }
        self.packed.resize(length, 0);
        read_at(&families.file, &mut self.packed, offset).ok()?;
        let header = header(offset, &self.packed, families.index.format())?;
        if header.size > LARGEST {
            return None;
        }
        // With room for one byte more than there must be, it comes to its checksum in one go.
        content.resize(header.size + 1, 0);
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
        let made = self
            .unpack(entry, &mut delta)
            .and_then(|()| delta::apply(base, &delta, content, LARGEST));
        self.delta = delta;
        made
    }
}
