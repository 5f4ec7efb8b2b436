//! Another program in the agent's place, a process of its own between the same broker and the same responder.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use syncline_tests::process::Process;
use syncline_tests::{port, wait};
use tempfile::TempDir;

/// A program that takes connections.
#[derive(Debug)]
pub struct Peer {
    process: Process,
    port: u16,
}

impl Peer {
    /// Runs `command` with what each peer is told: its port, the broker's, the base topic, and a folder to write in.
    ///
    /// # Errors
    /// The folder cannot be made.
    ///
    /// # Panics
    /// When the program ends, or does not listen in time.
    pub fn start(name: &str, mut command: Command, mqtt_port: u16, folder: &TempDir) -> Result<Self> {
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
        Ok(Self { process, port })
    }

    /// Runs `script` of the folder where the peers on Node.js are installed, by the Node.js that is installed with them.
    ///
    /// # Errors
    /// As [`Peer::start`].
    ///
    /// # Panics
    /// As [`Peer::start`].
    pub fn node(name: &str, script: &str, peers: &Path, mqtt_port: u16, folder: &TempDir) -> Result<Self> {
        let mut command = Command::new(peers.join("node"));
        command.env("NODE_ENV", "production").arg(peers.join(script));
        Self::start(name, command, mqtt_port, folder)
    }

    /// Where it takes connections.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process's number in the system.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}
