//! A command that came to nothing: which profile that is about, and its document, which holds nothing that could be taken
//! for a result.

use serde::Serialize;

use super::{Format, ui};
use crate::problem::Problem;

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The profile that it is about, if it is about one.
    pub profile: Option<String>,
    /// What, why, and what to do.
    pub problem: Problem,
}

impl Failure {
    /// One that is about a profile.
    pub fn of(profile: &str, problem: Problem) -> Self {
        Self {
            profile: Some(profile.to_owned()),
            problem,
        }
    }

    /// The profile for a document. What is about none is put down to the only one that was asked for; among several it is
    /// nobody's.
    pub fn profile_among(&self, asked: &[String]) -> String {
        match (&self.profile, asked) {
            (Some(profile), _) => profile.clone(),
            (None, [only]) => only.clone(),
            (None, _) => String::new(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            profile: None,
            problem,
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        failure.problem
    }
}

#[derive(Debug, Serialize)]
struct Failed<'a> {
    schema: &'static str,
    errors: [&'a Problem; 1],
}

/// Where JSON is wanted, writes a failure that comes before any result as a document too: whoever reads stdout is to find
/// one.
///
/// # Errors
///
/// Those of `result`, for people.
pub fn documented(schema: &'static str, format: Format, result: Result<u8, Problem>) -> Result<u8, Problem> {
    if let (Err(problem), Format::Json) = (&result, format) {
        ui::document(&Failed {
            schema,
            errors: [problem],
        });
    }
    result
}
