//! CSV, for spreadsheet programs. A text that such a program would run as a formula gets an apostrophe in front.
//!
//! Source: OWASP, "CSV Injection".

use std::io::{self, Write};

use super::{Head, Output, Tail};
use crate::audit::Finding;

/// Writes rows.
pub struct Separated<W: Write> {
    csv: csv::Writer<W>,
    account_id: String,
    as_of: String,
}

impl<W: Write> Separated<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            csv: csv::Writer::from_writer(out),
            account_id: String::new(),
            as_of: String::new(),
        }
    }
}

const COLUMNS: [&str; 15] = [
    "account_id",
    "as_of",
    "rule",
    "controls",
    "user_name",
    "user_arn",
    "key_slot",
    "access_key_id",
    "key_created",
    "result",
    "days",
    "severity",
    "why",
    "exempt_owner",
    "exempt_until",
];

impl<W: Write> Output for Separated<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.account_id = head.account_id.unwrap_or_default().to_owned();
        self.as_of = head.as_of.to_string();
        self.csv.write_record(COLUMNS).map_err(io::Error::from)
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let exempt = finding.exempt.as_ref();
        let row: [&str; COLUMNS.len()] = [
            &self.account_id,
            &self.as_of,
            finding.rule.name(),
            &finding.controls.join(" "),
            &harmless(&finding.user_name),
            &harmless(&finding.user_arn),
            &number(finding.key_slot.map(|slot| u8::from(slot).into())),
            finding.access_key_id.as_ref().map_or("", |id| id.as_str()),
            &finding
                .key_created
                .map(|time| time.to_string())
                .unwrap_or_default(),
            finding.result.name(),
            &number(finding.days),
            finding.severity.name(),
            &finding.why,
            &harmless(exempt.map_or("", |exempt| &exempt.owner)),
            &exempt.map(|exempt| exempt.until.to_string()).unwrap_or_default(),
        ];
        self.csv.write_record(row).map_err(io::Error::from)
    }

    fn end(&mut self, _tail: &Tail<'_>) -> io::Result<()> {
        self.csv.flush()
    }
}

/// IAM allows `=`, `+`, `-` and `@` at the start of a name, and spreadsheet programs take those for formulas.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_formula() {
        for name in ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(harmless(name), format!("'{name}"));
        }
        assert_eq!(harmless("a=b"), "a=b");
        assert_eq!(harmless("<root_account>"), "<root_account>");
    }
}
