//! SUBACK and UNSUBACK.

use super::primitive::Reader;
use super::subscribe::{put_head, read_head};
use super::{DecodeErrorKind, EncodeError, PacketId, PacketType, Properties, ReasonCode, Version};
use alloc::vec::Vec;

/// SUBACK (MQTT 5.0 §3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suback<'a> {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// Properties.
    pub properties: Properties<'a>,
    /// One Reason Code a filter.
    pub reasons: ReasonCodes<'a>,
}

/// UNSUBACK (MQTT 5.0 §3.11). No reasons in 3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// Properties.
    pub properties: Properties<'a>,
    /// One Reason Code a filter; empty in 3.1.1.
    pub reasons: ReasonCodes<'a>,
}

/// Reason codes of a SUBACK or UNSUBACK, validated when decoded and again when encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonCodes<'a>(&'a [u8]);

impl<'a> ReasonCodes<'a> {
    /// No reason codes: the UNSUBACK of 3.1.1.
    pub const EMPTY: Self = Self(&[]);

    /// Reason codes as they are on the wire, one byte each. Encoding checks that the packet may carry them.
    #[must_use]
    pub const fn new(codes: &'a [u8]) -> Self {
        Self(codes)
    }

    /// In filter order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ReasonCode> + use<'a> {
        self.0.iter().map(|code| ReasonCode(*code))
    }
}

impl<'a> Suback<'a> {
    pub(super) fn read(mut reader: Reader<'a>, version: Version) -> Result<Self, DecodeErrorKind> {
        let (packet_id, properties) = read_head(&mut reader, PacketType::Suback, version)?;
        let reasons = ReasonCodes(reader.rest());
        if reasons.0.is_empty() {
            return Err(DecodeErrorKind::NoReasonCodes);
        }
        match reasons.iter().find(|code| !code.is_suback_code(version)) {
            Some(code) => Err(DecodeErrorKind::ReasonCodeNotAllowed(code.0)),
            None => Ok(Self {
                packet_id,
                properties,
                reasons,
            }),
        }
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let codes = self.reasons.0;
        if codes.is_empty() || !self.reasons.iter().all(|code| code.is_suback_code(version)) {
            return Err(EncodeError::Invalid(
                PacketType::Suback,
                "the reason codes must be one for each topic filter, of those that this packet knows",
            ));
        }
        Ok(2 + self.properties.encoded_len(PacketType::Suback, version)? + codes.len())
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        put_head(self.packet_id, self.properties, version, out);
        out.extend_from_slice(self.reasons.0);
    }
}

impl<'a> Unsuback<'a> {
    pub(super) fn read(mut reader: Reader<'a>, version: Version) -> Result<Self, DecodeErrorKind> {
        let (packet_id, properties) = read_head(&mut reader, PacketType::Unsuback, version)?;
        if version == Version::V3_1_1 {
            reader.finish()?;
            return Ok(Self {
                packet_id,
                properties,
                reasons: ReasonCodes::EMPTY,
            });
        }
        let reasons = ReasonCodes(reader.rest());
        if reasons.0.is_empty() {
            return Err(DecodeErrorKind::NoReasonCodes);
        }
        match reasons
            .iter()
            .find(|code| !code.is_allowed_in(PacketType::Unsuback))
        {
            Some(code) => Err(DecodeErrorKind::ReasonCodeNotAllowed(code.0)),
            None => Ok(Self {
                packet_id,
                properties,
                reasons,
            }),
        }
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let codes = self.reasons.0;
        let fits = match version {
            Version::V3_1_1 => codes.is_empty(),
            Version::V5 => {
                !codes.is_empty()
                    && self
                        .reasons
                        .iter()
                        .all(|code| code.is_allowed_in(PacketType::Unsuback))
            }
        };
        if !fits {
            return Err(EncodeError::Invalid(
                PacketType::Unsuback,
                "the reason codes must be one for each topic filter, of those that this packet knows, and none in \
                 3.1.1",
            ));
        }
        Ok(2 + self.properties.encoded_len(PacketType::Unsuback, version)? + codes.len())
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        put_head(self.packet_id, self.properties, version, out);
        out.extend_from_slice(self.reasons.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Packet;
    use crate::codec::testing::{hex, read, refusal, write};

    #[test]
    fn suback_yields_one_reason_for_each_filter() {
        let bytes = hex("90 06 0001 00 00 02 9E");
        let Ok(Packet::Suback(suback)) = read(&bytes, Version::V5) else {
            panic!("a SUBACK")
        };
        let reasons: Vec<_> = suback.reasons.iter().collect();
        assert_eq!(
            reasons,
            [
                ReasonCode::SUCCESS,
                ReasonCode::GRANTED_QOS_2,
                ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
            ]
        );
    }

    #[test]
    fn suback_codes_are_those_of_its_version() {
        assert_eq!(
            refusal("90 04 0001 00 03", Version::V5),
            DecodeErrorKind::ReasonCodeNotAllowed(3)
        );
        assert_eq!(
            refusal("90 03 0001 87", Version::V3_1_1),
            DecodeErrorKind::ReasonCodeNotAllowed(0x87)
        );
        let packet = |codes| {
            let reasons = ReasonCodes::new(codes);
            Packet::Suback(Suback {
                packet_id: PacketId::MIN,
                properties: Properties::EMPTY,
                reasons,
            })
        };
        assert!(write(&packet(&[0x87]), Version::V5).is_ok());
        assert!(write(&packet(&[0x87]), Version::V3_1_1).is_err());
        assert!(write(&packet(&[]), Version::V5).is_err());
    }

    #[test]
    fn acknowledgement_without_reason_codes_is_refused() {
        assert_eq!(
            refusal("90 03 0001 00", Version::V5),
            DecodeErrorKind::NoReasonCodes
        );
        assert_eq!(
            refusal("90 02 0001", Version::V3_1_1),
            DecodeErrorKind::NoReasonCodes
        );
        assert_eq!(
            refusal("B0 03 0001 00", Version::V5),
            DecodeErrorKind::NoReasonCodes
        );
    }

    #[test]
    fn unsuback_of_3_1_1_has_no_reason_codes() {
        assert_eq!(
            refusal("B0 03 0001 00", Version::V3_1_1),
            DecodeErrorKind::TrailingBytes
        );
        let packet = |codes| {
            let reasons = ReasonCodes::new(codes);
            Packet::Unsuback(Unsuback {
                packet_id: PacketId::MIN,
                properties: Properties::EMPTY,
                reasons,
            })
        };
        assert_eq!(write(&packet(&[]), Version::V3_1_1), Ok(hex("B0 02 0001")));
        assert!(write(&packet(&[0]), Version::V3_1_1).is_err());
        assert!(write(&packet(&[]), Version::V5).is_err());
        assert!(write(&packet(&[0x02]), Version::V5).is_err());
        assert_eq!(
            refusal("B0 04 0001 00 01", Version::V5),
            DecodeErrorKind::ReasonCodeNotAllowed(1)
        );
    }

    #[test]
    fn packet_identifier_zero_is_refused() {
        assert_eq!(
            refusal("90 04 0000 00 00", Version::V5),
            DecodeErrorKind::PacketIdZero
        );
        assert_eq!(
            refusal("B0 02 0000", Version::V3_1_1),
            DecodeErrorKind::PacketIdZero
        );
        assert_eq!(
            refusal("82 07 0000 00 0001'a' 00", Version::V5),
            DecodeErrorKind::PacketIdZero
        );
        assert_eq!(
            refusal("A2 06 0000 00 0001'a'", Version::V5),
            DecodeErrorKind::PacketIdZero
        );
    }
}
