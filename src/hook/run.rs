//! What a hook has to look through, from its arguments and its standard input.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::git::{self, Reached, Repository, abbreviated};
use crate::hook::Hook;
use crate::problem::Problem;
use crate::process::Environment;
use crate::scan::{Scan, Scanner, source};

/// Stands for a reference that is no text; none can be called so.
const UNREADABLE: &str = "?";

/// What is to be scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// What git would commit now.
    Staged,
    /// The file that holds a message.
    Message(PathBuf),
    /// What comes to a repository with a push.
    Pushed(Pushed),
}

/// What a push brings: all that the tips reach, and nothing that the other side has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Commits and tags, by object name or revision; none where a push only deletes.
    pub tips: BTreeSet<String>,
    /// Objects that the other side said it has; this side may lack them.
    pub theirs: BTreeSet<String>,
    /// What else the other side has.
    pub known: Known,
}

/// What is known to be on the side that is pushed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it has no name.
    #[default]
    Nothing,
    /// What was last seen of that remote.
    Remote(Remote),
    /// All that this repository has: it is that side itself.
    AllReferences,
}

/// A remote, as git speaks of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// Its name.
    pub name: String,
    /// Where this push goes.
    pub url: String,
    /// What stands there now in the branches that are pushed to; `None` where there is no such branch.
    pub shown: BTreeMap<String, Option<String>>,
    /// The remotes whose names begin with this one's and a slash: what was seen of them lies among what was seen of it.
    pub within: Vec<String>,
}

impl Pushed {
    /// Scans it, and says what of it could be believed.
    ///
    /// # Errors
    ///
    /// When something of it cannot be read.
    pub fn scan(
        &self,
        scanner: &Scanner,
        cwd: &Path,
        environment: &Environment,
    ) -> Result<(Scan, Self), crate::scan::Error> {
        if self.tips.is_empty() {
            return Ok((Scan::default(), self.clone()));
        }
        let repository = Repository::open(cwd, environment)?;
        let pushed = Self {
            known: self.known.believed(&repository)?,
            ..self.clone()
        };
        let tips: Vec<&str> = pushed.tips.iter().map(String::as_str).collect();
        let theirs: Vec<&str> = pushed.theirs.iter().map(String::as_str).collect();
        let known = pushed.known.words();
        let reached = Reached {
            tips: &tips,
            theirs: &theirs,
            known: &known,
        };
        let scan = source::pushed(scanner, &repository, reached)?;
        Ok((scan, pushed))
    }

    /// What is pushed, as git log takes it and a person types it, where `head` is checked out.
    pub fn range(&self, head: Option<&str>) -> String {
        let typed = |name: &str| {
            if Some(name) == head {
                "HEAD".to_owned()
            } else {
                abbreviated(name).to_owned()
            }
        };
        let tips = self.tips.iter().map(|tip| typed(tip));
        let theirs = self.theirs.iter().map(|their| format!("^{}", typed(their)));
        let known = self.known.words_of_pusher();
        let mut words: Vec<String> = if known.is_empty() {
            tips.chain(theirs).collect()
        } else {
            // What was last seen of the remote says it in one word.
            tips.chain(["--not".to_owned()]).chain(known).collect()
        };
        words.dedup();
        words.join(" ")
    }
}

impl Known {
    /// As `git rev-list` takes it.
    fn words(&self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Remote(Remote { name, within, .. }) => {
                let others = within.iter().map(|other| format!("--exclude={other}/*"));
                others.chain([format!("--remotes={name}")]).collect()
            }
            Self::AllReferences => vec!["--all".to_owned()],
        }
    }

    /// The same for who has pushed it, and may call the remote anything.
    fn words_of_pusher(&self) -> Vec<String> {
        match self {
            Self::AllReferences => vec!["--remotes".to_owned()],
            Self::Nothing | Self::Remote(_) => self.words(),
        }
    }

    /// What was seen of a remote says what it has only as long as it is the one that was seen: where its URL is another
    /// one, or it shows something else than what was last seen there, it counts for nothing.
    fn believed(&self, repository: &Repository) -> Result<Self, git::Error> {
        let Self::Remote(remote) = self else {
            return Ok(self.clone());
        };
        let remotes = repository.remotes()?;
        let is_fetched_from = remotes
            .iter()
            .any(|(name, url)| *name == remote.name && is_same_place(url, &remote.url));
        if !is_fetched_from || !repository.is_as_last_seen(&remote.name, &remote.shown)? {
            return Ok(Self::Nothing);
        }
        let start = format!("{}/", remote.name);
        Ok(Self::Remote(Remote {
            within: remotes
                .into_iter()
                .map(|(name, _)| name)
                .filter(|name| name.starts_with(&start))
                .collect(),
            ..remote.clone()
        }))
    }
}

