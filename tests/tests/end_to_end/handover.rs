//! What is on its way through the agent when its resources change or it stops: it is worked off, once and in order.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use syncline_tests::backend::Backend;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::wait;

use crate::reloading::{Plant, server, service};

/// Messages that come together: far fewer than may wait for a mapping, and more than it handles in a moment.
const MESSAGES: u64 = 100;

/// A mapping from `in` to `out` whose rule takes its time; `round` makes its settings others.
fn slow(round: u64) -> String {
    let expression = format!("{{ \"n\": n, \"round\": {round}, \"sum\": $sum([1..2000]) }}");
    mapping(&format!("{{transform: {{expression: '{expression}'}}}}"))
}

/// A mapping from `in` to `out` that has this rule.
fn mapping(rule: &str) -> String {
    let text = format!(
        "  flow: {{type: 'Cybus::Mapping', properties: {{mappings: [{{subscribe: {{topic: in, qos: 1}}, \
         publish: {{topic: out, qos: 1}}, rules: [{rule}]}}]}}}}\n"
    );
    service("plant", &[text])
}

/// Publishes numbered messages at QoS 1 without a pause.
fn publish_numbered(plant: &Plant, numbers: std::ops::Range<u64>) {
    let mut client = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-t", "in", "-q", "1", "-l", "-p"])
        .arg(plant.broker.port().to_string())
        .stdin(Stdio::piped())
        .spawn()
        .expect("mosquitto_pub can be started");
    let mut lines = client.stdin.take().expect("it was piped");
    for number in numbers {
        writeln!(lines, "{{\"n\":{number}}}").expect("mosquitto_pub reads");
    }
    drop(lines);
    assert!(client.wait().expect("it can be waited for").success());
}

fn next(messages: &mut Subscription) -> Value {
    wait::until("a message", wait::PATIENCE, || messages.poll()).1
}

/// All that has come at `out`, up to a message that is published there now.
fn rest(plant: &Plant, messages: &mut Subscription) -> Vec<Value> {
    publish(&plant.broker, "out", "\"end\"", &[]);
    let next = || Some(next(messages)).filter(|message| message != "end");
    std::iter::from_fn(next).collect()
}

fn numbers(messages: &[Value]) -> Vec<u64> {
    let number = |message: &Value| message["n"].as_u64().expect("a number");
    messages.iter().map(number).collect()
}

#[test]
fn no_message_is_lost_or_doubled_where_a_mapping_is_edited() {
    let plant = Plant::start_without_http(&slow(0));
    plant.wait_until_ready();
    let mut out = Subscription::start(&plant.broker, "out");
    let mut came = Vec::new();
    for round in 1..6 {
        let first = (round - 1) * MESSAGES;
        publish_numbered(&plant, first..first + MESSAGES);
        // The others wait for the mapping.
        came.push(next(&mut out));
        plant.reload(&slow(round));
        while came.len() as u64 != first + MESSAGES {
            came.push(next(&mut out));
        }
    }
    came.extend(rest(&plant, &mut out));
    assert_eq!(numbers(&came), (0..5 * MESSAGES).collect::<Vec<_>>());
    let at_once = came.iter().filter(|message| message["round"] == 0).count();
    assert!(at_once > 1, "nothing waited for the mapping at its end");
}

#[test]
fn what_waits_for_a_mapping_is_published_before_it_is_gone() {
    for stops in [false, true] {
        let mut plant = Plant::start_without_http(&slow(0));
        plant.wait_until_ready();
        let mut out = Subscription::start(&plant.broker, "out");
        publish_numbered(&plant, 0..MESSAGES);
        let mut came = vec![next(&mut out)];
        match stops {
            true => {
                plant.agent.terminate();
                assert_eq!(plant.agent.exit_code(), 143);
            }
            false => plant.reload(
                &slow(0)
                    .replace("flow:", "other:")
                    .replace("topic: in,", "topic: else,"),
            ),
        }
        came.extend(rest(&plant, &mut out));
        assert_eq!(
            numbers(&came),
            (0..MESSAGES).collect::<Vec<_>>(),
            "stops: {stops}"
        );
    }
}

