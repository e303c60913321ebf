//! Which commits brought contents in, seen from the trees alone: so git need not compare all commits with their parents.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use data_encoding::HEXLOWER;

use super::database::{entries_of, lookers};
use super::objects::loose;
use super::pack::{Families, Walk};
use super::{Kind, ObjectId, Repository};

/// More contents than this are looked for by git: one bit for each.
const MOST_WANTED: usize = 64;
/// Where so many folders lie in folders, git is asked instead: 64 MB would not do.
const MOST_EDGES: usize = 1 << 20;

/// Half of a name. Two objects that share it are not met by chance; and a content that no commit seemed to have is
/// told without one.
type Half = u64;

fn half(name: &[u8]) -> Half {
    name.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

impl Repository {
    /// Of `commits` those that `told` names, and those that have one of the contents that no parent has; all of them
    /// where that is not easily seen.
    pub fn bringing(
        &self,
        mut commits: Vec<ObjectId>,
        contents: &[ObjectId],
        told: impl Fn(&ObjectId) -> bool,
    ) -> Vec<ObjectId> {
        if contents.is_empty() {
            commits.retain(told);
            return commits;
        }
        let Some(graph) = self.graph(contents) else {
            return commits;
        };
        let holds = |commit: &Half| {
            let (tree, _) = graph.commits.get(commit)?;
            Some(graph.holding.get(tree).copied().unwrap_or_default())
        };
        let brings = |commit: &ObjectId| -> Option<bool> {
            let name = half(commit.as_bytes());
            let held = holds(&name)?;
            let (_, parents) = graph.commits.get(&name)?;
            let mut before = 0;
            for parent in parents {
                before |= holds(parent)?;
            }
            Some(held & !before != 0)
        };
        commits.retain(|commit| told(commit) || brings(commit).unwrap_or(true));
        commits
    }

    fn graph(&self, contents: &[ObjectId]) -> Option<Graph> {
        if contents.len() > MOST_WANTED {
            return None;
        }
        let wanted: HashMap<Half, u64> = (0..)
            .zip(contents)
            .map(|(bit, oid)| (half(oid.as_bytes()), 1 << bit))
            .collect();
        let database = self.database().ok()?;
        let mut walks: Vec<Trees<'_>> = (0..lookers()).map(|_| Trees::new(&wanted)).collect();
        for index in &database.indexes {
            if !Families::of(index)?.walk(&mut walks).is_empty() {
                return None;
            }
        }
        let mut all = Trees::new(&wanted);
        let stores = self.stores(database.loose.len());
        for oid in &database.loose {
            let mut object = loose(&stores, oid)?;
            if Trees::wants(object.kind()) {
                object.look_through(|kind, reader| {
                    let mut content = Vec::new();
                    reader.read_to_end(&mut content)?;
                    all.look(oid, kind, &content, None)
                })?;
            }
        }
        for walk in walks {
            all.edges.extend(walk.edges);
            all.direct.extend(walk.direct);
            all.commits.extend(walk.commits);
        }
        let (commits, holding) = (std::mem::take(&mut all.commits), all.holding());
        Some(Graph { commits, holding })
    }
}

struct Graph {
    /// The tree and the parents of each.
    commits: HashMap<Half, (Half, Vec<Half>)>,
    /// Which of the contents a tree has, itself or further below.
    holding: HashMap<Half, u64>,
}

/// What one thread has seen of the trees.
struct Trees<'a> {
    wanted: &'a HashMap<Half, u64>,
    /// How their names begin: nearly all others are told apart by this.
    beginnings: [bool; 256],
    most_edges: usize,
    /// A folder, and the one that it is in.
    edges: Vec<(Half, Half)>,
    direct: Vec<(Half, u64)>,
    commits: HashMap<Half, (Half, Vec<Half>)>,
}

impl<'a> Trees<'a> {
    fn new(wanted: &'a HashMap<Half, u64>) -> Self {
        let mut beginnings = [false; 256];
        for name in wanted.keys() {
            beginnings[usize::from(name.to_be_bytes()[0])] = true;
        }
        Self {
            wanted,
            beginnings,
            most_edges: MOST_EDGES / lookers(),
            edges: Vec::new(),
            direct: Vec::new(),
            commits: HashMap::new(),
        }
    }

    fn holding(mut self) -> HashMap<Half, u64> {
        self.edges.sort_unstable();
        self.edges.dedup();
        let mut holding: HashMap<Half, u64> = HashMap::new();
        let mut left = self.direct;
        while let Some((tree, bits)) = left.pop() {
            let held = holding.entry(tree).or_default();
            if *held | bits != *held {
                *held |= bits;
                let start = self.edges.partition_point(|(below, _)| *below < tree);
                let above = self.edges[start..].iter().take_while(|(below, _)| *below == tree);
                left.extend(above.map(|(_, above)| (*above, bits)));
            }
        }
        holding
    }
}

impl Walk for Trees<'_> {
    fn wants(kind: Kind) -> bool {
        matches!(kind, Kind::Tree | Kind::Commit)
    }

    fn look(
        &mut self,
        oid: &ObjectId,
        kind: Kind,
        content: &[u8],
        _: Option<&[Range<usize>]>,
    ) -> io::Result<bool> {
        let name = half(oid.as_bytes());
        match kind {
            Kind::Tree => {
                let mut bits = 0;
                for entry in entries_of(content, oid.as_bytes().len()) {
                    let (entry, below) = entry?;
                    if entry.starts_with(b"40000 ") {
                        self.edges.push((half(below), name));
                    } else if self.beginnings[usize::from(below[0])]
                        && let Some(bit) = self.wanted.get(&half(below))
                    {
                        bits |= bit;
                    }
                }
                if bits != 0 {
                    self.direct.push((name, bits));
                }
                if self.edges.len() > self.most_edges {
                    return Err(io::ErrorKind::QuotaExceeded.into());
                }
            }
            Kind::Commit => {
                let mut names = Vec::new();
                for line in content.split(|byte| *byte == b'\n') {
                    let Some(hex) = line
                        .strip_prefix(b"tree ")
                        .or_else(|| line.strip_prefix(b"parent "))
                    else {
                        break;
                    };
                    let name = HEXLOWER.decode(hex).map_err(|_| io::ErrorKind::InvalidData)?;
                    names.push(half(&name));
                }
                let (tree, parents) = names.split_first().ok_or(io::ErrorKind::InvalidData)?;
                self.commits.insert(name, (*tree, parents.to_vec()));
            }
            Kind::Blob | Kind::Tag => {}
        }
        Ok(false)
    }
}
