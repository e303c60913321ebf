//! Numbers and times as text, without the machinery of `format!`: a report of a million users has some ten million of
//! them, and these are half of the time that it takes to tell of it.

use std::fmt::Write as _;

use jiff::Timestamp;

/// A number in decimal digits, in a place of its own.
pub(super) struct Decimal {
    digits: [u8; 10],
    start: usize,
}

impl Decimal {
    /// Of this number.
    pub(super) fn of(mut number: u32) -> Self {
        let mut digits = [b'0'; 10];
        let mut start = digits.len() - 1;
        while number > 9 {
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            start -= 1;
        }
        digits[start] = b'0' + number as u8;
        Self { digits, start }
    }

    /// As text.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).expect("digits are ASCII")
    }
}

/// Appends a time as jiff writes it, `2026-12-31T23:59:59Z`.
pub(super) fn push_time(text: &mut String, time: Timestamp) {
    match plain_time(time) {
        Some(plain) => text.push_str(std::str::from_utf8(&plain).expect("digits and marks are ASCII")),
        None => write!(text, "{time}").expect("a string takes everything"),
    }
}

/// Whole seconds of the years 0 to 9999 alone: the others look differently.
fn plain_time(time: Timestamp) -> Option<[u8; 20]> {
    if time.subsec_nanosecond() != 0 {
        return None;
    }
    let (days, of_day) = (
        time.as_second().div_euclid(86_400),
        time.as_second().rem_euclid(86_400),
    );
    // Years are taken to begin in March (Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
    let of_epoch = days + 719_468;
    let (era, of_era) = (of_epoch.div_euclid(146_097), of_epoch.rem_euclid(146_097));
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + years + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return None;
    }
    let mut text = *b"0000-00-00T00:00:00Z";
    for (place, number) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, of_day / 3600),
        (14, of_day / 60 % 60),
        (17, of_day % 60),
    ] {
        text[place] = b'0' + (number / 10) as u8;
        text[place + 1] = b'0' + (number % 10) as u8;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_by_format() {
        for number in (0..=1000).chain([9_999, 10_000, 4_294_967_294, u32::MAX]) {
            assert_eq!(Decimal::of(number).as_str(), number.to_string());
        }
    }

    #[test]
    fn times_are_written_as_by_jiff() {
        let written = |time: Timestamp| {
            let mut text = String::new();
            push_time(&mut text, time);
            text
        };
        // Every few days from before the year 0 to the last one, at other hours each time.
        for second in (-65_000_000_000_i64..253_402_200_000).step_by(86_399 * 97) {
            let time = Timestamp::from_second(second).unwrap();
            assert_eq!(written(time), time.to_string());
        }
        let days = (0..1500).map(|day| 1_700_000_000 + day * 86_400);
        for second in days {
            let time = Timestamp::from_second(second).unwrap();
            assert_eq!(written(time), time.to_string());
        }
        let broken = Timestamp::new(1_700_000_000, 500_000_000).unwrap();
        assert_eq!(written(broken), broken.to_string());
    }
}
