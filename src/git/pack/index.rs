//! The index of a pack: which objects it holds, and where.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::super::{ObjectFormat, ObjectId};
use super::read_at;

const MAGIC: [u8; 8] = *b"\xfftOc\0\0\0\x02";
const FANOUT: usize = 256 * 4;
/// An offset with this bit is the place of a longer one.
const IS_LONG: u32 = 1 << 31;

/// The names in a pack, in their order.
pub(crate) struct Index {
    path: PathBuf,
    format: ObjectFormat,
    /// How many names begin with no greater byte.
    fanout: Vec<u32>,
    names: Vec<u8>,
}

impl Index {
    /// None where it is not of the second version, or not as it should be.
    pub(crate) fn open(path: &Path, format: ObjectFormat) -> Option<Self> {
        let file = File::open(path).ok()?;
        let mut head = [0; MAGIC.len() + FANOUT];
        read_at(&file, &mut head, 0).ok()?;
        let fanout: Vec<u32> = head[MAGIC.len()..]
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(u32::from_be_bytes)
            .collect();
        let count = *fanout.last()? as usize;
        let width = format.width();
        let fixed = (head.len() + count * (width + 4 + 4) + 2 * width) as u64;
        let is_sound = head.starts_with(&MAGIC) && fanout.is_sorted() && file.metadata().ok()?.len() >= fixed;
        if !is_sound {
            return None;
        }
        let mut names = vec![0; count * width];
        read_at(&file, &mut names, head.len() as u64).ok()?;
        let is_sorted = names.chunks_exact(width).is_sorted();
        is_sorted.then(|| Self {
            path: path.to_owned(),
            format,
            fanout,
            names,
        })
    }

    /// Where the pack of it lies.
    pub(super) fn pack(&self) -> PathBuf {
        self.path.with_extension("pack")
    }

    pub(super) fn format(&self) -> ObjectFormat {
        self.format
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len() / self.format.width()
    }

    pub(crate) fn name(&self, position: usize) -> ObjectId {
        ObjectId::from_bytes(self.bytes(position))
    }

    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.position(name).is_some()
    }

    /// Where a name stands among the others.
    pub(super) fn position(&self, name: &[u8]) -> Option<usize> {
        let first = usize::from(name[0]);
        let start = first
            .checked_sub(1)
            .map_or(0, |before| self.fanout[before] as usize);
        let (mut start, mut end) = (start, self.fanout[first] as usize);
        while start < end {
            let middle = start.midpoint(end);
            match self.bytes(middle).cmp(name) {
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => end = middle,
            }
        }
        None
    }

    fn bytes(&self, position: usize) -> &[u8] {
        let width = self.format.width();
        &self.names[position * width..][..width]
    }

    /// Where each object begins in the pack, in the order of the names, and the checksum of the pack.
    pub(super) fn offsets(&self) -> Option<(Vec<u64>, Vec<u8>)> {
        let file = File::open(&self.path).ok()?;
        let (count, width) = (self.len(), self.format.width());
        let mut short = vec![0; count * 4];
        let place = (MAGIC.len() + FANOUT + count * (width + 4)) as u64;
        read_at(&file, &mut short, place).ok()?;
        let short: Vec<u32> = short
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(u32::from_be_bytes)
            .collect();
        let longs = short.iter().filter(|offset| **offset & IS_LONG != 0).count();
        let mut rest = vec![0; longs * 8 + width];
        read_at(&file, &mut rest, place + (count * 4) as u64).ok()?;
        let (long, checksum) = rest.split_at(longs * 8);
        let long: Vec<u64> = long
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(u64::from_be_bytes)
            .collect();
        let offsets = short.into_iter().map(|offset| match offset & IS_LONG {
            0 => Some(u64::from(offset)),
            _ => long.get((offset & !IS_LONG) as usize).copied(),
        });
        Some((offsets.collect::<Option<_>>()?, checksum.to_vec()))
    }
}