/// Reads what git says to a hook.
///
/// # Errors
///
/// When git says something else than githooks(5) tells: what is not understood is not passed.
pub fn work(
    hook: Hook,
    arguments: &[OsString],
    input: &[u8],
    environment: &Environment,
) -> Result<Work, Problem> {
    match hook {
        Hook::PreCommit | Hook::PreMergeCommit | Hook::PreApplypatch => Ok(Work::Staged),
        Hook::CommitMsg | Hook::ApplypatchMsg => match arguments {
            [file] => Ok(Work::Message(file.into())),
            _ => Err(not_understood(hook, "one argument, the file of the message")),
        },
        Hook::PrePush => {
            let lines = lines(hook, input)?;
            if lines.is_empty()
                && let Some(pushed) = of_pre_commit(environment)
            {
                return Ok(Work::Pushed(pushed));
            }
            let words: Vec<Option<&str>> = arguments.iter().map(|word| word.to_str()).collect();
            let mut pushed = Pushed::default();
            let mut shown = BTreeMap::new();
            for [_, new, reference, old] in lines {
                pushed.add(new, old);
                if let Some(branch) = reference.strip_prefix("refs/heads/") {
                    shown.insert(
                        branch.to_owned(),
                        Some(old.to_owned()).filter(|old| !is_nothing(old)),
                    );
                } else if reference == UNREADABLE {
                    return Ok(Work::Pushed(pushed));
                }
            }
            if let [Some(name), Some(url), ..] = words[..] {
                pushed.known = remote(name, url, shown);
            }
            Ok(Work::Pushed(pushed))
        }
        Hook::PreReceive => {
            let mut pushed = Pushed {
                known: Known::AllReferences,
                ..Pushed::default()
            };
            for [old, new, _] in lines(hook, input)? {
                pushed.add(new, old);
            }
            Ok(Work::Pushed(pushed))
        }
    }
}

impl Pushed {
    fn add(&mut self, new: &str, old: &str) {
        if !is_nothing(new) {
            self.tips.insert(new.to_owned());
        }
        if !is_nothing(old) {
            self.theirs.insert(old.to_owned());
        }
    }
}

/// The Python tool pre-commit reads the lines itself, and tells what it made of the first one.
fn of_pre_commit(environment: &Environment) -> Option<Pushed> {
    let name = environment.get_str("PRE_COMMIT_REMOTE_NAME")?;
    let tip = environment
        .get_str("PRE_COMMIT_TO_REF")
        .or_else(|| environment.get_str("PRE_COMMIT_LOCAL_BRANCH"))?;
    // It leaves this out where the remote showed nothing that is known here.
    let old = environment.get_str("PRE_COMMIT_FROM_REF").map(str::to_owned);
    let branch = environment
        .get_str("PRE_COMMIT_REMOTE_BRANCH")
        .and_then(|reference| reference.strip_prefix("refs/heads/"));
    let shown = branch.map(|branch| (branch.to_owned(), old));
    Some(Pushed {
        tips: BTreeSet::from([tip.to_owned()]),
        theirs: BTreeSet::new(),
        known: environment
            .get_str("PRE_COMMIT_REMOTE_URL")
            .map_or(Known::Nothing, |url| {
                remote(name, url, shown.into_iter().collect())
            }),
    })
}

/// A remote is named by git itself; what would be a pattern, or is a URL, vouches for nothing.
fn remote(name: &str, url: &str, shown: BTreeMap<String, Option<String>>) -> Known {
    if name.is_empty() || name.contains(['*', '?', '[', '\\', ':']) || name.starts_with(['/', '.', '~']) {
        Known::Nothing
    } else {
        Known::Remote(Remote {
            name: name.to_owned(),
            url: url.to_owned(),
            shown,
            within: Vec::new(),
        })
    }
}

/// Whether two URLs lead to one repository: the same, or the same host and path in another way, as where
/// `url.….pushInsteadOf` pushes over SSH what is fetched over HTTPS.
fn is_same_place(one: &str, other: &str) -> bool {
    one == other || host_and_path(one).is_some_and(|place| Some(place) == host_and_path(other))
}

fn host_and_path(url: &str) -> Option<(String, &str)> {
    let (authority, path) = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?,
        // `HOST:PATH`, where no slash comes before the colon, from git-clone(1).
        None => url.split_once(':').filter(|(host, _)| !host.contains('/'))?,
    };
    let host = authority.rsplit('@').next()?;
    let path = path.trim_matches('/');
    Some((
        host.to_ascii_lowercase(),
        path.strip_suffix(".git").unwrap_or(path),
    ))
}

/// All zeros stand for a reference that is not there, as long as the repository's hash is.
fn is_nothing(oid: &str) -> bool {
    oid.bytes().all(|byte| byte == b'0')
}

fn lines<const N: usize>(hook: Hook, input: &[u8]) -> Result<Vec<[&str; N]>, Problem> {
    let wrong = || not_understood(hook, &format!("lines of {N} words on its standard input"));
    input
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            // A reference may be of any bytes; only the object names matter, which are hex.
            let words: Vec<&str> = line
                .split(|byte| *byte == b' ')
                .map(|word| std::str::from_utf8(word).unwrap_or(UNREADABLE))
                .collect();
            let words = <[&str; N]>::try_from(words).map_err(|_| wrong())?;
            let oids = words
                .iter()
                .filter(|word| word.len() >= 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
            if oids.count() < 2 { Err(wrong()) } else { Ok(words) }
        })
        .collect()
}

