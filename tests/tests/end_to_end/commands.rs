//! The commands that ask a running agent, its broker or its certificates, as an operator types them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example, syncline};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::process::{Process, output};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::{port, wait};

const BASE: &str = "services/example1/exampleNode";

/// A command with the configuration of an agent on `broker_port` and `data`.
fn command(arguments: &[&str], broker_port: u16, data: &Path) -> Command {
    let mut command = syncline();
    command
        .args(arguments)
        .env("CYBUS_MQTT_HOST", "127.0.0.1")
        .env("CYBUS_MQTT_PORT", broker_port.to_string())
        .env("CYBUS_AGENT_NAME", "test-agent")
        .env("SYNCLINE_REGISTRATION", "off")
        .env("SYNCLINE_DATA_DIR", data);
    command
}

struct Plant {
    broker: Mosquitto,
    agent: Agent,
}

impl Plant {
    fn start() -> Self {
        let broker = Mosquitto::start();
        let agent = Agent::start(&example("1-transaction.yml"), broker.port());
        let plant = Self { broker, agent };
        wait::until("the agent is healthy", wait::PATIENCE, || {
            (plant.ask(&["health", "ready"]).0 == 0).then_some(())
        });
        plant
    }

    fn ask(&self, arguments: &[&str]) -> (i32, String, String) {
        output(&mut command(arguments, self.broker.port(), self.agent.data()))
    }
}

#[test]
fn status_and_health_tell_of_a_running_agent_and_of_one_that_has_lost_its_broker() {
    let mut plant = Plant::start();
    let (code, text, _) = plant.ask(&["status"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with("test-agent  ready\n") && text.contains("MQTT 5.0 since"),
        "{text}"
    );
    let (code, text, _) = plant.ask(&["status", "--json"]);
    let status: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (code, &status["schema"], &status["ready"]),
        (0, &json!(1), &json!(true))
    );
    assert_eq!(status["nodes"][0]["resource"], "exampleNode");

    plant.broker.kill();
    let (code, _, errors) = wait::until("the agent is not ready", wait::PATIENCE, || {
        Some(plant.ask(&["health", "ready"])).filter(|(code, ..)| *code != 0)
    });
    assert_eq!(code, 1);
    assert!(
        errors.starts_with("error: not connected to 127.0.0.1:"),
        "{errors}"
    );
    assert_eq!(plant.ask(&["health", "live"]).0, 0);
    let (code, text, _) = plant.ask(&["status"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with("test-agent  not ready\n  because  not connected"),
        "{text}"
    );
}

#[test]
fn without_an_agent_the_commands_end_with_69_and_name_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [
        &["status"][..],
        &["health", "live"],
        &["flow", "list"],
        &["flow", "call", "exampleNode"],
    ] {
        let (code, text, errors) = output(&mut command(arguments, 1, folder.path()));
        assert_eq!((code, text.as_str()), (69, ""), "{arguments:?}");
        assert!(errors.contains("no agent runs on the data folder"), "{errors}");
        assert!(errors.contains(&folder.path().display().to_string()), "{errors}");
    }
}

#[test]
fn the_socket_is_for_its_owner_and_gone_with_the_agent() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut plant = Plant::start();
    let socket = plant.agent.data().join("agent.sock");
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    plant.agent.terminate();
    assert_eq!(plant.agent.exit_code(), 143);
    assert!(!socket.exists());
}

