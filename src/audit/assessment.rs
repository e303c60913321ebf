//! Judges one user after the other, counts, and hands the findings on. Holds no finding: a report may have millions.

use std::borrow::Cow;
use std::io::{self, Read};

use jiff::Timestamp;

use super::credential_report::{CredentialReport, RowError};
use super::document::{NotEvaluated, Summary};
use super::output::{Head, Output, Tail};
use super::rules::{Judge, Verdict};
use super::user::{Key, Moment, Password, User};
use super::{Account, Outcome, ROOT, Rule};
use crate::problem::Problem;

/// So many problems are told in full; of the others there is a count.
const TOLD: usize = 20;
/// AWS takes no signature from a clock that is further off, so neither is its report.
const SKEW_SECONDS: i64 = 15 * 60;

/// An audit that is under way.
pub struct Assessment<'a> {
    judge: &'a Judge,
    controls: [Vec<Cow<'static, str>>; Rule::ALL.len()],
    output: &'a mut dyn Output,
    account: Option<Account>,
    report_generated_at: Option<Timestamp>,
    has_begun: bool,
    has_root: bool,
    tally: Tally,
}

/// What an audit comes to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Its counts.
    pub summary: Summary,
    /// The same for each rule, in the order of [`Rule::ALL`].
    pub rules: [RuleCount; Rule::ALL.len()],
    /// How old the active keys are.
    pub ages: Ages,
    /// What could not be judged; the last entry may stand for all others.
    pub not_evaluated: Vec<NotEvaluated>,
}

/// The counts of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCount {
    /// Findings that pass.
    pub pass: u64,
    /// Breaches.
    pub fail: u64,
    /// Failures that somebody answers for.
    pub exempt: u64,
    /// What AWS did not say.
    pub unknown: u64,
}

/// How many active keys there are of each age, in whole days up to and including the bound; the last has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages(pub [u64; Self::BOUNDS.len() + 1]);

impl Ages {
    /// The last day of each span.
    pub const BOUNDS: [u32; 5] = [30, 60, 90, 180, 365];

    /// `0-30 days`, …, `over 365 days`.
    pub fn name(index: usize) -> String {
        let from = match index {
            0 => 0,
            _ => Self::BOUNDS[index - 1] + 1,
        };
        match Self::BOUNDS.get(index) {
            Some(to) => format!("{from}-{to} days"),
            None => format!("over {} days", from - 1),
        }
    }

    /// Whether all keys of a span are older than so many days.
    pub fn is_over(index: usize, max_age_days: u32) -> bool {
        index > 0 && Self::BOUNDS[index - 1] >= max_age_days
    }

    fn count(&mut self, days: u32) {
        let index = Self::BOUNDS.iter().take_while(|bound| days > **bound).count();
        self.0[index] += 1;
    }
}

impl<'a> Assessment<'a> {
    /// Begins one. Without an account the first ARN names it.
    pub fn new(
        judge: &'a Judge,
        output: &'a mut dyn Output,
        account: Option<Account>,
        report_generated_at: Option<Timestamp>,
    ) -> Self {
        Self {
            judge,
            controls: Rule::ALL.map(|rule| judge.benchmark.controls(rule, judge.limits)),
            output,
            account,
            report_generated_at,
            has_begun: false,
            has_root: false,
            tally: Tally::default(),
        }
    }

    /// Judges every row of a report. `look_up` may know more of a user's keys than the report does.
    ///
    /// # Errors
    ///
    /// When the output cannot be written. What cannot be read is told by the tally.
    pub fn report<R: Read>(
        &mut self,
        name: &str,
        report: &mut CredentialReport<R>,
        mut look_up: impl FnMut(&mut User<'_>),
    ) -> io::Result<()> {
        while let Some(row) = report.next_row() {
            match row {
                Ok(mut row) => {
                    for error in &row.unreadable {
                        self.not_evaluated(
                            format!("row {}", row.number),
                            unreadable(name, row.number, error),
                        );
                    }
                    if !self.is_of_this_account(row.user.arn) {
                        let cause = format!("row {} is of another account: {}", row.number, row.user.arn);
                        let hint = "evaluate the report of each account for itself".to_owned();
                        self.not_evaluated(
                            format!("row {}", row.number),
                            Problem::new(format!("cannot evaluate all of {name}"), cause, hint),
                        );
                        continue;
                    }
                    look_up(&mut row.user);
                    self.user(&row.user)?;
                }
                Err((number, error)) => {
                    self.not_evaluated(format!("row {number}"), unreadable(name, number, &error));
                    if matches!(error, RowError::Read(_)) {
                        break;
                    }
                }
            }
        }
        self.tally.summary.newest_time = report.newest_time();
        if let Some(newest) = report.newest_time()
            && newest.as_second() > self.judge.as_of.as_second() + SKEW_SECONDS
        {
            self.not_evaluated(
                "the time".into(),
                Problem::new(
                    format!("cannot evaluate {name} as of {}", self.judge.as_of),
                    format!("it tells of {newest}: at that time it was not yet made"),
                    format!("--as-of {newest}"),
                ),
            );
        }
        if self.tally.summary.users == 0 && self.tally.summary.not_evaluated == 0 {
            self.not_evaluated(
                "the report".into(),
                Problem::new(
                    format!("cannot evaluate {name}"),
                    "it has no row below the first: even an empty account has one, of its root user",
                    "aws iam generate-credential-report && aws iam get-credential-report",
                ),
            );
        }
        Ok(())
    }

    /// Judges a user.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn user(&mut self, user: &User<'_>) -> io::Result<()> {
        self.begin(user.arn)?;
        self.tally.summary.users += 1;
        self.has_root |= user.is_root;
        for key in user.keys.iter().filter(|key| key.active == Some(true)) {
            if let Moment::At(created) = key.created {
                self.tally
                    .ages
                    .count(crate::policy::days_since(created, self.judge.as_of));
            }
        }
        let judge = self.judge;
        let mut result = Ok(());
        judge.verdicts(user, |verdict| {
            if result.is_ok() {
                result = self.verdict(user, verdict);
            }
        });
        result
    }

