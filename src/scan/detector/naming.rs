//! What the words around a value say about it, in any syntax. Never looks at the value itself.

use std::ops::Range;

/// How far before and behind a value words are looked for; keeps minified files linear.
const BEFORE: usize = 256;
const BEHIND: usize = 96;

/// How clearly the words around a value name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    /// Not at all.
    #[default]
    Not,
    /// Something of AWS's stands near.
    Near,
    /// It is called a secret or an access key.
    Secret,
}

const SECRET: [&[u8]; 8] = [
    b"secret",
    b"accesskey",
    b"access_key",
    b"access-key",
    b"access key",
    b"access.key",
    b"aws_key",
    b"awskey",
];
const NEAR: [&[u8]; 12] = [
    b"aws",
    b"amazon",
    b"s3",
    b"s3a",
    b"ses",
    b"sqs",
    b"sns",
    b"iam",
    b"sts",
    b"boto",
    b"akia",
    b"dynamodb",
];
const TOKEN: [&[u8]; 9] = [
    b"session_token",
    b"session-token",
    b"sessiontoken",
    b"session token",
    b"security_token",
    b"security-token",
    b"securitytoken",
    b"security token",
    b"aws_token",
];
const MAIL: [&[u8]; 2] = [b"smtp", b"ses"];
/// What secrets are called that are nothing of AWS's, and what names the keys of its API gateway, and digests.
const OF_OTHERS: [&[u8]; 34] = [
    b"jwt",
    b"session_secret",
    b"session-secret",
    b"sessionsecret",
    b"cookie",
    b"csrf",
    b"oauth",
    b"nextauth",
    b"auth_secret",
    b"client_secret",
    b"client-secret",
    b"clientsecret",
    b"webhook",
    b"github",
    b"gitlab",
    b"google",
    b"stripe",
    b"slack",
    b"twilio",
    b"azure",
    b"django",
    b"hmac",
    b"signing",
    b"encrypt",
    b"password",
    b"passwd",
    b"api-key",
    b"api_key",
    b"apikey",
    b"key-id",
    b"sha1",
    b"sha256",
    b"checksum",
    b"digest",
];

/// How the base64 at `range` is named, and with it what it says.
pub(super) fn secret_of_aws(text: &[u8], range: &Range<usize>) -> Named {
    if is_of_others(text, range) {
        Named::Not
    } else {
        secret(text, range)
    }
}

/// How the 40 characters at `range` are named, whoever's they are.
pub(super) fn secret(text: &[u8], range: &Range<usize>) -> Named {
    let (before, behind) = surroundings(text, range);
    let any = |words: &[&[u8]]| {
        words
            .iter()
            .any(|word| names(before, word) || names(behind, word))
    };
    if any(&SECRET) {
        Named::Secret
    } else if any(&NEAR) {
        Named::Near
    } else {
        Named::Not
    }
}

/// Whether the value at `range` is assigned to what is called a secret, with nothing but signs between: `secret = "`,
/// `--secret-key `, `"name": "secret", "value": "`.
pub(super) fn is_assigned(text: &[u8], range: &Range<usize>) -> bool {
    let name = &text[name(text, range)];
    SECRET.iter().any(|word| names(name, word))
}

/// Whether the value at `range` is called a secret of somebody else's than AWS: `JWT_SECRET=`, or `secret:` below `jwt:`.
pub(super) fn is_of_others(text: &[u8], range: &Range<usize>) -> bool {
    let any = |words: &[&[u8]], text: &[u8]| words.iter().any(|word| names(text, word));
    let is_of_aws = |text: &[u8]| any(&NEAR, text) || any(&SECRET[1..], text);
    let place = name(text, range);
    let name = &text[place.clone()];
    if is_of_aws(name) {
        return false;
    }
    if any(&OF_OTHERS, name) {
        return true;
    }
    let (before, _) = surroundings(text, range);
    name.eq_ignore_ascii_case(b"secret") && any(&OF_OTHERS, before) && !is_of_aws(before)
}

