//! Looks at keys and changes them, some at a time. One key's failure never keeps another from being treated, and
//! nothing counts as done before ListAccessKeys says so.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::journal::{self, Change, Event, Journal, Outcome, Run};
use super::judge::{Conditions, Left, Verdict, judge};
use super::{Action, Examined, Seen, Target};
use crate::clock::Clock;
use crate::iam::{self, AccessKeyStatus, ErrorKind, Iam};
use crate::process::checkpoint;

/// So many keys are asked about or changed at once: IAM's limits are an account's, and others call it too.
const AT_ONCE: usize = 8;
/// However short `verify_every` is set, a refused call is not repeated faster.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// What became of a key.
#[derive(Debug)]
pub enum Became {
    /// It is as it was to be, and ListAccessKeys confirms it.
    Changed,
    /// It stays.
    Left(Left),
    /// It could not be changed, or whether it is changed is not certain.
    Failed(Error),
}

/// A key and what became of it.
#[derive(Debug)]
pub struct Treated {
    /// As it was seen before.
    pub examined: Examined,
    /// What became of it.
    pub became: Became,
}

/// Why a key was not changed for certain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// AWS refuses.
    #[error(transparent)]
    Refused(iam::Error),
    /// AWS gave no reply, and ListAccessKeys does not show the change.
    #[error("whether AWS took the call is unknown: {0}")]
    Lost(iam::Error),
    /// AWS took the call, but ListAccessKeys does not show it.
    #[error("AWS took the call, but ListAccessKeys does not show it yet{}", .0.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    NotConfirmed(Option<iam::Error>),
    /// The journal cannot be written. Without it nothing is changed.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The change is made and confirmed, but not recorded.
    #[error("it is changed, but that cannot be recorded: {0}")]
    NotRecorded(journal::Error),
}

/// How long AWS is given.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// To show a change.
    pub verify_for: Duration,
    /// Between two questions.
    pub verify_every: Duration,
}

