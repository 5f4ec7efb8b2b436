//! A session whose caller, server, transport and clock are the fuzzer.
//!
//! The first byte of an input is the configuration, each further one a step with its arguments behind it: see
//! [`Walk::step`]. An input that ends within a step ends the walk.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use syncline_core::codec::{
    Ack, Auth, Connack, Packet, PacketId, PacketType, Properties, Property, PropertyBuf, Publish, QoS,
    ReasonCode, ReasonCodes, Suback, SubscribeOptions, Unsuback, Version, decode, peek,
};
use syncline_core::limits::{ACK_RESERVE, TRANSMIT_HIGH_WATER};
use syncline_core::rng::SEED_LEN;
use syncline_core::session::{
    AckMode, AckToken, Authentication, Config, Disconnect, Filter, OpId, Output, Publication, QueueFull,
    Session, SessionLost, SubmitError, VersionPolicy, When,
};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::{TopicFilter, TopicName};

const METHOD: &str = "METHOD";
const QUEUE_MESSAGES: usize = 8;
const MAX_IN_FLIGHT: NonZeroU16 = NonZeroU16::new(4).unwrap();
/// More items than one input can give rise to: whoever polls so often polls for ever.
const MOST_OUTPUTS: usize = 100_000;
/// Steps of time that may follow on each other at one instant.
const MOST_TIMEOUTS: usize = 8;
/// Bytes that a step of the caller may add to what waits to be written, at most.
const LARGEST_STEP: usize = 1 << 10;

/// Runs the input twice and asserts everything that holds for any input.
pub fn check(data: &[u8]) {
    let trace = run(data);
    assert_eq!(trace, run(data), "the same inputs give the same outputs");
}

fn run(data: &[u8]) -> Vec<Output> {
    let mut input = Input(data);
    let Some(plan) = input.byte() else {
        return Vec::new();
    };
    let mut walk = Walk::new(plan);
    while walk.step(&mut input).is_some() {
        walk.settle();
    }
    walk.finish()
}

/// What is left of the input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Transport {
    Closed,
    Opening,
    Open,
}

struct Walk {
    session: Session,
    now: Instant,
    transport: Transport,
    /// What was written on this connection and is not yet a whole packet.
    partial: Vec<u8>,
    /// Packets written on this connection, and its version.
    packets: usize,
    version: Version,
    has_said_goodbye: bool,
    /// Bytes that callers may have added to the transmit buffer on this connection.
    allowance: usize,
    pending: BTreeSet<OpId>,
    tokens: Vec<AckToken>,
    trace: Vec<Output>,
}

impl Walk {
    fn new(plan: u8) -> Self {
        let mut config = Config::new("fuzz");
        config.version = match plan & 3 {
            0 | 3 => VersionPolicy::V5,
            1 => VersionPolicy::V3_1_1,
            _ => VersionPolicy::Auto,
        };
        if plan & 3 == 3 {
            config.authentication = Some(Authentication {
                method: METHOD.to_owned(),
                data: None,
            });
        }
        if plan & 4 != 0 {
            config.topic_aliases = 2;
            config.topic_alias_maximum = 2;
        }
        if plan & 8 != 0 {
            config.acks = AckMode::Manual;
        }
        config.queue_full = match plan >> 4 & 3 {
            0 => QueueFull::Reject,
            1 => QueueFull::DropOldestQos0,
            _ => QueueFull::DropOldest,
        };
        config.clean_start = plan & 0x40 != 0;
        if plan & 0x80 != 0 {
            config.on_session_lost = SessionLost::Report;
        }
        config.queue_messages = QUEUE_MESSAGES;
        config.max_in_flight = MAX_IN_FLIGHT;
        config.max_packet_size = 1 << 12;
        config.read_size = 1 << 8;
        Self {
            session: Session::new(config, [7; SEED_LEN]).expect("a valid configuration"),
            now: Instant::from_micros(1),
            transport: Transport::Closed,
            partial: Vec::new(),
            packets: 0,
            version: Version::V5,
            has_said_goodbye: false,
            allowance: 0,
            pending: BTreeSet::new(),
            tokens: Vec::new(),
            trace: Vec::new(),
        }
    }

