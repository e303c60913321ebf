//! `keyagent settings`.

use crate::support::cloud::Account;
use crate::support::{Home, section};

#[test]
fn a_line_that_is_no_setting_hides_no_other_mistake() {
    let home = Home::new();
    home.write_credentials("[dev]\nregion = x\n");
    home.settings("nonsense\nmax_age = 3\n[profile dve]\nnotify = no\n[profile dev]\n[broken");
    let run = home.keyagent(&["settings", "check"]).exits(1);
    for words in [
        "line 3: this is neither",
        "line 4: there is no setting",
        "line 5: AWS's files have no profile dve",
        "line 8: this is neither",
    ] {
        assert!(
            run.stdout.replace("\n  ", " ").contains(words),
            "no `{words}` in {}",
            run.stdout
        );
    }
    assert!(!run.stdout.contains("profile dev"), "{}", run.stdout);
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let home = Home::new();
    home.keyagent(&["settings", "check"]).exits(0);
    home.settings("warn_dais = 3\nquiet_hours = late");
    let run = home.keyagent(&["settings", "check"]).exits(1);
    let file = home.join(".config/keyagent/config");
    assert!(
        run.stdout.lines().all(|line| line.chars().count() <= 80),
        "{}",
        run.stdout
    );
    assert_eq!(
        run.stdout.replace("\n  ", " "),
        format!(
            "{0}, line 3: there is no setting warn_dais; did you mean warn_days?\n\
             {0}, line 4: `late` are no hours such as 22:00-07:30, nor no\n",
            file.display()
        )
    );
}

#[test]
fn contradictions_are_named_and_hold_nobody_up() {
    let home = Home::new();
    home.settings("max_age_days = 10\nnotify = YES\n\nnotify = 0");
    let run = home.keyagent(&["settings", "check"]).exits(1);
    let told = run.stdout.replace("\n  ", " ");
    assert!(
        told.contains("line 3: warn_days (14) is not less than max_age_days (10)"),
        "{told}"
    );
    assert!(told.contains("line 6: notify stands in line 4 already"), "{told}");
    assert!(run.is_narrow(), "{told}");
    let document = home
        .keyagent(&["settings", "check", "--format", "json"])
        .exits(1)
        .json();
    assert_eq!(document["schema"], "keyagent.settings-check/1");
    assert_eq!(document["mistakes"][1]["line"], 6);
    let run = home
        .keyagent(&["settings", "show", "-p", "dev", "-p", "ops", "--format", "json"])
        .exits(0);
    let shown = &run.json()["profiles"]["ops"];
    assert_eq!(
        (&shown["notify"], &shown["max_age_days"]),
        (&false.into(), &10.into())
    );
}

/// The agent has one clock, one log and one collector, and secrets lie in one place, for all profiles.
#[test]
fn a_setting_where_it_has_no_effect_is_named() {
    let home = Home::new();
    home.write_credentials("[dev]\nregion = x\n");
    let general = [
        "check_every = 2h",
        "quiet_hours = no",
        "metrics_textfile = /tmp/x.prom",
        "metrics_key_ids = yes",
        "secret_store = file",
    ];
    let own = [
        "max_age_days = 60",
        "warn_days = 3",
        "unused_days = 30",
        "grace_days = 3",
        "mfa_serial = arn:aws:iam::123456789012:mfa/ann",
        "also_update = ~/x",
        "after_rotate = true",
        "verify_for = 3s",
        "verify_every = 1s",
        "auto_rotate = no",
        "idle_minutes = 30",
        "notify = no",
    ];
    home.settings(&format!(
        "[profile dev]\n{}\n{}",
        own.join("\n"),
        general.join("\n")
    ));
    let run = home.keyagent(&["settings", "check", "--format", "json"]).exits(1);
    let mistakes = run.json()["mistakes"].as_array().unwrap().clone();
    assert_eq!(mistakes.len(), general.len(), "{mistakes:#?}");
    for ((mistake, line), setting) in mistakes.iter().zip(4 + own.len()..).zip(general) {
        let name = setting.split(' ').next().unwrap();
        assert_eq!(mistake["line"], line, "{mistake}");
        let why = mistake["why"].as_str().unwrap();
        assert_eq!(why, format!("{name} has an effect in [defaults] alone"));
    }
}

