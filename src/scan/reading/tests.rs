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

/// Pieces of texts that hold nothing by themselves.
fn words() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "some words of a text\n".repeat(30),
        "some words of a text\n".repeat(3_000),
        "one line without an end ".repeat(200),
        format!("{}\n", "x".repeat(300)),
        "\n".to_owned(),
    ])
}

/// Pieces that are, hide or name a key, or make one readable.
fn piece() -> impl Strategy<Value = String> {
    let encoded = |text: String| data_encoding::BASE64.encode(text.as_bytes());
    let folded = |base64: String| -> String {
        let lines = base64.as_bytes().chunks(64);
        lines
            .map(|line| format!("{}\n", String::from_utf8_lossy(line)))
            .collect()
    };
    let key = format!(
        "{} {}\n",
        id(),
        "the key of a test, with words behind it ".repeat(3)
    );
    prop::sample::select(vec![
        folded(encoded("nothing at all, in many words. ".repeat(60))),
        // A character off, it says nothing.
        folded(format!(
            "A{}",
            encoded(format!("{}{key}", "before it ".repeat(20)))
        )),
        folded(encoded(format!("{}{key}", "before it ".repeat(500)))),
        "aws_secret_access_key = ".to_owned(),
        ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat(),
        id()[..4].to_owned(),
        id()[4..].to_owned(),
        "A".to_owned(),
        "\0".to_owned(),
        " ".to_owned(),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_changed_holds_nothing_only_if_all_holds_nothing(
        before in prop::collection::vec(prop_oneof![6 => words(), 1 => piece()], 0..5),
        behind in prop::collection::vec(prop_oneof![3 => words(), 1 => piece()], 0..5),
        cut_out in prop::collection::vec(piece(), 0..2),
        put_in in prop::collection::vec(piece(), 0..3),
    ) {
        let (before, behind) = (before.concat(), behind.concat());
        let base = [&before, cut_out.concat().as_str(), &behind].concat();
        let put_in = put_in.concat();
        let text = [&before, put_in.as_str(), &behind].concat();
        let scanner = scanner();
        let is_nothing = |content: &Content| content.candidates.is_empty() && content.unread.is_empty();
        prop_assume!(changed::is_text(base.as_bytes()) && is_nothing(&scanner.bytes(base.as_bytes())));
        let place = before.len()..before.len() + put_in.len();
        if changed::holds_nothing(&scanner, text.as_bytes(), &[place]) {
            let found = scanner.bytes(text.as_bytes());
            prop_assert!(is_nothing(&found) && changed::is_text(text.as_bytes()), "{found:?}");
        }
    }
}

#[test]
fn far_from_a_change_nothing_is_looked_at_again() {
    let words = "some words of a text, one line after the other\n".repeat(20_000);
    let text = format!("{words}{}\n{words}", id());
    // A key that was there before is none of the change's.
    let scanner = scanner();
    let is_nothing_around = |place: usize| {
        changed::holds_nothing(
            &scanner,
            text.as_bytes(),
            std::slice::from_ref(&(place..place + 10)),
        )
    };
    assert!(is_nothing_around(words.len() / 2));
    assert!(!is_nothing_around(words.len() - 10_000));
}
