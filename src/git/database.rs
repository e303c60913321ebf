//! All that lies in the object database, each object once, and whether anything is missing from it.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::HEXLOWER;

use super::objects::{Stores, threads};
use super::pack::{Families, Index};
use super::{Error, Kind, Missing, ObjectId, Repository, piped};

mod looker;

use looker::Looker;

/// More threads would hold more in memory than is agreed.
const MOST_THREADS: usize = 8;

/// A content, as a whole where it is in memory.
pub enum Body<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// All of it, and the places that are new in it, in their order: it was made from one of which `look` has said that it
    /// need not be looked at again. An empty place is where pieces meet that did not before.
    Changed(&'a [u8], &'a [Range<usize>]),
    /// Piece by piece.
    Stream(&'a mut dyn Read),
}

impl Body<'_> {
    /// All of it, which is to be small.
    fn with_whole<T>(self, look: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        match self {
            Self::Whole(content) | Self::Changed(content, _) => Ok(look(content)),
            Self::Stream(reader) => {
                let mut content = Vec::new();
                reader.read_to_end(&mut content)?;
                Ok(look(&content))
            }
        }
    }
}

/// What a look at a content came to.
pub struct Looked<T> {
    /// What was made of it, if anything.
    pub kept: Option<T>,
    /// Whether of a content that is made from it only what is new needs a look.
    pub is_done: bool,
}

/// Which objects there are, as far as this process understands how they lie.
pub(super) struct Database {
    pub(super) indexes: Vec<Index>,
    /// In their order.
    pub(super) loose: Vec<ObjectId>,
}

impl Database {
    fn contains(&self, name: &[u8]) -> bool {
        self.is_packed_before(self.indexes.len(), name)
            || self
                .loose
                .binary_search_by(|oid| oid.as_bytes().cmp(name))
                .is_ok()
    }

    /// Whether it lies in one of the first packs.
    fn is_packed_before(&self, count: usize, name: &[u8]) -> bool {
        self.indexes[..count].iter().any(|index| index.contains(name))
    }

    fn len(&self) -> u64 {
        self.indexes.iter().map(|index| index.len() as u64).sum::<u64>() + self.loose.len() as u64
    }
}

impl Repository {
    /// Gives `look` every blob, commit and tag that the repository holds, and with them all that `words` reach; gives
    /// back what that made of them, where it made anything. `done` is told how many of how many objects are done.
    ///
    /// # Errors
    ///
    /// When an object is damaged, or one is missing that `words` reach, or git fails.
    pub fn look_through<T: Send>(
        &self,
        words: &[String],
        done: impl Fn(u64, u64) + Sync,
        look: impl Fn(&ObjectId, Kind, Body<'_>) -> io::Result<Looked<T>> + Sync,
    ) -> Result<Vec<(ObjectId, Kind, T)>, Error> {
        let tips = self.tips(words)?;
        let database = self.database()?;
        let count = AtomicU64::new(0);
        let all = database.len();
        let look = |oid: &ObjectId, kind, body: Body<'_>| {
            done(count.fetch_add(1, Ordering::Relaxed) + 1, all);
            look(oid, kind, body)
        };
        let mut lookers: Vec<Looker<'_, _, T>> =
            (0..lookers()).map(|_| Looker::new(&database, &look)).collect();
        let mut unread = self.look_through_loose(&database.loose, &mut lookers);
        for (number, index) in database.indexes.iter().enumerate() {
            lookers.iter_mut().for_each(|looker| looker.pack = number);
            match Families::of(index) {
                Some(families) => unread.extend(families.walk(&mut lookers)),
                None => unread.extend((0..index.len()).map(|position| index.name(position))),
            }
        }
        let mut known = HashSet::new();
        unread.retain(|oid| known.insert(*oid));
        let mut first = lookers.pop().ok_or(Error::Answer("cat-file"))?;
        for looker in lookers {
            first.merge(looker);
        }
        let looker = Mutex::new(first);
        self.look_through_git(&unread, &looker)?;

        let are_tips_here = tips
            .end(self)?
            .iter()
            .all(|tip| database.contains(tip.as_bytes()));
        let mut looker = looker.into_inner().map_err(|_| Error::Answer("cat-file"))?;
        if looker.has_missed || !are_tips_here {
            // Something lies where only git finds it, or is not there at all; that is an error where it is reached.
            let elsewhere: Vec<ObjectId> = self
                .objects()?
                .into_iter()
                .filter_map(|(oid, _)| (!database.contains(oid.as_bytes())).then_some(oid))
                .collect();
            let shared = Mutex::new(looker);
            self.look_through_git(&elsewhere, &shared)?;
            self.connectivity(words)?.holds(self)?;
            looker = shared.into_inner().map_err(|_| Error::Answer("cat-file"))?;
        }
        Ok(looker.kept)
    }

