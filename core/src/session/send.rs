//! Sending: CONNECT, messages from the queue, messages again, acknowledgements.

use alloc::vec::Vec;

use super::Session;
use super::alias::Naming;
use super::inbound::DueAck;
use super::link::Link;
use super::op::{Completion, Loss, OpId, Publication, SubmitError};
use super::outbound::Awaited;
use super::queue::Outgoing;
use super::store::{Held, Store};
use crate::codec::{
    Ack, EncodeError, PacketId, PacketType, Properties, Property, Publish, QoS, ReasonCode, Version,
};
use crate::limits::TRANSMIT_HIGH_WATER;
use crate::time::Instant;

/// Bytes of a PUBLISH that a session adds to topic, payload and the caller's properties: fixed header 5, topic length 2,
/// Packet Identifier 2, property length 4, Message Expiry Interval 5, Topic Alias 3.
const LARGEST_HEAD: usize = 21;

impl Session {
    /// Moves to the transmit queue what flow control and its high water mark allow: first what is due again, then the
    /// queue in order.
    // Not in every poll: most find that nothing waits.
    #[inline(never)]
    pub(super) fn pump(&mut self, now: Instant) {
        let Link::Established { version, .. } = self.link else {
            return;
        };
        let persisted = self.store.as_ref().map_or(0, Store::persisted);
        while self.tx.len() < TRANSMIT_HIGH_WATER {
            if let Some(id) = self.outbound.next_due(persisted) {
                self.send_due(now, version, id);
                continue;
            }
            let Some(Outgoing { publication, .. }) = self.outbound.queue.front() else {
                break;
            };
            let is_behind = self.outbound.packets_are_due();
            let waits = is_behind || self.waits_for_store(publication);
            if !self.may_leave_queue(publication.qos, is_behind) {
                break;
            }
            let Some(outgoing) = self.outbound.queue.pop_front() else {
                break;
            };
            if let Err((loss, outgoing)) = self.send_queued(now, version, outgoing, waits) {
                self.lose(outgoing, loss);
            }
        }
        if self.draining.is_some() && self.is_settled() {
            self.finish_draining(now);
        }
    }

    /// Whether flow control lets the front of the queue leave. Behind what waits for the window nothing does, behind what
    /// waits for the store what will wait for it, too.
    fn may_leave_queue(&self, qos: QoS, is_behind: bool) -> bool {
        if is_behind && (self.store.is_none() || qos == QoS::AtMostOnce) {
            return false;
        }
        self.outbound.may_send(qos) && (qos == QoS::AtMostOnce || self.outbound.free_id().is_some())
    }

    /// Whether everything is sent and answered.
    pub(super) fn is_settled(&self) -> bool {
        self.outbound.is_settled() && self.store.as_ref().is_none_or(|store| store.held() == 0)
    }

    // The error hands the message back: boxing it would allocate.
    #[allow(clippy::result_large_err)]
    fn send_queued(
        &mut self,
        now: Instant,
        version: Version,
        outgoing: Outgoing,
        waits: bool,
    ) -> Result<(), (Loss, Outgoing)> {
        if outgoing.expires_at.is_some_and(|at| at <= now) {
            return Err((Loss::Expired, outgoing));
        }
        let Outgoing {
            op,
            ref publication,
            expires_at,
        } = outgoing;
        let sent = self.check_server(publication).and_then(|()| {
            if waits {
                self.identify(publication.qos).map(Some)
            } else {
                let awaited = self.send(now, version, op, publication, expires_at)?;
                Ok(awaited.map(|awaited| (awaited, None)))
            }
        });
        match sent {
            Ok(None) => {}
            Ok(Some((awaited, None))) => {
                let message = Some((outgoing.publication, expires_at));
                self.outbound.occupy(op, awaited, message);
            }
            Ok(Some((awaited, Some(id)))) => {
                let gate = self.store_flight(id, awaited, op, publication.lifetime);
                let message = (outgoing.publication, expires_at);
                self.outbound.reserve(id, op, awaited, message, gate);
            }
            Err(reason) => return Err((Loss::NotAccepted(reason), outgoing)),
        }
        Ok(())
    }