    /// Judges the root user by GetAccountSummary, which says only whether there is a key.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn root_by_summary(&mut self, has_key: bool) -> io::Result<()> {
        self.begin("")?;
        self.has_root = true;
        self.tally.summary.users += 1;
        let judge = self.judge;
        let mut verdicts = Vec::new();
        judge.root_by_summary(has_key, |verdict| verdicts.push(verdict));
        let arn = self.root_arn();
        for verdict in verdicts {
            self.verdict(&root(&arn), verdict)?;
        }
        Ok(())
    }

    /// Records that something could not be judged, of which the audit must not look whole.
    pub fn not_evaluated(&mut self, what: String, problem: Problem) {
        let tally = &mut self.tally;
        tally.summary.not_evaluated += 1;
        if tally.not_evaluated.len() < TOLD {
            tally.not_evaluated.push(NotEvaluated { what, problem });
        }
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn finish(mut self) -> io::Result<Tally> {
        self.begin("")?;
        if !self.has_root
            && let Some(verdict) = self.judge.root_is_missing()
        {
            let arn = self.root_arn();
            self.verdict(&root(&arn), verdict)?;
        }
        let untold = self.tally.summary.not_evaluated - self.tally.not_evaluated.len() as u64;
        if untold > 0 {
            self.tally.not_evaluated.push(NotEvaluated {
                what: format!("{untold} others"),
                problem: Problem::new(
                    format!("cannot evaluate {untold} others"),
                    "the first problems are told above",
                    "mend those first",
                ),
            });
        }
        self.output.end(&Tail {
            tally: &self.tally,
            controls: &self.controls,
            limits: self.judge.limits,
        })?;
        Ok(self.tally)
    }

    fn root_arn(&self) -> String {
        match &self.account {
            Some(Account { id, partition }) => format!("arn:{partition}:iam::{id}:root"),
            None => String::new(),
        }
    }

    fn begin(&mut self, arn: &str) -> io::Result<()> {
        if self.has_begun {
            return Ok(());
        }
        self.has_begun = true;
        if self.account.is_none() {
            self.account = Account::of(arn);
        }
        self.output.begin(&Head {
            account_id: self.account.as_ref().map(|account| account.id.as_str()),
            as_of: self.judge.as_of,
            report_generated_at: self.report_generated_at,
            benchmark: self.judge.benchmark,
            limits: self.judge.limits,
        })
    }

    fn is_of_this_account(&self, arn: &str) -> bool {
        match (&self.account, Account::of(arn)) {
            (Some(own), Some(other)) => own.id == other.id,
            (None, _) | (_, None) => true,
        }
    }

    fn verdict(&mut self, user: &User<'_>, verdict: Verdict) -> io::Result<()> {
        let index = verdict.rule as usize;
        let count = &mut self.tally.rules[index];
        if verdict.outcome == Outcome::Pass {
            count.pass += 1;
            self.tally.summary.pass += 1;
            if !self.output.takes_passes() {
                return Ok(());
            }
            let finding = self.judge.finding(user, verdict, &self.controls[index]);
            return self.output.finding(&finding);
        }
        let finding = self.judge.finding(user, verdict, &self.controls[index]);
        self.tally.summary.count(&finding);
        match (finding.result, finding.exempt.is_some()) {
            (Outcome::Fail, true) => count.exempt += 1,
            (Outcome::Fail, false) => count.fail += 1,
            (Outcome::Unknown, _) => count.unknown += 1,
            (Outcome::Pass, _) => {}
        }
        self.output.finding(&finding)
    }
}

/// The root user, of whom nothing but a verdict is known.
fn root(arn: &str) -> User<'_> {
    User {
        name: ROOT,
        arn,
        is_root: true,
        created: Moment::Unknown,
        password: Password {
            enabled: None,
            last_used: Moment::Unknown,
            last_changed: Moment::Unknown,
        },
        keys: [Key::NONE, Key::NONE],
    }
}

fn unreadable(name: &str, row: u64, error: &RowError) -> Problem {
    let hint = match error {
        RowError::Read(_) => format!("ls -l {}", crate::problem::word(name)),
        RowError::Columns { .. } | RowError::Name(_) | RowError::Encoding(_) | RowError::Value { .. } => {
            format!("sed -n {row}p {}", crate::problem::word(name))
        }
    };
    Problem::new(
        format!("cannot evaluate row {row} of {name}"),
        error.to_string(),
        hint,
    )
}
