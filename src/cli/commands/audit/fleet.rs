//! Many accounts: assumes a role in each, a few at a time, and files what each tells. One account's failure hides no
//! other's, and nothing of an account is held once it is filed but its counts.

use std::cell::Cell;

use futures_util::stream::{self, StreamExt};

use super::super::super::rotations::runtime;
use super::super::super::signing::Signer;
use super::super::super::ui;
use super::account::{Questions, account_of};
use super::destination::Destination;
use super::summary::{Audited, Became};
use super::{Args, unwritable};
use crate::audit::Account;
use crate::audit::results::Results;
use crate::audit::rules::Judge;
use crate::aws::Client;
use crate::iam::{Iam as _, Role};
use crate::problem::Problem;
use crate::process::{Environment, checkpoint};

/// So many accounts are asked at once; each has limits of its own.
const AT_ONCE: usize = 8;

/// Audits every account that is named, or that the organization lists.
///
/// # Errors
///
/// When no account could be tried.
pub(super) fn audit(
    args: &Args,
    environment: &Environment,
    judge: &Judge,
    destination: &Destination<'_>,
) -> Result<Vec<Audited>, Problem> {
    let results = destination.results().expect("clap demands --out");
    let role_name = args.role_name.as_deref().expect("clap demands --role-name");
    let typed = args.typed();
    let runtime = runtime()?;
    let audited = runtime.block_on(async {
        let mut signer = args.purpose(&typed).signer(environment).await?;
        let (iam, listed) = listed(args, &mut signer).await?;
        let own = account_of(&signer);
        let fleet = Fleet {
            iam: &iam,
            questions: Questions {
                via: args.via,
                key_ids: args.key_ids,
                judge,
                profile: &signer.profile,
            },
            own: &own,
            role_name,
            external_id: args.external_id.as_deref(),
            is_resumed: args.resume,
            results,
            destination,
        };
        let all = listed.len() as u64;
        let bar = ui::Bar::new("auditing", "accounts");
        let done = Cell::new(0);
        bar.show(0, all);
        let audited = stream::iter(listed)
            .map(|listed| async {
                let audited = fleet.one(listed).await;
                done.set(done.get() + 1);
                bar.show(done.get(), all);
                audited
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        Ok(audited)
    });
    runtime.shutdown_background();
    audited
}

struct Named {
    id: String,
    name: Option<String>,
}

/// What signs, and the accounts. Those that are suspended or closed have nobody to ask.
async fn listed(args: &Args, signer: &mut Signer<'_>) -> Result<(Client, Vec<Named>), Problem> {
    if !args.organization {
        // Which account's role would tell whether MFA is demanded is not known: each is tried.
        let iam = signer.authority(async |_| Ok(())).await?.iam.clone();
        let mut ids = args.accounts.clone();
        ids.sort_unstable();
        ids.dedup();
        return Ok((iam, ids.into_iter().map(|id| Named { id, name: None }).collect()));
    }
    let iam = signer
        .authority(async |iam| iam.list_accounts().await.map(drop))
        .await?
        .iam
        .clone();
    let accounts = iam
        .list_accounts()
        .await
        .map_err(|error| error.problem("cannot list the organization's accounts", &signer.profile))?;
    let (active, others): (Vec<_>, Vec<_>) = accounts.into_iter().partition(|account| account.is_active);
    if !others.is_empty() {
        let ids: Vec<&str> = others.iter().map(|account| account.id.as_str()).collect();
        ui::remark(&format!(
            "not audited, for they are not active: {}",
            ids.join(", ")
        ));
    }
    let named = active.into_iter().map(|account| Named {
        id: account.id,
        name: Some(account.name),
    });
    Ok((iam, named.collect()))
}

struct Fleet<'a> {
    iam: &'a Client,
    questions: Questions<'a>,
    own: &'a Account,
    role_name: &'a str,
    external_id: Option<&'a str>,
    is_resumed: bool,
    results: &'a Results,
    destination: &'a Destination<'a>,
}

impl Fleet<'_> {
    async fn one(&self, named: Named) -> Audited {
        let became = match self.results.of_today(&named.id).filter(|_| self.is_resumed) {
            Some(record) => Became::Kept(record.summary),
            None => self
                .account(&named.id)
                .await
                .unwrap_or_else(|problem| Became::Failed(of_account(&named.id, problem))),
        };
        checkpoint("account-audited");
        Audited {
            id: named.id,
            name: named.name,
            became,
        }
    }

    async fn account(&self, id: &str) -> Result<Became, Problem> {
        let iam = self.client(id).await?;
        let account = Account {
            id: id.to_owned(),
            partition: self.own.partition.clone(),
        };
        let make = |out, earlier| self.destination.in_file(out, earlier);
        let mut filing = self.results.filing(&make);
        let tally = self.questions.ask(&iam, account, &mut filing).await?;
        filing.finish(&tally).map_err(|error| unwritable(&error))?;
        if tally.not_evaluated.is_empty() {
            return Ok(Became::Whole(tally.summary));
        }
        let problems = tally.not_evaluated.into_iter();
        Ok(Became::Partial {
            summary: tally.summary,
            problems: problems.map(|missing| of_account(id, missing.problem)).collect(),
        })
    }

    /// The account that signs needs no role of its own.
    async fn client(&self, id: &str) -> Result<Client, Problem> {
        if id == self.own.id {
            return Ok(self.iam.clone());
        }
        let role = Role {
            arn: format!("arn:{}:iam::{id}:role/{}", self.own.partition, self.role_name),
            session_name: Role::SESSION_NAME.to_owned(),
            external_id: self.external_id.map(str::to_owned),
        };
        let session = self.iam.assume_role(&role).await.map_err(|error| {
            let what = format!("cannot assume {}", role.arn);
            error.problem(what, self.questions.profile)
        })?;
        Ok(self.iam.in_session(&session))
    }
}

/// Names the account, where the problem itself does not.
fn of_account(id: &str, mut problem: Problem) -> Problem {
    if !problem.error.contains(id) {
        problem.error = format!("account {id}: {}", problem.error);
    }
    problem
}
