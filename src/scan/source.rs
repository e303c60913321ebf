//! Where contents come from: the index, folders, commits, the whole history, a stream. Each source hands every content
//! to the scanner once, and what cannot be read is an error. Finds nothing itself.

mod commits;
mod history;
mod names;
mod pushed;
mod staged;
mod stream;
mod tree;

pub use commits::commits;
pub use history::{Progress, Reach, history};
pub use pushed::pushed;
pub use staged::staged;
pub use stream::{message, stream};
pub use tree::{Ignored, paths};

use std::collections::HashMap;
use std::io::{self, Read};

use super::reading::changed::is_text;
use super::{Change, Content, Scan, Scanned, Scanner};
use crate::git::{self, Body, Kind, Missing, ObjectId, Repository};

/// The path under which a commit's message is told.
pub(super) const MESSAGE: &str = "<commit message>";

/// What blobs and messages hold, each read once: of a commit or a tag its message, of an LFS pointer its file.
fn contents(
    scanner: &Scanner,
    repository: &Repository,
    oids: &[ObjectId],
    missing: Missing,
) -> Result<Vec<Option<Content>>, git::Error> {
    repository.read(oids, missing, |_, kind, content| {
        look_through(scanner, repository, kind, content)
    })
}

fn look_through(
    scanner: &Scanner,
    repository: &Repository,
    kind: Kind,
    content: &mut dyn Read,
) -> io::Result<Content> {
    match kind {
        Kind::Blob => repository.resolved(content, |content| scanner.read(content)),
        Kind::Commit | Kind::Tag => {
            skip_headers(content)?;
            scanner.read(content)
        }
        Kind::Tree => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The same of a content that may be in memory; and whether of what is made from it only what is new needs a look.
fn look_through_body(
    scanner: &Scanner,
    repository: &Repository,
    kind: Kind,
    body: Body<'_>,
) -> io::Result<(Content, bool)> {
    let (mut whole, changed) = match body {
        Body::Stream(content) => {
            return look_through(scanner, repository, kind, content).map(|content| (content, false));
        }
        Body::Whole(content) => (content, None),
        Body::Changed(content, changed) => (content, Some(changed)),
    };
    match kind {
        Kind::Blob if !git::may_be_pointer(whole) => {
            if changed.is_some_and(|changed| scanner.still_holds_nothing(whole, changed)) {
                let nothing = Content {
                    bytes: whole.len() as u64,
                    ..Content::default()
                };
                return Ok((nothing, true));
            }
            let content = scanner.bytes(whole);
            let holds_nothing = content.candidates.is_empty() && content.unread.is_empty();
            Ok((content, holds_nothing && is_text(whole)))
        }
        Kind::Commit | Kind::Tag => {
            skip_headers(&mut whole)?;
            Ok((scanner.bytes(whole), false))
        }
        Kind::Blob | Kind::Tree => {
            look_through(scanner, repository, kind, &mut whole).map(|content| (content, false))
        }
    }
}

/// The headers of a commit or tag end with an empty line.
fn skip_headers(content: &mut dyn Read) -> io::Result<()> {
    let mut line_is_empty = false;
    let mut byte = [0];
    while content.read(&mut byte)? == 1 {
        let is_break = byte == *b"\n";
        if is_break && line_is_empty {
            break;
        }
        line_is_empty = is_break;
    }
    Ok(())
}

/// Adds each content up, and keeps those that hold anything.
fn kept<K: std::hash::Hash + Eq>(
    scanned: &mut Scanned,
    contents: impl IntoIterator<Item = (K, Content)>,
) -> HashMap<K, Content> {
    contents
        .into_iter()
        .inspect(|(_, content)| scanned.count(content))
        .filter(|(_, content)| !content.candidates.is_empty() || !content.unread.is_empty())
        .collect()
}

/// Adds what a commit holds.
fn add_of(scan: &mut Scan, commit: &ObjectId, change: Change) {
    let before = scan.findings.len();
    scan.add(change);
    for finding in &mut scan.findings[before..] {
        finding.commit = Some(commit.to_string());
    }
}

/// Adds what a content holds that belongs to no other, and was counted before.
fn add_alone(scan: &mut Scan, path: &str, content: Content) {
    let mut change = Change::default();
    change.add(path, content);
    scan.add(change);
}
