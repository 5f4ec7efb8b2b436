//! Whole exchanges of a client through the state machines: bytes in, bytes out, and what is handed out between.

mod exchange;
mod memory;
mod mqtt_protocol_core;
mod rumqttc;
mod syncline;

use syncline_core::codec::{QoS, Version};

use crate::case::Case;
use crate::workload::Message;
use exchange::{Client, Order, Receiver, Sender};
use mqtt_protocol_core::{Bare, Storing};
use syncline::Syncline;

pub use memory::{Held, held};

/// Payload bytes of the messages.
const SIZE: usize = 64;

/// Messages in flight at a time: one for a client with little to say, many for one under load.
const WINDOWS: [u16; 2] = [1, 100];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in [Version::V3_1_1, Version::V5] {
        for window in WINDOWS {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                let message = Message {
                    version,
                    qos,
                    size: SIZE,
                };
                let qos = qos as u8;
                let received = format!("receive QoS {qos}, window {window}, {version}").leak();
                cases.extend([
                    receive::<Syncline>(received, message, window),
                    match version {
                        Version::V3_1_1 => receive::<rumqttc::V4>(received, message, window),
                        Version::V5 => receive::<rumqttc::V5>(received, message, window),
                    },
                    receive::<Bare>(received, message, window),
                ]);
                let sent = format!("send QoS {qos}, window {window}, {version}").leak();
                cases.extend([
                    send::<Syncline>(sent, message, window, Order::Sent),
                    match version {
                        Version::V3_1_1 => send::<rumqttc::V4>(sent, message, window, Order::Sent),
                        Version::V5 => send::<rumqttc::V5>(sent, message, window, Order::Sent),
                    },
                    send::<Bare>(sent, message, window, Order::Sent),
                ]);
            }
        }
    }
    cases.extend(flatness());
    cases
}

/// Sent messages at QoS 1 with more and more in flight, acknowledged in one order or another.
fn flatness() -> Vec<Case> {
    /// Where the storing peer already takes minutes for a window.
    const TOO_MANY_FOR_STORING: u16 = 1_001;
    let message = Message {
        version: Version::V5,
        qos: QoS::AtLeastOnce,
        size: SIZE,
    };
    let mut cases = Vec::new();
    for order in [Order::Sent, Order::Reversed, Order::Random] {
        for window in [1, 100, 1_000, 10_000, u16::MAX] {
            let name = format!("{window} in flight, acknowledged {order}").leak();
            cases.push(send::<Syncline>(name, message, window, order));
            cases.push(send::<rumqttc::V5>(name, message, window, order));
            if window < TOO_MANY_FOR_STORING {
                cases.push(send::<Storing>(name, message, window, order));
            }
        }
    }
    cases
}

fn receive<C: Client>(name: &'static str, message: Message, window: u16) -> Case {
    Case::made_when_run(
        name,
        C::LIBRARY,
        move || Receiver::new(C::connected(message.version, window), message, window),
        |_| (),
        |receiver: &mut Receiver<C>, ()| receiver.run(),
    )
    .operations(u64::from(window))
}

fn send<C: Client>(name: &'static str, message: Message, window: u16, order: Order) -> Case {
    Case::made_when_run(
        name,
        C::LIBRARY,
        move || Sender::new(C::connected(message.version, window), message, window, order),
        Sender::prepare,
        |sender: &mut Sender<C>, ()| sender.run(),
    )
    .operations(u64::from(window))
}
