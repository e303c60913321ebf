//! The forms in which findings are told. Each takes them one by one and writes into what it is given; none prints.

use std::borrow::Cow;
use std::io;

use jiff::Timestamp;

use super::assessment::Tally;
use super::{Benchmark, Finding, Limits, Rule};

mod asff;
mod html;
mod identity;
mod json;
mod junit;
mod ndjson;
mod object;
mod ocsf;
mod separated;
pub mod worst;

pub use asff::{Asff, Previous};
pub use html::Html;
pub use json::Json;
pub use junit::Junit;
pub use ndjson::Ndjson;
pub use ocsf::Ocsf;
pub use separated::Separated;

/// What is known before the first finding.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// 12 digits; `None` when nothing names the account.
    pub account_id: Option<&'a str>,
    /// The time for which the verdicts hold.
    pub as_of: Timestamp,
    /// When AWS made the report, where it said so.
    pub report_generated_at: Option<Timestamp>,
    /// Whose controls are named.
    pub benchmark: Benchmark,
    /// The limits that are used.
    pub limits: Limits,
}

/// What is known after the last one.
#[derive(Clone, Copy, Debug)]
pub struct Tail<'a> {
    /// All counts, and what was not evaluated.
    pub tally: &'a Tally,
    /// What each rule is called, in the order of [`Rule::ALL`].
    pub controls: &'a [Vec<Cow<'static, str>>; Rule::ALL.len()],
    /// The limits that were used.
    pub limits: Limits,
}

/// Takes findings in the order of the report.
///
/// Every method fails only when what it writes to does.
pub trait Output {
    /// Whether it tells of rules that are kept.
    fn takes_passes(&self) -> bool {
        true
    }

    /// Comes first, once.
    ///
    /// # Errors
    ///
    /// See [`Output`].
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()>;

    /// Takes one.
    ///
    /// # Errors
    ///
    /// See [`Output`].
    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()>;

    /// Comes last, once.
    ///
    /// # Errors
    ///
    /// See [`Output`].
    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()>;
}

/// Text that a terminal shows as it is: what steers one is shown as a mark.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control()
                || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
