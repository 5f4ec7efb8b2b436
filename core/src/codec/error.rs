//! What can be wrong with a packet: decode errors with the Reason Code to answer, and encode errors.

use super::{PacketType, PropertyId, ReasonCode};
use crate::error::Blame;
use core::fmt;

/// Why received bytes are not a Control Packet that this protocol version allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// The packet being read, when the first byte named one.
    pub packet: Option<PacketType>,
    /// The rule that was broken.
    pub kind: DecodeErrorKind,
}

/// The rule that received bytes broke.
///
/// A Malformed Packet (0x81) cannot be read as the specification lays packets out; a Protocol Error (0x82) can be read
/// but holds what the protocol forbids (MQTT 5.0 §4.13). Some rules have a Reason Code of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Packet type 0, or 15 (AUTH) in 3.1.1.
    ReservedPacketType(u8),
    /// Fixed-header flags other than those the packet type prescribes (§2.1.3).
    ReservedFlags(u8),
    /// PUBLISH with both QoS bits set.
    PublishQosInvalid,
    /// PUBLISH with DUP at QoS 0.
    DupAtQos0,
    /// A variable byte integer that has a shorter form.
    LengthNotMinimal,
    /// A variable byte integer of more than four bytes.
    LengthTooLong,
    /// A packet over the receiver's Maximum Packet Size.
    PacketTooLarge {
        /// Bytes of the whole packet.
        len: u32,
        /// Bytes that are allowed.
        limit: u32,
    },
    /// A field reaches behind the end of the packet.
    Truncated,
    /// Bytes follow the last field.
    TrailingBytes,
    /// A string that is not well-formed UTF-8.
    InvalidUtf8,
    /// A string with the null character.
    NulInString,
    /// Packet Identifier 0.
    PacketIdZero,
    /// A property identifier that MQTT 5.0 does not define.
    UnknownProperty(u32),
    /// A property that this packet may not carry.
    PropertyNotAllowed(PropertyId),
    /// A second property of a kind that may occur once.
    DuplicateProperty(PropertyId),
    /// A property value outside its range.
    PropertyValueInvalid(PropertyId),
    /// Topic Alias 0.
    TopicAliasZero,
    /// Authentication Data without Authentication Method.
    AuthenticationMethodMissing,
    /// A Reason Code, or 3.1.1 return code, that this packet may not carry.
    ReasonCodeNotAllowed(u8),
    /// PUBLISH with neither Topic Name nor Topic Alias.
    TopicMissing,
    /// `+` or `#` in a Topic Name.
    WildcardInTopicName,
    /// A Topic Filter that §4.7 or §4.8.2 does not allow.
    TopicFilterInvalid,
    /// SUBSCRIBE or UNSUBSCRIBE without Topic Filter.
    NoTopicFilters,
    /// SUBACK or UNSUBACK without Reason Code.
    NoReasonCodes,
    /// Reserved bits set in Subscription Options.
    ReservedSubscribeOptions(u8),
    /// Maximum QoS 3 in Subscription Options.
    SubscribeQosInvalid,
    /// Retain Handling 3 in Subscription Options.
    RetainHandlingInvalid,
    /// No Local on a shared subscription.
    NoLocalOnSharedSubscription,
    /// Reserved bits set in the Connect Acknowledge Flags.
    ReservedConnackFlags(u8),
    /// CONNACK with Session Present and an error.
    SessionPresentWithError,
    /// CONNECT with a protocol name other than `MQTT`.
    ProtocolNameUnknown,
    /// CONNECT with a protocol level other than 4 and 5.
    ProtocolLevelUnsupported(u8),
    /// Reserved bit set in the Connect Flags.
    ReservedConnectFlag,
    /// Will QoS 3, or Will QoS or Will Retain without Will Flag.
    WillFlagsInvalid,
    /// Password without User Name in 3.1.1.
    PasswordWithoutUsername,
    /// Empty Client Identifier without Clean Session in 3.1.1.
    ClientIdMissing,
}

