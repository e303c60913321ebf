use super::file::parse;
use super::*;

fn file(text: &str) -> Option<File> {
    let (file, mistakes) = parse(Path::new("config"), text);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    Some(file)
}

fn merged(system: Option<File>, user: Option<File>) -> AllSettings {
    AllSettings::merge(system.as_ref(), user.as_ref()).unwrap()
}

fn error(text: &str) -> String {
    parse(Path::new("config"), text).1[0].to_string()
}

#[test]
fn the_user_beats_the_system_and_a_profile_beats_the_defaults() {
    let system = file("[defaults]\nmax_age_days = 60\ngrace_days = 3\n");
    let user = file("[defaults]\nmax_age_days = 30\n[profile dev]\nmax_age_days = 10\nverify_for=5s\n");
    let all = merged(system, user);
    assert_eq!(all.profile("other").limits.max_age_days, 30);
    assert_eq!(all.profile("dev").limits.max_age_days, 10);
    assert_eq!(all.profile("dev").verify_for, Duration::from_secs(5));
    assert_eq!(all.profile("dev").grace_days, 3);
}

#[test]
fn what_the_system_enforces_a_user_cannot_loosen() {
    let system = file("[defaults]\nenforce = true\nmax_age_days = 60\n");
    let user = file("[defaults]\nmax_age_days = 900\nwarn_days = 5\n[profile dev]\nmax_age_days=700\n");
    let all = merged(system, user);
    assert_eq!(
        all.defaults().limits,
        Limits {
            max_age_days: 60,
            warn_days: 5
        }
    );
    assert_eq!(all.profile("dev").limits.max_age_days, 60);
}

#[test]
fn a_mistake_is_named_by_line() {
    assert_eq!(
        error("[defaults]\n\nmax_age=3\n"),
        "config, line 3: there is no setting max_age; did you mean max_age_days?"
    );
    assert!(error("[defaults]\nwarn_days = soon\n").contains("line 2: `soon` is not a number of days"));
    assert!(error("[profile a]\nwarn_days = 1\n[b]\n").contains("line 3: there is no section [b]"));
    assert!(error("[defaults]\nverify_for = 5\n").contains("line 2"));
    assert!(error("[defaults]\nsecret_store = cloud\n").contains("line 2"));
    assert!(error("[defaults]\nmfa_serial = 123456\n").contains("line 2: `123456` is no serial number"));
}

#[test]
fn a_user_may_be_stricter_than_what_is_enforced() {
    let system = file(
        "[defaults]\nenforce = yes\nmax_age_days = 60\nwarn_days = 10\nnotify = yes\ncheck_every = 6h\n",
    );
    let user = file(
        "[defaults]\nmax_age_days = 30\nwarn_days = 20\nnotify = no\ncheck_every = 1h\n[profile dev]\nwarn_days = 1\n",
    );
    let all = merged(system, user);
    let (defaults, dev) = (all.defaults(), all.profile("dev"));
    assert_eq!(
        (defaults.limits.max_age_days, defaults.limits.warn_days),
        (30, 20)
    );
    assert!(defaults.notify);
    assert_eq!(defaults.check_every, Duration::from_hours(1));
    assert_eq!(dev.limits.warn_days, 10);
}

#[test]
fn every_mistake_is_named() {
    let text = "[defaults]\nwarn_days = soon\nwarn_dais = 3\n[b]\nx = 1\n[profile a]\nwarn_days = 4\nwarn_days = 5x\n";
    let mistakes: Vec<String> = parse(Path::new("config"), text)
        .1
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        mistakes,
        [
            "config, line 2: `soon` is not a number of days from 0 to 3650",
            "config, line 3: there is no setting warn_dais; did you mean warn_days?",
            "config, line 4: there is no section [b]; use [defaults] or [profile NAME]",
            "config, line 8: `5x` is not a number of days from 0 to 3650",
        ]
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let secret = format!("wJal{}CYEX", "rXUtnFEMI/K7MDENG/bPxRfi".repeat(2))
        .chars()
        .take(40)
        .collect::<String>();
    for line in [
        "warn_days",
        "notify",
        "quiet_hours",
        "check_every",
        "secret_store",
        "also_update",
        &secret,
    ] {
        let why = error(&format!("[defaults]\n{line} = {secret}\n"));
        assert!(
            !why.contains(&secret) && why.contains("line 2") && why.contains("wJal… (40 characters)"),
            "{why}"
        );
    }
    assert!(!error(&format!("[{secret}]\nx = 1\n")).contains(&secret));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    assert_eq!(
        merged(None, file("\u{feff}[defaults]\nwarn_days = 3\n"))
            .defaults()
            .limits
            .warn_days,
        3
    );
}

#[test]
fn what_is_shown_can_be_read_back() {
    let text = "[defaults]\nquiet_hours = 22:00-07:30\nafter_rotate = make reload\nmetrics_textfile = /var/x.prom\nidle_minutes = 30\n";
    let all = merged(None, file(text));
    let mut shown = String::from("[defaults]\n");
    for (name, value) in all.defaults().lines() {
        shown.push_str(&format!("{name} = {value}\n"));
    }
    assert_eq!(merged(None, file(&shown)).defaults(), all.defaults());
}
