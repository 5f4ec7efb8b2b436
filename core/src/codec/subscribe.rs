//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK.

use super::primitive::{self, Reader};
use super::property::IdSet;
use super::{DecodeErrorKind, EncodeError, PacketId, PacketType, Properties, QoS, ReasonCode, Version};
use crate::topic::{self, TopicFilter};
use alloc::vec::Vec;

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

const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const RETAIN_HANDLING_SHIFT: u8 = 4;
const RESERVED: u8 = 0xC0;

impl SubscribeOptions {
    /// The options of a 3.1.1 subscription: all defaults but the QoS.
    #[must_use]
    pub const fn at_qos(qos: QoS) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    fn from_byte(byte: u8, version: Version) -> Result<Self, DecodeErrorKind> {
        let reserved = if version == Version::V5 { RESERVED } else { !0x03 };
        if byte & reserved != 0 {
            return Err(DecodeErrorKind::ReservedSubscribeOptions(byte));
        }
        Ok(Self {
            qos: QoS::from_bits(byte & 3).ok_or(DecodeErrorKind::SubscribeQosInvalid)?,
            no_local: byte & NO_LOCAL != 0,
            retain_as_published: byte & RETAIN_AS_PUBLISHED != 0,
            retain_handling: match byte >> RETAIN_HANDLING_SHIFT & 3 {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => return Err(DecodeErrorKind::RetainHandlingInvalid),
            },
        })
    }

    const fn to_byte(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << RETAIN_HANDLING_SHIFT
    }
}

/// Validated Topic Filters of a SUBSCRIBE or UNSUBSCRIBE, iterated lazily. Equal when they yield the same.
#[derive(Debug, Clone, Copy)]
pub struct Filters<'a> {
    bytes: &'a [u8],
    layout: Layout,
}

/// What follows each filter in [`Filters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// An options byte, as in SUBSCRIBE.
    Options,
    /// Nothing, as in UNSUBSCRIBE.
    Bare,
}

impl<'a> Filters<'a> {
    /// Iterates in wire order (UNSUBSCRIBE yields default options).
    #[must_use]
    pub fn iter(&self) -> FiltersIter<'a> {
        FiltersIter {
            reader: Reader::new(self.bytes),
            layout: self.layout,
        }
    }

    /// Whether there is no filter, which no packet allows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn read(reader: Reader<'a>, layout: Layout, version: Version) -> Result<Self, DecodeErrorKind> {
        let bytes = reader.rest();
        if bytes.is_empty() {
            return Err(DecodeErrorKind::NoTopicFilters);
        }
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let filter = reader.topic_filter(version)?;
            if layout == Layout::Options {
                let options = SubscribeOptions::from_byte(reader.u8()?, version)?;
                if options.no_local && topic::share_group(filter).is_some() {
                    return Err(DecodeErrorKind::NoLocalOnSharedSubscription);
                }
            }
        }
        Ok(Self { bytes, layout })
    }

    /// Checks the filters against the rules of `version` and returns the bytes that [`Self::put`] writes.
    fn encoded_len(
        &self,
        packet: PacketType,
        layout: Layout,
        version: Version,
    ) -> Result<usize, EncodeError> {
        let mut len = 0;
        for (filter, options) in self.iter() {
            // Filters that came from a 3.1.1 packet may break the rules that 5.0 adds.
            if version == Version::V5 && topic::check_filter(filter.as_bytes()).is_err() {
                return Err(EncodeError::Invalid(
                    packet,
                    "5.0 needs shared subscriptions as $share/group/filter: correct the topic filter",
                ));
            }
            if version == Version::V3_1_1
                && layout == Layout::Options
                && options != SubscribeOptions::at_qos(options.qos)
            {
                return Err(EncodeError::Invalid(
                    packet,
                    "3.1.1 has no subscription options but the quality of service: leave the others out",
                ));
            }
            len += 2 + filter.len() + usize::from(layout == Layout::Options);
        }
        if len == 0 {
            return Err(EncodeError::Invalid(
                packet,
                "there is no topic filter: add at least one",
            ));
        }
        Ok(len)
    }

    fn put(&self, layout: Layout, out: &mut Vec<u8>) {
        if self.layout == layout {
            out.extend_from_slice(self.bytes);
            return;
        }
        for (filter, options) in self.iter() {
            primitive::put_binary(out, filter.as_bytes());
            if layout == Layout::Options {
                out.push(options.to_byte());
            }
        }
    }
}

