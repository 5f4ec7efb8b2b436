//! What passed on a loopback port, as Wireshark's programs captured and decoded it: a decoder that shares nothing with ours.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;
use crate::wait;

/// Severity from which on Wireshark's own remarks count as a fault: "warning", in the numbers of its expert system.
const WARNING: u32 = 0x0060_0000;

/// A running capture of one TCP port.
#[derive(Debug)]
pub struct Capture {
    port: u16,
    file: PathBuf,
    _process: Process,
    _folder: TempDir,
}

impl Capture {
    /// Starts to capture and waits until nothing can be missed any more.
    ///
    /// # Panics
    /// When this user may not capture, or Wireshark's programs are not installed.
    #[must_use]
    pub fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("packets.pcapng");
        let mut command = Command::new("dumpcap");
        command.args(["-i", "lo", "-f", &format!("tcp port {port}"), "-w"]);
        command.arg(&file);
        let mut process = Process::start(&command, &folder.path().join("dumpcap.log"));
        // Printed once the interface is open. Should it end before, what it printed is shown.
        wait::until("dumpcap captures", wait::PATIENCE, || {
            let output = process.output();
            assert!(
                process.exit_status().is_none(),
                "packets cannot be captured here: run as root, or as a user of the group wireshark, in a container with \
                 the capability NET_RAW; dumpcap said:\n{output}"
            );
            output.contains("File: ").then_some(())
        });
        Self {
            port,
            file,
            _process: process,
            _folder: folder,
        }
    }

    /// Types of the Control Packets that clients sent, in order, by their numbers in the first byte. Waits until `last`
    /// is the last of them.
    ///
    /// # Panics
    /// When it is not within [`wait::PATIENCE`].
    #[must_use]
    pub fn types_until(&self, last: u8) -> Vec<u8> {
        let clients = format!("mqtt && tcp.dstport == {}", self.port);
        wait::until("the last packet is captured", wait::PATIENCE, || {
            let text = self.decode(&clients, "mqtt.msgtype");
            let types = text.split([',', '\n']).filter(|number| !number.is_empty());
            let types: Vec<u8> = types.map(|number| number.parse().expect("a number")).collect();
            (types.last() == Some(&last)).then_some(types)
        })
    }

    /// What Wireshark has to say against the packets that clients sent; empty when there is nothing.
    #[must_use]
    pub fn complaints(&self) -> String {
        let faulty = format!(
            "tcp.dstport == {} && (_ws.malformed || _ws.expert.severity >= {WARNING})",
            self.port
        );
        self.decode(&faulty, "_ws.expert.message")
    }

    /// One field of the packets that `filter` lets pass, a line for each TCP segment.
    fn decode(&self, filter: &str, field: &str) -> String {
        let output = Command::new("tshark")
            .arg("-r")
            .arg(&self.file)
            .args(["-d", &format!("tcp.port=={},mqtt", self.port)])
            .args(["-Y", filter, "-T", "fields", "-e", field])
            .output()
            .unwrap_or_else(|error| {
                panic!("cannot run tshark: {error}; run the tests with `cargo xtask test`")
            });
        // Its status is that of a broken file while the capture goes on writing to it.
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
