//! AWS's view of the profiles in the two files: who holds a key, and why the others do not. No I/O.

use super::document::Document;
use super::{FileKind, LineError, Section, botocore_reader, sdk_reader};
use crate::access_key::{AccessKey, AccessKeyId, AccessKeyKind, SecretAccessKey};

/// The property names of a pair.
pub const ACCESS_KEY_ID: &str = "aws_access_key_id";
/// The second half.
pub const SECRET_ACCESS_KEY: &str = "aws_secret_access_key";
const SESSION_TOKEN: &str = "aws_session_token";

/// A profile by name, with all that the files say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Case-sensitive.
    pub name: String,
    /// What credentials it stands for.
    pub holds: Holds,
    /// The profile whose key it uses to assume a role.
    pub source_profile: Option<String>,
    /// The role that it assumes with that key.
    pub role_arn: Option<String>,
    /// What the session of that role is called.
    pub role_session_name: Option<String>,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// The MFA device of the user.
    pub mfa_serial: Option<String>,
}

/// What a profile stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A long-term key, and the file that holds it.
    LongTermKey {
        /// The pair.
        access_key: AccessKey,
        /// Where it stands.
        file: FileKind,
    },
    /// No long-term key; why, in words for the user.
    NoLongTermKey(String),
}

/// The profile whose long-term key stands behind a profile: itself, or the one at the end of its
/// `source_profile`s.
///
/// # Errors
///
/// Why there is none, in words for the user.
pub fn key_holder<'a>(profiles: &'a [Profile], profile: &'a Profile) -> Result<&'a Profile, String> {
    let mut seen = vec![profile.name.as_str()];
    let mut holder = profile;
    loop {
        let why = match &holder.holds {
            Holds::LongTermKey { .. } => return Ok(holder),
            Holds::NoLongTermKey(why) => why,
        };
        let Some(source) = &holder.source_profile else {
            return Err(if holder.name == profile.name {
                why.clone()
            } else {
                format!("uses profile {}, which has no key: {why}", holder.name)
            });
        };
        if seen.contains(&source.as_str()) {
            return Err(format!("its source profiles lead back to {source}"));
        }
        holder = profiles
            .iter()
            .find(|other| other.name == *source)
            .ok_or_else(|| format!("its source profile {source} is in neither file"))?;
        seen.push(&holder.name);
    }
}

/// The profile whose long-term key stands behind a profile, and the profiles that assume roles from there on, in the
/// order in which those are assumed.
///
/// # Errors
///
/// Why there is none, in words for the user.
pub fn role_chain<'a>(
    profiles: &'a [Profile],
    profile: &'a Profile,
) -> Result<(&'a Profile, Vec<&'a Profile>), String> {
    let holder = key_holder(profiles, profile)?;
    let mut roles = Vec::new();
    let mut current = profile;
    // A profile may be its own source: its key assumes its role.
    while let (Some(_), Some(source)) = (&current.role_arn, &current.source_profile) {
        roles.push(current);
        if current.name == holder.name {
            break;
        }
        let found = profiles.iter().find(|other| other.name == *source);
        current = found.expect("key_holder has followed it");
    }
    roles.reverse();
    Ok((holder, roles))
}

/// Why the files give no profiles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfilesError {
    /// A line that is not UTF-8.
    #[error("line {line} is not UTF-8 text")]
    NotText {
        /// In which file.
        kind: FileKind,
        /// Counted from 1.
        line: usize,
    },
    /// A line that neither reader takes.
    #[error("{error}")]
    Line {
        /// In which file.
        kind: FileKind,
        /// The line, and why.
        error: LineError,
    },
}

