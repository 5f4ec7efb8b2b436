//! Held Writes and Calls, monitored values and 64-bit numbers by node-opcua, which shares no line with the other client.

use std::path::PathBuf;

use serde_json::{Value, json};
use syncline_tests::agent::{example, service_file};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::opcua::{Library, OpcuaAgent, OpcuaClient, example_6_without_answers, plant};
use syncline_tests::wait;

const SETPOINT: &str = "ns=1;s=setpoint";

const NUMBERS: &str = "  signed:
    type: Cybus::Node::Opcua
    properties: {parent: !ref root, nodeType: Variable, dataType: Int64, operation: serverProvidesAndReceives, topic: signed}
  unsigned:
    type: Cybus::Node::Opcua
    properties: {parent: !ref root, nodeType: Variable, dataType: UInt64, operation: serverProvidesAndReceives, topic: unsigned}
  list:
    type: Cybus::Node::Opcua
    properties: {parent: !ref root, nodeType: Variable, dataType: Int64, valueRank: 1, operation: serverProvidesAndReceives, topic: list}
";

fn connected(agent: &OpcuaAgent) -> OpcuaClient {
    OpcuaClient::connected_on(Library::NodeOpcua, &agent.url())
}

fn start_job() -> Value {
    json!({
        "do": "call", "object": "ns=1;s=root", "method": "ns=1;s=startJob",
        "arguments": [["String", "A1"], ["UInt32", 3]],
    })
}

#[test]
fn example_6_runs_as_it_is_for_a_second_client() {
    let broker = Mosquitto::start();
    let agent = OpcuaAgent::start(&example("6-full-flow-opcua.yml"), broker.port(), &[]);
    let mut client = connected(&agent);
    assert_eq!(client.read(SETPOINT), (json!(0), "Good".to_owned()));
    let nodes = client.ask(json!({"do": "browse", "node": "ns=1;s=root"}));
    assert_eq!(nodes["result"].as_array().map(Vec::len), Some(2), "{nodes}");

    let answer = client.ask(start_job());
    assert_eq!(answer["result"]["codes"], json!(["Good"]), "{answer}");
    assert_eq!(answer["result"]["outputs"], json!(["A1-3"]));

    assert_eq!(client.write(SETPOINT, "Double", &json!(50)).0, "Good");
    assert_eq!(client.read(SETPOINT), (json!(50), "Good".to_owned()));
    let (code, text, _) = client.write(SETPOINT, "Double", &json!(101));
    assert_eq!(
        (code.as_str(), text.as_deref()),
        ("BadOutOfRange", Some("above the limit"))
    );
    // JSON has no such numbers.
    for value in ["NaN", "Infinity", "-Infinity"] {
        let (code, text, _) = client.write(SETPOINT, "Double", &json!(value));
        assert_eq!(
            (code.as_str(), text.as_deref()),
            ("BadOutOfRange", Some("not a finite number")),
            "{value}"
        );
    }
    assert_eq!(client.read(SETPOINT).0, json!(50));
    assert_eq!(client.write(SETPOINT, "Int32", &json!(1)).0, "BadTypeMismatch");
}

#[test]
fn without_a_responder_a_second_client_is_told_bad_timeout_after_the_nodes_time() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&example_6_without_answers());
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = connected(&agent);
    let (code, _, took) = client.write(SETPOINT, "Double", &json!(1.5));
    assert_eq!(code, "BadTimeout");
    assert!((2000.0..2600.0).contains(&took), "{took} ms");
    let answer = client.ask(start_job());
    assert_eq!(answer["result"]["codes"], json!(["BadTimeout"]), "{answer}");
    assert_eq!(answer["result"]["texts"], json!(["The job was not confirmed"]));
}

