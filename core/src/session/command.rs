//! Commands: synchronous, all or nothing, each answered by an operation id or with what was submitted.

use alloc::vec::Vec;

use super::alias::Naming;
use super::inbound::DueAck;
use super::link::Link;
use super::op::{Loss, OpId, Publication, Refused, SubmitError};
use super::outbound::Awaited;
use super::output::DisconnectReason;
use super::queue::Outgoing;
use super::{Draining, Session};
use crate::codec::{
    self, EncodeError, FilterBuf, Packet, PacketId, PacketType, Properties, Property, PropertyBuf,
    PropertyId, Publish, QoS, ReasonCode, Subscribe, SubscribeOptions, Unsubscribe, Version,
};
use crate::limits::{MAX_PACKET_SIZE, TRANSMIT_HIGH_WATER};
use crate::session::AckToken;
use crate::time::{Duration, Instant};
use crate::topic::TopicFilter;

/// A Topic Filter with what is asked of its subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Topic Filter.
    pub filter: TopicFilter,
    /// Subscription Options; 3.1.1 carries the QoS alone.
    pub options: SubscribeOptions,
}

/// How to disconnect. The default: now, normally. All but the time is for a 5.0 server and left out in 3.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// When.
    pub when: When,
    /// Reason Code, one that a client may send; [`ReasonCode::DISCONNECT_WITH_WILL`] has the Will published.
    pub reason: ReasonCode,
    /// Session Expiry Interval in seconds in place of the one in force; zero ends the Session at the server, too.
    pub session_expiry: Option<u32>,
    /// Reason String and User Properties.
    pub properties: PropertyBuf,
    /// What becomes of the Session on this side.
    pub unfinished: Unfinished,
}

/// What becomes of the Session on this side, and of its unfinished messages, after a disconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unfinished {
    /// It is over: messages that are queued or in flight complete as [`Loss::Closed`], and leave the store.
    #[default]
    Close,
    /// It stays: they wait for the next [`Session::connect`], of this process or, with a store, of another.
    Keep,
}

/// When a disconnect takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once, after what is already encoded.
    Now,
    /// When every message has been sent and acknowledged, at the latest after this time. Nothing more is accepted.
    Settled(Duration),
}

impl Default for Disconnect {
    fn default() -> Self {
        Self {
            when: When::Now,
            reason: ReasonCode::SUCCESS,
            session_expiry: None,
            properties: PropertyBuf::new(),
            unfinished: Unfinished::Close,
        }
    }
}

impl Session {
    /// Asks for a connection, and for a new one whenever it is lost. Nothing changes while there is one, or an attempt.
    /// While a [`disconnect`](Self::disconnect) is in progress, the new connection follows it.
    pub fn connect(&mut self, now: Instant) {
        if matches!(self.link, Link::Idle | Link::Waiting { .. }) {
            self.redial.reset();
            self.open_transport(now);
        } else if self.is_disconnecting() {
            self.connect_after = true;
        }
    }

    /// Whether a requested disconnect is in progress.
    fn is_disconnecting(&self) -> bool {
        let is_closing = matches!(
            self.link,
            Link::Closing {
                reason: DisconnectReason::Requested,
                ..
            }
        );
        is_closing || self.draining.is_some()
    }

    /// Ends the connection, with no reconnect. Ends the Session, too, unless [`Unfinished::Keep`] says otherwise:
    /// operations that do not finish complete as [`Loss::Closed`]. Ends with [`DisconnectReason::Requested`], without a
    /// connection at once; where a connection is ending already, with the reason of that.
    ///
    /// # Errors
    /// Nothing has changed: [`SubmitError::Invalid`] and [`SubmitError::TooLarge`] for a DISCONNECT that cannot be sent,
    /// [`SubmitError::SessionExpiry`] for one that must not be.
    pub fn disconnect(&mut self, now: Instant, disconnect: Disconnect) -> Result<(), SubmitError> {
        let farewell = self.encode_farewell(&disconnect)?;
        let deadline = match disconnect.when {
            When::Now => now,
            When::Settled(patience) => now.after(patience),
        };
        self.draining = Some(Draining { deadline, farewell });
        self.unfinished = disconnect.unfinished;
        self.connect_after = false;
        let settled = !self.is_established() || self.is_settled();
        if disconnect.when == When::Now || settled {
            self.finish_draining(now);
        }
        Ok(())
    }