    /// One step: a command, received bytes, written bytes, a change of the transport, or time.
    fn step(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.byte()? % 16 {
            0 => self.session.connect(self.now),
            1 => self.open(),
            2 => self.close(),
            3 => self.publish(input.byte()?, input.byte()?),
            4 => self.subscribe(input.byte()?),
            5 => self.unsubscribe(input.byte()?),
            6 => self.acknowledge(input.byte()?),
            7 => self.authenticate(input.byte()?),
            8 => self.reauthenticate(input.byte()?),
            9 => self.replace_authentication_data(input.byte()?),
            10 => self.disconnect(input.byte()?),
            11 => self.pass(input.byte()?),
            12 => {
                let len = usize::from(input.byte()?);
                self.receive(input.take(len));
            }
            13 => self.receive_valid(input.byte()?, input.byte()?),
            14 => self.write(usize::from(input.byte()?)),
            _ => self.write(usize::MAX),
        }
        Some(())
    }

    // Transport.

    fn open(&mut self) {
        if self.transport == Transport::Opening {
            self.transport = Transport::Open;
            self.partial.clear();
            self.packets = 0;
            self.has_said_goodbye = false;
            self.allowance = 0;
        }
        self.session.handle_transport_open(self.now);
    }

    fn close(&mut self) {
        self.transport = Transport::Closed;
        self.session.handle_transport_closed(self.now);
    }

    // Commands.

    fn publish(&mut self, what: u8, len: u8) {
        let topic = ["a", "b/c", "a/rather/longer/topic", "d"][usize::from(what >> 2 & 3)];
        let mut publication = Publication::new(
            TopicName::from_static(topic).expect("a valid topic"),
            vec![what; usize::from(len)],
        )
        .qos([QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(what & 3) % 3]);
        publication.retain = what & 0x10 != 0;
        if what & 0x20 != 0 {
            publication.expiry = Some(Duration::from_millis(u64::from(len) * 100));
        }
        match self.session.publish(self.now, publication.clone()) {
            Ok(op) => self.accepted(op),
            Err(refused) => assert_eq!(refused.submitted, publication, "what is refused comes back"),
        }
    }

    fn subscribe(&mut self, what: u8) {
        let filters = [self.filter(what)].map(|filter| Filter {
            filter,
            options: SubscribeOptions::at_qos(QoS::ExactlyOnce),
        });
        let op = self.session.subscribe(&filters, &PropertyBuf::new());
        self.submitted(op);
    }

    fn unsubscribe(&mut self, what: u8) {
        let filters = [self.filter(what)];
        let op = self.session.unsubscribe(&filters, &PropertyBuf::new());
        self.submitted(op);
    }

    fn filter(&self, what: u8) -> TopicFilter {
        let text = ["a", "b/#", "+/c", "$share/g/a"][usize::from(what & 3)];
        TopicFilter::from_static(text).expect("a valid filter")
    }

    fn acknowledge(&mut self, which: u8) {
        // The last index stands for a token that was never given.
        let token = self.tokens.get(usize::from(which)).copied();
        let token = token.unwrap_or(AckToken::from_u64(u64::MAX));
        let _ = self.session.acknowledge(token);
    }

    fn authenticate(&mut self, len: u8) {
        let data = vec![len; usize::from(len)];
        if self
            .session
            .authenticate(self.now, &data, &PropertyBuf::new())
            .is_ok()
        {
            self.allowance += LARGEST_STEP;
        }
    }

    fn reauthenticate(&mut self, len: u8) {
        let op = self
            .session
            .reauthenticate(&vec![len; usize::from(len)], &PropertyBuf::new());
        self.submitted(op);
    }

    fn replace_authentication_data(&mut self, len: u8) {
        let data = (len != 0).then(|| vec![len; usize::from(len)].into());
        // Refused without a method: nothing to check.
        let _ = self.session.set_authentication_data(data);
    }

