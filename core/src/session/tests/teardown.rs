//! What a client adds to CONNECT, SUBSCRIBE and DISCONNECT, and what it must not.

use super::*;
use crate::codec::{Disconnect as DisconnectPacket, PropertyId};

/// The one packet that waits to be written.
fn only_packet<T>(bench: &mut Bench, look: impl FnOnce(Packet<'_>) -> T) -> T {
    bench.drain();
    let bytes = bench.session.transmit().runs().collect::<Vec<_>>().concat();
    bench.session.tx_advance(bench.now, bytes.len());
    let header = peek(&bytes, Version::V5, u32::MAX).unwrap().unwrap();
    look(decode(header, &bytes, Version::V5).unwrap())
}

#[test]
fn a_disconnect_carries_session_expiry_reason_and_user_properties() {
    let disconnect = Disconnect {
        reason: ReasonCode::DISCONNECT_WITH_WILL,
        session_expiry: Some(0),
        properties: buf(&[Property::ReasonString("bye"), Property::UserProperty("a", "b")]),
        ..Disconnect::default()
    };
    let mut bench = Bench::established(Version::V5);
    bench.session.disconnect(T0, disconnect.clone()).unwrap();
    only_packet(&mut bench, |packet| {
        let Packet::Disconnect(packet) = packet else {
            panic!("{packet:?}")
        };
        assert_eq!(packet.reason, ReasonCode::DISCONNECT_WITH_WILL);
        let expected = [
            Property::ReasonString("bye"),
            Property::UserProperty("a", "b"),
            Property::SessionExpiryInterval(0),
        ];
        assert_eq!(packet.properties.iter().collect::<Vec<_>>(), expected);
    });
    let mut old = Bench::established(Version::V3_1_1);
    old.session.disconnect(T0, disconnect).unwrap();
    assert_eq!(old.written(), "DISCONNECT 0x00");
}

#[test]
fn a_session_that_ends_with_its_connection_is_not_prolonged_by_a_disconnect() {
    for (asked, wanted, allowed) in [(0, 1, false), (0, 0, true), (1, 5, true), (1, 0, true)] {
        let mut bench = Bench::established_with(Version::V5, |config| config.session_expiry = asked);
        let disconnect = Disconnect {
            session_expiry: Some(wanted),
            ..Disconnect::default()
        };
        let expected = if allowed {
            Ok(())
        } else {
            Err(SubmitError::SessionExpiry)
        };
        assert_eq!(
            bench.session.disconnect(T0, disconnect),
            expected,
            "{asked} {wanted}"
        );
        assert_eq!(bench.session.is_established(), !allowed);
    }
}

#[test]
fn a_disconnect_that_cannot_be_sent_changes_nothing() {
    let mut bench = Bench::new(Config::new("bench"));
    bench.connect_with(false, &[Property::MaximumPacketSize(20)]);
    let long = buf(&[Property::ReasonString("a reason beyond twenty bytes")]);
    let foreign = [Property::ServerReference("x"), Property::SessionExpiryInterval(1)];
    let refuse = |bench: &mut Bench, reason, properties| {
        let disconnect = Disconnect {
            reason,
            properties,
            ..Disconnect::default()
        };
        bench.session.disconnect(T0, disconnect).unwrap_err()
    };
    let error = refuse(&mut bench, ReasonCode::SUCCESS, long);
    assert!(matches!(error, SubmitError::TooLarge { max: 20, .. }), "{error}");
    for property in foreign {
        let error = refuse(&mut bench, ReasonCode::SUCCESS, buf(&[property]));
        assert!(matches!(error, SubmitError::Invalid(_)), "{error}");
    }
    for servers in [
        ReasonCode::NOT_AUTHORIZED,
        ReasonCode::SERVER_BUSY,
        ReasonCode::SESSION_TAKEN_OVER,
        ReasonCode::USE_ANOTHER_SERVER,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD,
    ] {
        let error = refuse(&mut bench, servers, PropertyBuf::new());
        assert!(matches!(error, SubmitError::Invalid(_)), "{error}");
    }
    bench.publish("a", QoS::AtMostOnce);
    assert_eq!(bench.written(), "PUBLISH a q0");
}

#[test]
fn a_closing_connection_waits_for_its_own_deadline_alone() {
    let mut bench = Bench::established(Version::V5);
    bench.session.disconnect(T0, Disconnect::default()).unwrap();
    let deadline = T0.after(Duration::from_secs(2));
    assert_eq!(bench.session.poll_timeout(), Some(deadline));

    let mut bench = Bench::established(Version::V5);
    bench.receive_bytes(&[0x00, 0x00]);
    bench.session.disconnect(T0, Disconnect::default()).unwrap();
    assert_eq!(bench.session.poll_timeout(), Some(deadline));
}

#[test]
fn a_session_expiry_in_the_servers_disconnect_is_a_protocol_error() {
    let properties = buf(&[Property::SessionExpiryInterval(1)]);
    let mut bench = Bench::established(Version::V5);
    bench.receive(&Packet::Disconnect(DisconnectPacket {
        reason: ReasonCode::SERVER_BUSY,
        properties: properties.as_properties(),
    }));
    assert_eq!(bench.written(), "DISCONNECT 0x82");
}

#[test]
fn the_connect_carries_what_the_configuration_asks_for() {
    let mut config = Config::new("bench");
    config.properties = buf(&[Property::UserProperty("site", "north")]);
    config.request_response_information = true;
    config.request_problem_information = false;
    config.will = Some(Will {
        topic: TopicName::from_static("gone").unwrap(),
        payload: "x".into(),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: buf(&[
            Property::WillDelayInterval(30),
            Property::ContentType("text/plain"),
        ]),
    });
    for version in BOTH {
        config.version = policy(version);
        let mut bench = Bench::new(config.clone());
        bench.session.connect(T0);
        bench.take();
        bench.session.handle_transport_open(T0);
        only_packet(&mut bench, |packet| {
            let Packet::Connect(connect) = packet else {
                panic!("{packet:?}")
            };
            let will = connect.will.unwrap();
            assert_eq!(
                (will.topic, will.qos, will.retain),
                ("gone", QoS::AtLeastOnce, true)
            );
            if version == Version::V3_1_1 {
                assert!(connect.properties.is_empty() && will.properties.is_empty());
                return;
            }
            let asks = |id| connect.properties.find(id);
            assert_eq!(
                asks(PropertyId::UserProperty),
                Some(Property::UserProperty("site", "north"))
            );
            let response = Property::RequestResponseInformation(true);
            assert_eq!(asks(PropertyId::RequestResponseInformation), Some(response));
            let problem = Property::RequestProblemInformation(false);
            assert_eq!(asks(PropertyId::RequestProblemInformation), Some(problem));
            let delay = Some(Property::WillDelayInterval(30));
            assert_eq!(will.properties.find(PropertyId::WillDelayInterval), delay);
        });
    }
}

#[test]
fn a_part_of_the_connect_that_cannot_be_is_named_at_the_start() {
    let error = |adjust: &dyn Fn(&mut Config)| {
        let mut config = Config::new("bench");
        adjust(&mut config);
        Session::new(config, [0; 32]).unwrap_err()
    };
    let will = |config: &mut Config, property| {
        config.will = Some(Will {
            topic: TopicName::from_static("gone").unwrap(),
            payload: "x".into(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: buf(&[property]),
        });
    };
    let of_will = error(&|config| will(config, Property::TopicAlias(1)));
    assert!(matches!(of_will, ConfigError::Will(_)), "{of_will}");
    let of_payload = error(&|config| {
        will(config, Property::WillDelayInterval(1));
        config.will.as_mut().unwrap().payload = alloc::vec![0; 65_536].into();
    });
    assert!(matches!(of_payload, ConfigError::Will(_)), "{of_payload}");
    for property in [Property::ReceiveMaximum(1), Property::WillDelayInterval(1)] {
        let of_properties = error(&|config| config.properties = buf(&[property]));
        assert!(
            matches!(of_properties, ConfigError::Properties(_)),
            "{of_properties}"
        );
    }
    let of_method = error(&|config| {
        config.authentication = Some(Authentication {
            method: "x".repeat(65_536),
            data: None,
        });
    });
    assert!(matches!(of_method, ConfigError::Authentication(_)), "{of_method}");
}

#[test]
fn user_properties_and_a_subscription_identifier_go_along_with_a_subscription() {
    let properties = buf(&[
        Property::SubscriptionIdentifier(7),
        Property::UserProperty("a", "b"),
    ]);
    let mut bench = Bench::established(Version::V5);
    bench.session.subscribe(&filters(&["a"]), &properties).unwrap();
    only_packet(&mut bench, |packet| {
        let Packet::Subscribe(subscribe) = packet else {
            panic!("{packet:?}")
        };
        assert_eq!(subscribe.properties, properties.as_properties());
    });
    let user = buf(&[Property::UserProperty("a", "b")]);
    let filter = TopicFilter::from_static("a").unwrap();
    let filter = [filter];
    bench.session.unsubscribe(&filter, &user).unwrap();
    only_packet(&mut bench, |packet| {
        let Packet::Unsubscribe(unsubscribe) = packet else {
            panic!("{packet:?}")
        };
        assert_eq!(unsubscribe.properties, user.as_properties());
    });
    let refused = bench.session.unsubscribe(&filter, &properties);
    assert!(matches!(refused, Err(SubmitError::Invalid(_))));
}

#[test]
fn no_debug_output_shows_a_credential() {
    let mut config = Config::new("bench");
    config.username = Some("operator".to_string());
    config.password = Some("hunter2".into());
    config.authentication = Some(Authentication {
        method: "SCRAM".to_string(),
        data: Some("nonce".into()),
    });
    let secrets = ["hunter2", "nonce", "operator"];
    let texts = [
        alloc::format!("{config:?}"),
        alloc::format!("{:?}", config.authentication),
        alloc::format!("{:?}", Session::new(config, [0; 32]).unwrap()),
    ];
    for text in texts {
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    }
}

#[test]
fn a_connection_asked_for_during_a_disconnect_follows_it() {
    for when in [When::Now, When::Settled(Duration::from_secs(5))] {
        let mut bench = Bench::established(Version::V5);
        bench.publish("a", QoS::AtLeastOnce);
        bench.written();
        let disconnect = Disconnect {
            when,
            ..Disconnect::default()
        };
        bench.session.disconnect(bench.now, disconnect).unwrap();
        bench.session.connect(bench.now);
        if when != When::Now {
            bench.advance(Duration::from_secs(5));
        }
        assert_eq!(bench.written(), "DISCONNECT 0x00");
        let ended = disconnected(&bench.take());
        assert_eq!(ended.reason, DisconnectReason::Requested);
        assert_eq!(ended.retry_at, Some(bench.now));
        bench.session.handle_timeout(bench.now);
        assert_eq!(bench.take(), [Output::OpenTransport]);
    }
}

#[test]
fn a_disconnect_takes_back_the_connection_that_was_to_follow_another() {
    let mut bench = Bench::established(Version::V5);
    for _ in 0..2 {
        bench
            .session
            .disconnect(bench.now, Disconnect::default())
            .unwrap();
        bench.session.connect(bench.now);
    }
    bench
        .session
        .disconnect(bench.now, Disconnect::default())
        .unwrap();
    bench.written();
    assert_eq!(disconnected(&bench.take()).retry_at, None);
}
