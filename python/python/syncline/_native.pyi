"""The compiled module, with the documentation of everything in it; :mod:`syncline.core` gives it to the public."""

from collections.abc import Iterable, Sequence
from typing import Literal, final

from typing_extensions import Buffer

from syncline.core import Config, Filter, Output, RegistrationOutput

__all__ = [
    "Ask",
    "AuthChallenge",
    "Authenticated",
    "CloseTransport",
    "Completion",
    "Connect",
    "Connected",
    "Credentials",
    "Delayed",
    "Denied",
    "Disconnected",
    "Fresh",
    "Granted",
    "Ignored",
    "Lost",
    "Message",
    "OpenTransport",
    "Properties",
    "Published",
    "Registration",
    "Repeated",
    "Requester",
    "Responder",
    "Restored",
    "ServerLimits",
    "Session",
    "StoreCredentials",
    "StoreOperation",
    "Subscribed",
    "TopicFilter",
    "Treq",
    "Unsubscribed",
    "__version__",
    "check_topic_name",
    "decode_publish",
    "encode_publish",
    "peek",
    "reason_text",
    "tres_topic",
]

__version__: str

@final
class Session:
    """An MQTT client session without IO. See :mod:`syncline.core` for how to drive it.

    Commands are all or nothing: what they raise has changed nothing. Every accepted operation gets exactly one completion:
    :class:`Published`, :class:`Subscribed`, :class:`Unsubscribed`, :class:`Authenticated` or :class:`Lost`.
    """

    def __new__(cls, config: Config, seed: bytes) -> Session:
        """Make a session that is offline until :meth:`connect`. ``seed`` is 32 bytes, such as ``os.urandom(32)``.

        Raises :exc:`~syncline.errors.ConfigError`.
        """

    @staticmethod
    def restore(
        config: Config, seed: bytes, now_us: int, wall_ms: int, records: Iterable[tuple[int, Buffer]]
    ) -> tuple[Session, Restored]:
        """Make a session with a store, which goes on with what ``records`` hold, in any order; without any it is new.

        It hands out :class:`StoreOperation`, to be carried out in order and reported with :meth:`handle_persisted`; what must
        not be sent before stays back until then. ``now_us`` and ``wall_ms`` are the same moment on both clocks.

        Raises :exc:`~syncline.errors.RestoreFailedError`, which names the record; they are as they were.
        """

    @property
    def is_established(self) -> bool:
        """Whether the server has accepted the connection and it is not ending."""

    @property
    def version(self) -> Literal["3.1.1", "5"] | None:
        """Version of the connection; ``None`` without one."""

    @property
    def client_id(self) -> str:
        """Client Identifier, the assigned one where the server chose it."""

    @property
    def server_limits(self) -> ServerLimits:
        """What the server allows; the last server's while offline."""

    @property
    def in_flight(self) -> int:
        """QoS 1 and 2 messages sent and not acknowledged."""

    @property
    def queued(self) -> int:
        """Messages that wait to be sent."""

    @property
    def unfinished(self) -> list[int]:
        """Operations of the messages that are in flight or wait to be sent, those first."""

    @property
    def awaits_persisted(self) -> int | None:
        """Number of the last store operation that the session waits for."""

    @property
    def unwritten(self) -> int:
        """Bytes that :meth:`transmit` shows."""

    def connect(self, now_us: int) -> None:
        """Ask for a connection, and for a new one whenever it is lost."""

    def disconnect(
        self,
        now_us: int,
        *,
        settle: float = 0.0,
        reason_code: int = 0,
        session_expiry: int | None = None,
        properties: Properties | None = None,
        keep: bool = False,
    ) -> None:
        """End the connection: at once, or when everything is acknowledged, at the latest after ``settle`` seconds.

        ``session_expiry`` replaces the Session Expiry Interval in force. With ``keep``, messages that are not finished wait for
        the next :meth:`connect`, or with a store for the next process; else they complete as lost.
        """

    def publish(
        self,
        now_us: int,
        topic: str,
        payload: str | Buffer | None = None,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry: float | None = None,
        properties: Properties | None = None,
        transient: bool = False,
    ) -> int:
        """Submit a message and return its operation. Without a connection it is queued.

        It is dropped from the queue after ``expiry`` seconds; a 5.0 server hears of the rest. ``transient``: the store does not
        keep it. Large ``bytes`` are kept by reference; other buffers are copied.

        Raises :exc:`~syncline.errors.QueueFullError`, :exc:`~syncline.errors.IncompatibleError` for what the server does not
        accept, :exc:`~syncline.errors.ClosingError`, :exc:`~syncline.errors.TopicError`, :exc:`~syncline.errors.PacketError`.
        """

    def subscribe(self, filters: Sequence[Filter], *, properties: Properties | None = None) -> int:
        """Subscribe to all filters with one packet, and return the operation. Needs a connection."""

    def unsubscribe(self, topics: Sequence[str], *, properties: Properties | None = None) -> int:
        """Unsubscribe from all Topic Filters with one packet, and return the operation. Needs a connection."""

    def acknowledge(self, ack_token: int) -> None:
        """Acknowledge a message, with ``acks="manual"``. The server sees acknowledgements in the order of the messages.

        Raises :exc:`~syncline.errors.StaleTokenError` for a token of an older connection, or one that was used.
        """

    def authenticate(self, now_us: int, data: Buffer, *, properties: Properties | None = None) -> None:
        """Answer an :class:`AuthChallenge`."""

    def reauthenticate(self, data: Buffer, *, properties: Properties | None = None) -> int:
        """Authenticate again on a standing connection, and return the operation."""

    def set_authentication_data(self, data: Buffer | None) -> None:
        """Replace the Authentication Data of the next CONNECT. The time for it is at :class:`OpenTransport`."""

    def set_credentials(self, username: str | None, password: str | Buffer | None) -> None:
        """Replace user name and password of the next CONNECT."""

    def handle_transport_open(self, now_us: int) -> None:
        """Tell that the transport of :class:`OpenTransport` is open."""

    def handle_transport_closed(self, now_us: int) -> None:
        """Tell that it could not be opened, or was closed by the other side or by an error."""

    def handle_timeout(self, now_us: int) -> None:
        """Do what is due: timeouts, pings, back-off, expiry."""

    def handle_persisted(self, seq: int) -> None:
        """Tell that all store operations up to this number are durable."""

    def poll_timeout(self) -> int | None:
        """When :meth:`handle_timeout` next has something to do, in microseconds."""

    def receive(self, data: Buffer, start: int = 0) -> int:
        """Take in what fits of ``data`` from ``start`` on, and return how much that was. Poll before offering the rest."""

    def transmit(self) -> list[bytes | memoryview]:
        """Show what waits to be written, front first: for ``sendmsg`` or ``writelines``. Large payloads are not copied."""

    def tx_advance(self, now_us: int, n: int) -> None:
        """Tell that the first ``n`` bytes of :meth:`transmit` were written."""

    def poll(self, now_us: int) -> Output | None:
        """Give the next thing to do or to know; ``None`` when there is nothing until the next input."""

    def drain(self, now_us: int) -> list[Output]:
        """Poll to the end."""

