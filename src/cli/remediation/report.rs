//! The document of `disable`, `enable` and `delete`, and the same for people.

use jiff::Timestamp;
use serde::Serialize;

use super::{Order, Selection, Signer, problem};
use crate::access_key::AccessKeyId;
use crate::cli::{Format, exit_code, ui};
use crate::iam::{AccessKeyStatus, LastUsed};
use crate::policy::{days_since, in_days};
use crate::problem::{Problem, word};
use crate::remediate::from_audit::PassedOver;
use crate::remediate::judge::{Left, Weight};
use crate::remediate::run::{Became, Error, Treated};
use crate::remediate::{Action, Claim, Examined, Seen, Target, journal};

/// The contract's document.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: String,
    /// For `keyagent enable --run`; none when nothing was tried.
    pub(super) run: Option<String>,
    account_id: String,
    signed_by: String,
    dry_run: bool,
    keys: Vec<KeyReport>,
    passed_over: Vec<PassedOverReport>,
    errors: Vec<ErrorReport>,
    #[serde(skip)]
    action: Action,
    #[serde(skip)]
    profile: String,
    #[serde(skip)]
    command: String,
    #[serde(skip)]
    must_act: bool,
    /// A later run might have to put it back.
    #[serde(skip)]
    may_have_changed: bool,
}

#[derive(Debug, Serialize)]
struct KeyReport {
    user_name: String,
    access_key_id: AccessKeyId,
    status_before: Option<AccessKeyStatus>,
    create_date: Option<Timestamp>,
    last_used: Option<LastUsed>,
    last_used_known: bool,
    result: KeyResult,
    why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum KeyResult {
    Changed,
    Planned,
    Left,
    Failed,
}

#[derive(Debug, Serialize)]
struct PassedOverReport {
    user_name: String,
    access_key_id: Option<AccessKeyId>,
    rule: crate::audit::Rule,
    why: String,
}

#[derive(Debug, Serialize)]
struct ErrorReport {
    user_name: String,
    access_key_id: AccessKeyId,
    #[serde(flatten)]
    problem: Problem,
}

impl Report {
    pub(super) fn new(order: &Order<'_>, signer: &Signer<'_>, selection: &Selection) -> Self {
        let mut report = Self {
            schema: format!("keyagent.{}/1", order.action.verb()),
            run: None,
            account_id: signer.identity.account_id.clone(),
            signed_by: signer.identity.arn.clone(),
            dry_run: order.common.dry_run,
            keys: Vec::new(),
            passed_over: Vec::new(),
            errors: Vec::new(),
            action: order.action,
            profile: signer.profile.clone(),
            command: order.typed(),
            must_act: false,
            may_have_changed: false,
        };
        for passed_over in &selection.passed_over {
            report.pass_over(passed_over);
        }
        for (target, left) in &selection.left {
            let examined = Examined {
                target: target.clone(),
                seen: Seen::NotListed,
            };
            report.left(&examined, left);
        }
        report
    }

    fn pass_over(&mut self, passed_over: &PassedOver) {
        self.must_act |= passed_over.must_act;
        self.passed_over.push(PassedOverReport {
            user_name: passed_over.user_name.clone(),
            access_key_id: passed_over.access_key_id.clone(),
            rule: passed_over.rule,
            why: passed_over.why.clone(),
        });
    }

    /// A key that stays as it is.
    pub(super) fn left(&mut self, examined: &Examined, left: &Left) {
        let target = &examined.target;
        match left.weight(target.claim) {
            Weight::Fine => self.add(examined, KeyResult::Left, Some(left.why())),
            Weight::ForTheUser => {
                self.must_act = true;
                self.add(examined, KeyResult::Left, Some(left.why()));
            }
            Weight::Failure => self.fail(examined, self.cannot(target, left)),
        }
    }

    /// A key that is changed without `--dry-run`.
    pub(super) fn planned(&mut self, examined: &Examined) {
        self.add(examined, KeyResult::Planned, None);
    }

