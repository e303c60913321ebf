//! Finds access keys in bytes: one pass, no regular expressions, no I/O. Never says where the bytes came from, and
//! never copies a secret: a match is a range of the text that was searched.

use std::borrow::Cow;
use std::ops::Range;

use serde::Serialize;

use crate::access_key::AccessKeyId;

/// How many lines a secret may stand away from the key ID it belongs to.
const NEAR_LINES: usize = 8;
/// How many bytes before and behind a value are searched for words that name it; keeps minified files linear.
const NAMING_BYTES: usize = 256;
/// 40 random characters of 64 have 4.8 bits a character; of 300 000 simulated secrets none had less than 4.12. Hex
/// has 4 at most.
const LEAST_ENTROPY: f64 = 4.1;
/// 40 random characters change between upper, lower, digit and sign about 25 times; camel-case words far less.
const LEAST_CLASS_CHANGES: usize = 12;
/// How session tokens begin: the base64 of AWS's own header.
const SESSION_TOKEN_PREFIXES: [&[u8]; 3] = [b"IQoJb3JpZ2lu", b"FwoGZXIvYXdz", b"FQoGZXIvYXdz"];

/// What was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A key ID: no secret by itself, but it never stands alone for long.
    AccessKeyId,
    /// The secret half of a key.
    SecretAccessKey,
    /// The token that comes with a temporary key.
    SessionToken,
    /// A part of a key that a profile of this machine holds, known by its value.
    OwnKey,
}

impl Rule {
    /// The rule's name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessKeyId => "access-key-id",
            Self::SecretAccessKey => "secret-access-key",
            Self::SessionToken => "session-token",
            Self::OwnKey => "own-key",
        }
    }
}

/// How the text was written in the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Encoding {
    /// As it is.
    #[serde(rename = "plain")]
    Plain,
    /// UTF-16 with a byte order mark, as PowerShell's `>` writes it.
    #[serde(rename = "utf-16")]
    Utf16,
    /// In base64, as Kubernetes keeps its secrets; also what lies in a container.
    #[serde(rename = "base64")]
    Base64,
    /// With percent signs, as in a URL.
    #[serde(rename = "url")]
    Url,
    /// With backslashes, as in a JSON string.
    #[serde(rename = "json")]
    Json,
    /// As hexadecimal digits.
    #[serde(rename = "hex")]
    Hex,
}

/// One value in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// What it is.
    pub rule: Rule,
    /// Where it is, in bytes of the text.
    pub range: Range<usize>,
    /// Its line, from 1.
    pub line: usize,
    /// The byte in the line at which it begins, from 1.
    pub column: usize,
    /// The key ID itself, or the one that stands nearest to the secret.
    pub access_key_id: Option<AccessKeyId>,
    /// Matches of one number belong to one key; from 0, without gaps.
    pub group: usize,
}