    /// The free identifier, and what it is to await.
    fn identify(&self, qos: QoS) -> Result<(Awaited, Option<PacketId>), SubmitError> {
        let awaited = match qos {
            QoS::ExactlyOnce => Awaited::Pubrec,
            _ => Awaited::Puback,
        };
        let id = self.outbound.free_id().ok_or(SubmitError::NoPacketId)?;
        Ok((awaited, Some(id)))
    }

    /// Ends the operation of a message that leaves the queue unsent.
    pub(super) fn lose(&mut self, outgoing: Outgoing, loss: Loss) {
        self.forget_message(outgoing.op, &outgoing.publication);
        self.complete(outgoing.op, Completion::Lost(loss));
    }

    /// Encodes a message for the first time, and says what its identifier, the free one, is to await. On error nothing
    /// has changed.
    #[inline(always)]
    pub(super) fn send(
        &mut self,
        now: Instant,
        version: Version,
        op: OpId,
        publication: &Publication,
        expires_at: Option<Instant>,
    ) -> Result<Option<Awaited>, SubmitError> {
        let awaited = match publication.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(Awaited::Puback),
            QoS::ExactlyOnce => Some(Awaited::Pubrec),
        };
        let packet_id = match awaited {
            None => None,
            Some(_) => Some(self.outbound.free_id().ok_or(SubmitError::NoPacketId)?),
        };
        self.encode_publish(now, version, publication, expires_at, packet_id, false)?;
        if awaited.is_none() {
            self.tx.mark(op);
        }
        Ok(awaited)
    }

    /// Sends what an identifier's exchange goes on with: after the Session was resumed, or once the store has it.
    fn send_due(&mut self, now: Instant, version: Version, id: PacketId) {
        let Some(flight) = self.outbound.flight(id) else {
            return;
        };
        match flight.awaited {
            Awaited::Pubcomp => self.append_ack(version, PacketType::Pubrel, id, ReasonCode::SUCCESS),
            Awaited::Puback | Awaited::Pubrec => {
                let is_repeat = core::mem::replace(&mut flight.is_repeat, true);
                let awaits_puback = flight.awaited == Awaited::Puback;
                let Some((publication, expires_at)) = flight.message.take() else {
                    return;
                };
                // What has expired must not take effect any more: see docs/decisions/0005. At QoS 2 the exchange has to
                // be finished, or a new message under its identifier would be taken for this one.
                let has_expired = awaits_puback && expires_at.is_some_and(|at| at <= now);
                let sent = if has_expired {
                    Err(Loss::Expired)
                } else {
                    self.check_server(&publication)
                        .and_then(|()| {
                            self.encode_publish(now, version, &publication, expires_at, Some(id), is_repeat)
                        })
                        .map_err(Loss::NotAccepted)
                };
                if let Some(flight) = self.outbound.flight(id) {
                    flight.message = Some((publication, expires_at));
                }
                if let Err(loss) = sent {
                    let ended = if is_repeat && !awaits_puback {
                        self.withdraw(id)
                    } else {
                        self.end_flight(id)
                    };
                    if let Some(op) = ended {
                        self.complete(op, Completion::Lost(loss));
                    }
                }
            }
            Awaited::Suback { .. } | Awaited::Unsuback { .. } => {}
        }
    }

    /// Ends a QoS 2 operation whose message must not be sent again and may have arrived: its identifier is used again only
    /// when the server has let go of it. Returns the operation.
    fn withdraw(&mut self, id: PacketId) -> Option<OpId> {
        let flight = self.outbound.flight(id)?;
        let (op, publication) = flight.withdraw();
        // The record of its identifier stays as it is: without the message's, a later process goes on from here.
        if let (Some(op), Some(publication)) = (op, publication) {
            self.forget_message(op, &publication);
        }
        self.send_or_hold(Held::Pubrel(id, ReasonCode::SUCCESS));
        op
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
        // Close to the server's maximum the alias itself may take the room that the message needs.
        let has_room = || publication.weight() + LARGEST_HEAD <= self.server.maximum_packet_size as usize;
        let naming = if dup || self.sent_aliases.is_off() || !has_room() {
            Naming::Topic
        } else {
            self.sent_aliases.naming(&publication.topic)
        };
        let properties = match (version, expires_at, naming) {
            (Version::V3_1_1, ..) => Properties::EMPTY,
            (Version::V5, None, Naming::Topic) => publication.properties.as_properties(),
            (Version::V5, ..) => {
                self.fill_property_scratch(now, publication, expires_at, naming)
                    .map_err(SubmitError::Invalid)?;
                self.property_scratch.as_properties()
            }
        };
        let publish = Publish {
            dup,
            qos: publication.qos,
            retain: publication.retain,
            topic: match naming {
                Naming::Topic | Naming::Introduced(_) => publication.topic.as_str(),
                Naming::Alias(_) => "",
            },
            packet_id,
            properties,
            payload: &[],
        };
        let max = self.server.maximum_packet_size;
        let payload = &publication.payload;
        // What an alias leaves out counts all the same: sent again, the packet has its topic.
        let left_out = publication.topic.as_str().len() - publish.topic.len();
        self.tx.append(|out| {
            let before = out.len();
            publish
                .encode_valid_head(payload.len(), version, out)
                .map_err(SubmitError::Invalid)?;
            let size = out.len() - before + payload.len() + left_out;
            if size > max as usize {
                out.truncate(before);
                return Err(SubmitError::TooLarge { size, max });
            }
            Ok(())
        })?;
        self.tx.append_payload(payload);
        if naming != Naming::Topic {
            self.sent_aliases.used(naming, &publication.topic);
        }
        Ok(())
    }

    /// The message's properties with the time that is left of its expiry, and its Topic Alias.
    pub(super) fn fill_property_scratch(
        &mut self,
        now: Instant,
        publication: &Publication,
        expires_at: Option<Instant>,
        naming: Naming,
    ) -> Result<(), EncodeError> {
        let scratch = &mut self.property_scratch;
        scratch.clone_from(&publication.properties);
        if let Some(at) = expires_at {
            let left = at.since(now).as_micros().div_ceil(1_000_000);
            // Zero may be read as no expiry at all.
            let left = u32::try_from(left).unwrap_or(u32::MAX).max(1);
            scratch.push(Property::MessageExpiryInterval(left))?;
        }
        if let Naming::Introduced(alias) | Naming::Alias(alias) = naming {
            scratch.push(Property::TopicAlias(alias))?;
        }
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
                self.append_ack(version, PacketType::Puback, packet_id, ReasonCode::SUCCESS);
            }
            DueAck::Pubrec(packet_id) => self.send_or_hold(Held::Pubrec(packet_id)),
        }
    }

    /// Sends a packet for which the store was waited, or need not be. One of an older connection is nobody's.
    pub(super) fn send_held(&mut self, packet: Held) {
        let Link::Established { version, .. } = self.link else {
            return;
        };
        match packet {
            Held::Pubrec(id) => self.append_ack(version, PacketType::Pubrec, id, ReasonCode::SUCCESS),
            Held::Pubrel(id, reason) => self.append_ack(version, PacketType::Pubrel, id, reason),
            Held::Pubcomp(id, reason) => self.append_ack(version, PacketType::Pubcomp, id, reason),
        }
    }

    /// Frees an identifier whose exchange is over, and returns its operation.
    #[inline]
    pub(super) fn end_flight(&mut self, id: PacketId) -> Option<OpId> {
        if self.store.is_none() {
            return self.outbound.release(id);
        }
        let flight = self.outbound.take(id)?;
        let lifetime = flight.lifetime();
        if let (Some((publication, _)), Some(op)) = (&flight.message, flight.op) {
            self.forget_message(op, publication);
        }
        self.forget_flight(id, flight.awaited, lifetime);
        flight.op
    }

    #[inline]
    fn append_ack(
        &mut self,
        version: Version,
        packet_type: PacketType,
        packet_id: PacketId,
        reason: ReasonCode,
    ) {
        if reason == ReasonCode::SUCCESS || version == Version::V3_1_1 {
            self.tx.append_bytes(&Ack::success_packet(packet_type, packet_id));
        } else {
            let ack = Ack {
                reason,
                ..Ack::success(packet_id)
            };
            self.append_control(|out| ack.encode(packet_type, version, out));
        }
    }

    /// Appends a packet that this module made up itself and that therefore can be encoded.
    pub(super) fn append_control(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>) {
        let appended = self.tx.append(encode);
        debug_assert!(appended.is_ok(), "{appended:?}");
    }
}
