//! One MQTT 5.0 property: its identifier, where it may occur, its value and its wire form.

use super::primitive::{self, MAX_VAR_INT, Reader};
use super::{DecodeErrorKind, EncodeError, PacketType, QoS};
use alloc::vec::Vec;
use core::fmt;

/// Property identifiers (MQTT 5.0 §2.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum PropertyId {
    PayloadFormatIndicator = 0x01,
    MessageExpiryInterval = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionIdentifier = 0x0B,
    SessionExpiryInterval = 0x11,
    AssignedClientIdentifier = 0x12,
    ServerKeepAlive = 0x13,
    AuthenticationMethod = 0x15,
    AuthenticationData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelayInterval = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    MaximumQos = 0x24,
    RetainAvailable = 0x25,
    UserProperty = 0x26,
    MaximumPacketSize = 0x27,
    WildcardSubscriptionAvailable = 0x28,
    SubscriptionIdentifierAvailable = 0x29,
    SharedSubscriptionAvailable = 0x2A,
}

impl PropertyId {
    /// Every identifier, in the order of their numbers.
    pub const ALL: [Self; 27] = [
        Self::PayloadFormatIndicator,
        Self::MessageExpiryInterval,
        Self::ContentType,
        Self::ResponseTopic,
        Self::CorrelationData,
        Self::SubscriptionIdentifier,
        Self::SessionExpiryInterval,
        Self::AssignedClientIdentifier,
        Self::ServerKeepAlive,
        Self::AuthenticationMethod,
        Self::AuthenticationData,
        Self::RequestProblemInformation,
        Self::WillDelayInterval,
        Self::RequestResponseInformation,
        Self::ResponseInformation,
        Self::ServerReference,
        Self::ReasonString,
        Self::ReceiveMaximum,
        Self::TopicAliasMaximum,
        Self::TopicAlias,
        Self::MaximumQos,
        Self::RetainAvailable,
        Self::UserProperty,
        Self::MaximumPacketSize,
        Self::WildcardSubscriptionAvailable,
        Self::SubscriptionIdentifierAvailable,
        Self::SharedSubscriptionAvailable,
    ];

    /// The specification's name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PayloadFormatIndicator => "payload format indicator",
            Self::MessageExpiryInterval => "message expiry interval",
            Self::ContentType => "content type",
            Self::ResponseTopic => "response topic",
            Self::CorrelationData => "correlation data",
            Self::SubscriptionIdentifier => "subscription identifier",
            Self::SessionExpiryInterval => "session expiry interval",
            Self::AssignedClientIdentifier => "assigned client identifier",
            Self::ServerKeepAlive => "server keep alive",
            Self::AuthenticationMethod => "authentication method",
            Self::AuthenticationData => "authentication data",
            Self::RequestProblemInformation => "request problem information",
            Self::WillDelayInterval => "will delay interval",
            Self::RequestResponseInformation => "request response information",
            Self::ResponseInformation => "response information",
            Self::ServerReference => "server reference",
            Self::ReasonString => "reason string",
            Self::ReceiveMaximum => "receive maximum",
            Self::TopicAliasMaximum => "topic alias maximum",
            Self::TopicAlias => "topic alias",
            Self::MaximumQos => "maximum qos",
            Self::RetainAvailable => "retain available",
            Self::UserProperty => "user property",
            Self::MaximumPacketSize => "maximum packet size",
            Self::WildcardSubscriptionAvailable => "wildcard subscription available",
            Self::SubscriptionIdentifierAvailable => "subscription identifier available",
            Self::SharedSubscriptionAvailable => "shared subscription available",
        }
    }

    const fn from_number(number: u32) -> Option<Self> {
        let mut index = 0;
        while index < Self::ALL.len() {
            if Self::ALL[index] as u32 == number {
                return Some(Self::ALL[index]);
            }
            index += 1;
        }
        None
    }
}

impl fmt::Display for PropertyId {
    /// `receive maximum (0x21)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#04x})", self.name(), *self as u8)
    }
}

/// A set of property identifiers, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct IdSet(u64);

impl IdSet {
    pub(super) const EMPTY: Self = Self(0);
    /// Bit 0 is no identifier: it stands for a second Subscription Identifier, which PUBLISH alone may carry.
    pub(super) const REPEATED_SUBSCRIPTION_IDENTIFIER: Self = Self(1);
    /// Properties of a Will (§3.1.3.2).
    pub(super) const WILL: Self = Self::of(&[
        PropertyId::WillDelayInterval,
        PropertyId::PayloadFormatIndicator,
        PropertyId::MessageExpiryInterval,
        PropertyId::ContentType,
        PropertyId::ResponseTopic,
        PropertyId::CorrelationData,
        PropertyId::UserProperty,
    ]);

