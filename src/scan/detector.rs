//! Finds access keys in bytes: one pass in linear time, no regular expressions, no I/O. Never says where the bytes
//! came from, and decides nothing about a pair: what belongs together is put together in `change`.

use std::ops::Range;

mod base64;
mod binary;
mod matches;
mod naming;
mod pieces;
mod runs;
mod shape;
mod token;

pub use matches::{Encoding, GoesOn, Match, Matches, Part, Rule};
pub(super) use runs::holds_long_run;

use naming::Named;
use runs::Spot;
use shape::Look;
use token::Token;

use super::change::Counts;

/// How often base64 may stand in base64, or in UTF-16 in base64.
const DEEPEST: usize = 3;
/// The least length of a session token; AWS's have hundreds of characters, and the head alone tells them.
const LEAST_TOKEN: usize = 100;
const LEAST_TOKEN_WITH_HEAD: usize = 50;

/// The least length of a line that base64 goes on behind.
const LEAST_LINE: usize = 40;

/// Every key ID, secret and session token in `text`.
///
/// Where it is a part of a longer text, base64 may begin in the middle of a group.
pub fn detect(text: &[u8], part: Part) -> Matches {
    let mut search = Search {
        text,
        outside: &|| Named::Not,
        depth: 0,
        part,
        found: Matches::default(),
        block_end: 0,
        narrow_end: 0,
        pieces_end: 0,
        has_nul: false,
    };
    search.run();
    let mut found = search.found;
    found.values.sort_by_key(|value| (value.range.start, value.rule));
    found
        .values
        .dedup_by(|value, before| value.rule == before.rule && value.range.start == before.range.start);
    found
}

struct Search<'a> {
    text: &'a [u8],
    /// How the text as a whole is named, where it lies in another one; asked only where it matters.
    outside: &'a dyn Fn() -> Named,
    depth: usize,
    part: Part,
    found: Matches,
    /// Where the last base64 of several lines ended.
    block_end: usize,
    /// Where the last base64 of narrow lines ended.
    narrow_end: usize,
    /// Up to where secrets in pieces have been looked for.
    pieces_end: usize,
    /// Whether there are NULs, which no text has.
    has_nul: bool,
}

