//! What the server says besides a Reason Code, and how it reaches the caller.

use super::*;
use crate::codec::Disconnect as DisconnectPacket;
use crate::limits::MAX_KEPT_DETAILS;

fn reason(text: &str) -> PropertyBuf {
    buf(&[
        Property::ReasonString(text),
        Property::UserProperty("name", "value"),
    ])
}

fn details(properties: &PropertyBuf) -> Details {
    properties.as_properties().into()
}

fn answer<'a>(
    bench: &mut Bench,
    packet: fn(Ack<'a>) -> Packet<'a>,
    reason: ReasonCode,
    properties: &'a PropertyBuf,
) {
    bench.receive(&packet(Ack {
        packet_id: id(1),
        reason,
        properties: properties.as_properties(),
    }));
}

#[test]
fn properties_of_an_acknowledgement_complete_its_operation() {
    let why = reason("too many");
    let mut bench = Bench::established(Version::V5);
    let op = bench.publish("a", QoS::AtLeastOnce);
    bench.written();
    answer(&mut bench, Packet::Puback, ReasonCode::QUOTA_EXCEEDED, &why);
    let outputs = bench.take();
    let expected = Completion::Published {
        reason: ReasonCode::QUOTA_EXCEEDED,
        details: details(&why),
    };
    assert_eq!(outputs, [completed(op, expected)]);
    let [Output::Completed(_, Completion::Published { details, .. })] = &outputs[..] else {
        unreachable!()
    };
    assert_eq!(details.reason_string(), Some("too many"));
    assert_eq!(details.user_properties().collect::<Vec<_>>(), [("name", "value")]);
    assert_eq!(details.server_reference(), None);
    assert!(!alloc::format!("{details:?}").contains("too many"));
}

#[test]
fn a_pubrec_speaks_for_a_pubcomp_that_says_nothing() {
    let first = reason("no one listens");
    let second = reason("done");
    let nothing = PropertyBuf::new();
    for (last, expected) in [(&nothing, &first), (&second, &second)] {
        let mut bench = Bench::established(Version::V5);
        let op = bench.publish("a", QoS::ExactlyOnce);
        bench.written();
        answer(
            &mut bench,
            Packet::Pubrec,
            ReasonCode::NO_MATCHING_SUBSCRIBERS,
            &first,
        );
        assert_eq!(bench.written(), "PUBREL #1");
        answer(&mut bench, Packet::Pubcomp, ReasonCode::SUCCESS, last);
        let expected = Completion::Published {
            reason: ReasonCode::NO_MATCHING_SUBSCRIBERS,
            details: details(expected),
        };
        assert_eq!(bench.take(), [completed(op, expected)]);
    }
}

#[test]
fn no_more_of_a_pubrec_is_kept_than_the_limit() {
    for (len, kept) in [(MAX_KEPT_DETAILS - 3, true), (MAX_KEPT_DETAILS - 2, false)] {
        let text = "x".repeat(len);
        let mut bench = Bench::established(Version::V5);
        bench.publish("a", QoS::ExactlyOnce);
        bench.written();
        let properties = buf(&[Property::ReasonString(&text)]);
        answer(&mut bench, Packet::Pubrec, ReasonCode::SUCCESS, &properties);
        answer(
            &mut bench,
            Packet::Pubcomp,
            ReasonCode::SUCCESS,
            &PropertyBuf::new(),
        );
        let outputs = bench.take();
        let [Output::Completed(_, Completion::Published { details, .. })] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        assert_eq!(details.is_empty(), !kept);
    }
}

#[test]
fn properties_of_suback_and_unsuback_come_with_their_codes() {
    let why = reason("as you wish");
    let mut bench = Bench::established(Version::V5);
    bench
        .session
        .subscribe(&filters(&["a"]), &PropertyBuf::new())
        .unwrap();
    bench.written();
    bench.receive(&Packet::Suback(Suback {
        packet_id: id(1),
        properties: why.as_properties(),
        reasons: ReasonCodes::new(&[0]),
    }));
    let filter = TopicFilter::from_static("a").unwrap();
    bench.session.unsubscribe(&[filter], &PropertyBuf::new()).unwrap();
    bench.written();
    bench.receive(&Packet::Unsuback(Unsuback {
        packet_id: id(1),
        properties: why.as_properties(),
        reasons: ReasonCodes::new(&[0x11]),
    }));
    let outputs = bench.take();
    let [
        Output::Completed(_, Completion::Subscribed(subscribed)),
        Output::Completed(_, Completion::Unsubscribed(unsubscribed)),
    ] = &outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert_eq!(subscribed.details(), &details(&why));
    assert_eq!(unsubscribed.details(), &details(&why));
}

