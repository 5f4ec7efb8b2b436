"""MQTT packets: where one ends, and PUBLISH in both directions."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from syncline import _native

LARGEST_PACKET = 268_435_460


class Version(IntEnum):
    """The protocol version, by the number that CONNECT gives it."""

    V3_1_1 = 4
    V5 = 5


class QoS(IntEnum):
    """Quality of Service."""

    AT_MOST_ONCE = 0
    AT_LEAST_ONCE = 1
    EXACTLY_ONCE = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """The first bytes of a packet: its type, 1 (CONNECT) to 15 (AUTH), and its whole length in bytes."""

    packet_type: int
    length: int


def peek(data: bytes, version: Version, max_packet_size: int = LARGEST_PACKET) -> Frame | None:
    """Tell the packet that ``data`` begins with, or ``None`` while too few bytes are there.

    Raises ``ProtocolError`` for bytes that begin no packet, ``LimitError`` for a packet over ``max_packet_size``.
    """
    found = _native.peek(data, version, max_packet_size)
    return None if found is None else Frame(*found)


@dataclass(frozen=True, slots=True)
class Publish:
    """A PUBLISH. ``packet_id`` is given exactly when ``qos`` is above 0."""

    topic: str
    payload: bytes
    qos: QoS = QoS.AT_MOST_ONCE
    dup: bool = False
    retain: bool = False
    packet_id: int | None = None

    @classmethod
    def decode(cls, data: bytes, version: Version) -> Self:
        """Read the packet that ``data`` is, neither more nor less; properties are checked and left out.

        Raises ``ProtocolError`` for a packet that breaks a rule, ``ValueError`` for one of another type.
        """
        topic, payload, qos, dup, retain, packet_id = _native.decode_publish(data, version)
        return cls(topic, payload, QoS(qos), dup, retain, packet_id)

    def encode(self, version: Version) -> bytes:
        """Write the packet, without properties. Raises ``ValueError`` for fields that make none."""
        return _native.encode_publish(
            self.topic,
            self.payload,
            qos=self.qos,
            dup=self.dup,
            retain=self.retain,
            packet_id=self.packet_id,
            version=version,
        )
