//! A credential report that was saved, evaluated offline.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::super::super::ui;
use super::{Args, unwritable};
use crate::audit::assessment::{Assessment, Tally};
use crate::audit::credential_report::{CredentialReport, ReportError};
use crate::audit::output::Output;
use crate::audit::rules::Judge;
use crate::policy::{days_since, in_days};
use crate::problem::{Problem, word};

/// Evaluates a report that was saved.
pub(super) fn evaluate(
    path: &Path,
    args: &Args,
    judge: &Judge,
    output: &mut dyn Output,
) -> Result<Tally, Problem> {
    let name = path.display().to_string();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| unusable(&name, &error.into()))?)
    };
    let mut report = CredentialReport::open(source).map_err(|error| unusable(&name, &error))?;
    if judge.exemptions.names_keys() {
        ui::remark("a saved report names no key, so no [key …] of the exemptions holds");
    }
    let mut assessment = Assessment::new(judge, output, None, None);
    assessment
        .report(&name, &mut report, |_user| {})
        .map_err(|error| unwritable(&error))?;
    let tally = assessment.finish().map_err(|error| unwritable(&error))?;
    if let (Some(newest), None) = (tally.summary.newest_time, args.as_of) {
        let days = in_days(days_since(newest, judge.as_of));
        let text = format!(
            "the newest time in {name} is {newest}, {days} ago; the verdicts are as of now\n\
             as of then: --as-of {newest}"
        );
        ui::remark(&text);
    }
    Ok(tally)
}

fn unusable(name: &str, error: &ReportError) -> Problem {
    let name = word(name);
    let again = "aws iam get-credential-report --query Content --output text | base64 -d >report.csv";
    let hint = match error {
        ReportError::Read(_) => format!("ls -l {name}"),
        ReportError::Empty
        | ReportError::Workbook
        | ReportError::NotText
        | ReportError::Base64
        | ReportError::Separator(_)
        | ReportError::Columns(_)
        | ReportError::Twice(_) => again.to_owned(),
    };
    Problem::new(format!("cannot evaluate {name}"), error.to_string(), hint)
}
