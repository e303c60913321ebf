//! Finds the place of a pair's two values, or the line for which AWS's readers would not agree about them.
//! Changes nothing.

use std::ops::Range;

use super::document::{Document, Edit};
use super::profile::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use super::{FileKind, LineError, Property, Section, botocore_reader, sdk_reader};
use crate::access_key::AccessKey;

/// The pair of one profile in one file, with the place of both values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The profile.
    pub profile: String,
    /// The lines of the key ID and of the secret, counted from 1.
    pub lines: (usize, usize),
    spans: (Range<usize>, Range<usize>),
}

impl Pair {
    /// The edits that put `new` in place of the pair.
    pub fn replaced_by(&self, new: &AccessKey) -> [Edit; 2] {
        [
            Edit {
                span: self.spans.0.clone(),
                value: new.id.as_str().to_owned(),
            },
            Edit {
                span: self.spans.1.clone(),
                value: new.secret.expose().to_owned(),
            },
        ]
    }
}

/// Finds every profile of the file that holds `key`, where both of AWS's readers agree about it.
///
/// # Errors
///
/// The line over which they do not agree, or for which one of them refuses the file.
pub fn pairs_of(document: &Document, kind: FileKind, key: &AccessKey) -> Result<Vec<Pair>, LineError> {
    let text = document
        .text()
        .map_err(|line| LineError::new(line, "this is not UTF-8 text"))?;
    if text.starts_with('\u{feff}') {
        return Err(LineError::new(
            1,
            "the file begins with a byte order mark, which neither the SDKs nor the AWS CLI read",
        ));
    }
    let sdk = sdk_reader::read(text, kind).map_err(|error| {
        LineError::new(error.line, format!("the AWS SDKs refuse the file: {}", error.why))
    })?;
    let cli = botocore_reader::read(text, kind).map_err(|error| {
        LineError::new(error.line, format!("the AWS CLI refuses the file: {}", error.why))
    })?;
    let holders = |sections: &[Section]| -> Vec<String> {
        let mentions = |section: &&Section| {
            let holds = |name: &str, half: &str| section.get(name).is_some_and(|p| p.value.contains(half));
            holds(ACCESS_KEY_ID, key.id.as_str()) || holds(SECRET_ACCESS_KEY, key.secret.expose())
        };
        sections
            .iter()
            .filter(mentions)
            .map(|section| section.profile.clone())
            .collect()
    };
    let mut names = holders(&sdk);
    names.extend(
        holders(&cli)
            .into_iter()
            .filter(|name| !holders(&sdk).contains(name)),
    );
    names
        .iter()
        .map(|name| pair(text, name, &sdk, &cli, key))
        .collect()
}

/// A file with more mistakes than this is no file of profiles.
const MOST_MISTAKES: usize = 20;

/// Every line for which one of AWS's readers refuses the file, or over which they do not agree about a pair; in the
/// order of the lines.
pub fn mistakes(document: &Document, kind: FileKind) -> Vec<LineError> {
    let text = match document.text() {
        Ok(text) => text,
        Err(line) => return vec![LineError::new(line, "this is not UTF-8 text")],
    };
    let mut mistakes = Vec::new();
    if text.starts_with('\u{feff}') {
        let why = "the file begins with a byte order mark, which neither the SDKs nor the AWS CLI read";
        return vec![LineError::new(1, why)];
    }
    let sdk = refusals(text, |text| sdk_reader::read(text, kind));
    let cli = refusals(text, |text| botocore_reader::read(text, kind));
    for error in &cli {
        let both = sdk.iter().any(|other| other.line == error.line);
        let who = if both {
            "all of AWS's readers refuse"
        } else {
            "the AWS CLI refuses"
        };
        mistakes.push(LineError::new(
            error.line,
            format!("{who} the file: {}", error.why),
        ));
    }
    for error in sdk
        .iter()
        .filter(|error| !cli.iter().any(|other| other.line == error.line))
    {
        let why = format!("the AWS SDKs refuse the file: {}", error.why);
        mistakes.push(LineError::new(error.line, why));
    }
    if let (Ok(sdk), Ok(cli)) = (sdk_reader::read(text, kind), botocore_reader::read(text, kind)) {
        mistakes.extend(disagreements(text, &sdk, &cli));
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    mistakes.dedup_by_key(|mistake| mistake.line);
    mistakes
}

/// Everything that a reader refuses. It stops at the first; that line is put out of its way, and it reads again.
fn refusals(text: &str, read: impl Fn(&str) -> Result<Vec<Section>, LineError>) -> Vec<LineError> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut refusals = Vec::new();
    while let Err(error) = read(&lines.join("\n")) {
        let Some(line) = lines.get_mut(error.line - 1) else {
            break;
        };
        // What stands below a section that counts for nothing must not fall to the one above it.
        *line = if line.trim_start().starts_with('[') {
            format!("[keyagent-line-{}]", error.line)
        } else {
            String::new()
        };
        refusals.push(error);
        if refusals.len() == MOST_MISTAKES {
            break;
        }
    }
    refusals
}

