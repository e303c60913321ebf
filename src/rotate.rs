//! Replaces an access key so that nobody is ever locked out, whatever dies in between.
//!
//! ```text
//! Planned → CreatingKey → KeyCreated → KeyVerified → Installed → OldKeyInactive → OldKeyDeleted
//!              └────────────┴─────────────┴──► Aborting → Aborted
//! ```
//!
//! [`state`] is the pure machine, [`reconcile`] the pure decision after a crash, [`journal`] what is durable
//! between the two, [`run`] the one loop that performs, [`recover`] the one that takes up what was interrupted.
//! Installing is the point of no return: before it a rotation is backed out, after it rolled forward.

pub mod journal;
mod problem;
pub mod reconcile;
pub mod recover;
pub mod run;
pub mod state;
