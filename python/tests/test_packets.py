"""Packets across the border to Python: there and back, and what is wrong is raised by blame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import LimitError, PacketError, ProtocolError, SynclineError
from syncline.packets import Frame, Publish, Version, peek

topics = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="+#"), min_size=1, max_size=100
)
versions = st.sampled_from(Version)


@st.composite
def publishes(draw: st.DrawFn) -> Publish:
    """Any PUBLISH that the protocol allows, without properties."""
    qos = draw(st.integers(0, 2))
    return Publish(
        topic=draw(topics),
        payload=draw(st.binary(max_size=1000)),
        qos=qos,
        dup=draw(st.booleans()) if qos else False,
        retain=draw(st.booleans()),
        packet_id=draw(st.integers(1, 65535)) if qos else None,
    )


@given(publishes(), versions)
def test_publish_survives_the_way_there_and_back(publish: Publish, version: Version) -> None:
    data = publish.encode(version=version)
    assert peek(memoryview(data), version=version) == Frame(packet_type=3, length=len(data))
    assert Publish.decode(bytearray(data), version=version) == publish


@given(publishes(), versions)
def test_a_packet_cut_short_is_never_read(publish: Publish, version: Version) -> None:
    data = publish.encode(version=version)
    assert peek(b"", version=version) is None
    with pytest.raises(PacketError, match="exactly one packet"):
        Publish.decode(data[:-1], version=version)


@given(st.binary(max_size=64), versions)
def test_arbitrary_bytes_give_a_packet_or_an_error_of_ours(data: bytes, version: Version) -> None:
    try:
        frame = peek(data, version=version)
        if frame is not None and frame.packet_type == 3 and frame.length == len(data):
            publish = Publish.decode(data, version=version)
            assert publish.topic or version is Version.V5
    except ProtocolError as error:
        assert 0x80 <= error.reason_code <= 0xFF


def test_a_broken_packet_is_the_peers_fault_and_carries_the_reason_code() -> None:
    with pytest.raises(ProtocolError, match="quality of service") as raised:
        peek(b"\x36\x00")
    assert raised.value.reason_code == 0x81
    assert isinstance(raised.value, SynclineError)


def test_a_packet_over_the_limit_is_refused_by_its_first_bytes() -> None:
    with pytest.raises(LimitError, match="larger"):
        peek(b"\x30\xff\x7f", max_packet_size=1000)


def test_fields_that_make_no_packet_are_the_callers_fault() -> None:
    with pytest.raises(PacketError):
        Publish("a", qos=1).encode()
    with pytest.raises(PacketError, match="identifier is 0"):
        Publish("a", qos=1, packet_id=0).encode()
    with pytest.raises(PacketError):
        Publish("a/#").encode()
    with pytest.raises(PacketError, match="no PUBLISH"):
        Publish.decode(b"\xd0\x00")


def test_the_payload_stays_out_of_the_repr() -> None:
    assert "secret" not in repr(Publish("a", b"secret"))
