//! The gateways that are compared, each a process of its own between the same broker and the same responder.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use syncline_bench_transactions::peer::Peer;
use syncline_bench_transactions::usage;
use syncline_tests::agent::Agent;
use tempfile::TempDir;

/// A node whose base topic is `services/syncline/order` and whose address is `/data/order`, as every gateway here has.
const SERVICE: &str = "\
metadata:
  name: syncline
resources:
  server:
    type: Cybus::Server::Http
  order:
    type: Cybus::Node::Http
    properties:
      parent: !ref server
      method: POST
      route: /order
      operation: transaction
      transaction:
        timeout: 10000
";

/// What runs.
enum Program {
    Syncline(Box<Agent>),
    Peer(Peer),
}

/// A gateway that accepts requests.
pub(crate) struct Gateway {
    /// What the table calls it.
    pub(crate) name: &'static str,
    program: Program,
    /// Resident memory when it had just become ready, in bytes.
    pub(crate) idle: u64,
}

impl Gateway {
    /// This product.
    pub(crate) fn syncline(mqtt_port: u16, folder: &TempDir) -> Result<Self> {
        let service = folder.path().join("order.yml");
        std::fs::write(&service, SERVICE)?;
        let agent = Agent::start_with(&service, mqtt_port, &[]);
        Self::ready("syncline", Program::Syncline(Box::new(agent)))
    }

    /// `program`, which lies beside this one.
    pub(crate) fn beside(
        name: &'static str,
        program: &str,
        mqtt_port: u16,
        folder: &TempDir,
    ) -> Result<Self> {
        let path = std::env::current_exe()?.with_file_name(program);
        let peer = Peer::start(name, Command::new(path), mqtt_port, folder)?;
        Self::ready(name, Program::Peer(peer))
    }

    /// `script` in the folder of the Node.js peers.
    pub(crate) fn node(
        name: &'static str,
        script: &str,
        peers: &Path,
        mqtt_port: u16,
        folder: &TempDir,
    ) -> Result<Self> {
        let peer = Peer::node(name, script, peers, mqtt_port, folder)?;
        Self::ready(name, Program::Peer(peer))
    }

    fn ready(name: &'static str, program: Program) -> Result<Self> {
        let mut gateway = Self {
            name,
            program,
            idle: 0,
        };
        gateway.idle = gateway.resident()?;
        Ok(gateway)
    }

    /// Where it accepts HTTP.
    pub(crate) fn port(&self) -> u16 {
        match &self.program {
            Program::Syncline(agent) => agent.http_port(),
            Program::Peer(peer) => peer.port(),
        }
    }

    fn pid(&self) -> u32 {
        match &self.program {
            Program::Syncline(agent) => agent.id(),
            Program::Peer(peer) => peer.id(),
        }
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Result<std::time::Duration> {
        usage::cpu(self.pid()).with_context(|| self.name)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        usage::resident(self.pid()).with_context(|| self.name)
    }
}