#[test]
fn a_connection_carries_what_the_server_said_in_its_connack() {
    let properties = buf(&[
        Property::AssignedClientIdentifier("auto-1"),
        Property::SessionExpiryInterval(77),
        Property::ResponseInformation("replies/7/"),
        Property::TopicAliasMaximum(5),
        Property::UserProperty("region", "north"),
        Property::UserProperty("region", "east"),
    ]);
    let mut bench = Bench::new(Config::new(""));
    bench.session.connect(T0);
    bench.take();
    bench.session.handle_transport_open(T0);
    bench.written();
    bench.receive(&Packet::Connack(accepted(&properties)));
    let outputs = bench.take();
    let [Output::Connected(connected)] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(connected.session_expiry, 77);
    assert_eq!(connected.server.topic_alias_maximum, 5);
    assert_eq!(connected.details.assigned_client_id(), Some("auto-1"));
    assert_eq!(connected.details.response_information(), Some("replies/7/"));
    let regions: Vec<_> = connected.details.user_properties().collect();
    assert_eq!(regions, [("region", "north"), ("region", "east")]);
}

#[test]
fn the_session_expiry_in_force_is_the_one_asked_for_unless_the_server_says_otherwise() {
    let cases = [
        (Version::V5, 60, false, 60),
        (Version::V5, 0, false, 0),
        (Version::V3_1_1, 60, false, u32::MAX),
        (Version::V3_1_1, 60, true, 0),
        (Version::V3_1_1, 0, false, 0),
    ];
    for (version, asked, clean_start, expected) in cases {
        let mut config = Config::new("bench");
        config.version = policy(version);
        config.session_expiry = asked;
        config.clean_start = clean_start;
        let mut bench = Bench::new(config);
        bench.session.connect(T0);
        bench.take();
        bench.session.handle_transport_open(T0);
        bench.written();
        bench.receive(&Packet::Connack(accepted(&PropertyBuf::new())));
        let outputs = bench.take();
        let [Output::Connected(connected)] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        assert_eq!(
            connected.session_expiry, expected,
            "{version:?} {asked} {clean_start}"
        );
    }
}

#[test]
fn a_referral_names_the_other_server_and_stops_unless_it_is_to_be_followed() {
    let properties = buf(&[
        Property::ServerReference("other.example:8883"),
        Property::ReasonString("moved"),
    ]);
    for follow in [OnReferral::Stop, OnReferral::Follow] {
        for established in [false, true] {
            let mut config = Config::new("bench");
            config.reconnect.on_referral = follow;
            let mut bench = Bench::new(config);
            if established {
                bench.connect(false);
                bench.receive(&Packet::Disconnect(DisconnectPacket {
                    reason: ReasonCode::SERVER_MOVED,
                    properties: properties.as_properties(),
                }));
            } else {
                bench.session.connect(T0);
                bench.take();
                bench.session.handle_transport_open(T0);
                bench.written();
                bench.receive(&Packet::Connack(Connack {
                    reason: ReasonCode::USE_ANOTHER_SERVER,
                    ..accepted(&properties)
                }));
            }
            let end = disconnected(&bench.take());
            assert_eq!(end.details.server_reference(), Some("other.example:8883"));
            assert_eq!(end.details.reason_string(), Some("moved"));
            assert_eq!(end.retry_at.is_some(), follow == OnReferral::Follow);
        }
    }
}

#[test]
fn problem_information_that_was_not_requested_ends_the_connection_except_where_it_is_always_allowed() {
    let why = reason("why");
    let quiet = |config: &mut Config| config.request_problem_information = false;
    let suback = Packet::Suback(Suback {
        packet_id: id(1),
        properties: why.as_properties(),
        reasons: ReasonCodes::new(&[0]),
    });
    let puback = Packet::Puback(Ack {
        packet_id: id(1),
        reason: ReasonCode::SUCCESS,
        properties: why.as_properties(),
    });
    for packet in [suback, puback] {
        let mut bench = Bench::established_with(Version::V5, quiet);
        bench.receive(&packet);
        assert_eq!(bench.written(), "DISCONNECT 0x82", "{packet:?}");
    }
    let mut bench = Bench::established_with(Version::V5, quiet);
    bench.receive(&Packet::Disconnect(DisconnectPacket {
        reason: ReasonCode::SERVER_BUSY,
        properties: why.as_properties(),
    }));
    assert_eq!(disconnected(&bench.take()).details.reason_string(), Some("why"));
}

fn accepted(properties: &PropertyBuf) -> Connack<'_> {
    Connack {
        session_present: false,
        reason: ReasonCode::SUCCESS,
        properties: properties.as_properties(),
    }
}
