//! The values of settings: how each is read, shown, and which of two is the stricter.

use std::path::PathBuf;
use std::time::Duration;

use super::{NAMES, Settings};
use crate::secret_store::SecretStoreChoice;

pub(super) fn days(value: &str) -> Result<u32, String> {
    match value.parse() {
        Ok(days) if days <= 3650 => Ok(days),
        _ => Err(format!("`{value}` is not a number of days from 0 to 3650")),
    }
}

/// AWS records uses about every 15 minutes, so a shorter time would call a key idle that is not.
pub(super) fn minutes(value: &str) -> Result<u32, String> {
    match value.parse() {
        Ok(minutes) if (15..=525_600).contains(&minutes) => Ok(minutes),
        _ => Err(format!(
            "`{value}` is not a number of minutes from 15: AWS records uses every 15 minutes"
        )),
    }
}

/// As STS takes it: 9 to 256 of these characters.
pub(super) fn serial_number(value: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=/:,.@-".contains(c);
    if (9..=256).contains(&value.len()) && value.chars().all(fits) {
        Ok(value.to_owned())
    } else {
        Err(format!(
            "`{value}` is no serial number such as arn:aws:iam::123456789012:mfa/NAME"
        ))
    }
}

pub(super) fn boolean(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(format!("`{value}` is neither yes nor no")),
    }
}

pub(super) fn path(value: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(value);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("`{value}` is not an absolute path"))
    }
}

/// Several, with commas between them.
pub(super) fn paths(value: &str) -> Result<Vec<PathBuf>, String> {
    let one = |text: &str| {
        let path = PathBuf::from(text.trim());
        if path.is_absolute() || path.starts_with("~") {
            Ok(path)
        } else {
            Err(format!("`{}` is neither absolute nor below ~/", text.trim()))
        }
    };
    value
        .split(',')
        .filter(|text| !text.trim().is_empty())
        .map(one)
        .collect()
}

pub(super) fn command(value: &str) -> Result<String, String> {
    if value.trim().is_empty() {
        Err("there is no command".into())
    } else {
        Ok(value.to_owned())
    }
}

/// An address of http or https; without a path, where OTLP has metrics. It is shown and logged, so no password may be in it.
pub(super) fn collector(value: &str) -> Result<String, String> {
    if !cfg!(feature = "otlp") {
        return Err("this keyagent was built without the feature otlp, which sends metrics".into());
    }
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme));
    let (host, path) = match rest {
        Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
        None => ("", ""),
    };
    if host.is_empty() || value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("`{value}` is no address such as http://localhost:4318"));
    }
    if host.contains('@') {
        return Err("a password does not belong here; put it into OTEL_EXPORTER_OTLP_HEADERS".into());
    }
    Ok(if path.is_empty() {
        format!("{}/v1/metrics", value.trim_end_matches('/'))
    } else {
        value.to_owned()
    })
}

/// IAM is an account's, and its calls are limited by the account: not more often than once a minute.
pub(super) fn check_every(value: &str) -> Result<Duration, String> {
    let every = duration(value)?;
    if (Duration::from_mins(1)..=Duration::from_hours(24 * 7)).contains(&every) {
        Ok(every)
    } else {
        Err(format!("`{value}` is not between 1m and 7d"))
    }
}

/// Reads `500ms`, `30s`, `2m`, `6h`, `3d` or `1w`.
///
/// # Errors
///
/// Words for everything else.
pub fn duration(value: &str) -> Result<Duration, String> {
    let wrong = || format!("`{value}` is not a duration such as 500ms, 30s, 2m, 6h or 3d");
    let digits = value.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = value[..digits].parse().map_err(|_| wrong())?;
    let unit = value[digits..].trim();
    let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    number
        .checked_mul(*milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The way back, in the largest unit that fits.
fn shown(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (name, size) = UNITS
        .iter()
        .find(|(_, size)| milliseconds >= *size && milliseconds.is_multiple_of(*size))
        .unwrap_or(&("ms", 1));
    format!("{}{name}", milliseconds / size)
}

/// What to say of a name that is no setting.
pub(super) fn describe(name: &str) -> String {
    let near = NAMES
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, known)) => format!("there is no setting {name}; did you mean {known}?"),
        None => format!("there is no setting {name}"),
    }
}

fn yes_or_no(value: bool) -> String {
    if value { "yes".into() } else { "no".into() }
}

