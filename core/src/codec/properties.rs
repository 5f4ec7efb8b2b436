//! The property lists of MQTT 5.0 packets: validated once, iterated lazily, built without a context.

use super::primitive::{self, Reader};
use super::property_id::IdSet;
use super::{DecodeErrorKind, EncodeError, PacketType, Property, PropertyId, Version};
use alloc::vec::Vec;
use core::fmt;

/// A packet's properties: validated bytes, without their length prefix. Empty in 3.1.1.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties<'a> {
    pub(super) bytes: &'a [u8],
    /// What `bytes` contains, so that a packet can be checked against its table without reading them again.
    pub(super) ids: IdSet,
}

/// A validated property list apart from the bytes that it was read from, to be joined with them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validated(IdSet);

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Self = Self {
        bytes: &[],
        ids: IdSet::EMPTY,
    };

    /// Iterates in wire order.
    #[must_use]
    #[inline]
    pub fn iter(&self) -> PropertiesIter<'a> {
        PropertiesIter(Reader::new(self.bytes))
    }

    /// No property at all.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The encoded properties, without the length prefix.
    #[must_use]
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether a property of this kind is present; costs one comparison.
    #[must_use]
    #[inline]
    pub const fn contains(&self, id: PropertyId) -> bool {
        self.ids.contains(id)
    }

    /// The first property of this kind; costs one comparison when there is none.
    #[must_use]
    #[inline]
    pub fn find(&self, id: PropertyId) -> Option<Property<'a>> {
        if self.contains(id) {
            self.iter().find(|property| property.id() == id)
        } else {
            None
        }
    }

    /// What validation found out, to be kept where the bytes move.
    pub(crate) const fn validated(&self) -> Validated {
        Validated(self.ids)
    }

    /// Joins bytes with what their validation found out.
    pub(crate) const fn rejoin(bytes: &'a [u8], validated: Validated) -> Self {
        Self {
            bytes,
            ids: validated.0,
        }
    }

    /// Reads the length prefix and the properties behind it; each must be in `allowed`.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>, allowed: IdSet) -> Result<Self, DecodeErrorKind> {
        let len = reader.var_int()?;
        if len == 0 {
            return Ok(Self::EMPTY);
        }
        Self::validate(reader.take(len as usize)?, allowed)
    }

    fn validate(bytes: &'a [u8], allowed: IdSet) -> Result<Self, DecodeErrorKind> {
        let mut reader = Reader::new(bytes);
        let mut ids = IdSet::EMPTY;
        while !reader.is_empty() {
            let id = Property::read(&mut reader)?.id();
            if !allowed.contains(id) {
                return Err(DecodeErrorKind::PropertyNotAllowed(id));
            }
            ids = match ids.insert(id) {
                Some(ids) if ids.is_within(allowed) => ids,
                _ => return Err(DecodeErrorKind::DuplicateProperty(id)),
            };
        }
        if lacks_authentication_method(ids) {
            return Err(DecodeErrorKind::AuthenticationMethodMissing);
        }
        Ok(Self { bytes, ids })
    }

    /// Checks that `packet` may carry these and returns the bytes that [`Self::put`] writes: none at all in 3.1.1.
    #[inline]
    pub(super) fn encoded_len(&self, packet: PacketType, version: Version) -> Result<usize, EncodeError> {
        self.encoded_len_within(IdSet::allowed_in(packet), packet, version)
    }

    /// As [`Self::encoded_len`], for the properties of a Will.
    pub(super) fn encoded_will_len(&self, version: Version) -> Result<usize, EncodeError> {
        self.encoded_len_within(IdSet::WILL, PacketType::Connect, version)
    }

    #[inline]
    fn encoded_len_within(
        &self,
        allowed: IdSet,
        packet: PacketType,
        version: Version,
    ) -> Result<usize, EncodeError> {
        if self.is_empty() {
            return Ok(if version == Version::V5 { 1 } else { 0 });
        }
        let allowed = if version == Version::V5 {
            allowed
        } else {
            IdSet::EMPTY
        };
        if !self.ids.is_within(allowed) {
            return Err(self.offence(allowed, packet));
        }
        if lacks_authentication_method(self.ids) {
            return Err(EncodeError::Invalid(
                packet,
                "authentication data needs an authentication method: add the method",
            ));
        }
        let len = primitive::remaining_len(self.bytes.len())?;
        Ok(primitive::var_int_len(len) + self.bytes.len())
    }

    /// Names the property that is not in `allowed`.
    #[cold]
    fn offence(&self, allowed: IdSet, packet: PacketType) -> EncodeError {
        match self
            .iter()
            .map(|property| property.id())
            .find(|id| !allowed.contains(*id))
        {
            Some(id) => EncodeError::PropertyNotAllowed(packet, id),
            None => EncodeError::PropertyRepeated(PropertyId::SubscriptionIdentifier),
        }
    }

    /// Appends length prefix and properties, which [`Self::encoded_len`] has checked; nothing in 3.1.1.
    #[inline]
    pub(super) fn put(&self, version: Version, out: &mut Vec<u8>) {
        if version == Version::V5 {
            primitive::put_var_int(out, self.bytes.len() as u32);
            out.extend_from_slice(self.bytes);
        }
    }
}

