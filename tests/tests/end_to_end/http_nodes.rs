//! HTTP nodes that receive and provide, asked with curl, with Mosquitto's own clients on the other side.

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, service_file};
use syncline_tests::curl::{self, Response};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::wait;

const SERVICE: &str = "\
metadata: {name: plant}
resources:
  server: {type: 'Cybus::Server::Http', properties: {basePath: /Plant, requestMaxBodySize: 100}}
  write: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: POST, route: /Level, qos: 1, retain: true, topic: level}}
  hasty: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: PUT, route: /Level, topic: level}}
  read: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: GET, route: /Level, qos: 1, topic: level}}
";
const TOPIC: &str = "services/plant/level";
const PATH: &str = "/data/plant/level";
const JSON: [&str; 2] = ["-H", "Content-Type: application/json"];

/// A folder with the service's file, kept for as long as the agent may read it.
struct Plant {
    agent: Agent,
    broker: Mosquitto,
    _folder: tempfile::TempDir,
}

fn plant() -> Plant {
    let (folder, file) = service_file(SERVICE);
    let broker = Mosquitto::start();
    let agent = Agent::start(&file, broker.port());
    Plant {
        agent,
        broker,
        _folder: folder,
    }
}

impl Plant {
    fn send(&self, method: &str, options: &[&str]) -> Response {
        self.agent
            .ask_when_ready(PATH, &[&["-X", method], options].concat())
    }

    /// Asks until the value has got there: the broker's way to the agent is another than the test's.
    fn reads(&self, expected: &Value) {
        wait::until(&format!("the node provides {expected}"), wait::PATIENCE, || {
            let response = self.agent.ask_when_ready(PATH, &[]);
            (response.status == 200 && response.json() == *expected).then_some(())
        });
    }
}

fn next(messages: &mut Subscription) -> Value {
    let (topic, payload) = wait::until("a message", wait::PATIENCE, || messages.poll());
    assert_eq!(topic, TOPIC);
    payload
}

#[test]
fn json_is_published_in_an_envelope_and_provided_again() {
    let plant = plant();
    let mut messages = Subscription::start(&plant.broker, TOPIC);
    let response = plant.send("POST", &[&JSON[..], &["-d", r#"{"level": 0.5}"#]].concat());
    assert_eq!((response.status, response.body.as_str()), (200, ""));
    let message = next(&mut messages);
    assert_eq!(message["value"], json!({"level": 0.5}));
    assert!(
        message["timestamp"]
            .as_u64()
            .is_some_and(|at| at > 1_700_000_000_000)
    );
    plant.reads(&json!({"level": 0.5}));
}

#[test]
fn other_content_is_published_as_it_is() {
    let plant = plant();
    let mut messages = Subscription::start(&plant.broker, TOPIC);
    for (content_type, body) in [
        ("text/plain", "42"),
        ("text/csv", "7"),
        ("application/octet-stream", "[0]"),
    ] {
        let header = format!("Content-Type: {content_type}");
        let response = plant.send("PUT", &["-H", &header, "-d", body]);
        assert_eq!(response.status, 200, "{}", response.body);
        assert_eq!(next(&mut messages).to_string(), body);
    }
}

#[test]
fn what_cannot_be_published_is_refused_before_it_is() {
    let plant = plant();
    let mut messages = Subscription::start(&plant.broker, TOPIC);
    let long = "1".repeat(101);
    for (options, status) in [
        (&["-H", JSON[1], "-d", "{"][..], 400),
        (&["-H", "Content-Type: text/html", "-d", "x"], 415),
        (&["-H", JSON[1], "-d", &long], 413),
    ] {
        assert_eq!(plant.send("POST", options).status, status, "{options:?}");
    }
    assert_eq!(plant.send("PATCH", &[]).status, 405);
    // Had any of them been published, it would have come before this.
    plant.send("PUT", &[&JSON[..], &["-d", "1"]].concat());
    assert_eq!(next(&mut messages)["value"], json!(1));
}

#[test]
fn what_is_sent_again_with_its_key_is_published_once() {
    let plant = plant();
    let mut messages = Subscription::start(&plant.broker, TOPIC);
    for _ in 0..2 {
        let keyed = ["-H", JSON[1], "-H", "Idempotency-Key: level-1", "-d", "1"];
        assert_eq!(plant.send("POST", &keyed).status, 200);
    }
    plant.send("PUT", &[&JSON[..], &["-d", "2"]].concat());
    assert_eq!(next(&mut messages)["value"], json!(1));
    assert_eq!(next(&mut messages)["value"], json!(2));
}

#[test]
fn the_nodes_are_described_for_programs() {
    let plant = plant();
    let document = curl::ask(&plant.agent.url("/openapi.json"), &[]).json();
    let path = &document["paths"]["/data/Plant/Level"];
    for (method, operation) in [
        ("post", "plant.write"),
        ("put", "plant.hasty"),
        ("get", "plant.read"),
    ] {
        assert_eq!(path[method]["operationId"], operation);
    }
}

#[test]
fn a_node_provides_404_then_the_last_value_of_its_topic() {
    let plant = plant();
    assert_eq!(plant.send("GET", &[]).status, 404);
    publish(&plant.broker, TOPIC, r#"{"timestamp":1,"value":[1.10]}"#, &[]);
    plant.reads(&json!([1.1]));
    for ignored in ["no json", r#"{"result":2}"#] {
        publish(&plant.broker, TOPIC, ignored, &[]);
    }
    publish(&plant.broker, TOPIC, r#"{"value":null}"#, &[]);
    plant.reads(&Value::Null);
    let response = plant.send("GET", &["--head"]);
    // curl prints the head in place of a body.
    assert_eq!(response.header("content-length"), Some("4"));
    assert!(response.body.ends_with("\r\n\r\n"), "{}", response.body);
}

#[test]
fn a_retained_value_is_provided_after_a_restart_and_without_broker_nothing_is() {
    let mut plant = plant();
    assert_eq!(
        plant
            .send("POST", &[&JSON[..], &["-d", "\"kept\""]].concat())
            .status,
        200
    );
    plant.agent = plant.agent.restart();
    plant.reads(&json!("kept"));
    plant.broker.kill();
    wait::until("the nodes notice", wait::PATIENCE, || {
        let read = curl::ask(&plant.agent.url(PATH), &[]);
        let write = curl::ask(
            &plant.agent.url(PATH),
            &[&JSON[..], &["-X", "POST", "-d", "1"]].concat(),
        );
        let unavailable =
            |response: &Response| response.status == 503 && response.header("retry-after") == Some("1");
        (unavailable(&read) && unavailable(&write)).then_some(())
    });
}