fn not_understood(hook: Hook, wanted: &str) -> Problem {
    Problem::new(
        format!("cannot look for AWS keys, so the {} is blocked", hook.action()),
        format!(
            "{} was called in another way than git does: it wants {wanted}",
            hook.as_str()
        ),
        format!("let git call it; or go on unchecked: {}", hook.unchecked()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn pushed(hook: Hook, arguments: &[&str], input: &str) -> Pushed {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        match work(hook, &arguments, input.as_bytes(), &Environment::default()) {
            Ok(Work::Pushed(pushed)) => pushed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_push_is_its_new_tips_without_what_the_other_side_has() {
        let input = format!(
            "refs/heads/a {A} refs/heads/a {B}\n(delete) {ZERO} refs/heads/b {A}\nHEAD {B} refs/heads/c {ZERO}\n"
        );
        let pushed = pushed(Hook::PrePush, &["origin", "git@host:x"], &input);
        let oids = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
        assert_eq!(oids(&pushed.tips), [A, B]);
        assert_eq!(oids(&pushed.theirs), [A, B]);
        assert_eq!(pushed.known.words(), ["--remotes=origin"]);
        let Known::Remote(Remote { url, shown, .. }) = pushed.known else {
            panic!();
        };
        assert_eq!(url, "git@host:x");
        let shown: Vec<_> = shown
            .iter()
            .map(|(name, oid)| (&**name, oid.as_deref()))
            .collect();
        assert_eq!(shown, [("a", Some(B)), ("b", Some(A)), ("c", None)]);
    }

    #[test]
    fn one_place_has_urls_of_several_kinds() {
        for (one, other) in [
            ("https://host/o/r.git", "git@host:o/r"),
            ("https://me@Host/o/r/", "ssh://git@host/o/r.git"),
            ("../x.git", "../x.git"),
        ] {
            assert!(is_same_place(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("https://host/o/r", "https://host/me/r"),
            ("https://host/o/r", "https://other/o/r"),
            ("https://host:1/o/r", "https://host:2/o/r"),
            ("../x.git", "../y.git"),
            ("file:///srv/x", "https://srv/x"),
            ("/srv/a:x", "/srv/b:x"),
        ] {
            assert!(!is_same_place(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_url_and_a_pattern_vouch_for_nothing() {
        for name in ["../remote", "/srv/x.git", "git@host:x", "https://host/x", "*", ""] {
            assert_eq!(
                pushed(Hook::PrePush, &[name, "x"], "").known,
                Known::Nothing,
                "{name}"
            );
        }
    }

    #[test]
    fn a_server_knows_all_it_has() {
        let pushed = pushed(Hook::PreReceive, &[], &format!("{ZERO} {A} refs/tags/\u{e4}\n"));
        assert!(pushed.tips.contains(A) && pushed.theirs.is_empty());
        assert_eq!(pushed.known.words(), ["--all"]);
    }

    #[test]
    fn what_is_not_understood_is_not_passed() {
        let none = Environment::default();
        for input in ["x\n", &format!("{A} {B}\n"), "a b c d\n"] {
            assert!(
                work(Hook::PrePush, &[], input.as_bytes(), &none).is_err(),
                "{input}"
            );
            assert!(
                work(Hook::PreReceive, &[], input.as_bytes(), &none).is_err(),
                "{input}"
            );
        }
        assert!(work(Hook::CommitMsg, &[], b"", &none).is_err());
    }

    #[test]
    fn a_reference_of_any_bytes_is_read() {
        let input = [
            b"refs/heads/\xff ".as_slice(),
            A.as_bytes(),
            b" refs/heads/\xff ",
            B.as_bytes(),
        ]
        .concat();
        let work = work(Hook::PrePush, &[], &input, &Environment::default());
        assert!(matches!(work, Ok(Work::Pushed(pushed)) if pushed.tips.contains(A)));
    }

    #[test]
    fn pre_commit_tells_in_variables() {
        let environment = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Environment>();
        let of = |environment| match work(Hook::PrePush, &[], b"", &environment) {
            Ok(Work::Pushed(pushed)) => pushed,
            other => panic!("{other:?}"),
        };
        let some = of(environment(&[
            ("PRE_COMMIT_REMOTE_NAME", "origin"),
            ("PRE_COMMIT_REMOTE_URL", "git@host:x"),
            ("PRE_COMMIT_REMOTE_BRANCH", "refs/heads/x"),
            ("PRE_COMMIT_FROM_REF", B),
            ("PRE_COMMIT_TO_REF", A),
            ("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/x"),
        ]));
        assert!(some.tips.contains(A));
        assert!(
            matches!(some.known, Known::Remote(remote) if remote.shown == [("x".into(), Some(B.into()))].into())
        );
        let whole = of(environment(&[
            ("PRE_COMMIT_REMOTE_NAME", "origin"),
            ("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/x"),
        ]));
        assert!(whole.tips.contains("refs/heads/x"));
    }
}
