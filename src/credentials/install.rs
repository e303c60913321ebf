//! Puts a new pair into AWS's files, and into others that the user named. Installs nothing that AWS's own parser does not read back as meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_runtime::env_config::section::EnvConfigSections;
use aws_types::os_shim_internal::{Env, Fs};

use super::FileKind;
use super::ambiguity::{Pair, pairs_of};
use super::document::{Document, Edit};
use super::elsewhere::{Values, values_of};
use super::profile::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use super::{LineError, botocore_reader, location, sdk_reader};
use crate::access_key::AccessKey;
use crate::fs_atomic::{self, Digest, Replaced};

/// How often an edit is planned anew because another program wrote in between.
const TRIES: usize = 20;
/// How long a program that truncates and rewrites in place (`aws configure`) is given to finish.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Why a pair cannot be put in place. The file is what it was, or what another program made of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] location::ReadError),
    /// A line over which AWS's readers do not agree.
    #[error("{}, {error}", path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// The line, and why.
        error: LineError,
    },
    /// No profile of the file holds the pair any more.
    #[error("{} does not hold the key {access_key_id}", path.display())]
    NotThere {
        /// The file.
        path: PathBuf,
        /// The key that was looked for.
        access_key_id: String,
    },
    /// AWS's own parser would not read the edited file as meant. This is a bug in keyagent; nothing was written.
    #[error("{} would not read back as meant: {why}", path.display())]
    Unproven {
        /// The file.
        path: PathBuf,
        /// Which profile or property.
        why: String,
    },
    /// The file system refuses.
    #[error(transparent)]
    File(#[from] fs_atomic::Error),
}

/// How a file holds a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In the profiles of one of AWS's two files.
    Profiles(FileKind),
    /// In whatever way; only the values are known.
    Any,
}

/// One file that holds a pair, and where.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its path, as configured: it may be a link.
    pub path: PathBuf,
    held: Held,
    /// Of the content in which they were found.
    pub digest: Digest,
    document: Document,
}

#[derive(Clone, Debug)]
enum Held {
    Profiles(FileKind, Vec<Pair>),
    Values(Values),
}

impl Place {
    /// How the file holds the pair.
    pub fn format(&self) -> Format {
        match &self.held {
            Held::Profiles(kind, _) => Format::Profiles(*kind),
            Held::Values(_) => Format::Any,
        }
    }

    /// The profiles that hold it.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        let pairs: &[Pair] = match &self.held {
            Held::Profiles(_, pairs) => pairs,
            Held::Values(_) => &[],
        };
        pairs.iter().map(|pair| pair.profile.as_str())
    }

    /// The lines of each key ID and its secret, counted from 1.
    pub fn lines(&self) -> Vec<(usize, usize)> {
        match &self.held {
            Held::Profiles(_, pairs) => pairs.iter().map(|pair| pair.lines).collect(),
            Held::Values(values) => values.lines.clone(),
        }
    }
}

