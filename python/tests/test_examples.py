"""The examples, each run as its users run it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hub import Hub

from syncline.aio import Client
from syncline.flowsync import Requester

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from mosquitto import Mosquitto

EXAMPLES = Path(__file__).parents[1] / "examples"
HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def example(name: str, *arguments: object) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run an example, with every warning an error, and stop it at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-W", "error", EXAMPLES / f"{name}.py", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().rstrip("\n")


def test_the_responder_confirms_what_is_asked(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with (
            Client(HOST, broker.port) as client,
            client.subscribe("services/example1/exampleNode/treq") as asked,
            Requester(client, timeout=0.5) as requester,
            example("answer", HOST, broker.port),
        ):
            answer: object = None
            while answer is None:
                with contextlib.suppress(TimeoutError):
                    answer = await requester.request("services/example1/exampleNode", {"order": 42})
            assert answer == {"confirmed": {"order": 42}}
            assert len(asked) > 0

    run(main())


def test_the_responder_takes_ten_lines() -> None:
    text = (EXAMPLES / "answer.py").read_text()
    body = text.split('is stopped."""\n')[1].split("\n\n\n")[0]
    assert len([it for it in body.splitlines() if it.strip()]) <= 10


def test_the_watcher_prints_what_comes(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, example("watch", HOST, broker.port, "watched/#") as watcher:
            assert await line(watcher) == "watching watched/#"
            await client.publish("watched/a", "21.5", qos=1)
            assert await line(watcher) == "watched/a 21.5"

    run(main())


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with a locked registry."""
    made = Hub(tmp_path)
    yield made
    made.stop()


def test_the_commissioning_helper_is_let_in_once_its_request_is_granted(
    hub: Hub, run: Callable[..., Any], tmp_path: Path
) -> None:
    async def main() -> None:
        file = tmp_path / "agent.json"
        url = f"https://127.0.0.1:{hub.https_port}"
        arguments = ("line-1", url, HOST, hub.mqtt_port, file, hub.authority)
        async with example("commission", *arguments) as helper:
            locked = re.fullmatch(r"pairing id ([0-9a-f]{6}): .* is locked: .*", await line(helper))
            assert locked
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        await asyncio.to_thread(hub.unlock)
        # Run again it has the same credentials, and so the same pairing id.
        async with example("commission", *arguments) as helper:
            pending = await line(helper)
            assert pending.startswith(f"pairing id {locked.group(1)}: the request waits"), pending
            await asyncio.to_thread(hub.grant, locked.group(1))
            assert await line(helper) == "granted"
            assert await line(helper) == "line-1 is let in"
            assert await helper.wait() == 0
        assert json.loads(file.read_text())["username"] == "line-1"

    run(main())
