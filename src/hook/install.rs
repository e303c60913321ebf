//! Puts scripts among git's hooks and takes them away. What was there is renamed, never read and written anew, so that
//! its bytes, its mode and what it links to stay.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::hook::script::{self, KEPT, Scope};
use crate::hook::{Error, Hook};

/// What lies at the place of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Nothing,
    /// What keyagent would write.
    Ours,
    /// Ours, but of another version, for another program, or not executable.
    OursOutdated,
    /// Somebody else's: a file, or a link to whatever.
    Others,
}

/// A script, where it goes, and what is there.
#[derive(Clone, Debug)]
pub struct Planned {
    /// git's name of the hook.
    pub name: &'static str,
    /// Where it goes.
    pub path: PathBuf,
    /// Where another hook of that name is kept.
    pub kept: PathBuf,
    /// What is there.
    pub present: Present,
    /// Whether another hook is kept.
    pub has_kept: bool,
    text: String,
}

/// What has been done, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is as it should be.
    Nothing,
    /// Written where nothing was.
    Written,
    /// Written over an older one of ours.
    Updated,
    /// The other hook is kept, and ours written.
    Kept,
    /// Ours is removed; nothing was there before.
    Removed,
    /// The other hook is in its place again.
    Restored,
    /// Somebody else's; left alone.
    LeftAlone,
}

/// Looks at the hooks of a folder.
///
/// # Errors
///
/// When the folder is none, or one of the hooks is a folder or cannot be read.
pub fn plan(folder: &Path, scope: Scope, hooks: &[Hook], program: &str) -> Result<Vec<Planned>, Error> {
    match fs::metadata(folder) {
        Ok(metadata) if !metadata.is_dir() => {
            return Err(Error::NotA {
                path: folder.to_owned(),
                wanted: "folder",
            });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("look at", folder)(error)),
    }
    let guards = hooks
        .iter()
        .map(|hook| (hook.as_str(), script::guard(*hook, scope, program)));
    let others = match scope {
        Scope::Repository => &[],
        Scope::Global => script::OTHERS,
    };
    guards
        .chain(others.iter().map(|name| (*name, script::pass_on(name))))
        .map(|(name, text)| {
            let path = folder.join(name);
            let kept = folder.join(format!("{name}{KEPT}"));
            Ok(Planned {
                name,
                present: present(&path, &text)?,
                has_kept: is_there(&kept)?,
                path,
                kept,
                text,
            })
        })
        .collect()
}

/// What [`install`] would do.
///
/// # Errors
///
/// When another hook cannot be kept.
pub fn would_install(planned: &Planned) -> Result<Done, Error> {
    match planned.present {
        Present::Nothing => Ok(Done::Written),
        Present::Ours => Ok(Done::Nothing),
        Present::OursOutdated => Ok(Done::Updated),
        Present::Others if planned.has_kept => Err(Error::KeptAlready {
            path: planned.path.clone(),
            kept: planned.kept.clone(),
        }),
        Present::Others => Ok(Done::Kept),
    }
}

/// Puts a script in its place; another hook there is renamed first.
///
/// A crash between the two renames leaves the other hook kept and its place empty; both `install` and `uninstall` go
/// on from there.
///
/// # Errors
///
/// When another hook cannot be kept, or the system refuses; then all is as it was.
pub fn install(planned: &Planned) -> Result<Done, Error> {
    let done = would_install(planned)?;
    let folder = planned.path.parent().unwrap_or(Path::new("."));
    match done {
        Done::Nothing | Done::Removed | Done::Restored | Done::LeftAlone => {}
        Done::Written | Done::Updated => {
            fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
            persist(written(folder, &planned.text)?, &planned.path)?;
        }
        Done::Kept => {
            let ready = written(folder, &planned.text)?;
            fs::rename(&planned.path, &planned.kept).map_err(Error::io("rename", &planned.path))?;
            if let Err(error) = persist(ready, &planned.path) {
                fs::rename(&planned.kept, &planned.path).map_err(Error::io("put back", &planned.kept))?;
                return Err(error);
            }
        }
    }
    Ok(done)
}

/// What [`uninstall`] would do.
pub fn would_uninstall(planned: &Planned) -> Done {
    match (planned.present, planned.has_kept) {
        (Present::Nothing | Present::Ours | Present::OursOutdated, true) => Done::Restored,
        (Present::Ours | Present::OursOutdated, false) => Done::Removed,
        (Present::Nothing, false) => Done::Nothing,
        (Present::Others, _) => Done::LeftAlone,
    }
}

/// Takes a script away; the hook that was there before comes back, in one rename.
///
/// # Errors
///
/// When the system refuses; then all is as it was.
pub fn uninstall(planned: &Planned) -> Result<Done, Error> {
    let done = would_uninstall(planned);
    match done {
        Done::Restored => {
            fs::rename(&planned.kept, &planned.path).map_err(Error::io("put back", &planned.kept))?;
        }
        Done::Removed => fs::remove_file(&planned.path).map_err(Error::io("remove", &planned.path))?,
        Done::Nothing | Done::Written | Done::Updated | Done::Kept | Done::LeftAlone => {}
    }
    Ok(done)
}

/// Whether somebody else's hook there asks for its own name: kept under another one, it would do something else.
///
/// # Errors
///
/// When it cannot be read.
pub fn asks_for_its_name(planned: &Planned) -> Result<bool, Error> {
    if planned.present != Present::Others {
        return Ok(false);
    }
    let content = match fs::read(&planned.path) {
        Ok(content) => content,
        // A link to nothing runs nothing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("read", &planned.path)(error)),
    };
    let text = String::from_utf8_lossy(&content);
    let is_script = text.starts_with("#!");
    Ok(is_script
        && [
            "basename \"$0\"",
            "basename $0",
            "basename -- \"$0\"",
            "basename \"${0}\"",
            "${0##*/}",
            "basename($0)",
            "basename($PROGRAM_NAME)",
            "basename(__FILE__)",
            "basename(sys.argv[0])",
            "husky.sh\"",
        ]
        .iter()
        .any(|sign| text.contains(sign)))
}

fn present(path: &Path, text: &str) -> Result<Present, Error> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Present::Nothing),
        Err(error) => return Err(Error::io("look at", path)(error)),
    };
    if metadata.is_dir() {
        return Err(Error::NotA {
            path: path.to_owned(),
            wanted: "file",
        });
    }
    if !metadata.is_file() {
        return Ok(Present::Others);
    }
    let content = fs::read(path).map_err(Error::io("read", path))?;
    Ok(if content == text.as_bytes() && is_executable(&metadata) {
        Present::Ours
    } else if script::is_ours(&content) {
        Present::OursOutdated
    } else {
        Present::Others
    })
}

fn is_there(path: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

fn written(folder: &Path, text: &str) -> Result<tempfile::NamedTempFile, Error> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keyagent-hook-");
    #[cfg(unix)]
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
    #[cfg(unix)]
    builder.permissions(mode);
    let mut file = builder
        .tempfile_in(folder)
        .map_err(Error::io("write in", folder))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(Error::io("write in", folder))?;
    Ok(file)
}

fn persist(file: tempfile::NamedTempFile, path: &Path) -> Result<(), Error> {
    file.persist(path)
        .map(drop)
        .map_err(|error| Error::io("write", path)(error.error))
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
}

/// git for Windows goes by the first line.
#[cfg(not(unix))]
fn is_executable(_metadata: &fs::Metadata) -> bool {
    true
}
