//! The Topic Filters of SUBSCRIBE and UNSUBSCRIBE with their Subscription Options.

use super::primitive::{self, Reader};
use super::{DecodeErrorKind, EncodeError, PacketType, QoS, Version};
use crate::topic::{self, TopicFilter};
use alloc::vec::Vec;

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
pub(super) enum Layout {
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

    pub(super) fn read(
        reader: Reader<'a>,
        layout: Layout,
        version: Version,
    ) -> Result<Self, DecodeErrorKind> {
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
    pub(super) fn encoded_len(
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

    pub(super) fn put(&self, layout: Layout, out: &mut Vec<u8>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::{assert_canonical, hex, read, refusal, write};
    use crate::codec::{Packet, PacketId, Properties, Subscribe, Unsubscribe};
    use alloc::format;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::try_from(text).unwrap()
    }

    fn subscribe(filters: &FilterBuf) -> Packet<'_> {
        let packet_id = PacketId::MIN;
        Packet::Subscribe(Subscribe {
            packet_id,
            properties: Properties::EMPTY,
            filters: filters.as_filters(),
        })
    }

    #[test]
    fn subscribe_yields_each_filter_with_its_options() {
        let bytes = hex("82 0F 0001 00 0003'a/b' 00 0003'c/#' 2E");
        let Ok(Packet::Subscribe(packet)) = read(&bytes, Version::V5) else {
            panic!("a SUBSCRIBE")
        };
        let all = SubscribeOptions {
            qos: QoS::ExactlyOnce,
            no_local: true,
            retain_as_published: true,
            retain_handling: RetainHandling::DoNotSend,
        };
        let found: Vec<_> = packet.filters.iter().collect();
        assert_eq!(found, [("a/b", SubscribeOptions::default()), ("c/#", all)]);
        let mut built = FilterBuf::new();
        built
            .push(&filter("a/b"), SubscribeOptions::default())
            .unwrap()
            .push(&filter("c/#"), all)
            .unwrap();
        assert_eq!(built.as_filters(), packet.filters);
        assert_eq!(write(&subscribe(&built), Version::V5), Ok(bytes.clone()));
    }

    #[test]
    fn options_with_reserved_bits_or_values_are_refused() {
        let options = |byte: u8, version: Version| match version {
            Version::V5 => refusal(&format!("82 07 0001 00 0001'a' {byte:02X}"), version),
            Version::V3_1_1 => refusal(&format!("82 06 0001 0001'a' {byte:02X}"), version),
        };
        assert_eq!(
            options(0x40, Version::V5),
            DecodeErrorKind::ReservedSubscribeOptions(0x40)
        );
        assert_eq!(
            options(0x80, Version::V5),
            DecodeErrorKind::ReservedSubscribeOptions(0x80)
        );
        assert_eq!(options(0x03, Version::V5), DecodeErrorKind::SubscribeQosInvalid);
        assert_eq!(options(0x30, Version::V5), DecodeErrorKind::RetainHandlingInvalid);
        assert_eq!(
            options(0x04, Version::V3_1_1),
            DecodeErrorKind::ReservedSubscribeOptions(0x04)
        );
        assert_eq!(
            options(0x03, Version::V3_1_1),
            DecodeErrorKind::SubscribeQosInvalid
        );
    }

    #[test]
    fn packet_without_filters_is_refused_and_cannot_be_written() {
        assert_eq!(
            refusal("82 03 0001 00", Version::V5),
            DecodeErrorKind::NoTopicFilters
        );
        assert_eq!(
            refusal("82 02 0001", Version::V3_1_1),
            DecodeErrorKind::NoTopicFilters
        );
        assert_eq!(
            refusal("A2 03 0001 00", Version::V5),
            DecodeErrorKind::NoTopicFilters
        );
        assert!(write(&subscribe(&FilterBuf::new()), Version::V5).is_err());
    }

    #[test]
    fn invalid_filter_is_refused() {
        for text in ["a+", "a/#/b", "a#", "$share//a", "$share/g", "$share/+/a"] {
            let packet = format!(
                "82 {:02X} 0001 00 00{:02X}'{text}' 00",
                text.len() + 6,
                text.len()
            );
            assert_eq!(
                refusal(&packet, Version::V5),
                DecodeErrorKind::TopicFilterInvalid,
                "{text}"
            );
        }
        assert_eq!(
            refusal("82 06 0001 00 0000 00", Version::V5),
            DecodeErrorKind::TopicFilterInvalid
        );
        assert_eq!(
            refusal("A2 05 0001 00 0000", Version::V5),
            DecodeErrorKind::TopicFilterInvalid
        );
    }

    #[test]
    fn no_local_on_a_shared_subscription_is_refused() {
        assert_eq!(
            refusal("82 10 0001 00 000A'$share/g/a' 04", Version::V5),
            DecodeErrorKind::NoLocalOnSharedSubscription
        );
        assert_canonical("82 10 0001 00 000A'$share/g/a' 01", Version::V5);
        let no_local = SubscribeOptions {
            no_local: true,
            ..SubscribeOptions::default()
        };
        let mut filters = FilterBuf::new();
        assert!(filters.push(&filter("$share/g/a"), no_local).is_err());
        assert_eq!(filters, FilterBuf::new());
    }

    #[test]
    fn shared_subscription_has_no_meaning_in_3_1_1() {
        let bytes = hex("82 0F 0001 000A'$share/+/a' 00");
        let Ok(packet) = read(&bytes, Version::V3_1_1) else {
            panic!("a SUBSCRIBE")
        };
        assert_eq!(write(&packet, Version::V3_1_1), Ok(bytes.clone()));
        assert!(write(&packet, Version::V5).is_err());
    }

    #[test]
    fn options_of_5_0_cannot_be_written_in_3_1_1() {
        let mut filters = FilterBuf::new();
        let options = SubscribeOptions {
            retain_handling: RetainHandling::SendIfNew,
            ..Default::default()
        };
        filters.push(&filter("a"), options).unwrap();
        assert!(write(&subscribe(&filters), Version::V3_1_1).is_err());
        assert!(write(&subscribe(&filters), Version::V5).is_ok());
    }

    #[test]
    fn unsubscribe_leaves_the_options_out() {
        let mut filters = FilterBuf::new();
        filters
            .push(&filter("a"), SubscribeOptions::at_qos(QoS::AtLeastOnce))
            .unwrap();
        filters.push(&filter("b/#"), SubscribeOptions::default()).unwrap();
        let packet = Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::MIN,
            properties: Properties::EMPTY,
            filters: filters.as_filters(),
        });
        assert_eq!(
            write(&packet, Version::V5),
            Ok(hex("A2 0B 0001 00 0001'a' 0003'b/#'"))
        );
        assert_eq!(
            write(&packet, Version::V3_1_1),
            Ok(hex("A2 0A 0001 0001'a' 0003'b/#'"))
        );
    }

    #[test]
    fn filter_without_its_options_byte_is_truncated() {
        assert_eq!(
            refusal("82 06 0001 00 0001'a'", Version::V5),
            DecodeErrorKind::Truncated
        );
        assert_eq!(
            refusal("82 06 0001 00 0002'a'", Version::V5),
            DecodeErrorKind::Truncated
        );
    }
}
