//! What others see of an agent: its retained state, while it is there, when it stops, and when it disappears.

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example};
use syncline_tests::curl;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::wait;

const STATE: &str = "syncline/agents/test-agent/state";
const PATH: &str = "/data/flowsync/example1";
const TREQ: &str = "services/example1/exampleNode/treq";

fn next(states: &mut Subscription) -> Value {
    let (topic, state) = wait::until("a state", wait::PATIENCE, || states.poll());
    assert_eq!(topic, STATE);
    state
}

/// What a client that comes now is told, which is what the broker retains.
fn retained(broker: &Mosquitto) -> Value {
    next(&mut Subscription::start(broker, STATE))
}

#[test]
fn an_agent_is_online_while_connected_and_offline_after_a_graceful_stop() {
    for version in ["5", "3.1.1"] {
        let broker = Mosquitto::start();
        let mut states = Subscription::start(&broker, STATE);
        let variables = [("SYNCLINE_MQTT_VERSION", version)];
        let mut agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);

        let online = next(&mut states);
        assert_eq!(online["status"], "online");
        assert_eq!(online["services"], json!(["example1"]));
        assert!(online["version"].is_string() && online["hostname"].is_string());
        assert!(online["since"].as_str().is_some_and(|since| since.ends_with('Z')));
        assert_eq!(retained(&broker), online);

        agent.terminate();
        assert_eq!(agent.exit_code(), 143);
        let offline = next(&mut states);
        assert_eq!(offline["status"], "offline");
        // The agent's own word has a time, the Will has none.
        assert!(offline["since"].is_string(), "{offline}");
        assert_eq!(retained(&broker), offline);
        assert!(broker.log().contains("Received DISCONNECT from test-agent"));
    }
}

#[test]
fn an_agent_that_is_killed_is_offline_by_its_will() {
    let broker = Mosquitto::start();
    let mut states = Subscription::start(&broker, STATE);
    let agent = Agent::start(&example("1-transaction.yml"), broker.port());
    assert_eq!(next(&mut states)["status"], "online");
    drop(agent);
    let offline = next(&mut states);
    assert_eq!(
        (&offline["status"], &offline["since"]),
        (&json!("offline"), &Value::Null)
    );
    assert_eq!(retained(&broker), offline);
}

#[test]
fn a_broker_that_has_forgotten_everything_is_told_again() {
    let mut broker = Mosquitto::start();
    let agent = Agent::start(&example("1-transaction.yml"), broker.port());
    assert_eq!(retained(&broker)["status"], "online");
    broker.restart();
    assert_eq!(retained(&broker)["status"], "online");
    drop(agent);
}

#[test]
fn a_held_request_is_answered_during_the_drain_time_and_the_agent_is_not_ready_meanwhile() {
    let broker = Mosquitto::start();
    let mut requests = Subscription::start(&broker, TREQ);
    let admin = syncline_tests::port::free();
    let address = format!("127.0.0.1:{admin}");
    let variables = [
        ("SYNCLINE_ADMIN_LISTEN", address.as_str()),
        ("SYNCLINE_DRAIN_TIME", "20s"),
    ];
    let mut agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    let ready = format!("http://{address}/readyz");
    wait::until("the agent is ready", wait::PATIENCE, || {
        Some(curl::ask(&ready, &[])).filter(|response| response.status == 200)
    });
    let mut held = curl::send(&agent.url(PATH), &[]);
    let (_, request) = wait::until("the request is published", wait::PATIENCE, || requests.poll());

    agent.terminate();
    agent.wait_for_log_line(&["stopping: 1 request is held, it has up to 20 s to finish"]);
    let stopping = wait::until("the agent is not ready", wait::PATIENCE, || {
        Some(curl::ask(&ready, &[])).filter(|response| response.status == 503)
    });
    assert_eq!(stopping.json()["reasons"], json!(["the agent is stopping"]));
    assert!(!held.is_finished());
    let reply = json!({ "id": request["id"], "timestamp": 1, "value": "in time" });
    publish(
        &broker,
        "services/example1/exampleNode/tres",
        &reply.to_string(),
        &[],
    );
    let answer = held.response();
    assert_eq!((answer.status, answer.json()), (200, json!("in time")));
    assert_eq!(agent.exit_code(), 143);
    assert_eq!(retained(&broker)["status"], "offline");
}

#[test]
fn two_agents_of_one_name_are_told_of_each_other_where_the_broker_is_silent() {
    let broker = Mosquitto::start();
    let variables = [("SYNCLINE_MQTT_VERSION", "3.1.1")];
    let mut first = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    let _second = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    first.wait_for_log_line(&["several connections in a row", "`test-agent`", "CYBUS_AGENT_NAME"]);
}

#[test]
fn a_state_that_the_broker_refuses_is_told_once_and_the_agent_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let acl = folder.path().join("acl");
    std::fs::write(&acl, "topic readwrite services/#\n").expect("a writable folder");
    let mut broker = Mosquitto::start_with(&format!("acl_file {}", acl.display()));
    let mut agent = Agent::start(&example("1-transaction.yml"), broker.port());
    let refused = [
        "does not take this agent's state",
        "grant it write access to",
        STATE,
    ];
    agent.wait_for_log_line(&refused);
    // Without a responder the request is held until its time is up.
    assert_eq!(agent.ask_when_ready(PATH, &[]).status, 500);

    broker.restart();
    let connected = |agent: &Agent| agent.log().matches("connected to the broker").count();
    wait::until("the agent is back", wait::PATIENCE, || {
        (connected(&agent) == 2).then_some(())
    });
    assert_eq!(agent.ask_when_ready(PATH, &[]).status, 500);
    let told = agent.log().matches(refused[0]).count();
    assert_eq!(told, 1, "{}", agent.log());
}