    /// What became of a key.
    pub(super) fn treated(&mut self, treated: &Treated) {
        match &treated.became {
            Became::Changed => {
                self.may_have_changed = true;
                self.add(&treated.examined, KeyResult::Changed, None);
            }
            Became::Left(left) => self.left(&treated.examined, left),
            Became::Failed(error) => {
                self.may_have_changed |= !matches!(error, Error::Refused(_) | Error::Journal(_));
                let told = self.failed(&treated.examined.target, error);
                self.fail(&treated.examined, told);
            }
        }
    }

    fn fail(&mut self, examined: &Examined, problem: Problem) {
        ui::problem(&problem);
        self.add(examined, KeyResult::Failed, Some(problem.cause.clone()));
        self.errors.push(ErrorReport {
            user_name: examined.target.user_name.0.clone(),
            access_key_id: examined.target.access_key_id.clone(),
            problem,
        });
    }

    fn add(&mut self, examined: &Examined, result: KeyResult, why: Option<String>) {
        let (status_before, create_date, last_used) = match &examined.seen {
            Seen::Listed {
                status,
                create_date,
                last_used,
            } => (Some(*status), Some(*create_date), Some(last_used)),
            Seen::NotListed | Seen::Unknown(_) => (None, None, None),
        };
        self.keys.push(KeyReport {
            user_name: examined.target.user_name.0.clone(),
            access_key_id: examined.target.access_key_id.clone(),
            status_before,
            create_date,
            last_used: last_used.and_then(|last_used| last_used.as_ref().ok().cloned().flatten()),
            last_used_known: last_used.is_some_and(Result::is_ok),
            result,
            why,
        });
    }

    fn what(&self, target: &Target) -> String {
        format!(
            "cannot {} {} of {}",
            self.action.verb(),
            target.access_key_id,
            target.user_name
        )
    }

    fn cannot(&self, target: &Target, left: &Left) -> Problem {
        let (id, user, profile) = (
            &target.access_key_id,
            word(&target.user_name.0),
            word(&self.profile),
        );
        let hint = match left {
            Left::StatusUnknown(error) => {
                let told = problem(error, &self.what(target), &self.profile);
                let cause = format!("whether it is active is unknown: {}", told.cause);
                return Problem::new(told.error, cause, told.hint);
            }
            Left::LastUseUnknown(error) => {
                let told = problem(error, &self.what(target), &self.profile);
                let cause = format!(
                    "when it was last used is unknown, which is not never: {}",
                    told.cause
                );
                let hint = if self.action == Action::Delete && !matches!(target.claim, Claim::Unused { .. }) {
                    format!("{}\nto delete it nevertheless: --force", told.hint)
                } else {
                    told.hint
                };
                return Problem::new(told.error, cause, hint);
            }
            Left::OwnKey(_) => "sign with another profile, or add --self".to_owned(),
            Left::StillActive => format!(
                "make it inactive first: keyagent disable --user-name {user} --access-key-id {id} -p {profile}\n\
                 or delete it at once: --force"
            ),
            Left::NotListed => format!(
                "see the user's keys: aws iam list-access-keys --user-name {user} --profile {profile}"
            ),
            Left::Undecided(_) => format!("try again then: {}", self.command),
            Left::Already(_)
            | Left::UsedSince(_)
            | Left::ActiveInBetween(_)
            | Left::ChangedByRun { .. }
            | Left::NeverChanged => self.command.clone(),
        };
        Problem::new(self.what(target), left.why(), hint)
    }

    fn failed(&self, target: &Target, error: &Error) -> Problem {
        let what = self.what(target);
        let again = format!("see what became of it, then try again: {}", self.command);
        match error {
            Error::Refused(refusal) => problem(refusal, &what, &self.profile),
            Error::Lost(lost) => {
                let told = problem(lost, &what, &self.profile);
                let cause = format!("whether AWS took the call is unknown: {}", told.cause);
                Problem::new(what, cause, again)
            }
            Error::NotConfirmed(_) => Problem::new(what, error.to_string(), again),
            Error::Journal(error) => not_recorded(self.action, error),
            Error::NotRecorded(_) => Problem::new(
                format!("cannot record what became of {}", target.access_key_id),
                error.to_string(),
                "check the space and the rights: df -h ~/.local/state/keyagent",
            ),
        }
    }

