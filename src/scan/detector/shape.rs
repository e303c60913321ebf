//! What a value looks like by itself: random as AWS makes it, or written by a person. Never asks what stands around it.

/// 40 random characters of 64 have 4.8 bits a character; of 300 000 simulated secrets none had less than 4.12. Hex
/// has 4 at most.
const LEAST_ENTROPY: f64 = 4.05;
/// 40 random characters change between upper, lower, digit and sign about 25 times; camel-case words far less.
const LEAST_CLASS_CHANGES: usize = 12;
/// How session tokens begin: the base64 of the headers that AWS has used.
const SESSION_TOKEN_PREFIXES: [&[u8]; 7] = [
    b"IQoJb3JpZ2lu",
    b"AgoJb3JpZ2lu",
    b"FwoGZXIvYXdz",
    b"FQoGZXIvYXdz",
    b"FQoDYXdz",
    b"FwoDYXdz",
    b"AQoDYXdz",
];
/// What a person writes in the place of a key; each is longer than chance brings about.
const PLACEHOLDERS: [&[u8]; 12] = [
    b"exampl",
    b"placeholder",
    b"changeme",
    b"xxxxxx",
    b"redacted",
    b"dummyk",
    b"secretkey",
    b"accesskey",
    b"yourkey",
    b"youraccess",
    b"yoursecret",
    b"123456789",
];
/// The same for key IDs, which have fewer characters to be mistaken for.
const ACCESS_KEY_ID_PLACEHOLDERS: [&[u8]; 10] = [
    b"exampl",
    b"sample",
    b"xxxxx",
    b"placehol",
    b"redacted",
    b"testkey",
    b"notreal",
    b"foobar",
    b"dummy",
    b"access",
];

/// How much a value looks like chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    /// A hash, a path, words, a placeholder.
    Decoy,
    /// Most likely words, but a few of 100,000 secrets look like this: it needs its own name, or a key ID beside it.
    Wordy,
    /// Maybe words: it needs a name, or a key ID beside it.
    Plausible,
    /// As nothing but chance writes.
    Random,
}

/// Whether 20 characters are a key ID that AWS may have given out.
pub(super) fn is_access_key_id(value: &[u8]) -> bool {
    let Some((prefix, tail)) = value.split_at_checked(4) else {
        return false;
    };
    tail.len() == 16
        && matches!(prefix, b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA")
        && tail.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
        // Of 10^9 IDs made by chance about one has fewer characters of its own, or more that follow one another.
        && distinct(tail) >= 5
        && steps(tail) < 10
        && !holds_any(tail, &ACCESS_KEY_ID_PLACEHOLDERS)
        && !tail.starts_with(b"YOUR")
}

/// What 40 characters of base64 look like.
pub(super) fn secret(value: &[u8]) -> Look {
    let has = |class: fn(&u8) -> bool| value.iter().any(class);
    if !has(u8::is_ascii_uppercase)
        || !has(u8::is_ascii_lowercase)
        || value.iter().all(u8::is_ascii_hexdigit)
        || entropy(value) < LEAST_ENTROPY
        || steps(value) >= 12
        || holds_any(value, &PLACEHOLDERS)
    {
        return Look::Decoy;
    }
    let (changes, in_words) = (class_changes(value), in_words(value));
    let folders = folders(value);
    let has_digit = has(u8::is_ascii_digit);
    if changes < 10 || in_words > 27 || folders >= 3 || folders == 2 && in_words >= 10 {
        Look::Decoy
    } else if in_words >= 20 && changes < 17 {
        Look::Wordy
    } else if has_digit && changes >= LEAST_CLASS_CHANGES && !(in_words >= 16 && changes < 18) {
        Look::Random
    } else {
        Look::Plausible
    }
}

/// How many names of a path are of small letters alone, as `com` and `security` are. Of 3,000,000 simulated secrets 236
/// had two, and one had three.
pub(super) fn folders(value: &[u8]) -> usize {
    let is_word = |name: &&[u8]| name.len() >= 2 && name.iter().all(u8::is_ascii_lowercase);
    value.split(|byte| *byte == b'/').filter(is_word).count()
}

/// Whether a value begins as only session tokens do.
pub(super) fn begins_as_session_token(value: &[u8]) -> bool {
    SESSION_TOKEN_PREFIXES
        .iter()
        .any(|prefix| value.starts_with(prefix))
}

/// Whether a long value is as random as a token: no hex, no words, no repetition, no placeholder. The strings of a
/// program of Go follow one another without a gap, and hold hundreds of letters.
pub(super) fn is_random_token(value: &[u8]) -> bool {
    distinct(value) > 24
        && in_words(value) * 2 < value.len()
        && !value.iter().all(u8::is_ascii_hexdigit)
        && !holds_any(value, &[b"exampl", b"xxxxxx"])
}

/// How many characters stand in runs of four and more lower-case letters that can be spoken.
fn in_words(value: &[u8]) -> usize {
    value
        .split(|byte| !byte.is_ascii_lowercase())
        .filter(|run| run.len() >= 4 && can_be_spoken(run))
        .map(<[u8]>::len)
        .sum()
}

/// Whether letters could be a word, of English at least. Of 300 000 simulated secrets 308 had too many letters in runs of
/// any kind to be told from words, and 39 in runs such as these.
fn can_be_spoken(run: &[u8]) -> bool {
    let is_vowel = |byte: &u8| b"aeiouy".contains(byte);
    let is_odd = |pair: &[u8]| match pair {
        [b'q', next] => *next != b'u',
        [b'j' | b'v' | b'z', next] => b"bcdfgjkmpqtvxz".contains(next),
        _ => false,
    };
    run.iter().any(is_vowel)
        && run.split(is_vowel).all(|consonants| consonants.len() < 5)
        && !run.windows(2).any(is_odd)
}

/// How many characters repeat the one before or follow it in the alphabet.
fn steps(value: &[u8]) -> usize {
    let is_step = |pair: &&[u8]| pair[1] == pair[0] || pair[1] == pair[0].wrapping_add(1);
    value.windows(2).filter(is_step).count()
}

fn class_changes(value: &[u8]) -> usize {
    value
        .windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]))
        .count()
}

