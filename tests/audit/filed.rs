//! What is written for other programs: OCSF by its own schema, files that are whole or not there, and findings that are
//! archived when their keys are gone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::second_evaluator::{Row, rows};
use super::{audit, python, report};
use crate::support::{Home, Run};

const VALIDATE: &str = r#"
import collections, json, jsonschema, sys
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
events = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
for version, some in (("1.4.0", 20), ("1.6.0", 20), ("1.3.0", len(events))):
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
    assert schema.lookup_class_name_from_uid(class_uid=2003) == "compliance_finding"
    validator = jsonschema.Draft202012Validator(schema.get_class_schema(class_name="compliance_finding", profiles=["cloud"]))
    for event in events[:some]:
        errors = [f"{version}: {error.json_path}: {error.message}" for error in validator.iter_errors(event)]
        assert not errors, errors
broken = dict(events[0], class_uid="2003")
assert list(validator.iter_errors(broken)), "the schema takes anything"
print(len(events), len({event["finding_info"]["uid"] for event in events}))
print(json.dumps(collections.Counter(event["compliance"]["status"] for event in events)))
"#;

#[test]
fn every_finding_is_a_compliance_finding_by_ocsfs_own_schema() {
    let home = Home::new();
    let mut rows = rows(40);
    rows[1].user = "ünï-\"quoted\"".into();
    home.write("report.csv", report(&rows));
    home.write(
        "exempt",
        "[user user-*]\nowner = ann\nreason = vendor\nuntil = 2026-12-31\n",
    );
    let run = audit(&home, &["--format", "ocsf", "--exempt", "exempt"]);
    home.write("events.ndjson", &run.stdout);
    let told = python(&home, VALIDATE, &["events.ndjson"]).exits(0).stdout;
    let mut lines = told.lines();
    let (all, distinct) = lines.next().unwrap().split_once(' ').unwrap();
    assert_eq!(all, distinct, "an uid that two findings share");
    let document = audit(&home, &["--format", "json", "--exempt", "exempt"]).json();
    assert_eq!(
        document["findings"].as_array().unwrap().len().to_string(),
        all.to_owned()
    );
    let counts: BTreeMap<String, u64> = serde_json::from_str(lines.next().unwrap()).unwrap();
    let summary = &document["summary"];
    let failed = summary["fail"].as_u64().unwrap() + summary["exempt"].as_u64().unwrap();
    assert_eq!(counts["Fail"], failed);
    assert_eq!(counts["Pass"], summary["pass"].as_u64().unwrap());
}

const FOLDER: &str = "results/accountId=123456789012/eventDay=20261125";

#[test]
fn a_file_a_day_and_account_holds_what_stdout_would() {
    let home = Home::new();
    home.write("report.csv", report(&rows(300)));
    for (format, name) in [
        ("ocsf", "audit.ocsf.ndjson"),
        ("asff", "audit.asff.ndjson"),
        ("ndjson", "audit.ndjson"),
        ("json", "audit.json"),
        ("csv", "audit.csv"),
        ("html", "audit.html"),
        ("junit", "audit.junit.xml"),
    ] {
        let run = audit(&home, &["--format", format, "--out", "results"]).exits(1);
        let path = format!("{FOLDER}/{name}");
        assert_eq!(run.stdout.trim(), path);
        let expected = audit(&home, &["--format", format]).exits(1).stdout;
        let filed = std::fs::read_to_string(home.join(&path)).unwrap();
        assert!(filed == expected, "{format}: the file is another than stdout");
    }
    // Without a format it is the one that tables are filled from.
    let run = audit(&home, &["--out", "results"]).exits(1);
    assert!(run.stdout.trim().ends_with("audit.ndjson"), "{}", run.stdout);
    audit(&home, &["--out", "results", "--format", "table"]).fails_with(
        "cannot file a table",
        "for the terminal",
        "--format ndjson",
    );
}

#[test]
fn what_was_not_evaluated_whole_has_no_whole_file() {
    let home = Home::new();
    let rows = [
        Row::root("false", "N/A"),
        Row::of("ann", "true", "2026-11-01T00:00:00Z"),
    ];
    home.write("report.csv", format!("{}\nbob,arn", report(&rows)));
    let run = audit(&home, &["--out", "results"]).exits(2);
    let partial = format!("{FOLDER}/_audit.ndjson.partial");
    assert_eq!(run.stdout.trim(), partial);
    assert!(home.join(&partial).exists());
    assert!(!home.join(&format!("{FOLDER}/audit.ndjson")).exists());
}

/// Every finding for Security Hub by its Id.
fn told(text: &str) -> BTreeMap<String, Value> {
    let batches = text
        .lines()
        .map(|line| serde_json::from_str::<Vec<Value>>(line).unwrap());
    batches
        .flat_map(|batch| {
            assert!(batch.len() <= 100);
            batch
        })
        .map(|finding| (finding["Id"].as_str().unwrap().to_owned(), finding))
        .collect()
}

fn archived(told: &BTreeMap<String, Value>) -> Vec<&str> {
    let archived = told
        .iter()
        .filter(|(_, finding)| finding["RecordState"] == "ARCHIVED");
    archived.map(|(id, _)| id.as_str()).collect()
}

