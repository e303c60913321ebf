//! `--from-audit`: the keys of an audit's findings, for `disable` and `delete`.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::remediation::Selection;
use super::super::ui;
use crate::audit::{Document, Rule, SCHEMA};
use crate::problem::{Problem, quoted};
use crate::remediate::Action;
use crate::remediate::from_audit::choose;

/// The options.
#[derive(Debug, clap::Args)]
pub struct FromAuditArgs {
    /// The keys of the failing findings in what `keyagent audit --format json` wrote; `-` is stdin
    // clap lets a `requires` go where a group forbids what it requires: what may not stand together is said as well.
    #[arg(long, value_name = "FILE", conflicts_with = "user_name")]
    pub from_audit: Option<PathBuf>,
    /// Only findings of this rule, such as unused-credentials; may be repeated
    #[arg(long = "rule", value_name = "RULE", requires = "from_audit", value_parser = rule)]
    pub rules: Vec<Rule>,
}

fn rule(text: &str) -> Result<Rule, String> {
    let found = Rule::ALL.into_iter().find(|rule| rule.name() == text);
    found.ok_or_else(|| format!("the rules are: {}", Rule::ALL.map(Rule::name).join(", ")))
}

/// Reads the audit, if one was given.
///
/// # Errors
///
/// When it is none, or not whole.
pub fn read(args: &FromAuditArgs, action: Action) -> Result<Option<Selection>, Problem> {
    let Some(path) = &args.from_audit else {
        return Ok(None);
    };
    Ok(Some(selection(document(path, action)?, &args.rules)))
}

/// The keys of a document's failing findings.
pub fn selection(document: Document, rules: &[Rule]) -> Selection {
    if !document.not_evaluated.is_empty() {
        ui::note(&format!(
            "warning: the audit has left {} users or rows unjudged; their keys are not among these",
            document.not_evaluated.len()
        ));
    }
    let chosen = choose(&document, rules);
    Selection {
        targets: chosen.targets,
        passed_over: chosen.passed_over,
        account_id: document.account_id,
        ..Selection::default()
    }
}

fn document(path: &Path, action: Action) -> Result<Document, Problem> {
    let what = format!("cannot {} what {} has found", action.verb(), path.display());
    let hint = "keyagent audit --format json > audit.json";
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| Problem::new(&what, error.to_string(), format!("ls -l {}", quoted(path))))?;
    let document: Document = serde_json::from_str(&text).map_err(|error| {
        Problem::new(
            &what,
            format!("it is no whole document of an audit: {error}"),
            hint,
        )
    })?;
    if document.schema != SCHEMA {
        let cause = format!("its schema is {}, this keyagent reads {SCHEMA}", document.schema);
        return Err(Problem::new(what, cause, hint));
    }
    Ok(document)
}
