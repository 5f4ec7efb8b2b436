//! What a server says besides a Reason Code: the properties of its answer, kept only where there are any.

use alloc::boxed::Box;
use core::fmt;

use crate::codec::{Properties, Property, PropertyBuf, PropertyId};

/// The properties of an answer of the server; empty in 3.1.1, and allocated only where there are any.
///
/// They are copied out of the receive buffer: an outcome may be kept for long, and would keep that buffer alive.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Details(Option<Box<PropertyBuf>>);

impl Details {
    /// No properties.
    pub const NONE: Self = Self(None);

    /// Whether there is no property.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All properties, in wire order.
    #[must_use]
    pub fn properties(&self) -> Properties<'_> {
        self.0
            .as_deref()
            .map_or(Properties::EMPTY, PropertyBuf::as_properties)
    }

    /// Reason String: the server's words for people to read.
    #[must_use]
    pub fn reason_string(&self) -> Option<&str> {
        match self.properties().find(PropertyId::ReasonString) {
            Some(Property::ReasonString(text)) => Some(text),
            _ => None,
        }
    }

    /// Server Reference: where to go instead, as in `broker.example:8883` (MQTT 5.0 §4.11).
    #[must_use]
    pub fn server_reference(&self) -> Option<&str> {
        match self.properties().find(PropertyId::ServerReference) {
            Some(Property::ServerReference(text)) => Some(text),
            _ => None,
        }
    }

    /// Response Information: what Response Topics should begin with.
    #[must_use]
    pub fn response_information(&self) -> Option<&str> {
        match self.properties().find(PropertyId::ResponseInformation) {
            Some(Property::ResponseInformation(text)) => Some(text),
            _ => None,
        }
    }

    /// Assigned Client Identifier.
    #[must_use]
    pub fn assigned_client_id(&self) -> Option<&str> {
        match self.properties().find(PropertyId::AssignedClientIdentifier) {
            Some(Property::AssignedClientIdentifier(text)) => Some(text),
            _ => None,
        }
    }

    /// Authentication Data of the server.
    #[must_use]
    pub fn authentication_data(&self) -> Option<&[u8]> {
        match self.properties().find(PropertyId::AuthenticationData) {
            Some(Property::AuthenticationData(data)) => Some(data),
            _ => None,
        }
    }

    /// User Properties, names and values in wire order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties().iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name, value)),
            _ => None,
        })
    }
}

impl From<Properties<'_>> for Details {
    #[inline]
    fn from(properties: Properties<'_>) -> Self {
        if properties.is_empty() {
            Self::NONE
        } else {
            Self(Some(Box::new(properties.into())))
        }
    }
}

impl fmt::Debug for Details {
    /// Names the properties without their values, some of which are credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.properties().fmt(f)
    }
}
