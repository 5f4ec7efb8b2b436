//! How connections begin, are kept alive, fail and come back.

use super::*;
use crate::codec::Disconnect as DisconnectPacket;
use crate::limits::MAX_READ_SIZE;

#[test]
fn connect_asks_for_a_transport_once_and_sends_connect_when_it_is_open() {
    let mut bench = Bench::new(Config::new("bench"));
    bench.session.connect(T0);
    bench.session.connect(T0);
    assert_eq!(bench.take(), [Output::OpenTransport]);
    assert_eq!(bench.written(), "");
    bench.session.handle_transport_open(T0);
    assert_eq!(bench.written(), "CONNECT V5 clean=1");
    assert!(!bench.session.is_established());
}

#[test]
fn the_first_connect_is_clean_and_later_ones_resume() {
    for (version, first) in [(Version::V5, "clean=1"), (Version::V3_1_1, "clean=0")] {
        let mut config = Config::new("bench");
        config.version = policy(version);
        let mut bench = Bench::new(config);
        bench.session.connect(T0);
        bench.take();
        bench.session.handle_transport_open(T0);
        assert!(bench.written().ends_with(first));
        bench.receive(&Packet::Connack(accepted()));
        bench.take();
        bench.cut();
        bench.session.handle_transport_open(bench.now);
        assert!(bench.written().ends_with("clean=0"), "{version:?}");
    }
}

#[test]
fn the_servers_limits_are_handed_out_with_the_connection() {
    let mut bench = Bench::new(Config::new(""));
    bench.session.connect(T0);
    bench.take();
    bench.session.handle_transport_open(T0);
    bench.written();
    let properties = buf(&[
        Property::ReceiveMaximum(3),
        Property::MaximumQos(QoS::AtLeastOnce),
        Property::RetainAvailable(false),
        Property::MaximumPacketSize(1000),
        Property::AssignedClientIdentifier("auto-1"),
        Property::ServerKeepAlive(7),
        Property::WildcardSubscriptionAvailable(false),
        Property::SubscriptionIdentifierAvailable(false),
        Property::SharedSubscriptionAvailable(false),
        Property::TopicAliasMaximum(9),
    ]);
    bench.receive(&Packet::Connack(Connack {
        properties: properties.as_properties(),
        ..accepted()
    }));
    let expected = ServerLimits {
        receive_maximum: 3,
        maximum_qos: QoS::AtLeastOnce,
        retain_available: false,
        maximum_packet_size: 1000,
        wildcard_available: false,
        subscription_id_available: false,
        shared_available: false,
        keep_alive: Duration::from_secs(7),
        topic_alias_maximum: 9,
    };
    let connected = Connected {
        session_present: false,
        version: Version::V5,
        server: expected,
        session_expiry: 3600,
        details: properties.as_properties().into(),
    };
    assert_eq!(bench.take(), [Output::Connected(connected)]);
    assert_eq!(bench.session.client_id(), "auto-1");
    assert!(bench.session.is_established());
}

#[test]
fn each_wait_for_the_server_has_its_own_timeout() {
    let mut bench = Bench::new(Config::new("bench"));
    bench.session.connect(T0);
    bench.take();
    bench.advance(Duration::from_secs(10));
    let outputs = bench.take();
    assert_eq!(outputs[0], Output::CloseTransport);
    assert_eq!(disconnected(&outputs).reason, DisconnectReason::ConnectTimeout);

    let mut bench = Bench::new(Config::new("bench"));
    bench.session.connect(T0);
    bench.take();
    bench.session.handle_transport_open(T0);
    bench.written();
    assert_eq!(
        bench.session.poll_timeout(),
        Some(T0.after(Duration::from_secs(10)))
    );
    bench.advance(Duration::from_secs(10));
    let outputs = bench.take();
    assert_eq!(outputs[0], Output::CloseTransport);
    assert_eq!(disconnected(&outputs).reason, DisconnectReason::ConnackTimeout);
    assert!(disconnected(&outputs).retry_at.is_some());
}

