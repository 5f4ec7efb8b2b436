"""FlowSync from Python: the machines on a clock that the test moves, then both sides over a real broker."""

from __future__ import annotations

import asyncio
import json
from collections import UserDict, UserList
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline import core
from syncline.aio import Client
from syncline.core import Properties
from syncline.errors import (
    ConfigError,
    LimitError,
    MisuseError,
    PacketError,
    RequestFailedError,
    RequestTimedOutError,
    TopicError,
    TransactionError,
    UndeliverableError,
    UnknownTransactionError,
)
from syncline.flowsync import JSON, JSONInput, Request, Requester, Responder, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from mosquitto import Mosquitto

HOST = "127.0.0.1"
BASE = "services/example1/exampleNode"
WALL = 1_790_000_000_000
SEED = bytes(range(32))

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=10,
)


def reply(treq: core.Treq, **members: Any) -> bytes:
    """The message that answers ``treq``."""
    return json.dumps({"id": treq.transaction, "timestamp": WALL, **members}).encode()


def asking(**options: Any) -> tuple[core.Requester, int]:
    """A requester with one node."""
    made = core.Requester(SEED)
    return made, made.add_node(BASE, **options)


def test_a_request_is_an_envelope_on_treq() -> None:
    requester, node = asking()
    treq = requester.begin(1000, WALL, node, '{"order":"42"}', token=7)
    assert (treq.topic, treq.deadline) == (f"{BASE}/treq", 1000 + 2_000_000)
    assert json.loads(treq.payload) == {"id": treq.transaction, "timestamp": WALL, "value": {"order": "42"}}


@given(values, values)
def test_values_pass_both_ways_unchanged(question: JSON, answer: JSON) -> None:
    requester, node = asking()
    responder = core.Responder()
    treq = requester.begin(0, WALL, node, json.dumps(question), token=7)
    fresh = responder.handle_request(0, treq.payload)
    assert isinstance(fresh, core.Fresh)
    assert json.loads(fresh.value) == question
    tres = responder.respond(WALL, fresh.transaction, json.dumps(answer))
    assert requester.handle_message(f"{BASE}/tres", memoryview(tres)) == "completed"
    completion = requester.poll()
    assert completion is not None
    assert completion.value is not None
    assert (completion.token, completion.outcome, json.loads(completion.value)) == (7, "replied", answer)
    assert requester.poll() is None
    repeated = responder.handle_request(0, treq.payload)
    assert isinstance(repeated, core.Repeated)
    assert repeated.tres == tres


def test_silence_ends_at_the_deadline_and_not_before() -> None:
    requester, node = asking(timeout_error_code=408, timeout_error_message="No answer came in time")
    treq = requester.begin(0, WALL, node, "null", token=1, timeout=0.05)
    assert requester.poll_timeout() == treq.deadline == 50_000
    requester.handle_timeout(treq.deadline - 1)
    assert requester.poll() is None
    requester.handle_timeout(treq.deadline)
    completion = requester.poll()
    assert completion is not None
    assert (completion.outcome, completion.code, completion.message) == ("timed-out", 408, "No answer came in time")
    assert requester.handle_message(f"{BASE}/tres", reply(treq, value="late")) == "ignored"


def test_messages_that_answer_nothing_are_ignored() -> None:
    requester, node = asking()
    treq = requester.begin(0, WALL, node, "null", token=1)
    assert requester.handle_message("another/tres", reply(treq, value=1)) == "not-mine"
    assert requester.handle_message(f"{BASE}/tres", b"not JSON") == "ignored"
    assert requester.handle_message(f"{BASE}/tres", reply(treq, value=1), retain=True) == "ignored"
    assert requester.poll() is None


def test_each_end_of_a_transaction_frees_its_place() -> None:
    requester, node = asking(max_in_flight=1)
    treq = requester.begin(0, WALL, node, "1", token=1)
    with pytest.raises(LimitError, match="in flight"):
        requester.begin(0, WALL, node, "1", token=2)
    requester.abort(treq.transaction)
    assert requester.poll() is None
    for reason_code, text in ((None, "lost"), (0x87, "not authorized")):
        treq = requester.begin(0, WALL, node, "1", token=3)
        requester.undeliverable(treq.transaction, reason_code)
        completion = requester.poll()
        assert completion is not None
        assert completion.outcome == "undeliverable"
        assert text in completion.message
    requester.begin(0, WALL, node, "1", token=4)
    requester.cancel_all()
    completion = requester.poll()
    assert completion is not None
    assert (completion.token, completion.outcome, requester.open) == (4, "cancelled", 0)


def test_wrong_arguments_are_the_callers_fault() -> None:
    requester, node = asking()
    with pytest.raises(ConfigError, match="31 bytes"):
        core.Requester(bytes(31))
    with pytest.raises(ConfigError, match="600 s"):
        requester.add_node("other", timeout=0.0)
    with pytest.raises(TopicError):
        requester.add_node("a/#")
    with pytest.raises(MisuseError, match="a node with this topic exists"):
        requester.add_node(BASE)
    with pytest.raises(PacketError, match="not one JSON text"):
        requester.begin(0, WALL, node, "NaN", token=1)
    with pytest.raises(MisuseError, match="no such node"):
        requester.remove_node(node + 1)
    with pytest.raises(UnknownTransactionError):
        core.Responder().respond(WALL, "6f0c0000-0000-4000-8000-000000000000", "1")


