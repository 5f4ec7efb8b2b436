//! Receiving: one packet at a time, each kind in one function, every rule that a client polices in one place.

use super::config::{AckMode, SessionLost};
use super::inbound::DueAck;
use super::link::Link;
use super::message::Layout;
use super::op::{Completion, Loss, OpId, Reasons};
use super::outbound::{Awaited, Flight, Outgoing};
use super::output::{Connected, DisconnectReason, Output, ServerLimits, Violation};
use super::{Session, owned};
use crate::codec::{
    Ack, Connack, DecodeError, FixedHeader, Packet, PacketId, PacketType, Properties, Property, PropertyId,
    Publish, QoS, ReasonCode, ReasonCodes, Version, decode, peek,
};
use crate::limits::{ACK_RESERVE, TRANSMIT_HIGH_WATER};
use crate::time::{Duration, Instant};

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
enum Fault {
    Malformed(DecodeError),
    Violation(Violation),
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

fn violation(reason: ReasonCode, rule: &'static str) -> Fault {
    Fault::Violation(Violation { reason, rule })
}

impl Session {
    /// Parses the packet at the front of the receive buffer, if it is complete.
    pub(super) fn receive_one(&mut self, now: Instant) -> Received {
        let Some(version) = self.link.version() else {
            return Received::Nothing;
        };
        // A peer that does not read must not make acknowledgements pile up, nor a caller that does not acknowledge.
        // In 5.0 the Receive Maximum is the bound of the latter, and the server answers for it.
        let writing_stalled = self.tx.scratch_len() > TRANSMIT_HIGH_WATER + ACK_RESERVE;
        let acks_stalled = version == Version::V3_1_1
            && self.inbound.deferred() >= usize::from(self.config.receive_maximum.get());
        if writing_stalled || acks_stalled {
            return Received::Nothing;
        }
        match self.try_receive(now, version) {
            Ok(received) => received,
            Err(fault) => {
                let (code, reason) = match fault {
                    Fault::Malformed(error) => (error.reason_code(), DisconnectReason::Malformed(error)),
                    Fault::Violation(violation) => (violation.reason, DisconnectReason::Violation(violation)),
                };
                self.fail(now, code, reason);
                Received::Packet
            }
        }
    }

    /// Whether a whole packet waits to be parsed.
    pub(super) fn packet_waits(&self) -> bool {
        let bytes = self.rx.bytes();
        let header = self
            .link
            .version()
            .map(|version| peek(bytes, version, self.config.max_packet_size));
        matches!(header, Some(Ok(Some(header))) if header.packet_len() <= bytes.len())
    }

    fn try_receive(&mut self, now: Instant, version: Version) -> Result<Received, Fault> {
        let bytes = self.rx.bytes();
        let Some(header) = peek(bytes, version, self.config.max_packet_size)? else {
            return Ok(Received::Nothing);
        };
        let len = header.packet_len();
        if bytes.len() < len {
            self.rx.await_packet(len);
            return Ok(Received::Nothing);
        }
        if matches!(self.link, Link::AwaitConnack { .. }) {
            return self.receive_connack(now, version, header);
        }
        if header.packet_type == PacketType::Publish {
            return self.receive_publish(version, header);
        }
        self.receive_other(now, version, header)
    }

