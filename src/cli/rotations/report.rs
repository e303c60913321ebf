//! The document of the commands that change keys: what became of each rotation, and what failed.

use jiff::Timestamp;
use serde::Serialize;

use super::super::failed::Failure;
use super::super::{Format, exit_code, ui};
use crate::access_key::AccessKeyId;
use crate::problem::Problem;
use crate::rotate::retire::grace_ends;
use crate::rotate::state::{Rotation, State, Step};

/// The contract's document of `rotate`, `undo`, `recover` and `retire`.
#[derive(Debug, Serialize)]
pub struct Report {
    schema: &'static str,
    rotations: Vec<RotationReport>,
    errors: Vec<ErrorReport>,
    #[serde(skip)]
    must_act: bool,
    #[serde(skip)]
    told: usize,
}

#[derive(Debug, Serialize)]
struct RotationReport {
    profiles: Vec<String>,
    old_access_key_id: AccessKeyId,
    new_access_key_id: Option<AccessKeyId>,
    state: State,
    steps: Vec<Step>,
    undo_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<String>,
}

#[derive(Debug, Serialize)]
struct ErrorReport {
    profile: String,
    #[serde(flatten)]
    problem: Problem,
}

impl Report {
    /// An empty one.
    pub fn new(schema: &'static str) -> Self {
        Self {
            schema,
            rotations: Vec::new(),
            errors: Vec::new(),
            must_act: false,
            told: 0,
        }
    }

    /// Whether nothing was reported so far.
    pub fn is_empty(&self) -> bool {
        self.rotations.is_empty() && self.errors.is_empty()
    }

    /// Adds what became of a rotation.
    pub fn rotation(&mut self, rotation: &Rotation, grace_days: u32) {
        self.add(rotation, grace_days, None, None);
    }

    /// Adds what is going to be done; `plan` says more about it than the contract asks for.
    pub fn plan(&mut self, rotation: &Rotation, grace_days: u32, plan: serde_json::Value) {
        self.add(rotation, grace_days, Some(plan), None);
    }

    /// Adds a rotation whose superseded key stays, and why. The user must look at it.
    pub fn kept(&mut self, rotation: &Rotation, grace_days: u32, why: String) {
        self.must_act = true;
        self.add(rotation, grace_days, None, Some(why));
    }

    fn add(
        &mut self,
        rotation: &Rotation,
        grace_days: u32,
        plan: Option<serde_json::Value>,
        kept: Option<String>,
    ) {
        let since = (rotation.state == State::OldKeyInactive)
            .then(|| rotation.superseded_since())
            .flatten();
        self.rotations.push(RotationReport {
            profiles: rotation.plan.profiles.clone(),
            old_access_key_id: rotation.plan.old_access_key_id.clone(),
            new_access_key_id: rotation.new_access_key_id.clone(),
            state: rotation.state,
            steps: rotation.steps.clone(),
            undo_until: since.map(|since| grace_ends(since, grace_days)),
            plan,
            kept,
        });
    }

    /// Says on stderr what has failed and was not told yet. At the end that is done anyway; before a question it is not
    /// to be missed.
    pub fn tell_errors(&mut self) {
        for error in &self.errors[self.told..] {
            ui::problem(&error.problem);
        }
        self.told = self.errors.len();
    }

    /// Adds a failure, which is told behind all results.
    pub fn error(&mut self, profile: &str, problem: Problem) {
        self.errors.push(ErrorReport {
            profile: profile.to_owned(),
            problem,
        });
    }

    /// Prints the document where JSON is wanted; the exit code says whether all went well.
    pub fn finish(&mut self, format: Format) -> u8 {
        self.tell_errors();
        if format == Format::Json {
            let mut text = serde_json::to_string_pretty(self).expect("a report has string keys only");
            text.push('\n');
            ui::out(&text);
        }
        match (self.errors.is_empty(), self.must_act) {
            (false, _) => exit_code::FAILED,
            (true, true) => exit_code::FOUND,
            (true, false) => exit_code::OK,
        }
    }
}

/// Does `work` for the profiles that were asked for, and where JSON is wanted puts a failure that comes before any report into a document as well: whoever reads
/// stdout is to find one.
///
/// # Errors
///
/// What `work` fails with, for people.
pub fn documented(
    schema: &'static str,
    format: Format,
    asked: &[String],
    work: impl FnOnce() -> Result<u8, Failure>,
) -> Result<u8, Problem> {
    match (work(), format) {
        (Err(failure), Format::Json) => {
            let mut report = Report::new(schema);
            report.error(&failure.profile_among(asked), failure.problem);
            Ok(report.finish(format))
        }
        (result, Format::Json | Format::Text) => result.map_err(Problem::from),
    }
}
