//! The verdicts in words: one sentence each, with the days that decide. Pure.

use std::fmt;

use super::SECONDS_A_DAY;
use crate::audit::{Limits, Outcome};

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    RootHasKey,
    RootHasNoKey,
    RootKeyIsThere,
    RootIsNotSaid,
    UsedSinceSetup,
    NeverUsedSinceSetup { with_the_user: bool },
    SetupUseIsNotSaid,
    Age { seconds: i64 },
    AgeIsNotSaid,
    Disuse { what: What, of: Since, seconds: i64 },
    DisuseIsNotSaid(What),
    LastChangeIsNotSaid(What),
    ActiveKeys(u8),
    ActiveKeysAreNotSaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Key,
    Password,
}

/// What the days of disuse count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    LastUse,
    Creation,
    /// It was made so short a time ago that nothing else matters.
    CreationAtMost,
}

impl Why {
    /// One sentence with the days in it.
    pub(super) fn told(self, outcome: Outcome, limits: Limits) -> String {
        match self {
            Self::RootHasKey => "the root user has an active access key".into(),
            Self::RootHasNoKey => "the root user has no active access key".into(),
            Self::RootKeyIsThere => {
                "the root user has an access key; whether it is active is not said".into()
            }
            Self::RootIsNotSaid => "it is not said whether the root user has an access key".into(),
            Self::UsedSinceSetup => "the user has a console password, and the key is used".into(),
            Self::NeverUsedSinceSetup { with_the_user } => match with_the_user {
                true => "made together with a console user, and never used".into(),
                false => "the user has a console password, and the key was never used".into(),
            },
            Self::SetupUseIsNotSaid => {
                "it is not said whether the user has a password and the key was used".into()
            }
            Self::Age { seconds } => {
                let limit = limits.max_age_days;
                match outcome {
                    Outcome::Fail => format!(
                        "the key is {} old, the limit is {}",
                        Days::exact_at(seconds, limit),
                        Days::of(limit)
                    ),
                    Outcome::Pass | Outcome::Unknown => {
                        format!("the key is {} old", Days::of(days(seconds)))
                    }
                }
            }
            Self::AgeIsNotSaid => "it is not said whether the key is active and when it was made".into(),
            Self::Disuse { what, of, seconds } => {
                let passed = Days::of(days(seconds));
                let told = match of {
                    Since::LastUse => format!("the {what} was last used {passed} ago"),
                    Since::Creation => format!("the {what} was never used in its {passed}"),
                    Since::CreationAtMost => format!("the {what} is {passed} old at most"),
                };
                match outcome {
                    Outcome::Fail => format!("{told}, the limit is {}", Days::of(limits.unused_days)),
                    Outcome::Pass | Outcome::Unknown => told,
                }
            }
            Self::DisuseIsNotSaid(what) => format!("it is not said since when the {what} is unused"),
            Self::LastChangeIsNotSaid(what) => {
                format!("the {what} was never used, and it is not said when it was last changed")
            }
            Self::ActiveKeys(count) => match count {
                0 => "the user has no active key".into(),
                1 => "the user has one active key".into(),
                _ => format!("the user has {count} active keys"),
            },
            Self::ActiveKeysAreNotSaid => "it is not said which of the user's keys are active".into(),
        }
    }
}

/// Whole days.
pub(super) fn days(seconds: i64) -> u32 {
    u32::try_from(seconds / SECONDS_A_DAY).unwrap_or(u32::MAX)
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Password => "password",
        })
    }
}

/// Days in words. On the very day of a limit whole days do not show which side of it they are.
struct Days {
    days: u32,
    rest: Option<i64>,
}

impl Days {
    fn of(days: u32) -> Self {
        Self { days, rest: None }
    }

    fn exact_at(seconds: i64, limit: u32) -> Self {
        Self {
            days: days(seconds),
            rest: (days(seconds) == limit).then_some(seconds % SECONDS_A_DAY),
        }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.days == 1 { "" } else { "s" };
        write!(f, "{} day{plural}", self.days)?;
        match self.rest {
            Some(rest) => write!(f, " {}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60),
            None => Ok(()),
        }
    }
}