    fn receive_connack(
        &mut self,
        now: Instant,
        version: Version,
        header: FixedHeader,
    ) -> Result<Received, Fault> {
        if header.packet_type != PacketType::Connack {
            return Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "first packet was not CONNACK",
            ));
        }
        let len = header.packet_len();
        // A 3.1.1 server answers a 5.0 CONNECT in its own form, which has no property length.
        let spoken = if header.remaining_len == 2 {
            Version::V3_1_1
        } else {
            version
        };
        let frame = self.rx.take(len);
        let Packet::Connack(connack) = decode(header, &frame, spoken)? else {
            return Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "first packet was not CONNACK",
            ));
        };
        if connack.reason != ReasonCode::SUCCESS {
            self.close_transport(now, DisconnectReason::Refused(connack.reason));
            return Ok(Received::Packet);
        }
        if spoken != version {
            return Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "CONNACK is of another protocol version",
            ));
        }
        if connack.session_present && version == Version::V5 && !self.resumable {
            let rule = "CONNACK has Session Present for a client without Session state [MQTT-3.2.2-4]";
            return Err(violation(ReasonCode::PROTOCOL_ERROR, rule));
        }
        self.establish(now, version, &connack);
        Ok(Received::Packet)
    }

    fn establish(&mut self, now: Instant, version: Version, connack: &Connack<'_>) {
        let mut expiry = self.config.session_expiry;
        let mut server = ServerLimits {
            keep_alive: self.config.keep_alive,
            ..ServerLimits::UNRESTRICTED
        };
        for property in connack.properties.iter() {
            match property {
                Property::ReceiveMaximum(max) => server.receive_maximum = max,
                Property::MaximumQos(qos) => server.maximum_qos = qos,
                Property::RetainAvailable(available) => server.retain_available = available,
                Property::MaximumPacketSize(max) => server.maximum_packet_size = max,
                Property::WildcardSubscriptionAvailable(available) => server.wildcard_available = available,
                Property::SubscriptionIdentifierAvailable(available) => {
                    server.subscription_id_available = available;
                }
                Property::SharedSubscriptionAvailable(available) => server.shared_available = available,
                Property::ServerKeepAlive(seconds) => {
                    server.keep_alive = Duration::from_secs(u64::from(seconds));
                }
                Property::AssignedClientIdentifier(id) => self.config.client_id = owned(id),
                Property::SessionExpiryInterval(seconds) => expiry = seconds,
                _ => {}
            }
        }
        self.server = server;
        self.redial.accepted();
        self.last_sent = now;
        self.link = Link::Established { version, since: now };
        let session_present = connack.session_present;
        self.outputs.push_back(Output::Connected(Connected {
            session_present,
            version,
            server,
        }));
        if !session_present {
            self.session_lost();
        }
        self.resumable = expiry != 0;
        self.gave_up = false;
        self.outbound.link_established(server.receive_maximum);
    }

    /// The server has no Session for this client: what it had acknowledged is gone, what it had not may be sent anew.
    fn session_lost(&mut self) {
        self.inbound.session_lost();
        let mut again = alloc::vec::Vec::new();
        for Flight { op, message, .. } in self.outbound.abandon_flights() {
            match (self.config.on_session_lost, message) {
                (SessionLost::Republish, Some((publication, expires_at))) => {
                    again.push(Outgoing {
                        op,
                        publication,
                        expires_at,
                    });
                }
                _ => self.complete(op, Completion::Lost(Loss::SessionLost)),
            }
        }
        self.outbound.requeue_first(again);
    }

    fn receive_publish(&mut self, version: Version, header: FixedHeader) -> Result<Received, Fault> {
        let len = header.packet_len();
        let frame = &self.rx.bytes()[..len];
        let publish = Publish::decode(header, frame, version)?;
        check_publish_properties(&publish.properties)?;
        let layout = Layout::of(&publish, frame);
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        let ack = match (qos, packet_id) {
            (QoS::AtLeastOnce, Some(id)) => Some(DueAck::Puback(id)),
            (QoS::ExactlyOnce, Some(id)) => Some(DueAck::Pubrec(id)),
            _ => None,
        };
        let Some(ack) = ack else {
            let message = layout.message(self.rx.take(len), None);
            return Ok(Received::Output(Output::Message(message)));
        };
        if let DueAck::Pubrec(id) = ack
            && !self.inbound.receive(id)
        {
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
        if self.inbound.begin() > u32::from(self.config.receive_maximum.get()) && version == Version::V5 {
            let rule = "more messages are unacknowledged than Receive Maximum allows";
            return Err(violation(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED, rule));
        }
        let token = match self.config.acks {
            AckMode::Automatic => {
                self.send_due_ack(ack);
                None
            }
            AckMode::Manual => Some(self.inbound.defer(ack)),
        };
        let message = layout.message(self.rx.take(len), token);
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
                let (id, reasons) = (suback.packet_id, copy(&suback.reasons));
                self.rx.skip(len);
                self.receive_suback(id, reasons)
            }
            Packet::Unsuback(unsuback) => {
                let (id, reasons) = (unsuback.packet_id, copy(&unsuback.reasons));
                self.rx.skip(len);
                self.receive_unsuback(version, id, reasons)
            }
            Packet::Pingresp => {
                self.rx.skip(len);
                self.ping_deadline = None;
                Ok(Received::Packet)
            }
            Packet::Disconnect(disconnect) if version == Version::V5 => {
                self.close_transport(now, DisconnectReason::ByServer(disconnect.reason));
                Ok(Received::Packet)
            }
            Packet::Disconnect(_) => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "a 3.1.1 server must not send DISCONNECT",
            )),
            Packet::Auth(_) => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "AUTH without an authentication method in CONNECT",
            )),
            Packet::Connack(_) => Err(violation(ReasonCode::PROTOCOL_ERROR, "second CONNACK")),
            Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::Pingreq => {
                Err(violation(
                    ReasonCode::PROTOCOL_ERROR,
                    "server sent a packet that only a client may send",
                ))
            }
            Packet::Publish(_)
            | Packet::Puback(_)
            | Packet::Pubrec(_)
            | Packet::Pubrel(_)
            | Packet::Pubcomp(_) => {
                // These have gone another way above.
                self.rx.skip(len);
                Ok(Received::Packet)
            }
        }
    }

    fn receive_ack(&mut self, version: Version, header: FixedHeader) -> Result<Received, Fault> {
        let len = header.packet_len();
        let Ack {
            packet_id, reason, ..
        } = Ack::decode(header, &self.rx.bytes()[..len], version)?;
        self.rx.skip(len);
        match header.packet_type {
            PacketType::Puback => self.receive_puback(packet_id, reason),
            PacketType::Pubrec => self.receive_pubrec(version, packet_id, reason),
            PacketType::Pubrel => {
                self.receive_pubrel(version, packet_id);
                Ok(Received::Packet)
            }
            _ => self.receive_pubcomp(packet_id, reason),
        }
    }

    fn receive_pubrel(&mut self, version: Version, id: PacketId) {
        let reason = if self.inbound.release(id) {
            self.inbound.finish();
            ReasonCode::SUCCESS
        } else {
            ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
        };
        self.send_pubcomp(version, id, reason);
    }

    fn receive_puback(&mut self, id: PacketId, reason: ReasonCode) -> Result<Received, Fault> {
        match self.outbound.flight(id).map(|flight| flight.awaited) {
            Some(Awaited::Puback) => Ok(self.published(id, reason)),
            // The exchange was given up with an earlier connection: late, harmless.
            None => Ok(Received::Packet),
            Some(_) => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "PUBACK for an identifier that awaits another packet",
            )),
        }
    }

    fn receive_pubrec(
        &mut self,
        version: Version,
        id: PacketId,
        reason: ReasonCode,
    ) -> Result<Received, Fault> {
        let Some(flight) = self.outbound.flight(id) else {
            self.send_pubrel(version, id, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
            return Ok(Received::Packet);
        };
        match flight.awaited {
            Awaited::Pubrec if reason.is_error() => Ok(self.published(id, reason)),
            Awaited::Pubrec | Awaited::Pubcomp => {
                flight.awaited = Awaited::Pubcomp;
                flight.message = None;
                self.send_pubrel(version, id, ReasonCode::SUCCESS);
                Ok(Received::Packet)
            }
            _ => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "PUBREC for an identifier that awaits another packet",
            )),
        }
    }

    fn receive_pubcomp(&mut self, id: PacketId, reason: ReasonCode) -> Result<Received, Fault> {
        match self.outbound.flight(id).map(|flight| flight.awaited) {
            Some(Awaited::Pubcomp) => Ok(self.published(id, reason)),
            None => Ok(Received::Packet),
            Some(_) => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "PUBCOMP for an identifier that awaits another packet",
            )),
        }
    }

    fn receive_suback(&mut self, id: PacketId, reasons: Reasons) -> Result<Received, Fault> {
        match self.outbound.flight(id).map(|flight| flight.awaited) {
            Some(Awaited::Suback { filters }) if reasons.iter().len() == filters as usize => {
                Ok(self.released(id, Completion::Subscribed(reasons)))
            }
            Some(Awaited::Suback { .. }) => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "SUBACK has another number of codes than SUBSCRIBE of filters",
            )),
            _ => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "SUBACK for an identifier that awaits none",
            )),
        }
    }

    fn receive_unsuback(
        &mut self,
        version: Version,
        id: PacketId,
        reasons: Reasons,
    ) -> Result<Received, Fault> {
        match self.outbound.flight(id).map(|flight| flight.awaited) {
            Some(Awaited::Unsuback { filters })
                if version == Version::V3_1_1 || reasons.iter().len() == filters as usize =>
            {
                Ok(self.released(id, Completion::Unsubscribed(reasons)))
            }
            Some(Awaited::Unsuback { .. }) => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "UNSUBACK has another number of codes than UNSUBSCRIBE of filters",
            )),
            _ => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "UNSUBACK for an identifier that awaits none",
            )),
        }
    }

    fn published(&mut self, id: PacketId, reason: ReasonCode) -> Received {
        self.released(id, Completion::Published(reason))
    }

    fn released(&mut self, id: PacketId, completion: Completion) -> Received {
        match self.outbound.release(id) {
            Some(Flight { op, .. }) => Received::Output(completed(op, completion)),
            None => Received::Packet,
        }
    }
}

fn completed(op: OpId, completion: Completion) -> Output {
    Output::Completed(op, completion)
}

/// Rules about a received PUBLISH that depend on what the CONNECT allowed.
fn check_publish_properties(properties: &Properties<'_>) -> Result<(), Fault> {
    if properties.contains(PropertyId::TopicAlias) {
        let rule = "Topic Alias is above the Topic Alias Maximum of zero [MQTT-3.3.2-10]";
        return Err(violation(ReasonCode::TOPIC_ALIAS_INVALID, rule));
    }
    Ok(())
}

fn copy(reasons: &ReasonCodes<'_>) -> Reasons {
    Reasons(
        reasons
            .iter()
            .map(|code| code.0)
            .collect::<alloc::vec::Vec<u8>>()
            .into(),
    )
}
