//! Asks the real git what is in a repository, and reads its objects. Never reads the work tree, never writes, never
//! fetches, and runs none of the programs that a repository's configuration names.
//!
//! What git alone understands (the index in all its forms, references, revisions, who may read the repository) is
//! asked of git's plumbing; the contents, which are most of the work, are read in this process wherever they lie
//! loose, on all cores, and by `git cat-file` elsewhere.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::str::FromStr;

use data_encoding::HEXLOWER;

use crate::process::Environment;

mod ancestry;
mod commits;
mod config;
pub mod configuration;
mod database;
mod error;
mod file;
mod history;
mod lfs;
mod objects;
mod pack;
mod pushed;
mod staged;
mod standing;

pub use commits::{Commit, NewBlob};
pub use config::MessageRules;
pub use database::{Body, Looked};
pub use error::Error;
pub use history::Connectivity;
pub use lfs::may_be_pointer;
pub use objects::{Kind, Missing};
pub use pushed::Reached;
pub use staged::{Staged, StagedBlob};
pub use standing::{Depth, Operation, Standing};

/// The name of an object, as long as the repository's hash is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Zeros behind the 20 bytes of SHA-1.
    bytes: [u8; 32],
    length: u8,
}

/// A hash that names objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFormat {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A repository that git trusts, and where its parts lie.
#[derive(Clone, Debug)]
pub struct Repository {
    cwd: PathBuf,
    is_bare: bool,
    format: ObjectFormat,
    /// `objects`, wherever the environment has put it.
    objects: PathBuf,
    /// Its alternates, theirs included, and those of the environment.
    alternates: Vec<PathBuf>,
    /// What all work trees share.
    common: PathBuf,
    index: PathBuf,
    merge_head: PathBuf,
    shallow: PathBuf,
    /// What is being merged, where git tells only the hook so.
    announced_heads: Vec<ObjectId>,
    /// Whether git runs this process and has said which index counts.
    is_in_hook: bool,
}

impl Repository {
    /// The repository that git finds from `cwd`, or that GIT_DIR names.
    ///
    /// # Errors
    ///
    /// When there is none, or git does not trust it, or there is no git.
    pub fn open(cwd: &Path, environment: &Environment) -> Result<Self, Error> {
        Self::answered(Asked::about(cwd)?, environment)
    }

    /// Whether it has no work tree, and so no index.
    pub fn is_bare(&self) -> bool {
        self.is_bare
    }

    fn answered(asked: Asked, environment: &Environment) -> Result<Self, Error> {
        let Asked { cwd, child } = asked;
        let answer = succeeded("rev-parse", child.wait_with_output().map_err(Error::Io)?)?;
        let lines: Vec<&[u8]> = answer
            .strip_suffix(b"\n")
            .unwrap_or(&answer)
            .split(|byte| *byte == b'\n')
            .collect();
        // A path with a line break in it is the one way to more lines.
        let [is_bare, format, objects, common, index, merge_head, shallow] = lines[..] else {
            return Err(Error::Answer("rev-parse"));
        };
        let format = match format {
            b"sha1" => ObjectFormat::Sha1,
            b"sha256" => ObjectFormat::Sha256,
            _ => return Err(Error::Answer("rev-parse")),
        };
        let at = |line| path_of(line).map(|path| cwd.join(path));
        let objects = at(objects)?;
        Ok(Self {
            is_bare: is_bare == b"true",
            format,
            alternates: objects::alternates(&objects, environment),
            objects,
            common: at(common)?,
            index: at(index)?,
            merge_head: at(merge_head)?,
            shallow: at(shallow)?,
            announced_heads: staged::announced_heads(environment),
            is_in_hook: environment.get("GIT_INDEX_FILE").is_some(),
            cwd,
        })
    }

    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = git(&self.cwd);
        command.args(arguments);
        command
    }

    fn run(&self, command: &'static str, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        let output = self
            .git(&[command])
            .args(arguments)
            .output()
            .map_err(not_started)?;
        succeeded(command, output)
    }

    /// Commits whose parents were never fetched.
    fn shallow_commits(&self) -> Result<Vec<ObjectId>, Error> {
        match std::fs::read_to_string(&self.shallow) {
            Ok(lines) => lines.lines().map(str::parse).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::Io(error)),
        }
    }

    /// Whether objects were left out when it was cloned.
    fn is_partial(&self) -> bool {
        let pack = self.objects.join("pack");
        std::fs::read_dir(pack).is_ok_and(|files| {
            files
                .flatten()
                .any(|file| Path::new(&file.file_name()).extension() == Some("promisor".as_ref()))
        })
    }
}