/// Lists the profiles of both files in the order of the credentials file, then of the config file.
///
/// The credentials file beats the config file property by property. Where the SDK refuses a file that botocore
/// reads (a BOM-free file with indented keys, say) botocore's view serves: people use what works for them.
///
/// # Errors
///
/// When a file is not text, or neither reader takes it.
pub fn profiles(credentials: &Document, config: Option<&Document>) -> Result<Vec<Profile>, ProfilesError> {
    let credentials = sections(credentials, FileKind::Credentials)?;
    let config = config.map_or(Ok(Vec::new()), |config| sections(config, FileKind::Config))?;
    let mut names: Vec<&str> = Vec::new();
    for section in credentials.iter().chain(&config) {
        if !names.contains(&section.profile.as_str()) {
            names.push(&section.profile);
        }
    }
    let find = |sections: &[Section], name: &str| sections.iter().find(|s| s.profile == name).cloned();
    Ok(names
        .iter()
        .map(|name| {
            let in_credentials = find(&credentials, name);
            let in_config = find(&config, name);
            let get = |property: &str| {
                let value = |section: &Option<Section>, kind| {
                    let property = section.as_ref()?.get(property)?;
                    Some((property.value.clone(), kind, property.line))
                };
                value(&in_credentials, FileKind::Credentials).or_else(|| value(&in_config, FileKind::Config))
            };
            Profile {
                name: (*name).to_owned(),
                source_profile: get("source_profile").map(|(value, ..)| value),
                role_arn: get("role_arn").map(|(value, ..)| value),
                role_session_name: get("role_session_name").map(|(value, ..)| value),
                external_id: get("external_id").map(|(value, ..)| value),
                mfa_serial: get("mfa_serial").map(|(value, ..)| value),
                holds: holds(get),
            }
        })
        .collect())
}

/// One file's sections as the SDK reads them, or else as botocore does.
fn sections(document: &Document, kind: FileKind) -> Result<Vec<Section>, ProfilesError> {
    let text = document
        .text()
        .map_err(|line| ProfilesError::NotText { kind, line })?;
    sdk_reader::read(text, kind)
        .or_else(|error| botocore_reader::read(text, kind).map_err(|_| error))
        .map_err(|error| ProfilesError::Line { kind, error })
}

/// Decides what a profile stands for. `get` gives a property with its file and its line.
fn holds(get: impl Fn(&str) -> Option<(String, FileKind, usize)>) -> Holds {
    let (id, secret) = match (get(ACCESS_KEY_ID), get(SECRET_ACCESS_KEY)) {
        (None, None) => return Holds::NoLongTermKey(other_source(get)),
        (Some(_), None) => return Holds::NoLongTermKey(format!("{SECRET_ACCESS_KEY} is missing")),
        (None, Some(_)) => return Holds::NoLongTermKey(format!("{ACCESS_KEY_ID} is missing")),
        (Some(id), Some(secret)) => (id, secret),
    };
    if id.0.is_empty() || secret.0.is_empty() {
        let empty = if id.0.is_empty() {
            ACCESS_KEY_ID
        } else {
            SECRET_ACCESS_KEY
        };
        return Holds::NoLongTermKey(format!("{empty} is empty"));
    }
    let file = id.1;
    if file != secret.1 {
        return Holds::NoLongTermKey(
            "one half of the key is in the credentials file, the other in the config".into(),
        );
    }
    match AccessKeyId::parse(&id.0) {
        Err(error) => Holds::NoLongTermKey(format!("line {}: {error}", id.2)),
        Ok(id) if id.kind() == AccessKeyKind::Temporary || get(SESSION_TOKEN).is_some() => {
            Holds::NoLongTermKey("a temporary key with a session token, which ends by itself".into())
        }
        Ok(id) => {
            let access_key = AccessKey {
                id,
                secret: SecretAccessKey::new(secret.0),
            };
            Holds::LongTermKey { access_key, file }
        }
    }
}

/// Why a profile without a key pair has none.
fn other_source(get: impl Fn(&str) -> Option<(String, FileKind, usize)>) -> String {
    let value = |name: &str| get(name).map(|(value, ..)| value);
    if let Some(role) = value("role_arn") {
        return match value("source_profile") {
            Some(source) => format!("assumes {role} with the key of profile {source}"),
            None => format!("assumes {role}"),
        };
    }
    if let Some(session) = value("sso_session").or_else(|| value("sso_start_url")) {
        return format!("signs in through SSO ({session})");
    }
    if value("credential_process").is_some() {
        return "gets its credentials from a credential_process".into();
    }
    if value("login_session").is_some() {
        return "signs in through aws login".into();
    }
    "holds settings only".into()
}

