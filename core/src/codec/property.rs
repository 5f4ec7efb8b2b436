//! One MQTT 5.0 property: its value, the value's range and its wire form.

use super::primitive::{self, MAX_VAR_INT, Reader};
use super::{DecodeErrorKind, EncodeError, PropertyId, QoS};
use alloc::vec::Vec;

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
