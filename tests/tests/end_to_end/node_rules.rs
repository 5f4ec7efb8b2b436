//! Rules of HTTP nodes, asked with curl: what passes, what is stopped, and what each client is told.

use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, service_file};
use syncline_tests::curl::Response;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;
use tempfile::TempDir;

const JSON: &str = "Content-Type: application/json";

/// An agent whose one node at `/data/x` has these properties.
struct Ruled {
    agent: Agent,
    broker: Mosquitto,
    _folder: TempDir,
}

impl Ruled {
    fn start(properties: &str) -> Self {
        let (folder, file) = service_file(&format!(
            "metadata: {{name: ruled}}\nresources:\n  server: {{type: 'Cybus::Server::Http'}}\n  node:\n    type: Cybus::Node::Http\n    \
             properties:\n      parent: !ref server\n      route: /x\n{properties}"
        ));
        let broker = Mosquitto::start();
        let agent = Agent::start(&file, broker.port());
        Self {
            agent,
            broker,
            _folder: folder,
        }
    }

    fn send(&self, body: &str) -> Response {
        self.agent
            .ask_when_ready("/data/x", &["-X", "POST", "-H", JSON, "-d", body])
    }

    fn send_text(&self, body: &str) -> Response {
        self.agent.ask_when_ready(
            "/data/x",
            &["-X", "POST", "-H", "Content-Type: text/plain", "-d", body],
        )
    }

    /// Asks until the node provides this.
    fn provides(&self, status: u16, expected: Option<&Value>) {
        wait::until(&format!("{status} and {expected:?}"), wait::PATIENCE, || {
            let response = self.agent.ask_when_ready("/data/x", &[]);
            let is_value = expected.is_none_or(|expected| response.json() == *expected);
            (response.status == status && is_value).then_some(())
        });
    }
}

fn next(messages: &mut Subscription) -> Value {
    wait::until("a message", wait::PATIENCE, || messages.poll()).1
}

fn message_of(response: &Response) -> String {
    response.json()["error"]["message"]
        .as_str()
        .expect("an error's message")
        .to_owned()
}

