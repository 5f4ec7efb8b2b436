//! What a session is told once: identity, timing, bounds and policies.

use alloc::string::String;
use core::fmt;
use core::num::NonZeroU16;

use bytes::Bytes;

use crate::codec::{PropertyBuf, QoS, Version};
use crate::limits::{MAX_PACKET_SIZE, MIN_PACKET_SIZE};
use crate::time::Duration;
use crate::topic::TopicName;

/// Configuration of a [`crate::session::Session`]. [`Config::new`] gives the documented defaults; change what differs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Client Identifier. Empty: the server assigns one (5.0), or the session is clean (3.1.1).
    pub client_id: String,
    /// Protocol version. Default [`VersionPolicy::Auto`].
    pub version: VersionPolicy,
    /// Start every connection with a new Session. Default false: the Session is resumed while both sides have it.
    pub clean_start: bool,
    /// Longest silence of the client; zero turns Keep Alive off. Default 60 s; whole seconds, 65,535 at most. The
    /// server's Server Keep Alive replaces it.
    pub keep_alive: Duration,
    /// Longest wait for a PINGRESP. Default 10 s, and never more than half the Keep Alive.
    pub ping_timeout: Duration,
    /// Longest wait for the transport to open. Default 10 s.
    pub connect_timeout: Duration,
    /// Longest wait for the CONNACK. Default 10 s.
    pub connack_timeout: Duration,
    /// Longest wait for the last bytes to be written before the transport is closed. Default 2 s.
    pub close_timeout: Duration,
    /// User Name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Bytes>,
    /// Will Message.
    pub will: Option<Will>,
    /// Session Expiry Interval in seconds, `u32::MAX` for never. Default 3,600. In 3.1.1 anything but zero asks for a
    /// Session that outlives the connection.
    pub session_expiry: u32,
    /// PUBLISH packets with QoS > 0 that the server may have unacknowledged (Receive Maximum). Default 1,024.
    pub receive_maximum: NonZeroU16,
    /// Largest packet accepted from the server, in bytes. Default 4 MiB.
    pub max_packet_size: u32,
    /// PUBLISH packets with QoS > 0 in flight to the server, whatever its Receive Maximum allows. Default 65,535.
    pub max_in_flight: NonZeroU16,
    /// Messages that wait to be sent. Default 100,000.
    pub queue_messages: usize,
    /// Bytes of topics, payloads and properties that wait to be sent. Default 64 MiB.
    pub queue_bytes: usize,
    /// Bytes offered to one read. Default 16 KiB.
    pub read_size: usize,
    /// How received messages are acknowledged. Default [`AckMode::Automatic`].
    pub acks: AckMode,
    /// What happens to unfinished messages when the server has lost the Session. Default [`SessionLost::Republish`].
    pub on_session_lost: SessionLost,
    /// When to try again. See [`Reconnect`].
    pub reconnect: Reconnect,
}

/// Which protocol version to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VersionPolicy {
    /// 5.0, and 3.1.1 if the server refuses 5.0 or closes the connection on its CONNECT.
    #[default]
    Auto,
    /// 5.0 alone.
    V5,
    /// 3.1.1 alone.
    V3_1_1,
}

impl VersionPolicy {
    /// The versions that may be spoken, the one tried first in front.
    pub(super) fn versions(self) -> impl Iterator<Item = Version> {
        let (first, second) = match self {
            Self::Auto => (Version::V5, Some(Version::V3_1_1)),
            Self::V5 => (Version::V5, None),
            Self::V3_1_1 => (Version::V3_1_1, None),
        };
        core::iter::once(first).chain(second)
    }
}

/// How received messages are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AckMode {
    /// As soon as the message has been handed out.
    #[default]
    Automatic,
    /// When the caller acknowledges its token; on the wire in the order of receipt.
    Manual,
}

/// What happens to unfinished QoS 1 and 2 messages when the server has no Session for this client any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionLost {
    /// They are sent again as new messages; the receiver may see a message twice, at QoS 2 too.
    #[default]
    Republish,
    /// Their operations complete as lost.
    Report,
}