#[test]
fn a_ping_follows_the_keep_alive_from_the_last_packet_sent() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        bench.advance(Duration::from_secs(59));
        assert_eq!(bench.written(), "");
        bench.publish("a", QoS::AtLeastOnce);
        assert_eq!(bench.written(), "PUBLISH a q1 #1");
        bench.ack(Packet::Puback, 1);
        bench.advance(Duration::from_secs(59));
        assert_eq!(bench.written(), "");
        bench.advance(Duration::from_secs(1));
        assert_eq!(bench.written(), "PINGREQ");
        bench.advance(Duration::from_secs(9));
        bench.receive(&Packet::Pingresp);
        bench.advance(Duration::from_secs(1));
        assert_eq!(bench.take().len(), 1, "the completion of the message alone");
        assert!(bench.session.is_established());
    }
}

#[test]
fn a_missing_pingresp_ends_the_connection_within_one_and_a_half_keep_alives() {
    let mut bench = Bench::established_with(Version::V5, |config| config.keep_alive = Duration::from_secs(4));
    let quiet_since = bench.now;
    while bench.session.is_established() {
        let at = bench.session.poll_timeout().unwrap();
        bench.now = at;
        bench.session.handle_timeout(at);
        bench.written();
    }
    assert_eq!(bench.now.since(quiet_since), Duration::from_secs(6));
    let outputs = bench.take();
    assert_eq!(disconnected(&outputs).reason, DisconnectReason::PingTimeout);
}

#[test]
fn a_keep_alive_of_zero_sends_no_ping() {
    let mut bench = Bench::established_with(Version::V5, |config| config.keep_alive = Duration::ZERO);
    assert_eq!(bench.session.poll_timeout(), None);
    bench.advance(Duration::from_secs(1_000_000));
    assert_eq!(bench.written(), "");
}

#[test]
fn a_refused_connect_closes_the_transport_and_stays_offline() {
    for version in BOTH {
        let mut config = Config::new("bench");
        config.version = policy(version);
        let mut bench = Bench::new(config);
        bench.session.connect(T0);
        bench.take();
        bench.session.handle_transport_open(T0);
        bench.written();
        bench.receive(&Packet::Connack(Connack {
            reason: ReasonCode::NOT_AUTHORIZED,
            ..accepted()
        }));
        let outputs = bench.take();
        assert_eq!(outputs[0], Output::CloseTransport);
        let expected = Disconnected {
            reason: DisconnectReason::Refused(ReasonCode::NOT_AUTHORIZED),
            retry_at: None,
            details: Details::NONE,
        };
        assert_eq!(disconnected(&outputs), expected);
        assert_eq!(bench.session.poll_timeout(), None);
    }
}

#[test]
fn a_server_of_the_older_version_is_found_by_its_refusal() {
    let mut bench = Bench::new(Config::new("bench"));
    bench.session.connect(T0);
    bench.take();
    bench.session.handle_transport_open(T0);
    bench.written();
    bench.receive_bytes(&[0x20, 2, 0, 1]);
    let outputs = bench.take();
    assert_eq!(disconnected(&outputs).retry_at, Some(T0));
    bench.version = Version::V3_1_1;
    bench.session.handle_timeout(T0);
    assert_eq!(bench.take(), [Output::OpenTransport]);
    bench.session.handle_transport_open(T0);
    assert_eq!(bench.written(), "CONNECT V3_1_1 clean=0");
    bench.receive_bytes(&[0x20, 2, 0, 0]);
    assert_eq!(bench.session.version(), Some(Version::V3_1_1));
    assert!(bench.session.is_established());
}

#[test]
fn a_lost_connection_is_asked_for_again_after_a_bounded_wait() {
    let mut bench = Bench::established(Version::V5);
    bench.session.handle_transport_closed(bench.now);
    let outputs = bench.take();
    let Disconnected { reason, retry_at, .. } = disconnected(&outputs);
    assert_eq!(reason, DisconnectReason::TransportClosed);
    let wait = retry_at.unwrap().since(bench.now);
    assert!(
        (Duration::from_millis(128)..=Duration::from_secs(1)).contains(&wait),
        "{wait:?}"
    );
    bench.now = retry_at.unwrap();
    bench.session.handle_timeout(bench.now);
    assert_eq!(bench.take(), [Output::OpenTransport]);
}

