//! The exchanges, the same for every library: a window of messages and all that follows of them.
//!
//! As in an event loop under load, packets come many in one read, and what they call for leaves in one write.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use syncline_core::codec::{PacketId, QoS, Version};

use crate::workload::{Message, TOPIC};

/// Bytes of one read.
const READ: usize = 16 << 10;

/// Messages that are published before they are written.
const BATCH: u16 = 100;

/// First bytes of the packets that answer a PUBLISH.
const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;

/// Bytes of each of them.
const ANSWER: usize = 4;

/// A library's state machine with an established connection, driven as the library's own event loop or README does it.
pub(super) trait Client: Sized + 'static {
    /// What the report calls it.
    const LIBRARY: &'static str;

    /// A message that is ready to be published.
    type Publication: 'static;

    /// A client that may have `window` messages in flight.
    fn connected(version: Version, window: u16) -> Self;

    /// A message to publish. The payload is somebody else's, too: to free it is not the library's work.
    fn publication(&mut self, message: Message, payload: &Bytes) -> Self::Publication;

    /// Publishes a message.
    fn publish(&mut self, publication: Self::Publication);

    /// Takes in the bytes of one read. Returns how many messages came of them and how many exchanges ended; handed out
    /// and dropped.
    fn receive(&mut self, bytes: &[u8]) -> usize;

    /// Hands what is to be sent to a socket, whole packets at a time.
    fn write(&mut self, socket: &mut dyn FnMut(&[u8]));

    /// Bytes of its buffer for one read, which counts neither for nor against it.
    fn receive_buffer(&self) -> usize;

    /// Lets the time pass after which it sends a ping, which is answered.
    fn rest(&mut self);
}

/// In which order messages are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As they were sent.
    Sent,
    /// The last one first.
    Reversed,
    /// Any, the same in each run.
    Random,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent => "in order",
            Self::Reversed => "reversed",
            Self::Random => "at random",
        })
    }
}

impl Order {
    /// The places of `count` messages in this order.
    fn places(self, count: u16) -> Vec<usize> {
        let mut places: Vec<_> = (0..usize::from(count)).collect();
        match self {
            Self::Sent => {}
            Self::Reversed => places.reverse(),
            Self::Random => {
                let mut random = 0x5DEE_CE66_u64;
                for unplaced in (1..places.len()).rev() {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    places.swap(unplaced, (random >> 33) as usize % (unplaced + 1));
                }
            }
        }
        places
    }
}

/// A client to which a window of messages is sent, and their PUBRELs.
pub(super) struct Receiver<C> {
    client: C,
    qos: QoS,
    window: usize,
    publishes: Vec<u8>,
    pubrels: Vec<u8>,
}

impl<C: Client> Receiver<C> {
    pub(super) fn new(client: C, message: Message, window: u16) -> Self {
        let ids = || (1..=window).filter_map(PacketId::new);
        Self {
            client,
            qos: message.qos,
            window: usize::from(window),
            publishes: ids().flat_map(|id| message.packet_of(id)).collect(),
            pubrels: ids()
                .flat_map(|id| answer(PUBREL, id.get().to_be_bytes()))
                .collect(),
        }
    }

    /// Receives a window of messages and answers them.
    pub(super) fn run(&mut self) {
        assert_eq!(receive(&mut self.client, &self.publishes), self.window);
        match self.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.write_answers(PUBACK),
            QoS::ExactlyOnce => {
                self.write_answers(PUBREC);
                assert_eq!(receive(&mut self.client, &self.pubrels), 0);
                self.write_answers(PUBCOMP);
            }
        }
    }

    pub(super) fn into_client(self) -> C {
        self.client
    }

    fn write_answers(&mut self, first_byte: u8) {
        let mut written = 0;
        self.client.write(&mut |packets| {
            assert_eq!(packets[0], first_byte);
            written += packets.len();
        });
        assert_eq!(written, self.window * ANSWER);
    }
}

/// A client that sends a window of messages, and the server that answers them.
pub(super) struct Sender<C: Client> {
    client: C,
    message: Message,
    payload: Bytes,
    places: Vec<usize>,
    packet_len: usize,
    ready: VecDeque<C::Publication>,
    written: Written,
    answers: Vec<u8>,
}

/// The Packet Identifiers of the packets that a client has written, which are of one length.
#[derive(Default)]
struct Written {
    packets: usize,
    ids: Vec<[u8; 2]>,
}

impl Written {
    fn clear(&mut self) {
        self.packets = 0;
        self.ids.clear();
    }

    /// Notes packets of `len` bytes, with their identifiers at place `id`.
    fn note(&mut self, packets: &[u8], len: usize, id: usize) {
        for packet in packets.chunks_exact(len) {
            self.packets += 1;
            self.ids.push([packet[id], packet[id + 1]]);
        }
    }
}

impl<C: Client> Sender<C> {
    pub(super) fn new(client: C, message: Message, window: u16, order: Order) -> Self {
        Self {
            client,
            message,
            payload: message.payload().into(),
            places: order.places(window),
            packet_len: message.packet().len(),
            ready: VecDeque::new(),
            written: Written::default(),
            answers: Vec::new(),
        }
    }

    /// Makes a window of messages ready. Their Remaining Length is below 128.
    pub(super) fn prepare(&mut self) {
        for _ in 0..self.places.len() {
            self.ready
                .push_back(self.client.publication(self.message, &self.payload));
        }
    }

    /// Publishes them all, then ends their exchanges.
    pub(super) fn run(&mut self) {
        let window = self.places.len();
        self.written.clear();
        for place in 1..=window {
            let publication = self.ready.pop_front().expect("a window of messages is ready");
            self.client.publish(publication);
            if place % usize::from(BATCH) == 0 || place == window {
                self.write(self.packet_len, 4 + TOPIC.len());
            }
        }
        assert_eq!(self.written.packets, window);
        match self.message.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => assert_eq!(self.answer(PUBACK), window),
            QoS::ExactlyOnce => {
                assert_eq!(self.answer(PUBREC), 0);
                self.written.clear();
                self.write(ANSWER, 2);
                assert_eq!(self.written.packets, window);
                assert_eq!(self.answer(PUBCOMP), window);
            }
        }
    }

    pub(super) fn into_client(self) -> C {
        self.client
    }

    /// Has packets written that are `len` bytes long, with their identifiers at place `id`.
    fn write(&mut self, len: usize, id: usize) {
        let written = &mut self.written;
        self.client.write(&mut |packets| written.note(packets, len, id));
    }

    /// Answers all packets that were written.
    fn answer(&mut self, first_byte: u8) -> usize {
        self.answers.clear();
        for place in &self.places {
            self.answers
                .extend_from_slice(&answer(first_byte, self.written.ids[*place]));
        }
        receive(&mut self.client, &self.answers)
    }
}

fn answer(first_byte: u8, id: [u8; 2]) -> [u8; ANSWER] {
    [first_byte, 2, id[0], id[1]]
}

fn receive<C: Client>(client: &mut C, bytes: &[u8]) -> usize {
    bytes.chunks(READ).map(|read| client.receive(read)).sum()
}