#[test]
fn a_second_client_monitors_what_is_published() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&plant(NUMBERS));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = connected(&agent);
    publish(&broker, "services/plant/signed", r#"{"value": "1"}"#, &[]);
    wait::until("the first value", wait::PATIENCE, || {
        (client.read("ns=1;s=signed").0 == json!(1)).then_some(())
    });
    let first = client.ask(json!({"do": "monitor", "node": "ns=1;s=signed"}));
    assert_eq!(first["result"], json!(1), "{first}");
    for value in [2, i64::MAX, i64::MIN] {
        let message = json!({"value": value.to_string()}).to_string();
        publish(&broker, "services/plant/signed", &message, &[]);
    }
    let told = client.ask(json!({"do": "follow", "node": "ns=1;s=signed", "until": i64::MIN}));
    assert_eq!(told["result"], json!([1, 2, i64::MAX, i64::MIN]), "{told}");
}

#[test]
fn numbers_of_64_bits_are_exact_for_a_second_client() {
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&plant(NUMBERS));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let mut client = connected(&agent);
    let mut messages = Subscription::start(&broker, "services/plant/#");
    let text = |number: &Value| json!(number.to_string());
    let signed = [
        json!(i64::MIN),
        json!(-1),
        json!((1_i64 << 53) + 1),
        json!(i64::MAX),
    ];
    let unsigned = [json!(0), json!(1_u64 << 63), json!(u64::MAX)];
    let mut round_trip = |node: &str, data_type: &str, value: &Value, message: Value| {
        assert_eq!(client.write(node, data_type, value).0, "Good", "{value}");
        let (_, told) = wait::until("the message", wait::PATIENCE, || messages.poll());
        assert_eq!(told["value"], message);
        wait::until("the value is back", wait::PATIENCE, || {
            (client.read(node) == (value.clone(), "Good".to_owned())).then_some(())
        });
    };
    for value in &signed {
        round_trip("ns=1;s=signed", "Int64", value, text(value));
    }
    for value in &unsigned {
        round_trip("ns=1;s=unsigned", "UInt64", value, text(value));
    }
    let texts: Vec<Value> = signed.iter().map(text).collect();
    round_trip("ns=1;s=list", "Int64", &json!(signed), json!(texts));
}

#[test]
fn a_second_client_gets_in_by_each_policy_once_its_certificate_is_trusted() {
    const POLICIES: [&str; 3] = ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"];
    let broker = Mosquitto::start();
    let (_folder, service) = service_file(&plant(NUMBERS).replace(
        "securityPolicies: [None], securityModes: [None]",
        &format!(
            "securityPolicies: [{}], securityModes: [Sign, SignAndEncrypt]",
            POLICIES.join(", ")
        ),
    ));
    let agent = OpcuaAgent::start(&service, broker.port(), &[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut client = OpcuaClient::on(Library::NodeOpcua);
    let mut connect = json!({
        "do": "connect", "url": agent.url(), "policy": POLICIES[0], "mode": "SignAndEncrypt", "folder": folder.path(),
    });
    let answer = client.ask(connect.clone());
    // The client does not know the server either.
    assert_eq!(answer["error"], "BadCertificateUntrusted", "{answer}");
    connect["server"] = json!(agent.data().join("opcua/own/certificate.der"));
    let answer = client.ask(connect.clone());
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.starts_with("Bad")),
        "{answer}"
    );
    let rejected = std::fs::read_dir(agent.data().join("opcua/rejected")).expect("the folder");
    let rejected: Vec<PathBuf> = rejected.map(|entry| entry.expect("a file").path()).collect();
    let [certificate] = &rejected[..] else {
        panic!("{rejected:?}")
    };
    let name = certificate.file_name().expect("a name");
    std::fs::rename(certificate, agent.data().join("opcua/trusted").join(name)).expect("the folder");
    for policy in POLICIES {
        for mode in ["Sign", "SignAndEncrypt"] {
            connect["policy"] = json!(policy);
            connect["mode"] = json!(mode);
            let answer = client.ask(connect.clone());
            assert_eq!(answer["result"], "connected", "{policy} {mode}: {answer}");
            assert_eq!(
                client.write("ns=1;s=signed", "Int64", &json!(5)).0,
                "Good",
                "{policy} {mode}"
            );
        }
    }
}
