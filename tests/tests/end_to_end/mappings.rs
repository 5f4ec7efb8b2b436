//! Mappings and their rules against Mosquitto, with its clients and curl on either side.

use std::path::PathBuf;

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example, service_file};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::wait;
use tempfile::TempDir;

/// A commissioning file with one mapping of these items.
fn mapping(items: &str) -> (TempDir, PathBuf) {
    service_file(&format!(
        "metadata: {{name: mapped}}\nresources:\n  server:\n    type: Cybus::Server::Http\n  flow:\n    type: Cybus::Mapping\n    \
         properties:\n      mappings:\n{items}"
    ))
}

/// Runs a mapping and waits until the broker has its subscription.
fn mapped(items: &str, broker: &mut Mosquitto, filter: &str, version: &str) -> (TempDir, Agent) {
    let (folder, service) = mapping(items);
    let agent = Agent::start_with(&service, broker.port(), &[("SYNCLINE_MQTT_VERSION", version)]);
    broker.wait_for_log(&format!("{filter} (QoS 0)"));
    (folder, agent)
}

fn next(subscription: &mut Subscription) -> (String, Value) {
    wait::until("a message", wait::PATIENCE, || subscription.poll())
}

#[test]
fn example_2_answers_by_its_mapping() {
    for version in ["5", "3.1.1"] {
        let broker = Mosquitto::start();
        let agent = Agent::start_with(
            &example("2-node-responds.yml"),
            broker.port(),
            &[("SYNCLINE_MQTT_VERSION", version)],
        );
        let response = agent.ask_when_ready("/data/flowsync/example2", &[]);
        assert_eq!(
            (response.status, response.json()),
            (200, json!("This is a response"))
        );
    }
}

#[test]
fn example_3_refuses_by_its_mapping() {
    let broker = Mosquitto::start();
    let agent = Agent::start(&example("3-node-with-error.yml"), broker.port());
    let response = agent.ask_when_ready("/data/flowsync/example3", &[]);
    let error = json!({ "code": 500, "message": "This GET was refused by the mapping" });
    assert_eq!(
        (response.status, response.json()),
        (500, json!({ "error": error }))
    );
}

#[test]
fn what_a_mapping_answers_goes_over_the_broker_for_others_to_see() {
    let broker = Mosquitto::start();
    let mut seen = Subscription::start(&broker, "services/example2/#");
    let agent = Agent::start(&example("2-node-responds.yml"), broker.port());
    assert_eq!(agent.ask_when_ready("/data/flowsync/example2", &[]).status, 200);
    let (treq, request) = next(&mut seen);
    assert_eq!(treq, "services/example2/exampleNode/treq");
    let (tres, reply) = next(&mut seen);
    assert_eq!(tres, "services/example2/exampleNode/tres");
    assert_eq!(reply["id"], request["id"]);
}

