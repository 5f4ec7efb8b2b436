//! Writing a PUBLISH into a buffer that has grown already, payload included; each library has the packet ready made.
//!
//! The session writes the head alone and sends the payload by handle: that has a row of its own.

use bytes::{Bytes, BytesMut};
use mqtt_protocol_core::mqtt::packet::{Qos, v3_1_1, v5_0};
use syncline_core::codec::{Packet, PacketId, Properties, Publish, QoS, Version};

use crate::case::{Case, OURS};
use crate::workload::{Message, TOPIC};

const HEAD: &str = "syncline, head";

struct Ours {
    message: Message,
    payload: Vec<u8>,
    out: Vec<u8>,
}

impl Ours {
    fn new(message: Message) -> Self {
        Self {
            message,
            payload: message.payload(),
            out: Vec::new(),
        }
    }
}

fn publish<'a>(message: Message, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        dup: false,
        qos: message.qos,
        retain: false,
        topic: TOPIC,
        packet_id: (message.qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        properties: Properties::EMPTY,
        payload,
    }
}

pub(super) fn cases(message: Message) -> Vec<Case> {
    let name = message.name("encode");
    let mut cases = vec![
        Case::new(
            name,
            OURS,
            Ours::new(message),
            |_| (),
            |state, ()| {
                state.out.clear();
                let packet = Packet::Publish(publish(state.message, &state.payload));
                packet
                    .encode(state.message.version, &mut state.out)
                    .expect("a valid packet");
                state.out.len()
            },
        ),
        Case::new(
            name,
            HEAD,
            Ours::new(message),
            |_| (),
            |state, ()| {
                state.out.clear();
                let packet = publish(state.message, b"");
                packet
                    .encode_head(state.payload.len(), state.message.version, &mut state.out)
                    .expect("a valid packet");
                state.out.len()
            },
        ),
    ];
    cases.extend(match message.version {
        Version::V3_1_1 => peers_v3(name, message),
        Version::V5 => peers_v5(name, message),
    });
    cases
}

fn peers_v3(name: &'static str, message: Message) -> Vec<Case> {
    let id = u16::from(message.qos != QoS::AtMostOnce);
    let mqttbytes_qos = mqttbytes::qos(message.qos as u8).expect("0 or 1");
    let mut of_mqttbytes = mqttbytes::v4::Publish::new(TOPIC, mqttbytes_qos, message.payload());
    of_mqttbytes.pkid = id;
    let rumqttc_qos = rumqttc::qos(message.qos as u8).expect("0 or 1");
    let mut of_rumqttc = rumqttc::Publish::new(TOPIC, rumqttc_qos, message.payload());
    of_rumqttc.pkid = id;
    let mut builder = v3_1_1::Publish::builder()
        .topic_name(TOPIC)
        .expect("a valid topic")
        .payload(message.payload());
    builder = match message.qos {
        QoS::AtMostOnce => builder.qos(Qos::AtMostOnce),
        _ => builder.qos(Qos::AtLeastOnce).packet_id(id),
    };
    let of_core = builder.build().expect("a valid packet");
    vec![
        Case::new(
            name,
            "mqttbytes",
            (of_mqttbytes, BytesMut::new()),
            |_| (),
            |(publish, out), ()| {
                out.clear();
                publish.write(out).expect("a valid packet")
            },
        ),
        Case::new(
            name,
            "rumqttc",
            (of_rumqttc, BytesMut::new()),
            |_| (),
            |(publish, out), ()| {
                out.clear();
                publish.write(out).expect("a valid packet")
            },
        ),
        Case::new(
            name,
            "mqtt-protocol-core",
            of_core,
            |_| (),
            |publish, ()| publish.to_continuous_buffer(),
        ),
    ]
}

fn peers_v5(name: &'static str, message: Message) -> Vec<Case> {
    let id = u16::from(message.qos != QoS::AtMostOnce);
    let mqttbytes_qos = mqttbytes::qos(message.qos as u8).expect("0 or 1");
    let mut of_mqttbytes = mqttbytes::v5::Publish::new(TOPIC, mqttbytes_qos, message.payload());
    of_mqttbytes.pkid = id;
    let rumqttc_qos = rumqttc::v5::mqttbytes::qos(message.qos as u8).expect("0 or 1");
    let payload = Bytes::from(message.payload());
    let mut of_rumqttc = rumqttc::v5::mqttbytes::v5::Publish::new(TOPIC, rumqttc_qos, payload, None);
    of_rumqttc.pkid = id;
    let mut builder = v5_0::Publish::builder()
        .topic_name(TOPIC)
        .expect("a valid topic")
        .payload(message.payload());
    builder = match message.qos {
        QoS::AtMostOnce => builder.qos(Qos::AtMostOnce),
        _ => builder.qos(Qos::AtLeastOnce).packet_id(id),
    };
    let of_core = builder.build().expect("a valid packet");
    vec![
        Case::new(
            name,
            "mqttbytes",
            (of_mqttbytes, BytesMut::new()),
            |_| (),
            |(publish, out), ()| {
                out.clear();
                publish.write(out).expect("a valid packet")
            },
        ),
        Case::new(
            name,
            "rumqttc",
            (of_rumqttc, BytesMut::new()),
            |_| (),
            |(publish, out), ()| {
                out.clear();
                publish.write(out).expect("a valid packet")
            },
        ),
        Case::new(
            name,
            "mqtt-protocol-core",
            of_core,
            |_| (),
            |publish, ()| publish.to_continuous_buffer(),
        ),
    ]
}
