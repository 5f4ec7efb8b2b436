//! Strategies for the fields of Control Packets: properties, texts, topics, filters.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use syncline_core::codec::{
    FilterBuf, PacketId, PacketType, Property, PropertyBuf, PropertyId, QoS, RetainHandling,
    SubscribeOptions, Version,
};
use syncline_core::topic::TopicFilter;

pub(super) const WILL_PROPERTIES: &[PropertyId] = &[
    PropertyId::WillDelayInterval,
    PropertyId::PayloadFormatIndicator,
    PropertyId::MessageExpiryInterval,
    PropertyId::ContentType,
    PropertyId::ResponseTopic,
    PropertyId::CorrelationData,
    PropertyId::UserProperty,
];

pub(super) fn allowed_properties(packet_type: PacketType) -> &'static [PropertyId] {
    use PropertyId as Id;
    match packet_type {
        PacketType::Connect => &[
            Id::SessionExpiryInterval,
            Id::AuthenticationMethod,
            Id::AuthenticationData,
            Id::RequestProblemInformation,
            Id::RequestResponseInformation,
            Id::ReceiveMaximum,
            Id::TopicAliasMaximum,
            Id::UserProperty,
            Id::MaximumPacketSize,
        ],
        PacketType::Connack => &[
            Id::SessionExpiryInterval,
            Id::AssignedClientIdentifier,
            Id::ServerKeepAlive,
            Id::AuthenticationMethod,
            Id::AuthenticationData,
            Id::ResponseInformation,
            Id::ServerReference,
            Id::ReasonString,
            Id::ReceiveMaximum,
            Id::TopicAliasMaximum,
            Id::MaximumQos,
            Id::RetainAvailable,
            Id::UserProperty,
            Id::MaximumPacketSize,
            Id::WildcardSubscriptionAvailable,
            Id::SubscriptionIdentifierAvailable,
            Id::SharedSubscriptionAvailable,
        ],
        PacketType::Publish => &[
            Id::PayloadFormatIndicator,
            Id::MessageExpiryInterval,
            Id::ContentType,
            Id::ResponseTopic,
            Id::CorrelationData,
            Id::SubscriptionIdentifier,
            Id::TopicAlias,
            Id::UserProperty,
        ],
        PacketType::Subscribe => &[Id::SubscriptionIdentifier, Id::UserProperty],
        PacketType::Unsubscribe => &[Id::UserProperty],
        PacketType::Disconnect => &[
            Id::SessionExpiryInterval,
            Id::ServerReference,
            Id::ReasonString,
            Id::UserProperty,
        ],
        PacketType::Auth => &[
            Id::AuthenticationMethod,
            Id::AuthenticationData,
            Id::ReasonString,
            Id::UserProperty,
        ],
        PacketType::Pingreq | PacketType::Pingresp => &[],
        _ => &[Id::ReasonString, Id::UserProperty],
    }
}

/// Some of `ids` in any order, User Property up to three times, and a method wherever there is authentication data.
pub(super) fn properties(ids: Vec<PropertyId>) -> impl Strategy<Value = PropertyBuf> {
    let count = 0..=ids.len();
    let seed = (any::<u32>(), text(), text(), payload(), topic_name());
    (subsequence(ids, count).prop_shuffle(), vec(seed, 1..4)).prop_map(|(mut ids, seeds)| {
        let method = PropertyId::AuthenticationMethod;
        if ids.contains(&PropertyId::AuthenticationData) && !ids.contains(&method) {
            ids.push(method);
        }
        let mut properties = PropertyBuf::new();
        for id in ids {
            let times = if id == PropertyId::UserProperty {
                seeds.len()
            } else {
                1
            };
            for (number, name, value, data, topic) in &seeds[..times] {
                let property = property(id, *number, name, value, data, topic);
                properties.push(property).expect("a valid property");
            }
        }
        properties
    })
}

