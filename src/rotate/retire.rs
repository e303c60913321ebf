//! When a superseded key may be deleted: its grace is over, nothing holds it, and AWS says that nobody has used
//! it since it was replaced. What AWS did not say is unknown, and keeps the key.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::files::PairsHeld;
use super::state::{Rotation, State};
use crate::access_key::AccessKeyId;
use crate::iam::{self, AccessKeyMetadata, AccessKeyStatus, Iam, LastUsed};

/// What is to become of a superseded key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody needs it.
    Delete,
    /// AWS does not have it any more.
    Gone,
    /// It can still be taken back.
    TooEarly {
        /// The end of its grace.
        until: Timestamp,
        /// Whether `undo` can take it back: not what an undo has superseded.
        by_undo: bool,
    },
    /// It stays.
    Keep(Kept),
}

/// Why a superseded key stays, although its grace is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Something has used it since it was replaced.
    UsedSince(LastUsed),
    /// AWS has no date of a use. The key has signed calls of keyagent's own, so that means no data, not never.
    NoUseRecorded,
    /// AWS did not say when it was used.
    LastUseUnknown(iam::Error),
    /// Somebody has made it active again.
    ActiveAgain,
    /// A file holds it again.
    InAFile,
    /// A file cannot be read, so whether it holds the key is unknown.
    FileUnreadable(Vec<PathBuf>),
    /// No file holds the pair of the key by which it was superseded: with this one its only secret would go.
    SuccessorInNoFile(AccessKeyId),
}

impl Kept {
    /// Why, for the user.
    pub fn why(&self) -> String {
        match self {
            Self::UsedSince(used) => format!("something has used it since: {}", used.told()),
            Self::NoUseRecorded => {
                "AWS has no data on its last use, not even of keyagent's own calls: ask again later".into()
            }
            Self::LastUseUnknown(error) => format!("AWS does not say when it was last used: {error}"),
            Self::ActiveAgain => "somebody has made it active again".into(),
            Self::InAFile => "a file of the rotation holds it again".into(),
            Self::FileUnreadable(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
                format!(
                    "whether a file holds it is unknown: {} cannot be read",
                    paths.join(", ")
                )
            }
            Self::SuccessorInNoFile(successor) => format!(
                "no file of the rotation holds {successor} any more, by which it was superseded; keyagent keeps the \
                 only copies of both secrets"
            ),
        }
    }

    /// Whether the user has to look at it, as opposed to keyagent or AWS having no answer.
    pub fn is_for_the_user(&self) -> bool {
        match self {
            Self::UsedSince(_) | Self::ActiveAgain | Self::InAFile | Self::SuccessorInNoFile(_) => true,
            Self::NoUseRecorded | Self::LastUseUnknown(_) | Self::FileUnreadable(_) => false,
        }
    }
}

/// When the grace of a superseded key ends.
pub fn grace_ends(superseded_since: Timestamp, grace_days: u32) -> Timestamp {
    superseded_since
        .saturating_add(SignedDuration::from_hours(24 * i64::from(grace_days)))
        .unwrap_or(Timestamp::MAX)
}

/// Judges the superseded key of a rotation. `keys` are the user's, as listed now. Calls GetAccessKeyLastUsed once
/// the grace is over.
pub async fn judge(
    iam: &impl Iam,
    rotation: &Rotation,
    keys: &[AccessKeyMetadata],
    now: Timestamp,
    grace_days: u32,
) -> Verdict {
    let (Some(id), Some(since)) = (rotation.superseded(), rotation.superseded_since()) else {
        return Verdict::Gone;
    };
    let until = grace_ends(since, grace_days);
    if now < until {
        let by_undo = rotation.state != State::Undone;
        return Verdict::TooEarly { until, by_undo };
    }
    let is_listed = |id: &AccessKeyId| keys.iter().any(|key| key.access_key_id == *id);
    if let Some(kept) = held(rotation, id, is_listed) {
        return Verdict::Keep(kept);
    }
    let Some(listed) = keys.iter().find(|key| key.access_key_id == *id) else {
        return Verdict::Gone;
    };
    let last_used = iam.get_access_key_last_used(id).await;
    decide(
        listed.status,
        last_used.map(|answer| answer.last_used),
        rotation.replaced_at(),
    )
}

