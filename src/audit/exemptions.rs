//! What is let be, by whom, why and until when. Read from a file in the shape of the settings file:
//!
//! ```text
//! [user ci-*]                       or [key AKIA…]; `*` and `?` as in a shell
//! owner = platform@example.com
//! reason = the vendor cannot rotate before the migration
//! until = 2027-01-31                the last day, in UTC
//! rules = key-rotation              all rules, when it is left out
//! ```
//!
//! Every line must be understood: what was meant to be an exemption may not silently be none, nor a wider one.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Exempt, Rule};
use crate::access_key::AccessKeyId;

/// All entries of a file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exemptions {
    entries: Vec<Entry>,
}

/// A line that is no part of an exemption.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {why}")]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// How the file stands to a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling<'a> {
    /// Somebody answers for it.
    Holds(Exempt<'a>),
    /// Somebody did.
    Ended(Exempt<'a>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    line: usize,
    whose: Whose,
    owner: String,
    reason: String,
    until: Option<Date>,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    User(String),
    Key(String),
}

impl Exemptions {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// At the first line that is no part of an exemption, and at one that lacks its owner, reason or day.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let mut entries: Vec<Entry> = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let number = index + 1;
            let fail = |why: String| Mistake { line: number, why };
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                entries.push(Entry {
                    line: number,
                    whose: whose(header).map_err(fail)?,
                    owner: String::new(),
                    reason: String::new(),
                    until: None,
                    rules: Vec::new(),
                });
                continue;
            }
            let (name, value) = line
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()))
                .ok_or_else(|| fail("is neither a section nor `name = value`".into()))?;
            let entry = entries
                .last_mut()
                .ok_or_else(|| fail("stands before the first [user PATTERN] or [key PATTERN]".into()))?;
            if value.is_empty() {
                return Err(fail(format!("gives no {name}")));
            }
            set(entry, name, value).map_err(fail)?;
        }
        for entry in &entries {
            let missing = match entry {
                Entry { owner, .. } if owner.is_empty() => Some("owner"),
                Entry { reason, .. } if reason.is_empty() => Some("reason"),
                Entry { until: None, .. } => Some("until"),
                Entry { .. } => None,
            };
            if let Some(missing) = missing {
                return Err(Mistake {
                    line: entry.line,
                    why: format!("begins an exemption without `{missing} =`"),
                });
            }
        }
        Ok(Self { entries })
    }

    /// Whether any entry names keys, and so needs their IDs.
    pub fn names_keys(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| matches!(entry.whose, Whose::Key(_)))
    }

    /// How the file stands to a failure of `rule`; an entry that holds goes before one that has ended.
    pub fn ruling(
        &self,
        rule: Rule,
        user_name: &str,
        access_key_id: Option<&AccessKeyId>,
        as_of: Timestamp,
    ) -> Option<Ruling<'_>> {
        if self.entries.is_empty() {
            return None;
        }
        let today = TimeZone::UTC.to_datetime(as_of).date();
        let mut ended = None;
        for entry in &self.entries {
            let is_it = match &entry.whose {
                Whose::User(pattern) => matches(pattern, user_name),
                Whose::Key(pattern) => access_key_id.is_some_and(|id| matches(pattern, id.as_str())),
            };
            if !is_it || !(entry.rules.is_empty() || entry.rules.contains(&rule)) {
                continue;
            }
            let until = entry.until.expect("an entry without a day is refused");
            let exempt = Exempt {
                owner: Cow::Borrowed(&entry.owner),
                reason: Cow::Borrowed(&entry.reason),
                until,
            };
            if today <= until {
                return Some(Ruling::Holds(exempt));
            }
            ended.get_or_insert(Ruling::Ended(exempt));
        }
        ended
    }
}

fn whose(header: &str) -> Result<Whose, String> {
    let inside = header
        .strip_suffix(']')
        .ok_or_else(|| "begins with `[` and does not end with `]`".to_owned())?;
    let (kind, pattern) = inside.trim().split_once(char::is_whitespace).unwrap_or_default();
    let pattern = pattern.trim();
    if pattern.is_empty() {
        return Err(format!(
            "has a section [{inside}]; use [user PATTERN] or [key PATTERN]"
        ));
    }
    if pattern.chars().all(|c| c == '*' || c == '?') {
        return Err("exempts everything, which is no exception".into());
    }
    match kind {
        "user" => Ok(Whose::User(pattern.to_owned())),
        "key" => Ok(Whose::Key(pattern.to_owned())),
        _ => Err(format!(
            "has a section [{inside}]; use [user PATTERN] or [key PATTERN]"
        )),
    }
}

