//! The exchanges through rumqttc's codec and `MqttState`, as its event loop drives them.

use bytes::{Bytes, BytesMut};
use rumqttc::{self as v4, v5};
use syncline_core::codec::Version;

use super::puback_for;
use crate::case::Case;
use crate::workload::{Message, TOPIC};

const LIBRARY: &str = "rumqttc";
const LIMIT: usize = 1 << 20;

struct Client<S> {
    state: S,
    received: Vec<u8>,
    payload: Bytes,
    read: BytesMut,
    written: BytesMut,
}

impl<S> Client<S> {
    fn new(state: S, message: Message) -> Self {
        Self {
            state,
            received: message.packet(),
            payload: message.payload().into(),
            read: BytesMut::with_capacity(16 << 10),
            written: BytesMut::with_capacity(16 << 10),
        }
    }
}

pub(super) fn receive(name: &'static str, message: Message) -> Case {
    match message.version {
        Version::V3_1_1 => {
            let client = Client::new(v4::MqttState::new(100, false), message);
            Case::new(
                name,
                LIBRARY,
                client,
                |_| (),
                |client, ()| {
                    client.read.extend_from_slice(&client.received);
                    let packet = v4::Packet::read(&mut client.read, LIMIT).expect("a packet");
                    let answer = client
                        .state
                        .handle_incoming_packet(packet)
                        .expect("accepted")
                        .expect("a PUBACK");
                    client.written.clear();
                    answer.write(&mut client.written, LIMIT).expect("a valid packet");
                    assert_eq!(client.written.len(), 4);
                    (client.state.events.pop_front(), client.state.events.pop_front())
                },
            )
        }
        Version::V5 => {
            let client = Client::new(v5::MqttState::new(100, false), message);
            Case::new(
                name,
                LIBRARY,
                client,
                |_| (),
                |client, ()| {
                    client.read.extend_from_slice(&client.received);
                    let packet = v5::mqttbytes::v5::Packet::read(&mut client.read, Some(LIMIT as u32))
                        .expect("a packet");
                    let answer = client
                        .state
                        .handle_incoming_packet(packet)
                        .expect("accepted")
                        .expect("a PUBACK");
                    client.written.clear();
                    answer
                        .write(&mut client.written, Some(LIMIT as u32))
                        .expect("a valid packet");
                    assert_eq!(client.written.len(), 4);
                    (client.state.events.pop_front(), client.state.events.pop_front())
                },
            )
        }
    }
}

pub(super) fn send(name: &'static str, message: Message) -> Case {
    match message.version {
        Version::V3_1_1 => {
            let client = Client::new(v4::MqttState::new(100, false), message);
            Case::new(
                name,
                LIBRARY,
                client,
                |client| v4::Publish::from_bytes(TOPIC, v4::QoS::AtLeastOnce, client.payload.clone()),
                |client, publish| {
                    let request = v4::Request::Publish(publish);
                    let packet = client
                        .state
                        .handle_outgoing_packet(request)
                        .expect("accepted")
                        .expect("a PUBLISH");
                    client.written.clear();
                    packet.write(&mut client.written, LIMIT).expect("a valid packet");
                    client.read.extend_from_slice(&puback_for(&client.written));
                    let puback = v4::Packet::read(&mut client.read, LIMIT).expect("a packet");
                    assert!(
                        client
                            .state
                            .handle_incoming_packet(puback)
                            .expect("accepted")
                            .is_none()
                    );
                    (client.state.events.pop_front(), client.state.events.pop_front())
                },
            )
        }
        Version::V5 => {
            let client = Client::new(v5::MqttState::new(100, false), message);
            Case::new(
                name,
                LIBRARY,
                client,
                |client| {
                    let qos = v5::mqttbytes::QoS::AtLeastOnce;
                    v5::mqttbytes::v5::Publish::new(TOPIC, qos, client.payload.clone(), None)
                },
                |client, publish| {
                    let request = v5::Request::Publish(publish);
                    let packet = client
                        .state
                        .handle_outgoing_packet(request)
                        .expect("accepted")
                        .expect("a PUBLISH");
                    client.written.clear();
                    packet
                        .write(&mut client.written, Some(LIMIT as u32))
                        .expect("a valid packet");
                    client.read.extend_from_slice(&puback_for(&client.written));
                    let puback = v5::mqttbytes::v5::Packet::read(&mut client.read, Some(LIMIT as u32))
                        .expect("a packet");
                    assert!(
                        client
                            .state
                            .handle_incoming_packet(puback)
                            .expect("accepted")
                            .is_none()
                    );
                    (client.state.events.pop_front(), client.state.events.pop_front())
                },
            )
        }
    }
}
