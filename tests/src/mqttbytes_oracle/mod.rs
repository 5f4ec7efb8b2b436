//! The differential oracle: what `mqttbytes` 0.6 makes of a packet that we accept, and where it is known to be wrong.
//!
//! Both sides are reduced to named fields in text, so that every field of every packet takes part in the comparison.

use bytes::BytesMut;
use core::fmt::Debug;
use mqttbytes::{v4, v5};
use syncline_core::codec::{Packet, Properties, Property, PropertyId, ReasonCode, Version};

mod theirs;

use theirs::{fields_v4, fields_v5};

/// A fault of `mqttbytes` 0.6 because of which it refuses or misreads packets that MQTT allows.
pub struct KnownFault {
    /// What it does wrong.
    pub fault: &'static str,
    /// Version of the example; the fault may concern both.
    pub version: Version,
    /// A packet that shows it.
    pub example: &'static [u8],
    /// Whether a packet is concerned.
    pub concerns: fn(&Packet<'_>, Version) -> bool,
}

/// All known faults. A test checks that each example still shows its fault.
pub const KNOWN_FAULTS: &[KnownFault] = &[
    KnownFault {
        fault: "does not know AUTH",
        version: Version::V5,
        example: b"\xF0\x0A\x18\x08\x15\x00\x05SCRAM",
        concerns: |packet, _| matches!(packet, Packet::Auth(_)),
    },
    KnownFault {
        fault: "refuses a DISCONNECT without properties: the empty one and the one of a reason code alone",
        version: Version::V5,
        example: b"\xE0\x00",
        concerns: |packet, version| match packet {
            Packet::Disconnect(disconnect) => version == Version::V5 && disconnect.properties.is_empty(),
            _ => false,
        },
    },
    KnownFault {
        fault: "refuses DISCONNECT with reason code 0x8C (bad authentication method, table of §2.4)",
        version: Version::V5,
        example: b"\xE0\x02\x8C\x00",
        concerns: |packet, _| match packet {
            Packet::Disconnect(disconnect) => disconnect.reason == ReasonCode::BAD_AUTHENTICATION_METHOD,
            _ => false,
        },
    },
    KnownFault {
        fault: "counts each Subscription Identifier as a byte too many, and so takes the properties behind a few of \
                them for payload or Topic Filters",
        version: Version::V5,
        example: b"\x30\x0C\x00\x01a\x06\x0B\x01\x0B\x02\x0B\x03pp",
        concerns: |packet, _| {
            let properties = match packet {
                Packet::Publish(publish) => publish.properties,
                Packet::Subscribe(subscribe) => subscribe.properties,
                _ => Properties::EMPTY,
            };
            properties.contains(PropertyId::SubscriptionIdentifier) && properties.iter().count() > 1
        },
    },
    KnownFault {
        fault: "takes the password for a UTF-8 string, though it is binary data (§3.1.3.6)",
        version: Version::V5,
        example: b"\x10\x10\x00\x04MQTT\x05\x42\x00\x3C\x00\x00\x00\x00\x01\xFF",
        concerns: |packet, _| match packet {
            Packet::Connect(connect) => connect
                .password
                .is_some_and(|password| core::str::from_utf8(password).is_err()),
            _ => false,
        },
    },
    KnownFault {
        fault: "cannot tell an empty user name or password from none",
        version: Version::V5,
        example: b"\x10\x0F\x00\x04MQTT\x05\x82\x00\x3C\x00\x00\x00\x00\x00",
        concerns: |packet, _| match packet {
            Packet::Connect(connect) => connect.username == Some("") || connect.password == Some(b""),
            _ => false,
        },
    },
];

/// How `mqttbytes` disagrees about `bytes`, which we have read as `packet`; `None` when it agrees.
#[must_use]
pub fn disagreement(packet: &Packet<'_>, bytes: &[u8], version: Version) -> Option<String> {
    let version = match packet {
        Packet::Connect(connect) => connect.version,
        _ => version,
    };
    let mut stream = BytesMut::from(bytes);
    let theirs = match version {
        Version::V3_1_1 => v4::read(&mut stream, usize::MAX).map(|packet| fields_v4(&packet)),
        Version::V5 => v5::read(&mut stream, usize::MAX).map(|packet| fields_v5(&packet)),
    };
    match theirs {
        Err(error) => Some(format!("refused: {error:?}")),
        Ok(_) if !stream.is_empty() => Some(format!("left {} bytes", stream.len())),
        Ok(theirs) => {
            let ours = fields(packet, version);
            (ours != theirs).then(|| format!("ours {ours:?}, theirs {theirs:?}"))
        }
    }
}

/// Named fields; those of one name keep their order, for the order of User Properties has a meaning.
#[derive(Debug, PartialEq, Eq)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn of(packet: &'static str) -> Self {
        Self(vec![("packet", packet.to_owned())])
    }

    fn with(mut self, name: &'static str, value: impl Debug) -> Self {
        self.0.push((name, format!("{value:?}")));
        self
    }

    fn with_some(self, name: &'static str, value: &Option<impl Debug>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn with_each<T: Debug>(self, name: &'static str, values: impl IntoIterator<Item = T>) -> Self {
        values
            .into_iter()
            .fold(self, |fields, value| fields.with(name, value))
    }

    /// For fields that were given in the order of the wire on one side and of a struct on the other.
    fn sorted(mut self) -> Self {
        self.0.sort_by_key(|(name, _)| *name);
        self
    }
}

