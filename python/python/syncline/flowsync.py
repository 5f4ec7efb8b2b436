"""The asking side of FlowSync: requests out, replies in, each transaction ended once."""

import json
from dataclasses import dataclass
from typing import Any

from syncline import _native
from syncline.packets import QoS


@dataclass(frozen=True, slots=True)
class Node:
    """A transaction node: requests leave on ``<base>/treq``, replies are read from ``<base>/tres``."""

    base: str
    qos: QoS = QoS.AT_MOST_ONCE
    timeout_ms: int = 2000
    timeout_error_code: int = 500
    timeout_error_message: str | None = None
    max_in_flight: int = 10_000


@dataclass(frozen=True, slots=True)
class Treq:
    """A message to publish, not retained; its transaction is already waiting for the reply."""

    transaction: str
    topic: str
    qos: QoS
    payload: bytes
    deadline: int


@dataclass(frozen=True, slots=True)
class Replied:
    """A reply with a value came."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """A reply with an error came."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No reply came in time; code and message are the node's."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The node was removed, or everything was cancelled."""


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """The request did not reach anyone who could answer."""

    reason: str


Outcome = Replied | Failed | TimedOut | Cancelled | Undeliverable


@dataclass(frozen=True, slots=True)
class Completion:
    """A transaction that has ended; ``token`` is the caller's own number from ``Requester.begin``."""

    token: int
    transaction: str
    outcome: Outcome


class Requester:
    """Open transactions, joined to their replies by id.

    ``seed`` is 32 bytes of the operating system's entropy (``os.urandom(32)``): whoever knows it can forge replies. The
    same seed gives the same ids, which is what tests want. One thread at a time.
    """

    def __init__(self, seed: bytes) -> None:
        self._native = _native.Requester(seed)

    def add_node(self, node: Node) -> int:
        """Add a node and return its number; subscribe to its replies, and begin once that is confirmed."""
        return self._native.add_node(
            node.base,
            qos=node.qos,
            timeout_ms=node.timeout_ms,
            timeout_error_code=node.timeout_error_code,
            timeout_error_message=node.timeout_error_message,
            max_in_flight=node.max_in_flight,
        )

    def remove_node(self, node: int) -> None:
        """Remove a node; its open transactions end as ``Cancelled``. Raises ``KeyError`` for an unknown one."""
        self._native.remove_node(node)

    def begin(
        self, now: int, wall: int, node: int, value: Any, *, token: int, timeout_ms: int | None = None
    ) -> Treq:
        """Begin a transaction and return the message to publish.

        ``value`` is what JSON can hold. ``timeout_ms`` shortens the node's timeout for this request. Raises ``KeyError``
        for an unknown node, ``LimitError`` when the node holds as many transactions as it may.
        """
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        transaction, topic, qos, payload, deadline = self._native.begin(
            now, wall, node, text, token=token, timeout_ms=timeout_ms
        )
        return Treq(transaction, topic, QoS(qos), payload, deadline)

    def handle_message(self, topic: str, payload: bytes, *, retained: bool = False) -> bool | None:
        """Take in a message: ``None`` when no node reads the topic, else whether it ended a transaction."""
        return self._native.handle_message(topic, payload, retained=retained)

    def handle_timeout(self, now: int) -> None:
        """End every transaction whose deadline has come."""
        self._native.handle_timeout(now)

    def poll_timeout(self) -> int | None:
        """Tell when ``handle_timeout`` next has something to do."""
        return self._native.poll_timeout()

    def poll(self) -> Completion | None:
        """Hand out the next transaction that has ended."""
        found = self._native.poll()
        if found is None:
            return None
        token, transaction, kind, code, text = found
        return Completion(token, transaction, _outcome(kind, code, text))

    def abort(self, transaction: str) -> None:
        """End a transaction whose client went away, without a completion; an ended one stays as it is."""
        self._native.abort(transaction)

    def cancel_all(self) -> None:
        """End every open transaction as ``Cancelled``."""
        self._native.cancel_all()


def _outcome(kind: str, code: int, text: str) -> Outcome:
    match kind:
        case "replied":
            return Replied(json.loads(text))
        case "failed":
            return Failed(code, text)
        case "timed_out":
            return TimedOut(code, text)
        case "cancelled":
            return Cancelled()
        case _:
            return Undeliverable(text)