impl PartialEq for Filters<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Filters<'_> {}

impl<'a> IntoIterator for Filters<'a> {
    type Item = (&'a str, SubscribeOptions);
    type IntoIter = FiltersIter<'a>;

    fn into_iter(self) -> FiltersIter<'a> {
        self.iter()
    }
}

/// Iterator over [`Filters`].
#[derive(Debug, Clone)]
pub struct FiltersIter<'a> {
    reader: Reader<'a>,
    layout: Layout,
}

impl<'a> Iterator for FiltersIter<'a> {
    type Item = (&'a str, SubscribeOptions);

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        // The bytes were validated when the list was made: reading them again cannot fail.
        let filter = self.reader.text().ok()?;
        let options = match self.layout {
            Layout::Bare => SubscribeOptions::default(),
            Layout::Options => SubscribeOptions::from_byte(self.reader.u8().ok()?, Version::V5).ok()?,
        };
        Some((filter, options))
    }
}

impl core::iter::FusedIterator for FiltersIter<'_> {}

/// Owned Topic Filters under construction, for SUBSCRIBE and UNSUBSCRIBE alike: the latter leaves the options out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilterBuf(Vec<u8>);

impl FilterBuf {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a filter with its options; an UNSUBSCRIBE needs no more than the default options.
    ///
    /// # Errors
    /// [`EncodeError`] for No Local on a shared subscription (MQTT 5.0 §3.8.3.1); the buffer is unchanged then.
    pub fn push(
        &mut self,
        filter: &TopicFilter,
        options: SubscribeOptions,
    ) -> Result<&mut Self, EncodeError> {
        if options.no_local && filter.share_group().is_some() {
            return Err(EncodeError::Invalid(
                PacketType::Subscribe,
                "no local cannot be combined with a shared subscription: clear it",
            ));
        }
        let filter = filter.as_str().as_bytes();
        self.0.reserve(2 + filter.len() + 1);
        primitive::put_binary(&mut self.0, filter);
        self.0.push(options.to_byte());
        Ok(self)
    }

    /// View for a packet.
    #[must_use]
    pub fn as_filters(&self) -> Filters<'_> {
        Filters {
            bytes: &self.0,
            layout: Layout::Options,
        }
    }
}

impl<'a> Subscribe<'a> {
    pub(super) fn read(mut reader: Reader<'a>, version: Version) -> Result<Self, DecodeErrorKind> {
        let (packet_id, properties) = read_head(&mut reader, PacketType::Subscribe, version)?;
        Ok(Self {
            packet_id,
            properties,
            filters: Filters::read(reader, Layout::Options, version)?,
        })
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let packet = PacketType::Subscribe;
        Ok(2 + self.properties.encoded_len(packet, version)?
            + self.filters.encoded_len(packet, Layout::Options, version)?)
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        put_head(self.packet_id, self.properties, version, out);
        self.filters.put(Layout::Options, out);
    }
}

