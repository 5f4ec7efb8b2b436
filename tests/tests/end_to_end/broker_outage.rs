//! The broker goes away and comes back.

use std::time::Duration;

use serde_json::json;
use syncline_tests::agent::{Agent, example};
use syncline_tests::curl;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";

/// Less than a quarter of the node's timeout: an answer within it was not waited for.
const AT_ONCE: Duration = Duration::from_millis(500);

fn refuses_at_once(agent: &Agent) {
    let refused = curl::ask(&agent.url(PATH), &[]);
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.time < AT_ONCE, "took {:?}", refused.time);
    let retry_after = refused.header("retry-after").expect("a Retry-After header");
    assert!(
        retry_after.parse::<u32>().is_ok_and(|seconds| seconds >= 1),
        "Retry-After: {retry_after}"
    );
    assert_eq!(refused.json()["error"]["code"], json!(503));
}

#[test]
fn without_a_broker_requests_are_refused_at_once_and_answered_when_it_is_back() {
    let mut broker = Mosquitto::start();
    let agent = Agent::start(&example("1-transaction.yml"), broker.port());
    let responder = Responder::start(&broker, BASE, |_| Answer::Value(json!("here")));
    assert_eq!(agent.ask_when_ready(PATH, &[]).json(), json!("here"));

    broker.kill();
    wait::until("the agent notices", wait::PATIENCE, || {
        Some(curl::ask(&agent.url(PATH), &[])).filter(|response| response.status == 503)
    });
    for _ in 0..10 {
        refuses_at_once(&agent);
    }

    broker.restart();
    // The agent may be back before the responder is: a request of that moment times out with 500.
    let answered = wait::until("requests are answered again", Duration::from_secs(60), || {
        Some(curl::ask(&agent.url(PATH), &[])).filter(|response| response.status == 200)
    });
    assert_eq!(answered.json(), json!("here"));
    drop(responder);
}

#[test]
fn an_agent_that_never_saw_its_broker_refuses_at_once_and_works_when_it_comes() {
    let mut broker = Mosquitto::start();
    broker.kill();
    let agent = Agent::start(&example("1-transaction.yml"), broker.port());
    refuses_at_once(&agent);
    broker.restart();
    let _responder = Responder::start(&broker, BASE, |_| Answer::Error(409, "taken".into()));
    assert_eq!(agent.ask_when_ready(PATH, &[]).status, 409);
}

#[test]
fn what_had_not_left_when_the_broker_was_lost_may_be_sent_again() {
    const REQUESTS: usize = 40;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("a writable temporary folder");
        file
    };
    let service = file(
        "kept.yml",
        "metadata: {name: kept}\nresources:\n  server: {type: 'Cybus::Server::Http', properties: {requestMaxBodySize: 512000}}\n  \
         in: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: POST, route: /in}}\n",
    );
    // Together far more than the sockets between agent and broker hold.
    let body = file("body", &"x".repeat(500_000));
    let data = format!("@{}", body.display());
    let options = ["-H", "Content-Type: text/plain", "--data-binary", &data];
    let mut broker = Mosquitto::start();
    let agent = Agent::start(&service, broker.port());
    assert_eq!(agent.ask_when_ready("/data/in", &options).status, 200);

    broker.freeze();
    let url = agent.url("/data/in");
    let mut waiting: Vec<_> = (0..REQUESTS).map(|_| curl::send(&url, &options)).collect();
    wait::until("messages are written to the connection", wait::PATIENCE, || {
        let written = waiting
            .iter_mut()
            .filter_map(|request| request.is_finished().then_some(()));
        (written.count() > 0).then_some(())
    });
    broker.kill();
    // What waits for a connection gets one.
    broker.restart();
    let mut had_not_left = 0;
    for request in &mut waiting {
        let response = request.response();
        if response.status == 200 {
            continue;
        }
        assert_eq!(
            (response.status, response.header("retry-after")),
            (503, Some("1")),
            "{}",
            response.body
        );
        had_not_left += usize::from(response.body.contains("lost before the message had left"));
    }
    assert!(had_not_left > 0, "none waited for the connection");
}