@final
class Restored:
    """What a restored session goes on with."""

    @property
    def queued(self) -> int:
        """Messages that were not sent. Their operations have the numbers that they had."""

    @property
    def in_flight(self) -> int:
        """Messages in flight: sent again, or finished, once the server resumes the Session."""

    @property
    def received(self) -> int:
        """QoS 2 messages that were received and not released."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Message:
    """An Application Message from the server."""

    def __new__(
        cls,
        topic: str,
        payload: str | Buffer | None = None,
        *,
        qos: int = 0,
        retain: bool = False,
        dup: bool = False,
        properties: Properties | None = None,
        ack_token: int | None = None,
    ) -> Message:
        """Make one, for tests of what handles messages."""

    @property
    def topic(self) -> str:
        """Topic Name."""

    @property
    def payload(self) -> bytes:
        """Application Message."""

    @property
    def payload_view(self) -> memoryview:
        """The same without a copy. A view of a large payload keeps the receive buffer that it came in alive."""

    @property
    def qos(self) -> int:
        """Quality of Service of the delivery."""

    @property
    def retain(self) -> bool:
        """Whether the server sent it because it was retained."""

    @property
    def dup(self) -> bool:
        """Whether the server may have sent it before."""

    @property
    def properties(self) -> Properties:
        """Properties; none in 3.1.1."""

    @property
    def ack_token(self) -> int | None:
        """What to acknowledge it with, where it waits for that."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Properties:
    """MQTT 5.0 properties: given by name, read by name. The ``repr`` leaves the values out."""

    def __new__(
        cls,
        *,
        content_type: str | None = None,
        response_topic: str | None = None,
        correlation_data: Buffer | None = None,
        is_utf8: bool | None = None,
        message_expiry: int | None = None,
        will_delay: int | None = None,
        subscription_identifier: int | None = None,
        reason_string: str | None = None,
        user: Sequence[tuple[str, str]] = ...,
    ) -> Properties:
        """Make properties. Whether a packet may carry them is checked when it is made.

        Raises :exc:`~syncline.errors.PacketError` for a value out of range.
        """

    @property
    def content_type(self) -> str | None:
        """Content Type, such as ``application/json``."""

    @property
    def response_topic(self) -> str | None:
        """Response Topic."""

    @property
    def correlation_data(self) -> bytes | None:
        """Correlation Data."""

    @property
    def is_utf8(self) -> bool | None:
        """Payload Format Indicator: whether the payload is said to be UTF-8."""

    @property
    def message_expiry(self) -> int | None:
        """Message Expiry Interval in seconds: of a received message, what is left of it."""

    @property
    def will_delay(self) -> int | None:
        """Will Delay Interval in seconds."""

    @property
    def session_expiry(self) -> int | None:
        """Session Expiry Interval in seconds, as the server has changed it."""

    @property
    def subscription_identifiers(self) -> list[int]:
        """Subscription Identifiers."""

    @property
    def reason_string(self) -> str | None:
        """Reason String: the server's words for people to read."""

    @property
    def server_reference(self) -> str | None:
        """Server Reference: where to go instead."""

    @property
    def response_information(self) -> str | None:
        """Response Information: what Response Topics should begin with."""

    @property
    def assigned_client_id(self) -> str | None:
        """Assigned Client Identifier."""

    @property
    def authentication_method(self) -> str | None:
        """Authentication Method."""

    @property
    def authentication_data(self) -> bytes | None:
        """Authentication Data."""

    @property
    def user(self) -> list[tuple[str, str]]:
        """User Properties, names and values in wire order."""

    def __bool__(self) -> bool:
        """Whether there is any."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class OpenTransport:
    """Open a transport to the server, then call ``handle_transport_open``, or ``handle_transport_closed`` if it fails."""

    def __new__(cls) -> OpenTransport: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class CloseTransport:
    """Close the transport, and report nothing more of it."""

    def __new__(cls) -> CloseTransport: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class ServerLimits:
    """What a server allows, by its CONNACK; in 3.1.1 the defaults."""

    @property
    def receive_maximum(self) -> int:
        """QoS 1 and 2 messages that may be unacknowledged."""

    @property
    def maximum_qos(self) -> int:
        """Highest QoS of a PUBLISH."""

    @property
    def retain_available(self) -> bool:
        """Whether messages may be retained."""

    @property
    def maximum_packet_size(self) -> int:
        """Largest packet in bytes."""

    @property
    def wildcard_available(self) -> bool:
        """Whether Topic Filters may have wildcards."""

    @property
    def subscription_id_available(self) -> bool:
        """Whether a SUBSCRIBE may carry a Subscription Identifier."""

    @property
    def shared_available(self) -> bool:
        """Whether Topic Filters may be shared subscriptions."""

    @property
    def keep_alive(self) -> float:
        """Keep Alive in force in seconds; 0 is off."""

    @property
    def topic_alias_maximum(self) -> int:
        """Highest Topic Alias of a PUBLISH; 0 is none."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Connected:
    """The server accepted the connection."""

    @property
    def session_present(self) -> bool:
        """Whether the server kept the Session. If not, subscribe again."""

    @property
    def version(self) -> Literal["3.1.1", "5"]:
        """Version spoken."""

    @property
    def server(self) -> ServerLimits:
        """What the server allows."""

    @property
    def session_expiry(self) -> int | None:
        """Seconds that the Session outlives the connection; ``None``: for ever."""

    @property
    def properties(self) -> Properties:
        """What the server said besides."""

