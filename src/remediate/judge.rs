//! Whether a key may be changed, from what AWS says of it. Pure: the time comes in as a value.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Claim, Examined, Seen};
use crate::access_key::AccessKeyId;
use crate::iam::{self, AccessKeyStatus, LastUsed};

/// IAM is eventually consistent: a use shortly after a key was made inactive does not show that somebody has made it
/// active in between.
const STRAGGLERS: SignedDuration = SignedDuration::from_mins(15);

/// What is done, and what is allowed with it.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// What is done.
    pub action: Action,
    /// `--force`: delete an active key, or one whose last use AWS does not say.
    pub force: bool,
    /// The key that signs; `None` with `--self`.
    pub protected: Option<AccessKeyId>,
    /// The time.
    pub now: Timestamp,
    /// So long after it was sent, a call whose reply was lost takes effect no more.
    pub settles_after: SignedDuration,
}

/// What is to become of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is to be changed.
    Change,
    /// It stays as it is.
    Leave(Left),
}

/// Why a key stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// It is as it is to be.
    Already(Action),
    /// The user does not have it.
    NotListed,
    /// AWS does not say whether it is active.
    StatusUnknown(iam::Error),
    /// It signs this very call.
    OwnKey(Action),
    /// It is active, and only inactive keys are deleted.
    StillActive,
    /// AWS does not say when it was last used.
    LastUseUnknown(iam::Error),
    /// It was found unused, and is used.
    UsedSince(LastUsed),
    /// Somebody has made it active after the run, and inactive again.
    ActiveInBetween(LastUsed),
    /// A later run of ours has changed it.
    ChangedByRun {
        /// Its name.
        run: String,
        /// What it does.
        action: Action,
    },
    /// The run's call had no effect.
    NeverChanged,
    /// The run's call may still take effect.
    Undecided(Timestamp),
}

/// How much it matters that a key stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// All is as it is to be.
    Fine,
    /// A person has to look at it.
    ForTheUser,
    /// What was asked for could not be done.
    Failure,
}

impl Left {
    /// Why, for the user: it follows `AKIA… of ann: `.
    pub fn why(&self) -> String {
        match self {
            Self::Already(action) => format!("it is {} already", action.result()),
            Self::NotListed => "AWS does not list it among the user's keys".into(),
            Self::StatusUnknown(error) => format!("AWS does not say whether it is active: {error}"),
            Self::OwnKey(action) => {
                format!("it signs this command, which would {} its own key", action.verb())
            }
            Self::StillActive => "it is active, and only an inactive key is deleted".into(),
            Self::LastUseUnknown(error) => {
                format!("when it was last used is unknown, which is not never: {error}")
            }
            Self::UsedSince(used) => format!("it was used since it was found unused: {}", used.told()),
            Self::ActiveInBetween(used) => {
                format!(
                    "somebody has made it active since, and inactive again: used {}",
                    used.told()
                )
            }
            Self::ChangedByRun {
                run,
                action: Action::Enable,
            } => format!("run {run} has put it back already"),
            Self::ChangedByRun { run, action } => format!("run {run} was to {} it since", action.verb()),
            Self::NeverChanged => "the run was refused: it has not changed it".into(),
            Self::Undecided(until) => format!(
                "whether the run's call takes effect is certain only after {}",
                until.strftime("%H:%M:%S UTC")
            ),
        }
    }

    /// How much it matters. A key that somebody named must be changed; one of many may have been settled by others.
    pub fn weight(&self, claim: Claim) -> Weight {
        let is_named = claim == Claim::Named;
        match self {
            Self::Already(_) | Self::NeverChanged => Weight::Fine,
            Self::UsedSince(_) => Weight::Fine,
            Self::ChangedByRun {
                action: Action::Enable,
                ..
            } => Weight::Fine,
            Self::NotListed if claim == Claim::Found || matches!(claim, Claim::Unused { .. }) => Weight::Fine,
            Self::NotListed | Self::OwnKey(_) | Self::StillActive if is_named => Weight::Failure,
            Self::NotListed
            | Self::OwnKey(_)
            | Self::StillActive
            | Self::ActiveInBetween(_)
            | Self::ChangedByRun { .. } => Weight::ForTheUser,
            Self::StatusUnknown(_) | Self::LastUseUnknown(_) | Self::Undecided(_) => Weight::Failure,
        }
    }
}