/// A setting as the file has it; `None` when it is not set.
pub(super) fn value_of(settings: &Settings, name: &str) -> Option<String> {
    Some(match name {
        "max_age_days" => settings.limits.max_age_days.to_string(),
        "warn_days" => settings.limits.warn_days.to_string(),
        "unused_days" => settings.unused_days.to_string(),
        "grace_days" => settings.grace_days.to_string(),
        "secret_store" => match settings.secret_store {
            SecretStoreChoice::Auto => "auto".into(),
            SecretStoreChoice::Keyring => "keyring".into(),
            SecretStoreChoice::File => "file".into(),
        },
        "mfa_serial" => settings.mfa_serial.clone()?,
        "also_update" if settings.also_update.is_empty() => return None,
        "also_update" => {
            let paths: Vec<String> = settings
                .also_update
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            paths.join(", ")
        }
        "after_rotate" => settings.after_rotate.clone()?,
        "verify_for" => shown(settings.verify_for),
        "verify_every" => shown(settings.verify_every),
        "auto_rotate" => yes_or_no(settings.auto_rotate),
        "idle_minutes" => settings.idle_minutes.to_string(),
        "notify" => yes_or_no(settings.notify),
        "quiet_hours" => settings.quiet_hours?.to_string(),
        "check_every" => shown(settings.check_every),
        "metrics_textfile" => settings.metrics_textfile.as_ref()?.display().to_string(),
        "metrics_otlp" => settings.metrics_otlp.clone()?,
        "metrics_key_ids" => yes_or_no(settings.metrics_key_ids),
        _ => return None,
    })
}

/// Puts what the system enforces into the settings, unless the user is stricter: a shorter age, an earlier warning,
/// a more frequent check. What is neither stricter nor looser is the system's.
pub(super) fn stricten(settings: &mut Settings, system: &Settings, name: &str) {
    match name {
        "max_age_days" => {
            settings.limits.max_age_days = settings.limits.max_age_days.min(system.limits.max_age_days);
        }
        "warn_days" => settings.limits.warn_days = settings.limits.warn_days.max(system.limits.warn_days),
        "unused_days" => settings.unused_days = settings.unused_days.min(system.unused_days),
        "grace_days" => settings.grace_days = settings.grace_days.min(system.grace_days),
        "check_every" => settings.check_every = settings.check_every.min(system.check_every),
        "auto_rotate" => settings.auto_rotate |= system.auto_rotate,
        "notify" => settings.notify |= system.notify,
        "idle_minutes" => settings.idle_minutes = system.idle_minutes,
        "secret_store" => settings.secret_store = system.secret_store,
        "mfa_serial" => settings.mfa_serial.clone_from(&system.mfa_serial),
        "also_update" => settings.also_update.clone_from(&system.also_update),
        "after_rotate" => settings.after_rotate.clone_from(&system.after_rotate),
        "verify_for" => settings.verify_for = system.verify_for,
        "verify_every" => settings.verify_every = system.verify_every,
        "quiet_hours" => settings.quiet_hours = system.quiet_hours,
        "metrics_textfile" => settings.metrics_textfile.clone_from(&system.metrics_textfile),
        "metrics_otlp" => settings.metrics_otlp.clone_from(&system.metrics_otlp),
        "metrics_key_ids" => settings.metrics_key_ids = system.metrics_key_ids,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_come_back_as_they_were() {
        for text in ["500ms", "30s", "2m", "6h", "3d", "1w", "0ms"] {
            assert_eq!(shown(duration(text).unwrap()), text);
        }
        assert!(duration("5").is_err() && duration("h").is_err() && duration("99999999999999w").is_err());
        assert!(check_every("30s").is_err() && check_every("1m").is_ok());
    }

    #[test]
    fn yes_and_no_are_read_in_any_spelling() {
        for word in ["yes", "YES", "True", "on", "1"] {
            assert_eq!(boolean(word), Ok(true), "{word}");
        }
        for word in ["no", "No", "FALSE", "Off", "0"] {
            assert_eq!(boolean(word), Ok(false), "{word}");
        }
        assert!(boolean("2").is_err() && boolean("").is_err());
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn a_collector_is_an_address_without_a_password() {
        for (value, expected) in [
            ("http://localhost:4318", "http://localhost:4318/v1/metrics"),
            ("https://collect.example/", "https://collect.example/v1/metrics"),
            (
                "https://collect.example/otlp/metrics",
                "https://collect.example/otlp/metrics",
            ),
        ] {
            assert_eq!(collector(value).unwrap(), expected);
        }
        for wrong in [
            "localhost:4318",
            "http://",
            "http://a b",
            "https://ann:secret@collect.example",
        ] {
            let why = collector(wrong).unwrap_err();
            assert!(!why.contains("secret@"), "{why}");
        }
    }

    #[cfg(not(feature = "otlp"))]
    #[test]
    fn a_collector_needs_the_feature() {
        assert!(
            collector("http://localhost:4318")
                .unwrap_err()
                .contains("feature otlp")
        );
    }
}
