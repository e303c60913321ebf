//! What is not repeated: a word of the command line that may be a secret in the wrong place, and whatever may be one in
//! AWS's files, in the settings or in AWS's variables, as whose value it may stand there. Cuts it; a file of that name is
//! what was meant.

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use crate::credentials::location::Locations;
use crate::problem::{beginning, guarded, long_runs, may_be_secret};
use crate::process::Environment;

/// The text as it may be printed.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    let text = TYPED
        .iter()
        .fold(Cow::Borrowed(text), |text, value| instead(text, value, guarded));
    // The files are read for what is as long as a secret; little is.
    if long_runs(&text).next().is_none() {
        return text;
    }
    let known = |run: &str| READ.iter().find(|value| run.contains(value.as_str()));
    let mut found: Vec<&String> = long_runs(&text).filter_map(known).collect();
    found.dedup();
    found
        .into_iter()
        .fold(text, |text, value| instead(text, value, beginning))
}

fn instead<'a>(text: Cow<'a, str>, value: &str, shown: fn(&str) -> String) -> Cow<'a, str> {
    if text.contains(value) {
        Cow::Owned(text.replace(value, &shown(value)))
    } else {
        text
    }
}

/// Words of the command line.
static TYPED: LazyLock<Vec<String>> = LazyLock::new(|| {
    std::env::args_os()
        .skip(1)
        .filter_map(|word| word.into_string().ok())
        .flat_map(|word| {
            let value = word.split_once('=').map(|(_, value)| value.to_owned());
            // As in -pNAME.
            let attached = word.strip_prefix('-').and_then(|rest| rest.get(1..));
            [value, attached.map(str::to_owned), Some(word)]
        })
        .flatten()
        .filter(|value| guarded(value) != *value && !Path::new(value).exists())
        .collect()
});

/// What may be a secret in files and variables.
static READ: LazyLock<Vec<String>> = LazyLock::new(|| {
    let environment = Environment::of_this_process();
    let mut values: Vec<String> = paths(&environment)
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .flat_map(|text| text.lines().flat_map(in_line).collect::<Vec<_>>())
        .collect();
    let variables = environment
        .names()
        .filter_map(std::ffi::OsStr::to_str)
        .filter(|name| name.starts_with("AWS_"));
    values.extend(
        variables
            .filter_map(|name| environment.get_str(name))
            .flat_map(in_line),
    );
    values.sort_unstable();
    values.dedup();
    values
});

/// What may be a secret in a line, or in a value alone.
fn in_line(line: &str) -> Vec<String> {
    let value = line.split_once('=').map_or(line, |(_, value)| value).trim();
    if long_runs(line).next().is_none() || Path::new(value).exists() {
        return Vec::new();
    }
    let runs = long_runs(line).filter(|run| may_be_secret(run));
    // The slashes of an address are base64's characters too.
    runs.map(|run| run.strip_prefix("//").unwrap_or(run).to_owned())
        .collect()
}

fn paths(environment: &Environment) -> Vec<std::path::PathBuf> {
    let mut paths = Vec::new();
    if let Some(locations) = Locations::of(environment) {
        paths.extend([locations.credentials, locations.config]);
    }
    #[cfg(feature = "aws")]
    {
        paths.push(crate::settings::SYSTEM_FILE.into());
        paths.extend(crate::settings::user_file(environment));
    }
    paths
}
