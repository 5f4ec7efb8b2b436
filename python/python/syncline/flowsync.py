"""FlowSync on an asyncio client: answer requests, and make requests that are held until they are answered.

::

    responder = Responder(client)

    @responder.on("services/example1/exampleNode")
    async def confirm(request: Request) -> JSON:
        return {"confirmed": request.value}

    await responder.run()

The other side: ``value = await Requester(client).request("services/example1/exampleNode", {"order": 42})``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar, Union

from syncline import core
from syncline._argument import check_count, check_seconds
from syncline.errors import (
    MisuseError,
    PacketError,
    RefusedError,
    RequestFailedError,
    RequestTimedOutError,
    SynclineError,
    TransactionError,
    UndeliverableError,
    UnknownTransactionError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from typing_extensions import Self

    from syncline.aio import Client, Subscription
    from syncline.core import Message, Published

    _Handler: TypeAlias = Callable[["Request"], Awaitable["JSONInput"] | "JSONInput"]

__all__ = ["JSON", "JSONInput", "Request", "RequestFailedError", "Requester", "Responder", "request"]

logger = logging.getLogger("syncline")

JSON: TypeAlias = Union[None, bool, int, float, str, "list[JSON]", "dict[str, JSON]"]
"""What a request asks and an answer says, as it is received."""

JSONInput: TypeAlias = Union[
    None, bool, int, float, str, "Sequence[JSONInput]", "Mapping[str, JSONInput]"
]
"""The same as it is sent: any sequence but bytes, and any mapping whose keys are texts."""

SomeHandler = TypeVar("SomeHandler", bound="Callable[[Request], Awaitable[JSONInput] | JSONInput]")

GATEWAY_TIMEOUT = 504
INTERNAL_ERROR = 500
RESPONDER_FAILED = "the responder failed"
ERROR_CODES = 2**63
"""Codes of an error are below this, and not below its negative."""
MICROSECONDS = 1_000_000
HIGHEST_QOS = 2
MAX_TRANSACTIONS = 1_000_000
SHORTEST_TIMEOUT = 0.001
LONGEST_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request that waits for its answer."""

    topic: str
    """The base topic, without ``/treq``."""
    value: JSON = field(repr=False)
    """What is asked."""
    transaction: str
    """Identity of the transaction, a UUID."""
    timestamp: int | None
    """When the requester made it, by its own clock, in Unix milliseconds."""
    deadline: float | None
    """When the requester stops waiting, by the event loop's clock, where the message told it."""


