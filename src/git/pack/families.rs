//! A pack as a forest: whole objects, and under each the deltas that are made from it.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

mod worker;

use worker::Worker;

use super::super::{Kind, ObjectId};
use super::entry::{Entry, LONGEST_HEADER, header};
use super::{Index, read_at};

/// How much is read at a time to learn what the entries are.
const WINDOW: usize = 1 << 16;
/// So many bases are held by all threads together.
const HELD: usize = 16 << 20;
/// What is made from an object larger than this is made by one thread at a time.
const LARGE: usize = 1 << 20;
/// So many entries are taken by a thread at a time.
const SHARE: usize = 64;
/// No entry.
const NONE: u32 = u32::MAX;

/// Is given each object; one for each thread.
pub(crate) trait Walk: Send {
    /// Whether it is given objects of a kind.
    fn wants(kind: Kind) -> bool;

    /// Gives back whether of what is made from it only what is new needs a look. Where that was said of what this one
    /// was made from, `changed` are the places that are new, as of [`super::delta::apply`].
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
        let turn = Mutex::default();
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
