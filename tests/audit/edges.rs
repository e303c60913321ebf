//! The edges that tools get wrong, each by its name and against the second evaluator; and reports that are none, or not
//! whole. As of 2026-11-25T12:00:00Z.

use super::second_evaluator::HEADER;
use super::{Row, audit, expected, report, verdicts};
use crate::support::{Home, Run};

/// A user, what is about the user, and the verdicts that are expected.
type Case = (&'static str, fn(&mut Row), &'static [&'static str]);

const KEY: &str = "key-rotation 1";
const UNUSED: &str = "unused-credentials 1";

/// Each begins as a user with a key of this month in use, and no password.
const CASES: &[Case] = &[
    (
        "exactly-90-days",
        |row| row.keys[0][1] = "2026-08-27T12:00:00Z".into(),
        &["key-rotation 1 pass"],
    ),
    (
        "a-second-more",
        |row| row.keys[0][1] = "2026-08-27T11:59:59+00:00".into(),
        &["key-rotation 1 fail"],
    ),
    (
        "exactly-45-days",
        |row| row.keys[0][2] = "2026-10-11T12:00:00Z".into(),
        &["unused-credentials 1 fail"],
    ),
    (
        "a-second-less",
        |row| row.keys[0][2] = "2026-10-11T12:00:01Z".into(),
        &["unused-credentials 1 pass"],
    ),
    (
        "never-used",
        |row| row.keys[0] = ["TRUE".into(), "2026-10-11T12:00:00Z".into(), "N/A".into()],
        &["unused-credentials 1 fail", "key-rotation 1 pass"],
    ),
    (
        "never-used-and-young",
        |row| row.keys[0] = ["True".into(), "2026-10-11T12:00:01Z".into(), "N/A".into()],
        &["unused-credentials 1 pass"],
    ),
    (
        "inactive-and-old",
        |row| {
            row.keys[0] = [
                "FALSE".into(),
                "2020-01-01T00:00:00Z".into(),
                "2020-01-01T00:00:00Z".into(),
            ]
        },
        &["one-active-key - pass"],
    ),
    (
        "two-active",
        |row| row.keys[1] = row.keys[0].clone(),
        &["one-active-key - fail", "key-rotation 2 pass"],
    ),
    (
        "the-second-alone",
        |row| row.keys.swap(0, 1),
        &[
            "one-active-key - pass",
            "key-rotation 2 pass",
            "unused-credentials 2 pass",
        ],
    ),
    (
        "password-unused",
        |row| {
            row.password = [
                "true".into(),
                "2026-10-11T12:00:00Z".into(),
                "2026-11-01T00:00:00Z".into(),
            ]
        },
        &["unused-credentials - fail", "key-at-setup 1 pass"],
    ),
    (
        "password-never-used",
        |row| {
            row.password = [
                "TRUE".into(),
                "no_information".into(),
                "2026-10-11T12:00:00+00:00".into(),
            ]
        },
        &["unused-credentials - fail"],
    ),
    (
        "password-new",
        |row| row.password = ["TRUE".into(), "N/A".into(), "2026-11-24T00:00:00Z".into()],
        &["unused-credentials - pass"],
    ),
    (
        "password-and-key-never-used",
        |row| {
            row.password = [
                "true".into(),
                "2026-11-24T00:00:00Z".into(),
                "2026-11-01T00:00:00Z".into(),
            ];
            row.keys[0][2] = "N/A".into();
        },
        &["key-at-setup 1 fail"],
    ),
    (
        "ünïcode-Ω",
        |row| row.keys[0][1] = "2020-01-01T00:00:00Z".into(),
        &["key-rotation 1 fail"],
    ),
    ("=cmd+a@b.c,_-", |_| {}, &["key-rotation 1 pass"]),
    // A user's name decides nothing: only the ARN tells who is root.
    (
        "root",
        |row| row.keys[0][1] = "2020-01-01T00:00:00Z".into(),
        &["one-active-key - pass", "key-rotation 1 fail"],
    ),
];

fn cases() -> Vec<Row> {
    let mut rows = vec![Row::root("false", "N/A")];
    for (name, change, _) in CASES {
        // A comma is no character of IAM's, but CSV allows it.
        let mut row = Row::of(&name.replace(',', ""), "true", "2026-11-01T00:00:00Z");
        change(&mut row);
        rows.push(row);
    }
    rows
}

fn found(run: &Run) -> Vec<String> {
    let document = run.json();
    assert_eq!(document["not_evaluated"], serde_json::json!([]));
    verdicts(document["findings"].as_array().unwrap())
}

#[test]
fn every_edge_is_judged_as_the_benchmark_says() {
    let home = Home::new();
    let rows = cases();
    home.write("report.csv", report(&rows));
    let found = found(&audit(&home, &["--format", "json"]).exits(1));
    for (name, _, wanted) in CASES {
        for verdict in *wanted {
            let verdict = format!("{} {verdict}", name.replace(',', ""));
            assert!(found.contains(&verdict), "no `{verdict}` in {found:#?}");
        }
    }
    assert!(
        !found
            .iter()
            .any(|verdict| verdict.starts_with("inactive-and-old ")
                && (verdict.contains(KEY) || verdict.contains(UNUSED))),
        "no rule judges an inactive key"
    );
    assert_eq!(found, expected(&rows));
}

#[test]
fn root_is_judged_in_every_form() {
    let home = Home::new();
    let made = "2026-01-01T00:00:00Z";
    for (active, second, wanted) in [
        ("false", "false", "root-access-key - pass"),
        ("FALSE", "False", "root-access-key - pass"),
        ("true", "false", "root-access-key 1 fail"),
        ("TRUE", "false", "root-access-key 1 fail"),
        ("false", "True", "root-access-key 2 fail"),
    ] {
        for (name, partition) in [
            ("<root_account>", "aws"),
            ("<root_account>", "aws-cn"),
            ("root", "aws-us-gov"),
        ] {
            let mut root = Row::root(
                active,
                if active.eq_ignore_ascii_case("true") {
                    made
                } else {
                    "N/A"
                },
            );
            if second == "True" {
                root.keys[1] = [second.into(), made.into(), "N/A".into()];
            } else {
                root.keys[1][0] = second.into();
            }
            root.user = name.into();
            root.arn = format!("arn:{partition}:iam::123456789012:root");
            // Neither does its place matter.
            let rows = [Row::of("ann", "true", "2026-11-01T00:00:00Z"), root];
            home.write("report.csv", report(&rows));
            let run = audit(&home, &["--format", "json"]).exits(i32::from(wanted.ends_with("fail")));
            let found = found(&run);
            let wanted = format!("<root_account> {wanted}");
            assert!(found.contains(&wanted), "no `{wanted}` in {found:#?}");
            assert!(
                !found
                    .iter()
                    .any(|verdict| verdict.starts_with("<root_account> unused")
                        || verdict.starts_with("<root_account> one-active")),
                "{found:#?}"
            );
        }
    }
}

#[test]
fn columns_are_known_by_their_names() {
    let home = Home::new();
    let rows = cases();
    let text = report(&rows);
    home.write("report.csv", &text);
    let plain = audit(&home, &["--format", "json"]).exits(1).stdout;
    // The other way round, with columns that nobody knows, a byte order mark and the line ends of Windows.
    let lines: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(number, line)| {
            let unknown = if number == 0 { "new_column" } else { "true" };
            let mut fields: Vec<&str> = line.split(',').rev().collect();
            fields.insert(3, unknown);
            fields.join(",")
        })
        .collect();
    home.write("report.csv", format!("\u{feff}{}\r\n", lines.join("\r\n")));
    assert_eq!(audit(&home, &["--format", "json"]).exits(1).stdout, plain);
    // All in quotes, as spreadsheet programs may save it.
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("\"{}\"", line.replace(',', "\",\"")))
        .collect();
    home.write("report.csv", lines.join("\n"));
    assert_eq!(audit(&home, &["--format", "json"]).exits(1).stdout, plain);
}

