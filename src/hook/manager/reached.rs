//! How far a shell script runs: what stands behind an `exit` or `exec` that nothing guards never does. Pure; no shell's
//! whole grammar, so that what is not understood counts as reached.

/// The lines up to the one with which a script ends for certain, and whether there is such a one.
pub(super) fn reached(script: &str) -> (Vec<&str>, bool) {
    let mut lines = Vec::new();
    // Within how many blocks a line stands, and whether the one before goes on in it.
    let (mut depth, mut goes_on) = (0_usize, false);
    for line in script.lines() {
        lines.push(line);
        let text = line.trim();
        if text.starts_with('#') {
            continue;
        }
        if depth == 0 && !goes_on && ends_script(text) {
            return (lines, true);
        }
        for word in text.split([' ', '\t', ';']).filter(|word| !word.is_empty()) {
            match word {
                "if" | "case" | "do" | "{" | "(" => depth += 1,
                "fi" | "esac" | "done" | "}" | ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        // A function may be written as `name(){`.
        if text.ends_with("){") {
            depth += 1;
        }
        goes_on = !text.is_empty() && ["\\", "&&", "||", "|"].iter().any(|end| text.ends_with(end));
    }
    (lines, false)
}

/// `exec` with nothing but redirections goes on with the script.
fn ends_script(text: &str) -> bool {
    let mut words = text
        .split([' ', '\t', ';'])
        .filter(|word| !word.is_empty())
        .peekable();
    match words.next() {
        Some("exit") => !text.contains("||") && !text.contains("&&"),
        Some("exec") => words.peek().is_some_and(|word| {
            !word
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .starts_with(['<', '>'])
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_certain_end_is_not_reached() {
        for (script, is_ended) in [
            ("#!/bin/sh\nlint\nexit 0\n", true),
            ("exec lint \"$@\"\n", true),
            ("if a; then\nexit 1\nfi\nexit\n", true),
            ("f() {\nexit 1\n}\nf\nexec make\n", true),
            ("for a in b; do c; done; d\nexit $?\n", true),
            ("lint || exit 1\n", false),
            ("# exit 0\n", false),
            ("exec </dev/tty\nlint\n", false),
            ("exec 2>&1\n", false),
            ("if a; then\nexit 0\nfi\n", false),
            ("case $1 in\na) b ;;\n*)\nexit 0 ;;\nesac\n", false),
            ("lint ||\nexit 1\n", false),
            ("f(){\nexit 1\n}\n", false),
            ("exit() { :; }\n", false),
        ] {
            assert_eq!(reached(script).1, is_ended, "{script}");
        }
        assert_eq!(reached("a\nexit\nb\n").0, ["a", "exit"]);
    }
}
