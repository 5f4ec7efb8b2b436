//! PUBLISH: an Application Message on its way, in either direction.

use super::primitive::{self, Reader};
use super::property_id::IdSet;
use super::{
    DecodeError, DecodeErrorKind, EncodeError, FixedHeader, PacketId, PacketType, Properties, PropertyId,
    QoS, Version,
};
use alloc::vec::Vec;

const RETAIN: u8 = 0x01;
const QOS_SHIFT: u8 = 1;
const DUP: u8 = 0x08;

/// PUBLISH (MQTT 5.0 §3.3), both directions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Redelivery flag.
    pub dup: bool,
    /// Quality of Service.
    pub qos: QoS,
    /// Retain flag.
    pub retain: bool,
    /// Topic Name; empty only in 5.0 with a Topic Alias.
    pub topic: &'a str,
    /// Present exactly when QoS > 0.
    pub packet_id: Option<PacketId>,
    /// Properties.
    pub properties: Properties<'a>,
    /// Application Message.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// Decodes the hot packet without the union.
    ///
    /// # Errors
    /// [`DecodeError`] naming the rule that the packet breaks.
    #[inline]
    pub fn decode(header: FixedHeader, frame: &'a [u8], version: Version) -> Result<Self, DecodeError> {
        Self::read(header, frame, version).map_err(|kind| DecodeError::new(PacketType::Publish, kind))
    }

    #[inline]
    fn read(header: FixedHeader, frame: &'a [u8], version: Version) -> Result<Self, DecodeErrorKind> {
        let ReceivedPublish {
            dup,
            qos,
            retain,
            topic,
            packet_id,
            properties,
            payload,
        } = ReceivedPublish::read(header, frame, version)?;
        Ok(Self {
            dup,
            qos,
            retain,
            topic: primitive::utf8(topic)?,
            packet_id,
            properties,
            payload,
        })
    }

    /// Checks the fixed-header flags of a PUBLISH.
    #[inline]
    pub(super) const fn check_flags(flags: u8) -> Result<(), DecodeErrorKind> {
        match flags >> QOS_SHIFT & 3 {
            0 if flags & DUP != 0 => Err(DecodeErrorKind::DupAtQos0),
            3 => Err(DecodeErrorKind::PublishQosInvalid),
            _ => Ok(()),
        }
    }

    /// Appends all but the payload (its length is `payload_len`), so that the payload can follow by handle.
    /// `self.payload` is ignored.
    ///
    /// # Errors
    /// [`EncodeError`], with `out` unchanged.
    #[inline]
    pub fn encode_head(
        &self,
        payload_len: usize,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.check_topic()?;
        self.encode_valid_head(payload_len, version, out)
    }

    /// As [`Self::encode_head`], for a topic that is known to be a Topic Name, or is empty beside its alias.
    #[inline(always)]
    pub(crate) fn encode_valid_head(
        &self,
        payload_len: usize,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let head_len = self.valid_head_len(version)?;
        let remaining_len = primitive::remaining_len(head_len.saturating_add(payload_len))?;
        primitive::put_header(
            out,
            PacketType::Publish.first_byte(self.flags()),
            remaining_len,
            head_len,
        );
        self.put_head(version, out);
        Ok(())
    }

    /// The fixed-header flags.
    #[inline]
    pub(super) const fn flags(&self) -> u8 {
        (self.dup as u8) << 3 | (self.qos as u8) << QOS_SHIFT | self.retain as u8
    }

    /// Length of what stands between the fixed header and the payload.
    #[inline]
    pub(super) fn head_len(&self, version: Version) -> Result<usize, EncodeError> {
        self.check_topic()?;
        self.valid_head_len(version)
    }

    #[inline]
    fn check_topic(&self) -> Result<(), EncodeError> {
        let invalid = |rule| Err(EncodeError::Invalid(PacketType::Publish, rule));
        if !crate::topic::is_plain(self.topic.as_bytes()) {
            return invalid("the topic name contains +, # or the null character: name one topic");
        }
        if self.topic.is_empty() && !self.properties.contains(PropertyId::TopicAlias) {
            return invalid("the topic name is empty: give a topic name, or in 5.0 a topic alias");
        }
        Ok(())
    }

    #[inline]
    fn valid_head_len(&self, version: Version) -> Result<usize, EncodeError> {
        let invalid = |rule| Err(EncodeError::Invalid(PacketType::Publish, rule));
        let packet_id_len = match (self.qos, self.packet_id) {
            (QoS::AtMostOnce, None) if self.dup => {
                return invalid("the redelivery flag needs quality of service 1 or 2: clear it");
            }
            (QoS::AtMostOnce, None) => 0,
            (QoS::AtMostOnce, Some(_)) => {
                return invalid("a packet identifier needs quality of service 1 or 2: leave it out");
            }
            (_, None) => return invalid("quality of service 1 and 2 need a packet identifier: allocate one"),
            (_, Some(_)) => 2,
        };
        Ok(primitive::binary_len(self.topic.as_bytes(), "topic name")?
            + packet_id_len
            + self.properties.encoded_len(PacketType::Publish, version)?)
    }

    #[inline(always)]
    pub(super) fn put_head(&self, version: Version, out: &mut Vec<u8>) {
        primitive::put_binary(out, self.topic.as_bytes());
        if let Some(packet_id) = self.packet_id {
            let [high, low] = packet_id.get().to_be_bytes();
            if version == Version::V5 && self.properties.is_empty() {
                // The usual end of a head, at once.
                out.extend_from_slice(&[high, low, 0]);
                return;
            }
            out.extend_from_slice(&[high, low]);
        }
        self.properties.put(version, out);
    }
}

