//! Messages that wait for an endpoint when it is edited or the agent stops, while it has as many requests under way as it may: each is
//! answered for, once.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use syncline_tests::backend::Backend;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::wait;

use crate::reloading::{Plant, server, service};

/// Requests of one endpoint that are under way at once.
const UNDER_WAY: u64 = 64;

/// A file with one endpoint that writes; `round` makes its settings others.
fn writes(backend: &Backend, round: u32) -> String {
    let endpoint = format!(
        "  backend: {{type: 'Cybus::Connection', properties: {{protocol: Http, connection: {{scheme: http, host: 127.0.0.1, \
         port: {}}}}}}}\n  order: {{type: 'Cybus::Endpoint', properties: {{protocol: Http, connection: !ref backend, qos: 1, \
         write: {{method: POST, path: /api/orders, headers: {{X-Round: '{round}'}}}}}}}}\n",
        backend.port()
    );
    service("plant", &[server(), endpoint])
}

/// Publishes orders with these ids, each of which takes the back end so many seconds.
fn order(broker: &Mosquitto, ids: Range<u64>, seconds: u32) {
    let mut client = Command::new("mosquitto_pub")
        .args([
            "-h",
            "127.0.0.1",
            "-t",
            "services/plant/order/set",
            "-q",
            "1",
            "-l",
            "-p",
        ])
        .arg(broker.port().to_string())
        .stdin(Stdio::piped())
        .spawn()
        .expect("mosquitto_pub can be started");
    let mut lines = client.stdin.take().expect("it was piped");
    for id in ids {
        writeln!(
            lines,
            "{}",
            json!({ "id": id, "body": { "id": id, "slow": seconds } })
        )
        .expect("mosquitto_pub reads");
    }
    drop(lines);
    assert!(client.wait().expect("it can be waited for").success());
}

/// What was told, by id; each id once.
#[derive(Default)]
struct Told(BTreeMap<u64, Value>);

impl Told {
    /// Takes in what has come, and returns how many ids that makes.
    fn look(&mut self, results: &mut Subscription) -> u64 {
        while let Some((_, result)) = results.poll() {
            let id = result["id"].as_u64().expect("an id");
            let before = self.0.insert(id, result);
            assert!(before.is_none(), "{id} was told twice: {before:?}");
        }
        self.0.len() as u64
    }

    fn error(&self, id: u64) -> Option<&str> {
        self.0.get(&id)?["error"]["message"].as_str()
    }
}

fn wait_until_asked(backend: &Backend, count: u64) {
    wait::until(
        &format!("the back end was asked {count} times"),
        wait::PATIENCE,
        || (backend.requests().len() as u64 == count).then_some(()),
    );
}

#[test]
fn what_an_edited_endpoint_has_not_begun_is_carried_out_by_the_one_in_its_place() {
    const ORDERS: u64 = 150;
    let backend = Backend::start();
    let plant = Plant::start_with(&writes(&backend, 0), &[("SYNCLINE_DRAIN_TIME", "5s")]);
    plant.wait_until_ready();
    let mut results = Subscription::start(&plant.broker, "services/plant/order/res");
    order(&plant.broker, 0..ORDERS, 4);
    wait_until_asked(&backend, UNDER_WAY);
    plant.reload(&writes(&backend, 1));
    let mut told = Told::default();
    wait::until("each order has its result", wait::PATIENCE, || {
        (told.look(&mut results) == ORDERS).then_some(())
    });
    for id in 0..ORDERS {
        assert_eq!(told.error(id), None, "order {id}");
    }
    let requests = backend.requests();
    assert_eq!(requests.len() as u64, ORDERS);
    let by_the_successor = requests
        .iter()
        .filter(|request| request["headers"]["x-round"] == "1");
    assert_eq!(by_the_successor.count() as u64, ORDERS - UNDER_WAY);
}

#[test]
fn what_a_stopping_endpoint_has_not_begun_is_told_or_carried_out_in_the_next_run() {
    const ORDERS: u64 = 200;
    let backend = Backend::start();
    let mut plant = Plant::start_with(&writes(&backend, 0), &[("SYNCLINE_DRAIN_TIME", "3s")]);
    plant.wait_until_ready();
    let mut results = Subscription::start(&plant.broker, "services/plant/order/res");
    order(&plant.broker, 0..UNDER_WAY, 600);
    order(&plant.broker, UNDER_WAY..ORDERS, 0);
    wait_until_asked(&backend, UNDER_WAY);
    plant.agent.terminate();
    assert_eq!(plant.agent.exit_code(), 143);
    assert_eq!(
        backend.requests().len() as u64,
        UNDER_WAY,
        "one was begun although none had ended"
    );

    let _agent = plant.agent.restart();
    let mut told = Told::default();
    wait::until("each order is answered for", wait::PATIENCE, || {
        (told.look(&mut results) == ORDERS).then_some(())
    });
    let mut stayed = 0;
    for id in 0..ORDERS {
        match told.error(id) {
            Some(error) if id < UNDER_WAY => {
                assert!(error.contains("may have been carried out"), "{id}: {error}");
            }
            Some(error) => assert!(error.contains("was not carried out"), "{id}: {error}"),
            None => stayed += 1,
        }
    }
    println!("{stayed} orders stayed with the broker");
    assert_eq!(backend.requests().len() as u64, UNDER_WAY + stayed);
}
