use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn own(profile: &str, part: Part, value: &str) -> Own {
    Own {
        profile: Some(profile.to_owned()),
        access_key_id: None,
        part,
        value: Zeroizing::new(value.to_owned()),
        is_current: true,
        is_live: true,
    }
}

/// Many profiles' keys, among them `value` as the last.
fn keys(value: &str, part: Part) -> OwnKeys {
    let mut all: Vec<Own> = (0..20)
        .map(|index| {
            let tail: String = (0..4)
                .map(|at| char::from(b'A' + (index >> at & 3) as u8))
                .collect();
            own("other", Part::Id, &format!("AKIAY34FZKBOKMUT{tail}"))
        })
        .collect();
    all.push(own("mine", part, value));
    OwnKeys::of(all)
}

fn id() -> impl Strategy<Value = String> {
    "[Q-Z2-7][A-Z2-7]{15}".prop_map(|tail| ["AK", "IA", &tail].concat())
}

fn value() -> impl Strategy<Value = (Part, String)> {
    prop_oneof![
        id().prop_map(|value| (Part::Id, value)),
        "[A-Za-z0-9/+]{40}".prop_map(|value| (Part::Secret, value)),
        "IQoJb3JpZ2luX2Vj[A-Za-z0-9/+]{200,700}={0,2}".prop_map(|value| (Part::Token, value)),
    ]
}

fn wide(text: &[u8], write: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.iter().flat_map(|byte| write(u16::from(*byte))).collect()
}

fn signs(value: &str, escape: impl Fn(char) -> String) -> Vec<u8> {
    let written: String = value
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_string()
            } else {
                escape(c)
            }
        })
        .collect();
    written.into_bytes()
}

/// Every disguise: its name, and the value in it behind `before` and before `after`.
fn disguises(value: &str, before: &[u8], after: &[u8]) -> Vec<(Encoding, Vec<u8>)> {
    let around = |middle: Vec<u8>| [before, &middle, after].concat();
    let whole = around(value.as_bytes().to_vec());
    vec![
        (Encoding::Plain, whole.clone()),
        (Encoding::Base64, BASE64.encode(&whole).into_bytes()),
        (Encoding::Base64, BASE64URL_NOPAD.encode(&whole).into_bytes()),
        (Encoding::Hex, HEXLOWER.encode(&whole).into_bytes()),
        (Encoding::Hex, HEXUPPER.encode(&whole).into_bytes()),
        (Encoding::Utf16, wide(&whole, u16::to_le_bytes)),
        (Encoding::Utf16, wide(&whole, u16::to_be_bytes)),
        (
            Encoding::Url,
            around(signs(value, |c| format!("%{:02X}", c as u32))),
        ),
        (
            Encoding::Url,
            around(signs(value, |c| format!("%{:02x}", c as u32))),
        ),
        (
            Encoding::Json,
            around(signs(value, |c| format!("\\u{:04x}", c as u32))),
        ),
        (
            Encoding::Json,
            around(signs(value, |c| format!("\\u{:04X}", c as u32))),
        ),
        (Encoding::Json, around(value.replace('/', "\\/").into_bytes())),
    ]
}

/// What may stand where a value is cut.
const CUTS: [&str; 22] = [
    "\n",
    "\r\n\t\t",
    "\\\n    ",
    "\" + \"",
    "\" +\n                \"",
    "' . '",
    "\"\n        \"",
    "\" \\\n  \"",
    "\" & \"",
    "\" <> \"",
    "\" .. \"",
    "\" || '",
    "\" + f\"",
    "' + b'",
    "\\n",
    "\\n\",\n    \"",
    "\", \"",
    "\").append(\"",
    "\n# ",
    "\n+",
    "\" & _\r\n\"",
    "\"\"",
];

