//! Endpoints of HTTP connections: between curl or Mosquitto's clients and a back end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use syncline_tests::agent::{Agent, example, service_file};
use syncline_tests::backend::Backend;
use syncline_tests::certificates::{Authority, Lifetime, PairFiles};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::{port, wait};
use tempfile::TempDir;

const PATH: &str = "/data/flowsync/example5";

/// Example 5 as it is, with its back end on that port.
fn example_5(broker: &Mosquitto, backend: u16) -> Agent {
    let parameter = format!("backendPort={backend}");
    Agent::start_set(
        &example("5-full-flow-http.yml"),
        broker.port(),
        &[],
        &[&parameter],
    )
}

fn post(agent: &Agent, order: &Value) -> (u16, Value, Duration) {
    let body = order.to_string();
    let options = ["--json", body.as_str()];
    let response = agent.ask_when_ready(PATH, &options);
    (response.status, response.json(), response.time)
}

/// A commissioning file with one connection to `port` and these resources, which end with `parent: !ref backend`.
fn connected(connection: &str, endpoints: &str) -> (TempDir, PathBuf) {
    service_file(&format!(
        "metadata: {{name: ends}}\nresources:\n  server:\n    type: Cybus::Server::Http\n  backend:\n    type: Cybus::Connection\n    \
         properties:\n      protocol: Http\n      connection: {connection}\n{endpoints}"
    ))
}

fn next(subscription: &mut Subscription) -> (String, Value) {
    wait::until("a message", wait::PATIENCE, || subscription.poll())
}

#[test]
fn example_5_takes_a_request_to_the_back_end_and_its_answer_back() {
    let broker = Mosquitto::start();
    let backend = Backend::start();
    let agent = example_5(&broker, backend.port());
    let order = json!({ "item": "ü", "amount": 2, "price": 1.5 });
    let (status, answer, _) = post(&agent, &order);
    assert_eq!((status, answer), (200, json!({ "taken": order })));
    let requests = backend.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(
        (&requests[0]["method"], &requests[0]["target"]),
        (&json!("POST"), &json!("/api/orders"))
    );
    assert_eq!(requests[0]["headers"]["content-type"], "application/json");
}

#[test]
fn example_5_tells_what_the_back_end_has_refused() {
    let broker = Mosquitto::start();
    let backend = Backend::start();
    let agent = example_5(&broker, backend.port());
    let (status, answer, _) = post(&agent, &json!({ "refuse": true }));
    assert_eq!((status, &answer["error"]["code"]), (502, &json!(502)));
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(
        message.contains("422") && message.contains("out of stock"),
        "{message}"
    );
}

#[test]
fn example_5_is_502_while_the_back_end_is_down_and_200_when_it_is_back() {
    let broker = Mosquitto::start();
    let at = port::free();
    let mut agent = example_5(&broker, at);
    let (status, answer, time) = post(&agent, &json!({ "item": 1 }));
    assert_eq!(status, 502, "{answer}");
    assert!(time < Duration::from_secs(2), "{time:?}");
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains("connection refused"), "{message}");
    agent.wait_for_log_line(&["connection backend of service example5", "connection refused"]);
    let _backend = Backend::start_on(at, &[]);
    assert_eq!(post(&agent, &json!({ "item": 1 })).0, 200);
}

#[test]
fn example_5_is_504_with_its_own_text_when_the_back_end_is_too_slow() {
    let broker = Mosquitto::start();
    let backend = Backend::start();
    let agent = example_5(&broker, backend.port());
    let (status, answer, time) = post(&agent, &json!({ "slow": 7 }));
    let error = json!({ "code": 504, "message": "The back end did not answer" });
    assert_eq!((status, answer), (504, json!({ "error": error })));
    assert!((5.0..6.5).contains(&time.as_secs_f64()), "{time:?}");
}

#[test]
fn one_slow_request_holds_up_no_other() {
    let broker = Mosquitto::start();
    let backend = Backend::start();
    let agent = example_5(&broker, backend.port());
    assert_eq!(post(&agent, &json!({})).0, 200);
    let slow = syncline_tests::curl::send(&agent.url(PATH), &["--json", "{\"slow\":3}"]);
    let (status, _, time) = post(&agent, &json!({ "item": 1 }));
    assert_eq!(status, 200);
    assert!(time < Duration::from_secs(2), "{time:?}");
    let mut slow = slow;
    assert_eq!(slow.response().status, 200);
}

