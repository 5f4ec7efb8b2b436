//! Held Writes and Calls of an independent OPC UA client, against a real broker.

use serde_json::{Value, json};
use syncline_tests::agent::{example, service_file};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::opcua::{OpcuaAgent, OpcuaClient, example_6_without_answers, write, written};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;

const SETPOINT: &str = "ns=1;s=setpoint";

fn call(arguments: &Value) -> Value {
    json!({"do": "call", "object": "ns=1;s=root", "method": "ns=1;s=startJob", "arguments": arguments})
}

#[test]
fn example_6_runs_as_it_is() {
    let broker = Mosquitto::start();
    let agent = OpcuaAgent::start(&example("6-full-flow-opcua.yml"), broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    assert_eq!(client.read(SETPOINT), (json!(0.0), "Good".to_owned()));
    let nodes = client.ask(json!({"do": "browse", "node": "ns=1;s=root"}));
    let mut nodes: Vec<&str> = nodes["result"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    nodes.sort_unstable();
    assert_eq!(nodes, [SETPOINT, "ns=1;s=startJob"]);

    let answer = client.ask(call(&json!([["String", "A1"], ["UInt32", 3]])));
    assert_eq!(answer["result"]["codes"], json!(["Good"]), "{answer}");
    assert_eq!(answer["result"]["outputs"], json!(["A1-3"]));

    assert_eq!(client.write(SETPOINT, "Double", &json!(50.0)).0, "Good");
    assert_eq!(client.read(SETPOINT), (json!(50.0), "Good".to_owned()));
    let (code, text, _) = client.write(SETPOINT, "Double", &json!(101.0));
    assert_eq!(
        (code.as_str(), text.as_deref()),
        ("BadOutOfRange", Some("above the limit"))
    );
    assert_eq!(client.read(SETPOINT).0, json!(50.0));
}

#[test]
fn without_a_responder_a_write_is_bad_timeout_after_its_time_and_reads_go_on_meanwhile() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&example_6_without_answers());
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut requests = Subscription::start(&broker, "services/example6/setpoint/treq");
    let held = client.begin(write(SETPOINT, "Double", &json!(1.5)));
    let request = wait::until("the request", wait::PATIENCE, || requests.poll()).1;
    assert_eq!(request["value"], json!(1.5));
    let mut times: Vec<f64> = (0..100)
        .map(|_| {
            let answer = client.ask(json!({"do": "read", "node": SETPOINT}));
            assert_eq!(answer["result"]["value"], json!(0.0));
            answer["ms"].as_f64().expect("a time")
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let [median, slowest] = [times[50], times[99]];
    eprintln!("reads beside a held write: {median:.2} ms in the median, {slowest:.2} ms at most");
    let (code, _, took) = written(&client.end(held));
    assert_eq!(code, "BadTimeout");
    assert!((2000.0..2600.0).contains(&took), "{took} ms");
    // None of them has waited for the write, and most not for anything: delayed acknowledgements alone would take 40 ms.
    assert!(median < 10.0 && slowest < 1000.0, "{median} ms, {slowest} ms");

    let answer = client.ask(call(&json!([["String", "A1"], ["UInt32", 3]])));
    assert_eq!(answer["result"]["codes"], json!(["BadTimeout"]), "{answer}");
    assert_eq!(answer["result"]["texts"], json!(["The job was not confirmed"]));
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_published() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&example_6_without_answers());
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut requests = Subscription::start(&broker, "services/example6/#");
    for (data_type, value, expected) in [
        ("Int32", json!(1), "BadTypeMismatch"),
        ("Float", json!(1.0), "BadTypeMismatch"),
        ("String", json!("1"), "BadTypeMismatch"),
        ("Double", json!([1.0]), "BadTypeMismatch"),
    ] {
        assert_eq!(
            client.write(SETPOINT, data_type, &value).0,
            expected,
            "{data_type} {value}"
        );
    }
    assert_eq!(
        client.write("ns=1;s=absent", "Double", &json!(1.0)).0,
        "BadNodeIdUnknown"
    );
    for (arguments, expected, each) in [
        (json!([["String", "A1"]]), "BadArgumentsMissing", json!([])),
        (
            json!([["String", "A1"], ["UInt32", 3], ["UInt32", 3]]),
            "BadTooManyArguments",
            json!([]),
        ),
        (
            json!([["String", "A1"], ["Int32", 3]]),
            "BadInvalidArgument",
            json!(["Good", "BadTypeMismatch"]),
        ),
        (
            json!([["String", ["A1"]], ["UInt32", 3]]),
            "BadInvalidArgument",
            json!(["BadTypeMismatch", "Good"]),
        ),
    ] {
        let answer = client.ask(call(&arguments));
        assert_eq!(answer["result"]["codes"], json!([expected]), "{answer}");
        assert_eq!(answer["result"]["arguments"], each, "{answer}");
    }
    // Had any of them been published, it would have come before this.
    let held = client.begin(write(SETPOINT, "Double", &json!(7.0)));
    let (_, first) = wait::until("the request", wait::PATIENCE, || requests.poll());
    assert_eq!(first["value"], json!(7.0));
    let _ = client.end(held);
}

#[test]
fn several_values_of_one_write_are_held_together() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&example_6_without_answers());
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let answer = client.ask(json!({
        "do": "write", "nodes": [SETPOINT, "ns=1;s=absent", SETPOINT], "value": ["Double", 1.0],
    }));
    assert_eq!(
        answer["result"]["codes"],
        json!(["BadTimeout", "BadNodeIdUnknown", "BadTimeout"]),
        "{answer}"
    );
    let took = answer["ms"].as_f64().expect("a time");
    assert!((2000.0..3500.0).contains(&took), "{took} ms");
}

