//! A finding a line, each with its account and time: what a table of many accounts is filled from.

use std::io::{self, Write};

use serde_json::json;

use super::object::{self, Object};
use super::{Head, Output, Tail};
use crate::audit::Finding;

/// Writes lines.
pub struct Ndjson<W> {
    out: W,
    /// What every line begins with, up to the finding's own members.
    head: String,
    line: String,
}

impl<W: Write> Ndjson<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            head: String::new(),
            line: String::new(),
        }
    }
}

impl<W: Write> Output for Ndjson<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.head = format!(
            "{{\"account_id\":{},\"as_of\":{},\"benchmark\":{},",
            json!(head.account_id),
            json!(head.as_of),
            json!(head.benchmark),
        );
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.line.clear();
        self.line.push_str(&self.head);
        Object::push_members(&mut self.line, |object| object::finding(object, finding));
        self.line.push_str("}\n");
        self.out.write_all(self.line.as_bytes())
    }

    fn end(&mut self, _tail: &Tail<'_>) -> io::Result<()> {
        self.out.flush()
    }
}
