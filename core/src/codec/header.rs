//! Fixed header and packet framing, and the small types that all packets share.

use super::primitive;
use super::{DecodeError, DecodeErrorKind, Publish};
use core::fmt;
use core::num::NonZeroU16;

/// Protocol version spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1.1 (protocol level 4).
    V3_1_1,
    /// MQTT 5.0 (protocol level 5).
    V5,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_1_1 => "3.1.1",
            Self::V5 => "5.0",
        })
    }
}

/// Quality of Service (MQTT 5.0 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum QoS {
    /// Delivered at most once.
    #[default]
    AtMostOnce = 0,
    /// Delivered at least once.
    AtLeastOnce = 1,
    /// Delivered exactly once.
    ExactlyOnce = 2,
}

impl QoS {
    /// The QoS of its number 0, 1 or 2.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// Packet Identifier (MQTT 5.0 §2.2.1): never zero.
pub type PacketId = NonZeroU16;

/// Control Packet type (MQTT 5.0 §2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum PacketType {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// The specification's name, in capitals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }

    #[inline]
    const fn from_nibble(nibble: u8) -> Option<Self> {
        Some(match nibble {
            1 => Self::Connect,
            2 => Self::Connack,
            3 => Self::Publish,
            4 => Self::Puback,
            5 => Self::Pubrec,
            6 => Self::Pubrel,
            7 => Self::Pubcomp,
            8 => Self::Subscribe,
            9 => Self::Suback,
            10 => Self::Unsubscribe,
            11 => Self::Unsuback,
            12 => Self::Pingreq,
            13 => Self::Pingresp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// Fixed-header flags of every packet of this type; those of PUBLISH vary (§2.1.3).
    #[inline]
    pub(super) const fn fixed_flags(self) -> u8 {
        match self {
            Self::Pubrel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            _ => 0,
        }
    }

    #[inline]
    pub(super) const fn first_byte(self, flags: u8) -> u8 {
        (self as u8) << 4 | flags
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// First bytes of a packet: type, flags and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedHeader {
    /// Control Packet type.
    pub packet_type: PacketType,
    /// The four flag bits.
    pub flags: u8,
    /// Length of the fixed header itself, 2 to 5 bytes.
    pub header_len: u8,
    /// Bytes that follow the fixed header.
    pub remaining_len: u32,
}

impl FixedHeader {
    /// Length of the whole packet in bytes.
    #[must_use]
    #[inline]
    pub const fn packet_len(&self) -> usize {
        self.header_len as usize + self.remaining_len as usize
    }
}

/// Reads the fixed header at the start of `bytes`; `None` while it is incomplete.
/// Checks type, flags, minimal length form and `max_packet_size` as soon as they are known, before the body arrives.
///
/// # Errors
/// [`DecodeError`] for a reserved type, reserved flags, a length not in minimal form, or a packet over the maximum.
#[inline(always)]
pub fn peek(
    bytes: &[u8],
    version: Version,
    max_packet_size: u32,
) -> Result<Option<FixedHeader>, DecodeError> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let packet_type = match PacketType::from_nibble(first >> 4) {
        Some(PacketType::Auth) if version == Version::V3_1_1 => None,
        known => known,
    };
    let Some(packet_type) = packet_type else {
        return Err(DecodeError {
            packet: None,
            kind: DecodeErrorKind::ReservedPacketType(first >> 4),
        });
    };
    let read = || -> Result<Option<FixedHeader>, DecodeErrorKind> {
        let flags = first & 0x0F;
        if packet_type == PacketType::Publish {
            Publish::check_flags(flags)?;
        } else if flags != packet_type.fixed_flags() {
            return Err(DecodeErrorKind::ReservedFlags(flags));
        }
        let Some((remaining_len, length_len)) = primitive::var_int(rest)? else {
            return Ok(None);
        };
        let header_len = 1 + length_len;
        let len = u32::from(header_len) + remaining_len;
        if len > max_packet_size {
            return Err(DecodeErrorKind::PacketTooLarge {
                len,
                limit: max_packet_size,
            });
        }
        Ok(Some(FixedHeader {
            packet_type,
            flags,
            header_len,
            remaining_len,
        }))
    };
    read().map_err(|kind| DecodeError::new(packet_type, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8], version: Version) -> DecodeErrorKind {
        peek(bytes, version, u32::MAX).expect_err("a refusal").kind
    }

    #[test]
    fn fixed_header_is_incomplete_until_its_last_length_byte() {
        assert_eq!(peek(&[], Version::V5, u32::MAX), Ok(None));
        assert_eq!(peek(&[0x30], Version::V5, u32::MAX), Ok(None));
        assert_eq!(peek(&[0x30, 0x80], Version::V5, u32::MAX), Ok(None));
        assert_eq!(
            peek(&[0x30, 0x80, 0x01], Version::V5, u32::MAX),
            Ok(Some(FixedHeader {
                packet_type: PacketType::Publish,
                flags: 0,
                header_len: 3,
                remaining_len: 128
            }))
        );
    }

    #[test]
    fn reserved_packet_types_are_refused_at_the_first_byte() {
        assert_eq!(
            refusal(&[0x00], Version::V5),
            DecodeErrorKind::ReservedPacketType(0)
        );
        assert_eq!(
            refusal(&[0xF0], Version::V3_1_1),
            DecodeErrorKind::ReservedPacketType(15)
        );
        assert_eq!(peek(&[0xF0], Version::V5, u32::MAX), Ok(None));
    }

    #[test]
    fn flags_other_than_the_prescribed_ones_are_refused_at_the_first_byte() {
        for first in 0x10..=0xFF_u8 {
            let flags = first & 0x0F;
            let expected = match first >> 4 {
                3 if flags & 0x06 == 0x06 => Err(DecodeErrorKind::PublishQosInvalid),
                3 if flags & 0x0E == 0x08 => Err(DecodeErrorKind::DupAtQos0),
                3 => Ok(None),
                6 | 8 | 10 if flags == 2 => Ok(None),
                1 | 2 | 4 | 5 | 7 | 9 | 11..=15 if flags == 0 => Ok(None),
                _ => Err(DecodeErrorKind::ReservedFlags(flags)),
            };
            assert_eq!(
                peek(&[first], Version::V5, u32::MAX).map_err(|error| error.kind),
                expected,
                "{first:#x}"
            );
        }
    }

    #[test]
    fn packet_over_the_maximum_size_is_refused_before_its_body_arrives() {
        let header = [0x30, 0x80, 0x01];
        assert!(peek(&header, Version::V5, 131).unwrap().is_some());
        let error = peek(&header, Version::V5, 130).unwrap_err();
        assert_eq!(
            error.kind,
            DecodeErrorKind::PacketTooLarge { len: 131, limit: 130 }
        );
        assert_eq!(error.reason_code(), crate::codec::ReasonCode::PACKET_TOO_LARGE);
    }

    #[test]
    fn remaining_length_must_take_its_shortest_form() {
        assert_eq!(
            refusal(&[0xC0, 0x80, 0x00], Version::V5),
            DecodeErrorKind::LengthNotMinimal
        );
        assert_eq!(
            refusal(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], Version::V5),
            DecodeErrorKind::LengthTooLong
        );
    }

    #[test]
    fn longest_packet_is_256_mebibytes_and_four_bytes() {
        let header = peek(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], Version::V5, u32::MAX)
            .unwrap()
            .unwrap();
        assert_eq!(header.packet_len(), 268_435_460);
    }
}
