//! One file a command: its arguments, and how its result is shown.

#[cfg(feature = "desktop")]
pub mod agent;
pub mod completions;
pub mod hook;
pub mod man;
#[cfg(feature = "aws")]
pub mod policy;
#[cfg(feature = "aws")]
pub mod recover;
#[cfg(feature = "aws")]
pub mod retire;
#[cfg(feature = "aws")]
pub mod rotate;
pub mod scan;
#[cfg(feature = "aws")]
pub mod settings;
#[cfg(feature = "aws")]
pub mod status;
#[cfg(feature = "aws")]
pub mod undo;
