//! Endpoints of an OPC UA server: an independent one, and a second agent's.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example};
use syncline_tests::machine::{ask, commissioned, connected, endpoint, next, text};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::opcua::OpcuaAgent;
use syncline_tests::opcua_server::OpcuaServer;
use syncline_tests::{process, secrets, wait};

const PASSWORD: &str = "a-machines-password";

#[test]
fn values_are_read_as_json_and_the_ids_of_requests_come_back() {
    let mut broker = Mosquitto::start();
    let machine = OpcuaServer::start();
    let expected = [
        ("speed", json!(1.5)),
        ("count", json!("9007199254740993")),
        ("name", json!("press")),
        ("list", json!([1, 2])),
        ("matrix", json!([[1, 2], [3, 4]])),
        ("running", json!(true)),
        ("since", json!("2026-11-22T02:00:00Z")),
        ("label", json!({"locale": "de", "text": "Säge"})),
    ];
    let properties = expected
        .each_ref()
        .map(|(name, _)| format!("read: {{nodeId: ns=2;s={name}}}"));
    let mut endpoints: Vec<(&str, &str)> = expected
        .iter()
        .zip(&properties)
        .map(|((name, _), properties)| (*name, properties.as_str()))
        .collect();
    endpoints.extend([
        ("path", "read: {browsePath: '2:Line/speed'}"),
        ("absent", "read: {nodeId: ns=2;s=absent}"),
        ("nowhere", "read: {browsePath: '2:Line/2:absent'}"),
        ("range", "read: {nodeId: ns=2;s=range}"),
        ("object", "read: {nodeId: ns=2;s=line}"),
    ]);
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let _agent = connected(&service, &mut broker, "object/req");
    for (name, value) in expected.iter().chain([&("path", json!(1.5))]) {
        let mut results = Subscription::start(&broker, &format!("services/machine/{name}/res"));
        let result = ask(
            &broker,
            &mut results,
            &format!("{name}/req"),
            &json!({"id": name}),
        );
        assert_eq!(
            (&result["id"], &result["result"]),
            (&json!(name), value),
            "{result}"
        );
        assert!(result["timestamp"].is_u64(), "{result}");
    }
    for (name, code) in [
        ("absent", "BadNodeIdUnknown"),
        ("nowhere", "BadNoMatch"),
        ("range", "BadDataEncodingUnsupported"),
        ("object", "BadAttributeIdInvalid"),
    ] {
        let mut results = Subscription::start(&broker, &format!("services/machine/{name}/res"));
        let result = ask(&broker, &mut results, &format!("{name}/req"), &json!({"id": 7}));
        assert_eq!(
            (&result["id"], &result["error"]["code"]),
            (&json!(7), &json!(code)),
            "{result}"
        );
        assert!(result["error"]["message"].is_string(), "{result}");
    }
}