class Responder:
    """Answers requests, each once, however often it comes.

    A request that is repeated gets the same answer again, for ``retention`` seconds. Work on one whose requester has
    stopped waiting is cancelled. At most ``max_concurrent`` requests are worked on at a time; further ones wait at the
    server.
    """

    def __init__(
        self, client: Client, *, qos: int = 1, retention: float = 60.0, max_concurrent: int = 100
    ) -> None:
        """Answer on this client, at this QoS. Raises :exc:`~syncline.errors.ConfigError` for what cannot be."""
        self._client = client
        self._qos = check_count("qos", qos, 0, HIGHEST_QOS)
        self._core = core.Responder(retention=check_seconds("retention", retention))
        self._room = asyncio.Semaphore(check_count("max_concurrent", max_concurrent, 1, MAX_TRANSACTIONS))
        self._handlers: list[tuple[str, _Handler]] = []
        self._subscriptions: list[Subscription] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._over: asyncio.Future[None] | None = None

    def on(self, base: str) -> Callable[[SomeHandler], SomeHandler]:
        """Have the decorated function answer what is asked on ``base``, in which ``+`` stands for any level.

        It takes a :class:`Request` and returns what is the answer's value, or raises
        :exc:`~syncline.errors.RequestFailedError` to answer with an error. Any other :exc:`Exception` is logged, and the
        requester hears of an internal error.
        """
        core.TopicFilter(f"{base}/treq")

        def register(handler: SomeHandler) -> SomeHandler:
            if self._over is not None:
                message = "the responder is running: register handlers before"
                raise MisuseError(message)
            self._handlers.append((base, handler))
            return handler

        return register

    async def run(self) -> None:
        """Answer until cancelled, or until the client fails."""
        async with self:
            assert self._over is not None
            await self._over

    async def __aenter__(self) -> Self:
        """Subscribe and begin to answer."""
        if self._over is not None:
            message = "a responder runs once: make another one"
            raise MisuseError(message)
        self._over = asyncio.get_running_loop().create_future()
        try:
            for base, handler in self._handlers:
                subscription = await self._client.subscribe(f"{base}/treq", qos=self._qos)
                self._subscriptions.append(subscription)
                self._start(self._serve(subscription, handler))
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and cancel what is being worked on."""
        await self._stop()

    async def _stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for subscription in self._subscriptions:
            await subscription.close()
        if self._over is not None and self._over.done() and not self._over.cancelled():
            self._over.exception()  # whoever waits for it has it; nobody is told again

    def _start(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[assignment]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, subscription: Subscription, handler: _Handler) -> None:
        try:
            async for message in subscription:
                await self._room.acquire()
                try:
                    is_fresh = self._take(message, handler)
                except BaseException:
                    self._room.release()
                    raise
                if not is_fresh:
                    self._room.release()
        except Exception as error:  # noqa: BLE001 - nobody awaits this task: whoever runs the responder hears of its end
            if self._over is not None and not self._over.done():
                self._over.set_exception(error)

    def _take(self, message: Message, handler: _Handler) -> bool:
        """Begin with a request; whether there is anything to do."""
        topic = core.tres_topic(message.topic)
        if topic is None or message.retain:
            return False
        expiry = message.properties.message_expiry
        incoming = self._core.handle_request(now_us(), message.payload, message_expiry=expiry)
        if isinstance(incoming, core.Fresh):
            self._start(self._answer(topic, incoming, handler))
            return True
        if isinstance(incoming, core.Repeated):
            self._start(self._publish(topic, incoming.tres))
        else:
            logger.debug("request on %r: %r", message.topic, incoming)
        return False

    async def _answer(self, topic: str, fresh: core.Fresh, handler: _Handler) -> None:
        try:
            tres = await self._work(topic.removesuffix("/tres"), fresh, handler)
            if tres is not None:
                await self._publish(topic, tres)
        finally:
            self._room.release()

    async def _work(self, base: str, fresh: core.Fresh, handler: _Handler) -> bytes | None:
        """The answer, whatever the handler does; ``None`` where nobody waits for it any more."""
        deadline = None if fresh.deadline is None else fresh.deadline / MICROSECONDS
        limit = asyncio.timeout_at(deadline)
        try:
            made = Request(base, json.loads(fresh.value), fresh.transaction, fresh.timestamp, deadline)
            async with limit:
                found = handler(made)
                value = await found if inspect.isawaitable(found) else found
            return self._core.respond(wall_ms(), fresh.transaction, json_text(value))
        except RequestFailedError as error:
            try:
                return self._refused(base, fresh, error)
            except Exception:  # noqa: BLE001 - a subclass may have made anything of its attributes
                return self._failed(base, fresh)
        except TimeoutError:
            if limit.expired():
                logger.info("request %s on %r: its requester has stopped waiting", fresh.transaction, base)
                self._fail(base, fresh, GATEWAY_TIMEOUT, "deadline passed")
                return None
            return self._failed(base, fresh)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self._failed(base, fresh)  # something that the handler awaited was cancelled, not this work
        except Exception:  # noqa: BLE001 - whatever a handler raises, its requester gets an answer
            return self._failed(base, fresh)

    def _refused(self, base: str, fresh: core.Fresh, error: RequestFailedError) -> bytes | None:
        """The handler's own error, where it can be an answer."""
        code, text = error.code, error.message
        # What the annotations promise, a handler need not have kept.
        if not isinstance(code, int) or not -ERROR_CODES <= code < ERROR_CODES:  # pyright: ignore
            logger.error("the handler of %r raised an error whose code is not of 64 bits: give an int, such as 400", base)
        elif not isinstance(text, str):  # pyright: ignore
            logger.error("the handler of %r raised an error whose message is no text: give a str", base)
        else:
            return self._fail(base, fresh, int(code), text.encode(errors="replace").decode())
        return self._fail(base, fresh, INTERNAL_ERROR, RESPONDER_FAILED)

    def _failed(self, base: str, fresh: core.Fresh) -> bytes | None:
        logger.exception("the handler of %r failed", base)
        return self._fail(base, fresh, INTERNAL_ERROR, RESPONDER_FAILED)

    def _fail(self, base: str, fresh: core.Fresh, code: int, text: str) -> bytes | None:
        try:
            return self._core.fail(wall_ms(), fresh.transaction, code, text)
        except UnknownTransactionError as error:
            logger.warning("request %s on %r is not answered: %s", fresh.transaction, base, error)
            return None

    async def _publish(self, topic: str, tres: bytes) -> None:
        try:
            await self._client.publish(topic, tres, qos=self._qos)
        except SynclineError as error:
            logger.warning("an answer on %r did not reach the server: %s", topic, error)


