"""Odd values of every type to every public call: what does not fit raises what the documentation says, and nothing else."""

from __future__ import annotations

import array
import asyncio
import dataclasses
import inspect
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import syncline.errors
from syncline import core, flowsync, packets
from syncline.aio import Client, Subscription
from syncline.errors import SynclineError

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTED = (SynclineError, TypeError)
"""What :mod:`syncline.errors` promises: the caller's fault in the package's words, or an argument of another type."""

MANY = settings(
    max_examples=30,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

ids = "6f0c0000-0000-4000-8000-000000000000"

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, 3, -1, 4, 5, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64]),
    st.sampled_from([10**400, -(10**400)]),
    st.sampled_from([0.0, -0.0, 0.5, -1.0, 1e9, 1e300, 5e-324, math.inf, -math.inf, math.nan]),
    st.sampled_from(["", "a", "a/+", "#", "a\0b", "\ud800", "é", "x" * 70_000, "1", "null", "[", "$share/g/a", ids]),
    st.sampled_from([b"", b"a", bytes(32), bytes(70_000), bytearray(b"a"), memoryview(b"abcd")[::2], b"\x30\x00"]),
    st.builds(lambda: array.array("I", [1, 2])),
    st.builds(lambda: memoryview(bytes(8)).cast("I")),
    st.sampled_from([[], ["a"], [1], [("a", "b")], [("a", "\ud800")], [(-1, b"")], (), {}, {"a": 1}, set[int](), object()]),
    st.sampled_from([core.Filter("a"), core.Config(), core.Properties(user=[("a", "b")]), core.QoS.AT_LEAST_ONCE]),
)


def callables(of: Any) -> list[tuple[str, Callable[..., Any]]]:
    """The public functions of an object or a module."""
    return [
        (name, getattr(of, name))
        for name in dir(of)
        if not name.startswith("_") and callable(getattr(of, name)) and not inspect.isclass(getattr(of, name))
    ]


def arguments(call: Callable[..., Any], data: st.DataObject) -> tuple[list[Any], dict[str, Any]]:
    """Odd values for all arguments that a call has to have, and for some of the others."""
    positional = list[Any]()
    named = dict[str, Any]()
    for name, parameter in inspect.signature(call).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += data.draw(st.lists(odd, max_size=2), name)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.default is parameter.empty or data.draw(st.booleans(), f"give {name}"):
                named[name] = data.draw(fitting(name) | odd, name)
        elif parameter.default is parameter.empty or data.draw(st.booleans(), f"give {name}"):
            positional.append(data.draw(fitting(name) | odd, name))
        else:
            break
    return positional, named


FITTING: dict[str, list[Any]] = {
    "ask": [None],
    "base": ["a"],
    "config": [core.Config(client_id="c")],
    "credentials": [core.Credentials("a", "b")],
    "data": [b"\x20\x03\x00\x00\x00", b"\x30\x03\x00\x01a"],
    "filters": [[core.Filter("a")]],
    "mode": ["rest"],
    "now_us": [1000, 2_000_000],
    "properties": [core.Properties(content_type="a"), core.Properties(subscription_identifier=1)],
    "records": [[]],
    "seed": [bytes(32)],
    "topic": ["a"],
    "topics": [["a"]],
    "transaction": [ids],
    "treq_topic": ["a/treq"],
    "value": ["1"],
    "version": [4, 5],
    "wall_ms": [1000],
}


def fitting(name: str) -> st.SearchStrategy[Any]:
    """Values that the argument of this name can have, so that calls get further than their first argument."""
    return st.sampled_from(FITTING.get(name, [0, 1]))


def documented(call: Callable[..., Any], data: st.DataObject) -> Any:
    """Make the call with odd values; what it raises, if anything, has to be documented."""
    positional, named = arguments(call, data)
    try:
        return call(*positional, **named)
    except DOCUMENTED as error:
        text = str(error)
        assert text, "an error says something"
        return None


MACHINES: dict[str, Callable[[], Any]] = {
    "session": lambda: core.Session(core.Config(client_id="c", acks="manual"), bytes(32)),
    "connected session": lambda: connected(),
    "requester": lambda: core.Requester(bytes(32)),
    "responder": core.Responder,
    "registration": lambda: core.Registration("agent", seed=bytes(32)),
    "topic filter": lambda: core.TopicFilter("a/+"),
    "packet": lambda: packets.Publish("a"),
}


def connected() -> core.Session:
    """A session whose server has accepted it."""
    session = core.Session(core.Config(client_id="c", version="5", acks="manual"), bytes(32))
    session.connect(0)
    session.drain(0)
    session.handle_transport_open(0)
    session.tx_advance(0, session.unwritten)
    session.receive(b"\x20\x03\x00\x00\x00")
    session.drain(0)
    assert session.is_established
    return session


