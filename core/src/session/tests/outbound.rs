//! What is sent: publishing, subscribing, and sending again after a lost connection.

use super::*;

fn suback(bench: &mut Bench, packet_id: u16, codes: &'static [u8]) {
    let reasons = ReasonCodes::new(codes);
    bench.receive(&Packet::Suback(Suback {
        packet_id: id(packet_id),
        properties: Properties::EMPTY,
        reasons,
    }));
}

#[test]
fn each_quality_of_service_completes_at_its_own_step() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        let zero = bench.publish("a", QoS::AtMostOnce);
        let one = bench.publish("b", QoS::AtLeastOnce);
        let two = bench.publish("c", QoS::ExactlyOnce);
        assert_eq!(bench.take(), []);
        assert_eq!(bench.written(), "PUBLISH a q0; PUBLISH b q1 #1; PUBLISH c q2 #2");
        assert_eq!(bench.take(), [published(zero)]);
        bench.ack(Packet::Puback, 1);
        assert_eq!(bench.take(), [published(one)]);
        bench.ack(Packet::Pubrec, 2);
        assert_eq!(bench.take(), []);
        assert_eq!(bench.written(), "PUBREL #2");
        bench.ack(Packet::Pubcomp, 2);
        assert_eq!(bench.take(), [published(two)]);
        assert_eq!(bench.session.in_flight(), 0);
    }
}

#[test]
fn a_failed_acknowledgement_completes_with_its_reason() {
    let mut bench = Bench::established(Version::V5);
    let one = bench.publish("a", QoS::AtLeastOnce);
    let two = bench.publish("b", QoS::ExactlyOnce);
    bench.written();
    bench.ack_with(Packet::Puback, 1, ReasonCode::NOT_AUTHORIZED);
    bench.ack_with(Packet::Pubrec, 2, ReasonCode::QUOTA_EXCEEDED);
    let expected = [
        (one, ReasonCode::NOT_AUTHORIZED),
        (two, ReasonCode::QUOTA_EXCEEDED),
    ]
    .map(|(op, reason)| {
        let details = Details::NONE;
        completed(op, Completion::Published { reason, details })
    });
    assert_eq!(bench.take(), expected);
    assert_eq!(bench.written(), "");
}

#[test]
fn a_resumed_session_sends_again_in_original_order_before_anything_new() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        bench.publish("a", QoS::AtLeastOnce);
        bench.publish("b", QoS::ExactlyOnce);
        bench.publish("c", QoS::ExactlyOnce);
        bench.publish("d", QoS::AtLeastOnce);
        bench.written();
        bench.ack(Packet::Pubrec, 2);
        assert_eq!(bench.written(), "PUBREL #2");
        bench.ack(Packet::Puback, 1);
        bench.take();
        bench.cut();
        bench.publish("new", QoS::AtLeastOnce);
        bench.finish_connect(true, &[]);
        assert_eq!(
            bench.written(),
            "PUBREL #2; PUBLISH c q2 #3 dup; PUBLISH d q1 #4 dup; PUBLISH new q1 #1"
        );
    }
}

#[test]
fn identifiers_in_flight_are_not_used_again() {
    let mut bench = Bench::established(Version::V5);
    for _ in 0..3 {
        bench.publish("a", QoS::AtLeastOnce);
    }
    bench.written();
    bench.ack(Packet::Puback, 2);
    bench.publish("b", QoS::AtLeastOnce);
    bench.publish("c", QoS::AtLeastOnce);
    assert_eq!(bench.written(), "PUBLISH b q1 #2; PUBLISH c q1 #4");
}

#[test]
fn messages_are_published_again_as_new_when_the_server_has_lost_the_session() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        let one = bench.publish("a", QoS::AtLeastOnce);
        let two = bench.publish("b", QoS::ExactlyOnce);
        let released = bench.publish("c", QoS::ExactlyOnce);
        bench.written();
        bench.ack(Packet::Pubrec, 3);
        bench.written();
        bench.take();
        bench.cut();
        bench.publish("new", QoS::AtMostOnce);
        bench.finish_connect(false, &[]);
        assert_eq!(bench.take(), [lost(released, Loss::SessionLost)]);
        assert_eq!(
            bench.written(),
            "PUBLISH a q1 #1; PUBLISH b q2 #2; PUBLISH new q0"
        );
        bench.ack(Packet::Puback, 1);
        bench.ack(Packet::Pubrec, 2);
        bench.ack(Packet::Pubcomp, 2);
        let outputs = bench.take();
        assert!(outputs.contains(&published(one)) && outputs.contains(&published(two)));
    }
}

