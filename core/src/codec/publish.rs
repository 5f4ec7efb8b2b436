//! PUBLISH.

use super::*;

/// PUBLISH (MQTT 5.0 §3.3), both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Redelivery flag.
    pub dup: bool,
    /// Quality of Service.
    pub qos: QoS,
    /// Retain flag.
    pub retain: bool,
    /// Topic Name; empty only in 5.0 with a Topic Alias.
    pub topic: &'a str,
    /// Present exactly when QoS > 0.
    pub packet_id: Option<PacketId>,
    /// Properties.
    pub properties: Properties<'a>,
    /// Application Message.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// Decodes the hot packet without the union.
    /// # Errors
    /// [`DecodeError`]
    pub fn decode(header: FixedHeader, frame: &'a [u8], version: Version) -> Result<Self, DecodeError> {
        let _ = (header, frame, version);
        todo!()
    }
    /// Appends all but the payload (its length is `payload_len`), so that the payload can follow by handle.
    /// `self.payload` is ignored.
    /// # Errors
    /// [`EncodeError`], with `out` unchanged.
    pub fn encode_head(&self, payload_len: usize, version: Version, out: &mut alloc::vec::Vec<u8>) -> Result<(), EncodeError> {
        let _ = (payload_len, version, out);
        todo!()
    }
}
