//! MQTT packets: where one ends, and PUBLISH in both directions.

use syncline_core::codec::{Packet, PacketId, PacketType, Properties, Publish, QoS, Version, peek};

use crate::border;
use crate::error_text::Fault;
use crate::pointer::{self, Out, Slice};
use crate::result::Code;

/// The first bytes of a packet.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Frame {
    /// Length of the whole packet in bytes, its first ones included.
    pub len: usize,
    /// Control Packet type, 1 (CONNECT) to 15 (AUTH).
    pub packet_type: u8,
}

/// A PUBLISH.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct PublishPacket {
    /// Topic Name; empty only in MQTT 5.0, with a Topic Alias.
    pub topic: Slice,
    /// Application Message.
    pub payload: Slice,
    /// Packet Identifier; 0 exactly when `qos` is 0.
    pub packet_id: u16,
    /// Quality of Service, 0 to 2.
    pub qos: u8,
    /// Redelivery flag.
    pub dup: bool,
    /// Retain flag.
    pub retain: bool,
}

/// Reads the first bytes of a packet, and checks all that they tell.
///
/// `version` is 4 (MQTT 3.1.1) or 5 (MQTT 5.0); `max_packet_size` the largest packet to accept in bytes.
/// SYNCLINE_RESULT_INCOMPLETE: `data` does not hold them all yet. That the rest of the packet is there, once `frame`
/// is written, is for the caller to compare.
///
/// # Safety
/// `data` points to `len` bytes, `frame` to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_packet_peek(
    data: *const u8,
    len: usize,
    version: u8,
    max_packet_size: u32,
    frame: *mut Frame,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (bytes, out) = unsafe { (pointer::bytes(data, len, "data")?, Out::new(frame, "frame")?) };
        let header = peek(bytes, protocol_version(version)?, max_packet_size)?.ok_or(Code::Incomplete)?;
        out.write(Frame {
            len: header.packet_len(),
            packet_type: header.packet_type as u8,
        });
        Ok(())
    })
}

/// Reads the PUBLISH that `data` begins with; what follows it is left alone.
///
/// `publish` points into `data` afterwards; nothing is copied. Properties of MQTT 5.0 are checked and left out.
///
/// # Safety
/// `data` points to `len` bytes, `publish` to the place of the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_publish_decode(
    data: *const u8,
    len: usize,
    version: u8,
    publish: *mut PublishPacket,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for both pointers.
        let (bytes, out) = unsafe { (pointer::bytes(data, len, "data")?, Out::new(publish, "publish")?) };
        let version = protocol_version(version)?;
        let header = peek(bytes, version, u32::MAX)?.ok_or(Code::Incomplete)?;
        if header.packet_type != PacketType::Publish {
            return Err(Code::WrongPacketType.into());
        }
        let frame = bytes.get(..header.packet_len()).ok_or(Code::Incomplete)?;
        let packet = Publish::decode(header, frame, version)?;
        out.write(PublishPacket {
            topic: packet.topic.into(),
            payload: packet.payload.into(),
            packet_id: packet.packet_id.map_or(0, PacketId::get),
            qos: packet.qos as u8,
            dup: packet.dup,
            retain: packet.retain,
        });
        Ok(())
    })
}

/// Writes a PUBLISH without properties to `buffer`, which has room for `capacity` bytes.
///
/// `written` is the packet's length, on SYNCLINE_RESULT_BUFFER_TOO_SMALL too: ask with (NULL, 0) for the length alone.
///
/// # Safety
/// `publish` points to a packet whose slices can be read, `buffer` to `capacity` bytes that no slice of it overlaps,
/// `written` to a length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syncline_publish_encode(
    publish: *const PublishPacket,
    version: u8,
    buffer: *mut u8,
    capacity: usize,
    written: *mut usize,
) -> Code {
    border::cross(|| {
        // SAFETY: the caller vouches for these pointers.
        let (packet, out) = unsafe {
            (
                pointer::shared(publish, "publish")?,
                Out::new(written, "written")?,
            )
        };
        // SAFETY: the caller vouches for the packet's slices.
        let (topic, payload) = unsafe {
            let topic = pointer::text(packet.topic.data, packet.topic.len, "data")?;
            (
                topic,
                pointer::bytes(packet.payload.data, packet.payload.len, "data")?,
            )
        };
        let packet = Packet::Publish(Publish {
            dup: packet.dup,
            qos: quality(packet.qos)?,
            retain: packet.retain,
            topic,
            packet_id: PacketId::new(packet.packet_id),
            properties: Properties::EMPTY,
            payload,
        });
        let mut bytes = Vec::new();
        packet.encode(protocol_version(version)?, &mut bytes)?;
        if bytes.len() > capacity {
            out.write(bytes.len());
            return Err(Code::BufferTooSmall.into());
        }
        if buffer.is_null() {
            return Err(pointer::null("buffer"));
        }
        // SAFETY: `buffer` has room for `capacity` bytes, which are no fewer; the vector is a new allocation.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, bytes.len()) };
        out.write(bytes.len());
        Ok(())
    })
}

fn protocol_version(level: u8) -> Result<Version, Fault> {
    match level {
        4 => Ok(Version::V3_1_1),
        5 => Ok(Version::V5),
        _ => Err(Code::VersionUnknown.into()),
    }
}

pub(crate) fn quality(qos: u8) -> Result<QoS, Fault> {
    match qos {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        2 => Ok(QoS::ExactlyOnce),
        other => Err(Fault::out_of_range("qos", other, "0, 1 or 2")),
    }
}