#[test]
fn named_levels_and_variables_make_the_topic() {
    let mut broker = Mosquitto::start();
    let mut seen = Subscription::start(&broker, "out/#");
    let items = "        - subscribe: {topic: in/+line/state, label: l}
          publish: {topic: 'out/{line}/{kind}', retain: true, qos: 1}
          rules:
            - setContextVars: {vars: {kind: $.kind}}
            - transform: {expression: '{ \"line\": $context.vars.line, \"topic\": $context.topic, \"label\": $context.label }'}
";
    let (_folder, _agent) = mapped(items, &mut broker, "in/+/state", "5");
    publish(&broker, "in/l1/state", r#"{"kind":"hot"}"#, &[]);
    let expected = json!({ "line": "l1", "topic": "in/l1/state", "label": "l" });
    assert_eq!(next(&mut seen), ("out/l1/hot".to_owned(), expected.clone()));
    // It was published to be kept.
    let mut late = Subscription::start(&broker, "out/l1/hot");
    assert_eq!(next(&mut late).1, expected);
}

#[test]
fn without_rules_every_byte_is_passed_on() {
    let mut broker = Mosquitto::start();
    let mut seen = Subscription::start(&broker, "out");
    let items = "        - {subscribe: {topic: in}, publish: {topic: out}}\n";
    let (_folder, _agent) = mapped(items, &mut broker, "in", "5");
    publish(&broker, "in", "9007199254740993", &[]);
    assert_eq!(next(&mut seen).1.to_string(), "9007199254740993");
}

#[test]
fn subscriptions_that_overlap_each_get_a_message_once() {
    for version in ["5", "3.1.1"] {
        let mut broker = Mosquitto::start();
        let mut seen = Subscription::start(&broker, "out/#");
        let item = |filter: &str, to: &str| {
            format!("        - {{subscribe: {{topic: '{filter}'}}, publish: {{topic: '{to}'}}}}\n")
        };
        let items = ["in/a", "in/+", "in/#", "in/a"]
            .iter()
            .enumerate()
            .map(|(at, filter)| item(filter, &format!("out/{at}")))
            .collect::<String>();
        let (_folder, _agent) = mapped(&items, &mut broker, "in/a", version);
        broker.wait_for_log("in/# (QoS 0)");
        publish(&broker, "in/a", "1", &[]);
        publish(&broker, "in/a", "2", &[]);
        let mut topics: Vec<_> = (0..8)
            .map(|_| next(&mut seen))
            .map(|(topic, value)| format!("{topic} {value}"))
            .collect();
        topics.sort();
        let expected = [
            "out/0 1", "out/0 2", "out/1 1", "out/1 2", "out/2 1", "out/2 2", "out/3 1", "out/3 2",
        ];
        assert_eq!(topics, expected, "MQTT {version}");
        publish(&broker, "out/end", "3", &[]);
        assert_eq!(next(&mut seen).0, "out/end", "MQTT {version}");
    }
}

#[test]
fn burst_and_collect_work_over_subscriptions() {
    let mut broker = Mosquitto::start();
    let mut seen = Subscription::start(&broker, "out/#");
    let items = "        - subscribe: {topic: in}
          publish: {topic: out/burst}
          rules: [{burst: {interval: 200}}]
        - subscribe: [{topic: a, label: left}, {topic: b, label: right}]
          publish: {topic: out/collect}
          rules: [collect: {}]
";
    let (_folder, agent) = mapped(items, &mut broker, "b", "5");
    publish(&broker, "in", "1", &[]);
    publish(&broker, "in", "2", &[]);
    assert_eq!(next(&mut seen), ("out/burst".to_owned(), json!([1, 2])));
    publish(&broker, "a", "1", &[]);
    assert_eq!(next(&mut seen), ("out/collect".to_owned(), json!({ "left": 1 })));
    publish(&broker, "b", "2", &[]);
    assert_eq!(
        next(&mut seen),
        ("out/collect".to_owned(), json!({ "left": 1, "right": 2 }))
    );
    let status = agent
        .beside(&["status", "--json"])
        .output()
        .expect("syncline starts");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let [burst, collect] = [0, 1].map(|item| &status["mappings"][item]);
    let counts = |mapping: &Value| ["received", "batched", "stopped"].map(|name| mapping[name].as_u64());
    assert_eq!(counts(burst), [2, 2, 0].map(Some), "{burst}");
    assert_eq!(counts(collect), [2, 0, 0].map(Some), "{collect}");
    assert_eq!(
        (&burst["subscribes"], &burst["publishes"]),
        (&json!(["in"]), &json!("out/burst"))
    );
    let text = agent.beside(&["status"]).output().expect("syncline starts");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("a, b to out/collect"), "{text}");
    assert!(text.contains("2 in batches, 0 stopped"), "{text}");
}

#[test]
fn an_expression_that_brings_the_evaluator_down_costs_its_message_and_is_told_once() {
    let mut broker = Mosquitto::start();
    let mut seen = Subscription::start(&broker, "out");
    let items = "        - subscribe: {topic: in}
          publish: {topic: out}
          rules:
            - transform: {expression: '$.picture ? $fromMillis(1521801216617, $.picture) : $.value'}
";
    let (_folder, agent) = mapped(items, &mut broker, "in", "5");
    for _ in 0..3 {
        publish(&broker, "in", r#"{"picture":"[Da] [λMA] [Yi]"}"#, &[]);
    }
    publish(&broker, "in", r#"{"value":"goes on"}"#, &[]);
    assert_eq!(next(&mut seen).1, json!("goes on"));
    let log = agent.log();
    let told = "rule 1 (transform): the JSONata evaluator fails on this expression and payload";
    assert_eq!(log.matches(told).count(), 1, "{log}");
    assert!(!log.contains("λMA") && !log.contains("panicked"), "{log}");
    let mut status = agent.beside(&["status", "--json"]);
    let status = status.output().expect("syncline starts");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let counted = &status["mappings"][0];
    let counts =
        ["received", "published", "stopped", "failed", "overloaded"].map(|name| counted[name].as_u64());
    assert_eq!(counts, [4, 1, 0, 3, 0].map(Some), "{status}");
}
