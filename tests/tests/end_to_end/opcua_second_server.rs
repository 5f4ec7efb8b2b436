//! Endpoints of a second independent OPC UA server, node-opcua's: what one library takes, another may not.

use serde_json::{Value, json};
use syncline_tests::agent::Agent;
use syncline_tests::machine::{ask, commissioned, connected, next, text};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::opcua::Library;
use syncline_tests::opcua_server::OpcuaServer;
use syncline_tests::{secrets, wait};

const PASSWORD: &str = "a-second-machines-password";
const SET: (&str, &str) = ("set", "write: {nodeId: ns=2;s=level}");
const TOLD: (&str, &str) = ("told", "subscribe: {nodeId: ns=2;s=level, publishInterval: 100}");

fn machine(options: Value) -> OpcuaServer {
    OpcuaServer::start_on(Library::NodeOpcua, options)
}

#[test]
fn a_second_server_is_read_and_written_by_the_types_of_its_own_nodes() {
    let mut broker = Mosquitto::start();
    let mut machine = machine(json!({}));
    let nodes = [
        "speed", "level", "count", "name", "list", "any", "free", "locked", "absent",
    ];
    let properties = nodes.map(|name| {
        [
            (format!("set{name}"), format!("write: {{nodeId: ns=2;s={name}}}")),
            (format!("get{name}"), format!("read: {{nodeId: ns=2;s={name}}}")),
        ]
    });
    let mut endpoints: Vec<(&str, &str)> = properties
        .iter()
        .flatten()
        .map(|(name, properties)| (name.as_str(), properties.as_str()))
        .collect();
    endpoints.push(("path", "read: {browsePath: '2:Line/speed'}"));
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let _agent = connected(&service, &mut broker, "path/req");
    let mut results = Subscription::start(&broker, "services/machine/+/res");
    for (name, written, stored, read) in [
        ("speed", json!(3), json!(["Double", 3]), json!(3.0)),
        ("level", json!(-5), json!(["Int16", -5]), json!(-5)),
        (
            "count",
            json!("9223372036854775807"),
            json!(["Int64", "9223372036854775807"]),
            json!("9223372036854775807"),
        ),
        ("name", json!("Säge"), json!(["String", "Säge"]), json!("Säge")),
        ("list", json!([65535]), json!(["UInt16", [65535]]), json!([65535])),
        ("any", json!(4), json!(["Float", 4]), json!(4.0)),
        ("free", json!(0.5), json!(["Double", 0.5]), json!(0.5)),
        (
            "free",
            json!({"dataType": "UInt16", "value": 5}),
            json!(["UInt16", 5]),
            json!(5),
        ),
        ("free", json!(6), json!(["UInt16", 6]), json!(6)),
    ] {
        let message = json!({"id": name, "value": written});
        let result = ask(&broker, &mut results, &format!("set{name}/set"), &message);
        assert_eq!(result["result"], true, "{name}: {result}");
        assert_eq!(machine.get(name), stored);
        let result = ask(
            &broker,
            &mut results,
            &format!("get{name}/req"),
            &json!({"id": 1}),
        );
        assert_eq!(result["result"], read, "{name}: {result}");
    }
    let result = ask(&broker, &mut results, "path/req", &json!({}));
    assert_eq!(result["result"], 3.0, "{result}");
    for (topic, message, code) in [
        ("setlevel/set", json!({"value": 40000}), "BadTypeMismatch"),
        ("setlocked/set", json!({"value": 5}), "BadNotWritable"),
        ("setabsent/set", json!({"value": 5}), "BadNodeIdUnknown"),
        ("getabsent/req", json!({}), "BadNodeIdUnknown"),
    ] {
        let result = ask(&broker, &mut results, topic, &message);
        assert_eq!(result["error"]["code"], code, "{topic}: {result}");
    }
}