/// A good row, one of this kind, and a bad user; no run of it may end in anything but 2.
fn with_row(home: &Home, row: &str) -> Run {
    let good = Row::of("ann", "true", "2026-11-01T00:00:00Z").line();
    let bad = Row::of("zoe", "true", "2020-01-01T00:00:00Z").line();
    let root = Row::root("false", "N/A").line();
    home.write("report.csv", format!("{HEADER}\n{root}\n{good}\n{row}\n{bad}\n"));
    audit(home, &["--format", "json"])
}

#[test]
fn a_row_that_cannot_be_read_is_named_and_never_passes() {
    let home = Home::new();
    let bob = Row::of("bob", "true", "2026-11-01T00:00:00Z").line();
    for (row, cause) in [
        (
            "bob,arn:aws:iam::123456789012:user/bob".to_owned(),
            "it has 2 columns, the first row has 22",
        ),
        (format!("{bob},x"), "it has 23 columns, the first row has 22"),
        (
            bob.replace("2026-11-01T00:00:00Z", "2026-11-31T00:00:00Z"),
            "access_key_1_last_rotated has `2026-11-31T",
        ),
        (
            bob.replace("2026-11-01T00:00:00Z", "1.11.2026"),
            "access_key_1_last_rotated has `1.11.2026`",
        ),
        (
            bob.replace("2026-11-01T00:00:00Z", ""),
            "access_key_1_last_rotated has ``",
        ),
        (
            bob.replace("2026-11-01T00:00:00Z", "2026-11-01T00:00:00"),
            "access_key_1_last_rotated has `2026",
        ),
        (bob.replacen("true", "yes", 1), "access_key_1_active has `yes`"),
        (bob.replacen("true", "", 1), "access_key_1_active has ``"),
        (bob.replacen("bob", "", 1), "column user names nobody"),
        (
            bob.replacen("arn:aws:iam::123456789012:user/", "", 1),
            "column arn has `bob`, which is no ARN",
        ),
    ] {
        let run = with_row(&home, &row).fails_with(
            "cannot evaluate row 4 of report.csv",
            cause,
            "sed -n 4p report.csv",
        );
        let found = verdicts(run.json()["findings"].as_array().unwrap());
        assert!(
            found.contains(&"zoe key-rotation 1 fail".to_owned()),
            "{cause}: {found:#?}"
        );
        assert!(
            !found.contains(&"bob key-rotation 1 pass".to_owned())
                || cause.contains("active")
                || cause.contains("arn"),
            "{cause}"
        );
        assert_eq!(run.json()["summary"]["not_evaluated"], 1, "{cause}");
    }
}

