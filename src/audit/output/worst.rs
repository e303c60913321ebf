//! Keeps the worst findings and counts the others: what people look at needs no more memory for a million users than for
//! a hundred.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::audit::{Finding, Outcome, Rule, Severity};

/// The worst findings so far, so many at most.
#[derive(Debug)]
pub struct Worst {
    at_most: usize,
    /// The least of the worst on top.
    kept: BinaryHeap<Reverse<Kept>>,
    taken: u64,
}

/// A finding that is kept. Greater is worse: a breach, then what is unknown, then what is exempt; the graver, then the
/// longer; of two that are equally bad the earlier one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// How it came out.
    pub shown: Shown,
    /// How grave it is.
    pub severity: Severity,
    /// Whole days of age or of disuse.
    pub days: Option<u32>,
    number: Reverse<u64>,
    /// The rule.
    pub rule: Rule,
    /// As the account has it.
    pub user_name: String,
    /// Its ID, `key 1`, `password`, or nothing for a user.
    pub credential: String,
    /// One sentence, and who lets it be.
    pub why: String,
}

/// How a finding is shown, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// The rule is kept.
    Pass,
    /// The rule is broken, and somebody answers for it.
    Exempt,
    /// AWS did not say enough.
    Unknown,
    /// The rule is broken.
    Fail,
}

impl Kept {
    fn of(finding: &Finding<'_>, number: u64) -> Self {
        let mut why = finding.why.clone().into_owned();
        if let Some(exempt) = &finding.exempt {
            why.push_str(&format!(
                "; exempt until {} by {}: {}",
                exempt.until, exempt.owner, exempt.reason
            ));
        }
        Self {
            shown: shown(finding),
            severity: finding.severity,
            days: finding.days,
            number: Reverse(number),
            rule: finding.rule,
            user_name: finding.user_name.clone().into_owned(),
            credential: credential(finding),
            why,
        }
    }
}

impl Worst {
    /// Keeps at most so many.
    pub fn new(at_most: usize) -> Self {
        Self {
            at_most,
            kept: BinaryHeap::new(),
            taken: 0,
        }
    }

    /// Takes one.
    pub fn take(&mut self, finding: &Finding<'_>) {
        self.taken += 1;
        if self.kept.len() == self.at_most {
            // Nearly all of a large account end here, and are not copied.
            let is_worse = self.kept.peek().is_some_and(|Reverse(least)| {
                (shown(finding), finding.severity, finding.days) > (least.shown, least.severity, least.days)
            });
            if !is_worse {
                return;
            }
            self.kept.pop();
        }
        self.kept.push(Reverse(Kept::of(finding, self.taken)));
    }

    /// Gives those that are kept, the worst first, and how many others there were; holds none any more.
    pub fn finish(&mut self) -> (Vec<Kept>, u64) {
        let kept = std::mem::take(&mut self.kept);
        let mut rows: Vec<Kept> = kept.into_iter().map(|Reverse(row)| row).collect();
        rows.sort_unstable_by(|a, b| b.cmp(a));
        let left_out = self.taken - rows.len() as u64;
        (rows, left_out)
    }
}

fn shown(finding: &Finding<'_>) -> Shown {
    match (finding.result, finding.exempt.is_some()) {
        (Outcome::Fail, false) => Shown::Fail,
        (Outcome::Unknown, _) => Shown::Unknown,
        (Outcome::Fail, true) => Shown::Exempt,
        (Outcome::Pass, _) => Shown::Pass,
    }
}

/// What a finding is about, besides its user.
fn credential(finding: &Finding<'_>) -> String {
    match (&finding.access_key_id, finding.key_slot) {
        (Some(id), _) => id.to_string(),
        (None, Some(slot)) => format!("key {}", u8::from(slot)),
        (None, None) => match finding.rule {
            Rule::UnusedCredentials if finding.key_created.is_none() => "password".into(),
            Rule::RootAccessKey
            | Rule::KeyAtSetup
            | Rule::UnusedCredentials
            | Rule::OneActiveKey
            | Rule::KeyRotation => String::new(),
        },
    }
}