/// The audit of the saved report at noon of a day, for Security Hub.
fn at(home: &Home, day: &str, arguments: &[&str]) -> Run {
    let time = format!("{day}T12:00:00Z");
    let audit = [
        "audit",
        "--report",
        "report.csv",
        "--as-of",
        &time,
        "--format",
        "asff",
    ];
    home.keyagent(&[&audit, arguments].concat())
}

const FIRST: &str = "2026-11-25";
const SECOND: &str = "2026-11-26";

/// An audit of bob's key, kept as `yesterday` and in the folder; the report is another one then.
fn first_day(home: &Home, second: &[Row]) -> BTreeMap<String, Value> {
    let rows = [
        Row::root("false", "N/A"),
        Row::of("ann", "true", "2026-06-01T00:00:00Z"),
        Row::of("bob", "true", "2026-05-01T00:00:00Z"),
    ];
    home.write("report.csv", report(&rows));
    let run = at(home, FIRST, &[]).exits(1);
    home.write("yesterday", &run.stdout);
    at(home, FIRST, &["--out", "results"]).exits(1);
    home.write("report.csv", report(second));
    told(&run.stdout)
}

fn without_bobs_key() -> [Row; 3] {
    [
        Row::root("false", "N/A"),
        Row::of("ann", "true", "2026-06-01T00:00:00Z"),
        Row::of("bob", "false", "N/A"),
    ]
}

#[test]
fn findings_whose_key_is_gone_are_archived_and_the_others_keep_their_ids() {
    let home = Home::new();
    let first = first_day(&home, &without_bobs_key());
    let run = at(&home, SECOND, &["--previous", "yesterday"]).exits(1);
    let second = told(&run.stdout);
    let gone = archived(&second);
    let key = "arn:aws:iam::123456789012:user/bob/1777593600";
    assert_eq!(
        gone,
        [
            format!("keyagent/key-rotation/{key}"),
            format!("keyagent/unused-credentials/{key}")
        ]
    );
    for id in first.keys() {
        assert!(second.contains_key(id), "{id} is not told any more");
    }
    assert!(second[gone[0]]["UpdatedAt"].as_str().unwrap().starts_with(SECOND));
    // What is archived stays so: the day after does not tell of it.
    home.write("yesterday", &run.stdout);
    let third = at(&home, "2026-11-27", &["--previous", "yesterday"]).exits(1);
    assert_eq!(archived(&told(&third.stdout)), Vec::<&str>::new());
}

#[test]
fn in_a_folder_the_last_audit_is_found() {
    let home = Home::new();
    first_day(&home, &without_bobs_key());
    let run = at(&home, SECOND, &["--out", "results"]).exits(1);
    let path = home.join(run.stdout.trim());
    assert!(path.ends_with("eventDay=20261126/audit.asff.ndjson"), "{path:?}");
    let first = std::fs::read_to_string(&path).unwrap();
    assert_eq!(archived(&told(&first)).len(), 2);
    // A second audit of the day takes the file's place, and archives the same.
    at(&home, SECOND, &["--out", "results"]).exits(1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
}

#[test]
fn nothing_is_archived_that_was_not_looked_for() {
    let home = Home::new();
    let cut = [Row::root("false", "N/A"), Row::of("ann", "true", "in spring")];
    first_day(&home, &cut);
    let run = at(&home, SECOND, &["--previous", "yesterday"]).exits(2);
    assert_eq!(archived(&told(&run.stdout)), Vec::<&str>::new());
    // CIS 7.0 has no one-active-key: its findings are not gone.
    let first = first_day(&home, &without_bobs_key());
    assert!(first.keys().any(|id| id.contains("one-active-key")));
    let run = at(
        &home,
        SECOND,
        &["--previous", "yesterday", "--benchmark", "cis-7.0"],
    )
    .exits(1);
    assert_eq!(archived(&told(&run.stdout)).len(), 2);
    // Nor are those of another account.
    let other = std::fs::read_to_string(home.join("yesterday")).unwrap();
    home.write("yesterday", other.replace("123456789012", "210987654321"));
    let run = at(&home, SECOND, &["--previous", "yesterday"]).exits(1);
    assert_eq!(archived(&told(&run.stdout)), Vec::<&str>::new());
}

#[test]
fn what_is_no_earlier_audit_is_refused_before_anything_is_told() {
    let home = Home::new();
    home.write("report.csv", report(&rows(3)));
    for (content, cause) in [
        (
            "[]\n{\"no\": \"batch\"}\n",
            "line 2 of previous is no batch of findings",
        ),
        (
            "[{\"Id\": \"x\"}]\n",
            "line 1 of previous has a finding without Id or ProductArn",
        ),
    ] {
        home.write("previous", content);
        let run = audit(&home, &["--format", "asff", "--previous", "previous"]);
        let run = run.fails_with("cannot take the findings of previous", cause, "--format asff");
        assert_eq!(run.stdout, "");
    }
    audit(&home, &["--previous", "previous"]).fails_with(
        "cannot archive what is gone",
        "only findings for Security Hub",
        "--format asff",
    );
}
