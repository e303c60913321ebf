//! The exit codes of the contract: documented and stable.

/// All is well, or what was asked for is done.
pub const OK: u8 = 0;
/// Something was found that the user must act on: a key in a scan, an overdue key with `--exit-code`.
pub const FOUND: u8 = 1;
/// keyagent could not do its job, or was called wrongly.
pub const FAILED: u8 = 2;
