//! When a key is due. Pure: the time comes in as a value.

use jiff::Timestamp;
use serde::Serialize;

/// The limits of the settings file, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// A key older than this is overdue. CIS: 90.
    pub max_age_days: u32,
    /// So many days before, it is due.
    pub warn_days: u32,
}

/// How a key stands against the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Freshness {
    /// Nothing to do.
    Fresh,
    /// Within `warn_days` of the limit.
    Due,
    /// Past the limit.
    Overdue,
    /// AWS has not said when it was created.
    Unknown,
}

const SECONDS_A_DAY: i64 = 86_400;

/// Judges by the second, as CIS does: a key of exactly `max_age_days` is not yet past them.
pub fn freshness(created: Option<Timestamp>, now: Timestamp, limits: Limits) -> Freshness {
    let Some(created) = created else {
        return Freshness::Unknown;
    };
    let age = now.as_second() - created.as_second();
    let limit = i64::from(limits.max_age_days) * SECONDS_A_DAY;
    let warning = i64::from(limits.warn_days) * SECONDS_A_DAY;
    if age > limit {
        Freshness::Overdue
    } else if age >= limit - warning {
        Freshness::Due
    } else {
        Freshness::Fresh
    }
}

/// Whole days since; a time in the future, from a clock that is off, counts as today.
pub fn days_since(then: Timestamp, now: Timestamp) -> u32 {
    u32::try_from((now.as_second() - then.as_second()).max(0) / SECONDS_A_DAY).unwrap_or(u32::MAX)
}

/// `1 day`, `2 days`.
pub fn in_days(days: u32) -> String {
    format!("{days} {}", if days == 1 { "day" } else { "days" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_age_days: 90,
        warn_days: 14,
    };

    fn at(age: i64) -> Freshness {
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        freshness(
            Some(Timestamp::from_second(2_000_000_000 - age).unwrap()),
            now,
            LIMITS,
        )
    }

    #[test]
    fn the_limits_hold_to_the_second() {
        assert_eq!(at(0), Freshness::Fresh);
        assert_eq!(at(76 * SECONDS_A_DAY - 1), Freshness::Fresh);
        assert_eq!(at(76 * SECONDS_A_DAY), Freshness::Due);
        assert_eq!(at(90 * SECONDS_A_DAY), Freshness::Due);
        assert_eq!(at(90 * SECONDS_A_DAY + 1), Freshness::Overdue);
    }

    #[test]
    fn a_clock_behind_awss_makes_no_key_older() {
        assert_eq!(at(-3600), Freshness::Fresh);
    }

    #[test]
    fn what_aws_did_not_say_is_unknown() {
        assert_eq!(freshness(None, Timestamp::UNIX_EPOCH, LIMITS), Freshness::Unknown);
    }
}