/// Up to three names that a mistyped profile may have meant, the nearest first.
pub fn near<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<(usize, &str)> = names
        .map(|name| {
            (
                strsim::osa_distance(&typed.to_lowercase(), &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= 1 + typed.chars().count() / 3)
        .collect();
    near.sort();
    near.into_iter().map(|(_, name)| name).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(credentials: &str, config: &str) -> Profile {
        let config = Document::parse(config);
        let mut all = profiles(&Document::parse(credentials), Some(&config)).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn why(credentials: &str, config: &str) -> String {
        match only(credentials, config).holds {
            Holds::NoLongTermKey(why) => why,
            Holds::LongTermKey { .. } => panic!("holds a key"),
        }
    }

    #[test]
    fn a_pair_in_either_file_is_a_key() {
        let pair = format!(
            "aws_access_key_id=AKIA{}\nAWS_SECRET_ACCESS_KEY = s\n",
            "Y34FZKBOKMUTVV7A"
        );
        for (credentials, config, expected) in [
            (format!("[dev]\n{pair}"), String::new(), FileKind::Credentials),
            (String::new(), format!("[profile dev]\n{pair}"), FileKind::Config),
        ] {
            let Holds::LongTermKey { file, access_key } = only(&credentials, &config).holds else {
                panic!("holds a key")
            };
            assert_eq!((file, access_key.secret.expose()), (expected, "s"));
        }
    }

    #[test]
    fn roles_are_assumed_from_the_key_outwards() {
        let credentials = format!(
            "[base]\naws_access_key_id=AKIA{}\naws_secret_access_key=s\n",
            "Y34FZKBOKMUTVV7A"
        );
        let config = Document::parse(
            "[profile hub]\nrole_arn=arn:hub\nsource_profile=base\n[profile spoke]\nrole_arn=arn:spoke\n\
             source_profile=hub\nexternal_id=x\n[profile itself]\nrole_arn=arn:itself\nsource_profile=itself\n",
        );
        let all = profiles(&Document::parse(&*credentials), Some(&config)).unwrap();
        let chain = |name: &str| {
            let profile = all.iter().find(|profile| profile.name == name).unwrap();
            role_chain(&all, profile).map(|(holder, roles)| {
                let roles: Vec<&str> = roles.iter().filter_map(|role| role.role_arn.as_deref()).collect();
                (holder.name.clone(), roles)
            })
        };
        assert_eq!(chain("base"), Ok(("base".into(), vec![])));
        assert_eq!(chain("hub"), Ok(("base".into(), vec!["arn:hub"])));
        assert_eq!(chain("spoke"), Ok(("base".into(), vec!["arn:hub", "arn:spoke"])));
        assert_eq!(
            chain("itself").unwrap_err(),
            "its source profiles lead back to itself"
        );
    }

    #[test]
    fn what_is_no_long_term_key_says_why() {
        let temporary = format!(
            "[a]\naws_access_key_id=ASIA{}\naws_secret_access_key=s",
            "Y34FZKBOKMUTVV7A"
        );
        assert!(why(&temporary, "").contains("temporary"));
        assert!(why("", "[profile a]\nrole_arn=arn:x\nsource_profile=b").contains("profile b"));
        assert!(why("", "[profile a]\nsso_session=corp").contains("SSO (corp)"));
        assert!(why("", "[profile a]\ncredential_process=x").contains("credential_process"));
        assert!(why("[a]\naws_access_key_id=\"AKIA\"\naws_secret_access_key=s", "").contains("quotes"));
        assert!(why("[a]\naws_access_key_id=AKIA", "").contains("aws_secret_access_key is missing"));
    }

    #[test]
    fn a_role_leads_to_the_key_that_assumes_it() {
        let credentials = format!(
            "[base]\naws_access_key_id=AKIA{}\naws_secret_access_key=s\n",
            "Y34FZKBOKMUTVV7A"
        );
        let config = "[profile a]\nrole_arn=arn:x\nsource_profile=b\n[profile b]\nrole_arn=arn:y\n\
                      source_profile=base\n[profile c]\nrole_arn=arn:z\nsource_profile=d\n[profile d]\n\
                      source_profile=c\n[profile e]\nsource_profile=sso\n[profile sso]\nsso_session=corp\n";
        let all = profiles(&Document::parse(credentials), Some(&Document::parse(config))).unwrap();
        let holder = |name: &str| {
            let profile = all.iter().find(|profile| profile.name == name).unwrap();
            key_holder(&all, profile).map(|holder| holder.name.as_str())
        };
        assert_eq!(holder("base"), Ok("base"));
        assert_eq!(holder("a"), Ok("base"));
        assert!(holder("c").unwrap_err().contains("lead back to c"));
        assert!(holder("e").unwrap_err().contains("SSO (corp)"));
    }

    #[test]
    fn near_names_are_offered_nearest_first() {
        let names = ["dev", "prod", "dev-eu", "staging"];
        assert_eq!(near("dve", names.into_iter()), ["dev"]);
        assert_eq!(near("Prod", names.into_iter()), ["prod"]);
        assert!(near("zzzzzz", names.into_iter()).is_empty());
    }
}