    fn disconnect(&mut self, what: u8) {
        let disconnect = Disconnect {
            when: match what & 1 {
                0 => When::Now,
                _ => When::Settled(Duration::from_millis(u64::from(what) * 100)),
            },
            ..Disconnect::default()
        };
        self.session
            .disconnect(self.now, disconnect)
            .expect("a plain DISCONNECT can always be sent");
        self.allowance += LARGEST_STEP;
    }

    fn submitted(&mut self, op: Result<OpId, SubmitError>) {
        if let Ok(op) = op {
            self.accepted(op);
        }
    }

    fn accepted(&mut self, op: OpId) {
        self.allowance += LARGEST_STEP;
        assert!(self.pending.insert(op), "an operation has an id of its own");
    }

    // Time.

    /// Lets as much time pass as two to the power of `exponent` microseconds, half an hour at most.
    fn pass(&mut self, exponent: u8) {
        self.now = self.now.after(Duration::from_micros(1 << (exponent % 31)));
        self.time_out();
    }

    fn time_out(&mut self) {
        for _ in 0..MOST_TIMEOUTS {
            self.session.handle_timeout(self.now);
            self.drain();
            if self.session.poll_timeout().is_none_or(|at| at > self.now) {
                return;
            }
        }
        panic!("time is always due: a caller would never sleep");
    }

    // Bytes.

    fn receive(&mut self, mut bytes: &[u8]) {
        if self.transport != Transport::Open {
            return;
        }
        while !bytes.is_empty() {
            let taken = self.session.rx_extend(bytes);
            bytes = &bytes[taken..];
            self.drain();
            if taken == 0 {
                return;
            }
        }
    }