#[test]
fn a_read_endpoint_asks_and_echoes_the_id() {
    let mut broker = Mosquitto::start();
    let backend = Backend::start();
    let connection = format!(
        "{{scheme: http, host: 127.0.0.1, port: {}, headers: {{X-Plant: '7'}}, query: {{site: a b}}, auth: {{username: u, password: p}}}}",
        backend.port()
    );
    let endpoint = "  counter:
    type: Cybus::Endpoint
    properties:
      protocol: Http
      connection: !ref backend
      read: {path: '/count?x=1', query: {kind: all}}
      rules: [transform: {expression: '{ \"id\": $.id, \"reads\": $.result.reads, \"error\": $.error }'}]
";
    let (_folder, service) = connected(&connection, endpoint);
    let mut results = Subscription::start(&broker, "services/ends/counter/res");
    let _agent = Agent::start(&service, broker.port());
    broker.wait_for_log("services/ends/counter/req (QoS 0)");
    publish(
        &broker,
        "services/ends/counter/req",
        r#"{"id":12345678901234567890}"#,
        &[],
    );
    let (_, result) = next(&mut results);
    // The rule is an expression, to which numbers are doubles.
    assert_eq!(result["reads"], 1, "{result}");
    let request = &backend.requests()[0];
    assert_eq!(request["target"], "/count?x=1&site=a+b&kind=all");
    assert_eq!(request["headers"]["x-plant"], "7");
    assert_eq!(request["headers"]["authorization"], "Basic dTpw");
    publish(&broker, "services/ends/counter/req", "{", &[]);
    let (_, result) = next(&mut results);
    assert!(
        result["error"]["message"]
            .as_str()
            .expect("a message")
            .contains("not JSON"),
        "{result}"
    );
}

#[test]
fn a_write_without_a_body_says_so_and_a_message_without_a_payload_is_no_order() {
    let mut broker = Mosquitto::start();
    let backend = Backend::start();
    let connection = format!("{{scheme: http, host: 127.0.0.1, port: {}}}", backend.port());
    let endpoint = "  order:
    type: Cybus::Endpoint
    properties:
      protocol: Http
      connection: !ref backend
      write: {path: /orders}
";
    let (_folder, service) = connected(&connection, endpoint);
    let mut results = Subscription::start(&broker, "services/ends/order/res");
    let agent = Agent::start(&service, broker.port());
    broker.wait_for_log("services/ends/order/set (QoS 0)");
    publish(&broker, "services/ends/order/set", "", &["--retain"]);
    publish(&broker, "services/ends/order/set", "{\"id\":1}", &[]);
    let (_, result) = next(&mut results);
    assert_eq!(
        (&result["id"], &result["result"]),
        (&json!(1), &json!({ "taken": null }))
    );
    let requests = backend.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0]["headers"]["content-length"], "0");
    let status = agent
        .beside(&["status", "--json"])
        .output()
        .expect("syncline starts");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let order = &status["endpoints"][0];
    assert_eq!(
        (&order["requests"], &order["passedOver"]),
        (&json!(1), &json!(1)),
        "{order}"
    );
}

#[test]
fn a_back_end_that_hangs_is_told_with_the_time_that_was_waited_for_it() {
    let broker = Mosquitto::start();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = silent.local_addr().expect("an address").port();
    let connection = format!("{{scheme: http, host: 127.0.0.1, port: {at}, probeTimeout: 250}}");
    let (_folder, service) = connected(&connection, "");
    let mut agent = Agent::start(&service, broker.port());
    agent.wait_for_log_line(&[
        "connection backend of service ends",
        "has not answered within 0.25 s",
    ]);
    let status = agent.beside(&["status"]).output().expect("syncline starts");
    let status = String::from_utf8_lossy(&status.stdout);
    let line = status.lines().find(|line| line.starts_with("connection "));
    let line = line.expect("the connection");
    assert!(
        line.contains("not connected since 20") && line.contains("has not answered within 0.25 s"),
        "{line}"
    );
}

#[test]
fn a_subscribe_endpoint_polls_and_never_twice_at_once() {
    let broker = Mosquitto::start();
    let backend = Backend::start();
    let connection = format!("{{scheme: http, host: 127.0.0.1, port: {}}}", backend.port());
    // The back end takes three times as long as the interval, and refuses two readers at once.
    let endpoint = "  counter:
    type: Cybus::Endpoint
    properties:
      protocol: Http
      connection: !ref backend
      topic: counted
      qos: 1
      retain: true
      subscribe: {path: /count, interval: 50}
";
    let (_folder, service) = connected(&connection, endpoint);
    let mut values = Subscription::start(&broker, "services/ends/counted");
    let agent = Agent::start(&service, broker.port());
    let mut last = 0;
    for _ in 0..4 {
        let (_, message) = next(&mut values);
        assert!(message["timestamp"].is_u64(), "{message}");
        let reads = message["value"]["reads"].as_u64().expect("a count");
        assert!(reads > last, "{reads} after {last}");
        last = reads;
    }
    assert!(!agent.log().contains("409"), "{}", agent.log());
    let status = agent
        .beside(&["status", "--json"])
        .output()
        .expect("syncline starts");
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let (connection, counter) = (&status["connections"][0], &status["endpoints"][0]);
    assert_eq!(
        (&connection["protocol"], &connection["connected"]),
        (&json!("Http"), &json!(true))
    );
    assert!(counter["answered"].as_u64() >= Some(4), "{counter}");
    assert!(
        counter["requests"].as_u64() >= counter["answered"].as_u64(),
        "{counter}"
    );
    assert_eq!(counter["failures"]["refused"], 0, "{counter}");
    let mut late = Subscription::start(&broker, "services/ends/counted");
    assert!(
        next(&mut late).1["value"]["reads"].is_u64(),
        "the last one is kept"
    );
}

