//! Endpoints of another broker: two Mosquittos, one with TLS and logins, and the agent between them.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use syncline_tests::agent::{self, Agent, service_file};
use syncline_tests::fake_broker::{CONNACK, FakeBroker, packet_type};
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::mosquitto_clients::{Subscription, publish};
use syncline_tests::process::{self, Process};
use syncline_tests::tls_broker::{Clients, Newest, TlsBroker};
use syncline_tests::{curl, secrets, wait};
use tempfile::TempDir;

const PASSWORD: &str = "another-brokers-password";

/// Another broker: with TLS, and with a login for who gives a name.
fn other_broker() -> TlsBroker {
    secrets::keep("the password at the other broker", PASSWORD);
    let mut other = TlsBroker::start(Clients::Anonymous, Newest::Tls13);
    let file = other.folder().join("passwords");
    let made = Command::new("mosquitto_passwd")
        .args(["-c", "-b"])
        .arg(&file)
        .args(["bridge", PASSWORD])
        .status()
        .expect("mosquitto_passwd starts");
    assert!(made.success());
    other
        .broker
        .configure(&format!("password_file {}", file.display()));
    other.broker.restart();
    other
}

/// A commissioning file with a connection of these properties and these endpoints.
fn commissioned(connection: &str, endpoints: &str) -> (TempDir, PathBuf) {
    service_file(&format!(
        "metadata: {{name: bridge}}\nresources:\n  server:\n    type: Cybus::Server::Http\n  other:\n    type: Cybus::Connection\n    \
         properties:\n      protocol: Mqtt\n      connectionStrategy: {{initialDelay: 50, maxDelay: 200}}\n      \
         connection:\n{connection}{endpoints}"
    ))
}

fn endpoint(name: &str, properties: &str) -> String {
    format!(
        "  {name}:\n    type: Cybus::Endpoint\n    properties:\n      protocol: Mqtt\n      connection: !ref other\n      {properties}\n"
    )
}

/// The properties of a connection by TLS with a login.
fn with_tls(other: &TlsBroker, password: &str) -> String {
    let authority: String = other
        .authority()
        .certificate()
        .lines()
        .map(|line| format!("          {line}\n"))
        .collect();
    format!(
        "        scheme: mqtts\n        host: 127.0.0.1\n        port: {}\n        username: bridge\n        password: {password}\n        \
         caCert: |\n{authority}",
        other.port()
    )
}

fn plain(other: &Mosquitto, more: &str) -> String {
    format!("        host: 127.0.0.1\n        port: {}\n{more}", other.port())
}

fn next(subscription: &mut Subscription) -> (String, Value) {
    wait::until("a message", wait::PATIENCE, || subscription.poll())
}

/// Writes until the other broker has the message, and returns the result.
fn write_when_connected(own: &Mosquitto, results: &mut Subscription, message: &str) -> Value {
    wait::until("a write succeeds", wait::PATIENCE, || {
        publish(own, "services/bridge/out/set", message, &[]);
        let (_, result) = next(results);
        result["error"].is_null().then_some(result)
    })
}

#[test]
fn messages_of_another_broker_come_as_they_are_or_through_rules() {
    let own = Mosquitto::start();
    let mut other = other_broker();
    let rules = "rules: [transform: {expression: '{\"from\": $context.topic, \"line\": $context.vars.line, \"v\": $}'}]";
    let endpoints = endpoint(
        "all",
        &format!("subscribe: {{topic: 'plant/+line/#', qos: 1}}\n      {rules}"),
    ) + &endpoint(
        "one",
        "topic: kept\n      qos: 1\n      retain: true\n      subscribe: {topic: plant/l1/state}",
    );
    let (_folder, service) = commissioned(&with_tls(&other, PASSWORD), &endpoints);
    let mut values = Subscription::start(&own, "services/bridge/#");
    let _agent = Agent::start(&service, own.port());
    other.broker.wait_for_log("plant/l1/state (QoS 0)");
    publish(&other.broker, "plant/l2/a/b", "[1.50]", &["-q", "1"]);
    assert_eq!(
        next(&mut values),
        (
            "services/bridge/all".to_owned(),
            json!({ "from": "plant/l2/a/b", "line": "l2", "v": [1.5] })
        )
    );
    let exact = r#"{"n": 12345678901234567890}"#;
    publish(&other.broker, "plant/l1/state", exact, &[]);
    let (first, second) = (next(&mut values), next(&mut values));
    let kept = [first, second]
        .into_iter()
        .find(|(topic, _)| topic == "services/bridge/kept");
    assert_eq!(
        kept.expect("both endpoints tell").1,
        serde_json::from_str::<Value>(exact).expect("JSON")
    );
    let log = own.log();
    assert!(
        log.contains("Received PUBLISH from test-agent (d0, q1, r1,"),
        "{log}"
    );
    assert!(other.broker.log().contains("u'bridge'"), "it logs in");
}

