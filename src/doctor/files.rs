//! AWS's two files: who can read and write them, and every line over which AWS's readers do not agree.

use std::path::Path;

use super::{Area, Check, Level};
use crate::credentials::ambiguity;
use crate::credentials::document::Document;
use crate::credentials::location::{self, Locations};
use crate::credentials::profile::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use crate::credentials::{FileKind, botocore_reader, sdk_reader};

/// Far above any real file; beyond it every line would be a mistake.
const LARGEST_FILE: usize = 1 << 20;

/// Looks at both files. One that is missing is as AWS allows it; both missing is for whoever needs a profile.
pub fn check(locations: &Locations) -> Vec<Check> {
    let mut checks = Vec::new();
    for kind in [FileKind::Credentials, FileKind::Config] {
        let path = locations.path(kind);
        let Ok(document) = location::read(path) else {
            continue;
        };
        let lines_of_keys = lines_of_keys(&document, kind);
        let holds_keys = kind == FileKind::Credentials || !lines_of_keys.is_empty();
        checks.extend(rights(path, kind, holds_keys));
        if document.to_bytes().len() > LARGEST_FILE {
            continue;
        }
        checks.extend(lines(&document, path, kind));
        if kind == FileKind::Config {
            checks.extend(lines_of_keys.into_iter().map(|(line, profile)| {
                let message = format!(
                    "{}, line {line}: the key of profile {profile} stands in the config file, which tools share and \
                     copy; move both halves to {}",
                    path.display(),
                    locations.credentials.display()
                );
                Check::new(Area::Files, "config-keys", Level::Warning, message)
                    .of(&profile)
                    .at_line(path, line)
            }));
        }
    }
    if let Some(folder) = locations.credentials.parent() {
        checks.extend(folder_rights(folder));
    }
    checks
}

/// The lines over which AWS's readers stumble.
fn lines(document: &Document, path: &Path, kind: FileKind) -> Vec<Check> {
    let mistakes = ambiguity::mistakes(document, kind);
    if mistakes.is_empty() {
        let message = format!("all of AWS's readers read {} alike", path.display());
        return vec![Check::new(Area::Files, "lines", Level::Ok, message).at(path)];
    }
    mistakes
        .into_iter()
        .map(|mistake| {
            let message = format!("{}, line {}: {}", path.display(), mistake.line, mistake.why);
            Check::new(Area::Files, "lines", Level::Problem, message).at_line(path, mistake.line)
        })
        .collect()
}

/// The first line of each pair, and its profile.
fn lines_of_keys(document: &Document, kind: FileKind) -> Vec<(usize, String)> {
    let sections = document.text().ok().and_then(|text| {
        sdk_reader::read(text, kind)
            .or_else(|_| botocore_reader::read(text, kind))
            .ok()
    });
    let line = |section: &crate::credentials::Section| {
        let names = [ACCESS_KEY_ID, SECRET_ACCESS_KEY].into_iter();
        let line = names.filter_map(|name| Some(section.get(name)?.line)).min()?;
        Some((line, section.profile.clone()))
    };
    sections.iter().flatten().filter_map(line).collect()
}

/// Secrets are for their owner alone; and whoever can write either file decides which program AWS's tools run.
#[cfg(unix)]
fn rights(path: &Path, kind: FileKind, holds_keys: bool) -> Vec<Check> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (check_mode, check_owner) = match kind {
        FileKind::Credentials => ("credentials-mode", "credentials-owner"),
        FileKind::Config => ("config-mode", "config-owner"),
    };
    let Ok(metadata) = path.metadata() else {
        return Vec::new();
    };
    let mode = metadata.permissions().mode() & 0o777;
    let shown = path.display();
    let mode_check = if holds_keys && mode & 0o077 != 0 {
        let message = format!("{shown} is open to others (mode {mode:03o})");
        Check::new(Area::Files, check_mode, Level::Problem, message).mended_by_mode(path, mode & 0o700)
    } else if mode & 0o022 != 0 {
        let message = format!("others can write {shown} (mode {mode:03o})");
        Check::new(Area::Files, check_mode, Level::Problem, message).mended_by_mode(path, mode & !0o022)
    } else if holds_keys {
        Check::new(
            Area::Files,
            check_mode,
            Level::Ok,
            format!("{shown} is yours alone (mode {mode:03o})"),
        )
        .at(path)
    } else {
        let message = format!("only you can write {shown} (mode {mode:03o})");
        Check::new(Area::Files, check_mode, Level::Ok, message).at(path)
    };
    let mut checks = vec![mode_check];
    // A file of one's own making shows who one is; no call is needed that std does not have.
    let own = tempfile::tempfile()
        .and_then(|file| file.metadata())
        .map(|own| own.uid());
    if let Ok(own) = own
        && own != metadata.uid()
    {
        let message = format!(
            "{shown} belongs to user {}, and you are user {own}",
            metadata.uid()
        );
        let owner_check = Check::new(Area::Files, check_owner, Level::Problem, message).at(path);
        checks.push(if own == 0 {
            owner_check.mended_by(format!("sudo -u '#{}' keyagent doctor", metadata.uid()))
        } else {
            owner_check.mended_by(format!("sudo chown {own} {}", crate::problem::quoted(path)))
        });
    }
    checks
}

/// Whoever can write the folder can put another file in the place of this one.
#[cfg(unix)]
fn folder_rights(folder: &Path) -> Option<Check> {
    use std::os::unix::fs::PermissionsExt;
    let mode = folder.metadata().ok()?.permissions().mode();
    // With the sticky bit everybody replaces their own files only.
    if mode & 0o022 == 0 || mode & 0o1000 != 0 {
        return None;
    }
    let mode = mode & 0o777;
    let message = format!("others can write into {} (mode {mode:03o})", folder.display());
    Some(
        Check::new(Area::Files, "folder-mode", Level::Problem, message).mended_by_mode(folder, mode & !0o022),
    )
}

#[cfg(not(unix))]
fn rights(_: &Path, _: FileKind, _: bool) -> Vec<Check> {
    Vec::new()
}

#[cfg(not(unix))]
fn folder_rights(_: &Path) -> Option<Check> {
    None
}
