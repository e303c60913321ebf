//! The profiles a command works on: reads AWS's two files, and tells what is wrong with them in three lines.
//! Decides nothing about keys, asks nobody, and repeats no line of a file: it may hold a secret.

use std::path::Path;

use super::failed::Failure;
use crate::credentials::FileKind;
use crate::credentials::document::Document;
use crate::credentials::location::{self, Locations, ReadError};
use crate::credentials::profile::{self, Profile, ProfilesError};
use crate::problem::{Problem, guarded, quoted, word};
use crate::process::Environment;

/// What the two files say.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where they lie.
    pub locations: Locations,
    /// The credentials file as it was read; empty where there is only a config file.
    pub credentials: Document,
    /// The config file as it was read.
    pub config: Option<Document>,
    /// The profiles of both, at least one.
    pub profiles: Vec<Profile>,
}

/// Far above any real file, which has some hundred bytes a profile; below it, parsing takes no noticeable time.
const LARGEST_FILE: usize = 1 << 20;

/// Reads both files. Either may be missing, as it may for AWS, but not both.
///
/// # Errors
///
/// When there is no file, no profile, or a file that cannot be read or understood.
pub fn load(environment: &Environment) -> Result<Loaded, Problem> {
    let locations = Locations::of(environment).ok_or_else(|| {
        Problem::new(
            "cannot find the credentials file",
            "there is no home folder: HOME is not set",
            "export HOME",
        )
    })?;
    let credentials = read(&locations.credentials)?;
    let config = read(&locations.config)?;
    if credentials.is_none() && config.is_none() {
        return Err(no_profiles(&locations, "there is no such file"));
    }
    let is_there = credentials.is_some();
    let credentials = credentials.unwrap_or_else(|| Document::parse(Vec::new()));
    let profiles =
        profile::profiles(&credentials, config.as_ref()).map_err(|error| unparsable(&error, &locations))?;
    if profiles.is_empty() {
        let empty = credentials.to_bytes().trim_ascii().is_empty();
        let why = match (is_there, empty, misnamed(&credentials, None)) {
            (false, ..) => "there is no such file, and the config file has no profile".to_owned(),
            (true, true, _) => "the file is empty".to_owned(),
            (true, false, Some(why)) => why,
            (true, false, None) => "the file has no section such as [default]".to_owned(),
        };
        return Err(no_profiles(&locations, &why));
    }
    Ok(Loaded {
        locations,
        credentials,
        config,
        profiles,
    })
}

/// The names that were typed, or else `AWS_PROFILE`, or else `default`, as in the AWS CLI.
pub fn chosen(typed: &[String], environment: &Environment) -> Vec<String> {
    if typed.is_empty() {
        vec![environment.get_str("AWS_PROFILE").unwrap_or("default").to_owned()]
    } else {
        typed.to_vec()
    }
}

/// The profiles of these names, in the order of the names; a name given twice counts once.
///
/// # Errors
///
/// When there is no profile of a name: gives `command` with those that may have been meant.
pub fn named<'a>(loaded: &'a Loaded, names: &[String], command: &str) -> Result<Vec<&'a Profile>, Failure> {
    let mut found: Vec<&Profile> = Vec::with_capacity(names.len());
    for name in names {
        let profile = loaded
            .profiles
            .iter()
            .find(|profile| profile.name == *name)
            .ok_or_else(|| Failure::of(name, unknown(loaded, name, command)))?;
        if !found.iter().any(|other| other.name == profile.name) {
            found.push(profile);
        }
    }
    Ok(found)
}

/// A missing file is none; everything else that keeps it from being read is a problem.
fn read(path: &Path) -> Result<Option<Document>, Problem> {
    let fail = |cause: String, hint: String| {
        Err(Problem::new(
            format!("cannot read {}", path.display()),
            cause,
            hint,
        ))
    };
    let shown = quoted(path);
    match location::read(path) {
        Ok(document) if document.to_bytes().len() > LARGEST_FILE => fail(
            format!(
                "it is no file of profiles: it has {} MB",
                document.to_bytes().len().div_ceil(1_000_000)
            ),
            format!("ls -l {shown}"),
        ),
        Ok(document) => Ok(Some(document)),
        Err(ReadError::Missing(_)) => Ok(None),
        Err(ReadError::Folder(_)) => fail("it is a folder, not a file".into(), format!("ls -ld {shown}")),
        Err(ReadError::Unreadable { source, .. }) => {
            let hint = if source.kind() == std::io::ErrorKind::PermissionDenied {
                format!("chmod u+r {shown}")
            } else {
                format!("ls -l {shown}")
            };
            fail(source.to_string(), hint)
        }
    }
}

/// A section named as in the config file, which the SDKs ignore in the credentials file.
fn misnamed(credentials: &Document, name: Option<&str>) -> Option<String> {
    let text = credentials.text().ok()?;
    text.lines().enumerate().find_map(|(index, line)| {
        let section = line.trim().strip_prefix("[profile ")?.split(']').next()?.trim();
        (name.is_none() || name == Some(section)).then(|| {
            format!(
                "line {} says [profile {section}]: so the config file names it, here the SDKs read [{section}]",
                index + 1
            )
        })
    })
}

