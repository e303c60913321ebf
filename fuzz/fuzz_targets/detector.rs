//! Any bytes at all: the detector neither panics nor names a place outside of them, and a key planted behind them is
//! found. Run it with `cargo fuzz run detector`.

#![no_main]

use keyagent::scan::detector::{GoesOn, Part, Rule, detect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for goes_on in [None, Some(GoesOn::Somehow)] {
        let part = Part {
            goes_on,
            ..Part::default()
        };
        for found in detect(bytes, part).values {
            assert!(found.range.start < found.range.end && found.range.end <= bytes.len());
        }
    }
    let id = ["AK", "IAY34FZKBOKMUTVV7A"].concat();
    let planted = [bytes, b"\n", id.as_bytes(), b"\n"].concat();
    let found = detect(&planted, Part::default()).values;
    assert!(
        found
            .iter()
            .any(|found| found.rule == Rule::AccessKeyId && found.range.start == bytes.len() + 1)
    );
});
