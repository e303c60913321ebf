//! What is wrong between lines that are each right: a setting twice or where it has no effect, limits that contradict each
//! other, and what a company enforces. None of it keeps the settings from being taken; `settings check` names it.

use super::file::{Entry, File};
use super::values::{stricten, value_of};
use super::{AllSettings, Error, NAMES, SYSTEM_FILE, Settings, set};

/// All of it, by file and line.
pub(super) fn contradictions(system: Option<&File>, user: Option<&File>) -> Vec<Error> {
    let mut all: Vec<Error> = system.into_iter().chain(user).flat_map(doubled).collect();
    if let (Some(system), Some(user)) = (system.filter(|system| system.enforced), user) {
        all.extend(loosened(system, user));
    }
    all.extend(system.into_iter().chain(user).flat_map(without_effect));
    all.extend(user.into_iter().flat_map(enforcing));
    all.extend(always_due(system, user));
    all
}

/// The agent has one clock, one screen and one collector, and secrets lie in one place: these are no profile's.
const GENERAL: [&str; 6] = [
    "check_every",
    "metrics_key_ids",
    "metrics_otlp",
    "metrics_textfile",
    "quiet_hours",
    "secret_store",
];

/// Settings of a profile that hold for all or not at all.
fn without_effect(file: &File) -> Vec<Error> {
    let of_profile = file.lines.iter().filter(|(profile, ..)| profile.is_some());
    of_profile
        .filter(|(_, name, _)| GENERAL.contains(&name.as_str()))
        .map(|(_, name, line)| file.mistake(*line, format!("{name} has an effect in [defaults] alone")))
        .collect()
}

/// Nobody enforces anything on themselves.
fn enforcing(user: &File) -> Vec<Error> {
    let lines = user.lines.iter().filter(|(_, name, _)| name == "enforce");
    lines
        .map(|(_, name, line)| user.mistake(*line, format!("{name} has an effect in {SYSTEM_FILE} alone")))
        .collect()
}

/// The last one holds, as for every reader of such files; whoever edits the first wonders.
fn doubled(file: &File) -> Vec<Error> {
    let mut first: Vec<(&Option<String>, &str, usize)> = Vec::new();
    let mut doubled = Vec::new();
    for (section, name, line) in &file.lines {
        match first
            .iter()
            .find(|(known, other, _)| (*known, *other) == (section, name))
        {
            Some((_, _, at)) => {
                doubled.push(file.mistake(
                    *line,
                    format!("{name} stands in line {at} already; the last one holds"),
                ));
            }
            None if name == "enforce" || NAMES.contains(&name.as_str()) => first.push((section, name, *line)),
            None => {}
        }
    }
    doubled
}

/// Lines of the user that do not hold, because the company's are stricter.
fn loosened(system: &File, user: &File) -> Vec<Error> {
    let mut loosened = Vec::new();
    for entry in &user.entries {
        let profile = entry.profile.as_deref();
        let Some(enforced) = system.of(profile).filter(|other| other.name == entry.name).last() else {
            continue;
        };
        let (mut settings, mut enforcing) = (Settings::default(), Settings::default());
        let is_valid = set(&mut settings, &entry.name, &entry.value).is_ok()
            && set(&mut enforcing, &enforced.name, &enforced.value).is_ok();
        let wanted = value_of(&settings, &entry.name);
        stricten(&mut settings, &enforcing, &entry.name);
        let holds = value_of(&settings, &entry.name);
        if is_valid && wanted != holds {
            loosened.push(user.mistake(
                entry.line,
                format!(
                    "{} does not hold: {}, line {}, enforces {}",
                    entry.name,
                    system.path.display(),
                    enforced.line,
                    holds.as_deref().unwrap_or("none")
                ),
            ));
        }
    }
    loosened
}

/// A warning that is not before the limit: such a key is due on its first day, and every day.
fn always_due(system: Option<&File>, user: Option<&File>) -> Vec<Error> {
    let files: Vec<&File> = system.into_iter().chain(user).collect();
    let Ok(all) = AllSettings::merge(system, user) else {
        return Vec::new();
    };
    let decides = |entry: &&Entry| ["warn_days", "max_age_days"].contains(&entry.name.as_str());
    let mut wrong = Vec::new();
    let sections = std::iter::once(None).chain(all.profile_names().map(Some));
    for section in sections {
        let limits = section.map_or(all.defaults(), |name| all.profile(name)).limits;
        let own = |file: &&File| {
            file.entries
                .iter()
                .any(|entry| entry.profile.as_deref() == section && decides(&entry))
        };
        if limits.warn_days < limits.max_age_days {
            continue;
        }
        let Some(file) = files.iter().rfind(|file| own(file)) else {
            continue;
        };
        let last = file
            .entries
            .iter()
            .rfind(|entry| entry.profile.as_deref() == section && decides(entry));
        if let Some(entry) = last {
            wrong.push(file.mistake(
                entry.line,
                format!(
                    "warn_days ({}) is not less than max_age_days ({}), so a key is due all its life",
                    limits.warn_days, limits.max_age_days
                ),
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file::parse;
    use super::*;

    fn told(system: Option<&str>, user: &str) -> Vec<String> {
        let file = |name: &str, text: &str| parse(Path::new(name), text).0;
        let (system, user) = (system.map(|text| file("system", text)), file("user", user));
        contradictions(system.as_ref(), Some(&user))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_setting_that_stands_twice_is_named_in_its_section_alone() {
        assert_eq!(
            told(
                None,
                "[defaults]\nnotify = no\n[profile a]\nnotify = no\nnotify = no\n[defaults]\nnotify: yes\n"
            ),
            [
                "user, line 5: notify stands in line 4 already; the last one holds",
                "user, line 7: notify stands in line 2 already; the last one holds",
            ]
        );
    }

    #[test]
    fn a_setting_that_has_no_effect_where_it_stands_is_named() {
        let text =
            "[profile a]\nquiet_hours = no\nnotify = no\n[defaults]\nquiet_hours = no\nenforce = yes\n";
        assert_eq!(
            told(Some(text), text),
            [
                "system, line 2: quiet_hours has an effect in [defaults] alone",
                "user, line 2: quiet_hours has an effect in [defaults] alone",
                "user, line 6: enforce has an effect in /etc/keyagent/config alone",
            ]
        );
    }

    #[test]
    fn a_line_that_a_company_overrules_is_named_with_the_companys() {
        let system =
            "[defaults]\nenforce = true\n\nmax_age_days = 60\nnotify = yes\n[profile a]\nmax_age_days = 30\n";
        let user = "[defaults]\nmax_age_days = 900\nnotify = yes\n[profile a]\nmax_age_days = 45\n[profile b]\nmax_age_days = 40\n";
        assert_eq!(
            told(Some(system), user),
            [
                "user, line 2: max_age_days does not hold: system, line 4, enforces 60",
                "user, line 5: max_age_days does not hold: system, line 7, enforces 30",
            ]
        );
        assert!(told(Some(&system.replace("enforce = true", "")), user).is_empty());
    }

    #[test]
    fn a_warning_that_is_not_before_the_limit_is_named_once() {
        assert_eq!(
            told(
                None,
                "[defaults]\nmax_age_days = 10\n[profile a]\nnotify = no\n[profile b]\nwarn_days = 10\n"
            ),
            [
                "user, line 2: warn_days (14) is not less than max_age_days (10), so a key is due all its life",
                "user, line 6: warn_days (10) is not less than max_age_days (10), so a key is due all its life",
            ]
        );
        assert!(told(None, "[defaults]\nmax_age_days = 10\nwarn_days = 9\n").is_empty());
    }
}
