//! Ctrl-C in what changes keys, from its first check on: says where things stand, and the command that goes on from
//! there. A rotation may be ended anywhere, so nothing has to be tidied up first.

use std::path::Path;
use std::sync::Once;

use super::ui;
use crate::problem::quoted;
use crate::rotate::journal::Journal;

/// As shells have it: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// From here on Ctrl-C is answered, until the process ends. A thread of its own hears it at a prompt, too.
pub(super) fn answer(state_folder: &Path) {
    static ONCE: Once = Once::new();
    let state_folder = state_folder.to_owned();
    ONCE.call_once(|| {
        // Without the thread, Ctrl-C ends the process silently, as ever.
        let _ = std::thread::Builder::new()
            .name("ctrl-c".to_owned())
            .spawn(move || wait(&state_folder));
    });
}

fn wait(state_folder: &Path) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    if runtime.block_on(tokio::signal::ctrl_c()).is_err() {
        return;
    }
    ui::note(&where_it_stands(state_folder));
    std::process::exit(INTERRUPTED);
}

fn where_it_stands(state_folder: &Path) -> String {
    let rotations = match Journal::look(state_folder) {
        Ok(rotations) => rotations,
        Err(_) => return format!("\ninterrupted; see the journal: ls -l {}", quoted(state_folder)),
    };
    let unfinished: Vec<String> = rotations
        .iter()
        .filter(|rotation| !rotation.is_at_rest())
        .map(|rotation| {
            let last = rotation
                .steps
                .last()
                .map_or("nothing is changed", |step| step.result.as_str());
            format!(
                "  {} ({}): {last}\n",
                rotation.plan.old_access_key_id,
                rotation.plan.profiles.join(", ")
            )
        })
        .collect();
    if unfinished.is_empty() {
        return "\ninterrupted; nothing is left unfinished".to_owned();
    }
    format!(
        "\ninterrupted; the files hold a key that AWS accepts\n{}to go on from here: keyagent recover",
        unfinished.concat()
    )
}