/// Why the files forbid it. A key that AWS does not have can stand in them, and a successor that it does not have can be
/// missing.
fn held(rotation: &Rotation, id: &AccessKeyId, is_listed: impl Fn(&AccessKeyId) -> bool) -> Option<Kept> {
    let pairs = PairsHeld::read(&rotation.plan);
    if pairs.names(id) && is_listed(id) {
        return Some(Kept::InAFile);
    }
    if pairs.is_unreadable() {
        let paths = rotation.plan.files.iter().map(|file| file.path.clone());
        return Some(Kept::FileUnreadable(paths.collect()));
    }
    let is_missing = |successor: &&AccessKeyId| is_listed(successor) && pairs.find(successor).is_none();
    successor(rotation)
        .filter(is_missing)
        .map(|successor| Kept::SuccessorInNoFile(successor.clone()))
}

/// The pure part, for a key that is listed and in no file.
fn decide(
    status: AccessKeyStatus,
    last_used: Result<Option<LastUsed>, iam::Error>,
    replaced_at: Option<Timestamp>,
) -> Verdict {
    match (last_used, replaced_at) {
        (Ok(Some(used)), Some(replaced_at)) if used.date > replaced_at => {
            Verdict::Keep(Kept::UsedSince(used))
        }
        (Ok(Some(_)), Some(_)) => match status {
            AccessKeyStatus::Active => Verdict::Keep(Kept::ActiveAgain),
            AccessKeyStatus::Inactive => Verdict::Delete,
        },
        (Ok(_), _) => Verdict::Keep(Kept::NoUseRecorded),
        (Err(error), _) => Verdict::Keep(Kept::LastUseUnknown(error)),
    }
}

/// The key by which a rotation's superseded key was superseded.
fn successor(rotation: &Rotation) -> Option<&AccessKeyId> {
    if rotation.state == State::Undone {
        Some(&rotation.plan.old_access_key_id)
    } else {
        rotation.new_access_key_id.as_ref()
    }
}

/// The same in words, for plans and reports.
pub fn superseded_by(rotation: &Rotation) -> String {
    successor(rotation).map_or_else(|| "another key".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLACED: Option<Timestamp> = Some(Timestamp::UNIX_EPOCH);

    fn used(seconds: i64) -> Result<Option<LastUsed>, iam::Error> {
        Ok(Some(LastUsed {
            date: Timestamp::from_second(seconds).unwrap(),
            service: "s3".into(),
            region: "eu-west-1".into(),
        }))
    }

    #[test]
    fn only_a_known_use_before_the_switch_lets_a_key_go() {
        let inactive = AccessKeyStatus::Inactive;
        assert_eq!(decide(inactive, used(-1), REPLACED), Verdict::Delete);
        assert_eq!(decide(inactive, used(0), REPLACED), Verdict::Delete);
        let Verdict::Keep(kept) = decide(inactive, used(1), REPLACED) else {
            panic!("it was used since")
        };
        assert!(
            kept.why().contains("1970-01-01 00:00 UTC with s3 in eu-west-1"),
            "{}",
            kept.why()
        );
        assert_eq!(
            decide(inactive, Ok(None), REPLACED),
            Verdict::Keep(Kept::NoUseRecorded)
        );
        let error = iam::Error {
            action: "GetAccessKeyLastUsed",
            kind: iam::ErrorKind::Throttled,
            code: None,
            message: "slow down".into(),
        };
        assert!(matches!(
            decide(inactive, Err(error), REPLACED),
            Verdict::Keep(Kept::LastUseUnknown(_))
        ));
        assert!(matches!(decide(inactive, used(-1), None), Verdict::Keep(_)));
    }

    #[test]
    fn a_key_that_is_active_again_stays() {
        assert_eq!(
            decide(AccessKeyStatus::Active, used(-1), REPLACED),
            Verdict::Keep(Kept::ActiveAgain)
        );
    }
}