#[track_caller]
fn is_found(keys: &OwnKeys, value: &str, text: &[u8]) -> OwnMatch {
    let found: Vec<OwnMatch> = keys
        .find(text)
        .into_iter()
        .filter(|found| found.profile.as_deref() == Some("mine"))
        .collect();
    assert_eq!(
        found.len(),
        1,
        "of {value} in {:?}",
        String::from_utf8_lossy(text)
    );
    assert_eq!(keys.known.values[found[0].value].value.as_str(), value);
    found[0].clone()
}

proptest! {
    // Values are random as they are: a smaller one tells no more.
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_is_found_in_every_disguise_at_any_place(
        (part, value) in value(),
        before in prop::collection::vec(any::<u8>(), 0..40),
        after in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let keys = keys(&value, part);
        // Between two bytes of ASCII, lest the bytes around happen to continue an escape or a number.
        let before = [&before[..], b" "].concat();
        for (encoding, text) in disguises(&value, &before, b" ") {
            let found = is_found(&keys, &value, &[&text[..], &after].concat());
            prop_assert_eq!(found.part, part);
            let has_signs = value.contains(['/', '+', '=']);
            if has_signs || !matches!(encoding, Encoding::Url | Encoding::Json) {
                let may_be_plain = encoding == Encoding::Json && !value.contains('/');
                prop_assert!(found.encoding == encoding || may_be_plain, "{:?}", encoding);
            }
        }
    }

    #[test]
    fn a_value_in_two_pieces_is_found_wherever_it_is_cut(
        (part, value) in value(),
        cut in any::<Index>(),
        between in prop::sample::select(&CUTS[..]),
        offset in 0_usize..9,
    ) {
        let keys = keys(&value, part);
        let before = "x".repeat(offset) + " \"";
        for (_, text) in disguises(&value, b"", b"") {
            let unit = if text.contains(&0) { 2 } else { 1 };
            let at = cut.index(text.len() / unit + 1) * unit;
            if text.len() / unit > value.len() && text[..at].ends_with(b"\\") {
                // Nobody cuts an escape behind its backslash.
                continue;
            }
            let is_inside_an_escape = text[..at].iter().rev().take(5).any(|byte| matches!(byte, b'%' | b'\\'));
            if is_inside_an_escape {
                continue;
            }
            let write = |text: &str| {
                if unit == 1 {
                    text.as_bytes().to_vec()
                } else if text.is_empty() {
                    Vec::new()
                } else {
                    wide(text.as_bytes(), u16::to_le_bytes)
                }
            };
            // The other order of UTF-16 is cut with its own.
            if unit == 2 && text[0] == 0 {
                continue;
            }
            let text = [write(&before), text[..at].to_vec(), write(between), text[at..].to_vec(), write("\"\n")].concat();
            is_found(&keys, &value, &text);
        }
    }

    #[test]
    fn long_base64_in_lines_is_found(
        (part, value) in value(),
        before in "[ -~]{0,80}",
        width in 60_usize..80,
        indent in 0_usize..16,
    ) {
        let keys = keys(&value, part);
        let encoded = BASE64.encode(format!("{before}{value} and more").as_bytes());
        let lines: Vec<&str> = encoded.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
        is_found(&keys, &value, lines.join(&format!("\n{}", " ".repeat(indent))).as_bytes());
    }

    #[test]
    fn pieces_of_a_stream_that_overlap_lose_nothing(
        (part, value) in value(),
        before in 0_usize..3000,
        between in prop::sample::select(&CUTS[..]),
        piece in 1_usize..4000,
    ) {
        let keys = keys(&value, part);
        let (head, tail) = value.split_at(value.len() / 2);
        let text = format!("{}{head}{between}{tail}{}", ".".repeat(before), "!".repeat(3000));
        let step = piece + keys.longest();
        let found = (0..text.len()).step_by(piece).any(|start| {
            let end = text.len().min(start + step);
            keys.find(&text.as_bytes()[start..end]).iter().any(|found| found.part == part)
        });
        prop_assert!(found);
    }

    #[test]
    fn other_values_are_never_found((_, value) in value(), (part, mine) in value(), noise in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assume!(value != mine);
        let keys = keys(&mine, part);
        for (_, text) in disguises(&value, &noise, b" ") {
            prop_assert_eq!(keys.find(&text), []);
        }
    }

    #[test]
    fn one_wrong_character_is_another_value((part, value) in value(), at in any::<Index>()) {
        let keys = keys(&value, part);
        let at = at.index(value.len());
        let other = if value.as_bytes()[at] == b'Q' { "R" } else { "Q" };
        let wrong = [&value[..at], other, &value[at + 1..]].concat();
        prop_assert_eq!(keys.find(wrong.as_bytes()), []);
    }
}

