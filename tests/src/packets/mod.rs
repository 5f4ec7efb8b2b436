//! Owned descriptions of Control Packets and the strategies that generate them, valid or not.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use syncline_core::codec::{
    Ack, Auth, Connack, Connect, Disconnect, FilterBuf, LastWill, Packet, PacketId, PacketType, Property,
    PropertyBuf, PropertyId, Publish, QoS, ReasonCode, ReasonCodes, Suback, Subscribe, SubscribeOptions,
    Unsuback, Unsubscribe, Version,
};
use syncline_core::topic::TopicFilter;

mod fields;

use fields::{
    WILL_PROPERTIES, allowed_properties, anything, filters, packet_id, payload, properties, qos, text,
    topic_name,
};

/// Everything that any packet can hold; each packet takes what it has a place for.
#[derive(Debug, Clone)]
pub struct Description {
    /// Which packet to build.
    pub packet_type: PacketType,
    /// Version of a CONNECT.
    pub version: Version,
    /// Redelivery, retain, clean start, session present, one bit each.
    pub flags: [bool; 4],
    /// Quality of Service.
    pub qos: QoS,
    /// Packet Identifier.
    pub packet_id: Option<PacketId>,
    /// Topic Name.
    pub topic: String,
    /// Application Message.
    pub payload: Vec<u8>,
    /// Properties of the packet.
    pub properties: PropertyBuf,
    /// Reason Code.
    pub reason: u8,
    /// Reason Codes of SUBACK and UNSUBACK.
    pub reasons: Vec<u8>,
    /// Topic Filters with options.
    pub filters: FilterBuf,
    /// Keep Alive.
    pub keep_alive: u16,
    /// Client Identifier.
    pub client_id: String,
    /// User Name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Vec<u8>>,
    /// Will: topic, payload, properties.
    pub will: Option<(String, Vec<u8>, PropertyBuf)>,
}

impl Description {
    /// The packet, borrowing from the description.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        let properties = self.properties.as_properties();
        let reason = ReasonCode(self.reason);
        let packet_id = self.packet_id.unwrap_or(PacketId::MIN);
        let ack = Ack {
            packet_id,
            reason,
            properties,
        };
        match self.packet_type {
            PacketType::Connect => Packet::Connect(Connect {
                version: self.version,
                clean_start: self.flags[2],
                keep_alive: self.keep_alive,
                client_id: &self.client_id,
                properties,
                will: self.will.as_ref().map(|(topic, payload, properties)| LastWill {
                    topic,
                    payload,
                    qos: self.qos,
                    retain: self.flags[1],
                    properties: properties.as_properties(),
                }),
                username: self.username.as_deref(),
                password: self.password.as_deref(),
            }),
            PacketType::Connack => Packet::Connack(Connack {
                session_present: self.flags[3],
                reason,
                properties,
            }),
            PacketType::Publish => Packet::Publish(Publish {
                dup: self.flags[0],
                qos: self.qos,
                retain: self.flags[1],
                topic: &self.topic,
                packet_id: self.packet_id,
                properties,
                payload: &self.payload,
            }),
            PacketType::Puback => Packet::Puback(ack),
            PacketType::Pubrec => Packet::Pubrec(ack),
            PacketType::Pubrel => Packet::Pubrel(ack),
            PacketType::Pubcomp => Packet::Pubcomp(ack),
            PacketType::Subscribe => Packet::Subscribe(Subscribe {
                packet_id,
                properties,
                filters: self.filters.as_filters(),
            }),
            PacketType::Suback => Packet::Suback(Suback {
                packet_id,
                properties,
                reasons: ReasonCodes::new(&self.reasons),
            }),
            PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe {
                packet_id,
                properties,
                filters: self.filters.as_filters(),
            }),
            PacketType::Unsuback => Packet::Unsuback(Unsuback {
                packet_id,
                properties,
                reasons: ReasonCodes::new(&self.reasons),
            }),
            PacketType::Pingreq => Packet::Pingreq,
            PacketType::Pingresp => Packet::Pingresp,
            PacketType::Disconnect => Packet::Disconnect(Disconnect { reason, properties }),
            PacketType::Auth => Packet::Auth(Auth { reason, properties }),
        }
    }
}