#[test]
fn a_lost_session_is_reported_where_that_is_the_policy() {
    let mut bench =
        Bench::established_with(Version::V5, |config| config.on_session_lost = SessionLost::Report);
    let one = bench.publish("a", QoS::AtLeastOnce);
    let two = bench.publish("b", QoS::ExactlyOnce);
    bench.written();
    bench.cut();
    bench.finish_connect(false, &[]);
    assert_eq!(
        bench.take(),
        [lost(one, Loss::SessionLost), lost(two, Loss::SessionLost)]
    );
    assert_eq!(bench.written(), "");
}

#[test]
fn a_qos_0_message_that_was_not_written_is_reported_when_the_connection_ends() {
    let mut bench = Bench::established(Version::V5);
    let op = bench.publish("a", QoS::AtMostOnce);
    let outputs = bench.cut();
    assert!(outputs.contains(&lost(op, Loss::LinkLost)));
}

#[test]
fn messages_submitted_while_offline_leave_in_order_with_the_connection() {
    let mut bench = Bench::new(Config::new("bench"));
    let first = bench.publish("a", QoS::AtMostOnce);
    bench.publish("b", QoS::AtLeastOnce);
    bench.connect(false);
    assert_eq!(bench.written(), "PUBLISH a q0; PUBLISH b q1 #1");
    assert_eq!(bench.take(), [published(first)]);
}

#[test]
fn the_queue_is_bounded_in_messages_and_bytes_and_hands_the_message_back() {
    let mut config = Config::new("bench");
    config.queue_messages = 2;
    config.queue_bytes = 100;
    let mut bench = Bench::new(config);
    bench.publish("a", QoS::AtMostOnce);
    let mut large = publication("b", QoS::AtLeastOnce);
    large.payload = alloc::vec![0; 98].into();
    let refused = bench.session.publish(T0, large.clone()).unwrap_err();
    assert_eq!(
        (refused.reason, refused.submitted),
        (SubmitError::QueueFull, large)
    );
    bench.publish("b", QoS::AtMostOnce);
    let refused = bench
        .session
        .publish(T0, publication("c", QoS::AtMostOnce))
        .unwrap_err();
    assert_eq!(refused.reason, SubmitError::QueueFull);
    bench.connect(false);
    assert_eq!(bench.written(), "PUBLISH a q0; PUBLISH b q0");
    assert!(
        bench
            .session
            .publish(T0, publication("c", QoS::AtMostOnce))
            .is_ok()
    );
}

#[test]
fn a_message_expires_in_the_queue_and_carries_the_time_that_is_left() {
    let mut bench = Bench::new(Config::new("bench"));
    let expiring = |seconds| Publication {
        expiry: Some(Duration::from_secs(seconds)),
        ..publication("a", QoS::AtLeastOnce)
    };
    let short = bench.session.publish(T0, expiring(5)).unwrap();
    bench.session.publish(T0, expiring(9)).unwrap();
    assert_eq!(
        bench.session.poll_timeout(),
        Some(T0.after(Duration::from_secs(5)))
    );
    bench.advance(Duration::from_millis(5500));
    assert_eq!(bench.take(), [lost(short, Loss::Expired)]);
    bench.connect(false);
    bench.drain();
    let bytes = bench.session.transmit().runs().collect::<Vec<_>>().concat();
    let header = peek(&bytes, Version::V5, u32::MAX).unwrap().unwrap();
    let publish = Publish::decode(header, &bytes, Version::V5).unwrap();
    let left: Vec<_> = publish.properties.iter().collect();
    assert_eq!(left, [Property::MessageExpiryInterval(4)]);
}

