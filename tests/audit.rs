//! `keyagent audit`: every verdict against a second evaluator, bad reports, and the account on loopback.

mod edges;
mod filed;
mod fleet;
mod fleet_document;
mod list;
mod live;
#[cfg(target_os = "linux")]
mod page;
mod second_evaluator;
mod signing;

use serde_json::Value;

use crate::support::{Home, Run};
use second_evaluator::{HEADER, Row, expected, rows};

const AS_OF: &str = "2026-11-25T12:00:00Z";

fn report(rows: &[Row]) -> String {
    let lines: Vec<String> = rows.iter().map(Row::line).collect();
    format!("{HEADER}\n{}", lines.join("\n"))
}

fn audit(home: &Home, arguments: &[&str]) -> Run {
    home.keyagent(&[&["audit", "--report", "report.csv", "--as-of", AS_OF], arguments].concat())
}

/// Runs a program in Python, with the libraries that read what keyagent writes.
fn python(home: &Home, program: &str, arguments: &[&str]) -> Run {
    home.write("program.py", program);
    let python = crate::support::cloud::virtual_environment()
        .unwrap()
        .join("bin/python");
    home.run(&python, &[&["program.py"], arguments].concat())
}

/// Rule, user, slot and result of each finding, in an order of its own.
fn verdicts(findings: &[Value]) -> Vec<String> {
    let mut verdicts: Vec<String> = findings
        .iter()
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap().to_owned();
            let slot = finding["key_slot"]
                .as_u64()
                .map_or("-".to_owned(), |slot| slot.to_string());
            format!("{} {} {slot} {}", text("user_name"), text("rule"), text("result"))
        })
        .collect();
    verdicts.sort();
    verdicts
}

#[test]
fn every_verdict_on_five_thousand_users_is_that_of_a_second_evaluator() {
    let home = Home::new();
    let rows = rows(5_000);
    home.write("report.csv", report(&rows));
    let run = audit(&home, &["--format", "json"]).exits(1);
    let document = run.json();
    assert_eq!(document["schema"], "keyagent.audit/1");
    assert_eq!(document["account_id"], "123456789012");
    assert_eq!(document["summary"]["users"], 5_000);
    let found = verdicts(document["findings"].as_array().unwrap());
    let expected = expected(&rows);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    for outcome in ["pass", "fail"] {
        assert!(found.iter().filter(|verdict| verdict.ends_with(outcome)).count() > 3_000);
    }
    // Line by line they are the same.
    let lines = audit(&home, &["--format", "ndjson"]).exits(1).stdout;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(verdicts(&lines), found);
    assert!(lines.iter().all(|line| line["account_id"] == "123456789012"));
}

#[test]
fn the_document_reads_back_as_the_type_of_the_contract() {
    let home = Home::new();
    home.write("report.csv", report(&rows(200)));
    let run = audit(&home, &["--format", "json", "--benchmark", "cis-3.0"]).exits(1);
    let document: keyagent::audit::Document = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        document
            .findings
            .iter()
            .filter(|finding| finding.is_breach())
            .count() as u64,
        document.summary.fail
    );
    assert!(
        document
            .findings
            .iter()
            .any(|finding| finding.controls.contains(&"cis-3.0/1.14".into()))
    );
}

#[test]
fn the_table_fits_eighty_columns_and_shows_the_worst_first() {
    let home = Home::new();
    let mut rows = rows(3_000);
    rows[0] = Row::root("true", "2020-01-01T00:00:00Z");
    rows[1].user = "a\u{1b}[31mvery-long-name-that-does-not-fit-in-any-column-of-a-terminal".into();
    home.write("report.csv", report(&rows));
    let run = audit(&home, &[]).exits(1);
    for line in run.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!run.stdout.contains('\u{1b}'));
    let first = run.stdout.lines().find(|line| line.starts_with('✗')).unwrap();
    assert!(first.contains("root-access-key"), "{}", run.stdout);
    assert!(run.stdout.contains("active keys by age"), "{}", run.stdout);
    assert!(run.stdout.contains("more: --format csv has them all"));
}

#[test]
fn a_good_account_exits_with_zero() {
    let home = Home::new();
    home.write(
        "report.csv",
        report(&[
            Row::root("FALSE", "N/A"),
            Row::of("ann", "true", "2026-11-01T00:00:00Z"),
        ]),
    );
    let run = audit(&home, &[]).exits(0);
    assert!(run.stdout.contains("every rule is kept"), "{}", run.stdout);
    assert_eq!(run.stderr, "");
}