    /// Receives a packet that is valid by itself: the fuzzer would seldom come by one.
    fn receive_valid(&mut self, kind: u8, id: u8) {
        let Some(version) = self.session.version() else {
            return;
        };
        let ack = Ack {
            packet_id: PacketId::new(u16::from(id)).unwrap_or(PacketId::MIN),
            reason: match kind & 0x80 {
                0 => ReasonCode::SUCCESS,
                _ if version == Version::V5 && kind & 15 < 2 => ReasonCode::QUOTA_EXCEEDED,
                _ => ReasonCode::SUCCESS,
            },
            properties: Properties::EMPTY,
        };
        let mut properties = PropertyBuf::new();
        let mut add = |property: Property<'_>| {
            if version == Version::V5 {
                properties.push(property).expect("a valid property");
            }
        };
        let with_method = kind & 0x40 != 0;
        if with_method && matches!(kind & 15, 5 | 10) {
            add(Property::AuthenticationMethod(METHOD));
        }
        if kind & 15 == 5 && id & 2 != 0 {
            add(Property::ReceiveMaximum(1));
            add(Property::TopicAliasMaximum(2));
            add(Property::MaximumPacketSize(100));
        }
        if kind & 15 == 4 && kind & 0x20 != 0 {
            add(Property::TopicAlias(u16::from(id & 1) + 1));
        }
        let properties = properties.as_properties();
        let packet = match kind & 15 {
            0 => Packet::Puback(ack),
            1 => Packet::Pubrec(ack),
            2 => Packet::Pubrel(ack),
            3 => Packet::Pubcomp(ack),
            4 => {
                let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(kind >> 6) % 3];
                Packet::Publish(Publish {
                    dup: kind & 0x10 != 0 && qos != QoS::AtMostOnce,
                    qos,
                    retain: false,
                    topic: "a",
                    packet_id: (qos != QoS::AtMostOnce).then_some(ack.packet_id),
                    properties,
                    payload: b"x",
                })
            }
            5 => Packet::Connack(Connack {
                session_present: id & 1 != 0,
                reason: ReasonCode::SUCCESS,
                properties,
            }),
            6 => Packet::Suback(Suback {
                packet_id: ack.packet_id,
                properties,
                reasons: ReasonCodes::new(&[2]),
            }),
            7 => Packet::Unsuback(Unsuback {
                packet_id: ack.packet_id,
                properties,
                reasons: ReasonCodes::new(if version == Version::V5 { &[0] } else { &[] }),
            }),
            8 => Packet::Pingresp,
            10 if version == Version::V5 && with_method => Packet::Auth(Auth {
                reason: [ReasonCode::SUCCESS, ReasonCode::CONTINUE_AUTHENTICATION][usize::from(id & 1)],
                properties,
            }),
            _ => return,
        };
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes).expect("a valid packet");
        self.receive(&bytes);
    }

    /// Writes up to `len` bytes of what waits.
    fn write(&mut self, len: usize) {
        let mut left = len;
        while left > 0 && self.session.has_transmit() && self.transport == Transport::Open {
            let run = self.session.transmit().runs().next().expect("something waits");
            let n = run.len().min(left);
            self.partial.extend_from_slice(&run[..n]);
            left -= n;
            self.session.tx_advance(self.now, n);
            self.check_packets();
            self.drain();
        }
    }

    /// Takes the whole packets off what was written, and asserts that a client may send each of them then.
    fn check_packets(&mut self) {
        loop {
            let Some(header) = peek(&self.partial, self.version, u32::MAX).expect("a valid fixed header")
            else {
                return;
            };
            if self.partial.len() < header.packet_len() {
                return;
            }
            let frame: Vec<u8> = self.partial.drain(..header.packet_len()).collect();
            let packet = decode(header, &frame, self.version).expect("a session sends what we accept");
            assert!(!self.has_said_goodbye, "nothing follows a DISCONNECT");
            if let Packet::Connect(connect) = &packet {
                self.version = connect.version;
            }
            self.has_said_goodbye = header.packet_type == PacketType::Disconnect;
            let is_connect = header.packet_type == PacketType::Connect;
            assert_eq!(
                is_connect,
                self.packets == 0,
                "CONNECT is the first packet and no other"
            );
            let is_servers = matches!(
                header.packet_type,
                PacketType::Connack | PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp
            );
            assert!(!is_servers, "{:?} is not a client's to send", header.packet_type);
            self.packets += 1;
        }
    }

    // Output.

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            let Some(output) = self.session.poll(self.now) else {
                return;
            };
            match &output {
                Output::OpenTransport => self.transport = Transport::Opening,
                Output::CloseTransport | Output::Disconnected(_) => self.transport = Transport::Closed,
                Output::Completed(op, _) => {
                    assert!(self.pending.remove(op), "an operation completes once: {op:?}");
                }
                Output::Message(message) => self.tokens.extend(message.ack_token()),
                _ => {}
            }
            self.trace.push(output);
        }
        panic!("polling does not come to an end");
    }

    /// What has to hold between any two steps.
    fn settle(&mut self) {
        self.drain();
        // What was in flight in a Session that the server has lost is queued again, whether or not the queue is full.
        let bound = QUEUE_MESSAGES + usize::from(MAX_IN_FLIGHT.get());
        assert!(self.session.queued() <= bound, "the queue is bounded");
        let waiting: usize = self.session.transmit().runs().map(<[u8]>::len).sum();
        let bound = TRANSMIT_HIGH_WATER + ACK_RESERVE + LARGEST_STEP + self.allowance;
        assert!(waiting <= bound, "{waiting} bytes wait to be written");
        assert_eq!(self.session.has_transmit(), waiting > 0);
        if self.transport != Transport::Open {
            assert_eq!(waiting, 0, "nothing waits to be written without a transport");
        }
    }

    /// Ends the session, after which nothing may be left open.
    fn finish(mut self) -> Vec<Output> {
        self.session
            .disconnect(self.now, Disconnect::default())
            .expect("a plain DISCONNECT can always be sent");
        self.drain();
        self.write(usize::MAX);
        self.close();
        self.drain();
        assert_eq!(self.pending, BTreeSet::new(), "every operation completes");
        assert_eq!((self.session.queued(), self.session.in_flight()), (0, 0));
        assert_eq!(self.session.poll_timeout(), None, "nothing is awaited any more");
        self.trace
    }
}