@pytest.mark.parametrize("name", MACHINES)
@MANY
@given(st.data())
def test_no_call_of_a_machine_raises_what_is_not_documented(name: str, data: st.DataObject) -> None:
    machine = MACHINES[name]()
    calls = callables(machine)
    assert calls
    for _ in range(20):
        _, call = data.draw(st.sampled_from(calls), "call")
        documented(call, data)
        if isinstance(machine, core.Session):
            machine.drain(3_000_000)


@pytest.mark.parametrize(
    "made",
    [core.Session, core.Session.restore, core.Requester, core.Responder, core.Registration, core.Credentials]
    + [core.Properties, core.Message, core.TopicFilter, core.check_topic_name, core.reason_text, core.tres_topic]
    + [core.Config, core.Filter, core.Will, core.Reconnect, packets.peek, packets.Publish, packets.Publish.decode],
    ids=lambda made: made.__qualname__,
)
@MANY
@given(st.data())
def test_nothing_is_made_of_odd_values_by_another_exception(made: Callable[..., Any], data: st.DataObject) -> None:
    for _ in range(5):
        found = documented(made, data)
        if isinstance(found, packets.Publish):
            documented(found.encode, data)
        elif isinstance(found, core.Config):
            session_of(found)
        elif isinstance(found, core.Will):
            session_of(core.Config(will=found))
        elif isinstance(found, core.Reconnect):
            session_of(core.Config(reconnect=found))
        elif isinstance(found, core.Filter):
            documented_subscribe(found)


def session_of(config: core.Config) -> None:
    """A configuration is checked where a session is made of it, field by field."""
    try:
        core.Session(config, bytes(32))
    except syncline.errors.ConfigError as error:
        assert str(error)


def documented_subscribe(given: core.Filter) -> None:
    """A filter is checked where it is subscribed to."""
    try:
        connected().subscribe([given])
    except DOCUMENTED as error:
        assert str(error)


@MANY
@given(st.sampled_from(dataclasses.fields(core.Config)), odd)
def test_every_field_of_a_configuration_is_checked_and_named(field: dataclasses.Field[Any], value: Any) -> None:
    config = core.Config(**{field.name: value})
    try:
        core.Session(config, bytes(32))
    except syncline.errors.ConfigError as error:
        word = field.name.replace("_", " ").split()[0]
        assert word in str(error).lower() or "properties" in str(error) or "keep alive" in str(error), error


@MANY
@given(st.data())
def test_no_client_is_made_of_odd_values_by_another_exception(data: st.DataObject) -> None:
    positional, named = arguments(Client, data)
    named = {name: value for name, value in named.items() if name not in ("store", "authenticate")}
    try:
        Client(*positional, **named)
    except SynclineError as error:
        assert str(error)


def test_no_call_of_a_client_raises_what_is_not_documented(run: Callable[..., Any]) -> None:
    """Where no server is: what an argument is worth is said before anything is sent."""

    async def life(data: st.DataObject) -> None:
        futures = list[asyncio.Future[Any]]()
        client = Client("127.0.0.1", 1, core.Config(client_id="c"), wait_for_server=True)
        async with asyncio.timeout(20):
            entering = asyncio.create_task(client.__aenter__())
            await asyncio.sleep(0)
            for _ in range(10):
                call: Callable[..., Any] = data.draw(
                    st.sampled_from([client.submit, client.subscribe, client.publish, client.reauthenticate]), "call"
                )
                found: Any = documented(call, data)
                if isinstance(found, Subscription):
                    await ended(asyncio.create_task(found.__aenter__()))
                elif inspect.iscoroutine(found):
                    await ended(asyncio.create_task(found))
                elif asyncio.isfuture(found):
                    futures.append(found)
            entering.cancel()
            await asyncio.wait([entering])
        for error in await asyncio.gather(*futures, return_exceptions=True):
            assert isinstance(error, SynclineError), "nobody has got the message"

    async def ended(task: asyncio.Task[Any]) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, DOCUMENTED), repr(error)

    @settings(MANY, max_examples=20)
    @given(st.data())
    def lives(data: st.DataObject) -> None:
        run(life(data))

    lives()


@MANY
@given(st.data())
def test_no_flowsync_object_is_made_of_odd_values_by_another_exception(data: st.DataObject) -> None:
    client = Client()
    for made in (flowsync.Responder, flowsync.Requester):
        _, named = arguments(made, data)
        named.pop("client", None)
        try:
            found = made(client, **named)
        except SynclineError as error:
            assert str(error)
            continue
        if isinstance(found, flowsync.Responder):
            documented(found.on, data)


@MANY
@given(odd | st.lists(odd) | st.dictionaries(st.sampled_from(["a", 1, None, "\ud800"]), odd))
def test_what_is_no_json_is_a_packet_error_before_anything_is_asked(run: Callable[..., Any], value: Any) -> None:
    async def main() -> None:
        requester = flowsync.Requester(Client())
        with pytest.raises(SynclineError) as raised:
            await requester.request("a", value)
        assert isinstance(raised.value, syncline.errors.MisuseError), "a value that is none, or a client that is not entered"

    run(main())