async def confirm(asked: Request) -> JSON:
    """Answer as the examples do."""
    return {"confirmed": asked.value}


def test_requests_are_answered_over_a_broker(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as here, Client(HOST, broker.port) as there:
            responder = Responder(there)
            responder.on("flow/a")(confirm)

            @responder.on("flow/fails")
            def fails(asked: Request) -> JSON:
                raise RequestFailedError(404, f"no such order: {asked.value}")

            @responder.on("flow/breaks/+")
            async def breaks(_: Request) -> JSON:
                message = "secret detail"
                raise ValueError(message)

            async with responder, Requester(here) as requester:
                answers = await asyncio.gather(*(requester.request("flow/a", n) for n in range(200)))
                assert answers == [{"confirmed": n} for n in range(200)]
                assert await request(here, "flow/a", "once") == {"confirmed": "once"}
                with pytest.raises(RequestFailedError, match="no such order: 5") as raised:
                    await requester.request("flow/fails", 5)
                assert (raised.value.code, raised.value.message) == (404, "no such order: 5")
                with pytest.raises(RequestFailedError, match=r"the responder failed \(500\)"):
                    await requester.request("flow/breaks/x", None)
                with pytest.raises(RequestTimedOutError):
                    await requester.request("flow/nobody", None, timeout=0.05)

    run(main())


async def cancelled(_: Request) -> JSON:
    """Await what somebody else has cancelled."""
    work = asyncio.ensure_future(asyncio.Event().wait())
    work.cancel()
    await work
    return None


def failing(error: BaseException) -> Callable[[Request], JSON]:
    """A handler that does nothing but fail."""

    def fail(_: Request) -> JSON:
        raise error

    return fail


def returning(value: JSON) -> Callable[[Request], JSON]:
    """A handler that does nothing but return this."""

    def answer(_: Request) -> JSON:
        return value

    return answer


class BareError(RequestFailedError):
    """One that has neither code nor message."""

    def __init__(self) -> None:
        """Leave out what the class below it would have set."""


ODD_CODE: Any = "404"
ODD_MESSAGE: Any = b"no such order"
ODD_VALUE: Any = object()


@pytest.mark.parametrize(
    ("handler", "logged"),
    [
        (failing(RequestFailedError(ODD_CODE, "no such order")), "whose code is not of 64 bits"),
        (failing(RequestFailedError(2**63, "no such order")), "whose code is not of 64 bits"),
        (failing(RequestFailedError(404, ODD_MESSAGE)), "whose message is no text"),
        (failing(BareError()), "the handler of 'odd' failed"),
        (failing(asyncio.CancelledError()), "the handler of 'odd' failed"),
        (failing(TimeoutError()), "the handler of 'odd' failed"),
        (cancelled, "the handler of 'odd' failed"),
        (returning(ODD_VALUE), "the handler of 'odd' failed"),
        (returning(float("nan")), "the handler of 'odd' failed"),
    ],
)
def test_whatever_a_handler_does_its_requester_gets_one_answer(
    broker: Mosquitto,
    run: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    handler: Callable[[Request], JSON],
    logged: str,
) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("odd/tres", qos=1) as answers:
            responder = Responder(client)
            responder.on("odd")(handler)
            async with responder, Requester(client) as requester:
                with pytest.raises(RequestFailedError, match=r"^the responder failed \(500\)$"):
                    await requester.request("odd", None, timeout=20)
            await client.publish("odd/tres", "end", qos=1)
            await anext(answers)
            assert (await anext(answers)).payload == b"end", "one answer"

    run(main())
    assert logged in caplog.text


def test_a_request_that_python_cannot_read_is_answered(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("deep/tres", qos=1) as answers:
            responder = Responder(client)
            responder.on("deep")(confirm)
            async with responder:
                digits = b"9" * 5000
                treq = b'{"id":"9f0c0000-0000-4000-8000-000000000000","timestamp":1,"value":%s}' % digits
                await client.publish("deep/treq", treq, qos=1)
                assert json.loads((await anext(answers)).payload)["error"]["code"] == 500

    run(main())


def test_an_answer_that_python_cannot_read_ends_its_request_alone(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("digits/treq", qos=1) as asked:
            async with Requester(client) as requester:
                for value, text in ((b"9" * 5000, "cannot be read"), (b"5", "")):
                    pending = asyncio.create_task(requester.request("digits", None, timeout=20))
                    identity = json.loads((await anext(asked)).payload)["id"].encode()
                    tres = b'{"id":"%s","timestamp":1,"value":%s}' % (identity, value)
                    await client.publish("digits/tres", tres, qos=1)
                    if text:
                        with pytest.raises(TransactionError, match=text):
                            await pending
                    else:
                        assert await pending == 5

    run(main())


def test_an_error_of_a_handler_may_hold_any_text_and_any_code_of_64_bits(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client:
            responder = Responder(client)
            responder.on("text")(failing(RequestFailedError(-(2**63), "no \ud800 order")))
            async with responder, Requester(client) as requester:
                with pytest.raises(RequestFailedError, match=r"no \? order") as raised:
                    await requester.request("text", None, timeout=20)
                assert raised.value.code == -(2**63)

    run(main())


def test_values_are_sent_of_any_sequence_and_any_mapping(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client:
            responder = Responder(client)
            numbers: list[int] = [1, 2]
            names: dict[str, int] = {"a": 1}

            @responder.on("any")
            def echo(asked: Request) -> JSONInput:
                return (asked.value, UserDict({"seen": numbers}))

            async with responder, Requester(client) as requester:
                for value, seen in ((numbers, [1, 2]), (names, {"a": 1}), (range(2), [0, 1]), ((UserList([1]),), [[1]])):
                    assert await requester.request("any", value) == [seen, {"seen": [1, 2]}]
                with pytest.raises(PacketError, match="value is not JSON: an object of type bytes has no JSON"):
                    await requester.request("any", b"bytes")

    run(main())


def test_a_repeated_request_gets_the_same_answer_and_the_handler_runs_once(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("again/tres", qos=1) as answers:
            responder = Responder(client)
            calls = list[JSON]()

            @responder.on("again")
            async def count(asked: Request) -> JSON:
                assert asked.topic == "again"
                assert asked.timestamp == WALL
                calls.append(asked.value)
                return len(calls)

            async with responder:
                treq = b'{"id":"6f0c0000-0000-4000-8000-000000000000","timestamp":%d,"value":1}' % WALL
                for _ in range(3):
                    await client.publish("again/treq", treq, qos=1)
                first = await anext(answers)
                assert [(await anext(answers)).payload for _ in range(2)] == [first.payload] * 2
                assert json.loads(first.payload)["value"] == 1
                # Neither a retained request nor what is none is asked.
                await client.publish("again/treq", b"not JSON", qos=1)
                await client.publish("again/treq", treq.replace(b"6f0c", b"7f0c"), qos=1)
                assert json.loads((await anext(answers)).payload)["value"] == 2
            assert calls == [1, 1]

    run(main())


def test_work_ends_when_its_requester_has_stopped_waiting(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client:
            responder = Responder(client)
            ended: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()

            @responder.on("slow")
            async def slow(asked: Request) -> JSON:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set_result(asked.deadline)
                return None

            async with responder:
                treq = b'{"id":"8f0c0000-0000-4000-8000-000000000000","timestamp":1,"value":1}'
                begun = asyncio.get_running_loop().time()
                await client.publish("slow/treq", treq, qos=1, properties=None, expiry=1.0)
                deadline = await ended
                assert deadline is not None
                assert begun < deadline < begun + 2

    run(main())


def test_a_responder_that_stops_cancels_its_work_and_a_requester_its_requests(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client:
            responder = Responder(client)
            is_asked = asyncio.Event()

            @responder.on("stop")
            async def forever(_: Request) -> JSON:
                is_asked.set()
                await asyncio.Event().wait()
                return None

            requester = Requester(client, timeout=60)
            async with responder:
                pending = asyncio.create_task(requester.request("stop", 1))
                given_up = asyncio.create_task(requester.request("stop", 2))
                await is_asked.wait()
                given_up.cancel()
                await asyncio.wait([given_up])
                with pytest.raises(MisuseError, match="register handlers before"):
                    responder.on("late")(confirm)
            await requester.close()
            with pytest.raises(TransactionError, match="closed"):
                await pending
            with pytest.raises(MisuseError, match="runs once"):
                await responder.run()

    run(main())


def test_a_request_without_a_connection_fails_at_once(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        broker = brokers()
        async with Client(HOST, broker.port) as client, Requester(client) as requester:
            with pytest.raises(RequestTimedOutError):
                await requester.request("link", 1, timeout=0.01)
            broker.kill()
            while client.is_connected:
                await asyncio.sleep(0.01)
            with pytest.raises(UndeliverableError, match="no connection"):
                await requester.request("link", 1)

    run(main())


def test_a_responder_on_a_client_that_fails_raises_its_error(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        broker = brokers()
        config = core.Config(version="5", reconnect=core.Reconnect(first=0, shortest=0))
        async with Client(HOST, broker.port, config) as client:
            responder = Responder(client)
            responder.on("fails")(confirm)
            running = asyncio.create_task(responder.run())
            await asyncio.wait([running], timeout=0.1)
            broker.kill()
            brokers("allow_anonymous false", port=broker.port)
            with pytest.raises(ConnectionError, match="not authorized"):
                await running

    run(main())


def test_requests_carry_their_patience_as_message_expiry(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("patience/treq") as treqs:
            asked = asyncio.create_task(request(client, "patience", 1, timeout=30))
            found: Properties = (await anext(treqs)).properties
            assert found.message_expiry in (29, 30)
            asked.cancel()
            await asyncio.wait([asked])

    run(main())
