//! Receiving: one packet at a time, each kind handed to its own function.

use alloc::sync::Arc;

use super::Session;
use super::alias::ReceivedAliases;
use super::answers::reasons;
use super::config::AckMode;
use super::details::Details;
use super::inbound::DueAck;
use super::link::Link;
use super::message::Layout;
use super::output::{DisconnectReason, Output, Violation};
use crate::codec::{
    Ack, DecodeError, FixedHeader, Packet, PacketType, Property, PropertyId, QoS, ReasonCode,
    ReceivedPublish, Version, decode, peek,
};
use crate::limits::{ACK_RESERVE, MAX_HELD_PACKETS, MAX_OVERSHOOT_BYTES, TRANSMIT_HIGH_WATER};
use crate::time::Instant;

/// What an attempt to receive a packet came to.
pub(super) enum Received {
    /// A packet, and this to hand out.
    Output(Output),
    /// A packet, or the end of the connection; outputs may be waiting.
    Packet,
    /// There is no complete packet, or none may be parsed now.
    Nothing,
}

/// Why a packet ends the connection.
pub(super) enum Fault {
    Malformed(DecodeError),
    Violation(Violation),
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

pub(super) fn violation(reason: ReasonCode, rule: &'static str) -> Fault {
    Fault::Violation(Violation { reason, rule })
}

impl Session {
    /// Parses the packet at the front of the receive buffer, if it is complete.
    #[inline]
    pub(super) fn receive_one(&mut self, now: Instant) -> Result<Received, Fault> {
        if core::mem::take(&mut self.unnoticed) {
            self.last_received = now;
        }
        let Some(version) = self.link.version() else {
            return Ok(Received::Nothing);
        };
        // A peer that does not read must not make acknowledgements pile up, nor a caller that does not acknowledge.
        let held = self.store.as_ref().map_or(0, |store| store.held());
        let writing_stalled = self.writing_is_stalled() || held > MAX_HELD_PACKETS;
        if writing_stalled || self.caller_is_stalled() {
            return Ok(Received::Nothing);
        }
        self.try_receive(now, version)
    }

    /// Ends the connection because of what was received.
    #[cold]
    pub(super) fn refuse(&mut self, now: Instant, fault: Fault) {
        let (code, reason) = match fault {
            Fault::Malformed(error) => (error.reason_code(), DisconnectReason::Malformed(error)),
            Fault::Violation(violation) => (violation.reason, DisconnectReason::Violation(violation)),
        };
        self.fail(now, code, reason);
    }

    /// Whether more waits to be written than a peer that reads would leave.
    fn writing_is_stalled(&self) -> bool {
        self.tx.scratch_len() > TRANSMIT_HIGH_WATER + ACK_RESERVE
    }

    /// Whether the caller holds more messages than it should have to: more than Receive Maximum, and many bytes of them. Those
    /// that a server sends beyond Receive Maximum are handed out till then, in 3.1.1, which has no such number, as in 5.0, where
    /// Mosquitto 2.0 keeps to it only until the first PUBACK (decision 0015).
    fn caller_is_stalled(&self) -> bool {
        self.inbound.deferred() >= usize::from(self.config.receive_maximum.get())
            && self.inbound.deferred_bytes() >= MAX_OVERSHOOT_BYTES
    }

    /// Whether what was received waits on this side's account: the PINGRESP may be behind it. What waits until the server
    /// reads does so on the server's account, unless it has read something since it was asked.
    pub(super) fn input_waits(&self, now: Instant) -> bool {
        if self.writing_is_stalled() && self.last_sent.after(self.ping_timeout()) <= now {
            return false;
        }
        self.rx.is_full() || self.packet_waits()
    }

    /// Whether a whole packet waits to be parsed.
    fn packet_waits(&self) -> bool {
        let bytes = self.rx.bytes();
        let header = self
            .link
            .version()
            .map(|version| peek(bytes, version, self.config.max_packet_size));
        matches!(header, Some(Ok(Some(header))) if header.packet_len() <= bytes.len())
    }

