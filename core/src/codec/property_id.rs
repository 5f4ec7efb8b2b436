//! MQTT 5.0 property identifiers and the packets that each may occur in.

use super::PacketType;
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

    pub(super) const fn from_number(number: u32) -> Option<Self> {
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
