//! `keyagent agent snooze`, and what `agent status` says of the next reminder.

use serde_json::json;

use super::{home, status};
use crate::support::cloud::Account;

#[test]
fn a_snooze_is_kept() {
    let account = Account::start();
    let (home, _) = home(&account, 80);
    let run = home
        .keyagent(&["agent", "snooze", "-p", "dev", "--for", "3d"])
        .exits(0);
    assert!(run.stdout.starts_with("dev: quiet until "));
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    assert!(!run.stderr.contains("80 days"), "{}", run.stderr);
    assert_eq!(home.keyagent(&["status", "--brief"]).exits(0).everything(), "");
    let run = home
        .keyagent(&["agent", "snooze", "-p", "dev", "--for", "0s"])
        .exits(0);
    assert_eq!(run.stdout, "dev: quiet no longer\n");
    let brief = home.keyagent(&["status", "--brief"]).exits(0).stdout;
    assert!(brief.contains("80 days"), "{brief}");
    let run = home.keyagent(&["agent", "run", "--once"]).exits(0);
    assert!(run.stderr.contains("80 days"), "{}", run.stderr);
    home.keyagent(&["agent", "snooze", "-p", "nobody"])
        .fails_with("nobody", "", "");
}

/// No check comes between: what is shown is what holds now.
#[test]
fn the_next_reminder_is_told_as_it_stands_now() {
    let account = Account::start();
    let (home, user) = home(&account, 80);
    home.keyagent(&["agent", "run", "--once"]).exits(0);
    let next = || {
        let status = status(&home);
        let reminders = status["reminders"].as_array().unwrap();
        let of_age = reminders
            .iter()
            .find(|reminder| reminder["about"] == "age")
            .unwrap()
            .clone();
        assert_eq!(of_age["access_key_id"], json!(user.access_key_id));
        let time = |name: &str| of_age[name].as_str().map(str::to_owned);
        (time("next").unwrap(), time("snoozed_until"))
    };
    let checked = status(&home)["last_check"].as_str().unwrap().to_owned();
    let today = |time: &str| days(time) - days(&checked);
    let (planned, _) = next();
    assert!(
        (2..=4).contains(&today(&planned)),
        "the milestone of 7 days: {planned}"
    );
    let snooze = |duration| {
        home.keyagent(&["agent", "snooze", "-p", "dev", "--for", duration])
            .exits(0)
    };
    snooze("5d");
    let (next_one, until) = next();
    assert_eq!(until.as_deref(), Some(next_one.as_str()));
    assert!((5..=6).contains(&today(&next_one)), "{next_one}");
    assert!(home.keyagent(&["agent", "status"]).stdout.contains(", snoozed"));
    snooze("0s");
    assert_eq!(next(), (planned, None));
    // Overdue: once a day, and so not again today.
    account.back_date(&user.access_key_id, 95);
    home.keyagent(&["agent", "run", "--once"]).exits(0);
    let text = home.keyagent(&["agent", "status"]).stdout;
    assert!(!text.contains("now"), "{text}");
}

/// Days since 1970, after Howard Hinnant's `days_from_civil`.
fn days(time: &str) -> i64 {
    let mut parts = time[..10].split('-').map(|part| part.parse::<i64>().unwrap());
    let mut part = || parts.next().unwrap();
    let (year, month, day) = (part(), part(), part());
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