@final
class Disconnected:
    """The connection ended, or could not be made; ``str`` gives the reason in words."""

    @property
    def reason(
        self,
    ) -> Literal[
        "transport-failed",
        "connect-timeout",
        "connack-timeout",
        "refused",
        "by-server",
        "transport-closed",
        "ping-timeout",
        "malformed",
        "violation",
        "requested",
        "other",
    ]:
        """Why."""

    @property
    def reason_code(self) -> int:
        """Reason Code that the server gave, or was given, else 0."""

    @property
    def text(self) -> str:
        """Why, in words."""

    @property
    def retry_at(self) -> int | None:
        """When the session asks for a transport again; ``None``: not before ``connect``."""

    @property
    def properties(self) -> Properties:
        """What the server said besides."""

@final
class Published:
    """QoS 0: written to the transport. QoS 1 and 2: acknowledged, maybe with an error."""

    @property
    def op(self) -> int:
        """The operation, as ``publish`` gave it."""

    @property
    def reason_code(self) -> int:
        """Reason Code: 0x10 where nobody has subscribed, from 0x80 an error."""

    @property
    def is_error(self) -> bool:
        """Whether the Reason Code is an error."""

    @property
    def properties(self) -> Properties:
        """What the server said besides."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Subscribed:
    """The server answered a SUBSCRIBE."""

    @property
    def op(self) -> int:
        """The operation, as ``subscribe`` gave it."""

    @property
    def reason_codes(self) -> Sequence[int]:
        """One for each filter: the QoS granted, or from 0x80 an error."""

    @property
    def properties(self) -> Properties:
        """What the server said besides."""

@final
class Unsubscribed:
    """The server answered an UNSUBSCRIBE."""

    @property
    def op(self) -> int:
        """The operation, as ``unsubscribe`` gave it."""

    @property
    def reason_codes(self) -> Sequence[int]:
        """One for each filter; none in 3.1.1."""

    @property
    def properties(self) -> Properties:
        """What the server said besides."""

@final
class Authenticated:
    """The server accepted a re-authentication."""

    @property
    def op(self) -> int:
        """The operation, as ``reauthenticate`` gave it."""

    @property
    def properties(self) -> Properties:
        """What the server said, ``authentication_data`` among it."""

@final
class Lost:
    """An operation is over without an acknowledgement; ``str`` gives the reason in words."""

    @property
    def op(self) -> int:
        """The operation."""

    @property
    def loss(
        self,
    ) -> Literal["link-lost", "session-lost", "expired", "dropped", "closed", "not-accepted", "other"]:
        """Why."""

    @property
    def text(self) -> str:
        """Why, in words."""

@final
class StoreOperation:
    """Carry this out in the store, in order, then report it with ``handle_persisted``."""

    @property
    def seq(self) -> int:
        """Number of the operation, from 1 without a gap."""

    @property
    def key(self) -> int:
        """Which record."""

    @property
    def record(self) -> bytes | None:
        """What the record is from now on; ``None``: it is deleted."""

    @property
    def text(self) -> str:
        """What the record is about."""

@final
class AuthChallenge:
    """The server asks for authentication data: answer with ``authenticate``."""

    @property
    def data(self) -> bytes | None:
        """Authentication Data of the server."""

    @property
    def properties(self) -> Properties:
        """What the server said."""

@final
class TopicFilter:
    """A valid Topic Filter, shared subscriptions included; ``str`` gives its text."""

    def __new__(cls, text: str) -> TopicFilter:
        """Check a text. Raises :exc:`~syncline.errors.TopicError`, which says where it is wrong."""

    def matches(self, topic: str) -> bool:
        """Tell whether a message on this topic is for it."""

    @property
    def share_group(self) -> str | None:
        """The group of a shared subscription."""

    @property
    def has_wildcard(self) -> bool:
        """Whether it has ``+`` or ``#``."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Requester:
    """Open FlowSync transactions, joined to their answers by id.

    Inputs: :meth:`begin`, :meth:`handle_message`, :meth:`handle_timeout`; then :meth:`poll` to the end.
    """

    def __new__(cls, seed: bytes) -> Requester:
        """Make one. Transaction ids come from ``seed``: 32 bytes of ``os.urandom``."""

    @property
    def open(self) -> int:
        """Transactions that are open."""

    def add_node(
        self,
        base: str,
        *,
        qos: int = 0,
        timeout: float = 2.0,
        timeout_error_code: int = 500,
        timeout_error_message: str | None = None,
        max_in_flight: int = 10_000,
    ) -> int:
        """Add a node and return its number. Requests leave on ``<base>/treq``, answers come on ``<base>/tres``.

        ``timeout`` is 0.001 to 600 seconds.
        """

    def remove_node(self, node: int) -> None:
        """Remove a node; its open transactions end as cancelled."""

    def begin(
        self, now_us: int, wall_ms: int, node: int, value: str, *, token: int, timeout: float | None = None
    ) -> Treq:
        """Begin a transaction with ``value``, a JSON text, and return the message to publish.

        ``token`` comes back with the completion. ``timeout`` can shorten the node's.
        Raises :exc:`~syncline.errors.LimitError` where the node holds as many as it may.
        """

    def handle_message(
        self, topic: str, payload: Buffer, *, retain: bool = False
    ) -> Literal["not-mine", "completed", "ignored"]:
        """Take in a message, and tell whether it ended a transaction."""

    def handle_timeout(self, now_us: int) -> None:
        """End every transaction whose deadline has come."""

    def poll_timeout(self) -> int | None:
        """When :meth:`handle_timeout` next has something to do."""

    def poll(self) -> Completion | None:
        """Give the next transaction that has ended."""

    def abort(self, transaction: str) -> None:
        """End a transaction without a completion: whoever asked has gone. Nothing happens where it has ended."""

    def undeliverable(self, transaction: str, reason_code: int | None = None) -> None:
        """Tell that a request did not reach the server: refused with this Reason Code, or lost with its connection."""

    def cancel_all(self) -> None:
        """End every open transaction as cancelled."""

