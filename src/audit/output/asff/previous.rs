//! What an earlier audit has told Security Hub: findings that are not made again are to be archived there.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A file that an earlier audit wrote in this format. It is read again at the end, so that only names are held.
#[derive(Clone, Debug)]
pub struct Previous {
    path: PathBuf,
    takes_archived: bool,
}

impl Previous {
    /// Takes the file. `takes_archived`: this audit takes its place, so what it archives is archived again.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has a line that is no batch of findings: says which.
    pub fn open(path: PathBuf, takes_archived: bool) -> io::Result<Self> {
        let previous = Self { path, takes_archived };
        previous.each(|_finding| Ok(()))?;
        Ok(previous)
    }

    /// Gives the findings to be archived: those whose Ids are not in `made`.
    pub(super) fn gone(&self, made: &Made, mut take: impl FnMut(Value) -> io::Result<()>) -> io::Result<()> {
        self.each(|finding| {
            let is_live = finding["RecordState"] != "ARCHIVED" || self.takes_archived;
            let id = finding["Id"].as_str().unwrap_or_default();
            if is_live && !made.has(id) {
                return take(finding);
            }
            Ok(())
        })
    }

    fn each(&self, mut take: impl FnMut(Value) -> io::Result<()>) -> io::Result<()> {
        let fail = |line: usize, why: &str| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("line {} of {} {why}", line + 1, self.path.display()),
            )
        };
        let file = File::open(&self.path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))?;
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let batch: Vec<Value> = serde_json::from_str(&line?)
                .map_err(|error| fail(number, &format!("is no batch of findings: {error}")))?;
            for finding in batch {
                if !finding["Id"].is_string() || !finding["ProductArn"].is_string() {
                    return Err(fail(number, "has a finding without Id or ProductArn"));
                }
                take(finding)?;
            }
        }
        Ok(())
    }
}

/// The Ids of this audit, 16 bytes each.
#[derive(Debug, Default)]
pub(super) struct Made(HashSet<[u8; 16]>);

impl Made {
    pub(super) fn add(&mut self, id: &str) {
        self.0.insert(digest(id));
    }

    fn has(&self, id: &str) -> bool {
        self.0.contains(&digest(id))
    }
}

fn digest(id: &str) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(id).into();
    std::array::from_fn(|index| whole[index])
}
