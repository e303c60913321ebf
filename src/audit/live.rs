//! Asks AWS: has the credential report made and fetches it, and looks up key IDs. Decides no verdict.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use crate::iam::{AccessKeyMetadata, CredentialReport, Error, ErrorKind, Iam, ReportState, UserName};

pub mod by_user;

/// The first pause; each is twice the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// About five minutes in all: far beyond what a report takes.
const QUESTIONS: u32 = 35;
/// So many users are asked about at once; IAM limits calls by the account.
const AT_ONCE: usize = 10;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum NoReport {
    /// A call was refused or failed.
    #[error(transparent)]
    Iam(#[from] Error),
    /// AWS did not come to an end.
    #[error("AWS has not finished the report in five minutes")]
    TookTooLong,
}

/// Has the report made, waits for it, and fetches it.
///
/// A report that AWS has kept for less than four hours comes at once. One that is gone or has expired between the two
/// calls is asked for anew.
///
/// # Errors
///
/// See [`NoReport`].
pub async fn credential_report(iam: &impl Iam) -> Result<CredentialReport, NoReport> {
    let mut pause = FIRST_PAUSE;
    for _ in 0..QUESTIONS {
        match iam.generate_credential_report().await? {
            ReportState::UnderWay => {}
            ReportState::Complete => match iam.get_credential_report().await {
                Ok(report) => return Ok(report),
                Err(error) if is_not_ready(&error) => {}
                Err(error) => return Err(error.into()),
            },
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Err(NoReport::TookTooLong)
}

fn is_not_ready(error: &Error) -> bool {
    matches!(
        error.code.as_deref(),
        Some("ReportNotPresent" | "ReportExpired" | "ReportInProgress")
    )
}

/// The keys of these users; of a user who is gone by now, none.
pub async fn keys_of(
    iam: &impl Iam,
    names: Vec<String>,
) -> HashMap<String, Result<Vec<AccessKeyMetadata>, Error>> {
    stream::iter(names)
        .map(|name| async {
            let user_name = UserName(name.clone());
            let keys = match iam.list_access_keys(Some(&user_name)).await {
                Err(error) if error.kind == ErrorKind::NoSuchEntity => Ok(Vec::new()),
                result => result,
            };
            (name, keys)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}
