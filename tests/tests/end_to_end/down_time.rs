//! Messages that come while the agent is down: the broker keeps them, and the next run works all of them off.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, service_file};
use syncline_tests::backend::Backend;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::wait;
use tempfile::TempDir;

use crate::reloading::{server, service};

/// Messages of each quality while the agent is down: several times what Mosquitto keeps unless told otherwise.
const MESSAGES: u64 = 5_000;
/// Those for the endpoint.
const ORDERS: u64 = 100;

fn mapping(qos: u8) -> String {
    format!(
        "  flow{qos}: {{type: 'Cybus::Mapping', properties: {{mappings: [{{subscribe: {{topic: in/{qos}, qos: {qos}}}, \
         publish: {{topic: out/{qos}, qos: {qos}}}}}]}}}}\n"
    )
}

struct Plant {
    agent: Agent,
    broker: Mosquitto,
    folder: TempDir,
}

impl Plant {
    fn start(text: &str) -> Self {
        let broker = Mosquitto::start_with("max_queued_messages 0");
        let (folder, file) = service_file(text);
        let plant = Self {
            agent: Agent::start(&file, broker.port()),
            broker,
            folder,
        };
        plant.wait_until_ready();
        plant
    }

    fn wait_until_ready(&self) {
        wait::until("the agent is ready", wait::PATIENCE, || {
            let ready = self.agent.beside(&["health", "ready"]).output();
            let ready = ready.expect("the program can be started");
            ready.status.success().then_some(())
        });
    }

    fn replace(&self, text: &str) {
        std::fs::write(self.folder.path().join("service.yml"), text).expect("a writable temporary folder");
    }

    /// Ends the agent in order.
    fn stop(&mut self) {
        self.agent.terminate();
        assert_eq!(self.agent.exit_code(), 143);
    }

    fn restart(self) -> Self {
        let Self {
            agent,
            broker,
            folder,
        } = self;
        Self {
            agent: agent.restart(),
            broker,
            folder,
        }
    }

    fn publish_all(&self, topic: &str, qos: u8, messages: impl Iterator<Item = Value>) {
        let mut client = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-t", topic, "-q", &qos.to_string(), "-l", "-p"])
            .arg(self.broker.port().to_string())
            .stdin(Stdio::piped())
            .spawn()
            .expect("mosquitto_pub can be started");
        let mut lines = client.stdin.take().expect("it was piped");
        for message in messages {
            writeln!(lines, "{message}").expect("mosquitto_pub reads");
        }
        drop(lines);
        assert!(client.wait().expect("it can be waited for").success());
    }
}

#[test]
fn what_comes_while_the_agent_is_down_is_worked_off_by_the_next_run() {
    let backend = Backend::start();
    let endpoint = format!(
        "  backend: {{type: 'Cybus::Connection', properties: {{protocol: Http, connection: {{scheme: http, host: 127.0.0.1, \
         port: {}}}}}}}\n  order: {{type: 'Cybus::Endpoint', properties: {{protocol: Http, connection: !ref backend, qos: 1, \
         write: {{method: POST, path: /api/orders}}}}}}\n",
        backend.port()
    );
    let mut plant = Plant::start(&service("plant", &[server(), mapping(1), mapping(2), endpoint]));
    let mut out = [1, 2].map(|qos| Subscription::start(&plant.broker, &format!("out/{qos}")));
    let mut results = Subscription::start(&plant.broker, "services/plant/order/res");
    plant.stop();
    for qos in [1, 2] {
        plant.publish_all(&format!("in/{qos}"), qos, (0..MESSAGES).map(Value::from));
    }
    let order = |id| json!({ "id": id, "body": { "id": id } });
    plant.publish_all("services/plant/order/set", 1, (0..ORDERS).map(order));

    let _plant = plant.restart();
    let mut came = [Vec::new(), Vec::new()];
    let mut told = BTreeMap::new();
    wait::until(
        "all messages are through, or too many",
        2 * wait::PATIENCE,
        || {
            for (out, came) in out.iter_mut().zip(&mut came) {
                while let Some((_, number)) = out.poll() {
                    came.push(number.as_u64().expect("a number"));
                }
            }
            while let Some((_, result)) = results.poll() {
                let taken = result["result"]["taken"]["id"].clone();
                told.insert(result["id"].as_u64().expect("an id"), taken);
            }
            let are_through = came.iter().all(|came| came.len() as u64 >= MESSAGES);
            (are_through && told.len() as u64 == ORDERS).then_some(())
        },
    );
    for came in came {
        assert_eq!(came, (0..MESSAGES).collect::<Vec<_>>());
    }
    assert_eq!(told, (0..ORDERS).map(|id| (id, Value::from(id))).collect());
}

#[test]
fn a_subscription_of_the_run_before_that_no_file_asks_for_any_more_is_ended_and_told() {
    let both = service("plant", &[server(), mapping(1), mapping(2)]);
    let mut plant = Plant::start(&both);
    plant.stop();
    plant.replace(&service("plant", &[server(), mapping(1)]));
    let mut plant = plant.restart();
    plant
        .agent
        .wait_for_log_line(&["INFO", "in/2", "the run before had subscribed"]);
    plant.wait_until_ready();
    wait::until("the broker is told that nobody wants it", wait::PATIENCE, || {
        let log = plant.broker.log();
        let (_, since) = log.split_once("Received UNSUBSCRIBE from test-agent")?;
        since.contains("in/2").then_some(())
    });
    let mut out = Subscription::start(&plant.broker, "out/#");
    for qos in [2, 1] {
        publish(&plant.broker, &format!("in/{qos}"), "1", &["-q", "1"]);
    }
    let (topic, _) = wait::until("a message", wait::PATIENCE, || out.poll());
    assert_eq!(topic, "out/1");
    // It is told once: the next run knows nothing of it any more.
    plant.stop();
    let plant = plant.restart();
    plant.wait_until_ready();
    assert!(!plant.agent.log().contains("the run before had subscribed"));
}
