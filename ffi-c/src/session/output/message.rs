//! A message that was received.

use syncline_core::codec::{Property, PropertyId};
use syncline_core::session::Message;

use crate::pointer::Slice;
use crate::shared_bytes::SharedBytes;

/// A message from the server.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct MessageRecord {
    /// Topic Name, also where the server sent a Topic Alias in its place.
    pub topic: Slice,
    /// Application Message.
    pub payload: Slice,
    /// The same, for `syncline_bytes_retain`.
    pub shared: *const SharedBytes,
    /// Response Topic, else empty.
    pub response_topic: Slice,
    /// Correlation Data, else empty.
    pub correlation_data: Slice,
    /// What to acknowledge it with, where `needs_ack` is set.
    pub ack_token: u64,
    /// Quality of Service.
    pub qos: u8,
    /// Whether the server sent it because it was retained.
    pub retain: bool,
    /// Whether the server may have sent it before.
    pub dup: bool,
    /// Whether it waits for `syncline_session_acknowledge`.
    pub needs_ack: bool,
}

pub(super) fn message(message: &Message, payload: &SharedBytes) -> MessageRecord {
    let properties = message.properties();
    let (mut response_topic, mut correlation_data) = (Slice::EMPTY, Slice::EMPTY);
    if !properties.is_empty() {
        if let Some(Property::ResponseTopic(topic)) = properties.find(PropertyId::ResponseTopic) {
            response_topic = topic.into();
        }
        if let Some(Property::CorrelationData(data)) = properties.find(PropertyId::CorrelationData) {
            correlation_data = data.into();
        }
    }
    let ack = message.ack_token();
    MessageRecord {
        topic: message.topic().into(),
        payload: message.payload().into(),
        shared: payload,
        response_topic,
        correlation_data,
        ack_token: ack.map_or(0, |token| token.to_u64()),
        qos: message.qos() as u8,
        retain: message.retain(),
        dup: message.dup(),
        needs_ack: ack.is_some(),
    }
}
