//! The benchmarks: ours beside those of other programs and libraries in the same run.

use anyhow::{Context as _, Result};

use crate::install;
use crate::process::Tool;

/// Time, instructions and allocations of codec and session; valgrind counts the instructions.
pub(crate) fn packets() -> Result<()> {
    install::ensure(&[install::VALGRIND])?;
    Tool::cargo("bench")
        .args(["--locked", "--package", "syncline-benches"])
        .run()
}

/// Whole transactions through the agent, as it is shipped, and through other gateways; npm installs those that need it.
pub(crate) fn transactions() -> Result<()> {
    install::ensure(&[install::MOSQUITTO, install::NODE, install::NPM])?;
    for package in ["syncline", "syncline-bench-transactions"] {
        Tool::cargo("build")
            .args(["--locked", "--profile", "dist", "--bins", "--package", package])
            .run()?;
    }
    let peers = crate::target_dir().join("xtask/transaction-peers");
    copy_folder(&crate::root().join("benches/transactions/peers"), &peers)?;
    Tool::new("npm")
        .args(["install", "--no-package-lock", "--no-audit", "--no-fund"])
        .dir(&peers)
        .run()?;
    let programs = crate::target_dir().join("dist");
    Tool::new(programs.join("transactions"))
        .arg("--node-peers")
        .arg(&peers)
        .env("SYNCLINE_BIN", programs.join("syncline"))
        .run()
}

/// Copies the files of a folder without folders in it.
fn copy_folder(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for file in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let file = file?.path();
        if let Some(name) = file.file_name().filter(|_| file.is_file()) {
            std::fs::copy(&file, to.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(())
}
