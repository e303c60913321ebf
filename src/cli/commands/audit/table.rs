//! The table for people: what must be acted on, the worst first, then counts and ages. Fits the terminal it is shown on,
//! and 80 columns elsewhere. Holds the worst findings alone.

use std::io::{self, Write};

use anstyle::Style;

use super::super::super::ui::{BOLD, DIM, GREEN, RED, YELLOW};
use crate::audit::assessment::Ages;
use crate::audit::output::worst::{Kept, Shown, Worst};
use crate::audit::output::{Head, Output, Tail, visible};
use crate::audit::{Rule, Severity};

mod columns;

use columns::{Columns, bar, shortened};

/// More than this nobody reads on a terminal; all of them are in the other formats.
const ROWS: usize = 100;

/// Writes when all is known.
pub(super) struct Table<W> {
    out: W,
    width: usize,
    worst: Worst,
}

impl<W: Write> Table<W> {
    /// Writes to `out`, styles and all, in so many columns.
    pub(super) fn new(out: W, width: usize) -> Self {
        Self {
            out,
            width,
            worst: Worst::new(ROWS),
        }
    }
}

impl<W: Write> Output for Table<W> {
    fn takes_passes(&self) -> bool {
        false
    }

    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        let time = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M UTC");
        let account = format!("account {}", head.account_id.unwrap_or("unknown"));
        write!(self.out, "{BOLD}{account}{BOLD:#}")?;
        let mut facts = vec![
            format!("as of {}", time(head.as_of)),
            head.benchmark.name().to_owned(),
        ];
        if let Some(generated) = head.report_generated_at {
            facts.push(format!("report of {}", time(generated)));
        }
        let mut column = account.len();
        for fact in facts {
            // With the comma and the space before it, and a comma that may come behind it.
            let fits = column + 2 + fact.len() < self.width;
            column = if fits { column + 2 } else { 0 } + fact.len();
            write!(self.out, ",{}{fact}", if fits { " " } else { "\n" })?;
        }
        writeln!(self.out)
    }

    fn finding(&mut self, finding: &crate::audit::Finding<'_>) -> io::Result<()> {
        self.worst.take(finding);
        Ok(())
    }

    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()> {
        let (rows, left_out) = self.worst.finish();
        let mut text = findings(&rows, self.width);
        if left_out > 0 {
            text.push_str(&format!(
                "{DIM}… and {left_out} more: --format csv has them all{DIM:#}\n"
            ));
        }
        text.push_str(&counts(tail, self.width));
        text.push_str(&ages(&tail.tally.ages, tail.limits.max_age_days, self.width));
        text.push_str(&verdict(tail));
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

fn findings(rows: &[Kept], width: usize) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let users: Vec<String> = rows.iter().map(|row| visible(&row.user_name)).collect();
    let columns = Columns::fitting(rows, &users, width);
    let longest = rows.iter().filter_map(|row| row.days).max().unwrap_or(0);
    let mut text = format!(
        "\n{DIM}  {}{DIM:#}\n",
        columns.line("RULE", "USER", "KEY", "", "DAYS")
    );
    for (row, user) in rows.iter().zip(&users) {
        let (style, mark) = style_of(row);
        let (days, bar) = match row.days {
            Some(days) => (days.to_string(), bar(days, longest, columns.bar)),
            None => (String::new(), String::new()),
        };
        let user = shortened(user, columns.user);
        let key = visible(&row.credential);
        text.push_str(&match row.shown {
            Shown::Exempt => {
                let line = columns.line(row.rule.name(), &user, &key, &bar, &days);
                format!("{DIM}{mark} {line}{DIM:#}\n")
            }
            Shown::Fail | Shown::Unknown | Shown::Pass => {
                let bar = match bar.as_str() {
                    "" => bar,
                    _ => format!("{style}{bar}{style:#}"),
                };
                let line = columns.line(row.rule.name(), &user, &key, &bar, &days);
                format!("{style}{mark}{style:#} {line}\n")
            }
        });
    }
    text
}

fn style_of(row: &Kept) -> (Style, char) {
    match row.shown {
        Shown::Fail if row.severity >= Severity::Medium => (RED, '✗'),
        Shown::Fail => (YELLOW, '✗'),
        Shown::Unknown => (YELLOW, '?'),
        Shown::Exempt => (DIM, '-'),
        Shown::Pass => (GREEN, '✓'),
    }
}

fn counts(tail: &Tail<'_>, width: usize) -> String {
    let heads = ["FAIL", "EXEMPT", "UNKNOWN", "PASS"];
    let told = tail
        .tally
        .rules
        .map(|count| [count.fail, count.exempt, count.unknown, count.pass].map(|count| count.to_string()));
    let controls = tail.controls.each_ref().map(|controls| controls.join(" "));
    let mut widths = heads.map(str::len);
    for counts in &told {
        for (width, count) in widths.iter_mut().zip(counts) {
            *width = count.len().max(*width);
        }
    }
    let longest = controls.iter().map(String::len).max().unwrap_or(0);
    let counted = 2 + 18 + widths.iter().sum::<usize>() + 2 * widths.len();
    let has_room = counted + 2 + longest <= width;
    let line = |name: &str, counts: [&str; 4], controls: &str| {
        let mut line = format!("  {name:18}");
        for (count, width) in counts.into_iter().zip(widths) {
            line.push_str(&format!("  {count:>width$}"));
        }
        if has_room {
            line.push_str(&format!("  {controls}"));
        }
        line.trim_end().to_owned()
    };
    let mut text = format!("\n{DIM}{}{DIM:#}\n", line("RULE", heads, "CONTROLS"));
    for (index, rule) in Rule::ALL.into_iter().enumerate() {
        if !controls[index].is_empty() {
            let counts = told[index].each_ref().map(String::as_str);
            text.push_str(&line(rule.name(), counts, &controls[index]));
            text.push('\n');
        }
    }
    text
}

