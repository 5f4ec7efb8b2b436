//! Values of OPC UA nodes that go to MQTT and come from there, of every data type.

use std::fmt::Write as _;

use serde_json::{Value, json};
use syncline_tests::agent::service_file;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::opcua::{Library, OpcuaAgent, OpcuaClient, plant, write, written};
use syncline_tests::wait;

/// A variable below the root node.
fn node(id: &str, data_type: &str, rank: i32, operation: &str, more: &str) -> String {
    format!(
        "  {id}:\n    type: Cybus::Node::Opcua\n    properties: {{parent: !ref root, nodeType: Variable, dataType: {data_type}, \
         valueRank: {rank}, operation: {operation}, {more}}}\n"
    )
}

fn next(messages: &mut Subscription) -> Value {
    wait::until("a message", wait::PATIENCE, || messages.poll()).1
}

fn reads(client: &mut OpcuaClient, node: &str, expected: &Value) {
    wait::until(&format!("{node} has {expected}"), wait::PATIENCE, || {
        let (value, status) = client.read(node);
        (value == *expected && status == "Good").then_some(())
    });
}

#[test]
fn a_written_value_is_published_and_a_published_value_is_read() {
    let broker = Mosquitto::start();
    let nodes = node("level", "Double", -1, "serverProvidesAndReceives", "topic: level")
        + &node("state", "String", -1, "serverProvides", "topic: state")
        + &node(
            "order",
            "Int64",
            -1,
            "serverReceives",
            "topic: order, qos: 1, initialValue: '7'",
        );
    let (_folder, service) = service_file(&plant(&nodes));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut messages = Subscription::start(&broker, "services/plant/#");

    assert_eq!(client.read("ns=1;s=state").1, "BadWaitingForInitialData");
    assert_eq!(client.read("ns=1;s=order"), (json!(7), "Good".to_owned()));
    assert_eq!(
        client.write("ns=1;s=state", "String", &json!("x")).0,
        "BadNotWritable"
    );

    assert_eq!(client.write("ns=1;s=level", "Double", &json!(0.5)).0, "Good");
    let message = next(&mut messages);
    assert_eq!(message["value"], json!(0.5));
    assert!(
        message["timestamp"]
            .as_u64()
            .is_some_and(|at| at > 1_700_000_000_000)
    );
    reads(&mut client, "ns=1;s=level", &json!(0.5));

    assert_eq!(client.write("ns=1;s=order", "Int64", &json!(i64::MAX)).0, "Good");
    assert_eq!(next(&mut messages)["value"], json!(i64::MAX.to_string()));

    let follow = client.begin(json!({"do": "follow", "node": "ns=1;s=state", "until": "end"}));
    for ignored in ["no json", r#"{"value": 1}"#, r#"{"result": "x"}"#] {
        mosquitto_publishes(&broker, "services/plant/state", ignored);
    }
    mosquitto_publishes(
        &broker,
        "services/plant/state",
        r#"{"timestamp": 1, "value": "running"}"#,
    );
    reads(&mut client, "ns=1;s=state", &json!("running"));
    mosquitto_publishes(&broker, "services/plant/state", r#"{"value": "end"}"#);
    let told = client.end(follow);
    let told = told["result"].as_array().unwrap_or_else(|| panic!("{told}"));
    assert!(told.ends_with(&[json!("running"), json!("end")]), "{told:?}");
    reads(&mut client, "ns=1;s=state", &json!("end"));
}

#[test]
fn arrays_without_elements_are_written_and_read_by_every_library() {
    let broker = Mosquitto::start();
    let nodes = node("list", "String", 1, "serverProvidesAndReceives", "topic: list")
        + &node(
            "matrix",
            "String",
            2,
            "serverProvidesAndReceives",
            "topic: matrix",
        );
    let (_folder, service) = service_file(&plant(&nodes));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let [mut writer, mut other] = [Library::Asyncua, Library::NodeOpcua]
        .map(|library| OpcuaClient::connected_on(library, &agent.url()));
    let mut messages = Subscription::start(&broker, "services/plant/#");
    for (id, full) in [("list", json!(["a"])), ("matrix", json!([["a", "b"]]))] {
        let node = format!("ns=1;s={id}");
        assert_eq!(writer.write(&node, "String", &json!([])).0, "Good", "{id}");
        assert_eq!(next(&mut messages)["value"], json!([]), "{id}");
        for client in [&mut writer, &mut other] {
            reads(client, &node, &json!([]));
        }
        for value in [full, json!([])] {
            let payload = json!({ "value": value }).to_string();
            mosquitto_publishes(&broker, &format!("services/plant/{id}"), &payload);
            reads(&mut writer, &node, &value);
        }
        reads(&mut other, &node, &json!([]));
        // Both of its own.
        next(&mut messages);
        next(&mut messages);
    }
}

fn mosquitto_publishes(broker: &Mosquitto, topic: &str, payload: &str) {
    publish(broker, topic, payload, &[]);
}

#[test]
fn without_a_broker_a_value_is_refused_at_once() {
    let mut broker = Mosquitto::start();
    let (_folder, service) = service_file(&plant(&node(
        "order",
        "Int32",
        -1,
        "serverReceives",
        "topic: order",
    )));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    broker.kill();
    wait::until("the agent notices", wait::PATIENCE, || {
        let (code, _, _) = client.write("ns=1;s=order", "Int32", &json!(1));
        (code == "BadNoCommunication").then_some(())
    });
    assert_eq!(client.read("ns=1;s=order").1, "BadWaitingForInitialData");
}

#[test]
fn rules_of_a_node_change_what_goes_out_and_what_comes_in() {
    let broker = Mosquitto::start();
    let rule = |expression: &str| format!("topic: t, rules: [{{transform: {{expression: '{expression}'}}}}]");
    let nodes = node(
        "out",
        "Int32",
        -1,
        "serverReceives",
        &rule("{\"value\": $.value * 2}"),
    ) + &node("in", "Int32", -1, "serverProvides", &rule("$.value + 1"))
        + &node(
            "held",
            "Int32",
            -1,
            "transaction",
            &rule("$.value > 5 ? $").replace("topic: t", "topic: held"),
        );
    let (_folder, service) = service_file(&plant(&nodes));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut messages = Subscription::start(&broker, "services/plant/#");
    assert_eq!(client.write("ns=1;s=out", "Int32", &json!(20)).0, "Good");
    assert_eq!(next(&mut messages)["value"], json!(40));
    reads(&mut client, "ns=1;s=in", &json!(41));
    let (code, _, took) = written(&client.ask(write("ns=1;s=held", "Int32", &json!(5))));
    assert_eq!(code, "BadRequestNotAllowed");
    assert!(took < 1000.0, "{took} ms");
    let held = client.begin(write("ns=1;s=held", "Int32", &json!(6)));
    assert_eq!(next(&mut messages)["value"], json!(6));
    assert_eq!(written(&client.end(held)).0, "BadTimeout");
}

#[test]
fn values_of_every_type_and_rank_come_back_as_they_went() {
    let broker = Mosquitto::start();
    let types = [
        "Boolean",
        "SByte",
        "Byte",
        "Int16",
        "UInt16",
        "Int32",
        "UInt32",
        "Int64",
        "UInt64",
        "Float",
        "Double",
        "String",
        "DateTime",
        "Guid",
        "ByteString",
        "XmlElement",
        "NodeId",
        "ExpandedNodeId",
        "StatusCode",
        "QualifiedName",
        "LocalizedText",
        "Variant",
        "DataValue",
    ];
    let mut nodes = String::new();
    for data_type in types {
        for rank in [-1, 1, 2] {
            let name = format!("{data_type}{}", rank + 1);
            let topic = format!("topic: {name}");
            let (out, back) = (format!("out_{name}"), format!("in_{name}"));
            nodes.push_str(&node(&out, data_type, rank, "serverReceives", &topic));
            write!(
                nodes,
                "{}",
                node(&back, data_type, rank, "serverProvides", &topic)
            )
            .expect("a text");
        }
    }
    let (_folder, service) = service_file(&plant(&nodes));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let answer = client.ask(json!({"do": "round_trips", "types": types, "ranks": [-1, 1, 2], "count": 25}));
    assert_eq!(
        answer["result"],
        json!({"values": types.len() * 3 * 25, "differences": []}),
        "{answer}"
    );
}
