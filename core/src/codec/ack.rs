//! PUBACK, PUBREC, PUBREL and PUBCOMP, which share one layout.

use super::primitive::{self, Reader};
use super::property_id::IdSet;
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

    /// Length of [`Self::success_packet`].
    pub(crate) const SUCCESS_LEN: usize = 4;

    /// The whole packet of [`Self::success`]: these four bytes, in either version. `packet_type` is one of the four.
    #[must_use]
    #[inline]
    pub const fn success_packet(packet_type: PacketType, packet_id: PacketId) -> [u8; 4] {
        let [high, low] = packet_id.get().to_be_bytes();
        [packet_type.first_byte(packet_type.fixed_flags()), 2, high, low]
    }

    /// Which acknowledgement [`Self::success_packet`] has written at the start of `bytes`; `None` for any other packet.
    ///
    /// Nearly every acknowledgement is one of these, and needs no further reading.
    #[inline]
    pub(crate) const fn read_success(bytes: &[u8]) -> Option<(PacketType, PacketId)> {
        let [first, 2, high, low, ..] = bytes else {
            return None;
        };
        let packet_type = match *first {
            0x40 => PacketType::Puback,
            0x50 => PacketType::Pubrec,
            0x62 => PacketType::Pubrel,
            0x70 => PacketType::Pubcomp,
            _ => return None,
        };
        match PacketId::new(u16::from_be_bytes([*high, *low])) {
            Some(packet_id) => Some((packet_type, packet_id)),
            None => None,
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

    /// Appends the acknowledgement that `packet_type` says; on error `out` is unchanged.
    #[inline]
    pub(crate) fn encode(
        &self,
        packet_type: PacketType,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if self.is_shortest() {
            out.extend_from_slice(&Self::success_packet(packet_type, self.packet_id));
            return Ok(());
        }
        self.encode_result(packet_type, version, out)
    }

    pub(super) fn body_len(&self, packet_type: PacketType, version: Version) -> Result<usize, EncodeError> {
        if self.is_shortest() {
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

    fn encode_result(
        &self,
        packet_type: PacketType,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let remaining_len = primitive::remaining_len(self.body_len(packet_type, version)?)?;
        let first_byte = packet_type.first_byte(packet_type.fixed_flags());
        primitive::put_header(out, first_byte, remaining_len, remaining_len as usize);
        out.extend_from_slice(&self.packet_id.get().to_be_bytes());
        out.push(self.reason.0);
        if !self.properties.is_empty() {
            self.properties.put(version, out);
        }
        Ok(())
    }

    #[inline]
    fn is_shortest(&self) -> bool {
        self.reason == ReasonCode::SUCCESS && self.properties.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{hex, read, refusal, write};
    use crate::codec::{Packet, Property, PropertyBuf};

    #[test]
    fn acknowledgement_of_success_takes_the_two_byte_form() {
        let ack = Ack::success(PacketId::MIN);
        for packet_type in [
            PacketType::Puback,
            PacketType::Pubrec,
            PacketType::Pubrel,
            PacketType::Pubcomp,
        ] {
            let bytes = Ack::success_packet(packet_type, PacketId::MAX);
            let packet = read(&bytes, Version::V5).unwrap();
            assert_eq!(packet.packet_type(), packet_type);
            assert_eq!(Ack::read_success(&bytes), Some((packet_type, PacketId::MAX)));
            assert_eq!(write(&packet, Version::V3_1_1).unwrap(), bytes);
        }
        for version in [Version::V3_1_1, Version::V5] {
            assert_eq!(write(&Packet::Puback(ack), version), Ok(hex("40 02 0001")));
            assert_eq!(write(&Packet::Pubrec(ack), version), Ok(hex("50 02 0001")));
            assert_eq!(write(&Packet::Pubrel(ack), version), Ok(hex("62 02 0001")));
            assert_eq!(write(&Packet::Pubcomp(ack), version), Ok(hex("70 02 0001")));
        }
    }

    #[test]
    fn packet_that_is_no_short_acknowledgement_is_not_taken_for_one() {
        for bytes in [
            "40 02 00",
            "40 02 0000",
            "41 02 0001",
            "60 02 0001",
            "40 03 0001 00",
            "D0 00 0001",
            "80 02 0001",
            "",
        ] {
            assert_eq!(Ack::read_success(&hex(bytes)), None, "{bytes}");
        }
    }

    #[test]
    fn longer_forms_of_success_mean_the_same() {
        let success = Packet::Puback(Ack::success(PacketId::MIN));
        assert_eq!(read(&hex("40 03 0001 00"), Version::V5), Ok(success));
        assert_eq!(read(&hex("40 04 0001 00 00"), Version::V5), Ok(success));
    }

    #[test]
    fn reason_without_properties_takes_the_three_byte_form() {
        let refused = Ack {
            reason: ReasonCode::QUOTA_EXCEEDED,
            ..Ack::success(PacketId::MAX)
        };
        assert_eq!(
            write(&Packet::Pubrec(refused), Version::V5),
            Ok(hex("50 03 FFFF 97"))
        );
        assert_eq!(
            read(&hex("50 03 FFFF 97"), Version::V5),
            Ok(Packet::Pubrec(refused))
        );
    }

    #[test]
    fn success_with_properties_states_both() {
        let mut properties = PropertyBuf::new();
        properties.push(Property::ReasonString("ok")).unwrap();
        let ack = Ack {
            properties: properties.as_properties(),
            ..Ack::success(PacketId::MIN)
        };
        assert_eq!(
            write(&Packet::Pubcomp(ack), Version::V5),
            Ok(hex("70 09 0001 00 05 1F 0002'ok'"))
        );
    }

    #[test]
    fn packet_identifier_zero_is_refused() {
        assert_eq!(refusal("40 02 0000", Version::V5), DecodeErrorKind::PacketIdZero);
        assert_eq!(
            refusal("62 02 0000", Version::V3_1_1),
            DecodeErrorKind::PacketIdZero
        );
    }

    #[test]
    fn acknowledgement_of_3_1_1_is_two_bytes_long() {
        assert_eq!(
            refusal("40 03 0001 00", Version::V3_1_1),
            DecodeErrorKind::TrailingBytes
        );
        assert_eq!(refusal("40 01 00", Version::V3_1_1), DecodeErrorKind::Truncated);
    }

    #[test]
    fn reason_code_of_another_packet_is_refused() {
        // Packet identifier not found belongs to PUBREL and PUBCOMP, no matching subscribers to PUBACK and PUBREC.
        assert_eq!(
            refusal("40 03 0001 92", Version::V5),
            DecodeErrorKind::ReasonCodeNotAllowed(0x92)
        );
        assert_eq!(
            refusal("62 03 0001 10", Version::V5),
            DecodeErrorKind::ReasonCodeNotAllowed(0x10)
        );
        let ack = Ack {
            reason: ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
            ..Ack::success(PacketId::MIN)
        };
        assert!(write(&Packet::Pubrec(ack), Version::V5).is_err());
        assert!(write(&Packet::Pubcomp(ack), Version::V5).is_ok());
    }

    #[test]
    fn acknowledgement_with_a_reason_cannot_be_written_in_3_1_1() {
        let refused = Ack {
            reason: ReasonCode::NOT_AUTHORIZED,
            ..Ack::success(PacketId::MIN)
        };
        assert!(matches!(
            write(&Packet::Puback(refused), Version::V3_1_1),
            Err(EncodeError::Invalid(PacketType::Puback, _))
        ));
    }

    #[test]
    fn bytes_behind_the_properties_are_refused() {
        assert_eq!(
            refusal("40 05 0001 00 00 00", Version::V5),
            DecodeErrorKind::TrailingBytes
        );
        assert_eq!(
            refusal("40 04 0001 00 01", Version::V5),
            DecodeErrorKind::Truncated
        );
    }
}