fn fields(packet: &Packet<'_>, version: Version) -> Fields {
    let ack = |name, ack: &syncline_core::codec::Ack<'_>| {
        let fields = Fields::of(name).with("id", ack.packet_id.get());
        match version {
            Version::V3_1_1 => fields,
            Version::V5 => with_properties(fields.with("reason", ack.reason.0), ack.properties),
        }
    };
    let fields = match packet {
        Packet::Connect(connect) => {
            let fields = Fields::of("CONNECT")
                .with("version", connect.version == Version::V5)
                .with("clean start", connect.clean_start)
                .with("keep alive", connect.keep_alive)
                .with("client id", connect.client_id)
                .with_some("user name", &connect.username)
                .with_some("password", &connect.password);
            let fields = with_properties(fields, connect.properties);
            match connect.will {
                None => fields,
                Some(will) => with_properties(
                    fields
                        .with("will topic", will.topic)
                        .with("will payload", will.payload)
                        .with("will qos", will.qos as u8)
                        .with("will retain", will.retain),
                    will.properties,
                ),
            }
        }
        Packet::Connack(connack) => {
            let code = match version {
                Version::V3_1_1 => match connack.reason.0 {
                    0x84 => 1,
                    0x85 => 2,
                    0x88 => 3,
                    0x86 => 4,
                    0x87 => 5,
                    code => code,
                },
                Version::V5 => connack.reason.0,
            };
            let fields = Fields::of("CONNACK")
                .with("session present", connack.session_present)
                .with("reason", code);
            with_properties(fields, connack.properties)
        }
        Packet::Publish(publish) => with_properties(
            Fields::of("PUBLISH")
                .with("dup", publish.dup)
                .with("qos", publish.qos as u8)
                .with("retain", publish.retain)
                .with("topic", publish.topic)
                .with("id", publish.packet_id.map_or(0, |id| id.get()))
                .with("payload", publish.payload),
            publish.properties,
        ),
        Packet::Puback(packet) => ack("PUBACK", packet),
        Packet::Pubrec(packet) => ack("PUBREC", packet),
        Packet::Pubrel(packet) => ack("PUBREL", packet),
        Packet::Pubcomp(packet) => ack("PUBCOMP", packet),
        Packet::Subscribe(subscribe) => {
            let filters = subscribe.filters.iter().map(|(filter, options)| {
                let qos = options.qos as u8;
                (
                    filter,
                    qos,
                    options.no_local,
                    options.retain_as_published,
                    options.retain_handling as u8,
                )
            });
            let fields = Fields::of("SUBSCRIBE")
                .with("id", subscribe.packet_id.get())
                .with_each("filter", filters);
            with_properties(fields, subscribe.properties)
        }
        Packet::Suback(suback) => {
            let reasons = suback.reasons.iter().map(|code| code.0);
            let fields = Fields::of("SUBACK")
                .with("id", suback.packet_id.get())
                .with_each("reason", reasons);
            with_properties(fields, suback.properties)
        }
        Packet::Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.filters.iter().map(|(filter, _)| filter);
            let fields = Fields::of("UNSUBSCRIBE")
                .with("id", unsubscribe.packet_id.get())
                .with_each("filter", filters);
            with_properties(fields, unsubscribe.properties)
        }
        Packet::Unsuback(unsuback) => {
            let reasons = unsuback.reasons.iter().map(|code| code.0);
            let fields = Fields::of("UNSUBACK")
                .with("id", unsuback.packet_id.get())
                .with_each("reason", reasons);
            with_properties(fields, unsuback.properties)
        }
        Packet::Pingreq => Fields::of("PINGREQ"),
        Packet::Pingresp => Fields::of("PINGRESP"),
        Packet::Disconnect(_) if version == Version::V3_1_1 => Fields::of("DISCONNECT"),
        Packet::Disconnect(disconnect) => with_properties(
            Fields::of("DISCONNECT").with("reason", disconnect.reason.0),
            disconnect.properties,
        ),
        Packet::Auth(auth) => {
            with_properties(Fields::of("AUTH").with("reason", auth.reason.0), auth.properties)
        }
    };
    fields.sorted()
}

fn with_properties(fields: Fields, properties: Properties<'_>) -> Fields {
    properties.iter().fold(fields, |fields, property| {
        let name = property.id().name();
        match property {
            Property::PayloadFormatIndicator(value)
            | Property::RequestProblemInformation(value)
            | Property::RequestResponseInformation(value)
            | Property::RetainAvailable(value)
            | Property::WildcardSubscriptionAvailable(value)
            | Property::SubscriptionIdentifierAvailable(value)
            | Property::SharedSubscriptionAvailable(value) => fields.with(name, u8::from(value)),
            Property::MaximumQos(value) => fields.with(name, value as u8),
            Property::ServerKeepAlive(value)
            | Property::ReceiveMaximum(value)
            | Property::TopicAliasMaximum(value)
            | Property::TopicAlias(value) => fields.with(name, value),
            Property::MessageExpiryInterval(value)
            | Property::SubscriptionIdentifier(value)
            | Property::SessionExpiryInterval(value)
            | Property::WillDelayInterval(value)
            | Property::MaximumPacketSize(value) => fields.with(name, value),
            Property::ContentType(value)
            | Property::ResponseTopic(value)
            | Property::AssignedClientIdentifier(value)
            | Property::AuthenticationMethod(value)
            | Property::ResponseInformation(value)
            | Property::ServerReference(value)
            | Property::ReasonString(value) => fields.with(name, value),
            Property::CorrelationData(value) | Property::AuthenticationData(value) => {
                fields.with(name, value)
            }
            Property::UserProperty(key, value) => fields.with(name, (key, value)),
        }
    })
}
