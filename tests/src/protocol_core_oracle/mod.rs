//! The differential oracle: what `mqtt-protocol-core` 0.7 makes of a packet, and where it is known to be wrong.
//!
//! It reads a packet and writes it again; we read what it has written. So every field of every packet takes part, and its
//! writing is held to account with its reading.

use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::MqttError;
use syncline_core::codec::{DecodeErrorKind, FixedHeader, Packet, PacketType, Version, decode, peek};

mod faults;

pub use faults::{KNOWN_FAULTS, LENIENCIES};

/// A fault because of which it refuses or misreads packets that MQTT allows.
pub struct KnownFault {
    /// What it does wrong, with the clause.
    pub fault: &'static str,
    /// Version of the example.
    pub version: Version,
    /// A packet that shows it.
    pub example: &'static [u8],
    /// Whether a packet is concerned.
    pub concerns: fn(&Packet<'_>, Version) -> bool,
}

/// A kind of packet that MQTT forbids and that it accepts.
pub struct Leniency {
    /// What it lets pass, with the clause.
    pub fault: &'static str,
    /// Version of the example.
    pub version: Version,
    /// A packet that shows it.
    pub example: &'static [u8],
    /// Whether our refusal is for that reason.
    pub concerns: fn(DecodeErrorKind, Version) -> bool,
}

/// How it disagrees about `bytes`, which we have read as `packet`; `None` when it agrees.
#[must_use]
pub fn disagreement(packet: &Packet<'_>, bytes: &[u8], version: Version) -> Option<String> {
    let version = version_of(packet, version);
    let written = match rewrite(bytes, version) {
        Ok(written) => written,
        Err(error) => return Some(format!("refused: {error}")),
    };
    let header = match peek(&written, version, u32::MAX) {
        Ok(Some(header)) if header.packet_len() == written.len() => header,
        other => return Some(format!("wrote no packet: {other:?}, {written:02X?}")),
    };
    match decode(header, &written, version) {
        Ok(again) if again == *packet => None,
        Ok(again) => Some(format!("ours {packet:?}, theirs {again:?}")),
        Err(error) => Some(format!("wrote what we refuse: {error}, {written:02X?}")),
    }
}

/// Reads the packet that `bytes` are and writes it again.
///
/// # Errors
/// Why it does not accept it.
pub fn rewrite(bytes: &[u8], version: Version) -> Result<Vec<u8>, String> {
    let header = match peek(bytes, version, u32::MAX) {
        Ok(Some(header)) if header.packet_len() == bytes.len() => header,
        other => return Err(format!("not one packet: {other:?}")),
    };
    let body = &bytes[usize::from(header.header_len)..];
    let (written, read) = match version {
        Version::V3_1_1 => rewrite_v3_1_1(header, bytes[0] & 0x0F, body),
        Version::V5 => rewrite_v5_0(header, bytes[0] & 0x0F, body),
    }
    .map_err(|error| format!("{error:?}"))?;
    if read == body.len() {
        Ok(written)
    } else {
        Err(format!("{} bytes are left", body.len() - read))
    }
}

/// A CONNECT says its version itself.
fn version_of(packet: &Packet<'_>, version: Version) -> Version {
    match packet {
        Packet::Connect(connect) => connect.version,
        _ => version,
    }
}

macro_rules! through {
    ($packet:ty, $($data:expr),+) => {
        <$packet>::parse($($data),+).map(|(packet, read)| (packet.to_continuous_buffer(), read))
    };
}

fn rewrite_v3_1_1(header: FixedHeader, flags: u8, body: &[u8]) -> Result<(Vec<u8>, usize), MqttError> {
    match header.packet_type {
        PacketType::Connect => through!(v3_1_1::Connect, body),
        PacketType::Connack => through!(v3_1_1::Connack, body),
        PacketType::Publish => through!(v3_1_1::Publish, flags, Arc::from(body)),
        PacketType::Puback => through!(v3_1_1::Puback, body),
        PacketType::Pubrec => through!(v3_1_1::Pubrec, body),
        PacketType::Pubrel => through!(v3_1_1::Pubrel, body),
        PacketType::Pubcomp => through!(v3_1_1::Pubcomp, body),
        PacketType::Subscribe => through!(v3_1_1::Subscribe, body),
        PacketType::Suback => through!(v3_1_1::Suback, body),
        PacketType::Unsubscribe => through!(v3_1_1::Unsubscribe, body),
        PacketType::Unsuback => through!(v3_1_1::Unsuback, body),
        PacketType::Pingreq => through!(v3_1_1::Pingreq, body),
        PacketType::Pingresp => through!(v3_1_1::Pingresp, body),
        PacketType::Disconnect => through!(v3_1_1::Disconnect, body),
        PacketType::Auth => Err(MqttError::MalformedPacket),
    }
}

fn rewrite_v5_0(header: FixedHeader, flags: u8, body: &[u8]) -> Result<(Vec<u8>, usize), MqttError> {
    match header.packet_type {
        PacketType::Connect => through!(v5_0::Connect, body),
        PacketType::Connack => through!(v5_0::Connack, body),
        PacketType::Publish => through!(v5_0::Publish, flags, Arc::from(body)),
        PacketType::Puback => through!(v5_0::Puback, body),
        PacketType::Pubrec => through!(v5_0::Pubrec, body),
        PacketType::Pubrel => through!(v5_0::Pubrel, body),
        PacketType::Pubcomp => through!(v5_0::Pubcomp, body),
        PacketType::Subscribe => through!(v5_0::Subscribe, body),
        PacketType::Suback => through!(v5_0::Suback, body),
        PacketType::Unsubscribe => through!(v5_0::Unsubscribe, body),
        PacketType::Unsuback => through!(v5_0::Unsuback, body),
        PacketType::Pingreq => through!(v5_0::Pingreq, body),
        PacketType::Pingresp => through!(v5_0::Pingresp, body),
        PacketType::Disconnect => through!(v5_0::Disconnect, body),
        PacketType::Auth => through!(v5_0::Auth, body),
    }
}
