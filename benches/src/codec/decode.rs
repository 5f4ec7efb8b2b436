//! Reading a PUBLISH and a PUBACK.
//!
//! The libraries that read from a `BytesMut` get one with the packet in it, ready made; the one that reads from an
//! `Arc<[u8]>` gets that, and is spared the framing, which its `Connection` does elsewhere.

use std::sync::Arc;

use bytes::BytesMut;
use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
use syncline_core::codec::{Ack, Packet, PacketId, Publish, Version, decode, peek};

use crate::case::{Case, OURS};
use crate::workload::Message;

const LIMIT: u32 = 1 << 20;

pub(super) fn cases(message: Message) -> Vec<Case> {
    let name = message.name("decode");
    let packet = message.packet();
    let stream = |packet: &mut Vec<u8>| BytesMut::from(&packet[..]);
    let body = |packet: &mut Vec<u8>| {
        let header = peek(packet, Version::V5, LIMIT)
            .expect("a header")
            .expect("a whole header");
        Arc::<[u8]>::from(&packet[usize::from(header.header_len)..])
    };
    match message.version {
        Version::V3_1_1 => vec![
            Case::new(
                name,
                OURS,
                packet.clone(),
                |_| (),
                |packet, ()| publish_payload_len(packet, Version::V3_1_1),
            ),
            Case::new(name, "mqttbytes", packet.clone(), stream, |_, mut stream| {
                mqttbytes::v4::read(&mut stream, LIMIT as usize).expect("a valid packet")
            }),
            Case::new(name, "rumqttc", packet.clone(), stream, |_, mut stream| {
                rumqttc::Packet::read(&mut stream, LIMIT as usize).expect("a valid packet")
            }),
            Case::new(name, "mqtt-protocol-core", packet, body, |packet, body| {
                v3_1_1::Publish::parse(packet[0] & 0x0F, body).expect("a valid packet")
            }),
        ],
        Version::V5 => vec![
            Case::new(
                name,
                OURS,
                packet.clone(),
                |_| (),
                |packet, ()| publish_payload_len(packet, Version::V5),
            ),
            Case::new(name, "mqttbytes", packet.clone(), stream, |_, mut stream| {
                mqttbytes::v5::read(&mut stream, LIMIT as usize).expect("a valid packet")
            }),
            Case::new(name, "rumqttc", packet.clone(), stream, |_, mut stream| {
                rumqttc::v5::mqttbytes::v5::Packet::read(&mut stream, Some(LIMIT)).expect("a valid packet")
            }),
            Case::new(name, "mqtt-protocol-core", packet, body, |packet, body| {
                v5_0::Publish::parse(packet[0] & 0x0F, body).expect("a valid packet")
            }),
        ],
    }
}

pub(super) fn puback() -> Vec<Case> {
    let name = "decode PUBACK 5.0";
    let mut packet = Vec::new();
    let ack = Packet::Puback(Ack::success(PacketId::MIN));
    ack.encode(Version::V5, &mut packet).expect("a valid packet");
    let stream = |packet: &mut Vec<u8>| BytesMut::from(&packet[..]);
    vec![
        Case::new(
            name,
            OURS,
            packet.clone(),
            |_| (),
            |packet, ()| {
                let header = peek(packet, Version::V5, LIMIT)
                    .expect("a header")
                    .expect("a whole header");
                Ack::decode(header, packet, Version::V5)
                    .expect("a valid packet")
                    .packet_id
            },
        ),
        Case::new(
            name,
            OURS_BY_UNION,
            packet.clone(),
            |_| (),
            |packet, ()| {
                let header = peek(packet, Version::V5, LIMIT)
                    .expect("a header")
                    .expect("a whole header");
                match decode(header, packet, Version::V5).expect("a valid packet") {
                    Packet::Puback(ack) => ack.packet_id,
                    other => panic!("not a PUBACK: {other:?}"),
                }
            },
        ),
        Case::new(name, "mqttbytes", packet.clone(), stream, |_, mut stream| {
            mqttbytes::v5::read(&mut stream, LIMIT as usize).expect("a valid packet")
        }),
        Case::new(name, "rumqttc", packet.clone(), stream, |_, mut stream| {
            rumqttc::v5::mqttbytes::v5::Packet::read(&mut stream, Some(LIMIT)).expect("a valid packet")
        }),
        Case::new(
            name,
            "mqtt-protocol-core",
            packet,
            |_| (),
            |packet, ()| v5_0::Puback::parse(&packet[2..]).expect("a valid packet"),
        ),
    ]
}

const OURS_BY_UNION: &str = "syncline, any packet";

/// Frames and reads the packet, and uses what was read so that none of it can be left out.
fn publish_payload_len(packet: &[u8], version: Version) -> usize {
    let header = peek(packet, version, LIMIT)
        .expect("a header")
        .expect("a whole header");
    let frame = &packet[..header.packet_len()];
    let publish = Publish::decode(header, frame, version).expect("a valid packet");
    std::hint::black_box(&publish).payload.len()
}