class Requester:
    """Makes requests, and waits for their answers.

    It subscribes to the answers of a topic at the first request there, and stays subscribed until :meth:`close`, or the end
    of ``async with``.
    """

    def __init__(
        self, client: Client, *, qos: int = 1, timeout: float = 2.0, max_in_flight: int = 10_000
    ) -> None:
        """Ask on this client; ``timeout`` and ``max_in_flight`` are for each topic.

        Raises :exc:`~syncline.errors.ConfigError` for what cannot be.
        """
        self._client = client
        self._qos = check_count("qos", qos, 0, HIGHEST_QOS)
        self._timeout = check_seconds("timeout", timeout, SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
        self._max_in_flight = check_count("max_in_flight", max_in_flight, 1, MAX_TRANSACTIONS)
        self._core = core.Requester(os.urandom(32))
        self._nodes: dict[str, asyncio.Task[int]] = {}
        self._readers: dict[str, tuple[Subscription, asyncio.Task[None]]] = {}
        self._waiting: dict[int, asyncio.Future[JSON]] = {}
        self._next_token = 0
        self._timer: asyncio.TimerHandle | None = None

    async def request(self, base: str, value: JSONInput, *, timeout: float | None = None) -> JSON:
        """Ask on ``base`` and return the answer's value; ``timeout`` can shorten the requester's.

        Raises :exc:`~syncline.errors.RequestFailedError` where the responder answers with an error,
        :exc:`~syncline.errors.RequestTimedOutError` where nobody answers in time,
        :exc:`~syncline.errors.UndeliverableError` where the request does not reach the server, for one without a
        connection, :exc:`~syncline.errors.LimitError` where as many requests as may be wait for answers on ``base``, and
        :exc:`~syncline.errors.PacketError` for a value that no JSON is. Cancelled, it stops waiting.
        """
        text = json_text(value)
        node = await self._ready(base)
        if not self._client.is_connected:
            message = "there is no connection to the server"
            raise UndeliverableError(message)
        token = self._next_token
        self._next_token += 1
        patience = self._timeout if timeout is None else timeout
        treq = self._core.begin(now_us(), wall_ms(), node, text, token=token, timeout=patience)
        answer: asyncio.Future[JSON] = asyncio.get_running_loop().create_future()
        self._waiting[token] = answer
        try:
            submitted = self._client.submit(treq.topic, treq.payload, qos=treq.qos, expiry=patience)
            submitted.add_done_callback(lambda done: self._submitted(treq.transaction, done))
            self._arm()
            return await answer
        finally:
            del self._waiting[token]
            self._core.abort(treq.transaction)

    async def close(self) -> None:
        """Stop waiting for answers; requests that are open end with :exc:`~syncline.errors.TransactionError`."""
        self._core.cancel_all()
        self._hand_out()
        if self._timer is not None:
            self._timer.cancel()
        for opening in self._nodes.values():
            opening.cancel()
        for subscription, reader in self._readers.values():
            reader.cancel()
            await asyncio.wait([reader])
            await subscription.close()
        self._nodes.clear()
        self._readers.clear()

    async def __aenter__(self) -> Self:
        """Be ready; there is nothing to do yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def _ready(self, base: str) -> int:
        """The node of a topic, once the server has confirmed the subscription to its answers."""
        opening = self._nodes.get(base)
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception() is not None)):
            opening = asyncio.get_running_loop().create_task(self._open(base))
            self._nodes[base] = opening
        return await asyncio.shield(opening)

    async def _open(self, base: str) -> int:
        node = self._core.add_node(
            base, qos=self._qos, timeout=self._timeout, max_in_flight=self._max_in_flight
        )
        try:
            subscription = await self._client.subscribe(f"{base}/tres", qos=self._qos)
        except BaseException:
            self._core.remove_node(node)
            raise
        reader = asyncio.get_running_loop().create_task(self._read(base, subscription))
        self._readers[base] = (subscription, reader)
        return node

    async def _read(self, base: str, subscription: Subscription) -> None:
        try:
            async for message in subscription:
                self._core.handle_message(message.topic, message.payload, retain=message.retain)
                self._hand_out()
        except SynclineError as error:
            # Requests that are open end at their deadlines; the next one subscribes again, or hears of the reason.
            logger.warning("answers on %r are not read any more: %s", base, error)
            opening = self._nodes.pop(base)
            self._readers.pop(base)
            self._core.remove_node(opening.result())
            self._hand_out()

    def _submitted(self, transaction: str, done: asyncio.Future[Published]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, RefusedError):
            self._core.undeliverable(transaction, error.reason_code)
        elif error is not None:
            self._core.undeliverable(transaction)
        elif done.result().is_error:
            self._core.undeliverable(transaction, done.result().reason_code)
        self._hand_out()

    def _arm(self) -> None:
        deadline = self._core.poll_timeout()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            wait = max(0, deadline - now_us()) / MICROSECONDS
            self._timer = asyncio.get_running_loop().call_later(wait, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        self._core.handle_timeout(now_us())
        self._hand_out()

    def _hand_out(self) -> None:
        while (completion := self._core.poll()) is not None:
            answer = self._waiting.get(completion.token)
            if answer is None or answer.done():
                continue
            try:
                if completion.value is None:
                    raise failure(completion)
                value: JSON = json.loads(completion.value)
            except TransactionError as error:
                answer.set_exception(error)
            except (ValueError, RecursionError) as error:
                # JSON as it may be, and more than Python's reader takes: thousands of digits, or of levels.
                unreadable = TransactionError(f"the answer cannot be read: {error}")
                unreadable.__cause__ = error
                answer.set_exception(unreadable)
            else:
                answer.set_result(value)
        self._arm()


async def request(client: Client, base: str, value: JSONInput, *, timeout: float = 2.0, qos: int = 1) -> JSON:
    """Make one request; a :class:`Requester` spares those that follow the subscription."""
    async with Requester(client, qos=qos) as requester:
        return await requester.request(base, value, timeout=timeout)


def failure(completion: core.Completion) -> TransactionError:
    """The exception for a transaction that ended without a value."""
    if completion.outcome == "failed":
        return RequestFailedError(completion.code, completion.message, completion.code_name)
    if completion.outcome == "timed-out":
        return RequestTimedOutError(completion.message)
    if completion.outcome == "undeliverable":
        return UndeliverableError(completion.message)
    return TransactionError("the requester was closed")


def json_text(value: JSONInput) -> str:
    """The JSON text of a value; raises :exc:`~syncline.errors.PacketError` where it has none."""
    try:
        return json.dumps(value, allow_nan=False, default=plain)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"value is not JSON: {error}"
        raise PacketError(message) from error


def plain(value: object) -> object:
    """Another sequence or mapping as the one that :mod:`json` knows."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return list(value)
    message = f"an object of type {type(value).__name__} has no JSON"
    raise TypeError(message)


def now_us() -> int:
    """Microseconds of the monotonic clock, which is the event loop's."""
    return time.monotonic_ns() // 1000


def wall_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000
