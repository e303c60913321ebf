//! The files as botocore and the AWS CLI read them, with the place of every value.
//!
//! They use Python's `configparser.RawConfigParser` as it comes: strict, delimiters `=` and `:`, whole-line
//! comments only, and a value goes on over every line that is indented deeper than its name.
//! Source: CPython 3.11 `Lib/configparser.py`, botocore 1.43 `configloader.py`; tested against the real one.

use super::{FileKind, LineError, Property, Section, offset_in};

/// Reads a file's profiles.
///
/// # Errors
///
/// The line for which botocore refuses the whole file.
pub fn read(text: &str, kind: FileKind) -> Result<Vec<Section>, LineError> {
    let mut sections: Vec<(String, Section)> = Vec::new();
    let mut indent_of_name = 0;
    // The last property of the last section, as long as lines may still continue it.
    let mut open = false;
    for (index, line) in lines(text).enumerate() {
        let number = index + 1;
        let value = strip(line);
        if value.is_empty() || value.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.chars().take_while(|c| is_whitespace(*c)).count();
        if let Some((_, section)) = sections.last_mut()
            && open
            && indent > indent_of_name
        {
            let property = section
                .properties
                .last_mut()
                .expect("an open property is in the section");
            property.value.push('\n');
            property.value.push_str(value);
            property.continued_on.get_or_insert(number);
            continue;
        }
        indent_of_name = indent;
        if let Some(header) = header(value) {
            if sections.iter().any(|(name, _)| name == header) {
                return Err(LineError::new(
                    number,
                    format!("the section [{header}] stands twice"),
                ));
            }
            let section = Section {
                profile: String::new(),
                line: number,
                properties: Vec::new(),
            };
            sections.push((header.to_owned(), section));
            open = false;
            continue;
        }
        let Some((_, section)) = sections.last_mut() else {
            return Err(LineError::new(number, "this stands before the first [section]"));
        };
        let (name, value) = value
            .split_once(['=', ':'])
            .ok_or_else(|| LineError::new(number, "an `=` is missing between name and value"))?;
        let name = strip(name).to_lowercase();
        if name.is_empty() {
            return Err(LineError::new(number, "there is no name before the `=`"));
        }
        if section.properties.iter().any(|property| property.name == name) {
            return Err(LineError::new(
                number,
                format!("{name} stands twice in the section"),
            ));
        }
        let value = strip(value);
        let start = offset_in(text, value);
        section.properties.push(Property {
            name,
            value: value.to_owned(),
            line: number,
            span: start..start + value.len(),
            continued_on: None,
        });
        open = true;
    }
    Ok(sections
        .into_iter()
        .filter_map(|(header, section)| {
            Some(Section {
                profile: profile(&header, kind)?,
                ..section
            })
        })
        .collect())
}

/// Python's text mode ends a line at `\n`, `\r\n` or a lone `\r`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Python's `str.strip` also takes the four separators that Unicode counts as controls.
fn is_whitespace(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn strip(text: &str) -> &str {
    text.trim_matches(is_whitespace)
}

/// `\[(?P<header>.+)\]`: greedy, so up to the last bracket of the line.
fn header(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?;
    let end = inner.rfind(']')?;
    (end > 0).then(|| &inner[..end])
}

/// A header's profile: the header itself in the credentials file, `profile NAME` in the config file.
fn profile(header: &str, kind: FileKind) -> Option<String> {
    match kind {
        FileKind::Credentials => Some(header.to_owned()),
        FileKind::Config if header == "default" => Some(header.to_owned()),
        FileKind::Config => {
            let name = header.strip_prefix("profile")?;
            let name = name.starts_with([' ', '\t']).then(|| name.trim())?;
            Some(name.trim_matches(['"', '\'']).to_owned())
        }
    }
}
