//! Where a repository's hooks lie, and who said so. Changes one thing only: core.hooksPath of the user.

use std::path::{Path, PathBuf};

use super::{Error, git, not_started, path_of, succeeded};

/// Where a setting of git stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The value, with `~` resolved.
    pub value: PathBuf,
    /// git's word: `system`, `global`, `local`, `worktree`, `command`.
    pub scope: String,
}

/// The places of a repository that matter to hooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Where git looks for hooks.
    pub hooks: PathBuf,
    /// The repository itself, which all its work trees share.
    pub common: PathBuf,
    /// The top of the work tree; a bare repository has none.
    pub top: Option<PathBuf>,
    /// core.hooksPath, where it is set.
    pub hooks_path: Option<Setting>,
}

/// Asks git for the places of the repository at `cwd`; linked work trees and core.hooksPath count.
///
/// # Errors
///
/// When there is no repository, or git does not answer.
pub fn places(cwd: &Path) -> Result<Places, Error> {
    let is_bare = line(run(cwd, "rev-parse", &["--is-bare-repository"])?) == b"true";
    let top = if is_bare {
        None
    } else {
        Some(path_of(&line(run(cwd, "rev-parse", &["--show-toplevel"])?))?)
    };
    // From the top: a relative core.hooksPath counts from where hooks run.
    let from = top.clone().unwrap_or_else(|| cwd.to_owned());
    let ask = |arguments: &[&str]| -> Result<PathBuf, Error> {
        let path = path_of(&line(run(&from, "rev-parse", arguments)?))?;
        std::path::absolute(from.join(path)).map_err(Error::Io)
    };
    Ok(Places {
        hooks: ask(&["--git-path", "hooks"])?,
        common: ask(&["--git-common-dir"])?,
        hooks_path: hooks_path(&from, &[])?,
        top,
    })
}

/// The user's own core.hooksPath (`git config --global`), or the machine's where the user has none.
///
/// # Errors
///
/// When git's files cannot be read.
pub fn users_hooks_path(cwd: &Path) -> Result<Option<Setting>, Error> {
    match hooks_path(cwd, &["--global"])? {
        Some(setting) => Ok(Some(setting)),
        None => hooks_path(cwd, &["--system"]),
    }
}

/// Sets core.hooksPath for all repositories of the user.
///
/// # Errors
///
/// When git's file cannot be written.
pub fn set_users_hooks_path(cwd: &Path, folder: &Path) -> Result<(), Error> {
    let output = git(cwd)
        .args(["config", "--global", "core.hooksPath"])
        .arg(folder)
        .output()
        .map_err(not_started)?;
    succeeded("config", output).map(drop)
}

/// Takes core.hooksPath out of the user's file.
///
/// # Errors
///
/// When git's file cannot be written.
pub fn unset_users_hooks_path(cwd: &Path) -> Result<(), Error> {
    run(cwd, "config", &["--global", "--unset", "core.hooksPath"]).map(drop)
}

/// Whether git tracks anything in a folder of the work tree.
///
/// # Errors
///
/// When git does not answer.
pub fn is_tracked(top: &Path, folder: &Path) -> Result<bool, Error> {
    let output = git(top)
        .args(["ls-files", "-z", "--"])
        .arg(folder)
        .output()
        .map_err(not_started)?;
    succeeded("ls-files", output).map(|files| !files.is_empty())
}

/// Whether git ignores a file of the work tree, which need not be there.
///
/// # Errors
///
/// When git does not answer.
pub fn is_ignored(top: &Path, file: &Path) -> Result<bool, Error> {
    let output = git(top)
        .args(["check-ignore", "--quiet", "--"])
        .arg(file)
        .output()
        .map_err(not_started)?;
    match output.status.code() {
        Some(1) => Ok(false),
        _ => succeeded("check-ignore", output).map(|_| true),
    }
}

fn hooks_path(cwd: &Path, scope: &[&str]) -> Result<Option<Setting>, Error> {
    let output = git(cwd)
        .args(["config", "--null", "--show-scope", "--type=path"])
        .args(scope)
        .args(["--get", "core.hooksPath"])
        .output()
        .map_err(not_started)?;
    match output.status.code() {
        Some(0) => {
            // `SCOPE NUL VALUE NUL`, from git-config(1).
            let mut fields = output.stdout.split(|byte| *byte == 0);
            match (fields.next(), fields.next()) {
                (Some(scope), Some(value)) => Ok(Some(Setting {
                    value: path_of(value)?,
                    scope: String::from_utf8_lossy(scope).into_owned(),
                })),
                _ => Err(Error::Answer("config")),
            }
        }
        // Not set; git has also no other word for a file of that scope that is not there.
        Some(1) => Ok(None),
        _ => succeeded("config", output).map(|_| None),
    }
}

fn run(cwd: &Path, command: &'static str, arguments: &[&str]) -> Result<Vec<u8>, Error> {
    let output = git(cwd).arg(command).args(arguments).output();
    succeeded(command, output.map_err(not_started)?)
}

fn line(mut answer: Vec<u8>) -> Vec<u8> {
    if answer.ends_with(b"\n") {
        answer.pop();
        if answer.ends_with(b"\r") {
            answer.pop();
        }
    }
    answer
}
