use proptest::prelude::*;

use super::*;

/// Put together at run time, so that no scanner takes this file for a leak.
fn id() -> String {
    ["AK", "IAY34FZKBOKMUTVV7A"].concat()
}

fn secret() -> String {
    ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQi"].concat()
}

/// What counts, where no key ID is elsewhere.
fn rules(text: &str) -> Vec<Rule> {
    counting(text.as_bytes())
        .into_iter()
        .map(|found| found.rule)
        .collect()
}

/// What would count, with the word of `change` for what stands near what.
fn counting(text: &[u8]) -> Vec<Match> {
    let found = detect(text, Part::default()).values;
    let has_id = found.iter().any(|found| found.rule == Rule::AccessKeyId);
    let mut found = found;
    found.retain(|found| found.counts == Counts::Always || has_id);
    found
}

/// In the middle of a longer text.
const CUT: Part = Part {
    goes_on: Some(GoesOn::Somehow),
    next: None,
    is_utf_16: false,
};
const ID: Rule = Rule::AccessKeyId;
const SECRET: Rule = Rule::SecretAccessKey;
const TOKEN: Rule = Rule::SessionToken;

#[test]
fn a_secret_needs_a_key_id_or_a_word() {
    assert_eq!(rules(&format!("checksum {}", secret())), []);
    assert_eq!(rules(&format!("laws {}", secret())), []);
    assert_eq!(rules(&format!("mySecret: {}", secret())), [SECRET]);
    assert_eq!(rules(&format!("# aws\nx={}", secret())), [SECRET]);
    assert_eq!(rules(&format!("# aws\n1\n2\n3\nx={}", secret())), []);
    assert_eq!(rules(&format!("{}\n\n\n\n{}", id(), secret())), [ID, SECRET]);
}

