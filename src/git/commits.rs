//! What commits changed, each against its parents.

use std::collections::{BTreeSet, HashSet};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Stdio;

use super::staged::blob;
use super::{Error, ObjectId, Repository, not_started, path_of, piped};

/// The options of git log that choose commits, and whose values name nothing else.
const CHOOSING: [&str; 9] = [
    "--all",
    "--branches",
    "--tags",
    "--remotes",
    "--not",
    "--first-parent",
    "--merges",
    "--no-merges",
    "-n",
];
const CHOOSING_BY_VALUE: [&str; 14] = [
    "--branches=",
    "--tags=",
    "--remotes=",
    "--glob=",
    "--exclude=",
    "--since=",
    "--after=",
    "--until=",
    "--before=",
    "--max-count=",
    "--skip=",
    "--author=",
    "--committer=",
    "--grep=",
];

/// What one commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub oid: ObjectId,
    /// What is new; in a merge only what no parent has.
    pub blobs: Vec<NewBlob>,
    /// What the parents have in the changed places.
    pub old_sides: Vec<ObjectId>,
}

/// A content, and where a commit put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBlob {
    /// From the top of the repository; any bytes.
    pub path: PathBuf,
    /// The content.
    pub oid: ObjectId,
}

impl Repository {
    /// The commits that git log would show for these words, the newest first.
    ///
    /// # Errors
    ///
    /// When a word is no revision, or chooses nothing, or the history is cut off among the commits.
    pub fn revisions(&self, words: &[&str]) -> Result<Vec<ObjectId>, Error> {
        for word in words.iter().filter(|word| word.starts_with('-')) {
            let is_known = CHOOSING.contains(word)
                || CHOOSING_BY_VALUE.iter().any(|option| word.starts_with(option))
                || is_number(&word[1..])
                || word.strip_prefix("-n").is_some_and(is_number);
            if !is_known {
                return Err(Error::NotARevision((*word).to_owned()));
            }
        }
        // Without a revision git log begins at HEAD, and git rev-list nowhere.
        let arguments: Vec<&str> = ["--default", "HEAD"]
            .iter()
            .chain(words)
            .copied()
            .chain(["--"])
            .collect();
        let answer = self
            .run("rev-list", &arguments)
            .map_err(|error| self.explained(error))?;
        let commits = oids(answer)?;
        let cut: HashSet<ObjectId> = self.shallow_commits()?.into_iter().collect();
        if let Some(commit) = commits.iter().find(|commit| cut.contains(commit)) {
            return Err(Error::Shallow(commit.to_string()));
        }
        Ok(commits)
    }