#[test]
fn a_disconnect_by_the_server_is_reported_with_its_reason() {
    let mut bench = Bench::established(Version::V5);
    let reason = ReasonCode::SERVER_SHUTTING_DOWN;
    bench.receive(&Packet::Disconnect(DisconnectPacket {
        reason,
        properties: Properties::EMPTY,
    }));
    let outputs = bench.take();
    assert_eq!(outputs[0], Output::CloseTransport);
    assert_eq!(disconnected(&outputs).reason, DisconnectReason::ByServer(reason));
    assert!(disconnected(&outputs).retry_at.is_some());
}

#[test]
fn a_requested_disconnect_writes_its_packet_last_and_stays_offline() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        let op = bench.publish("a", QoS::AtMostOnce);
        bench
            .session
            .disconnect(bench.now, Disconnect::default())
            .unwrap();
        assert_eq!(bench.written(), "PUBLISH a q0; DISCONNECT 0x00");
        let outputs = bench.take();
        let reason = DisconnectReason::Requested;
        let offline = Output::Disconnected(Disconnected {
            reason,
            retry_at: None,
            details: Details::NONE,
        });
        assert_eq!(outputs, [published(op), Output::CloseTransport, offline]);
        assert_eq!(bench.session.poll_timeout(), None);
    }
}

#[test]
fn a_disconnect_that_cannot_be_written_ends_at_its_timeout() {
    let mut bench = Bench::established(Version::V5);
    bench
        .session
        .disconnect(bench.now, Disconnect::default())
        .unwrap();
    assert_eq!(bench.take(), []);
    bench.advance(Duration::from_secs(2));
    assert_eq!(bench.take()[0], Output::CloseTransport);
    assert!(!bench.session.has_transmit());
}

#[test]
fn a_settled_disconnect_waits_for_work_in_flight_and_takes_no_more() {
    let mut bench = Bench::established(Version::V5);
    let op = bench.publish("a", QoS::ExactlyOnce);
    let settled = Disconnect {
        when: When::Settled(Duration::from_secs(5)),
        ..Disconnect::default()
    };
    bench.session.disconnect(bench.now, settled).unwrap();
    let refused = bench
        .session
        .publish(bench.now, publication("b", QoS::AtMostOnce))
        .unwrap_err();
    assert_eq!(refused.reason, SubmitError::Closing);
    assert_eq!(refused.submitted, publication("b", QoS::AtMostOnce));
    assert_eq!(bench.written(), "PUBLISH a q2 #1");
    bench.ack(Packet::Pubrec, 1);
    assert_eq!(bench.written(), "PUBREL #1");
    bench.ack(Packet::Pubcomp, 1);
    assert_eq!(bench.written(), "DISCONNECT 0x00");
    assert_eq!(bench.take()[..2], [published(op), Output::CloseTransport]);
}

#[test]
fn a_settled_disconnect_gives_up_at_its_deadline() {
    let mut bench = Bench::established(Version::V5);
    let op = bench.publish("a", QoS::AtLeastOnce);
    let settled = Disconnect {
        when: When::Settled(Duration::from_secs(5)),
        ..Disconnect::default()
    };
    bench.session.disconnect(bench.now, settled).unwrap();
    assert_eq!(bench.written(), "PUBLISH a q1 #1");
    bench.advance(Duration::from_secs(5));
    assert_eq!(bench.written(), "DISCONNECT 0x00");
    assert!(bench.take().contains(&lost(op, Loss::Closed)));
}

#[test]
fn a_disconnect_while_offline_or_connecting_ends_everything_at_once() {
    let mut bench = Bench::new(Config::new("bench"));
    let op = bench.publish("a", QoS::AtLeastOnce);
    bench.session.disconnect(T0, Disconnect::default()).unwrap();
    assert!(bench.take().contains(&lost(op, Loss::Closed)));

    let mut bench = Bench::new(Config::new("bench"));
    bench.session.connect(T0);
    bench.take();
    bench.session.disconnect(T0, Disconnect::default()).unwrap();
    assert_eq!(bench.take()[0], Output::CloseTransport);
    bench.session.handle_transport_open(T0);
    assert_eq!(bench.written(), "");
}

#[test]
fn reports_about_a_transport_that_was_not_asked_for_change_nothing() {
    let mut bench = Bench::new(Config::new("bench"));
    bench.session.handle_transport_open(T0);
    bench.session.handle_transport_closed(T0);
    assert!(bench.session.rx_space().is_empty());
    assert_eq!(bench.session.rx_extend(b"x"), 0);
    assert_eq!(bench.take(), []);
}

