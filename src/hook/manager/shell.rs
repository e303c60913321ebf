//! husky, and the team's own folder: each hook is a script, to which a line is added.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Addition, Kind, Manager, Place, ToRun, is_ours, place_in, runs, says, shown};
use crate::hook::Hook;
use crate::problem::quoted;

/// The hooks that a line is added to. What `git am` makes is stopped at the push.
const HOOKS: [Hook; 4] = [
    Hook::PreCommit,
    Hook::PreMergeCommit,
    Hook::CommitMsg,
    Hook::PrePush,
];

/// The script that the lines call.
pub(super) const SCRIPT: &str = "keyagent.sh";

/// The script looks where package managers put programs, for a graphical client has no PATH worth the name; and it holds
/// no path of one machine, for it is everybody's.
pub(super) const SCRIPT_LINES: &str = "\
PATH=$PATH:$HOME/.cargo/bin:$HOME/.local/bin:/usr/local/bin:/opt/homebrew/bin
command -v keyagent >/dev/null || {
  echo \"error: cannot look for AWS keys, so $1 blocks\"
  echo \"cause: keyagent is in none of the folders $PATH\"
  echo \"hint:  install keyagent in one of them, then try again\"
  exit 2
} >&2
exec keyagent hook run \"$@\"
";

pub(super) fn husky_folder(hooks: &Path) -> Option<PathBuf> {
    let hooks = if hooks.ends_with("_") {
        hooks.parent()?
    } else {
        hooks
    };
    let is_husky = hooks.ends_with(".husky") || hooks.join("_/husky.sh").is_file();
    is_husky.then(|| hooks.to_owned())
}

/// `hooks` is where git looks: husky puts scripts of its own there, which run those of `folder`.
pub(super) fn manager(kind: Kind, top: &Path, hooks: &Path, folder: &Path) -> Manager {
    let manager = |additions, to_run| Manager {
        kind,
        additions,
        to_run,
        leaves: Vec::new(),
    };
    let are_run_by_git = hooks == folder;
    if HOOKS.iter().any(|hook| is_ours(folder, *hook)) {
        let to_run = ToRun {
            why: "these hooks hold the path of this machine, and others get them too",
            command: "keyagent hook uninstall; keyagent hook install".to_owned(),
        };
        return manager(Vec::new(), vec![to_run]);
    }
    let mut additions = Vec::new();
    let mut not_executable = Vec::new();
    for hook in HOOKS {
        let file = folder.join(hook.as_str());
        let is_new = !file.exists();
        if are_run_by_git && !is_executable(&file) {
            not_executable.push(hook.as_str());
        }
        let first_line = if is_new && are_run_by_git {
            "#!/bin/sh\n"
        } else {
            ""
        };
        additions.push(Addition {
            is_there: is_called(&file, hook),
            file: shown(top, &file),
            lines: format!("{first_line}{}\n", line(hook)),
            place: place_in(&file, hook.as_str()),
        });
    }
    let needs_script = HOOKS
        .iter()
        .any(|hook| !calls_keyagent(&folder.join(hook.as_str()), *hook));
    if needs_script {
        additions.insert(0, script(top, folder));
    }
    let mut to_run = Vec::new();
    if !not_executable.is_empty() {
        to_run.push(ToRun {
            why: "git passes by what is not executable",
            command: format!(
                "(cd {} && chmod +x {})",
                quoted(&shown(top, folder)),
                not_executable.join(" ")
            ),
        });
    }
    if !are_run_by_git && HOOKS.iter().any(|hook| !hooks.join(hook.as_str()).exists()) {
        // As `git clean` leaves it.
        to_run.push(ToRun {
            why: "husky's own scripts are not there",
            command: "npx husky".to_owned(),
        });
    }
    manager(additions, to_run)
}

/// The script, in a folder.
pub(super) fn script(top: &Path, folder: &Path) -> Addition {
    let file = folder.join(SCRIPT);
    Addition {
        is_there: says(&file, |line| line.contains("keyagent hook run")),
        place: if file.exists() { Place::End } else { Place::NewFile },
        file: shown(top, &file),
        lines: SCRIPT_LINES.to_owned(),
    }
}

fn line(hook: Hook) -> String {
    format!("sh \"${{0%/*}}/{SCRIPT}\" {} \"$@\" || exit", hook.as_str())
}

fn is_called(file: &Path, hook: Hook) -> bool {
    let call = format!("{SCRIPT}\" {}", hook.as_str());
    calls_keyagent(file, hook) || runs(file, |line| line.contains(&call))
}

/// Without the script: who has keyagent on PATH everywhere needs none.
fn calls_keyagent(file: &Path, hook: Hook) -> bool {
    let call = format!("keyagent hook run {}", hook.as_str());
    runs(file, |line| line.contains(&call))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// git for Windows goes by the first line.
#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok()
}
