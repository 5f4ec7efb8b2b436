//! The `syncline` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    syncline::rules::silence_panics();
    std::panic::catch_unwind(cli::main).unwrap_or_else(|_| cli::after_panic())
}
