//! Debian's Mosquitto as the broker: an implementation that shares nothing with ours.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::process::Process;
use crate::{port, wait};

const PROGRAM: &str = "/usr/sbin/mosquitto";

/// A broker of its own on a free loopback port, both MQTT versions, anonymous, without persistence.
#[derive(Debug)]
pub struct Mosquitto {
    /// Ends before the folder with its log is removed.
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    environment: Vec<(String, String)>,
}

impl Mosquitto {
    /// Starts a broker and waits until it accepts connections.
    ///
    /// # Panics
    /// When Mosquitto is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// As [`Mosquitto::start`], with further lines of configuration.
    ///
    /// # Panics
    /// As [`Mosquitto::start`].
    #[must_use]
    pub fn start_with(configuration: &str) -> Self {
        Self::start_in(configuration, &[])
    }

    /// As [`Mosquitto::start_with`], with environment variables of the broker's own.
    ///
    /// # Panics
    /// As [`Mosquitto::start`].
    #[must_use]
    pub fn start_in(configuration: &str, environment: &[(&str, &str)]) -> Self {
        assert!(
            Path::new(PROGRAM).is_file(),
            "{PROGRAM} is missing: run the tests with `cargo xtask test`, which installs Debian's mosquitto"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = port::free();
        let text =
            format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n{configuration}\n");
        std::fs::write(folder.path().join("mosquitto.conf"), text).expect("a writable temporary folder");
        let mut broker = Self {
            folder,
            port,
            environment: environment
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            process: None,
        };
        broker.restart();
        broker
    }

    /// The port that the broker listens on, or will again.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds lines of configuration, in force from the next start on.
    ///
    /// # Panics
    /// When its folder is not writable any more.
    pub fn configure(&mut self, lines: &str) {
        let file = self.folder.path().join("mosquitto.conf");
        let text = std::fs::read_to_string(&file).expect("the broker's configuration");
        std::fs::write(&file, format!("{text}{lines}\n")).expect("a writable temporary folder");
    }

    /// Takes the broker away in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Has the broker stand still until [`thaw`](Self::thaw): its sockets are open, nobody reads them.
    ///
    /// # Panics
    /// When it is stopped.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Has it go on.
    ///
    /// # Panics
    /// When it is stopped.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("the broker is running");
        let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a process's number"), signal).expect("a signal to a process of our own");
    }

    /// Stops the broker as an operator would, with time to write down what it keeps.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate();
            process.wait(wait::PATIENCE);
        }
    }

    /// Starts the broker again on the same port, with no memory of before.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        let mut command = Command::new(PROGRAM);
        command
            .arg("-v")
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start(&command, &self.folder.path().join("mosquitto.log"));
        // The line alone could come from a broker that is about to fail, the connection from another server.
        process.wait_for_output(" running");
        wait::until("Mosquitto accepts a connection", wait::PATIENCE, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()
        });
        self.process = Some(process);
    }

    /// Waits until the broker's log, which shows every packet, contains `text`.
    ///
    /// # Panics
    /// When it does not within [`wait::PATIENCE`], or the broker is stopped.
    pub fn wait_for_log(&mut self, text: &str) {
        self.process
            .as_mut()
            .expect("the broker is running")
            .wait_for_output(text);
    }

    /// The broker's log since its last start.
    ///
    /// # Panics
    /// When the broker is stopped.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().expect("the broker is running").output()
    }
}
