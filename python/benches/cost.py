"""What a message costs a Python client in CPU time: ours beside gmqtt, paho-mqtt and aiomqtt, against one broker.

Each run is a process of its own: it subscribes to its own topic, publishes at QoS 1 with so many messages under way, and
counts a message as done when it has come back. CPU time is the process's, user and system, between the first message and the
last. Runs of the clients alternate; the figures are medians, the ratio is ours to theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import resource
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PAYLOAD = bytes(64)
TOPIC = "cost/{}"
WARM_UP = 500


class Meter:
    """Counts messages that came back, and takes the time of those after the warm-up."""

    def __init__(self, messages: int, window: int) -> None:
        """Expect so many messages, with so many under way at a time."""
        self.messages = messages
        self.window = window
        self.sent = 0
        self.received = 0
        self.begun = 0.0
        self.spent = 0.0

    def may_send(self) -> bool:
        """Whether there is another message to send."""
        if self.sent >= self.messages + WARM_UP:
            return False
        self.sent += 1
        return True

    def count(self) -> bool:
        """Note a message that came back; whether it was the last."""
        self.received += 1
        if self.received == WARM_UP:
            self.begun = cpu_seconds()
        if self.received == self.messages + WARM_UP:
            self.spent = cpu_seconds() - self.begun
            return True
        return False


def cpu_seconds() -> float:
    """CPU time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def syncline(port: int, meter: Meter) -> None:
    """Our client, each publish awaited."""
    from syncline.aio import Client

    topic = TOPIC.format("syncline")
    async with Client("127.0.0.1", port) as client, client.subscribe(topic, qos=1) as messages:
        room = asyncio.Semaphore(meter.window)

        async def publish() -> None:
            while meter.may_send():
                await room.acquire()
                await client.publish(topic, PAYLOAD, qos=1)

        publishers = [asyncio.create_task(publish()) for _ in range(meter.window)]
        async for _ in messages:
            room.release()
            if meter.count():
                break
        await asyncio.gather(*publishers)


async def aiomqtt(port: int, meter: Meter) -> None:
    """Another asyncio face, on paho-mqtt; each publish awaited."""
    library = importlib.import_module("aiomqtt")
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)
    topic = TOPIC.format("aiomqtt")
    async with library.Client("127.0.0.1", port, max_inflight_messages=1000) as client:
        await client.subscribe(topic, qos=1)
        room = asyncio.Semaphore(meter.window)

        async def publish() -> None:
            while meter.may_send():
                await room.acquire()
                await client.publish(topic, PAYLOAD, qos=1)

        publishers = [asyncio.create_task(publish()) for _ in range(meter.window)]
        async for _ in client.messages:
            room.release()
            if meter.count():
                break
        await asyncio.gather(*publishers)


async def gmqtt(port: int, meter: Meter) -> None:
    """A client on asyncio, in Python."""
    library = importlib.import_module("gmqtt")
    done = asyncio.Event()
    subscribed = asyncio.Event()
    client = library.Client("cost-gmqtt")

    def publish() -> None:
        if meter.may_send():
            client.publish(TOPIC.format("gmqtt"), PAYLOAD, qos=1)

    def on_message(*_: Any) -> int:
        if meter.count():
            done.set()
        publish()
        return 0

    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    await client.connect("127.0.0.1", port)
    client.subscribe(TOPIC.format("gmqtt"), qos=1)
    await subscribed.wait()
    for _ in range(meter.window):
        publish()
    await done.wait()
    await client.disconnect()


async def paho(port: int, meter: Meter) -> None:
    """The thread and callbacks of paho-mqtt, as its users run it."""
    library = importlib.import_module("paho.mqtt.client")
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    subscribed = asyncio.Event()
    client = library.Client(library.CallbackAPIVersion.VERSION2, protocol=library.MQTTv5)
    client.max_inflight_messages_set(1000)

    def publish() -> None:
        if meter.may_send():
            client.publish(TOPIC.format("paho"), PAYLOAD, qos=1)

    def on_message(*_: Any) -> None:
        if meter.count():
            loop.call_soon_threadsafe(done.set)
        publish()

    client.on_message = on_message
    client.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(TOPIC.format("paho"), qos=1)
    await subscribed.wait()
    for _ in range(meter.window):
        publish()
    await done.wait()
    client.disconnect()
    client.loop_stop()


CLIENTS: dict[str, Callable[[int, Meter], Coroutine[Any, Any, None]]] = {
    "syncline": syncline,
    "gmqtt": gmqtt,
    "paho": paho,
    "aiomqtt": aiomqtt,
}


def one(name: str, port: int, messages: int, window: int) -> None:
    """Run one client and print its microseconds a message."""
    meter = Meter(messages, window)
    asyncio.run(asyncio.wait_for(CLIENTS[name](port, meter), 300))
    print(json.dumps(meter.spent / messages * 1e6))


def main() -> None:
    """Run them in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True, help="of a broker on this machine")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--window", type=int, default=64, help="messages under way")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--client", choices=CLIENTS, help="run this one alone, in this process")
    arguments = parser.parse_args()
    if arguments.client:
        one(arguments.client, arguments.port, arguments.messages, arguments.window)
        return
    costs: dict[str, list[float]] = {name: [] for name in CLIENTS}
    for _ in range(arguments.rounds):
        for name, found in costs.items():
            command = [sys.executable, __file__, *sys.argv[1:], "--client", name]
            found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    ours = statistics.median(costs["syncline"])
    print(f"CPU a message, QoS 1 both ways, {len(PAYLOAD)} B, {arguments.window} under way")
    for name, found in costs.items():
        median = statistics.median(found)
        print(f"{name:10} {median:7.1f} us  ({min(found):.1f} to {max(found):.1f})  ours to theirs {ours / median:.2f}")


if __name__ == "__main__":
    main()
