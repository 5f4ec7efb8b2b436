//! Services whose endpoints are those of a machine, a server of OPC UA: their files, what they are asked, and what they tell.

use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::agent::{Agent, service_file};
use crate::mosquitto::Mosquitto;
use crate::mosquitto_clients::{Subscription, publish};
use crate::{process, wait};

/// A commissioning file with a connection of these properties to that port, and these endpoints: name and properties.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn commissioned(port: u16, connection: &str, endpoints: &[(&str, &str)]) -> (TempDir, PathBuf) {
    service_file(&text(port, connection, endpoints))
}

/// The text of such a file.
///
/// # Panics
/// Never.
#[must_use]
pub fn text(port: u16, connection: &str, endpoints: &[(&str, &str)]) -> String {
    let mut text = format!(
        "metadata: {{name: machine}}\nresources:\n  server:\n    type: Cybus::Server::Http\n  plc:\n    type: Cybus::Connection\n    \
         properties:\n      protocol: Opcua\n      connectionStrategy: {{initialDelay: 50, maxDelay: 200}}\n      \
         connection: {{host: 127.0.0.1, port: {port}{connection}}}\n"
    );
    for (name, properties) in endpoints {
        writeln!(
            text,
            "  {name}:\n    type: Cybus::Endpoint\n    properties:\n      protocol: Opcua\n      connection: !ref plc\n      {properties}"
        )
        .expect("a text");
    }
    text
}

/// Runs the agent until it is connected to the machine and its endpoints are subscribed, of which `last` is the last.
#[must_use]
pub fn connected(service: &Path, broker: &mut Mosquitto, last: &str) -> Agent {
    connected_with(service, broker, last, &[])
}

/// The same, with further environment variables.
#[must_use]
pub fn connected_with(
    service: &Path,
    broker: &mut Mosquitto,
    last: &str,
    variables: &[(&str, &str)],
) -> Agent {
    let mut agent = Agent::start_with(service, broker.port(), variables);
    agent.wait_for_log_line(&["connection plc of service machine: connected to opc.tcp://127.0.0.1:"]);
    broker.wait_for_log(&format!("services/machine/{last} (QoS 0)"));
    agent
}

/// The next message of a subscription.
pub fn next(subscription: &mut Subscription) -> Value {
    wait::until("a message", wait::PATIENCE, || subscription.poll()).1
}

/// What comes of a message to the endpoint's `/set` or `/req`.
pub fn ask(broker: &Mosquitto, results: &mut Subscription, topic: &str, message: &impl Display) -> Value {
    tell(broker, topic, message);
    next(results)
}

/// Sends a message to the endpoint's `/set` or `/req`.
pub fn tell(broker: &Mosquitto, topic: &str, message: &impl Display) {
    publish(
        broker,
        &format!("services/machine/{topic}"),
        &message.to_string(),
        &[],
    );
}

/// Waits until the endpoint has asked its machine for so much.
pub fn asked_for(agent: &Agent, name: &str, requests: u64) {
    wait::until("the request is under way", wait::PATIENCE, || {
        shown(agent, name).filter(|endpoint| endpoint["requests"] == requests)
    });
}

/// What the status says of an endpoint.
///
/// # Panics
/// When it says nothing.
#[must_use]
pub fn endpoint(agent: &Agent, name: &str) -> Value {
    shown(agent, name).expect("it is told of")
}

fn shown(agent: &Agent, name: &str) -> Option<Value> {
    let (_, status, _) = process::output(&mut agent.beside(&["status", "--json"]));
    let mut status: Value = serde_json::from_str(&status).expect("JSON");
    let endpoints = status["endpoints"].as_array_mut().expect("endpoints");
    let found = endpoints.iter_mut().find(|endpoint| endpoint["resource"] == name);
    found.map(Value::take)
}
