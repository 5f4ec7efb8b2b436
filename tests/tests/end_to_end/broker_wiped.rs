//! A broker that has lost everything it knew: the agent is all there again within two seconds, and what was promised to a
//! publisher is kept where the client kept it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as StdInstant};

use bytes::Bytes;
use serde_json::json;
use syncline::data::DataFolder;
use syncline::driver::{Driver, Reactor};
use syncline::transport::Endpoint;
use syncline_core::agent::{Agent as Core, Output};
use syncline_core::codec::QoS;
use syncline_core::session::{Completion, Config, OpId, Publication};
use syncline_core::time::{Instant, UnixMillis};
use syncline_core::topic::TopicName;
use syncline_tests::agent::{Agent, example};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;
use tempfile::TempDir;

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";
const STATE: &str = "syncline/agents/test-agent/state";
/// From the broker's CONNACK to an agent that is all there.
const ALL_THERE: Duration = Duration::from_secs(2);

/// Mosquitto with its memory on disk.
struct Remembering {
    broker: Mosquitto,
    memory: TempDir,
}

impl Remembering {
    fn start() -> Self {
        let memory = tempfile::tempdir().expect("a temporary folder");
        let broker = Mosquitto::start_with(&format!(
            "user root\npersistence true\npersistence_location {}/",
            memory.path().display()
        ));
        Self { broker, memory }
    }

    /// Takes the broker away with all that it knew, and starts it anew.
    fn wipe(&mut self) {
        self.broker.stop();
        std::fs::remove_file(self.memory.path().join("mosquitto.db")).expect("a memory to lose");
        self.broker.restart();
    }
}

fn comes_back(version: &str) {
    let mut remembering = Remembering::start();
    let variables = [("SYNCLINE_MQTT_VERSION", version)];
    let agent = Agent::start_with(
        &example("1-transaction.yml"),
        remembering.broker.port(),
        &variables,
    );
    let responder = Responder::start(&remembering.broker, BASE, |_| Answer::Value(json!("here")));
    assert_eq!(agent.ask_when_ready(PATH, &[]).json(), json!("here"));
    // The broker has a memory to lose.
    publish(&remembering.broker, "kept", "1", &["--retain", "--qos", "1"]);
    remembering.broker.stop();
    remembering.broker.restart();
    let mut kept = Subscription::start(&remembering.broker, "kept");
    wait::until("the broker remembers", wait::PATIENCE, || kept.poll());
    drop(kept);

    remembering.wipe();
    remembering
        .broker
        .wait_for_log("Sending CONNACK to test-agent (0, 0)");
    let connected = StdInstant::now();
    let broker = &mut remembering.broker;
    broker.wait_for_log("Received SUBSCRIBE from test-agent");
    wait::until("the state is published", wait::PATIENCE, || {
        let is_state = |line: &str| line.contains("Received PUBLISH from test-agent") && line.contains(STATE);
        broker.log().lines().any(is_state).then_some(())
    });
    assert!(connected.elapsed() < ALL_THERE, "{:?}", connected.elapsed());
    let mut states = Subscription::start(broker, STATE);
    let (_, state) = wait::until("the state is retained", wait::PATIENCE, || states.poll());
    assert_eq!(state["status"], "online");

    // The agent may be back before the responder is: a request of that moment times out with 500.
    wait::until("requests are answered again", wait::PATIENCE, || {
        Some(agent.ask_when_ready(PATH, &[])).filter(|response| response.status == 200)
    });
    drop(responder);
}

#[test]
fn an_agent_in_5_0_is_all_there_within_two_seconds_after_its_broker_was_wiped() {
    comes_back("5");
}

#[test]
fn an_agent_in_3_1_1_is_all_there_within_two_seconds_after_its_broker_was_wiped() {
    comes_back("3.1.1");
}

/// Messages of the first connection, and of the time without one.
const MESSAGES: [usize; 2] = [500, 20];

/// What the publisher knows.
#[derive(Debug, Default)]
struct Known {
    submitted: HashMap<OpId, usize>,
    /// Those that the broker had confirmed when it was lost: since then they are its concern.
    confirmed_before: Option<HashSet<usize>>,
    confirmed: HashSet<usize>,
}

struct Publisher(Arc<Mutex<Known>>);

impl Reactor for Publisher {
    fn handle(&mut self, now: Instant, _: UnixMillis, output: &Output, agent: &mut Core) {
        let mut known = self.0.lock().expect("nobody panics with it");
        let from = known.submitted.len();
        let count = match output {
            Output::Connected(_) if from == 0 => MESSAGES[0],
            Output::Disconnected(_) if known.confirmed_before.is_none() => {
                known.confirmed_before = Some(known.confirmed.clone());
                MESSAGES[1]
            }
            Output::OpCompleted(op, completion) => {
                assert!(
                    matches!(completion, Completion::Published { .. }),
                    "{completion:?}"
                );
                let number = known.submitted[op];
                assert!(known.confirmed.insert(number), "an operation completes once");
                0
            }
            _ => 0,
        };
        for number in from..from + count {
            // Retained, so that the new broker can be asked for it at any time.
            let topic = TopicName::new(format!("kept/{number}")).expect("a topic");
            let payload = Bytes::from(format!("{number:4096}"));
            let publication = Publication::new(topic, payload).qos(QoS::AtLeastOnce).retained();
            let op = agent.publish(now, publication).expect("room in the queue");
            known.submitted.insert(op, number);
        }
    }
}

#[test]
fn messages_that_the_wiped_broker_had_not_confirmed_are_with_the_new_one() {
    let mut remembering = Remembering::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = DataFolder::open(folder.path()).expect("a folder that nobody uses");
    let endpoint = Endpoint {
        host: "127.0.0.1".to_owned(),
        port: remembering.broker.port(),
    };
    let stored = data.session().expect("a folder that can be written to");
    let mut driver = Driver::restore(endpoint, Config::new("kept"), stored).expect("a session");
    let known = Arc::new(Mutex::new(Known::default()));
    driver.react_with(Box::new(Publisher(Arc::clone(&known))));
    let handle = driver.handle();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let running = runtime.spawn(driver.run());

    remembering.broker.wait_for_log("Sending PUBACK to kept");
    remembering.wipe();
    let total = MESSAGES.iter().sum();
    let missing = wait::until("all messages are confirmed", wait::PATIENCE, || {
        let known = known.lock().expect("nobody panics with it");
        let before = known.confirmed_before.as_ref()?;
        (known.confirmed.len() == total).then(|| {
            (0..total)
                .filter(|number| !before.contains(number))
                .collect::<HashSet<_>>()
        })
    });
    assert!(
        missing.len() > MESSAGES[1],
        "the broker was lost in the middle of the first messages"
    );
    let mut messages = Subscription::start(&remembering.broker, "kept/#");
    let mut arrived = HashSet::new();
    wait::until("the new broker has them", wait::PATIENCE, || {
        while let Some((_, number)) = messages.poll() {
            arrived.insert(usize::try_from(number.as_u64()?).ok()?);
        }
        missing.is_subset(&arrived).then_some(())
    });
    handle.stop();
    let stopped = runtime.block_on(async { tokio::time::timeout(wait::PATIENCE, running).await });
    stopped
        .expect("the driver stops")
        .expect("without a panic")
        .expect("as it was told to");
}