#[test]
fn what_is_written_becomes_a_value_of_the_nodes_own_type() {
    let mut broker = Mosquitto::start();
    let mut machine = OpcuaServer::start();
    let nodes = [
        "speed", "level", "count", "name", "list", "mode", "patience", "any", "free", "label",
    ];
    let properties = nodes.map(|name| format!("write: {{nodeId: ns=2;s={name}}}"));
    let mut endpoints: Vec<(&str, &str)> = nodes
        .iter()
        .zip(&properties)
        .map(|(name, properties)| (*name, properties.as_str()))
        .collect();
    endpoints.extend([
        ("locked", "write: {nodeId: ns=2;s=locked}"),
        ("range", "write: {nodeId: ns=2;s=range}"),
        ("absent", "write: {nodeId: ns=2;s=absent}"),
    ]);
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let agent = connected(&service, &mut broker, "absent/set");
    let mut results = Subscription::start(&broker, "services/machine/+/res");
    for (name, value, stored) in [
        ("speed", json!(3), json!(["Double", 3.0])),
        ("level", json!(-5), json!(["Int16", -5])),
        ("count", json!("9223372036854775807"), json!(["Int64", i64::MAX])),
        ("name", json!("Säge"), json!(["String", "Säge"])),
        ("list", json!([65535]), json!(["UInt16", [65535]])),
        ("mode", json!(2), json!(["Int32", 2])),
        ("patience", json!(10), json!(["Double", 10.0])),
        // Its type is Number; what it has is a Float.
        ("any", json!(4), json!(["Float", 4.0])),
        // Its type is BaseDataType; what it has is a UInt16.
        ("free", json!(7), json!(["UInt16", 7])),
        (
            "free",
            json!({"dataType": "UInt16", "value": 8}),
            json!(["UInt16", 8]),
        ),
    ] {
        let message = json!({"id": name, "value": value});
        let result = ask(&broker, &mut results, &format!("{name}/set"), &message);
        assert_eq!(
            (&result["id"], &result["result"]),
            (&json!(name), &json!(true)),
            "{result}"
        );
        assert_eq!(machine.get(name), stored);
    }
    // So is `null` of a text.
    let result = ask(
        &broker,
        &mut results,
        "name/set",
        &json!({"id": 0, "value": null}),
    );
    assert_eq!(
        (&result["id"], &result["result"]),
        (&json!(0), &json!(true)),
        "{result}"
    );
    assert_eq!(machine.get("name"), json!(["String", null]));
    // A value alone is one, too.
    let result = ask(&broker, &mut results, "speed/set", &json!(8.25));
    assert_eq!(result["result"], true, "{result}");
    assert_eq!(machine.get("speed"), json!(["Double", 8.25]));
    for (name, message, code) in [
        ("level", json!({"value": 40000}), "BadTypeMismatch"),
        ("level", json!({"value": "5"}), "BadTypeMismatch"),
        ("level", json!({"value": [5]}), "BadTypeMismatch"),
        ("list", json!({"value": 5}), "BadTypeMismatch"),
        ("free", json!({"value": "x"}), "BadTypeMismatch"),
        (
            "level",
            json!({"value": {"dataType": "Int32", "value": 5}}),
            "BadTypeMismatch",
        ),
        ("level", json!({"speed": 5}), "BadNothingToDo"),
        ("range", json!({"value": {"low": 1}}), "BadDataTypeIdUnknown"),
        ("locked", json!({"value": 5}), "BadUserAccessDenied"),
        ("absent", json!({"value": 5}), "BadNodeIdUnknown"),
    ] {
        let result = ask(&broker, &mut results, &format!("{name}/set"), &message);
        assert_eq!(result["error"]["code"], code, "{name} {message}: {result}");
    }
    for (message, id, code, text) in [
        (
            r#"{"id":1,"value":null}"#,
            json!(1),
            "BadTypeMismatch",
            "takes one value of the type Int16",
        ),
        (
            r#"{"id":2,"value":1e400}"#,
            json!(2),
            "BadOutOfRange",
            "beyond those of 64-bit floats",
        ),
        (
            r#"{"id":3,"value":1,"value":2}"#,
            json!(3),
            "BadDecodingError",
            "`value` more than once",
        ),
        (
            r#"{"id":4,"id":5,"value":1}"#,
            Value::Null,
            "BadDecodingError",
            "`id` more than once",
        ),
    ] {
        let result = ask(&broker, &mut results, "level/set", &message);
        let error = &result["error"];
        assert_eq!(
            (&result["id"], &error["code"]),
            (&id, &json!(code)),
            "{message}: {result}"
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| message.contains(text)),
            "{result}"
        );
    }
    assert_eq!(machine.get("level"), json!(["Int16", -5]));
    let level = endpoint(&agent, "level");
    assert_eq!(
        (&level["requests"], &level["answered"]),
        (&json!(10), &json!(1)),
        "{level}"
    );
    assert_eq!(level["failures"]["malformed"], 9, "{level}");
    assert_eq!(endpoint(&agent, "absent")["failures"]["refused"], 1);
}

#[test]
fn a_result_that_a_rule_fails_on_is_told_as_an_error() {
    let mut broker = Mosquitto::start();
    let machine = OpcuaServer::start();
    let rules = "rules: [{transform: {expression: '{\"id\": $.id, \"double\": $.result * 2}'}}]";
    let get = format!("{rules}\n      read: {{nodeId: ns=2;s=speed}}");
    let endpoints = [("get", get.as_str()), ("set", "write: {nodeId: ns=2;s=speed}")];
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let _agent = connected(&service, &mut broker, "set/set");
    let mut results = Subscription::start(&broker, "services/machine/+/res");
    let doubled = ask(&broker, &mut results, "get/req", &json!({"id": 1}));
    assert_eq!(doubled, json!({"id": 1, "double": 3}));
    // JSON has no such number: it comes as a text, which cannot be doubled.
    let written = ask(
        &broker,
        &mut results,
        "set/set",
        &json!({"id": 2, "value": "NaN"}),
    );
    assert_eq!(written["result"], true, "{written}");
    let result = ask(&broker, &mut results, "get/req", &json!({"id": 3}));
    let error = &result["error"];
    assert_eq!(
        (&result["id"], &error["code"]),
        (&json!(3), &json!("BadInternalError")),
        "{result}"
    );
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("rule 1 (transform): JSONata error"), "{message}");
}