#[test]
fn escapes_and_urls_are_boundaries() {
    assert_eq!(rules(&format!(r#""a\n{}\n""#, id())), [ID]);
    assert_eq!(rules(&format!(r#""a\u003d{}\u0022""#, id())), [ID]);
    assert_eq!(rules(&format!("\u{1b}[32m{}\u{1b}[0m", id())), [ID]);
    assert_eq!(rules(&format!("Credential%3D{}%2Fus", id())), [ID]);
    assert_eq!(rules(&format!("s3://{}:{}@bucket", id(), secret())), [ID, SECRET]);
    assert_eq!(rules(&format!(r#"aws_secret\n{}\n"#, secret())), [SECRET]);
    assert_eq!(rules(&format!("{}/{}", id(), secret())), [ID, SECRET]);
    assert_eq!(rules(&format!("{}:{}", id(), secret())), [ID, SECRET]);
    for close in [
        "", "\"", "'", "`", ")", "}", ";", ",", "|", "&", "<", "\\", "\\\"", "$", "@", "#",
    ] {
        assert_eq!(rules(&format!("secret={}{close}", secret())), [SECRET], "{close}");
    }
}

#[test]
fn escaped_signs_are_undone() {
    for (written, encoding) in [
        (secret().replace('/', "%2F").replace('+', "%2B"), Encoding::Url),
        (secret().replace('/', "%2f").replace('+', "%2b"), Encoding::Url),
        (
            secret().replace('/', "&#x2F;").replace('+', "&#43;"),
            Encoding::Plain,
        ),
        (secret().replace('/', "\\/"), Encoding::Json),
        (
            secret().replace('+', "\\u002B").replace('/', "\\u002F"),
            Encoding::Json,
        ),
    ] {
        let text = format!("aws_secret={written}&x");
        let found = counting(text.as_bytes());
        assert_eq!(found.len(), 1, "{written}");
        assert_eq!(found[0].value, secret().as_bytes());
        assert_eq!(found[0].range, 11..11 + written.len());
        assert_eq!(found[0].encoding, encoding);
    }
}

#[test]
fn session_tokens_are_known_by_head_or_by_name() {
    let body = secret().repeat(4);
    assert_eq!(rules(&["IQoJb3JpZ2", "lu", &body, "=="].concat()), [TOKEN]);
    assert_eq!(rules(&format!("aws_session_token = {body}")), [TOKEN]);
    let escaped = body.replace('/', "%2F").replace('+', "%2B");
    assert_eq!(
        rules(&["X-Amz-Security-Token=IQoJb3JpZ2", "lu", &escaped, "%3D%3D&x"].concat()),
        [TOKEN]
    );
    assert_eq!(rules(&format!("icon = {body}")), []);
}

#[test]
fn keys_of_bedrock_and_passwords_of_mail() {
    let body = secret().repeat(3);
    assert_eq!(rules(&["key: AB", "SK", &body, "="].concat()), [SECRET]);
    assert_eq!(rules(&["bedrock-api-", "key-YmVk", &body].concat()), [SECRET]);
    let password = ["BB", &secret(), "7q"].concat();
    assert_eq!(rules(&format!("password = {password}")), []);
    assert_eq!(rules(&format!("smtp_password = {password}")), [SECRET]);
    assert_eq!(rules(&format!("{}\npassword = {password}", id())), [ID, SECRET]);
}

#[test]
fn what_only_looks_alike_passes() {
    let line = secret().repeat(2)[..64].to_owned();
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
        format!("aws sha256-{}abc=", secret()),
        format!("aws sha384-{line}"),
        format!("aws_secret = ENC[AES256_GCM,data:{},iv:x]", secret()),
        format!("secret: data:image/png;base64,{}", secret()),
        format!(
            "secret\n-----BEGIN CERTIFICATE-----\n{line}\n{line}\n{}\n-----END",
            secret()
        ),
        format!("secret: \"{line}\\n{line}\\n{}\\n\"", secret()),
        format!("secret = {}=", secret()),
        "secret = 123e4567-e89b-12d3-a456-426614174000".to_owned(),
        "secret = ${AWS_SECRET_ACCESS_KEY_OF_PRODUCTION_AB1}".to_owned(),
        format!("aws eyJhbGciOiJIUzI1NiJ9.{}.x", secret()),
        // A password of 30 characters in base64.
        format!(
            "kind: Secret\ndata:\n  password: {}",
            data_encoding::BASE64.encode(b"correct-horse-battery-staple12")
        ),
        format!("JWT_SECRET={}", secret()),
        format!(
            "  JWT_SECRET: {}",
            data_encoding::BASE64.encode(secret().as_bytes())
        ),
        format!("aws apigateway get-usage-plan-key --key-id {}", secret()),
        format!("aws-java-sdk-s3 sha1: {}", secret()),
        "https://oidc.eks.us-east-2.amazonaws.com/id/DALSJ343KE23J3RN45653DSKJTT647TYD".to_owned(),
        "secret: llvm/DebugInfo/PDB/PDBSymbolFuncDebugEnd.h".to_owned(),
        "secret: /v1beta1/AuthzPolicyAuthzRuleStringMatch.yaml".to_owned(),
        "secret: usr/share/postgresql/15/man/man7/VACUUM7".to_owned(),
        "secret(Lsun/security/pkcs11/P11ECDHKeyAgreement1;".to_owned(),
    ] {
        assert_eq!(rules(&decoy), [], "{decoy}");
    }
}

#[test]
fn in_binary_files_keys_touch_what_stands_beside_them() {
    let (id, secret) = (id(), secret());
    // A row of SQLite: the lengths of its columns, and then the columns.
    let row = |columns: &[&str]| ["\0\u{5}!57", &columns.concat(), "\0"].concat();
    for (text, expected) in [
        (row(&["prod", &id, "eu-west-1"]), vec![ID]),
        (row(&["prod", &id, "8"]), vec![ID]),
        (row(&["PROD", &id, "EU"]), vec![ID]),
        (row(&["prod", &id, &secret, "eu-west-1"]), vec![ID, SECRET]),
        (row(&["prod", &secret, &id, "eu-west-1"]), vec![SECRET, ID]),
        // Marshalled strings of Python, with their length and the letter of the next one's type.
        (format!("Z\u{14}{id}Z(secretz"), vec![ID]),
        (format!("\u{14}\0\0\0{id}N"), vec![ID]),
        (format!("Z\u{14}{id}z({secret}N)Z\u{3}"), vec![ID, SECRET]),
        (format!("aws_secret\0z({secret}Nr\0"), vec![SECRET]),
        // Base32 goes on, and so do the letters of a protein.
        (row(&["prod", &id, &"QZ3K7".repeat(9)]), vec![]),
        (row(&[&"QZ3K7".repeat(9), &id, "eu"]), vec![]),
        (row(&["M", &["AK", "IAYQFZKBOKMUTVVRAL"].concat(), "K"]), vec![]),
        // Text is no binary file.
        (["prod", &id, "eu"].concat(), vec![]),
        (format!("aws_secret({secret}Nr"), vec![]),
    ] {
        assert_eq!(rules(&text), expected, "{}", text.escape_debug());
    }
}

#[test]
fn base64_is_searched_and_its_name_counts() {
    let encode = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
    for once in [
        id(),
        format!("{}\n", id()),
        format!("x={}", id()),
        format!("{{\"k\":\"{}\"}}", id()),
    ] {
        assert_eq!(rules(&format!("  key: {}\n", encode(&once))), [ID], "{once}");
        assert_eq!(
            rules(&format!("  key: {}\n", encode(&encode(&once)))),
            [ID],
            "{once} twice"
        );
    }
    for once in [secret(), format!("{}\n", secret())] {
        assert_eq!(
            rules(&format!("  AWS_SECRET_ACCESS_KEY: {}\n", encode(&once))),
            [SECRET]
        );
        assert_eq!(
            rules(&format!("  AWS_SECRET_ACCESS_KEY: {}\n", encode(&encode(&once)))),
            [SECRET]
        );
        assert_eq!(rules(&format!("  checksum: {}\n", encode(&once))), []);
    }
    let text = format!("key: {}", encode(&format!("ab {}", id())));
    let found = counting(text.as_bytes());
    assert_eq!(found[0].range, 9..36);
    assert_eq!(found[0].encoding, Encoding::Base64);
}

#[test]
fn base64_of_several_lines_is_one() {
    let text = format!("{}\naws_access_key_id = {}\n", "lorem ipsum ".repeat(9), id());
    let encoded = data_encoding::BASE64.encode(text.as_bytes());
    for (join, indent) in [
        ("\n", ""),
        ("\r\n", "  "),
        ("\\n", ""),
        ("\",\n", "  \""),
        ("\n", "# "),
    ] {
        for width in [64, 76] {
            let lines: Vec<&str> = encoded
                .as_bytes()
                .chunks(width)
                .map(|line| std::str::from_utf8(line).unwrap())
                .collect();
            let folded = lines.join(&format!("{join}{indent}"));
            assert_eq!(
                rules(&format!("{indent}{folded}{join}end")),
                [ID],
                "{join:?} {width}"
            );
        }
    }
}

#[test]
fn base64_in_narrow_lines_is_one_where_an_id_begins_on_a_line() {
    let text = format!(
        "[x]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        id(),
        secret()
    );
    for (join, indent) in [
        ("\n", ""),
        ("\r\n", "  "),
        ("\\n", ""),
        ("\",\n", "  \""),
        ("\n", "# "),
    ] {
        for width in [16, 20, 24, 30, 32, 36, 38, 40] {
            let mut found = 0;
            for before in 0..width {
                let encoded =
                    data_encoding::BASE64.encode(["y".repeat(before), text.clone()].concat().as_bytes());
                let lines: Vec<&str> = encoded
                    .as_bytes()
                    .chunks(width)
                    .map(|line| std::str::from_utf8(line).unwrap())
                    .collect();
                let folded = lines.join(&format!("{join}{indent}"));
                let rules = rules(&format!("{indent}{folded}{join}end"));
                assert!(
                    rules.is_empty() || rules == [ID, SECRET],
                    "{join:?} {width} {before} {rules:?}"
                );
                found += usize::from(!rules.is_empty());
            }
            // The first characters must stand on one line.
            assert!(found >= width - 8, "{join:?} {width} {found}");
        }
    }
}

#[test]
fn keys_in_pieces_are_put_together() {
    let (id, secret) = (id(), secret());
    let pair = |join: &str, at: usize| {
        let cut = |value: &str, at: usize| format!("\"{}{join}{}\"", &value[..at], &value[at..]);
        format!("id = {}\nkey = {}\n", cut(&id, at), cut(&secret, 2 * at))
    };
    for join in [
        "\" + \"",
        "' +\n    '",
        "' . '",
        "\" \\\n \"",
        "\" & \"",
        "\" || '",
        "\" + f\"",
        "\\\" + \\\"",
    ] {
        for at in [4, 5, 10, 19] {
            assert_eq!(rules(&pair(join, at)), [ID, SECRET], "{join:?} {at}");
        }
    }
    let (head, tail) = id.split_at(4);
    for text in [
        format!("concat('{head}', '{tail}')"),
        format!("\"Fn::Join\": [\"\", [\"{head}\", \"{tail}\"]]"),
        format!("[\"{head}\", \"{tail}\"].join(\"\")"),
    ] {
        assert_eq!(rules(&text), [ID], "{text}");
    }
    for text in [
        // Nothing puts these together.
        pair("\"; b = \"", 4),
        pair("\": \"", 4),
        pair("\", \"", 4),
        "\"AKIA\" + \"IOSFODNN7EXAMPLE\"".to_owned(),
        format!("x = \"AKIA\" + \"{}Q\"", &id[4..]),
    ] {
        assert_eq!(rules(&text), [], "{text}");
    }
}

/// A text as it may be written.
fn written(text: &str, how: usize) -> Vec<u8> {
    let units = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect();
    let base64 = |text: &[u8]| data_encoding::BASE64.encode(text);
    match how {
        0 => text.as_bytes().to_vec(),
        1 => units(u16::to_le_bytes),
        2 => units(u16::to_be_bytes),
        3 => base64(text.as_bytes()).into_bytes(),
        4 => base64(format!("a{text}").as_bytes()).into_bytes(),
        5 => base64(format!("ab{text}").as_bytes()).into_bytes(),
        6 => base64(base64(text.as_bytes()).as_bytes()).into_bytes(),
        7 => base64(&units(u16::to_le_bytes)).into_bytes(),
        8 => text
            .replace('/', "%2F")
            .replace('+', "%2B")
            .replace('=', "%3D")
            .into_bytes(),
        9 => text.replace('/', "\\/").replace('\n', "\\n").into_bytes(),
        _ => text.replace('/', "\\u002F").replace('+', "\\u002b").into_bytes(),
    }
}

/// What chance brings about: of 64 characters, 40.
fn any_secret() -> impl Strategy<Value = String> {
    "[A-Za-z0-9+/]{40}".prop_filter("AWS's are random", |secret| {
        shape::secret(secret.as_bytes()) > Look::Wordy
    })
}

proptest! {
    #[test]
    fn a_planted_key_is_found_anywhere(
        before in prop::collection::vec(any::<u8>(), 0..300),
        after in prop::collection::vec(any::<u8>(), 0..300),
        prefix in prop::sample::select(vec!["AK", "AS", "AB"]),
        tail in "[A-Z2-7]{16}",
        secret in any_secret(),
        how in 0_usize..11,
    ) {
        let id = format!("{prefix}IA{tail}");
        prop_assume!(shape::is_access_key_id(id.as_bytes()));
        let mut text = before;
        text.extend_from_slice(b"\n ");
        text.extend(written(&format!(";aws_access_key_id={id}\nsecret={secret}\n"), how));
        text.extend_from_slice(b" \n");
        text.extend_from_slice(&after);
        let found = detect(&text, Part::default()).values;
        let has = |rule, value: &str| {
            found.iter().any(|found| found.rule == rule && found.value == value.as_bytes() && found.counts == Counts::Always)
        };
        prop_assert!(has(ID, &id), "{how}");
        prop_assert!(has(SECRET, &secret), "{how}");
    }

    #[test]
    fn nothing_panics_and_every_place_is_in_the_text(text in prop::collection::vec(any::<u8>(), 0..2000)) {
        for found in detect(&text, CUT).values {
            prop_assert!(found.range.start < found.range.end && found.range.end <= text.len());
        }
    }

    #[test]
    fn nothing_panics_on_what_keys_are_made_of(text in "[AKISBCQUtJ0-9a-z+/=%\\\\\n -]{0,400}") {
        detect(text.as_bytes(), CUT);
    }
}

#[test]
fn what_touches_a_secret_and_is_not_its_own_hides_nothing() {
    let (id, secret) = (id(), secret());
    for text in [
        format!("AWS_SECRET_ACCESS_KEY: ${{AWS_SECRET_ACCESS_KEY:-{secret}}}"),
        format!("AWS_SECRET_ACCESS_KEY=\"${{AWS_SECRET_ACCESS_KEY:-{secret}}}\""),
        format!("AWS_SECRET_ACCESS_KEY=${{SECRET-{secret}}}"),
        format!("AWS_SECRET_ACCESS_KEY=${{SECRET:+{secret}}}"),
        format!("AWS_SECRET_ACCESS_KEY=${{A:-${{B:-{secret}}}}}"),
        format!("AWS_SECRET_ACCESS_KEY=\u{1b}[33m{secret}\u{1b}[0m"),
        format!("AWS_SECRET_ACCESS_KEY=\u{1b}[1;33m{secret}\u{1b}[0m"),
        format!(r"AWS_SECRET_ACCESS_KEY=\u001b[33m{secret}\u001b[0m"),
        format!(r"AWS_SECRET_ACCESS_KEY=\033[33m{secret}\033[0m"),
        format!(r"AWS_SECRET_ACCESS_KEY=\e[33m{secret}\e[0m"),
        format!(r#""aws_secret": \"{}\""#, secret.replace('/', r"\\/")),
        format!(r#""aws_secret": \"{}\""#, secret.replace('/', r"\\\/")),
        format!(
            "aws_secret%253D{}",
            secret.replace('/', "%252F").replace('+', "%252B")
        ),
    ] {
        let found = counting(text.as_bytes());
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!(found[0].value, secret.as_bytes(), "{text}");
    }
    for text in [
        format!("+{id}\n+{secret}\n"),
        format!("-{id}\n-{secret}\n"),
        format!("//{id}\n//{secret}\n"),
        format!("keys:\n-{id}\n-{secret}\n"),
    ] {
        assert_eq!(rules(&text), [ID, SECRET], "{text}");
    }
}
