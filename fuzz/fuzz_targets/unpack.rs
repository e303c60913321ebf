//! Any bytes at all, behind the heads that containers have: the unpackers neither panic nor hold more than they may.
//! Run it with `cargo fuzz run unpack -- -rss_limit_mb=256`.

#![no_main]

use keyagent::scan::Scanner;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let scanner = Scanner::default();
    for head in [&b""[..], b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"%PDF-1 0 obj/FlateDecode stream\n"] {
        let content = [head, bytes].concat();
        assert_eq!(scanner.bytes(&content).bytes, content.len() as u64);
    }
});