@final
class Treq:
    """A request to publish."""

    @property
    def transaction(self) -> str:
        """Identity of the transaction."""

    @property
    def topic(self) -> str:
        """Where to."""

    @property
    def qos(self) -> int:
        """At which QoS."""

    @property
    def payload(self) -> bytes:
        """The message."""

    @property
    def deadline(self) -> int:
        """When the transaction times out, in microseconds."""

@final
class Completion:
    """The end of a transaction."""

    @property
    def token(self) -> int:
        """As :meth:`Requester.begin` got it."""

    @property
    def transaction(self) -> str:
        """Identity of the transaction."""

    @property
    def outcome(self) -> Literal["replied", "failed", "timed-out", "cancelled", "undeliverable"]:
        """How it ended."""

    @property
    def value(self) -> str | None:
        """JSON text of the answer, of ``replied`` alone."""

    @property
    def code(self) -> int:
        """Code of ``failed`` and ``timed-out``, else 0; 500 where the reply has a name instead."""

    @property
    def code_name(self) -> str | None:
        """Name that the reply of ``failed`` has in place of a number."""

    @property
    def message(self) -> str:
        """Text for the client, of anything but ``replied``."""

@final
class Responder:
    """FlowSync transactions to answer, each handed out once."""

    def __new__(
        cls, *, max_transactions: int = 10_000, max_answer_bytes: int = 1_048_576, retention: float = 60.0
    ) -> Responder:
        """Make one that remembers so many transactions, so many bytes of answers, for so many seconds."""

    def __len__(self) -> int:
        """Transactions remembered, answered or not."""

    def handle_request(
        self, now_us: int, payload: Buffer, *, message_expiry: int | None = None
    ) -> Fresh | Repeated | Ignored:
        """Take in a request, and tell what to do with it."""

    def respond(self, wall_ms: int, transaction: str, value: str) -> bytes:
        """Record the answer, a JSON text, and return the message to publish on :func:`tres_topic`.

        Raises :exc:`~syncline.errors.UnknownTransactionError` where the transaction does not wait for an answer.
        """

    def fail(self, wall_ms: int, transaction: str, code: int, message: str) -> bytes:
        """Record an error as the answer, and return the message to publish."""

    def handle_timeout(self, now_us: int) -> None:
        """Forget what is past its retention."""

    def poll_timeout(self) -> int | None:
        """When :meth:`handle_timeout` next has something to forget."""

