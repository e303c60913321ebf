//! Markers in the text itself: keyagent's own, which must give a reason, and those of other scanners as they are.

use memchr::memmem;

use super::{Allowed, Date, Void};

const OWN: &str = "keyagent:allow";

/// What other scanners take on the key's own line. Sources: gitleaks' README; betterleaks' README, which honours both;
/// detect-secrets' README, `whitelist` being its older word; kingfisher's and trufflehog's documentation.
const ON_THE_LINE: [&str; 7] = [
    "gitleaks:allow",
    "betterleaks:allow",
    "pragma: allowlist secret",
    "pragma: whitelist secret",
    "kingfisher:ignore",
    "trufflehog:ignore",
    SECRETLINT_LINE,
];
/// What they take on the line above.
const ON_THE_LINE_ABOVE: [&str; 3] = [
    "pragma: allowlist nextline secret",
    "pragma: whitelist nextline secret",
    SECRETLINT_NEXT_LINE,
];
const SECRETLINT_LINE: &str = "secretlint-disable-line";
const SECRETLINT_NEXT_LINE: &str = "secretlint-disable-next-line";
const SECRETLINT: &str = "secretlint-disable";

/// What a marker in `line` or in the line `above` says about a value in `line`. Both are cut to some kilobytes around the
/// value; `today` decides whether an `until=` is over, and without it none is. A marker that allows nothing is told only
/// where none allows.
pub fn marker(above: &[u8], line: &[u8], today: Option<Date>) -> Option<Allowed> {
    let own_here = find_own(line).map(|(_, behind)| own(behind, today));
    let own_above = || {
        find_own(above)
            .filter(|(before, _)| is_comment(before))
            .map(|(_, behind)| own(behind, today))
    };
    if let Some(allowed) = own_here.iter().find(|allowed| allowed.void.is_none()) {
        return Some(allowed.clone());
    }
    others(line, &ON_THE_LINE)
        .or_else(|| others(above, &ON_THE_LINE_ABOVE))
        .or_else(|| own_above().filter(|allowed| own_here.is_none() || allowed.void.is_none()))
        .or(own_here)
}

/// What secretlint's block form says about a value behind `before`, the text up to it: `secretlint-disable` holds until
/// `secretlint-enable`, or to the end.
pub fn disabled_block(before: &[u8]) -> Option<Allowed> {
    let mut is_disabled = false;
    for at in memmem::find_iter(before, "secretlint-") {
        let line = &before[at..];
        let line = &line[..memchr::memchr(b'\n', line).unwrap_or(line.len())];
        if line.starts_with(b"secretlint-enable") && is_about_aws(&line[b"secretlint-enable".len()..]) {
            is_disabled = false;
        } else if let Some(behind) = line.strip_prefix(SECRETLINT.as_bytes())
            && !behind.starts_with(b"-line")
            && !behind.starts_with(b"-next-line")
            && is_about_aws(behind)
        {
            is_disabled = true;
        }
    }
    is_disabled.then_some(Allowed {
        by: SECRETLINT,
        void: None,
    })
}

/// The text before and behind a marker that stands as a word of its own.
fn find<'a>(line: &'a [u8], marker: &str) -> Option<(&'a [u8], &'a [u8])> {
    memmem::find_iter(line, marker)
        .map(|at| (&line[..at], &line[at + marker.len()..]))
        .find(|(before, behind)| is_apart(before, behind))
}

/// The text before and behind keyagent's own marker, as people write it: `keyagent: allow`, `KEYAGENT:ALLOW`.
fn find_own(line: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr::memchr2_iter(b'k', b'K', line).find_map(|at| {
        let behind = word_of_own(&line[at..], "keyagent")?;
        let behind = behind.trim_ascii_start().strip_prefix(b":")?;
        let behind = word_of_own(behind.trim_ascii_start(), "allow")?;
        is_apart(&line[..at], behind).then_some((&line[..at], behind))
    })
}

fn word_of_own<'a>(text: &'a [u8], word: &str) -> Option<&'a [u8]> {
    let (head, behind) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word.as_bytes()).then_some(behind)
}

