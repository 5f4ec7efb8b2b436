//! A small MQTT broker without IO, 3.1.1 and 5.0: bytes and time in, bytes out, for tests on virtual time.
//!
//! It routes at QoS 0, 1 and 2, grants every subscription, keeps Sessions as the specification asks (Clean Start, expiry,
//! takeover, redelivery in order) and can be told to lose them. It has no retained messages and no Wills. It panics on
//! whatever a client must not send, so a test with it also shows that the client keeps the protocol.

mod session;

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::codec::{
    Ack, Connack, Connect, Disconnect, Packet, PacketId, Properties, Property, PropertyBuf, Publish, QoS,
    ReasonCode, ReasonCodes, Suback, Subscribe, Unsuback, Unsubscribe, Version, decode, peek,
};
use syncline_core::time::{Duration, Instant};
use syncline_core::topic::TopicFilter;

use session::BrokerSession;

/// One client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(usize);

/// An Application Message on its way through the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// Topic Name.
    pub topic: String,
    /// Application Message.
    pub payload: Vec<u8>,
    /// QoS at which the broker received it.
    pub qos: QoS,
}

/// The broker.
#[derive(Debug)]
pub struct VirtualBroker {
    receive_maximum: u16,
    connections: Vec<Connection>,
    sessions: BTreeMap<String, BrokerSession>,
    /// Sessions begun so far.
    begun: u64,
    arrivals: Vec<Routed>,
}

/// What lasts as long as a connection.
#[derive(Debug)]
struct Connection {
    version: Version,
    received: Vec<u8>,
    to_send: Vec<u8>,
    client_id: Option<String>,
    /// Nothing more is read, and the transport closes once `to_send` has left.
    over: bool,
    /// Whether the client was told that its Session is there.
    resumed: bool,
    /// Whether a PUBLISH without DUP has come, after which none with DUP may.
    new_has_come: bool,
    /// QoS 2 messages of this connection whose PUBCOMP has not left.
    unfinished: BTreeSet<PacketId>,
}

impl Default for VirtualBroker {
    fn default() -> Self {
        Self::with_receive_maximum(u16::MAX)
    }
}

impl VirtualBroker {
    /// A broker that lets each 5.0 client have so many messages unacknowledged.
    #[must_use]
    pub fn with_receive_maximum(receive_maximum: u16) -> Self {
        Self {
            receive_maximum,
            connections: Vec::new(),
            sessions: BTreeMap::new(),
            begun: 0,
            arrivals: Vec::new(),
        }
    }

    /// Takes in a new connection.
    pub fn accept(&mut self) -> ConnectionId {
        self.connections.push(Connection {
            version: Version::V5,
            received: Vec::new(),
            to_send: Vec::new(),
            client_id: None,
            over: false,
            resumed: false,
            new_has_come: false,
            unfinished: BTreeSet::new(),
        });
        ConnectionId(self.connections.len() - 1)
    }

    /// Takes in bytes from a client. Those of a connection that is over are ignored.
    ///
    /// # Panics
    /// On bytes that no MQTT client may send.
    pub fn receive(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        self.connections[connection.0].received.extend_from_slice(bytes);
        while let Some(frame) = self.connections[connection.0].next_frame() {
            self.handle(now, connection, &frame);
        }
    }

    /// Bytes for a client, removed from the broker.
    pub fn take_output(&mut self, connection: ConnectionId) -> Vec<u8> {
        std::mem::take(&mut self.connections[connection.0].to_send)
    }

    /// Whether the broker closes this connection once its output has left.
    #[must_use]
    pub fn is_over(&self, connection: ConnectionId) -> bool {
        self.connections[connection.0].over
    }

    /// The transport of a connection is gone, for whatever reason.
    pub fn close(&mut self, now: Instant, connection: ConnectionId) {
        let Connection { client_id, over, .. } = &mut self.connections[connection.0];
        *over = true;
        if let Some(client_id) = client_id
            && let Some(session) = self.sessions.get_mut(client_id)
            && session.is_held_by(connection)
            && session.detach(now)
        {
            self.sessions.remove(client_id);
        }
    }

    /// Loses every Session, as a broker without a disk does; open connections end with them.
    pub fn lose_sessions(&mut self) {
        self.sessions.clear();
        for connection in &mut self.connections {
            connection.over = true;
        }
    }

    /// Publishes a message that came from elsewhere; returns whether this client's Session will be handed it for sure.
    pub fn publish(&mut self, message: &Routed, client_id: &str) -> bool {
        self.route(message);
        message.qos != QoS::AtMostOnce
            && self
                .sessions
                .get(client_id)
                .is_some_and(|session| session.granted(&message.topic).is_some())
    }

    /// What clients have published, each message once for each time that the broker took it for a new one.
    #[must_use]
    pub fn arrivals(&self) -> &[Routed] {
        &self.arrivals
    }