@final
class Fresh:
    """A request to work on, then to answer by :meth:`Responder.respond`."""

    @property
    def transaction(self) -> str:
        """Identity of the transaction."""

    @property
    def timestamp(self) -> int | None:
        """When the requester made it, in Unix milliseconds."""

    @property
    def value(self) -> str:
        """JSON text of the value."""

    @property
    def deadline(self) -> int | None:
        """When the requester stops waiting, in microseconds, where the message told it."""

@final
class Repeated:
    """A request that has been answered before: publish the answer again."""

    @property
    def tres(self) -> bytes:
        """The answer."""

@final
class Ignored:
    """A request with which nothing is to be done."""

    @property
    def reason(self) -> Literal["in-progress", "malformed", "overloaded"]:
        """Why."""

    @property
    def text(self) -> str:
        """Why, in words."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Registration:
    """How an agent that nobody knows yet comes to be let in: at a client registry, or at the broker alone.

    Inputs: :meth:`start` and ``handle_…``; then :meth:`poll` to the end.
    """

    def __new__(
        cls,
        username: str,
        credentials: Credentials | None = None,
        *,
        seed: bytes,
        mode: Literal["auto", "rest", "mqtt"] = "auto",
        csr: str | None = None,
    ) -> Registration:
        """Register with these credentials, that were stored; without any, with a new password.

        ``mode`` is where: at the registry, at the broker, or at the broker as long as no registry answers. ``csr`` is a
        certificate signing request in PEM.
        """

    @property
    def pairing_id(self) -> str | None:
        """What both sides show of the credentials, for an operator to compare."""

    def start(self, now_us: int) -> None:
        """Begin."""

    def stop(self, now_us: int) -> None:
        """End all efforts."""

    def handle_stored(self, now_us: int) -> None:
        """Tell that the credentials of :class:`StoreCredentials` are stored, or cannot be."""

    def handle_response(
        self, now_us: int, wall_ms: int, ask: Ask, status: int, body: Buffer, *, retry_after: str | None = None
    ) -> None:
        """Tell what the registry answered."""

    def handle_failure(
        self, now_us: int, ask: Ask, failure: Literal["unreachable", "timed-out", "untrusted", "not-http"]
    ) -> None:
        """Tell that there was no answer."""

    def handle_connected(self, now_us: int) -> None:
        """Tell that the broker accepted the connection."""

    def handle_refused(self, now_us: int, reason_code: int) -> None:
        """Tell that the broker refused it."""

    def handle_link_lost(self) -> None:
        """Tell that the connection was lost."""

    def handle_timeout(self, now_us: int) -> None:
        """Do what is due."""

    def poll_timeout(self) -> int | None:
        """When :meth:`handle_timeout` next has something to do."""

    def poll(self) -> RegistrationOutput | None:
        """Give the next thing to do or to know."""

@final
class Credentials:
    """User name and password; the ``repr`` leaves the password out."""

    def __new__(cls, username: str, password: str) -> Credentials:
        """Check them. Raises :exc:`~syncline.errors.ConfigError` where they do not fit a CONNECT."""

    @property
    def username(self) -> str:
        """User name."""

    @property
    def password(self) -> str:
        """Password."""

    @property
    def pairing_id(self) -> str:
        """What both sides show of them."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class StoreCredentials:
    """Store these credentials where the next start finds them, then call ``handle_stored``."""

    @property
    def credentials(self) -> Credentials:
        """Which."""

