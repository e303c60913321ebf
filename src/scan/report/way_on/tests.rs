use super::*;

use crate::scan::change::Finding;
use crate::scan::detector::{Encoding, Rule};

fn own_key(is_current: bool) -> Settled {
    Settled {
        findings: vec![Finding {
            rule: Rule::OwnKey,
            path: "a.txt".to_owned(),
            line: 1,
            column: 1,
            characters: 1..41,
            commit: None,
            access_key_id: None,
            account_id: None,
            profile: Some("dev eu".to_owned()),
            is_current,
            is_live: is_current,
            group: 1,
            preview: "abcd… (40)".to_owned(),
            fingerprint: "f".to_owned(),
            encoding: Encoding::Base64,
            allowed: None,
        }],
        ..Settled::default()
    }
}

#[test]
fn an_own_live_key_is_to_be_rotated_and_cannot_be_allowed() {
    let live = way_on(&own_key(true), Source::Files, &Facts::default());
    let replace = if cfg!(feature = "aws") {
        "keyagent rotate -p 'dev eu'"
    } else {
        "aws iam update-access-key --status Inactive --access-key-id KEY_ID"
    };
    assert!(live.contains(&format!("\n  {replace}\n")), "{live}");
    assert!(
        live.ends_with("but --allow-own") && !live.contains("--allow \""),
        "{live}"
    );
    let text = crate::scan::report::text(&own_key(true));
    assert_eq!(
        text,
        "a.txt:1:1  own-key  abcd… (40)  profile dev eu (in use)  in base64\n"
    );
    let old = way_on(&own_key(false), Source::Files, &Facts::default());
    assert!(
        old.contains("--allow \"REASON\"") && old.contains("if it was ever pushed"),
        "{old}"
    );
}

#[test]
fn a_path_is_no_pattern_but_where_it_cannot_be_typed() {
    for (path, word) in [
        ("a.txt", "a.txt"),
        ("*.env", r"'\*.env'"),
        ("[1].txt", r"'\[1].txt'"),
        ("caf\u{fffd}", "'caf?'"),
    ] {
        assert_eq!(pathspec(path, ""), word);
    }
    assert_eq!(pathspec("a", ":/"), ":/a");
}

#[test]
fn files_of_one_machine_are_known_by_name() {
    for path in [
        "a/.env",
        ".env.local",
        "rootkey.csv",
        "x/terraform.tfstate",
        "ann_accessKeys.csv",
    ] {
        assert!(is_for_one_machine(path), "{path}");
    }
    for path in [".env.example", "settings.py", "env", ".environment"] {
        assert!(!is_for_one_machine(path), "{path}");
    }
}

#[test]
fn what_lies_in_a_container_is_unstaged_with_it() {
    let is_staged = |path: &str| ["a!b.zip", "c"].contains(&path);
    assert_eq!(outer("a!b.zip!d.txt", &is_staged), "a!b.zip");
    assert_eq!(outer("c", &is_staged), "c");
    assert_eq!(outer("x!y", &is_staged), "x!y");
}
