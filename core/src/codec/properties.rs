//! The property lists of MQTT 5.0 packets: validated once, iterated lazily, built without a context.

use super::primitive::{self, Reader};
use super::property::IdSet;
use super::{DecodeErrorKind, EncodeError, PacketType, Property, PropertyId, Version};
use alloc::vec::Vec;

/// A packet's properties: validated bytes, without their length prefix. Empty in 3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties<'a> {
    bytes: &'a [u8],
    /// What `bytes` contains, so that a packet can be checked against its table without reading them again.
    ids: IdSet,
}

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

/// Owned properties under construction; allocates nothing until the first `push`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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

impl From<Properties<'_>> for PropertyBuf {
    fn from(properties: Properties<'_>) -> Self {
        Self {
            bytes: properties.bytes.to_vec(),
            ids: properties.ids,
        }
    }
}

#[inline]
const fn lacks_authentication_method(ids: IdSet) -> bool {
    ids.contains(PropertyId::AuthenticationData) && !ids.contains(PropertyId::AuthenticationMethod)
}

/// A validated property list apart from the bytes that it was read from, to be joined with them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validated(IdSet);

impl<'a> Properties<'a> {
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
}
