//! CONNECT: how a client opens its connection.

use super::primitive::{self, Reader};
use super::property_id::IdSet;
use super::{DecodeErrorKind, EncodeError, PacketType, Properties, QoS, Version};
use alloc::vec::Vec;
use core::fmt;

const PROTOCOL_NAME: &str = "MQTT";

const RESERVED: u8 = 0x01;
const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;

/// CONNECT (MQTT 5.0 §3.1). Its version is part of the packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Protocol version asked for.
    pub version: Version,
    /// Clean Start (5.0) or Clean Session (3.1.1).
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 is off.
    pub keep_alive: u16,
    /// Client Identifier; may be empty.
    pub client_id: &'a str,
    /// Properties.
    pub properties: Properties<'a>,
    /// Will Message.
    pub will: Option<LastWill<'a>>,
    /// User Name.
    pub username: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
}

/// The Will Message in a CONNECT.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LastWill<'a> {
    /// Will Topic.
    pub topic: &'a str,
    /// Will Payload.
    pub payload: &'a [u8],
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// Will Properties.
    pub properties: Properties<'a>,
}

impl<'a> Connect<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, DecodeErrorKind> {
        if reader.string()? != PROTOCOL_NAME {
            return Err(DecodeErrorKind::ProtocolNameUnknown);
        }
        let version = match reader.u8()? {
            4 => Version::V3_1_1,
            5 => Version::V5,
            level => return Err(DecodeErrorKind::ProtocolLevelUnsupported(level)),
        };
        let flags = reader.u8()?;
        check_flags(flags, version)?;
        let clean_start = flags & CLEAN_START != 0;
        let keep_alive = reader.u16()?;
        let properties = match version {
            Version::V3_1_1 => Properties::EMPTY,
            Version::V5 => Properties::read(&mut reader, IdSet::allowed_in(PacketType::Connect))?,
        };
        let client_id = reader.string()?;
        if client_id.is_empty() && !clean_start && version == Version::V3_1_1 {
            return Err(DecodeErrorKind::ClientIdMissing);
        }
        let will = if flags & WILL != 0 {
            Some(LastWill::read(&mut reader, flags, version)?)
        } else {
            None
        };
        let username = if flags & USERNAME != 0 {
            Some(reader.string()?)
        } else {
            None
        };
        let password = if flags & PASSWORD != 0 {
            Some(reader.binary()?)
        } else {
            None
        };
        reader.finish()?;
        Ok(Self {
            version,
            clean_start,
            keep_alive,
            client_id,
            properties,
            will,
            username,
            password,
        })
    }

    pub(super) fn body_len(&self) -> Result<usize, EncodeError> {
        if self.version == Version::V3_1_1 {
            if self.password.is_some() && self.username.is_none() {
                return Err(EncodeError::Invalid(
                    PacketType::Connect,
                    "3.1.1 allows a password with a user name alone: add the user name",
                ));
            }
            if self.client_id.is_empty() && !self.clean_start {
                return Err(EncodeError::Invalid(
                    PacketType::Connect,
                    "3.1.1 allows an empty client identifier with a clean session alone: choose one",
                ));
            }
        }
        let mut len = primitive::string_len(PROTOCOL_NAME, "protocol name")? + 1 + 1 + 2;
        len += self.properties.encoded_len(PacketType::Connect, self.version)?;
        len += primitive::string_len(self.client_id, "client identifier")?;
        if let Some(will) = &self.will {
            len += will.len(self.version)?;
        }
        if let Some(username) = self.username {
            len += primitive::string_len(username, "user name")?;
        }
        if let Some(password) = self.password {
            len += primitive::binary_len(password, "password")?;
        }
        Ok(len)
    }

    pub(super) fn put_body(&self, out: &mut Vec<u8>) {
        primitive::put_binary(out, PROTOCOL_NAME.as_bytes());
        out.push(match self.version {
            Version::V3_1_1 => 4,
            Version::V5 => 5,
        });
        out.push(self.flags());
        out.extend_from_slice(&self.keep_alive.to_be_bytes());
        self.properties.put(self.version, out);
        primitive::put_binary(out, self.client_id.as_bytes());
        if let Some(will) = &self.will {
            will.properties.put(self.version, out);
            primitive::put_binary(out, will.topic.as_bytes());
            primitive::put_binary(out, will.payload);
        }
        if let Some(username) = self.username {
            primitive::put_binary(out, username.as_bytes());
        }
        if let Some(password) = self.password {
            primitive::put_binary(out, password);
        }
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START;
        }
        if let Some(will) = &self.will {
            flags |= WILL | (will.qos as u8) << WILL_QOS_SHIFT;
            if will.retain {
                flags |= WILL_RETAIN;
            }
        }
        if self.username.is_some() {
            flags |= USERNAME;
        }
        if self.password.is_some() {
            flags |= PASSWORD;
        }
        flags
    }
}