fn property<'a>(
    id: PropertyId,
    number: u32,
    text: &'a str,
    more_text: &'a str,
    data: &'a [u8],
    topic: &'a str,
) -> Property<'a> {
    use PropertyId as Id;
    let flag = number & 1 == 1;
    let small = number as u16;
    match id {
        Id::PayloadFormatIndicator => Property::PayloadFormatIndicator(flag),
        Id::MessageExpiryInterval => Property::MessageExpiryInterval(number),
        Id::ContentType => Property::ContentType(text),
        Id::ResponseTopic => Property::ResponseTopic(topic),
        Id::CorrelationData => Property::CorrelationData(data),
        Id::SubscriptionIdentifier => {
            Property::SubscriptionIdentifier((number >> (number & 31)) % 268_435_455 + 1)
        }
        Id::SessionExpiryInterval => Property::SessionExpiryInterval(number),
        Id::AssignedClientIdentifier => Property::AssignedClientIdentifier(text),
        Id::ServerKeepAlive => Property::ServerKeepAlive(small),
        Id::AuthenticationMethod => Property::AuthenticationMethod(text),
        Id::AuthenticationData => Property::AuthenticationData(data),
        Id::RequestProblemInformation => Property::RequestProblemInformation(flag),
        Id::WillDelayInterval => Property::WillDelayInterval(number),
        Id::RequestResponseInformation => Property::RequestResponseInformation(flag),
        Id::ResponseInformation => Property::ResponseInformation(text),
        Id::ServerReference => Property::ServerReference(text),
        Id::ReasonString => Property::ReasonString(text),
        Id::ReceiveMaximum => Property::ReceiveMaximum(small.max(1)),
        Id::TopicAliasMaximum => Property::TopicAliasMaximum(small),
        Id::TopicAlias => Property::TopicAlias(small.max(1)),
        Id::MaximumQos => Property::MaximumQos(if flag { QoS::AtLeastOnce } else { QoS::AtMostOnce }),
        Id::RetainAvailable => Property::RetainAvailable(flag),
        Id::UserProperty => Property::UserProperty(text, more_text),
        Id::MaximumPacketSize => Property::MaximumPacketSize(number.max(1)),
        Id::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(flag),
        Id::SubscriptionIdentifierAvailable => Property::SubscriptionIdentifierAvailable(flag),
        Id::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(flag),
    }
}

pub(super) fn qos() -> impl Strategy<Value = QoS> {
    select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

pub(super) fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|id| PacketId::new(id).expect("not zero"))
}

/// A string that MQTT allows.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[^\u{0}]{0,12}",
        1 => "[a-z]{120,140}",
    ]
}

/// A string that MQTT may forbid.
pub(super) fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        60 => "[a-z+#/\u{0}é]{0,6}",
        1 => Just("a".repeat(65_535)),
        1 => Just("a".repeat(65_536)),
    ]
}

pub(super) fn topic_name() -> impl Strategy<Value = String> {
    prop_oneof!["[^\u{0}+#]{1,12}", "[a-z]{1,4}(/[a-z0-9]{0,4}){0,4}"]
}

pub(super) fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        30 => vec(any::<u8>(), 0..16),
        3 => (120..140_usize).prop_map(|len| vec![b'x'; len]),
        1 => (16_370..16_400_usize).prop_map(|len| vec![b'y'; len]),
    ]
}

/// A Topic Filter, now and then shared.
pub(super) fn topic_filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![4 => "[^\u{0}+#/]{0,4}", 1 => Just("+".to_owned())];
    let end = option::of(Just("#".to_owned()));
    (option::of("[^\u{0}+#/]{1,4}"), vec(level, 1..4), end)
        .prop_map(|(group, mut levels, end)| {
            levels.extend(end);
            let filter = levels.join("/");
            match group {
                Some(group) => format!("$share/{group}/{filter}"),
                None => filter,
            }
        })
        .prop_filter("a filter is not empty", |filter| {
            TopicFilter::try_from(filter.as_str()).is_ok()
        })
}

pub(super) fn filters(version: Version) -> impl Strategy<Value = FilterBuf> {
    let options = (qos(), any::<bool>(), any::<bool>(), 0..3_u8);
    vec((topic_filter(), options), 1..4).prop_map(move |filters| {
        let mut list = FilterBuf::new();
        for (filter, (qos, no_local, retain_as_published, retain_handling)) in filters {
            let filter = TopicFilter::try_from(filter).expect("a valid filter");
            let options = match version {
                Version::V3_1_1 => SubscribeOptions::at_qos(qos),
                Version::V5 => SubscribeOptions {
                    qos,
                    no_local: no_local && filter.share_group().is_none(),
                    retain_as_published,
                    retain_handling: match retain_handling {
                        0 => RetainHandling::Send,
                        1 => RetainHandling::SendIfNew,
                        _ => RetainHandling::DoNotSend,
                    },
                },
            };
            list.push(&filter, options).expect("consistent options");
        }
        list
    })
}
