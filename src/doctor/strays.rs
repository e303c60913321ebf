//! Keys where they do not belong: in what a shell reads when it starts, and in the environment. No rotation reaches
//! those, and any program that is started can read the latter.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{Area, Check, Level};
use crate::access_key::{AccessKeyId, AccessKeyKind};
use crate::process::Environment;
use crate::scan::allow::{self, AllowFile, Date};
use crate::scan::detector::Rule;
use crate::scan::own_keys::OwnKeys;
use crate::scan::{Finding, Scan, Scanner};

/// What bash, zsh, fish, ksh, PAM and systemd read at a login, below the home folder.
const SHELL_PROFILES: [&str; 16] = [
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".kshrc",
    ".envrc",
    ".xprofile",
    ".pam_environment",
    ".config/fish/config.fish",
    ".config/plasma-workspace/env/aws.sh",
];
/// Folders of which every file is read.
const SHELL_FOLDERS: [&str; 3] = [".config/environment.d", ".config/fish/conf.d", ".bashrc.d"];
/// The key that AWS's tools take before any file's.
const KEY: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
];

/// Looks at the shells' files below `home`, if there is one, and at the environment.
pub fn check(home: Option<&Path>, environment: &Environment, today: Date) -> Vec<Check> {
    // Without one's own keys, which a file that cannot be read may hold, the scanner still knows a key when it sees one.
    let own = OwnKeys::load(environment, Some(today)).unwrap_or_else(|_| OwnKeys::none());
    let scanner = Scanner::new(own).on(today);
    let mut checks = home.map_or_else(Vec::new, |home| shell_profiles(&scanner, home, today));
    checks.extend(variables(&scanner, environment, today));
    checks
}

fn shell_profiles(scanner: &Scanner, home: &Path, today: Date) -> Vec<Check> {
    let mut paths: Vec<PathBuf> = SHELL_PROFILES.iter().map(|name| home.join(name)).collect();
    for folder in SHELL_FOLDERS {
        let entries = std::fs::read_dir(home.join(folder))
            .into_iter()
            .flatten()
            .flatten();
        paths.extend(entries.map(|entry| entry.path()));
    }
    let (mut checks, mut looked_at) = (Vec::new(), 0);
    for path in paths.iter().filter(|path| path.is_file()) {
        match File::open(path).and_then(|file| scanner.read(file)) {
            Ok(content) => {
                looked_at += 1;
                let mut scan = Scan::default();
                scan.look_at(&path.to_string_lossy(), content);
                checks.extend(keys(scan, today).iter().map(|key| in_file(key, path)));
            }
            Err(error) => {
                let message = format!("{} could not be looked into: {error}", path.display());
                let check = Check::new(Area::Strays, "shell-profiles", Level::Unknown, message);
                checks.push(
                    check
                        .at(path)
                        .mended_by(format!("ls -l {}", crate::problem::quoted(path))),
                );
            }
        }
    }
    if checks.is_empty() {
        let message = match looked_at {
            0 => "no shell profile is there".to_owned(),
            1 => "no key in the one shell profile".to_owned(),
            _ => format!("no key in the {looked_at} shell profiles"),
        };
        checks.push(Check::new(Area::Strays, "shell-profiles", Level::Ok, message));
    }
    checks
}

/// The findings of each key, the first by itself first; what somebody allowed with a reason is left out.
fn keys(scan: Scan, today: Date) -> Vec<Vec<Finding>> {
    let nothing = AllowFile::default();
    let settled = allow::settle(scan, allow::OwnKeys::Block, today, |path| {
        (&nothing, path.to_owned())
    });
    let mut keys: Vec<Vec<Finding>> = Vec::new();
    for finding in settled.findings {
        match keys.iter_mut().find(|key| key[0].group == finding.group) {
            Some(key) => key.push(finding),
            None => keys.push(vec![finding]),
        }
    }
    keys
}

