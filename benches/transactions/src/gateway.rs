//! The gateways that are compared, each a process of its own between the same broker and the same responder.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use syncline_tests::agent::Agent;
use syncline_tests::process::Process;
use syncline_tests::{port, wait};
use tempfile::TempDir;

use crate::usage;

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
    Peer { process: Process, port: u16 },
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
        Self::peer(name, Command::new(path), mqtt_port, folder)
    }

    /// `script` in the folder of the Node.js peers.
    pub(crate) fn node(
        name: &'static str,
        script: &str,
        peers: &Path,
        mqtt_port: u16,
        folder: &TempDir,
    ) -> Result<Self> {
        let mut command = Command::new("node");
        command.env("NODE_ENV", "production").arg(peers.join(script));
        Self::peer(name, command, mqtt_port, folder)
    }

    fn peer(name: &'static str, mut command: Command, mqtt_port: u16, folder: &TempDir) -> Result<Self> {
        let port = port::free();
        let base = format!("services/{}/order", name.replace([' ', '+'], ""));
        let user_folder = folder.path().join(&base);
        std::fs::create_dir_all(&user_folder)?;
        command
            .arg(port.to_string())
            .arg(mqtt_port.to_string())
            .arg(base)
            .arg(&user_folder);
        let mut process = Process::start(&command, &user_folder.join("log"));
        wait::until(&format!("{name} listens"), wait::PATIENCE, || {
            if let Some(status) = process.exit_status() {
                panic!("{name} ended with {status}:\n{}", process.output());
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        Self::ready(name, Program::Peer { process, port })
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
            Program::Peer { port, .. } => *port,
        }
    }

    fn pid(&self) -> u32 {
        match &self.program {
            Program::Syncline(agent) => agent.id(),
            Program::Peer { process, .. } => process.id(),
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

/// Appends one row of a table in Markdown.
pub(crate) fn row(table: &mut String, cells: &[String]) {
    for cell in cells {
        // Writing to a string cannot fail.
        let _ = write!(table, "| {cell} ");
    }
    table.push_str("|\n");
}
