"""What a client goes through in a long life: cancellation at every await, a thousand lost connections, no leaks."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from syncline.aio import Client
from syncline.core import Config, Message, Reconnect, Session
from syncline.errors import SynclineError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from mosquitto import Mosquitto

HOST = "127.0.0.1"
AT_ONCE = Reconnect(first=0, shortest=0, longest=0.01)
STEPS = 40


async def cancelled_after(steps: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Run a coroutine and cancel it after so many turns of the event loop; whether it was finished before."""
    task = asyncio.create_task(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    if task.cancelled():
        return False
    task.result()
    return True


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_publish_cancelled_anywhere_is_sent_or_was_never_begun(
    broker: Mosquitto, run: Callable[..., Any], qos: int
) -> None:
    async def main() -> None:
        topic = f"cancel/{qos}"
        async with Client(HOST, broker.port) as client, client.subscribe(topic, qos=qos) as messages:
            finished = [
                await cancelled_after(steps, client.publish(topic, str(steps), qos=qos)) for steps in range(STEPS)
            ]
            await client.publish(topic, "end", qos=qos)
            seen = list[bytes]()
            while not seen or seen[-1] != b"end":
                seen.append((await anext(messages)).payload)
            # Before its first turn a coroutine has done nothing; from then on the message is under way.
            assert seen[:-1] == [str(steps).encode() for steps in range(1, STEPS)]
            assert not finished[0]

    run(main())


def test_an_iterator_cancelled_anywhere_loses_no_message(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("iterate", qos=1) as messages:
            seen = list[bytes]()

            async def take() -> None:
                seen.append((await anext(messages)).payload)

            for steps in range(STEPS):
                client.submit("iterate", str(steps), qos=1)
                await cancelled_after(steps % 7, take())
            while len(seen) < STEPS:
                await take()
            assert seen == [str(number).encode() for number in range(STEPS)]

    run(main())


def test_entering_subscribing_and_leaving_can_be_cancelled_anywhere(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def life() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("life/#", qos=1) as messages:
            await client.publish("life", "x", qos=1)
            await anext(messages)

    async def main() -> None:
        steps = 0
        while not await cancelled_after(steps, life()):
            steps += 1 + steps // 25
        assert steps > STEPS, "a life has many awaits"
        # A client is as good as ever: nothing of the others is left at the broker or here.
        await life()

    run(main())


def test_a_subscription_cancelled_anywhere_leaves_the_client_as_it_was(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client:

            async def visit() -> None:
                async with client.subscribe("visit", qos=1):
                    pass

            for steps in range(STEPS):
                await cancelled_after(steps, visit())
            await visit()
            published = await client.publish("visit", qos=1)
            assert published.reason_code == 0x10, "no matching subscribers"

    run(main())


class Cutter:
    """A way to the broker that breaks off so many times, each time after another number of bytes; then it holds."""

    def __init__(self, port: int, cuts: int, seed: int) -> None:
        self.target = port
        self.cuts = cuts
        self.connections = 0
        self.random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks = set[asyncio.Task[None]]()

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        budget = iter(range(self.random.randrange(1, 5000))) if self.connections <= self.cuts else None
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.target)
            ways = [
                asyncio.create_task(self._copy(reader, far_writer, budget)),
                asyncio.create_task(self._copy(far_reader, writer, budget)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.wait(ways)
                far_writer.transport.abort()
                writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: Iterator[int] | None) -> None:
        try:
            while data := await reader.read(4096):
                for index in range(len(data) if budget else 0):
                    if budget and next(budget, None) is None:
                        writer.write(data[:index])
                        return
                writer.write(data)
        except OSError:
            return


@pytest.mark.parametrize("seed", [7])
def test_in_a_thousand_lost_connections_no_message_is_lost(
    broker: Mosquitto, run: Callable[..., Any], seed: int
) -> None:
    cuts = 1000

    async def main() -> None:
        cutter = Cutter(broker.port, cuts, seed)
        config = Config(client_id="cut", version="5", reconnect=AT_ONCE)
        async with cutter as port, Client(HOST, port, config, wait_for_server=True) as client:
            subscription = await client.subscribe("cut", qos=2)
            seen = set[int]()
            sent = 0

            async def publish() -> None:
                nonlocal sent
                while cutter.connections <= cuts:
                    sent += 1
                    await client.publish("cut", str(sent), qos=1 + sent % 2)

            async def read() -> None:
                async for message in subscription:
                    seen.add(int(message.payload))

            reader = asyncio.create_task(read())
            await asyncio.gather(*(publish() for _ in range(10)))
            while len(seen) < sent:
                await asyncio.sleep(0.01)
            assert seen == set(range(1, sent + 1))
            await subscription.close()
            await reader
        assert cutter.connections > cuts

    run(main())


def test_objects_of_the_core_are_freed_with_their_last_reference() -> None:
    def life() -> None:
        session = Session(Config(client_id="leak", version="5"), bytes(32))
        session.connect(0)
        session.drain(0)
        session.handle_transport_open(0)
        session.tx_advance(0, session.unwritten)
        session.receive(b"\x20\x03\x00\x00\x00")
        session.receive(b"\x30\x88\x27\x00\x01a\x00" + bytes(5000))
        messages = [output for output in session.drain(0) if isinstance(output, Message)]
        views = [message.payload_view for message in messages]
        session.publish(0, "a", bytes(10_000), qos=1)
        views += [run for run in session.transmit() if isinstance(run, memoryview)]
        try:
            session.publish(0, "a/#")
        except SynclineError as error:
            assert str(error)

    assert grown(life, 200) < 20_000


def grown(life: Callable[[], None], times: int) -> int:
    """Bytes that so many lives leave behind, after as many to warm up."""
    gc.disable()
    try:
        for _ in range(times):
            life()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(times):
            life()
        after, _ = tracemalloc.get_traced_memory()
        return after - before
    finally:
        tracemalloc.stop()
        gc.enable()


def lasting_objects() -> int:
    """Objects, but for cancelled timers, which an event loop keeps until they would have been due."""
    return sum(not isinstance(each, (asyncio.TimerHandle, contextvars.Context)) for each in gc.get_objects())


def test_clients_that_have_come_and_gone_leave_nothing(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def life() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("leak", qos=1) as messages:
            await client.publish("leak", bytes(1000), qos=1)
            await anext(messages)

    async def main() -> None:
        for _ in range(20):
            await life()
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        objects = lasting_objects()
        for _ in range(50):
            await life()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # The event loop keeps a cancelled timer until it would have been due, in development mode with its traceback.
        assert after - before < 100_000, "a client takes more than two kilobytes with it"
        assert lasting_objects() - objects < 50, "a client takes an object with it"

    run(main())
