//! A finding as a JSON object, byte for byte as serde writes it, in a third of the time: a report of a million users has
//! more than four million.

use crate::audit::Finding;
use crate::audit::text::{Decimal, push_time};

/// Appends the object.
pub(super) fn push_finding(line: &mut String, finding: &Finding<'_>) {
    line.push('{');
    push_members(line, finding);
    line.push('}');
}

/// Appends what is between the braces.
pub(super) fn push_members(line: &mut String, finding: &Finding<'_>) {
    line.push_str("\"rule\":\"");
    line.push_str(finding.rule.name());
    line.push_str("\",\"controls\":[");
    for (index, control) in finding.controls.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        push_text(line, control);
    }
    line.push_str("],\"user_name\":");
    push_text(line, &finding.user_name);
    line.push_str(",\"user_arn\":");
    push_text(line, &finding.user_arn);
    line.push_str(",\"key_slot\":");
    push_number(line, finding.key_slot.map(|slot| u8::from(slot).into()));
    line.push_str(",\"access_key_id\":");
    match &finding.access_key_id {
        Some(id) => push_text(line, id.as_str()),
        None => line.push_str("null"),
    }
    line.push_str(",\"key_created\":");
    match finding.key_created {
        Some(created) => {
            line.push('"');
            push_time(line, created);
            line.push('"');
        }
        None => line.push_str("null"),
    }
    line.push_str(",\"result\":\"");
    line.push_str(finding.result.name());
    line.push_str("\",\"why\":");
    push_text(line, &finding.why);
    line.push_str(",\"days\":");
    push_number(line, finding.days);
    line.push_str(",\"severity\":\"");
    line.push_str(finding.severity.name());
    line.push_str("\",\"exempt\":");
    match &finding.exempt {
        Some(exempt) => line.push_str(&serde_json::to_string(exempt).expect("texts and a date are JSON")),
        None => line.push_str("null"),
    }
}

fn push_number(line: &mut String, number: Option<u32>) {
    match number {
        Some(number) => line.push_str(Decimal::of(number).as_str()),
        None => line.push_str("null"),
    }
}

fn push_text(line: &mut String, text: &str) {
    // One look at every byte without a way out early, which the compiler turns into vector instructions.
    let is_plain = text.bytes().fold(true, |plain, byte| {
        plain & (byte >= b' ') & (byte != b'"') & (byte != b'\\')
    });
    if is_plain {
        line.push('"');
        line.push_str(text);
        line.push('"');
    } else {
        line.push_str(&serde_json::to_string(text).expect("text is JSON"));
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
        push_finding(&mut line, finding);
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