fn class(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

fn counts(value: &[u8]) -> [u32; 256] {
    let mut counts = [0; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    counts
}

fn distinct(value: &[u8]) -> usize {
    counts(value).iter().filter(|count| **count > 0).count()
}

/// Shannon's, in bits a character.
fn entropy(value: &[u8]) -> f64 {
    let total = value.len() as f64;
    counts(value)
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum()
}

/// Whether `text` holds one of some words (in lower case), in any case.
fn holds_any(text: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| {
        text.windows(word.len())
            .any(|window| window.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hashes_and_placeholders_are_decoys() {
        for value in [
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
            "src/AwsComponents/Button3/SecretLoginForm",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn",
            "getApplicationContextFromConfiguration12",
            "abcdefghij0123456789abcdefghij0123456789",
            "usr/share/postgresql/15/man/man7/VACUUM7",
            "sun/security/ssl/SSLTrafficKeyDerivation",
            "Lsun/security/ssl/RSAKeyExchange1Secret7",
        ] {
            assert!(secret(&value.as_bytes()[..40]) <= Look::Wordy, "{value}");
        }
    }

    #[test]
    fn a_secret_with_many_small_letters_is_no_decoy() {
        for halves in [
            ["uowsbKTXzlynttskudaO", "d4owWeLHQPaf/EDTnuze"],
            ["XcTgpe1syojijIZ028tt", "uxmzTu/suBKH/jbdnu86"],
            ["rtjevSIBi9LQeBmCkrne", "g5yrahhegyiiyva9Eji7"],
        ] {
            assert!(secret(halves.concat().as_bytes()) > Look::Decoy, "{halves:?}");
        }
    }

    #[test]
    fn ids_of_all_generations() {
        for (prefix, tail) in [
            ("AK", "IAY34FZKBOKMUTVV7A"),
            ("AS", "IAY34FZKBOKMUTVV7A"),
            ("AB", "IAY34FZKBOKMUTVV7A"),
            ("AC", "CAY34FZKBOKMUTVV7A"),
            ("AK", "IAIQ3Z7DKMBWTUVXEA"),
            ("AK", "IAJQ3Z7DKMBWTUVXEA"),
        ] {
            assert!(
                is_access_key_id([prefix, tail].concat().as_bytes()),
                "{prefix}{tail}"
            );
        }
        for (prefix, tail) in [
            ("AR", "OAY34FZKBOKMUTVV7A"),
            ("AI", "DAY34FZKBOKMUTVV7A"),
            ("AK", "IAIOSFODNN7EXAMPLE"),
            ("AK", "IAXXXXXXXXXXXXXXXX"),
            ("AK", "IAABCDEFGHIJKLMNOP"),
            ("AK", "IAY34FZKBOKMUTVV8A"),
            ("AK", "IAYOURACCESSKEYIDX"),
        ] {
            assert!(
                !is_access_key_id([prefix, tail].concat().as_bytes()),
                "{prefix}{tail}"
            );
        }
    }
}
