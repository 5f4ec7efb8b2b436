//! What a session hands out: imperatives for the caller to carry out, past tense for what has happened.

use core::fmt;

use super::details::Details;
use super::message::Message;
use super::op::{Completion, OpId};
use super::store::StoreOperation;
use crate::codec::{DecodeError, QoS, ReasonCode, Version};
use crate::time::{Duration, Instant};

/// One item from [`crate::session::Session::poll`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Open a transport to the server, then call `handle_transport_open`, or `handle_transport_closed` if it fails.
    OpenTransport,
    /// Close the transport. The session has let go of it already: report nothing more of it.
    CloseTransport,
    /// The server accepted the connection.
    Connected(Connected),
    /// The connection ended, or could not be made.
    Disconnected(Disconnected),
    /// A message arrived.
    Message(Message),
    /// An operation ended.
    Completed(OpId, Completion),
    /// Carry this out in the store, then report it with
    /// [`handle_persisted`](crate::session::Session::handle_persisted). Only from a session that was
    /// [restored](crate::session::Session::restore).
    Store(StoreOperation),
    /// The server asks for [authentication data](Details::authentication_data), while the connection is made or during a
    /// re-authentication. Answer with [`authenticate`](crate::session::Session::authenticate).
    AuthChallenge(Details),
}

/// Facts of a new connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The server kept the Session: subscriptions are in force. If not, subscribe again.
    pub session_present: bool,
    /// Version spoken.
    pub version: Version,
    /// What the server allows.
    pub server: ServerLimits,
    /// Seconds that the Session outlives the connection, `u32::MAX` for ever: the server's word, else what was asked
    /// for.
    pub session_expiry: u32,
    /// What the server said besides: Assigned Client Identifier, Response Information, Reason String, User Properties.
    pub details: Details,
}

/// What a server allows, by its CONNACK; in 3.1.1 the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// PUBLISH packets with QoS > 0 that may be unacknowledged.
    pub receive_maximum: u16,
    /// Highest QoS of a PUBLISH.
    pub maximum_qos: QoS,
    /// Whether messages may be retained.
    pub retain_available: bool,
    /// Largest packet, in bytes.
    pub maximum_packet_size: u32,
    /// Whether Topic Filters may have wildcards.
    pub wildcard_available: bool,
    /// Whether a SUBSCRIBE may carry a Subscription Identifier.
    pub subscription_id_available: bool,
    /// Whether Topic Filters may be shared subscriptions.
    pub shared_available: bool,
    /// Keep Alive in force; zero is off.
    pub keep_alive: Duration,
    /// Highest Topic Alias of a PUBLISH; zero is none.
    pub topic_alias_maximum: u16,
}

/// The end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnected {
    /// Why.
    pub reason: DisconnectReason,
    /// When the session asks for a transport again; `None` where it stays offline until `connect`.
    pub retry_at: Option<Instant>,
    /// What a refusing or disconnecting server said besides: Reason String, User Properties, and the Server Reference
    /// that [`OnReferral`](crate::session::OnReferral) is about.
    pub details: Details,
}

/// Why a connection ended or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The transport could not be opened.
    TransportFailed,
    /// The transport was not open in time.
    ConnectTimeout,
    /// No CONNACK came in time.
    ConnackTimeout,
    /// The server refused the connection.
    Refused(ReasonCode),
    /// The server ended the connection with a DISCONNECT.
    ByServer(ReasonCode),
    /// The transport was closed without a DISCONNECT.
    TransportClosed,
    /// No PINGRESP came in time.
    PingTimeout,
    /// The server sent what is no valid packet.
    Malformed(DecodeError),
    /// The server sent a valid packet that its state does not allow.
    Violation(Violation),
    /// The caller disconnected.
    Requested,
}

/// A valid packet that the server was not allowed to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Reason Code of the answer.
    pub reason: ReasonCode,
    /// Which rule.
    pub rule: &'static str,
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TransportFailed => f.write_str("transport could not be opened"),
            Self::ConnectTimeout => f.write_str("transport did not open in time"),
            Self::ConnackTimeout => f.write_str("no CONNACK in time; is the peer an MQTT broker?"),
            Self::Refused(reason) => write!(f, "server refused the connection: {reason}"),
            Self::ByServer(reason) => write!(f, "server disconnected: {reason}"),
            Self::TransportClosed => f.write_str("connection closed by the server or the network"),
            Self::PingTimeout => f.write_str("no PINGRESP in time"),
            Self::Malformed(error) => write!(f, "server sent a malformed packet: {error}"),
            Self::Violation(violation) => write!(f, "server broke the protocol: {}", violation.rule),
            Self::Requested => f.write_str("disconnect was requested"),
        }
    }
}