    /// A number that changes with each Session of this client; `None` without one.
    #[must_use]
    pub fn session_number(&self, client_id: &str) -> Option<u64> {
        self.sessions.get(client_id).map(|session| session.number)
    }

    /// Whether all that the broker has for this client is delivered and acknowledged.
    #[must_use]
    pub fn is_settled(&self, client_id: &str) -> bool {
        self.sessions.get(client_id).is_none_or(BrokerSession::is_settled)
    }

    fn handle(&mut self, now: Instant, id: ConnectionId, frame: &[u8]) {
        let connection = &mut self.connections[id.0];
        let header = peek(frame, connection.version, u32::MAX)
            .ok()
            .flatten()
            .expect("a whole frame");
        let packet = decode(header, frame, connection.version).expect("the client sends valid packets");
        if let Packet::Connect(connect) = packet {
            return self.handle_connect(now, id, &connect);
        }
        let client_id = connection.client_id.as_ref().expect("CONNECT comes first");
        let session = self
            .sessions
            .get_mut(client_id)
            .expect("a connection has a Session");
        match packet {
            Packet::Subscribe(subscribe) => handle_subscribe(connection, session, &subscribe),
            Packet::Unsubscribe(unsubscribe) => handle_unsubscribe(connection, session, &unsubscribe),
            Packet::Publish(publish) => {
                if connection.handle_publish(session, &publish, self.receive_maximum) {
                    let message = Routed {
                        topic: publish.topic.to_owned(),
                        payload: publish.payload.to_vec(),
                        qos: publish.qos,
                    };
                    self.route(&message);
                    self.arrivals.push(message);
                }
            }
            Packet::Pubrel(ack) => connection.handle_pubrel(session, ack.packet_id),
            Packet::Puback(ack) => session.handle_puback(ack.packet_id, connection),
            Packet::Pubrec(ack) => session.handle_pubrec(ack.packet_id, connection),
            Packet::Pubcomp(ack) => session.handle_pubcomp(ack.packet_id, connection),
            Packet::Pingreq => connection.send(&Packet::Pingresp),
            Packet::Disconnect(disconnect) => {
                for property in disconnect.properties.iter() {
                    if let Property::SessionExpiryInterval(seconds) = property {
                        session.expiry = expiry(seconds);
                    }
                }
                self.close(now, id);
            }
            other => panic!("a client sent {other:?}"),
        }
    }

    fn handle_connect(&mut self, now: Instant, id: ConnectionId, connect: &Connect<'_>) {
        let connection = &mut self.connections[id.0];
        assert!(connection.client_id.is_none(), "a second CONNECT");
        connection.version = connect.version;
        let is_assigned = connect.client_id.is_empty();
        let client_id = if is_assigned {
            format!("assigned-{}", id.0)
        } else {
            connect.client_id.to_owned()
        };
        connection.client_id = Some(client_id.clone());
        if let Some(earlier) = self
            .sessions
            .get(&client_id)
            .and_then(|session| session.connection)
        {
            self.take_over(now, earlier);
        }
        if let Some(session) = self.sessions.get(&client_id)
            && (connect.clean_start || session.has_expired(now))
        {
            self.sessions.remove(&client_id);
        }
        let resumed = self.sessions.contains_key(&client_id);
        let begun = &mut self.begun;
        let session = self.sessions.entry(client_id.clone()).or_insert_with(|| {
            *begun += 1;
            BrokerSession::new(*begun)
        });
        session.attach(id, connect);
        let mut properties = PropertyBuf::new();
        if connect.version == Version::V5 {
            let mut push = |property| {
                properties.push(property).expect("each property once");
            };
            if self.receive_maximum != u16::MAX {
                push(Property::ReceiveMaximum(self.receive_maximum));
            }
            if is_assigned {
                push(Property::AssignedClientIdentifier(&client_id));
            }
        }
        let connection = &mut self.connections[id.0];
        connection.resumed = resumed;
        connection.send(&Packet::Connack(Connack {
            session_present: resumed,
            reason: ReasonCode::SUCCESS,
            properties: properties.as_properties(),
        }));
        session.resume(connection);
    }

    /// The same client has come on another connection.
    fn take_over(&mut self, now: Instant, earlier: ConnectionId) {
        let connection = &mut self.connections[earlier.0];
        if connection.version == Version::V5 {
            connection.send(&Packet::Disconnect(Disconnect {
                reason: ReasonCode::SESSION_TAKEN_OVER,
                properties: Properties::EMPTY,
            }));
        }
        self.close(now, earlier);
    }

    fn route(&mut self, message: &Routed) {
        for session in self.sessions.values_mut() {
            let connection = session.connection.map(|id| &mut self.connections[id.0]);
            session.deliver(message, connection);
        }
    }
}

