"""The protocol as objects without IO: bytes and time in, bytes and outputs out; no socket, clock, thread or callback.

The contract of :class:`Session`, and of every machine here:

1. One input: a command (``connect``, ``publish``, …), ``receive``, ``handle_…``.
2. ``poll`` until it gives ``None``, or ``drain`` at once, and carry out what comes.
3. Write what ``transmit`` shows, and report it with ``tx_advance``.
4. Sleep until the transport is readable, or writable while there is something to write, or ``poll_timeout`` comes.

``now_us`` is a point on any monotonic clock in microseconds (``time.monotonic_ns() // 1000``), ``wall_ms`` is Unix time in
milliseconds. Durations are seconds. The same seed and the same inputs give the same outputs, byte for byte.

An object is for one thread at a time: a call during another's raises ``RuntimeError`` and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from syncline._native import (
    Ask,
    AuthChallenge,
    Authenticated,
    CloseTransport,
    Completion,
    Connect,
    Connected,
    Credentials,
    Delayed,
    Denied,
    Disconnected,
    Fresh,
    Granted,
    Ignored,
    Lost,
    Message,
    OpenTransport,
    Properties,
    Published,
    Registration,
    Repeated,
    Requester,
    Responder,
    Restored,
    ServerLimits,
    Session,
    StoreCredentials,
    StoreOperation,
    Subscribed,
    TopicFilter,
    Treq,
    Unsubscribed,
    check_topic_name,
    reason_text,
    tres_topic,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "Ask",
    "AuthChallenge",
    "Authenticated",
    "Authentication",
    "CloseTransport",
    "Completion",
    "Config",
    "Connect",
    "Connected",
    "Credentials",
    "Delayed",
    "Denied",
    "Disconnected",
    "Filter",
    "Fresh",
    "Granted",
    "Ignored",
    "Lost",
    "Message",
    "OpenTransport",
    "Output",
    "Properties",
    "Published",
    "QoS",
    "Reconnect",
    "Registration",
    "RegistrationOutput",
    "Repeated",
    "Requester",
    "Responder",
    "Restored",
    "RetainHandling",
    "ServerLimits",
    "Session",
    "StoreCredentials",
    "StoreOperation",
    "Subscribed",
    "TopicFilter",
    "Treq",
    "Unsubscribed",
    "Will",
    "check_topic_name",
    "reason_text",
    "tres_topic",
]

Output: TypeAlias = (
    OpenTransport
    | CloseTransport
    | Connected
    | Disconnected
    | Message
    | Published
    | Subscribed
    | Unsubscribed
    | Authenticated
    | Lost
    | StoreOperation
    | AuthChallenge
)
"""What :meth:`Session.poll` gives."""

RegistrationOutput: TypeAlias = StoreCredentials | Ask | Connect | Delayed | Granted | Denied
"""What :meth:`Registration.poll` gives."""


class QoS(IntEnum):
    """Quality of Service."""

    AT_MOST_ONCE = 0
    AT_LEAST_ONCE = 1
    EXACTLY_ONCE = 2


class RetainHandling(IntEnum):
    """Which retained messages a subscription brings."""

    SEND = 0
    """All."""
    SEND_IF_NEW = 1
    """All, where the subscription did not exist before."""
    DO_NOT_SEND = 2
    """None."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A Topic Filter with what is asked of its subscription; 3.1.1 carries the QoS alone."""

    topic: str
    """Topic Filter: ``+`` for one level, ``#`` for all that follow, ``$share/group/…`` for a shared subscription."""
    qos: int = 0
    """Highest QoS of what comes."""
    no_local: bool = field(default=False, kw_only=True)
    """Leave out what this client has published itself."""
    retain_as_published: bool = field(default=False, kw_only=True)
    """Keep the retain flag as the publisher set it."""
    retain_handling: int = field(default=RetainHandling.SEND, kw_only=True)
    """Which retained messages come."""


