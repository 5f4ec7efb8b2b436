//! The exchanges through mqtt-protocol-core's `Connection`, which is sans-IO, too.

use mqtt_protocol_core::mqtt::Version as PeerVersion;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{Connection, Event, role};
use mqtt_protocol_core::mqtt::packet::{Packet, Qos, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::prelude::*;
use syncline_core::codec::Version;

use super::puback_for;
use crate::case::Case;
use crate::workload::{Message, TOPIC};

const LIBRARY: &str = "mqtt-protocol-core";

struct Client {
    connection: Connection<role::Client>,
    version: Version,
    received: Vec<u8>,
    payload: Vec<u8>,
    out: Vec<u8>,
}

impl Client {
    fn new(message: Message) -> Self {
        let (version, connect, connack): (_, Packet, &[u8]) = match message.version {
            Version::V3_1_1 => (
                PeerVersion::V3_1_1,
                v3_1_1::Connect::builder()
                    .client_id("bench")
                    .expect("an id")
                    .build()
                    .expect("a packet")
                    .into(),
                &[0x20, 2, 0, 0],
            ),
            Version::V5 => (
                PeerVersion::V5_0,
                v5_0::Connect::builder()
                    .client_id("bench")
                    .expect("an id")
                    .build()
                    .expect("a packet")
                    .into(),
                &[0x20, 3, 0, 0, 0],
            ),
        };
        let mut connection = Connection::<role::Client>::new(version);
        connection.set_auto_pub_response(true);
        drop(connection.send(connect));
        let events = connection.recv(&mut Cursor::new(connack));
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::NotifyPacketReceived(_)))
        );
        Self {
            connection,
            version: message.version,
            received: message.packet(),
            payload: message.payload(),
            out: Vec::new(),
        }
    }

    /// Takes over what is to be sent, as a socket would, and hands on the other events.
    fn write(&mut self, events: Vec<Event>) -> usize {
        self.out.clear();
        let mut notified = 0;
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    for part in packet.to_buffers() {
                        self.out.extend_from_slice(&part);
                    }
                }
                Event::NotifyPacketReceived(packet) => {
                    drop(std::hint::black_box(packet));
                    notified += 1;
                }
                _ => {}
            }
        }
        notified
    }

    fn publish(&mut self) -> Packet {
        let id = self.connection.acquire_packet_id().expect("a packet identifier");
        match self.version {
            Version::V3_1_1 => v3_1_1::Publish::builder()
                .topic_name(TOPIC)
                .expect("a valid topic")
                .qos(Qos::AtLeastOnce)
                .packet_id(id)
                .payload(&self.payload[..])
                .build()
                .expect("a valid packet")
                .into(),
            Version::V5 => v5_0::Publish::builder()
                .topic_name(TOPIC)
                .expect("a valid topic")
                .qos(Qos::AtLeastOnce)
                .packet_id(id)
                .payload(&self.payload[..])
                .build()
                .expect("a valid packet")
                .into(),
        }
    }
}

pub(super) fn receive(name: &'static str, message: Message) -> Case {
    Case::new(
        name,
        LIBRARY,
        Client::new(message),
        |_| (),
        |client, ()| {
            let events = client.connection.recv(&mut Cursor::new(&client.received[..]));
            assert_eq!(client.write(events), 1);
            assert_eq!(client.out.len(), 4);
        },
    )
}

pub(super) fn send(name: &'static str, message: Message) -> Case {
    Case::new(
        name,
        LIBRARY,
        Client::new(message),
        |_| (),
        |client, ()| {
            let publish = client.publish();
            let events = client.connection.send(publish);
            client.write(events);
            let puback = puback_for(&client.out);
            let events = client.connection.recv(&mut Cursor::new(&puback[..]));
            assert_eq!(client.write(events), 1);
        },
    )
}
