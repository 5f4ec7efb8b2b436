//! What a session is told once: identity, timing, bounds and policies.

use alloc::string::String;
use core::fmt;
use core::num::NonZeroU16;

use bytes::Bytes;

use crate::codec::{EncodeError, PacketType, PropertyBuf, PropertyId, QoS, Version};
use crate::limits::{MAX_PACKET_SIZE, MAX_READ_SIZE, MIN_PACKET_SIZE};
use crate::time::Duration;
use crate::topic::TopicName;

/// Configuration of a [`crate::session::Session`]. [`Config::new`] gives the documented defaults; change what differs.
///
/// Its `Debug` output leaves out what may be secret.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Client Identifier. Empty: the server assigns one (5.0), or the session is clean (3.1.1).
    pub client_id: String,
    /// Protocol version. Default [`VersionPolicy::Auto`].
    pub version: VersionPolicy,
    /// Start every connection with a new Session. Default false: the Session is resumed while both sides have it.
    pub clean_start: bool,
    /// Longest silence of either side before a ping; zero turns Keep Alive off. Default 60 s; whole seconds, 65,535 at
    /// most. The server's Server Keep Alive replaces it. When neither side has sent anything for so long, the memory that
    /// busier times have needed is given back.
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
    /// Enhanced authentication (MQTT 5.0 §4.12). With it, [`VersionPolicy::Auto`] means 5.0 alone: falling back would
    /// leave it out.
    pub authentication: Option<Authentication>,
    /// Will Message.
    pub will: Option<Will>,
    /// User Properties of the CONNECT; left out in 3.1.1.
    pub properties: PropertyBuf,
    /// Ask the server for Response Information (see [`Connected::details`](super::Connected)). Default false.
    pub request_response_information: bool,
    /// Let the server add Reason Strings and User Properties to any answer. Default true; with false a server that adds
    /// them to others than CONNACK, PUBLISH and DISCONNECT breaks the protocol.
    pub request_problem_information: bool,
    /// Session Expiry Interval in seconds, `u32::MAX` for never. Default 3,600. In 3.1.1 anything but zero asks for a
    /// Session that outlives the connection.
    pub session_expiry: u32,
    /// PUBLISH packets with QoS > 0 that the server may have unacknowledged (Receive Maximum). Default 1,024. More are handed
    /// out all the same where a server sends them, as one of 3.1.1 may, up to
    /// [`MAX_OVERSHOOT_BYTES`](crate::limits::MAX_OVERSHOOT_BYTES) of messages that await [`acknowledge`](super::Session::acknowledge);
    /// nothing more is read then until one is acknowledged.
    pub receive_maximum: NonZeroU16,
    /// Largest packet accepted from the server, in bytes. Default 4 MiB.
    pub max_packet_size: u32,
    /// PUBLISH packets with QoS > 0 in flight to the server, whatever its Receive Maximum allows. Default 65,535.
    pub max_in_flight: NonZeroU16,
    /// QoS 2 PUBLISH packets in flight to a 3.1.1 server, which cannot tell its own bound. Default 19: Mosquitto 2.0 allows
    /// 20 (`max_inflight_messages`), acknowledges a message of QoS 1 or 2 beyond them, and loses it. So one place is left
    /// for messages of QoS 1.
    pub max_qos_2_in_flight: NonZeroU16,
    /// Messages that wait to be sent. Default 100,000. Messages that were in flight when the server lost the Session, and
    /// are to be sent anew, are taken beyond that.
    pub queue_messages: usize,
    /// Bytes of topics, payloads and properties that wait to be sent. Default 64 MiB.
    pub queue_bytes: usize,
    /// What happens to a new message when the queue is full. Default [`QueueFull::Reject`].
    pub queue_full: QueueFull,
    /// Topic Aliases that the server may use, each of which can hold a topic of up to 65,535 bytes in memory. Default 0:
    /// an alias ends the connection.
    pub topic_alias_maximum: u16,
    /// Topic Aliases used towards the server, within its own maximum, for the topics published to last. Default 0: they
    /// save bytes where few topics are used often, and cost some where many are used seldom.
    pub topic_aliases: u16,
    /// Bytes offered to one read, 1 to [`MAX_READ_SIZE`]; fewer than 2 KiB are taken as 2 KiB. Default 16 KiB.
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
    /// 5.0, and 3.1.1 if the server refuses 5.0, or closes
    /// [`CLOSES_BEFORE_FALLBACK`](crate::limits::CLOSES_BEFORE_FALLBACK) connections in a row on their CONNECT; of those that
    /// have spoken 5.0, [more](crate::limits::CLOSES_BEFORE_FALLBACK_ONCE_SPOKEN). A proxy closes as well while its server is away, so after a
    /// connection of 3.1.1 that closes led to, 5.0 is tried once more.
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

