//! The five rules. Pure: what is known of a user and a time go in, verdicts come out.
//!
//! The CIS AWS Foundations Benchmarks judge by the columns of the credential report:
//!
//! - An active key breaks `key-rotation` when it is *more* than 90 days old, to the second. Root's keys count.
//! - A password or an active key breaks `unused-credentials` at 45 days *or more* without a use. One that was never
//!   used counts from when it was set or made. Root is outside.
//! - `key-at-setup`: "for each user having password_enabled set to true AND access_key_last_used_date set to N/A".
//! - `one-active-key`: an IAM user has not both keys active.
//! - `root-access-key`: neither of root's keys is active.

use std::borrow::Cow;

use jiff::Timestamp;

use super::exemptions::{Exemptions, Ruling};
use super::user::{Key, Moment, User};
use super::{Benchmark, Finding, Limits, Outcome, Rule, Severity};

mod words;

use words::{Since, What, Why, days};

/// A day of the rules, whatever a calendar says.
const SECONDS_A_DAY: i64 = 86_400;

/// Judges users, all by the same limits and as of the same time.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Which rules there are, and what they are called.
    pub benchmark: Benchmark,
    /// When they are broken.
    pub limits: Limits,
    /// The time for which the verdicts hold.
    pub as_of: Timestamp,
    /// What is let be.
    pub exemptions: Exemptions,
}

/// A rule's verdict on a user or on one credential, not yet in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rule.
    pub rule: Rule,
    /// The key that it is about, as an index into [`User::keys`].
    pub key: Option<usize>,
    /// How it came out.
    pub outcome: Outcome,
    /// Whole days of age or of disuse.
    pub days: Option<u32>,
    why: Why,
}

impl Judge {
    /// Gives every verdict on a user to `take`.
    pub fn verdicts(&self, user: &User<'_>, mut take: impl FnMut(Verdict)) {
        let mut take = |verdict: Verdict| {
            if self.benchmark.has(verdict.rule) {
                take(verdict);
            }
        };
        let keys = || user.keys.iter().enumerate();
        if user.is_root {
            self.root(user, &mut take);
        } else {
            for (index, key) in keys() {
                if let Some(verdict) = self.at_setup(user, key, index) {
                    take(verdict);
                }
            }
            if let Some(verdict) = self.unused_password(user) {
                take(verdict);
            }
            for (index, key) in keys() {
                if let Some(verdict) = self.unused_key(key, index) {
                    take(verdict);
                }
            }
            take(one_active(user));
        }
        for (index, key) in keys() {
            if let Some(verdict) = self.rotation(key, index) {
                take(verdict);
            }
        }
    }

    /// Without a row of the root user nothing is known of its keys.
    pub fn root_is_missing(&self) -> Option<Verdict> {
        let verdict = Verdict {
            rule: Rule::RootAccessKey,
            key: None,
            outcome: Outcome::Unknown,
            days: None,
            why: Why::RootIsNotSaid,
        };
        self.benchmark.has(verdict.rule).then_some(verdict)
    }

    /// What GetAccountSummary tells of the root user: whether it has a key, but not whether that is active, nor its age.
    ///
    /// A key that is there fails, as in the benchmarks' own audit by that call and in Security Hub's IAM.4.
    pub fn root_by_summary(&self, has_key: bool, mut take: impl FnMut(Verdict)) {
        let verdict = |rule, outcome, why| Verdict {
            rule,
            key: None,
            outcome,
            days: None,
            why,
        };
        let mut verdicts = Vec::new();
        if has_key {
            verdicts.push(verdict(Rule::RootAccessKey, Outcome::Fail, Why::RootKeyIsThere));
            verdicts.push(verdict(Rule::KeyRotation, Outcome::Unknown, Why::AgeIsNotSaid));
        } else {
            verdicts.push(verdict(Rule::RootAccessKey, Outcome::Pass, Why::RootHasNoKey));
        }
        for verdict in verdicts {
            if self.benchmark.has(verdict.rule) {
                take(verdict);
            }
        }
    }