/// When to try again after a connection has failed or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// Ceiling of the first wait. Default 1 s. Each wait is drawn evenly from zero to its ceiling ("full jitter").
    pub first: Duration,
    /// Ceiling of all waits. Default 60 s; each failure doubles the ceiling up to here.
    pub longest: Duration,
    /// Floor of every wait. Default 128 ms.
    pub shortest: Duration,
    /// A connection that lasted this long starts the waits afresh. Default 30 s.
    pub stable_after: Duration,
    /// What to do when the server refuses these credentials. Default [`OnRefusal::Stop`].
    pub on_refusal: OnRefusal,
}

/// What to do when the server refuses the client for a reason that only an operator can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRefusal {
    /// Stay offline until the caller connects again.
    #[default]
    Stop,
    /// Try again as after any other failure: the operator may be about to grant access.
    Retry,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            shortest: Duration::from_millis(128),
            stable_after: Duration::from_secs(30),
            on_refusal: OnRefusal::Stop,
        }
    }
}

/// The message that the server publishes when this client disappears (MQTT 5.0 §3.1.2.5).
#[derive(Debug, Clone)]
pub struct Will {
    /// Will Topic.
    pub topic: TopicName,
    /// Will Payload, at most 65,535 bytes.
    pub payload: Bytes,
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Will Properties; left out in 3.1.1.
    pub properties: PropertyBuf,
}

/// Why a [`Config`] cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// `client_id` is longer than 65,535 bytes or contains U+0000.
    ClientId,
    /// `keep_alive` is not a whole number of seconds up to 65,535.
    KeepAlive,
    /// `max_packet_size` is out of range.
    MaxPacketSize,
    /// `reconnect` has a floor above a ceiling.
    Reconnect,
    /// User name, password or will do not fit into a CONNECT.
    Credentials,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientId => {
                f.write_str("client id must be at most 65535 bytes and must not contain U+0000")
            }
            Self::KeepAlive => f.write_str("keep alive must be a whole number of seconds from 0 to 65535"),
            Self::MaxPacketSize => {
                write!(
                    f,
                    "maximum packet size must be within {MIN_PACKET_SIZE} to {MAX_PACKET_SIZE} bytes"
                )
            }
            Self::Reconnect => {
                f.write_str("reconnect waits must satisfy shortest <= longest and first <= longest")
            }
            Self::Credentials => {
                f.write_str("user name, password and will must each be at most 65535 bytes without U+0000")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// The defaults for a client of this identifier.
    #[must_use]
    pub fn new(client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            version: VersionPolicy::default(),
            clean_start: false,
            keep_alive: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            connack_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(2),
            username: None,
            password: None,
            will: None,
            session_expiry: 3600,
            receive_maximum: const { NonZeroU16::new(1024).unwrap() },
            max_packet_size: 4 << 20,
            max_in_flight: NonZeroU16::MAX,
            queue_messages: 100_000,
            queue_bytes: 64 << 20,
            read_size: 16 << 10,
            acks: AckMode::default(),
            on_session_lost: SessionLost::default(),
            reconnect: Reconnect::default(),
        }
    }

    /// Checks what the types cannot.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let fits = |bytes: &[u8]| bytes.len() <= usize::from(u16::MAX);
        let text = |text: &str| fits(text.as_bytes()) && !text.contains('\0');
        if !text(&self.client_id) {
            return Err(ConfigError::ClientId);
        }
        if self.keep_alive.subsec_nanos() != 0 || self.keep_alive.as_secs() > u64::from(u16::MAX) {
            return Err(ConfigError::KeepAlive);
        }
        if !(MIN_PACKET_SIZE..=MAX_PACKET_SIZE).contains(&self.max_packet_size) {
            return Err(ConfigError::MaxPacketSize);
        }
        let waits = &self.reconnect;
        if waits.shortest > waits.longest || waits.first > waits.longest {
            return Err(ConfigError::Reconnect);
        }
        let credentials = self.username.as_deref().is_none_or(text)
            && self.password.as_deref().is_none_or(fits)
            && self.will.as_ref().is_none_or(|will| fits(&will.payload));
        if credentials {
            Ok(())
        } else {
            Err(ConfigError::Credentials)
        }
    }
}