impl DecodeErrorKind {
    /// The Reason Code and the rule in words: what was found, what was expected.
    const fn explain(self) -> (ReasonCode, &'static str) {
        use ReasonCode as R;
        match self {
            Self::ReservedPacketType(_) => (R::MALFORMED_PACKET, "packet type is reserved"),
            Self::ReservedFlags(_) => (
                R::MALFORMED_PACKET,
                "fixed-header flags are not those of this packet type",
            ),
            Self::PublishQosInvalid => (R::MALFORMED_PACKET, "quality of service is 3, expected 0, 1 or 2"),
            Self::DupAtQos0 => (
                R::MALFORMED_PACKET,
                "redelivery flag is set at quality of service 0",
            ),
            Self::LengthNotMinimal => (
                R::MALFORMED_PACKET,
                "variable byte integer is not in its shortest form",
            ),
            Self::LengthTooLong => (
                R::MALFORMED_PACKET,
                "variable byte integer is longer than four bytes",
            ),
            Self::PacketTooLarge { .. } => (
                R::PACKET_TOO_LARGE,
                "packet is larger than the maximum packet size",
            ),
            Self::Truncated => (
                R::MALFORMED_PACKET,
                "a field reaches behind the end of the packet",
            ),
            Self::TrailingBytes => (R::MALFORMED_PACKET, "bytes follow the last field"),
            Self::InvalidUtf8 => (R::MALFORMED_PACKET, "a string is not well-formed utf-8"),
            Self::NulInString => (R::MALFORMED_PACKET, "a string contains the null character"),
            Self::PacketIdZero => (R::PROTOCOL_ERROR, "packet identifier is 0, expected 1 to 65535"),
            Self::UnknownProperty(_) => (R::MALFORMED_PACKET, "property identifier is not defined"),
            Self::PropertyNotAllowed(_) => (R::MALFORMED_PACKET, "property does not belong in this packet"),
            Self::DuplicateProperty(_) => (R::PROTOCOL_ERROR, "property occurs twice, expected once"),
            Self::PropertyValueInvalid(_) => (R::PROTOCOL_ERROR, "property value is out of range"),
            Self::TopicAliasZero => (R::TOPIC_ALIAS_INVALID, "topic alias is 0, expected 1 to 65535"),
            Self::AuthenticationMethodMissing => (R::PROTOCOL_ERROR, "authentication method is missing"),
            Self::ReasonCodeNotAllowed(_) => {
                (R::PROTOCOL_ERROR, "reason code does not belong in this packet")
            }
            Self::TopicMissing => (
                R::PROTOCOL_ERROR,
                "topic name is empty and no topic alias replaces it",
            ),
            Self::WildcardInTopicName => (
                R::TOPIC_NAME_INVALID,
                "topic name contains a wildcard, expected a name without + and #",
            ),
            Self::TopicFilterInvalid => (
                R::TOPIC_FILTER_INVALID,
                "topic filter is invalid, expected non-empty text, + and # as whole levels, # last, and \
                 $share/group/filter for a shared subscription",
            ),
            Self::NoTopicFilters => (R::PROTOCOL_ERROR, "no topic filter, expected at least one"),
            Self::NoReasonCodes => (
                R::PROTOCOL_ERROR,
                "no reason code, expected one for each topic filter",
            ),
            Self::ReservedSubscribeOptions(_) => {
                (R::MALFORMED_PACKET, "reserved subscription option bits are set")
            }
            Self::SubscribeQosInvalid => (
                R::PROTOCOL_ERROR,
                "maximum quality of service is 3, expected 0, 1 or 2",
            ),
            Self::RetainHandlingInvalid => (R::PROTOCOL_ERROR, "retain handling is 3, expected 0, 1 or 2"),
            Self::NoLocalOnSharedSubscription => {
                (R::PROTOCOL_ERROR, "no local is set on a shared subscription")
            }
            Self::ReservedConnackFlags(_) => {
                (R::MALFORMED_PACKET, "reserved connect acknowledge flags are set")
            }
            Self::SessionPresentWithError => (
                R::PROTOCOL_ERROR,
                "session present is set although the connection is refused",
            ),
            Self::ProtocolNameUnknown => (
                R::UNSUPPORTED_PROTOCOL_VERSION,
                "protocol name is unknown, expected MQTT",
            ),
            Self::ProtocolLevelUnsupported(_) => (
                R::UNSUPPORTED_PROTOCOL_VERSION,
                "protocol level is not supported, expected 4 (3.1.1) or 5 (5.0)",
            ),
            Self::ReservedConnectFlag => (R::MALFORMED_PACKET, "reserved connect flag is set"),
            Self::WillFlagsInvalid => (
                R::MALFORMED_PACKET,
                "will quality of service is 3, or will flags are set without a will",
            ),
            Self::PasswordWithoutUsername => (
                R::MALFORMED_PACKET,
                "password without user name, which 3.1.1 does not allow",
            ),
            Self::ClientIdMissing => (
                R::CLIENT_IDENTIFIER_NOT_VALID,
                "client identifier is empty without clean session: choose one or ask for a clean session",
            ),
        }
    }
}

impl DecodeError {
    #[cold]
    pub(super) const fn new(packet: PacketType, kind: DecodeErrorKind) -> Self {
        Self {
            packet: Some(packet),
            kind,
        }
    }