    /// Whether there is more to show than what was named and failed.
    pub(super) fn has_plan(&self, keys: &[Examined]) -> bool {
        !keys.is_empty() || self.dry_run || !self.passed_over.is_empty()
    }

    /// What is shown before the question.
    pub(super) fn plan(&self, keys: &[Examined], mfa: Option<&str>, now: Timestamp) -> String {
        let count = match keys.len() {
            0 => "nothing".to_owned(),
            1 => "1 key".to_owned(),
            count => format!("{count} keys"),
        };
        let mut text = format!(
            "{} {count} in account {}\n  signed by {}\n",
            self.action.verb(),
            self.account_id,
            self.signed_by
        );
        if let Some(serial) = mfa {
            text.push_str(&format!("  in a session with {serial}\n"));
        }
        for examined in keys {
            text.push_str(&shown(examined, now));
        }
        for key in self.keys.iter().filter(|key| key.result == KeyResult::Left) {
            text.push_str(&format!(
                "  {} of {} stays\n    {}\n",
                key.access_key_id,
                key.user_name,
                key.why.as_deref().unwrap_or_default()
            ));
        }
        for passed_over in &self.passed_over {
            text.push_str(&format!(
                "  {} of {}: nothing is done\n    {}\n",
                passed_over.rule, passed_over.user_name, passed_over.why
            ));
        }
        if self.action == Action::Delete && !keys.is_empty() {
            text.push_str("  nothing brings a deleted key back\n");
        }
        text
    }

    /// Prints the result; the exit code says whether all went well.
    pub(super) fn finish(&self, format: Format) -> u8 {
        match format {
            Format::Json => {
                let text = serde_json::to_string_pretty(self).expect("a report has string keys only");
                ui::out(&format!("{text}\n"));
            }
            Format::Text if !self.dry_run => ui::out(&self.text()),
            Format::Text => {}
        }
        match (self.errors.is_empty(), self.must_act) {
            (false, _) => exit_code::FAILED,
            (true, true) => exit_code::FOUND,
            (true, false) => exit_code::OK,
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for key in &self.keys {
            match key.result {
                KeyResult::Changed => text.push_str(&format!(
                    "{} of {} is {}\n",
                    key.access_key_id,
                    key.user_name,
                    self.action.result()
                )),
                KeyResult::Left => text.push_str(&format!(
                    "{} of {} stays\n  {}\n",
                    key.access_key_id,
                    key.user_name,
                    key.why.as_deref().unwrap_or_default()
                )),
                // The problem itself is on stderr.
                KeyResult::Failed | KeyResult::Planned => {}
            }
        }
        if self.keys.is_empty() {
            text.push_str(&format!("there is no key to {}\n", self.action.verb()));
        }
        if let (Some(run), Action::Disable, true) = (&self.run, self.action, self.may_have_changed) {
            text.push_str(&format!(
                "to put back what this run changed:\n  keyagent enable --run {run} -p {}\n",
                word(&self.profile)
            ));
        }
        text
    }
}

/// The journal is what puts back: without it nothing is changed.
pub(super) fn not_recorded(action: Action, error: &journal::Error) -> Problem {
    Problem::new(
        format!("cannot {} without a record of it", action.verb()),
        error.to_string(),
        "check the space and the rights: df -h ~/.local/state/keyagent",
    )
}

fn shown(examined: &Examined, now: Timestamp) -> String {
    let Target {
        access_key_id,
        user_name,
        ..
    } = &examined.target;
    let Seen::Listed {
        status,
        create_date,
        last_used,
    } = &examined.seen
    else {
        return String::new();
    };
    let status = match status {
        AccessKeyStatus::Active => "active",
        AccessKeyStatus::Inactive => "inactive",
    };
    let last_used = match last_used {
        Ok(Some(used)) => format!("last used {}", used.told()),
        Ok(None) => "no use is recorded".to_owned(),
        Err(error) => format!("last use unknown: {error}"),
    };
    format!(
        "  {access_key_id} of {user_name}\n    {status}, {} old, made {}\n    {last_used}\n",
        in_days(days_since(*create_date, now)),
        create_date.strftime("%Y-%m-%d")
    )
}
