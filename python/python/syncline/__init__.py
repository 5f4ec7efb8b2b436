"""Syncline's core for Python: MQTT packets and FlowSync correlation, without sockets, clocks or threads.

Time, bytes and a seed are arguments, so that asyncio, threads and tests drive the same object. ``now`` is a point on any
monotonic clock in microseconds, ``wall`` is Unix time in milliseconds.
"""

from syncline._native import LimitError, ProtocolError, SynclineError, __version__
from syncline.flowsync import (
    Cancelled,
    Completion,
    Failed,
    Node,
    Outcome,
    Replied,
    Requester,
    TimedOut,
    Treq,
    Undeliverable,
)
from syncline.packets import Frame, Publish, QoS, Version, peek

__all__ = [
    "Cancelled",
    "Completion",
    "Failed",
    "Frame",
    "LimitError",
    "Node",
    "Outcome",
    "ProtocolError",
    "Publish",
    "QoS",
    "Replied",
    "Requester",
    "SynclineError",
    "TimedOut",
    "Treq",
    "Undeliverable",
    "Version",
    "__version__",
    "peek",
]