#[test]
fn a_second_server_tells_values_and_is_followed_again_when_it_is_back() {
    let mut broker = Mosquitto::start();
    let mut machine = machine(json!({}));
    let absent = (
        "absent",
        "subscribe: {nodeId: ns=2;s=absent, publishInterval: 100}",
    );
    let (_folder, service) = commissioned(machine.port(), "", &[SET, TOLD, absent]);
    let mut values = Subscription::start(&broker, "services/machine/told");
    let mut results = Subscription::start(&broker, "services/machine/set/res");
    let mut agent = connected(&service, &mut broker, "set/set");
    assert_eq!(next(&mut values)["value"], 7);
    agent.wait_for_log_line(&["no values of ns=2;s=absent", "BadNodeIdUnknown"]);
    machine.set("level", &json!(8), &json!({"at": "2026-11-22T02:00:00.123"}));
    assert_eq!(
        next(&mut values),
        json!({"timestamp": 1_795_312_800_123_u64, "value": 8})
    );
    machine.set("level", &json!(9), &json!({"status": "BadSensorFailure"}));
    agent.wait_for_log_line(&["endpoint told of service machine", "BadSensorFailure"]);
    machine.set("level", &json!(10), &json!({}));
    assert_eq!(next(&mut values)["value"], 10);
    let mut machine = machine.restart();
    assert_eq!(next(&mut values)["value"], 7, "the subscription was made anew");
    let result = ask(&broker, &mut results, "set/set", &json!({"id": 1, "value": 11}));
    assert_eq!(result["result"], true, "{result}");
    assert_eq!(next(&mut values)["value"], 11);
    assert_eq!(machine.get("level"), json!(["Int16", 11]));
}

#[test]
fn a_second_server_is_reached_with_a_login_by_each_policy_once_it_is_trusted() {
    secrets::keep("the password at the second machine", PASSWORD);
    let mut broker = Mosquitto::start();
    let own = tempfile::tempdir().expect("a temporary folder");
    let mut machine = machine(json!({"own": own.path(), "users": {"press": PASSWORD}}));
    let with = |policy: &str, mode: &str, password: &str| {
        format!(", username: press, password: {password}, securityPolicy: {policy}, securityMode: {mode}")
    };
    let first = with("Basic256Sha256", "SignAndEncrypt", PASSWORD);
    let (_folder, service) = commissioned(machine.port(), &first, &[SET]);
    let mut results = Subscription::start(&broker, "services/machine/set/res");
    let mut agent = Agent::start(&service, broker.port());
    broker.wait_for_log("services/machine/set/set (QoS 0)");
    agent.wait_for_log_line(&["is not trusted", "opcua/rejected"]);
    let rejected = std::fs::read_dir(agent.data().join("opcua/rejected")).expect("the folder");
    for file in rejected {
        let file = file.expect("a file");
        let trusted = agent.data().join("opcua/trusted").join(file.file_name());
        std::fs::rename(file.path(), trusted).expect("it can be moved");
    }
    agent.wait_for_log_line(&["connected to opc.tcp://127.0.0.1:"]);
    let mut value = 10;
    for policy in ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] {
        for mode in ["Sign", "SignAndEncrypt"] {
            let sessions = || agent.log().matches("connected to opc.tcp://").count();
            let before = sessions();
            let reloaded = text(machine.port(), &with(policy, mode, PASSWORD), &[SET]);
            std::fs::write(&service, reloaded).expect("a file");
            agent.hang_up();
            wait::until("the next session", wait::PATIENCE, || {
                (sessions() > before).then_some(())
            });
            value += 1;
            let result = ask(
                &broker,
                &mut results,
                "set/set",
                &json!({"id": value, "value": value}),
            );
            assert_eq!(result["result"], true, "{policy} {mode}: {result}");
            assert_eq!(machine.get("level"), json!(["Int16", value]));
        }
    }
    let wrong = text(machine.port(), &with("Basic256Sha256", "Sign", "wrong"), &[SET]);
    std::fs::write(&service, wrong).expect("a file");
    agent.hang_up();
    agent.wait_for_log_line(&["check `username` and `password`"]);
}
