//! Thousands of Writes that are held at once, and what they cost.

use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rumqttc::{Client, Event, Incoming, MqttOptions, QoS};
use serde_json::{Value, json};
use syncline_tests::agent::{memory_of, service_file};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::opcua::{OpcuaAgent, OpcuaClient, Task, plant, write};

/// Most memory that a held Write may take up, in bytes.
const PER_WRITE: u64 = 4_096;
const ORDER: &str = "ns=1;s=order";
const TREQ: &str = "services/plant/order/treq";
const TRES: &str = "services/plant/order/tres";

const NODES: &str = "  order:
    type: Cybus::Node::Opcua
    properties: {parent: !ref root, nodeType: Variable, dataType: Int32, initialValue: 0, operation: transaction, transaction: {timeout: 100000}}
";

/// What Mosquitto keeps for a client that reads slowly is not what this is about.
const NO_DROPS: &str = "max_queued_messages 0\nmax_inflight_messages 0";

/// Begins that many Writes of one value each on a session, all at once.
fn begin(client: &mut OpcuaClient, session: &str, count: usize) -> Task {
    let mut many = write(ORDER, "Int32", &json!(1));
    many["do"] = "many".into();
    many["session"] = session.into();
    many["count"] = count.into();
    many["timeout"] = 100.into();
    client.begin(many)
}

/// Holds `count` Writes on each of `sessions`, has all of them answered, and returns the bytes that each has taken up.
fn hold(
    broker: &Mosquitto,
    agent: &OpcuaAgent,
    client: &mut OpcuaClient,
    sessions: &[String],
    count: usize,
) -> u64 {
    let total = sessions.len() * count;
    let (is_subscribed, responder) = hold_back(broker.port(), agent.id(), total);
    is_subscribed.recv().expect("the responder subscribes");
    let before = memory_of(agent.id());
    let tasks: Vec<Task> = sessions
        .iter()
        .map(|session| begin(client, session, count))
        .collect();
    for task in tasks {
        let answer = client.end(task);
        assert_eq!(answer["result"], json!({"Good": count}), "{answer}");
    }
    let held = responder.join().expect("the responder ran without a panic");
    assert_eq!(agent.status()["transactions"]["open"], 0);
    held.saturating_sub(before) / total as u64
}

#[test]
fn two_thousand_writes_of_a_session_and_ten_thousand_of_twenty_are_held_at_once() {
    let broker = Mosquitto::start_with(NO_DROPS);
    let (_folder, service) = service_file(&plant(NODES));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut sessions = vec!["a".to_owned()];
    let of_one = hold(&broker, &agent, &mut client, &sessions, 2_000);
    for number in 1..20 {
        let session = format!("a{number}");
        let answer = client.ask(json!({"do": "connect", "session": session, "url": agent.url()}));
        assert_eq!(answer["result"], "connected", "{answer}");
        sessions.push(session);
    }
    let of_all = hold(&broker, &agent, &mut client, &sessions, 500);
    eprintln!("bytes for each held Write: {of_one} of 2,000 on one session, {of_all} of 10,000 on 20");
    assert!(of_one <= PER_WRITE && of_all <= PER_WRITE, "{of_one}, {of_all}");
}

/// Keeps every reply back until `count` requests have been seen, then sends them; returns the memory of the agent at that time.
fn hold_back(port: u16, agent: u32, count: usize) -> (Receiver<()>, JoinHandle<u64>) {
    let (subscribed, is_subscribed) = mpsc::channel();
    let responder = thread::spawn(move || {
        let mut options = MqttOptions::new("hold-back", "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(60));
        let (client, mut connection) = Client::new(options, 2 * count);
        client
            .subscribe(TREQ, QoS::AtMostOnce)
            .expect("room for a SUBSCRIBE");
        let mut ids: Vec<Value> = Vec::with_capacity(count);
        for event in connection.iter() {
            match event.expect("the broker stays") {
                Event::Incoming(Incoming::SubAck(_)) => subscribed.send(()).expect("someone waits for it"),
                Event::Incoming(Incoming::Publish(publish)) => {
                    let request: Value = serde_json::from_slice(&publish.payload).expect("a request is JSON");
                    ids.push(request["id"].clone());
                }
                _ => {}
            }
            if ids.len() == count {
                break;
            }
        }
        let memory = memory_of(agent);
        for id in ids {
            let reply = json!({"id": id, "timestamp": 1, "value": null}).to_string();
            client
                .try_publish(TRES, QoS::AtMostOnce, false, reply)
                .expect("room for every reply");
        }
        // The DISCONNECT leaves last, and Mosquitto answers it by closing.
        client.disconnect().expect("room for a DISCONNECT");
        for event in connection.iter() {
            if event.is_err() {
                break;
            }
        }
        memory
    });
    (is_subscribed, responder)
}
