//! Tells when the content of one of a few files changes, in whatever way: written in place, replaced by a rename, a
//! symbolic link or its target replaced, deleted, or made in a folder that was not there.
//!
//! Folders are watched, not files, and after each burst the set is computed anew: a watch stays with an inode, and
//! numbers of inodes are reused. Only the renaming of a folder above the watched ones is missed; the periodic check
//! finds that.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::{Config, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest as _, Sha256};

/// Another event within this time belongs to the same burst: the AWS CLI truncates a file before it writes it.
const SETTLES: Duration = Duration::from_millis(150);
/// A burst that does not end is looked at all the same.
const LONGEST_BURST: Duration = Duration::from_millis(1500);
/// A chain of symbolic links that is longer is a circle.
const MOST_LINKS: usize = 16;

/// Calls `changed` from a thread of its own, once after each burst in which a content has changed. Ends when `changed`
/// says that nobody listens.
///
/// # Errors
///
/// When the system has no watcher left to give.
pub fn watch(files: Vec<PathBuf>, mut changed: impl FnMut() -> bool + Send + 'static) -> notify::Result<()> {
    let (sender, events) = mpsc::channel();
    let send = move |event: notify::Result<notify::Event>| {
        // Whoever does not listen any more has ended.
        let _ = sender.send(event.is_ok());
    };
    let config = Config::default().with_event_kinds(EventKindMask::CORE);
    let mut watcher = RecommendedWatcher::new(send, config)?;
    let mut armed = arm(&mut watcher, &BTreeSet::new(), &files);
    let mut contents = digests(&files);
    std::thread::Builder::new()
        .name("watch".into())
        .spawn(move || {
            while events.recv().is_ok() {
                settle(&events);
                armed = arm(&mut watcher, &armed, &files);
                // After arming: what changes from here on is a further event.
                let now = digests(&files);
                if now != contents {
                    contents = now;
                    if !changed() {
                        return;
                    }
                }
            }
        })
        .map_err(notify::Error::io)?;
    Ok(())
}

fn settle(events: &mpsc::Receiver<bool>) {
    let began = Instant::now();
    while began.elapsed() < LONGEST_BURST {
        match events.recv_timeout(SETTLES) {
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Ends all watches and begins those that are wanted now.
fn arm(watcher: &mut RecommendedWatcher, armed: &BTreeSet<PathBuf>, files: &[PathBuf]) -> BTreeSet<PathBuf> {
    for folder in armed {
        // A folder that is gone has taken its watch with it.
        let _ = watcher.unwatch(folder);
    }
    let mut now: BTreeSet<PathBuf> = files.iter().flat_map(|file| folders(file)).collect();
    // One that vanished in between is found missing after the next event of the folder above it.
    now.retain(|folder| watcher.watch(folder, RecursiveMode::NonRecursive).is_ok());
    now
}

/// Every folder in which a change can alter what the file is.
fn folders(file: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut file = file.to_owned();
    for _ in 0..MOST_LINKS {
        let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
        // A folder that is not there yet will be made in the nearest one that is.
        if let Some(nearest) = folder.ancestors().find(|folder| folder.is_dir())
            && let Ok(nearest) = nearest.canonicalize()
        {
            found.insert(nearest);
        }
        // ~/.aws itself may be a link into a folder of dotfiles.
        let is_link = folder
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_symlink());
        if is_link && let Some(holder) = folder.parent().and_then(|holder| holder.canonicalize().ok()) {
            found.insert(holder);
        }
        match file.read_link() {
            Ok(target) => file = folder.join(target),
            Err(_) => break,
        }
    }
    found
}

fn digests(files: &[PathBuf]) -> Vec<Option<[u8; 32]>> {
    files.iter().map(|file| digest(file)).collect()
}

/// In pieces, as the file may be of any size, and the agent is to stay small.
fn digest(path: &Path) -> Option<[u8; 32]> {
    // A pipe in its place would be waited for for ever.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut file = std::fs::File::open(path).ok()?;
    let mut digest = Sha256::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Some(digest.finalize().into()),
            Ok(read) => digest.update(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
