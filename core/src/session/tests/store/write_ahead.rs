//! What waits for the store, and what is in it when.

use super::*;

#[test]
fn a_publish_leaves_when_its_message_and_its_identifier_are_durable() {
    for version in BOTH {
        for (qos, sent) in [
            (QoS::AtLeastOnce, "PUBLISH a q1 #1"),
            (QoS::ExactlyOnce, "PUBLISH a q2 #1"),
        ] {
            let (mut bench, mut disk) = Bench::established_with_store(version, |_| {});
            let before = disk.operations.len() as u64;
            let op = bench.publish("a", qos);
            bench.collect(&mut disk);
            assert_eq!(
                disk.keys()[1..],
                ["message 1", "packet identifier 1 in flight"],
                "{op:?}"
            );
            assert_eq!(bench.session.awaits_persisted(), Some(before + 2));
            bench.session.handle_persisted(before + 1);
            assert_eq!(bench.written(), "");
            bench.session.handle_persisted(before + 2);
            assert_eq!(bench.written(), sent);
            assert_eq!(bench.session.awaits_persisted(), None);
        }
    }
}

#[test]
fn messages_wait_for_the_store_together_and_leave_in_order() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    for topic in ["a", "b", "c"] {
        bench.publish(topic, QoS::AtLeastOnce);
    }
    bench.publish("later", QoS::AtMostOnce);
    assert_eq!(bench.written(), "");
    bench.persist(&mut disk);
    assert_eq!(
        bench.written(),
        "PUBLISH a q1 #1; PUBLISH b q1 #2; PUBLISH c q1 #3; PUBLISH later q0"
    );
}

#[test]
fn qos_0_messages_pings_and_pubacks_wait_for_no_disk() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    bench.publish("a", QoS::AtMostOnce);
    assert_eq!(bench.written(), "PUBLISH a q0");
    bench.publish("b", QoS::AtLeastOnce);
    bench.deliver(QoS::AtLeastOnce, 9, false);
    bench
        .session
        .subscribe(&filters(&["s"]), &PropertyBuf::new())
        .unwrap();
    bench.advance(Duration::from_secs(60));
    assert_eq!(bench.written(), "PUBACK #9; SUBSCRIBE s #2; PINGREQ");
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "PUBLISH b q1 #1");
}

#[test]
fn each_step_of_a_qos_2_exchange_waits_for_what_it_must_not_forget() {
    for version in BOTH {
        let (mut bench, mut disk) = Bench::established_with_store(version, |_| {});
        let op = bench.publish("a", QoS::ExactlyOnce);
        bench.persist(&mut disk);
        assert_eq!(bench.written(), "PUBLISH a q2 #1");
        bench.ack(Packet::Pubrec, 1);
        assert_eq!(bench.written(), "");
        bench.persist(&mut disk);
        assert_eq!(bench.written(), "PUBREL #1");
        assert_eq!(disk.keys(), ["session", "packet identifier 1 in flight"]);
        bench.ack(Packet::Pubcomp, 1);
        bench.persist(&mut disk);
        assert_eq!(bench.take(), [published(op)]);

        bench.deliver(QoS::ExactlyOnce, 5, false);
        assert_eq!(bench.written(), "");
        bench.persist(&mut disk);
        assert_eq!(bench.written(), "PUBREC #5");
        assert_eq!(disk.keys(), ["session", "packet identifier 5 received"]);
        bench.ack(Packet::Pubrel, 5);
        assert_eq!(bench.written(), "");
        bench.persist(&mut disk);
        assert_eq!(bench.written(), "PUBCOMP #5");
        assert_eq!(disk.keys(), ["session"]);
    }
}

#[test]
fn with_manual_acknowledgement_a_message_is_stored_when_the_caller_has_it() {
    let (mut bench, mut disk) =
        Bench::established_with_store(Version::V5, |config| config.acks = AckMode::Manual);
    bench.deliver(QoS::ExactlyOnce, 5, false);
    bench.deliver(QoS::ExactlyOnce, 6, false);
    bench.persist(&mut disk);
    assert_eq!(disk.keys(), ["session"]);
    let tokens: Vec<_> = bench
        .take()
        .iter()
        .filter_map(|output| match output {
            Output::Message(message) => message.ack_token(),
            _ => None,
        })
        .collect();
    bench.session.acknowledge(tokens[1]).unwrap();
    bench.persist(&mut disk);
    assert_eq!(disk.keys(), ["session", "packet identifier 6 received"]);
    assert_eq!(bench.written(), "", "in order of receipt");
    bench.session.acknowledge(tokens[0]).unwrap();
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "PUBREC #5; PUBREC #6");
}

