//! The keys that this machine's profiles hold, to be recognised by value in any context and disguise.
//! Never writes one anywhere, never says one.

use std::ops::Range;

use super::detector::Encoding;

/// The user's own keys, shared by all threads of a scan.
#[derive(Clone, Debug, Default)]
pub struct OwnKeys {}

/// Which part of a key was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The key ID.
    Id,
    /// The secret.
    Secret,
    /// The session token.
    Token,
}

/// One place at which a text holds an own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMatch {
    /// Where, in bytes of the text that was searched.
    pub range: Range<usize>,
    /// The profile that holds it.
    pub profile: String,
    /// Whether the profile holds it now; false for a key that was rotated away.
    pub is_current: bool,
    /// Which part of the key it is.
    pub part: Part,
    /// How it is written.
    pub encoding: Encoding,
}

impl OwnKeys {
    /// Knows no key.
    pub fn none() -> Self {
        Self::default()
    }

    /// The longest text, in bytes, that one match can cover: chunks of a stream must overlap by it.
    pub fn longest(&self) -> usize {
        0
    }

    /// Every place at which `text` holds an own key, in its order.
    pub fn find(&self, _text: &[u8]) -> Vec<OwnMatch> {
        Vec::new()
    }
}
