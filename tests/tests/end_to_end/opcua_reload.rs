//! OPC UA nodes that change while the agent runs: sessions, subscriptions and what other nodes hold stay, and a mistake changes nothing.

use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::{Value, json};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::opcua::{OpcuaAgent, OpcuaClient, write, written};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;
use tempfile::TempDir;

/// A folder with the service `one`, and room for others.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(one: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = Self { folder };
        std::fs::write(files.path("one"), one).expect("a writable temporary folder");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension("yml")
    }
}

/// A service with the server, its root node, and these.
fn one(nodes: &[String]) -> String {
    one_at("/UA/CybusOpcuaServer", nodes)
}

fn one_at(path: &str, nodes: &[String]) -> String {
    format!(
        "metadata: {{name: one}}
resources:
  server:
    type: Cybus::Server::Opcua
    properties: {{resourcePath: {path}, allowAnonymous: true, securityPolicies: [None], securityModes: [None]}}
  root:
    type: Cybus::Node::Opcua
    properties: {{parent: !ref server, nodeType: Object}}
{}",
        nodes.concat()
    )
}

/// A variable below a parent.
fn variable(id: &str, parent: &str, operation: &str) -> String {
    format!(
        "  {id}:\n    type: Cybus::Node::Opcua\n    properties: {{parent: !ref '{parent}', nodeType: Variable, dataType: Int32, \
         initialValue: 0, {operation}}}\n"
    )
}

fn object(id: &str, parent: &str, more: &str) -> String {
    format!(
        "  {id}:\n    type: Cybus::Node::Opcua\n    properties: {{parent: !ref '{parent}', nodeType: Object, {more}}}\n"
    )
}

/// A node whose requests are held for that many milliseconds.
fn holds(id: &str, timeout: u32) -> String {
    variable(
        id,
        "root",
        &format!("operation: transaction, transaction: {{timeout: {timeout}}}"),
    )
}

/// Milliseconds that no test takes.
const LONG: u32 = 100_000;

fn wait_for_held(agent: &OpcuaAgent, count: u64) {
    wait::until(&format!("{count} requests are held"), wait::PATIENCE, || {
        (agent.status()["transactions"]["open"] == count).then_some(())
    });
}

/// The counts of a reload that has succeeded: added, changed, removed, unchanged.
fn counts(reloads: &Value) -> [u64; 4] {
    let last = &reloads["last"];
    assert_eq!(last["succeeded"], true, "{reloads}");
    ["added", "changed", "removed", "unchanged"].map(|name| last[name].as_u64().expect("a count"))
}

/// Whether these are the last values that a subscription has told.
fn ends_with(told: &Value, last: &[Value]) -> bool {
    let values = told["result"].as_array();
    values.is_some_and(|values| values.ends_with(last))
}

fn below(client: &mut OpcuaClient, node: &str) -> Vec<String> {
    let nodes = client.ask(json!({"do": "browse", "node": node}));
    let nodes = nodes["result"].as_array().unwrap_or_else(|| panic!("{nodes}"));
    let mut nodes: Vec<String> = nodes
        .iter()
        .filter_map(|node| Some(node.as_str()?.trim_start_matches("ns=1;s=").to_owned()))
        .collect();
    nodes.sort_unstable();
    nodes
}

