//! Flow control, back-pressure, and the independence of reading and writing.

use super::*;
use crate::limits::{ACK_RESERVE, MAX_OVERSHOOT_BYTES, TRANSMIT_HIGH_WATER};

#[test]
fn no_more_messages_leave_than_the_receive_maximum_allows() {
    let mut bench = Bench::new(Config::new("bench"));
    bench.connect_with(false, &[Property::ReceiveMaximum(2)]);
    for _ in 0..3 {
        bench.publish("a", QoS::AtLeastOnce);
    }
    bench.publish("b", QoS::ExactlyOnce);
    assert_eq!(bench.written(), "PUBLISH a q1 #1; PUBLISH a q1 #2");
    bench.ack(Packet::Puback, 2);
    assert_eq!(bench.written(), "PUBLISH a q1 #2");
    bench.ack(Packet::Puback, 1);
    assert_eq!(bench.written(), "PUBLISH b q2 #1");
    bench.ack(Packet::Pubrec, 1);
    assert_eq!(bench.written(), "PUBREL #1");
    bench.publish("c", QoS::AtLeastOnce);
    assert_eq!(bench.written(), "", "a QoS 2 message counts until its PUBCOMP");
    bench.ack(Packet::Pubcomp, 1);
    assert_eq!(bench.written(), "PUBLISH c q1 #1");
}

#[test]
fn sending_again_keeps_within_the_new_receive_maximum() {
    let mut bench = Bench::established(Version::V5);
    for _ in 0..3 {
        bench.publish("a", QoS::AtLeastOnce);
    }
    bench.written();
    bench.cut();
    bench.finish_connect(true, &[Property::ReceiveMaximum(1)]);
    assert_eq!(bench.written(), "PUBLISH a q1 #1 dup");
    bench.ack(Packet::Puback, 1);
    assert_eq!(bench.written(), "PUBLISH a q1 #2 dup");
    bench.ack(Packet::Puback, 2);
    assert_eq!(bench.written(), "PUBLISH a q1 #3 dup");
}

#[test]
fn own_bound_on_messages_in_flight_holds_below_the_servers() {
    let one = core::num::NonZeroU16::MIN;
    let mut bench = Bench::established_with(Version::V3_1_1, |config| config.max_in_flight = one);
    bench.publish("a", QoS::AtLeastOnce);
    bench.publish("b", QoS::AtLeastOnce);
    assert_eq!(bench.written(), "PUBLISH a q1 #1");
    bench.ack(Packet::Puback, 1);
    assert_eq!(bench.written(), "PUBLISH b q1 #1");
}

#[test]
fn packet_identifiers_run_out_as_a_typed_error_and_come_back() {
    let mut bench = Bench::established(Version::V3_1_1);
    for _ in 0..u16::MAX {
        bench.publish("a", QoS::AtLeastOnce);
        let len = bench.session.transmit().runs().map(<[u8]>::len).sum();
        bench.session.tx_advance(T0, len);
    }
    let subscribe = |bench: &mut Bench| bench.session.subscribe(&filters(&["a"]), &PropertyBuf::new());
    assert_eq!(subscribe(&mut bench), Err(SubmitError::NoPacketId));
    bench.ack(Packet::Puback, 777);
    assert!(subscribe(&mut bench).is_ok());
    assert!(bench.written().ends_with("SUBSCRIBE a #777"));
}

#[test]
fn messages_wait_in_the_queue_while_writing_is_blocked_but_acknowledgements_do_not() {
    let mut bench = Bench::established(Version::V5);
    let mut large = publication("a", QoS::AtMostOnce);
    large.payload = alloc::vec![0; 10_000].into();
    for _ in 0..100 {
        bench.session.publish(T0, large.clone()).unwrap();
    }
    bench.drain();
    let waiting = bench.session.transmit().runs().map(<[u8]>::len).sum::<usize>();
    assert!(
        (TRANSMIT_HIGH_WATER..TRANSMIT_HIGH_WATER + 11_000).contains(&waiting),
        "{waiting}"
    );
    bench.deliver(QoS::AtLeastOnce, 9, false);
    assert_eq!(bench.messages(), 1, "reading goes on while writing is blocked");
    let mut texts = String::new();
    while bench.session.has_transmit() {
        texts.push_str(&bench.written());
        texts.push(';');
    }
    let ack = texts.find("PUBACK #9").expect("acknowledged");
    assert!(
        ack < texts.len() / 2,
        "the acknowledgement does not wait for the queue"
    );
    assert_eq!(texts.matches("PUBLISH").count(), 100);
}