#[test]
fn writes_of_one_endpoint_keep_their_order() {
    let mut broker = Mosquitto::start();
    let mut machine = OpcuaServer::start();
    let endpoints = [
        ("speed", "qos: 1\n      write: {nodeId: ns=2;s=speed}"),
        (
            "told",
            "qos: 1\n      subscribe: {nodeId: ns=2;s=speed, publishInterval: 50, samplingInterval: 0}",
        ),
    ];
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let mut values = Subscription::start(&broker, "services/machine/told");
    let mut agent = Agent::start(&service, broker.port());
    agent.wait_for_log_line(&["connected to opc.tcp://127.0.0.1:"]);
    broker.wait_for_log("services/machine/speed/set (QoS 1)");
    assert_eq!(next(&mut values)["value"], 1.5);
    for value in 1..=50 {
        publish(
            &broker,
            "services/machine/speed/set",
            &value.to_string(),
            &["-q", "1"],
        );
    }
    let mut last = 0.0;
    while last < 50.0 {
        let value = next(&mut values)["value"].as_f64().expect("a number");
        assert!(value > last, "{value} after {last}");
        last = value;
    }
    assert_eq!(machine.get("speed"), json!(["Double", 50.0]));
}

#[test]
fn values_are_told_with_the_time_of_their_source_and_bad_ones_are_not_told() {
    let broker = Mosquitto::start();
    let mut machine = OpcuaServer::start();
    let endpoints = [
        ("speed", "subscribe: {nodeId: ns=2;s=speed, publishInterval: 100}"),
        ("level", "subscribe: {nodeId: ns=2;s=level, publishInterval: 100}"),
        ("name", "subscribe: {nodeId: ns=2;s=name, publishInterval: 200}"),
        (
            "absent",
            "subscribe: {nodeId: ns=2;s=absent, publishInterval: 200}",
        ),
    ];
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let mut speeds = Subscription::start(&broker, "services/machine/speed");
    let mut others = Subscription::start(&broker, "services/machine/+");
    let mut agent = Agent::start(&service, broker.port());
    assert_eq!(next(&mut speeds)["value"], 1.5);
    let mut first: Vec<Value> = (0..3).map(|_| next(&mut others)["value"].clone()).collect();
    first.sort_by_key(Value::to_string);
    assert_eq!(first, [json!("press"), json!(1.5), json!(7)]);
    agent.wait_for_log_line(&[
        "endpoint absent of service machine",
        "no values of ns=2;s=absent",
        "BadNodeIdUnknown",
    ]);
    // Endpoints with one interval share a subscription, and that of the absent node is one of the two.
    assert_eq!(machine.subscriptions(), 2);
    machine.set("speed", &json!(2.5), &json!({"at": "2026-11-22T02:00:00.123"}));
    assert_eq!(
        next(&mut speeds),
        json!({"timestamp": 1_795_312_800_123_u64, "value": 2.5})
    );
    machine.set("speed", &json!(3.5), &json!({"status": "BadSensorFailure"}));
    agent.wait_for_log_line(&[
        "endpoint speed of service machine",
        "ns=2;s=speed",
        "BadSensorFailure",
    ]);
    machine.set(
        "speed",
        &json!(4.5),
        &json!({"status": "UncertainLastUsableValue"}),
    );
    assert_eq!(next(&mut speeds)["value"], 4.5);
    assert_eq!(endpoint(&agent, "speed")["failed"], 1);
}