#[test]
fn a_broker_that_is_gone_is_told_at_once() {
    let mut broker = Mosquitto::start();
    let (_folder, service) = service_file(&example_6_without_answers());
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    broker.kill();
    let took = wait::until("the agent notices", wait::PATIENCE, || {
        let (code, _, took) = client.write(SETPOINT, "Double", &json!(1.0));
        (code == "BadNoCommunication").then_some(took)
    });
    assert!(took < 1000.0, "{took} ms");
    let answer = client.ask(call(&json!([["String", "A1"], ["UInt32", 3]])));
    assert_eq!(
        answer["result"]["codes"],
        json!(["BadNoCommunication"]),
        "{answer}"
    );
}

#[test]
fn a_client_that_waits_less_is_told_bad_timeout_in_its_own_time_and_frees_its_slot() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&example_6_without_answers());
    let text = std::fs::read_to_string(&service).expect("the file");
    let (_folder, service) =
        service_file(&text.replace("      initialValue: 0\n      operation: transaction\n", "      initialValue: 0\n      operation: transaction\n      transaction: {timeout: 60000, maxInFlight: 1}\n"));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut hurried = write(SETPOINT, "Double", &json!(1.0));
    hurried["timeout"] = json!(0.3);
    let first = client.ask(hurried.clone());
    assert_eq!(first["error"], "BadTimeout", "{first}");
    // The second would be refused if the first still had the only place.
    let second = client.ask(hurried);
    assert_eq!(second["error"], "BadTimeout", "{second}");

    let held = client.begin(write(SETPOINT, "Double", &json!(1.0)));
    wait::until("the node is full", wait::PATIENCE, || {
        let mut hurried = write(SETPOINT, "Double", &json!(2.0));
        hurried["timeout"] = json!(0.3);
        let answer = client.ask(hurried);
        (answer["result"]["codes"] == json!(["BadServerTooBusy"])).then_some(())
    });
    // A stop answers what is still held.
    agent.terminate();
    assert_eq!(written(&client.end(held)).0, "BadShutdown");
}

#[test]
fn an_error_reply_without_a_bad_code_is_an_internal_error_with_its_text() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&example_6_without_answers());
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let _responder = Responder::start(&broker, "services/example6/setpoint", |_| {
        Answer::Error(404, "no such drive".into())
    });
    let mut client = OpcuaClient::connected(&agent.url());
    let (code, text, _) = client.write(SETPOINT, "Double", &json!(1.0));
    assert_eq!(
        (code.as_str(), text.as_deref()),
        ("BadInternalError", Some("no such drive"))
    );
}

#[test]
fn a_responder_may_tell_the_code_by_its_name() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&example_6_without_answers());
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut treqs = Subscription::start(&broker, "services/example6/setpoint/treq");
    let mut client = OpcuaClient::connected(&agent.url());
    for (name, expected) in [("BadOutOfRange", "BadOutOfRange"), ("Good", "BadInternalError")] {
        let held = client.begin(write(SETPOINT, "Double", &json!(1.0)));
        let (_, treq) = wait::until("the request", wait::PATIENCE, || treqs.poll());
        let reply = json!({"id": treq["id"], "error": {"code": name, "message": "no"}});
        publish(
            &broker,
            "services/example6/setpoint/tres",
            &reply.to_string(),
            &[],
        );
        let (code, text, _) = written(&client.end(held));
        assert_eq!((code.as_str(), text.as_deref()), (expected, Some("no")));
    }
}
