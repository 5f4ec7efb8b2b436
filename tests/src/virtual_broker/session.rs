//! What the virtual broker keeps for a client beyond its connection: the server's half of the Session state.

use std::collections::VecDeque;

use syncline_core::codec::{Ack, Connect, Packet, PacketId, Properties, Property, Publish, QoS, Version};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::TopicFilter;

use super::{Connection, ConnectionId, Routed, expiry};

/// The server's half of a Session.
#[derive(Debug)]
pub(super) struct BrokerSession {
    pub(super) number: u64,
    pub(super) connection: Option<ConnectionId>,
    pub(super) subscriptions: Vec<(TopicFilter, QoS)>,
    /// QoS 2 messages from the client that await PUBREL, in the order of their PUBREC.
    pub(super) unreleased: Vec<PacketId>,
    /// How long it outlives its connection; `None` for ever.
    pub(super) expiry: Option<Duration>,
    offline_since: Instant,
    /// Messages to the client that are not acknowledged, in the order of sending.
    flights: Vec<Flight>,
    /// Messages with QoS > 0 that wait for the client or for its Receive Maximum.
    queue: VecDeque<Routed>,
    receive_maximum: usize,
    next_id: u16,
}

#[derive(Debug)]
struct Flight {
    packet_id: PacketId,
    awaited: Awaited,
    message: Routed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Puback,
    Pubrec,
    Pubcomp,
}

impl BrokerSession {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            connection: None,
            subscriptions: Vec::new(),
            unreleased: Vec::new(),
            expiry: None,
            offline_since: Instant::ZERO,
            flights: Vec::new(),
            queue: VecDeque::new(),
            receive_maximum: usize::from(u16::MAX),
            next_id: 0,
        }
    }

    pub(super) fn attach(&mut self, connection: ConnectionId, connect: &Connect<'_>) {
        self.connection = Some(connection);
        let property = |find: fn(Property<'_>) -> Option<u32>| connect.properties.iter().find_map(find);
        let seconds = property(|it| match it {
            Property::SessionExpiryInterval(seconds) => Some(seconds),
            _ => None,
        });
        let maximum = property(|it| match it {
            Property::ReceiveMaximum(maximum) => Some(u32::from(maximum)),
            _ => None,
        });
        self.expiry = match connect.version {
            Version::V5 => expiry(seconds.unwrap_or(0)),
            Version::V3_1_1 => connect.clean_start.then_some(Duration::ZERO),
        };
        self.receive_maximum = maximum.map_or(usize::from(u16::MAX), |maximum| maximum as usize);
    }

    /// The connection is gone; returns whether the Session ends with it.
    pub(super) fn detach(&mut self, now: Instant) -> bool {
        self.connection = None;
        self.offline_since = now;
        self.expiry == Some(Duration::ZERO)
    }

    pub(super) fn is_held_by(&self, connection: ConnectionId) -> bool {
        self.connection == Some(connection)
    }

    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.connection.is_none()
            && self
                .expiry
                .is_some_and(|expiry| now.since(self.offline_since) >= expiry)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.flights.is_empty() && self.queue.is_empty()
    }

    /// The QoS that a subscription grants to this topic.
    pub(super) fn granted(&self, topic: &str) -> Option<QoS> {
        let matching = self
            .subscriptions
            .iter()
            .filter(|(filter, _)| filter.matches(topic));
        matching.map(|(_, qos)| *qos).max()
    }

    /// Sends again what the client has not acknowledged, in the original order, then what has waited.
    pub(super) fn resume(&mut self, connection: &mut Connection) {
        for flight in &self.flights {
            flight.send(connection, true);
        }
        self.pump(connection);
    }

    /// Takes in a message that may be for this client.
    pub(super) fn deliver(&mut self, message: &Routed, connection: Option<&mut Connection>) {
        let Some(granted) = self.granted(&message.topic) else {
            return;
        };
        let message = Routed {
            qos: granted.min(message.qos),
            ..message.clone()
        };
        match (message.qos, connection) {
            (QoS::AtMostOnce, None) => {}
            (QoS::AtMostOnce, Some(connection)) => send(connection, &message, None, false),
            (_, connection) => {
                self.queue.push_back(message);
                if let Some(connection) = connection {
                    self.pump(connection);
                }
            }
        }
    }

    pub(super) fn handle_puback(&mut self, id: PacketId, connection: &mut Connection) {
        let place = self.place_in_order(id, Awaited::Puback);
        self.flights.remove(place);
        self.pump(connection);
    }

    pub(super) fn handle_pubrec(&mut self, id: PacketId, connection: &mut Connection) {
        let place = self.place_in_order(id, Awaited::Pubrec);
        self.flights[place].awaited = Awaited::Pubcomp;
        self.flights[place].send(connection, false);
    }

    pub(super) fn handle_pubcomp(&mut self, id: PacketId, connection: &mut Connection) {
        let place = self.place_in_order(id, Awaited::Pubcomp);
        self.flights.remove(place);
        self.pump(connection);
    }

    /// The message that an acknowledgement belongs to: each kind has to come in the order of the messages.
    fn place_in_order(&self, id: PacketId, awaited: Awaited) -> usize {
        let first = self.flights.iter().position(|flight| flight.awaited == awaited);
        first
            .filter(|place| self.flights[*place].packet_id == id)
            .unwrap_or_else(|| {
                panic!(
                    "identifier {id} was acknowledged out of order or for nothing: {awaited:?} is awaited by {:?}",
                    first.map(|place| self.flights[place].packet_id)
                )
            })
    }

    fn pump(&mut self, connection: &mut Connection) {
        while self.flights.len() < self.receive_maximum
            && let Some(message) = self.queue.pop_front()
        {
            let awaited = match message.qos {
                QoS::ExactlyOnce => Awaited::Pubrec,
                _ => Awaited::Puback,
            };
            let flight = Flight {
                packet_id: self.free_id(),
                awaited,
                message,
            };
            flight.send(connection, false);
            self.flights.push(flight);
        }
    }

    fn free_id(&mut self) -> PacketId {
        loop {
            self.next_id = self.next_id % u16::MAX + 1;
            let id = PacketId::new(self.next_id).expect("counted from 1");
            if self.flights.iter().all(|flight| flight.packet_id != id) {
                return id;
            }
        }
    }
}

impl Flight {
    fn send(&self, connection: &mut Connection, dup: bool) {
        match self.awaited {
            Awaited::Pubcomp => connection.send(&Packet::Pubrel(Ack::success(self.packet_id))),
            Awaited::Puback | Awaited::Pubrec => send(connection, &self.message, Some(self.packet_id), dup),
        }
    }
}

fn send(connection: &mut Connection, message: &Routed, packet_id: Option<PacketId>, dup: bool) {
    connection.send(&Packet::Publish(Publish {
        dup,
        qos: message.qos,
        retain: false,
        topic: &message.topic,
        packet_id,
        properties: Properties::EMPTY,
        payload: &message.payload,
    }));
}