#[test]
fn while_the_machine_is_down_writes_fail_at_once_and_all_goes_on_when_it_is_back() {
    let mut broker = Mosquitto::start();
    let machine = OpcuaServer::start();
    let endpoints = [
        ("set", "write: {nodeId: ns=2;s=level}"),
        ("told", "subscribe: {nodeId: ns=2;s=level, publishInterval: 100}"),
    ];
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let mut values = Subscription::start(&broker, "services/machine/told");
    let mut results = Subscription::start(&broker, "services/machine/set/res");
    let mut agent = connected(&service, &mut broker, "set/set");
    assert_eq!(next(&mut values)["value"], 7);
    assert_eq!(
        ask(&broker, &mut results, "set/set", &json!({"id": 1, "value": 8}))["result"],
        true
    );
    assert_eq!(next(&mut values)["value"], 8);
    let port = machine.port();
    drop(machine);
    agent.wait_for_log_line(&[
        "WARN",
        "connection plc of service machine: opc.tcp://127.0.0.1:",
        "gone",
    ]);
    let begun = Instant::now();
    let result = ask(&broker, &mut results, "set/set", &json!({"id": 2, "value": 9}));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(result["error"]["code"], "BadNotConnected", "{result}");
    let message = result["error"]["message"].as_str().expect("a message");
    assert!(message.contains("is not connected: "), "{message}");
    let mut machine = OpcuaServer::start_with(json!({"port": port}));
    assert_eq!(next(&mut values)["value"], 7, "the subscription was made anew");
    let result = ask(&broker, &mut results, "set/set", &json!({"id": 3, "value": 10}));
    assert_eq!(result["result"], true, "{result}");
    assert_eq!(machine.get("level"), json!(["Int16", 10]));
    let (_, status, _) = process::output(&mut agent.beside(&["status", "--json"]));
    let status: Value = serde_json::from_str(&status).expect("JSON");
    let connection = &status["connections"][0];
    assert_eq!(
        (
            &connection["protocol"],
            &connection["connected"],
            &connection["connections"]
        ),
        (&json!("Opcua"), &json!(true), &json!(2)),
        "{connection}"
    );
    // Each cause was told once, however many attempts there were.
    let log = agent.log();
    assert!(
        log.matches("cannot be reached: connection refused").count() <= 1,
        "{log}"
    );
}

#[test]
fn a_machine_with_a_login_is_believed_once_its_certificate_is_trusted() {
    secrets::keep("the password at the machine", PASSWORD);
    let mut broker = Mosquitto::start();
    let own = tempfile::tempdir().expect("a temporary folder");
    let options = json!({"own": own.path(), "users": {"press": PASSWORD}});
    let mut machine = OpcuaServer::start_with(options);
    let login = format!(", username: press, password: {PASSWORD}");
    let (_folder, service) = commissioned(
        machine.port(),
        &login,
        &[("set", "write: {nodeId: ns=2;s=level}")],
    );
    let mut results = Subscription::start(&broker, "services/machine/set/res");
    let mut agent = Agent::start(&service, broker.port());
    broker.wait_for_log("services/machine/set/set (QoS 0)");
    agent.wait_for_log_line(&[
        "connection plc of service machine",
        "is not trusted",
        "opcua/rejected",
    ]);
    let result = ask(&broker, &mut results, "set/set", &json!({"id": 1, "value": 8}));
    let message = result["error"]["message"].as_str().expect("a message");
    assert!(message.contains("is not trusted"), "{message}");
    let rejected = agent.data().join("opcua/rejected");
    let files: Vec<PathBuf> = std::fs::read_dir(&rejected)
        .expect("the folder")
        .map(|file| file.expect("a file").path())
        .collect();
    let [file] = files.as_slice() else {
        panic!("{files:?}")
    };
    std::fs::rename(file, agent.data().join("opcua/trusted/machine.der")).expect("it can be moved");
    agent.wait_for_log_line(&["connected to opc.tcp://127.0.0.1:"]);
    let result = ask(&broker, &mut results, "set/set", &json!({"id": 2, "value": 9}));
    assert_eq!(result["result"], true, "{result}");
    assert_eq!(machine.get("level"), json!(["Int16", 9]));
}

#[test]
fn a_wrong_password_is_told_once_with_its_cure_and_everyone_is_believed_where_the_file_says_so() {
    const WRONG: &str = "a-password-that-opens-nothing";
    secrets::keep("a password that is wrong", WRONG);
    let broker = Mosquitto::start();
    let own = tempfile::tempdir().expect("a temporary folder");
    let machine = OpcuaServer::start_with(json!({"own": own.path(), "users": {"press": "another"}}));
    let login =
        format!(", username: press, password: {WRONG}, securityMode: Sign, trustAllCertificates: true");
    let (_folder, service) = commissioned(machine.port(), &login, &[("get", "read: {nodeId: ns=2;s=level}")]);
    let mut agent = Agent::start(&service, broker.port());
    agent.wait_for_log_line(&[
        "connection plc of service machine",
        "check `username` and `password`",
    ]);
    let trusted = std::fs::read_dir(agent.data().join("opcua/trusted"));
    assert!(
        trusted.is_ok_and(|files| files.count() == 0) || !agent.data().join("opcua/trusted").exists(),
        "who is believed here may not come in elsewhere"
    );
    let metrics = || process::output(&mut agent.beside(&["status", "--json"])).1;
    wait::until("further attempts", wait::PATIENCE, || {
        let status: Value = serde_json::from_str(&metrics()).ok()?;
        status["connections"][0]["lastEnd"].is_string().then_some(())
    });
    let log = agent.log();
    assert_eq!(log.matches("check `username` and `password`").count(), 1, "{log}");
}