impl fmt::Debug for Connect<'_> {
    /// Leaves the password out: a log must not hold it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("clean_start", &self.clean_start)
            .field("keep_alive", &self.keep_alive)
            .field("client_id", &self.client_id)
            .field("properties", &self.properties)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.map(|_| "…"))
            .finish()
    }
}

impl<'a> LastWill<'a> {
    fn read(reader: &mut Reader<'a>, flags: u8, version: Version) -> Result<Self, DecodeErrorKind> {
        let qos = QoS::from_bits(flags >> WILL_QOS_SHIFT & 3).ok_or(DecodeErrorKind::WillFlagsInvalid)?;
        let properties = match version {
            Version::V3_1_1 => Properties::EMPTY,
            Version::V5 => Properties::read(reader, IdSet::WILL)?,
        };
        let topic = reader.topic_name()?;
        if topic.is_empty() {
            return Err(DecodeErrorKind::TopicMissing);
        }
        let payload = reader.binary()?;
        Ok(Self {
            topic,
            payload,
            qos,
            retain: flags & WILL_RETAIN != 0,
            properties,
        })
    }

    fn len(&self, version: Version) -> Result<usize, EncodeError> {
        if self.topic.is_empty() || !crate::topic::is_plain(self.topic.as_bytes()) {
            return Err(EncodeError::Invalid(
                PacketType::Connect,
                "the will topic must be a topic name: not empty, without +, # and the null character",
            ));
        }
        Ok(self.properties.encoded_will_len(version)?
            + primitive::string_len(self.topic, "will topic")?
            + primitive::binary_len(self.payload, "will payload")?)
    }
}

impl fmt::Debug for LastWill<'_> {
    /// Gives the payload's length alone: a log must not hold it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastWill")
            .field("topic", &self.topic)
            .field("payload_len", &self.payload.len())
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("properties", &self.properties)
            .finish()
    }
}