#[test]
fn a_message_of_the_process_is_not_stored_but_its_qos_2_identifier_is() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    let of_process = |qos| Publication {
        lifetime: Lifetime::Process,
        ..publication("p", qos)
    };
    bench
        .session
        .publish(bench.now, of_process(QoS::AtLeastOnce))
        .unwrap();
    assert_eq!(bench.written(), "PUBLISH p q1 #1");
    bench.collect(&mut disk);
    assert_eq!(disk.keys(), ["session"]);
    bench
        .session
        .publish(bench.now, of_process(QoS::ExactlyOnce))
        .unwrap();
    assert_eq!(bench.written(), "");
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "PUBLISH p q2 #2");
    assert_eq!(disk.keys(), ["session", "packet identifier 2 in flight"]);

    let (mut bench, mut later) = Bench::restarted(Version::V5, &disk);
    assert_eq!(bench.written(), "PUBREL #2");
    bench.ack_with(Packet::Pubcomp, 2, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
    bench.persist(&mut later);
    let free = StoreOperation {
        seq: later.operations.len() as u64,
        key: StoreKey::from_u64(2 << 56 | 2),
        change: Change::Delete,
    };
    assert_eq!(later.operations.last(), Some(&free));
    assert_eq!(bench.take(), [], "nobody waits for it any more");
}

#[test]
fn whatever_ends_a_message_takes_it_out_of_the_store() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |config| {
        config.queue_messages = 1;
        config.queue_full = QueueFull::DropOldest;
        config.on_session_lost = SessionLost::Report;
    });
    bench.publish("acknowledged", QoS::AtLeastOnce);
    bench.persist(&mut disk);
    bench.written();
    bench.ack(Packet::Puback, 1);
    bench.persist(&mut disk);
    assert_eq!(disk.keys(), ["session"]);

    bench.publish("refused", QoS::ExactlyOnce);
    bench.persist(&mut disk);
    bench.written();
    bench.ack_with(Packet::Pubrec, 1, ReasonCode(0x97));
    bench.persist(&mut disk);
    assert_eq!(disk.keys(), ["session"]);

    bench.publish("lost with the Session", QoS::ExactlyOnce);
    bench.persist(&mut disk);
    bench.deliver(QoS::ExactlyOnce, 7, false);
    bench.persist(&mut disk);
    bench.cut();
    bench.publish("dropped", QoS::AtLeastOnce);
    bench.publish("closed", QoS::AtLeastOnce);
    bench.collect(&mut disk);
    assert_eq!(disk.keys().len(), 5);
    bench.session.handle_transport_open(bench.now);
    bench.written();
    bench.receive(&Packet::Connack(Connack {
        session_present: false,
        reason: ReasonCode::SUCCESS,
        properties: Properties::EMPTY,
    }));
    bench.persist(&mut disk);
    assert_eq!(
        disk.keys(),
        ["session", "message 5", "packet identifier 1 in flight"]
    );

    let disconnect = Disconnect::default();
    bench.session.disconnect(bench.now, disconnect).unwrap();
    bench.written();
    bench.persist(&mut disk);
    assert_eq!(disk.keys(), ["session"]);
}

#[test]
fn a_lost_session_sends_its_stored_messages_as_new_ones() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    bench.publish("a", QoS::AtLeastOnce);
    bench.publish("b", QoS::ExactlyOnce);
    bench.persist(&mut disk);
    bench.written();
    bench.ack(Packet::Pubrec, 2);
    bench.persist(&mut disk);
    bench.cut();
    bench.finish_connect(false, &[]);
    bench.collect(&mut disk);
    assert_eq!(bench.take(), [lost(OpId::new(2), Loss::SessionLost)]);
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "PUBLISH a q1 #1");
    assert_eq!(
        disk.keys(),
        ["session", "message 1", "packet identifier 1 in flight"]
    );
}

#[test]
fn what_waited_for_the_store_when_the_connection_ended_is_sent_on_the_next_one_alone() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    bench.publish("a", QoS::AtLeastOnce);
    bench.deliver(QoS::ExactlyOnce, 5, false);
    bench.collect(&mut disk);
    bench.cut();
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "");
    bench.finish_connect(true, &[]);
    assert_eq!(bench.written(), "PUBLISH a q1 #1", "for the first time");
}

