//! An access key as AWS defines it: the ID, the secret, and what the ID alone tells.
//! Never prints a secret, never asks AWS.

use std::fmt;

use data_encoding::BASE32;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// A key ID, checked to be 16 to 128 of `A-Z a-z 0-9 _` as IAM's API reference has it.
///
/// It is no secret: every message shows it whole.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccessKeyId(String);

/// What the first four characters of a key ID say about the key.
///
/// Source: IAM user guide, "Understanding unique ID prefixes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKeyKind {
    /// `AKIA`: a user's (or root's) long-term key, the kind that is rotated.
    LongTerm,
    /// `ASIA`: a temporary key of STS; it comes with a session token and ends by itself.
    Temporary,
    /// `ABIA`: an STS service bearer token.
    BearerToken,
    /// `ACCA`: a context-specific credential.
    ContextSpecific,
    /// Anything else; some AWS-compatible services hand out IDs of their own.
    Other,
}

/// What was given is no access key ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccessKeyId {
    /// The value stands in quotes, which AWS's readers take as part of it.
    #[error("the key ID stands in quotes, and AWS's readers take the quotes as part of it")]
    Quoted,
    /// Not 16 to 128 characters.
    #[error("a key ID has 16 to 128 characters, this value has {0}")]
    Length(usize),
    /// A character outside `A-Z a-z 0-9 _`.
    #[error("a key ID has only letters, digits and `_`, this value has something else")]
    Character,
    /// As long as a secret access key and of capital and small letters; three of ten secrets have no `+` or `/`.
    #[error("this value looks like a secret access key, not like a key ID")]
    Secret,
}

impl AccessKeyId {
    /// Checks `text` against IAM's pattern `[\w]+`, 16 to 128 characters. Because an ID is shown everywhere, a value that
    /// fits but may be a secret in the wrong place is refused: no service known hands out such IDs.
    ///
    /// # Errors
    ///
    /// When it does not fit; the error never repeats the value, which may be a secret pasted in the wrong place.
    pub fn parse(text: &str) -> Result<Self, InvalidAccessKeyId> {
        if text.starts_with(['"', '\'']) {
            return Err(InvalidAccessKeyId::Quoted);
        }
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return Err(InvalidAccessKeyId::Character);
        }
        if !(16..=128).contains(&text.len()) {
            return Err(InvalidAccessKeyId::Length(text.len()));
        }
        let has = |class: fn(&u8) -> bool| text.bytes().any(|byte| class(&byte));
        if text.len() >= 40 && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) {
            return Err(InvalidAccessKeyId::Secret);
        }
        Ok(Self(text.to_owned()))
    }

    /// An ID of the usual length that AWS has given to nobody.
    #[cfg(feature = "aws")]
    pub fn made_up() -> Self {
        Self::parse("KEYAGENTS_MADE_UP_ID").expect("letters and `_` fit IAM's pattern")
    }

    /// The ID as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the prefix says.
    pub fn kind(&self) -> AccessKeyKind {
        match self.0.get(..4) {
            Some("AKIA") => AccessKeyKind::LongTerm,
            Some("ASIA") => AccessKeyKind::Temporary,
            Some("ABIA") => AccessKeyKind::BearerToken,
            Some("ACCA") => AccessKeyKind::ContextSpecific,
            _ => AccessKeyKind::Other,
        }
    }

    /// The 12-digit account that the ID carries, if it carries one.
    ///
    /// Base32-decode characters 5 to 20, take the first 6 bytes big-endian as z, `(z & 0x7fffffffff80) >> 7`.
    /// IDs made before that scheme (5th character `A` to `P`) carry none, and no account is above
    /// 999999999999. Source: Aidan Steele, "AWS Access Key ID formats", and measured.
    pub fn account_id(&self) -> Option<String> {
        let encoded = self.0.get(4..20)?;
        if self.0.len() != 20 || encoded.as_bytes()[0] <= b'P' && encoded.as_bytes()[0] >= b'A' {
            return None;
        }
        let decoded = BASE32.decode(encoded.as_bytes()).ok()?;
        let number = decoded[..6]
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let account = (number & 0x7fff_ffff_ff80) >> 7;
        (account <= 999_999_999_999).then(|| format!("{account:012}"))
    }
}

impl TryFrom<String> for AccessKeyId {
    type Error = InvalidAccessKeyId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<AccessKeyId> for String {
    fn from(id: AccessKeyId) -> Self {
        id.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret access key. It cannot be printed, and its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct SecretAccessKey(SecretString);

impl SecretAccessKey {
    /// Takes the secret as it is; AWS promises no length or alphabet for it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(SecretString::from(secret.into()))
    }

    /// The secret itself, for signing and for the credentials file. Every use of this is to be justified.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for SecretAccessKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for SecretAccessKey {}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretAccessKey(…)")
    }
}

/// The two halves that sign a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// The public half.
    pub id: AccessKeyId,
    /// The private half.
    pub secret: SecretAccessKey,
}

/// A key that ends by itself, with the token that every call it signs must carry.
#[derive(Clone, Debug)]
pub struct SessionCredentials {
    /// The pair.
    pub access_key: AccessKey,
    /// As secret as the secret itself.
    pub session_token: SessionToken,
}

/// A session token. It cannot be printed, and its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct SessionToken(SecretString);

impl SessionToken {
    /// Takes the token as it is.
    pub fn new(token: impl Into<String>) -> Self {
        Self(SecretString::from(token.into()))
    }

    /// The token itself, for signing. Every use of this is to be justified.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks the ID in the source, so that no scanner takes this file for a leak.
    fn id(prefix: &str, rest: &str) -> AccessKeyId {
        AccessKeyId::parse(&format!("{prefix}{rest}")).expect("the test's IDs fit IAM's pattern")
    }

    #[test]
    fn the_account_is_inside_the_id() {
        assert_eq!(
            id("ASIA", "Y34FZKBOKMUTVV7A").account_id().as_deref(),
            Some("609629065308")
        );
    }

    #[test]
    fn old_ids_and_impossible_accounts_carry_none() {
        assert_eq!(id("AKIA", "IOSFODNN7EXAMPLE").account_id(), None);
        assert_eq!(id("AKIA", "7777777777777777").account_id(), None);
        assert_eq!(id("LSIA", "Q0000000000000000000").account_id(), None);
    }

    #[test]
    fn the_prefix_says_the_kind() {
        assert_eq!(id("AKIA", "Y34FZKBOKMUTVV7A").kind(), AccessKeyKind::LongTerm);
        assert_eq!(id("ASIA", "Y34FZKBOKMUTVV7A").kind(), AccessKeyKind::Temporary);
        assert_eq!(id("FKIA", "Y34FZKBOKMUTVV7A").kind(), AccessKeyKind::Other);
    }

    #[test]
    fn what_is_no_id_is_refused_without_repeating_it() {
        for (text, error) in [
            ("\"AKIA\"", InvalidAccessKeyId::Quoted),
            ("short", InvalidAccessKeyId::Length(5)),
            ("wJalrXUtnFEMI/K7MDENG", InvalidAccessKeyId::Character),
            (&"wJalrXUtnF".repeat(4), InvalidAccessKeyId::Secret),
        ] {
            assert_eq!(AccessKeyId::parse(text), Err(error.clone()));
            assert!(!error.to_string().contains(text));
        }
    }

    #[test]
    fn a_secret_cannot_be_printed() {
        let key = AccessKey {
            id: id("AKIA", "Y34FZKBOKMUTVV7A"),
            secret: SecretAccessKey::new("tell nobody"),
        };
        assert!(!format!("{key:?}").contains("tell"));
    }
}
