//! Everything that a repository holds, reachable or not, and which of it git can reach.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Child;

use super::{Error, Kind, ObjectId, Repository, path_of, piped};

impl Repository {
    /// Every object but the trees, in an order in which it is quick to read.
    ///
    /// # Errors
    ///
    /// When git cannot list them.
    pub fn objects(&self) -> Result<Vec<(ObjectId, Kind)>, Error> {
        let listed = self.run(
            "cat-file",
            &[
                "--batch-all-objects",
                "--unordered",
                "--buffer",
                "--batch-check=%(objectname) %(objecttype)",
            ],
        )?;
        let mut objects = Vec::new();
        for line in listed
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let line = std::str::from_utf8(line).map_err(|_| Error::Answer("cat-file"))?;
            let (oid, kind) = line.split_once(' ').ok_or(Error::Answer("cat-file"))?;
            match Kind::of(kind.as_bytes()).ok_or(Error::Answer("cat-file"))? {
                Kind::Tree => {}
                kind @ (Kind::Blob | Kind::Commit | Kind::Tag) => objects.push((oid.parse()?, kind)),
            }
        }
        Ok(objects)
    }

    /// The words that choose all that references reach, the older stashes too, which only a log holds.
    ///
    /// # Errors
    ///
    /// When git cannot read the log, or the history is cut off.
    pub fn everything(&self) -> Result<Vec<String>, Error> {
        if let Some(commit) = self.shallow_commits()?.first() {
            return Err(Error::Shallow(commit.to_string()));
        }
        let mut words = vec!["--all".to_owned()];
        if self.common.join("logs/refs/stash").exists() {
            let stashes = self.run("rev-list", &["--walk-reflogs", "refs/stash", "--"])?;
            words.extend(String::from_utf8_lossy(&stashes).lines().map(str::to_owned));
        }
        Ok(words)
    }

    /// Lets git go through all that `words` reach, while other things are done.
    ///
    /// # Errors
    ///
    /// When git cannot be started.
    pub fn connectivity(&self, words: &[String]) -> Result<Connectivity, Error> {
        let mut command = self.git(&["rev-list", "--objects", "--quiet"]);
        Ok(Connectivity {
            child: piped(command.args(words).arg("--"))?,
        })
    }

    /// Where the objects lie that `words` reach without a commit, or in any other way.
    ///
    /// # Errors
    ///
    /// When git cannot go through them.
    pub fn places(
        &self,
        words: &[String],
        wanted: impl Fn(&ObjectId) -> bool,
    ) -> Result<HashMap<ObjectId, PathBuf>, Error> {
        let mut command = self.git(&["rev-list", "--objects"]);
        let mut child = piped(command.args(words).arg("--"))?;
        let answers = child.stdout.take().ok_or(Error::Answer("rev-list"))?;
        let mut places = HashMap::new();
        for line in BufReader::new(answers).split(b'\n') {
            let line = line.map_err(Error::Io)?;
            let mut parts = line.splitn(2, |byte| *byte == b' ');
            let oid = parts.next().and_then(|oid| std::str::from_utf8(oid).ok());
            let oid: ObjectId = oid.ok_or(Error::Answer("rev-list"))?.parse()?;
            if wanted(&oid) {
                places.insert(oid, path_of(parts.next().unwrap_or_default())?);
            }
        }
        super::succeeded("rev-list", child.wait_with_output().map_err(Error::Io)?)?;
        Ok(places)
    }
}

/// git, going through the whole history.
#[derive(Debug)]
pub struct Connectivity {
    child: Child,
}

impl Connectivity {
    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// When anything is missing that a reference reaches.
    pub fn holds(self, repository: &Repository) -> Result<(), Error> {
        let output = self.child.wait_with_output().map_err(Error::Io)?;
        super::succeeded("rev-list", output).map_err(|error| repository.explained(error))?;
        Ok(())
    }
}
