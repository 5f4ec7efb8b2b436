//! In which order a reload ends and begins what it changes: nobody's topic is let go of in between, and nobody is told anything before he listens.

use syncline_tests::backend::Backend;
use syncline_tests::curl;
use syncline_tests::mosquitto_clients::publish;
use syncline_tests::wait;

use crate::reloading::{Plant, node, server, service};

/// What the client of the back end waits for, so that an endpoint with a request under way takes that long to end.
const SLOW: u32 = 4;

fn connection(backend: &Backend) -> String {
    format!(
        "  backend: {{type: 'Cybus::Connection', properties: {{protocol: Http, connection: {{scheme: http, host: 127.0.0.1, \
         port: {}}}}}}}\n",
        backend.port()
    )
}

/// An endpoint that writes, with what it listens to below `topic`.
fn endpoint(name: &str, topic: &str) -> String {
    format!(
        "  {name}: {{type: 'Cybus::Endpoint', properties: {{protocol: Http, connection: !ref backend, qos: 1, topic: {topic}, \
         write: {{method: POST, path: /api/orders}}}}}}\n"
    )
}

/// A node that provides what is published on `topic`.
fn provider(name: &str, topic: &str) -> String {
    format!(
        "  {name}: {{type: 'Cybus::Node::Http', properties: {{parent: !ref server, method: GET, route: /{name}, topic: {topic}}}}}\n"
    )
}

/// A mapping with items from one topic to another, each with its rules.
fn mapping(name: &str, items: &[(&str, &str, &str)]) -> String {
    let item = |(subscribe, publish, rules): &(&str, &str, &str)| {
        format!(
            "{{subscribe: {{topic: {subscribe}, qos: 1}}, publish: {{topic: {publish}, qos: 1}}, rules: [{rules}]}}"
        )
    };
    let items: Vec<String> = items.iter().map(item).collect();
    format!(
        "  {name}: {{type: 'Cybus::Mapping', properties: {{mappings: [{}]}}}}\n",
        items.join(", ")
    )
}

#[test]
fn a_topic_that_goes_from_one_resource_to_another_is_never_unsubscribed_from() {
    let backend = Backend::start();
    let with = |owners: &[String]| service("plant", &[&[server(), connection(&backend)], owners].concat());
    let shared = "services/plant/x/set";
    let owners = [
        endpoint("one", "x"),
        mapping("two", &[(shared, "out", "")]),
        provider("three", "x/set"),
        endpoint("four", "x"),
        provider("five", "x/set"),
    ];
    let plant = Plant::start(&with(&owners[..1]));
    plant.wait_until_ready();
    for (from, one) in owners.iter().enumerate() {
        for other in &owners[from + 1..] {
            plant.reload(&with(std::slice::from_ref(other)));
            plant.wait_until_ready();
            plant.reload(&with(std::slice::from_ref(one)));
            plant.wait_until_ready();
        }
        plant.reload(&with(&owners[from..=from]));
    }
    // A reply's topic belongs to a node, and may be a mapping's as well.
    let reply = "services/plant/ask/tres";
    plant.reload(&with(&[
        owners[4].clone(),
        mapping("listens", &[(reply, "out", "")]),
    ]));
    plant.wait_until_ready();
    for _ in 0..2 {
        plant.reload(&with(&[owners[4].clone(), node("ask", "/ask", 1_000)]));
        plant.wait_until_ready();
        plant.reload(&with(&[
            owners[4].clone(),
            mapping("listens", &[(reply, "out", "")]),
        ]));
        plant.wait_until_ready();
    }
    plant.check_subscriptions(&[shared, reply]);
    assert_eq!(plant.unsubscribed(), [""; 0]);
    plant.reload(&with(&[]));
    plant.check_subscriptions(&[]);
    assert_eq!(plant.unsubscribed(), [reply, shared]);
}

#[test]
fn a_retained_message_goes_through_a_new_mapping_to_a_new_endpoint_while_an_old_one_still_ends() {
    let backend = Backend::start();
    let with =
        |resources: &[String]| service("plant", &[&[server(), connection(&backend)], resources].concat());
    let plant = Plant::start(&with(&[endpoint("old", "old")]));
    plant.wait_until_ready();
    publish(
        &plant.broker,
        "in",
        "{\"id\":1,\"body\":{\"order\":\"retained\"}}",
        &["-r", "-q", "1"],
    );
    let slow = format!("{{\"id\":0,\"body\":{{\"slow\":{SLOW}}}}}");
    publish(&plant.broker, "services/plant/old/set", &slow, &["-q", "1"]);
    let requests = |count: usize| {
        wait::until(&format!("{count} requests have come"), wait::PATIENCE, || {
            Some(backend.requests()).filter(|requests| requests.len() == count)
        })
    };
    requests(1);
    plant.reload(&with(&[
        endpoint("new", "new"),
        mapping("flow", &[("in", "services/plant/new/set", "")]),
    ]));
    let came = requests(2);
    assert_eq!(came[1]["body"], "{\"order\":\"retained\"}");
}

#[test]
fn retained_messages_go_through_new_mappings_to_new_nodes_that_provide() {
    const NODES: usize = 20;
    let plant = Plant::start(&service("plant", &[server()]));
    let names: Vec<String> = (0..NODES).map(|number| format!("value{number}")).collect();
    for name in &names {
        publish(
            &plant.broker,
            &format!("in/{name}"),
            "{\"value\":7}",
            &["-r", "-q", "1"],
        );
    }
    let mut resources = vec![server()];
    for name in &names {
        resources.push(provider(name, name));
        let (from, to) = (format!("in/{name}"), format!("services/plant/{name}"));
        resources.push(mapping(&format!("to.{name}"), &[(&from, &to, "")]));
    }
    plant.reload(&service("plant", &resources));
    for name in &names {
        let url = plant.agent.url(&format!("/data/plant/{name}"));
        let answer = wait::until(&format!("{name} has its value"), wait::PATIENCE, || {
            Some(curl::ask(&url, &[])).filter(|answer| answer.status == 200)
        });
        assert_eq!(answer.json(), 7);
    }
}

#[test]
fn the_log_calls_an_item_of_a_mapping_by_the_place_that_it_has_now() {
    const NO_NUMBER: &str = "{transform: {expression: '$number(text)'}}";
    let with = |items: &[(&str, &str, &str)]| service("plant", &[mapping("flow", items)]);
    let (first, second) = (("first", "out", NO_NUMBER), ("second", "out", NO_NUMBER));
    let mut plant = Plant::start_without_http(&with(&[second]));
    plant.wait_until_ready();
    plant.reload(&with(&[first, second]));
    plant.wait_until_ready();
    publish(&plant.broker, "second", "{\"text\":\"none\"}", &["-q", "1"]);
    plant
        .agent
        .wait_for_log_line(&["mapping flow of service plant, item 2", "a message is dropped"]);
    publish(&plant.broker, "first", "{\"text\":\"none\"}", &["-q", "1"]);
    plant
        .agent
        .wait_for_log_line(&["mapping flow of service plant, item 1", "a message is dropped"]);
}
