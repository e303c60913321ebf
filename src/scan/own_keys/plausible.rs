//! Whether a value can be a key at all. A test's `bar`, a placeholder or one of AWS's documented examples stands in
//! many files, and none of them is a leak.

use std::ops::RangeInclusive;

/// Shorter values stand in too much text by chance; the longest session token seen has some 2,000 characters.
const LENGTHS: RangeInclusive<usize> = 16..=8192;

/// What people type where a key should be, in lower case.
const PLACEHOLDERS: [&str; 16] = [
    "change",
    "your",
    "secret",
    "access",
    "passw",
    "placeholder",
    "dummy",
    "fake",
    "sample",
    "minio",
    "localstack",
    "xxxx",
    "0123",
    "1234",
    "abcd",
    "test",
];

/// Whether the value is random enough to be looked for everywhere.
pub(super) fn is_key(value: &str) -> bool {
    let bytes = value.as_bytes();
    let lower = value.to_ascii_lowercase();
    LENGTHS.contains(&bytes.len())
        && bytes.iter().all(u8::is_ascii_graphic)
        // AWS's documentation ends or begins its keys so; of random keys 1 in a billion holds it.
        && !lower.contains("example")
        && (is_access_key_id(value) || is_secret_of_aws(bytes) || is_other(bytes, &lower))
}

fn is_access_key_id(value: &str) -> bool {
    let (Some(prefix), Some(tail)) = (value.get(..4), value.get(4..)) else {
        return false;
    };
    matches!(prefix, "AKIA" | "ASIA" | "ABIA" | "ACCA")
        && tail.len() == 16
        && tail.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
        && distinct(tail.as_bytes()) >= 6
        && tail
            .as_bytes()
            .windows(2)
            .filter(|pair| pair[1] == pair[0] + 1)
            .count()
            < 8
}

/// A secret of AWS: of 300,000 random ones none had less than 4.12 bits a character.
fn is_secret_of_aws(value: &[u8]) -> bool {
    value.len() == 40
        && value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && entropy(value) >= 4.1
        && changes(value, |byte| {
            (
                byte.is_ascii_uppercase(),
                byte.is_ascii_lowercase(),
                byte.is_ascii_digit(),
            )
        }) >= 12
}

/// Session tokens, and the keys of other services, which have shapes of their own.
fn is_other(value: &[u8], lower: &str) -> bool {
    let is_long = value.len() >= 100;
    distinct(value) >= 8
        && entropy(value) >= 3.0
        && changes(value, |byte| byte.is_ascii_digit()) >= 3
        && (is_long || !PLACEHOLDERS.iter().any(|word| lower.contains(word)))
}

fn changes<T: PartialEq>(value: &[u8], class: impl Fn(u8) -> T) -> usize {
    value
        .windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]))
        .count()
}

fn counts(value: &[u8]) -> impl Iterator<Item = u32> {
    let mut counts = [0_u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    counts.into_iter().filter(|count| *count > 0)
}

fn distinct(value: &[u8]) -> usize {
    counts(value).count()
}

/// Shannon's, in bits a character.
fn entropy(value: &[u8]) -> f64 {
    let total = value.len() as f64;
    counts(value)
        .map(|count| f64::from(count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_key_is_never_looked_for() {
        for value in [
            "",
            "bar",
            "no",
            "test",
            "minioadmin",
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AKIAXXXXXXXXXXXXXXXX",
            "AKIAABCDEFGHIJKLMNOP",
            "your-secret-access-key-1",
            "localstack-access-key-0",
            "0123456789abcdef0123456789abcdef",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "ThisIsNotReallyAKeyButSomeWordsInARow1234",
            "arn:aws:iam::123456789012:role/developer",
            "${AWS_SECRET_ACCESS_KEY}",
            "my-profile-key-number-2",
        ] {
            assert!(!is_key(value), "{value}");
        }
    }

    /// Characters of an alphabet, each as likely as any other: a pattern would draw each of its ranges as often.
    fn drawn(
        alphabet: &'static str,
        length: impl Into<prop::collection::SizeRange>,
    ) -> impl Strategy<Value = String> {
        let letters: Vec<char> = alphabet.chars().collect();
        prop::collection::vec(prop::sample::select(letters), length).prop_map(String::from_iter)
    }

    const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn random_keys_are_keys(
            prefix in prop::sample::select(vec!["AKIA", "ASIA"]),
            id in drawn(BASE32, 16),
            secret in drawn(BASE64, 40),
            token in drawn(BASE64, 300..900),
            padding in "={0,2}",
            other in drawn("0123456789abcdef", 64),
        ) {
            let id = format!("{prefix}{id}");
            let token = format!("IQoJb3JpZ2luX2Vj{token}{padding}");
            for value in [id, secret, token, other] {
                // One in thousands is unlucky, and proptest finds it.
                let is_unlucky = PLACEHOLDERS.iter().any(|word| value.contains(word)) || distinct(value.as_bytes()) < 16;
                prop_assert!(is_key(&value) || is_unlucky);
            }
        }
    }
}
