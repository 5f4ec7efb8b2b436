//! Operations: what a caller submits, the id it gets, and the one completion that follows.

use core::fmt;
use core::num::NonZeroU64;

use bytes::Bytes;

use super::details::Details;
use super::store::Lifetime;
use crate::codec::{EncodeError, PropertyBuf, QoS, ReasonCode};
use crate::error::Blame;
use crate::time::Duration;
use crate::topic::TopicName;

/// Identity of a submitted operation, never reused within a process. A restored session counts on from the largest one in
/// its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(NonZeroU64);

impl OpId {
    /// The id with this number; zero counts as one.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        match NonZeroU64::new(number) {
            Some(number) => Self(number),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// The id as an integer, 1 for the first operation of a session.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0.get()
    }
}

/// A message to publish.
#[derive(Clone, PartialEq, Eq)]
pub struct Publication {
    /// Topic Name.
    pub topic: TopicName,
    /// Application Message.
    pub payload: Bytes,
    /// Quality of Service.
    pub qos: QoS,
    /// Retain flag.
    pub retain: bool,
    /// Properties; left out on a 3.1.1 connection. Message Expiry Interval belongs into `expiry`, Topic Aliases are the
    /// session's, and Subscription Identifiers the server's.
    pub properties: PropertyBuf,
    /// How long the message is worth sending. It is dropped from the queue after that time; on a 5.0 connection the
    /// rest goes along as Message Expiry Interval, rounded up to whole seconds.
    pub expiry: Option<Duration>,
    /// Whether a store keeps the message for the next process. Default [`Lifetime::Session`]: it does.
    pub lifetime: Lifetime,
}

impl fmt::Debug for Publication {
    /// Shows the payload's length, never the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication")
            .field("topic", &self.topic)
            .field("payload_len", &self.payload.len())
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}

impl Publication {
    /// A QoS 0 message, not retained, without properties.
    #[must_use]
    pub fn new(topic: TopicName, payload: impl Into<Bytes>) -> Self {
        Self {
            topic,
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: PropertyBuf::new(),
            expiry: None,
            lifetime: Lifetime::Session,
        }
    }

    /// The same with another Quality of Service.
    #[must_use]
    pub fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// The same with the Retain flag set.
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    /// Bytes that count against the queue's bound.
    pub(super) fn weight(&self) -> usize {
        self.topic.as_str().len() + self.payload.len() + self.properties.as_properties().as_bytes().len()
    }
}

/// How an operation ended. Every accepted operation gets exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// QoS 0: written to the transport. QoS 1 and 2: acknowledged.
    Published {
        /// Reason Code of the acknowledgement, which may be an error. At QoS 2 that of the PUBREC, where the PUBCOMP
        /// adds no other.
        reason: ReasonCode,
        /// What the server said besides. At QoS 2 the properties of the PUBCOMP, else those of the PUBREC up to
        /// [`MAX_KEPT_DETAILS`](crate::limits::MAX_KEPT_DETAILS) bytes.
        details: Details,
    },
    /// SUBACK, one Reason Code a Topic Filter.
    Subscribed(Reasons),
    /// UNSUBACK, one Reason Code a Topic Filter; none in 3.1.1.
    Unsubscribed(Reasons),
    /// The server accepted a [re-authentication](crate::session::Session::reauthenticate).
    Authenticated(Details),
    /// It is over without an acknowledgement.
    Lost(Loss),
}

impl Completion {
    /// Success, and nothing else to tell.
    pub const PUBLISHED: Self = Self::Published {
        reason: ReasonCode::SUCCESS,
        details: Details::NONE,
    };
}

/// Why an operation ended without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Loss {
    /// The connection ended first: a QoS 0 message was not written to its end, so the server does not have it; a subscription may not
    /// be in force.
    #[error("connection was lost")]
    LinkLost,
    /// The server has lost the Session, and the policy is to report that. It may have had the message before.
    #[error("server has lost the session")]
    SessionLost,
    /// The message's expiry came while it was queued, or at QoS 1 before it could be sent again.
    #[error("message expired before it was sent or sent again")]
    Expired,
    /// It made room in a full queue for a newer message: see [`QueueFull`](crate::session::QueueFull).
    #[error("message was dropped from a full queue for a newer one; raise queue_messages or queue_bytes")]
    Dropped,
    /// The session was closed by [`crate::session::Session::disconnect`].
    #[error("session was closed")]
    Closed,
    /// On this connection the server does not accept the message.
    #[error("server does not accept the message: {0}")]
    NotAccepted(SubmitError),
}

