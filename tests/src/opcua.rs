//! An agent that serves OPC UA, and its clients: asyncua and node-opcua, which share nothing with the server, nor with
//! each other.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::{example, run, syncline};
use crate::process::Process;
pub use crate::task_process::Task;
use crate::task_process::TaskProcess;
use crate::{port, process, wait, workspace};

/// Says which Python has asyncua.
const PYTHON: &str = "SYNCLINE_OPCUA_PYTHON";
/// Says which folder has node-opcua, and the Node.js that runs it.
const NODE: &str = "SYNCLINE_OPCUA_NODE";

/// A running agent whose commissioning file has an OPC UA server.
#[derive(Debug)]
pub struct OpcuaAgent {
    process: Process,
    port: u16,
    folder: TempDir,
}

impl OpcuaAgent {
    /// Runs `service` against the broker on that loopback port, and waits until the server takes connections.
    ///
    /// # Panics
    /// When the agent does not start.
    #[must_use]
    pub fn start(service: &Path, broker_port: u16, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = port::free();
        let mut command = run(service, folder.path());
        command.env("CYBUS_MQTT_PORT", broker_port.to_string());
        command.env("SYNCLINE_REGISTRATION", "off");
        command.env("SYNCLINE_OPCUA_LISTEN", format!("127.0.0.1:{port}"));
        command.envs(variables.iter().copied());
        let mut process = Process::start(&command, &folder.path().join("agent.log"));
        // A key pair is made before that, in a time that nobody can tell.
        wait::until("the agent serves OPC UA", 6 * wait::PATIENCE, || {
            if let Some(status) = process.exit_status() {
                panic!("the agent ended with {status}: {}", process.output());
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        process.wait_for_output("connected to the broker");
        Self {
            process,
            port,
            folder,
        }
    }

    /// The URL of a server with the default path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("opc.tcp://127.0.0.1:{}/UA/CybusOpcuaServer", self.port)
    }

    /// What `syncline status --json` says.
    ///
    /// # Panics
    /// When the agent does not answer.
    #[must_use]
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.status_told(&["--json"])).expect("JSON")
    }

    /// What `syncline status` says to people.
    ///
    /// # Panics
    /// When the agent does not answer.
    #[must_use]
    pub fn status_text(&self) -> String {
        self.status_told(&[])
    }

    fn status_told(&self, arguments: &[&str]) -> String {
        let mut command = syncline();
        command
            .arg("status")
            .args(arguments)
            .env("SYNCLINE_DATA_DIR", self.data());
        let (code, told, complaint) = process::output(&mut command);
        assert_eq!(code, 0, "{complaint}");
        told
    }

    /// Gives a commissioning file of the agent another content, and waits until it has been taken up: what came of that.
    ///
    /// # Panics
    /// When nothing comes of it.
    pub fn reload(&self, file: &Path, text: &str) -> Value {
        let ended = || {
            let reloads = self.status()["reloads"].clone();
            let ended = reloads["succeeded"].as_u64()? + reloads["failed"].as_u64()?;
            Some((ended, reloads))
        };
        let before = ended().expect("counts").0;
        let beside = self.folder.path().join("beside");
        std::fs::write(&beside, text).expect("a writable temporary folder");
        std::fs::rename(&beside, file).expect("folders on one disk");
        wait::until("another reload has ended", 6 * wait::PATIENCE, || {
            ended()
                .filter(|(ended, _)| *ended > before)
                .map(|(_, reloads)| reloads)
        })
    }

    /// The port of the server.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// What the agent has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// The process's number in the system.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Has it read its files at once.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn hang_up(&self) {
        self.process.hang_up();
    }

    /// Waits until a line of the log has all of `words`.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn wait_for_log_line(&self, words: &[&str]) -> String {
        wait::until(
            &format!("a line of the log with {words:?}"),
            wait::PATIENCE,
            || {
                let log = self.log();
                let line = log
                    .lines()
                    .find(|line| words.iter().all(|word| line.contains(word)));
                line.map(str::to_owned)
            },
        )
    }

    /// Asks the agent to stop, and does not wait for it.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn terminate(&self) {
        self.process.terminate();
    }
}

/// The commissioning file of the service `plant`: a server for everyone, unencrypted, its node `root`, and these nodes.
#[must_use]
pub fn plant(nodes: &str) -> String {
    format!(
        "metadata: {{name: plant}}
resources:
  server:
    type: Cybus::Server::Opcua
    properties: {{allowAnonymous: true, securityPolicies: [None], securityModes: [None]}}
  root:
    type: Cybus::Node::Opcua
    properties: {{parent: !ref server, nodeType: Object}}
{nodes}"
    )
}

/// Example 6 without those who answer, and without encryption, for which keys would have to be made first.
///
/// # Panics
/// When the example is another.
#[must_use]
pub fn example_6_without_answers() -> String {
    let text = std::fs::read_to_string(example("6-full-flow-opcua.yml")).expect("the example");
    let (nodes, _) = text.split_once("  confirm:\n").expect("the mapping at its end");
    nodes
        .replace("[\"None\", \"Basic256Sha256\"]", "[\"None\"]")
        .replace("[\"None\", \"SignAndEncrypt\"]", "[\"None\"]")
}

/// The implementations of OPC UA that clients and other servers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// In Python; `client.py` and `server.py` in `tests/opcua` say which tasks there are.
    Asyncua,
    /// In JavaScript; `client.js` and `server.js` there say which tasks there are.
    NodeOpcua,
}

