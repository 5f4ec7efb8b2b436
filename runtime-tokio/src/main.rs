//! The `syncline` command.

mod cli;

use std::process::ExitCode;

/// Exit code of a bug, after sysexits.h.
const SOFTWARE: u8 = 70;

fn main() -> ExitCode {
    std::panic::catch_unwind(cli::main).unwrap_or(ExitCode::from(SOFTWARE))
}