#[test]
fn a_subscribe_endpoint_goes_on_when_its_back_end_is_back() {
    let broker = Mosquitto::start();
    let at = port::free();
    let connection = format!(
        "{{scheme: http, host: 127.0.0.1, port: {at}}}\n      connectionStrategy: {{initialDelay: 100, incrementFactor: 2, maxDelay: 400}}"
    );
    let endpoint = "  counter:
    type: Cybus::Endpoint
    properties:
      protocol: Http
      connection: !ref backend
      subscribe: {path: /count, interval: 50}
";
    let (_folder, service) = connected(&connection, endpoint);
    let mut values = Subscription::start(&broker, "services/ends/counter");
    let mut agent = Agent::start(&service, broker.port());
    agent.wait_for_log_line(&[
        "endpoint counter of service ends",
        "no value",
        "connection refused",
    ]);
    let _backend = Backend::start_on(at, &[]);
    assert_eq!(next(&mut values).1["value"]["reads"], 1);
}

#[test]
fn a_connection_with_tls_believes_its_authority_alone_and_shows_its_certificate_where_it_shall() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ours, strange) = (Authority::new("plant"), Authority::new("strange"));
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, ours.certificate()).expect("a file");
    let server = ours
        .server(&["127.0.0.1"], Lifetime::Now)
        .write(folder.path(), "server");
    let impostor = strange
        .server(&["127.0.0.1"], Lifetime::Now)
        .write(folder.path(), "impostor");
    let own = ours
        .client("test-agent", Lifetime::Now)
        .write(folder.path(), "agent");
    let tls = |pair: &PairFiles| [pair.certificate.clone(), pair.key.clone(), authority.clone()];
    let started = |pair: &PairFiles| {
        let files = tls(pair);
        Backend::start_on(port::free(), &files.each_ref().map(PathBuf::as_path))
    };
    let (believed, unbelieved) = (started(&server), started(&impostor));
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let (ca, certificate, key) = (path(&authority), path(&own.certificate), path(&own.key));
    let variables = [
        ("CA", ca.as_str()),
        ("AGENT_CERT", &certificate),
        ("AGENT_KEY", &key),
    ];
    let endpoint = "  counter:
    type: Cybus::Endpoint
    properties:
      protocol: Http
      connection: !ref backend
      read: {path: /count}
";
    let ask = |port: u16, more: &str| {
        let connection = format!("{{scheme: https, host: 127.0.0.1, port: {port}{more}}}");
        let (_folder, service) = connected(&connection, endpoint);
        let mut results = Subscription::start(&broker, "services/ends/counter/res");
        let agent = Agent::start_with(&service, broker.port(), &variables);
        wait::until("the endpoint listens", wait::PATIENCE, || {
            let mut status = agent.beside(&["status", "--json"]);
            let status = status.output().expect("syncline starts").stdout;
            let status: Value = serde_json::from_slice(&status).ok()?;
            (status["ready"] == true).then_some(())
        });
        publish(&broker, "services/ends/counter/req", "{\"id\":1}", &[]);
        next(&mut results).1
    };
    let read = ask(believed.port(), ", mutualAuthentication: true");
    assert_eq!(read["result"], json!({ "reads": 1, "client": "test-agent" }));
    let read = ask(believed.port(), "");
    assert_eq!(
        read["result"],
        json!({ "reads": 2 }),
        "nobody asked for a certificate to be shown"
    );
    let refused = ask(unbelieved.port(), "");
    let message = refused["error"]["message"].as_str().expect("a message");
    assert!(message.contains("certificate"), "{message}");
    assert_eq!(unbelieved.requests(), Vec::<Value>::new());
    let read = ask(unbelieved.port(), ", trustAllCertificates: true");
    assert_eq!(read["result"], json!({ "reads": 1 }));
}
