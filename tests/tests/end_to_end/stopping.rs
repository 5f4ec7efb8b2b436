//! Requests that are on their way when the agent stops: each client learns what it may do next.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use syncline_tests::curl;
use syncline_tests::wait;

use crate::reloading::{Plant, node, server, service};

/// Milliseconds that no test takes.
const LONG: u32 = 100_000;

fn message(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("JSON");
    body["error"]["message"].as_str().expect("a message").to_owned()
}

#[test]
fn a_request_that_was_published_is_not_to_be_sent_again_without_a_look() {
    let mut plant = Plant::start_with(
        &service("plant", &[server(), node("held", "/held", LONG)]),
        &[("SYNCLINE_DRAIN_TIME", "1s")],
    );
    plant.wait_until_ready();
    let mut held = curl::send(&plant.agent.url("/data/plant/held"), &[]);
    wait::until("the request is held", wait::PATIENCE, || {
        (plant.status()["transactions"]["open"] == 1).then_some(())
    });
    plant.agent.terminate();
    let response = held.response();
    assert_eq!((response.status, response.header("retry-after")), (503, None));
    let message = message(&response.body);
    assert!(
        message.contains("may have been carried out: find out"),
        "{message}"
    );
    assert_eq!(plant.agent.exit_code(), 143);
}

/// Whether the agent has read all that came from this socket.
fn is_read(client: &TcpStream) -> bool {
    let port = client.local_addr().expect("a connected socket").port();
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let to_us = format!(":{port:04X}");
    let agents = sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut agents = agents.filter(|columns| columns.get(2).is_some_and(|remote| remote.ends_with(&to_us)));
    agents.any(|columns| columns[4].ends_with(":00000000"))
}

#[test]
fn a_message_that_the_broker_has_not_confirmed_is_answered_for_when_the_agent_stops() {
    let receives = "  node: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: POST, route: /x, qos: 1}}\n";
    let mut plant = Plant::start_with(
        &service("plant", &[server(), receives.to_owned()]),
        &[("SYNCLINE_DRAIN_TIME", "1s")],
    );
    let response = plant.agent.ask_when_ready("/data/plant/x", &["--json", "1"]);
    assert_eq!(response.status, 200);
    plant.broker.freeze();
    let mut client = TcpStream::connect(("127.0.0.1", plant.agent.http_port())).expect("a listener");
    let request = "POST /data/plant/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n2";
    client.write_all(request.as_bytes()).expect("a connection");
    wait::until("the agent has read the request", wait::PATIENCE, || {
        is_read(&client).then_some(())
    });
    plant.agent.terminate();
    plant.agent.wait_for_log_line(&["stopping: 1 request is held"]);
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a complete head");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(!head.to_lowercase().contains("retry-after"), "{head}");
    assert!(message(body).contains("which it may have: find out"), "{body}");
    plant.broker.thaw();
    assert_eq!(plant.agent.exit_code(), 143);
}
