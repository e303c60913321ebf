//! The document of the contract, in the shape of [`crate::audit::Document`], a finding a line.

use std::io::{self, Write};

use serde_json::json;

use super::object::{self, Object};
use super::{Head, Output, Tail};
use crate::audit::{Finding, SCHEMA};

/// Writes one document.
pub struct Json<W> {
    out: W,
    is_first: bool,
    line: String,
}

impl<W: Write> Json<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            is_first: true,
            line: String::new(),
        }
    }
}

impl<W: Write> Output for Json<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        write!(
            self.out,
            "{{\"schema\":{},\n\"account_id\":{},\n\"as_of\":{},\n\"report_generated_at\":{},\n\"benchmark\":{},\n\
             \"limits\":{},\n\"findings\":[",
            json!(SCHEMA),
            json!(head.account_id),
            json!(head.as_of),
            json!(head.report_generated_at),
            json!(head.benchmark),
            json!(head.limits),
        )
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.line.clear();
        self.line.push_str(if self.is_first { "\n" } else { ",\n" });
        self.is_first = false;
        Object::push(&mut self.line, |object| object::finding(object, finding));
        self.out.write_all(self.line.as_bytes())
    }

    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()> {
        writeln!(
            self.out,
            "\n],\n\"not_evaluated\":{},\n\"summary\":{}}}",
            json!(tail.tally.not_evaluated),
            json!(tail.tally.summary),
        )?;
        self.out.flush()
    }
}
