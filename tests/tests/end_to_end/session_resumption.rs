//! The core's session against real brokers: cut in the middle of an exchange, and resumed.

use syncline_core::codec::{DecodeError, DecodeErrorKind, Packet, PacketType, QoS, Version};
use syncline_core::session::{Completion, Disconnect, DisconnectReason, Publication};
use syncline_tests::real_broker::{Kind, RealBroker, with_every_broker};
use syncline_tests::session_client::{SessionClient, configuration, topic};

/// A subscriber of everything below `exchange/`.
fn receiver(broker: &RealBroker, version: Version) -> SessionClient {
    let mut receiver = SessionClient::connected(configuration("receiver", version), broker.address());
    receiver.subscribe_to("exchange/#");
    receiver
}

fn sender(broker: &RealBroker, version: Version) -> SessionClient {
    SessionClient::connected(configuration("sender", version), broker.address())
}

fn publication(payload: &'static str, qos: QoS) -> Publication {
    Publication::new(topic("exchange/one"), payload).qos(qos)
}

/// What of the exchange was sent on the latest connection: `PUBLISH`, with a `+` for DUP, and `PUBREL`.
fn exchange(client: &SessionClient) -> Vec<&'static str> {
    let mut packets = Vec::new();
    client.for_each_sent(|_, packet| match packet {
        Packet::Publish(publish) if publish.dup => packets.push("PUBLISH+"),
        Packet::Publish(_) => packets.push("PUBLISH"),
        Packet::Pubrel(_) => packets.push("PUBREL"),
        _ => {}
    });
    packets
}

/// Reconnects a client that was cut, and makes sure that the server has kept its Session.
fn resume(client: &mut SessionClient) {
    let before = client.connections.len();
    let connected = client.until("the connection is made again", |client| {
        client.connections.get(before).cloned()
    });
    assert!(connected.session_present, "the server has kept the Session");
}

/// The payloads that have come once a last message has, which is sent behind all others.
fn payloads_until_last(receiver: &mut SessionClient, sender: &mut SessionClient) -> Vec<String> {
    sender.publish(publication("last", QoS::ExactlyOnce));
    receiver.until("the last message comes", |receiver| {
        let last = receiver.messages.last()?;
        (last.payload() == b"last").then_some(())
    });
    let text = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
    receiver
        .messages
        .iter()
        .map(|message| text(message.payload()))
        .collect()
}

#[test]
fn a_qos_1_message_cut_before_its_puback_is_sent_again_with_dup() {
    with_every_broker(|broker, version| {
        let (mut receiver, mut sender) = (receiver(broker, version), sender(broker, version));
        let op = sender.submit(publication("one", QoS::AtLeastOnce));
        sender.write();
        sender.await_unread();
        sender.cut();
        assert_eq!(exchange(&sender), ["PUBLISH"]);

        resume(&mut sender);
        assert!(matches!(sender.completion(op), Completion::Published { .. }));
        assert_eq!(exchange(&sender), ["PUBLISH+"]);
        let payloads = payloads_until_last(&mut receiver, &mut sender);
        // At least once is what QoS 1 promises: here the server had it both times.
        assert_eq!(payloads, ["one", "one", "last"]);
    });
}

#[test]
fn a_qos_2_message_cut_before_its_pubrec_is_sent_again_and_delivered_once() {
    with_every_broker(|broker, version| {
        let (mut receiver, mut sender) = (receiver(broker, version), sender(broker, version));
        let op = sender.submit(publication("one", QoS::ExactlyOnce));
        sender.write();
        sender.await_unread();
        sender.cut();
        assert_eq!(exchange(&sender), ["PUBLISH"]);

        resume(&mut sender);
        assert!(matches!(sender.completion(op), Completion::Published { .. }));
        assert_eq!(exchange(&sender), ["PUBLISH+", "PUBREL"]);
        assert_eq!(payloads_until_last(&mut receiver, &mut sender), ["one", "last"]);
    });
}