/// A [`Publish`] as the session takes it in: the topic is as valid, but stays bytes.
#[derive(Clone, Copy)]
pub(crate) struct ReceivedPublish<'a> {
    pub(crate) dup: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) topic: &'a [u8],
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) properties: Properties<'a>,
    pub(crate) payload: &'a [u8],
}

impl<'a> ReceivedPublish<'a> {
    #[inline(always)]
    pub(crate) fn decode(
        header: FixedHeader,
        frame: &'a [u8],
        version: Version,
    ) -> Result<Self, DecodeError> {
        Self::read(header, frame, version).map_err(|kind| DecodeError::new(PacketType::Publish, kind))
    }

    /// The topic as text.
    pub(crate) fn topic_name(&self) -> Result<&'a str, DecodeError> {
        primitive::utf8(self.topic).map_err(|kind| DecodeError::new(PacketType::Publish, kind))
    }

    #[inline(always)]
    fn read(header: FixedHeader, frame: &'a [u8], version: Version) -> Result<Self, DecodeErrorKind> {
        let mut reader = Reader::body(header, frame)?;
        let qos = QoS::from_bits(header.flags >> QOS_SHIFT & 3).ok_or(DecodeErrorKind::PublishQosInvalid)?;
        let topic = reader.topic_name_bytes()?;
        let packet_id = if qos == QoS::AtMostOnce {
            None
        } else {
            Some(reader.packet_id()?)
        };
        let properties = match version {
            Version::V3_1_1 => Properties::EMPTY,
            Version::V5 => Properties::read(&mut reader, IdSet::allowed_in(PacketType::Publish))?,
        };
        if topic.is_empty() && !properties.contains(PropertyId::TopicAlias) {
            return Err(DecodeErrorKind::TopicMissing);
        }
        Ok(Self {
            dup: header.flags & DUP != 0,
            qos,
            retain: header.flags & RETAIN != 0,
            topic,
            packet_id,
            properties,
            payload: reader.rest(),
        })
    }
}

