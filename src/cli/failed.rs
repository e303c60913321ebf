//! The document of a command that came to nothing. Holds nothing that could be taken for a result.

use serde::Serialize;

use super::{Format, ui};
use crate::problem::Problem;

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
