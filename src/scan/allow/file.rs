//! `.keyagentallow`: what may stay in a repository, by value or by path, and why. Holds no positions and no values, only
//! salted fingerprints, and an order means nothing, so that two branches never disagree about it.
//!
//! ```text
//! # comment
//! value 0123456789abcdef:00112233445566778899aabbccddeeff a revoked key of the parser's tests
//! path tests/fixtures/** until=2027-01-31 made-up keys
//! path "docs/how to.md" AWS's own examples
//! ```

use std::fmt;
use std::hash::{BuildHasher, Hasher};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::marker::reason;
use super::{Date, Void};
use crate::problem::Problem;

/// Where it lies: at the top of the repository.
pub const FILE_NAME: &str = ".keyagentallow";

const HEADER: &str = "\
# What keyagent lets pass in this repository, and why: one entry a line, in any order.
#   value FINGERPRINT REASON [until=DATE]    keyagent scan --staged --allow REASON writes it
#   path GLOB REASON [until=DATE]            as in .gitignore; quote a GLOB that holds a space
# `.keyagentallow merge=union` in .gitattributes lets git merge two branches' entries by itself.
";

/// The bytes that keep equal values of two entries from looking equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt([u8; 8]);

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    what: What,
    until: Option<Date>,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// A value or a content, by the hash of its fingerprint with a salt.
    Value { salt: Salt, hash: [u8; 16] },
    /// All that lies at these paths.
    Path(Glob),
}

/// The entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowFile {
    entries: Vec<Entry>,
    invalid: Option<InvalidEntry>,
}

/// Why a line of a merge's conflict is no entry.
const CONFLICT: &str = "is git's mark of a conflict";

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {why}")]
pub struct InvalidEntry {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl From<InvalidEntry> for Problem {
    fn from(error: InvalidEntry) -> Self {
        Self::new(
            format!("cannot tell what {FILE_NAME} allows"),
            error.to_string(),
            if error.why == CONFLICT {
                "keep the entries of both sides without git's marks, then: git add .keyagentallow"
            } else {
                "write `value FINGERPRINT REASON` or `path GLOB REASON`, then: git add .keyagentallow"
            },
        )
    }
}

impl Salt {
    /// From the system's randomness, as hash tables take it.
    pub fn random() -> Self {
        Self(
            std::collections::hash_map::RandomState::new()
                .build_hasher()
                .finish()
                .to_be_bytes(),
        )
    }

    fn hash(self, fingerprint: &str) -> [u8; 16] {
        let digest = Sha256::new()
            .chain_update(b"keyagent.allow/1\0")
            .chain_update(self.0)
            .chain_update(fingerprint)
            .finalize();
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        hash
    }
}

impl Entry {
    /// Lets a value pass, or a content that cannot be looked into, for a reason that may end in `until=DATE`.
    ///
    /// # Errors
    ///
    /// When the reason is none, or its day is none or past.
    pub fn value(fingerprint: &str, salt: Salt, because: &str, today: Date) -> Result<Self, Void> {
        let hash = salt.hash(fingerprint);
        Self::new(What::Value { salt, hash }, because, Some(today))
    }

    fn new(what: What, because: &str, today: Option<Date>) -> Result<Self, Void> {
        let (reason, until) = reason(because, today)?;
        Ok(Self { what, until, reason })
    }

    fn parse(line: &str) -> Result<Self, &'static str> {
        let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (what, rest) = match kind {
            "value" => {
                let (value, rest) = word(rest)?;
                let (salt, hash) = value
                    .split_once(':')
                    .and_then(|(salt, hash)| Some((bytes(salt)?, bytes(hash)?)))
                    .ok_or("has no fingerprint: 16 hexadecimal digits, a colon, and 32 more")?;
                (
                    What::Value {
                        salt: Salt(salt),
                        hash,
                    },
                    rest,
                )
            }
            "path" => {
                let (glob, rest) = word(rest)?;
                (
                    What::Path(Glob::parse(&glob).ok_or("allows every path, which is no exception")?),
                    rest,
                )
            }
            _ if is_conflict(kind) => return Err(CONFLICT),
            _ => return Err("begins with neither `value` nor `path`"),
        };
        Self::new(what, rest, None).map_err(|void| match void {
            Void::NoReason => "gives no reason",
            Void::Placeholder => "gives the word REASON, and no reason",
            Void::Ended(_) | Void::NotADay => "has an until= that is no day such as 2026-12-31",
        })
    }

