//! PUBACK, PUBREC, PUBREL and PUBCOMP, which share one layout.

use super::primitive::Reader;
use super::property::IdSet;
use super::{
    DecodeError, DecodeErrorKind, EncodeError, FixedHeader, PacketId, PacketType, Properties, ReasonCode,
    Version,
};
use alloc::vec::Vec;

/// One of the four acknowledgements of a PUBLISH (MQTT 5.0 §3.4–3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Packet Identifier of the PUBLISH.
    pub packet_id: PacketId,
    /// Reason Code; always success in 3.1.1.
    pub reason: ReasonCode,
    /// Properties.
    pub properties: Properties<'a>,
}

impl<'a> Ack<'a> {
    /// Decodes an acknowledgement without the union; `header` says which of the four it is.
    ///
    /// # Errors
    /// [`DecodeError`] naming the packet and the rule it breaks.
    #[inline]
    pub fn decode(header: FixedHeader, frame: &'a [u8], version: Version) -> Result<Self, DecodeError> {
        let read = |frame| -> Result<Self, DecodeErrorKind> {
            let mut reader = Reader::body(header, frame)?;
            let packet_id = reader.packet_id()?;
            if reader.is_empty() {
                return Ok(Self::success(packet_id));
            }
            if version == Version::V3_1_1 {
                return Err(DecodeErrorKind::TrailingBytes);
            }
            Self::read_result(packet_id, header.packet_type, reader)
        };
        read(frame).map_err(|kind| DecodeError::new(header.packet_type, kind))
    }

    /// The acknowledgement that says no more than that all went well.
    #[must_use]
    #[inline]
    pub const fn success(packet_id: PacketId) -> Self {
        Self {
            packet_id,
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        }
    }

    fn read_result(
        packet_id: PacketId,
        packet_type: PacketType,
        mut reader: Reader<'a>,
    ) -> Result<Self, DecodeErrorKind> {
        let reason = ReasonCode::checked(reader.u8()?, packet_type)?;
        // "If the Remaining Length is less than 4 there is no Property Length" (§3.4.2.2.1).
        let properties = if reader.is_empty() {
            Properties::EMPTY
        } else {
            Properties::read(&mut reader, IdSet::allowed_in(packet_type))?
        };
        reader.finish()?;
        Ok(Self {
            packet_id,
            reason,
            properties,
        })
    }

    #[inline]
    pub(super) fn body_len(&self, packet_type: PacketType, version: Version) -> Result<usize, EncodeError> {
        if self.reason == ReasonCode::SUCCESS && self.properties.is_empty() {
            return Ok(2);
        }
        if version == Version::V3_1_1 && self.reason != ReasonCode::SUCCESS {
            return Err(EncodeError::Invalid(
                packet_type,
                "3.1.1 has no reason codes: acknowledge with success",
            ));
        }
        if !self.reason.is_allowed_in(packet_type) {
            return Err(EncodeError::Invalid(
                packet_type,
                "the reason code does not belong in this packet",
            ));
        }
        let properties_len = self.properties.encoded_len(packet_type, version)?;
        Ok(if self.properties.is_empty() {
            3
        } else {
            3 + properties_len
        })
    }

    #[inline]
    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.packet_id.get().to_be_bytes());
        if self.reason != ReasonCode::SUCCESS || !self.properties.is_empty() {
            out.push(self.reason.0);
        }
        if !self.properties.is_empty() {
            self.properties.put(version, out);
        }
    }
}