impl fmt::Debug for Properties<'_> {
    /// Names the properties without their values, some of which are credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|property| property.id()))
            .finish()
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = Property<'a>;
    type IntoIter = PropertiesIter<'a>;

    fn into_iter(self) -> PropertiesIter<'a> {
        self.iter()
    }
}

/// Iterator over [`Properties`].
#[derive(Debug, Clone)]
pub struct PropertiesIter<'a>(Reader<'a>);

impl<'a> Iterator for PropertiesIter<'a> {
    type Item = Property<'a>;

    #[inline]
    fn next(&mut self) -> Option<Property<'a>> {
        if self.0.is_empty() {
            return None;
        }
        // The bytes were validated when the list was made: reading them again cannot fail.
        Property::read(&mut self.0).ok()
    }
}

impl core::iter::FusedIterator for PropertiesIter<'_> {}

#[inline]
const fn lacks_authentication_method(ids: IdSet) -> bool {
    ids.contains(PropertyId::AuthenticationData) && !ids.contains(PropertyId::AuthenticationMethod)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{assert_canonical, hex, refusal};
    use alloc::format;

    /// The refusal of a CONNACK with these properties.
    #[track_caller]
    fn connack_refusal(properties: &str) -> DecodeErrorKind {
        let len = hex(properties).len();
        refusal(
            &format!("20 {:02X} 00 00 {len:02X} {properties}", len + 3),
            Version::V5,
        )
    }

    #[test]
    fn unknown_property_and_property_of_another_packet_are_malformed() {
        assert_eq!(connack_refusal("00"), DecodeErrorKind::UnknownProperty(0));
        assert_eq!(connack_refusal("2B 00"), DecodeErrorKind::UnknownProperty(0x2B));
        assert_eq!(connack_refusal("FF01 00"), DecodeErrorKind::UnknownProperty(0xFF));
        assert_eq!(connack_refusal("A100 00"), DecodeErrorKind::LengthNotMinimal);
        assert_eq!(
            connack_refusal("01 00"),
            DecodeErrorKind::PropertyNotAllowed(PropertyId::PayloadFormatIndicator)
        );
    }

    #[test]
    fn property_that_occurs_twice_is_refused_except_user_property() {
        assert_eq!(
            connack_refusal("21 0001 21 0001"),
            DecodeErrorKind::DuplicateProperty(PropertyId::ReceiveMaximum)
        );
        assert_canonical(
            "20 11 00 00 0E 26 0001'a' 0001'b' 26 0001'a' 0001'b'",
            Version::V5,
        );
        assert_eq!(
            refusal("82 0B 0001 04 0B 01 0B 02 0001'a' 00", Version::V5),
            DecodeErrorKind::DuplicateProperty(PropertyId::SubscriptionIdentifier)
        );
    }

    #[test]
    fn property_values_must_be_in_range() {
        for (properties, id) in [
            ("21 0000", PropertyId::ReceiveMaximum),
            ("27 00000000", PropertyId::MaximumPacketSize),
            ("24 02", PropertyId::MaximumQos),
            ("24 03", PropertyId::MaximumQos),
            ("25 02", PropertyId::RetainAvailable),
            ("28 FF", PropertyId::WildcardSubscriptionAvailable),
            ("29 02", PropertyId::SubscriptionIdentifierAvailable),
            ("2A 02", PropertyId::SharedSubscriptionAvailable),
        ] {
            assert_eq!(
                connack_refusal(properties),
                DecodeErrorKind::PropertyValueInvalid(id),
                "{properties}"
            );
        }
        assert_eq!(
            refusal("30 06 0001'a' 02 0B 00", Version::V5),
            DecodeErrorKind::PropertyValueInvalid(PropertyId::SubscriptionIdentifier)
        );
        assert_eq!(
            refusal("30 06 0001'a' 02 01 02", Version::V5),
            DecodeErrorKind::PropertyValueInvalid(PropertyId::PayloadFormatIndicator)
        );
        for (flag, id) in [
            (0x17, PropertyId::RequestProblemInformation),
            (0x19, PropertyId::RequestResponseInformation),
        ] {
            assert_eq!(
                refusal(
                    &format!("10 0F 0004'MQTT' 05 02 003C 02 {flag:02X} 02 0000"),
                    Version::V5
                ),
                DecodeErrorKind::PropertyValueInvalid(id)
            );
        }
    }

    #[test]
    fn response_topic_must_be_a_topic_name() {
        for topic in ["'a/+'", "'#a/'"] {
            assert_eq!(
                refusal(&format!("30 0A 0001'a' 06 08 0003 {topic}"), Version::V5),
                DecodeErrorKind::PropertyValueInvalid(PropertyId::ResponseTopic)
            );
        }
        assert_eq!(
            refusal("30 07 0001'a' 03 08 0000", Version::V5),
            DecodeErrorKind::PropertyValueInvalid(PropertyId::ResponseTopic)
        );
    }

    #[test]
    fn authentication_data_needs_a_method() {
        assert_eq!(
            connack_refusal("16 0001 00"),
            DecodeErrorKind::AuthenticationMethodMissing
        );
        assert_canonical("20 0B 00 00 08 16 0001 00 15 0001'm'", Version::V5);
    }

    #[test]
    fn property_that_reaches_behind_the_list_is_truncated() {
        assert_eq!(connack_refusal("21 00"), DecodeErrorKind::Truncated);
        assert_eq!(connack_refusal("1F 0004'abc'"), DecodeErrorKind::Truncated);
        assert_eq!(connack_refusal("26 0001'a'"), DecodeErrorKind::Truncated);
        // The list itself reaches behind the packet.
        assert_eq!(refusal("20 03 00 00 01", Version::V5), DecodeErrorKind::Truncated);
    }

    #[test]
    fn every_property_is_allowed_where_table_2_4_says() {
        let allowed = |id| {
            let mut packets = alloc::string::String::new();
            for number in 1..=15 {
                let first = (number as u8) << 4;
                let flags = if matches!(number, 6 | 8 | 10) { 2 } else { 0 };
                let header = crate::codec::peek(&[first | flags, 0], Version::V5, u32::MAX)
                    .unwrap()
                    .unwrap();
                if IdSet::allowed_in(header.packet_type).contains(id) {
                    packets.push(char::from_digit(number, 16).unwrap());
                }
            }
            if IdSet::WILL.contains(id) {
                packets.push('w');
            }
            packets
        };
        let table: Vec<_> = PropertyId::ALL
            .into_iter()
            .map(|id| (id as u8, allowed(id)))
            .collect();
        let expected = [
            (0x01, "3w"),
            (0x02, "3w"),
            (0x03, "3w"),
            (0x08, "3w"),
            (0x09, "3w"),
            (0x0B, "38"),
            (0x11, "12e"),
            (0x12, "2"),
            (0x13, "2"),
            (0x15, "12f"),
            (0x16, "12f"),
            (0x17, "1"),
            (0x18, "w"),
            (0x19, "1"),
            (0x1A, "2"),
            (0x1C, "2e"),
            (0x1F, "245679bef"),
            (0x21, "12"),
            (0x22, "12"),
            (0x23, "3"),
            (0x24, "2"),
            (0x25, "2"),
            (0x26, "123456789abefw"),
            (0x27, "12"),
            (0x28, "2"),
            (0x29, "2"),
            (0x2A, "2"),
        ];
        assert_eq!(table, expected.map(|(id, packets)| (id, packets.into())));
    }
}