    fn try_receive(&mut self, now: Instant, version: Version) -> Result<Received, Fault> {
        let bytes = self.rx.bytes();
        if let Some((packet_type, id)) = Ack::read_success(bytes)
            && self.is_established()
        {
            self.rx.skip(Ack::SUCCESS_LEN);
            return self.acknowledged(packet_type, id, ReasonCode::SUCCESS, Details::NONE);
        }
        let Some(header) = peek(bytes, version, self.config.max_packet_size)? else {
            return Ok(Received::Nothing);
        };
        if matches!(
            header.packet_type,
            PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::Pingreq
        ) {
            // Before its body is read: what can be wrong with a CONNECT has answers that DISCONNECT may not carry.
            return Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "server sent a packet that only a client may send",
            ));
        }
        let len = header.packet_len();
        if bytes.len() < len {
            self.rx.await_packet(len);
            return Ok(Received::Nothing);
        }
        if matches!(self.link, Link::AwaitConnack { .. }) && header.packet_type != PacketType::Auth {
            return self.receive_connack(now, version, header);
        }
        if header.packet_type == PacketType::Publish {
            return self.receive_publish(version, header);
        }
        self.receive_other(now, version, header)
    }

    fn receive_publish(&mut self, version: Version, header: FixedHeader) -> Result<Received, Fault> {
        let len = header.packet_len();
        let frame = &self.rx.bytes()[..len];
        let publish = ReceivedPublish::decode(header, frame, version)?;
        let alias = if publish.properties.contains(PropertyId::TopicAlias) {
            resolve_alias(
                &mut self.received_aliases,
                &publish,
                self.config.topic_alias_maximum,
            )?
        } else {
            None
        };
        let layout = Layout::of(&publish, header, frame);
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        let ack = match (qos, packet_id) {
            (QoS::AtLeastOnce, Some(id)) => Some(DueAck::Puback(id)),
            (QoS::ExactlyOnce, Some(id)) => Some(DueAck::Pubrec(id)),
            _ => None,
        };
        let Some(ack) = ack else {
            let message = layout.message(self.rx.take(len), alias, None);
            return Ok(Received::Output(Output::Message(message)));
        };
        if let DueAck::Pubrec(id) = ack
            && self.inbound.receive(id)
        {
            if self.config.acks == AckMode::Automatic {
                self.store_received(id);
            }
        } else if let DueAck::Pubrec(_) = ack {
            self.rx.skip(len);
            // Known already: it is not handed out again, and answered in its turn unless the caller still has to.
            if self.config.acks == AckMode::Automatic {
                self.send_due_ack(ack);
            } else if !self.inbound.is_deferred(ack) {
                self.inbound.defer_acknowledged(ack);
                self.send_due_acks();
            }
            return Ok(Received::Packet);
        }
        let token = match self.config.acks {
            AckMode::Automatic => {
                self.send_due_ack(ack);
                None
            }
            AckMode::Manual => Some(self.inbound.defer(ack, len)),
        };
        let message = layout.message(self.rx.take(len), alias, token);
        Ok(Received::Output(Output::Message(message)))
    }

    fn receive_other(
        &mut self,
        now: Instant,
        version: Version,
        header: FixedHeader,
    ) -> Result<Received, Fault> {
        let len = header.packet_len();
        if let PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp =
            header.packet_type
        {
            return self.receive_ack(version, header);
        }
        match decode(header, &self.rx.bytes()[..len], version)? {
            Packet::Suback(suback) => {
                self.check_problem_information(&suback.properties)?;
                let (id, reasons) = (suback.packet_id, reasons(&suback.reasons, suback.properties));
                self.rx.skip(len);
                self.receive_suback(id, reasons)
            }
            Packet::Unsuback(unsuback) => {
                self.check_problem_information(&unsuback.properties)?;
                let (id, reasons) = (
                    unsuback.packet_id,
                    reasons(&unsuback.reasons, unsuback.properties),
                );
                self.rx.skip(len);
                self.receive_unsuback(version, id, reasons)
            }
            Packet::Pingresp => {
                self.rx.skip(len);
                self.ping_deadline = None;
                Ok(Received::Packet)
            }
            Packet::Disconnect(disconnect) if version == Version::V5 => {
                if disconnect.properties.contains(PropertyId::SessionExpiryInterval) {
                    let rule = "DISCONNECT from the server has a session expiry interval [MQTT-3.14.2-2]";
                    return Err(violation(ReasonCode::PROTOCOL_ERROR, rule));
                }
                let details = Details::from(disconnect.properties);
                self.close_by_server(now, DisconnectReason::ByServer(disconnect.reason), details);
                Ok(Received::Packet)
            }
            Packet::Disconnect(_) => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "a 3.1.1 server must not send DISCONNECT",
            )),
            Packet::Auth(auth) => {
                self.check_problem_information(&auth.properties)?;
                let (reason, method) = (auth.reason, self.check_method(&auth.properties));
                let details = Details::from(auth.properties);
                self.rx.skip(len);
                self.receive_auth(reason, method, details)
            }
            Packet::Connack(_) => Err(violation(ReasonCode::PROTOCOL_ERROR, "second CONNACK")),
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::Pingreq
            | Packet::Publish(_)
            | Packet::Puback(_)
            | Packet::Pubrec(_)
            | Packet::Pubrel(_)
            | Packet::Pubcomp(_) => {
                // These were refused or have gone another way above.
                self.rx.skip(len);
                Ok(Received::Packet)
            }
        }
    }
}

/// Follows or learns the Topic Alias of a PUBLISH; gives the topic where the packet leaves it out.
fn resolve_alias(
    aliases: &mut ReceivedAliases,
    publish: &ReceivedPublish<'_>,
    max: u16,
) -> Result<Option<Arc<str>>, Fault> {
    let Some(Property::TopicAlias(alias)) = publish.properties.find(PropertyId::TopicAlias) else {
        return Ok(None);
    };
    if alias > max {
        let rule = "Topic Alias is above the Topic Alias Maximum [MQTT-3.1.2-26]";
        return Err(violation(ReasonCode::TOPIC_ALIAS_INVALID, rule));
    }
    if !publish.topic.is_empty() {
        aliases.learn(alias, publish.topic_name()?);
        return Ok(None);
    }
    match aliases.topic(alias) {
        Some(topic) => Ok(Some(topic.clone())),
        None => Err(violation(
            ReasonCode::PROTOCOL_ERROR,
            "Topic Alias stands for no topic on this connection",
        )),
    }
}
