//! Sending: CONNECT, messages from the queue, messages again, acknowledgements.

use alloc::vec::Vec;

use super::inbound::DueAck;
use super::link::Link;
use super::op::{Completion, Loss, Publication, SubmitError};
use super::outbound::{Awaited, Outgoing};
use super::{Draining, Session};
use crate::codec::{
    Ack, Connect, Disconnect, EncodeError, LastWill, Packet, PacketId, Properties, Property, PropertyBuf,
    Publish, QoS, ReasonCode, Version,
};
use crate::limits::TRANSMIT_HIGH_WATER;
use crate::time::Instant;

impl Session {
    /// Moves to the transmit queue what flow control and its high water mark allow: first what is due again, then the
    /// queue in order.
    pub(super) fn pump(&mut self, now: Instant) {
        if self.outbound.nothing_waits() && self.draining.is_none() {
            return;
        }
        let Link::Established { version, .. } = self.link else {
            return;
        };
        while self.tx.len() < TRANSMIT_HIGH_WATER {
            if self.outbound.resends_wait() {
                let Some(id) = self.outbound.next_resend() else {
                    break;
                };
                self.send_again(now, version, id);
                continue;
            }
            let Some(front) = self.outbound.front() else { break };
            let window = self.outbound.in_flight() < usize::from(self.config.max_in_flight.get());
            let qos = front.publication.qos;
            if !self.outbound.may_send(qos) || (qos != QoS::AtMostOnce && !window) {
                break;
            }
            let Some(outgoing) = self.outbound.dequeue() else {
                break;
            };
            let op = outgoing.op;
            if outgoing.expires_at.is_some_and(|at| at <= now) {
                self.complete(op, Completion::Lost(Loss::Expired));
                continue;
            }
            let sent = match self.check_server(&outgoing.publication) {
                Ok(()) => self.send(now, outgoing).map_err(|(reason, _)| reason),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = sent {
                self.complete(op, Completion::Lost(Loss::NotAccepted(reason)));
            }
        }
        if let Some(Draining { reason, .. }) = self.draining
            && self.outbound.is_settled()
        {
            self.finish_draining(now, reason);
        }
    }

    /// Encodes a message for the first time. On error it comes back and nothing has changed.
    // The error carries the message: see `publish`.
    #[allow(clippy::result_large_err)]
    #[inline]
    pub(super) fn send(&mut self, now: Instant, outgoing: Outgoing) -> Result<(), (SubmitError, Outgoing)> {
        let Link::Established { version, .. } = self.link else {
            return Err((SubmitError::NotConnected, outgoing));
        };
        let Outgoing {
            op,
            publication,
            expires_at,
        } = outgoing;
        let packet_id = match publication.qos {
            QoS::AtMostOnce => None,
            _ => match self.outbound.free_id() {
                Some(id) => Some(id),
                None => {
                    return Err((
                        SubmitError::NoPacketId,
                        Outgoing {
                            op,
                            publication,
                            expires_at,
                        },
                    ));
                }
            },
        };
        if let Err(reason) = self.encode_publish(now, version, &publication, expires_at, packet_id, false) {
            return Err((
                reason,
                Outgoing {
                    op,
                    publication,
                    expires_at,
                },
            ));
        }
        let awaited = match publication.qos {
            QoS::AtMostOnce => {
                self.tx.mark(op);
                return Ok(());
            }
            QoS::AtLeastOnce => Awaited::Puback,
            QoS::ExactlyOnce => Awaited::Pubrec,
        };
        self.outbound.occupy(op, awaited, Some((publication, expires_at)));
        Ok(())
    }

    /// Sends again what an identifier still awaits, after the Session was resumed.
    fn send_again(&mut self, now: Instant, version: Version, id: PacketId) {
        let Some(flight) = self.outbound.flight(id) else {
            return;
        };
        match flight.awaited {
            Awaited::Pubcomp => self.send_pubrel(version, id, ReasonCode::SUCCESS),
            Awaited::Puback | Awaited::Pubrec => {
                let op = flight.op;
                let Some((publication, expires_at)) = flight.message.take() else {
                    return;
                };
                match self.encode_publish(now, version, &publication, expires_at, Some(id), true) {
                    Ok(()) => {
                        if let Some(flight) = self.outbound.flight(id) {
                            flight.message = Some((publication, expires_at));
                        }
                    }
                    Err(reason) => {
                        self.outbound.release(id);
                        self.complete(op, Completion::Lost(Loss::NotAccepted(reason)));
                    }
                }
            }
            Awaited::Suback { .. } | Awaited::Unsuback { .. } => {}
        }
    }

    #[inline]
    fn encode_publish(
        &mut self,
        now: Instant,
        version: Version,
        publication: &Publication,
        expires_at: Option<Instant>,
        packet_id: Option<PacketId>,
        dup: bool,
    ) -> Result<(), SubmitError> {
        let properties = match (version, expires_at) {
            (Version::V3_1_1, _) => Properties::EMPTY,
            (Version::V5, None) => publication.properties.as_properties(),
            (Version::V5, Some(at)) => {
                let left = at.since(now).as_micros().div_ceil(1_000_000);
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                self.property_scratch.clone_from(&publication.properties);
                self.property_scratch
                    .push(Property::MessageExpiryInterval(left))
                    .map_err(SubmitError::Invalid)?;
                self.property_scratch.as_properties()
            }
        };
        let publish = Publish {
            dup,
            qos: publication.qos,
            retain: publication.retain,
            topic: publication.topic.as_str(),
            packet_id,
            properties,
            payload: &[],
        };
        let max = self.server.maximum_packet_size;
        let payload = &publication.payload;
        self.tx.append(|out| {
            let before = out.len();
            publish
                .encode_head(payload.len(), version, out)
                .map_err(SubmitError::Invalid)?;
            let size = out.len() - before + payload.len();
            if size > max as usize {
                out.truncate(before);
                return Err(SubmitError::TooLarge { size, max });
            }
            Ok(())
        })?;
        self.tx.append_payload(payload);
        Ok(())
    }

    /// Sends the deferred acknowledgements that nothing holds back any more.
    pub(super) fn send_due_acks(&mut self) {
        while let Some(due) = self.inbound.next_due() {
            self.send_due_ack(due);
        }
    }

    pub(super) fn send_due_ack(&mut self, due: DueAck) {
        let Some(version) = self.link.version() else {
            return;
        };
        match due {
            DueAck::Puback(packet_id) => {
                self.inbound.finish();
                self.append_ack(version, packet_id, ReasonCode::SUCCESS, Packet::Puback);
            }
            DueAck::Pubrec(packet_id) => {
                self.append_ack(version, packet_id, ReasonCode::SUCCESS, Packet::Pubrec);
            }
        }
    }

    pub(super) fn send_pubrel(&mut self, version: Version, packet_id: PacketId, reason: ReasonCode) {
        self.append_ack(version, packet_id, reason, Packet::Pubrel);
    }

    pub(super) fn send_pubcomp(&mut self, version: Version, packet_id: PacketId, reason: ReasonCode) {
        self.append_ack(version, packet_id, reason, Packet::Pubcomp);
    }

    #[inline]
    fn append_ack(
        &mut self,
        version: Version,
        packet_id: PacketId,
        reason: ReasonCode,
        packet: fn(Ack<'static>) -> Packet<'static>,
    ) {
        let ack = packet(Ack {
            reason,
            ..Ack::success(packet_id)
        });
        if reason == ReasonCode::SUCCESS || version == Version::V3_1_1 {
            self.tx
                .append_bytes(&Ack::success_packet(ack.packet_type(), packet_id));
        } else {
            self.append_control(|out| ack.encode(version, out));
        }
    }

    pub(super) fn append_disconnect(&mut self, version: Version, reason: ReasonCode) {
        let reason = match version {
            Version::V5 => reason,
            Version::V3_1_1 => ReasonCode::SUCCESS,
        };
        let disconnect = Packet::Disconnect(Disconnect {
            reason,
            properties: Properties::EMPTY,
        });
        self.append_control(|out| disconnect.encode(version, out));
    }

    /// Appends a packet that this module made up itself and that therefore can be encoded.
    pub(super) fn append_control(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>) {
        let appended = self.tx.append(encode);
        debug_assert!(appended.is_ok(), "{appended:?}");
    }

    pub(super) fn encode_connect(&self, version: Version) -> Result<Vec<u8>, EncodeError> {
        let config = &self.config;
        let mut properties = PropertyBuf::new();
        let clean_start = match version {
            Version::V5 => {
                if config.session_expiry != 0 {
                    properties.push(Property::SessionExpiryInterval(config.session_expiry))?;
                }
                properties.push(Property::ReceiveMaximum(config.receive_maximum.get()))?;
                properties.push(Property::MaximumPacketSize(config.max_packet_size))?;
                config.clean_start || !self.resumable
            }
            // In 3.1.1 the flag also decides whether the Session outlives the connection.
            Version::V3_1_1 => {
                config.clean_start
                    || config.session_expiry == 0
                    || config.client_id.is_empty()
                    || self.gave_up
            }
        };
        let empty = PropertyBuf::new();
        let will = config.will.as_ref().map(|will| LastWill {
            topic: will.topic.as_str(),
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            properties: match version {
                Version::V5 => will.properties.as_properties(),
                Version::V3_1_1 => empty.as_properties(),
            },
        });
        let connect = Connect {
            version,
            clean_start,
            // `Config::validate` bounds it.
            keep_alive: u16::try_from(config.keep_alive.as_secs()).unwrap_or(u16::MAX),
            client_id: &config.client_id,
            properties: properties.as_properties(),
            will,
            username: config.username.as_deref(),
            password: config.password.as_deref(),
        };
        let mut out = Vec::new();
        Packet::Connect(connect).encode(version, &mut out)?;
        Ok(out)
    }
}
