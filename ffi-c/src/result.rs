//! Result codes: number, name and text.

use std::ffi::{CStr, c_char};

use syncline_core::codec::{DecodeError, EncodeError, ReasonCode};
use syncline_core::flowsync::{NodeConfigError, Refusal, RespondError};
use syncline_core::session::SubmitError;

use crate::border;

/// What a call came to. Numbers are never reused: new ones are added, at the end of their family.
///
/// Below 1000: no error. From 1000: the call breaks this interface's rules. From 2000: the peer broke the protocol.
/// From 3000: a limit was reached. From 4000: the server does not offer it. From 9000: a bug in this library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// Done; outputs are written.
    Ok = 0,
    /// The bytes are the beginning of a packet: come back with more.
    Incomplete = 1,
    /// There is nothing to hand out.
    Empty = 2,

    /// A pointer that has to be given is NULL.
    NullPointer = 1000,
    /// A length is larger than any object can be.
    LengthInvalid = 1001,
    /// A text is not UTF-8.
    NotUtf8 = 1002,
    /// A value is not one JSON text.
    NotJson = 1003,
    /// A protocol version is neither 4 (MQTT 3.1.1) nor 5 (MQTT 5.0).
    VersionUnknown = 1004,
    /// A number is outside the range that its documentation gives.
    OutOfRange = 1005,
    /// The topic is not a Topic Name.
    TopicInvalid = 1006,
    /// The buffer is too small; the length that it needs is written.
    BufferTooSmall = 1007,
    /// The fields do not make a packet.
    PacketInvalid = 1008,
    /// The packet is of another type than this function reads.
    WrongPacketType = 1009,
    /// The number names no node of this requester.
    NodeUnknown = 1010,
    /// A node with the same topic exists, or there are as many nodes as there can be.
    NodeRefused = 1011,
    /// The seed is not 32 bytes long.
    SeedInvalid = 1012,
    /// The number names no setting, limit or property.
    Unknown = 1013,
    /// The configuration cannot be: the error text says which part of it.
    ConfigInvalid = 1014,
    /// The filter is not a Topic Filter.
    FilterInvalid = 1015,
    /// The property cannot be there, or its value is out of range.
    PropertyInvalid = 1016,
    /// There is no connection, and this operation is not queued without one.
    NotConnected = 1017,
    /// The session is disconnecting.
    Closing = 1018,
    /// The acknowledgement token is not outstanding.
    StaleToken = 1019,
    /// The connection has no enhanced authentication.
    NoAuthentication = 1020,
    /// There is no challenge to answer.
    NotChallenged = 1021,
    /// An authentication is in progress.
    Authenticating = 1022,
    /// A disconnect cannot prolong a Session that ends with its connection.
    SessionExpiryInvalid = 1023,
    /// The records do not make a session: the error text says which one.
    RecordsInvalid = 1024,
    /// The transaction is not known, or no longer remembered.
    TransactionUnknown = 1025,
    /// The transaction has an answer, which stands.
    AlreadyAnswered = 1026,

    /// The peer's bytes are not a packet.
    MalformedPacket = 2000,
    /// The peer's packet holds what the protocol forbids.
    ProtocolError = 2001,

    /// A packet is larger than allowed.
    PacketTooLarge = 3000,
    /// The node holds as many transactions as it may.
    TooManyInFlight = 3001,
    /// The request cannot be taken now.
    NotReady = 3002,
    /// The queue of messages to send is at its bound.
    QueueFull = 3003,
    /// All Packet Identifiers are in use.
    NoPacketId = 3004,

    /// The server's Maximum QoS is lower.
    QosNotSupported = 4000,
    /// The server has no retained messages.
    RetainNotSupported = 4001,
    /// The server has no wildcard subscriptions.
    WildcardNotSupported = 4002,
    /// The server has no shared subscriptions.
    SharedNotSupported = 4003,
    /// The server has no Subscription Identifiers.
    SubscriptionIdNotSupported = 4004,
    /// The server does not accept packets so large.
    PacketSizeNotSupported = 4005,

    /// A bug in this library was caught; free the handle.
    Panic = 9000,
}