#[test]
fn security_that_the_machine_does_not_offer_is_told_with_what_it_does() {
    let broker = Mosquitto::start();
    let machine = OpcuaServer::start();
    let (_folder, service) = commissioned(
        machine.port(),
        ", securityPolicy: Aes256_Sha256_RsaPss",
        &[("get", "read: {nodeId: ns=2;s=level}")],
    );
    let mut agent = Agent::start(&service, broker.port());
    agent.wait_for_log_line(&[
        "does not offer the policy Aes256_Sha256_RsaPss with the mode SignAndEncrypt",
        "but None with None",
    ]);
}

#[test]
fn a_file_that_changes_takes_its_connection_and_its_endpoints_with_it() {
    let mut broker = Mosquitto::start();
    let (mut first, mut second) = (OpcuaServer::start(), OpcuaServer::start());
    let set = ("set", "write: {nodeId: ns=2;s=level}");
    let told = ("told", "subscribe: {nodeId: ns=2;s=level, publishInterval: 100}");
    let (_folder, service) = commissioned(first.port(), "", &[set, told]);
    let mut results = Subscription::start(&broker, "services/machine/set/res");
    let mut values = Subscription::start(&broker, "services/machine/told");
    let mut agent = connected(&service, &mut broker, "set/set");
    assert_eq!(next(&mut values)["value"], 7);
    assert_eq!(
        ask(&broker, &mut results, "set/set", &json!({"id": 1, "value": 8}))["result"],
        true
    );
    assert_eq!(next(&mut values)["value"], 8);
    // An endpoint that goes takes its monitored item with it, and the subscription that nobody needs any more.
    std::fs::write(&service, text(first.port(), "", &[set])).expect("a file");
    wait::until("it is followed no more", wait::PATIENCE, || {
        (first.subscriptions() == 0).then_some(())
    });
    std::fs::write(&service, text(second.port(), "", &[set, told])).expect("a file");
    agent.wait_for_log_line(&["connected to opc.tcp", &second.port().to_string()]);
    assert_eq!(next(&mut values)["value"], 7);
    assert_eq!(
        ask(&broker, &mut results, "set/set", &json!({"id": 2, "value": 9}))["result"],
        true
    );
    assert_eq!(first.get("level"), json!(["Int16", 8]));
    assert_eq!(second.get("level"), json!(["Int16", 9]));
}

#[test]
fn example_8_takes_a_request_to_a_second_agents_server_and_its_answer_back() {
    let (own, other) = (Mosquitto::start(), Mosquitto::start());
    let machine = OpcuaAgent::start(&example("6-full-flow-opcua.yml"), other.port(), &[]);
    let mut told = Subscription::start(&own, "services/example8/followSetpoint");
    let parameter = format!("machinePort={}", machine.port());
    let mut agent = Agent::start_set(&example("8-http-to-opcua.yml"), own.port(), &[], &[&parameter]);
    agent.wait_for_log_line(&["connected to opc.tcp://127.0.0.1:"]);
    assert_eq!(next(&mut told)["value"], 0.0);
    let post = |setpoint: Value| {
        let body = json!({ "setpoint": setpoint }).to_string();
        let response = agent.ask_when_ready("/data/FlowSync/example8", &["--json", &body]);
        (response.status, response.json())
    };
    assert_eq!(post(json!(50)), (200, json!({"done": true})));
    assert_eq!(next(&mut told)["value"], 50.0);
    let (status, answer) = post(json!(101));
    assert_eq!(status, 502, "{answer}");
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("BadOutOfRange: "), "{message}");
    let (status, answer) = post(json!("fast"));
    assert_eq!(status, 502, "{answer}");
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("BadTypeMismatch: "), "{message}");
}
