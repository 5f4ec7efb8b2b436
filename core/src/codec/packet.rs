//! Fixed header, packet framing and the union of all Control Packets.

use super::primitive::{self, Reader};
use super::{
    Ack, Auth, Connack, Connect, DecodeError, DecodeErrorKind, Disconnect, EncodeError, Publish, Suback,
    Subscribe, Unsuback, Unsubscribe,
};
use alloc::vec::Vec;
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
    const fn fixed_flags(self) -> u8 {
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
#[inline]
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

/// Decodes `frame`, which must be exactly one packet: the `packet_len()` bytes that `header` describes.
/// A CONNECT is read by the version it names itself.
///
/// # Errors
/// [`DecodeError`] naming the packet and the rule it breaks.
pub fn decode<'a>(header: FixedHeader, frame: &'a [u8], version: Version) -> Result<Packet<'a>, DecodeError> {
    let packet_type = header.packet_type;
    let read = |frame| -> Result<Packet<'a>, DecodeErrorKind> {
        let reader = Reader::body(header, frame)?;
        Ok(match packet_type {
            PacketType::Connect => Packet::Connect(Connect::read(reader)?),
            PacketType::Connack => Packet::Connack(Connack::read(reader, version)?),
            PacketType::Subscribe => Packet::Subscribe(Subscribe::read(reader, version)?),
            PacketType::Suback => Packet::Suback(Suback::read(reader, version)?),
            PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::read(reader, version)?),
            PacketType::Unsuback => Packet::Unsuback(Unsuback::read(reader, version)?),
            PacketType::Disconnect => Packet::Disconnect(Disconnect::read(reader, version)?),
            PacketType::Auth => Packet::Auth(Auth::read(reader)?),
            PacketType::Pingresp => reader.finish().map(|()| Packet::Pingresp)?,
            _ => reader.finish().map(|()| Packet::Pingreq)?,
        })
    };
    match packet_type {
        PacketType::Publish => Publish::decode(header, frame, version).map(Packet::Publish),
        PacketType::Puback => Ack::decode(header, frame, version).map(Packet::Puback),
        PacketType::Pubrec => Ack::decode(header, frame, version).map(Packet::Pubrec),
        PacketType::Pubrel => Ack::decode(header, frame, version).map(Packet::Pubrel),
        PacketType::Pubcomp => Ack::decode(header, frame, version).map(Packet::Pubcomp),
        _ => read(frame).map_err(|kind| DecodeError::new(packet_type, kind)),
    }
}