    /// Submits a message. Without a connection it is queued, within the queue's bounds: what happens at those is
    /// [`Config::queue_full`](super::Config)'s to say.
    ///
    /// # Errors
    /// The message comes back: the queue is full, the server does not accept it, or the session is disconnecting.
    // The error carries the message on purpose: a refused message is not lost, and boxing it would allocate.
    #[allow(clippy::result_large_err)]
    pub fn publish(&mut self, now: Instant, publication: Publication) -> Result<OpId, Refused<Publication>> {
        if let Err(reason) = self.check_submit(&publication) {
            return Err(Refused {
                reason,
                submitted: publication,
            });
        }
        let expires_at = publication.expiry.map(|expiry| now.after(expiry));
        let op = self.peek_op();
        if let Link::Established { version, .. } = self.link
            && self.outbound.nothing_waits()
            && self.outbound.may_send(publication.qos)
            && self.tx.len() < TRANSMIT_HIGH_WATER
            && !self.waits_for_store(&publication)
        {
            match self.send(now, version, op, &publication, expires_at) {
                Err(reason) => {
                    return Err(Refused {
                        reason,
                        submitted: publication,
                    });
                }
                Ok(None) => {}
                Ok(Some(awaited)) => self.outbound.occupy(op, awaited, Some((publication, expires_at))),
            }
            return Ok(self.next_op());
        }
        if let Err(reason) = self.check_size(now, &publication, expires_at) {
            return Err(Refused {
                reason,
                submitted: publication,
            });
        }
        let weight = publication.weight();
        if !self.outbound.queue.can_take(weight) {
            return Err(Refused {
                reason: SubmitError::QueueFull,
                submitted: publication,
            });
        }
        if let Err(reason) = self.store_message(op, &publication, expires_at) {
            return Err(Refused {
                reason: SubmitError::Invalid(reason),
                submitted: publication,
            });
        }
        while let Some(dropped) = self.outbound.queue.make_room(weight) {
            self.lose(dropped, Loss::Dropped);
        }
        self.outbound.queue.push_back(Outgoing {
            op,
            publication,
            expires_at,
        });
        Ok(self.next_op())
    }

