//! The data folder of a running agent: one agent each, stored credentials first, and no folder at all.

use std::path::Path;

use syncline_tests::agent::{self, Agent, example};
use syncline_tests::curl;
use syncline_tests::fake_broker::{FakeBroker, packet_type};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::process::Process;
use syncline_tests::wait;

const TEMPORARY: i32 = 75;
const CONFIGURATION: i32 = 78;
const CREDENTIALS: &str = r#"{"version":1,"username":"stored-name","password":"stored-password","createdAt":"2026-11-22T02:00:00Z"}"#;

/// Starts an agent that cannot start, and returns its exit code and its output.
fn refused(data: &Path, output: &Path) -> (Option<i32>, String) {
    let mut command = agent::run(&example("1-transaction.yml"), data);
    command
        .env("CYBUS_MQTT_PORT", "1")
        .env("SYNCLINE_HTTP_LISTEN", "127.0.0.1:0");
    let mut process = Process::start(&command, output);
    let status = process.wait(wait::PATIENCE);
    (status.code(), process.output())
}

#[test]
fn second_agent_on_a_folder_ends_and_names_the_first_until_that_is_killed() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let variables = [("SYNCLINE_DATA_DIR", data.to_str().expect("a path in UTF-8"))];
    let first = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    let (code, output) = refused(&data, &folder.path().join("output"));
    assert_eq!(code, Some(TEMPORARY), "{output}");
    let pid = std::fs::read_to_string(data.join("agent.lock")).expect("a lock file");
    assert!(output.contains(&format!("process {},", pid.trim())), "{output}");
    drop(first);
    let _second = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
}

#[test]
fn stored_credentials_go_before_a_given_password() {
    let broker = FakeBroker::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("credentials.json"), CREDENTIALS).expect("a writable folder");
    let variables = [
        (
            "SYNCLINE_DATA_DIR",
            folder.path().to_str().expect("a path in UTF-8"),
        ),
        ("CYBUS_PROTOCOL_MAPPER_PASSWORD", "given-password"),
    ];
    let mut agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    let connect = broker.accept().expect(packet_type::CONNECT);
    let holds = |text: &str| {
        connect
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("stored-name") && holds("stored-password") && !holds("given-password"));
    agent.wait_for_log_line(&["WARN", "go before CYBUS_PROTOCOL_MAPPER_PASSWORD"]);
    agent.wait_for_log_line(&[
        "WARN",
        "\"test-agent\"",
        "\"stored-name\"",
        "set CYBUS_AGENT_NAME back",
    ]);
    // It was written with the mode that this user's files have by default.
    agent.wait_for_log_line(&["WARN", "credentials.json has mode", "for its owner alone now"]);
    assert!(!agent.log().contains("stored-password") && !agent.log().contains("given-password"));
}

#[test]
fn credentials_of_a_newer_version_end_the_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let newer = CREDENTIALS.replace("\"version\":1", "\"version\":9");
    std::fs::write(folder.path().join("credentials.json"), newer).expect("a writable folder");
    let (code, output) = refused(folder.path(), &folder.path().join("output"));
    assert_eq!(code, Some(CONFIGURATION), "{output}");
    assert!(output.contains("credentials.json has format 9"), "{output}");
    assert!(!output.contains("stored-password"), "{output}");
}

#[test]
fn agent_without_a_folder_to_write_to_warns_and_goes_on() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("a writable folder");
    let data = file.join("data");
    let variables = [("SYNCLINE_DATA_DIR", data.to_str().expect("a path in UTF-8"))];
    let mut agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    agent.wait_for_log_line(&["WARN", "SYNCLINE_DATA_DIR: cannot write to", "going on in memory"]);
    agent.wait_for_log_line(&["connected to the broker"]);
    assert_eq!(curl::ask(&agent.url("/nowhere"), &[]).status, 404);
}
