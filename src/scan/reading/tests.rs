use std::io::{self, Read};

use proptest::prelude::*;

use super::*;
use crate::scan::own_keys::OwnKeys;

fn id() -> String {
    ["AK", "IAY34FZKBOKMUTVV7A"].concat()
}

fn scanner() -> Scanner {
    Scanner::new(OwnKeys::none())
}

/// Gives its bytes in pieces of a length, as a pipe does.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

fn places(content: &Content) -> Vec<(usize, usize)> {
    let places = content.candidates.iter();
    places
        .map(|candidate| (candidate.finding.line, candidate.finding.column))
        .collect()
}

#[test]
fn lines_and_columns_hold_across_windows() {
    let line = "0123456789 abcdefg\n";
    for lines in [
        10,
        WINDOW / line.len() - 1,
        WINDOW / line.len(),
        3 * WINDOW / line.len() + 7,
    ] {
        let text = format!("{}  {}\n{}", line.repeat(lines), id(), line.repeat(lines));
        let found = scanner().read(text.as_bytes()).unwrap();
        assert_eq!(places(&found), [(lines + 1, 3)]);
        assert_eq!(found.bytes, text.len() as u64);
        let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(places(&scanner().read(&utf_16[..]).unwrap()), [(lines + 1, 3)]);
    }
}

#[test]
fn one_line_of_megabytes() {
    let before = "x.".repeat(WINDOW + 77);
    let text = format!(
        "{before}{} secret='{}'{before}",
        id(),
        ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat()
    );
    let found = scanner().read(text.as_bytes()).unwrap();
    assert_eq!(places(&found), [(1, before.len() + 1), (1, before.len() + 30)]);
    assert_eq!(places(&scanner().bytes(text.as_bytes())), places(&found));
}

#[test]
fn base64_of_megabytes_in_one_line() {
    let text = format!(
        "{}\"{}\"{}",
        "lorem ".repeat(WINDOW / 3),
        id(),
        "ipsum ".repeat(WINDOW / 6)
    );
    let encoded = data_encoding::BASE64.encode(text.as_bytes());
    assert_eq!(scanner().read(encoded.as_bytes()).unwrap().candidates.len(), 1);
    let folded: Vec<String> = encoded
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    assert_eq!(
        scanner()
            .read(folded.join("\n").as_bytes())
            .unwrap()
            .candidates
            .len(),
        1
    );
}

#[test]
fn what_cannot_be_read_is_an_error() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::Other)?;
            buffer[..4].copy_from_slice(b"PK\x03\x04");
            Ok(4)
        }
    }
    for pieces in [0, 1, 5] {
        assert!(scanner().read(Broken(pieces)).is_err());
    }
}

#[test]
fn findings_are_bounded_and_it_is_told() {
    let text = format!("{}\n", id()).repeat(MOST_CANDIDATES + 1);
    let found = scanner().bytes(text.as_bytes());
    assert_eq!(found.candidates.len(), MOST_CANDIDATES);
    assert_eq!(found.unread[0].why, Bound::Size);
}

#[test]
fn nothing_shows_a_secret() {
    let secret = ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat();
    let found = scanner().bytes(format!("secret={secret}").as_bytes());
    let shown = format!("{found:?}");
    assert!(
        shown.contains("q7Rk… (40)") && !shown.contains(&secret[..5]),
        "{shown}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_key_is_found_at_any_offset_in_pieces_of_any_length(
        offset in WINDOW - 70_000..WINDOW + 2_000,
        length in 1_000_usize..60_000,
        filler in prop::sample::select(vec!["x ", "AK", "\n", "QU", "é", "A\0"]),
    ) {
        let mut text = filler.repeat(offset / filler.len());
        text.push(' ');
        let at = text.len();
        text.push_str(&id());
        text.push(' ');
        text.push_str(&filler.repeat(20_000));
        let found = scanner().read(Pieces(text.as_bytes(), length)).unwrap();
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[..at].matches('\n').count() + 1;
        prop_assert_eq!(places(&found), [(line, at - line_start + 1)]);
    }
}