/// The text of a blob: itself, or what its UTF-16 says.
pub fn decode(blob: &[u8]) -> (Cow<'_, [u8]>, Encoding) {
    let read: fn([u8; 2]) -> u16 = match blob {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return (Cow::Borrowed(blob), Encoding::Plain),
    };
    let units = blob[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    (Cow::Owned(text.into_bytes()), Encoding::Utf16)
}

/// Every key ID, secret and session token in `text`, in its order.
pub fn detect(text: &[u8]) -> Vec<Match> {
    let candidates = candidates(text);
    if candidates.is_empty() {
        return Vec::new();
    }
    let lines = Lines::of(text);
    let ids: Vec<(usize, AccessKeyId)> = candidates
        .iter()
        .filter(|(rule, _)| *rule == Rule::AccessKeyId)
        .filter_map(|(_, range)| {
            let id = AccessKeyId::parse(std::str::from_utf8(&text[range.clone()]).ok()?).ok()?;
            Some((lines.number(range.start), id))
        })
        .collect();
    let mut groups: Vec<Option<AccessKeyId>> = Vec::new();
    let mut matches = Vec::new();
    for (rule, range) in candidates {
        let line = lines.number(range.start);
        let near = nearest(&ids, line);
        let named = Naming {
            text,
            lines: &lines,
            range: &range,
        };
        let is_key = match rule {
            Rule::AccessKeyId | Rule::OwnKey => true,
            Rule::SecretAccessKey => {
                near.is_some() || named.holds_any(&["secret", "aws", "access_key", "access-key", "accesskey"])
            }
            Rule::SessionToken => {
                SESSION_TOKEN_PREFIXES
                    .iter()
                    .any(|prefix| text[range.clone()].starts_with(prefix))
                    || named.holds_any(&[
                        "session_token",
                        "session-token",
                        "sessiontoken",
                        "security_token",
                        "security-token",
                        "securitytoken",
                    ])
            }
        };
        if !is_key {
            continue;
        }
        let access_key_id = match rule {
            Rule::AccessKeyId => std::str::from_utf8(&text[range.clone()])
                .ok()
                .and_then(|id| AccessKeyId::parse(id).ok()),
            Rule::SecretAccessKey | Rule::SessionToken | Rule::OwnKey => near.cloned(),
        };
        let known = access_key_id
            .as_ref()
            .and_then(|id| groups.iter().position(|of| of.as_ref() == Some(id)));
        let group = known.unwrap_or_else(|| {
            groups.push(access_key_id.clone());
            groups.len() - 1
        });
        matches.push(Match {
            rule,
            line,
            column: range.start - lines.start(line) + 1,
            access_key_id,
            group,
            range,
        });
    }
    matches
}

/// The values that look right by themselves; what stands around them is not asked yet.
fn candidates(text: &[u8]) -> Vec<(Rule, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !is_base64(text[at]) {
            at += 1;
            continue;
        }
        let run = at;
        while at < text.len() && is_base64(text[at]) {
            at += 1;
        }
        // `\n` inside a JSON string and `%3D` inside a URL end in characters that belong to no value.
        let start = run + escape_tail(text, run, at);
        let length = at - start;
        if let Some(token) = session_token(text, start..at) {
            at = at.max(token.end);
            found.push((Rule::SessionToken, token));
        } else if length == 40 && !beside_base64_url(text, start, at) && looks_like_a_secret(&text[start..at])
        {
            found.push((Rule::SecretAccessKey, start..at));
        } else if length >= 20 {
            access_key_ids(text, start..at, &mut found);
        }
    }
    found
}

/// A key ID in a run stands between characters that are neither letters nor digits.
fn access_key_ids(text: &[u8], run: Range<usize>, found: &mut Vec<(Rule, Range<usize>)>) {
    let mut start = run.start;
    for part in text[run].split(|byte| !byte.is_ascii_alphanumeric()) {
        if part.len() == 20 && looks_like_an_access_key_id(part) {
            found.push((Rule::AccessKeyId, start..start + 20));
        }
        start += part.len() + 1;
    }
}

/// How many characters at the head of a run belong to an escape before it.
fn escape_tail(text: &[u8], start: usize, end: usize) -> usize {
    let before = |back: usize| start.checked_sub(back).map(|at| text[at]);
    let run = &text[start..end];
    if before(1) == Some(b'\\') && matches!(run, [b'n' | b'r' | b't', ..]) {
        1
    } else if before(1) == Some(b'%') && run.len() > 2 && run[..2].iter().all(u8::is_ascii_hexdigit) {
        2
    } else {
        0
    }
}

/// A session token has hundreds of characters; in a URL some of them are escaped.
fn session_token(text: &[u8], run: Range<usize>) -> Option<Range<usize>> {
    let escaped_too = SESSION_TOKEN_PREFIXES
        .iter()
        .any(|prefix| text[run.clone()].starts_with(prefix));
    let behind = text[run.end..].iter().take_while(|byte| match byte {
        b'=' => true,
        b'%' | b'-' | b'_' => escaped_too,
        byte => escaped_too && is_base64(**byte),
    });
    let token = run.start..run.end + behind.count();
    let is_token = token.len() >= 100
        && distinct(&text[token.clone()]) > 20
        && !text[token.clone()].iter().all(u8::is_ascii_hexdigit);
    is_token.then_some(token)
}