/// Where the name stands that the value at `range` is assigned to, with nothing but signs between.
fn name(text: &[u8], range: &Range<usize>) -> Range<usize> {
    let from = range.start.saturating_sub(BEFORE);
    let before = &text[from..range.start];
    let mut place = last_name(before);
    let is_of_syntax = |word: &&[u8]| before[place.clone()].eq_ignore_ascii_case(word);
    if [&b"value"[..], b"string", b"default", b"n", b"x"]
        .iter()
        .any(is_of_syntax)
    {
        place = last_name(&before[..place.start]);
    }
    from + place.start..from + place.end
}

fn last_name(before: &[u8]) -> Range<usize> {
    let end = before
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .map_or(0, |at| at + 1);
    let is_in_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let start = before[..end]
        .iter()
        .rposition(|byte| !is_in_name(byte))
        .map_or(0, |at| at + 1);
    start..end
}

/// Whether the value at `range` is called a session token.
pub(super) fn is_session_token(text: &[u8], range: &Range<usize>) -> bool {
    let (before, _) = surroundings(text, range);
    TOKEN.iter().any(|word| names(before, word))
}

/// Whether the value at `range` stands beside what names a mail server.
pub(super) fn is_mail(text: &[u8], range: &Range<usize>) -> bool {
    let (before, behind) = surroundings(text, range);
    MAIL.iter().any(|word| names(before, word) || names(behind, word))
}

/// The line of a value, and what stands above it: two lines that hold something, for YAML's block values and XML's and
/// plist's separate names.
fn surroundings<'a>(text: &'a [u8], range: &Range<usize>) -> (&'a [u8], &'a [u8]) {
    let mut from = range.start.saturating_sub(BEFORE);
    let mut lines = 0;
    // A blank line is no line, but the value's own always is one.
    let mut holds = true;
    for at in (from..range.start).rev() {
        if text[at] == b'\n' {
            lines += usize::from(holds);
            holds = false;
            if lines > 2 {
                from = at;
                break;
            }
        } else if text[at].is_ascii_alphanumeric() {
            holds = true;
        }
    }
    let behind = &text[range.end..text.len().min(range.end + BEHIND)];
    let before = &text[from..range.start];
    let mut ends = memchr::memchr_iter(b'\n', behind);
    // `value: V` may stand above its name.
    let end = if is_called_value(before) {
        ends.next().and_then(|_| ends.next())
    } else {
        ends.next()
    };
    (before, &behind[..end.unwrap_or(behind.len())])
}

fn is_called_value(before: &[u8]) -> bool {
    let end = before
        .iter()
        .rposition(u8::is_ascii_alphanumeric)
        .map_or(0, |at| at + 1);
    let line = &before[memchr::memrchr(b'\n', &before[..end]).map_or(0, |at| at + 1)..end];
    let start = line
        .iter()
        .rposition(|byte| !byte.is_ascii_alphanumeric())
        .map_or(0, |at| at + 1);
    line[start..].eq_ignore_ascii_case(b"value")
}

/// Whether a word of `text` is `word` (in lower case): `my_aws`, `myAws`, `MYAWS_`, but not `laws`; a short one must
/// also end there: `s3_key`, but not `s3cr`.
fn names(text: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return false };
    let starts = memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text);
    let mut starts = starts.filter(|at| {
        text.get(*at..at + word.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(word))
    });
    starts.any(|at| {
        if word.len() > 4 {
            return true;
        }
        let begins = at == 0 || !text[at - 1].is_ascii_alphabetic() || begins_in_camel_case(text, at);
        let behind = &text[at + word.len()..];
        let ends = !behind.first().is_some_and(u8::is_ascii_lowercase);
        // `SESSION`, but not `AWSSECRET` or `SESClient`.
        let goes_on_in_capitals = !matches!(word, b"aws" | b"s3" | b"s3a")
            && matches!(behind, [first, second, ..] if first.is_ascii_uppercase() && second.is_ascii_uppercase());
        begins && ends && !goes_on_in_capitals
    })
}

