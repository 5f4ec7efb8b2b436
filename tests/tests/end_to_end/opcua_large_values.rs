//! Endpoints of an OPC UA server whose values are large.

use serde_json::json;
use syncline_tests::machine::{ask, commissioned, connected, next};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::opcua_server::OpcuaServer;

#[test]
fn a_text_beyond_what_clients_may_send_is_read_and_followed() {
    let mut broker = Mosquitto::start();
    let mut machine = OpcuaServer::start();
    let text = "x".repeat(1_500_000);
    machine.set("name", &json!(text), &json!({}));
    let endpoints = [
        ("told", "subscribe: {nodeId: ns=2;s=name, publishInterval: 50}"),
        ("name", "read: {nodeId: ns=2;s=name}"),
    ];
    let (_folder, service) = commissioned(machine.port(), "", &endpoints);
    let mut values = Subscription::start(&broker, "services/machine/told");
    let _agent = connected(&service, &mut broker, "name/req");
    assert_eq!(next(&mut values)["value"], text);
    let mut results = Subscription::start(&broker, "services/machine/name/res");
    let result = ask(&broker, &mut results, "name/req", &json!({"id": 1}));
    assert_eq!(result["result"], text);
}