/// Either version.
pub fn version() -> impl Strategy<Value = Version> {
    select(vec![Version::V3_1_1, Version::V5])
}

/// A packet that `version` allows.
pub fn valid_packet(version: Version) -> impl Strategy<Value = Description> {
    packet_type(version).prop_flat_map(move |packet_type| valid_packet_of(packet_type, version))
}

/// A packet of which some fields, or all, were chosen without regard to each other, to the packet type and to any
/// version.
pub fn any_packet() -> impl Strategy<Value = Description> {
    let sound = version().prop_flat_map(valid_packet);
    (
        sound,
        unrelated_fields(),
        prop_oneof![0..0x800_u16, (0..11_u16).prop_map(|bit| 1 << bit)],
    )
        .prop_map(|(mut packet, wild, replaced)| {
            let replaces = |bit: u16| replaced & 1 << bit != 0;
            if replaces(0) {
                packet.packet_type = wild.packet_type;
            }
            if replaces(1) {
                packet.version = wild.version;
            }
            if replaces(2) {
                packet.flags = wild.flags;
            }
            if replaces(3) {
                packet.qos = wild.qos;
            }
            if replaces(4) {
                packet.packet_id = wild.packet_id;
            }
            if replaces(5) {
                packet.topic = wild.topic;
            }
            if replaces(6) {
                packet.properties = wild.properties;
            }
            if replaces(7) {
                packet.reason = wild.reason;
                packet.reasons = wild.reasons;
            }
            if replaces(8) {
                packet.filters = wild.filters;
            }
            if replaces(9) {
                packet.client_id = wild.client_id;
                packet.username = wild.username;
                packet.password = wild.password;
            }
            if replaces(10) {
                packet.will = wild.will;
            }
            packet
        })
}

fn unrelated_fields() -> impl Strategy<Value = Description> {
    let will = option::of((anything(), payload(), properties(PropertyId::ALL.to_vec())));
    (
        (
            packet_type(Version::V5),
            version(),
            any::<[bool; 4]>(),
            qos(),
            option::of(packet_id()),
        ),
        (
            anything(),
            payload(),
            properties(PropertyId::ALL.to_vec()),
            any::<u8>(),
            vec(any::<u8>(), 0..3),
        ),
        (
            filters(Version::V5),
            any::<u16>(),
            anything(),
            option::of(anything()),
            option::of(payload()),
            will,
        ),
    )
        .prop_map(|((packet_type, version, flags, qos, packet_id), middle, end)| {
            let (topic, payload, properties, reason, reasons) = middle;
            let (filters, keep_alive, client_id, username, password, will) = end;
            Description {
                packet_type,
                version,
                flags,
                qos,
                packet_id,
                topic,
                payload,
                properties,
                reason,
                reasons,
                filters,
                keep_alive,
                client_id,
                username,
                password,
                will,
            }
        })
}

/// A packet with a few bytes changed, inserted or removed, and now and then its Remaining Length made to fit again.
pub fn damaged_packet(version: Version) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (valid_packet(version), vec(change, 0..4), any::<bool>()).prop_map(move |(description, changes, mend)| {
        let mut bytes = Vec::new();
        description
            .packet()
            .encode(version, &mut bytes)
            .expect("a valid packet");
        for (index, byte, kind) in changes {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes.insert(at, byte),
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                2 => bytes[at] ^= 1 << (byte & 7),
                _ => bytes[at] = byte,
            }
        }
        if mend && bytes.len() > 2 && bytes.len() <= 129 {
            bytes[1] = (bytes.len() - 2) as u8;
        }
        bytes
    })
}

fn packet_type(version: Version) -> impl Strategy<Value = PacketType> {
    use PacketType as P;
    let mut types = vec![
        P::Connect,
        P::Connack,
        P::Publish,
        P::Puback,
        P::Pubrec,
        P::Pubrel,
        P::Pubcomp,
        P::Subscribe,
        P::Suback,
        P::Unsubscribe,
        P::Unsuback,
        P::Pingreq,
        P::Pingresp,
        P::Disconnect,
    ];
    if version == Version::V5 {
        types.push(P::Auth);
    }
    select(types)
}

