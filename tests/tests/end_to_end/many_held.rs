//! Ten thousand requests, all held at once, each with an answer of its own.

use std::collections::HashSet;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS};
use serde_json::{Value, json};
use syncline_tests::agent::{Agent, memory_of, service_file};
use syncline_tests::held_requests::{Answer, allow_open_files, ask_all};
use syncline_tests::mosquitto::Mosquitto;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const COUNT: usize = 10_000;
/// Most memory that one of them may take up, in bytes: its connection, its task, its transaction.
const PER_REQUEST: u64 = 20_000;
const TREQ: &str = "services/manyheld/order/treq";
const TRES: &str = "services/manyheld/order/tres";

/// Long enough for a busy machine to take in all requests before the first may time out.
const LIMIT: Duration = Duration::from_secs(100);

const SERVICE: &str = "
metadata:
  name: many held
resources:
  server:
    type: Cybus::Server::Http
  order:
    type: Cybus::Node::Http
    properties:
      parent: !ref server
      method: GET
      route: /order
      operation: transaction
      transaction:
        timeout: 100000
";

/// What Mosquitto keeps for a client that reads slowly is not what this is about.
const NO_DROPS: &str = "max_queued_messages 0\nmax_inflight_messages 0";

#[test]
fn ten_thousand_requests_are_held_at_once_and_each_gets_its_own_reply() {
    allow_open_files(COUNT as u64 + 1_000);
    let (_folder, service) = service_file(SERVICE);
    let broker = Mosquitto::start_with(NO_DROPS);
    let agent = Agent::start(&service, broker.port());
    // The responder answers number COUNT at once, which tells that the node is ready, and holds the others back.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build();
    runtime.expect("a runtime").block_on(async {
        let (subscribed, is_subscribed) = oneshot::channel();
        let responder = tokio::spawn(hold_back(broker.port(), agent.id(), subscribed));
        is_subscribed.await.expect("the responder subscribes");
        tokio::task::block_in_place(|| {
            let first = agent.ask_when_ready(&format!("/data/order?n={COUNT}"), &[]);
            assert_eq!(first.status, 200, "{}", first.body);
        });
        let first = round(&agent, responder).await;
        eprintln!("bytes for each held request: {}", first.per_request());
        assert!(first.per_request() <= PER_REQUEST, "{first:?}");
        // Every place is free again, and those who come later take the room of those before. What the allocator cannot reuse grows less
        // with each round, and no more after the fourth: of twelve, the last eight stay within 1 %.
        let mut held = Vec::new();
        for _ in 0..4 {
            let (subscribed, is_subscribed) = oneshot::channel();
            let responder = tokio::spawn(hold_back(broker.port(), agent.id(), subscribed));
            is_subscribed.await.expect("the responder subscribes");
            held.push(round(&agent, responder).await.held);
        }
        eprintln!("held at first {}, then {held:?}", first.held);
        assert!(held[3] <= held[2] + held[2] / 20, "{first:?}, then {held:?}");
    });
}

/// Memory of the agent without requests, and with all of them held.
#[derive(Debug)]
struct Memory {
    before: u64,
    held: u64,
}

impl Memory {
    fn per_request(&self) -> u64 {
        self.held.saturating_sub(self.before) / COUNT as u64
    }
}

/// Has all requests held and answered, and the agent say that none is left.
async fn round(agent: &Agent, responder: JoinHandle<(usize, u64)>) -> Memory {
    let before = agent.memory();
    let answers = ask_all(agent.http_port(), COUNT, LIMIT, |n| format!("/data/order?n={n}"));
    let answers = answers.await.expect("every request is answered");
    let (seen, held) = responder.await.expect("the responder ran without a panic");
    assert_eq!(seen, COUNT, "requests held when the first reply was sent");
    assert_each_has_its_own(&answers);
    let status = agent
        .beside(&["status", "--json"])
        .output()
        .expect("syncline starts");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(status["nodes"][0]["inFlight"], 0, "{status}");
    Memory { before, held }
}

fn assert_each_has_its_own(answers: &[Answer]) {
    assert_eq!(answers.len(), COUNT);
    let mut ids = HashSet::new();
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer.status, 200, "request {n}: {}", answer.body);
        let body: Value = serde_json::from_str(&answer.body).expect("an answer is JSON");
        assert_eq!(body["n"], json!(n.to_string()), "request {n} got another's reply");
        assert!(
            ids.insert(body["id"].to_string()),
            "request {n}: the id {} was used twice",
            body["id"]
        );
    }
}

/// Keeps every reply back until all requests have been seen, then sends them; returns how many it had seen by then, and the memory of
/// the agent.
async fn hold_back(port: u16, agent: u32, subscribed: oneshot::Sender<()>) -> (usize, u64) {
    let mut options = MqttOptions::new("hold-back", "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(60));
    let (client, mut connection) = AsyncClient::new(options, 2 * COUNT);
    let mut subscribed = Some(subscribed);
    let mut held = Vec::with_capacity(COUNT);
    let mut numbers = HashSet::new();
    client
        .subscribe(TREQ, QoS::AtMostOnce)
        .await
        .expect("room for a SUBSCRIBE");
    while held.len() < COUNT {
        match connection.poll().await.expect("the broker stays") {
            Event::Incoming(Incoming::SubAck(_)) => {
                if let Some(subscribed) = subscribed.take() {
                    subscribed.send(()).expect("someone waits for it");
                }
            }
            Event::Incoming(Incoming::Publish(publish)) => {
                let request: Value = serde_json::from_slice(&publish.payload).expect("a request is JSON");
                let number = request["value"]["n"].to_string();
                if number == format!("\"{COUNT}\"") {
                    reply(&client, &request);
                } else {
                    assert!(numbers.insert(number), "published twice: {request}");
                    held.push(request);
                }
            }
            _ => {}
        }
    }
    let memory = memory_of(agent);
    for request in &held {
        reply(&client, request);
    }
    flush(&client, &mut connection).await;
    (held.len(), memory)
}

fn reply(client: &AsyncClient, request: &Value) {
    let value = json!({ "n": request["value"]["n"], "id": request["id"] });
    let reply = json!({ "id": request["id"], "timestamp": request["timestamp"], "value": value }).to_string();
    client
        .try_publish(TRES, QoS::AtMostOnce, false, reply)
        .expect("room for every reply");
}

/// Writes all that is queued: the DISCONNECT leaves last, and Mosquitto answers it by closing.
async fn flush(client: &AsyncClient, connection: &mut EventLoop) {
    client.disconnect().await.expect("room for a DISCONNECT");
    while connection.poll().await.is_ok() {}
}
