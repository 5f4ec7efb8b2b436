//! Clients of the OPC UA server that go away, say nothing, or are too many.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use syncline_tests::agent::service_file;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::opcua::{OpcuaAgent, OpcuaClient, plant, write, written};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;

/// What the agent allows; docs/opcua.md tells users.
const CONNECTIONS: usize = 250;
/// `BadTcpServerTooBusy` and `BadTimeout`, as they stand in a message.
const TOO_BUSY: [u8; 4] = 0x807D_0000_u32.to_le_bytes();
const TIMEOUT: [u8; 4] = 0x800A_0000_u32.to_le_bytes();

const NODES: &str = "  order:
    type: Cybus::Node::Opcua
    properties: {parent: !ref root, nodeType: Variable, dataType: Int32, operation: transaction, transaction: {timeout: 100000, maxInFlight: 2}}
  start:
    type: Cybus::Node::Opcua
    properties: {parent: !ref root, nodeType: Method, operation: transaction, transaction: {timeout: 100000, maxInFlight: 1}}
";

fn connect(agent: &OpcuaAgent) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", agent.port())).expect("the agent listens");
    let limit = Some(6 * wait::PATIENCE);
    stream.set_read_timeout(limit).expect("a time");
    stream
}

/// The last that a server says to a connection that it closes: the status of an error message.
fn last_words(mut stream: TcpStream) -> [u8; 4] {
    let mut said = Vec::new();
    // The end may come as a reset.
    let _ = stream.read_to_end(&mut said);
    assert!(said.starts_with(b"ERRF"), "{said:?}");
    said[8..12].try_into().expect("a status")
}

#[test]
fn what_a_client_holds_ends_with_its_connection() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&plant(NODES));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let answer = client.ask(json!({"do": "connect", "session": "b", "url": agent.url()}));
    assert_eq!(answer["result"], "connected", "{answer}");
    let of_b = |mut task: serde_json::Value| {
        task["session"] = "b".into();
        task
    };
    let call = json!({"do": "call", "object": "ns=1;s=root", "method": "ns=1;s=start", "arguments": []});
    let held = |open: u64, aborted: u64| {
        wait::until(
            &format!("{open} are held, {aborted} were given up"),
            wait::PATIENCE,
            || {
                let transactions = &agent.status()["transactions"];
                (transactions["open"] == open && transactions["aborted"] == aborted).then_some(())
            },
        );
    };
    // Two of one Write, and a Call: each node is full.
    let mut pair = write("ns=1;s=order", "Int32", &json!(1));
    pair["nodes"] = json!(["ns=1;s=order", "ns=1;s=order"]);
    let [first, second] = [pair, call.clone()].map(|task| client.begin(of_b(task)));
    held(3, 0);
    assert_eq!(
        client.write("ns=1;s=order", "Int32", &json!(2)).0,
        "BadServerTooBusy"
    );
    assert_eq!(
        client.ask(call.clone())["result"]["codes"],
        json!(["BadServerTooBusy"])
    );
    let status = &agent.status()["opcua"];
    let counts = ["channels", "sessions", "held"].map(|name| status[name].as_u64().expect("a count"));
    assert_eq!(counts, [2, 2, 3], "{status}");

    let answer = client.ask(of_b(json!({"do": "drop"})));
    assert_eq!(answer["result"], "dropped", "{answer}");
    held(0, 3);
    let _responders = ["order", "start"].map(|id| {
        Responder::start(&broker, &format!("services/plant/{id}"), |_| {
            Answer::Value(json!(null))
        })
    });
    assert_eq!(client.write("ns=1;s=order", "Int32", &json!(3)).0, "Good");
    assert_eq!(client.ask(call)["result"]["codes"], json!(["Good"]));
    // asyncua ends them by itself.
    for task in [first, second] {
        assert!(client.end(task).get("error").is_some());
    }
}

#[test]
fn what_a_client_holds_ends_with_its_session() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&plant(NODES));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let held = [
        write("ns=1;s=order", "Int32", &json!(1)),
        json!({"do": "call", "object": "ns=1;s=root", "method": "ns=1;s=start", "arguments": []}),
    ]
    .map(|task| client.begin(task));
    let counted = |what: &str, open: u64, aborted: u64| {
        wait::until(what, wait::PATIENCE, || {
            let transactions = &agent.status()["transactions"];
            (transactions["open"] == open && transactions["aborted"] == aborted).then_some(())
        });
    };
    counted("both are held", 2, 0);
    let answer = client.ask(json!({"do": "close"}));
    assert_eq!(answer["result"], "closed", "{answer}");
    counted("both were given up", 0, 2);
    for task in held {
        let answer = client.end(task);
        assert_eq!(answer["result"]["codes"], json!(["BadSessionClosed"]), "{answer}");
    }
    let status = &agent.status()["opcua"];
    let counts = ["channels", "sessions", "held"].map(|name| status[name].as_u64().expect("a count"));
    assert_eq!(counts, [1, 0, 0], "the connection goes on: {status}");
}

#[test]
fn a_connection_too_many_is_told_so_and_those_that_say_nothing_are_closed() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&plant(NODES));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let begun = Instant::now();
    let silent: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(&agent)).collect();
    assert_eq!(last_words(connect(&agent)), TOO_BUSY);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "the first have been closed by now"
    );
    for stream in silent {
        assert_eq!(last_words(stream), TIMEOUT);
    }
    let mut client = OpcuaClient::connected(&agent.url());
    let held = client.begin(write("ns=1;s=order", "Int32", &json!(1)));
    wait::until("it is held", wait::PATIENCE, || {
        (agent.status()["transactions"]["open"] == 1).then_some(())
    });
    agent.terminate();
    assert_eq!(written(&client.end(held)).0, "BadShutdown");
}
