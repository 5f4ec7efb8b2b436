//! The examples in C against Mosquitto, each under valgrind and under the sanitizers.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use syncline_tests::c_example::{CExample, Carrier, Watch};
use syncline_tests::hub::{AGENT_PERMISSIONS, Hub};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::process::Process;
use syncline_tests::tls_broker::{Clients, Newest, TlsBroker};
use syncline_tests::{guide, wait};

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

#[test]
fn the_program_of_the_c_guide_says_what_the_guide_shows() {
    let broker = Mosquitto::start();
    let shown = guide::blocks("docs/guide-c.md", "console").concat();
    let (_, expected) = shown
        .split_once("$ ./hello localhost 1883\n")
        .expect("the guide runs its program");
    for watch in Watch::ALL {
        let program = CExample::of_guide(watch);
        let mut command = program.command();
        command.args(["127.0.0.1", &broker.port().to_string()]);
        assert_eq!(output_of(&command, &program), expected);
    }
}

/// A run of the example with a store, in a folder that outlives it.
fn store(program: &CExample, port: u16, file: &Path, text: Option<&str>) -> Command {
    let mut command = program.command();
    command
        .args(["127.0.0.1", &port.to_string(), "examples/store"])
        .arg(file);
    command.args(text);
    command
}

#[test]
fn a_message_that_a_c_program_has_stored_arrives_once_after_it_was_killed() {
    let mut broker = Mosquitto::start();
    let port = broker.port();
    for watch in Watch::ALL {
        let program = CExample::build("store", Carrier::Tcp, watch);
        let file = program.folder().join("store");
        let output = program.folder().join("killed");
        broker.kill();
        let mut killed = Process::start(&store(&program, port, &file, Some("\"kept\"")), &output);
        killed.wait_for_output("stored up to change");
        killed.kill();

        broker.restart();
        let mut subscription = Subscription::start(&broker, "examples/store");
        let mut next = || wait::until("the message arrives", wait::PATIENCE, || subscription.poll()).1;
        let restarted = output_of(&store(&program, port, &file, None), &program);
        assert!(restarted.starts_with("inherited 1 messages\n"), "{restarted}");
        assert_eq!(restarted.matches(" acknowledged\n").count(), 1, "{restarted}");
        assert_eq!(next(), json!("kept"));

        let again = output_of(&store(&program, port, &file, Some("\"second\"")), &program);
        assert!(again.starts_with("inherited 0 messages\n"), "{again}");
        assert_eq!(next(), json!("second"));
    }
}

#[test]
fn a_c_program_asks_to_be_let_in_and_is_known_the_next_time() {
    let hub = Hub::start();
    let answering = hub.responder("services/c/node");
    for watch in Watch::ALL {
        let program = CExample::build("agent", Carrier::Tcp, watch);
        let name = format!("c-agent-{watch:?}").to_lowercase();
        let password = program.folder().join("password");
        let run = || {
            let mut command = program.command();
            let [mqtt, http] = [hub.mqtt_port(), hub.http_port()].map(|port| port.to_string());
            command.args(["127.0.0.1", &mqtt, "127.0.0.1", &http, &name]);
            command.arg(&password).args(["services/c/node", "{\"order\":42}"]);
            command
        };
        hub.unlock();
        let mut unknown = Process::start(&run(), &program.folder().join("unknown"));
        unknown.wait_for_output("pairing id ");
        let output = unknown.output();
        let (_, rest) = output.split_once("pairing id ").expect("just awaited");
        hub.grant(&rest[..6], AGENT_PERMISSIONS);
        let status = unknown.wait(wait::PATIENCE);
        assert!(status.success(), "{status}: {}", unknown.output());
        assert!(
            unknown.output().contains("granted\nanswered: \"confirmed\"\n"),
            "{}",
            unknown.output()
        );
        let known = output_of(&run(), &program);
        assert!(known.starts_with("answered: \"confirmed\"\n"), "{known}");
    }
    drop(answering);
}
