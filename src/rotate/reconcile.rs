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
    /// It is over already.
    Nothing,
    /// Touch nothing and say why.
    Stop(&'static str),
}

/// Decides. `intent` is an effect that was intended and may or may not have been had.
pub fn reconcile(state: State, intent: Option<Effect>, seen: Observation) -> Decision {
    use Decision::{BackOut, DeleteOrphan, Forget, Nothing, RollForward, Stop};
    match state {
        State::Planned => Forget,
        State::Aborted | State::OldKeyDeleted => Nothing,
        State::CreatingKey => match (seen.new_key, seen.new_secret_in_hand) {
            (KeyIs::Absent, _) => Forget,
            (KeyIs::Active | KeyIs::Inactive, true) => BackOut,
            (KeyIs::Active | KeyIs::Inactive, false) => DeleteOrphan,
            (KeyIs::Unknown, _) => Stop("whether AWS made a key is not known yet"),
            (KeyIs::Several, _) => Stop("several keys appeared since, and any of them may be the one"),
        },
        State::KeyCreated | State::KeyVerified | State::Aborting => match (seen.files, seen.new_key) {
            // The rename was done and its record was not.
            (FilesHold::NewPair, KeyIs::Active) => RollForward(State::Installed),
            (FilesHold::NewPair, KeyIs::Absent | KeyIs::Inactive) if seen.old_key == KeyIs::Active => {
                Stop("the files hold the new key, which AWS refuses, while the old one is active")
            }
            (FilesHold::NewPair, _) => {
                Stop("the files hold the new key, and AWS could not be asked about it")
            }
            // Some of several files may be done: the point of no return is passed.
            (FilesHold::OldPair, KeyIs::Active)
                if intent == Some(Effect::Install) && state != State::Aborting && seen.new_secret_in_hand =>
            {
                RollForward(State::KeyVerified)
            }
            (FilesHold::Unreadable, _) => {
                Stop("a file of the rotation cannot be read, so nothing is touched")
            }
            (_, KeyIs::Unknown | KeyIs::Several) => Stop("AWS could not be asked about the new key"),
            (FilesHold::OldPair | FilesHold::AnotherPair | FilesHold::Nothing, _)
                if seen.new_key_in_a_file =>
            {
                Stop("some of the files hold the new key, and others do not")
            }
            (FilesHold::OldPair | FilesHold::AnotherPair | FilesHold::Nothing, _) => BackOut,
        },
        State::Installed | State::OldKeyInactive => match (seen.files, seen.new_key) {
            (FilesHold::NewPair, KeyIs::Active) if state == State::OldKeyInactive => Nothing,
            (FilesHold::NewPair, KeyIs::Active) => RollForward(State::Installed),
            (FilesHold::NewPair, _) => {
                Stop("the files hold the new key, and AWS does not say that it is active")
            }
            (FilesHold::OldPair, KeyIs::Active) if seen.new_secret_in_hand => RollForward(State::KeyVerified),
            (FilesHold::OldPair, _) => {
                Stop("another program put the old key back, and the new one is not at hand")
            }
            (FilesHold::AnotherPair, _) => Stop("the files hold a third key, which keyagent did not make"),
            (FilesHold::Nothing, _) => Stop("the profile is not in the file any more"),
            (FilesHold::Unreadable, _) => {
                Stop("a file of the rotation cannot be read, so nothing is touched")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 9] = [
        State::Planned,
        State::CreatingKey,
        State::KeyCreated,
        State::KeyVerified,
        State::Installed,
        State::OldKeyInactive,
        State::OldKeyDeleted,
        State::Aborting,
        State::Aborted,
    ];
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

    fn every_case() -> impl Iterator<Item = (State, Option<Effect>, Observation)> {
        STATES.into_iter().flat_map(|state| {
            [None, Some(Effect::Install)].into_iter().flat_map(move |intent| {
                FILES.into_iter().flat_map(move |files| {
                    KEYS.into_iter().flat_map(move |new_key| {
                        KEYS.into_iter().flat_map(move |old_key| {
                            // A key in a file is in hand; files that all hold it hold it in one.
                            [(true, true), (true, false), (false, false)]
                                .into_iter()
                                .filter_map(move |(new_secret_in_hand, new_key_in_a_file)| {
                                    let possible = files != FilesHold::NewPair || new_key_in_a_file;
                                    let seen = Observation {
                                        files,
                                        new_key,
                                        old_key,
                                        new_secret_in_hand,
                                        new_key_in_a_file,
                                    };
                                    possible.then_some((state, intent, seen))
                                })
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn a_key_that_a_file_holds_is_never_deleted() {
        for (state, intent, seen) in every_case() {
            let decision = reconcile(state, intent, seen);
            // Before there is an answer from AWS nothing was installed, and no file can hold the key.
            let deletes = matches!(decision, Decision::BackOut) && state != State::CreatingKey;
            assert!(!(deletes && seen.new_key_in_a_file), "{state:?} {seen:?}");
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
            if reconcile(state, intent, seen) == Decision::RollForward(State::KeyVerified) {
                assert!(
                    seen.new_secret_in_hand && seen.new_key == KeyIs::Active,
                    "{state:?} {seen:?}"
                );
            }
        }
    }

    #[test]
    fn what_aws_did_not_say_deletes_nothing() {
        for (state, intent, seen) in every_case() {
            if !matches!(seen.new_key, KeyIs::Unknown | KeyIs::Several) {
                continue;
            }
            let decision = reconcile(state, intent, seen);
            assert!(
                !matches!(decision, Decision::BackOut | Decision::DeleteOrphan),
                "{state:?} {seen:?}"
            );
        }
    }
}
