//! Property lists under construction.

use super::property_id::IdSet;
use super::{EncodeError, Properties, Property};
use alloc::vec::Vec;
use core::fmt;

/// Owned properties under construction; allocates nothing until the first `push`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PropertyBuf {
    bytes: Vec<u8>,
    ids: IdSet,
}

impl PropertyBuf {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            ids: IdSet::EMPTY,
        }
    }

    /// Empty, with room for so many bytes on the wire.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ids: IdSet::EMPTY,
        }
    }

    /// Appends a property. Whether a packet may carry it is checked when that packet is encoded.
    ///
    /// # Errors
    /// [`EncodeError`] for a value out of range, a field that is too long, or a second property of a kind that may occur
    /// once; the buffer is unchanged then. User Property and Subscription Identifier may be repeated.
    pub fn push(&mut self, property: Property<'_>) -> Result<&mut Self, EncodeError> {
        let id = property.id();
        let ids = self.ids.insert(id).ok_or(EncodeError::PropertyRepeated(id))?;
        property.put(&mut self.bytes)?;
        self.ids = ids;
        Ok(self)
    }

    /// Removes all properties and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ids = IdSet::EMPTY;
    }

    /// View for a packet.
    #[must_use]
    #[inline]
    pub fn as_properties(&self) -> Properties<'_> {
        Properties {
            bytes: &self.bytes,
            ids: self.ids,
        }
    }
}

impl fmt::Debug for PropertyBuf {
    /// As that of [`Properties`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_properties().fmt(f)
    }
}

impl From<Properties<'_>> for PropertyBuf {
    fn from(properties: Properties<'_>) -> Self {
        Self {
            bytes: properties.bytes.to_vec(),
            ids: properties.ids,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{hex, read};
    use crate::codec::{Packet, PacketType, PropertyId, QoS, Version};
    use alloc::format;

    #[test]
    fn buffer_refuses_what_no_packet_may_carry_and_stays_as_it_was() {
        let mut properties = PropertyBuf::new();
        properties.push(Property::ReceiveMaximum(1)).unwrap();
        let before = properties.clone();
        let long = alloc::string::String::from_utf8(alloc::vec![b'a'; 65_536]).unwrap();
        let name = PropertyId::UserProperty.name();
        for (property, error) in [
            (
                Property::ReceiveMaximum(2),
                EncodeError::PropertyRepeated(PropertyId::ReceiveMaximum),
            ),
            (
                Property::MaximumPacketSize(0),
                EncodeError::PropertyValueInvalid(PropertyId::MaximumPacketSize),
            ),
            (
                Property::TopicAlias(0),
                EncodeError::PropertyValueInvalid(PropertyId::TopicAlias),
            ),
            (
                Property::SubscriptionIdentifier(268_435_456),
                EncodeError::PropertyValueInvalid(PropertyId::SubscriptionIdentifier),
            ),
            (
                Property::MaximumQos(QoS::ExactlyOnce),
                EncodeError::PropertyValueInvalid(PropertyId::MaximumQos),
            ),
            (
                Property::ResponseTopic("a/#"),
                EncodeError::PropertyValueInvalid(PropertyId::ResponseTopic),
            ),
            (
                Property::UserProperty("a", &long),
                EncodeError::FieldTooLong(name),
            ),
            (Property::UserProperty("a\0", "b"), EncodeError::NulInField(name)),
        ] {
            assert_eq!(properties.push(property).map(|_| ()), Err(error));
            assert!(properties == before);
        }
    }

    #[test]
    fn second_subscription_identifier_is_for_publish_alone() {
        let mut properties = PropertyBuf::new();
        properties.push(Property::SubscriptionIdentifier(1)).unwrap();
        properties.push(Property::SubscriptionIdentifier(2)).unwrap();
        let list = properties.as_properties();
        assert_eq!(list.encoded_len(PacketType::Publish, Version::V5), Ok(5));
        assert_eq!(
            list.encoded_len(PacketType::Subscribe, Version::V5),
            Err(EncodeError::PropertyRepeated(PropertyId::SubscriptionIdentifier))
        );
        assert_eq!(
            list.encoded_len(PacketType::Connack, Version::V5),
            Err(EncodeError::PropertyNotAllowed(
                PacketType::Connack,
                PropertyId::SubscriptionIdentifier
            ))
        );
    }

    #[test]
    fn copy_of_received_properties_is_equal() {
        let bytes = hex("20 06 00 00 03 21 0001");
        let Ok(Packet::Connack(connack)) = read(&bytes, Version::V5) else {
            panic!("a CONNACK")
        };
        assert_eq!(
            PropertyBuf::from(connack.properties).as_properties(),
            connack.properties
        );
    }

    #[test]
    fn debug_output_names_properties_without_their_values() {
        let mut properties = PropertyBuf::new();
        properties.push(Property::AuthenticationData(b"secret")).unwrap();
        assert_eq!(format!("{properties:?}"), "[AuthenticationData]");
    }
}
