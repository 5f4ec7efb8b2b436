"""Fixtures: brokers, and the mark of those tests that need one."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import settings
from mosquitto import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")

PATIENCE = 30.0

settings.register_profile("steady", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start servers, so that a quick run can leave them out."""
    servers = {"broker", "brokers", "hub"}
    for item in items:
        if isinstance(item, pytest.Function) and servers & set(item.fixturenames):
            item.add_marker("server")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all tests that leave it alone; their topics and client identifiers differ."""
    made = Mosquitto(tmp_path_factory.mktemp("mosquitto"), "allow_anonymous true\nmax_queued_messages 10000")
    yield made
    made.kill()


@pytest.fixture
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Mosquitto]]:
    """Makes brokers for a test alone, to be killed or configured."""
    made: list[Mosquitto] = []

    def start(*arguments: Any, **options: Any) -> Mosquitto:
        made.append(Mosquitto(tmp_path_factory.mktemp("mosquitto"), *arguments, **options))
        return made[-1]

    yield start
    for each in made:
        each.kill()


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine in an event loop of its own, which ends clean: no task, timer or error is left."""

    def run_to_end(main: Coroutine[Any, Any, T]) -> T:
        failures: list[dict[str, Any]] = []

        async def guarded() -> T:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
            async with asyncio.timeout(PATIENCE):
                result = await main
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks are left: {left}"
            return result

        result = asyncio.run(guarded(), debug=bool(os.environ.get("PYTHONASYNCIODEBUG")))
        assert not failures, failures
        return result

    return run_to_end