#[test]
fn the_range_is_the_value_with_what_stands_between_its_pieces() {
    let secret = ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat();
    let keys = keys(&secret, Part::Secret);
    let (head, tail) = secret.split_at(20);
    let text = format!("key = \"{head}\" + \"{tail}\";");
    let found = is_found(&keys, &secret, text.as_bytes());
    assert_eq!(&text[found.range], format!("{head}\" + \"{tail}"));
    assert_eq!(found.encoding, Encoding::Plain);
    let encoded = BASE64.encode(format!("a:{secret}\n").as_bytes());
    let found = is_found(&keys, &secret, encoded.as_bytes());
    assert_eq!((found.range, found.encoding), (3..56, Encoding::Base64));
}

#[test]
fn a_letter_before_a_quote_may_be_a_piece_or_the_mark_of_a_string() {
    let id = ["AK", "IA562VG66ORNBIHA5B"].concat();
    let keys = keys(&id, Part::Id);
    let head = &id[..19];
    for text in [
        format!("\"{head}\nB\"\n"),
        format!("\"{head}\" + b\"B\""),
        format!("\"{head}\" + B\"B\""),
        format!("\"{}\" b\"5B\"", &id[..18]),
    ] {
        is_found(&keys, &id, text.as_bytes());
    }
}

#[test]
fn an_operator_and_the_mark_of_a_string_may_be_the_next_characters_too() {
    let secret = ["q7Rk2ZpXv9LmT4sWb8Nc", "+f+LhDf6Gj/J1a+E5uKo"].concat();
    let keys = keys(&secret, Part::Secret);
    let (head, tail) = secret.split_at(20);
    for between in ["\" + f\"", "' + f'", "\", \"", "\n"] {
        is_found(&keys, &secret, format!("\"{head}{between}{tail}\"").as_bytes());
    }
}

#[test]
fn a_value_that_stands_twice_is_found_twice() {
    let secret = ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat();
    let keys = keys(&secret, Part::Secret);
    assert_eq!(
        keys.find(format!("{secret}{secret} {secret}").as_bytes()).len(),
        3
    );
    assert_eq!(keys.find(b""), []);
    assert_eq!(keys.find(b"short"), []);
    assert_eq!(OwnKeys::none().find(secret.as_bytes()), []);
    assert_eq!(OwnKeys::none().longest(), 0);
}

#[test]
fn a_value_in_several_places_is_told_as_current() {
    let secret = ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat();
    let former = Own {
        is_current: false,
        ..own("was", Part::Secret, &secret)
    };
    let keys = OwnKeys::of(vec![own("is", Part::Secret, &secret), former]);
    let found = keys.find(secret.as_bytes());
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].profile.as_deref(), found[0].is_current),
        (Some("is"), true)
    );
}

#[test]
fn nothing_that_can_be_printed_tells_a_secret() {
    let secret = ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat();
    let keys = keys(&secret, Part::Secret);
    let found = is_found(&keys, &secret, secret.as_bytes());
    for printed in [
        format!("{keys:?}"),
        format!("{found:?}"),
        format!("{:?}", own("dev", Part::Secret, &secret)),
    ] {
        assert!(!printed.contains(&secret[..8]), "{printed}");
    }
}
