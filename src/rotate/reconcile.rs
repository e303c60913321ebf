//! What to do with a rotation that was interrupted, given what is found. Pure: a table, no I/O.

use super::state::{Effect, State};

/// Which pair the files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FilesHold {
    /// The old pair, in at least one place of the plan.
    OldPair,
    /// The new pair, in every place.
    NewPair,
    /// A pair that is neither: somebody has written another.
    AnotherPair,
    /// No pair: the file or the profile is gone.
    Nothing,
    /// A file cannot be read or parsed.
    Unreadable,
}

/// What AWS says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyIs {
    /// The list does not have it.
    Absent,
    /// It signs calls.
    Active,
    /// It is refused.
    Inactive,
    /// AWS could not be asked, or its list may not be complete yet.
    Unknown,
    /// Several keys could be it.
    Several,
}

/// What was found after the interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Observation {
    /// In the files of the plan.
    pub files: FilesHold,
    /// The new key, or the one key that appeared since the plan.
    pub new_key: KeyIs,
    /// The old key.
    pub old_key: KeyIs,
    /// Whether the new secret is in the secret store or in a file.
    pub new_secret_in_hand: bool,
    /// The same of the old secret.
    pub old_secret_in_hand: bool,
    /// Whether any place of the plan holds the new key: then it must not be deleted.
    pub new_key_in_a_file: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// No key was made: the rotation is over.
    Forget,
    /// Go on from this state.
    RollForward(State),
    /// Delete the new key, which no file holds.
    BackOut,
    /// A key whose secret nobody has. It is deleted once the user agrees.
    DeleteOrphan,
    /// Go on with the undo.
    Undo,
    /// The old key cannot be taken back; the files hold the new one, and all is as before the undo.
    AbandonUndo(&'static str),
    /// The superseded key was being deleted: make sure that it is.
    FinishDeleting,
    /// The superseded key was being deleted, and is in use again: leave it.
    Keep(&'static str),
    /// It is over already.
    Nothing,
    /// Touch nothing and say why.
    Stop(&'static str),
}

const THIRD_KEY: &str = "the files hold a third key, which keyagent did not make";
const NOT_IN_FILE: &str = "the profile is not in the file any more";
const UNREADABLE: &str = "a file of the rotation cannot be read, so nothing is touched";
const NEW_UNKNOWN: &str = "AWS could not be asked about the new key";
const OLD_UNKNOWN: &str = "AWS could not be asked about the old key";

/// Decides. `intent` is an effect that was intended and may or may not have been had.
pub fn reconcile(state: State, intent: Option<Effect>, seen: Observation) -> Decision {
    use Decision::{BackOut, DeleteOrphan, Forget, Nothing, Stop};
    match state {
        State::Planned => Forget,
        State::Aborted | State::OldKeyDeleted | State::NewKeyDeleted => Nothing,
        // Nothing is installed before AWS's answer is recorded: the key that appeared is somebody else's.
        State::CreatingKey if seen.new_key_in_a_file => Forget,
        State::CreatingKey => match (seen.new_key, seen.new_secret_in_hand) {
            (KeyIs::Absent, _) => Forget,
            (KeyIs::Active | KeyIs::Inactive, true) => BackOut,
            (KeyIs::Active | KeyIs::Inactive, false) => DeleteOrphan,
            (KeyIs::Unknown, _) => Stop("whether AWS made a key is not known yet"),
            (KeyIs::Several, _) => Stop("several keys appeared since, and any of them may be the one"),
        },
        State::KeyCreated | State::KeyVerified | State::Aborting => before_installed(state, intent, seen),
        State::Installed => installed(seen),
        State::OldKeyInactive if intent == Some(Effect::DeleteOldKey) => {
            deleting(seen.files, seen.files == FilesHold::OldPair, seen.old_key)
        }
        State::OldKeyInactive => old_key_inactive(seen),
        State::Undoing | State::OldKeyActive | State::OldKeyVerified | State::OldPairInstalled => {
            undoing(seen)
        }
        State::Undone if intent == Some(Effect::DeleteNewKey) => {
            deleting(seen.files, seen.new_key_in_a_file, seen.new_key)
        }
        State::Undone => undone(seen),
    }
}

fn before_installed(state: State, intent: Option<Effect>, seen: Observation) -> Decision {
    use Decision::{BackOut, RollForward, Stop};
    match (seen.files, seen.new_key) {
        // The rename was done and its record was not.
        (FilesHold::NewPair, KeyIs::Active) => RollForward(State::Installed),
        (FilesHold::NewPair, KeyIs::Absent | KeyIs::Inactive) if seen.old_key == KeyIs::Active => {
            Stop("the files hold the new key, which AWS refuses, while the old one is active")
        }
        (FilesHold::NewPair, _) => Stop("the files hold the new key, and AWS could not be asked about it"),
        // Some of several files may be done: the point of no return is passed.
        (FilesHold::OldPair, KeyIs::Active)
            if intent == Some(Effect::Install) && state != State::Aborting && seen.new_secret_in_hand =>
        {
            RollForward(State::KeyVerified)
        }
        (FilesHold::Unreadable, _) => Stop(UNREADABLE),
        (_, KeyIs::Unknown | KeyIs::Several) => Stop(NEW_UNKNOWN),
        (FilesHold::OldPair | FilesHold::AnotherPair | FilesHold::Nothing, _) if seen.new_key_in_a_file => {
            Stop("some of the files hold the new key, and others do not")
        }
        (FilesHold::OldPair | FilesHold::AnotherPair | FilesHold::Nothing, _) => BackOut,
    }
}

fn installed(seen: Observation) -> Decision {
    use Decision::{RollForward, Stop};
    match (seen.files, seen.new_key) {
        (FilesHold::NewPair, KeyIs::Active) => RollForward(State::Installed),
        (FilesHold::NewPair, _) => Stop("the files hold the new key, and AWS does not say that it is active"),
        (FilesHold::OldPair, KeyIs::Active) if seen.new_secret_in_hand => RollForward(State::KeyVerified),
        (FilesHold::OldPair, _) => {
            Stop("another program put the old key back, and the new one is not at hand")
        }
        (FilesHold::AnotherPair, _) => Stop(THIRD_KEY),
        (FilesHold::Nothing, _) => Stop(NOT_IN_FILE),
        (FilesHold::Unreadable, _) => Stop(UNREADABLE),
    }
}

/// At rest. Only an old pair that another program put back, and that AWS refuses, is something to mend.
fn old_key_inactive(seen: Observation) -> Decision {
    use Decision::{Nothing, RollForward, Stop};
    match (seen.files, seen.old_key) {
        (FilesHold::NewPair | FilesHold::AnotherPair | FilesHold::Nothing, _) => Nothing,
        (FilesHold::Unreadable, _) => Stop(UNREADABLE),
        // Taken back by hand.
        (FilesHold::OldPair, KeyIs::Active) => Nothing,
        (FilesHold::OldPair, KeyIs::Unknown | KeyIs::Several) => Stop(OLD_UNKNOWN),
        (FilesHold::OldPair, KeyIs::Inactive | KeyIs::Absent) => match seen.new_key {
            KeyIs::Active if seen.new_secret_in_hand => RollForward(State::KeyVerified),
            KeyIs::Active => Stop("another program put the old key back, and the new one is not at hand"),
            KeyIs::Inactive | KeyIs::Absent => {
                Stop("the files hold the old key, and AWS accepts neither it nor the new one")
            }
            KeyIs::Unknown | KeyIs::Several => Stop(NEW_UNKNOWN),
        },
    }
}

fn undoing(seen: Observation) -> Decision {
    use Decision::{AbandonUndo, Stop, Undo};
    match (seen.files, seen.old_key) {
        (FilesHold::Unreadable, _) => Stop(UNREADABLE),
        (FilesHold::AnotherPair, _) => Stop(THIRD_KEY),
        (FilesHold::Nothing, _) => Stop(NOT_IN_FILE),
        (FilesHold::OldPair | FilesHold::NewPair, KeyIs::Unknown | KeyIs::Several) => Stop(OLD_UNKNOWN),
        (FilesHold::OldPair | FilesHold::NewPair, KeyIs::Active | KeyIs::Inactive)
            if seen.old_secret_in_hand =>
        {
            Undo
        }
        (FilesHold::NewPair, KeyIs::Active | KeyIs::Inactive) => AbandonUndo("the old secret is lost"),
        (FilesHold::NewPair, KeyIs::Absent) => AbandonUndo("AWS does not have the old key any more"),
        (FilesHold::OldPair, KeyIs::Active | KeyIs::Inactive | KeyIs::Absent) => {
            Stop("the files hold the old key, and it cannot be taken back")
        }
    }
}

/// At rest, the other way round.
fn undone(seen: Observation) -> Decision {
    use Decision::{Nothing, Stop, Undo};
    match (seen.new_key_in_a_file, seen.new_key) {
        (false, _) | (true, KeyIs::Active) => Nothing,
        (true, KeyIs::Unknown | KeyIs::Several) => Stop(NEW_UNKNOWN),
        (true, KeyIs::Inactive | KeyIs::Absent) => match seen.old_key {
            KeyIs::Active if seen.old_secret_in_hand => Undo,
            KeyIs::Active => Stop("another program put the new key back, and the old one is not at hand"),
            KeyIs::Inactive | KeyIs::Absent => {
                Stop("the files hold the new key, and AWS accepts neither it nor the old one")
            }
            KeyIs::Unknown | KeyIs::Several => Stop(OLD_UNKNOWN),
        },
    }
}

/// Whether it had been used was asked before the deletion was begun.
fn deleting(files: FilesHold, is_in_a_file: bool, key: KeyIs) -> Decision {
    if is_in_a_file {
        return Decision::Keep("a file holds it again");
    }
    match (files, key) {
        (FilesHold::Unreadable, _) => Decision::Stop(UNREADABLE),
        (_, KeyIs::Absent | KeyIs::Inactive) => Decision::FinishDeleting,
        (_, KeyIs::Active) => Decision::Keep("it is active again"),
        (_, KeyIs::Unknown | KeyIs::Several) => {
            Decision::Stop("AWS could not be asked about the superseded key")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const FILES: [FilesHold; 5] = [
        FilesHold::OldPair,
        FilesHold::NewPair,
        FilesHold::AnotherPair,
        FilesHold::Nothing,
        FilesHold::Unreadable,
    ];
    const KEYS: [KeyIs; 5] = [
        KeyIs::Absent,
        KeyIs::Active,
        KeyIs::Inactive,
        KeyIs::Unknown,
        KeyIs::Several,
    ];
    const INTENTS: [Option<Effect>; 4] = [
        None,
        Some(Effect::Install),
        Some(Effect::DeleteOldKey),
        Some(Effect::DeleteNewKey),
    ];

    /// Every combination that can be found: files that all hold the new key hold it in one, and what a file
    /// holds is in hand.
    fn every_case() -> Vec<(State, Option<Effect>, Observation)> {
        let mut cases = Vec::new();
        let both = [true, false];
        for state in State::ALL {
            for intent in INTENTS {
                for (files, new_key) in FILES.into_iter().flat_map(|files| KEYS.map(|key| (files, key))) {
                    for (old_key, new_secret_in_hand) in KEYS
                        .into_iter()
                        .flat_map(|key| both.map(|in_hand| (key, in_hand)))
                    {
                        for (old_secret_in_hand, new_key_in_a_file) in both
                            .into_iter()
                            .flat_map(|in_hand| both.map(|in_file| (in_hand, in_file)))
                        {
                            let seen = Observation {
                                files,
                                new_key,
                                old_key,
                                new_secret_in_hand,
                                old_secret_in_hand,
                                new_key_in_a_file,
                            };
                            if is_possible(seen) {
                                cases.push((state, intent, seen));
                            }
                        }
                    }
                }
            }
        }
        cases
    }

    fn is_possible(seen: Observation) -> bool {
        (seen.files != FilesHold::NewPair || seen.new_key_in_a_file)
            && (seen.files != FilesHold::Nothing || !seen.new_key_in_a_file)
            && (seen.files != FilesHold::OldPair || seen.old_secret_in_hand)
            && (!seen.new_key_in_a_file || seen.new_secret_in_hand)
    }

    /// The whole table, so that a change of any decision is seen and has to be meant: what the files hold, what
    /// AWS says of the new key, then of the old one, and which secrets are in hand.
    #[test]
    fn every_decision_is_as_it_was_reviewed() {
        let mut table = String::new();
        for state in State::ALL {
            for intent in INTENTS {
                let intended = intent.map_or_else(String::new, |effect| format!(", intent {effect:?}"));
                if intent.is_some() && !matters(state, intent) {
                    continue;
                }
                let mut rows: Vec<(String, Vec<String>)> = Vec::new();
                for files in FILES {
                    for new_key in KEYS {
                        let cells = over_old_keys(state, intent, files, new_key);
                        let name = format!("files {files:?}, new ");
                        match rows.last_mut() {
                            Some((known, names)) if *known == cells && names[0] == name => {
                                names.push(format!("{new_key:?}"));
                            }
                            _ => rows.push((cells, vec![name, format!("{new_key:?}")])),
                        }
                    }
                }
                let first = &rows[0].0;
                if rows.iter().all(|(cells, _)| cells == first) {
                    let _ = writeln!(table, "{state:?}{intended}: always {first}");
                    continue;
                }
                let _ = writeln!(table, "{state:?}{intended}");
                for (cells, names) in rows {
                    let _ = writeln!(table, "  {}{}: {cells}", names[0], names[1..].join("/"));
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    /// The decisions over what AWS says of the old key, those that are the same together.
    fn over_old_keys(state: State, intent: Option<Effect>, files: FilesHold, new_key: KeyIs) -> String {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for old_key in KEYS {
            let decision = over_secrets(state, intent, files, new_key, old_key);
            match groups.iter_mut().find(|(known, _)| *known == decision) {
                Some((_, keys)) => keys.push(format!("{old_key:?}")),
                None => groups.push((decision, vec![format!("{old_key:?}")])),
            }
        }
        if let [(only, _)] = &groups[..] {
            return only.clone();
        }
        let groups: Vec<String> = groups
            .iter()
            .map(|(decision, keys)| format!("\n    old {}: {decision}", keys.join("/")))
            .collect();
        groups.concat()
    }

    /// The decisions over which secrets are in hand, those that are the same together.
    fn over_secrets(
        state: State,
        intent: Option<Effect>,
        files: FilesHold,
        new_key: KeyIs,
        old_key: KeyIs,
    ) -> String {
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        for (in_hand, new, old) in [
            ("neither", false, false),
            ("new", true, false),
            ("old", false, true),
            ("both", true, true),
        ] {
            let seen = Observation {
                files,
                new_key,
                old_key,
                new_secret_in_hand: new,
                old_secret_in_hand: old,
                new_key_in_a_file: files == FilesHold::NewPair,
            };
            if !is_possible(seen) {
                continue;
            }
            let decision = format!("{:?}", reconcile(state, intent, seen));
            match groups.iter_mut().find(|(known, _)| *known == decision) {
                Some((_, hands)) => hands.push(in_hand),
                None => groups.push((decision, vec![in_hand])),
            }
        }
        if let [(only, _)] = &groups[..] {
            return only.clone();
        }
        let groups: Vec<String> = groups
            .iter()
            .map(|(decision, hands)| format!("{decision} with {}", hands.join("/")))
            .collect();
        groups.join(", ")
    }

    /// Whether an intent makes a difference in a state.
    fn matters(state: State, intent: Option<Effect>) -> bool {
        every_case()
            .into_iter()
            .filter(|(of, with, _)| *of == state && *with == intent)
            .any(|(_, _, seen)| reconcile(state, intent, seen) != reconcile(state, None, seen))
    }

    #[test]
    fn a_key_that_a_file_holds_is_never_deleted() {
        for (state, intent, seen) in every_case() {
            let decision = reconcile(state, intent, seen);
            let deletes_new = matches!(decision, Decision::BackOut | Decision::DeleteOrphan)
                || decision == Decision::FinishDeleting && state == State::Undone;
            assert!(!(deletes_new && seen.new_key_in_a_file), "{state:?} {seen:?}");
            let deletes_old = decision == Decision::FinishDeleting && state == State::OldKeyInactive;
            assert!(
                !(deletes_old && seen.files == FilesHold::OldPair),
                "{state:?} {seen:?}"
            );
        }
    }

    #[test]
    fn an_active_superseded_key_is_never_deleted() {
        for (state, intent, seen) in every_case() {
            if reconcile(state, intent, seen) == Decision::FinishDeleting {
                let key = if state == State::Undone {
                    seen.new_key
                } else {
                    seen.old_key
                };
                assert!(
                    matches!(key, KeyIs::Absent | KeyIs::Inactive),
                    "{state:?} {seen:?}"
                );
            }
        }
    }

    #[test]
    fn the_old_key_is_made_inactive_only_under_files_with_an_active_new_one() {
        for (state, intent, seen) in every_case() {
            if reconcile(state, intent, seen) == Decision::RollForward(State::Installed) {
                assert_eq!(
                    (seen.files, seen.new_key),
                    (FilesHold::NewPair, KeyIs::Active),
                    "{state:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_installed_without_its_secret() {
        for (state, intent, seen) in every_case() {
            match reconcile(state, intent, seen) {
                Decision::RollForward(State::KeyVerified) => assert!(
                    seen.new_secret_in_hand && seen.new_key == KeyIs::Active,
                    "{state:?} {seen:?}"
                ),
                Decision::Undo => assert!(
                    seen.old_secret_in_hand && matches!(seen.old_key, KeyIs::Active | KeyIs::Inactive),
                    "{state:?} {seen:?}"
                ),
                Decision::Forget
                | Decision::RollForward(_)
                | Decision::BackOut
                | Decision::DeleteOrphan
                | Decision::AbandonUndo(_)
                | Decision::FinishDeleting
                | Decision::Keep(_)
                | Decision::Nothing
                | Decision::Stop(_) => {}
            }
        }
    }

    #[test]
    fn what_aws_did_not_say_deletes_nothing() {
        for (state, intent, seen) in every_case() {
            let decision = reconcile(state, intent, seen);
            if matches!(seen.new_key, KeyIs::Unknown | KeyIs::Several) {
                assert!(
                    !matches!(decision, Decision::BackOut | Decision::DeleteOrphan),
                    "{state:?} {seen:?}"
                );
            }
            if decision == Decision::FinishDeleting {
                let key = if state == State::Undone {
                    seen.new_key
                } else {
                    seen.old_key
                };
                assert!(
                    !matches!(key, KeyIs::Unknown | KeyIs::Several),
                    "{state:?} {seen:?}"
                );
            }
        }
    }
}
