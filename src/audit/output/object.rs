//! JSON objects put together by hand, as serde writes them and several times faster: a report of a million users has more
//! than three million findings.

use jiff::Timestamp;

use crate::audit::Finding;
use crate::audit::text::{Decimal, push_time};

/// An object that is being written. Names of members are the program's own, and hold nothing to escape.
pub(super) struct Object<'a> {
    text: &'a mut String,
    is_first: bool,
}

impl Object<'_> {
    /// Appends an object with the members that `fill` adds.
    pub(super) fn push(text: &mut String, fill: impl FnOnce(&mut Object<'_>)) {
        text.push('{');
        Self::push_members(text, fill);
        text.push('}');
    }

    /// Appends what is between the braces.
    pub(super) fn push_members(text: &mut String, fill: impl FnOnce(&mut Object<'_>)) {
        fill(&mut Object { text, is_first: true });
    }

    fn name(&mut self, name: &str) -> &mut String {
        self.text.push_str(if self.is_first { "\"" } else { ",\"" });
        self.is_first = false;
        self.text.push_str(name);
        self.text.push_str("\":");
        self.text
    }

    /// Members that are the same for every finding, as JSON without the braces.
    pub(super) fn members(&mut self, members: &str) {
        if !self.is_first {
            self.text.push(',');
        }
        self.is_first = false;
        self.text.push_str(members);
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        push_text(self.name(name), value);
    }

    /// A text, or `null`.
    pub(super) fn text_or_null(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.name(name).push_str("null"),
        }
    }

    /// A text in three parts.
    pub(super) fn texts(&mut self, name: &str, parts: [&str; 3]) {
        let text = self.name(name);
        text.push('"');
        for part in parts {
            push_escaped(text, part);
        }
        text.push('"');
    }

    /// A number, or `null`.
    pub(super) fn number(&mut self, name: &str, value: Option<u32>) {
        match value {
            Some(value) => self.name(name).push_str(Decimal::of(value).as_str()),
            None => self.name(name).push_str("null"),
        }
    }

    /// A time, or `null`.
    pub(super) fn time(&mut self, name: &str, value: Option<Timestamp>) {
        let text = self.name(name);
        match value {
            Some(time) => {
                text.push('"');
                push_time(text, time);
                text.push('"');
            }
            None => text.push_str("null"),
        }
    }

    /// A list of texts.
    pub(super) fn list<T: AsRef<str>>(&mut self, name: &str, values: &[T]) {
        let text = self.name(name);
        text.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            push_text(text, value.as_ref());
        }
        text.push(']');
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        Object::push(self.name(name), fill);
    }

    /// A list of one object.
    pub(super) fn list_of_one(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let text = self.name(name);
        text.push('[');
        Object::push(text, fill);
        text.push(']');
    }

    /// What is rare enough for serde, or `null`.
    pub(super) fn value_or_null(&mut self, name: &str, value: Option<&impl serde::Serialize>) {
        match value {
            Some(value) => {
                let value = serde_json::to_string(value).expect("texts, numbers and dates are JSON");
                self.name(name).push_str(&value);
            }
            None => self.name(name).push_str("null"),
        }
    }
}

/// Adds the members of a finding, as [`crate::audit::Document`] reads them back.
pub(super) fn finding(object: &mut Object<'_>, finding: &Finding<'_>) {
    object.text("rule", finding.rule.name());
    object.list("controls", &finding.controls);
    object.text("user_name", &finding.user_name);
    object.text("user_arn", &finding.user_arn);
    object.number("key_slot", finding.key_slot.map(|slot| u8::from(slot).into()));
    object.text_or_null(
        "access_key_id",
        finding.access_key_id.as_ref().map(|id| id.as_str()),
    );
    object.time("key_created", finding.key_created);
    object.text("result", finding.result.name());
    object.text("why", &finding.why);
    object.number("days", finding.days);
    object.text("severity", finding.severity.name());
    object.value_or_null("exempt", finding.exempt.as_ref());
}

fn push_text(text: &mut String, value: &str) {
    text.push('"');
    push_escaped(text, value);
    text.push('"');
}

fn push_escaped(text: &mut String, value: &str) {
    // One look at every byte without a way out early, which the compiler turns into vector instructions.
    let is_plain = value.bytes().fold(true, |plain, byte| {
        plain & (byte >= b' ') & (byte != b'"') & (byte != b'\\')
    });
    if is_plain {
        text.push_str(value);
    } else {
        let quoted = serde_json::to_string(value).expect("text is JSON");
        text.push_str(&quoted[1..quoted.len() - 1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_key::AccessKeyId;
    use crate::audit::{Exempt, KeySlot, Outcome, Rule, Severity};

    /// serde's way is what [`crate::audit::Document`] reads back.
    #[track_caller]
    fn is_as_by_serde(finding: &Finding<'_>) {
        let mut line = String::new();
        Object::push(&mut line, |object| super::finding(object, finding));
        assert_eq!(line, serde_json::to_string(finding).unwrap());
    }

    #[test]
    fn every_form_of_every_field_is_written_as_by_serde() {
        let texts = [
            "",
            "ann",
            "ünï",
            "a\"b\\c",
            "\u{0}\u{1f}\n\t\u{7f}",
            "\u{2028}<script>&'/",
            "=+@",
        ];
        for (number, text) in texts.into_iter().cycle().take(70).enumerate() {
            let is = |divisor: usize| number.is_multiple_of(divisor);
            is_as_by_serde(&Finding {
                rule: Rule::ALL[number % 5],
                controls: [text.into(), "IAM.3".into()][..number % 3].to_vec().into(),
                user_name: text.into(),
                user_arn: texts[(number + 1) % texts.len()].into(),
                key_slot: [None, Some(KeySlot::One), Some(KeySlot::Two)][number % 3],
                access_key_id: is(2).then(|| AccessKeyId::parse("AKIAAAAAAAAAAAAAAAAA").unwrap()),
                key_created: is(3).then(|| {
                    jiff::Timestamp::new(1_700_000_000 + number as i64 * 7_777_777, i32::from(is(9)) * 5)
                        .unwrap()
                }),
                result: [Outcome::Pass, Outcome::Fail, Outcome::Unknown][number % 3],
                why: texts[(number + 2) % texts.len()].into(),
                days: is(4).then_some(number as u32 * 61_000_000),
                severity: [
                    Severity::Informational,
                    Severity::Low,
                    Severity::Medium,
                    Severity::Critical,
                ][number % 4],
                exempt: is(5).then(|| Exempt {
                    owner: text.into(),
                    reason: texts[(number + 3) % texts.len()].into(),
                    until: "2026-12-31".parse().unwrap(),
                }),
            });
        }
    }
}
