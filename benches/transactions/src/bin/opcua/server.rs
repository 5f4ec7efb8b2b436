//! The OPC UA servers that are compared, each a process of its own between the same broker and the same responder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use syncline_bench_transactions::peer::Peer;
use syncline_bench_transactions::usage;
use syncline_tests::opcua::OpcuaAgent;
use tempfile::TempDir;

/// A variable of type Double with the id `ns=1;s=order` and the base topic `services/syncline/order`, as each server here has.
const SERVICE: &str = "\
metadata:
  name: syncline
resources:
  server:
    type: Cybus::Server::Opcua
    properties:
      allowAnonymous: true
      securityPolicies: [None]
      securityModes: [None]
  order:
    type: Cybus::Node::Opcua
    properties:
      parent: !ref server
      nodeType: Variable
      nodeId: ns=1;s=order
      dataType: Double
      initialValue: 0
      operation: transaction
      transaction:
        timeout: 10000
";

/// What runs.
enum Program {
    Syncline(Box<OpcuaAgent>),
    Peer(Peer),
}

/// A server that lets clients in.
pub(crate) struct Server {
    /// What the table calls it.
    pub(crate) name: &'static str,
    program: Program,
    /// Resident memory when it had just become ready, in bytes.
    pub(crate) idle: u64,
}

impl Server {
    /// This product.
    pub(crate) fn syncline(mqtt_port: u16, folder: &TempDir) -> Result<Self> {
        let service = folder.path().join("order.yml");
        std::fs::write(&service, SERVICE)?;
        let agent = OpcuaAgent::start(&service, mqtt_port, &[]);
        Self::ready("syncline", Program::Syncline(Box::new(agent)))
    }

    /// What one would write by hand on Node.js.
    pub(crate) fn node_opcua(peers: &Path, mqtt_port: u16, folder: &TempDir) -> Result<Self> {
        let name = "node-opcua + mqtt.js";
        let peer = Peer::node(name, "node-opcua.js", peers, mqtt_port, folder)?;
        Self::ready(name, Program::Peer(peer))
    }

    fn ready(name: &'static str, program: Program) -> Result<Self> {
        let mut server = Self {
            name,
            program,
            idle: 0,
        };
        server.idle = server.resident()?;
        Ok(server)
    }

    /// Where it takes connections.
    pub(crate) fn port(&self) -> u16 {
        match &self.program {
            Program::Syncline(agent) => agent.port(),
            Program::Peer(peer) => peer.port(),
        }
    }

    /// What clients connect to.
    pub(crate) fn url(&self) -> String {
        match &self.program {
            Program::Syncline(agent) => agent.url(),
            Program::Peer(peer) => format!("opc.tcp://127.0.0.1:{}", peer.port()),
        }
    }

    fn pid(&self) -> u32 {
        match &self.program {
            Program::Syncline(agent) => agent.id(),
            Program::Peer(peer) => peer.id(),
        }
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        usage::cpu(self.pid()).with_context(|| self.name)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        usage::resident(self.pid()).with_context(|| self.name)
    }
}