    /// The Reason Code that a DISCONNECT should carry for this error (MQTT 5.0 §4.13).
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        self.kind.explain().0
    }

    /// Always the peer.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        Blame::Protocol
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use DecodeErrorKind as Kind;
        let (reason, rule) = self.kind.explain();
        match self.packet {
            Some(packet) => write!(f, "the peer sent an invalid {packet}: {rule}")?,
            None => write!(f, "the peer sent what is not an mqtt packet: {rule}")?,
        }
        match self.kind {
            Kind::PacketTooLarge { len, limit } => {
                write!(f, " ({len} bytes, limit {limit}: raise the limit or send less)")?;
            }
            Kind::PropertyNotAllowed(id) | Kind::DuplicateProperty(id) | Kind::PropertyValueInvalid(id) => {
                write!(f, " ({id})")?;
            }
            Kind::UnknownProperty(id) => write!(f, " ({id:#04x})")?,
            Kind::ReservedPacketType(found)
            | Kind::ReservedFlags(found)
            | Kind::ReasonCodeNotAllowed(found)
            | Kind::ReservedSubscribeOptions(found)
            | Kind::ReservedConnackFlags(found)
            | Kind::ProtocolLevelUnsupported(found) => write!(f, " ({found:#04x})")?,
            _ => {}
        }
        write!(f, "; answer: {reason}")
    }
}

impl core::error::Error for DecodeError {}

/// Why a packet cannot be written. Nothing has been written when this is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A string or binary field is longer than 65,535 bytes.
    FieldTooLong(&'static str),
    /// A string field contains the null character.
    NulInField(&'static str),
    /// The packet would exceed 268,435,460 bytes.
    PacketTooLarge,
    /// The property is not allowed in this packet (or at all: 3.1.1 with properties).
    PropertyNotAllowed(PacketType, PropertyId),
    /// A second property of a kind that may occur once.
    PropertyRepeated(PropertyId),
    /// A property value outside its range.
    PropertyValueInvalid(PropertyId),
    /// Fields that contradict each other or the protocol version.
    Invalid(PacketType, &'static str),
}

impl EncodeError {
    /// Always the caller.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        Blame::Misuse
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FieldTooLong(field) => {
                write!(
                    f,
                    "{field} is longer than 65535 bytes: shorten it or move it into the payload"
                )
            }
            Self::NulInField(field) => write!(f, "{field} contains the null character: remove it"),
            Self::PacketTooLarge => {
                f.write_str("the packet would be longer than 268435460 bytes: split the payload")
            }
            Self::PropertyNotAllowed(packet, id) => write!(
                f,
                "property {id} does not belong in this {packet}: leave it out (3.1.1 has no properties at all)"
            ),
            Self::PropertyRepeated(id) => write!(f, "property {id} is given twice: give it once"),
            Self::PropertyValueInvalid(id) => {
                write!(
                    f,
                    "property {id} is out of range: see its limits in mqtt 5.0 §2.2.2.2"
                )
            }
            Self::Invalid(packet, rule) => write!(f, "{packet} cannot be written: {rule}"),
        }
    }
}

impl core::error::Error for EncodeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn decode_error_names_packet_rule_finding_and_answer() {
        let error = DecodeError::new(
            PacketType::Connack,
            DecodeErrorKind::DuplicateProperty(PropertyId::ReceiveMaximum),
        );
        assert_eq!(
            error.to_string(),
            "the peer sent an invalid CONNACK: property occurs twice, expected once (receive maximum (0x21)); \
             answer: protocol error (0x82)"
        );
        let error = DecodeError {
            packet: None,
            kind: DecodeErrorKind::ReservedPacketType(0),
        };
        assert_eq!(
            error.to_string(),
            "the peer sent what is not an mqtt packet: packet type is reserved (0x00); answer: malformed packet (0x81)"
        );
    }

    #[test]
    fn size_error_names_size_and_limit() {
        let kind = DecodeErrorKind::PacketTooLarge { len: 131, limit: 130 };
        let text = DecodeError::new(PacketType::Publish, kind).to_string();
        assert!(text.contains("131 bytes, limit 130"), "{text}");
    }

    #[test]
    fn encode_error_names_the_field_and_the_cure() {
        assert_eq!(
            EncodeError::PropertyNotAllowed(PacketType::Subscribe, PropertyId::TopicAlias).to_string(),
            "property topic alias (0x23) does not belong in this SUBSCRIBE: leave it out (3.1.1 has no properties at all)"
        );
    }

    #[test]
    fn decode_errors_blame_the_peer_and_encode_errors_the_caller() {
        let error = DecodeError::new(PacketType::Connack, DecodeErrorKind::Truncated);
        assert_eq!(error.blame(), Blame::Protocol);
        assert_eq!(EncodeError::PacketTooLarge.blame(), Blame::Misuse);
    }
}
