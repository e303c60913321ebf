//! Tells which of a scan's candidates are the user's own, and adds those that only their value betrays.

use std::collections::HashMap;
use std::ops::Range;

use super::super::change::{Candidate, Counts};
use super::super::detector::{Match, Rule};
use super::super::fingerprint;
use super::{OwnKeys, Part};

impl OwnKeys {
    /// Adds what is one's own in a text to what the detector found in it, in the text's order. Where both found a
    /// value, it is told once.
    pub(in super::super) fn add_to(&self, text: &[u8], values: &mut Vec<Match>) {
        let own = self.find(text);
        if own.is_empty() {
            return;
        }
        let longest = own.iter().map(|own| own.range.len()).max().unwrap_or_default();
        values.retain(|value| {
            let first = own.partition_point(|own| own.range.start + longest <= value.range.start);
            !own[first..]
                .iter()
                .take_while(|own| own.range.start < value.range.end)
                .any(|own| own.part.rule() == value.rule && is_same_place(&own.range, &value.range))
        });
        values.extend(own.into_iter().map(|own| Match {
            rule: own.part.rule(),
            value: self.known.values[own.value].value.as_bytes().to_vec(),
            range: own.range,
            encoding: own.encoding,
            counts: Counts::Always,
        }));
        values.sort_by_key(|value| value.range.start);
    }

    /// Names the profile of a candidate that is one's own, by its value. The fingerprint stays as it is.
    pub(in super::super) fn name(&self, candidate: &mut Candidate) {
        if self.known.values.is_empty() {
            return;
        }
        let Some(index) = self.fingerprints().get(&candidate.finding.fingerprint) else {
            return;
        };
        let own = &self.known.values[*index];
        candidate.counts = Counts::Always;
        let finding = &mut candidate.finding;
        finding.rule = Rule::OwnKey;
        finding.profile.clone_from(&own.profile);
        finding.is_current = own.is_current;
        finding.is_live = own.is_live;
        if let Some(id) = &own.access_key_id {
            finding.account_id = id.account_id();
            finding.access_key_id = Some(id.clone());
        }
        if own.part == Part::Id {
            finding.preview.clone_from(&own.value);
        }
    }

    fn fingerprints(&self) -> &HashMap<String, usize> {
        self.known.fingerprints.get_or_init(|| {
            let values = self.known.values.iter().enumerate();
            values
                .map(|(index, own)| (fingerprint(own.value.as_bytes()), index))
                .collect()
        })
    }
}

impl Part {
    /// What the same value is told as when it is nobody's.
    fn rule(self) -> Rule {
        match self {
            Self::Id => Rule::AccessKeyId,
            Self::Secret => Rule::SecretAccessKey,
            Self::Token => Rule::SessionToken,
        }
    }
}

/// Two values of base64 that follow one another share a character, so touching is not enough.
fn is_same_place(one: &Range<usize>, other: &Range<usize>) -> bool {
    let common = one.end.min(other.end).saturating_sub(one.start.max(other.start));
    2 * common >= one.len().min(other.len())
}
