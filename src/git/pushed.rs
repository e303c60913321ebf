//! What a push brings: commits, and tags with what they hold that is no commit.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use super::{Error, Kind, ObjectId, Repository, not_started, path_of, succeeded};

/// All that the tips reach, and nothing that the other side has.
#[derive(Clone, Copy, Debug)]
pub struct Reached<'a> {
    /// Names of objects, or revisions.
    pub tips: &'a [&'a str],
    /// Names of objects that are here and on the other side.
    pub theirs: &'a [&'a str],
    /// Options of git log that choose what else the other side has.
    pub known: &'a [String],
}

impl Repository {
    /// What these objects are, where they are here; revisions are taken too.
    ///
    /// # Errors
    ///
    /// When git does not answer.
    pub fn kinds(&self, names: &[&str]) -> Result<Vec<Option<Kind>>, Error> {
        let answer = self.told(
            "cat-file",
            &["--batch-check=%(objecttype)"],
            names.iter().copied(),
        )?;
        let kinds: Vec<Option<Kind>> = answer
            .split(|byte| *byte == b'\n')
            .take(names.len())
            // `TYPE`, or `NAME SP missing`, from git-cat-file(1).
            .map(Kind::of)
            .collect();
        if kinds.len() == names.len() {
            Ok(kinds)
        } else {
            Err(Error::Answer("cat-file"))
        }
    }

    /// The commits, the newest first.
    ///
    /// # Errors
    ///
    /// When a tip is not there, or the history is cut off among the commits.
    pub fn reached_commits(&self, reached: Reached<'_>) -> Result<Vec<ObjectId>, Error> {
        let commits = self.reached(&[], reached)?;
        let cut: HashSet<ObjectId> = self.shallow_commits()?.into_iter().collect();
        match commits.iter().find(|commit| cut.contains(commit)) {
            Some(commit) => Err(Error::Shallow(commit.to_string())),
            None => Ok(commits),
        }
    }

    /// Tags, however deep one in the other, and blobs and trees that they or the tips name.
    ///
    /// # Errors
    ///
    /// When git cannot go through them.
    pub fn reached_tags(&self, reached: Reached<'_>) -> Result<Vec<ObjectId>, Error> {
        self.reached(&["--objects", "--filter=object:type=tag"], reached)
    }