#[test]
fn parsing_stops_while_too_many_packets_wait_for_the_store() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V3_1_1, |_| {});
    let mut delivered = 0;
    let mut offered = 0;
    for id in 1..=10_000 {
        let mut bytes = Vec::new();
        let publish = Publish {
            dup: false,
            qos: QoS::ExactlyOnce,
            retain: false,
            topic: "in",
            packet_id: PacketId::new(id),
            properties: Properties::EMPTY,
            payload: b"x",
        };
        Packet::Publish(publish)
            .encode(bench.version, &mut bytes)
            .unwrap();
        if bench.session.rx_extend(&bytes) < bytes.len() {
            break;
        }
        offered += 1;
        bench.collect(&mut disk);
        delivered += bench.messages();
    }
    assert!(offered < 10_000, "the receive buffer is bounded, too");
    assert_eq!(delivered, crate::limits::MAX_HELD_PACKETS + 1);
    bench.persist(&mut disk);
    assert_eq!(delivered + bench.messages(), offered);
}

#[test]
fn numbers_that_were_not_handed_out_persist_nothing() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    bench.session.handle_persisted(u64::MAX);
    bench.publish("a", QoS::AtLeastOnce);
    assert_eq!(bench.written(), "");
    bench.session.handle_persisted(0);
    assert_eq!(bench.written(), "");
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "PUBLISH a q1 #1");
}

#[test]
fn a_message_too_large_for_the_server_is_refused_before_it_is_stored() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    bench.cut();
    bench.finish_connect(true, &[Property::MaximumPacketSize(40)]);
    let large = Publication::new(TopicName::from_static("t").unwrap(), alloc::vec![0; 64]);
    let refused = bench
        .session
        .publish(bench.now, large.qos(QoS::AtLeastOnce))
        .unwrap_err();
    assert_eq!(refused.reason, SubmitError::TooLarge { size: 72, max: 40 });
    bench.collect(&mut disk);
    assert_eq!(disk.keys(), ["session"]);
}

#[test]
fn without_a_store_there_are_no_operations() {
    let mut bench = Bench::established(Version::V5);
    bench.publish("a", QoS::ExactlyOnce);
    bench.deliver(QoS::ExactlyOnce, 5, false);
    assert_eq!(bench.written(), "PUBLISH a q2 #1; PUBREC #5");
    assert!(
        !bench
            .take()
            .iter()
            .any(|output| matches!(output, Output::Store(_)))
    );
    assert_eq!(bench.session.awaits_persisted(), None);
}

#[test]
fn a_message_withdrawn_from_a_resumed_session_frees_its_identifier_in_the_next_process_at_the_latest() {
    let (mut bench, mut disk) = Bench::established_with_store(Version::V5, |_| {});
    let op = bench.publish("a", QoS::ExactlyOnce);
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "PUBLISH a q2 #1");
    bench.cut();
    bench.finish_connect(true, &[Property::MaximumQos(QoS::AtLeastOnce)]);
    assert_eq!(bench.written(), "", "the PUBREL waits for the store");
    bench.collect(&mut disk);
    let refusal = Loss::NotAccepted(SubmitError::QosNotSupported(QoS::AtLeastOnce));
    assert_eq!(bench.take(), [lost(op, refusal)]);
    assert_eq!(disk.keys(), ["session", "packet identifier 1 in flight"]);
    bench.persist(&mut disk);
    assert_eq!(bench.written(), "PUBREL #1");
    let (mut next, mut later) = Bench::restarted(Version::V5, &disk);
    assert_eq!(next.written(), "PUBREL #1");
    next.ack(Packet::Pubcomp, 1);
    next.persist(&mut later);
    assert_eq!(next.take(), []);
}

#[test]
fn a_message_released_before_its_acknowledgement_leaves_no_record() {
    let (mut bench, mut disk) =
        Bench::established_with_store(Version::V5, |config| config.acks = AckMode::Manual);
    bench.deliver(QoS::ExactlyOnce, 1, false);
    let token = bench.take().iter().find_map(|output| match output {
        Output::Message(message) => message.ack_token(),
        _ => None,
    });
    bench.ack(Packet::Pubrel, 1);
    bench.session.acknowledge(token.unwrap()).unwrap();
    bench.persist(&mut disk);
    assert_eq!(
        disk.keys(),
        ["session"],
        "or the next message of its identifier would be lost"
    );
}
