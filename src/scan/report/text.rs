//! Text for people: a key is one item, whatever files its parts stand in; what fills more than half a screen is summed up
//! by file.

use std::collections::{BTreeMap, BTreeSet};

use super::{counted, known, shown, why_unread};
use crate::problem::Problem;
use crate::scan::allow::{Settled, is_own_and_live};
use crate::scan::change::Finding;
use crate::scan::detector::Encoding;

/// A terminal's width; what is wider takes two rows.
const WIDTH: usize = 80;
/// With the way on below and a prompt it still fits 24 rows.
const ROWS: usize = 11;
/// Of those, so many may name one's own keys one by one where all else is summed up.
const OWN_ROWS: usize = 3;
/// And so many what was not looked into.
const UNREAD_ROWS: usize = 4;

/// Every key with all its parts, one's own keys that are in use first; or, where they are many, every file with how many.
pub fn text(settled: &Settled) -> String {
    let mut groups: BTreeMap<(bool, usize), Vec<&Finding>> = BTreeMap::new();
    let own: BTreeSet<usize> = settled
        .findings
        .iter()
        .filter(|finding| is_own_and_live(finding))
        .map(|finding| finding.group)
        .collect();
    for finding in &settled.findings {
        let key = (!own.contains(&finding.group), finding.group);
        groups.entry(key).or_default().push(finding);
    }
    let lines: Vec<String> = groups.values().flat_map(|group| item(group)).collect();
    let lines = if rows(&lines) <= ROWS {
        lines
    } else {
        summed_up(settled, &groups)
    };
    lines
        .into_iter()
        .chain(unread(settled))
        .map(|line| line + "\n")
        .collect()
}

/// What was not looked into beside what was found. Where nothing was found, and it is all in one file, the error says so.
fn unread(settled: &Settled) -> Vec<String> {
    let told = settled.unread.len() + settled.failures.len();
    if told == 0 || (told == 1 && settled.findings.is_empty()) {
        return Vec::new();
    }
    let unread = settled.unread.iter().map(|unread| {
        format!(
            "{}  not looked into: {}",
            shown(&unread.path),
            why_unread(unread.why)
        )
    });
    let failures = settled.failures.iter().map(Problem::in_one_line);
    let mut lines: Vec<String> = unread.chain(failures).take(UNREAD_ROWS).collect();
    if lines.len() < told {
        lines.push(format!(
            "and {} more; to see each: --format json",
            told - lines.len()
        ));
    }
    lines
}

/// A key: its first part as it begins a line, the others below it and indented.
fn item(group: &[&Finding]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut told = Vec::new();
    for (index, finding) in group.iter().enumerate() {
        let Finding {
            path,
            line,
            column,
            rule,
            preview,
            ..
        } = finding;
        let indent = if index == 0 { "" } else { "  " };
        let mut text = format!(
            "{indent}{}:{line}:{column}  {}  {preview}",
            shown(path),
            rule.as_str()
        );
        // What is known of the whole key is told once.
        let mut facts: Vec<String> = known(finding);
        facts.retain(|fact| !told.contains(fact));
        told.extend(facts.iter().cloned());
        facts.extend(written(finding.encoding).map(str::to_owned));
        let facts = facts.join("  ");
        if width(&text) + 2 + width(&facts) <= WIDTH || facts.is_empty() {
            if !facts.is_empty() {
                text.push_str("  ");
                text.push_str(&facts);
            }
            lines.push(text);
        } else {
            lines.push(text);
            lines.push(format!("    {facts}"));
        }
        if let Some(allowed) = &finding.allowed
            && let Some(void) = allowed.void
        {
            lines.push(format!("    its marker {} {void}", allowed.by));
        }
    }
    lines
}

fn written(encoding: Encoding) -> Option<&'static str> {
    match encoding {
        Encoding::Plain => None,
        Encoding::Utf16 => Some("in UTF-16"),
        Encoding::Base64 => Some("in base64"),
        Encoding::Url => Some("URL-encoded"),
        Encoding::Json => Some("JSON-escaped"),
        Encoding::Hex => Some("in hexadecimal"),
    }
}

fn summed_up(settled: &Settled, groups: &BTreeMap<(bool, usize), Vec<&Finding>>) -> Vec<String> {
    let mut files: Vec<(&str, Vec<&Finding>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &settled.findings {
        let place = *places.entry(&finding.path).or_insert(files.len());
        if place == files.len() {
            files.push((&finding.path, Vec::new()));
        }
        files[place].1.push(finding);
    }
    let mut lines = vec![format!(
        "{} of {} in {}; to see each: --format json",
        counted(settled.findings.len(), "finding"),
        counted(groups.len(), "key"),
        counted(files.len(), "file")
    )];
    for ((_, group), findings) in groups
        .iter()
        .filter(|((is_other, _), _)| !is_other)
        .take(OWN_ROWS)
    {
        let first = findings.iter().find(|finding| is_own_and_live(finding));
        let first = first.expect("a group is one's own because a part of it is");
        debug_assert_eq!(first.group, *group);
        lines.push(item(&[first]).join("  "));
    }
    let used = rows(&lines) + 1;
    let mut told = 0;
    let mut more = Vec::new();
    for (path, findings) in &files {
        let keys: BTreeSet<usize> = findings.iter().map(|finding| finding.group).collect();
        let line = format!(
            "{}:{}  {} of {}",
            shown(path),
            findings[0].line,
            counted(findings.len(), "finding"),
            counted(keys.len(), "key")
        );
        if used + rows(&more) + rows(std::slice::from_ref(&line)) > ROWS {
            break;
        }
        more.push(line);
        told += 1;
    }
    lines.append(&mut more);
    if told < files.len() {
        let rest: usize = files[told..].iter().map(|(_, findings)| findings.len()).sum();
        lines.push(format!(
            "and {} in {}",
            counted(rest, "finding"),
            counted(files.len() - told, if told == 0 { "file" } else { "more file" })
        ));
    }
    lines
}

/// How many rows of a terminal the lines take.
fn rows(lines: &[String]) -> usize {
    lines.iter().map(|line| width(line).div_ceil(WIDTH).max(1)).sum()
}

fn width(text: &str) -> usize {
    text.chars().count()
}