impl Search<'_> {
    fn run(&mut self) {
        let text = self.text;
        self.has_nul = !self.part.is_utf_16 && memchr::memchr(0, text).is_some();
        runs::spots(text, |spot| match spot {
            Spot::Long(run) => self.long(run),
            Spot::AccessKeyId(range) => self.access_key_id(range),
            Spot::Encoded(range) => {
                self.narrow(range.start);
                self.encoded(range);
            }
            Spot::Cut(group) => self.narrow(group),
        });
        if self.depth > 0 {
            self.whole_is_a_secret();
        }
        if self.has_nul {
            self.utf_16();
        }
    }

    fn push(&mut self, rule: Rule, token: &Token<'_>, counts: Counts) {
        self.found.values.push(Match {
            rule,
            range: token.range.clone(),
            value: token.value.to_vec(),
            encoding: token.encoding,
            counts,
        });
    }

    /// A key ID stands between characters that are neither letters nor digits, or behind an escape; in a binary file
    /// it may touch what stands beside it.
    fn access_key_id(&mut self, range: Range<usize>) {
        let text = self.text;
        if !shape::is_access_key_id(&text[range.clone()]) {
            if let Some(token) = pieces::access_key_id(text, range.start) {
                self.push(Rule::AccessKeyId, &token, Counts::Always);
                self.secrets_in_pieces(&token.range);
            }
            return;
        }
        let is_alone = !text.get(range.end).is_some_and(u8::is_ascii_alphanumeric)
            && token::begins_at(text, range.start);
        let is_in_binary = self.is_in_binary(&range);
        if is_alone || is_in_binary && binary::is_access_key_id(text, &range) {
            self.push(
                Rule::AccessKeyId,
                &Token::plain(text, range.clone()),
                Counts::Always,
            );
        }
        if is_alone {
            self.secrets_in_pieces(&range);
        } else if is_in_binary {
            for secret in binary::beside_access_key_id(text, &range) {
                let secret = Token::plain(text, secret);
                self.push(Rule::SecretAccessKey, &secret, Counts::BesideAccessKeyId);
            }
        }
    }

    fn secrets_in_pieces(&mut self, id: &Range<usize>) {
        let (secrets, end) = pieces::secrets_near(self.text, id, self.pieces_end);
        self.pieces_end = end;
        for secret in secrets {
            self.push(Rule::SecretAccessKey, &secret, Counts::BesideAccessKeyId);
        }
    }

    fn is_in_binary(&self, range: &Range<usize>) -> bool {
        !self.part.is_utf_16 && (self.has_nul || binary::is_around(self.text, range))
    }

    fn long(&mut self, run: Range<usize>) {
        let text = self.text;
        token::each(text, run, |token| {
            if !self.key(&token) {
                self.base64(&token);
            }
        });
    }

    /// Whether a token is a secret or a session token, as far as can be told here.
    fn key(&mut self, token: &Token<'_>) -> bool {
        let (text, value) = (self.text, &token.value[..]);
        let with_head = shape::begins_as_session_token(value);
        if with_head && value.len() >= LEAST_TOKEN_WITH_HEAD && shape::is_random_token(value) {
            self.push(Rule::SessionToken, token, Counts::Always);
            return true;
        }
        if token::is_bedrock_key(text, token) && shape::is_random_token(value) {
            self.push(Rule::SecretAccessKey, token, Counts::Always);
            // A short-term one says in base64 whose it is.
            return value.starts_with(b"ABSK");
        }
        if value.len() >= LEAST_TOKEN
            && naming::is_session_token(text, &token.range)
            && shape::is_random_token(value)
        {
            self.push(Rule::SessionToken, token, Counts::Always);
            return true;
        }
        if let Some(bare) = token::without_lead(text, token)
            && self.secret(&bare)
        {
            return true;
        }
        if let Some(tail) = token::behind_access_key_id(token) {
            self.secret(&tail);
            return true;
        }
        if value.len() == 44 && token::is_mail_password(value) && shape::secret(value) >= Look::Plausible {
            let counts = if naming::is_mail(text, &token.range) {
                Counts::Always
            } else {
                Counts::BesideAccessKeyId
            };
            self.push(Rule::SecretAccessKey, token, counts);
        }
        let counted = binary::counted_secret(text, &token.range).filter(|range| self.is_in_binary(range));
        if let Some(range) = counted {
            return self.secret(&Token::plain(text, range));
        }
        value.len() == 40 && self.secret(token)
    }

    fn secret(&mut self, token: &Token<'_>) -> bool {
        let text = self.text;
        if token.is_part_of_more(text) || token::is_in_block(text, &token.range) {
            return false;
        }
        let look = shape::secret(&token.value);
        if look == Look::Decoy
            || (look < Look::Random || shape::folders(&token.value) >= 2)
                && token::is_path(text, &token.range)
            || token::is_behind_host(text, &token.range)
            || base64::says_text(&token.value)
        {
            return false;
        }
        let named = if naming::is_of_others(text, &token.range) {
            Named::Not
        } else {
            naming::secret(text, &token.range).max((self.outside)())
        };
        let counts = match (look, named) {
            (Look::Decoy, _) => return false,
            (Look::Wordy, Named::Secret) if naming::is_assigned(text, &token.range) => Counts::Always,
            (Look::Wordy, _) => Counts::BesideAccessKeyId,
            (_, Named::Secret) | (Look::Random, Named::Near) => Counts::Always,
            (Look::Random, Named::Not) => Counts::WithAccessKeyId,
            (Look::Plausible, Named::Not | Named::Near) => Counts::BesideAccessKeyId,
        };
        self.push(Rule::SecretAccessKey, token, counts);
        true
    }

    /// A Kubernetes secret's value is nothing but the secret; its name stands outside.
    fn whole_is_a_secret(&mut self) {
        let start = self.text.len() - self.text.trim_ascii_start().len();
        let value = self.text.trim_ascii();
        let range = start..start + value.len();
        let is_known = self.found.values.iter().any(|found| found.range == range);
        if value.len() == 40 && !is_known && value.iter().all(|byte| base64::is_standard(*byte)) {
            self.secret(&Token::plain(self.text, range));
        }
    }

    /// Base64 that may say a key ID: too short for [`Search::long`], or in the middle of something.
    fn encoded(&mut self, range: Range<usize>) {
        if self.depth < DEEPEST {
            let decoded = base64::decode(&self.text[range.clone()]);
            self.inside(&base64::Block::straight(range.start, decoded), &|| Named::Not);
        }
    }

    /// A narrow line of base64 on which a key ID begins.
    fn narrow(&mut self, group: usize) {
        if self.depth >= DEEPEST || group < self.narrow_end {
            return;
        }
        if let Some(block) = base64::narrow(self.text, group) {
            self.narrow_end = block.end();
            let text = self.text;
            let first = block.place(0..1);
            self.inside(&block, &|| naming::secret_of_aws(text, &first));
        }
    }

    fn base64(&mut self, token: &Token<'_>) {
        if self.depth >= DEEPEST || token.range.start < self.block_end || token.value.len() < 24 {
            return;
        }
        let (text, outside) = (self.text, self.outside);
        let shifts = match self.part.goes_on {
            Some(GoesOn::Somehow) if token.range.start == 0 => 0..4,
            Some(GoesOn::Behind(shift)) if token.range.start == 0 => shift..shift + 1,
            Some(GoesOn::Somehow | GoesOn::Behind(_)) | None => 0..1,
        };
        let is_certain = shifts.len() == 1;
        for shift in shifts {
            let block = base64::block(text, token, shift);
            if let Some(before) = self.part.next.and_then(|next| block.characters_before(next))
                && is_certain
            {
                self.found.goes_on = GoesOn::Behind(before.wrapping_neg() % 4);
            }
            self.block_end = self.block_end.max(block.end());
            if super::unpack::is_packed(block.decoded()) {
                let range = token.range.start..block.end();
                self.found.packed.push((range, block.into_decoded()));
            } else {
                let named = || naming::secret_of_aws(text, &token.range).max(outside());
                self.inside(&block, &named);
            }
        }
    }

    /// Searches what a part of the text says in base64.
    fn inside(&mut self, block: &base64::Block, outside: &dyn Fn() -> Named) {
        let mut search = Search {
            text: block.decoded(),
            outside,
            depth: self.depth + 1,
            part: Part::default(),
            found: Matches::default(),
            block_end: 0,
            narrow_end: 0,
            pieces_end: 0,
            has_nul: false,
        };
        search.run();
        let found = search.found;
        let values = found.values.into_iter().map(|value| Match {
            range: block.place(value.range),
            encoding: Encoding::Base64,
            ..value
        });
        self.found.values.extend(values);
        let packed = found.packed.into_iter();
        self.found
            .packed
            .extend(packed.map(|(range, bytes)| (block.place(range), bytes)));
    }

    /// What lies in UTF-16 amid other bytes: in programs, and where PowerShell wrote on in a file of UTF-8.
    fn utf_16(&mut self) {
        let text = self.text;
        for segment in super::decode::segments(text) {
            let decoded: Vec<u8> = text[segment.clone()].iter().copied().step_by(2).collect();
            let mut search = Search {
                text: &decoded,
                outside: self.outside,
                // A text without NULs does not come here again.
                depth: self.depth,
                part: Part::default(),
                found: Matches::default(),
                block_end: 0,
                narrow_end: 0,
                pieces_end: 0,
                has_nul: false,
            };
            search.run();
            let place = |range: Range<usize>| segment.start + 2 * range.start..segment.start + 2 * range.end;
            let found = search.found;
            self.found
                .values
                .extend(found.values.into_iter().map(|value| Match {
                    range: place(value.range),
                    encoding: if value.encoding == Encoding::Plain {
                        Encoding::Utf16
                    } else {
                        value.encoding
                    },
                    ..value
                }));
            let packed = found.packed.into_iter();
            self.found
                .packed
                .extend(packed.map(|(range, bytes)| (place(range), bytes)));
        }
    }
}

#[cfg(test)]
mod tests;
