//! Fixed header, packet framing and the union of all Control Packets.

use super::*;
use core::num::NonZeroU16;

/// Protocol version spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// MQTT 3.1.1 (protocol level 4).
    V3_1_1,
    /// MQTT 5.0 (protocol level 5).
    V5,
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
    pub const fn packet_len(&self) -> usize {
        self.header_len as usize + self.remaining_len as usize
    }
}

/// Reads the fixed header at the start of `bytes`; `None` while it is incomplete.
/// Checks type, flags, minimal length form and `max_packet_size` as soon as they are known, before the body arrives.
///
/// # Errors
/// [`DecodeError`] for a reserved type, reserved flags, a length not in minimal form, or a packet over the maximum.
pub fn peek(bytes: &[u8], version: Version, max_packet_size: u32) -> Result<Option<FixedHeader>, DecodeError> {
    let _ = (bytes, version, max_packet_size);
    todo!()
}

/// Decodes `frame`, which must be exactly one packet: the `packet_len()` bytes that `header` describes.
/// # Errors
/// [`DecodeError`] naming the packet and the rule it breaks.
pub fn decode<'a>(header: FixedHeader, frame: &'a [u8], version: Version) -> Result<Packet<'a>, DecodeError> {
    let _ = (header, frame, version);
    todo!()
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
    /// Appends the packet to `out`; on error `out` is unchanged.
    /// # Errors
    /// [`EncodeError`]
    pub fn encode(&self, version: Version, out: &mut alloc::vec::Vec<u8>) -> Result<(), EncodeError> {
        let _ = (version, out);
        todo!()
    }
    /// Bytes that `encode` would append.
    /// # Errors
    /// [`EncodeError`]
    pub fn encoded_len(&self, version: Version) -> Result<usize, EncodeError> {
        let _ = version;
        todo!()
    }
}