/// What happens to a new message when [`Config::queue_messages`] or [`Config::queue_bytes`] is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueFull {
    /// It is handed back.
    #[default]
    Reject,
    /// The oldest QoS 0 messages in the queue make room; where they cannot make enough, it is handed back.
    DropOldestQos0,
    /// The oldest messages in the queue make room, whatever their QoS; only what can never fit is handed back. Messages
    /// in flight are not in the queue.
    DropOldest,
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

/// What happens to unfinished QoS 1 and 2 messages when the server has no Session for this client any more, or when the
/// Session was given up: its resumption has ended [`BROKEN_RESUMPTIONS`](crate::limits::BROKEN_RESUMPTIONS) connections in
/// a row with packets that the server must not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionLost {
    /// They are sent again as new messages; the receiver may see a message twice, at QoS 2 too.
    #[default]
    Republish,
    /// Their operations complete as lost.
    Report,
}

/// When to try again after a connection has failed or ended.
///
/// | the connection ended by | what follows |
/// |---|---|
/// | the transport, a timeout, a malformed or forbidden packet | retry |
/// | CONNACK 0x80, 0x83, 0x88, 0x89, 0x97, 0x9F | retry: the server cannot serve now |
/// | CONNACK 0x84 | 3.1.1 at once where [`VersionPolicy`] allows it, else as the next line |
/// | CONNACK with any other error; DISCONNECT 0x87, 0x8A, 0x8C | [`on_refusal`](Self::on_refusal) |
/// | CONNACK or DISCONNECT 0x9C (use another server), 0x9D (server moved) | [`on_referral`](Self::on_referral) |
/// | DISCONNECT 0x8E (session taken over) | stop: two clients would throw each other out for ever |
/// | any other DISCONNECT | retry |
/// | [`disconnect`](super::Session::disconnect) | stop |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// Ceiling of the first wait. Default 1 s. Each wait is drawn evenly from zero to its ceiling ("full jitter").
    pub first: Duration,
    /// Ceiling of all waits. Default 60 s; each failure raises the ceiling up to here.
    pub longest: Duration,
    /// What each failure makes of the ceiling, in percent of it. Default 200: it doubles; at least 100.
    pub growth: u32,
    /// Floor of every wait. Default 128 ms.
    pub shortest: Duration,
    /// A connection that lasted this long starts the waits afresh. Default 30 s.
    pub stable_after: Duration,
    /// What to do when the server refuses these credentials. Default [`OnRefusal::Stop`].
    pub on_refusal: OnRefusal,
    /// What to do when the server sends the client to another one. Default [`OnReferral::Stop`].
    pub on_referral: OnReferral,
}

/// What to do when the server refuses the client for a reason that only an operator can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRefusal {
    /// Stay offline until the caller connects again.
    #[default]
    Stop,
    /// Try again as after any other failure: the operator may be about to grant access.
    Retry,
    /// Stay offline where it is user name and password (CONNACK 0x86 and 0x87, DISCONNECT 0x87) until the caller connects
    /// again, maybe with [others](super::Session::set_credentials); try again after any other refusal.
    AwaitCredentials,
}

/// What to do when the server sends the client to another server (0x9C, 0x9D), which
/// [`Disconnected::details`](super::Disconnected) names as
/// [`server_reference`](super::Details::server_reference).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnReferral {
    /// Stay offline until the caller, who may know better than to follow anyone, connects again.
    #[default]
    Stop,
    /// Ask for a transport again as after any other failure; the caller opens it to the server named.
    Follow,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            growth: 200,
            shortest: Duration::from_millis(128),
            stable_after: Duration::from_secs(30),
            on_refusal: OnRefusal::Stop,
            on_referral: OnReferral::Stop,
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
    /// Will Properties, Will Delay Interval among them; left out in 3.1.1.
    pub properties: PropertyBuf,
}

