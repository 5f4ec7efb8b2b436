//! What the operator of an OPC UA server is told, by its log, its status and its metrics.

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, service_file, syncline};
use syncline_tests::curl;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::opcua::{OpcuaAgent, OpcuaClient, plant, write};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::{port, process, wait};
use tempfile::TempDir;

/// An agent that can be asked for its metrics.
struct Watched {
    agent: OpcuaAgent,
    admin: String,
    _folder: TempDir,
}

impl Watched {
    /// One whose server has these nodes besides its root.
    fn start(broker: &Mosquitto, nodes: &[String]) -> Self {
        let (folder, service) = service_file(&plant(&nodes.concat()));
        let admin = format!("127.0.0.1:{}", port::free());
        let agent = OpcuaAgent::start(&service, broker.port(), &[("SYNCLINE_ADMIN_LISTEN", &admin)]);
        Self {
            agent,
            admin,
            _folder: folder,
        }
    }

    fn metrics(&self) -> String {
        curl::ask(&format!("http://{}/metrics", self.admin), &[]).body
    }
}

/// A node below the root.
fn node(id: &str, properties: &str) -> String {
    format!("  {id}:\n    type: Cybus::Node::Opcua\n    properties: {{parent: !ref root, {properties}}}\n")
}

#[test]
fn a_message_that_does_not_fit_its_node_is_told_with_the_reason_and_counted() {
    let broker = Mosquitto::start();
    let level = "nodeType: Variable, dataType: Double, operation: serverProvides, topic: level";
    let both = "nodeType: Variable, dataType: Double, operation: serverProvidesReceives, topic: both";
    let watched = Watched::start(&broker, &[node("level", level), node("both", both)]);
    let agent = &watched.agent;
    let mut client = OpcuaClient::connected(&agent.url());
    let reads = |client: &mut OpcuaClient, expected: f64| {
        wait::until(&format!("the value {expected}"), wait::PATIENCE, || {
            (client.read("ns=1;s=level").0 == json!(expected)).then_some(())
        });
    };
    publish(&broker, "services/plant/level", r#"{"value": 1}"#, &["-r"]);
    reads(&mut client, 1.0);
    let payloads = [
        r#"{"value": "secret"}"#,
        r#"{"value": "another"}"#,
        "7",
        r#"{"value": 2}"#,
    ];
    for payload in payloads {
        publish(&broker, "services/plant/level", payload, &[]);
    }
    reads(&mut client, 2.0);
    let line = agent.wait_for_log_line(&["WARN", "expected Double, found a text that is none"]);
    for word in [
        "node level of service plant",
        "ns=1;s=level",
        "services/plant/level",
    ] {
        assert!(line.contains(word), "{line}");
    }
    let _ = agent.wait_for_log_line(&["WARN", "expected a JSON object with a `value`"]);
    let log = agent.log();
    assert_eq!(log.matches("found a text that is none").count(), 1, "{log}");
    assert!(!log.contains("secret") && !log.contains("another"), "{log}");
    assert_eq!(agent.status()["exchanges"][0]["misfits"], 3);
    let told = agent.status_text();
    assert!(
        told.contains("3 messages of another type than the node's"),
        "{told}"
    );
    for line in ["provide    ready  Read ", "exchange   ready  Write "] {
        assert!(told.contains(&format!("\n{line}")), "{told}");
    }
    let metrics = watched.metrics();
    for sample in [
        r#"syncline_opcua_misfits_total{service="plant",node="level"} 3"#,
        r#"syncline_opcua_refused_logins_total{server="server"} 0"#,
    ] {
        assert!(metrics.contains(sample), "{metrics}");
    }
}

#[test]
fn a_reply_that_does_not_fit_its_method_is_told_with_node_topic_and_both_types() {
    let broker = Mosquitto::start();
    let start = "nodeType: Method, operation: transaction, inputArguments: [{name: right, dataType: Boolean}], \
                 outputArguments: [{name: job, dataType: String}]";
    let watched = Watched::start(&broker, &[node("start", start)]);
    let agent = &watched.agent;
    let mut client = OpcuaClient::connected(&agent.url());
    let _responder = Responder::start(&broker, "services/plant/start", |asked: &Value| {
        Answer::Value(match asked["right"] {
            Value::Bool(true) => json!({"job": "A1"}),
            _ => json!({"job": 7}),
        })
    });
    let call = |right: bool| json!({"do": "call", "object": "ns=1;s=root", "method": "ns=1;s=start", "arguments": [["Boolean", right]]});
    let reason = "the output `job`: expected String, found a number that is none";
    for _ in 0..2 {
        let answer = client.ask(call(false));
        assert_eq!(answer["result"]["codes"], json!(["BadInternalError"]), "{answer}");
        let text = &answer["result"]["texts"][0];
        assert!(
            text.as_str().is_some_and(|text| text.contains(reason)),
            "{answer}"
        );
    }
    assert_eq!(client.ask(call(true))["result"]["outputs"], json!(["A1"]));
    let line = agent.wait_for_log_line(&["WARN", reason]);
    for word in [
        "node start of service plant",
        "ns=1;s=start",
        "services/plant/start/tres",
    ] {
        assert!(line.contains(word), "{line}");
    }
    assert_eq!(agent.log().matches(reason).count(), 1);
    assert_eq!(agent.status()["nodes"][0]["misfits"], 2);
    let metrics = watched.metrics();
    let sample = r#"syncline_opcua_misfits_total{service="plant",node="start"} 2"#;
    assert!(metrics.contains(sample), "{metrics}");
}

#[test]
fn a_fault_of_the_file_of_logins_is_told_once_whichever_servers_ask_it() {
    let broker = Mosquitto::start();
    let http = "  http:\n    type: Cybus::Server::Http\n";
    let (folder, service) = service_file(&plant(http));
    let access = folder.path().join("access.toml");
    let entry = |token: &str| {
        let mut command = syncline();
        command.args(["access", "token", token, "--read", "#"]);
        let (code, entry, complaint) = process::output(&mut command);
        assert_eq!(code, 0, "{complaint}");
        entry
    };
    std::fs::write(&access, entry("one")).expect("a writable temporary folder");
    let path = access.to_str().expect("a path in UTF-8");
    let agent = OpcuaAgent::start(&service, broker.port(), &[("SYNCLINE_HTTP_AUTH", path)]);
    for (text, told) in [
        ("not this".to_owned(), "who may come in stays as it was"),
        (entry("two"), "has changed, and is in force"),
    ] {
        std::fs::write(&access, text).expect("a writable temporary folder");
        let reloads = |agent: &OpcuaAgent| agent.status()["reloads"]["succeeded"].as_u64();
        let before = reloads(&agent);
        // Each server has looked at the file by the end of the reload.
        agent.hang_up();
        wait::until("the reload has ended", wait::PATIENCE, || {
            (reloads(&agent) > before).then_some(())
        });
        assert_eq!(agent.log().matches(told).count(), 1, "{}", agent.log());
    }
}

#[test]
fn a_node_that_waits_for_its_first_value_is_no_trouble_to_who_follows_it() {
    // Both agents have one name, so each has a broker of its own.
    let [broker, other_broker] = [Mosquitto::start(), Mosquitto::start()];
    let level = "nodeType: Variable, dataType: Double, operation: serverProvides, topic: level";
    let (_folder, service) = service_file(&plant(&node("level", level)));
    let server = OpcuaAgent::start(&service, broker.port(), &[]);
    let (_follower_folder, service) = service_file(&format!(
        "metadata: {{name: follower}}
resources:
  http:
    type: Cybus::Server::Http
  machine:
    type: Cybus::Connection
    properties: {{protocol: Opcua, connection: {{host: 127.0.0.1, port: {}}}}}
  level:
    type: Cybus::Endpoint
    properties: {{protocol: Opcua, connection: !ref machine, subscribe: {{nodeId: ns=1;s=level, publishInterval: 50}}}}
",
        server.port()
    ));
    let mut values = Subscription::start(&other_broker, "services/follower/level");
    // Credentials that are written while the status is asked for would be found beside it.
    let variables = [("SYNCLINE_REGISTRATION", "off")];
    let follower = Agent::start_with(&service, other_broker.port(), &variables);
    let endpoint = || {
        let (_, status, _) = process::output(&mut follower.beside(&["status", "--json"]));
        let status: Value = serde_json::from_str(&status).expect("JSON");
        status["endpoints"][0].clone()
    };
    wait::until("the node is followed", wait::PATIENCE, || {
        (endpoint()["answered"] == 1).then_some(())
    });
    wait::until("its first value", wait::PATIENCE, || {
        publish(&broker, "services/plant/level", r#"{"value": 1.5}"#, &[]);
        values
            .poll()
            .filter(|(_, message)| message["value"] == json!(1.5))
    });
    assert_eq!(endpoint()["failed"], 0);
    assert!(
        !follower.log().contains("a message is dropped"),
        "{}",
        follower.log()
    );
}

#[test]
fn a_write_that_the_broker_has_not_confirmed_is_answered_once_when_the_agent_stops() {
    let broker = Mosquitto::start();
    let order = "nodeType: Variable, dataType: Int32, operation: serverReceives, topic: order, qos: 1";
    let (_folder, service) = service_file(&plant(&node("order", order)));
    let agent = OpcuaAgent::start(&service, broker.port(), &[("SYNCLINE_DRAIN_TIME", "1s")]);
    let mut client = OpcuaClient::connected(&agent.url());
    assert_eq!(client.write("ns=1;s=order", "Int32", &json!(1)).0, "Good");
    broker.freeze();
    let held = client.begin(write("ns=1;s=order", "Int32", &json!(2)));
    wait::until("the Write is held", wait::PATIENCE, || {
        (agent.status()["opcua"]["held"] == 1).then_some(())
    });
    agent.terminate();
    let _ = agent.wait_for_log_line(&["stopping: 1 request is held"]);
    let answer = client.end(held);
    assert_eq!(answer["result"]["codes"], json!(["BadShutdown"]), "{answer}");
    let text = &answer["result"]["texts"][0];
    assert!(
        text.as_str()
            .is_some_and(|text| text.contains("which it may have: find out")),
        "{answer}"
    );
    broker.thaw();
}