fn check_flags(flags: u8, version: Version) -> Result<(), DecodeErrorKind> {
    if flags & RESERVED != 0 {
        return Err(DecodeErrorKind::ReservedConnectFlag);
    }
    let will_qos = flags >> WILL_QOS_SHIFT & 3;
    if will_qos == 3 || flags & WILL == 0 && (will_qos != 0 || flags & WILL_RETAIN != 0) {
        return Err(DecodeErrorKind::WillFlagsInvalid);
    }
    if version == Version::V3_1_1 && flags & PASSWORD != 0 && flags & USERNAME == 0 {
        return Err(DecodeErrorKind::PasswordWithoutUsername);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{assert_canonical, refusal, write};
    use crate::codec::{Packet, PropertyId};
    use alloc::format;

    const BARE: Connect<'_> = Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 60,
        client_id: "abc",
        properties: Properties::EMPTY,
        will: None,
        username: None,
        password: None,
    };

    #[test]
    fn connect_with_everything_survives_a_round_trip() {
        assert_canonical(
            "10 .. 0004'MQTT' 05 EE 000A 0D 11 FFFFFFFF 21 0001 27 00000400 0003'abc' \
             0F 18 00000005 02 0000003C 03 0002'ct' 0004'will' 0003'bye' 0004'user' 0004'pass'",
            Version::V5,
        );
        assert_canonical(
            "10 .. 0004'MQTT' 04 F6 000A 0003'abc' 0004'will' 0003'bye' 0004'user' 0004'pass'",
            Version::V3_1_1,
        );
    }

    #[test]
    fn unknown_protocol_name_and_level_are_refused() {
        assert_eq!(
            refusal("10 0E 0006'MQIsdp' 03 02 003C 0000", Version::V5),
            DecodeErrorKind::ProtocolNameUnknown
        );
        assert_eq!(
            refusal("10 0C 0004'mqtt' 04 02 003C 0000", Version::V5),
            DecodeErrorKind::ProtocolNameUnknown
        );
        assert_eq!(
            refusal("10 0C 0004'MQTT' 06 02 003C 0000", Version::V5),
            DecodeErrorKind::ProtocolLevelUnsupported(6)
        );
    }

    #[test]
    fn reserved_connect_flag_is_refused() {
        assert_eq!(
            refusal("10 0C 0004'MQTT' 04 03 003C 0000", Version::V5),
            DecodeErrorKind::ReservedConnectFlag
        );
    }

    #[test]
    fn will_flags_must_be_consistent() {
        for flags in ["0A", "12", "22", "1E"] {
            let packet = format!("10 0C 0004'MQTT' 04 {flags} 003C 0000");
            assert_eq!(
                refusal(&packet, Version::V5),
                DecodeErrorKind::WillFlagsInvalid,
                "flags {flags}"
            );
        }
    }

    #[test]
    fn password_without_user_name_is_allowed_in_5_0_alone() {
        assert_eq!(
            refusal("10 10 0004'MQTT' 04 42 003C 0000 0002'pw'", Version::V5),
            DecodeErrorKind::PasswordWithoutUsername
        );
        assert_canonical("10 11 0004'MQTT' 05 42 003C 00 0000 0002'pw'", Version::V5);
        let packet = Connect {
            version: Version::V3_1_1,
            password: Some(b"pw"),
            ..BARE
        };
        assert!(write(&Packet::Connect(packet), Version::V3_1_1).is_err());
    }

    #[test]
    fn empty_client_identifier_needs_a_clean_session_in_3_1_1() {
        assert_eq!(
            refusal("10 0C 0004'MQTT' 04 00 003C 0000", Version::V5),
            DecodeErrorKind::ClientIdMissing
        );
        assert_canonical("10 0C 0004'MQTT' 04 02 003C 0000", Version::V3_1_1);
        assert_canonical("10 0D 0004'MQTT' 05 00 003C 00 0000", Version::V5);
        let packet = Connect {
            version: Version::V3_1_1,
            client_id: "",
            clean_start: false,
            ..BARE
        };
        assert!(write(&Packet::Connect(packet), Version::V3_1_1).is_err());
    }

    #[test]
    fn will_topic_must_be_a_topic_name() {
        assert_eq!(
            refusal("10 11 0004'MQTT' 04 06 003C 0000 0001'#' 0000", Version::V5),
            DecodeErrorKind::WildcardInTopicName
        );
        assert_eq!(
            refusal("10 10 0004'MQTT' 04 06 003C 0000 0000 0000", Version::V5),
            DecodeErrorKind::TopicMissing
        );
        let will = LastWill {
            topic: "a/+",
            payload: b"",
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        };
        assert!(
            write(
                &Packet::Connect(Connect {
                    will: Some(will),
                    ..BARE
                }),
                Version::V5
            )
            .is_err()
        );
    }

    #[test]
    fn will_has_its_own_properties() {
        // Will Delay Interval belongs to the Will, Session Expiry Interval to the CONNECT.
        assert_eq!(
            refusal("10 12 0004'MQTT' 05 02 003C 05 18 00000005 0000", Version::V5),
            DecodeErrorKind::PropertyNotAllowed(PropertyId::WillDelayInterval)
        );
        assert_eq!(
            refusal(
                "10 18 0004'MQTT' 05 06 003C 00 0000 05 11 00000005 0001'a' 0000",
                Version::V5
            ),
            DecodeErrorKind::PropertyNotAllowed(PropertyId::SessionExpiryInterval)
        );
    }

    #[test]
    fn bytes_behind_the_last_field_are_refused() {
        assert_eq!(
            refusal("10 0D 0004'MQTT' 04 02 003C 0000 00", Version::V5),
            DecodeErrorKind::TrailingBytes
        );
    }

    #[test]
    fn debug_output_hides_password_and_will_payload() {
        let will = LastWill {
            topic: "a",
            payload: b"secret",
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        };
        let connect = Connect {
            password: Some(b"secret"),
            will: Some(will),
            ..BARE
        };
        let text = format!("{connect:?}");
        assert!(!text.contains("secret") && !text.contains("115, 101"), "{text}");
    }
}