/// Texts by code. The compiler sees to it that none is missing, and the list of all codes comes from here as well.
macro_rules! texts {
    ($($name:ident => $text:literal,)+) => {
        impl Code {
            const ALL: &[Self] = &[$(Self::$name),+];

            pub(crate) const fn text(self) -> &'static CStr {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

texts! {
    Ok => c"ok",
    Incomplete => c"packet is incomplete: read more bytes",
    Empty => c"nothing to hand out",
    NullPointer => c"pointer is NULL where one is expected",
    LengthInvalid => c"length is larger than any object in memory",
    NotUtf8 => c"text is not UTF-8",
    NotJson => c"value is not one JSON text",
    VersionUnknown => c"protocol version is unknown: expected 4 (MQTT 3.1.1) or 5 (MQTT 5.0)",
    OutOfRange => c"number is out of range: the function's comment gives the range",
    TopicInvalid => c"topic is not a topic name: expected 1 to 65535 bytes without + # and NUL",
    BufferTooSmall => c"buffer is too small: the needed length is written",
    PacketInvalid => c"fields do not make a packet",
    WrongPacketType => c"packet is of another type than this function reads",
    NodeUnknown => c"node is unknown or was removed",
    NodeRefused => c"a node with this topic exists, or there is no room for another node",
    SeedInvalid => c"seed is not 32 bytes long",
    Unknown => c"number names no setting, limit or property: the header lists them",
    ConfigInvalid => c"configuration cannot be: the error text says which part",
    FilterInvalid => c"filter is not a topic filter: expected whole levels of + and a last level #",
    PropertyInvalid => c"property cannot be there, or its value is out of range",
    NotConnected => c"not connected: wait for SYNCLINE_OUTPUT_KIND_CONNECTED",
    Closing => c"session is disconnecting",
    StaleToken => c"acknowledgement token is not outstanding",
    NoAuthentication => c"connection has no enhanced authentication: configure a method",
    NotChallenged => c"server has not asked for authentication data: wait for its challenge",
    Authenticating => c"an authentication is in progress: wait for its completion",
    SessionExpiryInvalid => c"disconnect cannot prolong a session whose expiry is zero: configure one",
    RecordsInvalid => c"records do not make a session: the error text says which one",
    TransactionUnknown => c"transaction is not known or no longer remembered",
    AlreadyAnswered => c"transaction is already answered",
    MalformedPacket => c"peer sent a malformed packet: answer reason code 0x81 and close",
    ProtocolError => c"peer broke the protocol: answer reason code 0x82 and close",
    PacketTooLarge => c"packet is larger than allowed",
    TooManyInFlight => c"node holds as many transactions as it may: try again later",
    NotReady => c"request cannot be taken now: try again later",
    QueueFull => c"queue of outgoing messages is full: wait for completions or raise its bounds",
    NoPacketId => c"all packet identifiers are in use: wait for completions",
    QosNotSupported => c"server does not accept this quality of service",
    RetainNotSupported => c"server does not support retained messages",
    WildcardNotSupported => c"server does not support wildcard subscriptions",
    SharedNotSupported => c"server does not support shared subscriptions",
    SubscriptionIdNotSupported => c"server does not support subscription identifiers",
    PacketSizeNotSupported => c"server does not accept packets so large: shorten the message",
    Panic => c"bug in the library: free the handle and report it",
}

impl Code {
    /// Whether the call has done nothing, for whatever reason; the codes of before are no errors.
    pub(crate) const fn is_failure(self) -> bool {
        self as u32 >= Self::NullPointer as u32
    }
}

impl From<DecodeError> for Code {
    fn from(error: DecodeError) -> Self {
        match error.reason_code() {
            ReasonCode::PACKET_TOO_LARGE => Self::PacketTooLarge,
            ReasonCode::MALFORMED_PACKET => Self::MalformedPacket,
            _ => Self::ProtocolError,
        }
    }
}

impl From<EncodeError> for Code {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::PacketTooLarge => Self::PacketTooLarge,
            EncodeError::PropertyNotAllowed(..)
            | EncodeError::PropertyRepeated(_)
            | EncodeError::PropertyValueInvalid(_) => Self::PropertyInvalid,
            _ => Self::PacketInvalid,
        }
    }
}

impl From<SubmitError> for Code {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::QueueFull => Self::QueueFull,
            SubmitError::TooLarge { .. } => Self::PacketSizeNotSupported,
            SubmitError::QosNotSupported(_) => Self::QosNotSupported,
            SubmitError::RetainNotSupported => Self::RetainNotSupported,
            SubmitError::WildcardNotSupported => Self::WildcardNotSupported,
            SubmitError::SharedNotSupported => Self::SharedNotSupported,
            SubmitError::SubscriptionIdNotSupported => Self::SubscriptionIdNotSupported,
            SubmitError::NoPacketId => Self::NoPacketId,
            SubmitError::NotConnected => Self::NotConnected,
            SubmitError::Closing => Self::Closing,
            SubmitError::StaleToken => Self::StaleToken,
            SubmitError::NoAuthentication => Self::NoAuthentication,
            SubmitError::NotChallenged => Self::NotChallenged,
            SubmitError::Authenticating => Self::Authenticating,
            SubmitError::SessionExpiry => Self::SessionExpiryInvalid,
            SubmitError::Invalid(error) => error.into(),
            _ => Self::NotReady,
        }
    }
}

impl From<RespondError> for Code {
    fn from(error: RespondError) -> Self {
        match error {
            RespondError::AlreadyAnswered => Self::AlreadyAnswered,
            _ => Self::TransactionUnknown,
        }
    }
}

impl From<NodeConfigError> for Code {
    fn from(error: NodeConfigError) -> Self {
        match error {
            NodeConfigError::Topic(_) => Self::TopicInvalid,
            _ => Self::OutOfRange,
        }
    }
}

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchNode => Self::NodeUnknown,
            Refusal::TooManyInFlight { .. } => Self::TooManyInFlight,
            Refusal::TooLarge => Self::PacketSizeNotSupported,
            Refusal::LinkDown => Self::NotConnected,
            Refusal::QueueFull => Self::QueueFull,
            Refusal::QosNotSupported => Self::QosNotSupported,
            _ => Self::NotReady,
        }
    }
}

/// The text of a result, static and ended by NUL: what happened and what to do.
#[unsafe(no_mangle)]
pub extern "C" fn syncline_result_str(result: u32) -> *const c_char {
    border::cross_or(UNKNOWN.as_ptr(), || text(result).as_ptr())
}

const UNKNOWN: &CStr = c"unknown result code: the library is newer than the header";

fn text(result: u32) -> &'static CStr {
    Code::ALL
        .iter()
        .find(|code| **code as u32 == result)
        .map_or(UNKNOWN, |code| code.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_text_of_its_own() {
        for (index, code) in Code::ALL.iter().enumerate() {
            let earlier = &Code::ALL[..index];
            assert!(
                earlier.iter().all(|other| other.text() != code.text()),
                "{code:?} says what another says"
            );
            assert!(
                earlier.iter().all(|other| (*other as u32) < *code as u32),
                "{code:?} is out of order"
            );
            assert_eq!(text(*code as u32), code.text());
        }
        assert_eq!(text(999), UNKNOWN);
    }
}
