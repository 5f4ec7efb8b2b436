//! The agent as it is shipped: the built binary, configured by its environment.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::built::{Source, built};
use crate::curl::{self, Response};
use crate::process::Process;
use crate::{port, wait, workspace};

/// A running `syncline run --service FILE` with a data folder of its own.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    http_port: u16,
    command: Command,
    folder: TempDir,
}

impl Agent {
    /// Runs `service` against the broker on that loopback port, and waits until the agent accepts HTTP connections.
    ///
    /// # Panics
    /// When the agent does not start.
    #[must_use]
    pub fn start(service: &Path, broker_port: u16) -> Self {
        Self::start_with(service, broker_port, &[])
    }

    /// As [`Agent::start`], of a service without an HTTP server: waits for nothing.
    ///
    /// # Panics
    /// When the agent cannot be started.
    #[must_use]
    pub fn start_without_http(service: &Path, broker_port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let http_port = port::free();
        let mut command = run(service, folder.path());
        command.env("CYBUS_MQTT_PORT", broker_port.to_string());
        command.env("SYNCLINE_HTTP_LISTEN", format!("127.0.0.1:{http_port}"));
        Self {
            process: Process::start(&command, &folder.path().join("agent.log")),
            http_port,
            command,
            folder,
        }
    }

    /// As [`Agent::start`], with further environment variables.
    ///
    /// # Panics
    /// As [`Agent::start`].
    #[must_use]
    pub fn start_with(service: &Path, broker_port: u16, variables: &[(&str, &str)]) -> Self {
        Self::start_set(service, broker_port, variables, &[])
    }

    /// As [`Agent::start_with`], with values for the file's parameters, each `name=value`.
    ///
    /// # Panics
    /// As [`Agent::start`].
    #[must_use]
    pub fn start_set(
        service: &Path,
        broker_port: u16,
        variables: &[(&str, &str)],
        parameters: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let http_port = port::free();
        let mut command = run(service, folder.path());
        for parameter in parameters {
            command.args(["--set", parameter]);
        }
        command.env("CYBUS_MQTT_PORT", broker_port.to_string());
        command.env("SYNCLINE_HTTP_LISTEN", format!("127.0.0.1:{http_port}"));
        command.envs(variables.iter().copied());
        let process = serving(&command, folder.path(), http_port);
        Self {
            process,
            http_port,
            command,
            folder,
        }
    }

    /// Ends the agent as a power cut would and starts it again on the same data folder, with a log of its own.
    ///
    /// # Panics
    /// As [`Agent::start`].
    #[must_use]
    pub fn restart(self) -> Self {
        let Self {
            process,
            http_port,
            command,
            folder,
        } = self;
        drop(process);
        let process = serving(&command, folder.path(), http_port);
        Self {
            process,
            http_port,
            command,
            folder,
        }
    }

    /// The program with other arguments, and with this agent's environment.
    #[must_use]
    pub fn beside(&self, arguments: &[&str]) -> Command {
        let mut command = syncline();
        command.args(arguments);
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// The process's number in the system.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Bytes of memory that it takes up.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn memory(&self) -> u64 {
        memory_of(self.id())
    }

    /// The port of the data plane.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// The address of `path` in the data plane.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http_port)
    }

    /// Asks for `path` until the answer is something else than 503: the node was not ready before.
    ///
    /// # Panics
    /// When that takes longer than [`wait::PATIENCE`].
    #[must_use]
    pub fn ask_when_ready(&self, path: &str, options: &[&str]) -> Response {
        wait::until(&format!("{path} is ready"), wait::PATIENCE, || {
            Some(curl::ask(&self.url(path), options)).filter(|response| response.status != 503)
        })
    }

    /// What the agent has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// Waits until one line of the log contains each of `words`.
    ///
    /// # Panics
    /// When none does within [`wait::PATIENCE`]; the log is printed then.
    pub fn wait_for_log_line(&mut self, words: &[&str]) {
        wait::until(
            &format!("a line of the log with {words:?}"),
            wait::PATIENCE,
            || {
                let log = self.log();
                log.lines()
                    .any(|line| words.iter().all(|word| line.contains(word)))
                    .then_some(())
            },
        );
    }

    /// The pairing id, once the log has it.
    ///
    /// # Panics
    /// As [`Agent::wait_for_log_line`].
    pub fn pairing_id(&mut self) -> String {
        self.wait_for_log_line(&["pairing ID: "]);
        let log = self.log();
        let (_, rest) = log.split_once("pairing ID: ").expect("just awaited");
        let id: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        assert_eq!(id.len(), 6, "{log}");
        id
    }

    /// Has the agent read its commissioning files, and does not wait for that.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn hang_up(&self) {
        self.process.hang_up();
    }

    /// Asks the agent to stop, and does not wait for it.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn terminate(&self) {
        self.process.terminate();
    }

    /// Waits until the agent has ended, and returns its exit code.
    ///
    /// # Panics
    /// When it does not end, or by a signal.
    pub fn exit_code(&mut self) -> i32 {
        let status = self.process.wait(wait::PATIENCE);
        status.code().expect("an exit code")
    }

    /// Whether the agent is still there.
    pub fn is_running(&mut self) -> bool {
        self.process.exit_status().is_none()
    }
}

/// Bytes of memory that a process takes up.
///
/// # Panics
/// When it is gone.
#[must_use]
pub fn memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kib: u64 = number
        .and_then(|number| number.parse().ok())
        .expect("a number of the system");
    kib * 1024
}

/// Starts an agent and waits until it accepts HTTP connections.
fn serving(command: &Command, folder: &Path, http_port: u16) -> Process {
    let mut process = Process::start(command, &folder.join("agent.log"));
    wait::until("the agent accepts an HTTP connection", wait::PATIENCE, || {
        if let Some(status) = process.exit_status() {
            panic!("the agent ended with {status} instead of serving");
        }
        TcpStream::connect((Ipv4Addr::LOCALHOST, http_port)).ok()
    });
    process
}

/// A command that would run `service`, a file or a folder of files, with `data` as data folder; the caller adds the rest and may expect a failure.
#[must_use]
pub fn run(service: &Path, data: &Path) -> Command {
    let mut command = syncline();
    match service.is_dir() {
        true => command.arg("run").env("SYNCLINE_SERVICES", service),
        false => command.args(["run", "--service"]).arg(service),
    };
    command
        .env("CYBUS_MQTT_HOST", "127.0.0.1")
        .env("CYBUS_AGENT_NAME", "test-agent");
    command.env("SYNCLINE_DATA_DIR", data);
    command
}

/// The built program, with none of this process's own configuration.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn syncline() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut command =
        Command::new(PROGRAM.get_or_init(|| built("SYNCLINE_BIN", "syncline", Source::Binary("syncline"))));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let bare = [
            "AGENT_CERT",
            "AGENT_KEY",
            "CA",
            "TRUST_ALL_CERTS",
            "USE_MUTUAL_TLS",
        ];
        if text.starts_with("CYBUS_") || text.starts_with("SYNCLINE_") || bare.contains(&&*text) {
            command.env_remove(name);
        }
    }
    command
}

/// A commissioning file of this text, in a folder that it has to itself.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn service_file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("service.yml");
    std::fs::write(&path, text).expect("a writable temporary folder");
    (folder, path)
}

/// One of the commissioning files in `examples/`.
///
/// # Panics
/// When there is none of that name.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    let path = workspace().join("examples").join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}
