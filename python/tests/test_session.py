"""The session without IO: cutting changes nothing, buffers are not copied, the same seed gives the same bytes."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.core import (
    AuthChallenge,
    Authenticated,
    Authentication,
    Config,
    Connected,
    Filter,
    Lost,
    Message,
    OpenTransport,
    Properties,
    Published,
    Reconnect,
    Session,
    StoreOperation,
    Will,
)
from syncline.errors import (
    ConfigError,
    IncompatibleError,
    NotConnectedError,
    PacketError,
    QueueFullError,
    RestoreFailedError,
    TopicError,
)
from syncline.packets import Publish, Version

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from syncline.core import Output

CONNACK = b"\x20\x03\x00\x00\x00"


def written(session: Session, now: int = 0) -> bytes:
    """What waits to be written, and is now."""
    data = b"".join(session.transmit())
    session.tx_advance(now, len(data))
    return data


def established(config: Config | None = None, connack: bytes = CONNACK) -> Session:
    """A session with a connection."""
    session = Session(config or Config(client_id="test", version="5"), bytes(32))
    session.connect(0)
    assert session.drain(0) == [OpenTransport()]
    session.handle_transport_open(0)
    assert session.drain(0) == []
    assert written(session)[0] == 0x10
    session.receive(connack)
    (connected,) = session.drain(0)
    assert isinstance(connected, Connected)
    return session


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """What a server may send on a connection: messages of every kind, and now and then what it must not."""
    parts: list[bytes] = []
    for packet_id in range(1, draw(st.integers(1, 12))):
        qos = draw(st.integers(0, 2))
        packet = Publish(
            draw(st.sampled_from(["a", "plant/line 1/temperature", "ä/ö"])),
            draw(st.binary(max_size=300)),
            qos=qos,
            retain=draw(st.booleans()),
            packet_id=packet_id if qos else None,
        )
        parts.append(packet.encode(version=Version.V5))
        if qos == 2:
            parts.append(b"\x62\x02" + packet_id.to_bytes(2, "big"))
    parts.append(draw(st.sampled_from([b"", b"\xd0\x00", b"\x36\x00", b"\x90\x04\x00\x01\x00\x00"])))
    return b"".join(parts)


def fed(data: bytes, cuts: list[int]) -> tuple[list[str], list[bytes], bytes]:
    """What a session gives and sends for a stream that comes in these pieces."""
    session = established()
    shown: list[str] = []
    payloads: list[bytes] = []
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {len(data)})
    start = 0
    for end in ends:
        session.receive(data[start:end])
        for output in session.drain(0):
            shown.append(repr(output))
            if isinstance(output, Message):
                payloads.append(output.payload)
        start = end
    return shown, payloads, b"".join(session.transmit())


@given(streams(), st.lists(st.integers(0, 10_000), max_size=30))
def test_however_a_stream_is_cut_it_gives_the_same(data: bytes, cuts: list[int]) -> None:
    assert fed(data, cuts) == fed(data, []) == fed(data, list(range(len(data))))


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
    st.binary(max_size=40),
    st.lists(st.tuples(st.text("abcä", max_size=9), st.text("xyz", max_size=9)), max_size=4),
)
def test_properties_read_as_they_were_given(text: str, data: bytes, user: list[tuple[str, str]]) -> None:
    made = Properties(content_type=text, correlation_data=data, is_utf8=True, will_delay=5, user=user)
    assert (made.content_type, made.correlation_data, made.is_utf8) == (text, data, True)
    assert (made.will_delay, made.user, made.response_topic) == (5, user, None)
    assert made == Properties(content_type=text, correlation_data=data, is_utf8=True, will_delay=5, user=user)
    assert made != Properties(content_type=text)
    assert made
    assert not Properties()


@pytest.mark.parametrize("size", [0, 1, 512, 513, 4096, 4097, 100_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_payloads_of_every_size_and_kind_are_sent_whole(kind: type[bytes], size: int) -> None:
    payload: Buffer = kind(bytes(index % 251 for index in range(size)))
    session = established()
    session.publish(0, "a", payload)
    whole = Publish.decode(written(session))
    assert whole.payload == bytes(payload)
    (published,) = session.drain(0)
    assert isinstance(published, Published)


def test_a_large_payload_is_sent_from_where_it_lies() -> None:
    payload = bytes(1 << 20)
    session = established()
    tracemalloc.start()
    session.publish(0, "a", payload)
    runs = session.transmit()
    session.tx_advance(0, session.unwritten)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(payload) // 2
    view = runs[-1]
    assert isinstance(view, memoryview)
    assert view.readonly
    assert len(view) == len(payload)
    # It stays, although the session has let go of it.
    del payload, session
    gc.collect()
    assert not any(view)


def test_a_large_message_is_shown_without_a_copy_and_copied_once() -> None:
    session = established()
    data = Publish("a", bytes(range(256)) * 64).encode()
    taken = 0
    outputs: list[Output] = []
    while taken < len(data):
        taken += session.receive(data, taken)
        outputs += session.drain(0)
    (message,) = outputs
    assert isinstance(message, Message)
    assert message.payload_view == message.payload == bytes(range(256)) * 64
    assert message.payload is message.payload


def test_a_mutable_buffer_may_change_after_the_call() -> None:
    payload = bytearray(b"x" * 2000)
    session = established()
    session.publish(0, "a", payload, qos=1)
    payload[:] = bytes(2000)
    payload.clear()
    assert Publish.decode(written(session)).payload == b"x" * 2000


def test_a_buffer_that_is_not_contiguous_is_refused() -> None:
    session = established()
    with pytest.raises(TypeError, match="no contiguous bytes: copy it with bytes"):
        session.receive(memoryview(bytes(10))[::2])
    with pytest.raises(TypeError, match="expected str or contiguous bytes"):
        session.publish(0, "a", 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_the_same_seed_and_inputs_give_the_same_waits() -> None:
    def waits(seed: bytes) -> list[int | None]:
        session = Session(Config(client_id="test"), seed)
        session.connect(0)
        found: list[int | None] = []
        for _ in range(10):
            session.drain(0)
            session.handle_transport_closed(session.poll_timeout() or 0)
            found.append(session.poll_timeout())
            session.handle_timeout(found[-1] or 0)
        return found

    assert waits(bytes(32)) == waits(bytes(32)) != waits(b"\1" * 32)


def test_acknowledgements_are_sent_in_the_order_of_the_messages() -> None:
    session = established(Config(client_id="test", version="5", acks="manual"))
    for packet_id in (1, 2):
        session.receive(Publish("a", qos=1, packet_id=packet_id).encode())
    first, second = session.drain(0)
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert first.ack_token is not None
    assert second.ack_token is not None
    session.acknowledge(second.ack_token)
    assert session.transmit() == []
    session.acknowledge(first.ack_token)
    assert written(session) == b"\x40\x02\x00\x01\x40\x02\x00\x02"


def test_a_store_brings_messages_back_in_the_next_process() -> None:
    config = Config(client_id="test", version="5")
    session, restored = Session.restore(config, bytes(32), 0, 0, [])
    assert repr(restored) == "Restored(queued=0, in_flight=0, received=0)"
    op = session.publish(0, "a", b"kept", qos=1)
    records: dict[int, bytes] = {}
    for output in session.drain(0):
        assert isinstance(output, StoreOperation)
        assert output.record is not None
        assert "kept" not in repr(output)
        records[output.key] = output.record
        assert session.awaits_persisted is None or session.awaits_persisted >= output.seq
        session.handle_persisted(output.seq)
    again, restored = Session.restore(config, bytes(32), 0, 0, records.items())
    assert (restored.queued, again.unfinished) == (1, [op])
    with pytest.raises(RestoreFailedError, match="move it aside"):
        Session.restore(config, bytes(32), 0, 0, [(5, b"")])


def test_enhanced_authentication_goes_back_and_forth() -> None:
    config = Config(client_id="test", authentication=Authentication("PLAY", b"hello"))
    session = Session(config, bytes(32))
    session.connect(0)
    session.drain(0)
    session.handle_transport_open(0)
    session.drain(0)
    assert b"PLAY" in written(session)
    challenge = b"\x15\x00\x04PLAY\x16\x00\x02??"
    session.receive(b"\xf0\x0e\x18\x0c" + challenge)
    (asked,) = session.drain(0)
    assert isinstance(asked, AuthChallenge)
    assert asked.data == b"??"
    session.authenticate(0, b"!!")
    assert written(session).endswith(b"!!")
    session.receive(b"\x20\x0a\x00\x00\x07\x15\x00\x04PLAY")
    assert isinstance(session.drain(0)[0], Connected)
    op = session.reauthenticate(b"again")
    assert written(session)[2] == 0x19
    session.receive(b"\xf0\x09\x00\x07\x15\x00\x04PLAY")
    (done,) = session.drain(0)
    assert isinstance(done, Authenticated)
    assert done.op == op


def test_wrong_commands_name_what_is_wrong_and_change_nothing() -> None:
    session = Session(Config(client_id="test", queue_messages=1), bytes(32))
    before = repr(session)
    with pytest.raises(TopicError, match="wildcard at byte 2"):
        session.publish(0, "a/#")
    with pytest.raises(PacketError, match="expected 0, 1 or 2"):
        session.publish(0, "a", qos=3)
    with pytest.raises(PacketError, match="expiry is no duration"):
        session.publish(0, "a", expiry=-1.0)
    with pytest.raises(NotConnectedError):
        session.subscribe([Filter("a")])
    assert repr(session) == before
    session.publish(0, "a")
    with pytest.raises(QueueFullError, match="raise queue_messages"):
        session.publish(0, "a")


def test_what_the_server_does_not_offer_is_neither_sides_mistake() -> None:
    session = established(connack=b"\x20\x07\x00\x00\x04\x24\x00\x25\x00")
    with pytest.raises(IncompatibleError, match="no more than QoS 0"):
        session.publish(0, "a", qos=1)
    assert "maximum_qos=0, retain_available=False" in repr(session.server_limits)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (Config(keep_alive=0.5), "keep alive must be a whole number"),
        (Config(keep_alive=-1), "keep_alive is no duration"),
        (Config(receive_maximum=0), "receive_maximum is 0"),
        (Config(receive_maximum=70_000), "receive_maximum: "),
        (Config(read_size=0), "read size must be within 1 to 16777216 bytes"),
        (Config(read_size=(16 << 20) + 1), "read size must be within"),
        (Config(version="4"), "version is \"4\", expected one of"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (Config(client_id="a\0"), "must not contain U\\+0000"),
        (Config(reconnect=Reconnect(shortest=5, longest=1)), "shortest <= longest"),
        (Config(will=Will("a/#")), "wildcard"),
        (Config(authentication=Authentication("X"), version="3.1.1"), "needs MQTT 5.0"),
    ],
)
def test_a_configuration_that_cannot_be_is_named(config: Config, text: str) -> None:
    with pytest.raises((ConfigError, TopicError), match=text):
        Session(config, bytes(32))


def test_nothing_secret_is_shown() -> None:
    secret = "tiger"
    config = Config(client_id="test", username="scott", password=secret, will=Will("a", secret))
    session = established(config)
    session.publish(0, "a", secret, properties=Properties(user=[("token", secret)]))
    shown = [config, session, Message("a", secret), Properties(user=[("token", secret)]), *session.drain(0)]
    assert not [it for it in shown if secret in repr(it) or secret in str(it)]


def test_reprs_say_what_matters() -> None:
    session = established()
    assert repr(session) == '<Session of "test", connected, 0 in flight, 0 queued>'
    message = Message("a/b", b"hello", qos=1, retain=True, ack_token=3)
    assert repr(message) == "<Message on 'a/b' of 5 bytes, qos=1, retained, to acknowledge>"
    session.publish(0, "a", qos=1)
    session.disconnect(0)
    outputs = session.drain(0)
    written(session)
    outputs += session.drain(0)
    lost = [it for it in outputs if isinstance(it, Lost)]
    assert [repr(it) for it in lost] == ["<Lost op=1: session was closed>"]
