//! CONNACK.

use super::primitive::Reader;
use super::property::IdSet;
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
