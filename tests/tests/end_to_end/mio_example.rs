//! The core without a runtime: its mio example against Mosquitto.

use std::process::Command;

use syncline_tests::built::{Source, built};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::process::Process;
use syncline_tests::wait;

#[test]
fn an_example_without_a_runtime_talks_to_mosquitto() {
    let mut broker = Mosquitto::start();
    let program = built("SYNCLINE_MIO_EXAMPLE", "syncline-core", Source::Example("mio"));
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.arg(format!("127.0.0.1:{}", broker.port()));
    let mut example = Process::start(&command, &folder.path().join("output"));
    let status = example.wait(wait::PATIENCE);
    let output = example.output();
    assert!(status.success(), "{status}: {output}");
    for qos in 0..3 {
        let line = format!("received at QoS {qos}: hello at QoS {qos}");
        assert_eq!(output.matches(&line).count(), 1, "{output}");
    }
    assert!(
        output.ends_with("disconnected: disconnect was requested\n"),
        "{output}"
    );
    broker.wait_for_log("Received DISCONNECT from syncline-mio-");
}
