//! PUBACK, PUBREC, PUBREL and PUBCOMP, which share one layout.

use super::*;

/// One of the four acknowledgements of a PUBLISH (MQTT 5.0 §3.4–3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Packet Identifier of the PUBLISH.
    pub packet_id: PacketId,
    /// Reason Code; always success in 3.1.1.
    pub reason: ReasonCode,
    /// Properties.
    pub properties: Properties<'a>,
}
