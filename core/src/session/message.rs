//! A received message: one handle on the packet it came in, and where in it things are.

use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;

use crate::codec::{FixedHeader, Properties, QoS, ReceivedPublish, Validated};

/// An Application Message from the server.
///
/// It shares the receive buffer: keep it only as long as needed, or copy what must live longer.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    frame: Bytes,
    topic: Topic,
    /// Where the properties begin, which end at the payload.
    properties: u32,
    validated: Validated,
    payload: u32,
    qos: QoS,
    retain: bool,
    dup: bool,
    ack: Option<AckToken>,
}

/// Where the Topic Name of a message is.
#[derive(Clone, PartialEq, Eq)]
enum Topic {
    InFrame(Range<u32>),
    /// The packet had a Topic Alias alone.
    Aliased(Arc<str>),
}

/// Right to acknowledge one received message, in [`crate::session::AckMode::Manual`]. Valid on its own connection only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckToken(pub(super) u64);

impl AckToken {
    /// The token as an integer.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }

    /// The token that [`AckToken::to_u64`] gave; any other integer is a stale one.
    #[must_use]
    pub const fn from_u64(raw: u64) -> Self {
        Self(raw)
    }
}

/// Where in a frame the parts of a PUBLISH are, so that the frame may be moved out from under the borrowed packet.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    topic: Range<u32>,
    properties: u32,
    validated: Validated,
    payload: u32,
    qos: QoS,
    retain: bool,
    dup: bool,
}

impl Layout {
    /// Notes where the parts of `publish` are in `frame`, from which it was decoded.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a packet is shorter than 2^28 bytes"
    )]
    pub(super) fn of(publish: &ReceivedPublish<'_>, header: FixedHeader, frame: &[u8]) -> Self {
        // The topic comes first, behind its length; the properties, if any, end where the payload begins.
        let topic = u32::from(header.header_len) + 2;
        let payload = (frame.len() - publish.payload.len()) as u32;
        Self {
            topic: topic..topic + publish.topic.len() as u32,
            properties: payload - publish.properties.as_bytes().len() as u32,
            validated: publish.properties.validated(),
            payload,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
        }
    }

    /// The message in `frame`, whose topic is that of the alias where it has one.
    #[inline]
    pub(super) fn message(self, frame: Bytes, alias: Option<Arc<str>>, ack: Option<AckToken>) -> Message {
        Message {
            frame,
            topic: alias.map_or(Topic::InFrame(self.topic), Topic::Aliased),
            properties: self.properties,
            validated: self.validated,
            payload: self.payload,
            qos: self.qos,
            retain: self.retain,
            dup: self.dup,
            ack,
        }
    }
}

impl Message {
    /// Topic Name, also where the server sent a Topic Alias in its place.
    #[must_use]
    pub fn topic(&self) -> &str {
        match &self.topic {
            Topic::InFrame(range) => core::str::from_utf8(self.part(range)).unwrap_or_default(),
            Topic::Aliased(topic) => topic,
        }
    }

    /// Application Message, borrowed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.frame[self.payload as usize..]
    }

    /// Application Message as a handle of its own; no copy.
    #[must_use]
    pub fn payload_bytes(&self) -> Bytes {
        self.frame.slice(self.payload as usize..)
    }

    /// Properties; empty in 3.1.1.
    #[must_use]
    pub fn properties(&self) -> Properties<'_> {
        Properties::rejoin(self.part(&(self.properties..self.payload)), self.validated)
    }

    /// Quality of Service of the delivery.
    #[must_use]
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// Whether the server sent it because it was retained.
    #[must_use]
    pub fn retain(&self) -> bool {
        self.retain
    }

    /// Whether the server may have sent it before.
    #[must_use]
    pub fn dup(&self) -> bool {
        self.dup
    }

    /// What to acknowledge it with; `None` at QoS 0 and with automatic acknowledgement.
    #[must_use]
    pub fn ack_token(&self) -> Option<AckToken> {
        self.ack
    }

    fn part(&self, range: &Range<u32>) -> &[u8] {
        &self.frame[range.start as usize..range.end as usize]
    }
}

impl fmt::Debug for Message {
    /// Shows sizes, never the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic())
            .field("payload_len", &self.payload().len())
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("dup", &self.dup)
            .field("ack", &self.ack)
            .finish_non_exhaustive()
    }
}
