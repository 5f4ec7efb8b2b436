"""A subscription: the stream of messages that it brings."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Literal

from syncline.core import Filter, Message, Properties, TopicFilter
from syncline.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import TracebackType

    from syncline.aio.client import Client

__all__ = ["MAX_WAITING_QOS_0", "Subscription"]

MAX_WAITING_QOS_0 = 10_000
"""QoS 0 messages that wait in one subscription; the oldest of them makes room."""

logger = logging.getLogger("syncline")


class Subscription:
    """Messages of one or more Topic Filters, as an asynchronous iterator.

    Made by :meth:`Client.subscribe`; entered by ``async with``, or begun by ``await`` and ended by :meth:`close`. It lives
    through reconnects: where the server has lost the Session, the client subscribes again.

    A message of QoS 1 or 2 is acknowledged when the loop asks for the next one, so that a message whose handling failed
    is not lost: it waits for the next subscription that matches, or with a store for the next run of the program. After a
    ``break`` the last message has not been acknowledged: that is done by the next :func:`anext`, or by ending the
    subscription without an error, which acknowledges what still waits as well. With ``acks="manual"`` it is
    :meth:`acknowledge` that does it. The server hears of acknowledgements in the order of the messages, so one that is kept
    for long holds up the others.
    """

    def __init__(
        self,
        client: Client,
        filters: Sequence[Filter],
        acks: Literal["on-next", "manual"],
        properties: Properties | None = None,
    ) -> None:
        """Belong to a client, which calls this."""
        if acks not in ("on-next", "manual"):
            message = f"acks is {acks!r}, expected 'on-next' or 'manual'"
            raise MisuseError(message)
        self._client = client
        self._properties = properties
        self._filters = tuple(filters)
        for each in filters:
            TopicFilter(each.topic)  # raises TopicError here, where the mistake is
        self._manual = acks == "manual"
        self._waiting: deque[Message] = deque()
        self._qos_0_waiting = 0
        self._in_hand: Message | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._is_open = False
        self._granted: tuple[int, ...] = ()
        self._is_known = False
        self._dropped = 0

    @property
    def filters(self) -> tuple[Filter, ...]:
        """What it subscribes to."""
        return self._filters

    @property
    def properties(self) -> Properties | None:
        """What the SUBSCRIBE carries besides."""
        return self._properties

    @property
    def granted(self) -> tuple[int, ...]:
        """The QoS that the server has granted to each filter."""
        return self._granted

    @property
    def dropped(self) -> int:
        """QoS 0 messages that made room for newer ones, because nobody asked for them."""
        return self._dropped

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def __repr__(self) -> str:
        """Show filters and state."""
        topics = ", ".join(repr(each.topic) for each in self._filters)
        state = "open" if self._is_open else "closed"
        return f"<Subscription to {topics}, {state}, {len(self._waiting)} waiting>"

    async def _begin(self) -> Subscription:
        await self._client._open_subscription(self)
        return self

    def __await__(self) -> Generator[object, None, Subscription]:
        """Subscribe; end it with :meth:`close`."""
        return self._begin().__await__()

    async def __aenter__(self) -> Subscription:
        """Subscribe."""
        return await self._begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unsubscribe. What still waits counts as handled; after an error it waits for the next subscription that matches."""
        await self._client._close_subscription(self, is_handled=error is None)

    async def close(self) -> None:
        """Unsubscribe. What still waits counts as handled."""
        await self._client._close_subscription(self, is_handled=True)

    def __aiter__(self) -> Subscription:
        """Be the iterator."""
        return self

    async def __anext__(self) -> Message:
        """Give the next message; the one before counts as handled.

        Raises what ended the subscription, if not :meth:`close`. Cancelling takes no message away.
        """
        if self._in_hand is not None:
            done, self._in_hand = self._in_hand, None
            self._client._acknowledge(done)
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if not self._is_open:
                raise StopAsyncIteration
            if self._waiter is not None:
                text = "a subscription is for one task at a time: subscribe twice, or hand messages on by a queue"
                raise MisuseError(text)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message = self._waiting.popleft()
        if message.ack_token is None:
            self._qos_0_waiting -= 1
        elif not self._manual:
            self._in_hand = message
        return message

    def acknowledge(self, message: Message) -> None:
        """Acknowledge a message, with ``acks="manual"``.

        Where the connection has been lost since the message came, nothing happens: the server sends it again.
        """
        self._client._acknowledge(message)

    # What the client calls.

    def _deliver(self, message: Message) -> None:
        self._waiting.append(message)
        if message.ack_token is None:
            self._qos_0_waiting += 1
            if self._qos_0_waiting > MAX_WAITING_QOS_0:
                self._drop_oldest()
        self._wake()

    def _drop_oldest(self) -> None:
        for index, message in enumerate(self._waiting):
            if message.ack_token is None:
                del self._waiting[index]
                break
        self._qos_0_waiting -= 1
        if self._dropped == 0:
            logger.warning("%r drops QoS 0 messages: they come faster than they are handled; use QoS 1", self)
        self._dropped += 1

    def _forget_stale(self) -> None:
        """Let go of what the server sends again, for it has resumed the Session."""
        self._waiting = deque(message for message in self._waiting if message.ack_token is None)
        self._in_hand = None

    def _end(self, error: BaseException | None) -> list[Message]:
        """Close, and return what was not handled."""
        self._is_open = False
        self._error = error
        unhandled = [message for message in (self._in_hand, *self._waiting) if message is not None]
        if error is None:
            self._in_hand = None
            self._waiting.clear()
            self._qos_0_waiting = 0
        self._wake()
        return [message for message in unhandled if message.ack_token is not None]

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
