//! CONNACK.

use super::*;

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
