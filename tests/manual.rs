//! `keyagent man` and `keyagent completions`, as man and the shells take them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::Home;

/// Every command that `--help` shows, with what is above it.
fn commands(home: &Home, above: &[&str]) -> Vec<Vec<String>> {
    let help = home.keyagent(&[above, &["--help"]].concat()).exits(0).stdout;
    let listed = help.split_once("\nCommands:\n").map(|(_, rest)| rest);
    let mut all = vec![above.iter().map(ToString::to_string).collect()];
    for line in listed
        .unwrap_or_default()
        .lines()
        .take_while(|line| !line.is_empty())
    {
        // A line that goes on is indented further.
        let name = line.strip_prefix("  ").unwrap().split(' ').next().unwrap();
        if !name.is_empty() && name != "help" {
            all.extend(commands(home, &[above, &[name]].concat()));
        }
    }
    all
}

#[test]
fn every_command_has_a_page_and_man_has_nothing_to_say_about_it() {
    let home = Home::new();
    let folder = home.join("new/man1");
    let run = home.keyagent(&["man", folder.to_str().unwrap()]).exits(0);
    let written: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected: BTreeSet<String> = commands(&home, &[])
        .into_iter()
        .map(|command| {
            format!(
                "{}.1",
                [&["keyagent".to_owned()], &command[..]].concat().join("-")
            )
        })
        .collect();
    assert_eq!(written, expected);
    assert!(
        run.stdout
            .starts_with(&format!("{} man pages in ", written.len()))
    );
    if cfg!(target_os = "linux") {
        for page in &written {
            let page = folder.join(page);
            let run = home.run(
                Path::new("man"),
                &["--warnings", "--local-file", page.to_str().unwrap()],
            );
            assert_eq!(run.stderr, "");
            let name = page.file_stem().unwrap().to_str().unwrap();
            assert!(
                run.stdout.contains(&name.to_uppercase()) && run.stdout.contains("EXIT STATUS"),
                "{}",
                run.stdout
            );
        }
    }
}

#[test]
fn pages_that_cannot_be_written_are_spoken_of() {
    let home = Home::new();
    home.write("file", "");
    let folder = home.join("file/man1");
    home.keyagent(&["man", folder.to_str().unwrap()]).fails_with(
        "cannot write the man pages",
        "file/man1: ",
        "ls -ld",
    );
}

#[cfg(target_os = "linux")]
fn completions(home: &Home, shell: &str, file: &str) -> String {
    let script = home.keyagent(&["completions", shell]).exits(0).stdout;
    home.write(file, script).to_str().unwrap().to_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn bash_completes() {
    let home = Home::new();
    let script = completions(&home, "bash", "keyagent.bash");
    let program = "source \"$0\" && COMP_WORDS=(keyagent hook st) COMP_CWORD=2 && \
                   _keyagent keyagent st hook && echo \"${COMPREPLY[@]}\" && complete -p keyagent";
    let run = home
        .run(Path::new("bash"), &["--norc", "-c", program, &script])
        .exits(0);
    assert!(run.stdout.starts_with("status\n"), "{}", run.everything());
    assert!(run.stdout.contains("_keyagent keyagent"));
}

#[cfg(target_os = "linux")]
#[test]
fn fish_completes_and_shows_nothing_that_is_hidden() {
    let home = Home::new();
    let script = completions(&home, "fish", "keyagent.fish");
    let offered = |typed: &str| {
        let program = format!("source {script}; complete -C '{typed}'");
        home.run(Path::new("fish"), &["--no-config", "-c", &program])
            .exits(0)
            .stdout
    };
    assert!(offered("keyagent hook st").starts_with("status\t"));
    assert!(offered("keyagent scan --st").starts_with("--staged\t"));
    assert!(!offered("keyagent agent ").contains("check"));
}

/// zsh has completions only for a person: a shell in a terminal of its own is typed into, and tells what it got.
#[cfg(target_os = "linux")]
#[test]
fn zsh_completes_what_is_typed() {
    let home = Home::new();
    completions(&home, "zsh", "functions/_keyagent");
    let program = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -d $1/dump; unsetopt beep"
zpty -w shell 'keyagent() { print -r -- "typed"": $*" }; print "set"" up"'
typeset all=
until [[ $all == *'set up'* ]]; do zpty -r shell line || exit 1; all+=$line; done
zpty -w -n shell $'keyagent hoo\tst\t--glo\t\n'
until [[ $all == *'typed: '* ]]; do zpty -r shell line || exit 1; all+=$line; done
print -r -- ${all##*typed: }
zpty -d shell
"#;
    let functions = home.join("functions");
    let run = home
        .run(
            Path::new("timeout"),
            &[
                "60",
                "zsh",
                "-f",
                "-c",
                program,
                "zsh",
                functions.to_str().unwrap(),
            ],
        )
        .exits(0);
    assert_eq!(run.stdout.trim(), "hook status --global");
}