/// Where the readers take a file, and see different pairs in it.
fn disagreements(text: &str, sdk: &[Section], cli: &[Section]) -> Vec<LineError> {
    let names = [ACCESS_KEY_ID, SECRET_ACCESS_KEY];
    let holds_any = |section: &&Section| names.iter().any(|name| section.get(name).is_some());
    let mut mistakes = Vec::new();
    for section in sdk.iter().filter(holds_any) {
        match cli.iter().find(|other| other.profile == section.profile) {
            Some(other) => {
                let of_names = names.iter().map(|name| agreed(text, section, other, name));
                mistakes.extend(of_names.filter_map(Result::err));
            }
            None => mistakes.push(unseen_by_cli(section)),
        }
    }
    for section in cli.iter().filter(holds_any) {
        if !sdk.iter().any(|other| other.profile == section.profile) {
            mistakes.push(unseen_by_sdks(section));
        }
    }
    mistakes
}

fn unseen_by_cli(section: &Section) -> LineError {
    LineError::new(
        section.line,
        format!(
            "the AWS CLI does not take this section as profile {}",
            section.profile
        ),
    )
}

fn unseen_by_sdks(section: &Section) -> LineError {
    LineError::new(
        section.line,
        "the AWS SDKs ignore this section: they do not take it as a profile",
    )
}

/// One profile's pair, if both readers see it alike.
fn pair(
    text: &str,
    name: &str,
    sdk: &[Section],
    cli: &[Section],
    key: &AccessKey,
) -> Result<Pair, LineError> {
    let find = |sections: &[Section]| sections.iter().find(|section| section.profile == name).cloned();
    let (sdk, cli) = match (find(sdk), find(cli)) {
        (Some(sdk), Some(cli)) => (sdk, cli),
        (Some(section), None) => return Err(unseen_by_cli(&section)),
        (None, Some(section)) => return Err(unseen_by_sdks(&section)),
        (None, None) => unreachable!("the name comes from one of the two"),
    };
    let id = agreed(text, &sdk, &cli, ACCESS_KEY_ID)?;
    let secret = agreed(text, &sdk, &cli, SECRET_ACCESS_KEY)?;
    if id.value != key.id.as_str() {
        return Err(LineError::new(
            id.line,
            "the key ID is not the one that this secret belongs to",
        ));
    }
    if secret.value != key.secret.expose() {
        return Err(LineError::new(
            secret.line,
            format!("profile {name} has another secret for the same key ID"),
        ));
    }
    Ok(Pair {
        profile: name.to_owned(),
        lines: (id.line, secret.line),
        spans: (id.span, secret.span),
    })
}

