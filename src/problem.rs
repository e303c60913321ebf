//! The three lines in which every failure is told. Knows no module's errors: each module turns its own into one.

use serde::Serialize;

/// What failed, why, and what to type next.
///
/// The words are fragments in lower case without a final period. None of them may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What could not be done: `cannot rotate profile dev`.
    pub error: String,
    /// Why: the innermost reason, with AWS's own code in brackets where there is one.
    pub cause: String,
    /// What to do, as a command to paste wherever there is one.
    pub hint: String,
}

impl Problem {
    /// Puts the three parts together.
    pub fn new(error: impl Into<String>, cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            cause: cause.into(),
            hint: hint.into(),
        }
    }
}