    /// All files and links of a tree, with their paths.
    ///
    /// # Errors
    ///
    /// When a part of it is missing.
    pub fn files_of_tree(&self, tree: &ObjectId) -> Result<Vec<(PathBuf, ObjectId)>, Error> {
        let answer = self.run("ls-tree", &["-r", "-z", "--full-tree", &tree.to_string()])?;
        let mut files = Vec::new();
        // `MODE SP TYPE SP OID TAB PATH NUL`, from git-ls-tree(1).
        for entry in answer.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let tab = entry.iter().position(|byte| *byte == b'\t');
            let (head, path) = entry.split_at(tab.ok_or(Error::Answer("ls-tree"))?);
            let head = std::str::from_utf8(head).map_err(|_| Error::Answer("ls-tree"))?;
            let words: Vec<&str> = head.split(' ').collect();
            match words[..] {
                [_, "blob", oid] => files.push((path_of(&path[1..])?, oid.parse()?)),
                // A submodule.
                [_, "commit", _] => {}
                _ => return Err(Error::Answer("ls-tree")),
            }
        }
        Ok(files)
    }

    /// A file at the top of each of these, where there is one; equal contents once.
    ///
    /// # Errors
    ///
    /// When git does not answer.
    pub fn files_at_top_of(&self, tips: &BTreeSet<String>, name: &str) -> Result<Vec<Vec<u8>>, Error> {
        let names: Vec<String> = tips.iter().map(|tip| format!("{tip}:{name}")).collect();
        let answer = self.told(
            "cat-file",
            &["--batch-check=%(objecttype) %(objectname)"],
            names.iter().map(String::as_str),
        )?;
        // Where there is none: `NAME SP missing`.
        let blobs: BTreeSet<&[u8]> = answer
            .split(|byte| *byte == b'\n')
            .filter_map(|line| line.strip_prefix(b"blob "))
            .collect();
        let text = |oid| std::str::from_utf8(oid).map_err(|_| Error::Answer("cat-file"));
        blobs
            .into_iter()
            .map(|oid| self.run("cat-file", &["blob", text(oid)?]))
            .collect()
    }

    /// The names of the remotes, and the URL that each is fetched from.
    ///
    /// # Errors
    ///
    /// When git does not answer.
    pub fn remotes(&self) -> Result<Vec<(String, String)>, Error> {
        let answer = self.run("remote", &["--verbose"])?;
        // `NAME TAB URL SP (fetch)`, and for each URL that is pushed to one with `(push)`; builtin/remote.c.
        Ok(String::from_utf8_lossy(&answer)
            .lines()
            .filter_map(|line| {
                let (name, rest) = line.split_once('\t')?;
                let (url, _) = rest.rsplit_once(" (fetch)")?;
                Some((name.to_owned(), url.to_owned()))
            })
            .collect())
    }

    /// Whether a remote's branches stand where they were last seen; `None` is a branch that the remote does not have.
    /// What was never seen there says nothing.
    ///
    /// # Errors
    ///
    /// When git does not answer.
    pub fn is_as_last_seen(
        &self,
        remote: &str,
        branches: &BTreeMap<String, Option<String>>,
    ) -> Result<bool, Error> {
        let names: Vec<String> = branches
            .keys()
            .map(|branch| format!("refs/remotes/{remote}/{branch}"))
            .collect();
        let answer = self.told(
            "cat-file",
            &["--batch-check=%(objectname)"],
            names.iter().map(String::as_str),
        )?;
        let seen: Vec<&[u8]> = answer.split(|byte| *byte == b'\n').take(names.len()).collect();
        if seen.len() != names.len() {
            return Err(Error::Answer("cat-file"));
        }
        Ok(seen.iter().zip(branches.values()).all(|(seen, shown)| {
            seen.ends_with(b" missing") || shown.as_ref().is_some_and(|shown| shown.as_bytes() == *seen)
        }))
    }

    /// By its standard input, for a push may have more tips than a command line holds. `^` and not `--not`, which git
    /// takes there since 2.42 alone.
    fn reached(&self, options: &[&str], reached: Reached<'_>) -> Result<Vec<ObjectId>, Error> {
        let mut arguments = options.to_vec();
        arguments.push("--stdin");
        if !reached.known.is_empty() {
            arguments.push("--not");
            arguments.extend(reached.known.iter().map(String::as_str));
        }
        let theirs: Vec<String> = reached.theirs.iter().map(|oid| format!("^{oid}")).collect();
        let lines = reached
            .tips
            .iter()
            .copied()
            .chain(theirs.iter().map(String::as_str));
        let answer = self
            .told("rev-list", &arguments, lines)
            .map_err(|error| self.explained(error))?;
        answer
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                // Behind an object may stand what a tag calls it.
                let oid = line.split(|byte| *byte == b' ').next().unwrap_or_default();
                let oid = std::str::from_utf8(oid).map_err(|_| Error::Answer("rev-list"))?;
                oid.parse()
            })
            .collect()
    }

    fn told<'a>(
        &self,
        command: &'static str,
        arguments: &[&str],
        lines: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<u8>, Error> {
        let mut child = self
            .git(&[command])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(not_started)?;
        let Some(mut requests) = child.stdin.take() else {
            return Err(Error::Answer(command));
        };
        let lines: String = lines.flat_map(|line| [line, "\n"]).collect();
        let output = std::thread::scope(|scope| {
            // From a thread, or both sides would wait with full pipes. If git dies, its exit code tells.
            scope.spawn(move || requests.write_all(lines.as_bytes()));
            child.wait_with_output().map_err(Error::Io)
        })?;
        succeeded(command, output)
    }
}