/// Judges one key.
pub fn judge(examined: &Examined, conditions: &Conditions) -> Verdict {
    let id = &examined.target.access_key_id;
    let (status, last_used) = match &examined.seen {
        Seen::Listed {
            status, last_used, ..
        } => (*status, last_used),
        Seen::NotListed => return Verdict::Leave(Left::NotListed),
        Seen::Unknown(error) => return Verdict::Leave(Left::StatusUnknown(error.clone())),
    };
    let action = conditions.action;
    if action.is_reached(Some(status)) {
        return Verdict::Leave(match examined.target.claim {
            Claim::Disabled {
                at,
                is_settled: false,
            } => not_disabled(at, conditions),
            Claim::Named | Claim::Found | Claim::Unused { .. } | Claim::Disabled { .. } => {
                Left::Already(action)
            }
        });
    }
    match action {
        Action::Disable | Action::Delete if conditions.protected.as_ref() == Some(id) => {
            return Verdict::Leave(Left::OwnKey(action));
        }
        Action::Delete if !conditions.force => {
            if status == AccessKeyStatus::Active {
                return Verdict::Leave(Left::StillActive);
            }
            if let Err(error) = last_used {
                return Verdict::Leave(Left::LastUseUnknown(error.clone()));
            }
        }
        Action::Disable | Action::Enable | Action::Delete => {}
    }
    match (examined.target.claim, last_used) {
        (Claim::Unused { .. }, Err(error)) => Verdict::Leave(Left::LastUseUnknown(error.clone())),
        (Claim::Unused { since }, Ok(Some(used))) if used.date > since => {
            Verdict::Leave(Left::UsedSince(used.clone()))
        }
        (Claim::Disabled { at, .. }, Ok(Some(used))) if is_long_after(used.date, at) => {
            Verdict::Leave(Left::ActiveInBetween(used.clone()))
        }
        (Claim::Named | Claim::Found | Claim::Unused { .. } | Claim::Disabled { .. }, _) => Verdict::Change,
    }
}

/// A call that was lost and has not taken effect so far.
fn not_disabled(intended_at: Timestamp, conditions: &Conditions) -> Left {
    let until = intended_at
        .saturating_add(conditions.settles_after)
        .unwrap_or(Timestamp::MAX);
    if conditions.now < until {
        Left::Undecided(until)
    } else {
        Left::NeverChanged
    }
}