/// One property on which both readers agree to the byte, on one line.
fn agreed(text: &str, sdk: &Section, cli: &Section, name: &str) -> Result<Property, LineError> {
    let (sdk, cli) = match (sdk.get(name), cli.get(name)) {
        (Some(sdk), Some(cli)) => (sdk, cli),
        (Some(one), None) | (None, Some(one)) => {
            return Err(LineError::new(
                one.line,
                format!("only one of AWS's readers finds {name} here"),
            ));
        }
        (None, None) => {
            return Err(LineError::new(
                sdk.line,
                format!("{name} is missing in this section"),
            ));
        }
    };
    if let Some(line) = sdk.continued_on.or(cli.continued_on) {
        return Err(LineError::new(
            line,
            format!("this indented line is taken as a part of {name} by one of AWS's readers"),
        ));
    }
    if sdk.value != cli.value || sdk.span != cli.span {
        let line = text[cli.span.start..].lines().next().unwrap_or_default();
        let why = if line.contains(['#', ';']) {
            "the AWS CLI takes the comment behind the value as a part of it"
        } else {
            "the AWS CLI and the SDKs read different values"
        };
        return Err(LineError::new(cli.line, why));
    }
    Ok(sdk.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_key::{AccessKeyId, SecretAccessKey};

    fn key() -> AccessKey {
        let id = AccessKeyId::parse(&format!("AKIA{}", "Y34FZKBOKMUTVV7A")).unwrap();
        AccessKey {
            id,
            secret: SecretAccessKey::new("s3cr3t/secret+x"),
        }
    }

    /// `ID` and `SECRET` stand for the halves of the pair.
    fn pairs(file: &str) -> Result<Vec<Pair>, LineError> {
        let file = file
            .replace("ID", key().id.as_str())
            .replace("SECRET", key().secret.expose());
        pairs_of(&Document::parse(file), FileKind::Credentials, &key())
    }

    #[test]
    fn a_plain_pair_is_found_and_replaced_in_place() {
        let file = format!(
            "# mine\r\n[dev]\r\nAWS_ACCESS_KEY_ID=  {} \r\n\r\naws_secret_access_key = {}",
            key().id,
            key().secret.expose()
        );
        let document = Document::parse(file);
        let pairs = pairs_of(&document, FileKind::Credentials, &key()).unwrap();
        assert_eq!((pairs[0].profile.as_str(), pairs[0].lines), ("dev", (3, 5)));
        let new = AccessKey {
            id: AccessKeyId::parse(&"N".repeat(20)).unwrap(),
            secret: SecretAccessKey::new("new"),
        };
        let edited = document.with(&pairs[0].replaced_by(&new));
        let expected = format!(
            "# mine\r\n[dev]\r\nAWS_ACCESS_KEY_ID=  {} \r\n\r\naws_secret_access_key = new",
            new.id
        );
        assert_eq!(edited.to_bytes(), expected.as_bytes());
    }

    #[test]
    fn every_profile_with_the_pair_is_found_and_no_other() {
        let file = "[a]\naws_access_key_id=ID\naws_secret_access_key=SECRET\n[b]\naws_access_key_id=other\n\
                    aws_secret_access_key=x\n[c]\naws_access_key_id=ID\naws_secret_access_key=SECRET\n";
        let names: Vec<_> = pairs(file)
            .unwrap()
            .into_iter()
            .map(|pair| pair.profile)
            .collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn every_mistake_is_named_and_none_twice() {
        let id = "aws_access_key_id = ID\n";
        let secret = "aws_secret_access_key = SECRET\n";
        for (file, lines) in [
            (format!("[a]\n{id}{secret}[b]\nregion = x\n"), vec![]),
            // A doubled section's values are not taken for doubles of the section above.
            (
                format!("[a]\n{id}{secret}[a]\n{id}{secret}nonsense\n[b]\n{id}"),
                vec![4, 7],
            ),
            (format!("[a]\n{id}{secret}[b\n{id}{secret}[a]\n"), vec![4, 7]),
            (
                format!("[a]\n{id} # mine\n{secret}[b]\n{id}{secret}  # note\n[c]\n{id}"),
                vec![3, 8, 9],
            ),
            (
                format!("[a]\naws_access_key_id = ID # x\n{secret}[ b ]\n{id}{secret}"),
                vec![2, 4],
            ),
        ] {
            let found = mistakes(&Document::parse(file.clone()), FileKind::Credentials);
            let found: Vec<usize> = found.iter().map(|mistake| mistake.line).collect();
            assert_eq!(found, lines, "{file}");
        }
        assert_eq!(
            mistakes(&Document::parse(*b"[a]\n\xff"), FileKind::Config)[0].line,
            2
        );
        let noise = Document::parse("x\n".repeat(100));
        assert_eq!(mistakes(&noise, FileKind::Config).len(), MOST_MISTAKES);
    }

    #[test]
    fn what_the_readers_see_differently_is_refused_by_line() {
        let id = "aws_access_key_id = ID\n";
        let secret = "aws_secret_access_key = SECRET\n";
        for (file, line, why) in [
            (
                format!("[a]\naws_access_key_id = ID # mine\n{secret}"),
                2,
                "comment",
            ),
            (format!("[a]\n{id}  # note\n{secret}"), 3, "indented"),
            (format!("[a]\n{id}{secret}[a]\nregion=x\n"), 4, "twice"),
            (format!("[a]\n{id}{id}{secret}"), 3, "twice"),
            (format!("  [a]\n{id}{secret}"), 1, "SDKs refuse"),
            (format!("[ a ]\n{id}{secret}"), 1, "CLI does not take"),
            (format!("[a]\n  {id}  {secret}"), 2, "SDKs refuse"),
            (format!("[a]\naws_access_key_id: ID\n{secret}"), 2, "SDKs refuse"),
            (
                format!("[a]\naws_access_key_id = \"ID\"\n{secret}"),
                2,
                "not the one",
            ),
            (format!("[profile a]\n{id}{secret}"), 1, "SDKs ignore"),
            (format!("\u{feff}[a]\n{id}{secret}"), 1, "byte order mark"),
            (format!("[a]\n{id}{secret}nonsense\n"), 4, "refuse"),
            (
                format!("[a]\n{id}aws_secret_access_key = other\n"),
                3,
                "another secret",
            ),
            (format!("[a]\n{id}"), 1, "missing"),
        ] {
            let error = pairs(&file).unwrap_err();
            assert_eq!(error.line, line, "{file}: {error}");
            assert!(error.why.contains(why), "{file}: {error}");
        }
    }
}