fn no_profiles(locations: &Locations, why: &str) -> Problem {
    Problem::new(
        format!("there are no profiles in {}", locations.credentials.display()),
        why,
        "aws configure\nasks for an access key and writes the file; a key is made in the IAM console,\n\
         under the user's security credentials",
    )
}

fn unparsable(error: &ProfilesError, locations: &Locations) -> Problem {
    let (kind, line) = match error {
        ProfilesError::NotText { kind, line } => (*kind, *line),
        ProfilesError::Line { kind, error } => (*kind, error.line),
    };
    let path = locations.path(kind);
    let what = match kind {
        FileKind::Credentials => "credentials",
        FileKind::Config => "config",
    };
    Problem::new(
        format!("cannot read the {what} file {}", path.display()),
        error.to_string(),
        format!("\"${{EDITOR:-vi}}\" +{line} {}", quoted(path)),
    )
}

fn unknown(loaded: &Loaded, name: &str, command: &str) -> Problem {
    let names = || loaded.profiles.iter().map(|profile| profile.name.as_str());
    let near = profile::near(name, names());
    let hint = match near.as_slice() {
        [] => {
            let shown: Vec<&str> = names().take(10).collect();
            let more = if names().count() > shown.len() {
                ", …"
            } else {
                ""
            };
            format!("there are: {}{more}", shown.join(", "))
        }
        [first, others @ ..] => {
            let others: String = others
                .iter()
                .map(|other| format!("\n{command} -p {}", word(other)))
                .collect();
            format!("{command} -p {}{others}", word(first))
        }
    };
    let cause = misnamed(&loaded.credentials, Some(name)).unwrap_or_else(|| {
        format!(
            "neither {} nor {} has it",
            loaded.locations.credentials.display(),
            loaded.locations.config.display()
        )
    });
    Problem::new(format!("there is no profile {}", guarded(name)), cause, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A home folder with these two files, where they are given.
    fn home(credentials: Option<&[u8]>, config: Option<&[u8]>) -> (tempfile::TempDir, Environment) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        for (name, content) in [("credentials", credentials), ("config", config)] {
            if let Some(content) = content {
                std::fs::write(home.path().join(".aws").join(name), content).unwrap();
            }
        }
        let environment = Environment::from_iter([("HOME", home.path().to_str().unwrap())]);
        (home, environment)
    }

    fn problem(credentials: Option<&[u8]>) -> Problem {
        let (_home, environment) = home(credentials, None);
        load(&environment).expect_err("these files give no profiles")
    }

    #[test]
    fn bad_files_are_told_in_three_lines() {
        assert!(problem(None).hint.starts_with("aws configure"));
        assert_eq!(problem(Some(b"\n \n")).cause, "the file is empty");
        assert_eq!(
            problem(Some(b"# nothing\n")).cause,
            "the file has no section such as [default]"
        );
        assert_eq!(problem(Some(b"[a]\nb=\xff")).cause, "line 2 is not UTF-8 text");
        assert!(problem(Some(b"[a]\nwJalrXUtn\n")).cause.starts_with("line 2"));
        assert!(!problem(Some(b"[a]\nwJalrXUtn\n")).cause.contains("wJal"));
        assert_eq!(
            problem(Some(&vec![b'x'; 10_000_000])).cause,
            "it is no file of profiles: it has 10 MB"
        );
    }

    #[test]
    fn a_folder_in_the_place_of_the_file_is_named() {
        let (home, environment) = home(None, None);
        std::fs::create_dir(home.path().join(".aws/credentials")).unwrap();
        assert_eq!(
            load(&environment).unwrap_err().cause,
            "it is a folder, not a file"
        );
    }

    #[test]
    fn a_config_file_alone_is_enough() {
        let (_home, environment) = home(None, Some(b"[profile sso]\nsso_session=corp\n"));
        assert_eq!(load(&environment).unwrap().profiles[0].name, "sso");
    }

    #[test]
    fn an_unknown_profile_names_its_neighbours_and_a_repeated_one_counts_once() {
        let (_home, environment) = home(Some(b"[dev]\na=b\n[prod]\na=b\n"), None);
        let loaded = load(&environment).unwrap();
        assert_eq!(
            named(&loaded, &["dve".into()], "keyagent rotate")
                .unwrap_err()
                .problem
                .hint,
            "keyagent rotate -p dev"
        );
        assert_eq!(
            named(&loaded, &["zzzzzzz".into()], "keyagent rotate")
                .unwrap_err()
                .problem
                .hint,
            "there are: dev, prod"
        );
        let found = named(
            &loaded,
            &["prod".into(), "dev".into(), "prod".into()],
            "keyagent rotate",
        )
        .unwrap();
        assert_eq!(
            found
                .iter()
                .map(|profile| profile.name.as_str())
                .collect::<Vec<_>>(),
            ["prod", "dev"]
        );
    }
}