@final
class Ask:
    """Make this HTTP request of the registry, without following redirects, then call ``handle_response``."""

    @property
    def method(self) -> str:
        """Request method."""

    @property
    def path(self) -> str:
        """Path, to be appended to the registry's base URL."""

    @property
    def body(self) -> bytes:
        """Body, ``application/json``."""

@final
class Connect:
    """Connect to the broker with these credentials, then call ``handle_connected`` or ``handle_refused``."""

    @property
    def credentials(self) -> Credentials | None:
        """Which; ``None`` where none are needed."""

@final
class Delayed:
    """Registry or broker did not accept the agent; it is tried again. ``str`` gives the cure."""

    @property
    def obstacle(
        self,
    ) -> Literal[
        "locked",
        "pending",
        "pending-at-broker",
        "conflict",
        "rejected",
        "unavailable",
        "no-certificate",
        "not-a-registry",
        "no-answer",
        "refused",
        "other",
    ]:
        """What stands in the way."""

    @property
    def text(self) -> str:
        """The same in words, with the cure."""

    @property
    def pairing_id(self) -> str | None:
        """What both sides show of the credentials."""

    @property
    def retry_at(self) -> int | None:
        """When it is tried again."""

@final
class Granted:
    """The registry accepted the agent."""

    @property
    def certificate(self) -> str | None:
        """The signed certificate in PEM, where a request to sign one went along."""

@final
class Denied:
    """The registry will never accept this request, and nothing is tried again; ``str`` says why."""

    @property
    def status(self) -> int:
        """Status code."""

    @property
    def text(self) -> str:
        """Why, in words."""

def check_topic_name(topic: str) -> None:
    """Check a Topic Name. Raises :exc:`~syncline.errors.TopicError`, which says where it is wrong."""

def tres_topic(treq_topic: str) -> str | None:
    """Give the topic of the answer to a request on this topic; ``None`` where that is none of a request."""

def reason_text(reason_code: int) -> str:
    """Give the words of a Reason Code."""

def peek(data: Buffer, version: int, max_packet_size: int) -> tuple[int, int] | None: ...
def decode_publish(data: Buffer, version: int) -> tuple[str, bytes, int, bool, bool, int | None]: ...
def encode_publish(
    topic: str,
    payload: Buffer,
    *,
    qos: int,
    dup: bool,
    retain: bool,
    packet_id: int | None,
    version: int,
) -> bytes: ...