fn is_apart(before: &[u8], behind: &[u8]) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    !is_word(before.last()) && !is_word(behind.first())
}

fn others(line: &[u8], markers: &[&'static str]) -> Option<Allowed> {
    markers.iter().find_map(|marker| {
        let (_, behind) = find(line, marker)?;
        (!marker.starts_with("secretlint") || is_about_aws(behind)).then_some(Allowed {
            by: marker,
            void: None,
        })
    })
}

/// secretlint's directives may name rules: without any they speak of all; the reason stands behind two hyphens.
fn is_about_aws(behind: &[u8]) -> bool {
    let behind = &behind[..memmem::find(behind, b" -- ").unwrap_or(behind.len())];
    let names = |word: &str| memmem::find(behind, word.as_bytes()).is_some();
    !names("@secretlint/") || names("secretlint-rule-aws") || names("secretlint-rule-preset")
}

/// Whether a marker behind this text is a line's only content, so that it speaks of the next line: a value beside it
/// would have two words or a long one before it.
fn is_comment(before: &[u8]) -> bool {
    let mut words = before
        .split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
        .filter(|word| !word.is_empty());
    words.next().is_none_or(|word| word.len() < 16) && words.next().is_none()
}

/// Reads `REASON [until=DATE]`, up to the end of the comment.
fn own(behind: &[u8], today: Option<Date>) -> Allowed {
    let text = String::from_utf8_lossy(behind);
    let end = ["*/", "-->", "#}", "%>", "\r", "\n"]
        .iter()
        .filter_map(|closer| text.find(closer))
        .min()
        .unwrap_or(text.len());
    // The marker may be all that a string holds.
    let reason = if text.starts_with(['"', '\'']) {
        Err(Void::NoReason)
    } else {
        reason(&text[..end], today)
    };
    Allowed {
        by: OWN,
        void: reason.err(),
    }
}

const OPENING: [char; 3] = ['(', '[', '{'];

fn is_until(word: &str) -> bool {
    let word = word.trim_start_matches(OPENING);
    word.get(.."until=".len())
        .is_some_and(|head| head.eq_ignore_ascii_case("until="))
}

/// The reason in `REASON [until=DATE]` and the last day, if it holds today.
pub(super) fn reason(text: &str, today: Option<Date>) -> Result<(String, Option<Date>), Void> {
    let mut last: Option<Date> = None;
    let (until, words): (Vec<&str>, Vec<&str>) = text.split_whitespace().partition(|word| is_until(word));
    for day in until {
        // In a string of JSON or of a program the day may have a quote and a comma behind it.
        let day = day.trim_start_matches(OPENING)["until=".len()..]
            .trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let day = Date::parse(day).ok_or(Void::NotADay)?;
        if today.is_some_and(|today| day < today) {
            return Err(Void::Ended(day));
        }
        last = Some(last.map_or(day, |last| last.min(day)));
    }
    let reason = words.join(" ");
    // Pasted from a hint of keyagent's.
    if reason.trim_matches(|c: char| !c.is_alphanumeric()) == "REASON" {
        return Err(Void::Placeholder);
    }
    if reason.chars().any(char::is_alphabetic) {
        Ok((reason, last))
    } else {
        Err(Void::NoReason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Option<Date> = Some(Date {
        year: 2026,
        month: 11,
        day: 25,
    });

    fn void(above: &str, line: &str) -> Option<Option<Void>> {
        marker(above.as_bytes(), line.as_bytes(), TODAY).map(|allowed| allowed.void)
    }

    #[test]
    fn the_own_marker_wants_a_reason_and_a_day_to_come() {
        let ended = Void::Ended(Date::parse("2026-11-24").expect("it is a day"));
        for (line, expected) in [
            ("key # keyagent:allow made up", Some(None)),
            (r#""//": "key keyagent:allow made up","#, Some(None)),
            ("/* keyagent:allow made up */ key", Some(None)),
            ("key # keyagent:allow made up until=2026-11-25", Some(None)),
            (r#"key "keyagent:allow until=2026-11-25 made up","#, Some(None)),
            (r#"key "keyagent:allow made up until=2026-11-25","#, Some(None)),
            ("key # keyagent:allow", Some(Some(Void::NoReason))),
            (
                r#""//": "keyagent:allow", "id": "key""#,
                Some(Some(Void::NoReason)),
            ),
            ("/* keyagent:allow */ key", Some(Some(Void::NoReason))),
            ("<!-- keyagent:allow --> key", Some(Some(Void::NoReason))),
            (
                "key # keyagent:allow until=2026-12-31",
                Some(Some(Void::NoReason)),
            ),
            ("key # keyagent:allow old until=2026-11-24", Some(Some(ended))),
            ("key # keyagent:allow old (until=2026-11-24)", Some(Some(ended))),
            ("key # keyagent:allow old UNTIL=2026-11-24", Some(Some(ended))),
            ("key # keyagent:allow x until=tomorrow", Some(Some(Void::NotADay))),
            ("key # keyagent: allow made up", Some(None)),
            ("key # KeyAgent:Allow made up", Some(None)),
            ("key # KEYAGENT : ALLOW made up", Some(None)),
            ("key # keyagent: allow", Some(Some(Void::NoReason))),
            ("key # keyagent:allow REASON", Some(Some(Void::Placeholder))),
            (r#"key "keyagent:allow REASON","#, Some(Some(Void::Placeholder))),
            (
                "key # keyagent:allow REASON until=2026-12-31",
                Some(Some(Void::Placeholder)),
            ),
            ("key # keyagent:allow no REASON at all", Some(None)),
            ("key # keyagent: allowed x", None),
            ("key # keyagent may allow x", None),
            ("key # keyagent:allowed x", None),
            ("key # notkeyagent:allow x", None),
            ("key", None),
        ] {
            assert_eq!(void("", line), expected, "{line}");
        }
    }

    #[test]
    fn the_line_above_speaks_only_when_it_says_nothing_else() {
        for above in [
            "# keyagent:allow made up",
            "  // keyagent:allow made up",
            "<!-- keyagent:allow made up -->",
            r#"  "_comment": "keyagent:allow made up","#,
            "REM keyagent:allow made up",
            "# Keyagent: allow made up",
        ] {
            assert_eq!(void(above, "key"), Some(None), "{above}");
        }
        for above in [
            "id = value # keyagent:allow made up",
            "0123456789abcdef # keyagent:allow made up",
        ] {
            assert_eq!(void(above, "key"), None, "{above}");
        }
        assert_eq!(
            void("# keyagent:allow made up", "key # keyagent:allow"),
            Some(None)
        );
    }

    #[test]
    fn other_scanners_are_honoured_as_they_are() {
        for marker in ON_THE_LINE {
            assert_eq!(void("", &format!("key # {marker}")), Some(None), "{marker}");
            assert_eq!(void(&format!("x # {marker}"), "key"), None, "{marker}");
        }
        for marker in ON_THE_LINE_ABOVE {
            assert_eq!(void(&format!("# {marker}"), "key"), Some(None), "{marker}");
            assert_eq!(void("", &format!("key # {marker}")), None, "{marker}");
        }
        let line = |rule: &str| format!("key // secretlint-disable-line @secretlint/secretlint-rule-{rule}");
        assert_eq!(void("", &line("slack")), None);
        assert_eq!(void("", &line("aws -- made up")), Some(None));
        assert_eq!(void("", "key gitleaks:allowed"), None);
    }

    #[test]
    fn secretlints_blocks_open_and_close() {
        for (before, expected) in [
            ("// secretlint-disable\n", true),
            ("/* secretlint-disable */\nx\n/* secretlint-enable */\n", false),
            ("secretlint-enable\nsecretlint-disable -- why\n", true),
            ("secretlint-disable-line\nsecretlint-disable-next-line\n", false),
            ("secretlint-disable @secretlint/secretlint-rule-slack\n", false),
            (
                "secretlint-disable @secretlint/secretlint-rule-aws\nsecretlint-enable @secretlint/secretlint-rule-slack\n",
                true,
            ),
            ("", false),
        ] {
            assert_eq!(disabled_block(before.as_bytes()).is_some(), expected, "{before}");
        }
    }
}