#[test]
fn what_burst_keeps_is_published_before_a_mapping_is_changed_and_before_the_agent_stops() {
    let burst = |size: u32| mapping(&format!("{{burst: {{interval: 100000, maxSize: {size}}}}}"));
    let mut plant = Plant::start_without_http(&burst(10));
    plant.wait_until_ready();
    let mut out = Subscription::start(&plant.broker, "out");
    let kept = |plant: &Plant, count: u64| {
        wait::until(&format!("{count} messages are kept"), wait::PATIENCE, || {
            (plant.status()["mappings"][0]["received"] == count).then_some(())
        });
    };
    for value in ["1", "2", "3"] {
        publish(&plant.broker, "in", value, &["-q", "1"]);
    }
    kept(&plant, 3);
    plant.reload(&burst(11));
    assert_eq!(next(&mut out), json!([1, 2, 3]));

    publish(&plant.broker, "in", "4", &["-q", "1"]);
    // The one after the edit counts on.
    kept(&plant, 4);
    plant.agent.terminate();
    assert_eq!(plant.agent.exit_code(), 143);
    assert_eq!(rest(&plant, &mut out), [json!([4])]);
}

#[test]
fn a_batch_that_clients_were_promised_is_published_before_its_node_is_changed_and_before_the_agent_stops() {
    let receives = |size: u32| {
        let node = format!(
            "  node: {{type: 'Cybus::Node::Http', properties: {{parent: !ref server, method: POST, route: /x, topic: out, \
             qos: 1, rules: [{{transform: {{expression: value}}}}, {{burst: {{interval: 100000, maxSize: {size}}}}}]}}}}\n"
        );
        service("plant", &[server(), node])
    };
    let mut plant = Plant::start(&receives(10));
    let mut out = Subscription::start(&plant.broker, "services/plant/out");
    let send = |plant: &Plant, body: &str| {
        let response = plant.agent.ask_when_ready("/data/plant/x", &["--json", body]);
        assert_eq!(response.status, 202);
    };
    send(&plant, "1");
    send(&plant, "2");
    plant.reload(&receives(11));
    assert_eq!(next(&mut out), json!([1, 2]));
    send(&plant, "3");
    plant.agent.terminate();
    assert_eq!(plant.agent.exit_code(), 143);
    assert_eq!(next(&mut out), json!([3]));
}

#[test]
fn what_an_endpoint_has_begun_is_told_before_it_is_changed_and_before_the_agent_stops() {
    let backend = Backend::start();
    let writes = |interval: u32| {
        service(
            "plant",
            &[
                server(),
                format!(
                    "  backend: {{type: 'Cybus::Connection', properties: {{protocol: Http, connection: {{scheme: http, host: 127.0.0.1, \
                 port: {}}}}}}}\n  order: {{type: 'Cybus::Endpoint', properties: {{protocol: Http, connection: !ref backend, qos: 1, \
                 write: {{method: POST, path: /api/orders, headers: {{X-Round: '{interval}'}}}}}}}}\n",
                    backend.port()
                ),
            ],
        )
    };
    let mut plant = Plant::start_with(&writes(0), &[("SYNCLINE_DRAIN_TIME", "3s")]);
    plant.wait_until_ready();
    let mut results = Subscription::start(&plant.broker, "services/plant/order/res");
    let mut begun = 0;
    let mut ask = |plant: &Plant, id: u32, seconds: u32| {
        let message = format!("{{\"id\":{id},\"body\":{{\"slow\":{seconds}}}}}");
        publish(&plant.broker, "services/plant/order/set", &message, &["-q", "1"]);
        begun += 1;
        wait::until("the back end was asked", wait::PATIENCE, || {
            (backend.requests().len() == begun).then_some(())
        });
    };
    ask(&plant, 1, 1);
    plant.reload(&writes(1));
    let result = next(&mut results);
    assert_eq!(
        (&result["id"], result["error"].is_null()),
        (&json!(1), true),
        "{result}"
    );

    ask(&plant, 2, 1);
    ask(&plant, 3, 60);
    plant.agent.terminate();
    let result = next(&mut results);
    assert_eq!(
        (&result["id"], result["error"].is_null()),
        (&json!(2), true),
        "{result}"
    );
    let result = next(&mut results);
    let message = result["error"]["message"].as_str().expect("an error's message");
    assert_eq!(result["id"], 3);
    assert!(
        result["timestamp"].is_u64() && message.contains("it may have been carried out"),
        "{result}"
    );
    assert_eq!(plant.agent.exit_code(), 143);
}
