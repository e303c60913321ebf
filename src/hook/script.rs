//! What git runs: the scripts of the folder `hooks/`, filled in. Pure: text in, text out.

use crate::hook::Hook;

const GUARD: &str = include_str!("../../hooks/guard");
const PASS_ON: &str = include_str!("../../hooks/pass-on");
const PUSH_TO_CHECKOUT: &str = include_str!("../../hooks/push-to-checkout");

/// How the second line of every script of ours begins.
const MARK: &[u8] = b"# keyagent hook ";
/// And of the one that was copied by hand before `keyagent hook install` was there.
const FIRST_MARK: &[u8] = b"# Blocks a commit that holds AWS access keys. All the work is in keyagent";

/// What is put behind the name of a hook that was there before.
pub const KEPT: &str = ".before-keyagent";

/// Whom a hook serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One repository; an earlier hook lies beside it.
    Repository,
    /// All repositories of a user; an earlier hook lies in the repository.
    Global,
}

/// How a hint begins that is not for who pushes.
pub const ADMINISTRATOR: &str = "the server's administrator has to act:";

/// Lets who commits name another keyagent.
const OVERRIDE: &str = "[ -z \"$KEYAGENT\" ] || {
  keyagent=$KEYAGENT
  way_on='unset KEYAGENT, which names it'
}
";

/// A hook that scans. `program` is how sh finds keyagent.
pub fn guard(hook: Hook, scope: Scope, program: &str) -> String {
    let (earlier, option) = match scope {
        Scope::Repository => (format!("$0{KEPT}"), ""),
        Scope::Global => (
            format!(
                "$(git rev-parse --git-common-dir)/hooks/{} || exit",
                hook.as_str()
            ),
            " --global",
        ),
    };
    // A server takes no orders from the environment of who pushes, who can install nothing there.
    let install = format!("keyagent hook install{option}");
    let (override_, way_on) = match hook {
        Hook::PreReceive => (
            "",
            format!("{ADMINISTRATOR} install keyagent there, then: {install}"),
        ),
        Hook::PreCommit
        | Hook::PreMergeCommit
        | Hook::CommitMsg
        | Hook::ApplypatchMsg
        | Hook::PreApplypatch
        | Hook::PrePush => (OVERRIDE, format!("install keyagent, then: {install}")),
    };
    GUARD
        .replace("@OVERRIDE@\n", override_)
        .replace("@EARLIER@", &earlier)
        .replace("@NAME@", hook.as_str())
        .replace("@ACTION@", hook.action())
        .replace("@UNCHECKED@", hook.unchecked())
        .replace("@UNINSTALL@", &format!("keyagent hook uninstall{option}"))
        .replace("@WAY_ON@", &way_on)
        // Last: nothing in a path is taken for a place to fill.
        .replace("@KEYAGENT@", &quoted(program))
}

/// The names of hooks that git looks for in core.hooksPath and in which keyagent has nothing to do, from githooks(5)
/// of git 2.47.
pub const OTHERS: &[&str] = &[
    "post-applypatch",
    "prepare-commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-receive",
    "update",
    "proc-receive",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
    "p4-changelist",
    "p4-prepare-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "post-index-change",
];

/// A hook that runs the repository's own of that name and does nothing else.
pub fn pass_on(name: &str) -> String {
    let mut text = PASS_ON.replace("@NAME@", name);
    if name == "push-to-checkout" {
        text.push_str(PUSH_TO_CHECKOUT);
    }
    text
}

/// Whether a hook is one of ours, of whatever version.
pub fn is_ours(content: &[u8]) -> bool {
    content
        .split(|byte| *byte == b'\n')
        .nth(1)
        .is_some_and(|line| line.starts_with(MARK) || line.starts_with(FIRST_MARK))
}

/// The program that a hook of ours calls.
pub fn program(content: &str) -> Option<String> {
    let line = content.lines().find_map(|line| line.strip_prefix("keyagent="))?;
    Some(line.strip_prefix('\'')?.strip_suffix('\'')?.replace(r"'\''", "'"))
}

/// How sh is to be told a path: git for Windows runs hooks in a shell that takes `\` for an escape and `\\?\` for
/// nothing at all, but knows `C:/`.
pub fn shell_path(path: &str, is_windows: bool) -> String {
    if is_windows {
        let path = path.strip_prefix(r"\\?\UNC\").map_or_else(
            || path.strip_prefix(r"\\?\").unwrap_or(path).to_owned(),
            |share| format!(r"\\{share}"),
        );
        path.replace('\\', "/")
    } else {
        path.to_owned()
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled() {
        for scope in [Scope::Repository, Scope::Global] {
            for hook in Hook::ALL {
                let text = guard(hook, scope, "/opt/it's @NAME@/keyagent");
                let places = text.replace("@NAME@/keyagent'", "");
                assert!(!places.contains('@') || places.matches('@').all(|_| places.contains("\"$@\"")));
                for place in [
                    "@EARLIER@",
                    "@ACTION@",
                    "@UNCHECKED@",
                    "@OVERRIDE@",
                    "@WAY_ON@",
                    "@KEYAGENT@",
                ] {
                    assert!(!text.contains(place), "{text}");
                }
                assert_eq!(program(&text).as_deref(), Some("/opt/it's @NAME@/keyagent"));
                assert!(is_ours(text.as_bytes()));
            }
        }
        for name in OTHERS {
            assert!(is_ours(pass_on(name).as_bytes()));
        }
    }

    #[test]
    fn windows_paths_are_told_to_sh_with_slashes() {
        for (path, told) in [
            (r"C:\Program Files\keyagent.exe", "C:/Program Files/keyagent.exe"),
            (
                r"\\?\C:\Users\O'Neil\keyagent.exe",
                "C:/Users/O'Neil/keyagent.exe",
            ),
            (r"\\?\UNC\host\share\keyagent.exe", "//host/share/keyagent.exe"),
        ] {
            assert_eq!(shell_path(path, true), told);
        }
        assert_eq!(shell_path(r"/home/a\b/keyagent", false), r"/home/a\b/keyagent");
    }

    #[test]
    fn others_are_not_ours() {
        assert!(!is_ours(b"#!/bin/sh\nexec keyagent hook run pre-commit\n"));
        assert!(!is_ours(b"\x7fELF"));
        assert!(!is_ours(b""));
    }
}
