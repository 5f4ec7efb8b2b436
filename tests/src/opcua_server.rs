//! A machine that serves OPC UA by asyncua or node-opcua: implementations that share nothing with the agent's, nor with each other.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::opcua::Library;
use crate::task_process::TaskProcess;
use crate::{port, wait};

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct OpcuaServer {
    process: TaskProcess,
    library: Library,
    options: Value,
    _folder: TempDir,
}

impl OpcuaServer {
    /// On asyncua, without security, for everyone.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(json!({}))
    }

    /// On asyncua with further options, see `tests/opcua/server.py`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with(options: Value) -> Self {
        Self::start_on(Library::Asyncua, options)
    }

    /// On `library`, with further options, see `tests/opcua/server.py` and `server.js`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_on(library: Library, mut options: Value) -> Self {
        if options.get("port").is_none() {
            options["port"] = port::free().into();
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = library.command("server", folder.path());
        command.arg(options.to_string());
        let server = Self {
            process: TaskProcess::start(&mut command),
            library,
            options,
            _folder: folder,
        };
        assert_eq!(server.process.line(3 * wait::PATIENCE)["result"], "serving");
        server
    }

    /// Ends it without a word, and starts it again in its place.
    #[must_use]
    pub fn restart(self) -> Self {
        let (library, options) = (self.library, self.options.clone());
        drop(self);
        Self::start_on(library, options)
    }

    /// Its port.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn port(&self) -> u16 {
        let port = self.options["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok());
        port.expect("a port")
    }

    /// What the node has: its type and its value.
    pub fn get(&mut self, node: &str) -> Value {
        self.ask(json!({"do": "get", "node": node}))
    }

    /// Gives the node a value, at a time and with the name of a status code where they are given.
    pub fn set(&mut self, node: &str, value: &Value, more: &Value) {
        let mut task = json!({"do": "set", "node": node, "value": value});
        for (key, value) in more.as_object().into_iter().flatten() {
            task[key] = value.clone();
        }
        self.ask(task);
    }

    /// How many subscriptions its clients have.
    pub fn subscriptions(&mut self) -> Value {
        self.ask(json!({"do": "subscriptions", "node": "any"}))
    }

    /// Has it do nothing until it is [woken](Self::wake).
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Has it go on.
    pub fn wake(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.process.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    fn ask(&mut self, task: Value) -> Value {
        let task = self.process.begin(task);
        self.process.end(task, wait::PATIENCE)["result"].clone()
    }
}
