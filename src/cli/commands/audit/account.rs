//! One account, as AWS tells of it now: through its credential report, or user by user.

use std::collections::{BTreeMap, HashMap};

use super::super::super::rotations::runtime;
use super::super::super::signing::Signer;
use super::{Args, KeyIds, Via, unwritable};
use crate::audit::assessment::{Assessment, Tally};
use crate::audit::credential_report::{CredentialReport, ReportError};
use crate::audit::exemptions::Exemptions;
use crate::audit::live::by_user::{self, Failures, Stopped};
use crate::audit::live::{self, NoReport};
use crate::audit::output::{Json, Output};
use crate::audit::rules::Judge;
use crate::audit::{Account, Benchmark, Document, Outcome, key_ids};
use crate::aws::Client;
use crate::clock::{Clock, SystemClock};
use crate::iam::{self, Iam as _};
use crate::problem::Problem;
use crate::process::Environment;

/// Asks AWS for the account of a profile.
pub(super) fn audit(
    args: &Args,
    environment: &Environment,
    judge: &Judge,
    output: &mut dyn Output,
) -> Result<Tally, Problem> {
    let typed = args.typed();
    let runtime = runtime()?;
    let tally = runtime.block_on(async {
        let mut signer = args.purpose(&typed).signer(environment).await?;
        let iam = signed(&mut signer, args.via).await?;
        let questions = Questions {
            via: args.via,
            key_ids: args.key_ids,
            judge,
            profile: &signer.profile,
        };
        questions.ask(&iam, account_of(&signer), output).await
    });
    runtime.shutdown_background();
    tally
}

/// Signs the audit's own calls, with MFA where that is demanded.
async fn signed(signer: &mut Signer<'_>, via: Via) -> Result<Client, Problem> {
    let authority = signer
        .authority(async |iam| match via {
            Via::Report => iam.generate_credential_report().await.map(drop),
            Via::List => iam.list_users(None).await.map(drop),
        })
        .await?;
    Ok(authority.iam.clone())
}

pub(super) fn account_of(signer: &Signer<'_>) -> Account {
    let identity = &signer.identity;
    Account::of(&identity.arn).unwrap_or_else(|| Account {
        id: identity.account_id.clone(),
        partition: "aws".into(),
    })
}

/// The keys of an account that nobody has used for so many days, as the document of an audit.
///
/// # Errors
///
/// When AWS does not say all that it takes to tell.
pub(in super::super) async fn dormant(
    signer: &mut Signer<'_>,
    unused_days: u32,
) -> Result<Document, Problem> {
    let iam = signed(signer, Via::Report).await?;
    let benchmark = Benchmark::default();
    let judge = Judge {
        benchmark,
        limits: crate::audit::Limits {
            unused_days,
            ..benchmark.limits()
        },
        as_of: SystemClock.now(),
        exemptions: Exemptions::default(),
    };
    let questions = Questions {
        via: Via::Report,
        key_ids: KeyIds::Failing,
        judge: &judge,
        profile: &signer.profile,
    };
    let mut text = Vec::new();
    let output = &mut Json::new(&mut text);
    questions.ask(&iam, account_of(signer), output).await?;
    Ok(serde_json::from_slice(&text).expect("what an audit writes, it reads"))
}

/// What is asked about an account, and how the answers are judged.
pub(super) struct Questions<'a> {
    /// Through which calls.
    pub(super) via: Via,
    /// Whose key IDs are looked up.
    pub(super) key_ids: KeyIds,
    /// Judges.
    pub(super) judge: &'a Judge,
    /// The profile that signs.
    pub(super) profile: &'a str,
}

type Keys = HashMap<String, Result<Vec<iam::AccessKeyMetadata>, iam::Error>>;

