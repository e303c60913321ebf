//! The verdicts in words: one sentence each, with the days that decide. Pure.

use std::borrow::Cow;
use std::fmt;

use super::SECONDS_A_DAY;
use crate::audit::text::Decimal;
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
    /// One sentence with the days in it. Those of which there are millions are put together by hand.
    pub(super) fn told(self, outcome: Outcome, limits: Limits) -> Cow<'static, str> {
        match self {
            Self::RootHasKey => "the root user has an active access key".into(),
            Self::RootHasNoKey => "the root user has no active access key".into(),
            Self::RootKeyIsThere => {
                "the root user has an access key; whether it is active is not said".into()
            }
            Self::RootIsNotSaid => "it is not said whether the root user has an access key".into(),
            Self::UsedSinceSetup => "the user has a console password, and the key is used".into(),
            Self::NeverUsedSinceSetup { with_the_user } => match with_the_user {
                true => "made together with a console user, and no use is recorded".into(),
                false => "the user has a console password, and the key has no recorded use".into(),
            },
            Self::SetupUseIsNotSaid => {
                "it is not said whether the user has a password and the key was used".into()
            }
            Self::Age { seconds } => age(outcome, seconds, limits.max_age_days).into(),
            Self::AgeIsNotSaid => "it is not said whether the key is active and when it was made".into(),
            Self::Disuse { what, of, seconds } => {
                disuse(outcome, what, of, seconds, limits.unused_days).into()
            }
            Self::DisuseIsNotSaid(what) => format!("it is not said since when the {what} is unused").into(),
            Self::LastChangeIsNotSaid(what) => {
                format!("the {what} has no recorded use, and it is not said when it was last changed").into()
            }
            Self::ActiveKeys(count) => match count {
                0 => "the user has no active key".into(),
                1 => "the user has one active key".into(),
                _ => format!("the user has {count} active keys").into(),
            },
            Self::ActiveKeysAreNotSaid => "it is not said which of the user's keys are active".into(),
        }
    }
}

/// Whole days.
pub(super) fn days(seconds: i64) -> u32 {
    u32::try_from(seconds / SECONDS_A_DAY).unwrap_or(u32::MAX)
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Password => "password",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn age(outcome: Outcome, seconds: i64, limit: u32) -> String {
    let mut text = sentence("the key is ");
    push_days(&mut text, days(seconds));
    if outcome == Outcome::Fail && days(seconds) == limit {
        // On the very day of the limit whole days do not show which side of it the key is.
        let rest = seconds % SECONDS_A_DAY;
        text.push_str(&format!(
            " {}:{:02}:{:02}",
            rest / 3600,
            rest / 60 % 60,
            rest % 60
        ));
    }
    text.push_str(" old");
    push_limit(&mut text, outcome, limit);
    text
}

fn disuse(outcome: Outcome, what: What, of: Since, seconds: i64, limit: u32) -> String {
    let mut text = sentence("the ");
    text.push_str(what.name());
    let (before, after) = match of {
        Since::LastUse => (" was last used ", " ago"),
        // `N/A` and `no_information` are never, or no data: the report cannot tell which.
        Since::Creation => (" has no recorded use in its ", ""),
        Since::CreationAtMost => (" is ", " old at most"),
    };
    text.push_str(before);
    push_days(&mut text, days(seconds));
    text.push_str(after);
    push_limit(&mut text, outcome, limit);
    text
}

/// Begins a sentence, with room for the longest.
fn sentence(begin: &str) -> String {
    let mut text = String::with_capacity(80);
    text.push_str(begin);
    text
}

fn push_days(text: &mut String, days: u32) {
    text.push_str(Decimal::of(days).as_str());
    text.push_str(if days == 1 { " day" } else { " days" });
}

/// Only a failure names the limit.
fn push_limit(text: &mut String, outcome: Outcome, limit: u32) {
    if outcome == Outcome::Fail {
        text.push_str(", the limit is ");
        push_days(text, limit);
    }
}
