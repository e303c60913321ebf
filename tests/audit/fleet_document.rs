//! What docs/fleet.md says is run on what keyagent writes.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::second_evaluator::Row;
use super::{python, report};
use crate::support::cloud::Account;
use crate::support::{Home, Run, section};

const DOCUMENT: &str = include_str!("../../docs/fleet.md");

/// The blocks of a language, in their order.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in DOCUMENT.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info, String::new())),
            (None, None) => {}
            (Some(_), Some(_)) => {
                let (info, text) = open.take().unwrap();
                if info == language {
                    blocks.push(text);
                }
            }
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    blocks
}

fn all_sql() -> Vec<String> {
    let mut named: Vec<(usize, String)> = Vec::new();
    for language in ["sql duckdb", "sql"] {
        for block in blocks(language) {
            named.push((DOCUMENT.find(&block).unwrap(), block));
        }
    }
    named.sort();
    named.into_iter().map(|(_, block)| block).collect()
}

/// Files an account's report of a day.
fn file(home: &Home, account: &str, day: &str, format: &str, out: &str, rows: &[Row]) -> Run {
    home.write("report.csv", report(rows).replace("123456789012", account));
    home.keyagent(&[
        "audit",
        "--report",
        "report.csv",
        "--as-of",
        &format!("{day}T12:00:00Z"),
        "--format",
        format,
        "--out",
        out,
        "--exempt",
        "exempt",
    ])
}

const QUERY: &str = r#"
import duckdb, json, sys
database = duckdb.connect()
answers = []
for statement in json.load(open("statements.json")):
    answer = database.execute(statement)
    is_query = statement.lstrip().startswith(("SELECT", "WITH"))
    answers.append([list(row) for row in answer.fetchall()] if is_query else None)
columns = [[row[0], row[1]] for row in database.execute("DESCRIBE findings").fetchall()]
lake = database.execute("SELECT count(*), count(DISTINCT accountId) FROM read_parquet('lake/**/*.parquet', hive_partitioning = true)")
print(json.dumps({"answers": answers, "columns": columns, "lake": lake.fetchone()}, default=str))
"#;

/// Two accounts on two days: in the first ann's key gets too old, in the second bob's is exempt.
fn filed() -> Home {
    let home = Home::new();
    home.write(
        "exempt",
        "[user bob]\nowner = platform\nreason = vendor\nuntil = 2027-01-31\nrules = key-rotation\n",
    );
    let root = || Row::root("false", "N/A");
    let ann = Row::of("ann", "true", "2026-08-28T00:00:00Z");
    let bob = Row::of("bob", "true", "2026-01-01T00:00:00Z");
    let cyd = Row::of("cyd", "true", "2026-01-01T00:00:00Z");
    for (format, out) in [("ndjson", "results"), ("ocsf", "results-ocsf")] {
        for day in ["2026-11-25", "2026-11-27"] {
            file(&home, "222222222222", day, format, out, &[root(), ann.clone()]);
            file(
                &home,
                "333333333333",
                day,
                format,
                out,
                &[root(), bob.clone(), cyd.clone()],
            )
            .exits(1);
        }
    }
    home
}

#[test]
fn every_statement_runs_and_tells_the_truth() {
    let home = filed();
    let statements = all_sql();
    home.write("statements.json", json!(statements).to_string());
    let told = python(&home, QUERY, &[]).exits(0).json();
    let answer = |words: &str| -> &Value {
        let index = statements.iter().position(|statement| statement.contains(words));
        &told["answers"][index.unwrap_or_else(|| panic!("no statement with {words}"))]
    };
    for (statement, answer) in statements.iter().zip(told["answers"].as_array().unwrap()) {
        assert!(
            answer.is_null() || answer.as_array().unwrap().iter().len() > 0,
            "{statement}"
        );
    }
    assert_eq!(
        answer("AS most_days"),
        &json!([["222222222222", 1, 1, 91], ["333333333333", 1, 1, 330]])
    );
    assert_eq!(
        answer("AS failed\nFROM findings\nWHERE result"),
        &json!([["20261125", "key-rotation", 1], ["20261127", "key-rotation", 2]])
    );
    assert_eq!(
        answer("LEFT JOIN"),
        &json!([[
            "arn:aws:iam::222222222222:user/ann",
            "key-rotation",
            "the key is 91 days old, the limit is 90 days"
        ]])
    );
    assert_eq!(answer("AS ends"), &json!([["platform", "2027-01-31", 1]]));
    assert_eq!(answer("last_audit")[1][2], 3);
    assert_eq!(
        answer("cloud.account.uid AS account"),
        &json!([["222222222222", "Medium", 1], ["333333333333", "Medium", 2]])
    );
    let lines = std::fs::read_to_string(
        home.join("results-ocsf/accountId=222222222222/eventDay=20261125/audit.ocsf.ndjson"),
    );
    let of_one = lines.unwrap().lines().count();
    assert_eq!(told["lake"][1], 2);
    assert!(
        told["lake"][0].as_u64().unwrap() > 3 * of_one as u64,
        "{}",
        told["lake"]
    );
    assert!(
        home.join("lake/region=us-east-1/accountId=222222222222/eventDay=20261125")
            .is_dir()
    );
    athena_has_the_columns(&told["columns"]);
}

