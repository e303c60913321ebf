//! What `disable`, `enable` and `delete` share: who signs, what is shown before the question, and how it is told.

use std::path::Path;

use jiff::SignedDuration;

use super::rotations::{MfaArgs, confirm, needs_answer, runtime, show_plan};
use super::signing::{Purpose, Signer};
use super::{Format, ui};
use crate::access_key::AccessKeyId;
use crate::aws::Client;
use crate::clock::{Clock, SystemClock};
use crate::fs_atomic::Lock;
use crate::iam::{self, ErrorKind, Iam, UserName};
use crate::problem::Problem;
use crate::process::{Environment, checkpoint};
use crate::remediate::from_audit::PassedOver;
use crate::remediate::journal::{Change, Event, Journal, Outcome, Run, run_id};
use crate::remediate::judge::{Conditions, Left, Verdict, judge};
use crate::remediate::run::{Became, Bounds, Performer, Treated, examine, settle_earlier};
use crate::remediate::{Action, Claim, Examined, Target};
use crate::rotate::authority::Authority;
use crate::settings;

mod report;

use report::Report;

/// The options of all three.
#[derive(Debug, clap::Args)]
pub struct CommonArgs {
    /// Profile whose key signs: an administrator's [default: AWS_PROFILE, then default]
    #[arg(short, long = "profile", value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    pub yes: bool,
    /// What opens an MFA session
    #[command(flatten)]
    pub mfa: MfaArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// One key, as the CIS text names it.
#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    /// User whose key it is
    #[arg(long, value_name = "NAME", requires = "access_key_id")]
    pub user_name: Option<String>,
    /// The key
    #[arg(long, value_name = "ID", requires = "user_name", value_parser = AccessKeyId::parse)]
    pub access_key_id: Option<AccessKeyId>,
}

impl KeyArgs {
    /// The key, if one was named.
    pub fn target(&self) -> Option<Target> {
        let (Some(user_name), Some(access_key_id)) = (&self.user_name, &self.access_key_id) else {
            return None;
        };
        Some(Target {
            user_name: UserName(user_name.clone()),
            access_key_id: access_key_id.clone(),
            claim: Claim::Named,
        })
    }
}

/// What is asked for.
pub struct Order<'a> {
    /// What is done.
    pub action: Action,
    /// The options of all three.
    pub common: &'a CommonArgs,
    /// `--force`.
    pub force: bool,
    /// `--self`.
    pub own_key_too: bool,
    /// What was typed, without `--yes` and the profile.
    pub command: &'a str,
}

/// Which keys, and what is told of the others.
#[derive(Debug, Default)]
pub struct Selection {
    /// To be looked at.
    pub targets: Vec<Target>,
    /// Our own record says that these stay.
    pub left: Vec<(Target, Left)>,
    /// Findings that lead to no key.
    pub passed_over: Vec<PassedOver>,
    /// The account that they are in, where that is known.
    pub account_id: Option<String>,
    /// The run that is put back.
    pub puts_back: Option<String>,
}

/// Runs one of the three. `select` says which keys, and may ask AWS for it.
///
/// # Errors
///
/// When nothing could be tried.
pub fn run(
    order: &Order<'_>,
    environment: &Environment,
    select: impl AsyncFnOnce(&mut Signer<'_>, &Journal) -> Result<Selection, Problem>,
) -> Result<u8, Problem> {
    let common = order.common;
    needs_answer(order.action.verb(), common.yes, common.dry_run, &order.typed())?;
    let state_folder = settings::state_folder(environment).map_err(|error| {
        Problem::new(
            format!("cannot {}", order.action.verb()),
            error.to_string(),
            "export HOME",
        )
    })?;
    let runtime = runtime()?;
    let report = runtime.block_on(async {
        let mut signer = sign(order, environment).await?;
        let mut journal = open(order, &state_folder)?;
        let selection = select(&mut signer, &journal).await?;
        treat(order, &mut signer, &state_folder, &mut journal, selection).await
    });
    runtime.shutdown_background();
    Ok(report?.finish(common.format))
}

impl<'a> Order<'a> {
    fn purpose(&self) -> Purpose<'a> {
        Purpose {
            what: self.action.of_keys(),
            profile: self.common.profile.as_deref(),
            command: self.command,
            answers: " --yes",
            policy: "remediate",
            is_patient: false,
            mfa: &self.common.mfa,
        }
    }

    /// The command with the profile, to be pasted.
    pub fn typed(&self) -> String {
        self.purpose().typed()
    }
}