#[test]
fn what_is_written_reaches_the_other_broker_as_it_is_and_is_confirmed_with_its_id() {
    let mut own = Mosquitto::start();
    let other = other_broker();
    let (_folder, service) = commissioned(
        &with_tls(&other, PASSWORD),
        &endpoint("out", "write: {topic: orders/new, qos: 1, retain: true}"),
    );
    let mut written = Subscription::start(&other.broker, "orders/new");
    let mut results = Subscription::start(&own, "services/bridge/out/res");
    let _agent = Agent::start(&service, own.port());
    own.wait_for_log("services/bridge/out/set (QoS 0)");
    let message = r#"{"id":12345678901234567890,"amount":2}"#;
    let result = write_when_connected(&own, &mut results, message);
    assert_eq!(
        result["id"],
        serde_json::from_str::<Value>("12345678901234567890").expect("a number")
    );
    assert_eq!(result["result"], true, "{result}");
    assert!(result["timestamp"].is_u64(), "{result}");
    assert_eq!(
        next(&mut written).1,
        serde_json::from_str::<Value>(message).expect("JSON")
    );
    for payload in ["[{\"id\":1}]", "7", "\"text\""] {
        publish(&own, "services/bridge/out/set", payload, &[]);
        let (_, result) = next(&mut results);
        assert_eq!((&result["id"], &result["result"]), (&Value::Null, &json!(true)));
        assert_eq!(
            next(&mut written).1,
            serde_json::from_str::<Value>(payload).expect("JSON")
        );
    }
    let mut late = Subscription::start(&other.broker, "orders/new");
    assert_eq!(next(&mut late).1, "text", "the last one is kept there");
}

