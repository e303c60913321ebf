//! Annotations of a GitHub Actions run: one workflow command a finding. Source: GitHub's "Workflow commands", and the
//! escapes of actions/toolkit, packages/core/src/command.ts.

use super::{known, name, shown};
use crate::scan::allow::Settled;

/// A line `::error file=…,line=…,col=…::…` for each finding, and for each content that was not looked into or not read.
pub fn github(settled: &Settled) -> String {
    let mut text = String::new();
    for finding in &settled.findings {
        let mut facts = vec![format!("{} {}", name(finding.rule), finding.preview)];
        facts.extend(known(finding));
        text.push_str(&format!(
            "::error file={},line={},col={},endColumn={},title={}::{}\n",
            property(&finding.path),
            finding.line,
            finding.characters.start,
            finding.characters.end,
            property(&format!("keyagent: {}", finding.rule.as_str())),
            data(&facts.join(", "))
        ));
    }
    for unread in &settled.unread {
        text.push_str(&format!(
            "::error file={},title={}::{}\n",
            property(&unread.path),
            property("keyagent: not looked into"),
            data(super::why_unread(unread.why))
        ));
    }
    for problem in &settled.failures {
        text.push_str(&format!(
            "::error title={}::{}\n",
            property("keyagent: not read"),
            data(&problem.in_one_line())
        ));
    }
    text
}

/// What stands behind the colons; other control characters would steer the terminal of who reads the log.
fn data(text: &str) -> String {
    let escaped = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    shown(&escaped)
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_end_the_command_or_begin_another() {
        assert_eq!(
            property("a,line=1::b\r\n::stop-commands::x%"),
            "a%2Cline=1%3A%3Ab%0D%0A%3A%3Astop-commands%3A%3Ax%25"
        );
    }
}
