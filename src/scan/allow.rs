//! What lets a found key pass: a marker beside it, or an entry of `.keyagentallow`, each with a reason.
//! Never lets pass what no one gave a reason for, nor a key of one's own that is in use.

mod date;
mod file;
mod marker;

pub use date::Date;
pub use file::{AllowFile, Entry, FILE_NAME, InvalidEntry, Salt};
pub use marker::{disabled_block, marker};

use super::{Finding, Scan, Scanned, Unread};
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
}

impl Settled {
    /// Whether nothing stands in the way.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.unread.is_empty()
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
        !file.allows_path(&path, today)
    });
    Settled {
        scanned: scan.scanned,
        allowed: before - findings.len() - unread.len(),
        findings,
        unread,
    }
}