impl<'a> Unsubscribe<'a> {
    pub(super) fn read(mut reader: Reader<'a>, version: Version) -> Result<Self, DecodeErrorKind> {
        let (packet_id, properties) = read_head(&mut reader, PacketType::Unsubscribe, version)?;
        Ok(Self {
            packet_id,
            properties,
            filters: Filters::read(reader, Layout::Bare, version)?,
        })
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let packet = PacketType::Unsubscribe;
        Ok(2 + self.properties.encoded_len(packet, version)?
            + self.filters.encoded_len(packet, Layout::Bare, version)?)
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        put_head(self.packet_id, self.properties, version, out);
        self.filters.put(Layout::Bare, out);
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

/// Reason codes of a SUBACK or UNSUBACK, validated when decoded and again when encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonCodes<'a>(&'a [u8]);

impl<'a> ReasonCodes<'a> {
    /// No reason codes: the UNSUBACK of 3.1.1.
    pub const EMPTY: Self = Self(&[]);

    /// Reason codes as they are on the wire, one byte each. Encoding checks that the packet may carry them.
    #[must_use]
    pub const fn new(codes: &'a [u8]) -> Self {
        Self(codes)
    }

    /// In filter order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ReasonCode> + use<'a> {
        self.0.iter().map(|code| ReasonCode(*code))
    }
}

impl<'a> Suback<'a> {
    pub(super) fn read(mut reader: Reader<'a>, version: Version) -> Result<Self, DecodeErrorKind> {
        let (packet_id, properties) = read_head(&mut reader, PacketType::Suback, version)?;
        let reasons = ReasonCodes(reader.rest());
        if reasons.0.is_empty() {
            return Err(DecodeErrorKind::NoReasonCodes);
        }
        match reasons.iter().find(|code| !code.is_suback_code(version)) {
            Some(code) => Err(DecodeErrorKind::ReasonCodeNotAllowed(code.0)),
            None => Ok(Self {
                packet_id,
                properties,
                reasons,
            }),
        }
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let codes = self.reasons.0;
        if codes.is_empty() || !self.reasons.iter().all(|code| code.is_suback_code(version)) {
            return Err(EncodeError::Invalid(
                PacketType::Suback,
                "the reason codes must be one for each topic filter, of those that this packet knows",
            ));
        }
        Ok(2 + self.properties.encoded_len(PacketType::Suback, version)? + codes.len())
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        put_head(self.packet_id, self.properties, version, out);
        out.extend_from_slice(self.reasons.0);
    }
}

impl<'a> Unsuback<'a> {
    pub(super) fn read(mut reader: Reader<'a>, version: Version) -> Result<Self, DecodeErrorKind> {
        let (packet_id, properties) = read_head(&mut reader, PacketType::Unsuback, version)?;
        if version == Version::V3_1_1 {
            reader.finish()?;
            return Ok(Self {
                packet_id,
                properties,
                reasons: ReasonCodes::EMPTY,
            });
        }
        let reasons = ReasonCodes(reader.rest());
        if reasons.0.is_empty() {
            return Err(DecodeErrorKind::NoReasonCodes);
        }
        match reasons
            .iter()
            .find(|code| !code.is_allowed_in(PacketType::Unsuback))
        {
            Some(code) => Err(DecodeErrorKind::ReasonCodeNotAllowed(code.0)),
            None => Ok(Self {
                packet_id,
                properties,
                reasons,
            }),
        }
    }

    pub(super) fn body_len(&self, version: Version) -> Result<usize, EncodeError> {
        let codes = self.reasons.0;
        let fits = match version {
            Version::V3_1_1 => codes.is_empty(),
            Version::V5 => {
                !codes.is_empty()
                    && self
                        .reasons
                        .iter()
                        .all(|code| code.is_allowed_in(PacketType::Unsuback))
            }
        };
        if !fits {
            return Err(EncodeError::Invalid(
                PacketType::Unsuback,
                "the reason codes must be one for each topic filter, of those that this packet knows, and none in \
                 3.1.1",
            ));
        }
        Ok(2 + self.properties.encoded_len(PacketType::Unsuback, version)? + codes.len())
    }

    pub(super) fn put_body(&self, version: Version, out: &mut Vec<u8>) {
        put_head(self.packet_id, self.properties, version, out);
        out.extend_from_slice(self.reasons.0);
    }
}

/// Packet Identifier and properties, with which all four packets begin.
fn read_head<'a>(
    reader: &mut Reader<'a>,
    packet: PacketType,
    version: Version,
) -> Result<(PacketId, Properties<'a>), DecodeErrorKind> {
    let packet_id = reader.packet_id()?;
    let properties = match version {
        Version::V3_1_1 => Properties::EMPTY,
        Version::V5 => Properties::read(reader, IdSet::allowed_in(packet))?,
    };
    Ok((packet_id, properties))
}

fn put_head(packet_id: PacketId, properties: Properties<'_>, version: Version, out: &mut Vec<u8>) {
    out.extend_from_slice(&packet_id.get().to_be_bytes());
    properties.put(version, out);
}
