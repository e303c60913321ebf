//! The rules once more, from the words of the CIS text and nothing else: every comparison is made on the columns as text
//! and on civil dates, not on seconds. Knows nothing of keyagent's own code.

use jiff::civil::DateTime;
use jiff::{SignedDuration, ToSpan};

use super::AS_OF;

pub(crate) const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,\
    access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,\
    access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,\
    access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// The columns that matter, as text.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) user: String,
    pub(crate) arn: String,
    pub(crate) password: [String; 3],
    /// Active, made, last used.
    pub(crate) keys: [[String; 3]; 2],
}

impl Row {
    /// A user with one key, just used, and no password.
    pub(crate) fn of(user: &str, active: &str, rotated: &str) -> Self {
        Self {
            user: user.into(),
            arn: format!("arn:aws:iam::123456789012:user/{user}"),
            password: ["false".into(), "N/A".into(), "N/A".into()],
            keys: [
                [active.into(), rotated.into(), "2026-11-25T11:00:00Z".into()],
                ["false".into(), "N/A".into(), "N/A".into()],
            ],
        }
    }

    pub(crate) fn root(active: &str, rotated: &str) -> Self {
        Self {
            user: "<root_account>".into(),
            arn: "arn:aws:iam::123456789012:root".into(),
            password: [
                "not_supported".into(),
                "no_information".into(),
                "not_supported".into(),
            ],
            ..Self::of("x", active, rotated)
        }
    }

    pub(crate) fn line(&self) -> String {
        let key = |key: &[String; 3]| format!("{},{},{},N/A,N/A", key[0], key[1], key[2]);
        format!(
            "{},{},2019-01-01T00:00:00Z,{},{},{},N/A,false,{},{},false,N/A,false,N/A",
            self.user,
            self.arn,
            self.password[0],
            self.password[1],
            self.password[2],
            key(&self.keys[0]),
            key(&self.keys[1]),
        )
    }
}

/// Numbers that look like chance and are the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Around every limit to the second, and anything else.
    fn time(&mut self) -> String {
        let days = [0, 1, 44, 45, 46, 89, 90, 91, 200, 365, 1500][self.below(11) as usize];
        let seconds = [-1, 0, 0, 1, 3600][self.below(5) as usize];
        let then = as_of() - SignedDuration::from_secs(days * 86_400 + seconds.max(-days * 86_400));
        let zone = self.of(&["Z", "+00:00"]);
        format!("{}{zone}", then.strftime("%Y-%m-%dT%H:%M:%S"))
    }

    fn boolean(&mut self) -> String {
        self.of(&["true", "TRUE", "True", "false", "FALSE"]).into()
    }
}

/// An account with every form that AWS writes, the root user first.
pub(crate) fn rows(count: usize) -> Vec<Row> {
    let mut chance = Chance(20_261_125);
    let mut rows = vec![Row::root("false", "N/A")];
    for number in 1..count {
        let name = chance
            .of(&["user", "ünïcode", "a+b=c", "svc.x@corp", "root", "_-"])
            .to_owned();
        let mut row = Row::of(&format!("{name}-{number}"), "false", "N/A");
        if chance.below(2) == 0 {
            row.password = [chance.boolean(), chance.time(), chance.time()];
            if chance.below(3) == 0 {
                row.password[1] = chance.of(&["N/A", "no_information", "not_supported"]).into();
            }
        }
        for key in &mut row.keys {
            if chance.below(3) > 0 {
                *key = [chance.boolean(), chance.time(), chance.time()];
                if chance.below(3) == 0 {
                    key[2] = "N/A".into();
                }
            }
        }
        rows.push(row);
    }
    rows
}

fn as_of() -> DateTime {
    date_time(AS_OF)
}

fn date_time(text: &str) -> DateTime {
    text[..19].parse().unwrap()
}

fn is_true(text: &str) -> bool {
    text.to_lowercase() == "true"
}

/// "created more than 90 days ago"
fn is_over_90_days(text: &str) -> bool {
    date_time(text).checked_add(90.days()).unwrap() < as_of()
}

/// "ensure … is less than 45 days ago"
fn is_less_than_45_days_ago(text: &str) -> bool {
    as_of() < date_time(text).checked_add(45.days()).unwrap()
}

/// Every verdict, as `tests/audit.rs` writes them.
pub(crate) fn expected(rows: &[Row]) -> Vec<String> {
    let mut verdicts = Vec::new();
    let result = |is_kept: bool| if is_kept { "pass" } else { "fail" };
    for row in rows {
        let is_root = row.user == "<root_account>";
        let mut say = |rule: &str, slot: &str, is_kept: bool| {
            verdicts.push(format!("{} {rule} {slot} {}", row.user, result(is_kept)));
        };
        let active: Vec<bool> = row.keys.iter().map(|key| is_true(&key[0])).collect();
        if is_root {
            // "ensure the access_key_1_active and access_key_2_active fields are set to FALSE"
            say("root-access-key", "-", !active[0] && !active[1]);
        } else {
            say("one-active-key", "-", !(active[0] && active[1]));
            let has_password = is_true(&row.password[0]);
            if has_password {
                let used = &row.password[1];
                // "When … password_last_used is No_Information, ensure password_last_changed is less than 45 days ago"
                let counts = if used.starts_with("20") {
                    used
                } else {
                    &row.password[2]
                };
                say("unused-credentials", "-", is_less_than_45_days_ago(counts));
            }
            for (index, key) in row.keys.iter().enumerate().filter(|(index, _)| active[*index]) {
                let slot = (index + 1).to_string();
                let counts = if key[2] == "N/A" { &key[1] } else { &key[2] };
                say("unused-credentials", &slot, is_less_than_45_days_ago(counts));
                if has_password {
                    // "password_enabled set to true AND access_key_last_used_date set to N/A"
                    say("key-at-setup", &slot, key[2] != "N/A");
                }
            }
        }
        for (index, key) in row.keys.iter().enumerate().filter(|(index, _)| active[*index]) {
            say(
                "key-rotation",
                &(index + 1).to_string(),
                !is_over_90_days(&key[1]),
            );
        }
    }
    verdicts.sort();
    verdicts
}
