//! The exchanges through rumqttc's codec and `MqttState`, as its event loop drives them.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4 as v4_packets;
use rumqttc::v5::mqttbytes::v5 as v5_packets;
use rumqttc::{self as v4, v5};
use syncline_core::codec::Version;

use super::exchange::Client;
use crate::workload::{Message, TOPIC};

const LIBRARY: &str = "rumqttc";
const LIMIT: u32 = 1 << 20;

/// Bytes of the receive buffer.
const READ_SIZE: usize = 16 << 10;

/// Its client for 3.1.1.
pub(super) struct V4(State<v4::MqttState>);

/// Its client for 5.0.
pub(super) struct V5(State<v5::MqttState>);

struct State<S> {
    state: S,
    read: BytesMut,
    written: BytesMut,
}

impl<S> State<S> {
    fn new(state: S) -> Self {
        Self {
            state,
            read: BytesMut::with_capacity(READ_SIZE),
            written: BytesMut::new(),
        }
    }

    fn write(&mut self, socket: &mut dyn FnMut(&[u8])) {
        if !self.written.is_empty() {
            socket(&self.written);
            self.written.clear();
        }
    }
}

/// The two clients differ in their types alone, and in how they say the largest packet.
macro_rules! client {
    ($client:ident, $module:ident, $packets:ident, $limit:expr, $make_publish:expr, $ping:expr) => {
        impl $client {
            fn send(&mut self, packet: $packets::Packet) {
                packet
                    .write(&mut self.0.written, $limit)
                    .expect("a valid packet");
            }

            /// Hands out the events, and counts messages and the ends of exchanges.
            fn drain(&mut self) -> usize {
                use $packets::Packet;
                let mut handed_out = 0;
                while let Some(event) = self.0.state.events.pop_front() {
                    if let $module::Event::Incoming(
                        Packet::Publish(_) | Packet::PubAck(_) | Packet::PubComp(_),
                    ) = std::hint::black_box(event)
                    {
                        handed_out += 1;
                    }
                }
                handed_out
            }
        }

        impl Client for $client {
            const LIBRARY: &'static str = LIBRARY;

            type Publication = $packets::Publish;

            fn connected(_: Version, window: u16) -> Self {
                Self(State::new($module::MqttState::new(window, false)))
            }

            fn publication(&mut self, message: Message, payload: &Bytes) -> Self::Publication {
                $make_publish(message.qos as u8, payload.clone())
            }

            fn publish(&mut self, publish: Self::Publication) {
                let request = $module::Request::Publish(publish);
                let packet = self.0.state.handle_outgoing_packet(request);
                self.send(packet.expect("accepted").expect("a PUBLISH"));
                self.drain();
            }

            fn receive(&mut self, bytes: &[u8]) -> usize {
                self.0.read.extend_from_slice(bytes);
                let mut handed_out = 0;
                // What fails is a packet that has not come whole: the totals are checked.
                while let Ok(packet) = $packets::Packet::read(&mut self.0.read, $limit) {
                    let answer = self.0.state.handle_incoming_packet(packet);
                    if let Some(answer) = answer.expect("accepted") {
                        self.send(answer);
                    }
                    handed_out += self.drain();
                }
                handed_out
            }

            fn write(&mut self, socket: &mut dyn FnMut(&[u8])) {
                self.0.write(socket);
            }

            fn receive_buffer(&self) -> usize {
                READ_SIZE
            }

            fn rest(&mut self) {
                let ping = self.0.state.handle_outgoing_packet($ping);
                self.send(ping.expect("accepted").expect("a PINGREQ"));
                self.0.written.clear();
                self.receive(&[0xD0, 0]);
            }
        }
    };
}

client!(
    V4,
    v4,
    v4_packets,
    LIMIT as usize,
    |qos, payload| { v4::Publish::from_bytes(TOPIC, v4::qos(qos).expect("0, 1 or 2"), payload) },
    v4::Request::PingReq(v4::PingReq)
);
client!(
    V5,
    v5,
    v5_packets,
    Some(LIMIT),
    |qos, payload| {
        let qos = v5::mqttbytes::qos(qos).expect("0, 1 or 2");
        v5_packets::Publish::new(TOPIC, qos, payload, None)
    },
    v5::Request::PingReq
);
