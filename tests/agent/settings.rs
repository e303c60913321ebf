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
