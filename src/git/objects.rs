//! Reads objects: loose ones in this process, on all cores; what lies elsewhere through `git cat-file`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::bufread::ZlibDecoder;

use super::{Error, ObjectId, Repository, not_started, path_of};
use crate::process::Environment;

/// So many contents are worth a thread.
const CONTENTS_A_THREAD: usize = 8;
/// One for each first byte of a name.
const FOLDERS_OF_LOOSE_OBJECTS: usize = 256;

/// The folders of objects, and in which of their 256 folders there are any.
pub(super) type Stores<'a> = Vec<(&'a Path, Vec<bool>)>;

/// What to do about a content that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Give up.
    IsAnError,
    /// Leave it out.
    IsSkipped,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file's content, or a link's target.
    Blob,
    /// A folder.
    Tree,
    /// A commit: its headers, an empty line, its message.
    Commit,
    /// An annotated tag: the same.
    Tag,
}

impl Kind {
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"blob" => Some(Self::Blob),
            b"tree" => Some(Self::Tree),
            b"commit" => Some(Self::Commit),
            b"tag" => Some(Self::Tag),
            _ => None,
        }
    }
}

impl Repository {
    /// Gives each object to `look`, with its place in `oids`, and gives back what that made of it. The contents are
    /// streamed, several at once; an object that turns out to be damaged is looked at again as git reads it.
    ///
    /// # Errors
    ///
    /// When one is missing and that is an error, when one is damaged, or when git fails.
    pub fn read<T: Send>(
        &self,
        oids: &[ObjectId],
        missing: Missing,
        look: impl Fn(usize, Kind, &mut dyn Read) -> io::Result<T> + Sync,
    ) -> Result<Vec<Option<T>>, Error> {
        let stores = self.stores(oids.len());
        let loose = in_parallel(oids.len(), |index| {
            loose(&stores, &oids[index])
                .and_then(|mut object| object.look_through(|kind, reader| look(index, kind, reader)))
        });
        let mut results: Vec<Option<T>> = loose;
        let elsewhere: Vec<usize> = (0..oids.len())
            .filter(|index| results[*index].is_none())
            .collect();
        let share = elsewhere.len().div_ceil(threads(elsewhere.len())).max(1);
        let looked = std::thread::scope(|scope| {
            let look = &look;
            let readers: Vec<_> = elsewhere
                .chunks(share)
                .map(|indexes| scope.spawn(move || self.packed(oids, indexes, missing, look)))
                .collect();
            readers
                .into_iter()
                .map(|reader| reader.join().expect("looking at an object does not panic"))
                .collect::<Result<Vec<_>, Error>>()
        })?;
        for (index, result) in looked.into_iter().flatten() {
            results[index] = Some(result);
        }
        Ok(results)
    }

    /// Where loose objects lie, and behind which first bytes of their names there are any. Where many are asked for,
    /// most are packed: not to look for each of them in vain is worth a look at each of the folders.
    pub(super) fn stores(&self, count: usize) -> Stores<'_> {
        let exists = |folder: &Path, byte: usize| {
            count < FOLDERS_OF_LOOSE_OBJECTS || folder.join(format!("{byte:02x}")).exists()
        };
        self.object_folders()
            .map(|folder| {
                let folders = (0..FOLDERS_OF_LOOSE_OBJECTS).map(|byte| exists(folder, byte));
                (folder, folders.collect())
            })
            .collect()
    }

    /// Its own, and those of its alternates.
    pub(super) fn object_folders(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.objects)
            .chain(&self.alternates)
            .map(PathBuf::as_path)
    }

    /// What `git cat-file --batch` says of the objects at `indexes`, one after the other.
    fn packed<T>(
        &self,
        oids: &[ObjectId],
        indexes: &[usize],
        missing: Missing,
        look: impl Fn(usize, Kind, &mut dyn Read) -> io::Result<T>,
    ) -> Result<Vec<(usize, T)>, Error> {
        let mut child = self
            .git(&["cat-file", "--batch", "--buffer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(not_started)?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Answer("cat-file"));
        };
        let mut answers = BufReader::with_capacity(1 << 16, answers);
        let result = std::thread::scope(|scope| {
            // From a thread, or both sides would wait with full pipes. If git dies, the reader sees it.
            scope.spawn(move || {
                let mut requests = BufWriter::new(requests);
                let _ = indexes
                    .iter()
                    .try_for_each(|index| writeln!(requests, "{}", oids[*index]));
            });
            let mut found = Vec::new();
            for index in indexes {
                let oid = &oids[*index];
                match answer(&mut answers, oid)? {
                    Some((kind, size)) => {
                        let mut content = (&mut answers).take(size);
                        let result = look(*index, kind, &mut content);
                        let is_whole =
                            io::copy(&mut content, &mut io::sink()).is_ok() && content.limit() == 0;
                        let mut end = [0];
                        match result {
                            // git dies in the middle of a damaged object.
                            Ok(result)
                                if is_whole && answers.read_exact(&mut end).is_ok() && end == *b"\n" =>
                            {
                                found.push((*index, result));
                            }
                            _ => return Err(self.missing(oid)),
                        }
                    }
                    None if missing == Missing::IsSkipped => {}
                    None => return Err(self.missing(oid)),
                }
            }
            drop(answers);
            Ok(found)
        });
        if result.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(Error::Io)?;
        let found = result?;
        if status.success() {
            Ok(found)
        } else {
            Err(Error::Answer("cat-file"))
        }
    }

    pub(super) fn missing(&self, oid: &ObjectId) -> Error {
        if self.is_partial() {
            Error::NotFetched(oid.to_string())
        } else {
            Error::MissingObject(oid.to_string())
        }
    }
}