fn is_long_after(used: Timestamp, disabled: Timestamp) -> bool {
    disabled
        .saturating_add(STRAGGLERS)
        .is_ok_and(|stragglers_until| used > stragglers_until)
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;
    use crate::iam::{ErrorKind, UserName};

    fn id() -> AccessKeyId {
        AccessKeyId::parse(&"A".repeat(20)).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn conditions(action: Action) -> Conditions {
        Conditions {
            action,
            force: false,
            protected: None,
            now: at(10_000),
            settles_after: SignedDuration::from_secs(120),
        }
    }

    fn used(second: i64) -> Result<Option<LastUsed>, iam::Error> {
        Ok(Some(LastUsed {
            date: at(second),
            service: "s3".into(),
            region: "eu-west-1".into(),
        }))
    }

    fn no_answer() -> Result<Option<LastUsed>, iam::Error> {
        Err(iam::Error {
            action: "GetAccessKeyLastUsed",
            kind: ErrorKind::Throttled,
            code: None,
            message: "slow down".into(),
        })
    }

    fn key(
        claim: Claim,
        status: AccessKeyStatus,
        last_used: Result<Option<LastUsed>, iam::Error>,
    ) -> Examined {
        let target = Target {
            user_name: UserName("ann".into()),
            access_key_id: id(),
            claim,
        };
        Examined {
            target,
            seen: Seen::Listed {
                status,
                create_date: at(0),
                last_used,
            },
        }
    }

    use AccessKeyStatus::{Active, Inactive};

    #[test]
    fn an_active_key_is_never_deleted_without_force() {
        for claim in [Claim::Named, Claim::Found, Claim::Unused { since: at(0) }] {
            let key = key(claim, Active, Ok(None));
            let verdict = judge(&key, &conditions(Action::Delete));
            assert_eq!(verdict, Verdict::Leave(Left::StillActive));
        }
        let forced = Conditions {
            force: true,
            ..conditions(Action::Delete)
        };
        assert_eq!(
            judge(&key(Claim::Named, Active, used(9_000)), &forced),
            Verdict::Change
        );
    }

    #[test]
    fn an_unknown_last_use_is_not_never() {
        for (action, claim, status) in [
            (Action::Delete, Claim::Named, Inactive),
            (Action::Delete, Claim::Found, Inactive),
            (Action::Disable, Claim::Unused { since: at(0) }, Active),
        ] {
            let verdict = judge(&key(claim, status, no_answer()), &conditions(action));
            assert!(
                matches!(verdict, Verdict::Leave(Left::LastUseUnknown(_))),
                "{action:?} {claim:?}: {verdict:?}"
            );
        }
        // What can be taken back is done on somebody's word; the plan says that it is unknown.
        let named = key(Claim::Named, Active, no_answer());
        assert_eq!(judge(&named, &conditions(Action::Disable)), Verdict::Change);
    }

    #[test]
    fn force_never_deletes_what_was_found_unused_and_is_used() {
        let forced = Conditions {
            force: true,
            ..conditions(Action::Delete)
        };
        let claim = Claim::Unused { since: at(100) };
        let verdict = judge(&key(claim, Active, used(101)), &forced);
        assert!(matches!(verdict, Verdict::Leave(Left::UsedSince(_))));
        assert_eq!(judge(&key(claim, Active, used(100)), &forced), Verdict::Change);
        let verdict = judge(&key(claim, Active, no_answer()), &forced);
        assert!(matches!(verdict, Verdict::Leave(Left::LastUseUnknown(_))));
    }

    #[test]
    fn the_signing_key_is_left_even_with_force() {
        for action in [Action::Disable, Action::Delete] {
            let own = Conditions {
                force: true,
                protected: Some(id()),
                ..conditions(action)
            };
            let verdict = judge(&key(Claim::Named, Active, Ok(None)), &own);
            assert_eq!(verdict, Verdict::Leave(Left::OwnKey(action)));
        }
    }

    #[test]
    fn a_run_puts_back_only_what_nobody_changed_since() {
        let enable = conditions(Action::Enable);
        let claim = |is_settled| Claim::Disabled {
            at: at(9_950),
            is_settled,
        };
        assert_eq!(
            judge(&key(claim(true), Inactive, used(9_000)), &enable),
            Verdict::Change
        );
        assert_eq!(
            judge(&key(claim(false), Inactive, used(9_960)), &enable),
            Verdict::Change
        );
        let verdict = judge(&key(claim(true), Inactive, used(9_951 + 15 * 60)), &enable);
        assert!(matches!(verdict, Verdict::Leave(Left::ActiveInBetween(_))));
        let verdict = judge(&key(claim(true), Active, Ok(None)), &enable);
        assert_eq!(verdict, Verdict::Leave(Left::Already(Action::Enable)));
    }

    #[test]
    fn a_lost_call_is_undecided_until_it_can_take_effect_no_more() {
        let claim = Claim::Disabled {
            at: at(9_950),
            is_settled: false,
        };
        let mut enable = conditions(Action::Enable);
        let key = key(claim, Active, Ok(None));
        let left = Left::Undecided(at(10_070));
        assert_eq!(left.weight(claim), Weight::Failure);
        assert_eq!(judge(&key, &enable), Verdict::Leave(left));
        enable.now = at(10_070);
        assert_eq!(judge(&key, &enable), Verdict::Leave(Left::NeverChanged));
    }

    #[test]
    fn what_aws_does_not_say_is_a_failure() {
        let mut examined = key(Claim::Found, Active, Ok(None));
        examined.seen = Seen::Unknown(no_answer().unwrap_err());
        for action in [Action::Disable, Action::Enable, Action::Delete] {
            let Verdict::Leave(left) = judge(&examined, &conditions(action)) else {
                panic!("{action:?}")
            };
            assert_eq!(left.weight(Claim::Found), Weight::Failure);
        }
    }
}
