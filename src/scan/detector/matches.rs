//! What the detector is asked and what it answers. Finds nothing, and prints no value.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::scan::change::Counts;

/// What was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A key ID: no secret by itself, but it never stands alone for long.
    AccessKeyId,
    /// The secret half of a key, or what works like one: a Bedrock API key, a password of SES.
    SecretAccessKey,
    /// The token that comes with a temporary key.
    SessionToken,
    /// A part of a key that a profile of this machine holds, known by its value.
    OwnKey,
}

impl Rule {
    /// The rule's name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessKeyId => "access-key-id",
            Self::SecretAccessKey => "secret-access-key",
            Self::SessionToken => "session-token",
            Self::OwnKey => "own-key",
        }
    }
}

/// How a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Encoding {
    /// As it is.
    #[serde(rename = "plain")]
    Plain,
    /// UTF-16, as PowerShell's `>` writes it.
    #[serde(rename = "utf-16")]
    Utf16,
    /// In base64, as Kubernetes keeps its secrets.
    #[serde(rename = "base64")]
    Base64,
    /// With percent signs, as in a URL.
    #[serde(rename = "url")]
    Url,
    /// With backslashes, as in a JSON string.
    #[serde(rename = "json")]
    Json,
    /// As hexadecimal digits.
    #[serde(rename = "hex")]
    Hex,
}

/// One value in a text. It cannot be printed as a whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Match {
    /// What it is.
    pub rule: Rule,
    /// Where it is, in bytes of the text that was searched.
    pub range: Range<usize>,
    /// What it is once decoded.
    pub value: Vec<u8>,
    /// How it is written.
    pub encoding: Encoding,
    /// What it takes for it to be a finding.
    pub counts: Counts,
}

/// What a text holds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// The values, in their order.
    pub values: Vec<Match>,
    /// Base64 that says something packed, with what it says.
    pub packed: Vec<(Range<usize>, Vec<u8>)>,
    /// How base64 goes on where the next text will begin.
    pub goes_on: GoesOn,
}

/// How base64 is cut where a text begins in the middle of another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GoesOn {
    /// Nobody knows where a group of four begins.
    #[default]
    Somehow,
    /// So many characters belong to the group before.
    Behind(usize),
}

/// What part of a longer text a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How base64 goes on at the first byte, where there are bytes before it.
    pub goes_on: Option<GoesOn>,
    /// Where the next part will begin, if there is one.
    pub next: Option<usize>,
    /// Whether it is UTF-16 as a whole, which is decoded and searched elsewhere: only other texts in it count.
    pub is_utf_16: bool,
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            range,
            encoding,
            ..
        } = self;
        write!(f, "Match({} at {range:?}, {encoding:?})", rule.as_str())
    }
}