#[test]
fn what_a_node_holds_outlives_a_reload_that_changes_the_others() {
    let broker = Mosquitto::start();
    let provides = variable("level", "root", "operation: serverProvides");
    let files = Files::new(&one(&[
        holds("kept", LONG),
        holds("changed", LONG),
        holds("gone", LONG),
        provides.clone(),
    ]));
    let agent = OpcuaAgent::start(&files.path("one"), broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut treqs = Subscription::start(&broker, "services/one/kept/treq");
    let follows = client.begin(json!({"do": "follow", "node": "ns=1;s=level", "until": 2}));
    publish(&broker, "services/one/level", r#"{"value": 1}"#, &[]);
    wait::until("the level is read", wait::PATIENCE, || {
        (client.read("ns=1;s=level").0 == json!(1)).then_some(())
    });
    let [kept, changed, gone] = ["kept", "changed", "gone"]
        .map(|id| client.begin(write(&format!("ns=1;s={id}"), "Int32", &json!(7))));
    wait_for_held(&agent, 3);

    let reloads = agent.reload(
        &files.path("one"),
        &one(&[
            holds("added", LONG),
            holds("kept", LONG),
            holds("changed", LONG - 1),
            provides,
        ]),
    );
    assert_eq!(counts(&reloads), [1, 1, 1, 3], "{reloads}");
    for held in [changed, gone] {
        let (code, text, _) = written(&client.end(held));
        assert_eq!(code, "BadShutdown");
        assert_eq!(
            text.as_deref(),
            Some(
                "this node was changed or removed while the request was held, which may have been carried out: find out before \
                 sending it again"
            )
        );
    }
    wait_for_held(&agent, 1);
    assert_eq!(
        below(&mut client, "ns=1;s=root"),
        ["added", "changed", "kept", "level"]
    );
    assert_eq!(
        client.write("ns=1;s=gone", "Int32", &json!(1)).0,
        "BadNodeIdUnknown"
    );
    let _responders = ["added", "changed"].map(|id| {
        Responder::start(&broker, &format!("services/one/{id}"), |_| {
            Answer::Value(json!(null))
        })
    });
    for id in ["ns=1;s=added", "ns=1;s=changed"] {
        wait::until("the node is ready", wait::PATIENCE, || {
            let (code, ..) = client.write(id, "Int32", &json!(3));
            (code != "BadNoCommunication").then(|| assert_eq!(code, "Good"))
        });
        assert_eq!(client.read(id).0, json!(3));
    }
    let (_, treq) = wait::until("the treq", wait::PATIENCE, || treqs.poll());
    let reply = json!({"id": treq["id"], "timestamp": 1, "value": null}).to_string();
    publish(&broker, "services/one/kept/tres", &reply, &[]);
    assert_eq!(written(&client.end(kept)).0, "Good");
    assert_eq!(client.read("ns=1;s=kept").0, json!(7));
    publish(&broker, "services/one/level", r#"{"value": 2}"#, &[]);
    let told = client.end(follows);
    assert!(ends_with(&told, &[json!(1), json!(2)]), "{told}");
}

#[test]
fn nodes_of_another_service_come_and_go_while_a_session_lasts() {
    let broker = Mosquitto::start();
    let one = one(&[object("branch", "root", "")]);
    let files = Files::new(&one);
    let agent = OpcuaAgent::start(files.folder.path(), broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    assert_eq!(below(&mut client, "ns=1;s=root"), ["branch"]);
    let two = |nodes: &[String]| format!("metadata: {{name: two}}\nresources:\n{}", nodes.concat());
    let leaves = [
        object("twig", "one::branch", ""),
        variable("order", "twig", "operation: transaction"),
        variable("level", "twig", "operation: serverProvides"),
    ];
    let reloads = agent.reload(&files.path("two"), &two(&leaves));
    assert_eq!(counts(&reloads), [3, 0, 0, 2], "{reloads}");
    assert_eq!(below(&mut client, "ns=1;s=branch"), ["twig"]);
    assert_eq!(below(&mut client, "ns=1;s=twig"), ["level", "order"]);
    let _responder = Responder::start(&broker, "services/two/order", |_| Answer::Value(json!(null)));
    wait::until("the node is ready", wait::PATIENCE, || {
        (client.write("ns=1;s=order", "Int32", &json!(5)).0 == "Good").then_some(())
    });
    let follows = client.begin(json!({"do": "follow", "node": "ns=1;s=level", "until": "BadNodeIdUnknown"}));
    publish(&broker, "services/two/level", r#"{"value": 9}"#, &["-r"]);
    wait::until("the level is read", wait::PATIENCE, || {
        (client.read("ns=1;s=level").0 == json!(9)).then_some(())
    });

    // An object that changes does not lose those below it, of whatever service they are.
    let moved = one.replace("nodeType: Object, }", "nodeType: Object, nodeId: ns=1;s=ast}");
    let reloads = agent.reload(&files.path("one"), &moved);
    assert_eq!(counts(&reloads), [0, 1, 0, 4], "{reloads}");
    assert_eq!(below(&mut client, "ns=1;s=root"), ["ast"]);
    assert_eq!(below(&mut client, "ns=1;s=ast"), ["twig"]);
    assert_eq!(client.read("ns=1;s=order").0, json!(5));

    let reloads = agent.reload(&files.path("two"), "metadata: {name: two}\nresources: {}\n");
    assert_eq!(counts(&reloads), [0, 0, 3, 2], "{reloads}");
    assert_eq!(client.read("ns=1;s=level").1, "BadNodeIdUnknown");
    assert_eq!(below(&mut client, "ns=1;s=ast"), [""; 0]);
    let told = client.end(follows);
    assert!(ends_with(&told, &[json!(9), json!("BadNodeIdUnknown")]), "{told}");

    // What is back begins with what the broker has retained.
    agent.reload(&files.path("two"), &two(&leaves));
    wait::until("the level is read", wait::PATIENCE, || {
        (client.read("ns=1;s=level").0 == json!(9)).then_some(())
    });
}

#[test]
fn two_nodes_that_change_their_ids_with_each_other_are_both_there() {
    let broker = Mosquitto::start();
    let nodes = |first: &str, second: &str| {
        [(first, 1), (second, 2)].map(|(id, value)| {
            let node = variable(&format!("n{value}"), "root", &format!("nodeId: ns=1;s={id}"));
            node.replace("initialValue: 0", &format!("initialValue: {value}"))
        })
    };
    let files = Files::new(&one(&nodes("a", "b")));
    let agent = OpcuaAgent::start(&files.path("one"), broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut read = |id: &str| client.read(&format!("ns=1;s={id}")).0;
    assert_eq!((read("a"), read("b")), (json!(1), json!(2)));
    let reloads = agent.reload(&files.path("one"), &one(&nodes("b", "a")));
    assert_eq!(counts(&reloads), [0, 2, 0, 1], "{reloads}");
    assert_eq!((read("a"), read("b")), (json!(2), json!(1)));
}

#[test]
fn a_reload_that_fails_elsewhere_leaves_the_nodes_as_they_are() {
    let broker = Mosquitto::start();
    let files = Files::new(&one(&[holds("kept", LONG)]));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let agent = OpcuaAgent::start(
        &files.path("one"),
        broker.port(),
        &[("SYNCLINE_HTTP_LISTEN", &address)],
    );
    let mut client = OpcuaClient::connected(&agent.url());
    let held = client.begin(write("ns=1;s=kept", "Int32", &json!(1)));
    wait_for_held(&agent, 1);
    let changed = one_at("/elsewhere", &[holds("other", LONG)])
        + "  http: {type: 'Cybus::Server::Http', properties: {basePath: /x}}\n";
    let reloads = agent.reload(&files.path("one"), &changed);
    assert_eq!(reloads["last"]["succeeded"], false, "{reloads}");
    assert_eq!(below(&mut client, "ns=1;s=root"), ["kept"]);
    wait_for_held(&agent, 1);
    agent.terminate();
    assert_eq!(written(&client.end(held)).0, "BadShutdown");
}

#[test]
fn other_settings_of_the_server_start_it_anew_and_without_one_it_is_closed() {
    let broker = Mosquitto::start();
    let node = [holds("order", LONG)];
    let files = Files::new(&one(&node));
    let agent = OpcuaAgent::start(&files.path("one"), broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let held = client.begin(write("ns=1;s=order", "Int32", &json!(1)));
    wait_for_held(&agent, 1);
    let reloads = agent.reload(&files.path("one"), &one_at("/elsewhere", &node));
    assert_eq!(counts(&reloads), [0, 2, 0, 0], "{reloads}");
    assert_eq!(written(&client.end(held)).0, "BadShutdown");
    let url = format!("opc.tcp://127.0.0.1:{}/elsewhere", agent.port());
    let mut client = OpcuaClient::connected(&url);
    let _responder = Responder::start(&broker, "services/one/order", |_| Answer::Value(json!(null)));
    wait::until("the node is ready", wait::PATIENCE, || {
        (client.write("ns=1;s=order", "Int32", &json!(2)).0 == "Good").then_some(())
    });
    let status = agent.status();
    assert_eq!(
        (&status["nodes"][0]["method"], &status["nodes"][0]["url"]),
        (&json!("Write"), &json!(format!("{url} ns=1;s=order")))
    );

    let nothing = "metadata: {name: one}\nresources: {}\n";
    let reloads = agent.reload(&files.path("one"), nothing);
    assert_eq!(counts(&reloads), [0, 0, 2, 0], "{reloads}");
    // It is closed, so that the port is free.
    drop(TcpListener::bind(("127.0.0.1", agent.port())).expect("the port is free"));
    agent.reload(&files.path("one"), &one(&node));
    let mut client = OpcuaClient::connected(&agent.url());
    assert_eq!(client.read("ns=1;s=order"), (json!(0), "Good".to_owned()));
}

#[test]
fn a_node_in_a_namespace_that_the_server_does_not_have_yet_starts_it_anew() {
    let broker = Mosquitto::start();
    let files = Files::new(&one(&[]));
    let agent = OpcuaAgent::start(&files.path("one"), broker.port(), &[]);
    let third = variable("third", "root", "nodeId: ns=3;s=third");
    agent.reload(&files.path("one"), &one(&[third]));
    let mut client = OpcuaClient::connected(&agent.url());
    assert_eq!(client.read("ns=3;s=third"), (json!(0), "Good".to_owned()));
}

#[test]
fn what_burst_keeps_of_a_node_is_published_when_it_is_removed_and_when_the_agent_stops() {
    let broker = Mosquitto::start();
    let batches = |id: &str| {
        variable(
            id,
            "root",
            "operation: serverReceives, qos: 1, rules: [{burst: {interval: 600000, maxSize: 1000}}]",
        )
    };
    let files = Files::new(&one(&[batches("removed"), batches("stopped")]));
    let agent = OpcuaAgent::start(&files.path("one"), broker.port(), &[]);
    let mut client = OpcuaClient::connected(&agent.url());
    let mut messages = Subscription::start(&broker, "services/one/+");
    let mut next = || wait::until("a batch", wait::PATIENCE, || messages.poll());
    for value in [1, 2] {
        for id in ["ns=1;s=removed", "ns=1;s=stopped"] {
            assert_eq!(client.write(id, "Int32", &json!(value)).0, "Good");
        }
    }
    agent.reload(&files.path("one"), &one(&[batches("stopped")]));
    let values = |(topic, batch): (String, Value)| {
        let values = batch.as_array().unwrap_or_else(|| panic!("{batch}")).iter();
        (
            topic,
            values.map(|message| message["value"].clone()).collect::<Vec<_>>(),
        )
    };
    let expected = |topic: &str| (format!("services/one/{topic}"), vec![json!(1), json!(2)]);
    assert_eq!(values(next()), expected("removed"));
    agent.terminate();
    assert_eq!(values(next()), expected("stopped"));
}
