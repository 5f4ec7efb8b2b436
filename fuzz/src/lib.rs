//! The invariants that the fuzz targets assert.

use bytes::Bytes;
use syncline_core::codec::{
    DecodeError, Filters, FixedHeader, Packet, PacketType, Properties, PropertyBuf, Publish, Version, decode,
    peek,
};
use syncline_core::topic::{TopicFilter, TopicName};

// Included rather than depended on: the package of the tests needs much that a fuzz target should not wait for.
#[path = "../../tests/src/mqttbytes_oracle/mod.rs"]
pub mod mqttbytes_oracle;

pub mod envelope;
pub mod http_head;
pub mod operations;
pub mod service_file;
pub mod session;
pub mod store;

use mqttbytes_oracle::{KNOWN_FAULTS, disagreement};

/// Asserts everything that decoding promises, for `data` as a stream and as a packet without Remaining Length, which the
/// fuzzer would seldom guess.
pub fn check_decoding(data: &[u8], version: Version) {
    check_stream(data, version);
    if let [first, body @ ..] = data {
        check_stream(&framed(*first, body), version);
    }
}

/// Puts a fixed header before `body`.
fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut rest = body.len();
    while rest >= 0x80 {
        packet.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    packet.push(rest as u8);
    packet.extend_from_slice(body);
    packet
}

fn check_stream(data: &[u8], version: Version) {
    let whole = peek(data, version, u32::MAX);
    for cut in 0..data.len().min(6) {
        let part = peek(&data[..cut], version, u32::MAX);
        assert!(
            part == Ok(None) || part == whole,
            "the fixed header depends on how it is cut"
        );
    }
    let Ok(Some(header)) = whole else { return };
    let limit = header.packet_len() as u32;
    assert_eq!(
        peek(data, version, limit),
        whole,
        "a packet of the maximum size is accepted"
    );
    assert!(
        peek(data, version, limit - 1).is_err(),
        "a packet over the maximum size is refused"
    );

    let Some(frame) = data.get(..header.packet_len()) else {
        assert!(
            decode(header, data, version).is_err(),
            "a truncated packet is refused"
        );
        return;
    };
    match decode(header, frame, version) {
        Ok(packet) => check_packet(header, &packet, frame, version),
        Err(error) => check_error(header, &error),
    }
}

fn check_error(header: FixedHeader, error: &DecodeError) {
    assert_eq!(error.packet, Some(header.packet_type));
    assert!(error.reason_code().is_error());
    assert_ne!(error.reason_code().name(), "unknown reason code");
}

fn check_packet(header: FixedHeader, packet: &Packet<'_>, frame: &[u8], version: Version) {
    assert_eq!(packet.packet_type(), header.packet_type);
    for cut in 0..frame.len().min(64) {
        assert!(
            decode(header, &frame[..cut], version).is_err(),
            "a truncated packet is refused"
        );
    }

    let mut written = b"before".to_vec();
    packet
        .encode(version, &mut written)
        .expect("what was read can be written");
    assert_eq!(packet.encoded_len(version), Ok(written.len() - 6));
    let written = written.strip_prefix(b"before").expect("encoding only appends");
    assert!(
        written.len() <= frame.len(),
        "the written form is never the longer one"
    );
    let again = peek(written, version, u32::MAX)
        .expect("a valid header")
        .expect("a whole header");
    assert_eq!(
        decode(again, written, version).as_ref(),
        Ok(packet),
        "written and read again"
    );

    check_contents(packet, header, frame, version);

    // mqttbytes prints the Packet Identifier of every UNSUBSCRIBE of 5.0, which would drown the fuzzer's output.
    let is_noisy = header.packet_type == PacketType::Unsubscribe && version == Version::V5;
    if !is_noisy && !KNOWN_FAULTS.iter().any(|known| (known.concerns)(packet, version)) {
        assert_eq!(disagreement(packet, frame, version), None);
    }
}

/// What is handed out lazily was really validated when the packet was read.
fn check_contents(packet: &Packet<'_>, header: FixedHeader, frame: &[u8], version: Version) {
    match packet {
        Packet::Connect(connect) => {
            check_properties(connect.properties);
            if let Some(will) = connect.will {
                check_properties(will.properties);
                assert!(TopicName::try_from(will.topic).is_ok());
            }
        }
        Packet::Publish(publish) => {
            check_properties(publish.properties);
            assert_eq!(Publish::decode(header, frame, version).as_ref(), Ok(publish));
            let topic = TopicName::new(Bytes::copy_from_slice(publish.topic.as_bytes()));
            assert!(publish.topic.is_empty() || topic.is_ok());
            let mut parts = Vec::new();
            publish
                .encode_head(publish.payload.len(), version, &mut parts)
                .expect("what was read can be written");
            parts.extend_from_slice(publish.payload);
            let mut whole = Vec::new();
            packet
                .encode(version, &mut whole)
                .expect("what was read can be written");
            assert_eq!(parts, whole, "head and payload are the packet");
        }
        Packet::Subscribe(subscribe) => {
            check_properties(subscribe.properties);
            check_filters(subscribe.filters, version);
        }
        Packet::Unsubscribe(unsubscribe) => {
            check_properties(unsubscribe.properties);
            check_filters(unsubscribe.filters, version);
        }
        Packet::Suback(suback) => check_properties(suback.properties),
        Packet::Unsuback(unsuback) => check_properties(unsuback.properties),
        Packet::Connack(connack) => check_properties(connack.properties),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            check_properties(ack.properties);
        }
        Packet::Disconnect(disconnect) => check_properties(disconnect.properties),
        Packet::Auth(auth) => check_properties(auth.properties),
        Packet::Pingreq | Packet::Pingresp => {}
    }
}

fn check_properties(properties: Properties<'_>) {
    let mut rebuilt = PropertyBuf::new();
    for property in properties {
        assert!(properties.contains(property.id()));
        assert_eq!(
            properties.find(property.id()).map(|first| first.id()),
            Some(property.id())
        );
        rebuilt.push(property).expect("a validated property");
    }
    assert!(
        rebuilt.as_properties() == properties,
        "iteration yields every property"
    );
}

fn check_filters(filters: Filters<'_>, version: Version) {
    assert!(filters.iter().count() > 0);
    for (filter, options) in filters {
        if version == Version::V5 {
            let filter = TopicFilter::try_from(filter).expect("a validated filter");
            assert!(!(options.no_local && filter.share_group().is_some()));
            let _ = filter.matches("a/b");
        }
    }
}