    /// Puts a verdict into words. `controls` are those of its rule.
    pub fn finding<'a>(
        &'a self,
        user: &User<'a>,
        verdict: Verdict,
        controls: &'a [Cow<'a, str>],
    ) -> Finding<'a> {
        let key = verdict.key.map(|index| &user.keys[index]);
        let mut why = verdict.why.told(verdict.outcome, self.limits);
        let id = key.and_then(|key| key.id.as_ref());
        let mut exempt = None;
        if verdict.outcome == Outcome::Fail {
            match self.exemptions.ruling(verdict.rule, user.name, id, self.as_of) {
                Some(Ruling::Holds(holds)) => exempt = Some(holds),
                Some(Ruling::Ended(ended)) => {
                    let ended = format!("; {}'s exemption ended on {}", ended.owner, ended.until);
                    why.to_mut().push_str(&ended);
                }
                None => {}
            }
        }
        Finding {
            rule: verdict.rule,
            controls: Cow::Borrowed(controls),
            user_name: Cow::Borrowed(user.name),
            user_arn: Cow::Borrowed(user.arn),
            key_slot: key.and_then(|key| key.slot),
            access_key_id: id.cloned(),
            key_created: key.and_then(|key| match key.created {
                Moment::At(created) => Some(created),
                Moment::NotBefore(_) | Moment::Never | Moment::Unknown => None,
            }),
            result: verdict.outcome,
            why,
            days: verdict.days,
            severity: match verdict.outcome {
                Outcome::Pass => Severity::Informational,
                Outcome::Fail | Outcome::Unknown => verdict.rule.severity(),
            },
            exempt,
        }
    }

    /// Seconds since; a time ahead of ours, from a clock that is off, counts as now.
    fn since(&self, then: Timestamp) -> i64 {
        (self.as_of.as_second() - then.as_second()).max(0)
    }

    fn root(&self, user: &User<'_>, take: &mut impl FnMut(Verdict)) {
        let verdict = |key: Option<usize>, outcome, why| Verdict {
            rule: Rule::RootAccessKey,
            key,
            outcome,
            days: key
                .map(|index| user.keys[index].created)
                .and_then(|created| match created {
                    Moment::At(created) => Some(days(self.since(created))),
                    Moment::NotBefore(_) | Moment::Never | Moment::Unknown => None,
                }),
            why,
        };
        let mut is_settled = false;
        for (index, key) in user.keys.iter().enumerate() {
            match key.active {
                Some(false) => {}
                Some(true) => {
                    take(verdict(Some(index), Outcome::Fail, Why::RootHasKey));
                    is_settled = true;
                }
                None => {
                    take(verdict(Some(index), Outcome::Unknown, Why::RootIsNotSaid));
                    is_settled = true;
                }
            }
        }
        if !is_settled {
            take(verdict(None, Outcome::Pass, Why::RootHasNoKey));
        }
    }

    fn at_setup(&self, user: &User<'_>, key: &Key, index: usize) -> Option<Verdict> {
        if user.password.enabled == Some(false) || key.active == Some(false) {
            return None;
        }
        let certain = user.password.enabled.is_some() && key.active.is_some();
        let (outcome, why) = match key.last_used {
            Moment::At(_) | Moment::NotBefore(_) => (Outcome::Pass, Why::UsedSinceSetup),
            Moment::Never if certain => {
                let with_the_user = matches!((user.created, key.created), (Moment::At(user), Moment::At(key))
                    if (key.as_second() - user.as_second()).abs() <= 60);
                (Outcome::Fail, Why::NeverUsedSinceSetup { with_the_user })
            }
            Moment::Never | Moment::Unknown => (Outcome::Unknown, Why::SetupUseIsNotSaid),
        };
        Some(Verdict {
            rule: Rule::KeyAtSetup,
            key: Some(index),
            outcome,
            days: match key.created {
                Moment::At(created) => Some(days(self.since(created))),
                Moment::NotBefore(_) | Moment::Never | Moment::Unknown => None,
            },
            why,
        })
    }

    fn unused_password(&self, user: &User<'_>) -> Option<Verdict> {
        let password = user.password;
        match password.enabled {
            Some(false) => None,
            Some(true) => Some(self.unused(What::Password, None, password.last_used, password.last_changed)),
            None => Some(unused_is_not_said(What::Password, None)),
        }
    }

    fn unused_key(&self, key: &Key, index: usize) -> Option<Verdict> {
        match key.active {
            Some(false) => None,
            Some(true) => Some(self.unused(What::Key, Some(index), key.last_used, key.created)),
            None => Some(unused_is_not_said(What::Key, Some(index))),
        }
    }

    fn unused(&self, what: What, key: Option<usize>, last_used: Moment, created: Moment) -> Verdict {
        let (of, seconds) = match (last_used, created) {
            (Moment::At(used), _) => (Since::LastUse, self.since(used)),
            (Moment::Never, Moment::At(created)) => (Since::Creation, self.since(created)),
            // It may be younger, and may have been used since: it is enough if it is too young to fail either way.
            (Moment::NotBefore(then), _)
            | (Moment::Never | Moment::Unknown, Moment::NotBefore(then))
            | (Moment::Unknown, Moment::At(then)) => (Since::CreationAtMost, self.since(then)),
            (Moment::Never | Moment::Unknown, Moment::Never | Moment::Unknown) => {
                return unused_is_not_said(what, key);
            }
        };
        let is_over = seconds >= i64::from(self.limits.unused_days) * SECONDS_A_DAY;
        if is_over && of == Since::CreationAtMost {
            let mut verdict = unused_is_not_said(what, key);
            if let (Moment::Never, Moment::NotBefore(_)) = (last_used, created) {
                verdict.why = Why::LastChangeIsNotSaid(what);
            }
            return verdict;
        }
        Verdict {
            rule: Rule::UnusedCredentials,
            key,
            outcome: if is_over { Outcome::Fail } else { Outcome::Pass },
            days: Some(days(seconds)),
            why: Why::Disuse { what, of, seconds },
        }
    }

    fn rotation(&self, key: &Key, index: usize) -> Option<Verdict> {
        if key.active == Some(false) {
            return None;
        }
        let (outcome, days, why) = match (key.active, key.created) {
            (Some(_), Moment::At(created)) => {
                let seconds = self.since(created);
                let is_over = seconds > i64::from(self.limits.max_age_days) * SECONDS_A_DAY;
                let outcome = if is_over { Outcome::Fail } else { Outcome::Pass };
                (outcome, Some(days(seconds)), Why::Age { seconds })
            }
            (None, _) | (Some(_), Moment::NotBefore(_) | Moment::Never | Moment::Unknown) => {
                (Outcome::Unknown, None, Why::AgeIsNotSaid)
            }
        };
        Some(Verdict {
            rule: Rule::KeyRotation,
            key: Some(index),
            outcome,
            days,
            why,
        })
    }
}

fn unused_is_not_said(what: What, key: Option<usize>) -> Verdict {
    Verdict {
        rule: Rule::UnusedCredentials,
        key,
        outcome: Outcome::Unknown,
        days: None,
        why: Why::DisuseIsNotSaid(what),
    }
}

fn one_active(user: &User<'_>) -> Verdict {
    let count = |state| user.keys.iter().filter(|key| key.active == state).count();
    let (active, unknown) = (count(Some(true)), count(None));
    let (outcome, why) = match (active, unknown) {
        (2.., _) => (Outcome::Fail, Why::ActiveKeys(2)),
        (_, 0) => (Outcome::Pass, Why::ActiveKeys(u8::from(active == 1))),
        (_, _) => (Outcome::Unknown, Why::ActiveKeysAreNotSaid),
    };
    Verdict {
        rule: Rule::OneActiveKey,
        key: None,
        outcome,
        days: None,
        why,
    }
}

#[cfg(test)]
mod tests;
