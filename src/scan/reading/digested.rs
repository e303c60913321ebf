//! The fingerprint of a content as it streams by: by it a container that cannot be looked into is known again.
//! Costs nothing where none is asked for.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::scan::{content_digest, hexadecimal};

/// Hands on what it reads.
pub(super) struct Digested<'a> {
    inner: &'a mut dyn Read,
    digest: Option<Sha256>,
}

impl<'a> Digested<'a> {
    pub(super) fn new(inner: &'a mut dyn Read) -> Self {
        Self { inner, digest: None }
    }

    /// Asks for a fingerprint of this, which was read before, and all that follows.
    pub(super) fn begin_with(&mut self, head: &[u8]) {
        self.digest = Some(content_digest().chain_update(head));
    }

    /// None where none was asked for.
    pub(super) fn fingerprint(self) -> Option<String> {
        self.digest.map(hexadecimal)
    }
}

impl Read for Digested<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(digest) = &mut self.digest {
            digest.update(&buffer[..length]);
        }
        Ok(length)
    }
}
