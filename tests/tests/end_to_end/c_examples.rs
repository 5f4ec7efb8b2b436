//! The examples in C against Mosquitto, each under valgrind and under the sanitizers.

use std::process::Command;

use syncline_tests::c_example::{CExample, Carrier, Watch};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::process::Process;
use syncline_tests::tls_broker::{Clients, Newest, TlsBroker};
use syncline_tests::wait;

/// Runs a command to its end, which has to be a good one.
fn output_of(command: &Command, example: &CExample) -> String {
    let mut process = Process::start(command, &example.folder().join("output"));
    let status = process.wait(wait::PATIENCE);
    let output = process.output();
    assert!(status.success(), "{status}: {output}");
    output
}

fn has_hello_at_each_qos(output: &str) {
    for qos in 0..3 {
        let line = format!("received at QoS {qos}: hello at QoS {qos}\n");
        assert_eq!(output.matches(&line).count(), 1, "{output}");
    }
    assert!(
        output.ends_with("disconnected: disconnect was requested\n"),
        "{output}"
    );
}

#[test]
fn a_c_program_talks_to_mosquitto_at_each_qos() {
    let broker = Mosquitto::start();
    for watch in Watch::ALL {
        let client = CExample::build("client", Carrier::Tcp, watch);
        let port = broker.port().to_string();
        let mut command = client.command();
        command.args(["127.0.0.1", &port, "examples/c"]);
        has_hello_at_each_qos(&output_of(&command, &client));
    }
}

#[test]
fn a_c_program_brings_its_own_tls() {
    let broker = TlsBroker::start(Clients::Anonymous, Newest::Tls13);
    for watch in Watch::ALL {
        let client = CExample::build("client", Carrier::OpenSsl, watch);
        let port = broker.port().to_string();
        let mut command = client.command();
        command.args(["127.0.0.1", &port, "examples/c"]);
        command.env("SYNCLINE_CA", broker.ca());
        has_hello_at_each_qos(&output_of(&command, &client));
    }
}

#[test]
fn c_programs_ask_and_answer_each_other() {
    let broker = Mosquitto::start();
    let port = broker.port().to_string();
    for watch in Watch::ALL {
        let responder = CExample::build("responder", Carrier::Tcp, watch);
        let requester = CExample::build("requester", Carrier::Tcp, watch);
        let mut answering = responder.command();
        answering.args(["127.0.0.1", &port, "services/c/node"]);
        let mut answering = Process::start(&answering, &responder.folder().join("output"));
        answering.wait_for_output("ready\n");
        for question in ["{\"order\":42}", "\"stop\""] {
            let mut asking = requester.command();
            asking.args(["127.0.0.1", &port, "services/c/node", question]);
            let output = output_of(&asking, &requester);
            let answer = format!("answered: {{\"confirmed\":{question}}}\n");
            assert!(output.starts_with(&answer), "{output}");
        }
        let status = answering.wait(wait::PATIENCE);
        assert!(status.success(), "{status}: {}", answering.output());
    }
}

#[test]
fn a_c_program_gives_up_on_a_question_that_nobody_answers() {
    let broker = Mosquitto::start();
    let requester = CExample::build("requester", Carrier::Tcp, Watch::Sanitizers);
    let mut asking = requester.command();
    asking.args(["127.0.0.1", &broker.port().to_string(), "services/c/nobody", "1"]);
    let mut asking = Process::start(&asking, &requester.folder().join("output"));
    let status = asking.wait(wait::PATIENCE);
    assert_eq!(status.code(), Some(1), "{}", asking.output());
    assert!(
        asking.output().starts_with("not answered: 500 "),
        "{}",
        asking.output()
    );
}
