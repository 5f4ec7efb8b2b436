//! Reason Codes of MQTT 5.0 §2.4, which also stand for the return codes of 3.1.1.

use super::{DecodeErrorKind, PacketType, Version};
use core::fmt;

/// A Reason Code as it is on the wire. 3.1.1 CONNACK return codes are translated to their 5.0 equivalents
/// (1→0x84, 2→0x85, 3→0x88, 4→0x86, 5→0x87) on decode and back on encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode(pub u8);

#[allow(missing_docs)]
impl ReasonCode {
    pub const SUCCESS: Self = Self(0x00);
    pub const GRANTED_QOS_1: Self = Self(0x01);
    pub const GRANTED_QOS_2: Self = Self(0x02);
    pub const DISCONNECT_WITH_WILL: Self = Self(0x04);
    pub const NO_MATCHING_SUBSCRIBERS: Self = Self(0x10);
    pub const NO_SUBSCRIPTION_EXISTED: Self = Self(0x11);
    pub const CONTINUE_AUTHENTICATION: Self = Self(0x18);
    pub const REAUTHENTICATE: Self = Self(0x19);
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);
    pub const MALFORMED_PACKET: Self = Self(0x81);
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    pub const IMPLEMENTATION_SPECIFIC_ERROR: Self = Self(0x83);
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(0x84);
    pub const CLIENT_IDENTIFIER_NOT_VALID: Self = Self(0x85);
    pub const BAD_USER_NAME_OR_PASSWORD: Self = Self(0x86);
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    pub const SERVER_BUSY: Self = Self(0x89);
    pub const BANNED: Self = Self(0x8A);
    pub const SERVER_SHUTTING_DOWN: Self = Self(0x8B);
    pub const BAD_AUTHENTICATION_METHOD: Self = Self(0x8C);
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8D);
    pub const SESSION_TAKEN_OVER: Self = Self(0x8E);
    pub const TOPIC_FILTER_INVALID: Self = Self(0x8F);
    pub const TOPIC_NAME_INVALID: Self = Self(0x90);
    pub const PACKET_IDENTIFIER_IN_USE: Self = Self(0x91);
    pub const PACKET_IDENTIFIER_NOT_FOUND: Self = Self(0x92);
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    pub const MESSAGE_RATE_TOO_HIGH: Self = Self(0x96);
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    pub const ADMINISTRATIVE_ACTION: Self = Self(0x98);
    pub const PAYLOAD_FORMAT_INVALID: Self = Self(0x99);
    pub const RETAIN_NOT_SUPPORTED: Self = Self(0x9A);
    pub const QOS_NOT_SUPPORTED: Self = Self(0x9B);
    pub const USE_ANOTHER_SERVER: Self = Self(0x9C);
    pub const SERVER_MOVED: Self = Self(0x9D);
    pub const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0x9E);
    pub const CONNECTION_RATE_EXCEEDED: Self = Self(0x9F);
    pub const MAXIMUM_CONNECT_TIME: Self = Self(0xA0);
    pub const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Self = Self(0xA1);
    pub const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0xA2);

    /// Whether the code says that something failed (0x80 and above).
    #[must_use]
    #[inline]
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The specification's name for the code, or "unknown reason code".
    ///
    /// 0x00 is "success" in every packet, though SUBACK calls it "granted qos 0" and DISCONNECT "normal disconnection".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SUCCESS => "success",
            Self::GRANTED_QOS_1 => "granted qos 1",
            Self::GRANTED_QOS_2 => "granted qos 2",
            Self::DISCONNECT_WITH_WILL => "disconnect with will message",
            Self::NO_MATCHING_SUBSCRIBERS => "no matching subscribers",
            Self::NO_SUBSCRIPTION_EXISTED => "no subscription existed",
            Self::CONTINUE_AUTHENTICATION => "continue authentication",
            Self::REAUTHENTICATE => "re-authenticate",
            Self::UNSPECIFIED_ERROR => "unspecified error",
            Self::MALFORMED_PACKET => "malformed packet",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::IMPLEMENTATION_SPECIFIC_ERROR => "implementation specific error",
            Self::UNSUPPORTED_PROTOCOL_VERSION => "unsupported protocol version",
            Self::CLIENT_IDENTIFIER_NOT_VALID => "client identifier not valid",
            Self::BAD_USER_NAME_OR_PASSWORD => "bad user name or password",
            Self::NOT_AUTHORIZED => "not authorized",
            Self::SERVER_UNAVAILABLE => "server unavailable",
            Self::SERVER_BUSY => "server busy",
            Self::BANNED => "banned",
            Self::SERVER_SHUTTING_DOWN => "server shutting down",
            Self::BAD_AUTHENTICATION_METHOD => "bad authentication method",
            Self::KEEP_ALIVE_TIMEOUT => "keep alive timeout",
            Self::SESSION_TAKEN_OVER => "session taken over",
            Self::TOPIC_FILTER_INVALID => "topic filter invalid",
            Self::TOPIC_NAME_INVALID => "topic name invalid",
            Self::PACKET_IDENTIFIER_IN_USE => "packet identifier in use",
            Self::PACKET_IDENTIFIER_NOT_FOUND => "packet identifier not found",
            Self::RECEIVE_MAXIMUM_EXCEEDED => "receive maximum exceeded",
            Self::TOPIC_ALIAS_INVALID => "topic alias invalid",
            Self::PACKET_TOO_LARGE => "packet too large",
            Self::MESSAGE_RATE_TOO_HIGH => "message rate too high",
            Self::QUOTA_EXCEEDED => "quota exceeded",
            Self::ADMINISTRATIVE_ACTION => "administrative action",
            Self::PAYLOAD_FORMAT_INVALID => "payload format invalid",
            Self::RETAIN_NOT_SUPPORTED => "retain not supported",
            Self::QOS_NOT_SUPPORTED => "qos not supported",
            Self::USE_ANOTHER_SERVER => "use another server",
            Self::SERVER_MOVED => "server moved",
            Self::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED => "shared subscriptions not supported",
            Self::CONNECTION_RATE_EXCEEDED => "connection rate exceeded",
            Self::MAXIMUM_CONNECT_TIME => "maximum connect time",
            Self::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED => "subscription identifiers not supported",
            Self::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED => "wildcard subscriptions not supported",
            _ => "unknown reason code",
        }
    }

    /// Whether 5.0's `packet` may carry this code.
    #[inline]
    pub(super) const fn is_allowed_in(self, packet: PacketType) -> bool {
        match packet {
            PacketType::Connack => CONNACK.contains(self),
            PacketType::Puback | PacketType::Pubrec => PUBACK_AND_PUBREC.contains(self),
            PacketType::Pubrel | PacketType::Pubcomp => PUBREL_AND_PUBCOMP.contains(self),
            PacketType::Suback => SUBACK.contains(self),
            PacketType::Unsuback => UNSUBACK.contains(self),
            PacketType::Disconnect => DISCONNECT.contains(self),
            PacketType::Auth => AUTH.contains(self),
            _ => false,
        }
    }

    /// Reads a 5.0 code of `packet`.
    #[inline]
    pub(super) const fn checked(code: u8, packet: PacketType) -> Result<Self, DecodeErrorKind> {
        if Self(code).is_allowed_in(packet) {
            Ok(Self(code))
        } else {
            Err(DecodeErrorKind::ReasonCodeNotAllowed(code))
        }
    }

    /// Whether a SUBACK of `version` may carry this code.
    pub(super) const fn is_suback_code(self, version: Version) -> bool {
        match version {
            Version::V3_1_1 => matches!(self.0, 0..=2 | 0x80),
            Version::V5 => self.is_allowed_in(PacketType::Suback),
        }
    }

    /// Translates a 3.1.1 CONNACK return code.
    pub(super) const fn from_return_code(code: u8) -> Result<Self, DecodeErrorKind> {
        Ok(match code {
            0 => Self::SUCCESS,
            1 => Self::UNSUPPORTED_PROTOCOL_VERSION,
            2 => Self::CLIENT_IDENTIFIER_NOT_VALID,
            3 => Self::SERVER_UNAVAILABLE,
            4 => Self::BAD_USER_NAME_OR_PASSWORD,
            5 => Self::NOT_AUTHORIZED,
            _ => return Err(DecodeErrorKind::ReasonCodeNotAllowed(code)),
        })
    }

    /// The 3.1.1 CONNACK return code, if this is the translation of one.
    pub(super) const fn to_return_code(self) -> Option<u8> {
        Some(match self {
            Self::SUCCESS => 0,
            Self::UNSUPPORTED_PROTOCOL_VERSION => 1,
            Self::CLIENT_IDENTIFIER_NOT_VALID => 2,
            Self::SERVER_UNAVAILABLE => 3,
            Self::BAD_USER_NAME_OR_PASSWORD => 4,
            Self::NOT_AUTHORIZED => 5,
            _ => return None,
        })
    }
}