/// Athena cannot be run here: its table must at least have the columns of DuckDB's view, with the same kinds.
fn athena_has_the_columns(columns: &Value) {
    let table = blocks("sql athena").concat();
    let body = table
        .split_once('(')
        .unwrap()
        .1
        .split_once("\n)\nPARTITIONED")
        .unwrap()
        .0;
    let body = body.replace(", reason", ";reason").replace(", until", ";until");
    let of_athena: Vec<(&str, &str)> = body
        .split(',')
        .filter_map(|column| column.trim().split_once(' '))
        .collect();
    let of_duckdb: Vec<(&str, &str)> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|column| (column[0].as_str().unwrap(), column[1].as_str().unwrap()))
        .filter(|(name, _)| !["accountId", "eventDay"].contains(name))
        .collect();
    let kind = |text: &str| match text {
        "string" | "VARCHAR" => "text",
        "int" | "INTEGER" => "number",
        "array<string>" | "VARCHAR[]" => "texts",
        text if text.to_lowercase().starts_with("struct") => "structure",
        other => panic!("a kind that nobody knows: {other}"),
    };
    let plain = |columns: &[(&str, &str)]| -> Vec<(String, &'static str)> {
        columns
            .iter()
            .map(|(name, text)| ((*name).to_owned(), kind(text)))
            .collect()
    };
    assert_eq!(plain(&of_athena), plain(&of_duckdb));
}

#[test]
fn the_view_has_every_field_of_a_finding() {
    let home = filed();
    let path = home.join("results/accountId=333333333333/eventDay=20261127/audit.ndjson");
    let text = std::fs::read_to_string(path).unwrap();
    let fields: BTreeSet<String> = text
        .lines()
        .flat_map(|line| serde_json::from_str::<serde_json::Map<String, Value>>(line).unwrap())
        .map(|(name, _)| name)
        .collect();
    let view = blocks("sql duckdb").remove(0);
    for field in &fields {
        assert!(
            view.contains(&format!("{field}: '")),
            "{field} is not in the view"
        );
    }
}

#[test]
fn security_hub_takes_what_the_loop_imports() {
    let account = Account::start();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "securityhub:*", "Resource": "*" }],
    });
    let hub = account.user_with_policy("hub", &policy);
    let home = Home::on(&account);
    home.write_credentials(section("hub-123456789012", &hub));
    home.write("exempt", "");
    let rows: Vec<Row> = (0..130)
        .map(|number| Row::of(&format!("user-{number}"), "true", "2020-01-01T00:00:00Z"))
        .chain([Row::root("false", "N/A")])
        .collect();
    // The loop imports what is of today.
    let today = home.run(Path::new("/bin/date"), &["-u", "+%Y-%m-%d"]).stdout;
    file(&home, "123456789012", today.trim(), "asff", "results-asff", &rows);
    let loop_ = blocks("sh securityhub").concat();
    let bin = account.program("aws");
    let script = format!("PATH={}:$PATH\n{loop_}", bin.parent().unwrap().display());
    let run = home.run(Path::new("/bin/sh"), &["-ec", &script]).exits(0);
    let answers: Vec<Value> = serde_json::Deserializer::from_str(&run.stdout)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let sum = |name: &str| -> u64 { answers.iter().map(|answer| answer[name].as_u64().unwrap()).sum() };
    assert!(answers.len() > 3, "{}", run.stdout);
    assert_eq!(sum("FailedCount"), 0, "{}", run.stdout);
    assert_eq!(sum("SuccessCount"), 130 * 3 + 1);
}

const COLLECTOR: &str = r#"
import json, sys, yaml
receiver = yaml.safe_load(open("otel.yaml"))["receivers"]["filelog/keyagent"]
parser = receiver["operators"][0]
mapped = set()
for value in parser["severity"]["mapping"].values():
    mapped |= set(value if isinstance(value, list) else [value])
fields = {parser["timestamp"]["parse_from"], parser["severity"]["parse_from"]}
fields |= {operator["from"] for operator in receiver["operators"] if operator["type"] == "move"}
print(json.dumps({"include": receiver["include"], "severities": sorted(mapped), "fields": sorted(fields)}))
"#;

#[test]
fn the_collector_is_told_names_that_there_are() {
    let home = filed();
    home.write("otel.yaml", blocks("yaml otel").concat());
    let told = python(&home, COLLECTOR, &[]).exits(0).json();
    assert_eq!(
        told["include"],
        json!(["results/accountId=*/eventDay=*/audit.ndjson"])
    );
    assert_eq!(
        told["severities"],
        json!(["critical", "informational", "low", "medium"])
    );
    let path = home.join("results/accountId=333333333333/eventDay=20261127/audit.ndjson");
    let text = std::fs::read_to_string(path).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    for field in told["fields"].as_array().unwrap() {
        let name = field.as_str().unwrap().strip_prefix("attributes.").unwrap();
        assert!(line.get(name).is_some(), "no {name} in {line}");
    }
}
