//! The files as the AWS SDK for Rust reads them, with the place of every value.
//!
//! The rules are those of aws-runtime 1.10 (`env_config/parse.rs`, `normalize.rs`), which the SDKs share as 65
//! conformance cases. The SDK's own parser says no line numbers and no places; this one does, and is tested
//! against the same cases.

use super::{FileKind, LineError, Property, Section, offset_in};

const WHITESPACE: &[char] = &[' ', '\t'];
const COMMENT: &[char] = &['#', ';'];

/// Reads a file's profiles; sections of other kinds (`[sso-session x]`) are left out.
///
/// A section that stands twice is merged into one. `[profile default]` replaces `[default]` in the config file.
///
/// # Errors
///
/// The line for which the SDK refuses the whole file.
pub fn read(text: &str, kind: FileKind) -> Result<Vec<Section>, LineError> {
    let mut raw: Vec<(String, Section)> = Vec::new();
    let mut current: Option<usize> = None;
    let mut property: Option<(usize, bool)> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim_matches(WHITESPACE).is_empty() || line.starts_with(COMMENT) {
            continue;
        }
        if line.starts_with('[') {
            let header = header(line).map_err(|why| LineError::new(number, why))?;
            current = Some(
                raw.iter()
                    .position(|(name, _)| name == header)
                    .unwrap_or_else(|| {
                        let section = Section {
                            profile: String::new(),
                            line: number,
                            properties: Vec::new(),
                        };
                        raw.push((header.to_owned(), section));
                        raw.len() - 1
                    }),
            );
            property = None;
            continue;
        }
        let Some(section) = current.map(|index| &mut raw[index].1) else {
            return Err(LineError::new(number, "this stands before the first [profile]"));
        };
        if line.starts_with(WHITESPACE) {
            let Some((index, has_subproperties)) = property else {
                return Err(LineError::new(
                    number,
                    "an indented line continues a value, and there is none yet",
                ));
            };
            if has_subproperties {
                split(line).map_err(|why| LineError::new(number, why))?;
            }
            let property = &mut section.properties[index];
            property.value.push('\n');
            property.value.push_str(line.trim_matches(WHITESPACE));
            property.continued_on.get_or_insert(number);
        } else {
            let (name, value) = split(line).map_err(|why| LineError::new(number, why))?;
            let start = offset_in(text, value);
            section.properties.push(Property {
                name: name.to_ascii_lowercase(),
                value: value.to_owned(),
                line: number,
                span: start..start + value.len(),
                continued_on: None,
            });
            property = Some((section.properties.len() - 1, value.is_empty()));
        }
    }
    Ok(normalize(raw, kind))
}

/// Turns section headers into profile names and drops what is no profile of this kind of file.
fn normalize(raw: Vec<(String, Section)>, kind: FileKind) -> Vec<Section> {
    let replaces_default = kind == FileKind::Config
        && raw
            .iter()
            .any(|(header, _)| parts(header) == (Some("profile"), "default"));
    let mut sections: Vec<Section> = Vec::new();
    for (header, mut section) in raw {
        let profile = match (kind, parts(&header)) {
            (FileKind::Credentials, (None, name)) | (FileKind::Config, (Some("profile"), name)) => name,
            (FileKind::Config, (None, "default")) if !replaces_default => "default",
            (FileKind::Config | FileKind::Credentials, _) => continue,
        };
        if !is_identifier(profile) {
            continue;
        }
        section
            .properties
            .retain(|property| is_identifier(&property.name));
        section.profile = profile.to_owned();
        match sections.iter_mut().find(|other| other.profile == section.profile) {
            Some(other) => other.properties.append(&mut section.properties),
            None => sections.push(section),
        }
    }
    sections
}

/// `[profile x]` is a prefix and a name; `[x]` a name alone.
fn parts(header: &str) -> (Option<&str>, &str) {
    let header = header.trim_matches(WHITESPACE);
    match header.split_once(WHITESPACE) {
        Some((prefix, name)) => (Some(prefix.trim()), name.trim()),
        None => (None, header.trim()),
    }
}

fn is_identifier(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '%' | '@' | ':' | '+'))
}

fn header(line: &str) -> Result<&str, &'static str> {
    without_comment(line, false)
        .strip_prefix('[')
        .expect("a header's line starts with a bracket")
        .strip_suffix(']')
        .ok_or("a section's line must end with `]`")
}

fn split(line: &str) -> Result<(&str, &str), &'static str> {
    let (name, value) = without_comment(line, true)
        .split_once('=')
        .ok_or("an `=` is missing between name and value")?;
    let name = name.trim_matches(WHITESPACE);
    if name.is_empty() {
        return Err("there is no name before the `=`");
    }
    Ok((name, value.trim_matches(WHITESPACE)))
}

/// The line without what the SDK takes as a comment; in a property a comment needs white space before it.
fn without_comment(line: &str, needs_whitespace: bool) -> &str {
    let line = line.trim_matches(WHITESPACE);
    let mut after_whitespace = false;
    for (index, c) in line.char_indices() {
        if COMMENT.contains(&c) && (after_whitespace || !needs_whitespace) {
            return line[..index].trim_matches(WHITESPACE);
        }
        after_whitespace = c.is_whitespace();
    }
    line
}