    fn holds(&self, today: Date) -> bool {
        self.until.is_none_or(|until| today <= until)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Value { salt, hash } => {
                write!(f, "value {}:{}", HEXLOWER.encode(&salt.0), HEXLOWER.encode(hash))?;
            }
            What::Path(glob) => write!(f, "path \"{}\"", glob.text)?,
        }
        if let Some(until) = self.until {
            write!(f, " until={until}")?;
        }
        write!(f, " {}", self.reason)
    }
}

impl AllowFile {
    /// Reads the entries; empty lines and comments mean nothing. A line that is no entry allows nothing.
    pub fn parse(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let mut file = Self::default();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Entry::parse(line) {
                Ok(entry) => file.entries.push(entry),
                Err(why) if file.invalid.is_none() => {
                    file.invalid = Some(InvalidEntry { line: index + 1, why });
                }
                Err(_) => {}
            }
        }
        file
    }

    /// The first line that is no entry: what it was to allow is not known.
    pub fn invalid(&self) -> Option<&InvalidEntry> {
        self.invalid.as_ref()
    }

    /// The entries of both.
    pub fn and(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self.invalid = self.invalid.or(other.invalid);
        self
    }

    /// Whether an entry allows the value or content with this fingerprint today.
    pub fn allows_value(&self, fingerprint: &str, today: Date) -> bool {
        self.entries.iter().any(|entry| {
            entry.holds(today)
                && match &entry.what {
                    What::Value { salt, hash } => salt.hash(fingerprint) == *hash,
                    What::Path(_) => false,
                }
        })
    }

    /// Whether an entry allows all that lies at this path, from the top of the repository, today. What lies in a container
    /// goes by the container's path too.
    pub fn allows_path(&self, path: &str, today: Date) -> bool {
        let containers = path.match_indices('!').map(|(at, _)| &path[..at]);
        let paths: Vec<&str> = std::iter::once(path).chain(containers).collect();
        self.entries.iter().any(|entry| {
            entry.holds(today)
                && match &entry.what {
                    What::Path(glob) => paths.iter().any(|path| glob.matches(path)),
                    What::Value { .. } => false,
                }
        })
    }

    /// The file's content with further entries, each before the first value that sorts behind it, so that entries of two
    /// branches seldom meet at one place. Every other line stays as it is.
    pub fn with(content: &str, new: &[Entry]) -> String {
        let mut lines: Vec<String> = if content.is_empty() { HEADER } else { content }
            .lines()
            .map(str::to_owned)
            .collect();
        for entry in new {
            let line = entry.to_string();
            let place = lines
                .iter()
                .position(|other| other.starts_with("value ") && *other > line)
                .unwrap_or(lines.len());
            lines.insert(place, line);
        }
        lines.join("\n") + "\n"
    }
}

/// The next word, which stands in quotes when it holds a space, and what is behind it.
fn word(text: &str) -> Result<(String, &str), &'static str> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix('"') {
        let (word, rest) = quoted.split_once('"').ok_or("has a quote that is not closed")?;
        return Ok((word.to_owned(), rest));
    }
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok((word.to_owned(), rest))
}

/// What git writes around the sides of a merge that it leaves to a person.
fn is_conflict(word: &str) -> bool {
    word.len() == 7 && ["<", "|", "=", ">"].iter().any(|mark| word == mark.repeat(7))
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

/// A pattern of paths as .gitignore has it: `*` and `?` stay within a name, `**` spans folders, a pattern without a slash
/// (but at its end) is sought at any depth, and what matches a folder matches all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    text: String,
    names: Vec<String>,
}

impl Glob {
    /// None where it would match everything.
    fn parse(text: &str) -> Option<Self> {
        let pattern = text.strip_suffix('/').unwrap_or(text);
        let mut names: Vec<String> = pattern
            .trim_start_matches('/')
            .split('/')
            .map(str::to_owned)
            .collect();
        if !pattern.contains('/') {
            names.insert(0, "**".to_owned());
        }
        let is_exception = names.iter().any(|name| name.chars().any(|c| c != '*'));
        is_exception.then(|| Self {
            text: text.to_owned(),
            names,
        })
    }

    fn matches(&self, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let same_name = |pattern: &&str, name: &&str| {
            let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            let same = |pattern: &char, c: &char| *pattern == '?' || pattern == c;
            wild(&pattern, &name, |pattern| *pattern == '*', same)
        };
        // A folder's pattern reaches all below it; one that ends in `**` does so by itself.
        (1..=path.len()).any(|end| wild(&names, &path[..end], |name| *name == "**", same_name))
    }
}

