use super::*;

const LIMITS: Limits = Limits {
    max_age_days: 90,
    warn_days: 14,
};

fn id(last: char) -> AccessKeyId {
    AccessKeyId::parse(&format!("AKIAQAAAAAAAAAAAAAA{last}")).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Ten in the morning of a day; the key was made at ten of day 0, 2026-01-01.
fn day(number: i64) -> Timestamp {
    at("2026-01-01T10:00:00Z")
        .saturating_add(SignedDuration::from_secs(number * DAY))
        .unwrap()
}

fn key(matter: Matter) -> Subject {
    Subject {
        name: "it".into(),
        matter,
        access_key_id: Some(id('A')),
        profiles: vec!["dev".into()],
    }
}

fn age() -> Subject {
    key(Matter::Age {
        created: day(0),
        limits: LIMITS,
    })
}

struct World {
    shown: BTreeMap<String, Shown>,
    snoozed: BTreeMap<AccessKeyId, Timestamp>,
    quiet_hours: Option<QuietHours>,
}

impl World {
    fn new() -> Self {
        Self {
            shown: BTreeMap::new(),
            snoozed: BTreeMap::new(),
            quiet_hours: None,
        }
    }

    fn next(&self, subject: &Subject, now: Timestamp) -> Option<Timestamp> {
        next(
            subject,
            &Circumstances {
                shown: &self.shown,
                snoozed: &self.snoozed,
                quiet_hours: self.quiet_hours,
                zone: &TimeZone::UTC,
                now,
            },
        )
    }

    /// Lives through these days hour by hour, and says on which something was shown.
    fn live(&mut self, subject: &Subject, days: std::ops::Range<i64>) -> Vec<i64> {
        let mut shown = Vec::new();
        for hour in days.start * 24..days.end * 24 {
            let now = day(0).saturating_add(SignedDuration::from_hours(hour)).unwrap();
            if self.next(subject, now).is_some_and(|at| at <= now) {
                self.shown.insert(subject.name.clone(), remember(subject, now));
                // The hours begin at ten; days are the calendar's.
                shown.push((hour + 10) / 24);
            }
        }
        shown
    }
}

#[test]
fn a_key_is_spoken_of_at_fourteen_seven_three_one_and_every_day_past_the_limit() {
    // Past the limit at ten of day 90 and a second, which the hour after sees.
    assert_eq!(
        World::new().live(&age(), 0..95),
        [76, 83, 87, 89, 90, 91, 92, 93, 94, 95]
    );
}

#[test]
fn a_computer_that_was_off_is_told_once_and_goes_on_from_there() {
    assert_eq!(World::new().live(&age(), 86..91), [86, 87, 89, 90, 91]);
    assert_eq!(World::new().live(&age(), 200..202), [200, 201, 202]);
}

#[test]
fn a_shorter_warning_skips_the_milestones_before_it() {
    let subject = key(Matter::Age {
        created: day(0),
        limits: Limits {
            max_age_days: 90,
            warn_days: 5,
        },
    });
    assert_eq!(World::new().live(&subject, 0..91), [85, 87, 89, 90, 91]);
    let subject = key(Matter::Age {
        created: day(0),
        limits: Limits {
            max_age_days: 90,
            warn_days: 0,
        },
    });
    assert_eq!(World::new().live(&subject, 0..92), [90, 91, 92]);
}

#[test]
fn the_table_of_one_moment() {
    let shown = |days: i64, milestone| Shown {
        at: day(days),
        milestone: Some(milestone),
    };
    // (what was shown, now, when next)
    let table = [
        (None, day(0), day(76)),
        (None, day(76), day(76)),
        (None, day(88), day(88)),
        (Some(shown(76, 14)), day(76), day(83)),
        (Some(shown(76, 14)), day(80), day(83)),
        (Some(shown(76, 14)), day(83), day(83)),
        (Some(shown(83, 7)), day(83), day(87)),
        // On the same day never, though a milestone has come.
        (Some(shown(82, 14)), day(82), day(83)),
        // The next is the limit itself, one second past it.
        (Some(shown(89, 1)), day(89), at("2026-04-01T10:00:01Z")),
        (Some(shown(91, 0)), day(91), at("2026-04-03T09:00:00Z")),
        (Some(shown(91, 0)), day(95), day(95)),
    ];
    for (row, (shown, now, expected)) in table.into_iter().enumerate() {
        let mut world = World::new();
        if let Some(shown) = shown {
            world.shown.insert("it".into(), shown);
        }
        assert_eq!(world.next(&age(), now), Some(expected), "row {row}");
    }
}

#[test]
fn a_snooze_and_quiet_hours_put_it_off_and_lose_nothing() {
    let mut world = World::new();
    world.snoozed.insert(id('A'), day(80));
    assert_eq!(world.next(&age(), day(77)), Some(day(80)));
    assert_eq!(world.next(&age(), day(81)), Some(day(81)));
    let mut world = World::new();
    world.quiet_hours = QuietHours::for_tests("09:30-18:00");
    assert_eq!(world.next(&age(), day(77)), Some(at("2026-03-19T18:00:00Z")));
    assert_eq!(world.live(&age(), 76..78), [76]);
}

#[test]
fn every_matter_has_its_own_rhythm() {
    let used = LastUsed {
        date: day(1),
        service: "s3".into(),
        region: "eu-west-1".into(),
    };
    let file = Matter::OpenFile {
        path: "/x".into(),
        mode: "644".into(),
    };
    let put_back = PutBack {
        superseded: id('A'),
        by: id('B'),
    };
    let table: [(Matter, &[i64]); 8] = [
        (Matter::Unused { days: 50 }, &[0, 7, 14]),
        (Matter::TwoActive { other: id('B') }, &[0, 7, 14]),
        (Matter::SupersededUsed { last_used: used }, &[0, 1, 2]),
        (Matter::Unfinished, &[0, 1, 2]),
        (Matter::PutBack(put_back), &[0, 1, 2]),
        (file, &[0, 1, 2]),
        (Matter::Appeared, &[0]),
        (Matter::Refused, &[0]),
    ];
    for (matter, expected) in table {
        let days = if expected == [0, 1, 2] { 0..2 } else { 0..15 };
        assert_eq!(
            World::new().live(&key(matter.clone()), days),
            expected,
            "{matter:?}"
        );
    }
}

fn facts() -> KeyFacts {
    KeyFacts {
        access_key_id: id('A'),
        profiles: vec!["dev".into()],
        account_id: Some("123456789012".into()),
        user_name: Some("ann".into()),
        status: Some(AccessKeyStatus::Active),
        created: Some(day(0)),
        last_used: None,
        last_used_known: true,
        used_by_others: Use::Never,
        current: true,
        origin: Origin::Unknown,
        refused: false,
    }
}

fn names(keys: &[KeyFacts], seen: Option<&[char]>, now: Timestamp) -> Vec<String> {
    let facts = Facts {
        keys: keys.to_vec(),
        ..Facts::default()
    };
    let seen = seen.map(|seen| seen.iter().map(|last| id(*last)).collect());
    let bounds = |_: &[String]| Bounds {
        limits: LIMITS,
        unused_days: 45,
    };
    subjects(&facts, bounds, seen.as_ref(), now)
        .into_iter()
        .map(|subject| subject.name.split(':').next().unwrap().to_owned())
        .collect()
}

#[test]
fn facts_become_subjects() {
    let other = KeyFacts {
        access_key_id: id('B'),
        profiles: Vec::new(),
        current: false,
        ..facts()
    };
    assert_eq!(names(&[facts()], None, day(44)), ["age"]);
    assert_eq!(names(&[facts()], None, day(45)), ["age", "unused"]);
    let unknown = KeyFacts {
        used_by_others: Use::Unknown,
        ..facts()
    };
    assert_eq!(names(&[unknown], None, day(99)), ["age"], "unknown is not unused");
    assert_eq!(
        names(&[facts(), other.clone()], None, day(1)),
        ["age", "two-active"]
    );
    let new = names(&[facts(), other.clone()], Some(&['A']), day(1));
    assert_eq!(new, ["age", "two-active", "appeared"]);
    let seen = names(&[facts(), other.clone()], Some(&['A', 'B']), day(1));
    assert_eq!(seen, ["age", "two-active"]);
    let own = KeyFacts {
        origin: Origin::Rotation,
        ..other
    };
    assert_eq!(names(&[facts(), own], Some(&['A']), day(1)), ["age"]);
    let refused = KeyFacts {
        refused: true,
        created: None,
        ..facts()
    };
    assert_eq!(names(&[refused], None, day(99)), ["refused"]);
}

#[test]
fn what_was_shown_on_a_day_to_come_silences_nothing() {
    let mut world = World::new();
    let overdue = age();
    world
        .shown
        .insert(overdue.name.clone(), remember(&overdue, day(130)));
    assert_eq!(world.next(&overdue, day(100)), Some(day(100)));
    // Some hours ahead is the same day, seen by a clock that was set.
    world
        .shown
        .insert(overdue.name.clone(), remember(&overdue, day(100)));
    let before = day(100).saturating_sub(SignedDuration::from_hours(3)).unwrap();
    assert!(world.next(&overdue, before).is_some_and(|at| at > day(100)));
}
