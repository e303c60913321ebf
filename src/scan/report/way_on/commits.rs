//! How a key is taken out of what is committed already, by where that stands.

use super::{Facts, Source};
use crate::git::{Standing, abbreviated};
use crate::scan::allow::Settled;
use crate::scan::report::shell_word;
use crate::scan::source::MESSAGE;

/// The commands, and what to do in the editor that the first one opens.
pub(super) fn committed(settled: &Settled, source: Source<'_>, facts: &Facts, lines: &mut Vec<String>) {
    let Some((name, standing)) = &facts.place else {
        lines.push("what a commit holds stays in its history: replace the keys first".to_owned());
        return;
    };
    let is_message = settled
        .findings
        .iter()
        .all(|finding| finding.path == MESSAGE && finding.commit.as_deref() == Some(name));
    let is_alone = settled
        .findings
        .iter()
        .all(|finding| finding.commit.as_deref() == Some(name));
    let depth = match standing {
        Standing::Here(depth) => depth,
        Standing::Branch(branch, depth) => {
            lines.push(format!("to go on: git switch {}, and there", shell_word(branch)));
            depth
        }
        Standing::Tag(tag) => {
            lines.push("to go on, make the tag anew without the key, after:".to_owned());
            lines.push(format!("  git tag -d {}", shell_word(tag)));
            return;
        }
        Standing::Stash(stash) => {
            lines.push("to go on, drop the stash:".to_owned());
            lines.push(format!("  git stash drop '{stash}'"));
            return;
        }
        Standing::Elsewhere => {
            lines.push("what a commit holds stays in its history: replace the keys first".to_owned());
            return;
        }
    };
    let if_yours = match source {
        Source::Pushed => "",
        Source::Staged { .. } | Source::Commits | Source::Files | Source::Stream | Source::Message(_) => {
            ", if it is yours alone"
        }
    };
    if depth.is_tip && is_alone {
        if is_message {
            lines.push(format!("take the key out of the commit's message{if_yours}:"));
            lines.push("  git commit --amend".to_owned());
        } else {
            lines.push(format!(
                "take the key out of the file{if_yours}, git add it, then:"
            ));
            lines.push("  git commit --amend --no-edit".to_owned());
        }
        return;
    }
    let short = abbreviated(name);
    let merges = if depth.has_merges { " --rebase-merges" } else { "" };
    lines.push(if is_alone {
        format!("take the key out of the commit{if_yours}:")
    } else {
        format!("take the keys out of the commits{if_yours}, from the oldest on:")
    });
    lines.push(if depth.is_root {
        format!("  git rebase -i{merges} --root")
    } else {
        format!("  git rebase -i{merges} {short}~")
    });
    // git edits no merge in its list.
    match (is_message, is_alone && depth.is_merge) {
        (true, false) => lines.push(format!("and say `reword` there for {short}")),
        (true, true) => lines.push(format!("and say `merge -c` there for `merge -C {short}`")),
        (false, false) => {
            let which = if is_alone { short } else { "each of them" };
            lines.push(format!(
                "say `edit` there for {which}, take the key out, git add the file, then:"
            ));
            if !is_alone && depth.has_merges {
                lines.push("(for a merge write `break` there in a line below it)".to_owned());
            }
        }
        (false, true) => {
            lines.push(format!("write `break` there in a line below `merge -C {short}`,"));
            lines.push("take the key out, git add the file, then:".to_owned());
        }
    }
    if !is_message {
        lines.push("  git commit --amend --no-edit && git rebase --continue".to_owned());
    }
}