fn begins_in_camel_case(text: &[u8], at: usize) -> bool {
    text[at].is_ascii_uppercase() && text[at - 1].is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(before: &str, behind: &str) -> Named {
        let value = "V".repeat(40);
        let text = format!("{before}{value}{behind}");
        secret(text.as_bytes(), &(before.len()..before.len() + 40))
    }

    #[test]
    fn an_assignment_has_nothing_but_signs_between() {
        let is_assigned = |before: &str| {
            let text = format!("{before}{}", "V".repeat(40));
            super::is_assigned(text.as_bytes(), &(before.len()..text.len()))
        };
        for before in [
            "AWS_SECRET_ACCESS_KEY=",
            "$env:AWS_SECRET_ACCESS_KEY = \"",
            "ENV AWS_SECRET_ACCESS_KEY ",
            "\\\"secret_key\\\": \\\"",
            "<add key=\"AWSSecretKey\" value=\"",
            "- name: AWS_SECRET_ACCESS_KEY\n  value: ",
            "<secretKey>",
        ] {
            assert!(is_assigned(before), "{before}");
        }
        for before in ["", "= ", "the secret is in ", "secret:\n  path: ", "aws = "] {
            assert!(!is_assigned(before), "{before}");
        }
    }

    #[test]
    fn secrets_of_others_are_called_so() {
        let is_of_others = |before: &str| {
            let text = format!("{before}{}", "V".repeat(40));
            super::is_of_others(text.as_bytes(), &(before.len()..text.len()))
        };
        for before in [
            "JWT_SECRET=",
            "\"jwtSecret\": \"",
            "jwt:\n  secret: ",
            "- name: SESSION_SECRET\n  value: \"",
            "aws --key-id ",
            "aws apigateway update-api-key --api-key ",
            "DB_PASSWORD=",
            "aws-java-sdk-s3 sha1: ",
            "client_secret = '",
        ] {
            assert!(is_of_others(before), "{before}");
        }
        for before in [
            "",
            "secret: ",
            "AWS_SECRET_ACCESS_KEY=",
            "s3_password = ",
            "aws_session_secret = ",
            "session.secret_key = ",
            "jwt: x\naws:\n  secret: ",
            "boto3.session.Session(aws_secret_access_key=",
            "SECRET_KEY = ",
        ] {
            assert!(!is_of_others(before), "{before}");
        }
    }

    #[test]
    fn every_syntax() {
        for before in [
            "aws_secret_access_key = ",
            "AWS_SECRET_ACCESS_KEY=",
            "$env:AWS_SECRET_ACCESS_KEY=\"",
            "\"SecretAccessKey\": \"",
            "aws_secret_access_key: >-\n  ",
            "<key>AWSSecretKey</key>\n  <string>",
            "<SecretAccessKey>",
            "secret_key = \"",
            "fs.s3a.secret.key=",
            "ENV AWS_SECRET_ACCESS_KEY ",
            "\\\"aws_secret_access_key\\\": \\\"",
            "Credentials(\n    secretAccessKey,\n    \"",
            "S3_ACCESS_KEY: ",
            "--access-key ",
        ] {
            assert_eq!(named(before, ""), Named::Secret, "{before}");
        }
        assert_eq!(named("", " # the secret"), Named::Secret);
        assert_eq!(
            named("- value: ", "\n  name: AWS_SECRET_ACCESS_KEY\n"),
            Named::Secret
        );
        assert_eq!(named("- value: ", "\n  name: x\n  y: secret\n"), Named::Not);
        for before in [
            "s3_key = ",
            "SES_KEY=",
            "SESClient(",
            "myAws: ",
            "# aws\nx=",
            "s3://",
            "boto3(",
            "iam: ",
        ] {
            assert_eq!(named(before, ""), Named::Near, "{before}");
        }
        for before in [
            "laws ",
            "checksum ",
            "# aws\n1\n2\n3\nx=",
            "s3cr = ",
            "uses ",
            "SESSION=",
        ] {
            assert_eq!(named(before, ""), Named::Not, "{before}");
        }
    }
}
