//! What lets a found key pass: a marker beside it, with a reason.
//! Never lets pass what no one gave a reason for.

/// A day, as `until=` names it; days compare in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Four digits.
    pub year: u16,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

/// Why a finding is let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The marker's name, as `keyagent:allow`.
    pub by: String,
    /// The reason that stands behind it.
    pub reason: Option<String>,
}

/// What lets the value in `line` pass: a marker in it, or in the line above. Both are cut to some kilobytes around the
/// value; `today` decides whether an `until=` is over, and without it none is.
pub fn marker(_above: &[u8], _line: &[u8], _today: Option<Date>) -> Option<Allowed> {
    None
}
