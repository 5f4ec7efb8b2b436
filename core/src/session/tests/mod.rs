//! A session on a bench: the test is its server, its transport and its clock.

mod alias;
mod authentication;
mod connack;
mod connection;
mod details;
mod flow;
mod inbound;
mod outbound;
mod queue;
mod store;
mod teardown;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::codec::{
    Ack, Connack, Filters, Packet, PacketId, Properties, Property, Publish, ReasonCode, ReasonCodes, Suback,
    Unsuback, decode, peek,
};
use crate::topic::{TopicFilter, TopicName};

const T0: Instant = Instant::from_micros(1_000_000_000);

struct Bench {
    session: Session,
    now: Instant,
    version: Version,
    /// Outputs since the last look.
    outputs: Vec<Output>,
}

impl Bench {
    fn new(config: Config) -> Self {
        let version = config.version.versions().next().unwrap();
        Self {
            session: Session::new(config, [7; SEED_LEN]).unwrap(),
            now: T0,
            version,
            outputs: Vec::new(),
        }
    }

    /// A session with a connection of this version, resumable.
    fn established(version: Version) -> Self {
        Self::established_with(version, |_| {})
    }

    fn established_with(version: Version, adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new("bench");
        config.version = policy(version);
        adjust(&mut config);
        let mut bench = Self::new(config);
        bench.connect(false);
        bench
    }

    /// Goes through transport and CONNECT up to an accepting CONNACK.
    fn connect(&mut self, session_present: bool) {
        self.connect_with(session_present, &[]);
    }