fn valid_packet_of(packet_type: PacketType, version: Version) -> BoxedStrategy<Description> {
    let allowed = |ids: &[PropertyId]| {
        properties(if version == Version::V5 {
            ids.to_vec()
        } else {
            vec![]
        })
    };
    let will = (topic_name(), payload(), allowed(WILL_PROPERTIES));
    let codes = reason_codes(packet_type, version);
    (
        (any::<[bool; 4]>(), qos(), packet_id(), topic_name(), payload()),
        (
            allowed(allowed_properties(packet_type)),
            select(codes.clone()),
            vec(select(codes), 1..4),
        ),
        (
            filters(version),
            any::<u16>(),
            text(),
            option::of(text()),
            option::of(payload()),
            option::of(will),
        ),
    )
        .prop_map(move |((flags, qos, packet_id, topic, payload), middle, end)| {
            let (properties, reason, reasons) = middle;
            let (filters, keep_alive, client_id, username, password, will) = end;
            Description {
                packet_type,
                version,
                flags,
                qos,
                packet_id: Some(packet_id),
                topic,
                payload,
                properties,
                reason,
                reasons,
                filters,
                keep_alive,
                client_id,
                username,
                password,
                will,
            }
        })
        .prop_map(move |description| reconcile(description, version))
        .boxed()
}

/// Makes fields agree that were generated apart.
fn reconcile(mut description: Description, version: Version) -> Description {
    let properties = description.properties.as_properties();
    match description.packet_type {
        PacketType::Publish => {
            if description.qos == QoS::AtMostOnce {
                description.packet_id = None;
                description.flags[0] = false;
            }
            if properties.contains(PropertyId::TopicAlias) && description.flags[3] {
                description.topic.clear();
            }
        }
        PacketType::Connect if version == Version::V3_1_1 => {
            if description.username.is_none() {
                description.password = None;
            }
            description.flags[2] |= description.client_id.is_empty();
        }
        PacketType::Unsubscribe => {
            let mut bare = FilterBuf::new();
            for (filter, _) in description.filters.as_filters() {
                let filter = TopicFilter::try_from(filter).expect("a valid filter");
                bare.push(&filter, SubscribeOptions::default())
                    .expect("no options");
            }
            description.filters = bare;
        }
        PacketType::Connack => description.flags[3] &= description.reason == 0,
        PacketType::Unsuback if version == Version::V3_1_1 => description.reasons.clear(),
        PacketType::Auth if !properties.contains(PropertyId::AuthenticationMethod) => {
            let method = Property::AuthenticationMethod("SCRAM-SHA-256");
            description.properties.push(method).expect("the first method");
        }
        _ => {}
    }
    description
}

fn reason_codes(packet_type: PacketType, version: Version) -> Vec<u8> {
    use PacketType as P;
    match (packet_type, version) {
        (P::Connack, Version::V3_1_1) => vec![0x00, 0x84, 0x85, 0x86, 0x87, 0x88],
        (P::Suback, Version::V3_1_1) => vec![0x00, 0x01, 0x02, 0x80],
        (_, Version::V3_1_1) => vec![0x00],
        (P::Connack, _) => vec![0x00, 0x80, 0x84, 0x86, 0x8A, 0x8C, 0x9D, 0x9F],
        (P::Puback | P::Pubrec, _) => vec![0x00, 0x10, 0x80, 0x83, 0x87, 0x91, 0x99],
        (P::Pubrel | P::Pubcomp, _) => vec![0x00, 0x92],
        (P::Suback, _) => vec![0x00, 0x01, 0x02, 0x80, 0x8F, 0x9E, 0xA2],
        (P::Unsuback, _) => vec![0x00, 0x11, 0x80, 0x91],
        (P::Disconnect, _) => vec![0x00, 0x04, 0x81, 0x8B, 0x8C, 0x8E, 0x98, 0xA2],
        (P::Auth, _) => vec![0x00, 0x18, 0x19],
        _ => vec![0x00],
    }
}
