//! PUBLISH.

use super::primitive::{self, Reader};
use super::property::IdSet;
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
        let mut reader = Reader::body(header, frame)?;
        let qos = QoS::from_bits(header.flags >> QOS_SHIFT & 3).ok_or(DecodeErrorKind::PublishQosInvalid)?;
        let topic = reader.topic_name()?;
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
        let head_len = self.head_len(version)?;
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
        if !crate::topic::is_plain(self.topic.as_bytes()) {
            return invalid("the topic name contains +, # or the null character: name one topic");
        }
        if self.topic.is_empty() && !self.properties.contains(PropertyId::TopicAlias) {
            return invalid("the topic name is empty: give a topic name, or in 5.0 a topic alias");
        }
        Ok(primitive::binary_len(self.topic.as_bytes(), "topic name")?
            + packet_id_len
            + self.properties.encoded_len(PacketType::Publish, version)?)
    }

    #[inline]
    pub(super) fn put_head(&self, version: Version, out: &mut Vec<u8>) {
        primitive::put_binary(out, self.topic.as_bytes());
        if let Some(packet_id) = self.packet_id {
            out.extend_from_slice(&packet_id.get().to_be_bytes());
        }
        self.properties.put(version, out);
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
