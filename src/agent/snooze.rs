//! Keys that are not spoken of for a while. A file of its own: the agent and `keyagent agent snooze` both write it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access_key::AccessKeyId;
use crate::fs_atomic::{self, Lock};

const NAME: &str = "agent-snooze.json";
/// Two writers meet for some milliseconds at most.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Snoozes {
    version: u32,
    until: BTreeMap<AccessKeyId, Timestamp>,
}

/// Until when each key is not spoken of. A file that cannot be read snoozes nothing.
pub fn load(state_folder: &Path) -> BTreeMap<AccessKeyId, Timestamp> {
    let read = std::fs::read(state_folder.join(NAME)).ok();
    read.and_then(|bytes| serde_json::from_slice::<Snoozes>(&bytes).ok())
        .filter(|snoozes| snoozes.version == 1)
        .map(|snoozes| snoozes.until)
        .unwrap_or_default()
}

/// Does not speak of these keys until then; a time in the past ends a snooze.
///
/// # Errors
///
/// When the state folder cannot be written.
pub fn add(
    state_folder: &Path,
    keys: &[AccessKeyId],
    until: Timestamp,
    now: Timestamp,
) -> Result<(), fs_atomic::Error> {
    let lock = state_folder.join("agent-snooze.lock");
    let _lock = Lock::acquire_within(&lock, "keyagent agent snooze", PATIENCE)?;
    let mut all = load(state_folder);
    for key in keys {
        all.insert(key.clone(), until);
    }
    all.retain(|_, until| *until > now);
    let snoozes = Snoozes {
        version: 1,
        until: all,
    };
    let text = serde_json::to_vec(&snoozes).expect("the keys of its map are strings");
    fs_atomic::write_private(&state_folder.join(NAME), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snooze_is_kept_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let id = |last| AccessKeyId::parse(&format!("AKIAQAAAAAAAAAAAAAA{last}")).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(load(folder.path()).is_empty());
        add(folder.path(), &[id('A'), id('B')], at(100), at(0)).unwrap();
        add(folder.path(), &[id('B')], at(300), at(200)).unwrap();
        assert_eq!(load(folder.path()), BTreeMap::from([(id('B'), at(300))]));
    }
}