fn open(order: &Order<'_>, state_folder: &Path) -> Result<Journal, Problem> {
    Journal::open(state_folder).map_err(|error| {
        Problem::new(
            format!("cannot {} without a record of it", order.action.verb()),
            error.to_string(),
            "see what is in the state folder: ls -l ~/.local/state/keyagent",
        )
    })
}

/// A user or a role signs, never the root user.
async fn sign<'a>(order: &Order<'a>, environment: &Environment) -> Result<Signer<'a>, Problem> {
    let signer = order.purpose().signer(environment).await?;
    if signer.is_administrator() {
        return Ok(signer);
    }
    Err(Problem::new(
        format!("cannot sign with profile {}", signer.profile),
        format!("its key belongs to {}, which is no IAM user", signer.identity.arn),
        "make an administrator of IAM, and use that one's profile: keyagent policy remediate",
    ))
}

async fn treat(
    order: &Order<'_>,
    signer: &mut Signer<'_>,
    state_folder: &Path,
    journal: &mut Journal,
    selection: Selection,
) -> Result<Report, Problem> {
    let action = order.action;
    let account = &signer.identity.account_id;
    if let Some(other) = selection.account_id.as_ref().filter(|other| *other != account) {
        return Err(Problem::new(
            format!("cannot {} keys of account {other}", action.verb()),
            format!("profile {} signs for account {account}", signer.profile),
            format!("{} -p PROFILE-OF-{other}", order.command),
        ));
    }
    let mut report = Report::new(order, signer, &selection);
    let puts_back = selection.puts_back;
    if selection.targets.is_empty() {
        if report.has_plan(&[]) {
            let plan = report.plan(&[], None, SystemClock.now());
            show_plan(&plan, order.common.dry_run, order.common.format);
        }
        return Ok(report);
    }
    let authority = authorize(signer, &selection.targets[0]).await?;
    let signer = &*signer;
    let account = &signer.identity.account_id;
    let settles_after = SignedDuration::try_from(signer.settings.verify_for).unwrap_or(SignedDuration::MAX);
    let mut conditions = Conditions {
        action,
        force: order.force,
        protected: (!order.own_key_too).then(|| signer.own_key.clone()),
        now: SystemClock.now(),
        settles_after,
    };
    let examined = examine(&authority.iam, selection.targets).await;
    let (to_change, left): (Vec<_>, Vec<_>) = examined
        .into_iter()
        .map(|examined| {
            let verdict = judge(&examined, &conditions);
            (examined, verdict)
        })
        .partition(|(_, verdict)| *verdict == Verdict::Change);
    let to_change: Vec<Examined> = to_change.into_iter().map(|(examined, _)| examined).collect();
    for (examined, verdict) in left {
        if let Verdict::Leave(left) = verdict {
            report.left(&examined, &left);
        }
    }
    let mfa = authority.mfa_serial.as_deref();
    if report.has_plan(&to_change) {
        let plan = report.plan(&to_change, mfa, conditions.now);
        show_plan(&plan, order.common.dry_run, order.common.format);
    }
    if order.common.dry_run {
        for examined in &to_change {
            report.planned(examined);
        }
        return Ok(report);
    }
    if !to_change.is_empty() {
        confirm(order.common.yes, "nothing is changed", &order.typed())?;
    }
    let _lock = lock(order, state_folder)?;
    *journal = open(order, state_folder)?;
    conditions.now = SystemClock.now();
    let earlier = settle_earlier(&authority.iam, journal, account, &conditions)
        .await
        .map_err(|error| report::not_recorded(action, &error))?;
    for (run, change) in earlier {
        ui::note(&settled(&run, &change));
    }
    if to_change.is_empty() {
        return Ok(report);
    }
    let run =
        begin(order, signer, puts_back, journal).map_err(|error| report::not_recorded(action, &error))?;
    report.run = Some(run.clone());
    checkpoint("run-begun");
    let performer = Performer {
        iam: &authority.iam,
        clock: &SystemClock,
        journal: std::cell::RefCell::new(journal),
        run,
        conditions,
        own_key: signer.own_key.clone(),
        bounds: Bounds {
            verify_for: signer.settings.verify_for,
            verify_every: signer.settings.verify_every,
        },
        progress: &|treated| show_progress(treated, action),
    };
    for treated in performer.perform(to_change).await {
        report.treated(&treated);
    }
    Ok(report)
}