/// Enhanced authentication: the method, and what the CONNECT carries of it.
#[derive(Clone)]
pub struct Authentication {
    /// Authentication Method, such as `SCRAM-SHA-256`.
    pub method: String,
    /// Authentication Data of the CONNECT, where the client speaks first. A method that needs fresh data each time gets
    /// it from [`set_authentication_data`](super::Session::set_authentication_data).
    pub data: Option<Bytes>,
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
    /// `read_size` is out of range.
    ReadSize,
    /// `reconnect` has a floor above a ceiling, or a ceiling that falls.
    Reconnect,
    /// User name or password do not fit into a CONNECT.
    Credentials,
    /// `will` cannot be part of a CONNECT.
    Will(EncodeError),
    /// `properties` cannot be part of a CONNECT.
    Properties(EncodeError),
    /// `authentication` cannot be part of a CONNECT.
    Authentication(EncodeError),
    /// `authentication` is for 5.0, and `version` allows 3.1.1 alone.
    AuthenticationVersion,
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
            Self::ReadSize => write!(f, "read size must be within 1 to {MAX_READ_SIZE} bytes"),
            Self::Reconnect => {
                f.write_str("reconnect waits must satisfy shortest <= longest, first <= longest and growth >= 100")
            }
            Self::Credentials => {
                f.write_str("user name and password must each be at most 65535 bytes, the user name without U+0000, and 3.1.1 allows no password without a user name")
            }
            Self::Will(error) => write!(f, "will cannot be sent: {error}"),
            Self::Properties(error) => write!(f, "properties of CONNECT cannot be sent: {error}"),
            Self::Authentication(error) => write!(f, "authentication cannot be sent: {error}"),
            Self::AuthenticationVersion => {
                f.write_str("authentication method needs MQTT 5.0; leave it out or let the version be 5.0")
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
            authentication: None,
            will: None,
            properties: PropertyBuf::new(),
            request_response_information: false,
            request_problem_information: true,
            session_expiry: 3600,
            receive_maximum: const { NonZeroU16::new(1024).unwrap() },
            max_packet_size: 4 << 20,
            max_in_flight: NonZeroU16::MAX,
            max_qos_2_in_flight: const { NonZeroU16::new(19).unwrap() },
            queue_messages: 100_000,
            queue_bytes: 64 << 20,
            queue_full: QueueFull::default(),
            topic_alias_maximum: 0,
            topic_aliases: 0,
            read_size: 16 << 10,
            acks: AckMode::default(),
            on_session_lost: SessionLost::default(),
            reconnect: Reconnect::default(),
        }
    }

    /// Checks what the types cannot, as every session does before it is made.
    ///
    /// # Errors
    /// [`ConfigError`] names the field that cannot be.
    pub fn validate(&self) -> Result<(), ConfigError> {
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
        if !(1..=MAX_READ_SIZE).contains(&self.read_size) {
            return Err(ConfigError::ReadSize);
        }
        let waits = &self.reconnect;
        if waits.shortest > waits.longest || waits.first > waits.longest || waits.growth < 100 {
            return Err(ConfigError::Reconnect);
        }
        let credentials = self.username.as_deref().is_none_or(text)
            && self.password.as_deref().is_none_or(fits)
            && (self.version != VersionPolicy::V3_1_1 || self.password.is_none() || self.username.is_some());
        if !credentials {
            return Err(ConfigError::Credentials);
        }
        let foreign = self
            .properties
            .as_properties()
            .iter()
            .map(|property| property.id());
        if let Some(id) = foreign.into_iter().find(|id| *id != PropertyId::UserProperty) {
            let error = EncodeError::PropertyNotAllowed(PacketType::Connect, id);
            return Err(ConfigError::Properties(error));
        }
        if self.authentication.is_some() && self.version == VersionPolicy::V3_1_1 {
            return Err(ConfigError::AuthenticationVersion);
        }
        Ok(())
    }

    /// The versions that may be spoken: authentication is never left out for an older one.
    pub(super) fn versions(&self) -> VersionPolicy {
        match &self.authentication {
            Some(_) => VersionPolicy::V5,
            None => self.version,
        }
    }
}

impl fmt::Debug for Config {
    /// Leaves out user name, password, authentication, will and properties.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("client_id", &self.client_id)
            .field("version", &self.version)
            .field("clean_start", &self.clean_start)
            .field("session_expiry", &self.session_expiry)
            .field("keep_alive", &self.keep_alive)
            .field("reconnect", &self.reconnect)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Authentication {
    /// Leaves out the data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}