impl Questions<'_> {
    /// Asks, judges and writes.
    pub(super) async fn ask(
        &self,
        iam: &Client,
        account: Account,
        output: &mut dyn Output,
    ) -> Result<Tally, Problem> {
        match self.via {
            Via::Report => self.by_report(iam, account, output).await,
            Via::List => self.by_list(iam, account, output).await,
        }
    }

    async fn by_report(
        &self,
        iam: &Client,
        account: Account,
        output: &mut dyn Output,
    ) -> Result<Tally, Problem> {
        let cannot = cannot_audit(&account);
        let report = live::credential_report(iam).await.map_err(|error| match error {
            NoReport::Iam(error) => self.refused(&error, &cannot),
            NoReport::TookTooLong => Problem::new(
                &cannot,
                error.to_string(),
                "try again in a minute: AWS goes on with it",
            ),
        })?;
        let what = format!("the report of account {}", account.id);
        let open = || CredentialReport::open(&report.content[..]).map_err(|error| unusable(&what, &error));
        let names = match self.key_ids {
            KeyIds::None => Vec::new(),
            KeyIds::All | KeyIds::Failing => self.wanted(open()?),
        };
        let keys = live::keys_of(iam, names).await;
        let mut rows = open()?;
        let mut assessment = Assessment::new(self.judge, output, Some(account), Some(report.generated_at));
        if let Some(problem) = self.not_looked_up(&keys) {
            assessment.not_evaluated("key IDs".into(), problem);
        }
        assessment
            .report(&what, &mut rows, |user| {
                if let Some(Ok(listed)) = keys.get(user.name) {
                    key_ids::apply(user, listed);
                }
            })
            .map_err(|error| unwritable(&error))?;
        assessment.finish().map_err(|error| unwritable(&error))
    }

    async fn by_list(
        &self,
        iam: &Client,
        account: Account,
        output: &mut dyn Output,
    ) -> Result<Tally, Problem> {
        let cannot = cannot_audit(&account);
        let root = iam.root_has_access_key().await;
        let mut assessment = Assessment::new(self.judge, output, Some(account), None);
        let mut failures = Failures::default();
        let mut last = None;
        let listed = by_user::users(iam, &mut failures, |user| {
            last = Some(user.name.to_owned());
            assessment.user(user)
        })
        .await;
        match (listed, last) {
            (Ok(()), _) => {}
            (Err(Stopped::Write(error)), _) => return Err(unwritable(&error)),
            (Err(Stopped::Iam(error)), None) => return Err(self.refused(&error, &cannot)),
            (Err(Stopped::Iam(error)), Some(last)) => {
                let what = format!("{cannot}: the users behind {last} are not listed");
                assessment.not_evaluated("further users".into(), self.refused(&error, &what));
            }
        }
        for failed in failures.iter() {
            let (action, name) = (failed.error.action, &failed.user_name);
            let problem = self.refused(
                &failed.error,
                &format!(
                    "{action} says nothing of {} users, {name} among them",
                    failed.users
                ),
            );
            assessment.not_evaluated(format!("{action} of {} users", failed.users), problem);
        }
        match root {
            Ok(has_key) => assessment
                .root_by_summary(has_key)
                .map_err(|error| unwritable(&error))?,
            Err(error) => {
                let problem = self.refused(&error, "it is not known whether the root user has an access key");
                assessment.not_evaluated("the root user".into(), problem);
            }
        }
        assessment.finish().map_err(|error| unwritable(&error))
    }

    /// The users whose key IDs are to be looked up.
    fn wanted(&self, mut rows: CredentialReport<&[u8]>) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(row) = rows.next_row() {
            // What cannot be read is told when it is judged.
            let Ok(row) = row else { continue };
            if row.user.is_root {
                continue;
            }
            let mut is_wanted = self.key_ids == KeyIds::All;
            self.judge
                .verdicts(&row.user, |verdict| is_wanted |= verdict.outcome == Outcome::Fail);
            if is_wanted {
                names.push(row.user.name.to_owned());
            }
        }
        names
    }

    /// One problem for all users whose keys AWS did not list; the first reason stands for all.
    fn not_looked_up(&self, keys: &Keys) -> Option<Problem> {
        let failed: BTreeMap<&String, &iam::Error> = keys
            .iter()
            .filter_map(|(name, keys)| Some((name, keys.as_ref().err()?)))
            .collect();
        let (name, error) = failed.first_key_value()?;
        let what = format!(
            "cannot look up the key IDs of {} of {} users, {} among them",
            failed.len(),
            keys.len(),
            name
        );
        Some(self.refused(error, &what))
    }

    /// The hints of the other commands speak of one's own user.
    fn refused(&self, error: &iam::Error, what: &str) -> Problem {
        let mut problem = error.problem(what, self.profile);
        if problem.hint.ends_with("keyagent policy self") {
            let job = match self.via {
                Via::Report => "audit",
                Via::List => "audit-list",
            };
            problem.hint = format!("ask for what the audit needs: keyagent policy {job}");
        }
        problem
    }
}

fn cannot_audit(account: &Account) -> String {
    format!("cannot audit the account {}", account.id)
}

fn unusable(what: &str, error: &ReportError) -> Problem {
    Problem::new(
        format!("cannot evaluate {what}"),
        error.to_string(),
        "try again in a minute",
    )
}
