//! Which key is in which place of the report: the report names none, so they are told by when they were made. Pure.

use super::KeySlot;
use super::user::{Key, Moment, User};
use crate::iam::{AccessKeyMetadata, AccessKeyStatus};

/// Puts what ListAccessKeys says over what the report says of a user's keys.
///
/// The report may be four hours old: a key that is inactive or gone by now is so here too. Two keys made in the same
/// second cannot be told apart; those stay without their IDs.
pub fn apply(user: &mut User<'_>, listed: &[AccessKeyMetadata]) {
    let second = |key: &AccessKeyMetadata| key.create_date.as_second();
    let is_tied = matches!(listed, [one, two] if second(one) == second(two));
    if is_tied || listed.len() > user.keys.len() {
        return;
    }
    let reported = std::mem::replace(&mut user.keys, [Key::NONE, Key::NONE]);
    for (place, listed) in user.keys.iter_mut().zip(listed) {
        let same = reported.iter().find(|key| match key.created {
            Moment::At(created) => created.as_second() == second(listed),
            Moment::NotBefore(_) | Moment::Never | Moment::Unknown => false,
        });
        *place = Key {
            slot: same.and_then(|key| key.slot),
            id: Some(listed.access_key_id.clone()),
            active: Some(listed.status == AccessKeyStatus::Active),
            created: Moment::At(listed.create_date),
            // A key that the report does not have is younger than it.
            last_used: same.map_or(Moment::Unknown, |key| key.last_used),
        };
    }
    if user.keys[0].slot == Some(KeySlot::Two) {
        user.keys.swap(0, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_key::AccessKeyId;
    use crate::audit::user::Password;

    fn at(second: i64) -> Moment {
        Moment::At(jiff::Timestamp::from_second(second).unwrap())
    }

    fn listed(id: &str, second: i64, status: AccessKeyStatus) -> AccessKeyMetadata {
        AccessKeyMetadata {
            access_key_id: AccessKeyId::parse(id).unwrap(),
            user_name: None,
            status,
            create_date: jiff::Timestamp::from_second(second).unwrap(),
        }
    }

    fn user(first: i64, second: i64) -> User<'static> {
        let key = |slot, created| Key {
            slot: Some(slot),
            id: None,
            active: Some(true),
            created: at(created),
            last_used: at(created + 5),
        };
        User {
            name: "ann",
            arn: "",
            is_root: false,
            created: Moment::Unknown,
            password: Password {
                enabled: Some(false),
                last_used: Moment::Never,
                last_changed: Moment::Never,
            },
            keys: [key(KeySlot::One, first), key(KeySlot::Two, second)],
        }
    }

    const A: &str = "AKIAAAAAAAAAAAAAAAAA";
    const B: &str = "AKIABBBBBBBBBBBBBBBB";

    #[test]
    fn keys_are_told_by_when_they_were_made_whatever_their_order() {
        let mut user = user(100, 50);
        let keys = [
            listed(B, 50, AccessKeyStatus::Inactive),
            listed(A, 100, AccessKeyStatus::Active),
        ];
        apply(&mut user, &keys);
        let told = user
            .keys
            .each_ref()
            .map(|key| (key.slot, key.id.as_ref().unwrap().to_string(), key.active));
        assert_eq!(
            told,
            [
                (Some(KeySlot::One), A.into(), Some(true)),
                (Some(KeySlot::Two), B.into(), Some(false))
            ]
        );
        assert_eq!(user.keys[1].last_used, at(55));
    }

    #[test]
    fn two_keys_of_one_second_are_not_guessed() {
        let mut user = user(50, 50);
        let before = user.clone();
        apply(
            &mut user,
            &[
                listed(A, 50, AccessKeyStatus::Active),
                listed(B, 50, AccessKeyStatus::Active),
            ],
        );
        assert_eq!(user, before);
    }

    #[test]
    fn a_key_that_is_gone_is_none_and_a_new_one_is_not_unused() {
        let mut user = user(50, 60);
        apply(&mut user, &[listed(A, 900, AccessKeyStatus::Active)]);
        assert_eq!(user.keys[0].slot, None);
        assert_eq!(user.keys[0].last_used, Moment::Unknown);
        assert_eq!(user.keys[1], Key::NONE);
    }
}
