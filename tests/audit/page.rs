//! The page in HTML, opened in a real browser: with and without scripts, in the light and in the dark, on a phone and on
//! paper.

use serde_json::{Value, json};

use super::{Row, audit, report, with_markup};
use crate::support::Home;

/// A name that would be a program, were it not escaped.
const SCRIPT: &str = "<script>alert(1)</script>";

/// What the browser tells of this page.
fn seen(home: &Home, page: &str) -> Value {
    home.write("page.html", page);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audit/browser.py");
    let arguments = ["python3", script, "page.html"];
    home.run(std::path::Path::new("/usr/bin/env"), &arguments)
        .exits(0)
        .json()
}

/// An account with a failure of each kind; as of 2026-11-25.
fn account() -> String {
    let mut unused = Row::of("ann", "true", "2026-11-01T00:00:00Z");
    unused.keys[0][2] = "2026-10-01T00:00:00Z".into();
    let mut both = Row::of("ci-both", "true", "2026-11-02T00:00:00Z");
    both.keys[1] = both.keys[0].clone();
    report(&[
        Row::root("true", "2026-11-20T00:00:00Z"),
        both,
        Row::of("vendor-x", "true", "2020-01-01T00:00:00Z"),
        unused,
        Row::of(SCRIPT, "true", "2026-01-01T00:00:00Z"),
        Row::of("bob", "true", "in spring"),
    ])
}

fn page(home: &Home) -> String {
    home.write("report.csv", account());
    home.write(
        "exempt",
        format!("[user vendor-*]\nowner = {SCRIPT}\nreason = \"x\"\nuntil = 2026-12-31\n"),
    );
    let run = audit(home, &["--exempt", "exempt", "--format", "html"]).exits(2);
    run.stdout
}

/// A column of the findings.
fn column(view: &Value, number: usize) -> Vec<&str> {
    let rows = view["rows"].as_array().unwrap();
    rows.iter().map(|row| row[number].as_str().unwrap()).collect()
}

#[test]
fn a_browser_shows_the_worst_first_in_every_view_and_asks_for_nothing_else() {
    let home = Home::new();
    let page = page(&home);
    let seen = seen(&home, &page);
    let views = seen["views"].as_object().unwrap();
    for (name, view) in views {
        assert_eq!(
            column(view, 3),
            ["<root_account>", SCRIPT, "ann", "ci-both", "bob", "vendor-x"],
            "{name}"
        );
        assert_eq!(
            column(view, 0),
            ["fail", "fail", "fail", "fail", "unknown", "exempt"],
            "{name}"
        );
        assert_eq!(view["markup"], 0, "{name}");
        assert_eq!(view["scripts"], 1, "{name}: the page's own and no other");
        let text = view["text"].as_str().unwrap();
        for words in [
            "4 failures to act on among 6 users",
            "Active keys by age",
            "cannot evaluate row 7 of report.csv",
            "exempt until 2026-12-31 by <script>alert(1)</script>: \"x\"",
        ] {
            assert!(text.contains(words), "{name}: no `{words}` in {text}");
        }
    }
    for nothing in ["requests", "console", "exceptions", "dialogs"] {
        assert_eq!(seen[nothing], json!([]), "{nothing}");
    }
}

#[test]
fn the_page_fits_each_view_and_is_dark_where_the_reader_wants_it() {
    let home = Home::new();
    let page = page(&home);
    let seen = seen(&home, &page);
    let view = |name: &str, what: &str| seen["views"][name][what].clone();
    for (name, width) in [
        ("light", 1280),
        ("dark", 1280),
        ("phone", 390),
        ("print", 794),
        ("without-scripts", 1280),
    ] {
        assert_eq!(view(name, "width"), width, "{name} scrolls sideways");
    }
    assert_eq!(view("print", "background"), "rgb(255, 255, 255)");
    assert_ne!(view("dark", "background"), view("light", "background"));
    assert_eq!(view("without-scripts", "background"), view("light", "background"));
}

#[test]
fn every_column_sorts_both_ways() {
    let home = Home::new();
    let page = page(&home);
    let seen = seen(&home, &page);
    let sorted = |column: &str, click: usize| -> Vec<&str> {
        let texts = seen["sorted"][column][click].as_array().unwrap();
        texts.iter().map(|text| text.as_str().unwrap()).collect()
    };
    // By weight, not by letter: the worst first, then the least.
    assert_eq!(
        sorted("0", 0),
        ["fail", "fail", "fail", "fail", "unknown", "exempt"]
    );
    assert_eq!(sorted("1", 0)[0], "critical");
    assert_eq!(sorted("1", 1)[0], "low");
    // By number; what has none comes last both ways.
    let days = sorted("5", 0);
    assert_eq!(days, ["2520", "328", "55", "5", "", ""], "{days:?}");
    assert_eq!(sorted("5", 1), ["5", "55", "328", "2520", "", ""]);
    assert_eq!(sorted("3", 0)[0], "<root_account>");
    let up = sorted("3", 0);
    let down: Vec<&str> = sorted("3", 1).into_iter().rev().collect();
    assert_eq!(up, down);
}

#[test]
fn a_page_without_a_failure_says_so() {
    let home = Home::new();
    home.write(
        "report.csv",
        report(&[
            Row::root("false", "N/A"),
            Row::of("ann", "true", "2026-11-01T00:00:00Z"),
        ]),
    );
    let page = audit(&home, &["--format", "html"]).exits(0).stdout;
    let seen = seen(&home, &page);
    let text = seen["views"]["phone"]["text"].as_str().unwrap();
    assert!(
        text.contains("Every rule is kept by 2 users.") && text.contains("Nothing to act on."),
        "{text}"
    );
}

#[test]
fn the_page_names_no_other_place_and_lets_no_other_script_run() {
    let home = Home::new();
    home.write("report.csv", with_markup());
    let page = audit(&home, &["--format", "html"]).exits(1).stdout;
    assert!(!page.contains("<img"), "{page}");
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#39;"),
        "{page}"
    );
    for outside in ["http:", "https:", "src=\"", "href", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("script-src 'sha256-"));
}

#[test]
fn the_page_holds_the_worst_ten_thousand_and_names_how_many_it_leaves_out() {
    let home = Home::new();
    let mut rows = vec![Row::root("false", "N/A")];
    // The later a user comes, the older is the key: none of the first may stay.
    for number in 0..11_000_i64 {
        let made = jiff::Timestamp::from_second(1_750_000_000 - number * 86_400).unwrap();
        rows.push(Row::of(&format!("user-{number}"), "true", &made.to_string()));
    }
    home.write("report.csv", report(&rows));
    let page = audit(&home, &["--format", "html"]).exits(1).stdout;
    assert_eq!(page.matches("<tr class=\"fail\">").count(), 10_000);
    assert!(page.contains("The 10,000 worst; 1,000 more are not on this page"));
    assert!(page.contains(">user-10999<") && page.contains(">user-1000<") && !page.contains(">user-999<"));
    let (first, last) = (
        page.find(">user-10999<").unwrap(),
        page.find(">user-1000<").unwrap(),
    );
    assert!(first < last, "the worst first");
    assert!(page.len() < 4_000_000, "{} bytes", page.len());
}