    /// All that `words` and `tips` reach, no commit before its parents.
    ///
    /// # Errors
    ///
    /// When git cannot read the history.
    pub fn parents_first(&self, words: &[String], tips: &[ObjectId]) -> Result<Vec<ObjectId>, Error> {
        let mut command = self.git(&["rev-list", "--topo-order", "--reverse", "--stdin"]);
        let mut child = piped(command.args(words).stdin(Stdio::piped()))?;
        let requests = child.stdin.take().ok_or(Error::Answer("rev-list"))?;
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut requests = BufWriter::new(requests);
                let _ = tips.iter().try_for_each(|tip| writeln!(requests, "{tip}"));
            });
            child.wait_with_output().map_err(Error::Io)
        })?;
        let answer = super::succeeded("rev-list", output).map_err(|error| self.explained(error))?;
        oids(answer)
    }

    /// Gives `look` what each of the commits changed, in their order, until it has enough; those that changed nothing
    /// too.
    ///
    /// # Errors
    ///
    /// What `look` returns, or that git cannot read the history.
    pub fn changes<E: From<Error>>(
        &self,
        commits: &[ObjectId],
        mut look: impl FnMut(Commit) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut child = self
            .git(&["diff-tree", "--stdin", "-r", "-c", "--root", "--raw", "-z"])
            .args(["--no-renames", "--no-abbrev", "--no-ext-diff", "--no-relative"])
            .arg("--ignore-submodules=all")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(not_started)?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Answer("diff-tree").into());
        };
        let result = std::thread::scope(|scope| -> Result<ControlFlow<()>, E> {
            // From a thread, or both sides would wait with full pipes. If git dies, the reader sees it.
            scope.spawn(move || {
                let mut requests = BufWriter::new(requests);
                let _ = commits
                    .iter()
                    .try_for_each(|commit| writeln!(requests, "{commit}"));
            });
            let mut answers = Answers {
                reader: BufReader::with_capacity(1 << 16, answers),
                next: None,
            };
            let mut told = answers.commit()?;
            for oid in commits {
                let commit = match told.take_if(|commit| commit.oid == *oid) {
                    Some(commit) => {
                        told = answers.commit()?;
                        commit
                    }
                    None => Commit {
                        oid: *oid,
                        blobs: Vec::new(),
                        old_sides: Vec::new(),
                    },
                };
                if look(commit)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if told.is_some() {
                return Err(Error::Answer("diff-tree").into());
            }
            Ok(ControlFlow::Continue(()))
        });
        if !matches!(result, Ok(ControlFlow::Continue(()))) {
            let _ = child.kill();
        }
        let output = child.wait_with_output().map_err(Error::Io)?;
        if result?.is_continue() {
            super::succeeded("diff-tree", output).map_err(|error| self.explained(error))?;
        }
        Ok(())
    }

    /// In a partial clone what is missing was never there.
    pub(super) fn explained(&self, error: Error) -> Error {
        if let Error::MissingObject(name) = &error
            && self.is_partial()
        {
            return Error::NotFetched(name.clone());
        }
        if let Error::NoSuchRevision { name, .. } = error {
            let is_shallow = self.shallow.exists();
            return Error::NoSuchRevision { name, is_shallow };
        }
        error
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn oids(answer: Vec<u8>) -> Result<Vec<ObjectId>, Error> {
    let answer = String::from_utf8(answer).map_err(|_| Error::Answer("rev-list"))?;
    answer.lines().map(str::parse).collect()
}

/// What `diff-tree --stdin -z` says: a commit's name, then its changes; each field ends with NUL.
struct Answers<R> {
    reader: R,
    /// The name that ended the commit before.
    next: Option<ObjectId>,
}

impl<R: BufRead> Answers<R> {
    fn field(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut field = Vec::new();
        self.reader.read_until(0, &mut field).map_err(Error::Io)?;
        // What does not end with NUL was cut off: git has died, and its exit code tells.
        Ok((field.pop() == Some(0)).then_some(field))
    }

    fn name(&mut self) -> Result<Option<ObjectId>, Error> {
        let Some(field) = self.field()? else {
            return Ok(None);
        };
        let name = std::str::from_utf8(&field).map_err(|_| Error::Answer("diff-tree"))?;
        Ok(Some(name.parse()?))
    }

    fn commit(&mut self) -> Result<Option<Commit>, Error> {
        let oid = match self.next.take() {
            Some(oid) => oid,
            None => match self.name()? {
                Some(oid) => oid,
                None => return Ok(None),
            },
        };
        let (mut blobs, mut old_sides) = (Vec::new(), BTreeSet::new());
        while let Some(field) = self.field()? {
            let field = std::str::from_utf8(&field).map_err(|_| Error::Answer("diff-tree"))?;
            if !field.starts_with(':') {
                let oid: ObjectId = field.parse()?;
                self.next = Some(oid);
                break;
            }
            let path = self.field()?.ok_or(Error::Answer("diff-tree"))?;
            let (old, new) = sides(field)?;
            old_sides.extend(old);
            if let Some(oid) = new {
                let path = path_of(&path)?;
                blobs.push(NewBlob { path, oid });
            }
        }
        Ok(Some(Commit {
            oid,
            blobs,
            old_sides: old_sides.into_iter().collect(),
        }))
    }
}

/// A colon a parent, then the modes of the parents and the new one, then their names, then the status: the raw format
/// of git-diff-tree(1), combined for merges.
fn sides(field: &str) -> Result<(Vec<ObjectId>, Option<ObjectId>), Error> {
    let words: Vec<&str> = field.trim_start_matches(':').split(' ').collect();
    let parents = field.len() - field.trim_start_matches(':').len();
    if words.len() != 2 * (parents + 1) + 1 {
        return Err(Error::Answer("diff-tree"));
    }
    let (modes, names) = words.split_at(parents + 1);
    let mut sides = Vec::new();
    for (mode, name) in modes.iter().zip(names) {
        sides.push(blob(mode, name)?);
    }
    let new = sides.pop().flatten();
    Ok((sides.into_iter().flatten().collect(), new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_tells_each_parent() {
        let name = |digit: &str| digit.repeat(40);
        let field = format!(
            "::100644 000000 120000 {} {} {} MA",
            name("1"),
            name("0"),
            name("3")
        );
        let (old, new) = sides(&field).unwrap();
        assert_eq!(old, [name("1").parse().unwrap()]);
        assert_eq!(new, Some(name("3").parse().unwrap()));
        assert!(sides(&field.replacen(':', "", 1)).is_err());
    }
}