    pub(super) const fn of(ids: &[PropertyId]) -> Self {
        let mut set = Self::EMPTY;
        let mut index = 0;
        while index < ids.len() {
            set = set.with(Self::only(ids[index]));
            index += 1;
        }
        set
    }

    #[inline]
    pub(super) const fn only(id: PropertyId) -> Self {
        Self(1 << id as u8)
    }

    #[inline]
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline]
    pub(super) const fn contains(self, id: PropertyId) -> bool {
        self.0 & (1 << id as u8) != 0
    }

    /// The set with one more `id`; `None` if that kind may occur once in any packet and is there already.
    #[inline]
    pub(super) const fn insert(self, id: PropertyId) -> Option<Self> {
        if !self.contains(id) {
            return Some(self.with(Self::only(id)));
        }
        match id {
            PropertyId::UserProperty => Some(self),
            PropertyId::SubscriptionIdentifier => Some(self.with(Self::REPEATED_SUBSCRIPTION_IDENTIFIER)),
            _ => None,
        }
    }

    /// Whether every member, a repeated Subscription Identifier included, is one of `allowed`.
    #[inline]
    pub(super) const fn is_within(self, allowed: Self) -> bool {
        self.0 & !allowed.0 == 0
    }

    /// Properties that `packet` may carry (table 2-4 of §2.2.2.2); those of a Will are [`Self::WILL`].
    #[inline]
    pub(super) const fn allowed_in(packet: PacketType) -> Self {
        use PropertyId as P;
        const CONNECT: IdSet = IdSet::of(&[
            P::SessionExpiryInterval,
            P::AuthenticationMethod,
            P::AuthenticationData,
            P::RequestProblemInformation,
            P::RequestResponseInformation,
            P::ReceiveMaximum,
            P::TopicAliasMaximum,
            P::UserProperty,
            P::MaximumPacketSize,
        ]);
        const CONNACK: IdSet = IdSet::of(&[
            P::SessionExpiryInterval,
            P::AssignedClientIdentifier,
            P::ServerKeepAlive,
            P::AuthenticationMethod,
            P::AuthenticationData,
            P::ResponseInformation,
            P::ServerReference,
            P::ReasonString,
            P::ReceiveMaximum,
            P::TopicAliasMaximum,
            P::MaximumQos,
            P::RetainAvailable,
            P::UserProperty,
            P::MaximumPacketSize,
            P::WildcardSubscriptionAvailable,
            P::SubscriptionIdentifierAvailable,
            P::SharedSubscriptionAvailable,
        ]);
        const PUBLISH: IdSet = IdSet::of(&[
            P::PayloadFormatIndicator,
            P::MessageExpiryInterval,
            P::ContentType,
            P::ResponseTopic,
            P::CorrelationData,
            P::SubscriptionIdentifier,
            P::TopicAlias,
            P::UserProperty,
        ])
        .with(IdSet::REPEATED_SUBSCRIPTION_IDENTIFIER);
        const ACKNOWLEDGEMENT: IdSet = IdSet::of(&[P::ReasonString, P::UserProperty]);
        const SUBSCRIBE: IdSet = IdSet::of(&[P::SubscriptionIdentifier, P::UserProperty]);
        const UNSUBSCRIBE: IdSet = IdSet::of(&[P::UserProperty]);
        const DISCONNECT: IdSet = IdSet::of(&[
            P::SessionExpiryInterval,
            P::ServerReference,
            P::ReasonString,
            P::UserProperty,
        ]);
        const AUTH: IdSet = IdSet::of(&[
            P::AuthenticationMethod,
            P::AuthenticationData,
            P::ReasonString,
            P::UserProperty,
        ]);
        match packet {
            PacketType::Connect => CONNECT,
            PacketType::Connack => CONNACK,
            PacketType::Publish => PUBLISH,
            PacketType::Puback
            | PacketType::Pubrec
            | PacketType::Pubrel
            | PacketType::Pubcomp
            | PacketType::Suback
            | PacketType::Unsuback => ACKNOWLEDGEMENT,
            PacketType::Subscribe => SUBSCRIBE,
            PacketType::Unsubscribe => UNSUBSCRIBE,
            PacketType::Pingreq | PacketType::Pingresp => IdSet::EMPTY,
            PacketType::Disconnect => DISCONNECT,
            PacketType::Auth => AUTH,
        }
    }
}

