//! Finds a pair in a file of any format, by its values alone: an `.env` file, a script, another tool's settings.
//! Changes nothing, and takes no half of a pair for one.

use std::ops::Range;

use super::LineError;
use super::document::{Document, Edit};
use crate::access_key::AccessKey;

/// Every place of both values in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    ids: Vec<Range<usize>>,
    secrets: Vec<Range<usize>>,
    /// The lines of the key IDs and of the secrets, counted from 1; as many as there are of either.
    pub lines: Vec<(usize, usize)>,
}

impl Values {
    /// The edits that put `new` in place of the pair, wherever it stands.
    pub fn replaced_by(&self, new: &AccessKey) -> Vec<Edit> {
        let edits = |spans: &[Range<usize>], value: &str| -> Vec<Edit> {
            let of = |span: &Range<usize>| Edit {
                span: span.clone(),
                value: value.to_owned(),
            };
            spans.iter().map(of).collect()
        };
        let mut all = edits(&self.ids, new.id.as_str());
        all.extend(edits(&self.secrets, new.secret.expose()));
        all
    }

    /// How often each of the two values stands there.
    pub fn count(&self) -> (usize, usize) {
        (self.ids.len(), self.secrets.len())
    }
}

/// Finds both values; `None` where neither is there.
///
/// # Errors
///
/// The line of a value that stands there without the other, or as a part of something longer: what is to become of that
/// is for a person to say.
pub fn values_of(document: &Document, key: &AccessKey) -> Result<Option<Values>, LineError> {
    let bytes = document.to_bytes();
    let ids = free_standing(bytes, key.id.as_str().as_bytes(), "the key ID")?;
    let secrets = free_standing(bytes, key.secret.expose().as_bytes(), "the secret")?;
    match (ids.first(), secrets.first()) {
        (None, None) => Ok(None),
        (Some(id), None) => Err(LineError::new(
            line_of(bytes, id.start),
            "the key ID stands in this file without its secret, or the secret is written in another way",
        )),
        (None, Some(secret)) => Err(LineError::new(
            line_of(bytes, secret.start),
            "the secret stands in this file without its key ID",
        )),
        (Some(last_id), Some(last_secret)) => {
            let at = |spans: &[Range<usize>], index: usize, last: &Range<usize>| {
                line_of(bytes, spans.get(index).unwrap_or(last).start)
            };
            let lines = (0..ids.len().max(secrets.len()))
                .map(|index| (at(&ids, index, last_id), at(&secrets, index, last_secret)))
                .collect();
            Ok(Some(Values { ids, secrets, lines }))
        }
    }
}

fn free_standing(bytes: &[u8], value: &[u8], name: &str) -> Result<Vec<Range<usize>>, LineError> {
    let mut spans = Vec::new();
    for start in memchr::memmem::find_iter(bytes, value) {
        let end = start + value.len();
        let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        if is_letter(start.checked_sub(1).and_then(|before| bytes.get(before))) || is_letter(bytes.get(end)) {
            let why = format!("{name} is a part of something longer here");
            return Err(LineError::new(line_of(bytes, start), why));
        }
        spans.push(start..end);
    }
    Ok(spans)
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &bytes[..at]).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_key::{AccessKeyId, SecretAccessKey};

    fn key(letter: &str) -> AccessKey {
        AccessKey {
            id: AccessKeyId::parse(&letter.repeat(20)).unwrap(),
            secret: SecretAccessKey::new(format!("s/{}+x", letter.to_lowercase().repeat(36))),
        }
    }

    #[test]
    fn the_values_change_and_no_other_byte() {
        let (old, new) = (key("A"), key("B"));
        let file = |key: &AccessKey| {
            let (id, secret) = (key.id.as_str(), key.secret.expose());
            format!("\u{feff}export ID='{id}'\r\n\0{{\"s\":\"{secret}\"}} # {id}\n\u{e9}{secret}")
        };
        let document = Document::parse(file(&old));
        let values = values_of(&document, &old).unwrap().unwrap();
        assert_eq!(values.lines, [(1, 2), (2, 3)]);
        let edited = document.with(&values.replaced_by(&new));
        assert_eq!(edited.to_bytes(), file(&new).as_bytes());
        assert_eq!(values_of(&edited, &old), Ok(None));
    }

    #[test]
    fn halves_and_parts_are_for_a_person() {
        let old = key("A");
        let (id, secret) = (old.id.as_str(), old.secret.expose());
        for (file, line, why) in [
            (format!("\n{id}"), 2, "without its secret"),
            (
                format!("{id}\n{}", secret.replace('/', "\\/")),
                1,
                "in another way",
            ),
            (format!("\n\n{secret}"), 3, "without its key ID"),
            (format!("{id}\nx{secret}"), 2, "something longer"),
        ] {
            let error = values_of(&Document::parse(file.clone()), &old).unwrap_err();
            assert_eq!(error.line, line, "{file}");
            assert!(error.why.contains(why), "{error}");
        }
        assert_eq!(values_of(&Document::parse("nothing"), &old), Ok(None));
    }
}
