//! Layout of the records, format 1.
//!
//! | key | record |
//! |---|---|
//! | session | format (1 byte), flags (1: the server may have the Session, 2: exchanges were given up), Client Identifier |
//! | message | expiry in Unix milliseconds (8 bytes, all ones for none), the message as a 5.0 PUBLISH packet |
//! | flight | 1 awaits PUBACK, 2 PUBREC, 3 PUBCOMP (1 byte), number of the operation (8 bytes) |
//! | received | empty |
//!
//! Integers are big-endian. A reader refuses what it does not know: nothing is guessed, nothing is skipped.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{Lifetime, StoreKey};
use crate::codec::{EncodeError, PacketId, Publish, QoS, ReceivedPublish, Version, peek};
use crate::limits::MAX_PACKET_SIZE;
use crate::session::command::check_publish_properties;
use crate::session::op::{OpId, Publication};
use crate::session::outbound::Awaited;
use crate::time::UnixMillis;
use crate::topic::TopicName;

/// Number of the format that this version writes, and the only one that it reads.
pub const FORMAT: u8 = 1;

const RESUMABLE: u8 = 1;
const GAVE_UP: u8 = 2;

const AWAITS_PUBACK: u8 = 1;
const AWAITS_PUBREC: u8 = 2;
const AWAITS_PUBCOMP: u8 = 3;

/// Bytes of a message's record before its packet.
const EXPIRY_LEN: usize = 8;
const NO_EXPIRY: u64 = u64::MAX;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The session's record is of a format that this version does not know.
    #[error("record is of format {0}, and this version reads format {FORMAT}")]
    Format(u8),
    /// It is not laid out as its format prescribes.
    #[error("record is damaged")]
    Damaged,
}

/// The session's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionRecord {
    pub(super) resumable: bool,
    pub(super) gave_up: bool,
    pub(super) client_id: String,
}

impl SessionRecord {
    pub(super) fn encode(resumable: bool, gave_up: bool, client_id: &str) -> Bytes {
        let mut record = Vec::with_capacity(2 + client_id.len());
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        record.push(FORMAT);
        record.push(flag(resumable, RESUMABLE) | flag(gave_up, GAVE_UP));
        record.extend_from_slice(client_id.as_bytes());
        record.into()
    }

    pub(super) fn decode(record: &[u8]) -> Result<Self, RecordError> {
        let (format, rest) = record.split_first().ok_or(RecordError::Damaged)?;
        if *format != FORMAT {
            return Err(RecordError::Format(*format));
        }
        let (flags, client_id) = rest.split_first().ok_or(RecordError::Damaged)?;
        if flags & !(RESUMABLE | GAVE_UP) != 0 {
            return Err(RecordError::Damaged);
        }
        let client_id = core::str::from_utf8(client_id).map_err(|_| RecordError::Damaged)?;
        if client_id.contains('\0') || client_id.len() > usize::from(u16::MAX) {
            return Err(RecordError::Damaged);
        }
        Ok(Self {
            resumable: flags & RESUMABLE != 0,
            gave_up: flags & GAVE_UP != 0,
            client_id: client_id.into(),
        })
    }
}

/// The record of a message.
pub(super) fn encode_message(
    publication: &Publication,
    expires_at: Option<UnixMillis>,
) -> Result<Bytes, EncodeError> {
    let publish = Publish {
        dup: false,
        qos: publication.qos,
        retain: publication.retain,
        topic: publication.topic.as_str(),
        // A place-holder: the identifier has a record of its own.
        packet_id: (publication.qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        properties: publication.properties.as_properties(),
        payload: &[],
    };
    let mut record = Vec::with_capacity(EXPIRY_LEN + publication.weight() + HEAD_ROOM);
    let UnixMillis(expiry) = expires_at.unwrap_or(UnixMillis(NO_EXPIRY));
    record.extend_from_slice(&expiry.to_be_bytes());
    publish.encode_valid_head(publication.payload.len(), Version::V5, &mut record)?;
    record.extend_from_slice(&publication.payload);
    Ok(record.into())
}

/// Bytes of a PUBLISH besides topic, properties and payload, at most.
const HEAD_ROOM: usize = 16;

/// A message as it was stored, with the wall-clock time of its expiry. The payload shares the record's memory.
pub(super) fn decode_message(record: &Bytes) -> Result<(Publication, Option<UnixMillis>), RecordError> {
    let damaged = RecordError::Damaged;
    let (expiry, frame) = record.split_first_chunk::<EXPIRY_LEN>().ok_or(damaged)?;
    let header = peek(frame, Version::V5, MAX_PACKET_SIZE)
        .ok()
        .flatten()
        .ok_or(damaged)?;
    if header.packet_type != crate::codec::PacketType::Publish || header.packet_len() != frame.len() {
        return Err(damaged);
    }
    let publish = ReceivedPublish::decode(header, frame, Version::V5).map_err(|_| damaged)?;
    check_publish_properties(&publish.properties).map_err(|_| damaged)?;
    if publish.qos == QoS::AtMostOnce || publish.dup {
        return Err(damaged);
    }
    let topic = Bytes::copy_from_slice(publish.topic);
    let publication = Publication {
        topic: TopicName::new(topic).map_err(|_| damaged)?,
        payload: record.slice(record.len() - publish.payload.len()..),
        qos: publish.qos,
        retain: publish.retain,
        properties: publish.properties.into(),
        expiry: None,
        lifetime: Lifetime::Session,
    };
    let expiry = u64::from_be_bytes(*expiry);
    Ok((publication, (expiry != NO_EXPIRY).then_some(UnixMillis(expiry))))
}

/// The record of a Packet Identifier in flight.
pub(super) fn encode_flight(awaited: Awaited, op: OpId) -> Option<Bytes> {
    let awaited = match awaited {
        Awaited::Puback => AWAITS_PUBACK,
        Awaited::Pubrec => AWAITS_PUBREC,
        Awaited::Pubcomp => AWAITS_PUBCOMP,
        Awaited::Suback { .. } | Awaited::Unsuback { .. } => return None,
    };
    let mut record = Vec::with_capacity(1 + size_of::<u64>());
    record.push(awaited);
    record.extend_from_slice(&op.to_u64().to_be_bytes());
    Some(record.into())
}

/// What an identifier awaits, and whose it is.
pub(super) fn decode_flight(record: &[u8]) -> Result<(Awaited, OpId), RecordError> {
    let (awaited, op) = record.split_first().ok_or(RecordError::Damaged)?;
    let op = u64::from_be_bytes(op.try_into().map_err(|_| RecordError::Damaged)?);
    let awaited = match *awaited {
        AWAITS_PUBACK => Awaited::Puback,
        AWAITS_PUBREC => Awaited::Pubrec,
        AWAITS_PUBCOMP => Awaited::Pubcomp,
        _ => return Err(RecordError::Damaged),
    };
    // No key has a larger number, and the next one has to follow it.
    if op == 0 || op >= StoreKey::NUMBER {
        return Err(RecordError::Damaged);
    }
    Ok((awaited, OpId::new(op)))
}
