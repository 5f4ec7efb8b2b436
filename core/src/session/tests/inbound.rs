//! What is received: delivery, acknowledgement, and the rules that a server must keep.

use super::*;
use crate::codec::{Auth, SubscribeOptions};

#[test]
fn a_message_is_acknowledged_by_its_quality_of_service() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        bench.deliver(QoS::AtMostOnce, 0, false);
        assert_eq!(bench.written(), "");
        bench.deliver(QoS::AtLeastOnce, 5, false);
        assert_eq!(bench.written(), "PUBACK #5");
        bench.deliver(QoS::ExactlyOnce, 6, false);
        assert_eq!(bench.written(), "PUBREC #6");
        bench.ack(Packet::Pubrel, 6);
        assert_eq!(bench.written(), "PUBCOMP #6");
        assert_eq!(bench.messages(), 3);
    }
}

#[test]
fn a_message_shows_every_part_of_its_packet() {
    let mut bench = Bench::established(Version::V5);
    let properties = buf(&[
        Property::ContentType("text/plain"),
        Property::SubscriptionIdentifier(1),
        Property::SubscriptionIdentifier(268_435_455),
        Property::SubscriptionIdentifier(3),
    ]);
    bench.receive(&Packet::Publish(Publish {
        dup: true,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: "a/b",
        packet_id: Some(id(1)),
        properties: properties.as_properties(),
        payload: b"payload",
    }));
    let outputs = bench.take();
    let [Output::Message(message)] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!((message.topic(), message.payload()), ("a/b", &b"payload"[..]));
    assert_eq!(
        (message.qos(), message.retain(), message.dup()),
        (QoS::AtLeastOnce, true, true)
    );
    assert_eq!(message.properties(), properties.as_properties());
    assert_eq!(message.payload_bytes(), "payload");
    assert_eq!(message.ack_token(), None);
    assert!(!alloc::format!("{message:?}").contains("payload\""));
}

#[test]
fn a_qos_2_message_is_delivered_once_across_reconnects() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        bench.deliver(QoS::ExactlyOnce, 6, false);
        assert_eq!(bench.messages(), 1);
        bench.cut();
        bench.finish_connect(true, &[]);
        bench.deliver(QoS::ExactlyOnce, 6, true);
        assert_eq!(bench.written(), "PUBREC #6");
        assert_eq!(bench.messages(), 0);
        bench.ack(Packet::Pubrel, 6);
        assert_eq!(bench.written(), "PUBCOMP #6");
        bench.deliver(QoS::ExactlyOnce, 6, false);
        assert_eq!(
            bench.messages(),
            1,
            "after its release the identifier names a new message"
        );
    }
}

#[test]
fn an_unknown_pubrel_is_completed_and_never_ends_the_connection() {
    for (version, expected) in [(Version::V3_1_1, "PUBCOMP #6"), (Version::V5, "PUBCOMP #6 0x92")] {
        let mut bench = Bench::established(version);
        bench.ack(Packet::Pubrel, 6);
        assert_eq!(bench.written(), expected);
        assert!(bench.session.is_established());
    }
}

#[test]
fn a_pubrec_for_an_unknown_identifier_is_released() {
    for (version, expected) in [(Version::V3_1_1, "PUBREL #6"), (Version::V5, "PUBREL #6 0x92")] {
        let mut bench = Bench::established(version);
        bench.ack(Packet::Pubrec, 6);
        assert_eq!(bench.written(), expected);
    }
}

#[test]
fn manual_acknowledgements_reach_the_wire_in_the_order_of_receipt() {
    let mut bench = Bench::established_with(Version::V5, |config| config.acks = AckMode::Manual);
    for (qos, packet_id) in [
        (QoS::AtLeastOnce, 1),
        (QoS::ExactlyOnce, 2),
        (QoS::AtLeastOnce, 3),
    ] {
        bench.deliver(qos, packet_id, false);
    }
    let tokens = bench.tokens();
    bench.session.acknowledge(tokens[2]).unwrap();
    assert_eq!(bench.written(), "");
    bench.session.acknowledge(tokens[0]).unwrap();
    assert_eq!(bench.written(), "PUBACK #1");
    assert_eq!(bench.session.acknowledge(tokens[0]), Err(SubmitError::StaleToken));
    bench.session.acknowledge(tokens[1]).unwrap();
    assert_eq!(bench.written(), "PUBREC #2; PUBACK #3");
}

