//! A single file of a repository, where its folder is.

use std::path::PathBuf;

use super::{Error, Repository, path_of};

impl Repository {
    /// A file at the top as the index has it, or, where there is no index, HEAD; none where there is no such file.
    ///
    /// # Errors
    ///
    /// When git fails.
    pub fn file_at_top(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let revision = if self.is_bare { "HEAD" } else { "" };
        let object = format!("{revision}:{name}");
        match self.run("rev-parse", &["--verify", "--quiet", &object]) {
            Ok(_) => self.run("cat-file", &["blob", &object]).map(Some),
            // It exits 1 without a word.
            Err(Error::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The top of the work tree.
    ///
    /// # Errors
    ///
    /// When there is none, or git fails.
    pub fn top_level(&self) -> Result<PathBuf, Error> {
        let answer = self.run("rev-parse", &["--show-toplevel"])?;
        path_of(answer.strip_suffix(b"\n").unwrap_or(&answer))
    }
}