#[test]
fn what_a_node_receives_goes_through_its_rules_before_it_is_published() {
    let ruled = Ruled::start(
        "      method: POST
      rules:
        - transform: {expression: '{\"level\": value.level * 2, \"at\": timestamp, \"topic\": $context.topic}'}
",
    );
    let mut messages = Subscription::start(&ruled.broker, "services/ruled/node");
    assert_eq!(ruled.send(r#"{"level": 21}"#).status, 200);
    let message = next(&mut messages);
    assert_eq!(message["level"], 42);
    assert_eq!(message["topic"], "services/ruled/node");
    assert!(message["at"].as_u64().is_some_and(|at| at > 1_700_000_000_000));
}

#[test]
fn what_a_rule_stops_is_answered_with_204_and_not_published() {
    let ruled = Ruled::start(
        "      method: POST
      qos: 1
      rules:
        - filter: {expression: value.level > 0}
        - cov: {key: value.level}
",
    );
    let mut messages = Subscription::start(&ruled.broker, "services/ruled/node");
    for (level, status) in [(-1, 204), (1, 200), (1, 204), (-1, 204), (2, 200)] {
        let response = ruled.send(&json!({ "level": level }).to_string());
        assert_eq!((response.status, response.body.as_str()), (status, ""), "{level}");
    }
    assert_eq!(next(&mut messages)["value"]["level"], 1);
    assert_eq!(next(&mut messages)["value"]["level"], 2);
}

#[test]
fn a_batch_is_published_when_it_is_complete_and_its_first_messages_are_answered_with_202() {
    let ruled = Ruled::start(
        "      method: POST
      rules: [{burst: {maxSize: 2, interval: 300}}]
",
    );
    let mut messages = Subscription::start(&ruled.broker, "services/ruled/node");
    let values = |batch: Value| -> Vec<Value> {
        let batch = batch.as_array().expect("a list").clone();
        batch.iter().map(|message| message["value"].clone()).collect()
    };
    // Alone it waits for the interval.
    assert_eq!(ruled.send("1").status, 202);
    assert_eq!(values(next(&mut messages)), [1]);
    // On a slow machine each of two may be the first of a batch.
    let statuses = [ruled.send("2").status, ruled.send("3").status];
    assert_eq!(statuses[0], 202);
    let mut published = values(next(&mut messages));
    if statuses[1] == 202 {
        published.extend(values(next(&mut messages)));
    }
    assert_eq!(published, [2, 3]);
}

#[test]
fn what_a_rule_cannot_be_carried_out_for_is_refused_with_the_rule_and_without_the_payload() {
    let ruled = Ruled::start(
        "      method: POST
      rules:
        - parse: {format: json}
        - transform: {expression: $number(reading)}
",
    );
    let mut messages = Subscription::start(&ruled.broker, "services/ruled/node");
    let response = ruled.send_text("s3cret");
    assert_eq!(response.status, 422);
    let told = message_of(&response);
    assert!(
        told.starts_with("rule 1 (parse): ") && !told.contains("s3cret"),
        "{told}"
    );
    let response = ruled.send_text(r#"{"reading": "s3cret"}"#);
    assert_eq!(response.status, 422);
    let told = message_of(&response);
    assert!(
        told.starts_with("rule 2 (transform): ") && !told.contains("s3cret"),
        "{told}"
    );
    // Had either been published, it would have come before this.
    assert_eq!(ruled.send_text(r#"{"reading": "0x10"}"#).status, 200);
    assert_eq!(next(&mut messages), 16);
}

#[test]
fn a_node_provides_what_its_rules_make_of_its_topic() {
    let ruled = Ruled::start(
        "      method: GET
      rules:
        - filter: {expression: $exists(value)}
        - transform: {expression: '{\"celsius\": (value - 32) / 1.8}'}
",
    );
    ruled.provides(404, None);
    publish(
        &ruled.broker,
        "services/ruled/node",
        r#"{"timestamp":1,"value":212}"#,
        &[],
    );
    ruled.provides(200, Some(&json!({ "celsius": 100 })));
    // Neither of these passes, so the value before stays.
    for dropped in [r#"{"result":1}"#, r#"{"value":"hot"}"#] {
        publish(&ruled.broker, "services/ruled/node", dropped, &[]);
    }
    publish(&ruled.broker, "services/ruled/node", r#"{"value":32}"#, &[]);
    ruled.provides(200, Some(&json!({ "celsius": 0 })));
}

#[test]
fn a_node_provides_bytes_that_its_rules_make_a_value_of() {
    let ruled = Ruled::start("      method: GET\n      rules: [{parse: {format: ascii}}]\n");
    ruled.provides(404, None);
    publish(&ruled.broker, "services/ruled/node", "42", &[]);
    ruled.provides(200, Some(&json!(42)));
}

const TRANSACTION: &str = "      method: POST\n      operation: transaction\n";

#[test]
fn a_request_goes_through_the_rules_of_its_node_before_it_is_published() {
    let ruled = Ruled::start(&format!(
        "{TRANSACTION}      rules:
        - transform: {{expression: '{{\"id\": id, \"timestamp\": timestamp, \"value\": {{\"order\": value.nr, \"by\": $context.topic}}}}'}}
"
    ));
    let _responder = Responder::start(&ruled.broker, "services/ruled/node", |value| {
        Answer::Value(json!({ "seen": value }))
    });
    let response = ruled.send(r#"{"nr": 7}"#);
    let seen = json!({ "order": 7, "by": "services/ruled/node/treq" });
    assert_eq!((response.status, response.json()), (200, json!({ "seen": seen })));
}

#[test]
fn a_request_that_its_rules_drop_is_refused_at_once_and_never_published() {
    let ruled = Ruled::start(&format!(
        "{TRANSACTION}      transaction: {{timeout: 60000}}
      rules:
        - filter: {{expression: $exists(value.nr)}}
        - transform: {{expression: '$number(value.nr)'}}
"
    ));
    let mut requests = Subscription::start(&ruled.broker, "services/ruled/node/treq");
    let _responder = Responder::start(&ruled.broker, "services/ruled/node", |value| {
        Answer::Value(value.clone())
    });
    assert_eq!(ruled.send(r#"{"nr": 1}"#).json(), 1);
    for (body, told) in [
        ("{}", "the rules of this node do not let the request pass"),
        (
            r#"{"nr": "s3cret"}"#,
            "rule 2 (transform): JSONata error D3030, a value that cannot be computed with",
        ),
    ] {
        let response = ruled.send(body);
        assert_eq!((response.status, message_of(&response).as_str()), (422, told));
        assert!(response.time < Duration::from_secs(20), "{:?}", response.time);
    }
    assert_eq!(ruled.send(r#"{"nr": "2"}"#).json(), 2);
    assert_eq!(next(&mut requests)["value"], 1);
    assert_eq!(next(&mut requests)["value"], 2);
}

#[test]
fn the_time_that_rules_take_is_a_part_of_the_time_that_a_request_is_held() {
    let ruled = Ruled::start(&format!(
        "{TRANSACTION}      transaction: {{timeout: 100, timeoutErrorCode: 504, timeoutErrorMessage: too late}}
      rules:
        - transform: {{expression: '($again := function($n) {{ $again($n + 1) }}; $again(value))'}}
"
    ));
    let response = ruled.send("1");
    let error = json!({ "code": 504, "message": "too late" });
    assert_eq!(
        (response.status, response.json()),
        (504, json!({ "error": error }))
    );
}

#[test]
fn what_the_rules_of_a_node_have_done_is_seen_in_the_status() {
    let ruled = Ruled::start(
        "      operation: serverReceives\n      method: POST\n      rules: [{transform: {expression: value}}, {filter: {expression: '$ > 1'}}]\n",
    );
    for (body, status) in [("1", 204), ("2", 200), ("3", 200)] {
        assert_eq!(ruled.send(body).status, status);
    }
    let status = ruled.agent.beside(&["status", "--json"]).output();
    let status: Value =
        serde_json::from_slice(&status.expect("the program can be started").stdout).expect("JSON");
    let node = &status["exchanges"][0];
    assert_eq!(
        (&node["resource"], &node["operation"], &node["ready"]),
        (&json!("node"), &json!("receive"), &json!(true))
    );
    let rules =
        json!({ "received": 3, "passed": 2, "batched": 0, "stopped": 1, "failed": 0, "overloaded": 0 });
    assert_eq!(node["rules"], rules);
    let list = ruled.agent.beside(&["flow", "list"]).output();
    let list = String::from_utf8(list.expect("the program can be started").stdout).expect("text");
    assert!(list.contains("ruled    node  receive    POST"), "{list}");
}