    fn connect_with(&mut self, session_present: bool, properties: &[Property<'_>]) {
        self.session.connect(self.now);
        assert_eq!(self.take(), [Output::OpenTransport]);
        self.finish_connect(session_present, properties);
    }

    fn finish_connect(&mut self, session_present: bool, properties: &[Property<'_>]) {
        self.session.handle_transport_open(self.now);
        assert!(self.written().starts_with("CONNECT "));
        let properties = buf(properties);
        self.receive(&Packet::Connack(Connack {
            session_present,
            reason: ReasonCode::SUCCESS,
            properties: properties.as_properties(),
        }));
        let outputs = self.take();
        assert!(matches!(outputs[0], Output::Connected(_)), "{outputs:?}");
        self.outputs = outputs.into_iter().skip(1).collect();
    }

    /// Cuts the connection and lets the back-off pass, up to the next `OpenTransport`.
    fn cut(&mut self) -> Vec<Output> {
        self.session.handle_transport_closed(self.now);
        let outputs = self.take();
        let at = self.session.poll_timeout().expect("a retry is due");
        self.now = at;
        self.session.handle_timeout(at);
        assert_eq!(self.take(), [Output::OpenTransport]);
        outputs
    }

    fn receive(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.receive_bytes(&bytes);
    }

    fn receive_bytes(&mut self, bytes: &[u8]) {
        assert_eq!(self.session.rx_extend(bytes), bytes.len());
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll(self.now) {
            self.outputs.push(output);
        }
    }

    /// Outputs since the last look.
    fn take(&mut self) -> Vec<Output> {
        self.drain();
        core::mem::take(&mut self.outputs)
    }

    /// Everything that waits to be written, as text; it is written by that.
    fn written(&mut self) -> String {
        self.drain();
        let bytes = self.session.transmit().runs().collect::<Vec<_>>().concat();
        self.session.tx_advance(self.now, bytes.len());
        self.drain();
        describe(&bytes, self.version)
    }

    fn publish(&mut self, topic: &'static str, qos: QoS) -> OpId {
        self.session.publish(self.now, publication(topic, qos)).unwrap()
    }

    fn advance(&mut self, by: Duration) {
        self.now = self.now.after(by);
        self.session.handle_timeout(self.now);
    }

    fn ack(&mut self, packet: fn(Ack<'static>) -> Packet<'static>, packet_id: u16) {
        self.ack_with(packet, packet_id, ReasonCode::SUCCESS);
    }

    fn ack_with(&mut self, packet: fn(Ack<'static>) -> Packet<'static>, packet_id: u16, reason: ReasonCode) {
        self.receive(&packet(Ack {
            packet_id: id(packet_id),
            reason,
            properties: Properties::EMPTY,
        }));
    }

    fn deliver(&mut self, qos: QoS, packet_id: u16, dup: bool) {
        self.receive(&Packet::Publish(Publish {
            dup,
            qos,
            retain: false,
            topic: "in",
            packet_id: PacketId::new(packet_id),
            properties: Properties::EMPTY,
            payload: b"x",
        }));
    }

    /// What the messages since the last look are acknowledged with.
    fn tokens(&mut self) -> Vec<AckToken> {
        let outputs = self.take();
        let messages = outputs.iter().filter_map(|output| match output {
            Output::Message(message) => Some(message.ack_token().expect("acknowledged by hand")),
            _ => None,
        });
        messages.collect()
    }

    /// Received messages since the last look.
    fn messages(&mut self) -> usize {
        self.take()
            .iter()
            .filter(|output| matches!(output, Output::Message(_)))
            .count()
    }
}

fn policy(version: Version) -> VersionPolicy {
    match version {
        Version::V5 => VersionPolicy::V5,
        Version::V3_1_1 => VersionPolicy::V3_1_1,
    }
}

fn id(packet_id: u16) -> PacketId {
    PacketId::new(packet_id).unwrap()
}

fn buf(properties: &[Property<'_>]) -> PropertyBuf {
    let mut buf = PropertyBuf::new();
    for property in properties {
        buf.push(*property).unwrap();
    }
    buf
}

fn publication(topic: &'static str, qos: QoS) -> Publication {
    Publication::new(TopicName::from_static(topic).unwrap(), "x").qos(qos)
}

fn filters(texts: &[&'static str]) -> Vec<Filter> {
    let filter = |text| Filter {
        filter: TopicFilter::from_static(text).unwrap(),
        options: Default::default(),
    };
    texts.iter().copied().map(filter).collect()
}

fn completed(op: OpId, completion: Completion) -> Output {
    Output::Completed(op, completion)
}

fn published(op: OpId) -> Output {
    completed(op, Completion::PUBLISHED)
}

fn lost(op: OpId, loss: Loss) -> Output {
    completed(op, Completion::Lost(loss))
}

fn disconnected(outputs: &[Output]) -> Disconnected {
    let found = outputs.iter().find_map(|output| match output {
        Output::Disconnected(disconnected) => Some(disconnected.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no Disconnected in {outputs:?}"))
}

/// Packets as one line: `PUBLISH a q1 #3 dup; PINGREQ`.
fn describe(mut bytes: &[u8], version: Version) -> String {
    let mut texts = Vec::new();
    while let Some(header) = peek(bytes, version, u32::MAX).unwrap() {
        let (frame, rest) = bytes.split_at(header.packet_len());
        texts.push(describe_one(&decode(header, frame, version).unwrap()));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "a packet was cut off");
    texts.join("; ")
}

fn describe_one(packet: &Packet<'_>) -> String {
    let ack = |name: &str, ack: &Ack<'_>| {
        let reason = if ack.reason == ReasonCode::SUCCESS {
            String::new()
        } else {
            alloc::format!(" {:#04x}", ack.reason.0)
        };
        alloc::format!("{name} #{}{reason}", ack.packet_id)
    };
    let topics = |filters: &Filters<'_>| {
        filters
            .iter()
            .map(|(filter, _)| filter)
            .collect::<Vec<_>>()
            .join(",")
    };
    match packet {
        Packet::Connect(connect) => {
            alloc::format!(
                "CONNECT {:?} clean={}",
                connect.version,
                u8::from(connect.clean_start)
            )
        }
        Packet::Publish(publish) => {
            let id = publish
                .packet_id
                .map_or(String::new(), |id| alloc::format!(" #{id}"));
            let dup = if publish.dup { " dup" } else { "" };
            alloc::format!("PUBLISH {} q{}{id}{dup}", publish.topic, publish.qos as u8)
        }
        Packet::Puback(it) => ack("PUBACK", it),
        Packet::Pubrec(it) => ack("PUBREC", it),
        Packet::Pubrel(it) => ack("PUBREL", it),
        Packet::Pubcomp(it) => ack("PUBCOMP", it),
        Packet::Subscribe(it) => alloc::format!("SUBSCRIBE {} #{}", topics(&it.filters), it.packet_id),
        Packet::Unsubscribe(it) => alloc::format!("UNSUBSCRIBE {} #{}", topics(&it.filters), it.packet_id),
        Packet::Disconnect(it) => alloc::format!("DISCONNECT {:#04x}", it.reason.0),
        Packet::Pingreq => "PINGREQ".to_string(),
        other => alloc::format!("{other:?}"),
    }
}

const BOTH: [Version; 2] = [Version::V3_1_1, Version::V5];