#[test]
fn without_a_time_the_reports_own_is_named() {
    let home = Home::new();
    home.write(
        "report.csv",
        report(&[
            Row::root("false", "N/A"),
            Row::of("ann", "true", "2020-03-01T00:00:00Z"),
        ]),
    );
    let run = home.keyagent(&["audit", "--report", "report.csv"]).exits(1);
    assert!(
        run.stderr.contains("as of then: --as-of 2020-03-01T00:00:00Z") || run.stderr.contains("--as-of 20"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_is_no_report_is_named() {
    let home = Home::new();
    for (content, cause) in [
        ("", "it is empty"),
        ("hello\nworld\n", "its first row lacks user, arn"),
        (
            "CHECK_ID,STATUS,REGION\niam_1,PASS,eu\n",
            "its first row lacks user, arn",
        ),
        ("user;arn;user_creation_time\n", "separated by `;`"),
        ("PK\u{3}\u{4}…", "workbook"),
    ] {
        home.write("report.csv", content);
        let run =
            audit(&home, &["--format", "json"]).fails_with("cannot evaluate report.csv", cause, "aws iam");
        let document = run.json();
        assert!(document.get("findings").is_none(), "{document}");
        assert_eq!(document["errors"][0]["error"], "cannot evaluate report.csv");
    }
    home.write("report.csv", format!("{HEADER}\n"));
    audit(&home, &[]).fails_with("cannot evaluate report.csv", "no row below the first", "aws iam");
    home.keyagent(&["audit", "--report", "nowhere.csv"]).fails_with(
        "cannot evaluate nowhere.csv",
        "No such file",
        "ls -l",
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_judged() {
    let home = Home::new();
    let mut text = report(&[
        Row::root("false", "N/A"),
        Row::of("ann", "true", "2020-01-01T00:00:00Z"),
        Row::of("bob", "true", "in spring"),
        Row::of("cyd", "maybe", "2026-11-01T00:00:00Z"),
    ]);
    text.push_str("\ndora,arn:aws:iam::123456789012:user/dora");
    home.write("report.csv", text);
    let run = audit(&home, &["--format", "json"]).fails_with(
        "cannot evaluate row 4 of report.csv",
        "column access_key_1_last_rotated has `in spring`",
        "sed -n 4p report.csv",
    );
    assert!(
        run.stderr.contains("row 5 of report.csv") && run.stderr.contains("access_key_1_active has `maybe`")
    );
    assert!(
        run.stderr.contains("row 6 of report.csv")
            && run.stderr.contains("it has 2 columns, the first row has 22")
    );
    let document = run.json();
    assert_eq!(document["not_evaluated"].as_array().unwrap().len(), 3);
    let found = verdicts(document["findings"].as_array().unwrap());
    for verdict in [
        "ann key-rotation 1 fail",
        "bob key-rotation 1 unknown",
        "cyd key-rotation 1 unknown",
    ] {
        assert!(found.contains(&verdict.to_owned()), "{verdict}: {found:?}");
    }
}

#[test]
fn a_report_of_two_accounts_without_root_or_from_the_future_proves_nothing() {
    let home = Home::new();
    let good = Row::of("ann", "true", "2026-11-01T00:00:00Z");
    home.write("report.csv", report(std::slice::from_ref(&good)));
    let run = audit(&home, &["--format", "json"]).exits(2);
    assert!(
        verdicts(run.json()["findings"].as_array().unwrap())
            .contains(&"<root_account> root-access-key - unknown".to_owned())
    );
    assert!(
        run.stderr.contains("unknown, so the audit proves nothing"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("\nhint:"), "{}", run.stderr);
    let other = report(&[Row::root("false", "N/A"), good]).replace("123456789012:user", "210987654321:user");
    home.write("report.csv", other);
    audit(&home, &[]).fails_with(
        "cannot evaluate all of",
        "row 3 is of another account",
        "each account",
    );
    home.write(
        "report.csv",
        report(&[
            Row::root("false", "N/A"),
            Row::of("ann", "true", "2027-01-01T00:00:00Z"),
        ]),
    );
    audit(&home, &[]).fails_with("as of 2026-11-25", "it was not yet made", "--as-of 2027");
}

#[test]
fn exempt_failures_are_shown_and_do_not_fail_until_they_end() {
    let home = Home::new();
    home.write(
        "report.csv",
        report(&[
            Row::root("false", "N/A"),
            Row::of("ci-x", "true", "2026-06-01T00:00:00Z"),
        ]),
    );
    let file = |until: &str| format!("[user ci-*]\nowner = ann\nreason = vendor\nuntil = {until}\n");
    home.write("exempt", file("2026-11-25"));
    let run = audit(&home, &["--exempt", "exempt", "--format", "json"]).exits(0);
    let document = run.json();
    let failed: Vec<&Value> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["result"] == "fail")
        .collect();
    assert!(!failed.is_empty() && failed.iter().all(|finding| finding["exempt"]["owner"] == "ann"));
    let table = audit(&home, &["--exempt", "exempt"]).exits(0);
    assert!(
        table
            .stdout
            .lines()
            .any(|line| line.starts_with("- key-rotation")),
        "{}",
        table.stdout
    );
    home.write("exempt", file("2026-11-24"));
    let run = audit(&home, &["--exempt", "exempt", "--format", "json"]).exits(1);
    assert!(run.stdout.contains("ann's exemption ended on 2026-11-24"));
    home.write("exempt", "[user ci-*]\nowner = ann\n");
    audit(&home, &["--exempt", "exempt"]).fails_with(
        "cannot take the exemptions",
        "line 1 begins an exemption without",
        "+1",
    );
}

#[test]
fn no_cell_of_the_csv_is_a_formula() {
    let home = Home::new();
    let mut odd = Row::of("=cmd|'/C calc'!A0", "true", "2020-01-01T00:00:00Z");
    odd.arn = "arn:aws:iam::123456789012:user/x".into();
    home.write("report.csv", report(&[Row::root("false", "N/A"), odd]));
    let run = audit(&home, &["--format", "csv"]).exits(1);
    let cells: Vec<&str> = run
        .stdout
        .lines()
        .skip(1)
        .flat_map(|line| line.split(','))
        .collect();
    assert!(cells.contains(&"'=cmd|'/C calc'!A0"), "{}", run.stdout);
    assert!(
        cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])),
        "{}",
        run.stdout
    );
}

/// An account with a user whose name would be markup, were it not escaped.
fn with_markup() -> String {
    report(&[
        Row::root("false", "N/A"),
        Row::of("<img src=x onerror=alert(1)>&\"'", "true", "2020-01-01T00:00:00Z"),
    ])
}

#[test]
fn junit_has_a_case_a_finding_and_escapes() {
    let home = Home::new();
    home.write("report.csv", with_markup());
    home.write("read.py", "import sys, xml.etree.ElementTree as t\nr = t.parse('out.xml').getroot()\nprint(r.get('tests'), r.get('failures'), sum(1 for c in r.iter('testcase') if '<img' in c.get('name')))\n");
    home.write("out.xml", audit(&home, &["--format", "junit"]).exits(1).stdout);
    let read = home
        .run(std::path::Path::new("/usr/bin/env"), &["python3", "read.py"])
        .exits(0);
    assert_eq!(read.stdout.trim(), "4 1 3");
}

#[test]
fn security_hub_takes_every_batch() {
    let home = Home::new();
    home.write("report.csv", report(&rows(300)));
    home.write("batches", audit(&home, &["--format", "asff"]).exits(1).stdout);
    let validate = "import json, botocore.session, botocore.validate\n\
         model = botocore.session.get_session().get_service_model('securityhub')\n\
         shape = model.operation_model('BatchImportFindings').input_shape\n\
         ids = []\n\
         for line in open('batches', encoding='utf-8'):\n    \
             batch = json.loads(line)\n    \
             assert 1 <= len(batch) <= 100\n    \
             report = botocore.validate.ParamValidator().validate({'Findings': batch}, shape)\n    \
             assert not report.has_errors(), report.generate_report()\n    \
             ids += [finding['Id'] for finding in batch]\n\
         assert all(len(i) <= 512 for i in ids)\n\
         print(len(ids), len(set(ids)))\n";
    let run = python(&home, validate, &[]).exits(0);
    let (all, distinct) = run.stdout.trim().split_once(' ').unwrap();
    assert!(all.parse::<u32>().unwrap() > 500);
    assert_eq!(all, distinct, "an Id that two findings share");
}
