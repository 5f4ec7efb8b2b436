//! Messages that flow through mappings without a pause while the commissioning file is edited again and again: each comes through once, in
//! order.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::wait;

use crate::reloading::{Plant, service};

/// Reloads of one test.
const ROUNDS: u64 = 12;
/// Messages of each quality between two reloads, and while one is under way.
const MESSAGES: u64 = 150;

/// An item of a mapping, from and to topics that end in the quality of service.
fn item(qos: u8) -> String {
    format!("{{subscribe: {{topic: in/{qos}, qos: {qos}}}, publish: {{topic: out/{qos}, qos: {qos}}}}}")
}

/// One that has nothing to do with the others.
fn aside(number: u64) -> String {
    format!("{{subscribe: {{topic: aside/{number}}}, publish: {{topic: nowhere}}}}")
}

fn mapping(name: &str, items: &[String]) -> String {
    let items = items.join(", ");
    format!("  {name}: {{type: 'Cybus::Mapping', properties: {{mappings: [{items}]}}}}\n")
}

/// Numbered messages at one quality of service, from a client that stays connected.
struct Publisher {
    client: Child,
    published: u64,
}

impl Publisher {
    fn start(broker: &Mosquitto, qos: u8) -> Self {
        let client = Command::new("mosquitto_pub")
            .args([
                "-h",
                "127.0.0.1",
                "-t",
                &format!("in/{qos}"),
                "-q",
                &qos.to_string(),
            ])
            .args(["-l", "-p", &broker.port().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .expect("mosquitto_pub can be started");
        Self { client, published: 0 }
    }

    fn publish(&mut self, count: u64) {
        let lines = self.client.stdin.as_mut().expect("it was piped");
        for _ in 0..count {
            writeln!(lines, "{}", self.published).expect("mosquitto_pub reads");
            self.published += 1;
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        drop(self.client.stdin.take());
        // It ends when it has published what it was given.
        let _ = self.client.wait();
    }
}

/// Edits the file round by round while messages of QoS 1 and 2 flow, and sees to it that each comes through once and in order.
fn flow_through(edited: impl Fn(u64) -> String) {
    let plant = Plant::start_without_http(&edited(0));
    plant.wait_until_ready();
    let mut out = [1, 2].map(|qos| Subscription::start(&plant.broker, &format!("out/{qos}")));
    let mut publishers = [1, 2].map(|qos| Publisher::start(&plant.broker, qos));
    let mut came = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        for publisher in &mut publishers {
            publisher.publish(MESSAGES);
        }
        plant.reload(&edited(round));
    }
    let last = ROUNDS * MESSAGES - 1;
    wait::until("the last messages are through", wait::PATIENCE, || {
        for (out, came) in out.iter_mut().zip(&mut came) {
            let numbers = out.poll_all().into_iter();
            came.extend(numbers.map(|(_, number)| number.as_u64().expect("a number")));
        }
        came.iter().all(|came| came.contains(&last)).then_some(())
    });
    for came in came {
        let lost: Vec<u64> = (0..=last).filter(|number| !came.contains(number)).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
        assert_eq!(came, (0..=last).collect::<Vec<_>>());
    }
}

#[test]
fn no_message_is_lost_or_out_of_order_where_items_come_and_go_above_others() {
    flow_through(|round| {
        let mut items = vec![item(1), item(2)];
        items.splice(0..0, (0..round % 3).map(aside));
        if round % 2 == 1 {
            items.reverse();
        }
        service("plant", &[mapping("flow", &items)])
    });
}

#[test]
fn no_message_is_lost_or_out_of_order_where_a_mapping_or_its_service_has_another_name() {
    flow_through(|round| {
        let (resource, id) = (format!("flow{}", round % 2), format!("plant{}", round / 2 % 2));
        service(&id, &[mapping(&resource, &[item(1), item(2)])])
    });
}
