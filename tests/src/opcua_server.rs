//! A machine that serves OPC UA by asyncua: an implementation that shares nothing with the agent's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use serde_json::{Value, json};

use crate::{opcua, port, wait, workspace};

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct OpcuaServer {
    process: Child,
    tasks: ChildStdin,
    answers: Receiver<Value>,
    options: Value,
    next: u64,
}

impl OpcuaServer {
    /// Without security, for everyone.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(json!({}))
    }

    /// With further options, see `tests/opcua/server.py`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with(mut options: Value) -> Self {
        if options.get("port").is_none() {
            options["port"] = port::free().into();
        }
        let mut process = Command::new(opcua::python())
            .arg(workspace().join("tests/opcua/server.py"))
            .arg(options.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let tasks = process.stdin.take().expect("a pipe");
        let lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let (sender, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let answer = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(answer).is_err() {
                    return;
                }
            }
        });
        let server = Self {
            process,
            tasks,
            answers,
            options,
            next: 0,
        };
        let first = server
            .answers
            .recv_timeout(3 * wait::PATIENCE)
            .expect("it serves");
        assert_eq!(first["result"], "serving");
        server
    }

    /// Ends it without a word, and starts it again in its place.
    #[must_use]
    pub fn restart(self) -> Self {
        let options = self.options.clone();
        drop(self);
        Self::start_with(options)
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

    fn ask(&mut self, mut task: Value) -> Value {
        self.next += 1;
        task["id"] = self.next.into();
        writeln!(self.tasks, "{task}").expect("the server is running");
        let answer = self.answers.recv_timeout(wait::PATIENCE).expect("an answer");
        assert_eq!(answer["id"], self.next);
        answer["result"].clone()
    }
}

impl Drop for OpcuaServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
