//! The benchmarks: ours beside those of other programs and libraries in the same run.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::install;
use crate::process::Tool;

/// How the names of the gateways begin that run on Node.js.
const NODE_PEERS: [&str; 3] = ["fastify + mqtt.js", "express + mqtt.js", "node-red"];

/// Time, instructions and allocations of codec and session; valgrind counts the instructions.
pub(crate) fn packets() -> Result<()> {
    install::ensure(&[install::VALGRIND])?;
    Tool::cargo("bench")
        .args(["--locked", "--package", "syncline-benches"])
        .run()
}

/// Whole transactions through the agent, as it is shipped, and through other gateways; npm installs those that need it.
/// `arguments` are the benchmark's own.
pub(crate) fn transactions(arguments: &[OsString]) -> Result<()> {
    install::ensure(&[install::MOSQUITTO])?;
    for package in ["syncline", "syncline-bench-transactions"] {
        Tool::cargo("build")
            .args(["--locked", "--profile", "dist", "--bins", "--package", package])
            .run()?;
    }
    let programs = crate::target_dir().join("dist");
    let mut transactions =
        Tool::new(programs.join("transactions")).env("SYNCLINE_BIN", programs.join("syncline"));
    if has_node_peers(arguments) {
        transactions = transactions.arg("--node-peers").arg(node_peers()?);
    }
    transactions.args(arguments).run()
}

/// Whether one of the gateways that are asked for runs on Node.js.
fn has_node_peers(arguments: &[OsString]) -> bool {
    let only = arguments
        .iter()
        .position(|argument| argument == "--only")
        .and_then(|at| arguments.get(at + 1)?.to_str());
    only.is_none_or(|only| {
        let mut names = only.split(',').map(str::to_lowercase);
        names.any(|name| NODE_PEERS.iter().any(|peer| peer.starts_with(&name)))
    })
}

/// The folder with the gateways on Node.js, and what they need.
fn node_peers() -> Result<PathBuf> {
    install::ensure(&[install::NODE, install::NPM])?;
    let peers = crate::target_dir().join("xtask/transaction-peers");
    copy_folder(&crate::root().join("benches/transactions/peers"), &peers)?;
    Tool::new("npm")
        .args(["install", "--no-package-lock", "--no-audit", "--no-fund"])
        .dir(&peers)
        .run()?;
    Ok(peers)
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
