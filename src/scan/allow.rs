//! What lets a found key pass: a marker beside it, or an entry of `.keyagentallow`, each with a reason.
//! Never lets pass what no one gave a reason for, nor a key of one's own that is in use.

mod date;
mod file;
mod marker;

pub use date::Date;
pub use file::{AllowFile, Entry, FILE_NAME, InvalidEntry, Salt};
pub use marker::{disabled_block, marker};

use super::{Finding, Scan, Scanned, Unread};
use crate::problem::Problem;
use crate::scan::detector::Rule;

/// What a marker beside a finding says. It lets the finding pass unless it is void.
///
/// The reason is not kept: it stands on the key's own line, and could hold a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The marker's name, as `keyagent:allow`.
    pub by: &'static str,
    /// Why it allows nothing.
    pub void: Option<Void>,
}

/// Why a marker or an entry allows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// Nobody said why.
    #[error("gives no reason")]
    NoReason,
    /// The word that stands for a reason where keyagent tells how to allow a key.
    #[error("gives the word REASON, and no reason")]
    Placeholder,
    /// The day in `until=` is past.
    #[error("ended on {0}")]
    Ended(Date),
    /// What stands behind `until=` is no day.
    #[error("has an until= that is no day such as 2026-12-31")]
    NotADay,
}

/// Whether a key of one's own that is in use may pass, as `--allow-own` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnKeys {
    /// It blocks, whatever else allows it.
    #[default]
    Block,
    /// It passes.
    Pass,
}

/// What remains of a scan when what is allowed has been taken out.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// How much was looked at.
    pub scanned: Scanned,
    /// What nothing allows, in the order of the paths and of the text.
    pub findings: Vec<Finding>,
    /// What could not be looked into, and no entry allows.
    pub unread: Vec<Unread>,
    /// How many findings and unread contents were let pass.
    pub allowed: usize,
    /// As in [`Scan`].
    pub unreached: usize,
    /// As in [`Scan`].
    pub is_message: bool,
    /// As in [`Scan`].
    pub ignored: u64,
    /// As in [`Scan`].
    pub failures: Vec<Problem>,
}

impl Settled {
    /// Whether nothing stands in the way.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.unread.is_empty() && self.failures.is_empty()
    }
}

/// Whether nothing but `--allow-own` may let it pass: a part of a key that a profile of this machine holds now, or one
/// that was replaced and not made inactive yet.
pub fn is_own_and_live(finding: &Finding) -> bool {
    finding.rule == Rule::OwnKey && finding.is_live
}

/// Takes out of a scan what its markers and the entries of `.keyagentallow` allow. `rules_of` gives the entries that hold
/// for a finding's path, and that path as they name it.
pub fn settle<'a>(
    scan: Scan,
    own: OwnKeys,
    today: Date,
    rules_of: impl Fn(&str) -> (&'a AllowFile, String),
) -> Settled {
    let passes = |finding: &Finding| {
        if is_own_and_live(finding) {
            return own == OwnKeys::Pass;
        }
        let (file, path) = rules_of(&finding.path);
        let has_marker = finding
            .allowed
            .as_ref()
            .is_some_and(|allowed| allowed.void.is_none());
        has_marker || file.allows_value(&finding.fingerprint, today) || file.allows_path(&path, today)
    };
    let before = scan.findings.len() + scan.unread.len();
    let mut findings = scan.findings;
    findings.retain(|finding| !passes(finding));
    let mut unread = scan.unread;
    unread.retain(|unread| {
        let (file, path) = rules_of(&unread.path);
        !file.allows_value(&unread.fingerprint, today) && !file.allows_path(&path, today)
    });
    Settled {
        scanned: scan.scanned,
        allowed: before - findings.len() - unread.len(),
        findings,
        unread,
        unreached: scan.unreached,
        is_message: scan.is_message,
        ignored: scan.ignored,
        failures: scan.failures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::detector::Encoding;

    const TODAY: Date = Date {
        year: 2026,
        month: 11,
        day: 25,
    };

    fn finding(rule: Rule, is_current: bool) -> Finding {
        Finding {
            rule,
            path: "a.txt".to_owned(),
            line: 1,
            column: 1,
            characters: 1..41,
            commit: None,
            access_key_id: None,
            account_id: None,
            profile: Some("dev".to_owned()),
            is_current,
            is_live: is_current,
            group: 1,
            preview: "abcd… (40)".to_owned(),
            fingerprint: "f".to_owned(),
            encoding: Encoding::Plain,
            allowed: Some(Allowed {
                by: "keyagent:allow",
                void: None,
            }),
        }
    }

    fn settled(finding: Finding, file: &str, own: OwnKeys) -> Settled {
        let file = AllowFile::parse(file.as_bytes());
        assert_eq!(file.invalid(), None);
        let scan = Scan {
            findings: vec![finding],
            ..Scan::default()
        };
        settle(scan, own, TODAY, |path| (&file, path.to_owned()))
    }

    #[test]
    fn nothing_but_the_option_lets_an_own_live_key_pass() {
        let entry = Entry::value("f", Salt::random(), "mine", TODAY).expect("it has a reason");
        let file = AllowFile::with("path a.txt mine\n", &[entry]);
        let live = finding(Rule::OwnKey, true);
        assert!(!settled(live.clone(), &file, OwnKeys::Block).is_clean());
        let passed = settled(live, &file, OwnKeys::Pass);
        assert!(passed.is_clean() && passed.allowed == 1);
        // A key that was rotated away, or that nobody knows, is like any other.
        for other in [
            finding(Rule::OwnKey, false),
            finding(Rule::SecretAccessKey, false),
        ] {
            assert_eq!(settled(other, "", OwnKeys::Block).allowed, 1);
        }
    }

    #[test]
    fn an_entry_of_either_kind_is_enough_and_a_void_marker_is_not() {
        let unmarked = |void| Finding {
            allowed: void,
            ..finding(Rule::SecretAccessKey, false)
        };
        let void = Some(Allowed {
            by: "keyagent:allow",
            void: Some(Void::NoReason),
        });
        let entry = Entry::value("f", Salt::random(), "made up", TODAY).expect("it has a reason");
        let by_value = AllowFile::with("", &[entry]);
        assert_eq!(settled(unmarked(None), &by_value, OwnKeys::Block).allowed, 1);
        assert_eq!(
            settled(unmarked(None), "path *.txt made up", OwnKeys::Block).allowed,
            1
        );
        assert_eq!(
            settled(unmarked(void), "path *.md x", OwnKeys::Pass)
                .findings
                .len(),
            1
        );
    }
}