impl fmt::Display for ReasonCode {
    /// `not authorized (0x87)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#04x})", self.name(), self.0)
    }
}

/// A set of codes as bits: below 0x40 in `low`, from 0x80 in `high`.
#[derive(Clone, Copy)]
struct CodeSet {
    low: u64,
    high: u64,
}

impl CodeSet {
    const fn of(codes: &[u8]) -> Self {
        let mut set = Self { low: 0, high: 0 };
        let mut index = 0;
        while index < codes.len() {
            let bit = 1 << (codes[index] & 0x3F);
            if codes[index] & 0x80 == 0 {
                set.low |= bit;
            } else {
                set.high |= bit;
            }
            index += 1;
        }
        set
    }

    const fn contains(&self, code: ReasonCode) -> bool {
        let half = match code.0 {
            0x00..=0x3F => self.low,
            0x80..=0xBF => self.high,
            _ => 0,
        };
        half & (1 << (code.0 & 0x3F)) != 0
    }
}

/// §3.2.2.2.
const CONNACK: CodeSet = CodeSet::of(&[
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
    0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
]);
/// §3.4.2.1 and §3.5.2.1.
const PUBACK_AND_PUBREC: CodeSet = CodeSet::of(&[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);
/// §3.6.2.1 and §3.7.2.1.
const PUBREL_AND_PUBCOMP: CodeSet = CodeSet::of(&[0x00, 0x92]);
/// §3.9.3.
const SUBACK: CodeSet = CodeSet::of(&[
    0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2,
]);
/// §3.11.3.
const UNSUBACK: CodeSet = CodeSet::of(&[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]);
/// §3.14.2.1, and 0x8C, which the table of §2.4 gives to DISCONNECT too: a failed re-authentication ends with it.
const DISCONNECT: CodeSet = CodeSet::of(&[
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
    0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
]);
/// §3.15.2.1.
const AUTH: CodeSet = CodeSet::of(&[0x00, 0x18, 0x19]);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn reason_code_reads_as_name_and_number() {
        assert_eq!(ReasonCode::NOT_AUTHORIZED.to_string(), "not authorized (0x87)");
        assert_eq!(ReasonCode(0x7F).to_string(), "unknown reason code (0x7f)");
    }

    #[test]
    fn every_code_that_a_packet_may_carry_has_a_name() {
        let packets = [
            (PacketType::Connack, 22),
            (PacketType::Puback, 9),
            (PacketType::Pubrec, 9),
            (PacketType::Pubrel, 2),
            (PacketType::Pubcomp, 2),
            (PacketType::Suback, 12),
            (PacketType::Unsuback, 7),
            (PacketType::Disconnect, 30),
            (PacketType::Auth, 3),
            (PacketType::Publish, 0),
        ];
        for (packet, count) in packets {
            let allowed: alloc::vec::Vec<_> = (0..=u8::MAX)
                .map(ReasonCode)
                .filter(|code| code.is_allowed_in(packet))
                .collect();
            assert_eq!(allowed.len(), count, "{packet}");
            assert!(
                allowed.iter().all(|code| code.name() != "unknown reason code"),
                "{packet}"
            );
        }
    }

    #[test]
    fn codes_from_0x80_are_errors() {
        assert!(!ReasonCode(0x7F).is_error());
        assert!(ReasonCode::UNSPECIFIED_ERROR.is_error());
    }
}