/// One property with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Property<'a> {
    PayloadFormatIndicator(bool),
    MessageExpiryInterval(u32),
    ContentType(&'a str),
    ResponseTopic(&'a str),
    CorrelationData(&'a [u8]),
    SubscriptionIdentifier(u32),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(&'a str),
    ServerKeepAlive(u16),
    AuthenticationMethod(&'a str),
    AuthenticationData(&'a [u8]),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(&'a str),
    ServerReference(&'a str),
    ReasonString(&'a str),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQos(QoS),
    RetainAvailable(bool),
    UserProperty(&'a str, &'a str),
    MaximumPacketSize(u32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

/// The wire form of a value.
enum Value<'a> {
    Byte(u8),
    TwoBytes(u16),
    FourBytes(u32),
    VarInt(u32),
    Text(&'a str),
    Binary(&'a [u8]),
    Pair(&'a str, &'a str),
}

impl<'a> Property<'a> {
    /// The identifier.
    #[must_use]
    pub const fn id(&self) -> PropertyId {
        self.parts().0
    }

    const fn parts(&self) -> (PropertyId, Value<'a>) {
        use PropertyId as Id;
        match *self {
            Self::PayloadFormatIndicator(v) => (Id::PayloadFormatIndicator, Value::Byte(v as u8)),
            Self::MessageExpiryInterval(v) => (Id::MessageExpiryInterval, Value::FourBytes(v)),
            Self::ContentType(v) => (Id::ContentType, Value::Text(v)),
            Self::ResponseTopic(v) => (Id::ResponseTopic, Value::Text(v)),
            Self::CorrelationData(v) => (Id::CorrelationData, Value::Binary(v)),
            Self::SubscriptionIdentifier(v) => (Id::SubscriptionIdentifier, Value::VarInt(v)),
            Self::SessionExpiryInterval(v) => (Id::SessionExpiryInterval, Value::FourBytes(v)),
            Self::AssignedClientIdentifier(v) => (Id::AssignedClientIdentifier, Value::Text(v)),
            Self::ServerKeepAlive(v) => (Id::ServerKeepAlive, Value::TwoBytes(v)),
            Self::AuthenticationMethod(v) => (Id::AuthenticationMethod, Value::Text(v)),
            Self::AuthenticationData(v) => (Id::AuthenticationData, Value::Binary(v)),
            Self::RequestProblemInformation(v) => (Id::RequestProblemInformation, Value::Byte(v as u8)),
            Self::WillDelayInterval(v) => (Id::WillDelayInterval, Value::FourBytes(v)),
            Self::RequestResponseInformation(v) => (Id::RequestResponseInformation, Value::Byte(v as u8)),
            Self::ResponseInformation(v) => (Id::ResponseInformation, Value::Text(v)),
            Self::ServerReference(v) => (Id::ServerReference, Value::Text(v)),
            Self::ReasonString(v) => (Id::ReasonString, Value::Text(v)),
            Self::ReceiveMaximum(v) => (Id::ReceiveMaximum, Value::TwoBytes(v)),
            Self::TopicAliasMaximum(v) => (Id::TopicAliasMaximum, Value::TwoBytes(v)),
            Self::TopicAlias(v) => (Id::TopicAlias, Value::TwoBytes(v)),
            Self::MaximumQos(v) => (Id::MaximumQos, Value::Byte(v as u8)),
            Self::RetainAvailable(v) => (Id::RetainAvailable, Value::Byte(v as u8)),
            Self::UserProperty(name, value) => (Id::UserProperty, Value::Pair(name, value)),
            Self::MaximumPacketSize(v) => (Id::MaximumPacketSize, Value::FourBytes(v)),
            Self::WildcardSubscriptionAvailable(v) => {
                (Id::WildcardSubscriptionAvailable, Value::Byte(v as u8))
            }
            Self::SubscriptionIdentifierAvailable(v) => {
                (Id::SubscriptionIdentifierAvailable, Value::Byte(v as u8))
            }
            Self::SharedSubscriptionAvailable(v) => (Id::SharedSubscriptionAvailable, Value::Byte(v as u8)),
        }
    }

    /// Whether the value is one that the specification allows.
    #[inline]
    fn is_in_range(&self) -> bool {
        match *self {
            Self::ReceiveMaximum(value) | Self::TopicAlias(value) => value != 0,
            Self::MaximumPacketSize(value) => value != 0,
            Self::SubscriptionIdentifier(value) => (1..=MAX_VAR_INT).contains(&value),
            Self::MaximumQos(value) => value != QoS::ExactlyOnce,
            Self::ResponseTopic(value) => !value.is_empty() && crate::topic::is_plain(value.as_bytes()),
            _ => true,
        }
    }

    /// Reads one property and checks its value.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeErrorKind> {
        use PropertyId as Id;
        let number = reader.var_int()?;
        let id = PropertyId::from_number(number).ok_or(DecodeErrorKind::UnknownProperty(number))?;
        let boolean = |byte: u8| match byte {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeErrorKind::PropertyValueInvalid(id)),
        };
        let property = match id {
            Id::PayloadFormatIndicator => Self::PayloadFormatIndicator(boolean(reader.u8()?)?),
            Id::MessageExpiryInterval => Self::MessageExpiryInterval(reader.u32()?),
            Id::ContentType => Self::ContentType(reader.string()?),
            Id::ResponseTopic => Self::ResponseTopic(reader.string()?),
            Id::CorrelationData => Self::CorrelationData(reader.binary()?),
            Id::SubscriptionIdentifier => Self::SubscriptionIdentifier(reader.var_int()?),
            Id::SessionExpiryInterval => Self::SessionExpiryInterval(reader.u32()?),
            Id::AssignedClientIdentifier => Self::AssignedClientIdentifier(reader.string()?),
            Id::ServerKeepAlive => Self::ServerKeepAlive(reader.u16()?),
            Id::AuthenticationMethod => Self::AuthenticationMethod(reader.string()?),
            Id::AuthenticationData => Self::AuthenticationData(reader.binary()?),
            Id::RequestProblemInformation => Self::RequestProblemInformation(boolean(reader.u8()?)?),
            Id::WillDelayInterval => Self::WillDelayInterval(reader.u32()?),
            Id::RequestResponseInformation => Self::RequestResponseInformation(boolean(reader.u8()?)?),
            Id::ResponseInformation => Self::ResponseInformation(reader.string()?),
            Id::ServerReference => Self::ServerReference(reader.string()?),
            Id::ReasonString => Self::ReasonString(reader.string()?),
            Id::ReceiveMaximum => Self::ReceiveMaximum(reader.u16()?),
            Id::TopicAliasMaximum => Self::TopicAliasMaximum(reader.u16()?),
            Id::TopicAlias => Self::TopicAlias(reader.u16()?),
            Id::MaximumQos => Self::MaximumQos(
                QoS::from_bits(reader.u8()?).ok_or(DecodeErrorKind::PropertyValueInvalid(id))?,
            ),
            Id::RetainAvailable => Self::RetainAvailable(boolean(reader.u8()?)?),
            Id::UserProperty => Self::UserProperty(reader.string()?, reader.string()?),
            Id::MaximumPacketSize => Self::MaximumPacketSize(reader.u32()?),
            Id::WildcardSubscriptionAvailable => Self::WildcardSubscriptionAvailable(boolean(reader.u8()?)?),
            Id::SubscriptionIdentifierAvailable => {
                Self::SubscriptionIdentifierAvailable(boolean(reader.u8()?)?)
            }
            Id::SharedSubscriptionAvailable => Self::SharedSubscriptionAvailable(boolean(reader.u8()?)?),
        };
        if property.is_in_range() {
            Ok(property)
        } else if id == Id::TopicAlias {
            Err(DecodeErrorKind::TopicAliasZero)
        } else {
            Err(DecodeErrorKind::PropertyValueInvalid(id))
        }
    }

    /// Checks the value and appends identifier and value; on error `out` is unchanged.
    pub(super) fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let (id, value) = self.parts();
        if !self.is_in_range() {
            return Err(EncodeError::PropertyValueInvalid(id));
        }
        let value_len = match value {
            Value::Byte(_) => 1,
            Value::TwoBytes(_) => 2,
            Value::FourBytes(_) => 4,
            Value::VarInt(value) => primitive::var_int_len(value),
            Value::Text(text) => primitive::string_len(text, id.name())?,
            Value::Binary(bytes) => primitive::binary_len(bytes, id.name())?,
            Value::Pair(name, value) => {
                primitive::string_len(name, id.name())? + primitive::string_len(value, id.name())?
            }
        };
        out.reserve(1 + value_len);
        out.push(id as u8);
        match value {
            Value::Byte(value) => out.push(value),
            Value::TwoBytes(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::FourBytes(value) => out.extend_from_slice(&value.to_be_bytes()),
            Value::VarInt(value) => primitive::put_var_int(out, value),
            Value::Text(text) => primitive::put_binary(out, text.as_bytes()),
            Value::Binary(bytes) => primitive::put_binary(out, bytes),
            Value::Pair(name, value) => {
                primitive::put_binary(out, name.as_bytes());
                primitive::put_binary(out, value.as_bytes());
            }
        }
        Ok(())
    }
}