#[test]
fn a_server_that_does_not_read_cannot_make_acknowledgements_pile_up() {
    let mut bench = Bench::established(Version::V3_1_1);
    let mut bytes = Vec::new();
    for packet_id in 1..=60_000_u16 {
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: "in",
            packet_id: PacketId::new(packet_id),
            properties: Properties::EMPTY,
            payload: b"",
        };
        Packet::Publish(publish)
            .encode(Version::V3_1_1, &mut bytes)
            .unwrap();
    }
    let mut offered = 0;
    loop {
        let n = bench.session.rx_extend(&bytes[offered..]);
        bench.drain();
        if n == 0 {
            break;
        }
        offered += n;
    }
    let waiting = bench.session.transmit().runs().map(<[u8]>::len).sum::<usize>();
    assert!(waiting <= TRANSMIT_HIGH_WATER + ACK_RESERVE + 4, "{waiting}");
    assert!(offered < bytes.len());
    bench.session.tx_advance(T0, waiting);
    bench.drain();
    assert!(
        bench.session.rx_extend(&bytes[offered..]) > 0,
        "reading goes on when the server reads again"
    );
}

#[test]
fn the_same_bytes_whole_and_in_pieces_give_the_same_outputs_and_bytes() {
    let mut stream = Vec::new();
    for packet_id in 1..=20_u16 {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let payload = alloc::vec![b'x'; usize::from(packet_id) * 50];
            let publish = Publish {
                dup: false,
                qos,
                retain: false,
                topic: "in",
                packet_id: (qos != QoS::AtMostOnce).then(|| id(packet_id + 100 * qos as u16)),
                properties: Properties::EMPTY,
                payload: &payload,
            };
            Packet::Publish(publish).encode(Version::V5, &mut stream).unwrap();
        }
        let ack = Ack {
            packet_id: id(packet_id + 200),
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        };
        Packet::Pubrel(ack).encode(Version::V5, &mut stream).unwrap();
    }
    let run = |piece: usize| {
        let mut bench = Bench::established(Version::V5);
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let n = bench.session.rx_extend(&rest[..piece.min(rest.len())]);
            bench.drain();
            rest = &rest[n..];
        }
        (bench.take(), bench.written())
    };
    let whole = run(usize::MAX);
    assert_eq!(whole.0.len(), 60);
    for piece in [1, 2, 3, 7, 100, 1000] {
        assert_eq!(run(piece), whole, "in pieces of {piece}");
    }
}

#[test]
fn a_connack_in_one_piece_with_what_follows_gives_the_same_bytes_as_in_pieces() {
    let mut stream = alloc::vec![0x20, 3, 0, 0, 0];
    for packet in [
        Packet::Puback(Ack::success(id(1))),
        Packet::Pubrec(Ack::success(id(2))),
    ] {
        packet.encode(Version::V5, &mut stream).unwrap();
    }
    stream.extend_from_slice(&[0x32, 6, 0, 1, b'a', 0, 9, 0]);
    let run = |piece: usize| {
        let mut bench = Bench::new(Config::new("bench"));
        bench.publish("a", QoS::AtLeastOnce);
        bench.publish("b", QoS::ExactlyOnce);
        bench.session.connect(T0);
        bench.take();
        bench.session.handle_transport_open(T0);
        bench.written();
        for piece in stream.chunks(piece) {
            bench.receive_bytes(piece);
        }
        (bench.take(), bench.written())
    };
    let whole = run(usize::MAX);
    assert_eq!(whole.1, "PUBLISH a q1 #1; PUBLISH b q2 #2; PUBREL #2; PUBACK #9");
    for piece in 1..stream.len() {
        assert_eq!(run(piece), whole, "in pieces of {piece}");
    }
}

