//! One page for people who have no terminal: what is to be acted on, the worst first, counts, and the ages of the keys as
//! a picture.
//!
//! It asks for nothing else, reads without scripts (one sorts and filters the table where scripts run), prints, and
//! everything from the account is escaped. Only the page's own script may run: its digest is in the page's policy.
//!
//! Holds the worst findings alone, so neither the page nor the memory grows with the account.

use std::fmt::Write as _;
use std::io::{self, Write};

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use super::worst::{Kept, Shown, Worst};
use super::{Head, Output, Tail};
use crate::audit::assessment::{Ages, RuleCount};
use crate::audit::{Benchmark, Finding, Limits, Rule, Severity};

/// More rows than this no browser shows well; the page says how many it leaves out.
const ROWS: usize = 10_000;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Writes when all is known.
pub struct Html<W> {
    out: W,
    title: String,
    facts: String,
    limits: Limits,
    worst: Worst,
}

impl<W: Write> Html<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            title: String::new(),
            facts: String::new(),
            limits: Benchmark::default().limits(),
            worst: Worst::new(ROWS),
        }
    }
}

impl<W: Write> Output for Html<W> {
    fn takes_passes(&self) -> bool {
        false
    }

    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        let account = head.account_id.unwrap_or("unknown");
        let time = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M UTC");
        self.title = format!("Access keys of account {}", escaped(account));
        self.facts = format!("{}, as of {}", head.benchmark.title(), time(head.as_of));
        if let Some(generated) = head.report_generated_at {
            let _ = write!(self.facts, ", from the credential report of {}", time(generated));
        }
        self.limits = head.limits;
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.worst.take(finding);
        Ok(())
    }

    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()> {
        let (rows, left_out) = self.worst.finish();
        let digest = BASE64.encode(&Sha256::digest(SCRIPT));
        write!(
            self.out,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n\
             <header>\n<h1>{title}</h1>\n<p class=\"soft\">{facts}</p>\n</header>\n\
             {verdict}{counts}{missing}<div class=\"pair\">\n{rules}{ages}</div>\n{findings}\
             <footer>Made by keyagent audit. A key fails when it is more than {max_age} days old, and a password or an \
             active key when it was not used for {unused} days or more. Inactive keys are judged by no rule.</footer>\n\
             <script>{SCRIPT}</script>\n",
            title = self.title,
            facts = self.facts,
            verdict = verdict(tail),
            counts = counts(tail),
            missing = missing(tail),
            rules = rules(tail),
            ages = ages(&tail.tally.ages, tail.limits.max_age_days),
            findings = findings(&rows, left_out),
            max_age = self.limits.max_age_days,
            unused = self.limits.unused_days,
        )?;
        self.out.flush()
    }
}

/// One sentence that says what to do.
fn verdict(tail: &Tail<'_>) -> String {
    let summary = &tail.tally.summary;
    let users = counted(summary.users, "user", "users");
    let unsaid = summary.unknown + summary.not_evaluated;
    let (class, text) = match (summary.fail, unsaid) {
        (0, 0) => ("good", format!("Every rule is kept by {users}.")),
        (0, _) => (
            "warn",
            format!("Nothing fails among {users}, but {unsaid} could not be judged: that proves nothing."),
        ),
        (fail, 0) => (
            "bad",
            format!(
                "{} to act on among {users}.",
                counted(fail, "failure", "failures")
            ),
        ),
        (fail, _) => (
            "bad",
            format!(
                "{} to act on among {users}, and {unsaid} could not be judged.",
                counted(fail, "failure", "failures")
            ),
        ),
    };
    format!("<p class=\"verdict {class}\">{text}</p>\n")
}

fn counts(tail: &Tail<'_>) -> String {
    let summary = &tail.tally.summary;
    let mut text = "<dl class=\"counts\">\n".to_owned();
    for (count, name, class) in [
        (summary.users, "users", ""),
        (summary.fail, "failed", if summary.fail > 0 { "bad" } else { "" }),
        (
            summary.unknown,
            "unknown",
            if summary.unknown > 0 { "warn" } else { "" },
        ),
        (summary.exempt, "exempt", ""),
        (summary.pass, "passed", "good"),
        (
            summary.not_evaluated,
            "not evaluated",
            if summary.not_evaluated > 0 { "warn" } else { "" },
        ),
    ] {
        let _ = writeln!(
            text,
            "<div class=\"{class}\"><dt>{name}</dt><dd>{}</dd></div>",
            grouped(count)
        );
    }
    text.push_str("</dl>\n");
    text
}

fn missing(tail: &Tail<'_>) -> String {
    if tail.tally.not_evaluated.is_empty() {
        return String::new();
    }
    let mut text = "<section class=\"missing\">\n<h2>Not evaluated</h2>\n<ul>\n".to_owned();
    for entry in &tail.tally.not_evaluated {
        let (error, cause) = (escaped(&entry.problem.error), escaped(&entry.problem.cause));
        let _ = writeln!(text, "<li>{error}: {cause}</li>");
    }
    text.push_str("</ul>\n</section>\n");
    text
}

