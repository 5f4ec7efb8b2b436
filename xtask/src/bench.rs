//! The benchmarks: time, instructions and allocations, beside those of other libraries in the same run.

use anyhow::Result;

use crate::install;
use crate::process::Tool;

/// Runs everything that the benches package has; valgrind counts the instructions.
pub(crate) fn run() -> Result<()> {
    install::ensure(&[install::VALGRIND])?;
    Tool::cargo("bench")
        .args(["--locked", "--package", "syncline-benches"])
        .run()
}