#[test]
fn a_qos_2_message_cut_before_its_pubcomp_is_released_again_and_delivered_once() {
    with_every_broker(|broker, version| {
        let (mut receiver, mut sender) = (receiver(broker, version), sender(broker, version));
        let op = sender.submit(publication("one", QoS::ExactlyOnce));
        sender.write();
        sender.await_unread();
        sender.read();
        sender.write();
        assert_eq!(exchange(&sender), ["PUBLISH", "PUBREL"]);
        sender.await_unread();
        sender.cut();

        resume(&mut sender);
        if (broker.kind(), version) == (Kind::Embedded, Version::V3_1_1) {
            // It has forgotten the exchange by now, and answers with the PUBCOMP of 5.0, Reason Code 0x92 and all.
            let ended = sender.until("the answer is refused", |sender| {
                sender.disconnections.get(1).map(|ended| ended.reason)
            });
            let trailing = |error: DecodeError| {
                (error.packet, error.kind) == (Some(PacketType::Pubcomp), DecodeErrorKind::TrailingBytes)
            };
            assert!(
                matches!(ended, DisconnectReason::Malformed(error) if trailing(error)),
                "{ended:?}"
            );
            return;
        }
        assert!(matches!(sender.completion(op), Completion::Published { .. }));
        assert_eq!(exchange(&sender), ["PUBREL"]);
        assert_eq!(payloads_until_last(&mut receiver, &mut sender), ["one", "last"]);
    });
}

#[test]
fn a_received_qos_2_message_cut_before_its_pubrec_is_handed_out_once() {
    with_every_broker(|broker, version| {
        let (mut receiver, mut sender) = (receiver(broker, version), sender(broker, version));
        sender.publish(publication("one", QoS::ExactlyOnce));
        receiver.await_unread();
        // Handed out, and the PUBREC that answers it never leaves.
        receiver.read();
        receiver.drain();
        assert_eq!(receiver.messages.len(), 1);
        receiver.cut();

        resume(&mut receiver);
        assert_eq!(payloads_until_last(&mut receiver, &mut sender), ["one", "last"]);
    });
}

#[test]
fn a_received_qos_2_message_cut_before_its_pubcomp_is_handed_out_once() {
    with_every_broker(|broker, version| {
        let (mut receiver, mut sender) = (receiver(broker, version), sender(broker, version));
        sender.publish(publication("one", QoS::ExactlyOnce));
        receiver.await_unread();
        receiver.read();
        receiver.write();
        assert_eq!(receiver.messages.len(), 1);
        // The PUBREL is there, and nobody reads it.
        receiver.await_unread();
        receiver.cut();

        resume(&mut receiver);
        assert_eq!(payloads_until_last(&mut receiver, &mut sender), ["one", "last"]);
    });
}

#[test]
fn messages_that_come_while_the_client_is_away_are_delivered_when_it_is_back() {
    with_every_broker(|broker, version| {
        let (mut receiver, mut sender) = (receiver(broker, version), sender(broker, version));
        receiver.cut();
        for payload in ["one", "two", "three"] {
            sender.publish(publication(payload, QoS::AtLeastOnce));
        }
        resume(&mut receiver);
        let payloads = payloads_until_last(&mut receiver, &mut sender);
        assert_eq!(payloads, ["one", "two", "three", "last"]);
    });
}

#[test]
fn messages_submitted_while_offline_leave_in_order_with_the_next_connection() {
    with_every_broker(|broker, version| {
        let (mut receiver, mut sender) = (receiver(broker, version), sender(broker, version));
        sender.cut();
        let ops =
            ["one", "two", "three"].map(|payload| sender.submit(publication(payload, QoS::ExactlyOnce)));
        assert_eq!(sender.session().queued(), 3);
        resume(&mut sender);
        for op in ops {
            assert!(matches!(sender.completion(op), Completion::Published { .. }));
        }
        let payloads = payloads_until_last(&mut receiver, &mut sender);
        assert_eq!(payloads, ["one", "two", "three", "last"]);
    });
}

#[test]
fn the_server_keeps_the_session_for_as_long_as_the_client_asked() {
    // Says in a Session of its own life, which 3.1.1 lets it begin, whether the server has one of that name.
    let has_session = |broker: &RealBroker, name: &str| {
        let config = configuration(name, Version::V3_1_1);
        SessionClient::connected(config, broker.address()).connections[0].session_present
    };
    with_every_broker(|broker, version| {
        let client = |name: &str, session_expiry: u32| {
            let mut config = configuration(name, version);
            config.session_expiry = session_expiry;
            let mut client = SessionClient::connected(config, broker.address());
            client.subscribe_to("a");
            client
        };
        client("kept", 3600).disconnect(Disconnect::default());
        assert!(has_session(broker, "kept"));
        client("short", 0).disconnect(Disconnect::default());
        assert!(!has_session(broker, "short"));
        if version == Version::V5 {
            client("ended", 3600).disconnect(Disconnect {
                session_expiry: Some(0),
                ..Disconnect::default()
            });
            assert!(!has_session(broker, "ended"), "DISCONNECT has ended the Session");
        }
    });
}