#[test]
fn a_token_of_an_older_connection_is_inert_and_its_message_comes_again() {
    let mut bench = Bench::established_with(Version::V5, |config| config.acks = AckMode::Manual);
    bench.deliver(QoS::ExactlyOnce, 2, false);
    let outputs = bench.take();
    let [Output::Message(first)] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    bench.cut();
    bench.finish_connect(true, &[]);
    assert_eq!(
        bench.session.acknowledge(first.ack_token().unwrap()),
        Err(SubmitError::StaleToken)
    );
    bench.deliver(QoS::ExactlyOnce, 2, true);
    let outputs = bench.take();
    let [Output::Message(again)] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    bench.session.acknowledge(again.ack_token().unwrap()).unwrap();
    assert_eq!(bench.written(), "PUBREC #2");
}

/// Gives a fresh session these bytes and returns what it answers and reports.
fn punish(version: Version, bytes: &[u8]) -> (String, DisconnectReason) {
    let mut bench = Bench::established(version);
    bench.receive_bytes(bytes);
    let answer = bench.written();
    let outputs = bench.take();
    assert!(outputs.contains(&Output::CloseTransport), "{outputs:?}");
    assert!(!bench.session.is_established());
    (answer, disconnected(&outputs).reason)
}

#[test]
fn packets_that_only_a_client_may_send_are_protocol_errors() {
    let mut filter_buf = crate::codec::FilterBuf::new();
    filter_buf
        .push(
            &TopicFilter::from_static("a").unwrap(),
            SubscribeOptions::default(),
        )
        .unwrap();
    for version in BOTH {
        let subscribe = crate::codec::Subscribe {
            packet_id: id(1),
            properties: Properties::EMPTY,
            filters: filter_buf.as_filters(),
        };
        let connack = Connack {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        };
        for packet in [
            Packet::Pingreq,
            Packet::Subscribe(subscribe),
            Packet::Connack(connack),
        ] {
            let mut bytes = Vec::new();
            packet.encode(version, &mut bytes).unwrap();
            let (answer, reason) = punish(version, &bytes);
            assert_eq!(
                answer,
                if version == Version::V5 {
                    "DISCONNECT 0x82"
                } else {
                    ""
                }
            );
            assert!(matches!(reason, DisconnectReason::Violation(_)), "{reason:?}");
        }
    }
}

#[test]
fn malformed_packets_are_answered_with_their_reason_and_close() {
    let cases: [(&[u8], &str); 6] = [
        (&[0x00, 0x00], "DISCONNECT 0x81"),
        (&[0x36, 0x00], "DISCONNECT 0x81"),
        (&[0xd0, 0x80, 0x00], "DISCONNECT 0x81"),
        (&[0x30, 0xff, 0xff, 0xff, 0x7f], "DISCONNECT 0x95"),
        (&[0x30, 0x04, 0x00, 0x01, b'#', 0x00], "DISCONNECT 0x90"),
        (&[0x30, 0x04, 0x00, 0x05, b'a', 0x00], "DISCONNECT 0x81"),
    ];
    for (bytes, expected) in cases {
        let (answer, reason) = punish(Version::V5, bytes);
        assert_eq!(answer, expected, "{bytes:02x?}: {reason}");
        assert!(matches!(reason, DisconnectReason::Malformed(_)));
    }
    assert_eq!(punish(Version::V3_1_1, &[0x00, 0x00]).0, "");
}