    pub(super) fn database(&self) -> Result<Database, Error> {
        let mut database = Database {
            indexes: Vec::new(),
            loose: Vec::new(),
        };
        // What is packed meanwhile and no longer lies loose is found in the pack; the other way round it would not be.
        for store in self.object_folders() {
            database.loose.extend(loose_names(store).map_err(Error::Io)?);
        }
        for store in self.object_folders() {
            for path in entries(&store.join("pack")).map_err(Error::Io)? {
                if path.extension() == Some("idx".as_ref()) {
                    // What is in one that is not understood is asked of git in the end.
                    database.indexes.extend(Index::open(&path, self.format));
                }
            }
        }
        database.loose.sort_unstable();
        database.loose.dedup();
        let indexes = &database.indexes;
        database
            .loose
            .retain(|oid| !indexes.iter().any(|index| index.contains(oid.as_bytes())));
        Ok(database)
    }

    fn look_through_loose<F, T>(&self, oids: &[ObjectId], lookers: &mut [Looker<'_, F, T>]) -> Vec<ObjectId>
    where
        F: Fn(&ObjectId, Kind, Body<'_>) -> io::Result<Looked<T>> + Sync,
        T: Send,
    {
        let stores = self.stores(oids.len());
        let share = oids.len().div_ceil(lookers.len().max(1)).max(1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = lookers
                .iter_mut()
                .zip(oids.chunks(share))
                .map(|(looker, oids)| {
                    let stores = &stores;
                    scope.spawn(move || look_through_share(stores, oids, looker))
                })
                .collect();
            let unread = workers.into_iter();
            unread
                .flat_map(|worker| worker.join().expect("looking at an object does not panic"))
                .collect()
        })
    }

    fn look_through_git<F, T>(&self, oids: &[ObjectId], looker: &Mutex<Looker<'_, F, T>>) -> Result<(), Error>
    where
        F: Fn(&ObjectId, Kind, Body<'_>) -> io::Result<Looked<T>> + Sync,
        T: Send,
    {
        if oids.is_empty() {
            return Ok(());
        }
        let (database, look) = match looker.lock() {
            Ok(looker) => (looker.database, looker.look),
            Err(_) => return Err(Error::Answer("cat-file")),
        };
        self.read(oids, Missing::IsAnError, |index, kind, reader| {
            let mut one = Looker::new(database, look);
            one.look_at(&oids[index], kind, Body::Stream(reader))?;
            if let Ok(mut looker) = looker.lock() {
                looker.merge(one);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Asks git for all that references name, and for the commits among `words`.
    fn tips(&self, words: &[String]) -> Result<Tips, Error> {
        let mut references = self.git(&["for-each-ref", "--format=%(objectname)"]);
        let mut commits = self.git(&["rev-list", "--no-walk=unsorted"]);
        Ok(Tips {
            references: piped(&mut references)?,
            commits: piped(commits.args(words).arg("--"))?,
        })
    }
}

/// git, saying where the history begins.
struct Tips {
    references: Child,
    commits: Child,
}

impl Tips {
    fn end(self, repository: &Repository) -> Result<Vec<ObjectId>, Error> {
        let mut tips = Vec::new();
        for (command, child) in [("for-each-ref", self.references), ("rev-list", self.commits)] {
            let output = child.wait_with_output().map_err(Error::Io)?;
            let answer = super::succeeded(command, output).map_err(|error| repository.explained(error))?;
            let answer = String::from_utf8(answer).map_err(|_| Error::Answer(command))?;
            for line in answer.lines() {
                tips.push(line.parse()?);
            }
        }
        Ok(tips)
    }
}

fn look_through_share<F, T>(
    stores: &Stores<'_>,
    oids: &[ObjectId],
    looker: &mut Looker<'_, F, T>,
) -> Vec<ObjectId>
where
    F: Fn(&ObjectId, Kind, Body<'_>) -> io::Result<Looked<T>>,
{
    let mut unread = Vec::new();
    for oid in oids {
        let kept = looker.kept.len();
        let looked = super::objects::loose(stores, oid).and_then(|mut object| {
            object.look_through(|kind, reader| looker.look_at(oid, kind, Body::Stream(reader)).map(drop))
        });
        if looked.is_none() {
            // What a damaged one seemed to hold does not count.
            looker.kept.truncate(kept);
            unread.push(*oid);
        }
    }
    unread
}

/// What is in a tree, `MODE SP NAME NUL OID` again and again: what is before the NUL, and the name of the object.
pub(super) fn entries_of(tree: &[u8], width: usize) -> impl Iterator<Item = io::Result<(&[u8], &[u8])>> {
    let mut left = tree;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let entry =
            memchr::memchr(0, left).and_then(|end| Some((&left[..end], left.get(end + 1..end + 1 + width)?)));
        left = entry.map_or(&[], |(head, name)| &left[head.len() + 1 + name.len()..]);
        Some(entry.ok_or_else(|| io::ErrorKind::InvalidData.into()))
    })
}

/// How many threads look through packs.
pub(super) fn lookers() -> usize {
    threads(usize::MAX).min(MOST_THREADS)
}

fn entries(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The names of what lies loose in a folder of objects.
fn loose_names(store: &Path) -> io::Result<Vec<ObjectId>> {
    let mut names = Vec::new();
    for byte in 0..=u8::MAX {
        let first = HEXLOWER.encode(&[byte]);
        for path in entries(&store.join(&first))? {
            let rest = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            // Others are what was being written when git was killed.
            names.extend(format!("{first}{rest}").parse::<ObjectId>());
        }
    }
    Ok(names)
}