#[test]
fn a_3_1_1_server_gets_no_more_qos_2_messages_at_once_than_it_can_be_trusted_with() {
    for (version, at_once) in [(Version::V3_1_1, 19), (Version::V5, 30)] {
        let mut bench = Bench::established(version);
        for _ in 0..30 {
            bench.publish("a", QoS::ExactlyOnce);
        }
        assert_eq!(bench.written().matches("PUBLISH").count(), at_once);
        bench.ack(Packet::Pubrec, 1);
        assert_eq!(
            bench.written(),
            "PUBREL #1",
            "the server has not finished with it"
        );
        bench.ack(Packet::Pubcomp, 1);
        let next = if at_once == 19 { "PUBLISH a q2 #1" } else { "" };
        assert_eq!(bench.written(), next);
    }
}

fn flood(version: Version, payload: &[u8]) -> Vec<u8> {
    flood_of(1 << 20, version, payload)
}

/// At least `len` bytes of messages, or 60,000 of them.
fn flood_of(len: usize, version: Version, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet_id in 1..=60_000_u16 {
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: "in",
            packet_id: PacketId::new(packet_id),
            properties: Properties::EMPTY,
            payload,
        };
        Packet::Publish(publish).encode(version, &mut bytes).unwrap();
        if bytes.len() > len {
            break;
        }
    }
    bytes
}

/// Offers bytes until no more fit, and returns how many that were.
fn fill(bench: &mut Bench, bytes: &[u8]) -> usize {
    let mut offered = 0;
    loop {
        let n = bench.session.rx_extend(&bytes[offered..]);
        bench.drain();
        if n == 0 {
            return offered;
        }
        offered += n;
    }
}

#[test]
fn a_server_that_sends_and_never_reads_is_found_out() {
    for version in BOTH {
        let mut bench = Bench::established(version);
        let bytes = flood(version, b"");
        assert!(fill(&mut bench, &bytes) < bytes.len());
        let stuck_since = bench.now;
        while bench.session.is_established() && bench.now.since(stuck_since) < Duration::from_secs(3600) {
            bench.advance(Duration::from_secs(5));
            bench.drain();
        }
        assert!(bench.now.since(stuck_since) <= Duration::from_secs(90));
    }
}

#[test]
fn a_server_that_reads_slowly_is_not_given_up() {
    let mut bench = Bench::established(Version::V5);
    let bytes = flood(Version::V5, b"");
    fill(&mut bench, &bytes);
    for _ in 0..1_000 {
        bench.session.tx_advance(bench.now, 1);
        bench.advance(Duration::from_secs(5));
        bench.drain();
    }
    assert!(bench.session.is_established());
}

#[test]
fn a_caller_that_acknowledges_late_keeps_the_connection_behind_a_message_of_any_size() {
    for (version, size) in BOTH
        .into_iter()
        .flat_map(|version| [(version, 10), (version, 40_000)])
    {
        let mut bench = Bench::established_with(version, |config| {
            config.acks = AckMode::Manual;
            config.receive_maximum = core::num::NonZeroU16::MIN;
        });
        let large = flood_of(MAX_OVERSHOOT_BYTES, version, &alloc::vec![0; 1 << 20]);
        assert_eq!(fill(&mut bench, &large), large.len());
        let bytes = flood(version, &alloc::vec![0; size]);
        assert!(
            fill(&mut bench, &bytes) < bytes.len(),
            "the session waits for its caller"
        );
        for _ in 0..100 {
            bench.advance(Duration::from_secs(5));
            bench.written();
        }
        assert!(bench.session.is_established());
    }
}

#[test]
fn what_waits_behind_a_late_caller_is_read_once_it_acknowledges() {
    for version in BOTH {
        let mut bench = Bench::established_with(version, |config| {
            config.acks = AckMode::Manual;
            config.receive_maximum = core::num::NonZeroU16::MIN;
        });
        let large = flood_of(MAX_OVERSHOOT_BYTES, version, &alloc::vec![0; 1 << 20]);
        let mut tokens = Vec::new();
        let mut offered = 0;
        while offered < large.len() {
            offered += bench.session.rx_extend(&large[offered..]);
            tokens.extend(bench.tokens());
        }
        bench.deliver(QoS::AtLeastOnce, 60_000, false);
        assert_eq!(bench.tokens(), [], "it waits");
        bench.session.acknowledge(tokens[0]).unwrap();
        assert_eq!(bench.tokens().len(), 1);
        assert_eq!(bench.written(), "PUBACK #1");
    }
}