    /// Subscribes to all `filters` with one packet. Needs a connection: what a subscription asks for is not queued.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn subscribe(&mut self, filters: &[Filter], properties: &PropertyBuf) -> Result<OpId, SubmitError> {
        if filters.is_empty() {
            return Err(no_filters(PacketType::Subscribe));
        }
        let version = self.version_for_submit()?;
        for filter in filters {
            self.check_filter(&filter.filter)?;
        }
        let has_id = properties
            .as_properties()
            .iter()
            .any(|p| matches!(p, Property::SubscriptionIdentifier(_)));
        if has_id && !self.server.subscription_id_available {
            return Err(SubmitError::SubscriptionIdNotSupported);
        }
        let mut encoded = FilterBuf::default();
        for filter in filters {
            let options = match version {
                Version::V5 => filter.options,
                Version::V3_1_1 => SubscribeOptions {
                    qos: filter.options.qos,
                    ..SubscribeOptions::default()
                },
            };
            encoded
                .push(&filter.filter, options)
                .map_err(SubmitError::Invalid)?;
        }
        let packet_id = self.outbound.free_id().ok_or(SubmitError::NoPacketId)?;
        let packet = Subscribe {
            packet_id,
            properties: properties_for(version, properties),
            filters: encoded.as_filters(),
        };
        let awaited = Awaited::Suback {
            filters: count(filters.len()),
        };
        self.submit(version, &Packet::Subscribe(packet), awaited)
    }

    /// Unsubscribes from all `filters` with one packet. Needs a connection.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was sent.
    pub fn unsubscribe(
        &mut self,
        filters: &[TopicFilter],
        properties: &PropertyBuf,
    ) -> Result<OpId, SubmitError> {
        if filters.is_empty() {
            return Err(no_filters(PacketType::Unsubscribe));
        }
        let version = self.version_for_submit()?;
        let mut encoded = FilterBuf::default();
        for filter in filters {
            encoded
                .push(filter, SubscribeOptions::default())
                .map_err(SubmitError::Invalid)?;
        }
        let packet_id = self.outbound.free_id().ok_or(SubmitError::NoPacketId)?;
        let packet = Unsubscribe {
            packet_id,
            properties: properties_for(version, properties),
            filters: encoded.as_filters(),
        };
        let awaited = Awaited::Unsuback {
            filters: count(filters.len()),
        };
        self.submit(version, &Packet::Unsubscribe(packet), awaited)
    }

    /// Acknowledges a message in [`AckMode::Manual`](super::AckMode::Manual). The wire sees acknowledgements in the
    /// order in which the messages came, whatever the order of these calls.
    ///
    /// # Errors
    /// [`SubmitError::StaleToken`] for a token that is not outstanding on this connection.
    pub fn acknowledge(&mut self, token: AckToken) -> Result<(), SubmitError> {
        let ack = self.inbound.acknowledge(token).ok_or(SubmitError::StaleToken)?;
        if let DueAck::Pubrec(id) = ack
            && self.inbound.is_unreleased(id)
        {
            self.store_received(id);
        }
        self.send_due_acks();
        Ok(())
    }

    /// What can be told before a packet is encoded.
    #[inline]
    fn check_submit(&self, publication: &Publication) -> Result<(), SubmitError> {
        let properties = publication.properties.as_properties();
        if !properties.is_empty() {
            check_publish_properties(&properties)?;
        }
        if self.is_disconnecting() {
            return Err(SubmitError::Closing);
        }
        if self.is_established() {
            self.check_server(publication)
        } else {
            Ok(())
        }
    }

    /// What the server on this connection does not accept.
    pub(super) fn check_server(&self, publication: &Publication) -> Result<(), SubmitError> {
        if publication.qos > self.server.maximum_qos {
            return Err(SubmitError::QosNotSupported(self.server.maximum_qos));
        }
        if publication.retain && !self.server.retain_available {
            return Err(SubmitError::RetainNotSupported);
        }
        Ok(())
    }

    /// Whether a message that is queued is one for the server of this connection by its size.
    fn check_size(
        &mut self,
        now: Instant,
        publication: &Publication,
        expires_at: Option<Instant>,
    ) -> Result<(), SubmitError> {
        let Link::Established { version, .. } = self.link else {
            return Ok(());
        };
        let max = self.server.maximum_packet_size;
        self.fill_property_scratch(now, publication, expires_at, Naming::Topic)
            .map_err(SubmitError::Invalid)?;
        let packet = Packet::Publish(Publish {
            dup: false,
            qos: publication.qos,
            retain: publication.retain,
            topic: publication.topic.as_str(),
            packet_id: (publication.qos != QoS::AtMostOnce).then_some(PacketId::MIN),
            properties: properties_for(version, &self.property_scratch),
            payload: &publication.payload,
        });
        let size = packet.encoded_len(version).map_err(SubmitError::Invalid)?;
        if size > max as usize {
            return Err(SubmitError::TooLarge { size, max });
        }
        Ok(())
    }

    fn check_filter(&self, filter: &TopicFilter) -> Result<(), SubmitError> {
        if filter.share_group().is_some() && !self.server.shared_available {
            return Err(SubmitError::SharedNotSupported);
        }
        if filter.has_wildcard() && !self.server.wildcard_available {
            return Err(SubmitError::WildcardNotSupported);
        }
        Ok(())
    }

    pub(super) fn version_for_submit(&self) -> Result<Version, SubmitError> {
        if self.draining.is_some() {
            return Err(SubmitError::Closing);
        }
        match self.link {
            Link::Established { version, .. } => Ok(version),
            _ => Err(SubmitError::NotConnected),
        }
    }

    /// Encodes a packet that carries the free Packet Identifier, then puts the identifier to use.
    fn submit(
        &mut self,
        version: Version,
        packet: &Packet<'_>,
        awaited: Awaited,
    ) -> Result<OpId, SubmitError> {
        self.submit_packet(version, packet, self.server.maximum_packet_size)?;
        let op = self.next_op();
        self.outbound.occupy(op, awaited, None);
        Ok(op)
    }

    /// Encodes a packet of at most `max` bytes.
    pub(super) fn submit_packet(
        &mut self,
        version: Version,
        packet: &Packet<'_>,
        max: u32,
    ) -> Result<(), SubmitError> {
        self.tx.append(|out| encode_within(version, packet, max, out))
    }

    /// The DISCONNECT for the connection that stands; empty without one.
    fn encode_farewell(&self, disconnect: &Disconnect) -> Result<Vec<u8>, SubmitError> {
        let mut properties = disconnect.properties.clone();
        let mut ids = properties.as_properties().iter().map(|property| property.id());
        let foreign = ids.find(|id| !matches!(id, PropertyId::ReasonString | PropertyId::UserProperty));
        if let Some(id) = foreign {
            let error = EncodeError::PropertyNotAllowed(PacketType::Disconnect, id);
            return Err(SubmitError::Invalid(error));
        }
        if let Some(seconds) = disconnect.session_expiry {
            if seconds != 0 && self.config.session_expiry == 0 {
                return Err(SubmitError::SessionExpiry);
            }
            properties
                .push(Property::SessionExpiryInterval(seconds))
                .map_err(SubmitError::Invalid)?;
        }
        if !is_clients_to_send(disconnect.reason) {
            let rule = "a client may disconnect with 0x00, 0x04, or an error that both sides may send: choose another \
                        reason code";
            return Err(SubmitError::Invalid(EncodeError::Invalid(
                PacketType::Disconnect,
                rule,
            )));
        }
        let packet = |reason, properties| Packet::Disconnect(codec::Disconnect { reason, properties });
        let mut out = Vec::new();
        let full = packet(disconnect.reason, properties.as_properties());
        match self.link {
            Link::Established {
                version: Version::V5, ..
            } => {
                encode_within(Version::V5, &full, self.server.maximum_packet_size, &mut out)?;
            }
            Link::Established { version, .. } => {
                let plain = packet(ReasonCode::SUCCESS, Properties::EMPTY);
                encode_within(version, &plain, MAX_PACKET_SIZE, &mut out)?;
            }
            // What is wrong is told whether or not it would be sent now.
            _ => drop(full.encoded_len(Version::V5).map_err(SubmitError::Invalid)?),
        }
        Ok(out)
    }

    #[inline]
    fn peek_op(&self) -> OpId {
        OpId::new(self.next_op)
    }

    #[inline]
    pub(super) fn next_op(&mut self) -> OpId {
        let op = self.peek_op();
        self.next_op += 1;
        op
    }
}