#[test]
fn while_the_other_broker_is_down_writes_fail_at_once_and_all_goes_on_when_it_is_back() {
    let mut own = Mosquitto::start();
    let mut other = Mosquitto::start();
    let endpoints =
        endpoint("out", "write: {topic: out, qos: 1}") + &endpoint("in", "subscribe: {topic: in}");
    let (_folder, service) = commissioned(&plain(&other, ""), &endpoints);
    let mut results = Subscription::start(&own, "services/bridge/out/res");
    let mut values = Subscription::start(&own, "services/bridge/in");
    let mut agent = Agent::start(&service, own.port());
    own.wait_for_log("services/bridge/out/set (QoS 0)");
    write_when_connected(&own, &mut results, r#"{"id":1}"#);
    other.kill();
    agent.wait_for_log_line(&["connection other of service bridge: broker", "connection"]);
    let begun = Instant::now();
    publish(&own, "services/bridge/out/set", r#"{"id":2}"#, &[]);
    let (_, error) = next(&mut results);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(error["id"], 2);
    let message = error["error"]["message"].as_str().expect("a message");
    assert!(
        message.starts_with(&format!("mqtt://127.0.0.1:{}", other.port())),
        "{message}"
    );
    let fares = |agent: &Agent| -> (Value, Value) {
        let (_, status, _) = process::output(&mut agent.beside(&["status", "--json"]));
        let status: Value = serde_json::from_str(&status).expect("JSON");
        let endpoints = status["endpoints"].as_array().expect("endpoints");
        let out = endpoints.iter().find(|endpoint| endpoint["resource"] == "out");
        (
            status["connections"][0].clone(),
            out.expect("it is told of").clone(),
        )
    };
    let (connection, out) = fares(&agent);
    assert_eq!(
        (&connection["connected"], &connection["connections"]),
        (&json!(false), &json!(1))
    );
    assert!(connection["lastEnd"].is_string(), "{connection}");
    assert_eq!(out["requests"], json!(2), "{out}");
    assert_eq!(
        (&out["answered"], &out["failures"]["unreachable"]),
        (&json!(1), &json!(1))
    );
    other.restart();
    other.wait_for_log("in (QoS 0)");
    write_when_connected(&own, &mut results, r#"{"id":3}"#);
    let (connection, out) = fares(&agent);
    assert_eq!(
        (&connection["connected"], &connection["connections"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(
        (&out["operation"], &out["connection"]),
        (&json!("write"), &json!("bridge::other"))
    );
    publish(&other, "in", "8", &[]);
    assert_eq!(next(&mut values).1, 8);
    // Each cause was told once, however many attempts there were.
    let log = agent.log();
    let refused = log
        .lines()
        .filter(|line| line.contains("connection refused"))
        .count();
    assert!(refused <= 1, "{log}");
}

#[test]
fn what_comes_while_the_agents_own_broker_is_away_is_published_when_it_is_back() {
    let mut own = Mosquitto::start();
    let mut other = Mosquitto::start();
    let (_folder, service) = commissioned(
        &plain(&other, ""),
        &endpoint(
            "in",
            "qos: 1\n      retain: true\n      subscribe: {topic: in, qos: 1}",
        ),
    );
    let mut agent = Agent::start(&service, own.port());
    other.wait_for_log("in (QoS 1)");
    agent.wait_for_log_line(&["connected to the broker", &own.port().to_string()]);
    own.kill();
    publish(&other, "in", "5", &["-q", "1"]);
    other.wait_for_log("Received PUBACK from test-agent-bridge-other");
    own.restart();
    let mut values = Subscription::start(&own, "services/bridge/in");
    assert_eq!(next(&mut values).1, 5);
}

#[test]
fn a_login_that_is_refused_is_told_once_with_its_cure_and_tried_again() {
    let mut own = Mosquitto::start();
    let other = other_broker();
    secrets::keep("a password that is wrong", "a-password-that-is-wrong");
    let (_folder, service) = commissioned(
        &with_tls(&other, "a-password-that-is-wrong"),
        &endpoint("out", "write: {topic: out}"),
    );
    let mut results = Subscription::start(&own, "services/bridge/out/res");
    let mut agent = Agent::start(&service, own.port());
    own.wait_for_log("services/bridge/out/set (QoS 0)");
    let cure = "check `username` and `password` of the connection";
    agent.wait_for_log_line(&["connection other of service bridge", cure]);
    wait::until("further attempts", wait::PATIENCE, || {
        let log = other.broker.log();
        (log.matches("not authorised").count() >= 5).then_some(())
    });
    let log = agent.log();
    assert_eq!(log.lines().filter(|line| line.contains(cure)).count(), 1, "{log}");
    publish(&own, "services/bridge/out/set", r#"{"id":"x"}"#, &[]);
    let (_, result) = next(&mut results);
    let message = result["error"]["message"].as_str().expect("a message");
    assert!(message.contains("refused the connection"), "{message}");
}

#[test]
fn a_certificate_of_somebody_else_is_told_with_the_property_to_mend() {
    let own = Mosquitto::start();
    let (other, strange) = (other_broker(), other_broker());
    let connection = with_tls(&other, PASSWORD).replace(
        &format!("port: {}\n", other.port()),
        &format!("port: {}\n", strange.port()),
    );
    let (_folder, service) = commissioned(&connection, &endpoint("in", "subscribe: {topic: in}"));
    let mut agent = Agent::start(&service, own.port());
    agent.wait_for_log_line(&[
        "connection other of service bridge",
        "no TLS connection",
        "`caCert`",
    ]);
}

#[test]
fn a_broker_that_wants_a_certificate_is_shown_the_one_of_the_file() {
    let own = Mosquitto::start();
    let mut other = TlsBroker::start(Clients::WithCertificate, Newest::Tls13);
    let shown = other
        .authority()
        .client("press-7", syncline_tests::certificates::Lifetime::Now);
    let block = |key: &str, pem: &str| {
        let lines: String = pem.lines().map(|line| format!("          {line}\n")).collect();
        format!("        {key}: |\n{lines}")
    };
    let connection = format!(
        "        url: mqtts://127.0.0.1:{}\n        mutualAuthentication: true\n{}{}{}",
        other.port(),
        block("caCert", other.authority().certificate()),
        block("clientCert", &shown.certificate),
        block("clientPrivateKey", &shown.key)
    );
    let (_folder, service) = commissioned(&connection, &endpoint("in", "subscribe: {topic: in}"));
    let mut values = Subscription::start(&own, "services/bridge/in");
    let agent = Agent::start(&service, own.port());
    other.broker.wait_for_log("in (QoS 0)");
    assert!(
        other.broker.log().contains("u'press-7'"),
        "{}",
        other.broker.log()
    );
    publish(&other.broker, "in", "1", &[]);
    assert_eq!(next(&mut values).1, 1);
    let (code, checked, _) = process::output(&mut agent.beside(&["check", &service.to_string_lossy()]));
    assert_eq!(code, 0);
    assert!(
        checked.contains(&format!("mqtts://127.0.0.1:{} in", other.port())),
        "{checked}"
    );
}

#[test]
fn with_a_session_that_is_kept_nothing_is_lost_while_the_agent_is_away() {
    let own = Mosquitto::start();
    let mut other = Mosquitto::start();
    let (_folder, service) = commissioned(
        &plain(
            &other,
            "        cleanSession: false\n        will: {topic: gone, payload: '\"bye\"'}\n",
        ),
        &endpoint("in", "qos: 1\n      subscribe: {topic: in, qos: 1}"),
    );
    let mut values = Subscription::start(&own, "services/bridge/in");
    let mut wills = Subscription::start(&other, "gone");
    let mut agent = Agent::start(&service, own.port());
    other.wait_for_log("in (QoS 1)");
    publish(&other, "in", "1", &["-q", "1"]);
    assert_eq!(next(&mut values).1, 1);
    agent.terminate();
    assert_eq!(agent.exit_code(), 143);
    publish(&other, "in", "2", &["-q", "1"]);
    let agent = agent.restart();
    assert_eq!(next(&mut values).1, 2);
    assert!(
        other
            .log()
            .contains("Received DISCONNECT from test-agent-bridge-other")
    );
    assert!(wills.poll().is_none(), "it had said goodbye");
    // What was not acknowledged would come again.
    other.wait_for_log("Received PUBACK from test-agent-bridge-other (Mid: 2");
    // It ends as by a power cut now, and begins again.
    let _agent = agent.restart();
    assert_eq!(next(&mut wills).1, "bye");
    publish(&other, "in", "3", &["-q", "1"]);
    assert_eq!(next(&mut values).1, 3);
}

#[test]
fn a_client_that_takes_the_identifier_is_not_thrown_out_over_and_over() {
    const SESSION_TAKEN_OVER: [u8; 4] = [0xE0, 0x02, 0x8E, 0x00];
    let own = Mosquitto::start();
    // Mosquitto 2.0 only closes.
    let other = FakeBroker::start();
    let connection = format!("        host: 127.0.0.1\n        port: {}\n", other.port());
    let (_folder, service) = commissioned(&connection, &endpoint("in", "subscribe: {topic: in}"));
    let mut agent = Agent::start(&service, own.port());
    let mut peer = other.accept();
    peer.expect(packet_type::CONNECT);
    peer.send(&CONNACK);
    peer.expect(packet_type::SUBSCRIBE);
    peer.send(&SESSION_TAKEN_OVER);
    agent.wait_for_log_line(&[
        "ERROR",
        "connection other of service bridge",
        "another client uses",
        "trying again in 60 s",
    ]);
    assert!(agent.is_running());
}

#[test]
fn two_clients_of_one_identifier_are_told_of_where_the_broker_only_closes() {
    let own = Mosquitto::start();
    let other = Mosquitto::start();
    let (_folder, service) = commissioned(
        &plain(&other, "        clientId: bridge-7\n"),
        &endpoint("in", "subscribe: {topic: in}"),
    );
    let mut agent = Agent::start(&service, own.port());
    for times in 1..=3 {
        wait::until("the agent subscribes", wait::PATIENCE, || {
            (other.log().matches("in (QoS 0)").count() == times).then_some(())
        });
        publish(&other, "elsewhere", "1", &["-i", "bridge-7"]);
    }
    agent.wait_for_log_line(&[
        "connection other of service bridge",
        "several connections",
        "`clientId`",
    ]);
}

#[test]
fn metrics_and_the_status_page_tell_of_connections_and_endpoints() {
    let mut own = Mosquitto::start();
    let mut other = Mosquitto::start();
    let (_folder, service) = commissioned(
        &plain(&other, ""),
        &(endpoint("out", "write: {topic: out}") + &endpoint("in", "subscribe: {topic: in}")),
    );
    let mut results = Subscription::start(&own, "services/bridge/#");
    let address = format!("127.0.0.1:{}", syncline_tests::port::free());
    let variables = [("SYNCLINE_ADMIN_LISTEN", address.as_str())];
    let _agent = Agent::start_with(&service, own.port(), &variables);
    own.wait_for_log("services/bridge/out/set (QoS 0)");
    other.wait_for_log("in (QoS 0)");
    publish(&own, "services/bridge/out/set", "1", &[]);
    publish(&other, "in", "1", &[]);
    // What is set, its result, and what the other broker has brought.
    for _ in 0..3 {
        next(&mut results);
    }
    let labels = "service=\"bridge\",endpoint=\"out\",operation=\"write\"";
    let lines = [
        "syncline_connection_up{service=\"bridge\",connection=\"other\",protocol=\"Mqtt\"} 1".to_owned(),
        "syncline_connection_established_total{service=\"bridge\",connection=\"other\",protocol=\"Mqtt\"} 1"
            .to_owned(),
        format!("syncline_endpoint_requests_total{{{labels},outcome=\"answered\"}} 1"),
        format!("syncline_endpoint_requests_total{{{labels},outcome=\"too_long\"}} 0"),
        format!("syncline_endpoint_messages_total{{{labels},outcome=\"published\"}} 1"),
    ];
    wait::until("all is counted", wait::PATIENCE, || {
        let metrics = curl::ask(&format!("http://{address}/metrics"), &[]).body;
        lines.iter().all(|line| metrics.contains(line)).then_some(())
    });
    let page = curl::ask(&format!("http://{address}/"), &[]).body;
    assert!(
        page.contains("write out<td>1 requests, 1 answered") && page.contains(">connected"),
        "{page}"
    );
}

#[test]
fn example_7_takes_values_from_another_broker_and_brings_set_points_to_it() {
    let mut own = Mosquitto::start();
    let mut other = Mosquitto::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = agent::run(&agent::example("7-other-broker.yml"), folder.path());
    command
        .args(["--set", &format!("plantPort={}", other.port())])
        .env("CYBUS_MQTT_PORT", own.port().to_string());
    let mut told = Subscription::start(&own, "services/example7/#");
    let mut points = Subscription::start(&other, "line/7/setpoint");
    let _agent = Process::start(&command, &folder.path().join("agent.log"));
    own.wait_for_log("services/example7/setpoint/set (QoS 0)");
    other.wait_for_log("line/+/temperature (QoS 1)");
    publish(&other, "line/7/temperature", "21.5", &[]);
    assert_eq!(
        next(&mut told),
        (
            "services/example7/temperatures".to_owned(),
            json!({ "line": "7", "celsius": 21.5 })
        )
    );
    let point = json!({ "id": 1, "celsius": 22 });
    publish(&own, "services/example7/setpoint/set", &point.to_string(), &[]);
    assert_eq!(next(&mut points).1, point);
    assert_eq!(next(&mut told).1, point);
    let (topic, result) = next(&mut told);
    assert_eq!(topic, "services/example7/setpoint/res");
    assert_eq!((&result["id"], &result["result"]), (&json!(1), &json!(true)));
}
