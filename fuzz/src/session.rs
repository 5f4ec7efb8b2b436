//! A session against a server that sends what the fuzzer likes.

use std::collections::BTreeSet;

use syncline_core::codec::{PropertyBuf, QoS, SubscribeOptions, Version, decode, peek};
use syncline_core::rng::SEED_LEN;
use syncline_core::session::{Config, Filter, OpId, Output, Publication, Session, VersionPolicy};
use syncline_core::time::Instant;
use syncline_core::topic::{TopicFilter, TopicName};

/// Time stands still: what is due at a time has its own tests, and here the pieces would shift it.
const NOW: Instant = Instant::from_micros(1);

/// The first byte of the input: how to run the session.
#[derive(Clone, Copy)]
struct Plan(u8);

impl Plan {
    fn is_v5(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// The fuzzer writes the CONNACK, too.
    fn begins_with_connack(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// Bytes in a piece.
    fn piece(self) -> usize {
        usize::from(self.0 >> 3) + 1
    }
}

/// What a session did.
#[derive(PartialEq, Eq, Debug, Default)]
struct Trace {
    outputs: Vec<Output>,
    sent: Vec<u8>,
}

/// Runs two sessions on `data`, one with all of it at once and one piece by piece.
pub fn check(data: &[u8]) {
    let Some((plan, received)) = data.split_first() else {
        return;
    };
    let plan = Plan(*plan);
    let whole = run(plan, received, usize::MAX);
    let pieces = run(plan, received, plan.piece());
    assert_eq!(
        whole.outputs, pieces.outputs,
        "the session depends on how received bytes are cut"
    );
    let (sent, all) = (packets(&whole.sent, plan), packets(&pieces.sent, plan));
    if whole.outputs.contains(&Output::CloseTransport) {
        // What was not yet written when the connection broke is left out. Smaller pieces gave more occasions to write.
        let mut all = all.into_iter();
        let in_order = sent.into_iter().all(|sent| all.any(|other| other == sent));
        assert!(in_order, "what is sent depends on how received bytes are cut");
    } else {
        assert_eq!(sent, all, "what is sent depends on how received bytes are cut");
    }

    let mut completed: BTreeSet<OpId> = BTreeSet::new();
    let mut messages = 0;
    for output in &whole.outputs {
        match output {
            Output::Completed(op, _) => assert!(completed.insert(*op), "an operation completes once"),
            Output::Message(message) => messages += message.topic().len() + message.payload().len(),
            _ => {}
        }
    }
    // With a Topic Alias a packet may stand for a longer topic than it carries, at most that of the longest packet.
    assert!(
        messages <= received.len() * received.len().max(1),
        "no more is handed out than was received"
    );
}

/// The packets that `sent` is made of.
fn packets(mut sent: &[u8], plan: Plan) -> Vec<&[u8]> {
    let version = if plan.is_v5() {
        Version::V5
    } else {
        Version::V3_1_1
    };
    let mut packets = Vec::new();
    while !sent.is_empty() {
        let header = peek(sent, version, u32::MAX)
            .expect("a valid header")
            .expect("a whole header");
        let (packet, rest) = sent.split_at(header.packet_len());
        decode(header, packet, version).expect("a session sends what we accept");
        packets.push(packet);
        sent = rest;
    }
    packets
}

fn run(plan: Plan, received: &[u8], piece: usize) -> Trace {
    let mut config = Config::new("fuzz");
    config.version = if plan.is_v5() {
        VersionPolicy::V5
    } else {
        VersionPolicy::V3_1_1
    };
    config.topic_alias_maximum = 2;
    let mut session = Session::new(config, [7; SEED_LEN]).expect("a valid configuration");
    let mut trace = Trace::default();
    session.connect(NOW);
    step(&mut session, &mut trace);
    session.handle_transport_open(NOW);
    publish(&mut session);
    step(&mut session, &mut trace);
    if !plan.begins_with_connack() {
        let connack: &[u8] = if plan.is_v5() {
            &[0x20, 3, 0, 0, 0]
        } else {
            &[0x20, 2, 0, 0]
        };
        assert_eq!(session.rx_extend(connack), connack.len());
        step(&mut session, &mut trace);
        assert!(session.is_established());
        subscribe(&mut session);
        step(&mut session, &mut trace);
    }
    for mut bytes in received.chunks(piece.min(received.len().max(1))) {
        while !bytes.is_empty() {
            let taken = session.rx_extend(bytes);
            step(&mut session, &mut trace);
            if taken == 0 {
                // Without a connection nothing more is read; with one, polling made room.
                assert!(session.version().is_none() || session.rx_extend(&[]) == 0);
                break;
            }
            bytes = &bytes[taken..];
        }
    }
    session.handle_transport_closed(NOW);
    step(&mut session, &mut trace);
    trace
}

/// A message at each QoS that waits for an answer.
fn publish(session: &mut Session) {
    let topic = TopicName::from_static("a").expect("a valid topic");
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let publication = Publication::new(topic.clone(), &b"payload"[..]).qos(qos);
        session.publish(NOW, publication).expect("an empty queue");
    }
}

/// The operations that need a connection.
fn subscribe(session: &mut Session) {
    let filter = TopicFilter::from_static("a/#").expect("a valid filter");
    let options = SubscribeOptions::at_qos(QoS::AtLeastOnce);
    let filters = [Filter {
        filter: filter.clone(),
        options,
    }];
    session
        .subscribe(&filters, &PropertyBuf::new())
        .expect("a connection");
    session
        .unsubscribe(&[filter], &PropertyBuf::new())
        .expect("a connection");
}

/// Polls until there is nothing left, and takes over what is to be sent, as a socket would.
fn step(session: &mut Session, trace: &mut Trace) {
    loop {
        let before = trace.outputs.len();
        while let Some(output) = session.poll(NOW) {
            trace.outputs.push(output);
        }
        let start = trace.sent.len();
        for run in session.transmit().runs() {
            trace.sent.extend_from_slice(run);
        }
        let written = trace.sent.len() - start;
        session.tx_advance(NOW, written);
        if written == 0 && trace.outputs.len() == before {
            return;
        }
    }
}
