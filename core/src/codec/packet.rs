//! The union of all Control Packets, read and written.

use super::primitive::{self, Reader};
use super::{
    Ack, Auth, Connack, Connect, DecodeError, DecodeErrorKind, Disconnect, EncodeError, FixedHeader,
    PacketType, Publish, Suback, Subscribe, Unsuback, Unsubscribe, Version,
};
use alloc::vec::Vec;

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
        match self {
            Self::Publish(packet) => {
                packet.encode_head(packet.payload.len(), version, out)?;
                out.extend_from_slice(packet.payload);
                Ok(())
            }
            Self::Puback(ack) => ack.encode(PacketType::Puback, version, out),
            Self::Pubrec(ack) => ack.encode(PacketType::Pubrec, version, out),
            Self::Pubrel(ack) => ack.encode(PacketType::Pubrel, version, out),
            Self::Pubcomp(ack) => ack.encode(PacketType::Pubcomp, version, out),
            Self::Connect(packet) => self.put(packet.body_len()?, out, |out| packet.put_body(out)),
            Self::Connack(packet) => self.put(packet.body_len(version)?, out, |out| {
                packet.put_body(version, out);
            }),
            Self::Subscribe(packet) => self.put(packet.body_len(version)?, out, |out| {
                packet.put_body(version, out);
            }),
            Self::Suback(packet) => self.put(packet.body_len(version)?, out, |out| {
                packet.put_body(version, out);
            }),
            Self::Unsubscribe(packet) => self.put(packet.body_len(version)?, out, |out| {
                packet.put_body(version, out);
            }),
            Self::Unsuback(packet) => self.put(packet.body_len(version)?, out, |out| {
                packet.put_body(version, out);
            }),
            Self::Pingreq | Self::Pingresp => self.put(0, out, |_| {}),
            Self::Disconnect(packet) => self.put(packet.body_len(version)?, out, |out| {
                packet.put_body(version, out);
            }),
            Self::Auth(packet) => self.put(packet.body_len(version)?, out, |out| {
                packet.put_body(version, out);
            }),
        }
    }

    /// Appends the fixed header before a body of `len` bytes, and then the body.
    fn put(
        &self,
        len: usize,
        out: &mut Vec<u8>,
        put_body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), EncodeError> {
        let remaining_len = primitive::remaining_len(len)?;
        let packet_type = self.packet_type();
        let first_byte = packet_type.first_byte(packet_type.fixed_flags());
        primitive::put_header(out, first_byte, remaining_len, len);
        put_body(out);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{assert_canonical, hex, read, refusal};
    use crate::codec::{PacketId, Properties, QoS, peek};

    #[test]
    fn every_packet_of_5_0_is_read_and_written_again_byte_for_byte() {
        for packet in [
            "10 10 0004'MQTT' 05 02 003C 00 0003'abc'",
            "20 03 01 00 00",
            "30 04 0001'a' 00",
            "3D .. 0001'a' 0007 03 230001 'hi'",
            "40 02 0001",
            "50 03 0001 87",
            "62 .. 0001 92 06 1F 0003'why'",
            "70 02 0001",
            "82 .. 0001 02 0B 7F 0001'#' 2D",
            "90 05 0001 00 02 87",
            "A2 07 0001 00 0002'+/'",
            "B0 05 0001 00 00 11",
            "C0 00",
            "D0 00",
            "E0 00",
            "E0 01 8B",
            "E0 .. 00 05 11 00000000",
            "F0 00",
            "F0 0A 18 08 15 0005'SCRAM'",
        ] {
            assert_canonical(packet, Version::V5);
        }
    }

    #[test]
    fn every_packet_of_3_1_1_is_read_and_written_again_byte_for_byte() {
        for packet in [
            "10 0F 0004'MQTT' 04 02 003C 0003'abc'",
            "20 02 00 05",
            "30 05 0001'a' 'hi'",
            "35 07 0001'a' 0007 'hi'",
            "40 02 0001",
            "50 02 0001",
            "62 02 0001",
            "70 02 FFFF",
            "82 06 0001 0001'#' 02",
            "90 05 0001 00 01 80",
            "A2 05 0001 0001'#'",
            "B0 02 0001",
            "C0 00",
            "D0 00",
            "E0 00",
        ] {
            assert_canonical(packet, Version::V3_1_1);
        }
    }

    #[test]
    fn frame_that_its_header_does_not_describe_is_refused() {
        let bytes = hex("C0 00");
        let header = peek(&bytes, Version::V5, u32::MAX).unwrap().unwrap();
        let kind = |frame| decode(header, frame, Version::V5).map_err(|error| error.kind);
        assert_eq!(kind(&[0xC0, 0x00, 0xC0]), Err(DecodeErrorKind::TrailingBytes));
        assert_eq!(kind(&[0xC0]), Err(DecodeErrorKind::Truncated));
        let longer = FixedHeader {
            remaining_len: 1,
            ..header
        };
        assert_eq!(
            decode(longer, &bytes, Version::V5).unwrap_err().kind,
            DecodeErrorKind::Truncated
        );
    }

    #[test]
    fn pings_have_no_body() {
        assert_eq!(refusal("C0 01 00", Version::V5), DecodeErrorKind::TrailingBytes);
        assert_eq!(
            refusal("D0 01 00", Version::V3_1_1),
            DecodeErrorKind::TrailingBytes
        );
    }

    #[test]
    fn connect_is_read_by_its_own_version() {
        let connect = hex("10 10 0004'MQTT' 05 02 003C 00 0003'abc'");
        match read(&connect, Version::V3_1_1) {
            Ok(Packet::Connect(connect)) => assert_eq!(connect.version, Version::V5),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn packet_over_the_largest_remaining_length_leaves_the_buffer_as_it_was() {
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: "a",
            packet_id: Some(PacketId::MIN),
            properties: Properties::EMPTY,
            payload: b"",
        };
        let mut out = Vec::new();
        assert_eq!(
            publish.encode_head(268_435_450, Version::V5, &mut out),
            Err(EncodeError::PacketTooLarge)
        );
        assert_eq!(
            publish.encode_head(usize::MAX, Version::V5, &mut out),
            Err(EncodeError::PacketTooLarge)
        );
        assert!(out.is_empty());
        assert_eq!(publish.encode_head(268_435_449, Version::V5, &mut out), Ok(()));
        assert_eq!(out, hex("32 FFFFFF7F 0001'a' 0001 00"));
    }
}
