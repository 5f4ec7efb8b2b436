//! The beginning and the end of a connection, and what the server asks in between.

use syncline_core::codec::Version;
use syncline_core::session::{Connected, Details, DisconnectReason, Disconnected, ServerLimits};
use syncline_core::time::Instant;

use crate::pointer::Slice;

/// What a server allows; for MQTT 3.1.1 the defaults.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ServerLimitsRecord {
    /// Largest packet in bytes.
    pub maximum_packet_size: u32,
    /// Keep Alive in force in seconds; 0 is off.
    pub keep_alive_seconds: u32,
    /// QoS 1 and 2 messages that may be unacknowledged.
    pub receive_maximum: u16,
    /// Highest Topic Alias of a PUBLISH; 0 is none.
    pub topic_alias_maximum: u16,
    /// Highest QoS of a PUBLISH.
    pub maximum_qos: u8,
    /// Whether messages may be retained.
    pub retain_available: bool,
    /// Whether Topic Filters may have wildcards.
    pub wildcard_available: bool,
    /// Whether a SUBSCRIBE may carry a Subscription Identifier.
    pub subscription_id_available: bool,
    /// Whether Topic Filters may be shared subscriptions.
    pub shared_available: bool,
}

/// Facts of a new connection.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ConnectedRecord {
    /// Client Identifier that the server assigned, else empty.
    pub assigned_client_id: Slice,
    /// What Response Topics should begin with, where the server says so, else empty.
    pub response_information: Slice,
    /// What the server allows.
    pub server: ServerLimitsRecord,
    /// Seconds that the Session outlives the connection; UINT32_MAX: for ever.
    pub session_expiry: u32,
    /// Protocol version, 4 or 5.
    pub version: u8,
    /// Whether the server kept the Session. If not, subscribe again.
    pub session_present: bool,
}

/// Why a connection ended or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum DisconnectKind {
    /// The transport could not be opened.
    TransportFailed = 0,
    /// The transport was not open in time.
    ConnectTimeout = 1,
    /// No CONNACK came in time.
    ConnackTimeout = 2,
    /// The server refused the connection, with `reason_code`.
    Refused = 3,
    /// The server ended the connection with a DISCONNECT, with `reason_code`.
    ByServer = 4,
    /// The transport was closed without a DISCONNECT.
    TransportClosed = 5,
    /// No answer to a ping came in time.
    PingTimeout = 6,
    /// The server sent what is no valid packet.
    Malformed = 7,
    /// The server sent a packet that it was not allowed to send.
    Violation = 8,
    /// The caller disconnected.
    Requested = 9,
    /// Another reason: see `text`.
    Other = 10,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct DisconnectedRecord {
    /// Why, in words.
    pub text: Slice,
    /// The server's own words, where it said any, else empty.
    pub reason_string: Slice,
    /// Another server that this one names, such as `broker.example:8883`, else empty.
    pub server_reference: Slice,
    /// When the session asks for a transport again; UINT64_MAX: not before `syncline_session_connect`.
    pub retry_at: u64,
    /// Why.
    pub kind: DisconnectKind,
    /// Reason Code that the server gave, or that it was given, else 0.
    pub reason_code: u8,
}

/// What the server asks, and says with it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct AuthChallengeRecord {
    /// Authentication Data, else empty.
    pub data: Slice,
    /// The server's own words, where it said any, else empty.
    pub reason_string: Slice,
}

/// The number by which a CONNECT names a version.
pub(crate) fn level(version: Version) -> u8 {
    match version {
        Version::V3_1_1 => 4,
        Version::V5 => 5,
    }
}

pub(super) fn connected(facts: &Connected) -> ConnectedRecord {
    ConnectedRecord {
        assigned_client_id: facts.details.assigned_client_id().into(),
        response_information: facts.details.response_information().into(),
        server: server_limits(&facts.server),
        session_expiry: facts.session_expiry,
        version: level(facts.version),
        session_present: facts.session_present,
    }
}

fn server_limits(server: &ServerLimits) -> ServerLimitsRecord {
    ServerLimitsRecord {
        maximum_packet_size: server.maximum_packet_size,
        keep_alive_seconds: u32::try_from(server.keep_alive.as_secs()).unwrap_or(u32::MAX),
        receive_maximum: server.receive_maximum,
        topic_alias_maximum: server.topic_alias_maximum,
        maximum_qos: server.maximum_qos as u8,
        retain_available: server.retain_available,
        wildcard_available: server.wildcard_available,
        subscription_id_available: server.subscription_id_available,
        shared_available: server.shared_available,
    }
}

pub(super) fn disconnected(end: &Disconnected, text: &str) -> DisconnectedRecord {
    let (kind, reason) = match end.reason {
        DisconnectReason::TransportFailed => (DisconnectKind::TransportFailed, 0),
        DisconnectReason::ConnectTimeout => (DisconnectKind::ConnectTimeout, 0),
        DisconnectReason::ConnackTimeout => (DisconnectKind::ConnackTimeout, 0),
        DisconnectReason::Refused(reason) => (DisconnectKind::Refused, reason.0),
        DisconnectReason::ByServer(reason) => (DisconnectKind::ByServer, reason.0),
        DisconnectReason::TransportClosed => (DisconnectKind::TransportClosed, 0),
        DisconnectReason::PingTimeout => (DisconnectKind::PingTimeout, 0),
        DisconnectReason::Malformed(error) => (DisconnectKind::Malformed, error.reason_code().0),
        DisconnectReason::Violation(violation) => (DisconnectKind::Violation, violation.reason.0),
        DisconnectReason::Requested => (DisconnectKind::Requested, 0),
        _ => (DisconnectKind::Other, 0),
    };
    DisconnectedRecord {
        text: text.into(),
        reason_string: end.details.reason_string().into(),
        server_reference: end.details.server_reference().into(),
        retry_at: end.retry_at.unwrap_or(Instant::FAR_FUTURE).as_micros(),
        kind,
        reason_code: reason,
    }
}

pub(super) fn auth_challenge(details: &Details) -> AuthChallengeRecord {
    AuthChallengeRecord {
        data: details.authentication_data().into(),
        reason_string: details.reason_string().into(),
    }
}
