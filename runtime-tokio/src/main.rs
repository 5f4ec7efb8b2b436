//! The `syncline` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::catch_unwind(cli::main).unwrap_or_else(|_| cli::after_panic())
}
