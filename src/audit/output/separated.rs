//! CSV, for spreadsheet programs. A text that such a program would run as a formula gets an apostrophe in front.
//!
//! Sources: RFC 4180; OWASP, "CSV Injection".

use std::io::{self, Write};

use super::{Head, Output, Tail};
use crate::audit::Finding;
use crate::audit::text::{Decimal, push_time};

/// Writes rows.
pub struct Separated<W> {
    out: W,
    /// What every row begins with: the account and the time.
    head: String,
    row: String,
    /// Used again for every row, as there are millions.
    field: String,
}

impl<W: Write> Separated<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            head: String::new(),
            row: String::new(),
            field: String::new(),
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
        self.head = format!("{},{}", head.account_id.unwrap_or_default(), head.as_of);
        writeln!(self.out, "{}", COLUMNS.join(","))
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let Self { row, field, .. } = self;
        row.clear();
        row.push_str(&self.head);
        push(row, finding.rule.name());
        field.clear();
        for control in finding.controls.iter() {
            if !field.is_empty() {
                field.push(' ');
            }
            field.push_str(control);
        }
        push(row, field);
        push_harmless(row, &finding.user_name);
        push_harmless(row, &finding.user_arn);
        push_number(row, finding.key_slot.map(|slot| u8::from(slot).into()));
        push(row, finding.access_key_id.as_ref().map_or("", |id| id.as_str()));
        row.push(',');
        if let Some(created) = finding.key_created {
            push_time(row, created);
        }
        push(row, finding.result.name());
        push_number(row, finding.days);
        push(row, finding.severity.name());
        push(row, &finding.why);
        match &finding.exempt {
            Some(exempt) => {
                push_harmless(row, &exempt.owner);
                push(row, &exempt.until.to_string());
            }
            None => row.push_str(",,"),
        }
        row.push('\n');
        self.out.write_all(row.as_bytes())
    }

    fn end(&mut self, _tail: &Tail<'_>) -> io::Result<()> {
        self.out.flush()
    }
}

/// Appends a comma and a field, in quotes where it must be.
fn push(row: &mut String, field: &str) {
    row.push(',');
    // One look at every byte without a way out early, which the compiler turns into vector instructions.
    let is_plain = field.bytes().fold(true, |plain, byte| {
        plain & !matches!(byte, b',' | b'"' | b'\n' | b'\r')
    });
    if is_plain {
        row.push_str(field);
    } else {
        row.push('"');
        row.push_str(&field.replace('"', "\"\""));
        row.push('"');
    }
}

/// IAM allows `=`, `+`, `-` and `@` at the start of a name, and spreadsheet programs take those for formulas.
fn push_harmless(row: &mut String, text: &str) {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        push(row, &format!("'{text}"));
    } else {
        push(row, text);
    }
}

fn push_number(row: &mut String, number: Option<u32>) {
    row.push(',');
    if let Some(number) = number {
        row.push_str(Decimal::of(number).as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_formula() {
        for name in ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1"] {
            let mut row = String::new();
            push_harmless(&mut row, name);
            assert_eq!(row, format!(",'{name}"));
        }
        for name in ["a=b", "<root_account>"] {
            let mut row = String::new();
            push_harmless(&mut row, name);
            assert_eq!(row, format!(",{name}"));
        }
    }

    #[test]
    fn every_field_is_quoted_as_by_the_crate_that_reads_it() {
        for field in [
            "", "a", "a,b", "a\"b", "\"", "a\nb", "a\rb", "ü ", " x", "'a'", "a;b", "\t",
        ] {
            let mut row = "x".to_owned();
            push(&mut row, field);
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record(["x", field]).unwrap();
            let written = String::from_utf8(csv.into_inner().unwrap()).unwrap();
            assert_eq!(format!("{row}\n"), written);
        }
    }
}
