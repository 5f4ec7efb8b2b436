//! Whole QoS 1 exchanges of a client through the state machines: bytes in, bytes out, and the events between.

mod mqtt_protocol_core;
mod rumqttc;
mod syncline;

use syncline_core::codec::{QoS, Version};

use crate::case::Case;
use crate::workload::Message;

/// Payload bytes of the messages.
const SIZE: usize = 64;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for version in [Version::V3_1_1, Version::V5] {
        let message = Message {
            version,
            qos: QoS::AtLeastOnce,
            size: SIZE,
        };
        let received = format!("receive QoS 1, send PUBACK, {version}").leak();
        cases.extend([
            syncline::receive(received, message),
            rumqttc::receive(received, message),
            mqtt_protocol_core::receive(received, message),
        ]);
        let sent = format!("send QoS 1, receive PUBACK, {version}").leak();
        cases.extend([
            syncline::send(sent, message),
            rumqttc::send(sent, message),
            mqtt_protocol_core::send(sent, message),
        ]);
    }
    cases
}

/// The PUBACK for the PUBLISH at the start of `packet`, which has a Remaining Length below 128.
fn puback_for(packet: &[u8]) -> [u8; 4] {
    let topic_len = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let id = 4 + topic_len;
    [0x40, 2, packet[id], packet[id + 1]]
}
