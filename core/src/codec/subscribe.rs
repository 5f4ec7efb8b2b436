//! SUBSCRIBE and UNSUBSCRIBE.

use super::filters::Layout;
use super::primitive::Reader;
use super::property_id::IdSet;
use super::{DecodeErrorKind, EncodeError, Filters, PacketId, PacketType, Properties, Version};
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

/// Packet Identifier and properties, with which all four packets begin.
pub(super) fn read_head<'a>(
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

pub(super) fn put_head(packet_id: PacketId, properties: Properties<'_>, version: Version, out: &mut Vec<u8>) {
    out.extend_from_slice(&packet_id.get().to_be_bytes());
    properties.put(version, out);
}
