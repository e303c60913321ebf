//! Any bytes at all: the detector neither panics nor names a place outside of them, and a key planted behind them is
//! found. Run it with `cargo fuzz run detector`.

#![no_main]

use keyagent::scan::detector::{Rule, detect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for is_cut in [false, true] {
        for found in detect(bytes, is_cut, false).values {
            assert!(found.range.start < found.range.end && found.range.end <= bytes.len());
        }
    }
    let id = ["AK", "IAY34FZKBOKMUTVV7A"].concat();
    let planted = [bytes, b"\n", id.as_bytes(), b"\n"].concat();
    let found = detect(&planted, false, false).values;
    assert!(
        found
            .iter()
            .any(|found| found.rule == Rule::AccessKeyId && found.range.start == bytes.len() + 1)
    );
});