pub(super) fn loose(stores: &Stores<'_>, oid: &ObjectId) -> Option<Loose> {
    let name = oid.to_string();
    stores
        .iter()
        .filter(|(_, folders)| folders[usize::from(oid.as_bytes()[0])])
        .find_map(|(store, _)| Loose::open(&store.join(&name[..2]).join(&name[2..])))
}

/// The head of an answer of `cat-file --batch`: `OID SP TYPE SP SIZE LF CONTENT LF`, or `OID SP missing LF`.
fn answer(answers: &mut impl BufRead, oid: &ObjectId) -> Result<Option<(Kind, u64)>, Error> {
    let mut header = String::new();
    answers.read_line(&mut header).map_err(Error::Io)?;
    let words: Vec<&str> = header.split_ascii_whitespace().collect();
    match words[..] {
        [_, "missing"] => Ok(None),
        [_, kind, size] => match (Kind::of(kind.as_bytes()), size.parse()) {
            (Some(kind), Ok(size)) => Ok(Some((kind, size))),
            _ => Err(Error::Answer("cat-file")),
        },
        // It died on a damaged object.
        [] => Err(Error::MissingObject(oid.to_string())),
        _ => Err(Error::Answer("cat-file")),
    }
}

/// Does `work` for each number below `count`, on as many threads as there is work for; in the order of the numbers.
pub(super) fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> Option<T> + Sync) -> Vec<Option<T>> {
    let threads = threads(count);
    if threads == 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
    let done = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            return done;
                        }
                        done.extend(work(index).map(|result| (index, result)));
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("looking at an object does not panic"))
            .collect::<Vec<_>>()
    });
    for (index, result) in done {
        results[index] = Some(result);
    }
    results
}

pub(super) fn threads(count: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(count / CONTENTS_A_THREAD).max(1)
}

/// An object in a file of its own: zlib around `TYPE SP SIZE NUL CONTENT`, from gitformat-loose(5).
pub(super) struct Loose {
    content: ZlibDecoder<BufReader<File>>,
    kind: Kind,
    size: u64,
}

impl Loose {
    /// None where it does not lie here, or is not as it should be: git decides then.
    fn open(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let mut content = ZlibDecoder::new(BufReader::with_capacity(1 << 15, file));
        let mut header = Vec::with_capacity(32);
        let mut byte = [0];
        loop {
            content.read_exact(&mut byte).ok()?;
            match byte {
                [0] => break,
                _ if header.len() == 32 => return None,
                [byte] => header.push(byte),
            }
        }
        let mut words = header.split(|byte| *byte == b' ');
        let (kind, size) = (words.next()?, words.next()?);
        Some(Self {
            content,
            kind: Kind::of(kind)?,
            size: std::str::from_utf8(size).ok()?.parse().ok()?,
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// None where the content is not as long as it says, or its checksum is wrong.
    pub(super) fn look_through<T>(
        &mut self,
        look: impl FnOnce(Kind, &mut dyn Read) -> io::Result<T>,
    ) -> Option<T> {
        let mut counted = Counted {
            reader: &mut self.content,
            count: 0,
        };
        let result = look(self.kind, &mut counted).ok()?;
        io::copy(&mut counted, &mut io::sink()).ok()?;
        (counted.count == self.size).then_some(result)
    }
}

struct Counted<R> {
    reader: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

/// The folders that `info/alternates` names, theirs included, and those of GIT_ALTERNATE_OBJECT_DIRECTORIES. One that is
/// written in a way that is not understood here is left to git: what lies in it is read through `cat-file`.
pub(super) fn alternates(objects: &Path, environment: &Environment) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut left = vec![objects.to_owned()];
    if let Some(listed) = environment.get("GIT_ALTERNATE_OBJECT_DIRECTORIES") {
        folders.extend(listed.to_str().into_iter().flat_map(std::env::split_paths));
    }
    left.extend(folders.iter().cloned());
    while let Some(folder) = left.pop() {
        let Ok(listed) = std::fs::read(folder.join("info/alternates")) else {
            continue;
        };
        for line in listed.split(|byte| *byte == b'\n') {
            if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"\"") {
                continue;
            }
            if let Ok(path) = path_of(line).map(|path| folder.join(path))
                && !folders.contains(&path)
            {
                left.push(path.clone());
                folders.push(path);
            }
        }
    }
    folders
}
