"""Packets across the border to Python: there and back, and what is wrong is raised by blame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import syncline
from syncline import Frame, LimitError, ProtocolError, Publish, QoS, SynclineError, Version, peek

topics = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"], exclude_characters="+#"), min_size=1, max_size=100
)
versions = st.sampled_from(Version)


@st.composite
def publishes(draw: st.DrawFn) -> Publish:
    """Any PUBLISH that the protocol allows, without properties."""
    qos = draw(st.sampled_from(QoS))
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
    data = publish.encode(version)
    assert peek(data, version) == Frame(packet_type=3, length=len(data))
    assert Publish.decode(data, version) == publish


@given(publishes(), versions)
def test_a_packet_cut_short_is_never_read(publish: Publish, version: Version) -> None:
    data = publish.encode(version)
    assert peek(b"", version) is None
    with pytest.raises(ValueError, match="exactly one packet"):
        Publish.decode(data[:-1], version)


@given(st.binary(max_size=64), versions)
def test_arbitrary_bytes_give_a_packet_or_an_error_of_ours(data: bytes, version: Version) -> None:
    try:
        frame = peek(data, version)
        if frame is not None and frame.packet_type == 3 and frame.length == len(data):
            publish = Publish.decode(data, version)
            assert publish.topic or version is Version.V5
    except ProtocolError as error:
        assert 0x80 <= error.reason_code <= 0xFF


def test_a_broken_packet_is_the_peers_fault_and_carries_the_reason_code() -> None:
    with pytest.raises(ProtocolError, match="quality of service") as raised:
        peek(b"\x36\x00", Version.V5)
    assert raised.value.reason_code == 0x81
    assert isinstance(raised.value, SynclineError)


def test_a_packet_over_the_limit_is_refused_by_its_first_bytes() -> None:
    with pytest.raises(LimitError, match="larger"):
        peek(b"\x30\xff\x7f", Version.V5, max_packet_size=1000)


def test_fields_that_make_no_packet_are_the_callers_fault() -> None:
    with pytest.raises(ValueError):
        Publish("a", b"", qos=QoS.AT_LEAST_ONCE).encode(Version.V5)
    with pytest.raises(ValueError, match="identifier is 0"):
        Publish("a", b"", qos=QoS.AT_LEAST_ONCE, packet_id=0).encode(Version.V5)
    with pytest.raises(ValueError):
        Publish("a/#", b"").encode(Version.V5)
    with pytest.raises(ValueError, match="no PUBLISH"):
        Publish.decode(b"\xd0\x00", Version.V5)


def test_the_version_is_that_of_the_installed_package() -> None:
    from importlib.metadata import version

    assert syncline.__version__ == version("syncline")
