//! keyagent replaces long-term AWS access keys safely, and keeps them out of git.
//!
//! ```text
//! ~/.aws/credentials ──► status ──► rotate ──► recover
//!         ▲                           │
//!         └──── replaced in place ◄───┘
//! git commit ──► pre-commit hook ──► scan the staged blobs ──► blocked, if a key is in them
//! ```
//!
//! Arrows go one way:
//!
//! ```text
//! main ─► cli ─► { status, rotate, scan, agent } ─► { credentials, access_key, policy, settings, iam }
//!                       │                      pure: no I/O, no clock, no async
//!                       ▼
//!         aws, secret_store, desktop, git, process, fs_atomic      the only places with side effects
//! ```
//!
//! - [`cli`] is arguments and presentation; `cli/commands/` mirrors the command tree.
//! - [`credentials`] owns AWS's files: reading them as AWS's own readers do, and changing values without
//!   touching another byte.
//! - `rotate` owns the state machine and its journal.
//! - `agent` is in the background: it reminds, and rotates at a click. `desktop` shows what it says.
//! - `doctor` looks at all of it, and says which command mends what is wrong.
//! - [`scan`] owns the detector and what it is fed.
//! - [`hook`] owns keyagent's place among git's hooks.
//!
//! Without the Cargo feature `aws` only the scanner and the hook are built.

pub mod access_key;
#[cfg(feature = "desktop")]
pub mod agent;
#[cfg(feature = "aws")]
pub mod audit;
#[cfg(feature = "aws")]
pub mod aws;
pub mod cli;
pub mod clock;
pub mod credentials;
#[cfg(feature = "desktop")]
pub mod desktop;
#[cfg(feature = "aws")]
pub mod doctor;
#[cfg(feature = "aws")]
pub mod fs_atomic;
pub mod git;
pub mod hook;
#[cfg(feature = "aws")]
pub mod iam;
#[cfg(feature = "aws")]
pub mod journal;
#[cfg(feature = "aws")]
pub mod policy;
pub mod problem;
pub mod process;
#[cfg(feature = "aws")]
pub mod remediate;
#[cfg(feature = "aws")]
pub mod rotate;
pub mod scan;
#[cfg(feature = "aws")]
pub mod secret_store;
#[cfg(feature = "aws")]
pub mod settings;
#[cfg(feature = "aws")]
pub mod status;