impl Connection {
    fn next_frame(&mut self) -> Option<Vec<u8>> {
        if self.over {
            return None;
        }
        // Until its CONNECT has told the version, a connection is read as 5.0: the CONNECT is the same to both.
        let header = peek(&self.received, self.version, u32::MAX).expect("the client sends valid headers")?;
        let len = header.packet_len();
        (self.received.len() >= len).then(|| self.received.drain(..len).collect())
    }

    /// Acknowledges a message and returns whether it is new to the broker.
    fn handle_publish(
        &mut self,
        session: &mut BrokerSession,
        publish: &Publish<'_>,
        receive_maximum: u16,
    ) -> bool {
        assert!(
            !(publish.dup && self.new_has_come),
            "a message came again after a new one"
        );
        assert!(
            !publish.dup || self.resumed,
            "DUP without a Session that was resumed"
        );
        self.new_has_come |= !publish.dup;
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => {
                assert!(
                    !session.unreleased.contains(&id),
                    "identifier {id} is used by a QoS 2 message"
                );
                self.send_ack(Packet::Puback, id);
                true
            }
            (QoS::ExactlyOnce, Some(id)) => {
                let is_new = !session.unreleased.contains(&id);
                assert!(
                    is_new || publish.dup,
                    "identifier {id} names a new message before its PUBREL"
                );
                assert!(
                    is_new || !self.unfinished.contains(&id),
                    "PUBLISH {id} came twice"
                );
                if is_new {
                    session.unreleased.push(id);
                }
                self.unfinished.insert(id);
                assert!(
                    self.version == Version::V3_1_1 || self.unfinished.len() <= usize::from(receive_maximum),
                    "more messages than the Receive Maximum of {receive_maximum} are unacknowledged"
                );
                self.send_ack(Packet::Pubrec, id);
                is_new
            }
            _ => true,
        }
    }

    fn handle_pubrel(&mut self, session: &mut BrokerSession, id: PacketId) {
        let place = session.unreleased.iter().position(|known| *known == id);
        assert!(
            place.is_none_or(|place| place == 0),
            "PUBREL {id} came before an earlier one"
        );
        assert!(
            place.is_some() || self.resumed,
            "PUBREL for identifier {id}, which is not in use"
        );
        self.unfinished.remove(&id);
        let reason = if place.is_some() {
            session.unreleased.remove(0);
            ReasonCode::SUCCESS
        } else {
            ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
        };
        self.send(&Packet::Pubcomp(Ack {
            reason: if self.version == Version::V5 {
                reason
            } else {
                ReasonCode::SUCCESS
            },
            ..Ack::success(id)
        }));
    }

    fn send_ack(&mut self, packet: fn(Ack<'static>) -> Packet<'static>, packet_id: PacketId) {
        self.send(&packet(Ack::success(packet_id)));
    }

    fn send(&mut self, packet: &Packet<'_>) {
        packet
            .encode(self.version, &mut self.to_send)
            .expect("the broker's packets can be encoded");
    }
}

fn handle_subscribe(connection: &mut Connection, session: &mut BrokerSession, subscribe: &Subscribe<'_>) {
    let mut codes = Vec::new();
    for (filter, options) in subscribe.filters.iter() {
        let filter = TopicFilter::try_from(filter).expect("decoded filters are valid");
        session.subscriptions.retain(|(known, _)| *known != filter);
        session.subscriptions.push((filter, options.qos));
        codes.push(options.qos as u8);
    }
    connection.send(&Packet::Suback(Suback {
        packet_id: subscribe.packet_id,
        properties: Properties::EMPTY,
        reasons: ReasonCodes::new(&codes),
    }));
}

fn handle_unsubscribe(
    connection: &mut Connection,
    session: &mut BrokerSession,
    unsubscribe: &Unsubscribe<'_>,
) {
    let mut codes = Vec::new();
    for (filter, _) in unsubscribe.filters.iter() {
        let before = session.subscriptions.len();
        session.subscriptions.retain(|(known, _)| known != filter);
        codes.push(if session.subscriptions.len() < before {
            ReasonCode::SUCCESS.0
        } else {
            ReasonCode::NO_SUBSCRIPTION_EXISTED.0
        });
    }
    if connection.version == Version::V3_1_1 {
        codes.clear();
    }
    connection.send(&Packet::Unsuback(Unsuback {
        packet_id: unsubscribe.packet_id,
        properties: Properties::EMPTY,
        reasons: ReasonCodes::new(&codes),
    }));
}

/// How long a Session outlives its connection; `None` for ever.
fn expiry(seconds: u32) -> Option<Duration> {
    (seconds != u32::MAX).then(|| Duration::from_secs(u64::from(seconds)))
}