fn looks_like_an_access_key_id(value: &[u8]) -> bool {
    let tail = &value[4..];
    matches!(&value[..4], b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA")
        && tail.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
        && !holds(value, b"example")
        && distinct(tail) >= 6
        && tail.windows(2).filter(|pair| pair[1] == pair[0] + 1).count() < 8
}

fn looks_like_a_secret(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && value.iter().any(u8::is_ascii_digit)
        && !value.iter().all(u8::is_ascii_hexdigit)
        && !holds(value, b"example")
        && entropy(value) >= LEAST_ENTROPY
        && class_changes(value) >= LEAST_CLASS_CHANGES
        && !is_path_of_words(value)
}

/// `src/AwsComponents/Button3/SecretLoginForm` passes every other test. Of 300 000 simulated secrets 1 in 5 000 looks
/// like it.
fn is_path_of_words(value: &[u8]) -> bool {
    let in_words: usize = value
        .split(|byte| !byte.is_ascii_lowercase())
        .map(<[u8]>::len)
        .filter(|length| *length >= 4)
        .sum();
    value.contains(&b'/') && in_words >= 16 && class_changes(value) < 18
}

fn class_changes(value: &[u8]) -> usize {
    value
        .windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]))
        .count()
}

fn beside_base64_url(text: &[u8], start: usize, end: usize) -> bool {
    let is_url_sign = |byte: Option<&u8>| matches!(byte, Some(b'-' | b'_'));
    is_url_sign(start.checked_sub(1).and_then(|at| text.get(at))) || is_url_sign(text.get(end))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+')
}

fn class(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

fn counts(value: &[u8]) -> [u32; 256] {
    let mut counts = [0; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    counts
}

fn distinct(value: &[u8]) -> usize {
    counts(value).iter().filter(|count| **count > 0).count()
}

/// Shannon's, in bits a character.
fn entropy(value: &[u8]) -> f64 {
    let total = value.len() as f64;
    counts(value)
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

/// Whether `text` holds `word` (in lower case), in any case.
fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

/// The ID nearest to a line; `ids` is in the order of the text.
fn nearest(ids: &[(usize, AccessKeyId)], line: usize) -> Option<&AccessKeyId> {
    let behind = ids.partition_point(|(of, _)| *of <= line);
    [behind.checked_sub(1), Some(behind)]
        .into_iter()
        .filter_map(|index| ids.get(index?))
        .filter(|(of, _)| of.abs_diff(line) <= NEAR_LINES)
        .min_by_key(|(of, _)| of.abs_diff(line))
        .map(|(_, id)| id)
}

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &[u8]) -> Self {
        Self(
            std::iter::once(0)
                .chain(memchr::memchr_iter(b'\n', text).map(|at| at + 1))
                .collect(),
        )
    }

    /// The line of a byte, from 1.
    fn number(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at)
    }

    /// The first byte of a line; a line before the first begins where the first does.
    fn start(&self, line: usize) -> usize {
        line.checked_sub(1)
            .and_then(|index| self.0.get(index))
            .copied()
            .unwrap_or(0)
    }
}

/// The words around a value: its line and the line before, within [`NAMING_BYTES`].
struct Naming<'a> {
    text: &'a [u8],
    lines: &'a Lines,
    range: &'a Range<usize>,
}

impl Naming<'_> {
    fn holds_any(&self, words: &[&str]) -> bool {
        let line = self.lines.number(self.range.start);
        let from = self
            .lines
            .start(line - 1)
            .max(self.range.start.saturating_sub(NAMING_BYTES));
        let behind = &self.text[self.range.end..self.text.len().min(self.range.end + NAMING_BYTES)];
        let behind = &behind[..memchr::memchr(b'\n', behind).unwrap_or(behind.len())];
        let before = &self.text[from..self.range.start];
        words.iter().any(|word| {
            [before, behind]
                .into_iter()
                .any(|part| names(part, word.as_bytes()))
        })
    }
}

