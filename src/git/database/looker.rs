//! What one thread sees of the object database: it looks at each content, and notes whether all is there that is named.

use std::io;
use std::ops::Range;

use data_encoding::HEXLOWER;

use super::super::pack::Walk;
use super::super::{Kind, ObjectId};
use super::{Body, Database, Looked, entries_of};

/// So many names that were seen last are known to be there without a search.
const SEEN: usize = 1 << 14;

/// One thread's part.
pub(super) struct Looker<'a, F, T> {
    pub(super) database: &'a Database,
    pub(super) look: &'a F,
    /// Which pack it looks into.
    pub(super) pack: usize,
    seen: Vec<u64>,
    pub(super) kept: Vec<(ObjectId, Kind, T)>,
    /// Whether an object names one that is not there.
    pub(super) has_missed: bool,
}

impl<'a, F, T> Looker<'a, F, T> {
    pub(super) fn new(database: &'a Database, look: &'a F) -> Self {
        Self {
            database,
            look,
            pack: 0,
            seen: Vec::new(),
            kept: Vec::new(),
            has_missed: false,
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.kept.extend(other.kept);
        self.has_missed |= other.has_missed;
    }

    /// Notes whether an object is there that another one names.
    fn follow(&mut self, name: &[u8]) {
        let Some(head) = name.first_chunk().copied().map(u64::from_ne_bytes) else {
            return;
        };
        // Half of a name is enough: two objects that share it are not met by chance.
        let place = usize::try_from(head % SEEN as u64).expect("it is small");
        if self.seen.get(place) == Some(&head) && head != 0 {
            return;
        }
        if self.database.contains(name) {
            self.seen.resize(SEEN, 0);
            self.seen[place] = head;
        } else {
            self.has_missed = true;
        }
    }

    fn follow_tree(&mut self, width: usize, tree: &[u8]) -> io::Result<()> {
        for entry in entries_of(tree, width) {
            let (entry, name) = entry?;
            // A submodule's commit lies in its own repository.
            if !entry.starts_with(b"160000 ") {
                self.follow(name);
            }
        }
        Ok(())
    }

    /// The headers of a commit or a tag, up to the first that names no object.
    fn follow_headers(&mut self, content: &[u8]) -> io::Result<()> {
        let mut count = 0;
        for line in content.split(|byte| *byte == b'\n') {
            let name = [&b"tree "[..], b"parent ", b"object "]
                .iter()
                .find_map(|word| line.strip_prefix(*word));
            let Some(name) = name else { break };
            let name = HEXLOWER.decode(name).map_err(|_| io::ErrorKind::InvalidData)?;
            self.follow(&name);
            count += 1;
        }
        if count == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    }
}

impl<F, T> Looker<'_, F, T>
where
    F: Fn(&ObjectId, Kind, Body<'_>) -> io::Result<Looked<T>>,
{
    /// Whether of what is made from it only what is new needs a look.
    pub(super) fn look_at(&mut self, oid: &ObjectId, kind: Kind, body: Body<'_>) -> io::Result<bool> {
        let width = oid.as_bytes().len();
        let looked = match kind {
            Kind::Blob => (self.look)(oid, kind, body)?,
            Kind::Tree => {
                body.with_whole(|content| self.follow_tree(width, content))??;
                return Ok(false);
            }
            Kind::Commit | Kind::Tag => body.with_whole(|content| {
                self.follow_headers(content)?;
                (self.look)(oid, kind, Body::Whole(content))
            })??,
        };
        self.kept.extend(looked.kept.map(|kept| (*oid, kind, kept)));
        Ok(looked.is_done && kind == Kind::Blob)
    }
}

impl<F, T> Walk for Looker<'_, F, T>
where
    F: Fn(&ObjectId, Kind, Body<'_>) -> io::Result<Looked<T>> + Sync,
    T: Send,
{
    fn wants(_: Kind) -> bool {
        true
    }

    fn look(
        &mut self,
        oid: &ObjectId,
        kind: Kind,
        content: &[u8],
        changed: Option<&[Range<usize>]>,
    ) -> io::Result<bool> {
        if self.database.is_packed_before(self.pack, oid.as_bytes()) {
            return Ok(false);
        }
        let body = match changed {
            Some(changed) => Body::Changed(content, changed),
            None => Body::Whole(content),
        };
        self.look_at(oid, kind, body)
    }
}