/// Whether `text` matches `pattern`, in which some items stand for any number of items; in the product of their lengths.
fn wild<P, T>(pattern: &[P], text: &[T], is_any: impl Fn(&P) -> bool, same: impl Fn(&P, &T) -> bool) -> bool {
    let (mut at, mut here) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while here < text.len() {
        if at < pattern.len() && is_any(&pattern[at]) {
            back = Some((at + 1, here));
            at += 1;
        } else if at < pattern.len() && same(&pattern[at], &text[here]) {
            (at, here) = (at + 1, here + 1);
        } else if let Some((behind_any, taken)) = back {
            back = Some((behind_any, taken + 1));
            (at, here) = (behind_any, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(is_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = Date {
        year: 2026,
        month: 11,
        day: 25,
    };

    fn allows(glob: &str, path: &str) -> bool {
        let file = AllowFile::parse(format!("path \"{glob}\" made up\n").as_bytes());
        assert_eq!(file.invalid(), None);
        file.allows_path(path, TODAY)
    }

    #[test]
    fn a_value_is_known_by_its_salted_hash_until_its_day() {
        let salt = Salt([7; 8]);
        let entry = Entry::value("f1", salt, "old until=2026-11-25", TODAY).expect("it has a reason");
        let content = AllowFile::with("", &[entry]);
        let file = AllowFile::parse(content.as_bytes());
        assert_eq!(file.invalid(), None);
        assert!(file.allows_value("f1", TODAY));
        assert!(!file.allows_value("f2", TODAY));
        let tomorrow = Date { day: 26, ..TODAY };
        assert!(!file.allows_value("f1", tomorrow));
        assert!(!content.contains("f1"));
        let other = Entry::value("f1", Salt([8; 8]), "old", TODAY);
        assert_ne!(Entry::value("f1", salt, "old", TODAY), other);
        assert_eq!(Entry::value("f1", salt, " ", TODAY), Err(Void::NoReason));
    }

    #[test]
    fn entries_go_where_they_sort_and_other_lines_stay() {
        let entry = |byte| Entry::value("f", Salt([byte; 8]), "x", TODAY).expect("it has a reason");
        let first = AllowFile::with("# mine\npath a b\n", &[entry(9), entry(1)]);
        let lines: Vec<&str> = first.lines().collect();
        assert_eq!(lines[..2], ["# mine", "path a b"]);
        assert!(lines[2].starts_with("value 0101") && lines[3].starts_with("value 0909"));
        let second = AllowFile::with(&first, &[entry(5)]);
        assert!(
            second
                .lines()
                .nth(3)
                .is_some_and(|line| line.starts_with("value 0505"))
        );
    }

    #[test]
    fn a_line_that_is_no_entry_is_named() {
        for (content, line, why) in [
            ("# x\n\nnothing here", 3, "neither"),
            ("value 01:02 x", 1, "no fingerprint"),
            ("path a", 1, "no reason"),
            ("path a until=2026-12-31", 1, "no reason"),
            ("path a b until=2026-31-12", 1, "no day"),
            ("path \"a b c", 1, "not closed"),
            ("path ** all", 1, "every path"),
            ("path * all", 1, "every path"),
            ("path / all", 1, "every path"),
            ("path a b\n<<<<<<< HEAD\npath c d", 2, "conflict"),
            ("path a b\n=======\nwhat", 2, "conflict"),
        ] {
            let file = AllowFile::parse(content.as_bytes());
            let error = file.invalid().expect(content);
            assert_eq!(error.line, line, "{content}");
            assert!(error.why.contains(why), "{content}: {}", error.why);
        }
    }

    #[test]
    fn globs_are_those_of_gitignore() {
        for (glob, path) in [
            ("a.txt", "a.txt"),
            ("a.txt", "x/y/a.txt"),
            ("/a.txt", "a.txt"),
            ("tests/fixtures", "tests/fixtures/x/y"),
            ("tests/fixtures/", "tests/fixtures/x"),
            ("tests/**", "tests/x/y"),
            ("**/fixtures/*.json", "a/b/fixtures/x.json"),
            ("**/fixtures/*.json", "fixtures/x.json"),
            ("a/**/b", "a/b"),
            ("a/**/b", "a/x/y/b"),
            ("*.zip", "x/a.zip!b/c.txt"),
            ("how to.md", "docs/how to.md"),
            ("ä?.md", "äö.md"),
        ] {
            assert!(allows(glob, path), "{glob} {path}");
        }
        for (glob, path) in [
            ("/a.txt", "x/a.txt"),
            ("x/a.txt", "y/x/a.txt"),
            ("tests/*.json", "tests/x/y.json"),
            ("a.txt", "a.txt2"),
            ("tests/**", "tests2/x"),
            ("a/**/b", "a/xb"),
        ] {
            assert!(!allows(glob, path), "{glob} {path}");
        }
    }
}