/// The one question whose answer every other needs; git thinks about it while others are asked.
struct Asked {
    cwd: PathBuf,
    child: Child,
}

impl Asked {
    fn about(cwd: &Path) -> Result<Self, Error> {
        let mut command = git(cwd);
        command.args(["rev-parse", "--is-bare-repository", "--show-object-format"]);
        command.args(["--git-path", "objects", "--git-common-dir"]);
        for name in ["index", "MERGE_HEAD", "shallow"] {
            command.args(["--git-path", name]);
        }
        Ok(Self {
            cwd: cwd.to_owned(),
            child: piped(&mut command)?,
        })
    }
}

/// git, with nothing that the repository's configuration could run and nothing from the network.
fn git(cwd: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("--no-optional-locks")
        // A packed object is unpacked by git: it must not take the memory that it would for a repack.
        .args([
            "-c",
            "core.packedGitLimit=16m",
            "-c",
            "core.packedGitWindowSize=1m",
        ])
        .args([
            "-c",
            "core.deltaBaseCacheLimit=16m",
            "-c",
            "core.bigFileThreshold=8m",
        ])
        .args(["-c", "core.fsmonitor=false"])
        .current_dir(cwd)
        // The messages are told apart by their English words.
        .env("LC_ALL", "C")
        .env("GIT_NO_LAZY_FETCH", "1")
        // What is committed is the object itself, not its replacement.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        // A graft would hide a part of the history.
        .env("GIT_GRAFT_FILE", "/dev/null")
        .stdin(Stdio::null());
    command
}

fn piped(command: &mut Command) -> Result<Child, Error> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(not_started)
}

fn succeeded(command: &'static str, output: Output) -> Result<Vec<u8>, Error> {
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Error::told(command, &String::from_utf8_lossy(&output.stderr)))
    }
}

fn not_started(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        Error::NoGit
    } else {
        Error::Io(error)
    }
}

/// A name of an object as people type it: so many digits are unique in any repository.
pub fn abbreviated(name: &str) -> &str {
    name.get(..12).unwrap_or(name)
}

impl ObjectFormat {
    /// How many bytes a name has.
    fn width(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The tree without an entry; every git knows it, though it lies nowhere.
    fn empty_tree(self) -> &'static str {
        match self {
            Self::Sha1 => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            Self::Sha256 => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        }
    }
}

impl ObjectId {
    /// From its 20 or 32 bytes.
    fn from_bytes(name: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes[..name.len()].copy_from_slice(name);
        Self {
            bytes,
            length: u8::try_from(name.len()).expect("it is 20 or 32"),
        }
    }

    /// Its bytes, 20 or 32.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Stands for no object: all zeros.
    pub fn is_null(&self) -> bool {
        self.bytes == [0; 32]
    }
}

impl FromStr for ObjectId {
    type Err = Error;

    fn from_str(hex: &str) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        let length = hex.len() / 2;
        if !matches!(hex.len(), 40 | 64) {
            return Err(Error::Answer("rev-parse"));
        }
        HEXLOWER
            .decode_mut(hex.as_bytes(), &mut bytes[..length])
            .map_err(|_| Error::Answer("rev-parse"))?;
        Ok(Self {
            bytes,
            length: u8::try_from(length).expect("it is 20 or 32"),
        })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(self.as_bytes()))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Result<PathBuf, Error> {
    use std::os::unix::ffi::OsStringExt;
    Ok(PathBuf::from(OsString::from_vec(bytes.to_vec())))
}

/// git for Windows writes its paths in UTF-8.
#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Result<PathBuf, Error> {
    std::str::from_utf8(bytes)
        .map(|path| PathBuf::from(OsString::from(path)))
        .map_err(|_| Error::Answer("rev-parse"))
}