fn set(entry: &mut Entry, name: &str, value: &str) -> Result<(), String> {
    match name {
        "owner" if entry.owner.is_empty() => entry.owner = value.to_owned(),
        "reason" if entry.reason.is_empty() => entry.reason = value.to_owned(),
        "until" if entry.until.is_none() => {
            let day = (value.len() == 10).then(|| value.parse().ok()).flatten();
            entry.until = Some(day.ok_or_else(|| format!("has no day such as 2026-12-31 but `{value}`"))?);
        }
        "rules" if entry.rules.is_empty() => {
            for word in value.split([',', ' ']).filter(|word| !word.is_empty()) {
                let rule = Rule::ALL.into_iter().find(|rule| rule.name() == word);
                entry.rules.push(rule.ok_or_else(|| {
                    let names = Rule::ALL.map(Rule::name).join(", ");
                    format!("names a rule `{word}`; there are {names}")
                })?);
            }
        }
        "owner" | "reason" | "until" | "rules" => return Err(format!("gives {name} a second time")),
        _ => {
            return Err(format!(
                "has an unknown name `{name}`: owner, reason, until, rules"
            ));
        }
    }
    Ok(())
}

/// `*` is any text, `?` any one character, everything else itself.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            // The last star takes one character more.
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# let be\n[user ci-*]\nowner = ann\nreason = the vendor = slow\nuntil = 2026-11-25\n\
        rules = key-rotation, one-active-key\n[key AKIA????????????ABCD]\nowner=bob\nreason=r\nuntil=2026-01-01\n";

    fn holds(rule: Rule, user: &str, key: Option<&str>, as_of: &str) -> Option<bool> {
        let exemptions = Exemptions::parse(FILE).unwrap();
        let key = key.map(|key| AccessKeyId::parse(key).unwrap());
        let ruling = exemptions.ruling(rule, user, key.as_ref(), as_of.parse().unwrap());
        ruling.map(|ruling| matches!(ruling, Ruling::Holds(_)))
    }

    #[test]
    fn an_entry_holds_through_its_last_day_in_utc() {
        let rule = Rule::KeyRotation;
        assert_eq!(holds(rule, "ci-x", None, "2026-11-25T23:59:59Z"), Some(true));
        assert_eq!(holds(rule, "ci-x", None, "2026-11-26T00:00:00Z"), Some(false));
        assert_eq!(holds(rule, "xci-x", None, "2026-11-25T00:00:00Z"), None);
        assert_eq!(
            holds(Rule::UnusedCredentials, "ci-x", None, "2026-11-25T00:00:00Z"),
            None
        );
    }

    #[test]
    fn a_key_is_exempt_only_where_its_id_is_known() {
        let key = Some("AKIAABCDEFGHIJKLABCD");
        assert_eq!(
            holds(Rule::KeyRotation, "x", key, "2025-12-31T00:00:00Z"),
            Some(true)
        );
        assert_eq!(holds(Rule::KeyRotation, "x", None, "2025-12-31T00:00:00Z"), None);
    }

    #[test]
    fn every_mistake_is_named_by_its_line() {
        for (text, expected) in [
            ("owner = x\n", "line 1 stands before"),
            (
                "[user a]\nreason = r\nuntil = 2026-01-01",
                "line 1 begins an exemption without `owner",
            ),
            (
                "[user a]\nowner = o\nuntil = 2026-01-01",
                "line 1 begins an exemption without `reason",
            ),
            (
                "[user a]\nowner = o\nreason = r\n",
                "line 1 begins an exemption without `until",
            ),
            ("[user a]\nuntil = 2026-02-30", "line 2 has no day"),
            ("[user a]\nuntil = soon", "line 2 has no day"),
            ("[user a]\nrules = rotation", "line 2 names a rule"),
            ("[user a]\nexpiry = 1", "line 2 has an unknown name"),
            ("[user a]\nowner =", "line 2 gives no owner"),
            (
                "[user a]\nowner = a\nowner = b",
                "line 3 gives owner a second time",
            ),
            ("[user a\n", "line 1 begins with `[`"),
            ("[users a]\n", "line 1 has a section"),
            ("[user]\n", "line 1 has a section"),
            ("[user **]\n", "line 1 exempts everything"),
            ("[user a]\nowner\n", "line 2 is neither"),
        ] {
            let mistake = Exemptions::parse(text).expect_err(text).to_string();
            assert!(mistake.starts_with(expected), "{text:?}: {mistake}");
        }
    }

    #[test]
    fn patterns_are_those_of_a_shell() {
        for (pattern, text) in [
            ("a*", "a"),
            ("*a*b", "xaxabb"),
            ("?", "é"),
            ("<root_account>", "<root_account>"),
            ("a*?", "ab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("?", ""), ("a*b", "abc"), ("A", "a"), ("a?*", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