/// A packet about Topic Filters without any: the caller's mistake, whether there is a connection or not.
fn no_filters(packet: PacketType) -> SubmitError {
    SubmitError::Invalid(EncodeError::Invalid(
        packet,
        "no topic filter, expected at least one",
    ))
}

/// Appends the packet if it is within `max` bytes.
fn encode_within(
    version: Version,
    packet: &Packet<'_>,
    max: u32,
    out: &mut Vec<u8>,
) -> Result<(), SubmitError> {
    let size = packet.encoded_len(version).map_err(SubmitError::Invalid)?;
    if size > max as usize {
        return Err(SubmitError::TooLarge { size, max });
    }
    packet.encode(version, out).map_err(SubmitError::Invalid)
}

/// Whether a DISCONNECT from a client may carry this code (MQTT 5.0 table 3-10).
fn is_clients_to_send(reason: ReasonCode) -> bool {
    matches!(reason.0, 0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99)
}

/// Properties of a PUBLISH that are not the caller's to set.
pub(super) fn check_publish_properties(properties: &Properties<'_>) -> Result<(), SubmitError> {
    let foreign = [
        PropertyId::TopicAlias,
        PropertyId::SubscriptionIdentifier,
        PropertyId::MessageExpiryInterval,
    ];
    match foreign.into_iter().find(|id| properties.contains(*id)) {
        None => Ok(()),
        Some(id) => {
            let error = EncodeError::PropertyNotAllowed(PacketType::Publish, id);
            Err(SubmitError::Invalid(error))
        }
    }
}

fn properties_for(version: Version, properties: &PropertyBuf) -> Properties<'_> {
    match version {
        Version::V5 => properties.as_properties(),
        Version::V3_1_1 => Properties::EMPTY,
    }
}

fn count(filters: usize) -> u32 {
    u32::try_from(filters).unwrap_or(u32::MAX)
}
