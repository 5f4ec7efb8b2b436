//! DISCONNECT and AUTH.

use super::primitive::Reader;
use super::property_id::IdSet;
use super::{DecodeErrorKind, EncodeError, PacketType, Properties, PropertyId, ReasonCode, Version};
use alloc::vec::Vec;

/// DISCONNECT (MQTT 5.0 §3.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Reason Code; normal disconnection (0x00) when absent from the wire and in 3.1.1.
    pub reason: ReasonCode,
    /// Properties.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    pub(super) fn read(mut reader: Reader<'a>, version: Version) -> Result<Self, DecodeErrorKind> {
        if reader.is_empty() {
            return Ok(Self {
                reason: ReasonCode::SUCCESS,
                properties: Properties::EMPTY,
            });
        }
        if version == Version::V3_1_1 {
            return Err(DecodeErrorKind::TrailingBytes);
        }
        let reason = ReasonCode::checked(reader.u8()?, PacketType::Disconnect)?;
        // "If the Remaining Length is less than 2, a value of 0 is used" (§3.14.2.2.1).
        let properties = if reader.is_empty() {
            Properties::EMPTY
        } else {
            Properties::read(&mut reader, IdSet::allowed_in(PacketType::Disconnect))?
        };
        reader.finish()?;
        Ok(Self { reason, properties })
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let properties_len = self.properties.encoded_len(PacketType::Disconnect, version)?;
        if self.reason == ReasonCode::SUCCESS && self.properties.is_empty() {
            return Ok(0);
        }
        if version == Version::V3_1_1 {
            return Err(EncodeError::Invalid(
                PacketType::Disconnect,
                "3.1.1 has no reason codes: close the connection instead",
            ));
        }
        if !self.reason.is_allowed_in(PacketType::Disconnect) {
            return Err(EncodeError::Invalid(
                PacketType::Disconnect,
                "the reason code does not belong in this packet",
            ));
        }
        Ok(if self.properties.is_empty() {
            1
        } else {
            1 + properties_len
        })
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        if self.reason != ReasonCode::SUCCESS || !self.properties.is_empty() {
            out.push(self.reason.0);
        }
        if !self.properties.is_empty() {
            self.properties.put(version, out);
        }
    }
}

/// AUTH (MQTT 5.0 §3.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Reason Code.
    pub reason: ReasonCode,
    /// Properties. The Authentication Method is required unless the packet is empty, which means success.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, DecodeErrorKind> {
        // Success without properties may be left out altogether (§3.15.2.1); no shorter form exists in between.
        if reader.is_empty() {
            return Ok(Self {
                reason: ReasonCode::SUCCESS,
                properties: Properties::EMPTY,
            });
        }
        let reason = ReasonCode::checked(reader.u8()?, PacketType::Auth)?;
        let properties = Properties::read(&mut reader, IdSet::allowed_in(PacketType::Auth))?;
        reader.finish()?;
        if !properties.contains(PropertyId::AuthenticationMethod) {
            return Err(DecodeErrorKind::AuthenticationMethodMissing);
        }
        Ok(Self { reason, properties })
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        if version == Version::V3_1_1 {
            return Err(EncodeError::Invalid(
                PacketType::Auth,
                "3.1.1 has no such packet: connect with 5.0",
            ));
        }
        if self.reason == ReasonCode::SUCCESS && self.properties.is_empty() {
            return Ok(0);
        }
        if !self.reason.is_allowed_in(PacketType::Auth) {
            return Err(EncodeError::Invalid(
                PacketType::Auth,
                "the reason code does not belong in this packet",
            ));
        }
        if !self.properties.contains(PropertyId::AuthenticationMethod) {
            return Err(EncodeError::Invalid(
                PacketType::Auth,
                "the authentication method is missing: add it",
            ));
        }
        Ok(1 + self.properties.encoded_len(PacketType::Auth, version)?)
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        if self.reason != ReasonCode::SUCCESS || !self.properties.is_empty() {
            out.push(self.reason.0);
            self.properties.put(version, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{hex, read, refusal, write};
    use crate::codec::{Packet, Property, PropertyBuf};

    const NORMAL: Packet<'_> = Packet::Disconnect(Disconnect {
        reason: ReasonCode::SUCCESS,
        properties: Properties::EMPTY,
    });

    #[test]
    fn normal_disconnect_is_empty_and_all_its_forms_mean_the_same() {
        assert_eq!(write(&NORMAL, Version::V5), Ok(hex("E0 00")));
        assert_eq!(write(&NORMAL, Version::V3_1_1), Ok(hex("E0 00")));
        for form in ["E0 00", "E0 01 00", "E0 02 00 00"] {
            assert_eq!(read(&hex(form), Version::V5), Ok(NORMAL));
        }
    }

    #[test]
    fn disconnect_of_3_1_1_has_no_body() {
        assert_eq!(
            refusal("E0 01 00", Version::V3_1_1),
            DecodeErrorKind::TrailingBytes
        );
        let reason = ReasonCode::DISCONNECT_WITH_WILL;
        let packet = Packet::Disconnect(Disconnect {
            reason,
            properties: Properties::EMPTY,
        });
        assert!(write(&packet, Version::V3_1_1).is_err());
        assert_eq!(write(&packet, Version::V5), Ok(hex("E0 01 04")));
    }

    #[test]
    fn disconnect_with_a_reason_code_of_another_packet_is_refused() {
        assert_eq!(
            refusal("E0 01 86", Version::V5),
            DecodeErrorKind::ReasonCodeNotAllowed(0x86)
        );
        let reason = ReasonCode::BAD_USER_NAME_OR_PASSWORD;
        let packet = Packet::Disconnect(Disconnect {
            reason,
            properties: Properties::EMPTY,
        });
        assert!(write(&packet, Version::V5).is_err());
    }

    #[test]
    fn empty_auth_means_success() {
        let success = Packet::Auth(Auth {
            reason: ReasonCode::SUCCESS,
            properties: Properties::EMPTY,
        });
        assert_eq!(read(&hex("F0 00"), Version::V5), Ok(success));
        assert_eq!(write(&success, Version::V5), Ok(hex("F0 00")));
    }

    #[test]
    fn auth_without_method_is_refused() {
        assert_eq!(
            refusal("F0 02 18 00", Version::V5),
            DecodeErrorKind::AuthenticationMethodMissing
        );
        assert_eq!(
            refusal("F0 06 18 04 16 0001 00", Version::V5),
            DecodeErrorKind::AuthenticationMethodMissing
        );
        let bare = Auth {
            reason: ReasonCode::CONTINUE_AUTHENTICATION,
            properties: Properties::EMPTY,
        };
        assert!(write(&Packet::Auth(bare), Version::V5).is_err());
    }

    #[test]
    fn auth_with_a_reason_but_no_property_length_is_truncated() {
        assert_eq!(refusal("F0 01 18", Version::V5), DecodeErrorKind::Truncated);
    }

    #[test]
    fn auth_of_3_1_1_cannot_be_written() {
        let mut properties = PropertyBuf::new();
        properties.push(Property::AuthenticationMethod("SCRAM")).unwrap();
        let auth = Auth {
            reason: ReasonCode::REAUTHENTICATE,
            properties: properties.as_properties(),
        };
        assert!(write(&Packet::Auth(auth), Version::V3_1_1).is_err());
        assert_eq!(
            write(&Packet::Auth(auth), Version::V5),
            Ok(hex("F0 0A 19 08 15 0005'SCRAM'"))
        );
        assert_eq!(
            refusal("F0 01 86", Version::V5),
            DecodeErrorKind::ReasonCodeNotAllowed(0x86)
        );
    }
}
