//! The queue of messages to send: what happens at its bounds.

use super::*;

fn bench(policy: QueueFull, messages: usize, bytes: usize) -> Bench {
    let mut config = Config::new("bench");
    config.queue_full = policy;
    config.queue_messages = messages;
    config.queue_bytes = bytes;
    Bench::new(config)
}

#[test]
fn the_oldest_qos_0_messages_make_room_and_are_reported_where_that_is_the_policy() {
    let mut bench = bench(QueueFull::DropOldestQos0, 3, 1_000);
    bench.publish("one", QoS::AtLeastOnce);
    let first = bench.publish("first", QoS::AtMostOnce);
    let second = bench.publish("second", QoS::AtMostOnce);
    assert_eq!(bench.take(), []);
    bench.publish("two", QoS::ExactlyOnce);
    assert_eq!(bench.take(), [lost(first, Loss::Dropped)]);
    bench.publish("third", QoS::AtMostOnce);
    assert_eq!(bench.take(), [lost(second, Loss::Dropped)]);
    bench.connect(false);
    assert_eq!(
        bench.written(),
        "PUBLISH one q1 #1; PUBLISH two q2 #2; PUBLISH third q0"
    );
}

#[test]
fn the_new_message_is_handed_back_where_no_other_may_be_dropped() {
    let mut bench = bench(QueueFull::DropOldestQos0, 2, 100);
    bench.publish("one", QoS::AtLeastOnce);
    bench.publish("two", QoS::AtLeastOnce);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let refused = bench.session.publish(T0, publication("new", qos)).unwrap_err();
        assert_eq!(refused.reason, SubmitError::QueueFull);
        assert_eq!(refused.submitted, publication("new", qos));
    }
    assert_eq!(bench.take(), []);
    assert_eq!(bench.session.queued(), 2);
}

#[test]
fn nothing_is_dropped_for_a_message_that_would_not_fit_all_the_same() {
    for policy in [QueueFull::DropOldestQos0, QueueFull::DropOldest] {
        let mut bench = bench(policy, 10, 100);
        bench.publish("a", QoS::AtMostOnce);
        let mut large = publication("b", QoS::AtMostOnce);
        large.payload = alloc::vec![0; 100].into();
        let refused = bench.session.publish(T0, large).unwrap_err();
        assert_eq!(refused.reason, SubmitError::QueueFull);
        assert_eq!(bench.take(), []);
        let mut fitting = publication("b", QoS::AtMostOnce);
        fitting.payload = alloc::vec![0; 99].into();
        assert!(bench.session.publish(T0, fitting).is_ok());
        assert_eq!(bench.take().len(), 1, "{policy:?}");
    }
}

#[test]
fn the_oldest_messages_of_any_qos_make_room_where_that_is_the_policy() {
    let mut bench = bench(QueueFull::DropOldest, 2, 1_000);
    let first = bench.publish("first", QoS::ExactlyOnce);
    bench.publish("second", QoS::AtMostOnce);
    bench.publish("third", QoS::AtMostOnce);
    assert_eq!(bench.take(), [lost(first, Loss::Dropped)]);
    bench.connect(false);
    assert_eq!(bench.written(), "PUBLISH second q0; PUBLISH third q0");
}

#[test]
fn messages_in_flight_are_never_dropped() {
    let mut bench = Bench::new({
        let mut config = Config::new("bench");
        config.queue_full = QueueFull::DropOldest;
        config.queue_messages = 1;
        config
    });
    bench.connect_with(false, &[Property::ReceiveMaximum(1)]);
    let flying = bench.publish("a", QoS::AtLeastOnce);
    bench.written();
    let dropped = bench.publish("b", QoS::AtLeastOnce);
    bench.publish("c", QoS::AtLeastOnce);
    assert_eq!(bench.take(), [lost(dropped, Loss::Dropped)]);
    bench.ack(Packet::Puback, 1);
    assert_eq!(bench.written(), "PUBLISH c q1 #1");
    assert_eq!(bench.take(), [published(flying)]);
}

#[test]
fn the_next_expiry_is_that_of_a_message_that_still_waits() {
    let mut config = Config::new("bench");
    config.keep_alive = Duration::ZERO;
    let mut bench = Bench::new(config);
    let expiring = |seconds| Publication {
        expiry: Some(Duration::from_secs(seconds)),
        ..publication("a", QoS::AtLeastOnce)
    };
    for seconds in [3, 5, 4] {
        bench.session.publish(T0, expiring(seconds)).unwrap();
    }
    bench.connect_with(false, &[Property::ReceiveMaximum(1)]);
    assert_eq!(bench.written(), "PUBLISH a q1 #1");
    let next = |bench: &Bench| bench.session.poll_timeout().map(|at| at.since(T0).as_secs());
    assert_eq!(next(&bench), Some(4));
    bench.ack(Packet::Puback, 1);
    assert_eq!(bench.written(), "PUBLISH a q1 #1");
    assert_eq!(next(&bench), Some(4));
    bench.ack(Packet::Puback, 1);
    assert_eq!(bench.written(), "PUBLISH a q1 #1");
    assert_eq!(next(&bench), None);
}

#[test]
fn a_flood_of_expiring_messages_costs_no_search_of_the_queue() {
    // Quadratic work would take minutes here.
    let mut bench = bench(QueueFull::Reject, 100_000, usize::MAX);
    for number in 0..100_000_u64 {
        let message = Publication {
            expiry: Some(Duration::from_micros(200_000 - number)),
            ..publication("a", QoS::AtMostOnce)
        };
        bench.session.publish(T0, message).unwrap();
    }
    let mut expired = 0;
    while let Some(at) = bench.session.poll_timeout() {
        bench.session.handle_timeout(at);
        while let Some(output) = bench.session.poll(at) {
            expired += 1;
            // The last one submitted expires first.
            let op = OpId::new(100_001 - expired);
            assert_eq!(output, lost(op, Loss::Expired));
        }
    }
    assert_eq!(expired, 100_000);
}