#[test]
fn flow_call_makes_a_request_and_prints_the_value_or_the_error() {
    let plant = Plant::start();
    let _responder = Responder::start(&plant.broker, BASE, |value| match value {
        Value::Null => Answer::Error(409, "nothing asked".into()),
        value => Answer::Value(json!({ "seen": value })),
    });
    let call = |arguments: &[&str]| plant.ask(&[&["flow", "call"], arguments].concat());
    let seen = "{\"seen\":{\"order\":42}}\n".to_owned();
    assert_eq!(
        call(&["exampleNode", "{\"order\":42}"]),
        (0, seen.clone(), String::new())
    );
    assert_eq!(
        call(&["example1/exampleNode", "{\"order\":42}"]),
        (0, seen, String::new())
    );
    let refused = "error: 409: nothing asked\n".to_owned();
    assert_eq!(call(&["exampleNode"]), (1, String::new(), refused));
    let (code, _, errors) = call(&["elsewhere"]);
    assert!(
        code == 2 && errors.contains("there is no node elsewhere"),
        "{code} {errors}"
    );
    let (code, _, errors) = call(&["exampleNode", "not json"]);
    assert!(
        code == 2 && errors.contains("the value is not JSON"),
        "{code} {errors}"
    );

    let (code, list, _) = plant.ask(&["flow", "list"]);
    assert_eq!(code, 0);
    let row = list.lines().nth(1).expect("a node");
    assert!(
        row.starts_with("example1  exampleNode  transaction  GET") && row.ends_with("ready"),
        "{list}"
    );
}

#[test]
fn mqtt_pub_and_sub_speak_both_versions_at_every_quality_of_service() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for version in ["5", "3.1.1"] {
        for qos in ["0", "1", "2"] {
            let topic = format!("test/{version}/{qos}");
            let mut subscriber = command(
                &[
                    "mqtt",
                    "sub",
                    &topic,
                    "--qos",
                    qos,
                    "--count",
                    "1",
                    "--mqtt-version",
                    version,
                ],
                broker.port(),
                folder.path(),
            );
            subscriber.env("RUST_LOG", "off");
            let mut subscriber = Process::start(&subscriber, &folder.path().join("sub.log"));
            wait::until("the broker has the subscription", wait::PATIENCE, || {
                broker
                    .log()
                    .contains(&format!("{topic} (QoS {qos})"))
                    .then_some(())
            });
            let published = output(&mut command(
                &[
                    "mqtt",
                    "pub",
                    &topic,
                    "--message",
                    "two words",
                    "--qos",
                    qos,
                    "--mqtt-version",
                    version,
                ],
                broker.port(),
                folder.path(),
            ));
            assert_eq!(published, (0, String::new(), String::new()));
            assert_eq!(subscriber.wait(wait::PATIENCE).code(), Some(0));
            assert_eq!(subscriber.output(), format!("{topic} two words\n"));
        }
    }
}

#[test]
fn mqtt_pub_retains_what_it_is_told_to_and_reads_files() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("message");
    std::fs::write(&file, "{\"kept\":true}").expect("a writable folder");
    let arguments = [
        "mqtt",
        "pub",
        "kept",
        "--retain",
        "--file",
        file.to_str().expect("UTF-8"),
    ];
    assert_eq!(
        output(&mut command(&arguments, broker.port(), folder.path())).0,
        0
    );
    let mut later = Subscription::start(&broker, "kept");
    let (_, message) = wait::until("the retained message", wait::PATIENCE, || later.poll());
    assert_eq!(message, json!({ "kept": true }));
}

#[test]
fn mqtt_commands_end_with_69_without_a_broker_and_with_77_where_they_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let publication = ["mqtt", "pub", "a", "--message", "b", "--qos", "1"];
    let nowhere = port::free();
    let (code, _, errors) = output(&mut command(&publication, nowhere, folder.path()));
    assert_eq!(code, 69, "{errors}");
    for words in [
        &format!("error: broker 127.0.0.1:{nowhere} unreachable: "),
        "start the broker",
        "CYBUS_MQTT_PORT",
    ] {
        assert!(errors.contains(words), "{errors}");
    }

    let passwords = folder.path().join("passwords");
    std::fs::write(&passwords, "").expect("a writable folder");
    let locked = Mosquitto::start_with(&format!(
        "allow_anonymous false\npassword_file {}",
        passwords.display()
    ));
    let (code, _, errors) = output(&mut command(&publication, locked.port(), folder.path()));
    assert!(
        code == 77 && errors.contains("server refused the connection"),
        "{code} {errors}"
    );
    let (code, text, _) = output(&mut command(&["check", "--live"], locked.port(), folder.path()));
    assert_eq!(code, 77);
    assert!(
        text.contains("CONNECT") && text.contains("FAILED: server refused"),
        "{text}"
    );
}