impl core::fmt::Debug for Publish<'_> {
    /// Gives the payload's length alone: a log must not hold it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Publish")
            .field("dup", &self.dup)
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("topic", &self.topic)
            .field("packet_id", &self.packet_id)
            .field("properties", &self.properties)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{assert_canonical, hex, read, refusal, write};
    use crate::codec::{Packet, Property, PropertyBuf};

    const BARE: Publish<'_> = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "a",
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"",
    };

    #[track_caller]
    fn assert_unwritable(publish: Publish<'_>, version: Version) {
        match write(&Packet::Publish(publish), version) {
            Err(EncodeError::Invalid(PacketType::Publish, _)) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn publish_carries_flags_identifier_properties_and_payload() {
        let bytes = hex("3D .. 0003'a/b' 0102 09 01 01 09 0001 FF 23 0007 'hi'");
        let Ok(Packet::Publish(publish)) = read(&bytes, Version::V5) else {
            panic!("a PUBLISH")
        };
        assert!(publish.dup && publish.retain);
        assert_eq!(publish.qos, QoS::ExactlyOnce);
        assert_eq!(publish.topic, "a/b");
        assert_eq!(publish.packet_id, PacketId::new(0x0102));
        assert_eq!(publish.payload, b"hi");
        let properties: Vec<_> = publish.properties.iter().collect();
        assert_eq!(
            properties,
            [
                Property::PayloadFormatIndicator(true),
                Property::CorrelationData(b"\xFF"),
                Property::TopicAlias(7)
            ]
        );
    }

    #[test]
    fn topic_alias_stands_for_an_empty_topic() {
        assert_canonical("30 06 0000 03 23 0001", Version::V5);
        assert_eq!(
            refusal("30 03 0000 00", Version::V5),
            DecodeErrorKind::TopicMissing
        );
        assert_eq!(
            refusal("30 02 0000", Version::V3_1_1),
            DecodeErrorKind::TopicMissing
        );
        assert_unwritable(Publish { topic: "", ..BARE }, Version::V5);
        assert_unwritable(Publish { topic: "", ..BARE }, Version::V3_1_1);
    }

    #[test]
    fn topic_with_a_wildcard_or_the_null_character_is_refused() {
        assert_eq!(
            refusal("30 06 0003'a/+' 00", Version::V5),
            DecodeErrorKind::WildcardInTopicName
        );
        assert_eq!(
            refusal("30 05 0003'a/#'", Version::V3_1_1),
            DecodeErrorKind::WildcardInTopicName
        );
        assert_eq!(
            refusal("30 05 0002 6100 00", Version::V5),
            DecodeErrorKind::NulInString
        );
        assert_eq!(
            refusal("30 05 0002 61FF 00", Version::V5),
            DecodeErrorKind::InvalidUtf8
        );
        for topic in ["a/+", "#", "a\0"] {
            assert_unwritable(Publish { topic, ..BARE }, Version::V5);
        }
    }

    #[test]
    fn packet_identifier_goes_with_qos_1_and_2() {
        assert_eq!(
            refusal("32 06 0001'a' 0000 00", Version::V5),
            DecodeErrorKind::PacketIdZero
        );
        assert_eq!(
            refusal("32 04 0001'a' 00", Version::V3_1_1),
            DecodeErrorKind::Truncated
        );
        assert_unwritable(
            Publish {
                packet_id: Some(PacketId::MIN),
                ..BARE
            },
            Version::V5,
        );
        assert_unwritable(
            Publish {
                qos: QoS::AtLeastOnce,
                ..BARE
            },
            Version::V5,
        );
        assert_unwritable(Publish { dup: true, ..BARE }, Version::V5);
    }

    #[test]
    fn publish_may_carry_several_subscription_identifiers() {
        let bytes = hex("30 0C 0001'a' 07 0B 01 0B 7F 0B 8001 'p'");
        let Ok(Packet::Publish(publish)) = read(&bytes, Version::V5) else {
            panic!("a PUBLISH")
        };
        let properties: Vec<_> = publish.properties.iter().collect();
        assert_eq!(properties, [1, 127, 128].map(Property::SubscriptionIdentifier));
        assert_eq!(publish.payload, b"p");
        assert_eq!(write(&Packet::Publish(publish), Version::V5), Ok(bytes.clone()));
    }

    #[test]
    fn topic_alias_zero_has_its_own_reason() {
        let error = read(&hex("30 06 0000 03 23 0000"), Version::V5)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::TopicAliasZero);
        assert_eq!(error.reason_code(), crate::codec::ReasonCode::TOPIC_ALIAS_INVALID);
    }

    #[test]
    fn properties_cannot_be_written_in_3_1_1() {
        let mut properties = PropertyBuf::new();
        properties.push(Property::ContentType("json")).unwrap();
        let publish = Publish {
            properties: properties.as_properties(),
            ..BARE
        };
        assert_eq!(
            write(&Packet::Publish(publish), Version::V3_1_1),
            Err(EncodeError::PropertyNotAllowed(
                PacketType::Publish,
                PropertyId::ContentType
            ))
        );
    }

    #[test]
    fn head_and_payload_together_are_the_packet() {
        let publish = Publish {
            qos: QoS::AtLeastOnce,
            packet_id: Some(PacketId::MIN),
            payload: b"payload",
            ..BARE
        };
        let mut head = Vec::new();
        publish
            .encode_head(publish.payload.len(), Version::V5, &mut head)
            .unwrap();
        let whole = write(&Packet::Publish(publish), Version::V5).unwrap();
        assert_eq!([&head, publish.payload].concat(), whole);
    }

    #[test]
    fn debug_output_hides_the_payload() {
        let text = alloc::format!(
            "{:?}",
            Publish {
                payload: b"secret",
                ..BARE
            }
        );
        assert!(
            text.contains("payload_len: 6") && !text.contains("115, 101"),
            "{text}"
        );
    }
}