#[test]
fn what_cannot_go_into_a_connect_is_refused_at_the_start() {
    let mut long = Config::new("x".repeat(65_536));
    assert_eq!(
        Session::new(long.clone(), [0; 32]).unwrap_err(),
        ConfigError::ClientId
    );
    long.client_id = "x".repeat(65_535);
    assert!(Session::new(long, [0; 32]).is_ok());
    let mut config = Config::new("bench");
    config.keep_alive = Duration::from_millis(1500);
    assert_eq!(Session::new(config, [0; 32]).unwrap_err(), ConfigError::KeepAlive);
    let mut config = Config::new("bench");
    config.max_packet_size = 1;
    assert_eq!(
        Session::new(config, [0; 32]).unwrap_err(),
        ConfigError::MaxPacketSize
    );
    let mut config = Config::new("bench");
    config.version = VersionPolicy::V3_1_1;
    config.password = Some("secret".into());
    assert_eq!(
        Session::new(config, [0; 32]).unwrap_err(),
        ConfigError::Credentials
    );
}

#[test]
fn what_one_read_is_offered_has_a_bound() {
    let mut config = Config::new("bench");
    for read_size in [0, MAX_READ_SIZE + 1, usize::MAX] {
        config.read_size = read_size;
        let refused = Session::new(config.clone(), [0; 32]).unwrap_err();
        assert_eq!(refused, ConfigError::ReadSize);
    }
    for (read_size, offered) in [(1, 2048), (MAX_READ_SIZE, MAX_READ_SIZE)] {
        config.read_size = read_size;
        let mut bench = Bench::new(config.clone());
        bench.session.connect(T0);
        bench.take();
        bench.session.handle_transport_open(T0);
        assert_eq!(bench.session.rx_space().len(), offered);
    }
}

fn accepted() -> Connack<'static> {
    Connack {
        session_present: false,
        reason: ReasonCode::SUCCESS,
        properties: Properties::EMPTY,
    }
}

#[test]
fn debug_output_of_a_session_shows_no_credential_and_no_payload() {
    let mut config = Config::new("bench");
    config.username = Some("canary-user".into());
    config.password = Some("canary-password".into());
    let mut bench = Bench::new(config);
    bench
        .session
        .publish(
            T0,
            Publication {
                payload: "canary-payload".into(),
                ..publication("a", QoS::AtLeastOnce)
            },
        )
        .unwrap();
    bench.session.connect(T0);
    bench.take();
    bench.session.handle_transport_open(T0);
    bench.drain();
    let shown = alloc::format!("{:?} {:?}", bench.session, bench.session.transmit());
    let bytes: Vec<_> = b"canary".iter().map(|byte| alloc::format!("{byte}")).collect();
    assert!(
        !shown.contains("canary") && !shown.contains(&bytes.join(", ")),
        "{shown}"
    );
}

#[test]
fn a_silent_server_is_found_out_while_this_side_goes_on_sending() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        let quiet_since = bench.now;
        while bench.session.is_established() {
            bench.publish("a", QoS::AtMostOnce);
            bench.written();
            bench.advance(Duration::from_secs(5));
        }
        bench.written();
        let outputs = bench.take();
        assert_eq!(disconnected(&outputs).reason, DisconnectReason::PingTimeout);
        assert!(
            bench.now.since(quiet_since) <= Duration::from_secs(90),
            "one and a half Keep Alives"
        );
    }
}

#[test]
fn credentials_are_those_of_the_next_connect_and_wrong_ones_change_nothing() {
    let mut bench = Bench::new(Config::new("bench"));
    let password = Some(bytes::Bytes::from_static(b"first"));
    bench
        .session
        .set_credentials(Some("user".into()), password)
        .unwrap();
    let refused = bench.session.set_credentials(Some("a\0b".into()), None);
    assert_eq!(refused, Err(ConfigError::Credentials));
    bench.session.connect(bench.now);
    bench.take();
    bench.session.handle_transport_open(bench.now);
    let bytes = bench.session.transmit().runs().collect::<Vec<_>>().concat();
    assert!(bytes.ends_with(b"\0\x04user\0\x05first"), "{bytes:02x?}");
}
