//! What an established connection holds in memory while nothing happens on it.

use syncline_core::codec::{QoS, Version};

use super::SIZE;
use super::exchange::{Client, Order, Receiver, Sender};
use super::mqtt_protocol_core::Bare;
use super::rumqttc::V5;
use super::syncline::Syncline;
use crate::allocations;
use crate::workload::Message;

/// Bytes that one library holds for a connection, beyond its receive buffer.
#[derive(Debug)]
pub struct Held {
    /// The library.
    pub library: &'static str,
    /// Once connected.
    pub idle: i64,
    /// After this many messages were in flight in each direction at each QoS, and then a ping and its answer.
    pub quiet: Vec<(u16, i64)>,
}

/// What the connection that never had anything in flight would let be.
const IDLE_WINDOW: u16 = 100;

/// What had been in flight before a connection became quiet.
const WINDOWS: [u16; 3] = [1, 100, 10_000];

/// What each library holds, ours first, in 5.0. The program must count with [`allocations::Counting`].
pub fn held() -> impl Iterator<Item = Held> {
    [of::<Syncline>, of::<V5>, of::<Bare>].into_iter().map(|of| of())
}

fn of<C: Client>() -> Held {
    Held {
        library: C::LIBRARY,
        idle: held_by(|| C::connected(Version::V5, IDLE_WINDOW)),
        quiet: WINDOWS
            .map(|window| (window, held_by(|| quiet::<C>(window))))
            .into(),
    }
}

fn held_by<C: Client>(make: impl FnOnce() -> C) -> i64 {
    let before = allocations::live_bytes();
    let client = make();
    let allocated = allocations::live_bytes() - before;
    allocated + size_of::<C>() as i64 - client.receive_buffer() as i64
}

/// A client that has had this much to do and is quiet now.
fn quiet<C: Client>(window: u16) -> C {
    let mut client = C::connected(Version::V5, window);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let message = Message {
            version: Version::V5,
            qos,
            size: SIZE,
        };
        let mut sender = Sender::new(client, message, window, Order::Sent);
        sender.prepare();
        sender.run();
        let mut receiver = Receiver::new(sender.into_client(), message, window);
        receiver.run();
        client = receiver.into_client();
    }
    client.rest();
    client
}
