"""Types of the compiled module; checked against it by mypy's stubtest."""

from typing import final

__all__ = [
    "LimitError",
    "ProtocolError",
    "Requester",
    "SynclineError",
    "__version__",
    "decode_publish",
    "encode_publish",
    "peek",
]

__version__: str

class SynclineError(Exception): ...

class ProtocolError(SynclineError):
    reason_code: int

class LimitError(SynclineError): ...

def peek(data: bytes, version: int, max_packet_size: int) -> tuple[int, int] | None: ...
def decode_publish(data: bytes, version: int) -> tuple[str, bytes, int, bool, bool, int | None]: ...
def encode_publish(
    topic: str,
    payload: bytes,
    *,
    qos: int,
    dup: bool,
    retain: bool,
    packet_id: int | None,
    version: int,
) -> bytes: ...
@final
class Requester:
    def __new__(cls, seed: bytes) -> Requester: ...
    def add_node(
        self,
        base: str,
        *,
        qos: int,
        timeout_ms: int,
        timeout_error_code: int,
        timeout_error_message: str | None,
        max_in_flight: int,
    ) -> int: ...
    def remove_node(self, node: int) -> None: ...
    def begin(
        self, now: int, wall: int, node: int, value: str, *, token: int, timeout_ms: int | None
    ) -> tuple[str, str, int, bytes, int]: ...
    def handle_message(self, topic: str, payload: bytes, *, retained: bool) -> bool | None: ...
    def handle_timeout(self, now: int) -> None: ...
    def poll_timeout(self) -> int | None: ...
    def poll(self) -> tuple[int, str, str, int, str] | None: ...
    def abort(self, transaction: str) -> None: ...
    def cancel_all(self) -> None: ...
