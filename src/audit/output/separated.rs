//! CSV, for spreadsheet programs. A text that such a program would run as a formula gets an apostrophe in front.
//!
//! Source: OWASP, "CSV Injection".

use std::borrow::Cow;
use std::io::{self, Write};

use super::{Head, Output, Tail};
use crate::audit::Finding;
use crate::audit::text::{Decimal, push_time};

/// Writes rows.
pub struct Separated<W: Write> {
    csv: csv::Writer<W>,
    account_id: String,
    as_of: String,
    /// Used again for every row, as there are millions.
    controls: String,
    time: String,
}

impl<W: Write> Separated<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            csv: csv::Writer::from_writer(out),
            account_id: String::new(),
            as_of: String::new(),
            controls: String::new(),
            time: String::new(),
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
        let csv = &mut self.csv;
        for text in [&*self.account_id, &*self.as_of, finding.rule.name()] {
            csv.write_field(text)?;
        }
        self.controls.clear();
        for control in finding.controls.iter() {
            if !self.controls.is_empty() {
                self.controls.push(' ');
            }
            self.controls.push_str(control);
        }
        csv.write_field(&self.controls)?;
        csv.write_field(&*harmless(&finding.user_name))?;
        csv.write_field(&*harmless(&finding.user_arn))?;
        write_number(csv, finding.key_slot.map(|slot| u8::from(slot).into()))?;
        csv.write_field(finding.access_key_id.as_ref().map_or("", |id| id.as_str()))?;
        self.time.clear();
        if let Some(created) = finding.key_created {
            push_time(&mut self.time, created);
        }
        csv.write_field(&self.time)?;
        csv.write_field(finding.result.name())?;
        write_number(csv, finding.days)?;
        csv.write_field(finding.severity.name())?;
        csv.write_field(&*finding.why)?;
        let exempt = finding.exempt.as_ref();
        csv.write_field(&*harmless(exempt.map_or("", |exempt| &exempt.owner)))?;
        csv.write_field(exempt.map(|exempt| exempt.until.to_string()).unwrap_or_default())?;
        csv.write_record(None::<&[u8]>).map_err(io::Error::from)
    }

    fn end(&mut self, _tail: &Tail<'_>) -> io::Result<()> {
        self.csv.flush()
    }
}

/// IAM allows `=`, `+`, `-` and `@` at the start of a name, and spreadsheet programs take those for formulas.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

fn write_number<W: Write>(csv: &mut csv::Writer<W>, number: Option<u32>) -> csv::Result<()> {
    match number {
        Some(number) => csv.write_field(Decimal::of(number).as_str()),
        None => csv.write_field(""),
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
