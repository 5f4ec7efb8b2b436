//! The exchanges through mqtt-protocol-core's `Connection`, which is sans-IO, too.

use std::sync::Arc;

use bytes::Bytes;
use mqtt_protocol_core::mqtt::Version as PeerVersion;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{Connection, Event, TimerKind, role};
use mqtt_protocol_core::mqtt::packet::{Packet, Properties, Qos, SessionExpiryInterval, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::prelude::*;
use syncline_core::codec::{QoS, Version};

use super::exchange::Client;
use crate::workload::{Message, TOPIC};

/// A connection whose Session ends with it: messages in flight are not kept.
pub(super) struct Bare(State);

/// A connection whose Session outlives it: messages in flight are kept, as the other libraries always do.
pub(super) struct Storing(State);

struct State {
    connection: Connection<role::Client>,
    version: Version,
    payload: Option<Arc<[u8]>>,
    out: Vec<u8>,
}

impl State {
    fn new(version: Version, session_expiry: u32) -> Self {
        let (peer_version, connack): (_, &[u8]) = match version {
            Version::V3_1_1 => (PeerVersion::V3_1_1, &[0x20, 2, 0, 0]),
            Version::V5 => (PeerVersion::V5_0, &[0x20, 3, 0, 0, 0]),
        };
        let mut connection = Connection::<role::Client>::new(peer_version);
        connection.set_auto_pub_response(true);
        drop(connection.send(connect(version, session_expiry)));
        let events = connection.recv(&mut Cursor::new(connack));
        assert!(
            events
                .iter()
                .any(|event| matches!(event, Event::NotifyPacketReceived(_)))
        );
        Self {
            connection,
            version,
            payload: None,
            out: Vec::new(),
        }
    }

    /// Appends what is to be sent, hands on the other events, and counts messages and the ends of exchanges.
    fn handle(&mut self, events: Vec<Event>) -> usize {
        let mut handed_out = 0;
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    for part in packet.to_buffers() {
                        self.out.extend_from_slice(&part);
                    }
                }
                Event::NotifyPacketReceived(packet) => {
                    if let Packet::V3_1_1Publish(_)
                    | Packet::V3_1_1Puback(_)
                    | Packet::V3_1_1Pubcomp(_)
                    | Packet::V5_0Publish(_)
                    | Packet::V5_0Puback(_)
                    | Packet::V5_0Pubcomp(_) = std::hint::black_box(packet)
                    {
                        handed_out += 1;
                    }
                }
                _ => {}
            }
        }
        handed_out
    }

    fn publish(&mut self, message: &Ready) {
        let packet_id = (message.qos != Qos::AtMostOnce)
            .then(|| self.connection.acquire_packet_id().expect("a packet identifier"));
        let events = self.connection.send(message.packet(self.version, packet_id));
        self.handle(events);
    }

    fn receive(&mut self, bytes: &[u8]) -> usize {
        let mut handed_out = 0;
        let mut cursor = Cursor::new(bytes);
        while (cursor.position() as usize) < bytes.len() {
            let events = self.connection.recv(&mut cursor);
            handed_out += self.handle(events);
        }
        handed_out
    }

    fn write(&mut self, socket: &mut dyn FnMut(&[u8])) {
        if !self.out.is_empty() {
            socket(&self.out);
            self.out.clear();
        }
    }

    fn rest(&mut self) {
        let events = self.connection.notify_timer_fired(TimerKind::PingreqSend);
        self.handle(events);
        self.out.clear();
        self.receive(&[0xD0, 0]);
    }
}

fn connect(version: Version, session_expiry: u32) -> Packet {
    match version {
        Version::V3_1_1 => v3_1_1::Connect::builder()
            .client_id("bench")
            .expect("an id")
            .clean_session(session_expiry == 0)
            .build()
            .expect("a packet")
            .into(),
        Version::V5 => {
            let mut properties = Properties::new();
            if session_expiry > 0 {
                let expiry = SessionExpiryInterval::new(session_expiry).expect("a valid interval");
                properties.push(expiry.into());
            }
            v5_0::Connect::builder()
                .client_id("bench")
                .expect("an id")
                .clean_start(true)
                .props(properties)
                .build()
                .expect("a packet")
                .into()
        }
    }
}

/// What a packet is made of once its identifier is known.
pub(super) struct Ready {
    qos: Qos,
    payload: Arc<[u8]>,
}

impl Ready {
    fn new(message: Message, payload: Arc<[u8]>) -> Self {
        let qos = match message.qos {
            QoS::AtMostOnce => Qos::AtMostOnce,
            QoS::AtLeastOnce => Qos::AtLeastOnce,
            QoS::ExactlyOnce => Qos::ExactlyOnce,
        };
        Self { qos, payload }
    }

    fn packet(&self, version: Version, id: Option<u16>) -> Packet {
        macro_rules! build {
            ($module:ident) => {{
                let mut builder = $module::Publish::builder()
                    .topic_name(TOPIC)
                    .expect("a valid topic")
                    .qos(self.qos)
                    .payload(self.payload.clone());
                if let Some(id) = id {
                    builder = builder.packet_id(id);
                }
                builder.build().expect("a valid packet").into()
            }};
        }
        match version {
            Version::V3_1_1 => build!(v3_1_1),
            Version::V5 => build!(v5_0),
        }
    }
}

macro_rules! client {
    ($client:ident, $library:literal, $session_expiry:literal) => {
        impl Client for $client {
            const LIBRARY: &'static str = $library;

            type Publication = Ready;

            fn connected(version: Version, _: u16) -> Self {
                Self(State::new(version, $session_expiry))
            }

            fn publication(&mut self, message: Message, payload: &Bytes) -> Ready {
                let payload = self
                    .0
                    .payload
                    .get_or_insert_with(|| Arc::from(&payload[..]));
                Ready::new(message, payload.clone())
            }

            fn publish(&mut self, message: Ready) {
                self.0.publish(&message);
            }

            fn receive(&mut self, bytes: &[u8]) -> usize {
                self.0.receive(bytes)
            }

            fn write(&mut self, socket: &mut dyn FnMut(&[u8])) {
                self.0.write(socket);
            }

            fn receive_buffer(&self) -> usize {
                0
            }

            fn rest(&mut self) {
                self.0.rest();
            }
        }
    };
}

client!(Bare, "mqtt-protocol-core", 0);
client!(Storing, "mqtt-protocol-core, storing", 3_600);