/// How old the active keys are; those beyond the limit in red.
fn ages(ages: &Ages, max_age_days: u32, width: usize) -> String {
    let most = ages.0.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let cells = width.saturating_sub(20 + most.to_string().len()).clamp(10, 60);
    let mut text = format!("\n{DIM}  active keys by age{DIM:#}\n");
    for (index, count) in ages.0.into_iter().enumerate() {
        let style = if Ages::is_over(index, max_age_days) {
            RED
        } else {
            GREEN
        };
        let line = format!(
            "  {:>14}  {style}{}{style:#} {count}",
            Ages::name(index),
            bar(count, most, cells)
        );
        text.push_str(&line);
        text.push('\n');
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::access_key::AccessKeyId;
    use crate::audit::assessment::{RuleCount, Tally};
    use crate::audit::{Benchmark, Exempt, Finding, KeySlot, Outcome};

    fn finding(rule: Rule, user_name: &'static str, result: Outcome, days: Option<u32>) -> Finding<'static> {
        Finding {
            rule,
            controls: Vec::new().into(),
            user_name: user_name.into(),
            user_arn: "".into(),
            key_slot: Some(KeySlot::One),
            access_key_id: None,
            key_created: None,
            result,
            why: "".into(),
            days,
            severity: rule.severity(),
            exempt: None,
        }
    }

    /// One finding of each kind, and counts of a large account.
    fn shown(width: usize) -> String {
        let benchmark = Benchmark::default();
        let limits = benchmark.limits();
        let at: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let mut tally = Tally::default();
        tally.summary.users = 1_000_000;
        tally.ages.0 = [1_234_567, 1, 0, 70_000, 900_000, 12];
        tally.rules = [RuleCount {
            pass: 1_000_000,
            fail: 999_999,
            exempt: 3,
            unknown: 1,
        }; 5];
        let exempt = Exempt {
            owner: "ann".into(),
            reason: "vendor".into(),
            until: "2026-12-31".parse().unwrap(),
        };
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, width);
        table
            .begin(&super::Head {
                account_id: Some("123456789012"),
                as_of: at,
                report_generated_at: Some(at),
                benchmark,
                limits,
            })
            .unwrap();
        for finding in [
            Finding {
                exempt: Some(exempt),
                ..finding(Rule::KeyRotation, "vendor", Outcome::Fail, Some(3000))
            },
            finding(Rule::UnusedCredentials, "unsaid", Outcome::Unknown, None),
            finding(Rule::OneActiveKey, "two", Outcome::Fail, None),
            finding(Rule::KeyRotation, "young", Outcome::Fail, Some(91)),
            Finding {
                access_key_id: Some(AccessKeyId::made_up()),
                ..finding(
                    Rule::UnusedCredentials,
                    "a-service-account-with-a-name-that-is-as-long-as-it-may-be-in-iam",
                    Outcome::Fail,
                    Some(1500),
                )
            },
            finding(Rule::RootAccessKey, "<root_account>", Outcome::Fail, Some(7)),
        ] {
            table.finding(&finding).unwrap();
        }
        table
            .end(&Tail {
                tally: &tally,
                controls: &Rule::ALL.map(|rule| benchmark.controls(rule, limits)),
                limits,
            })
            .unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn it_fits_every_terminal_and_uses_a_wide_one() {
        for width in 56..=200 {
            for line in shown(width).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
        let name = "a-service-account-with-a-name-that-is-as-long-as-it-may-be-in-iam";
        assert!(!shown(80).contains(name) && shown(140).contains(name));
        assert!(shown(80).contains("KEYAGENTS_MADE_UP_ID") && !shown(56).contains("KEYAGENTS"));
        assert!(shown(140).contains("IAM.22") && !shown(60).contains("IAM.22"));
    }

    #[test]
    fn the_worst_come_first_and_the_exempt_last() {
        let text = shown(80);
        let marks: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(mark, _)| ["✗", "?", "-"].contains(mark))
            .map(|(_, rest)| rest.split_whitespace().nth(1).unwrap())
            .collect();
        assert_eq!(marks[0], "<root_account>");
        assert!(marks[1].starts_with("a-service-account"));
        assert_eq!(marks[2..], ["young", "two", "unsaid", "vendor"]);
    }

    #[test]
    fn the_bars_are_as_long_as_the_days() {
        let text = shown(100);
        let cells = |user: &str| {
            let line = text.lines().find(|line| line.contains(user)).unwrap();
            line.chars().filter(|c| *c == '█').count()
        };
        assert_eq!((cells("vendor"), cells("a-service")), (20, 10));
        assert_eq!(cells("two"), 0);
    }
}
