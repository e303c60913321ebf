//! A finding a line, each with its account and time: what a table of many accounts is filled from.

use std::io::{self, Write};

use serde_json::json;

use super::{Head, Output, Tail};
use crate::audit::Finding;

/// Writes lines.
pub struct Ndjson<W> {
    out: W,
    /// What every line begins with, without the last brace.
    head: Vec<u8>,
    line: Vec<u8>,
}

impl<W: Write> Ndjson<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            head: Vec::new(),
            line: Vec::new(),
        }
    }
}

impl<W: Write> Output for Ndjson<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.head = format!(
            "{{\"account_id\":{},\"as_of\":{},\"benchmark\":{}",
            json!(head.account_id),
            json!(head.as_of),
            json!(head.benchmark),
        )
        .into_bytes();
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        self.line.clear();
        self.line.extend_from_slice(&self.head);
        serde_json::to_writer(&mut self.line, finding)?;
        // The finding's own fields go on where the head ends.
        self.line[self.head.len()] = b',';
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    fn end(&mut self, _tail: &Tail<'_>) -> io::Result<()> {
        self.out.flush()
    }
}
