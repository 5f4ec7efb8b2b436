"""MQTT packets on their own: where one ends, and PUBLISH in both directions; for tools that read or write raw streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from syncline import _native

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["LARGEST_PACKET", "Frame", "Publish", "Version", "peek"]

LARGEST_PACKET = 268_435_460
"""The largest packet that MQTT can describe, in bytes."""


class Version(IntEnum):
    """Protocol version, as the CONNECT packet carries it."""

    V3_1_1 = 4
    V5 = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """What the first bytes of a packet tell."""

    packet_type: int
    """Control Packet type, 1 (CONNECT) to 15 (AUTH)."""
    length: int
    """Length of the whole packet in bytes."""


def peek(
    data: Buffer, *, version: Version = Version.V5, max_packet_size: int = LARGEST_PACKET
) -> Frame | None:
    """Read the first bytes of a packet, or return ``None`` while they do not tell its length.

    Raises :exc:`~syncline.errors.ProtocolError` for bytes that no packet begins with, and
    :exc:`~syncline.errors.LimitError` for a packet over the limit.
    """
    header = _native.peek(data, version, max_packet_size)
    return None if header is None else Frame(*header)


@dataclass(frozen=True, slots=True)
class Publish:
    """A PUBLISH packet; MQTT 5.0 properties are checked and left out."""

    topic: str
    """Topic Name; empty only in MQTT 5.0, with a Topic Alias."""
    payload: bytes = field(default=b"", repr=False)
    """Application Message; left out of the ``repr``."""
    qos: int = field(default=0, kw_only=True)
    """Quality of Service."""
    dup: bool = field(default=False, kw_only=True)
    """Redelivery flag."""
    retain: bool = field(default=False, kw_only=True)
    """Retain flag."""
    packet_id: int | None = field(default=None, kw_only=True)
    """Packet Identifier; ``None`` exactly at QoS 0."""

    @classmethod
    def decode(cls, data: Buffer, *, version: Version = Version.V5) -> Publish:
        """Read the PUBLISH that ``data`` is.

        Raises :exc:`~syncline.errors.ProtocolError` where the peer is to blame, and
        :exc:`~syncline.errors.PacketError` where ``data`` is not exactly one PUBLISH.
        """
        topic, payload, qos, dup, retain, packet_id = _native.decode_publish(data, version)
        return cls(topic, payload, qos=qos, dup=dup, retain=retain, packet_id=packet_id)

    def encode(self, *, version: Version = Version.V5) -> bytes:
        """Write the packet, without properties.

        Raises :exc:`~syncline.errors.PacketError` for fields that do not make a packet.
        """
        return _native.encode_publish(
            self.topic,
            self.payload,
            qos=self.qos,
            dup=self.dup,
            retain=self.retain,
            packet_id=self.packet_id,
            version=version,
        )
