//! AWS's two files, `credentials` and `config`: read as AWS's own readers read them, changed byte by byte.
//! Never rewrites a file from parsed data: an edit replaces the bytes of a value and nothing else.
//!
//! Two readers matter, and they disagree in places: the AWS SDKs (here the one for Rust) and botocore, which
//! is also the AWS CLI. [`profile`] is their view of profiles; where it is not the same view for a profile
//! that is to be changed, [`ambiguity`] names the line. [`elsewhere`] finds a pair in files of any other format.

pub mod ambiguity;
pub mod botocore_reader;
pub mod document;
pub mod elsewhere;
#[cfg(feature = "aws")]
pub mod install;
pub mod location;
pub mod profile;
pub mod sdk_reader;

/// Which of AWS's two files a text is: they name their sections differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// `~/.aws/credentials`: a section is a profile, `[dev]`.
    Credentials,
    /// `~/.aws/config`: a profile's section is `[profile dev]`, or `[default]`.
    Config,
}

/// A line that a reader cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct LineError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it; never repeats a value.
    pub why: String,
}

impl LineError {
    fn new(line: usize, why: impl Into<String>) -> Self {
        Self {
            line,
            why: why.into(),
        }
    }
}

/// A property as a reader sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// In lower case: names of properties are not case-sensitive.
    pub name: String,
    /// The value, with the lines that continue it.
    pub value: String,
    /// The line that defines it, counted from 1.
    pub line: usize,
    /// Where the first line's value lies in the file.
    pub span: std::ops::Range<usize>,
    /// A following line adds to the value: that line's number.
    pub continued_on: Option<usize>,
}

impl std::fmt::Debug for Property {
    /// A value may be a secret, so it is left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on line {}", self.name, self.line)
    }
}

/// A section as a reader sees it: one profile of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The profile's name.
    pub profile: String,
    /// The line of its header, counted from 1.
    pub line: usize,
    /// In the file's order; the last of a name counts.
    pub properties: Vec<Property>,
}

impl Section {
    /// The property of that name which counts.
    pub fn get(&self, name: &str) -> Option<&Property> {
        self.properties
            .iter()
            .rev()
            .find(|property| property.name == name)
    }
}

/// The offset of `part` inside `whole`, of which it is a slice.
fn offset_in(whole: &str, part: &str) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}
