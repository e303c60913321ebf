//! When the agent asks AWS again. Pure, but for the jitter.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The first pause after AWS could not be reached; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(16);

/// What decides when the next check is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schedule {
    failures: u32,
}

impl Schedule {
    /// When to check after this one.
    pub fn next(&mut self, is_offline: bool, every: Duration, now: Timestamp) -> Timestamp {
        self.failures = if is_offline { self.failures + 1 } else { 0 };
        let pause = match self.failures {
            0 => every,
            failures => FIRST_PAUSE
                .saturating_mul(1 << (failures - 1).min(10))
                .min(LONGEST_PAUSE)
                .min(every),
        };
        later(now, with_jitter(pause, chance()))
    }

    /// Whether AWS could not be reached last time.
    pub fn is_backing_off(&self) -> bool {
        self.failures > 0
    }
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause)
        .ok()
        .and_then(|pause| now.checked_add(pause).ok())
        .unwrap_or(Timestamp::MAX)
}

/// A tenth less or more, so that a fleet that was switched on at nine does not ask all at once.
fn with_jitter(pause: Duration, chance: u8) -> Duration {
    let tenth = pause / 10;
    pause - tenth + tenth * 2 * u32::from(chance) / 255
}

/// The standard library's hashers are keyed at random.
fn chance() -> u8 {
    RandomState::new().hash_one(0_u8).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jitter_is_a_tenth_at_most() {
        let pause = Duration::from_secs(1000);
        assert_eq!(with_jitter(pause, 0), Duration::from_secs(900));
        assert_eq!(with_jitter(pause, 255), Duration::from_secs(1100));
    }

    #[test]
    fn without_a_network_the_pauses_grow_and_end_with_the_first_answer() {
        let (mut schedule, every, now) = (
            Schedule::default(),
            Duration::from_hours(6),
            Timestamp::UNIX_EPOCH,
        );
        let mut minutes = |is_offline| {
            let next = schedule.next(is_offline, every, now);
            (next.as_second() as f64 / 60.0 / 1.1).floor() as i64
                ..=(next.as_second() as f64 / 60.0 / 0.9).ceil() as i64
        };
        for expected in [1, 2, 4, 8, 16, 16, 16] {
            assert!(minutes(true).contains(&expected), "{expected}");
        }
        assert!(minutes(false).contains(&360));
        assert!(minutes(true).contains(&1));
    }
}
