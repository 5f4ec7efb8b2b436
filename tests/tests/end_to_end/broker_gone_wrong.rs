//! A broker that breaks the protocol: the agent names the rule by its Reason Code, closes, and lives on.

use syncline_tests::agent::{Agent, example};
use syncline_tests::curl;
use syncline_tests::fake_broker::{CONNACK, FakeBroker, packet_type};

const MALFORMED_PACKET: u8 = 0x81;
const PROTOCOL_ERROR: u8 = 0x82;

/// After a proper handshake of MQTT 5.0 the broker sends `bytes`: the agent must say `reason`, close and come back.
fn answers_with(bytes: &[u8], reason: u8) {
    let broker = FakeBroker::start();
    let variables = [("SYNCLINE_MQTT_VERSION", "5")];
    let mut agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);

    let mut peer = broker.accept();
    peer.expect(packet_type::CONNECT);
    peer.send(&CONNACK);
    peer.expect(packet_type::SUBSCRIBE);
    peer.send(bytes);
    let disconnect = peer.expect(packet_type::DISCONNECT);
    assert_eq!(
        disconnect.get(2).copied(),
        Some(reason),
        "DISCONNECT {disconnect:02x?}"
    );
    assert_eq!(
        peer.next_packet(),
        None,
        "the connection is closed after DISCONNECT"
    );

    let mut peer = broker.accept();
    peer.expect(packet_type::CONNECT);
    assert!(agent.is_running());
    assert_eq!(curl::ask(&agent.url("/data/flowsync/example1"), &[]).status, 503);
    assert!(!agent.log().contains("panicked"), "{}", agent.log());
}

#[test]
fn reserved_packet_type_is_malformed() {
    answers_with(&[0x00, 0x00], MALFORMED_PACKET);
}

#[test]
fn publish_of_qos_3_is_malformed() {
    answers_with(
        &[0x36, 0x06, 0x00, 0x01, b'a', 0x00, 0x01, 0x00],
        MALFORMED_PACKET,
    );
}

#[test]
fn length_of_five_bytes_is_malformed() {
    answers_with(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], MALFORMED_PACKET);
}

#[test]
fn topic_that_is_not_utf_8_is_malformed() {
    answers_with(&[0x30, 0x05, 0x00, 0x02, 0xC3, 0x28, 0x00], MALFORMED_PACKET);
}

#[test]
fn property_given_twice_is_a_protocol_error() {
    let expiry = [0x02, 0x00, 0x00, 0x00, 0x01];
    let publish = [&[0x30, 0x0E, 0x00, 0x01, b'a', 0x0A], &expiry[..], &expiry[..]].concat();
    answers_with(&publish, PROTOCOL_ERROR);
}

#[test]
fn second_connack_is_a_protocol_error() {
    answers_with(&CONNACK, PROTOCOL_ERROR);
}

#[test]
fn packet_that_only_clients_send_is_a_protocol_error() {
    answers_with(&[0xC0, 0x00], PROTOCOL_ERROR);
}

#[test]
fn a_request_before_the_subscription_is_confirmed_is_told_so_and_not_of_a_broker_out_of_reach() {
    let broker = FakeBroker::start();
    let variables = [("SYNCLINE_MQTT_VERSION", "5")];
    let mut agent = Agent::start_with(&example("1-transaction.yml"), broker.port(), &variables);
    let ask = |agent: &Agent| curl::ask(&agent.url("/data/flowsync/example1"), &[]);
    let mut peer = broker.accept();
    peer.expect(packet_type::CONNECT);
    let before = ask(&agent);
    assert!(
        before.status == 503 && before.body.contains("cannot be reached"),
        "{before:?}"
    );
    peer.send(&CONNACK);
    peer.expect(packet_type::SUBSCRIBE);
    agent.wait_for_log_line(&["connected to the broker"]);
    let after = ask(&agent);
    assert!(
        after.status == 503 && after.body.contains("not confirmed this node's subscription"),
        "{after:?}"
    );
}

#[test]
fn an_agent_that_stops_before_there_ever_was_a_connection_tells_of_no_connection_that_ended() {
    let port = syncline_tests::port::free();
    let mut agent = Agent::start(&example("1-transaction.yml"), port);
    agent.wait_for_log_line(&["WARN", &format!("127.0.0.1:{port} unreachable")]);
    agent.terminate();
    assert_eq!(agent.exit_code(), 128 + 15, "as a program that SIGTERM ends");
    let log = agent.log();
    assert!(
        log.contains(&format!(
            "no more attempts to reach the broker at 127.0.0.1:{port}"
        )),
        "{log}"
    );
    assert!(
        log.contains("stopping: no requests are held") && !log.contains("disconnected from the broker"),
        "{log}"
    );
}
