//! `mosquitto_pub` and `mosquitto_sub`: what a person would use to look at a broker and to answer by hand.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::mosquitto::Mosquitto;
use crate::process::Process;

/// Marks the lines of `mosquitto_sub` that carry a message, among those that say what it does.
const MARK: &str = "message: ";

/// A running `mosquitto_sub`.
#[derive(Debug)]
pub struct Subscription {
    process: Process,
    taken: usize,
    _folder: TempDir,
}

impl Subscription {
    /// Subscribes at QoS 0 and waits for the broker's SUBACK.
    ///
    /// # Panics
    /// When `mosquitto_sub` is not installed or is refused.
    #[must_use]
    pub fn start(broker: &Mosquitto, filter: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Line by line, or the acknowledgement would stay in a buffer until the first message.
        let mut command = Command::new("stdbuf");
        command.args(["--output=L", "mosquitto_sub", "-d", "-V", "5", "-h", "127.0.0.1"]);
        command.args([
            "-p",
            &broker.port().to_string(),
            "-t",
            filter,
            "-F",
            &format!("{MARK}%t %p"),
        ]);
        let mut process = Process::start(&command, &folder.path().join("mosquitto_sub.log"));
        process.wait_for_output("Subscribed (");
        Self {
            process,
            taken: 0,
            _folder: folder,
        }
    }

    /// The next message's topic and JSON payload, if it has come.
    ///
    /// # Panics
    /// When a payload is not JSON.
    pub fn poll(&mut self) -> Option<(String, Value)> {
        self.poll_some(1).pop()
    }

    /// All messages that have come since the last one that was taken.
    ///
    /// # Panics
    /// As [`poll`](Self::poll).
    pub fn poll_all(&mut self) -> Vec<(String, Value)> {
        self.poll_some(usize::MAX)
    }

    fn poll_some(&mut self, count: usize) -> Vec<(String, Value)> {
        let output = self.process.output();
        let (complete, _) = output.rsplit_once('\n').unwrap_or_default();
        let messages = complete.lines().filter_map(|line| line.strip_prefix(MARK));
        let taken = messages.skip(self.taken).take(count).map(|message| {
            let (topic, payload) = message.split_once(' ').expect("topic and payload");
            let payload = serde_json::from_str(payload)
                .unwrap_or_else(|error| panic!("the payload on {topic} is not JSON ({error}): {payload}"));
            (topic.to_owned(), payload)
        });
        let taken: Vec<_> = taken.collect();
        self.taken += taken.len();
        taken
    }
}

/// Publishes one message with `mosquitto_pub`, and further options of it.
///
/// # Panics
/// When it cannot be published.
pub fn publish(broker: &Mosquitto, topic: &str, payload: &str, options: &[&str]) {
    let status = Command::new("mosquitto_pub")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &broker.port().to_string(),
            "-t",
            topic,
            "-m",
            payload,
        ])
        .args(options)
        .status()
        .unwrap_or_else(|error| panic!("cannot start mosquitto_pub: {error}; run `cargo xtask test`"));
    assert!(status.success(), "mosquitto_pub ended with {status}");
}
