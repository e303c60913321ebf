//! The table for people: what must be acted on, the worst first, then counts and ages. Fits 80 columns, and holds the
//! worst findings alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use super::super::super::ui::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::audit::assessment::Ages;
use crate::audit::output::{Head, Output, Tail, bar, visible};
use crate::audit::{Finding, Limits, Rule, Severity};

/// More than this nobody reads on a terminal; all of them are in the other formats.
const ROWS: usize = 100;
const CELLS: usize = 8;

/// Writes when all is known.
pub(super) struct Table<W> {
    out: W,
    limits: Limits,
    /// The least of the worst on top.
    worst: BinaryHeap<Reverse<Row>>,
    taken: u64,
}

/// Greater is worse; of two that are equally bad the earlier one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    is_breach: bool,
    is_exempt: Reverse<bool>,
    severity: Severity,
    days: Option<u32>,
    number: Reverse<u64>,
    rule: Rule,
    user_name: String,
    key: String,
}

impl<W: Write> Table<W> {
    /// Writes to `out`, styles and all.
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            limits: crate::audit::Benchmark::default().limits(),
            worst: BinaryHeap::new(),
            taken: 0,
        }
    }

    fn row(&self, row: &Row) -> String {
        let (style, mark) = match (row.is_breach, row.is_exempt.0) {
            (true, _) => (
                if row.severity >= Severity::Medium {
                    RED
                } else {
                    YELLOW
                },
                '✗',
            ),
            (false, true) => (DIM, '-'),
            (false, false) => (YELLOW, '?'),
        };
        let limit = match row.rule {
            Rule::UnusedCredentials => self.limits.unused_days,
            Rule::RootAccessKey | Rule::KeyAtSetup | Rule::OneActiveKey | Rule::KeyRotation => {
                self.limits.max_age_days
            }
        };
        let age = row
            .days
            .map(|days| format!("{} {days:>4}d", bar(days, limit, CELLS)))
            .unwrap_or_default();
        let line = format!(
            "{style}{mark}{style:#} {:18} {:22} {:20} {age}",
            row.rule.name(),
            shortened(&visible(&row.user_name), 22),
            row.key,
        );
        format!("{}\n", line.trim_end())
    }
}

impl<W: Write> Output for Table<W> {
    fn takes_passes(&self) -> bool {
        false
    }

    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.limits = head.limits;
        let time = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M UTC");
        write!(
            self.out,
            "{BOLD}account {}{BOLD:#}, as of {}, {}",
            head.account_id.unwrap_or("unknown"),
            time(head.as_of),
            head.benchmark.name()
        )?;
        if let Some(generated) = head.report_generated_at {
            write!(self.out, ", report of {}", time(generated))?;
        }
        writeln!(self.out)
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.taken += 1;
        let key = match (&finding.access_key_id, finding.key_slot) {
            (Some(id), _) => visible(id.as_str()),
            (None, Some(slot)) => format!("key {}", u8::from(slot)),
            (None, None) => match finding.rule {
                Rule::UnusedCredentials if finding.key_created.is_none() => "password".into(),
                Rule::RootAccessKey
                | Rule::KeyAtSetup
                | Rule::UnusedCredentials
                | Rule::OneActiveKey
                | Rule::KeyRotation => String::new(),
            },
        };
        let row = Row {
            is_breach: finding.is_breach(),
            is_exempt: Reverse(finding.exempt.is_some()),
            severity: finding.severity,
            days: finding.days,
            number: Reverse(self.taken),
            rule: finding.rule,
            user_name: finding.user_name.clone().into_owned(),
            key,
        };
        if self.worst.len() == ROWS {
            if self.worst.peek().is_some_and(|least| row <= least.0) {
                return Ok(());
            }
            self.worst.pop();
        }
        self.worst.push(Reverse(row));
        Ok(())
    }

    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()> {
        let mut rows: Vec<Row> = std::mem::take(&mut self.worst)
            .into_iter()
            .map(|Reverse(row)| row)
            .collect();
        rows.sort_unstable_by(|a, b| b.cmp(a));
        let mut text = String::new();
        if !rows.is_empty() {
            text.push_str(&format!(
                "\n  {:18} {:22} {:20} AGE OR DISUSE\n",
                "RULE", "USER", "KEY"
            ));
        }
        for row in &rows {
            text.push_str(&self.row(row));
        }
        let more = self.taken - rows.len() as u64;
        if more > 0 {
            text.push_str(&format!(
                "{DIM}… and {more} more: --format csv has them all{DIM:#}\n"
            ));
        }
        text.push_str(&counts(tail));
        text.push_str(&ages(&tail.tally.ages, tail.limits.max_age_days));
        text.push_str(&verdict(tail));
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

fn counts(tail: &Tail<'_>) -> String {
    let mut text = format!(
        "\n{DIM}  {:18} {:>8} {:>8} {:>8} {:>8}  CONTROLS{DIM:#}\n",
        "RULE", "FAIL", "EXEMPT", "UNKNOWN", "PASS"
    );
    for (index, rule) in Rule::ALL.into_iter().enumerate() {
        if tail.controls[index].is_empty() {
            continue;
        }
        let count = tail.tally.rules[index];
        text.push_str(&format!(
            "  {:18} {:>8} {:>8} {:>8} {:>8}  {}\n",
            rule.name(),
            count.fail,
            count.exempt,
            count.unknown,
            count.pass,
            tail.controls[index].join(" ")
        ));
    }
    text
}

/// How old the active keys are.
fn ages(ages: &Ages, max_age_days: u32) -> String {
    let most = ages.0.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let mut text = format!("\n{DIM}  active keys by age{DIM:#}\n");
    for (index, count) in ages.0.into_iter().enumerate() {
        let cells = usize::try_from((count * 40).div_ceil(most)).unwrap_or(40);
        let is_over = index > 0 && Ages::BOUNDS[index - 1] >= max_age_days;
        let style = if is_over { RED } else { GREEN };
        text.push_str(&format!(
            "  {:>14}  {style}{}{style:#} {count}\n",
            Ages::name(index),
            "█".repeat(cells)
        ));
    }
    text
}

fn verdict(tail: &Tail<'_>) -> String {
    let summary = &tail.tally.summary;
    let mut words = vec![format!("{} users", summary.users)];
    let counted = [
        (summary.fail, "failed"),
        (summary.exempt, "exempt"),
        (summary.unknown, "unknown"),
        (summary.not_evaluated, "not evaluated"),
    ];
    for (count, what) in counted {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    if summary.fail + summary.unknown + summary.not_evaluated == 0 {
        words.push("every rule is kept".into());
    }
    format!("\n{BOLD}{}{BOLD:#}\n", words.join(", "))
}

fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 1).chain(['…']).collect()
}
