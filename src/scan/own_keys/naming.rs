//! Tells which of a scan's candidates are the user's own, and adds those that only their value betrays.

use std::collections::HashMap;

use super::super::allow::Allowed;
use super::super::change::{Candidate, Counts, Finding};
use super::super::detector::{Encoding, Rule};
use super::super::fingerprint;
use super::{Own, OwnKeys, OwnMatch, Part};

/// Where a match stands in the text as it is told.
pub(in super::super) struct Place {
    /// From 1.
    pub(in super::super) line: usize,
    /// From 1.
    pub(in super::super) column: usize,
    /// The column behind its last byte.
    pub(in super::super) end_column: usize,
    /// What lets it pass.
    pub(in super::super) allowed: Option<Allowed>,
}

impl OwnKeys {
    /// Names the profile of every candidate that is one's own, by its value.
    pub(in super::super) fn name(&self, candidates: &mut [Candidate]) {
        if candidates.is_empty() || self.known.values.is_empty() {
            return;
        }
        let fingerprints = self.fingerprints();
        for candidate in candidates {
            if let Some(index) = fingerprints.get(&candidate.finding.fingerprint) {
                self.mark(candidate, &self.known.values[*index]);
            }
        }
    }

    /// Adds matches to the candidates of the same text, which [`name`](Self::name) has seen: a value that is among
    /// them at this place is not told twice. `layer` is how the text itself was written in the content.
    pub(in super::super) fn add(
        &self,
        candidates: &mut Vec<Candidate>,
        found: &[OwnMatch],
        layer: Encoding,
        place: impl Fn(&OwnMatch) -> Place,
    ) {
        for found in found {
            let own = &self.known.values[found.value];
            let value = own.value.as_bytes();
            let fingerprint = fingerprint(own.part.rule(), value);
            let encoding = if found.encoding == Encoding::Plain {
                layer
            } else {
                found.encoding
            };
            let Place {
                line,
                column,
                end_column,
                allowed,
            } = place(found);
            let is_told = candidates.iter().any(|candidate| {
                let told = &candidate.finding;
                told.fingerprint == fingerprint
                    && (told.line == line || told.encoding == encoding && encoding != Encoding::Plain)
            });
            if is_told {
                continue;
            }
            let mut candidate = Candidate {
                counts: Counts::Always,
                finding: Finding {
                    rule: Rule::OwnKey,
                    path: String::new(),
                    line,
                    column,
                    end_column,
                    commit: None,
                    access_key_id: None,
                    account_id: None,
                    profile: None,
                    is_current: false,
                    is_live: false,
                    group: 0,
                    preview: match own.part {
                        Part::Id => own.value.to_string(),
                        Part::Secret | Part::Token => {
                            format!("{}… ({})", &own.value[..4], value.len())
                        }
                    },
                    fingerprint,
                    encoding,
                    allowed,
                },
            };
            self.mark(&mut candidate, own);
            candidates.push(candidate);
        }
    }

    fn mark(&self, candidate: &mut Candidate, own: &Own) {
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
        // A comment that lets pass a key which AWS accepts would be a leak with a reason.
        if self.are_allowed {
            finding.allowed = Some(Allowed {
                by: "--allow-own".to_owned(),
                reason: None,
            });
        } else if own.is_live {
            finding.allowed = None;
        }
    }

    fn fingerprints(&self) -> &HashMap<String, usize> {
        self.known.fingerprints.get_or_init(|| {
            let values = self.known.values.iter().enumerate();
            values
                .map(|(index, own)| (fingerprint(own.part.rule(), own.value.as_bytes()), index))
                .collect()
        })
    }
}

impl Part {
    /// What the same value is told as when it is nobody's: its fingerprint is the same either way.
    fn rule(self) -> Rule {
        match self {
            Self::Id => Rule::AccessKeyId,
            Self::Secret => Rule::SecretAccessKey,
            Self::Token => Rule::SessionToken,
        }
    }
}