/// Whether a word of `text` begins with `word`: `my_aws`, `myAws`, but not `laws`.
fn names(text: &[u8], word: &[u8]) -> bool {
    (0..(text.len() + 1).saturating_sub(word.len())).any(|at| {
        let begins =
            at == 0 || !text[at - 1].is_ascii_alphabetic() || text[at].is_ascii_uppercase() || word.len() > 3;
        begins && text[at..at + word.len()].eq_ignore_ascii_case(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Put together at run time, so that no scanner takes this file for a leak.
    fn id() -> String {
        ["AK", "IAY34FZKBOKMUTVV7A"].concat()
    }

    fn secret() -> String {
        ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat()
    }

    fn rules(text: &str) -> Vec<Rule> {
        detect(text.as_bytes())
            .into_iter()
            .map(|found| found.rule)
            .collect()
    }

    #[test]
    fn both_halves_of_a_key_are_one_group() {
        let text = format!("[default]\nkey = {}\nvalue = {}\n", id(), secret());
        let found = detect(text.as_bytes());
        let places: Vec<_> = found
            .iter()
            .map(|found| (found.rule, found.line, found.column, found.group))
            .collect();
        assert_eq!(
            places,
            [(Rule::AccessKeyId, 2, 7, 0), (Rule::SecretAccessKey, 3, 9, 0)]
        );
        assert_eq!(
            found[1].access_key_id.as_ref().map(AccessKeyId::as_str),
            Some(id().as_str())
        );
    }

    #[test]
    fn a_secret_needs_a_key_id_or_a_word_near_it() {
        assert_eq!(rules(&format!("checksum {}", secret())), []);
        assert_eq!(rules(&format!("laws {}", secret())), []);
        assert_eq!(rules(&format!("mySecret: {}", secret())), [Rule::SecretAccessKey]);
        assert_eq!(rules(&format!("# aws\nx={}", secret())), [Rule::SecretAccessKey]);
        assert_eq!(rules(&format!("# aws\n\n\nx={}", secret())), []);
        let far = "\n".repeat(NEAR_LINES + 1);
        assert_eq!(rules(&format!("{}{far}{}", id(), secret())), [Rule::AccessKeyId]);
    }

    #[test]
    fn escapes_and_urls_are_boundaries() {
        assert_eq!(rules(&format!(r#""a\n{}\n""#, id())), [Rule::AccessKeyId]);
        assert_eq!(rules(&format!("Credential%3D{}%2Fus", id())), [Rule::AccessKeyId]);
        assert_eq!(
            rules(&format!("s3://{}:{}@bucket", id(), secret())),
            [Rule::AccessKeyId, Rule::SecretAccessKey]
        );
        assert_eq!(
            rules(&format!(r#"aws_secret\n{}\n"#, secret())),
            [Rule::SecretAccessKey]
        );
    }

    #[test]
    fn session_tokens_are_known_by_head_or_by_name() {
        let body = secret().repeat(4);
        assert_eq!(
            rules(&["IQoJb3JpZ2", "lu", &body, "=="].concat()),
            [Rule::SessionToken]
        );
        assert_eq!(
            rules(&format!("aws_session_token = {body}")),
            [Rule::SessionToken]
        );
        assert_eq!(rules(&format!("icon = {body}")), []);
    }

    #[test]
    fn what_only_looks_alike_passes() {
        for decoy in [
            "aws_access_key_id = AKIAIOSFODNN7EXAMPLE".to_owned(),
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            ["AKIA", &"X".repeat(16)].concat(),
            ["AKIA", "ABCDEFGHIJKLMNOP"].concat(),
            ["AROA", "Y34FZKBOKMUTVV7A"].concat(),
            ["AIDA", "Y34FZKBOKMUTVV7A"].concat(),
            ["x", &id()].concat(),
            [&id(), "7"].concat(),
            "aws sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned(),
            "aws src/AwsComponents/Button3/SecretLoginForm"
                .chars()
                .take(44)
                .collect(),
            ["aws ", &secret(), "q"].concat(),
            ["aws eyJ-", &secret()].concat(),
        ] {
            assert_eq!(rules(&decoy), [], "{decoy}");
        }
    }

    #[test]
    fn utf_16_is_read_in_both_orders() {
        for (mark, write) in [
            ([0xff, 0xfe], u16::to_le_bytes as fn(u16) -> [u8; 2]),
            ([0xfe, 0xff], u16::to_be_bytes),
        ] {
            let blob: Vec<u8> = mark
                .into_iter()
                .chain(id().encode_utf16().flat_map(write))
                .collect();
            let (text, encoding) = decode(&blob);
            assert_eq!(encoding, Encoding::Utf16);
            assert_eq!(detect(&text).len(), 1);
        }
    }

    proptest! {
        #[test]
        fn a_planted_key_is_found_anywhere(before in prop::collection::vec(any::<u8>(), 0..300),
                                           after in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut text = before;
            text.push(b' ');
            let start = text.len();
            text.extend_from_slice(id().as_bytes());
            text.push(b':');
            text.extend_from_slice(secret().as_bytes());
            text.push(b' ');
            text.extend_from_slice(&after);
            let found = detect(&text);
            let has = |rule, at| found.iter().any(|found| found.rule == rule && found.range.start == at);
            prop_assert!(has(Rule::AccessKeyId, start));
            prop_assert!(has(Rule::SecretAccessKey, start + 21));
        }
    }
}
