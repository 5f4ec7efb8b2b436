//! A small MQTT broker without IO: bytes in, bytes out, for tests on virtual time.
//!
//! It routes at QoS 0, 1 and 2, grants every subscription, keeps no session and no retained message, and panics on any
//! packet that a client must not send: a test with it also shows that the client keeps the protocol.

use std::collections::BTreeSet;

use syncline_core::codec::{
    Ack, Connack, Packet, PacketId, Properties, Publish, QoS, ReasonCode, ReasonCodes, Suback, Unsuback,
    Version, decode, peek,
};
use syncline_core::topic::TopicFilter;

/// One client's connection, as an index into the broker.
pub type ClientId = usize;

/// The broker.
#[derive(Debug, Default)]
pub struct VirtualBroker {
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    version: Version,
    received: Vec<u8>,
    to_send: Vec<u8>,
    subscriptions: Vec<(TopicFilter, QoS)>,
    unreleased: BTreeSet<PacketId>,
    next_id: u16,
}

/// A message on its way through the broker.
struct Routed {
    topic: String,
    payload: Vec<u8>,
    qos: QoS,
}

impl VirtualBroker {
    /// Takes in a new connection.
    pub fn accept(&mut self) -> ClientId {
        self.clients.push(Client {
            version: Version::V5,
            received: Vec::new(),
            to_send: Vec::new(),
            subscriptions: Vec::new(),
            unreleased: BTreeSet::new(),
            next_id: 0,
        });
        self.clients.len() - 1
    }

    /// Takes in bytes from a client.
    ///
    /// # Panics
    /// On bytes that no MQTT client may send.
    pub fn receive(&mut self, client: ClientId, bytes: &[u8]) {
        self.clients[client].received.extend_from_slice(bytes);
        while let Some(frame) = self.clients[client].next_frame() {
            if let Some(message) = self.clients[client].handle(&frame) {
                for subscriber in &mut self.clients {
                    subscriber.deliver(&message);
                }
            }
        }
    }

    /// Bytes for a client, removed from the broker.
    pub fn take_output(&mut self, client: ClientId) -> Vec<u8> {
        std::mem::take(&mut self.clients[client].to_send)
    }
}

impl Client {
    fn next_frame(&mut self) -> Option<Vec<u8>> {
        let header = peek(&self.received, self.version, u32::MAX).expect("the client sends valid headers")?;
        let len = header.packet_len();
        (self.received.len() >= len).then(|| self.received.drain(..len).collect())
    }

    /// Answers a packet; returns the message that it brings to others.
    fn handle(&mut self, frame: &[u8]) -> Option<Routed> {
        // Until its CONNECT has told the version, a connection is read as 5.0: the CONNECT is the same to both.
        let header = peek(frame, self.version, u32::MAX)
            .ok()
            .flatten()
            .expect("a whole frame");
        match decode(header, frame, self.version).expect("the client sends valid packets") {
            Packet::Connect(connect) => {
                self.version = connect.version;
                self.send(&Packet::Connack(Connack {
                    session_present: false,
                    reason: ReasonCode::SUCCESS,
                    properties: Properties::EMPTY,
                }));
            }
            Packet::Subscribe(subscribe) => {
                let mut codes = Vec::new();
                for (filter, options) in subscribe.filters.iter() {
                    let filter = TopicFilter::try_from(filter).expect("decoded filters are valid");
                    self.subscriptions.retain(|(known, _)| *known != filter);
                    self.subscriptions.push((filter, options.qos));
                    codes.push(options.qos as u8);
                }
                self.send(&Packet::Suback(Suback {
                    packet_id: subscribe.packet_id,
                    properties: Properties::EMPTY,
                    reasons: ReasonCodes::new(&codes),
                }));
            }
            Packet::Unsubscribe(unsubscribe) => {
                let gone: Vec<_> = unsubscribe
                    .filters
                    .iter()
                    .map(|(filter, _)| filter.to_owned())
                    .collect();
                self.subscriptions
                    .retain(|(known, _)| !gone.iter().any(|filter| known == filter.as_str()));
                let codes = vec![
                    0;
                    if self.version == Version::V5 {
                        gone.len()
                    } else {
                        0
                    }
                ];
                self.send(&Packet::Unsuback(Unsuback {
                    packet_id: unsubscribe.packet_id,
                    properties: Properties::EMPTY,
                    reasons: ReasonCodes::new(&codes),
                }));
            }
            Packet::Publish(publish) => return self.handle_publish(&publish),
            Packet::Pubrec(ack) => self.send_ack(Packet::Pubrel, ack.packet_id),
            Packet::Pubrel(ack) => {
                assert!(
                    self.unreleased.remove(&ack.packet_id),
                    "PUBREL for an identifier that is not in use"
                );
                self.send_ack(Packet::Pubcomp, ack.packet_id);
            }
            Packet::Puback(_) | Packet::Pubcomp(_) => {}
            Packet::Pingreq => self.send(&Packet::Pingresp),
            Packet::Disconnect(_) => {}
            other => panic!("a client sent {other:?}"),
        }
        None
    }

    fn handle_publish(&mut self, publish: &Publish<'_>) -> Option<Routed> {
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => self.send_ack(Packet::Puback, id),
            (QoS::ExactlyOnce, Some(id)) => {
                let is_new = self.unreleased.insert(id);
                self.send_ack(Packet::Pubrec, id);
                if !is_new {
                    return None;
                }
            }
            _ => {}
        }
        Some(Routed {
            topic: publish.topic.to_owned(),
            payload: publish.payload.to_vec(),
            qos: publish.qos,
        })
    }

    fn deliver(&mut self, message: &Routed) {
        let granted = self
            .subscriptions
            .iter()
            .filter(|(filter, _)| filter.matches(&message.topic));
        let Some(granted) = granted.map(|(_, qos)| *qos).max() else {
            return;
        };
        let qos = granted.min(message.qos);
        let packet_id = (qos != QoS::AtMostOnce).then(|| {
            self.next_id = self.next_id % u16::MAX + 1;
            PacketId::new(self.next_id).expect("counted from 1")
        });
        self.send(&Packet::Publish(Publish {
            dup: false,
            qos,
            retain: false,
            topic: &message.topic,
            packet_id,
            properties: Properties::EMPTY,
            payload: &message.payload,
        }));
    }

    fn send_ack(&mut self, packet: fn(Ack<'static>) -> Packet<'static>, packet_id: PacketId) {
        self.send(&packet(Ack {
            packet_id,
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        }));
    }

    fn send(&mut self, packet: &Packet<'_>) {
        packet
            .encode(self.version, &mut self.to_send)
            .expect("the broker's packets can be encoded");
    }
}