#[test]
fn packets_that_only_clients_send_are_refused_before_their_body() {
    let before_body: [&[u8]; 4] = [&[0x10, 0x7f], &[0x82, 0x7f], &[0xa2, 0x7f], &[0xc0, 0x00]];
    for bytes in before_body {
        let (answer, reason) = punish(Version::V5, bytes);
        assert_eq!(answer, "DISCONNECT 0x82", "{bytes:02x?}: {reason}");
    }
    // A CONNECT of an unknown protocol would be answered with 0x84 by a server, which DISCONNECT does not know.
    let (answer, _) = punish(Version::V5, &[0x10, 0x03, 0x00, 0x01, 0x02]);
    assert_eq!(answer, "DISCONNECT 0x82");
}

#[test]
fn messages_beyond_the_receive_maximum_are_handed_out_and_acknowledged_in_order() {
    for (version, qos) in [Version::V3_1_1, Version::V5]
        .into_iter()
        .flat_map(|version| [(version, QoS::AtLeastOnce), (version, QoS::ExactlyOnce)])
    {
        let mut bench = Bench::established_with(version, |config| {
            config.acks = AckMode::Manual;
            config.receive_maximum = core::num::NonZeroU16::MIN;
        });
        for packet_id in 1..=100 {
            bench.deliver(qos, packet_id, false);
        }
        let tokens = bench.tokens();
        assert_eq!(tokens.len(), 100);
        for (packet_id, token) in (1..).zip(tokens) {
            bench.session.acknowledge(token).unwrap();
            let ack = if qos == QoS::AtLeastOnce {
                "PUBACK"
            } else {
                "PUBREC"
            };
            assert_eq!(bench.written(), alloc::format!("{ack} #{packet_id}"));
        }
    }
}

#[test]
fn a_topic_alias_that_was_not_offered_and_an_unsolicited_auth_end_the_connection() {
    let properties = buf(&[Property::TopicAlias(1)]);
    let publish = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "a",
        packet_id: None,
        properties: properties.as_properties(),
        payload: b"",
    };
    let mut bytes = Vec::new();
    Packet::Publish(publish).encode(Version::V5, &mut bytes).unwrap();
    assert_eq!(punish(Version::V5, &bytes).0, "DISCONNECT 0x94");

    let method = buf(&[Property::AuthenticationMethod("m")]);
    let auth = Auth {
        reason: ReasonCode::CONTINUE_AUTHENTICATION,
        properties: method.as_properties(),
    };
    let mut bytes = Vec::new();
    Packet::Auth(auth).encode(Version::V5, &mut bytes).unwrap();
    assert_eq!(punish(Version::V5, &bytes).0, "DISCONNECT 0x82");
}

#[test]
fn acknowledgements_that_do_not_fit_their_exchange_end_the_connection() {
    let mut bench = Bench::established(Version::V5);
    bench.publish("a", QoS::ExactlyOnce);
    bench.written();
    bench.ack(Packet::Puback, 1);
    assert_eq!(bench.written(), "DISCONNECT 0x82");

    let mut bench = Bench::established(Version::V5);
    bench
        .session
        .subscribe(&filters(&["a", "b"]), &PropertyBuf::new())
        .unwrap();
    bench.written();
    bench.receive_bytes(&[0x90, 4, 0, 1, 0, 0]);
    assert_eq!(bench.written(), "DISCONNECT 0x82");
}

#[test]
fn an_acknowledgement_of_nothing_is_ignored() {
    let mut bench = Bench::established(Version::V5);
    bench.ack(Packet::Puback, 9);
    bench.ack(Packet::Pubcomp, 9);
    assert_eq!(bench.take(), []);
    assert!(bench.session.is_established());
}

#[test]
fn what_comes_before_or_instead_of_connack_ends_the_attempt() {
    for bytes in [
        &[0xd0, 0][..],
        &[0x20, 3, 2, 0, 0],
        &[0x20, 3, 1, 0, 0],
        &[0x20, 2, 0, 0],
    ] {
        let mut bench = Bench::new(Config::new("bench"));
        bench.session.connect(T0);
        bench.take();
        bench.session.handle_transport_open(T0);
        bench.written();
        bench.receive_bytes(bytes);
        assert!(bench.written().starts_with("DISCONNECT 0x8"), "{bytes:02x?}");
        assert!(disconnected(&bench.take()).retry_at.is_some());
    }
}