fn rules(tail: &Tail<'_>) -> String {
    let mut text = "<section>\n<h2>Rules</h2>\n<table id=\"rules\">\n<thead><tr><th>rule</th><th class=\"n\">fail</th>\
                    <th class=\"n\">unknown</th><th class=\"n\">exempt</th><th class=\"n pass\">pass</th></tr></thead>\n\
                    <tbody>\n"
        .to_owned();
    for (index, rule) in Rule::ALL.into_iter().enumerate() {
        if tail.controls[index].is_empty() {
            continue;
        }
        let RuleCount {
            pass,
            fail,
            exempt,
            unknown,
        } = tail.tally.rules[index];
        let bold = |count: u64, class: &str| match count {
            0 => "0".to_owned(),
            _ => format!("<b class=\"{class}\">{}</b>", grouped(count)),
        };
        let _ = writeln!(
            text,
            "<tr><td>{rule}<small>{}</small></td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n pass\">{}</td></tr>",
            tail.controls[index].join(", "),
            bold(fail, "bad"),
            bold(unknown, "warn"),
            grouped(exempt),
            grouped(pass),
        );
    }
    text.push_str("</tbody>\n</table>\n</section>\n");
    text
}

/// The ages of the active keys, those beyond the limit in another colour.
fn ages(ages: &Ages, max_age_days: u32) -> String {
    const ROW: usize = 30;
    const LEFT: u64 = 115;
    const WIDEST: u64 = 200;
    let most = ages.0.iter().copied().max().unwrap_or(0).max(1);
    let mut svg = format!(
        "<section>\n<h2>Active keys by age</h2>\n<svg viewBox=\"0 0 400 {}\" role=\"img\" \
         aria-label=\"active keys by age\">\n",
        ages.0.len() * ROW
    );
    for (index, count) in ages.0.into_iter().enumerate() {
        let y = index * ROW;
        let width = (count * WIDEST).div_ceil(most);
        let class = if Ages::is_over(index, max_age_days) {
            "over"
        } else {
            "under"
        };
        let _ = writeln!(
            svg,
            "<text class=\"soft\" x=\"{}\" y=\"{text}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"track\" x=\"{LEFT}\" y=\"{y}\" width=\"{WIDEST}\" height=\"22\" rx=\"3\"/>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{width}\" height=\"22\" rx=\"3\"/>\
             <text x=\"{}\" y=\"{text}\">{}</text>",
            LEFT - 10,
            LEFT + WIDEST + 10,
            grouped(count),
            text = y + 16,
            name = Ages::name(index),
        );
    }
    let _ = writeln!(
        svg,
        "</svg>\n<p class=\"soft\">in red: more than {max_age_days} days old</p>\n</section>"
    );
    svg
}

fn findings(rows: &[Kept], left_out: u64) -> String {
    let more = match left_out {
        0 => String::new(),
        _ => format!(
            "<p class=\"soft\">The {} worst; {} more are not on this page: <code>keyagent audit --format csv</code> has \
             them all.</p>\n",
            grouped(rows.len() as u64),
            grouped(left_out)
        ),
    };
    let mut text = format!(
        "<section>\n<div class=\"tools\" id=\"tools\"><h2>Findings, the worst first</h2></div>\n{more}\
         <table id=\"findings\">\n<thead><tr><th data-first=\"descending\">result</th>\
         <th data-first=\"descending\">severity</th><th>rule</th><th>user</th><th>key</th>\
         <th class=\"n\" data-first=\"descending\">days</th><th>why</th></tr></thead>\n<tbody>\n"
    );
    for row in rows {
        push_row(&mut text, row);
    }
    text.push_str("</tbody>\n</table>\n");
    if rows.is_empty() {
        text.push_str("<p>Nothing to act on.</p>\n");
    }
    text.push_str("</section>\n");
    text
}

fn push_row(text: &mut String, row: &Kept) {
    let (class, order) = match row.shown {
        Shown::Fail => ("fail", 3),
        Shown::Unknown => ("unknown", 2),
        Shown::Exempt => ("exempt", 1),
        Shown::Pass => ("pass", 0),
    };
    let grave = match row.severity {
        Severity::Informational => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::Critical => 3,
    };
    let severity = row.severity.name();
    let days = row.days.map(|days| days.to_string()).unwrap_or_default();
    let _ = writeln!(
        text,
        "<tr class=\"{class}\"><td data-order=\"{order}\"><span class=\"mark\">{class}</span></td>\
         <td class=\"severity severity-{severity}\" data-order=\"{grave}\">{severity}</td><td class=\"rule\">{}</td>\
         <td class=\"user\">{}</td><td class=\"key\">{}</td><td class=\"n days\">{days}</td><td class=\"why\">{}</td></tr>",
        row.rule.name(),
        escaped(&row.user_name),
        escaped(&row.credential),
        escaped(&row.why),
    );
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As text of a page and as the value of an attribute in quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in super::visible(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
