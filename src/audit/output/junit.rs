//! JUnit's XML: a suite a rule, a case a finding. Held in memory until the end, for its first line has the counts.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Head, Output, Tail};
use crate::audit::{Finding, Outcome, Rule};

/// Writes when all is known.
pub struct Junit<W> {
    out: W,
    name: String,
    suites: [Vec<TestCase>; Rule::ALL.len()],
}

impl<W: Write> Junit<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            name: String::new(),
            suites: Default::default(),
        }
    }
}

impl<W: Write> Output for Junit<W> {
    fn begin(&mut self, head: &Head<'_>) -> io::Result<()> {
        let account = head.account_id.unwrap_or("unknown");
        self.name = format!("keyagent audit of {account} as of {}", head.as_of);
        Ok(())
    }

    fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let told = |kind| {
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(finding.why.as_ref());
            status.set_type(finding.controls.join(" "));
            status
        };
        let status = match (finding.result, &finding.exempt) {
            (Outcome::Pass, _) => TestCaseStatus::success(),
            (Outcome::Fail, None) => told(NonSuccessKind::Failure),
            (Outcome::Unknown, _) => told(NonSuccessKind::Error),
            (Outcome::Fail, Some(exempt)) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(format!(
                    "{}; exempt until {} by {}: {}",
                    finding.why, exempt.until, exempt.owner, exempt.reason
                ));
                status
            }
        };
        let key = match (&finding.access_key_id, finding.key_slot) {
            (Some(id), _) => format!(" {id}"),
            (None, Some(slot)) => format!(" key {}", u8::from(slot)),
            (None, None) => String::new(),
        };
        let mut case = TestCase::new(format!("{}{key}", finding.user_name), status);
        case.set_classname(finding.rule.name());
        self.suites[finding.rule as usize].push(case);
        Ok(())
    }

    fn end(&mut self, tail: &Tail<'_>) -> io::Result<()> {
        let mut report = Report::new(self.name.as_str());
        for (rule, cases) in Rule::ALL.into_iter().zip(std::mem::take(&mut self.suites)) {
            let mut suite = TestSuite::new(rule.name());
            suite.add_test_cases(cases);
            report.add_test_suite(suite);
        }
        if !tail.tally.not_evaluated.is_empty() {
            let mut suite = TestSuite::new("not evaluated");
            for missing in &tail.tally.not_evaluated {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_message(missing.problem.in_one_line());
                suite.add_test_case(TestCase::new(missing.what.as_str(), status));
            }
            report.add_test_suite(suite);
        }
        report.serialize(&mut self.out).map_err(io::Error::other)?;
        self.out.flush()
    }
}
