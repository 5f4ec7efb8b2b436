"""Which subscription a message is for, and when all of them have handled it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from typing import TYPE_CHECKING

from syncline.aio._filters import FilterTree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncline.aio.subscription import Subscription
    from syncline.core import Message

__all__ = ["Router"]

logger = logging.getLogger("syncline")

UNCLAIMED_PATIENCE = 5.0
"""Seconds until a warning says that messages wait which no subscription claims."""

REMEMBERED_ROUTES = 1024
"""Topics whose subscriptions are remembered."""


class Router:
    """The open subscriptions of a client, and the messages that none of them has claimed yet.

    Unclaimed are messages of QoS 1 and 2 that come before the subscription is made to which they belong, and those whose
    handling has failed. The session bounds them, for they are not acknowledged: it reads no further then.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._subscriptions: dict[Subscription, None] = {}
        self._tree: FilterTree[Subscription] = FilterTree()
        self._topics: Counter[str] = Counter()
        self._routes: dict[str, tuple[Subscription, ...]] = {}
        self._shared: dict[int, int] = {}
        self._unclaimed: deque[Message] = deque()
        self._warning: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[Subscription]:
        """Go through the open subscriptions."""
        return iter(list(self._subscriptions))

    def add(self, subscription: Subscription) -> None:
        """Give it what it matches, from now on and of what waits."""
        self._subscriptions[subscription] = None
        for each in subscription.filters:
            self._tree.add(each.topic, subscription)
            self._topics[each.topic] += 1
        self._routes.clear()
        self._claim()

    def remove(self, subscription: Subscription) -> None:
        """Give it nothing more."""
        del self._subscriptions[subscription]
        for each in subscription.filters:
            self._tree.remove(each.topic, subscription)
            self._topics[each.topic] -= 1
            if self._topics[each.topic] == 0:
                del self._topics[each.topic]
        self._routes.clear()

    def has_filter(self, topic: str) -> bool:
        """Whether any subscription has this Topic Filter."""
        return topic in self._topics

    def deliver(self, message: Message) -> None:
        """Give a message to the subscriptions that it is for."""
        topic = message.topic
        try:
            subscriptions = self._routes[topic]
        except KeyError:
            subscriptions = self._route(topic)
        for subscription in subscriptions:
            subscription._deliver(message)
        if message.ack_token is None:
            return
        if len(subscriptions) > 1:
            self._shared[message.ack_token] = len(subscriptions)
        elif not subscriptions:
            self._unclaimed.append(message)
            self._warn()

    def _route(self, topic: str) -> tuple[Subscription, ...]:
        found = self._tree.matching(topic)
        if len(self._routes) >= REMEMBERED_ROUTES:
            self._routes.clear()
        self._routes[topic] = found
        return found

    def is_handled(self, message: Message) -> bool:
        """One subscription has handled a message: whether that was the last."""
        if self._shared and message.ack_token is not None:
            left = self._shared.pop(message.ack_token, 1) - 1
            if left > 0:
                self._shared[message.ack_token] = left
                return False
        return True

    def hand_back(self, messages: list[Message]) -> None:
        """A subscription has not handled these: the others that have them do, or the next one that matches."""
        self._unclaimed.extend(message for message in messages if self.is_handled(message))
        self._claim()

    def forget_stale(self) -> None:
        """Let go of what the server sends again, for it has resumed the Session."""
        self._unclaimed.clear()
        self._shared.clear()
        for subscription in self._subscriptions:
            subscription._forget_stale()

    def end(self, error: BaseException | None) -> None:
        """End every subscription."""
        for subscription in self._subscriptions:
            subscription._end(error)
        if self._warning is not None:
            self._warning.cancel()

    def _claim(self) -> None:
        waiting, self._unclaimed = self._unclaimed, deque()
        for message in waiting:
            self.deliver(message)

    def _warn(self) -> None:
        if self._warning is None:
            self._warning = asyncio.get_running_loop().call_later(UNCLAIMED_PATIENCE, self._log)

    def _log(self) -> None:
        self._warning = None
        if self._unclaimed:
            logger.warning(
                "%d messages wait that no subscription claims, the first on %r: subscribe to it, unsubscribe this client "
                "from it, or start clean",
                len(self._unclaimed),
                self._unclaimed[0].topic,
            )