/// Asks AWS about keys: their status, their age, their last use.
pub async fn examine(iam: &impl Iam, targets: Vec<Target>) -> Vec<Examined> {
    stream::iter(targets)
        .map(async |target| {
            let seen = look(iam, &target).await;
            Examined { target, seen }
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}

async fn look(iam: &impl Iam, target: &Target) -> Seen {
    match listed(iam, target).await {
        Ok(Some((status, create_date))) => Seen::Listed {
            status,
            create_date,
            last_used: iam
                .get_access_key_last_used(&target.access_key_id)
                .await
                .map(|answer| answer.last_used),
        },
        Ok(None) => Seen::NotListed,
        Err(error) => Seen::Unknown(error),
    }
}

/// A user who is gone has no key.
async fn listed(
    iam: &impl Iam,
    target: &Target,
) -> Result<Option<(AccessKeyStatus, jiff::Timestamp)>, iam::Error> {
    match iam.list_access_keys(Some(&target.user_name)).await {
        Ok(keys) => Ok(keys
            .into_iter()
            .find(|key| key.access_key_id == target.access_key_id)
            .map(|key| (key.status, key.create_date))),
        Err(error) if error.kind == ErrorKind::NoSuchEntity => Ok(None),
        Err(error) => Err(error),
    }
}

/// Performs one run.
pub struct Performer<'a, I, C> {
    /// Signs the calls.
    pub iam: &'a I,
    /// Says when a record was made.
    pub clock: &'a C,
    /// What survives a crash.
    pub journal: RefCell<&'a mut Journal>,
    /// The run's name in the journal.
    pub run: String,
    /// What is allowed.
    pub conditions: Conditions,
    /// The key that signs, whether or not it is protected.
    pub own_key: crate::access_key::AccessKeyId,
    /// How long AWS is given.
    pub bounds: Bounds,
    /// Is told of every key as it is treated.
    pub progress: &'a dyn Fn(&Treated),
}

impl<I: Iam, C: Clock> Performer<'_, I, C> {
    /// Changes what may be changed. The key that signs comes last: after it nothing can be signed.
    pub async fn perform(&self, keys: Vec<Examined>) -> Vec<Treated> {
        let (own, others): (Vec<_>, Vec<_>) = keys
            .into_iter()
            .partition(|key| key.target.access_key_id == self.own_key);
        let mut treated: Vec<Treated> = stream::iter(others)
            .map(|key| self.treat(key))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for key in own {
            treated.push(self.treat(key).await);
        }
        treated
    }

    async fn treat(&self, mut examined: Examined) -> Treated {
        let became = self.change(&mut examined).await;
        let treated = Treated { examined, became };
        (self.progress)(&treated);
        treated
    }

    /// What was shown may be minutes old by now, so the key is looked at once more.
    async fn change(&self, examined: &mut Examined) -> Became {
        let before = match (listed(self.iam, &examined.target).await, &mut examined.seen) {
            (Ok(Some((now, _))), Seen::Listed { status, .. }) => {
                *status = now;
                now
            }
            (Ok(Some(_)), Seen::NotListed | Seen::Unknown(_)) | (Ok(None), _) => {
                return Became::Left(Left::NotListed);
            }
            (Err(error), _) => return Became::Left(Left::StatusUnknown(error)),
        };
        if let Verdict::Leave(left) = judge(examined, &self.conditions) {
            return Became::Left(left);
        }
        let target = &examined.target;
        let intended = Event::Intended {
            user_name: target.user_name.clone(),
            access_key_id: target.access_key_id.clone(),
            status_before: before,
        };
        if let Err(error) = self.record(intended) {
            return Became::Failed(error.into());
        }
        checkpoint("key-intended");
        let reply = self.call(target).await;
        checkpoint("key-changed");
        let (outcome, became) = self.settle(target, reply).await;
        let settled = Event::Settled {
            access_key_id: target.access_key_id.clone(),
            outcome,
        };
        let recorded = self.record(settled);
        checkpoint("key-settled");
        match (became, recorded) {
            (Became::Changed, Err(error)) => Became::Failed(Error::NotRecorded(error)),
            (became, _) => became,
        }
    }

    fn record(&self, event: Event) -> Result<(), journal::Error> {
        self.journal
            .borrow_mut()
            .append(&self.run, event, self.clock.now())
    }

    async fn call(&self, target: &Target) -> Result<(), iam::Error> {
        let (user_name, id) = (&target.user_name, &target.access_key_id);
        let deadline = Instant::now() + self.bounds.verify_for;
        loop {
            let reply = match self.conditions.action {
                Action::Disable => {
                    self.iam
                        .update_access_key(user_name, id, AccessKeyStatus::Inactive)
                        .await
                }
                Action::Enable => {
                    self.iam
                        .update_access_key(user_name, id, AccessKeyStatus::Active)
                        .await
                }
                Action::Delete => self.iam.delete_access_key(user_name, id).await,
            };
            match reply {
                Err(error) if error.kind == ErrorKind::Throttled && Instant::now() < deadline => {
                    tokio::time::sleep(self.bounds.verify_every.max(SHORTEST_PAUSE)).await;
                }
                reply => return reply,
            }
        }
    }

    /// Has ListAccessKeys say what became of the call, whatever the reply was.
    async fn settle(&self, target: &Target, reply: Result<(), iam::Error>) -> (Outcome, Became) {
        // The SDK repeats UpdateAccessKey: behind a throttled last try may lie a lost first one.
        let refused = reply
            .as_ref()
            .is_err_and(|error| error.had_no_effect() && error.kind != ErrorKind::Throttled);
        let wait = if refused {
            Duration::ZERO
        } else {
            self.bounds.verify_for
        };
        let shown = self.wait_until_shown(target, wait).await;
        match (shown, reply) {
            (Ok(()), _) => (Outcome::Done, Became::Changed),
            (Err(_), Err(error)) if refused => (Outcome::NotDone, Became::Failed(Error::Refused(error))),
            (Err(_), Err(error)) => (Outcome::Unknown, Became::Failed(Error::Lost(error))),
            (Err(error), Ok(())) => (Outcome::Unknown, Became::Failed(Error::NotConfirmed(error))),
        }
    }

    /// `Err` holds why the last question was not answered, if it was not.
    async fn wait_until_shown(&self, target: &Target, wait: Duration) -> Result<(), Option<iam::Error>> {
        let deadline = Instant::now() + wait;
        loop {
            let last = match listed(self.iam, target).await {
                Ok(seen) if self.conditions.action.is_reached(seen.map(|(status, _)| status)) => {
                    return Ok(());
                }
                Ok(_) => None,
                // That the key is let in no more is what was wanted of it.
                Err(error)
                    if error.kind == ErrorKind::InvalidClientTokenId
                        && target.access_key_id == self.own_key
                        && self.conditions.action != Action::Enable =>
                {
                    return Ok(());
                }
                Err(error) => Some(error),
            };
            if Instant::now() >= deadline {
                return Err(last);
            }
            tokio::time::sleep(self.bounds.verify_every.max(SHORTEST_PAUSE)).await;
        }
    }
}

/// Settles what a crash or a lost reply has left open in an account, and gives what it found. What AWS does not
/// say, or what may still take effect, stays open.
///
/// # Errors
///
/// When the journal cannot be written.
pub async fn settle_earlier(
    iam: &impl Iam,
    journal: &mut Journal,
    account_id: &str,
    conditions: &Conditions,
) -> Result<Vec<(Run, Change)>, journal::Error> {
    let open = journal.open_changes(account_id);
    let seen: Vec<_> = stream::iter(open)
        .map(async |(run, change)| {
            let target = Target {
                user_name: change.user_name.clone(),
                access_key_id: change.access_key_id.clone(),
                claim: super::Claim::Found,
            };
            let seen = listed(iam, &target).await;
            (run, change, seen)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut settled = Vec::new();
    for (run, mut change, seen) in seen {
        let Ok(seen) = seen else { continue };
        let is_over = change
            .intended_at
            .saturating_add(conditions.settles_after)
            .is_ok_and(|over| over <= conditions.now);
        change.outcome = match run.action.is_reached(seen.map(|(status, _)| status)) {
            true => Outcome::Done,
            false if is_over => Outcome::NotDone,
            false => continue,
        };
        let event = Event::Settled {
            access_key_id: change.access_key_id.clone(),
            outcome: change.outcome,
        };
        journal.append(&run.id, event, conditions.now)?;
        settled.push((run, change));
    }
    Ok(settled)
}
