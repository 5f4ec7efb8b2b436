//! MQTT packets on their own: where one ends, and PUBLISH in both directions.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use syncline_core::codec::{self, Packet, PacketId, PacketType, Properties, Publish, Version};

use crate::argument::{self, Text};
use crate::buffer::Lent;
use crate::config::quality;
use crate::error::{self, PacketError};

/// Topic, payload, QoS, DUP, RETAIN, Packet Identifier.
type Fields<'py> = (String, Bound<'py, PyBytes>, u8, bool, bool, Option<u16>);

/// The type and the whole length of the packet that `data` begins with; `None` while that cannot be told.
#[pyfunction]
pub(crate) fn peek(
    data: Lent<'_>,
    #[pyo3(from_py_with = argument::version)] version: u8,
    #[pyo3(from_py_with = argument::max_packet_size)] max_packet_size: u32,
) -> PyResult<Option<(u8, usize)>> {
    let data = data.to_shared();
    let header = codec::peek(&data, protocol_version(version)?, max_packet_size);
    let header = header.map_err(|error| error::decode(&error))?;
    Ok(header.map(|header| (header.packet_type as u8, header.packet_len())))
}

/// The fields of the PUBLISH that `data` is, neither more nor less.
#[pyfunction]
pub(crate) fn decode_publish<'py>(
    py: Python<'py>,
    data: Lent<'_>,
    #[pyo3(from_py_with = argument::version)] version: u8,
) -> PyResult<Fields<'py>> {
    let version = protocol_version(version)?;
    let data = data.to_shared();
    let header = codec::peek(&data, version, u32::MAX).map_err(|error| error::decode(&error))?;
    let Some(header) = header.filter(|header| header.packet_len() == data.len()) else {
        return Err(PacketError::new_err(
            "data is not exactly one packet: cut it where peek says",
        ));
    };
    if header.packet_type != PacketType::Publish {
        return Err(PacketError::new_err(
            "the packet is no PUBLISH: look at the type that peek gives",
        ));
    }
    let publish = Publish::decode(header, &data, version).map_err(|error| error::decode(&error))?;
    Ok((
        publish.topic.to_owned(),
        PyBytes::new(py, publish.payload),
        publish.qos as u8,
        publish.dup,
        publish.retain,
        publish.packet_id.map(PacketId::get),
    ))
}

/// A PUBLISH without properties.
#[pyfunction]
#[pyo3(signature = (topic, payload, *, qos, dup, retain, packet_id, version))]
#[expect(clippy::too_many_arguments, reason = "one for each field; Python names them")]
pub(crate) fn encode_publish<'py>(
    py: Python<'py>,
    topic: Text,
    payload: Lent<'_>,
    #[pyo3(from_py_with = argument::qos)] qos: u8,
    dup: bool,
    retain: bool,
    #[pyo3(from_py_with = argument::optional::packet_id)] packet_id: Option<u16>,
    #[pyo3(from_py_with = argument::version)] version: u8,
) -> PyResult<Bound<'py, PyBytes>> {
    let zero = || PacketError::new_err("packet identifier is 0, expected 1 to 65535");
    let packet_id = packet_id
        .map(|id| PacketId::new(id).ok_or_else(zero))
        .transpose()?;
    let payload = payload.to_shared();
    let packet = Packet::Publish(Publish {
        dup,
        qos: quality(qos)?,
        retain,
        topic: &topic,
        packet_id,
        properties: Properties::EMPTY,
        payload: &payload,
    });
    let mut bytes = Vec::new();
    packet
        .encode(protocol_version(version)?, &mut bytes)
        .map_err(|error| error::encode(&error))?;
    Ok(PyBytes::new(py, &bytes))
}

fn protocol_version(level: u8) -> PyResult<Version> {
    match level {
        4 => Ok(Version::V3_1_1),
        5 => Ok(Version::V5),
        _ => Err(PacketError::new_err(format!(
            "protocol version is {level}, expected 4 (MQTT 3.1.1) or 5 (MQTT 5.0)"
        ))),
    }
}
