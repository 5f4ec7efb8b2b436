//! TLS to the broker: who is believed, who is not, and what the operator is told then.

use serde_json::json;
use syncline_tests::agent::{Agent, example};
use syncline_tests::certificates::{Authority, Lifetime};
use syncline_tests::curl;
use syncline_tests::mosquitto::Mosquitto;
use syncline_tests::responder::{Answer, Responder};
use syncline_tests::tls_broker::{Clients, Newest, TlsBroker};

const PATH: &str = "/data/flowsync/example1";
const BASE: &str = "services/example1/exampleNode";

/// An agent that speaks TLS on that port, with further variables.
fn agent(port: u16, variables: &[(&str, &str)]) -> Agent {
    let all = [&[("CYBUS_MQTT_SCHEME", "mqtts")], variables].concat();
    Agent::start_with(&example("1-transaction.yml"), port, &all)
}

/// A request must be answered through the broker.
fn is_answered(broker: &TlsBroker, agent: &Agent) {
    let _responder = Responder::start(&broker.broker, BASE, |_| Answer::Value(json!("here")));
    assert_eq!(
        agent.ask_when_ready(PATH, &[]).json(),
        json!("here"),
        "{}",
        agent.log()
    );
}

/// The agent must say each of `words` in one line of its log, live on, and answer 503.
fn is_refused(agent: &mut Agent, words: &[&str]) {
    agent.wait_for_log_line(words);
    assert!(agent.is_running());
    assert_eq!(curl::ask(&agent.url(PATH), &[]).status, 503);
}

fn speaks(newest: Newest, version: &str) {
    let broker = TlsBroker::start(Clients::Anonymous, newest);
    let ca = broker.ca().to_str().expect("a path in UTF-8");
    let mut agent = agent(broker.port(), &[("CA", ca), ("CYBUS_LOG_LEVEL", "debug")]);
    is_answered(&broker, &agent);
    agent.wait_for_log_line(&["TLS established", version]);
}

#[test]
fn request_is_answered_over_tls_1_3() {
    speaks(Newest::Tls13, "TLSv1_3");
}

#[test]
fn request_is_answered_over_tls_1_2() {
    speaks(Newest::Tls12, "TLSv1_2");
}

#[test]
fn authority_that_the_system_knows_needs_no_file() {
    let broker = TlsBroker::start(Clients::Anonymous, Newest::Tls13);
    let ca = broker.ca().to_str().expect("a path in UTF-8");
    let agent = agent(broker.port(), &[("SSL_CERT_FILE", ca)]);
    is_answered(&broker, &agent);
}

#[test]
fn broker_of_another_authority_is_refused_by_the_name_of_both() {
    let broker = TlsBroker::start(Clients::Anonymous, Newest::Tls13);
    let other = broker.folder().join("other.pem");
    std::fs::write(&other, Authority::new("Other Authority").certificate()).expect("a writable folder");
    let other = other.to_str().expect("a path in UTF-8");
    is_refused(
        &mut agent(broker.port(), &[("CA", other)]),
        &["CN=broker", "issued by CN=Plant Authority", other, "CA names"],
    );
}

#[test]
fn authority_that_was_made_anew_under_the_same_name_is_told_apart() {
    let broker = TlsBroker::start(Clients::Anonymous, Newest::Tls13);
    let other = broker.folder().join("other.pem");
    std::fs::write(&other, Authority::new("Plant Authority").certificate()).expect("a writable folder");
    let other = other.to_str().expect("a path in UTF-8");
    is_refused(
        &mut agent(broker.port(), &[("CA", other)]),
        &["issued by CN=Plant Authority", other, "another key"],
    );
}

#[test]
fn broker_that_the_system_does_not_know_is_refused_with_the_variable_to_set() {
    let broker = TlsBroker::start(Clients::Anonymous, Newest::Tls13);
    let other = broker.folder().join("other.pem");
    std::fs::write(&other, Authority::new("Other Authority").certificate()).expect("a writable folder");
    let other = other.to_str().expect("a path in UTF-8");
    is_refused(
        &mut agent(broker.port(), &[("SSL_CERT_FILE", other)]),
        &["issued by CN=Plant Authority", "set CA to a file"],
    );
}

#[test]
fn certificate_for_another_host_is_refused_with_the_names_that_it_is_for() {
    let broker = TlsBroker::start_as(Clients::Anonymous, Newest::Tls13, |authority| {
        authority.server(&["broker.example", "10.1.2.3"], Lifetime::Now)
    });
    let ca = broker.ca().to_str().expect("a path in UTF-8");
    is_refused(
        &mut agent(broker.port(), &[("CA", ca)]),
        &[
            "is for broker.example, 10.1.2.3, not for 127.0.0.1",
            "CYBUS_MQTT_HOST",
        ],
    );
}

#[test]
fn certificate_without_names_is_refused_with_what_it_lacks() {
    let broker = TlsBroker::start_as(Clients::Anonymous, Newest::Tls13, |authority| {
        authority.server(&[], Lifetime::Now)
    });
    let ca = broker.ca().to_str().expect("a path in UTF-8");
    is_refused(
        &mut agent(broker.port(), &[("CA", ca)]),
        &["names no host", "subjectAltName"],
    );
}

#[test]
fn certificates_outside_of_their_time_are_refused_with_it() {
    for (lifetime, words) in [
        (Lifetime::Past, ["expired on 2020-01-01 00:00:00 UTC", "renewed"]),
        (
            Lifetime::Future,
            ["not valid before 2100-01-01 00:00:00 UTC", "clock"],
        ),
    ] {
        let broker = TlsBroker::start_as(Clients::Anonymous, Newest::Tls13, |authority| {
            authority.server(&["127.0.0.1"], lifetime)
        });
        let ca = broker.ca().to_str().expect("a path in UTF-8");
        is_refused(&mut agent(broker.port(), &[("CA", ca)]), &words);
    }
}

#[test]
fn trusting_all_believes_anyone_and_says_so() {
    let broker = TlsBroker::start_as(Clients::Anonymous, Newest::Tls13, |_| {
        Authority::new("Somebody").server(&["elsewhere"], Lifetime::Past)
    });
    let agent = agent(broker.port(), &[("TRUST_ALL_CERTS", "true")]);
    is_answered(&broker, &agent);
    assert!(agent.log().contains("NO SERVER IS VERIFIED"), "{}", agent.log());
}

#[test]
fn port_without_tls_is_told_from_one_with() {
    let broker = Mosquitto::start();
    is_refused(
        &mut agent(broker.port(), &[]),
        &[
            "may not speak TLS on this port",
            "CYBUS_MQTT_PORT",
            "8883",
            "CYBUS_MQTT_SCHEME=mqtt",
        ],
    );
}

#[test]
fn broker_that_goes_and_comes_back_is_believed_again() {
    let mut broker = TlsBroker::start(Clients::Anonymous, Newest::Tls13);
    let ca = broker.ca().to_str().expect("a path in UTF-8").to_owned();
    let agent = agent(broker.port(), &[("CA", &ca)]);
    is_answered(&broker, &agent);
    broker.broker.restart();
    is_answered(&broker, &agent);
}
