//! Hours of the day in which nothing is shown. Pure: the time comes in as a value.

use std::fmt;

use jiff::civil::Time;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// From one time of the day to another, over midnight if the second is the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from: Time,
    to: Time,
}

impl QuietHours {
    /// Reads `22:00-07:30`; `no` means none.
    pub(super) fn parse(value: &str) -> Result<Option<Self>, String> {
        if value == "no" {
            return Ok(None);
        }
        let read = || {
            let (from, to) = value.split_once('-')?;
            let (from, to) = (time(from)?, time(to)?);
            (from != to).then_some(Self { from, to })
        };
        match read() {
            Some(hours) => Ok(Some(hours)),
            None => Err(format!("`{value}` are no hours such as 22:00-07:30, nor no")),
        }
    }

    #[cfg(all(test, feature = "desktop"))]
    pub(crate) fn for_tests(value: &str) -> Option<Self> {
        Self::parse(value).expect("a test writes valid hours")
    }

    fn contains(self, time: Time) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        }
    }

    /// The first moment from `at` on that is not quiet.
    pub fn after(self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        let local = at.to_zoned_datetime(zone.clone());
        if !self.contains(local.time()) {
            return at;
        }
        let mut day = local.date();
        if local.time() >= self.to {
            day = day.saturating_add(1.day());
        }
        day.to_datetime(self.to)
            .to_zoned_datetime(zone.clone())
            .map_or(at, |end| end.timestamp())
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from.strftime("%H:%M"), self.to.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(hours: &str, at: &str) -> String {
        let hours = QuietHours::parse(hours).unwrap().unwrap();
        hours.after(at.parse().unwrap(), &TimeZone::UTC).to_string()
    }

    #[test]
    fn quiet_hours_end_on_the_right_day() {
        for (hours, at, expected) in [
            ("22:00-07:30", "2026-11-25T21:59:59Z", "2026-11-25T21:59:59Z"),
            ("22:00-07:30", "2026-11-25T22:00:00Z", "2026-11-26T07:30:00Z"),
            ("22:00-07:30", "2026-11-25T03:00:00Z", "2026-11-25T07:30:00Z"),
            ("22:00-07:30", "2026-11-25T07:30:00Z", "2026-11-25T07:30:00Z"),
            ("12:00-13:00", "2026-11-25T12:30:00Z", "2026-11-25T13:00:00Z"),
            ("12:00-13:00", "2026-11-25T13:30:00Z", "2026-11-25T13:30:00Z"),
        ] {
            assert_eq!(after(hours, at), expected, "{hours} at {at}");
        }
    }

    #[test]
    fn what_are_no_hours_is_refused() {
        for wrong in ["", "22-7", "22:00", "25:00-07:00", "07:00-07:00", "22:00-07:60"] {
            assert!(QuietHours::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(QuietHours::parse("no"), Ok(None));
    }
}
