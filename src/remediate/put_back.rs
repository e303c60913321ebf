//! What a run has disabled and nobody has changed since, as far as our own record tells. Pure.

use super::journal::{Change, Journal, Outcome, Run};
use super::judge::Left;
use super::{Claim, Target};
use crate::iam::AccessKeyStatus;

/// Every key that a run was about to change, and whether it is to be looked at or why it stays.
pub fn put_back<'a>(journal: &'a Journal, run: &'a Run) -> Vec<(&'a Change, Result<Target, Left>)> {
    run.changes
        .iter()
        .map(|change| (change, target(journal, run, change)))
        .collect()
}

fn target(journal: &Journal, run: &Run, change: &Change) -> Result<Target, Left> {
    if change.outcome == Outcome::NotDone || change.status_before == AccessKeyStatus::Inactive {
        return Err(Left::NeverChanged);
    }
    if let Some((last, _)) = journal.last_change(&change.access_key_id)
        && last.id != run.id
    {
        return Err(Left::ChangedByRun {
            run: last.id.clone(),
            action: last.action,
        });
    }
    Ok(Target {
        user_name: change.user_name.clone(),
        access_key_id: change.access_key_id.clone(),
        claim: Claim::Disabled {
            at: change.intended_at,
            is_settled: change.outcome == Outcome::Done,
        },
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::Action;
    use super::super::journal::Event;
    use super::*;
    use crate::access_key::AccessKeyId;
    use crate::iam::UserName;

    fn id(letter: char) -> AccessKeyId {
        AccessKeyId::parse(&letter.to_string().repeat(20)).unwrap()
    }

    fn record(
        journal: &mut Journal,
        run: &str,
        action: Action,
        second: i64,
        changes: &[(char, Option<Outcome>)],
    ) {
        let at = Timestamp::from_second(second).unwrap();
        let begun = Event::Begun {
            action,
            account_id: "123456789012".into(),
            signed_by: "arn:aws:iam::123456789012:user/admin".into(),
            profile: "admin".into(),
            puts_back: None,
        };
        journal.append(run, begun, at).unwrap();
        for (letter, outcome) in changes {
            let intended = Event::Intended {
                user_name: UserName("ann".into()),
                access_key_id: id(*letter),
                status_before: AccessKeyStatus::Active,
            };
            journal.append(run, intended, at).unwrap();
            if let Some(outcome) = *outcome {
                let access_key_id = id(*letter);
                journal
                    .append(
                        run,
                        Event::Settled {
                            access_key_id,
                            outcome,
                        },
                        at,
                    )
                    .unwrap();
            }
        }
    }

    #[test]
    fn what_was_refused_or_changed_by_a_later_run_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        let (done, refused, lost) = (Some(Outcome::Done), Some(Outcome::NotDone), None);
        let changes = [
            ('A', done),
            ('B', refused),
            ('C', lost),
            ('D', done),
            ('E', done),
            ('F', done),
        ];
        record(&mut journal, "first", Action::Disable, 1, &changes);
        record(
            &mut journal,
            "second",
            Action::Enable,
            2,
            &[('D', done), ('E', refused)],
        );
        record(
            &mut journal,
            "third",
            Action::Disable,
            3,
            &[('D', refused), ('F', lost)],
        );
        let run = journal.run("first").unwrap();
        let told: Vec<String> = put_back(&journal, run)
            .into_iter()
            .map(|(change, target)| {
                let what = match target {
                    Ok(target) => format!("{:?}", target.claim),
                    Err(left) => left.why(),
                };
                format!("{} {what}", &change.access_key_id.as_str()[..1])
            })
            .collect();
        assert_eq!(
            told,
            [
                "A Disabled { at: 1970-01-01T00:00:01Z, is_settled: true }",
                "B the run was refused: it has not changed it",
                "C Disabled { at: 1970-01-01T00:00:01Z, is_settled: false }",
                "D run second has put it back already",
                "E Disabled { at: 1970-01-01T00:00:01Z, is_settled: true }",
                "F run third was to disable it since",
            ]
        );
    }
}
