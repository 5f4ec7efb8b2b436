//! Endpoints of an OPC UA server that end while it does not answer: in what time, and what those are told who wait.

use std::io::Read as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use syncline_tests::agent::Agent;
use syncline_tests::machine::{ask, asked_for, commissioned, connected_with, next, tell, text};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::opcua_server::OpcuaServer;

const DRAIN_TIME: Duration = Duration::from_secs(2);
const DRAIN: [(&str, &str); 1] = [("SYNCLINE_DRAIN_TIME", "2s")];
/// For a machine that does other things as well.
const TOLERANCE: Duration = Duration::from_millis(700);

/// How long the agent takes to stop.
fn time_to_stop(agent: &mut Agent) -> Duration {
    let begun = Instant::now();
    agent.terminate();
    assert_eq!(agent.exit_code(), 143);
    begun.elapsed()
}

#[test]
fn a_stop_takes_no_longer_than_the_drain_time_where_the_machine_answers_nothing_any_more() {
    let mut broker = Mosquitto::start();
    let machine = OpcuaServer::start();
    let endpoints = [
        ("told", "subscribe: {nodeId: ns=2;s=level, publishInterval: 100}"),
        ("set", "write: {nodeId: ns=2;s=level}"),
    ];
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let mut results = Subscription::start(&broker, "services/machine/set/res");
    let mut values = Subscription::start(&broker, "services/machine/told");
    let mut agent = connected_with(&service, &mut broker, "set/set", &DRAIN);
    assert_eq!(next(&mut values)["value"], 7);
    let written = ask(&broker, &mut results, "set/set", &json!({"id": 1, "value": 8}));
    assert_eq!(written["result"], true);
    machine.freeze();
    for id in [2, 3] {
        tell(&broker, "set/set", &json!({"id": id, "value": 9}));
    }
    asked_for(&agent, "set", 2);
    let took = time_to_stop(&mut agent);
    assert!(took < DRAIN_TIME + TOLERANCE, "{took:?}");
    agent.wait_for_log_line(&[
        "stopping: no requests are held, 1 of an endpoint is under way, it has up to 2 s",
    ]);
    // The second one's turn has not come.
    for (id, code, text) in [
        (3, "BadRequestCancelledByClient", "was not carried out"),
        (2, "BadShutdown", "may have been carried out"),
    ] {
        let result = next(&mut results);
        assert_eq!(
            (&result["id"], &result["error"]["code"]),
            (&json!(id), &json!(code)),
            "{result}"
        );
        let message = result["error"]["message"].as_str().expect("a message");
        assert!(message.contains(text), "{message}");
    }
    machine.wake();
}

#[test]
fn a_stop_waits_for_no_leave_that_a_machine_does_not_give() {
    let mut broker = Mosquitto::start();
    let machine = OpcuaServer::start();
    let told = ("told", "subscribe: {nodeId: ns=2;s=level, publishInterval: 100}");
    let set = ("set", "write: {nodeId: ns=2;s=level}");
    let speed = ("speed", "subscribe: {nodeId: ns=2;s=speed, publishInterval: 200}");
    let (_folder, service) = commissioned(machine.port(), "", &[told, set]);
    let mut values = Subscription::start(&broker, "services/machine/told");
    let variables = [("SYNCLINE_DRAIN_TIME", "500ms")];
    let mut agent = connected_with(&service, &mut broker, "set/set", &variables);
    assert_eq!(next(&mut values)["value"], 7);
    machine.freeze();
    // One that is followed, and one that asks to be told.
    std::fs::write(&service, text(machine.port(), "", &[told, set, speed])).expect("a file");
    agent.hang_up();
    asked_for(&agent, "speed", 1);
    let took = time_to_stop(&mut agent);
    // A second is left for messages in any case.
    assert!(took < Duration::from_secs(1) + TOLERANCE, "{took:?}");
    machine.wake();
}

#[test]
fn a_stop_does_not_wait_for_a_machine_that_takes_connections_and_says_nothing() {
    let broker = Mosquitto::start();
    let machine = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = machine.local_addr().expect("its address").port();
    let (_folder, service) = commissioned(
        port,
        "",
        &[("told", "subscribe: {nodeId: ns=2;s=level, publishInterval: 100}")],
    );
    let mut agent = Agent::start_with(&service, broker.port(), &DRAIN);
    let (mut connection, _) = machine.accept().expect("the agent");
    let mut hello = [0; 4];
    connection.read_exact(&mut hello).expect("its first words");
    assert_eq!(&hello, b"HELF");
    let took = time_to_stop(&mut agent);
    assert!(took < DRAIN_TIME + TOLERANCE, "{took:?}");
}
