//! The benchmarks: ours beside those of other programs and libraries in the same run.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::process::Tool;
use crate::{install, node};

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
    let mut transactions = beside_agent("transactions")?;
    if has_node_peers(arguments) {
        transactions = transactions.arg("--node-peers").arg(node_peers()?);
    }
    transactions.args(arguments).run()
}

/// Held Writes of OPC UA clients through the agent, as it is shipped, and through a server on node-opcua. `arguments` are
/// the benchmark's own.
pub(crate) fn opcua(arguments: &[OsString]) -> Result<()> {
    beside_agent("opcua")?
        .arg("--node-peers")
        .arg(node_peers()?)
        .args(arguments)
        .run()
}

/// A comparison of whole transactions that is to be run, with all that is needed but the peers on Node.js.
fn beside_agent(name: &str) -> Result<Tool> {
    install::ensure(&[install::MOSQUITTO])?;
    for package in ["syncline", "syncline-bench-transactions"] {
        Tool::cargo("build")
            .args(["--locked", "--profile", "dist", "--bins", "--package", package])
            .run()?;
    }
    let programs = crate::target_dir().join("dist");
    Ok(Tool::new(programs.join(name)).env("SYNCLINE_BIN", programs.join("syncline")))
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
    let source = crate::root().join("benches/transactions/peers");
    let peers = node::packages(&source, &crate::target_dir().join("xtask/transaction-peers"))?;
    for file in std::fs::read_dir(&source).with_context(|| format!("cannot read {}", source.display()))? {
        let file = file?.path();
        if let Some(name) = file
            .file_name()
            .filter(|name| name.as_encoded_bytes().ends_with(b".js"))
        {
            std::fs::copy(&file, peers.join(name))
                .with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(peers)
}