@dataclass(frozen=True, slots=True)
class Will:
    """The message that the server publishes when this client disappears."""

    topic: str
    """Topic Name."""
    payload: str | Buffer = field(default=b"", repr=False)
    """At most 65,535 bytes."""
    qos: int = field(default=0, kw_only=True)
    """Quality of Service."""
    retain: bool = field(default=False, kw_only=True)
    """Whether the server keeps it for later subscribers."""
    properties: Properties | None = field(default=None, kw_only=True)
    """Properties, ``will_delay`` among them; left out in 3.1.1."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """Enhanced authentication (MQTT 5.0 §4.12)."""

    method: str
    """The method, such as ``SCRAM-SHA-256``."""
    data: Buffer | None = field(default=None, repr=False)
    """What the CONNECT carries, where the client speaks first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    """When to try again after a connection has failed or ended; each wait is drawn evenly up to its ceiling."""

    first: float = 1.0
    """Ceiling of the first wait, in seconds."""
    longest: float = 60.0
    """Ceiling of all waits; each failure doubles the ceiling up to here."""
    shortest: float = 0.128
    """Floor of every wait."""
    stable_after: float = 30.0
    """A connection that lasted this long starts the waits afresh."""
    on_refusal: Literal["stop", "retry", "await-credentials"] = "stop"
    """What to do when the server refuses this client; ``await-credentials`` stops for user name and password alone."""
    on_referral: Literal["stop", "follow"] = "stop"
    """What to do when the server names another one: stay offline, or ask for a transport to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a session is told once. Durations are seconds."""

    client_id: str = ""
    """Client Identifier. Empty: the server assigns one (5.0), or the session ends with its connection (3.1.1)."""
    version: Literal["auto", "5", "3.1.1"] = "auto"
    """``auto``: 5.0, and 3.1.1 where the server refuses that."""
    clean_start: bool = False
    """Start every connection with a new Session; else it is resumed while both sides have it."""
    keep_alive: float = 60
    """Longest silence before a ping, whole seconds; 0 turns it off."""
    ping_timeout: float = 10
    """Longest wait for the answer to a ping, and never more than half the Keep Alive."""
    connect_timeout: float = 10
    """Longest wait for the transport to open."""
    connack_timeout: float = 10
    """Longest wait for the CONNACK."""
    close_timeout: float = 2
    """Longest wait for the last bytes to be written before the transport is closed."""
    username: str | None = None
    """User Name."""
    password: str | Buffer | None = field(default=None, repr=False)
    """Password."""
    authentication: Authentication | None = None
    """Enhanced authentication; with it ``auto`` means 5.0 alone."""
    will: Will | None = None
    """Will Message."""
    properties: Properties | None = None
    """User Properties of the CONNECT; left out in 3.1.1."""
    request_response_information: bool = False
    """Ask the server for Response Information."""
    request_problem_information: bool = True
    """Let the server add Reason Strings and User Properties to any answer."""
    session_expiry: int | None = 3600
    """How long the Session outlives its connection, in whole seconds; ``None``: for ever."""
    receive_maximum: int = 1024
    """QoS 1 and 2 messages that the server may have unacknowledged; more are handed out where it sends them, up to 16 MiB."""
    max_packet_size: int = 4 << 20
    """Largest packet accepted from the server, in bytes."""
    max_in_flight: int = 65_535
    """QoS 1 and 2 messages in flight to the server, whatever its Receive Maximum allows."""
    max_qos_2_in_flight: int = 19
    """QoS 2 messages in flight to a 3.1.1 server, which cannot tell its own bound."""
    queue_messages: int = 100_000
    """Messages that wait to be sent."""
    queue_bytes: int = 64 << 20
    """Bytes of topics, payloads and properties that wait to be sent."""
    queue_full: Literal["reject", "drop-oldest-qos0", "drop-oldest"] = "reject"
    """What a full queue does with a new message."""
    topic_alias_maximum: int = 0
    """Topic Aliases that the server may use."""
    topic_aliases: int = 0
    """Topic Aliases used towards the server, within its own maximum."""
    read_size: int = 16 << 10
    """Received bytes that may wait to be parsed, 1 to 16 MiB; fewer than 2 KiB are taken as 2 KiB."""
    acks: Literal["automatic", "manual"] = "automatic"
    """Whether a received message is acknowledged when it is handed out, or by :meth:`Session.acknowledge`."""
    on_session_lost: Literal["republish", "report"] = "republish"
    """What becomes of unfinished messages when the server has lost the Session: sent as new ones, or reported lost."""
    reconnect: Reconnect = Reconnect()
    """When to try again."""
