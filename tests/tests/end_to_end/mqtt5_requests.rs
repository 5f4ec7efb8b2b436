//! What a request says beside its JSON over MQTT 5.0, as Mosquitto's clients see it, and who answers by that alone.

use std::process::Command;

use serde_json::Value;
use syncline_tests::agent::{Agent, example};
use syncline_tests::curl;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::publish;
use syncline_tests::process::Process;
use syncline_tests::wait;

const TREQ: &str = "services/example1/exampleNode/treq";
const TRES: &str = "services/example1/exampleNode/tres";
const PATH: &str = "/data/flowsync/example1";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A `mosquitto_sub` that prints Response Topic, Correlation Data, Content Type, expiry, User Properties and payload.
struct Listener {
    process: Process,
    _folder: tempfile::TempDir,
}

impl Listener {
    fn start(broker: &Mosquitto, topic: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("stdbuf");
        command.args([
            "--output=L",
            "mosquitto_sub",
            "-d",
            "-V",
            "5",
            "-h",
            "127.0.0.1",
            "-p",
        ]);
        command.arg(broker.port().to_string());
        command.args(["-t", topic, "-F", "message: %R|%D|%C|%E|%P|%p"]);
        let mut process = Process::start(&command, &folder.path().join("log"));
        process.wait_for_output("Subscribed (");
        Self {
            process,
            _folder: folder,
        }
    }

    /// The fields of message number `at`, counted from 0.
    fn message(&self, at: usize) -> Vec<String> {
        wait::until("a message", wait::PATIENCE, || {
            let output = self.process.output();
            let (complete, _) = output.rsplit_once('\n')?;
            let message = complete
                .lines()
                .filter_map(|line| line.strip_prefix("message: "))
                .nth(at)?;
            Some(message.splitn(6, '|').map(ToOwned::to_owned).collect())
        })
    }
}

/// Waits until the node takes requests, which is told by one that nobody answers.
fn ready(agent: &Agent) {
    assert_eq!(agent.ask_when_ready(PATH, &[]).status, 500);
}

#[test]
fn a_request_says_where_its_answer_goes_until_when_and_who_asked() {
    let broker = Mosquitto::start();
    let agent = Agent::start(&example("1-transaction.yml"), broker.port());
    let listener = Listener::start(&broker, TREQ);
    ready(&agent);
    for (at, header, passed) in [
        (1, format!("traceparent: {TRACE}"), format!("traceparent:{TRACE}")),
        (2, "traceparent: 00-nothing-of-the-kind".to_owned(), String::new()),
    ] {
        let mut request = curl::send(&agent.url(PATH), &["-H", &header]);
        let message = listener.message(at);
        let [response_topic, correlation, content_type, expiry, user, payload] = message.as_slice() else {
            panic!("six fields: {message:?}");
        };
        let payload: Value = serde_json::from_str(payload).expect("JSON");
        assert_eq!(response_topic, TRES);
        assert_eq!(payload["id"], correlation.as_str());
        assert_eq!(
            (content_type.as_str(), expiry.as_str(), user.as_str()),
            ("application/json", "2", passed.as_str())
        );
        // An answer that has no `id` is joined by its Correlation Data.
        let correlated = ["-V", "5", "-D", "publish", "correlation-data", correlation];
        publish(&broker, TRES, r#"{"value":{"by":"correlation"}}"#, &correlated);
        let response = request.response();
        assert_eq!(
            (response.status, response.json()["by"].as_str()),
            (200, Some("correlation"))
        );
    }
}

#[test]
fn over_3_1_1_the_json_says_all_there_is() {
    let broker = Mosquitto::start();
    let variables = [("SYNCLINE_MQTT_VERSION", "3.1.1")];
    let agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    let listener = Listener::start(&broker, TREQ);
    ready(&agent);
    let header = format!("traceparent: {TRACE}");
    let mut request = curl::send(&agent.url(PATH), &["-H", &header]);
    let message = listener.message(1);
    assert_eq!(message[..5], ["", "", "", "", ""].map(str::to_owned));
    let payload: Value = serde_json::from_str(&message[5]).expect("JSON");
    let id = payload["id"].as_str().expect("an id");
    publish(&broker, TRES, &format!(r#"{{"id":"{id}","value":1}}"#), &[]);
    assert_eq!(request.response().status, 200);
}
