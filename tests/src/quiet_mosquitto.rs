//! Mosquitto as one would set it up for a measurement.

use std::process::Command;

use tempfile::TempDir;

use crate::port;
use crate::process::Process;

/// No delay on small packets, room for a burst, and no line of log for each packet.
const CONFIGURATION: &str = "\
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 0
";

/// A broker that runs until this is dropped, and its port.
///
/// # Panics
/// When it does not come up.
#[must_use]
pub fn start(folder: &TempDir) -> (Process, u16) {
    let port = port::free();
    let file = folder.path().join("mosquitto.conf");
    std::fs::write(&file, format!("listener {port} 127.0.0.1\n{CONFIGURATION}"))
        .expect("a file in a new folder");
    let mut command = Command::new("/usr/sbin/mosquitto");
    command.arg("-c").arg(&file);
    let mut process = Process::start(&command, &folder.path().join("mosquitto.log"));
    process.wait_for_output(" running");
    (process, port)
}
