//! The `keyagent` binary: the library's entry point, and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyagent::cli::main()
}
