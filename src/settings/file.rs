//! A settings file line by line, and what is wrong in it. Knows no setting's meaning.

use std::path::{Path, PathBuf};

use ini::{Ini, ParseOption};

use super::values::boolean;
use super::{Error, Settings, set};
use crate::problem::guarded;

/// One file's settings.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) enforced: bool,
    pub(super) entries: Vec<Entry>,
    /// Every line that sets something, as an editor counts them: its section's profile, and the name.
    pub(super) lines: Vec<(Option<String>, String, usize)>,
}

impl File {
    /// The entries that hold for a profile, the weakest first.
    pub(super) fn of(&self, profile: Option<&str>) -> impl Iterator<Item = &Entry> {
        let general = self.entries.iter().filter(|entry| entry.profile.is_none());
        let own = self
            .entries
            .iter()
            .filter(move |entry| entry.profile.is_some() && entry.profile.as_deref() == profile);
        general.chain(own)
    }

    pub(super) fn apply(&self, settings: &mut Settings, profile: Option<&str>) -> Result<(), Error> {
        for entry in self.of(profile) {
            set(settings, &entry.name, &entry.value).map_err(|why| self.mistake(entry.line, why))?;
        }
        Ok(())
    }

    pub(super) fn mistake(&self, line: usize, why: String) -> Error {
        Error::Line {
            path: self.path.clone(),
            line,
            why,
        }
    }
}

/// One setting as it stands there.
pub(super) struct Entry {
    pub(super) profile: Option<String>,
    pub(super) name: String,
    pub(super) value: String,
    pub(super) line: usize,
}

/// A file without mistakes; a missing one is none.
pub(super) fn read(path: &Path) -> Result<Option<File>, Error> {
    let (file, mistakes) = read_all(path);
    mistakes.into_iter().next().map_or(Ok(file), Err)
}

/// What can be taken of a file, if there is one, and every mistake in it.
pub(super) fn read_all(path: &Path) -> (Option<File>, Vec<Error>) {
    match std::fs::read(path) {
        Ok(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => {
                let (file, mistakes) = parse(path, text);
                (Some(file), mistakes)
            }
            Err(error) => {
                let line = 1 + bytes[..error.valid_up_to()]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
                let (path, why) = (path.to_owned(), "this is not UTF-8 text".into());
                (None, vec![Error::Line { path, line, why }])
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (None, Vec::new()),
        Err(source) => {
            let path = path.to_owned();
            (None, vec![Error::Read { path, source }])
        }
    }
}

/// The same of a text.
pub(super) fn parse(path: &Path, text: &str) -> (File, Vec<Error>) {
    let mut mistakes = Vec::new();
    let mut fail = |line, why: String| {
        mistakes.push(Error::Line {
            path: path.to_owned(),
            line,
            // Who puts a secret where a number belongs is not to find it in a log.
            why: guarded(&why),
        });
    };
    // As Windows' editors write it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut file = File {
        path: path.to_owned(),
        enforced: false,
        entries: Vec::new(),
        lines: Vec::new(),
    };
    // Values are taken as they stand: a Windows path has backslashes, and a quote is a quote.
    let options = ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        ..ParseOption::default()
    };
    // The parser stops at the first line that it cannot take, and counts lines otherwise than an editor.
    let mut lines: Vec<&str> = text.lines().collect();
    let mut section = None;
    for (index, line) in lines.iter_mut().enumerate() {
        let shown = line.trim();
        let is_header = shown.starts_with('[') && shown.ends_with(']');
        let is_setting = !shown.starts_with(['[', '=', ':']) && shown.contains(['=', ':']);
        if !(shown.is_empty() || shown.starts_with(['#', ';']) || is_header || is_setting) {
            fail(
                index + 1,
                "this is neither a section, [NAME], nor a setting, NAME = VALUE".into(),
            );
            *line = "";
        }
        if is_header {
            let inner = shown[1..shown.len() - 1].trim();
            section = inner.strip_prefix("profile ").map(|name| name.trim().to_owned());
        } else if is_setting
            && !shown.starts_with(['#', ';'])
            && let Some((name, _)) = shown.split_once(['=', ':'])
        {
            file.lines
                .push((section.clone(), name.trim().to_owned(), index + 1));
        }
    }
    let text = &lines.join("\n");
    let ini = match Ini::load_from_str_opt(text, options) {
        Ok(ini) => ini,
        Err(error) => {
            fail(error.line, error.msg.to_string());
            return (file, mistakes);
        }
    };
    for (section, properties) in &ini {
        let profile = match section {
            None if properties.is_empty() => continue,
            Some("defaults") => None,
            Some(section) if section.starts_with("profile ") => {
                Some(section["profile ".len()..].trim().to_owned())
            }
            None => {
                fail(
                    1,
                    "a setting stands before the first [defaults] or [profile NAME]".into(),
                );
                continue;
            }
            Some(section) => {
                let line = line_of(text, |line| line.trim().starts_with(&format!("[{section}]")));
                fail(
                    line,
                    format!("there is no section [{section}]; use [defaults] or [profile NAME]"),
                );
                continue;
            }
        };
        for (name, value) in properties {
            let line = line_in_section(text, section.unwrap_or_default(), name, value);
            if name == "enforce" {
                match boolean(value) {
                    Ok(enforced) => file.enforced = enforced,
                    Err(why) => fail(line, why),
                }
                continue;
            }
            if let Err(why) = set(&mut Settings::default(), name, value) {
                fail(line, why);
                continue;
            }
            file.entries.push(Entry {
                profile: profile.clone(),
                name: name.to_owned(),
                value: value.to_owned(),
                line,
            });
        }
    }
    (file, mistakes)
}

/// rust-ini gives no line numbers, so they are looked up.
fn line_in_section(text: &str, section: &str, name: &str, value: &str) -> usize {
    let mut inside = false;
    line_of(text, |line| {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            inside = header.strip_suffix(']') == Some(section);
        }
        inside
            && line
                .split_once(['=', ':'])
                .is_some_and(|(found, rest)| found.trim() == name && rest.trim() == value.trim())
    })
}

fn line_of(text: &str, is_it: impl FnMut(&str) -> bool) -> usize {
    text.lines().position(is_it).map_or(1, |index| index + 1)
}
