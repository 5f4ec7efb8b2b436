//! An HTTP back end in Python, which endpoints make requests of.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::{port, workspace};

/// A running `tests/backend.py`.
#[derive(Debug)]
pub struct Backend {
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl Backend {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When Python is not there.
    #[must_use]
    pub fn start() -> Self {
        Self::start_on(port::free(), &[])
    }

    /// Starts it on `port`, with TLS where its certificate, its key, and the authority of its clients are given.
    ///
    /// # Panics
    /// As [`Backend::start`].
    #[must_use]
    pub fn start_on(port: u16, tls: &[&Path]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("python3");
        command
            .arg(workspace().join("tests/backend.py"))
            .arg(port.to_string())
            .args(tls);
        let mut process = Process::start(&command, &folder.path().join("backend.log"));
        process.wait_for_output("listening");
        Self {
            process,
            port,
            _folder: folder,
        }
    }

    /// Its loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The requests that have come, probes left out.
    ///
    /// # Panics
    /// Never: each is a line of JSON.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        let output = self.process.output();
        let lines = output.lines().filter_map(|line| line.strip_prefix("request: "));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