#[test]
fn what_ends_too_early_proves_nothing() {
    let home = Home::new();
    let bob = Row::of("bob", "true", "2026-11-01T00:00:00Z").line();
    // A quote that is never closed takes all rows behind it.
    let run = with_row(&home, &format!("\"{bob}")).exits(2);
    assert!(run.stderr.contains("cannot evaluate row 4"), "{}", run.stderr);
    // A report that was cut anywhere within its last row. Where a whole value is left of a cut one, nobody can tell.
    let whole = report(&[
        Row::root("false", "N/A"),
        Row::of("ann", "true", "2026-11-01T00:00:00Z"),
    ]);
    let last = whole.rfind('\n').unwrap() + 1;
    for end in (last + 1)..(whole.len() - "N/A".len()) {
        home.write("report.csv", &whole[..end]);
        let run = audit(&home, &["--format", "json"]).exits(2);
        assert!(run.stderr.contains("row 3"), "{}", &whole[last..end]);
    }
}

#[test]
fn what_is_no_text_is_named() {
    let home = Home::new();
    let text = report(&[
        Row::root("false", "N/A"),
        Row::of("ann", "true", "2026-11-01T00:00:00Z"),
    ]);
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    home.write("report.csv", utf_16);
    audit(&home, &[]).fails_with("cannot evaluate report.csv", "no CSV in UTF-8", "aws iam");
    home.write("report.csv", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab");
    audit(&home, &[]).fails_with("cannot evaluate report.csv", "no CSV in UTF-8", "aws iam");
    let encoded = r#"{"Content": "dXNlcixhcm4sdXNlcl9jcmVhdGlvbl90aW1l", "ReportFormat": "text/csv"}"#;
    for content in [encoded, "dXNlcixhcm4sdXNlcl9jcmVhdGlvbl90aW1l\n"] {
        home.write("report.csv", content);
        audit(&home, &[]).fails_with("cannot evaluate report.csv", "still in base64", "base64 -d");
    }
    let mut latin_1 = text.into_bytes();
    let place = latin_1.windows(4).rposition(|bytes| bytes == b"ann,").unwrap();
    latin_1[place] = 0xe4;
    home.write("report.csv", latin_1);
    let run =
        audit(&home, &["--format", "json"]).fails_with("row 3", "column arn is not in UTF-8", "sed -n 3p");
    assert!(!run.stdout.contains("nn\""), "{}", run.stdout);
}
