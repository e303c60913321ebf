//! What many accounts came to, the worst first; whose audit failed is named.

use super::super::super::exit_code;
use super::super::super::ui::{self, BOLD, DIM, GREEN, RED, YELLOW};
use crate::audit::Summary;
use crate::audit::output::visible;
use crate::problem::Problem;

/// More than this nobody reads on a terminal; the records in the folder have them all.
const ROWS: usize = 50;

/// One account of many.
pub(super) struct Audited {
    /// 12 digits.
    pub(super) id: String,
    /// What the organization calls it.
    pub(super) name: Option<String>,
    /// What became of its audit.
    pub(super) became: Became,
}

/// What became of the audit of an account.
pub(super) enum Became {
    /// It is filed.
    Whole(Summary),
    /// It was filed earlier today.
    Kept(Summary),
    /// Some of it could not be evaluated.
    Partial {
        /// The counts so far.
        summary: Summary,
        /// Why.
        problems: Vec<Problem>,
    },
    /// Nothing could be evaluated.
    Failed(Problem),
}

impl Audited {
    fn summary(&self) -> Option<&Summary> {
        match &self.became {
            Became::Whole(summary) | Became::Kept(summary) | Became::Partial { summary, .. } => Some(summary),
            Became::Failed(_) => None,
        }
    }

    fn problems(&self) -> &[Problem] {
        match &self.became {
            Became::Whole(_) | Became::Kept(_) => &[],
            Became::Partial { problems, .. } => problems,
            Became::Failed(problem) => std::slice::from_ref(problem),
        }
    }
}

/// Tells what they came to, and gives the exit code.
pub(super) fn tell(mut accounts: Vec<Audited>) -> u8 {
    accounts.sort_by(|one, other| {
        let badness = |account: &Audited| {
            let summary = account.summary();
            summary.map(|summary| (summary.fail, summary.unknown + summary.not_evaluated))
        };
        badness(other).cmp(&badness(one)).then(one.id.cmp(&other.id))
    });
    ui::out(&text(&accounts));
    for problem in accounts.iter().flat_map(Audited::problems) {
        ui::problem(problem);
    }
    code(&accounts)
}

/// What is not known proves nothing, so it weighs more than what failed.
fn code(accounts: &[Audited]) -> u8 {
    let is_unknown = |account: &Audited| match account.summary() {
        Some(summary) => summary.unknown + summary.not_evaluated > 0,
        None => true,
    };
    if accounts.iter().any(is_unknown) {
        exit_code::FAILED
    } else if accounts
        .iter()
        .filter_map(Audited::summary)
        .any(|summary| summary.fail > 0)
    {
        exit_code::FOUND
    } else {
        exit_code::OK
    }
}

fn text(accounts: &[Audited]) -> String {
    let mut text = format!(
        "{DIM}  {:12} {:27} {:>8} {:>7} {:>7} {:>8}{DIM:#}\n",
        "ACCOUNT", "NAME", "USERS", "FAIL", "EXEMPT", "UNKNOWN"
    );
    let rows = accounts
        .iter()
        .filter_map(|account| Some((account, account.summary()?)));
    for (account, summary) in rows.clone().take(ROWS) {
        let unknown = summary.unknown + summary.not_evaluated;
        let (style, mark) = match (summary.fail, unknown) {
            (0, 0) => (GREEN, '✓'),
            (0, _) => (YELLOW, '?'),
            (_, _) => (RED, '✗'),
        };
        text.push_str(&format!(
            "{style}{mark}{style:#} {:12} {:27} {:>8} {:>7} {:>7} {:>8}\n",
            account.id,
            shown_name(account),
            summary.users,
            summary.fail,
            summary.exempt,
            unknown,
        ));
    }
    let more = rows.count().saturating_sub(ROWS);
    if more > 0 {
        text.push_str(&format!("{DIM}… and {more} more{DIM:#}\n"));
    }
    let not_whole: Vec<&Audited> = accounts
        .iter()
        .filter(|account| !account.problems().is_empty())
        .collect();
    if !not_whole.is_empty() {
        text.push_str(&format!("\n{RED}not audited whole{RED:#}\n"));
        for account in &not_whole {
            text.push_str(&format!("  {:12} {}\n", account.id, shown_name(account)).replace(" \n", "\n"));
        }
    }
    let kept = accounts
        .iter()
        .filter(|account| matches!(account.became, Became::Kept(_)))
        .count();
    let fail: u64 = accounts
        .iter()
        .filter_map(Audited::summary)
        .map(|summary| summary.fail)
        .sum();
    let mut words = vec![
        format!("{} accounts", accounts.len()),
        format!("{fail} failed rules"),
    ];
    if kept > 0 {
        words.push(format!("{kept} from earlier today"));
    }
    if !not_whole.is_empty() {
        words.push(format!("{} not audited whole", not_whole.len()));
    }
    text.push_str(&format!("\n{BOLD}{}{BOLD:#}\n", words.join(", ")));
    text
}

fn shown_name(account: &Audited) -> String {
    let name = visible(account.name.as_deref().unwrap_or_default());
    if name.chars().count() <= 27 {
        return name;
    }
    name.chars().take(26).chain(['…']).collect()
}