fn in_file(key: &[Finding], path: &Path) -> Check {
    let line = key[0].line;
    let (level, what) = told(key);
    let message = format!(
        "{}, line {line}: {what}; no rotation reaches it there",
        path.display()
    );
    Check::new(Area::Strays, "shell-profiles", level, message).at_line(path, line)
}

/// A key ID alone opens nothing.
fn told(key: &[Finding]) -> (Level, String) {
    let id = key.iter().find_map(|finding| finding.access_key_id.as_ref());
    let secret = key.iter().find(|finding| match finding.rule {
        Rule::AccessKeyId => false,
        Rule::SecretAccessKey | Rule::SessionToken => true,
        Rule::OwnKey => finding
            .access_key_id
            .as_ref()
            .is_none_or(|id| id.as_str() != finding.preview),
    });
    let of = match key.iter().find_map(|finding| finding.profile.as_deref()) {
        Some(profile) => format!(" of profile {profile}"),
        None => String::new(),
    };
    let has_id = key
        .iter()
        .any(|finding| id.is_some_and(|id| id.as_str() == finding.preview));
    match (secret, id) {
        (Some(_), Some(id)) if !has_id => (Level::Problem, format!("the secret of the key {id}{of}")),
        (Some(_), Some(id)) => (Level::Problem, format!("the key {id}{of} with its secret")),
        (Some(secret), None) => (Level::Problem, format!("a secret{of} ({})", secret.preview)),
        (None, Some(id)) => (Level::Warning, format!("the key ID {id}{of}")),
        (None, None) => (Level::Warning, format!("a part of a key{of}")),
    }
}

fn variables(scanner: &Scanner, environment: &Environment, today: Date) -> Vec<Check> {
    let mut checks: Vec<Check> = the_key(environment).into_iter().collect();
    for name in environment.names() {
        let Some(name) = name.to_str().filter(|name| !KEY.contains(name)) else {
            continue;
        };
        let value = environment.get(name).unwrap_or_default().to_string_lossy();
        let mut scan = Scan::default();
        scan.look_at(name, scanner.bytes(format!("{name}={value}\n").as_bytes()));
        for key in keys(scan, today) {
            let (level, what) = told(&key);
            let message =
                format!("the variable {name} holds {what}; every program that you start can read it");
            let check = Check::new(Area::Strays, "environment", level, message);
            checks.push(check.mended_by(format!("unset {name}")));
        }
    }
    if checks.is_empty() {
        checks.push(Check::new(
            Area::Strays,
            "environment",
            Level::Ok,
            "no key in the environment",
        ));
    }
    checks
}

/// What the SDKs and the AWS CLI take before any profile.
fn the_key(environment: &Environment) -> Option<Check> {
    let id = environment.get_str(KEY[0]);
    let has_secret = environment.get(KEY[1]).is_some();
    if id.is_none() && !has_secret {
        return None;
    }
    let is_temporary = id
        .and_then(|id| AccessKeyId::parse(id).ok())
        .is_some_and(|id| id.kind() == AccessKeyKind::Temporary);
    let shown = id.and_then(|id| AccessKeyId::parse(id).ok()).map_or_else(
        || "a key".to_owned(),
        |id| {
            format!(
                "the {} key {id}",
                if is_temporary { "temporary" } else { "long-term" }
            )
        },
    );
    let unset: Vec<&str> = KEY
        .into_iter()
        .filter(|name| environment.get(name).is_some())
        .collect();
    let message = format!("the environment holds {shown}, which AWS's tools take before any profile");
    // A temporary one ends by itself, and is how aws-vault and its like hand keys on.
    let level = if is_temporary { Level::Ok } else { Level::Warning };
    let check = Check::new(Area::Strays, "environment", level, message);
    Some(if is_temporary {
        check
    } else {
        check.mended_by(format!("unset {}", unset.join(" ")))
    })
}
