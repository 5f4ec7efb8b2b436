//! CONNACK: the server's answer to CONNECT.

use super::primitive::Reader;
use super::property_id::IdSet;
use super::{DecodeErrorKind, EncodeError, PacketType, Properties, ReasonCode, Version};
use alloc::vec::Vec;

/// CONNACK (MQTT 5.0 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connack<'a> {
    /// The server kept the Session.
    pub session_present: bool,
    /// Reason Code (3.1.1 return codes translated).
    pub reason: ReasonCode,
    /// Properties.
    pub properties: Properties<'a>,
}

impl<'a> Connack<'a> {
    pub(super) fn read(mut reader: Reader<'a>, version: Version) -> Result<Self, DecodeErrorKind> {
        let session_present = match reader.u8()? {
            0 => false,
            1 => true,
            flags => return Err(DecodeErrorKind::ReservedConnackFlags(flags)),
        };
        let code = reader.u8()?;
        let (reason, properties) = match version {
            Version::V3_1_1 => (ReasonCode::from_return_code(code)?, Properties::EMPTY),
            Version::V5 => (
                ReasonCode::checked(code, PacketType::Connack)?,
                Properties::read(&mut reader, IdSet::allowed_in(PacketType::Connack))?,
            ),
        };
        reader.finish()?;
        if session_present && reason != ReasonCode::SUCCESS {
            return Err(DecodeErrorKind::SessionPresentWithError);
        }
        Ok(Self {
            session_present,
            reason,
            properties,
        })
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if self.session_present && self.reason != ReasonCode::SUCCESS {
            return Err(EncodeError::Invalid(
                PacketType::Connack,
                "session present goes with success alone",
            ));
        }
        if self.code(version).is_none() {
            return Err(EncodeError::Invalid(
                PacketType::Connack,
                "the reason code does not belong in this packet (3.1.1 knows five refusals)",
            ));
        }
        Ok(2 + self.properties.encoded_len(PacketType::Connack, version)?)
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        out.push(u8::from(self.session_present));
        out.push(self.code(version).unwrap_or(self.reason.0));
        self.properties.put(version, out);
    }

    /// The code on the wire.
    fn code(&self, version: Version) -> Option<u8> {
        match version {
            Version::V3_1_1 => self.reason.to_return_code(),
            Version::V5 => self
                .reason
                .is_allowed_in(PacketType::Connack)
                .then_some(self.reason.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{hex, read, refusal, write};
    use crate::codec::{Packet, Property, PropertyId};

    #[test]
    fn return_codes_of_3_1_1_become_reason_codes_and_back() {
        for (code, reason) in [(0, 0x00), (1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87)] {
            let bytes = [0x20, 2, 0, code];
            let packet = Packet::Connack(Connack {
                session_present: false,
                reason: ReasonCode(reason),
                properties: Properties::EMPTY,
            });
            assert_eq!(read(&bytes, Version::V3_1_1), Ok(packet));
            assert_eq!(write(&packet, Version::V3_1_1), Ok(bytes.to_vec()));
        }
        assert_eq!(
            refusal("20 02 00 06", Version::V3_1_1),
            DecodeErrorKind::ReasonCodeNotAllowed(6)
        );
        let busy = Connack {
            session_present: false,
            reason: ReasonCode::SERVER_BUSY,
            properties: Properties::EMPTY,
        };
        assert!(write(&Packet::Connack(busy), Version::V3_1_1).is_err());
    }

    #[test]
    fn session_present_with_an_error_is_refused() {
        assert_eq!(
            refusal("20 03 01 87 00", Version::V5),
            DecodeErrorKind::SessionPresentWithError
        );
        assert_eq!(
            refusal("20 02 01 05", Version::V3_1_1),
            DecodeErrorKind::SessionPresentWithError
        );
        let packet = Connack {
            session_present: true,
            reason: ReasonCode::BANNED,
            properties: Properties::EMPTY,
        };
        assert!(write(&Packet::Connack(packet), Version::V5).is_err());
    }

    #[test]
    fn reserved_acknowledge_flags_are_refused() {
        assert_eq!(
            refusal("20 03 02 00 00", Version::V5),
            DecodeErrorKind::ReservedConnackFlags(2)
        );
        assert_eq!(
            refusal("20 02 80 00", Version::V3_1_1),
            DecodeErrorKind::ReservedConnackFlags(0x80)
        );
    }

    #[test]
    fn reason_code_of_another_packet_is_refused() {
        assert_eq!(
            refusal("20 03 00 8E 00", Version::V5),
            DecodeErrorKind::ReasonCodeNotAllowed(0x8E)
        );
    }

    #[test]
    fn connack_of_5_0_needs_its_property_length() {
        assert_eq!(refusal("20 02 00 00", Version::V5), DecodeErrorKind::Truncated);
        assert_eq!(
            refusal("20 03 00 00 00", Version::V3_1_1),
            DecodeErrorKind::TrailingBytes
        );
        assert_eq!(
            refusal("20 04 00 00 00 00", Version::V5),
            DecodeErrorKind::TrailingBytes
        );
    }

    #[test]
    fn limits_of_the_server_are_read_from_its_properties() {
        let bytes = hex("20 0E 00 00 0B 21 0014 13 003C 27 00010000");
        let Ok(Packet::Connack(connack)) = read(&bytes, Version::V5) else {
            panic!("a CONNACK")
        };
        let found: Vec<_> = connack.properties.iter().collect();
        assert_eq!(
            found,
            [
                Property::ReceiveMaximum(20),
                Property::ServerKeepAlive(60),
                Property::MaximumPacketSize(65_536)
            ]
        );
        assert_eq!(
            connack.properties.find(PropertyId::ServerKeepAlive),
            Some(Property::ServerKeepAlive(60))
        );
        assert_eq!(connack.properties.find(PropertyId::MaximumQos), None);
    }
}
