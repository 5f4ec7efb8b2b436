//! Held HTTP requests, looked at and answered by hand with Mosquitto's own clients.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example};
use syncline_tests::curl::{self, Pending};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::wait;

const PATH: &str = "/data/flowsync/example1";
const TREQ: &str = "services/example1/exampleNode/treq";
const TRES: &str = "services/example1/exampleNode/tres";

/// Sends a request and returns it held, with the message it became; sends it anew while the node is not ready.
fn hold(agent: &Agent, path: &str, requests: &mut Subscription) -> (Pending, Value) {
    let mut pending = curl::send(&agent.url(path), &[]);
    let message = wait::until("the request becomes a message", wait::PATIENCE, || {
        if let Some((topic, message)) = requests.poll() {
            assert_eq!(topic, TREQ);
            return Some(message);
        }
        if pending.is_finished() {
            let refused = pending.response();
            assert_eq!(refused.status, 503, "{}", refused.body);
            pending = curl::send(&agent.url(path), &[]);
        }
        None
    });
    (pending, message)
}

fn request_is_held_until_the_reply_comes(version: &str, seen_by_the_broker: &str) {
    let mut broker = Mosquitto::start();
    let mut requests = Subscription::start(&broker, TREQ);
    let variables = [("SYNCLINE_MQTT_VERSION", version)];
    let agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    let (mut pending, message) = hold(&agent, &format!("{PATH}?order=42"), &mut requests);
    broker.wait_for_log(&format!(" as test-agent ({seen_by_the_broker},"));

    let keys: Vec<_> = message
        .as_object()
        .expect("a request is an object")
        .keys()
        .collect();
    assert_eq!(keys, ["id", "timestamp", "value"]);
    assert_eq!(message["value"], json!({ "order": "42" }));
    let id = message["id"].as_str().expect("an id is a string");
    assert_eq!((id.len(), id.matches('-').count()), (36, 4), "not a UUID: {id}");
    let sent = Duration::from_millis(message["timestamp"].as_u64().expect("a timestamp is a number"));
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
    assert!(
        now.abs_diff(sent) < Duration::from_secs(60),
        "timestamp {sent:?}, but it is {now:?}"
    );

    // A reply to another request is not an answer to this one.
    publish(
        &broker,
        TRES,
        r#"{"id":"00000000-0000-4000-8000-000000000000","value":"another's"}"#,
        &[],
    );
    assert!(!pending.is_finished(), "the request is still held");
    publish(
        &broker,
        TRES,
        &json!({ "id": id, "timestamp": 1, "value": { "done": [1, "ü"] } }).to_string(),
        &[],
    );
    let response = pending.response();
    assert_eq!(
        (response.status, response.json()),
        (200, json!({ "done": [1, "ü"] }))
    );
    assert_eq!(response.header("content-type"), Some("application/json"));
}

#[test]
fn request_is_held_until_the_reply_comes_over_mqtt_5() {
    request_is_held_until_the_reply_comes("5", "p5");
}

#[test]
fn request_is_held_until_the_reply_comes_over_mqtt_3_1_1() {
    request_is_held_until_the_reply_comes("3.1.1", "p2");
}

#[test]
fn error_reply_gives_its_code_and_text() {
    let broker = Mosquitto::start();
    let mut requests = Subscription::start(&broker, TREQ);
    let agent = Agent::start(&example("1-transaction.yml"), broker.port());
    let (mut pending, message) = hold(&agent, PATH, &mut requests);
    let error = json!({ "code": 422, "message": "order 42 is closed" });
    publish(
        &broker,
        TRES,
        &json!({ "id": message["id"], "error": error }).to_string(),
        &[],
    );
    let response = pending.response();
    assert_eq!(
        (response.status, response.json()),
        (422, json!({ "error": error }))
    );
}

#[test]
fn unanswered_request_times_out_with_the_code_and_text_of_its_node() {
    for (file, path, code, message) in [
        (
            "1-transaction.yml",
            "/data/flowsync/example1",
            500,
            "Request timed out while waiting for response",
        ),
        (
            "4-timeout-code-and-message.yml",
            "/data/flowsync/example4",
            408,
            "No answer came in time",
        ),
    ] {
        let broker = Mosquitto::start();
        let agent = Agent::start(&example(file), broker.port());
        let response = agent.ask_when_ready(path, &[]);
        assert_eq!(response.status, code, "{file}");
        assert_eq!(
            response.json(),
            json!({ "error": { "code": code, "message": message } }),
            "{file}"
        );
        assert!(
            response.time >= Duration::from_millis(2000),
            "{file} gave up early, after {:?}",
            response.time
        );
        assert!(
            response.time < Duration::from_millis(2500),
            "{file} gave up late, after {:?}",
            response.time
        );
    }
}