#[test]
fn subscriptions_complete_with_a_reason_for_each_filter() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        let op = bench
            .session
            .subscribe(&filters(&["a", "b/#"]), &PropertyBuf::new())
            .unwrap();
        assert_eq!(bench.written(), "SUBSCRIBE a,b/# #1");
        suback(&mut bench, 1, &[1, 0x80]);
        let outputs = bench.take();
        let [Output::Completed(completed, Completion::Subscribed(reasons))] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        assert_eq!(*completed, op);
        assert_eq!(reasons.iter().map(|code| code.0).collect::<Vec<_>>(), [1, 0x80]);
        assert_eq!(reasons.first_error(), Some(ReasonCode::UNSPECIFIED_ERROR));

        let filter = TopicFilter::from_static("a").unwrap();
        let op = bench.session.unsubscribe(&[filter], &PropertyBuf::new()).unwrap();
        assert_eq!(bench.written(), "UNSUBSCRIBE a #1");
        let codes: &[u8] = if version == Version::V5 { &[0x11] } else { &[] };
        let reasons = ReasonCodes::new(codes);
        bench.receive(&Packet::Unsuback(Unsuback {
            packet_id: id(1),
            properties: Properties::EMPTY,
            reasons,
        }));
        assert!(
            matches!(&bench.take()[..], [Output::Completed(done, Completion::Unsubscribed(_))] if *done == op)
        );
    }
}

#[test]
fn a_subscription_in_progress_is_lost_with_its_connection() {
    let mut bench = Bench::established(Version::V5);
    let op = bench
        .session
        .subscribe(&filters(&["a"]), &PropertyBuf::new())
        .unwrap();
    bench.written();
    assert!(bench.cut().contains(&lost(op, Loss::LinkLost)));
    let offline = bench.session.subscribe(&filters(&["a"]), &PropertyBuf::new());
    assert_eq!(offline, Err(SubmitError::NotConnected));
    bench.finish_connect(true, &[]);
    assert_eq!(bench.written(), "");
}

#[test]
fn what_the_server_does_not_offer_is_refused_at_submission() {
    let mut bench = Bench::new(Config::new("bench"));
    let limits = [
        Property::MaximumQos(QoS::AtLeastOnce),
        Property::RetainAvailable(false),
        Property::MaximumPacketSize(30),
        Property::WildcardSubscriptionAvailable(false),
        Property::SharedSubscriptionAvailable(false),
        Property::SubscriptionIdentifierAvailable(false),
    ];
    bench.connect_with(false, &limits);
    let mut refuse = |publication: Publication| bench.session.publish(T0, publication).unwrap_err().reason;
    assert_eq!(
        refuse(publication("a", QoS::ExactlyOnce)),
        SubmitError::QosNotSupported(QoS::AtLeastOnce)
    );
    assert_eq!(
        refuse(publication("a", QoS::AtMostOnce).retained()),
        SubmitError::RetainNotSupported
    );
    let mut large = publication("a", QoS::AtMostOnce);
    large.payload = alloc::vec![0; 25].into();
    assert_eq!(refuse(large), SubmitError::TooLarge { size: 31, max: 30 });
    let none = PropertyBuf::new();
    let mut subscribe =
        |text, properties: &PropertyBuf| bench.session.subscribe(&filters(&[text]), properties);
    assert_eq!(subscribe("a/#", &none), Err(SubmitError::WildcardNotSupported));
    assert_eq!(
        subscribe("$share/g/a", &none),
        Err(SubmitError::SharedNotSupported)
    );
    let with_id = buf(&[Property::SubscriptionIdentifier(1)]);
    assert_eq!(
        subscribe("a", &with_id),
        Err(SubmitError::SubscriptionIdNotSupported)
    );
    assert_eq!(bench.written(), "");
}