impl Library {
    /// The program that does tasks with it as a `role`, client or server, and may keep files in `folder`.
    pub(crate) fn command(self, role: &str, folder: &Path) -> Command {
        let scripts = workspace().join("tests/opcua");
        match self {
            Self::Asyncua => {
                let mut command = Command::new(python());
                command.arg(scripts.join(format!("{role}.py")));
                command.env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Self::NodeOpcua => {
                let packages = node();
                let mut command = Command::new(packages.join("node"));
                let script = scripts.join(format!("{role}.js"));
                command.arg(script).arg(packages).arg(folder);
                command
            }
        }
    }
}

/// A process with such a library, whose tasks run all at once.
#[derive(Debug)]
pub struct OpcuaClient {
    process: TaskProcess,
    _folder: TempDir,
}

impl OpcuaClient {
    /// Starts one on asyncua, without a connection.
    ///
    /// # Panics
    /// When there is no Python with asyncua.
    #[must_use]
    pub fn start() -> Self {
        Self::on(Library::Asyncua)
    }

    /// Starts one on `library`, without a connection.
    ///
    /// # Panics
    /// When the library is not installed.
    #[must_use]
    pub fn on(library: Library) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            process: TaskProcess::start(&mut library.command("client", folder.path())),
            _folder: folder,
        }
    }

    /// One on asyncua, with a session called `a` at that URL.
    ///
    /// # Panics
    /// When the server does not let it in.
    #[must_use]
    pub fn connected(url: &str) -> Self {
        Self::connected_on(Library::Asyncua, url)
    }

    /// One on `library`, with a session called `a` at that URL.
    ///
    /// # Panics
    /// When the server does not let it in.
    #[must_use]
    pub fn connected_on(library: Library, url: &str) -> Self {
        let mut client = Self::on(library);
        let answer = client.ask(json!({"do": "connect", "session": "a", "url": url}));
        assert_eq!(answer["result"], "connected", "{answer}");
        client
    }

    /// Gives it a task.
    ///
    /// # Panics
    /// When the process has ended.
    pub fn begin(&mut self, mut task: Value) -> Task {
        if task.get("session").is_none() {
            task["session"] = "a".into();
        }
        self.process.begin(task)
    }

    /// Waits for the end of a task.
    ///
    /// # Panics
    /// When it does not come.
    pub fn end(&mut self, task: Task) -> Value {
        self.process.end(task, Duration::from_secs(150))
    }

    /// Gives it a task, and waits for its end.
    ///
    /// # Panics
    /// As [`OpcuaClient::end`].
    pub fn ask(&mut self, task: Value) -> Value {
        let task = self.begin(task);
        self.end(task)
    }

    /// Writes one value of a type; the status code's name, its text and the time in milliseconds.
    ///
    /// # Panics
    /// When the write as a whole fails.
    pub fn write(&mut self, node: &str, data_type: &str, value: &Value) -> (String, Option<String>, f64) {
        let answer = self.ask(write(node, data_type, value));
        written(&answer)
    }

    /// Reads a value and the name of its status code.
    ///
    /// # Panics
    /// When the read as a whole fails.
    pub fn read(&mut self, node: &str) -> (Value, String) {
        self.read_as("a", node)
    }

    /// The same, in a session of another name.
    ///
    /// # Panics
    /// As [`OpcuaClient::read`].
    pub fn read_as(&mut self, session: &str, node: &str) -> (Value, String) {
        let answer = self.ask(json!({"do": "read", "session": session, "node": node}));
        let result = &answer["result"];
        (
            result["value"].clone(),
            result["status"]
                .as_str()
                .unwrap_or_else(|| panic!("{answer}"))
                .to_owned(),
        )
    }
}

/// The task to write one value.
#[must_use]
pub fn write(node: &str, data_type: &str, value: &Value) -> Value {
    json!({"do": "write", "nodes": [node], "value": [data_type, value]})
}

/// What became of it: the status code's name, its text and the time in milliseconds.
///
/// # Panics
/// When the write as a whole failed.
#[must_use]
pub fn written(answer: &Value) -> (String, Option<String>, f64) {
    let code = answer["result"]["codes"][0].as_str();
    (
        code.unwrap_or_else(|| panic!("{answer}")).to_owned(),
        answer["result"]["texts"][0].as_str().map(str::to_owned),
        answer["ms"].as_f64().expect("a time"),
    )
}

/// The interpreter of the environment that `cargo xtask test` has made.
fn python() -> PathBuf {
    let python = std::env::var_os(PYTHON).map_or_else(
        || workspace().join("target/xtask/opcua/venv/bin/python"),
        PathBuf::from,
    );
    assert!(
        python.exists(),
        "{} is missing: run the tests with `cargo xtask test`, which installs asyncua, or set {PYTHON} to a Python that has it",
        python.display()
    );
    python
}

/// The folder in which `cargo xtask test` has installed the packages of npm, and `node` beside them.
fn node() -> PathBuf {
    let folder =
        std::env::var_os(NODE).map_or_else(|| workspace().join("target/xtask/opcua-node"), PathBuf::from);
    assert!(
        folder.join("node").exists(),
        "{} has no node-opcua: run the tests with `cargo xtask test`, which installs it, or set {NODE} to the folder \
         `target/xtask/opcua-node` of a checkout where that was done",
        folder.display()
    );
    folder
}
