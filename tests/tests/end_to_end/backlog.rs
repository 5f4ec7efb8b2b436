//! A backlog at a stock Mosquitto, acknowledged by hand: all of it, once, in order, on one connection, although Mosquitto 2.0.11
//! sends beyond the Receive Maximum once it has had a PUBACK.

use std::num::NonZeroU16;

use syncline_core::codec::{QoS, Version};
use syncline_core::session::{AckMode, Completion, Config, Disconnect, OpId, Publication, Unfinished};
use syncline_tests::real_broker::RealBroker;
use syncline_tests::session_client::{SessionClient, configuration, topic};

/// Messages that wait.
const BACKLOG: usize = 5_000;

/// When a message is acknowledged.
#[derive(Debug, Clone, Copy)]
enum Handling {
    /// One by one, each when its turn comes.
    OneByOne,
    /// Up to this many at a time, the last one first.
    Backwards(usize),
    /// Once the server has acknowledged what was published about it, as a responder does; up to this many at a time.
    AfterItsAnswer(usize),
}

fn receiver(version: Version, receive_maximum: u16) -> Config {
    let mut config = configuration("receiver", version);
    config.acks = AckMode::Manual;
    config.receive_maximum = NonZeroU16::new(receive_maximum).expect("not zero");
    config
}

/// Leaves the backlog at the broker for `receiver`, which has subscribed and gone.
fn leave_backlog(broker: &RealBroker, receiver: &mut SessionClient, version: Version, qos: QoS) {
    receiver.subscribe_to("backlog");
    receiver.disconnect(Disconnect {
        unfinished: Unfinished::Keep,
        ..Disconnect::default()
    });
    let mut sender = SessionClient::connected(configuration("sender", version), broker.address());
    let ops: Vec<OpId> = (0..BACKLOG)
        .map(|n| sender.submit(Publication::new(topic("backlog"), n.to_string()).qos(qos)))
        .collect();
    await_published(&mut sender, &ops);
}

fn await_published(client: &mut SessionClient, ops: &[OpId]) {
    client.until("the broker has all of it", |client| {
        let completions = &client.completions;
        ops.iter().all(|op| completions.contains_key(op)).then_some(())
    });
    for op in ops {
        assert!(matches!(client.completions[op], Completion::Published { .. }));
    }
}

/// Takes the whole backlog. Of what was handed out, so much as `handling` says is under way at a time.
fn take_backlog(receiver: &mut SessionClient, handling: Handling) {
    receiver.connect();
    let mut acknowledged = 0;
    let mut looked_at = 0;
    while acknowledged < BACKLOG {
        receiver.write();
        // To look costs its time limit where nothing has come: not after each acknowledgement.
        if receiver.messages.len() == acknowledged || acknowledged >= looked_at + 50 {
            looked_at = acknowledged;
            receiver.until("the next message comes", |receiver| {
                (receiver.messages.len() > acknowledged).then_some(())
            });
        }
        let handed_out = receiver.messages.len();
        let at_a_time = match handling {
            Handling::OneByOne => 1,
            Handling::Backwards(count) | Handling::AfterItsAnswer(count) => count,
        };
        let batch = acknowledged..handed_out.min(acknowledged + at_a_time);
        acknowledged = batch.end;
        if let Handling::AfterItsAnswer(_) = handling {
            let answer = || Publication::new(topic("answers"), "done").qos(QoS::AtLeastOnce);
            let ops: Vec<OpId> = batch.clone().map(|_| receiver.submit(answer())).collect();
            await_published(receiver, &ops);
        }
        let tokens: Vec<_> = receiver.messages[batch]
            .iter()
            .map(|message| message.ack_token().expect("acknowledged by hand"))
            .collect();
        for token in tokens.into_iter().rev() {
            receiver
                .session()
                .acknowledge(token)
                .expect("a token of this connection");
        }
    }
}

fn payloads(receiver: &SessionClient) -> Vec<usize> {
    let texts = receiver
        .messages
        .iter()
        .map(|message| String::from_utf8_lossy(message.payload()).into_owned());
    texts.map(|text| text.parse().expect("a number")).collect()
}

#[test]
fn a_backlog_acknowledged_by_hand_comes_once_and_in_order_on_one_connection() {
    for version in [Version::V3_1_1, Version::V5] {
        for (receive_maximum, qos, handling) in [
            (20, QoS::AtLeastOnce, Handling::OneByOne),
            (20, QoS::AtLeastOnce, Handling::AfterItsAnswer(64)),
            (20, QoS::ExactlyOnce, Handling::OneByOne),
            (100, QoS::AtLeastOnce, Handling::Backwards(100)),
            (1_024, QoS::AtLeastOnce, Handling::OneByOne),
            (1_024, QoS::AtLeastOnce, Handling::AfterItsAnswer(64)),
            (1_024, QoS::ExactlyOnce, Handling::Backwards(7)),
        ] {
            let case = format!("{version:?}, {receive_maximum}, {qos:?}, {handling:?}");
            let broker = RealBroker::mosquitto("max_queued_messages 10000\nset_tcp_nodelay true");
            let config = receiver(version, receive_maximum);
            let mut receiver = SessionClient::connected(config, broker.address());
            leave_backlog(&broker, &mut receiver, version, qos);
            take_backlog(&mut receiver, handling);
            assert_eq!(payloads(&receiver), Vec::from_iter(0..BACKLOG), "{case}");
            assert_eq!(receiver.connections.len(), 2, "{case}");
        }
    }
}
