//! What clients ask for by header fields, as curl asks: patience, once for all, another origin, another form of errors.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syncline_tests::curl;
use syncline_tests::mosquitto_clients::Subscription;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::wait;

use crate::reloading::{Plant, service};

const PATH: &str = "/data/plant/held";
const PAGE: &str = "Origin: https://plant.example";

fn plant() -> Plant {
    let resources = "  server: {type: 'Cybus::Server::Http', properties: {basePath: /plant, corsOrigins: ['https://plant.example']}}
  held: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: POST, route: /held, operation: transaction, \
                     transaction: {timeout: 30000}}}
  taken: {type: 'Cybus::Node::Http', properties: {parent: !ref server, method: POST, route: /taken, qos: 0}}
";
    let plant = Plant::start(&service("plant", &[resources.to_owned()]));
    plant.wait_until_ready();
    plant
}

#[test]
fn a_client_that_prefers_to_wait_less_is_answered_then() {
    let plant = plant();
    let begun = Instant::now();
    let response = curl::ask(&plant.agent.url(PATH), &["--json", "1", "-H", "Prefer: wait=1"]);
    assert_eq!(response.status, 500);
    assert_eq!(response.header("preference-applied"), Some("wait=1"));
    let waited = begun.elapsed();
    assert!(
        waited >= Duration::from_secs(1) && waited < Duration::from_secs(20),
        "{waited:?}"
    );
}

#[test]
fn a_held_request_that_is_sent_again_with_its_key_is_asked_once() {
    let plant = plant();
    let mut treqs = Subscription::start(&plant.broker, "services/plant/held/treq");
    let _responder = Responder::start(&plant.broker, "services/plant/held", |value: &Value| {
        Answer::Value(value.clone())
    });
    let send = |body: &str| {
        let url = plant.agent.url(PATH);
        curl::ask(&url, &["--json", body, "-H", "Idempotency-Key: order-1"])
    };
    for _ in 0..2 {
        let response = send("{\"order\":1}");
        assert_eq!((response.status, response.json()), (200, json!({ "order": 1 })));
    }
    assert_eq!(send("{\"order\":2}").status, 422);
    let other = curl::ask(&plant.agent.url(PATH), &["--json", "3"]);
    assert_eq!(other.status, 200);
    let asked = [(); 2].map(|()| wait::until("a treq", wait::PATIENCE, || treqs.poll()).1);
    assert_eq!(
        asked.map(|treq| treq["value"].clone()),
        [json!({ "order": 1 }), json!(3)]
    );
}

#[test]
fn pages_of_the_origins_that_the_file_names_may_ask_and_others_may_not() {
    let plant = plant();
    let preflight = |origin: &str| {
        let ask = [
            "-X",
            "OPTIONS",
            "-H",
            origin,
            "-H",
            "Access-Control-Request-Method: POST",
        ];
        curl::ask(&plant.agent.url(PATH), &ask)
    };
    let allowed = preflight(PAGE);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        Some("https://plant.example")
    );
    let methods = allowed.header("access-control-allow-methods").expect("methods");
    assert!(methods.contains("POST"), "{methods}");
    let other = preflight("Origin: https://elsewhere.example");
    assert_eq!(other.header("access-control-allow-origin"), None);
    let errors = curl::ask(
        &plant.agent.url("/data/plant/taken"),
        &["--json", "{", "-H", PAGE],
    );
    assert_eq!(errors.status, 400);
    assert_eq!(
        errors.header("access-control-allow-origin"),
        Some("https://plant.example"),
        "a page can read what was wrong"
    );
}

#[test]
fn errors_are_problems_for_who_accepts_them() {
    let plant = plant();
    let accepts = "Accept: application/problem+json";
    for (path, options, status) in [
        ("/data/plant/nothing", &["-H", accepts][..], 404),
        ("/data/plant/taken", &["-H", accepts, "--json", "{"], 400),
        (PATH, &["-H", accepts, "--json", "1", "-H", "Prefer: wait=1"], 500),
    ] {
        let response = curl::ask(&plant.agent.url(path), options);
        assert_eq!(
            (response.status, response.header("content-type")),
            (status, Some("application/problem+json")),
            "{path}"
        );
        let problem = response.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
    }
}

#[test]
fn what_is_received_at_qos_0_is_refused_without_a_broker() {
    let mut plant = plant();
    let send = |plant: &Plant| curl::ask(&plant.agent.url("/data/plant/taken"), &["--json", "1"]);
    assert_eq!(send(&plant).status, 200);
    plant.broker.kill();
    wait::until("the agent notices", wait::PATIENCE, || {
        (!plant.is_connected()).then_some(())
    });
    let refused = send(&plant);
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
}