fn lock(order: &Order<'_>, state_folder: &Path) -> Result<Lock, Problem> {
    let holder = format!(
        "keyagent {} (process {})",
        order.action.verb(),
        std::process::id()
    );
    Lock::acquire(&state_folder.join("remediation-run.lock"), &holder).map_err(|error| {
        Problem::new(
            format!("cannot {} now", order.action.verb()),
            error.to_string(),
            format!("wait for it to finish, then: {}", order.typed()),
        )
    })
}

fn begin(
    order: &Order<'_>,
    signer: &Signer<'_>,
    puts_back: Option<String>,
    journal: &mut Journal,
) -> Result<String, crate::remediate::journal::Error> {
    let now = SystemClock.now();
    let id = run_id(now);
    let begun = Event::Begun {
        action: order.action,
        account_id: signer.identity.account_id.clone(),
        signed_by: signer.identity.arn.clone(),
        profile: signer.profile.clone(),
        puts_back,
    };
    journal.append(&id, begun, now)?;
    Ok(id)
}

/// A refusal of the call itself is each key's own; only one that MFA could mend ends here.
async fn authorize(signer: &mut Signer<'_>, first: &Target) -> Result<Authority<Client>, Problem> {
    let authority = signer
        .authority(
            async |iam| match iam.list_access_keys(Some(&first.user_name)).await {
                Err(error) if matches!(error.kind, ErrorKind::AccessDenied { .. }) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            },
        )
        .await?;
    Ok(authority.clone())
}

/// A refusal of AWS's, with the way out that an administrator has.
pub fn problem(error: &iam::Error, what: &str, profile: &str) -> Problem {
    let mut problem = error.problem(what, profile);
    if matches!(error.kind, ErrorKind::AccessDenied { .. }) {
        problem.hint = "ask for what this prints: keyagent policy remediate".into();
    }
    problem
}

/// What an interrupted run has done after all.
fn settled(run: &Run, change: &Change) -> String {
    let Change {
        access_key_id,
        user_name,
        ..
    } = change;
    let became = match change.outcome {
        Outcome::Done => format!("is {}", run.action.result()),
        Outcome::NotDone | Outcome::Unknown => "is as it was".to_owned(),
    };
    format!(
        "run {} was interrupted; {access_key_id} of {user_name} {became}",
        run.id
    )
}

fn show_progress(treated: &Treated, action: Action) {
    let Target {
        access_key_id,
        user_name,
        ..
    } = &treated.examined.target;
    match &treated.became {
        Became::Changed => ui::note(&format!(
            "  - {access_key_id} of {user_name} is {}",
            action.result()
        )),
        Became::Left(_) | Became::Failed(_) => {
            ui::note(&format!(
                "  ! {access_key_id} of {user_name} stays or is in doubt"
            ));
        }
    }
}
