//! What a CONNACK may say, and what a Session is resumed with when the server allows less than it did.

use core::num::NonZeroU16;

use super::*;
use crate::codec::Auth;

/// A session whose CONNECT was sent.
fn connecting(adjust: impl FnOnce(&mut Config)) -> Bench {
    let mut config = Config::new("bench");
    adjust(&mut config);
    let mut bench = Bench::new(config);
    bench.session.connect(T0);
    bench.take();
    bench.session.handle_transport_open(T0);
    bench.written();
    bench
}

fn accept(bench: &mut Bench, session_present: bool, properties: &[Property<'_>]) {
    let properties = buf(properties);
    bench.receive(&Packet::Connack(Connack {
        session_present,
        reason: ReasonCode::SUCCESS,
        properties: properties.as_properties(),
    }));
}

/// The rule that ended the connection, with its Reason Code.
fn violated(bench: &mut Bench) -> Violation {
    bench.written();
    match disconnected(&bench.take()).reason {
        DisconnectReason::Violation(violation) => violation,
        other => panic!("{other}"),
    }
}

#[test]
fn a_session_that_is_present_after_a_clean_start_ends_the_connection() {
    for version in BOTH {
        let mut bench = Bench::established_with(version, |config| config.clean_start = true);
        bench.publish("a", QoS::ExactlyOnce);
        bench.written();
        bench.cut();
        bench.session.handle_transport_open(bench.now);
        assert!(bench.written().contains("clean=1"));
        accept(&mut bench, true, &[]);
        assert_eq!(violated(&mut bench).reason, ReasonCode::PROTOCOL_ERROR);
    }
}

#[test]
fn a_client_with_a_name_is_not_given_another() {
    let mut bench = connecting(|_| {});
    accept(&mut bench, false, &[Property::AssignedClientIdentifier("other")]);
    assert_eq!(violated(&mut bench).reason, ReasonCode::PROTOCOL_ERROR);
    assert_eq!(bench.session.client_id(), "bench");
    let mut bench = connecting(|_| {});
    accept(&mut bench, false, &[Property::AssignedClientIdentifier("bench")]);
    assert!(bench.session.is_established(), "its own name is no other");
}

#[test]
fn a_maximum_packet_size_that_no_acknowledgement_keeps_ends_the_connection() {
    for (max, is_enough) in [(1, false), (4, false), (5, true)] {
        let mut bench = connecting(|_| {});
        accept(&mut bench, false, &[Property::MaximumPacketSize(max)]);
        assert_eq!(bench.session.is_established(), is_enough, "{max}");
        if !is_enough {
            assert_eq!(violated(&mut bench).reason, ReasonCode::PACKET_TOO_LARGE);
        }
    }
}

#[test]
fn a_connack_does_not_pass_over_a_challenge() {
    let method = [Property::AuthenticationMethod("M")];
    let mut bench = connecting(|config| {
        config.authentication = Some(Authentication {
            method: "M".into(),
            data: None,
        });
    });
    bench.receive(&Packet::Auth(Auth {
        reason: ReasonCode::CONTINUE_AUTHENTICATION,
        properties: buf(&method).as_properties(),
    }));
    accept(&mut bench, false, &method);
    assert_eq!(violated(&mut bench).reason, ReasonCode::PROTOCOL_ERROR);
}

#[test]
fn a_message_in_flight_that_the_next_server_does_not_accept_is_not_sent_again() {
    for limit in [
        Property::MaximumQos(QoS::AtLeastOnce),
        Property::RetainAvailable(false),
        Property::MaximumPacketSize(50),
    ] {
        let mut bench = Bench::established(Version::V5);
        let mut message = publication("a", QoS::ExactlyOnce).retained();
        message.payload = alloc::vec![0; 100].into();
        let op = bench.session.publish(T0, message).unwrap();
        bench.written();
        bench.cut();
        bench.finish_connect(true, &[limit]);
        assert_eq!(
            bench.written(),
            "PUBREL #1",
            "{limit:?}: the server may hold the identifier"
        );
        let outputs = bench.take();
        assert!(
            matches!(outputs[..], [Output::Completed(ended, Completion::Lost(Loss::NotAccepted(_)))] if ended == op),
            "{outputs:?}"
        );
        assert_eq!(bench.session.in_flight(), 1, "until the server has let go of it");
        bench.ack_with(Packet::Pubcomp, 1, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
        assert_eq!(bench.take(), [], "completed once");
        assert_eq!(bench.session.in_flight(), 0);
    }
}

#[test]
fn an_alias_takes_no_room_from_a_message_that_fits_without_one() {
    for is_queued in [false, true] {
        let mut config = Config::new("bench");
        config.topic_aliases = 5;
        config.max_in_flight = NonZeroU16::MIN;
        let mut bench = Bench::new(config);
        bench.connect_with(
            false,
            &[Property::TopicAliasMaximum(5), Property::MaximumPacketSize(64)],
        );
        if is_queued {
            bench.publish("b", QoS::AtLeastOnce);
        }
        let mut message = publication("a", QoS::AtLeastOnce);
        message.payload = alloc::vec![0; 64 - b"\x32\x3e\0\x01a\0\x01\0".len()].into();
        bench.session.publish(T0, message).unwrap();
        bench.written();
        if is_queued {
            bench.ack(Packet::Puback, 1);
            assert_eq!(bench.take().len(), 1, "the other's completion alone");
            assert_eq!(bench.written(), "PUBLISH a q1 #1");
        }
        assert_eq!(bench.session.in_flight(), 1);
    }
}
