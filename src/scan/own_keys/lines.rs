//! Reads the keys out of AWS's two files, whatever state the files are in.
//!
//! AWS's readers refuse a whole file for one line, and differ in which; a value that none of them takes is a key all
//! the same, and must not get into a commit. So this one refuses nothing, and finds whatever either of them finds
//! (tested against [`crate::credentials::sdk_reader`] and [`crate::credentials::botocore_reader`]), in one pass.

use zeroize::Zeroizing;

use super::Part;

/// A value, and the profile whose section it stands in.
pub(super) struct Line {
    pub(super) profile: Option<String>,
    pub(super) part: Part,
    pub(super) value: Zeroizing<String>,
}

/// Every value of a key in the bytes of a file.
pub(super) fn read(bytes: &[u8]) -> Vec<Line> {
    // PowerShell's `>` writes UTF-16; without its zeros it is the text.
    let without_zeros;
    let text = if bytes.contains(&0) {
        without_zeros = Zeroizing::new(
            bytes
                .iter()
                .copied()
                .filter(|byte| *byte != 0)
                .collect::<Vec<u8>>(),
        );
        &without_zeros
    } else {
        bytes
    };
    let mut profile: Option<String> = None;
    let mut lines = Vec::new();
    // A name whose value may stand on the next line.
    let mut waiting = None;
    for raw in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = Zeroizing::new(String::from_utf8_lossy(raw).into_owned());
        let is_indented = line.starts_with(char::is_whitespace);
        let line = line.trim_matches(is_blank);
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            profile = Some(name(header));
            waiting = None;
            continue;
        }
        let (part, value) = match (line.split_once(['=', ':']), waiting.take()) {
            (Some((name, value)), _) if part(name).is_some() => (part(name), value),
            (_, Some(part)) if is_indented => (Some(part), line),
            _ => continue,
        };
        let Some(part) = part else { continue };
        let value = value
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .trim_matches(['"', '\'', ',', ';']);
        if value.is_empty() {
            waiting = Some(part);
            continue;
        }
        lines.push(Line {
            profile: profile.clone(),
            part,
            value: Zeroizing::new(value.to_owned()),
        });
    }
    lines
}

/// White space as both readers have it, and the byte order mark, which neither takes.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || ('\u{1c}'..='\u{1f}').contains(&c)
        || c == '\u{feff}'
        || c == char::REPLACEMENT_CHARACTER
}

/// The profile of a header, which may lack its bracket.
fn name(header: &str) -> String {
    let inner = header.rfind(']').map_or(header, |end| &header[..end]).trim();
    let name = match inner.split_once([' ', '\t']) {
        Some(("profile", name)) => name.trim(),
        Some(_) | None => inner,
    };
    name.trim_matches(['"', '\'']).to_owned()
}

/// `AWS_ACCESS_KEY_ID`, `export aws_access_key_id`, `"aws-access-key-id"`.
fn part(name: &str) -> Option<Part> {
    let word = name.trim_matches(is_blank).rsplit(char::is_whitespace).next()?;
    if word.len() > 40 {
        return None;
    }
    let word: String = word
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match word.as_str() {
        "awsaccesskeyid" | "accesskeyid" | "awsaccesskey" => Some(Part::Id),
        "awssecretaccesskey" | "secretaccesskey" | "awssecretkey" => Some(Part::Secret),
        "awssessiontoken" | "sessiontoken" | "awssecuritytoken" => Some(Part::Token),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credentials::{FileKind, botocore_reader, sdk_reader};

    fn values(text: &[u8]) -> Vec<(Option<String>, Part, String)> {
        read(text)
            .into_iter()
            .map(|line| (line.profile, line.part, line.value.to_string()))
            .collect()
    }

    fn one(profile: &str, value: &str) -> Vec<(Option<String>, Part, String)> {
        vec![(Some(profile.to_owned()), Part::Secret, value.to_owned())]
    }

    #[test]
    fn what_aws_refuses_is_read_all_the_same() {
        for text in [
            "[dev]\naws_secret_access_key = abc",
            "[dev\naws_secret_access_key=abc",
            "  [ dev ]\n  AWS_SECRET_ACCESS_KEY : abc\n",
            "[dev]\nexport aws_secret_access_key=\"abc\"\n",
            "[profile dev]\naws_secret_access_key = abc # mine\n",
            "[profile 'dev']\naws_secret_access_key =\n  abc\n",
            "\u{feff}[dev]\raws_secret_access_key = abc\r",
            "junk\n[dev] # note\n????\naws_secret_access_key = abc\n",
        ] {
            assert_eq!(values(text.as_bytes()), one("dev", "abc"), "{text:?}");
        }
        assert_eq!(
            values(b"\xff\n[dev]\naws_secret_access_key = abc\n\xff"),
            one("dev", "abc")
        );
        let wide: Vec<u8> = "\u{feff}[dev]\naws_secret_access_key = abc\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        // Without its zeros the byte order mark is two bytes that are no text.
        assert_eq!(values(&wide), one("dev", "abc"));
    }

    #[test]
    fn other_lines_hold_no_key() {
        assert_eq!(
            values(b"[a]\nregion = eu-west-1\naws_access_key_id\nx = aws_access_key_id = y\n"),
            []
        );
        assert_eq!(values(b"[a]\naws_access_key_id =\nregion = eu\n"), []);
    }

    proptest! {
        #[test]
        fn whatever_a_reader_of_aws_reads_is_read(
            lines in prop::collection::vec("(  |\t|)(\\[(profile |)[ab]\\]|aws_secret_access_key|AWS_SESSION_TOKEN|x|abc|)( ?[=:] ?|)[a-c]{0,3}( [#;] z|)(\r|)", 0..12),
        ) {
            let text = lines.join("\n");
            let read: Vec<String> = read(text.as_bytes()).into_iter().map(|line| line.value.to_string()).collect();
            for kind in [FileKind::Credentials, FileKind::Config] {
                let sections = [sdk_reader::read(&text, kind), botocore_reader::read(&text, kind)];
                for section in sections.into_iter().flatten().flatten() {
                    for name in ["aws_secret_access_key", "aws_session_token"] {
                        let value = section.get(name).map(|property| property.value.trim().to_owned());
                        if let Some(value) = value.filter(|value| {
                            value.chars().all(|c| c.is_ascii_alphanumeric()) && !value.is_empty()
                        }) {
                            prop_assert!(read.contains(&value), "{value} in {text:?}");
                        }
                    }
                }
            }
        }
    }
}
