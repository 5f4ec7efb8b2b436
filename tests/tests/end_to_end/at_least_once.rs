//! Messages of QoS 1 on their way through mappings when the agent ends, in order or not: the broker keeps what was not handled.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use syncline_tests::agent::{Agent, service_file};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::wait;
use tempfile::TempDir;

use crate::reloading::{Plant, server, service};

/// Messages of one flow.
const MESSAGES: u64 = 2_000;
/// Messages that are through before the agent is ended.
const FIRST: u64 = 400;
/// Messages that the publisher is ahead of what has come: so few that none has to wait for a second.
const AHEAD: u64 = 50;

/// A mapping of `in`.
fn flow(name: &str, rules: &str) -> String {
    format!(
        "  {name}: {{type: 'Cybus::Mapping', properties: {{mappings: [{{subscribe: {{topic: in, qos: 1}}, \
         publish: {{topic: out/{name}, qos: 1}}, rules: [{rules}]}}]}}}}\n"
    )
}

/// Two mappings of one topic, one of them with a rule that takes its time.
fn mappings() -> String {
    let slow = flow(
        "slow",
        "{transform: {expression: '{ \"n\": n, \"sum\": $sum([1..20]) }'}}",
    );
    service("plant", &[server(), flow("fast", ""), slow])
}

fn plant(text: &str) -> (Mosquitto, Agent, TempDir) {
    // What the agent is away for has to have room.
    let broker = Mosquitto::start_with("max_queued_messages 0");
    let (folder, file) = service_file(text);
    let agent = Agent::start(&file, broker.port());
    wait_until_ready(&agent);
    (broker, agent, folder)
}

fn wait_until_ready(agent: &Agent) {
    wait::until("the agent is ready", wait::PATIENCE, || {
        let ready = agent.beside(&["health", "ready"]).output();
        ready
            .expect("the program can be started")
            .status
            .success()
            .then_some(())
    });
}

/// Publishes numbered messages at QoS 1.
struct Publisher {
    client: Child,
    published: u64,
}

impl Publisher {
    fn start(broker: &Mosquitto) -> Self {
        Self::start_at(broker, "1")
    }

    /// At another quality of service.
    fn start_at(broker: &Mosquitto, qos: &str) -> Self {
        let client = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-t", "in", "-q", qos, "-l", "-p"])
            .arg(broker.port().to_string())
            .stdin(Stdio::piped())
            .spawn()
            .expect("mosquitto_pub can be started");
        Self { client, published: 0 }
    }

    /// Goes on until there are `count`.
    fn publish(&mut self, count: u64) {
        let lines = self.client.stdin.as_mut().expect("it was piped");
        while self.published < count {
            writeln!(lines, "{{\"n\":{}}}", self.published).expect("mosquitto_pub reads");
            self.published += 1;
        }
    }

    /// Waits until the broker has them all.
    fn finish(mut self) {
        drop(self.client.stdin.take());
        assert!(self.client.wait().expect("it can be waited for").success());
    }
}

/// What has come of one mapping.
struct Flow {
    messages: Subscription,
    /// How often, by number.
    came: BTreeMap<u64, u32>,
    /// All of them as they came.
    order: Vec<u64>,
}

impl Flow {
    fn of(broker: &Mosquitto, name: &str) -> Self {
        Self {
            messages: Subscription::start(broker, &format!("out/{name}")),
            came: BTreeMap::new(),
            order: Vec::new(),
        }
    }

    /// How many different ones have come.
    fn look(&mut self) -> u64 {
        for (_, message) in self.messages.poll_all() {
            let number = message["n"].as_u64().expect("a number");
            self.order.push(number);
            *self.came.entry(number).or_insert(0) += 1;
        }
        self.came.len() as u64
    }

    /// The numbers that came more than once.
    fn doubled(&self) -> Vec<u64> {
        let doubled = self.came.iter().filter(|(_, times)| **times > 1);
        doubled.map(|(number, _)| *number).collect()
    }
}

/// Ends the agent by `end` in the midst of a flow and starts it again, and returns what came twice, by mapping.
fn doubled_after(end: impl FnOnce(&mut Agent)) -> [Vec<u64>; 2] {
    let (broker, mut agent, _folder) = plant(&mappings());
    let mut flows = ["fast", "slow"].map(|name| Flow::of(&broker, name));
    let mut publisher = Publisher::start(&broker);
    wait::until("the flow is in its midst", wait::PATIENCE, || {
        let through = flows
            .each_mut()
            .map(Flow::look)
            .into_iter()
            .min()
            .unwrap_or_default();
        publisher.publish(through + AHEAD);
        (through >= FIRST).then_some(())
    });
    end(&mut agent);
    publisher.publish(FIRST + 2 * AHEAD);
    let _agent = agent.restart();
    wait::until("all messages have come", 2 * wait::PATIENCE, || {
        let through = flows
            .each_mut()
            .map(Flow::look)
            .into_iter()
            .min()
            .unwrap_or_default();
        publisher.publish(MESSAGES.min(through + AHEAD));
        (through == MESSAGES).then_some(())
    });
    publisher.finish();
    flows.map(|flow| flow.doubled())
}

