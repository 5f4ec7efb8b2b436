//! A broker that stands still: what is beyond the limits is refused at once and costs no memory, and all goes on when the broker does.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, service_file};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::raw_http::{RawClient, Transport};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;

const HELD: usize = 50;
const SERVICE: &str = "\
metadata: {name: pressed}
resources:
  server: {type: 'Cybus::Server::Http'}
  node:
    type: Cybus::Node::Http
    properties: {parent: !ref server, method: POST, route: /x, operation: transaction, qos: 1, transaction: {timeout: 60000, maxInFlight: 50}}
";
const REFUSED: usize = 2_000;
/// What 9 of 10 refusals take at most; a busy machine may delay single ones.
const REFUSED_WITHIN: Duration = Duration::from_millis(10);
/// What the agent may grow by while it refuses 100 MB.
const GROWTH: u64 = 8 << 20;
/// What it takes to answer those that were held, and one more, once the broker goes on.
const RECOVERED_WITHIN: Duration = Duration::from_secs(1);

/// How many requests the agent holds, as it says itself.
fn open_transactions(agent: &Agent) -> u64 {
    let output = agent
        .beside(&["status", "--json"])
        .output()
        .expect("syncline starts");
    let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    status["nodes"][0]["inFlight"].as_u64().expect("a number")
}

async fn connect(agent: &Agent) -> RawClient {
    let client = Transport::Tcp.connect(agent.http_port()).await;
    client.expect("the agent accepts a connection")
}

async fn post(client: &mut RawClient, body: &str) {
    let request = format!(
        "POST /data/x HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client
        .send(request.as_bytes())
        .await
        .expect("the connection is open");
}

#[test]
fn a_broker_that_stands_still_costs_neither_time_nor_memory() {
    let (_folder, service) = service_file(SERVICE);
    let broker = Mosquitto::start();
    let _responder = Responder::start(&broker, "services/pressed/node", |value| {
        Answer::Value(json!({ "seen": value }))
    });
    let agent = Agent::start(&service, broker.port());
    let options = ["-H", "Content-Type: application/json", "-d", "0"];
    assert_eq!(agent.ask_when_ready("/data/x", &options).status, 200);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        broker.freeze();
        let mut held = Vec::new();
        for number in 0..HELD {
            let mut client = connect(&agent).await;
            post(&mut client, &number.to_string()).await;
            held.push(client);
        }
        wait::until("all requests to be held", wait::PATIENCE, || {
            (open_transactions(&agent) == HELD as u64).then_some(())
        });
        let (times, growth) = refused(&agent).await;
        let within = |part: usize| times[times.len() * part / 100 - 1];
        let (half, most, longest) = (within(50), within(90), within(100));
        eprintln!(
            "refused {REFUSED}: half within {half:.2?}, 90 % within {most:.2?}, all within {longest:.2?}, memory + {growth} bytes"
        );

        let thawed = Instant::now();
        broker.thaw();
        for (number, client) in held.iter_mut().enumerate() {
            let answer = client
                .answer(wait::PATIENCE)
                .await
                .expect("an answer")
                .expect("no end");
            assert_eq!(answer.json(), json!({ "seen": number }));
        }
        let mut client = connect(&agent).await;
        post(&mut client, "\"next\"").await;
        let answer = client
            .answer(wait::PATIENCE)
            .await
            .expect("an answer")
            .expect("no end");
        let recovered = thawed.elapsed();
        eprintln!("recovered after {recovered:.2?}");
        assert_eq!(answer.json(), json!({ "seen": "next" }));
        assert!(most <= REFUSED_WITHIN, "9 of 10 refusals took {most:?}");
        assert!(growth <= GROWTH, "memory grew by {growth} bytes");
        assert!(recovered <= RECOVERED_WITHIN, "recovered after {recovered:?}");
    });
}

/// Sends what must be refused: how long each refusal took, in their order, and what the agent grew by.
async fn refused(agent: &Agent) -> (Vec<Duration>, u64) {
    let body = format!("\"{}\"", "x".repeat(50_000));
    let mut client = connect(agent).await;
    let before = agent.memory();
    let mut times = Vec::with_capacity(REFUSED);
    for _ in 0..REFUSED {
        let begin = Instant::now();
        post(&mut client, &body).await;
        let answer = client
            .answer(wait::PATIENCE)
            .await
            .expect("an answer")
            .expect("no end");
        times.push(begin.elapsed());
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
    }
    times.sort();
    (times, agent.memory().saturating_sub(before))
}