#[test]
fn a_queued_message_that_the_next_server_does_not_accept_is_reported() {
    let mut bench = Bench::new(Config::new("bench"));
    let op = bench.publish("a", QoS::ExactlyOnce);
    bench.publish("b", QoS::AtLeastOnce);
    bench.connect_with(false, &[Property::MaximumQos(QoS::AtLeastOnce)]);
    assert_eq!(bench.written(), "PUBLISH b q1 #1");
    let reason = SubmitError::QosNotSupported(QoS::AtLeastOnce);
    assert_eq!(bench.take(), [lost(op, Loss::NotAccepted(reason))]);
}

#[test]
fn an_expired_qos_1_message_is_not_sent_again_and_a_qos_2_message_expires_at_once() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        let expiring = |topic, qos| Publication {
            expiry: Some(Duration::from_millis(100)),
            ..publication(topic, qos)
        };
        let one = bench
            .session
            .publish(T0, expiring("a", QoS::AtLeastOnce))
            .unwrap();
        bench
            .session
            .publish(T0, expiring("b", QoS::ExactlyOnce))
            .unwrap();
        bench.written();
        bench.advance(Duration::from_secs(1));
        bench.cut();
        bench.finish_connect(true, &[]);
        bench.drain();
        let bytes = bench.session.transmit().runs().collect::<Vec<_>>().concat();
        assert_eq!(describe(&bytes, version), "PUBLISH b q2 #2 dup");
        let header = peek(&bytes, version, u32::MAX).unwrap().unwrap();
        let publish = Publish::decode(header, &bytes, version).unwrap();
        let expiry = (version == Version::V5).then_some(Property::MessageExpiryInterval(1));
        assert_eq!(
            publish.properties.iter().collect::<Vec<_>>(),
            expiry.into_iter().collect::<Vec<_>>()
        );
        assert_eq!(bench.take(), [lost(one, Loss::Expired)]);
    }
}

#[test]
fn a_session_that_breaks_every_connection_is_given_up_for_a_new_one() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        let op = bench.publish("a", QoS::ExactlyOnce);
        bench.written();
        bench.ack(Packet::Pubrec, 1);
        assert_eq!(bench.written(), "PUBREL #1");
        bench.cut();
        for _ in 0..crate::limits::BROKEN_RESUMPTIONS {
            bench.finish_connect(true, &[]);
            assert_eq!(bench.written(), "PUBREL #1");
            // A PUBCOMP that no version knows.
            bench.receive_bytes(&[0x71, 2, 0, 1]);
            bench.written();
            let at = bench.session.poll_timeout().unwrap();
            bench.now = at;
            bench.session.handle_timeout(at);
            assert_eq!(bench.take().last(), Some(&Output::OpenTransport));
        }
        bench.session.handle_transport_open(bench.now);
        assert_eq!(bench.written(), alloc::format!("CONNECT {version:?} clean=1"));
        bench.receive(&Packet::Connack(Connack {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        }));
        assert_eq!(bench.take().last(), Some(&lost(op, Loss::SessionLost)));
    }
}

#[test]
fn a_silent_connection_gives_memory_back_and_keeps_what_is_in_flight() {
    let mut bench = Bench::established(Version::V5);
    let ops: Vec<_> = (0..100).map(|_| bench.publish("a", QoS::AtLeastOnce)).collect();
    bench.deliver(QoS::ExactlyOnce, 7, false);
    bench.written();
    for packet_id in (1..=100).filter(|id| *id != 2) {
        bench.ack(Packet::Puback, packet_id);
    }
    bench.take();
    bench.now = bench.session.poll_timeout().expect("a ping is due");
    bench.session.handle_timeout(bench.now);
    assert_eq!(bench.written(), "PINGREQ");
    bench.receive(&Packet::Pingresp);

    bench.deliver(QoS::ExactlyOnce, 7, true);
    assert_eq!(bench.messages(), 0, "it was handed out before");
    assert_eq!(bench.written(), "PUBREC #7");
    for _ in 0..3 {
        bench.publish("b", QoS::AtLeastOnce);
    }
    assert_eq!(
        bench.written(),
        "PUBLISH b q1 #1; PUBLISH b q1 #3; PUBLISH b q1 #4"
    );
    bench.ack(Packet::Puback, 2);
    assert_eq!(bench.take(), [completed(ops[1], Completion::PUBLISHED)]);
}