#[test]
fn a_kill_loses_no_message_of_a_mapping_and_doubles_only_what_was_on_its_way() {
    // Its drop is a kill.
    for doubled in doubled_after(|_| ()) {
        println!("{} messages came more than once", doubled.len());
        let (Some(first), Some(last)) = (doubled.first(), doubled.last()) else {
            continue;
        };
        let on_its_way = last - first + 1;
        assert_eq!(
            doubled.len() as u64,
            on_its_way,
            "not what was on its way: {doubled:?}"
        );
        assert!(on_its_way <= 4 * AHEAD, "{on_its_way} were on their way");
    }
}

#[test]
fn a_stop_in_order_loses_no_message_of_a_mapping() {
    let [fast, slow] = doubled_after(|agent| {
        agent.terminate();
        assert_eq!(agent.exit_code(), 143);
    });
    println!("{} and {} messages came more than once", fast.len(), slow.len());
    // The slower one may have been given messages that the other has handled and that stay with the broker for its sake.
    assert_eq!(slow, [0_u64; 0]);
}

#[test]
fn five_thousand_messages_pass_five_edits_of_their_mapping_once_and_in_order() {
    const ALL: u64 = 5_000;
    let edited = |round: u64| {
        let rule = format!("{{transform: {{expression: '{{ \"n\": n, \"round\": {round} }}'}}}}");
        service("plant", &[flow("edited", &rule)])
    };
    let plant = Plant::start_without_http(&edited(0));
    plant.wait_until_ready();
    let mut out = Flow::of(&plant.broker, "edited");
    let mut publisher = Publisher::start(&plant.broker);
    let through = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let flowing = scope.spawn(|| {
            wait::until("all messages have come", 6 * wait::PATIENCE, || {
                through.store(out.look(), Ordering::Relaxed);
                publisher.publish(ALL.min(out.came.len() as u64 + AHEAD));
                (out.came.len() as u64 == ALL).then_some(())
            });
        });
        for round in 1..6 {
            let midst = round * ALL / 7;
            wait::until("the flow goes on", 2 * wait::PATIENCE, || {
                (through.load(Ordering::Relaxed) >= midst || flowing.is_finished()).then_some(())
            });
            assert!(!flowing.is_finished(), "round {round} came too late");
            plant.reload(&edited(round));
        }
        flowing.join().expect("all messages have come");
    });
    publisher.finish();
    out.look();
    assert_eq!(out.order, (0..ALL).collect::<Vec<_>>());
    wait::until("its counters have gone on over the edits", wait::PATIENCE, || {
        let mapping = &plant.status()["mappings"][0];
        (mapping["received"] == ALL && mapping["published"] == ALL).then_some(())
    });
}

#[test]
fn what_waits_for_a_slow_mapping_is_acknowledged_after_a_second_so_that_it_holds_up_no_other() {
    const WAITING: usize = 60;
    let slow = "  slow: {type: 'Cybus::Mapping', properties: {mappings: [{subscribe: {topic: in, qos: 1}, \
                publish: {topic: out, qos: 1}, rules: [{transform: {expression: '( $f := function() { $f() }; $f() )'}}]}]}}\n";
    let (broker, agent, _folder) = plant(&service("plant", &[server(), slow.to_owned()]));
    // Each costs the mapping half a second. How many a broker sends before it waits for an acknowledgement is up to the broker, and
    // Mosquitto 2.0.11 goes on after the first: so what is looked at is the acknowledgements.
    let mut publisher = Publisher::start(&broker);
    publisher.publish(WAITING as u64);
    publisher.finish();
    let acknowledged = || broker.log().matches("Received PUBACK from test-agent").count();
    wait::until("all are acknowledged", 2 * wait::PATIENCE, || {
        (acknowledged() == WAITING).then_some(())
    });
    let output = agent
        .beside(&["status", "--json"])
        .output()
        .expect("syncline starts");
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let handled = status["mappings"][0]["received"].as_u64().expect("a number");
    assert!(
        handled < WAITING as u64 / 2,
        "{handled} were handled before all were acknowledged"
    );
}

#[test]
fn of_a_backlog_at_qos_2_what_has_no_room_is_counted_and_logged() {
    const ROOM: u64 = 10_000;
    const BEYOND: u64 = 500;
    let slow = "  slow: {type: 'Cybus::Mapping', properties: {mappings: [{subscribe: {topic: in, qos: 2}, \
                publish: {topic: out}, rules: [{transform: {expression: '( $f := function() { $f() }; $f() )'}}]}]}}\n";
    let (broker, mut agent, _folder) = plant(&service("plant", &[server(), slow.to_owned()]));
    let mut publisher = Publisher::start_at(&broker, "2");
    publisher.publish(ROOM + BEYOND);
    publisher.finish();
    let mapping = || {
        let output = agent
            .beside(&["status", "--json"])
            .output()
            .expect("syncline starts");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let count = |name: &str| status["mappings"][0][name].as_u64().expect("a number");
        (count("received"), count("overloaded"))
    };
    // Those that are handled meanwhile make room, and one is at work.
    wait::until("what has no room is counted", wait::PATIENCE, || {
        let (received, dropped) = mapping();
        (dropped > 0 && dropped + received + ROOM >= ROOM + BEYOND).then_some(())
    });
    let (received, dropped) = mapping();
    assert!(
        dropped <= BEYOND && received <= BEYOND,
        "{dropped} dropped, {received} handled"
    );
    agent.wait_for_log_line(&[
        "mapping slow of service plant, item 1: messages come faster than they are handled, 256 dropped so far",
    ]);
}