/// Root reads any file, whatever its mode, so here a folder stands for what cannot be read.
#[test]
fn a_file_that_cannot_be_read_is_no_mistake_in_it() {
    let home = Home::new();
    let config = home.join(".config/keyagent/config");
    std::fs::remove_file(&config).unwrap();
    std::fs::create_dir(&config).unwrap();
    for command in [&["settings", "check"][..], &["settings", "show"]] {
        let run = home
            .keyagent(command)
            .fails_with("the settings", "irectory", "ls -ld");
        assert_eq!(run.stdout, "");
    }
    std::fs::remove_dir(&config).unwrap();
    std::fs::write(&config, b"[defaults]\nafter_rotate = \xff\n").unwrap();
    let run = home.keyagent(&["settings", "check"]).exits(1);
    assert!(
        run.stdout.contains("line 2: this is not UTF-8 text"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_repeated_nowhere() {
    let account = Account::start();
    let secret = account.user("ann").secret_access_key;
    // Three of ten secrets have no sign, and fit the pattern of a key ID.
    for secret in [secret.replace(['+', '/'], "x"), format!("{}/+x", &secret[..37])] {
        let home = Home::new();
        home.write_credentials(format!(
            "[dev]\naws_access_key_id = {secret}\naws_secret_access_key = AKIA\n"
        ));
        home.settings(&format!("warn_days = {secret}"));
        for arguments in [
            &["settings", "check"][..],
            &["settings", "show"],
            &["status"],
            &["doctor", "--offline"],
            &["disable", "--user-name", "ann", "--access-key-id", &secret],
            &["rotate", &secret],
            &["rotate", "-p", &secret, "--yes"],
            &["agent", "snooze", "--for", &secret],
            &["audit", "--as-of", &secret, "--report", "x"],
            &["audit", "--report", &secret],
            &["scan", &secret],
            &["scan", "--format", "json", &secret],
            &["disable", &format!("--from-audit={secret}"), "--yes"],
        ] {
            let run = home.keyagent(arguments);
            assert!(
                run.code != 0 && !run.everything().contains(&secret),
                "{arguments:?}: {}",
                run.everything()
            );
            assert!(
                run.everything().contains(&secret[..4]),
                "{arguments:?}: {}",
                run.everything()
            );
        }
        home.settings("");
        for arguments in [
            &["status"][..],
            &["status", "--json"],
            &["doctor", "--offline"],
            &["rotate", "-p", "dev", "--yes"],
            &["undo", "-p", "dev", "--yes"],
            &["agent", "run", "--once"],
            &["enable", "--run", &secret, "--yes"],
        ] {
            let run = home.keyagent(arguments);
            assert!(
                !run.everything().contains(&secret),
                "{arguments:?}: {}",
                run.everything()
            );
        }
        for command in ["status", "rotate", "undo", "retire"] {
            for arguments in [
                &["-p", &secret][..],
                &["-p", "dev", "-p", &secret],
                &[&format!("-p{secret}")],
            ] {
                let run = home.keyagent(&[&[command, "--format", "json"], arguments].concat());
                assert!(
                    !run.everything().contains(&secret),
                    "{command}: {}",
                    run.everything()
                );
                run.exits(2).json();
            }
        }
        let why = if secret.contains('/') {
            "has something else"
        } else {
            "looks like a secret access key"
        };
        assert!(home.keyagent(&["status"]).everything().contains(why), "{why}");
    }
}

/// Whatever stands in a file in the place of another value.
#[test]
fn a_secret_as_another_value_of_a_file_is_repeated_nowhere() {
    let account = Account::start();
    let user = account.user("ann");
    let pair = section("dev", &user);
    let secret = account.user("bob").secret_access_key;
    let mut home = Home::on(&account);
    let no_settings = "verify_every = 20ms\nverify_for = 4s";
    let is_told_nowhere = |home: &Home, all: &[&[&str]], where_it_is: &str| {
        for arguments in all {
            let run = home.keyagent(arguments);
            let told = run.everything();
            // A table has room for a part of it.
            assert!(
                !told.contains(&secret[..12]),
                "{where_it_is}, {arguments:?}: {told}"
            );
        }
    };
    home.write_credentials(&pair);
    for line in [
        format!("mfa_serial = {secret}"),
        format!("metrics_otlp = http://{secret}"),
        format!("metrics_otlp = http://{secret}/v1/metrics"),
        format!("after_rotate = curl -u {secret} http://127.0.0.1:9"),
        format!("also_update = /{secret}"),
        format!("metrics_textfile = /{secret}"),
        format!("nonsense = {secret}"),
        format!("{secret} = 3"),
        format!("[profile {secret}]"),
    ] {
        home.settings(&format!("{no_settings}\n{line}"));
        let all: &[&[&str]] = &[
            &["settings", "check"],
            &["settings", "check", "--format", "json"],
            &["settings", "show"],
            &["settings", "show", "--format", "json"],
            &["doctor", "--format", "json"],
            &["doctor"],
            &["rotate", "-p", "dev", "--dry-run"],
            &["rotate", "-p", "dev", "--dry-run", "--format", "json"],
        ];
        is_told_nowhere(&home, all, &line);
    }
    home.settings(no_settings);
    for (name, content) in [
        (".aws/config", format!("[profile dev]\nmfa_serial = {secret}\n")),
        (
            ".aws/config",
            format!("[profile x]\nrole_arn = {secret}\nsource_profile = {secret}\n"),
        ),
        (".aws/config", format!("[profile {secret}]\nregion = x\n")),
        (
            ".aws/config",
            format!(
                "[profile {secret}]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = dev\n"
            ),
        ),
        (".aws/credentials", format!("{pair}[{secret}]\n")),
        (".aws/credentials", format!("[profile {secret}]\n")),
        (".aws/credentials", section(&secret, &user)),
        (".aws/credentials", format!("{pair}{}", section(&secret, &user))),
    ] {
        home.write_credentials(&pair);
        home.write(".aws/config", "");
        home.write(name, &content);
        let mut all: Vec<Vec<&str>> = Vec::new();
        for command in ["status", "rotate", "undo", "doctor", "retire"] {
            for profile in ["dev", "x", "other"] {
                for format in ["json", "text"] {
                    let further: &[&str] = match command {
                        "rotate" | "undo" | "retire" => &["--dry-run"],
                        _ => &[],
                    };
                    all.push([&[command, "-p", profile, "--format", format], further].concat());
                }
            }
        }
        all.extend([
            vec!["status"],
            vec!["status", "--format", "json"],
            vec!["doctor"],
            vec!["rotate", "--overdue", "--yes"],
        ]);
        let all: Vec<&[&str]> = all.iter().map(Vec::as_slice).collect();
        is_told_nowhere(&home, &all, &content);
    }
    home.write_credentials(&pair);
    home.write(".aws/config", "");
    home = home.with("AWS_CA_BUNDLE", &secret);
    is_told_nowhere(
        &home,
        &[
            &["status"],
            &["doctor"],
            &["rotate", "-p", "dev", "--yes", "--format", "json"],
        ],
        "AWS_CA_BUNDLE",
    );
}

/// A name is no secret, however long.
#[test]
fn a_long_name_is_repeated_whole() {
    let home = Home::new();
    let name = "AdministratorAccessProductionEuropeCentralOne";
    home.write(".aws/config", format!("[profile {name}]\nsso_session = corp\n"));
    home.write_credentials("[dev]\nregion = x\n");
    home.settings(&format!(
        "[profile {name}]\nnotify = no\nafter_rotate = /opt/{name}/bin/reload"
    ));
    for arguments in [
        &["status", "--offline"][..],
        &["rotate", "-p", name, "--yes"],
        &["settings", "show"],
    ] {
        let run = home.keyagent(arguments);
        assert!(
            run.everything().contains(name),
            "{arguments:?}: {}",
            run.everything()
        );
    }
}

#[test]
fn what_holds_is_shown_as_the_file_would_have_it() {
    let home = Home::new();
    home.settings("check_every = 2h\n[profile dev]\nwarn_days = 3");
    let run = home.keyagent(&["settings", "show"]).exits(0);
    assert!(
        run.stdout
            .starts_with("[defaults]\nmax_age_days = 90\nwarn_days = 14\n")
    );
    assert!(run.stdout.contains("\ncheck_every = 2h\n"));
    assert!(run.stdout.contains("\n[profile dev]\nwarn_days = 3\n"));
    let run = home.keyagent(&["settings", "path"]).exits(0);
    let path = home.join(".config/keyagent/config");
    assert_eq!(run.stdout, format!("/etc/keyagent/config\n{}\n", path.display()));
    let run = home.keyagent(&["settings", "path", "--format", "json"]).exits(0);
    assert_eq!(
        run.json(),
        serde_json::json!({
            "schema": "keyagent.settings-path/1",
            "files": ["/etc/keyagent/config", path.display().to_string()],
        })
    );
}

#[test]
fn a_command_runs_after_a_rotation_and_its_failure_is_only_told() {
    let account = Account::start();
    let user = account.user("ann");
    let home = Home::on(&account);
    home.write_credentials(section("dev", &user));
    home.settings(
        "verify_every = 20ms\nverify_for = 4s\n\
         after_rotate = echo noise; env | grep KEYAGENT_ | sort > \"$HOME/after\"; exit 3",
    );
    let run = home
        .keyagent(&["rotate", "-p", "dev", "--yes", "--format", "json"])
        .exits(0);
    let new = run.json()["rotations"][0]["new_access_key_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        run.stderr.contains("noise\n") && run.stderr.contains("after_rotate has failed (exit status: 3)")
    );
    let old = &user.access_key_id;
    assert_eq!(
        std::fs::read_to_string(home.join("after")).unwrap(),
        format!(
            "KEYAGENT_NEW_ACCESS_KEY_ID={new}\nKEYAGENT_OLD_ACCESS_KEY_ID={old}\nKEYAGENT_PROFILES=dev\n"
        )
    );
}
