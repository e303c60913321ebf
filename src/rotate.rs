//! Replaces an access key so that nobody is ever locked out, whatever dies in between.
//!
//! ```text
//! Planned → CreatingKey → KeyCreated → KeyVerified → Installed → OldKeyInactive → OldKeyDeleted
//!              └────────────┴─────────────┴──► Aborting → Aborted
//!                                              OldKeyInactive ─► Undoing → OldKeyActive → OldKeyVerified
//!                                                                → OldPairInstalled → Undone → NewKeyDeleted
//! ```
//!
//! [`state`] is the pure machine, [`reconcile`] the pure decision after a crash, [`journal`] what is durable
//! between the two. [`plan`] checks, [`run`] performs, [`undo`] takes back, [`retire`] says when a superseded key
//! may go, [`concern`] what was interrupted or put back, [`recover`] takes that up; [`authority`] is who signs, MFA
//! included.
//! Installing is the point of no return: before it a rotation is backed out, after it rolled forward.

pub mod authority;
pub mod concern;
pub mod error;
mod files;
pub mod journal;
pub mod plan;
pub mod reconcile;
pub mod recover;
pub mod retire;
pub mod run;
pub mod state;
pub mod undo;
