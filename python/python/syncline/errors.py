"""Errors by blame: the caller's, the peer's, what the peer does not offer, and limits; each text names the cure.

::

    SynclineError
     ├─ MisuseError                the call breaks a rule: change the call
     │   ├─ ConfigError            also a ValueError
     │   ├─ TopicError             also a ValueError
     │   ├─ PacketError            a value out of range, or of no packet; also a ValueError
     │   ├─ NotConnectedError
     │   ├─ ClosingError
     │   ├─ StaleTokenError
     │   └─ UnknownTransactionError
     ├─ ProtocolError              the peer broke the protocol
     ├─ IncompatibleError          the server does not offer it
     ├─ LimitError                 a bound was reached: wait, ask for less, or raise it
     │   └─ QueueFullError
     ├─ RestoreFailedError         stored records do not make a session
     ├─ ConnectionFailedError      there is no connection, and no further attempt; also a ConnectionError
     ├─ LostError                  an operation is over without an acknowledgement
     ├─ RefusedError               the server acknowledged an operation with an error
     └─ TransactionError           a FlowSync transaction ended without a value
         ├─ RequestFailedError     the responder answered with an error
         ├─ RequestTimedOutError   nobody answered in time; also a TimeoutError
         └─ UndeliverableError     the request did not reach the server

An argument of another type than it is annotated with is a :exc:`TypeError` where it is not one of these.
"""

__all__ = [
    "ClosingError",
    "ConfigError",
    "ConnectionFailedError",
    "IncompatibleError",
    "LimitError",
    "LostError",
    "MisuseError",
    "NotConnectedError",
    "PacketError",
    "ProtocolError",
    "QueueFullError",
    "RefusedError",
    "RequestFailedError",
    "RequestTimedOutError",
    "RestoreFailedError",
    "StaleTokenError",
    "SynclineError",
    "TopicError",
    "TransactionError",
    "UndeliverableError",
    "UnknownTransactionError",
]


class SynclineError(Exception):
    """What all errors of this package have in common."""


class MisuseError(SynclineError):
    """The call breaks a rule of this package; nothing has changed."""


class ConfigError(MisuseError, ValueError):
    """A configuration that cannot be; the text names the field."""


class TopicError(MisuseError, ValueError):
    """A text that is no Topic Name, or no Topic Filter; the text says where."""


class PacketError(MisuseError, ValueError):
    """A value that is out of range, or values that do not make a packet."""


class NotConnectedError(MisuseError):
    """There is no connection, and this operation is not queued without one."""


class ClosingError(MisuseError):
    """The session is disconnecting, or the client is closed."""


class StaleTokenError(MisuseError):
    """The acknowledgement token is of an older connection, or was used."""


class UnknownTransactionError(MisuseError):
    """The transaction is not known, no longer remembered, or answered already."""


class ProtocolError(SynclineError):
    """The peer broke the protocol."""

    reason_code: int
    """The Reason Code that answers it."""

    def __init__(self, text: str, reason_code: int) -> None:
        """Keep the Reason Code beside the text."""
        super().__init__(text, reason_code)
        self.reason_code = reason_code

    def __str__(self) -> str:
        """Give the text alone."""
        return str(self.args[0])


class IncompatibleError(SynclineError):
    """The server is sound and does not offer what was asked for."""


class LimitError(SynclineError):
    """A bound was reached."""


class QueueFullError(LimitError):
    """The queue of outgoing messages is full."""


class RestoreFailedError(SynclineError):
    """Stored records do not make a session; they are as they were."""


class ConnectionFailedError(SynclineError, ConnectionError):
    """There is no connection, and no further attempt."""

    reason: str
    """Why, as :attr:`syncline.core.Disconnected.reason` has it."""
    reason_code: int
    """Reason Code that the server gave, else 0."""

    def __init__(self, text: str, reason: str, reason_code: int) -> None:
        """Keep the reason beside the text."""
        super().__init__(text, reason, reason_code)
        self.reason = reason
        self.reason_code = reason_code

    def __str__(self) -> str:
        """Give the text alone."""
        return str(self.args[0])


class LostError(SynclineError):
    """An operation is over without an acknowledgement: the other side may or may not have got it."""

    loss: str
    """Why, as :attr:`syncline.core.Lost.loss` has it."""

    def __init__(self, text: str, loss: str) -> None:
        """Keep the reason beside the text."""
        super().__init__(text, loss)
        self.loss = loss

    def __str__(self) -> str:
        """Give the text alone."""
        return str(self.args[0])


class RefusedError(SynclineError):
    """The server acknowledged an operation with an error."""

    reason_code: int
    """Its Reason Code; for several Topic Filters the first that is an error."""

    def __init__(self, text: str, reason_code: int) -> None:
        """Keep the Reason Code beside the text."""
        super().__init__(text, reason_code)
        self.reason_code = reason_code

    def __str__(self) -> str:
        """Give the text alone."""
        return str(self.args[0])


class TransactionError(SynclineError):
    """A FlowSync transaction ended without a value."""


class RequestFailedError(TransactionError):
    """The responder answered with an error."""

    code: int
    """The code, in the terms of the client's protocol: for HTTP 400 to 599; 500 where the answer has a name instead."""
    message: str
    """Text for the client."""
    code_name: str | None
    """The name that the answer has in place of a number, such as that of a StatusCode of OPC UA; a responder's own is not sent."""

    def __init__(self, code: int, message: str, code_name: str | None = None) -> None:
        """Keep code and message."""
        super().__init__(code, message, code_name)
        self.code = code
        self.message = message
        self.code_name = code_name

    def __str__(self) -> str:
        """Give both."""
        return f"{self.message} ({self.code_name or self.code})"


class RequestTimedOutError(TransactionError, TimeoutError):
    """Nobody answered in time."""


class UndeliverableError(TransactionError):
    """The request did not reach the server."""
