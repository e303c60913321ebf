//! The systemd unit, as systemd's own tools judge it, and what installing it leaves.

use std::path::Path;

use crate::support::{Home, Run};

/// A home whose agent is installed: the file is written, though no user manager answers.
fn installed() -> Home {
    let home = Home::new();
    home.write("run/keep", "");
    let home = home.with("XDG_RUNTIME_DIR", "/nonexistent");
    home.keyagent(&["agent", "install"]).fails_with(
        "cannot start the agent",
        "keyagent.service is written",
        "agent run",
    );
    home
}

const UNIT: &str = ".config/systemd/user/keyagent.service";

fn analyze(home: &Home, arguments: &[&str]) -> Run {
    let run = home.join("run");
    let output = home
        .command(Path::new("systemd-analyze"), arguments)
        .env("XDG_RUNTIME_DIR", &run)
        .output()
        .expect("tests/run has installed systemd");
    Run::of(&output)
}

#[test]
fn systemd_has_nothing_to_say_about_the_unit_and_calls_it_safe() {
    let home = installed();
    let unit = home.join(UNIT);
    let unit = unit.to_str().unwrap();
    // A mistyped value only prints, and exits with 0.
    let run = analyze(&home, &["verify", "--user", "--man=no", unit]).exits(0);
    assert_eq!(run.everything(), "");
    let arguments = [
        "--user",
        "security",
        "--offline=true",
        "--threshold=49",
        "--no-pager",
        unit,
    ];
    let run = analyze(&home, &arguments).exits(0);
    assert!(
        run.stdout.contains("Overall exposure level"),
        "{}",
        run.everything()
    );
}

/// A package manager that puts each version into a folder of its own, and a link to the present one on PATH.
#[test]
fn the_unit_starts_what_an_upgrade_leaves_in_place() {
    let home = Home::new().with("XDG_RUNTIME_DIR", "/nonexistent");
    home.write("bin/keep", "");
    let link = home.join("bin/keyagent");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_keyagent"), &link).unwrap();
    let path = format!("{}:/usr/bin:/bin", home.join("bin").display());
    let output = home
        .command(&link, &["agent", "install"])
        .env("PATH", path)
        .output()
        .unwrap();
    Run::of(&output).fails_with("cannot start the agent", "is written", "agent run");
    let unit = std::fs::read_to_string(home.join(UNIT)).unwrap();
    assert!(
        unit.contains(&format!("ExecStart={} agent run\n", link.display())),
        "{unit}"
    );
}

#[test]
fn the_unit_starts_this_program_and_uninstalling_leaves_nothing() {
    let home = installed();
    let unit = std::fs::read_to_string(home.join(UNIT)).unwrap();
    assert!(unit.contains(&format!(
        "ExecStart={} agent run\n",
        env!("CARGO_BIN_EXE_keyagent")
    )));
    let run = home.keyagent(&["agent", "uninstall"]).exits(0);
    assert_eq!(run.stdout, "the agent is ended, and starts no more\n");
    assert!(!home.join(".config/systemd").exists());
    let run = home.keyagent(&["agent", "uninstall"]).exits(0);
    assert_eq!(run.stdout, "the agent was not installed\n");
}

#[test]
fn uninstalling_leaves_no_empty_folder_and_what_others_have_there_stays() {
    let home = installed();
    let other = home.write(".config/systemd/user/other.service", "[Unit]\n");
    home.keyagent(&["agent", "uninstall"]).exits(0);
    assert!(other.exists() && !home.join(UNIT).exists());
    // What was not installed has made none.
    std::fs::remove_file(&other).unwrap();
    home.keyagent(&["agent", "uninstall"]).exits(0);
    assert!(home.join(".config/systemd/user").exists());
    // A home folder with nothing else in it is as it was.
    std::fs::remove_dir_all(home.join(".config")).unwrap();
    home.keyagent(&["agent", "install"]).exits(2);
    home.keyagent(&["agent", "uninstall"]).exits(0);
    assert!(!home.join(".config").exists());
    // One that a variable names is the user's own.
    let named = home.join("named");
    std::fs::create_dir(&named).unwrap();
    let home = home.with("XDG_CONFIG_HOME", named.to_str().unwrap());
    home.keyagent(&["agent", "install"]).exits(2);
    assert!(named.join("systemd/user/keyagent.service").exists());
    home.keyagent(&["agent", "uninstall"]).exits(0);
    assert_eq!(named.read_dir().unwrap().count(), 0);
}
