//! What can be wrong with a packet: decode errors with the Reason Code to answer, and encode errors.

use super::{PacketType, PropertyId, ReasonCode};
use crate::error::Blame;

/// Why received bytes are not a Control Packet that this protocol version allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// The packet being read, when the first byte named one.
    pub packet: Option<PacketType>,
    /// The rule that was broken.
    pub kind: DecodeErrorKind,
}

/// The rule that received bytes broke. (helper: variants as needed, each with its text and reason code)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Placeholder.
    Malformed,
}

impl DecodeError {
    /// The Reason Code that a DISCONNECT should carry for this error (MQTT 5.0 §4.13).
    #[must_use]
    pub fn reason_code(&self) -> ReasonCode {
        todo!()
    }
    /// Always the peer.
    #[must_use]
    pub fn blame(&self) -> Blame {
        Blame::Protocol
    }
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        todo!()
    }
}
impl core::error::Error for DecodeError {}

/// Why a packet cannot be written. Nothing has been written when this is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A string or binary field is longer than 65,535 bytes.
    FieldTooLong(&'static str),
    /// The packet would exceed 268,435,460 bytes (or the limit that was given).
    PacketTooLarge,
    /// The property is not allowed in this packet (or at all: 3.1.1 with properties).
    PropertyNotAllowed(PacketType, PropertyId),
    /// Anything else; helper: extend.
    Invalid(PacketType, &'static str),
}
impl core::fmt::Display for EncodeError {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        todo!()
    }
}
impl core::error::Error for EncodeError {}
