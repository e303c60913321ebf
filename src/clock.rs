//! The one place that reads the clock.

use crate::scan::allow::Date;
#[cfg(feature = "aws")]
use jiff::Timestamp;

/// Today, in UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
pub fn today() -> Date {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Date::of_unix_time(now.map_or(0, |since| since.as_secs()))
}

/// Says what time it is.
#[cfg(feature = "aws")]
pub trait Clock {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// The computer's clock.
#[cfg(feature = "aws")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(feature = "aws")]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
