//! One page for people who have no terminal: counts, the ages of the keys as a picture, and what is to be acted on.
//!
//! It asks for nothing else, works without scripts (one sorts the table where scripts run), prints, and everything from
//! the account is escaped.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::{Head, Output, Tail};
use crate::audit::assessment::Ages;
use crate::audit::{Finding, Outcome, Rule};

/// More rows than this no browser shows well; the page says how many it leaves out.
const ROWS: u64 = 10_000;

/// Writes when all is known.
pub struct Html<W> {
    out: W,
    title: String,
    facts: String,
    rows: String,
    taken: u64,
}

impl<W: Write> Html<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            title: String::new(),
            facts: String::new(),
            rows: String::new(),
            taken: 0,
        }
    }
}

impl<W: Write> Output for Html<W> {
    fn takes_passes(&self) -> bool {
        false
    }

    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.title = format!(
            "Access keys of account {}",
            escaped(head.account_id.unwrap_or("unknown"))
        );
        self.facts = format!(
            "as of {}, {}, keys at most {} days old, nothing unused for {} days",
            head.as_of.strftime("%Y-%m-%d %H:%M UTC"),
            head.benchmark.name(),
            head.limits.max_age_days,
            head.limits.unused_days
        );
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.taken += 1;
        if self.taken > ROWS {
            return Ok(());
        }
        let (class, result) = match (finding.result, &finding.exempt) {
            (Outcome::Fail, Some(_)) => ("exempt", "exempt"),
            (Outcome::Fail, None) => ("fail", "fail"),
            (Outcome::Unknown, _) => ("unknown", "unknown"),
            (Outcome::Pass, _) => ("pass", "pass"),
        };
        let key = match (&finding.access_key_id, finding.key_slot) {
            (Some(id), _) => id.to_string(),
            (None, Some(slot)) => format!("key {}", u8::from(slot)),
            (None, None) => String::new(),
        };
        let mut why = escaped(&finding.why);
        if let Some(exempt) = &finding.exempt {
            let _ = write!(
                why,
                "; exempt until {} by {}: {}",
                exempt.until,
                escaped(&exempt.owner),
                escaped(&exempt.reason)
            );
        }
        let days = finding.days.map(|days| days.to_string()).unwrap_or_default();
        let _ = writeln!(
            self.rows,
            "<tr class={class}><td>{result}<td>{}<td>{}<td>{}<td>{}<td class=n>{days}<td>{why}",
            finding.severity.name(),
            finding.rule.name(),
            escaped(&finding.user_name),
            escaped(&key),
        );
        Ok(())
    }

    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()> {
        let mut counts = String::new();
        for (index, rule) in Rule::ALL.into_iter().enumerate() {
            if tail.controls[index].is_empty() {
                continue;
            }
            let count = tail.tally.rules[index];
            let _ = writeln!(
                counts,
                "<tr><td>{rule}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}",
                tail.controls[index].join(", "),
                count.fail,
                count.exempt,
                count.unknown,
                count.pass
            );
        }
        let mut missing = String::new();
        if tail.tally.summary.not_evaluated > 0 {
            missing.push_str("<h2>Not evaluated</h2>\n<ul class=fail>\n");
            for entry in &tail.tally.not_evaluated {
                let _ = writeln!(
                    missing,
                    "<li>{}: {}",
                    escaped(&entry.problem.error),
                    escaped(&entry.problem.cause)
                );
            }
            missing.push_str("</ul>\n");
        }
        let left_out = self.taken.saturating_sub(ROWS);
        let more = if left_out > 0 {
            format!("<p>{left_out} more are not on this page: keyagent audit --format csv has them all\n")
        } else {
            String::new()
        };
        write!(
            self.out,
            "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<meta name=viewport \
             content=\"width=device-width\">\n<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n<h1>{title}</h1>\n<p>{facts}; {users} users\n{missing}\
             <h2>Rules</h2>\n<table>\n<thead><tr><th>rule<th>controls<th class=n>fail<th class=n>exempt\
             <th class=n>unknown<th class=n>pass\n<tbody>\n{counts}</table>\n\
             <h2>Active keys by age</h2>\n{picture}<h2>To act on</h2>\n{more}\
             <table id=findings>\n<thead><tr><th>result<th>severity<th>rule<th>user<th>key<th class=n>days<th>why\n\
             <tbody>\n{rows}</table>\n<script>\n{SCRIPT}</script>\n",
            title = self.title,
            facts = self.facts,
            users = tail.tally.summary.users,
            picture = picture(&tail.tally.ages, tail.limits.max_age_days),
            rows = self.rows,
        )?;
        self.out.flush()
    }
}

fn picture(ages: &Ages, max_age_days: u32) -> String {
    let most = ages.0.iter().copied().max().unwrap_or(0).max(1);
    let mut svg = format!(
        "<svg viewBox=\"0 0 640 {}\" role=img aria-label=\"active keys by age\">\n",
        ages.0.len() * 26
    );
    for (index, count) in ages.0.into_iter().enumerate() {
        let y = index * 26;
        let width = count * 400 / most;
        let class = if index > 0 && Ages::BOUNDS[index - 1] >= max_age_days {
            "over"
        } else {
            "under"
        };
        let _ = writeln!(
            svg,
            "<text x=110 y={text} text-anchor=end>{name}</text><rect class={class} x=120 y={y} width={width} \
             height=20 /><text x={right} y={text}>{count}</text>",
            text = y + 15,
            name = Ages::name(index),
            right = width + 128,
        );
    }
    svg.push_str("</svg>\n");
    svg
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

const STYLE: &str = ":root { color-scheme: light dark; --bad: #b3261e; --good: #1b7a3d; --line: #8886 }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #6fd08c } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .25em .7em; vertical-align: top }
tr { border-bottom: 1px solid var(--line) } .n { text-align: right; font-variant-numeric: tabular-nums }
td { overflow-wrap: anywhere } .fail td:first-child, ul.fail { color: var(--bad); font-weight: 600 }
.exempt { opacity: .65 } svg { max-width: 40em; width: 100%; font-size: 13px } svg text { fill: currentColor }
.under { fill: var(--good) } .over { fill: var(--bad) } #findings.sorts th { cursor: pointer }
@media print { body { margin: 0; max-width: none; font-size: 10px } thead { display: table-header-group } tr { break-inside: avoid } }
";

const SCRIPT: &str = "const table = document.getElementById('findings'); table.className = 'sorts';
table.tHead.rows[0].querySelectorAll('th').forEach((head, column) => head.addEventListener('click', () => {
  const body = table.tBodies[0], up = head.dataset.up = head.dataset.up === '1' ? '' : '1';
  const text = row => row.cells[column].textContent;
  const order = (a, b) => text(a).localeCompare(text(b), 'en', { numeric: true });
  body.append(...[...body.rows].sort((a, b) => up ? order(a, b) : order(b, a)));
}));
";