/// The Reason Codes of a SUBACK or UNSUBACK, and what the server said besides.
#[derive(Clone, PartialEq, Eq)]
pub struct Reasons {
    pub(super) codes: Bytes,
    pub(super) details: Details,
}

impl Reasons {
    /// The codes in the order of the Topic Filters.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ReasonCode> + '_ {
        self.codes.iter().map(|code| ReasonCode(*code))
    }

    /// The first code that says that something failed.
    #[must_use]
    pub fn first_error(&self) -> Option<ReasonCode> {
        self.iter().find(|code| code.is_error())
    }

    /// Reason String and User Properties of the packet.
    #[must_use]
    pub fn details(&self) -> &Details {
        &self.details
    }
}

impl fmt::Debug for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Why an operation was not accepted. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The queue of messages to send is at its bound.
    #[error(
        "queue of outgoing messages is full; wait for completions or raise queue_messages or queue_bytes"
    )]
    QueueFull,
    /// The packet is larger than the server's Maximum Packet Size.
    #[error("packet of {size} bytes is larger than the server's maximum of {max}")]
    TooLarge {
        /// Bytes of the packet.
        size: usize,
        /// The server's Maximum Packet Size.
        max: u32,
    },
    /// The server's Maximum QoS is lower.
    #[error("server accepts no more than QoS {}", *.0 as u8)]
    QosNotSupported(QoS),
    /// The server has no retained messages.
    #[error("server does not support retained messages")]
    RetainNotSupported,
    /// The server has no wildcard subscriptions.
    #[error("server does not support wildcard subscriptions")]
    WildcardNotSupported,
    /// The server has no shared subscriptions.
    #[error("server does not support shared subscriptions")]
    SharedNotSupported,
    /// The server has no Subscription Identifiers.
    #[error("server does not support subscription identifiers")]
    SubscriptionIdNotSupported,
    /// All 65,535 Packet Identifiers are in use.
    #[error("all packet identifiers are in use; wait for completions")]
    NoPacketId,
    /// There is no connection, and this operation is not queued without one.
    #[error("not connected")]
    NotConnected,
    /// The session is disconnecting.
    #[error("session is disconnecting")]
    Closing,
    /// The token is from an older connection, or already acknowledged.
    #[error("acknowledgement token is not outstanding")]
    StaleToken,
    /// The configuration has no authentication method, or the connection is a 3.1.1 one.
    #[error("connection has no enhanced authentication; configure an authentication method")]
    NoAuthentication,
    /// There is no challenge to answer.
    #[error("server has not asked for authentication data; wait for its challenge")]
    NotChallenged,
    /// One authentication at a time.
    #[error("an authentication is in progress; wait for its completion")]
    Authenticating,
    /// The CONNECT asked for a Session that ends with the connection, which a DISCONNECT cannot prolong [MQTT 5.0
    /// §3.14.2.2.2].
    #[error("disconnect cannot prolong a session whose session expiry is zero; set it in the configuration")]
    SessionExpiry,
    /// The packet cannot be encoded.
    #[error("packet is invalid: {0}")]
    Invalid(EncodeError),
}

impl SubmitError {
    /// Whose doing it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::QueueFull | Self::NoPacketId => Blame::Limit,
            Self::NotConnected
            | Self::Closing
            | Self::StaleToken
            | Self::NoAuthentication
            | Self::NotChallenged
            | Self::Authenticating
            | Self::SessionExpiry
            | Self::Invalid(_) => Blame::Misuse,
            _ => Blame::Incompatible,
        }
    }
}

/// An operation that was not accepted, with what was submitted handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused<T> {
    /// Why.
    pub reason: SubmitError,
    /// What was submitted, unchanged.
    pub submitted: T,
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<T: fmt::Debug> core::error::Error for Refused<T> {}
