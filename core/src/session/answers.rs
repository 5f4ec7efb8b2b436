//! What the server answers to this side's packets, and its PUBREL: each kind in one function.

use alloc::vec::Vec;

use super::Session;
use super::details::Details;
use super::op::{Completion, Reasons};
use super::outbound::Awaited;
use super::output::Output;
use super::receive::{Fault, Received, violation};
use super::store::Held;
use crate::codec::{
    Ack, FixedHeader, PacketId, PacketType, Properties, PropertyId, ReasonCode, ReasonCodes, Version,
};

impl Session {
    pub(super) fn receive_ack(&mut self, version: Version, header: FixedHeader) -> Result<Received, Fault> {
        let len = header.packet_len();
        let Ack {
            packet_id: id,
            reason,
            properties,
        } = Ack::decode(header, &self.rx.bytes()[..len], version)?;
        self.check_problem_information(&properties)?;
        let details = Details::from(properties);
        self.rx.skip(len);
        self.acknowledged(header.packet_type, id, reason, details)
    }

    /// Goes on with the exchange that an acknowledgement belongs to.
    #[inline(always)]
    pub(super) fn acknowledged(
        &mut self,
        packet_type: PacketType,
        id: PacketId,
        reason: ReasonCode,
        details: Details,
    ) -> Result<Received, Fault> {
        match packet_type {
            PacketType::Puback => self.receive_puback(id, reason, details),
            PacketType::Pubrec => self.receive_pubrec(id, reason, details),
            PacketType::Pubrel => {
                self.receive_pubrel(id);
                Ok(Received::Packet)
            }
            _ => self.receive_pubcomp(id, reason, details),
        }
    }

    /// A server that was asked for no problem information must not send any, in this kind of packet.
    #[inline]
    pub(super) fn check_problem_information(&self, properties: &Properties<'_>) -> Result<(), Fault> {
        let has_some =
            properties.contains(PropertyId::ReasonString) || properties.contains(PropertyId::UserProperty);
        if has_some && !self.config.request_problem_information {
            let rule = "problem information was sent where none was requested [MQTT-3.1.2-29]";
            return Err(violation(ReasonCode::PROTOCOL_ERROR, rule));
        }
        Ok(())
    }

    fn receive_pubrel(&mut self, id: PacketId) {
        let reason = if self.inbound.release(id) {
            self.forget_received(id);
            ReasonCode::SUCCESS
        } else {
            ReasonCode::PACKET_IDENTIFIER_NOT_FOUND
        };
        self.send_or_hold(Held::Pubcomp(id, reason));
    }

    #[inline]
    fn receive_puback(
        &mut self,
        id: PacketId,
        reason: ReasonCode,
        details: Details,
    ) -> Result<Received, Fault> {
        match self.outbound.flight(id).map(|flight| flight.awaited) {
            Some(Awaited::Puback) => Ok(self.released(id, Completion::Published { reason, details })),
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
        id: PacketId,
        reason: ReasonCode,
        details: Details,
    ) -> Result<Received, Fault> {
        let Some(flight) = self.outbound.flight(id) else {
            self.send_or_hold(Held::Pubrel(id, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND));
            return Ok(Received::Packet);
        };
        match flight.awaited {
            Awaited::Pubrec if reason.is_error() => {
                Ok(self.released(id, Completion::Published { reason, details }))
            }
            Awaited::Pubrec | Awaited::Pubcomp => {
                let op = flight.op;
                if let Some(publication) = flight.received(reason, details)
                    && let Some(op) = op
                {
                    self.store_pubrec(id, op, &publication);
                }
                self.send_or_hold(Held::Pubrel(id, ReasonCode::SUCCESS));
                Ok(Received::Packet)
            }
            _ => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "PUBREC for an identifier that awaits another packet",
            )),
        }
    }

    fn receive_pubcomp(
        &mut self,
        id: PacketId,
        reason: ReasonCode,
        details: Details,
    ) -> Result<Received, Fault> {
        match self.outbound.flight(id) {
            Some(flight) if flight.awaited == Awaited::Pubcomp => {
                let (reason, details) = flight.completed(reason, details);
                Ok(self.released(id, Completion::Published { reason, details }))
            }
            None => Ok(Received::Packet),
            Some(_) => Err(violation(
                ReasonCode::PROTOCOL_ERROR,
                "PUBCOMP for an identifier that awaits another packet",
            )),
        }
    }

    pub(super) fn receive_suback(&mut self, id: PacketId, reasons: Reasons) -> Result<Received, Fault> {
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

    pub(super) fn receive_unsuback(
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

    #[inline]
    fn released(&mut self, id: PacketId, completion: Completion) -> Received {
        match self.end_flight(id) {
            Some(op) => Received::Output(Output::Completed(op, completion)),
            None => Received::Packet,
        }
    }
}

/// Copies codes and properties out of the receive buffer.
pub(super) fn reasons(codes: &ReasonCodes<'_>, properties: Properties<'_>) -> Reasons {
    let codes: Vec<u8> = codes.iter().map(|code| code.0).collect();
    Reasons {
        codes: codes.into(),
        details: Details::from(properties),
    }
}