/// Finds the pair in one file; `None` when the file is missing or does not hold it.
///
/// # Errors
///
/// When the file cannot be read, or AWS's readers do not agree about the pair.
pub fn find(format: Format, path: &Path, key: &AccessKey) -> Result<Option<Place>, Error> {
    let document = match location::read(path) {
        Ok(document) => document,
        Err(location::ReadError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if memchr::memmem::find(document.to_bytes(), key.id.as_str().as_bytes()).is_none()
        && memchr::memmem::find(document.to_bytes(), key.secret.expose().as_bytes()).is_none()
    {
        return Ok(None);
    }
    let held = match format {
        Format::Profiles(kind) => pairs_of(&document, kind, key)
            .map(|pairs| (!pairs.is_empty()).then_some(Held::Profiles(kind, pairs))),
        Format::Any => values_of(&document, key).map(|values| values.map(Held::Values)),
    };
    let held = held.map_err(|error| Error::Ambiguous {
        path: path.to_owned(),
        error,
    })?;
    Ok(held.map(|held| Place {
        path: path.to_owned(),
        held,
        digest: Digest::of(document.to_bytes()),
        document,
    }))
}

/// Replaces `old` by `new` in one file, in every profile that holds it, in one rename.
///
/// Another program's edit in between is kept: the edit is planned anew on what it wrote. Doing it twice is
/// doing it once.
///
/// # Errors
///
/// See [`Error`].
pub async fn replace(format: Format, path: &Path, old: &AccessKey, new: &AccessKey) -> Result<(), Error> {
    let mut missing = 0;
    for _ in 0..TRIES {
        let place = match find(format, path, old) {
            Ok(Some(place)) => place,
            // A file in the middle of somebody's writing is empty or cut for some milliseconds.
            not_found => {
                if matches!(find(format, path, new), Ok(Some(_))) {
                    return Ok(());
                }
                missing += 1;
                if missing > 4 {
                    not_found?;
                    let access_key_id = old.id.to_string();
                    return Err(Error::NotThere {
                        path: path.to_owned(),
                        access_key_id,
                    });
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let edited = prove(&place, new).await?;
        match fs_atomic::replace(path, edited.to_bytes(), &place.digest) {
            Ok(Replaced::Cleanly) => return Ok(()),
            Ok(Replaced::OverALateEdit(theirs)) => {
                restore_late_edit(path, &edited, theirs)?;
                tokio::time::sleep(PAUSE).await;
            }
            Err(fs_atomic::Error::Changed(_)) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(fs_atomic::Error::Changed(path.to_owned()).into())
}

/// Puts back what another program wrote to the file that was just replaced, so that the edit can be planned on
/// it.
fn restore_late_edit(path: &Path, ours: &Document, theirs: Vec<u8>) -> Result<(), Error> {
    match fs_atomic::replace(path, &theirs, &Digest::of(ours.to_bytes())) {
        // Whoever wrote after us has the newest content; the next round plans on that.
        Ok(_) | Err(fs_atomic::Error::Changed(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes the edit and proves it: with AWS's own parser, and with both readers of [`super`], every profile of the
/// place has the new pair and nothing else is different. Where only the values are known, each of them is the new one.
///
/// # Errors
///
/// [`Error::Unproven`].
pub async fn prove(place: &Place, new: &AccessKey) -> Result<Document, Error> {
    match &place.held {
        Held::Profiles(kind, pairs) => prove_profiles(place, *kind, pairs, new).await,
        Held::Values(values) => prove_values(place, values, new),
    }
}

/// A file of unknown format: each value is another, as often as before, and all else is the same by the edit's making.
fn prove_values(place: &Place, values: &Values, new: &AccessKey) -> Result<Document, Error> {
    let edited = place.document.with(&values.replaced_by(new));
    let found = values_of(&edited, new).ok().flatten();
    if found.is_some_and(|found| found.count() == values.count()) {
        return Ok(edited);
    }
    Err(Error::Unproven {
        path: place.path.clone(),
        why: "the new pair would not be found in it".into(),
    })
}

async fn prove_profiles(
    place: &Place,
    kind: FileKind,
    pairs: &[Pair],
    new: &AccessKey,
) -> Result<Document, Error> {
    let edits: Vec<Edit> = pairs.iter().flat_map(|pair| pair.replaced_by(new)).collect();
    let edited = place.document.with(&edits);
    let unproven = |why: String| Error::Unproven {
        path: place.path.clone(),
        why,
    };
    let (before, after) = match (place.document.text(), edited.text()) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(line), _) | (_, Err(line)) => return Err(unproven(format!("line {line} is not text"))),
    };
    let mut sdk = properties(sdk_reader::read(before, kind), &place.path)?;
    let mut cli = properties(botocore_reader::read(before, kind), &place.path)?;
    for pair in pairs {
        for view in [&mut sdk, &mut cli] {
            let mut set = |name: &str, value: &str| {
                view.insert((pair.profile.clone(), name.to_owned()), value.to_owned());
            };
            set(ACCESS_KEY_ID, new.id.as_str());
            set(SECRET_ACCESS_KEY, new.secret.expose());
        }
    }
    if properties(sdk_reader::read(after, kind), &place.path)? != sdk {
        return Err(unproven("another property would change for the SDKs".into()));
    }
    if properties(botocore_reader::read(after, kind), &place.path)? != cli {
        return Err(unproven("another property would change for the AWS CLI".into()));
    }
    let theirs = read_with_aws_parser(edited.to_bytes(), kind)
        .await
        .map_err(|error| unproven(format!("AWS's parser: {error}")))?;
    for ((profile, name), value) in &sdk {
        if theirs.get_profile(profile).and_then(|found| found.get(name)) != Some(value) {
            return Err(unproven(format!(
                "AWS's parser reads another {name} in profile {profile}"
            )));
        }
    }
    Ok(edited)
}

type Properties = BTreeMap<(String, String), String>;

fn properties(sections: Result<Vec<super::Section>, LineError>, path: &Path) -> Result<Properties, Error> {
    let sections = sections.map_err(|error| Error::Ambiguous {
        path: path.to_owned(),
        error,
    })?;
    Ok(sections
        .into_iter()
        .flat_map(|section| {
            let profile = section.profile;
            section
                .properties
                .into_iter()
                .map(move |p| ((profile.clone(), p.name), p.value))
        })
        .collect())
}

/// Reads bytes with the parser that the AWS SDK for Rust itself uses.
///
/// # Errors
///
/// What that parser says, without the values.
pub async fn read_with_aws_parser(bytes: &[u8], kind: FileKind) -> Result<EnvConfigSections, String> {
    const CREDENTIALS: &str = "/credentials";
    const CONFIG: &str = "/config";
    let mut files =
        std::collections::HashMap::from([(CREDENTIALS.into(), Vec::new()), (CONFIG.into(), Vec::new())]);
    let name = match kind {
        FileKind::Credentials => CREDENTIALS,
        FileKind::Config => CONFIG,
    };
    files.insert(name.into(), bytes.to_vec());
    let environment = Env::from_slice(&[
        ("AWS_SHARED_CREDENTIALS_FILE", CREDENTIALS),
        ("AWS_CONFIG_FILE", CONFIG),
    ]);
    aws_config::profile::load(&Fs::from_map(files), &environment, &Default::default(), None)
        .await
        .map_err(|error| error.to_string())
}
