//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK.

use super::*;

/// SUBSCRIBE (MQTT 5.0 §3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// Properties.
    pub properties: Properties<'a>,
    /// Topic Filters with options; at least one.
    pub filters: Filters<'a>,
}

/// UNSUBSCRIBE (MQTT 5.0 §3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// Properties.
    pub properties: Properties<'a>,
    /// Topic Filters (their options are not on the wire); at least one.
    pub filters: Filters<'a>,
}

/// Per-filter options (MQTT 5.0 §3.8.3.1). 3.1.1 carries the QoS alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubscribeOptions {
    /// Maximum QoS.
    pub qos: QoS,
    /// No Local.
    pub no_local: bool,
    /// Retain As Published.
    pub retain_as_published: bool,
    /// Retain Handling.
    pub retain_handling: RetainHandling,
}

/// Retain Handling option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// Send retained messages at the time of the subscribe.
    #[default]
    Send = 0,
    /// Send them only if the subscription is new.
    SendIfNew = 1,
    /// Do not send them.
    DoNotSend = 2,
}

/// Validated Topic Filters of a SUBSCRIBE or UNSUBSCRIBE, iterated lazily.
/// Representation is the helper's: e.g. wire bytes + whether an options byte follows each filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filters<'a>(&'a [u8]);
impl<'a> Filters<'a> {
    /// Iterates in wire order (UNSUBSCRIBE yields default options).
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, SubscribeOptions)> + use<'a> {
        let _ = self.0;
        core::iter::empty()
    }
}

/// Owned Topic Filters under construction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilterBuf(alloc::vec::Vec<u8>);
impl FilterBuf {
    /// For a SUBSCRIBE.
    /// # Errors
    /// helper
    pub fn push(&mut self, filter: &crate::topic::TopicFilter, options: SubscribeOptions) -> Result<&mut Self, EncodeError> {
        let _ = (filter, options);
        todo!()
    }
    /// View for a packet.
    #[must_use]
    pub fn as_filters(&self) -> Filters<'_> {
        Filters(&self.0)
    }
}

/// SUBACK (MQTT 5.0 §3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suback<'a> {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// Properties.
    pub properties: Properties<'a>,
    /// One Reason Code a filter.
    pub reasons: ReasonCodes<'a>,
}

/// UNSUBACK (MQTT 5.0 §3.11). No reasons in 3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// Properties.
    pub properties: Properties<'a>,
    /// One Reason Code a filter; empty in 3.1.1.
    pub reasons: ReasonCodes<'a>,
}

/// Validated reason codes of a SUBACK or UNSUBACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonCodes<'a>(&'a [u8]);
impl<'a> ReasonCodes<'a> {
    /// In filter order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ReasonCode> + use<'a> {
        self.0.iter().map(|code| ReasonCode(*code))
    }
}
