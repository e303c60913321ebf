//! A file's bytes, kept whole. Refuses nothing: any bytes are a document, and come out as they went in.

use std::fmt;
use std::ops::Range;

/// The lossless form of one of AWS's files.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    bytes: Vec<u8>,
}

/// New bytes for a range of the old ones.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// Which bytes go.
    pub span: Range<usize>,
    /// What comes in their place.
    pub value: String,
}

impl Document {
    /// Takes any bytes: `Document::parse(b).to_bytes() == b`.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into() }
    }

    /// The bytes, the very ones.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text, when it is UTF-8; else the number of the first line that is not.
    ///
    /// # Errors
    ///
    /// The line's number, counted from 1.
    pub fn text(&self) -> Result<&str, usize> {
        std::str::from_utf8(&self.bytes)
            .map_err(|error| 1 + memchr::memchr_iter(b'\n', &self.bytes[..error.valid_up_to()]).count())
    }

    /// The document with the edits made. Every byte outside their spans is the byte that was there.
    ///
    /// # Panics
    ///
    /// When spans overlap or leave the document: both would be a bug in the caller's reading.
    #[must_use]
    pub fn with(&self, edits: &[Edit]) -> Self {
        let mut edits: Vec<&Edit> = edits.iter().collect();
        edits.sort_by_key(|edit| edit.span.start);
        let mut bytes = Vec::with_capacity(self.bytes.len() + 64);
        let mut copied = 0;
        for edit in edits {
            assert!(copied <= edit.span.start, "two edits overlap");
            bytes.extend_from_slice(&self.bytes[copied..edit.span.start]);
            bytes.extend_from_slice(edit.value.as_bytes());
            copied = edit.span.end;
        }
        bytes.extend_from_slice(&self.bytes[copied..]);
        Self { bytes }
    }
}

impl fmt::Debug for Document {
    /// The bytes hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_come_out_as_they_went_in(bytes: Vec<u8>) {
            let document = Document::parse(bytes.clone());
            prop_assert_eq!(document.to_bytes(), bytes);
        }

        #[test]
        fn an_edit_changes_its_span_alone(before: Vec<u8>, old: Vec<u8>, after: Vec<u8>, new: String) {
            let span = before.len()..before.len() + old.len();
            let whole = [before.clone(), old, after.clone()].concat();
            let edited = Document::parse(whole).with(&[Edit { span, value: new.clone() }]);
            prop_assert_eq!(edited.to_bytes(), [before, new.into_bytes(), after].concat());
        }
    }

    #[test]
    fn edits_may_come_in_any_order() {
        let document = Document::parse("ab=1\ncd=2\n");
        let edited = document.with(&[
            Edit {
                span: 8..9,
                value: "four".into(),
            },
            Edit {
                span: 3..4,
                value: String::new(),
            },
        ]);
        assert_eq!(edited.to_bytes(), b"ab=\ncd=four\n");
    }

    #[test]
    fn the_line_that_is_no_text_is_named() {
        assert_eq!(Document::parse(*b"[a]\nb=\xff\n").text(), Err(2));
    }
}
