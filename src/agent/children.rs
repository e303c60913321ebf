//! The commands that the agent runs: each is the one that a person would type, in a process of its own.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::process::Command;

use super::facts::Facts;
use crate::access_key::AccessKeyId;
use crate::problem::Problem;

/// Far beyond what AWS takes, and every call in it is bounded already.
const CHECK_BOUND: Duration = Duration::from_mins(5);
/// Two minutes until AWS accepts a key, as much for a person to find the MFA device, and the same again to back out.
const CHANGE_BOUND: Duration = Duration::from_mins(10);

/// What `rotate`, `undo` and `retire` report, as far as the agent tells it.
#[derive(Debug, Default, Deserialize)]
pub struct Changes {
    /// What was done.
    pub rotations: Vec<Change>,
    /// What was not.
    pub errors: Vec<Failure>,
}

/// A rotation that was made, or taken back.
#[derive(Debug, Deserialize)]
pub struct Change {
    /// Which profiles.
    pub profiles: Vec<String>,
    /// The key that was replaced.
    pub old_access_key_id: AccessKeyId,
    /// The key in its place.
    pub new_access_key_id: Option<AccessKeyId>,
    /// Until when it can be taken back.
    pub undo_until: Option<Timestamp>,
    /// Why a superseded key stays.
    #[serde(default)]
    pub kept: Option<String>,
}

/// A command's three lines.
#[derive(Clone, Debug, Deserialize)]
pub struct Failure {
    /// What.
    pub error: String,
    /// Why.
    pub cause: String,
    /// What to do.
    pub hint: String,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            error: problem.error,
            cause: problem.cause,
            hint: problem.hint,
        }
    }
}

/// The keyagent program.
#[derive(Clone, Debug)]
pub struct Program(
    /// Taken once, at the start: after an upgrade the same path is the new program.
    pub PathBuf,
);

impl Program {
    /// Asks AWS about everything.
    ///
    /// # Errors
    ///
    /// Words, when the check itself could not be made.
    pub async fn check(&self) -> Result<Facts, String> {
        let output = self.run(&["agent", "check"], CHECK_BOUND).await?;
        serde_json::from_slice(&output.stdout).map_err(|_| "the check has ended without an answer".to_owned())
    }

    /// Runs a command that changes keys, and gives its report.
    pub async fn change(&self, arguments: &[&str]) -> Changes {
        let what = || format!("cannot run keyagent {}", arguments.join(" "));
        let failed = |cause: String| Changes {
            rotations: Vec::new(),
            errors: vec![Problem::new(what(), cause, "keyagent status").into()],
        };
        match self.run(arguments, CHANGE_BOUND).await {
            Err(why) => failed(why),
            Ok(output) => serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
                // What was said before there was a report is on stderr, which goes to the log.
                failed("it has ended without a report; the agent's log says why".to_owned())
            }),
        }
    }

    /// Sends what is measured to a collector.
    ///
    /// # Errors
    ///
    /// Words, when none has taken it.
    pub async fn send_metrics(
        &self,
        endpoint: &str,
        findings: usize,
        with_key_ids: bool,
    ) -> Result<(), String> {
        let findings = findings.to_string();
        let mut arguments = vec![
            "agent",
            "send-metrics",
            "--endpoint",
            endpoint,
            "--findings",
            &findings,
        ];
        if with_key_ids {
            arguments.push("--key-ids");
        }
        let output = self.run(&arguments, CHECK_BOUND).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    async fn run(&self, arguments: &[&str], bound: Duration) -> Result<Output, String> {
        let child = Command::new(&self.0)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // The supervisor listens to one process.
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", self.0.display()))?;
        match tokio::time::timeout(bound, child.wait_with_output()).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_elapsed) => Err(format!("no end after {} minutes", bound.as_secs() / 60)),
        }
    }
}