/// A decoded Control Packet that borrows from the receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    Connack(Connack<'a>),
    Publish(Publish<'a>),
    Puback(Ack<'a>),
    Pubrec(Ack<'a>),
    Pubrel(Ack<'a>),
    Pubcomp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    Suback(Suback<'a>),
    Unsubscribe(Unsubscribe<'a>),
    Unsuback(Unsuback<'a>),
    Pingreq,
    Pingresp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl Packet<'_> {
    /// Which packet it is.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::Connack(_) => PacketType::Connack,
            Self::Publish(_) => PacketType::Publish,
            Self::Puback(_) => PacketType::Puback,
            Self::Pubrec(_) => PacketType::Pubrec,
            Self::Pubrel(_) => PacketType::Pubrel,
            Self::Pubcomp(_) => PacketType::Pubcomp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Suback(_) => PacketType::Suback,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::Unsuback(_) => PacketType::Unsuback,
            Self::Pingreq => PacketType::Pingreq,
            Self::Pingresp => PacketType::Pingresp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// Appends the packet to `out`; on error `out` is unchanged. A CONNECT is written by its own version.
    ///
    /// # Errors
    /// [`EncodeError`] naming the field that is wrong; nothing has been written then.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let remaining_len = primitive::remaining_len(self.body_len(version)?)?;
        let packet_type = self.packet_type();
        let flags = match self {
            Self::Publish(publish) => publish.flags(),
            _ => packet_type.fixed_flags(),
        };
        primitive::put_header(
            out,
            packet_type.first_byte(flags),
            remaining_len,
            remaining_len as usize,
        );
        self.put_body(version, out);
        Ok(())
    }

    /// Bytes that `encode` would append.
    ///
    /// # Errors
    /// [`EncodeError`], as `encode` would return it.
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        let remaining_len = primitive::remaining_len(self.body_len(version)?)?;
        Ok(1 + primitive::var_int_len(remaining_len) + remaining_len as usize)
    }

    #[inline]
    fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        match self {
            Self::Connect(packet) => packet.body_len(),
            Self::Connack(packet) => packet.body_len(version),
            Self::Publish(packet) => Ok(packet.head_len(version)?.saturating_add(packet.payload.len())),
            Self::Puback(ack) => ack.body_len(PacketType::Puback, version),
            Self::Pubrec(ack) => ack.body_len(PacketType::Pubrec, version),
            Self::Pubrel(ack) => ack.body_len(PacketType::Pubrel, version),
            Self::Pubcomp(ack) => ack.body_len(PacketType::Pubcomp, version),
            Self::Subscribe(packet) => packet.body_len(version),
            Self::Suback(packet) => packet.body_len(version),
            Self::Unsubscribe(packet) => packet.body_len(version),
            Self::Unsuback(packet) => packet.body_len(version),
            Self::Pingreq | Self::Pingresp => Ok(0),
            Self::Disconnect(packet) => packet.body_len(version),
            Self::Auth(packet) => packet.body_len(version),
        }
    }

    #[inline]
    fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        match self {
            Self::Connect(packet) => packet.put_body(out),
            Self::Connack(packet) => packet.put_body(version, out),
            Self::Publish(packet) => {
                packet.put_head(version, out);
                out.extend_from_slice(packet.payload);
            }
            Self::Puback(ack) | Self::Pubrec(ack) | Self::Pubrel(ack) | Self::Pubcomp(ack) => {
                ack.put_body(version, out);
            }
            Self::Subscribe(packet) => packet.put_body(version, out),
            Self::Suback(packet) => packet.put_body(version, out),
            Self::Unsubscribe(packet) => packet.put_body(version, out),
            Self::Unsuback(packet) => packet.put_body(version, out),
            Self::Pingreq | Self::Pingresp => {}
            Self::Disconnect(packet) => packet.put_body(version, out),
            Self::Auth(packet) => packet.put_body(version, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Properties, Property, PropertyBuf, ReasonCode};

    fn read(bytes: &[u8], version: Version) -> Result<Packet<'_>, DecodeError> {
        let header = peek(bytes, version, u32::MAX)?.expect("a complete fixed header");
        decode(header, bytes, version)
    }

    #[test]
    fn publish_with_properties_survives_a_round_trip() {
        let mut properties = PropertyBuf::new();
        properties
            .push(Property::ResponseTopic("services/a/tres"))
            .unwrap();
        properties.push(Property::CorrelationData(b"\x00\x01")).unwrap();
        properties.push(Property::UserProperty("k", "v")).unwrap();
        properties.push(Property::UserProperty("k", "v")).unwrap();
        let publish = Publish {
            dup: true,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: "services/a/treq",
            packet_id: PacketId::new(7),
            properties: properties.as_properties(),
            payload: b"payload",
        };
        let mut bytes = Vec::new();
        Packet::Publish(publish).encode(Version::V5, &mut bytes).unwrap();
        assert_eq!(
            bytes.len(),
            Packet::Publish(publish).encoded_len(Version::V5).unwrap()
        );
        assert_eq!(read(&bytes, Version::V5), Ok(Packet::Publish(publish)));
        assert_eq!(publish.properties.iter().count(), 4);
    }

    #[test]
    fn acknowledgement_of_success_takes_the_shortest_form() {
        let ack = Ack::success(PacketId::MIN);
        let mut bytes = Vec::new();
        Packet::Pubrel(ack).encode(Version::V5, &mut bytes).unwrap();
        assert_eq!(bytes, [0x62, 2, 0, 1]);
        bytes.clear();
        let refused = Ack {
            reason: ReasonCode::NOT_AUTHORIZED,
            properties: Properties::EMPTY,
            ..ack
        };
        Packet::Puback(refused).encode(Version::V5, &mut bytes).unwrap();
        assert_eq!(bytes, [0x40, 3, 0, 1, 0x87]);
        assert_eq!(read(&bytes, Version::V5), Ok(Packet::Puback(refused)));
    }
}
